//! The list of versions that a result rests on.

use std::fmt::Write as _;

use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::ReportV1;

/// The list, a line each.
pub(crate) fn list(report: &ReportV1) -> String {
    let or_unknown = |text: &str| if text.is_empty() { "unknown".to_owned() } else { text::line(text, MAX_SHOWN) };
    let mut out = String::new();
    for (what, value) in [
        ("kubectl-aksarc", &report.tool.version),
        ("commit", &report.tool.commit),
        ("Kubernetes", &report.cluster.kubernetes_version),
        ("platform", &report.policy.platform),
        ("judged as of", &report.policy.as_of),
        ("version table", &report.policy.version_table_as_of),
    ] {
        // Writing to a string does not fail.
        let _ = writeln!(out, "{what:<16}{}", or_unknown(value));
    }
    for document in &report.policy.documents {
        let date = document.date.as_deref().unwrap_or("undated");
        let _ = writeln!(out, "{:<16}{}, {}", "policy text", or_unknown(&document.title), or_unknown(date));
    }
    for clock in report.clocks.iter().filter(|clock| VERSIONS.contains(&&*clock.code)) {
        let _ = writeln!(out, "{:<16}{} on {}", "deadline", or_unknown(&clock.what), or_unknown(&clock.due));
    }
    out
}

/// The rules about versions.
const VERSIONS: [&str; 4] = ["AA102", "AA104", "AA106", "AA403"];

/// The longest value.
const MAX_SHOWN: usize = 300;
