//! The frame of a page: head, policy for browsers, style sheet, signs, and the line at its end.

use aksarc_shared::verdict::report::v1::ReportV1;
use k8s_openapi::ByteString;
use sha2::{Digest, Sha256};

use super::markup::Markup;
use super::tone::SYMBOLS;

/// A page with a title and a body.
pub(super) fn whole(title: &str, body: &Markup, report: &ReportV1) -> String {
    let mut page = Markup::default();
    page.own("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.fill(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'\">\n",
        [&hash(STYLE)],
    );
    page.own("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
        .own("<meta name=\"color-scheme\" content=\"light dark\">\n")
        .own("<meta name=\"referrer\" content=\"no-referrer\">\n")
        .fill("<title>{}</title>\n", [&title])
        .own("<style>")
        .own(STYLE)
        .own("</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#report\">To the report</a>\n")
        .own(SYMBOLS)
        .own("<main id=\"report\" tabindex=\"-1\">\n")
        .add(body)
        .own("</main>\n<footer class=\"end\"><p>");
    page.fill("Made by kubectl-aksarc {}", [&report.tool.version]);
    if !report.tool.commit.is_empty() {
        page.fill(" ({})", [&report.tool.commit]);
    }
    page.own(
        ". It compares a cluster with published texts, in words of its own. It is not a statement of Microsoft’s, and nothing in it \
         is guaranteed.</p></footer>\n</body>\n</html>\n",
    );
    page.into_string()
}

/// The SHA-256 of a style sheet, as a Content-Security-Policy names it: in base64.
fn hash(style: &str) -> String {
    let digest = ByteString(Sha256::digest(style.as_bytes()).to_vec());
    let quoted = serde_json::to_string(&digest).unwrap_or_default();
    quoted.trim_matches('"').to_owned()
}

const STYLE: &str = include_str!("page.css");

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash of the empty text as browsers compute it, from the examples of the Content-Security-Policy specification.
    #[test]
    fn a_hash_is_that_of_browsers() {
        assert_eq!(hash(""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
