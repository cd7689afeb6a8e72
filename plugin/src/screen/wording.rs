//! Words for numbers, days, choices and sources.

use std::fmt::Display;

use aksarc_shared::data::Document;
use aksarc_shared::finding::Basis;
use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::{DocumentV1, ObjectV1};

/// The marks that a medium has for quotes and apostrophes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Typography {
    /// The quotes before and behind a title.
    pub(crate) quotes: (char, char),
    /// The apostrophe.
    pub(crate) apostrophe: char,
}

/// The marks of a keyboard, for terminals.
pub(crate) const PLAIN: Typography = Typography { quotes: ('"', '"'), apostrophe: '\'' };

/// The marks of printed text, for pages.
pub(crate) const TYPOGRAPHIC: Typography = Typography { quotes: ('“', '”'), apostrophe: '’' };

/// A count with its noun: `1 node`, `412 nodes`, `14,212 objects`.
pub(crate) fn counting(count: usize, noun: &str) -> String {
    let plural = match noun {
        _ if count == 1 => noun.to_owned(),
        _ if noun.ends_with('s') => format!("{noun}es"),
        _ if noun.ends_with('y') && !noun.ends_with("ay") => format!("{}ies", noun.trim_end_matches('y')),
        _ => format!("{noun}s"),
    };
    format!("{} {plural}", number(count))
}

/// A number in groups of three digits: `14,212`.
pub(crate) fn number(count: usize) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// An object in a few words: `kube-system/deployment/coredns`. What is no object of Kubernetes is told in plain words.
pub(super) fn object_words(object: &ObjectV1) -> String {
    let is_own = object.api_version.starts_with("aksarc.dev/");
    let words = match (&*object.kind, &*object.name) {
        ("Cluster", _) if is_own => "the cluster".to_owned(),
        ("NodePool", name) if is_own => format!("node pool {name}"),
        ("Product", name) if is_own => name.to_owned(),
        ("SupportWaiver", name) if is_own => format!("waiver {name}"),
        _ => object.short(),
    };
    text::line(&words, 160)
}

/// A kind in the singular, for counts.
pub(super) fn kind_words(object: &ObjectV1) -> String {
    match &*object.kind {
        "NodePool" => "node pool".to_owned(),
        "SupportWaiver" => "waiver".to_owned(),
        kind => text::line(&kind.to_lowercase(), 60),
    }
}

/// A text with a capital letter at its beginning.
pub(crate) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// `SystemLabelChanged` for `system-label-changed`.
pub(crate) fn pascal_case(words: &str) -> String {
    words.split('-').map(capitalised).collect()
}

/// `requestTimeout` for `request-timeout`.
pub(crate) fn camel_case(words: &str) -> String {
    let (first, rest) = words.split_once('-').unwrap_or((words, ""));
    first.to_owned() + &pascal_case(rest)
}

/// Alternatives: `a`, `a or b`, `a, b or c`.
pub(crate) fn either(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [head @ .., last] => format!("{} or {last}", head.join(", ")),
    }
}

/// A distance in days: `23 days`, `1 day ago`, `today`.
pub(crate) fn days(left: i64) -> String {
    let unit = if left.unsigned_abs() == 1 { "day" } else { "days" };
    match left {
        0 => "today".to_owned(),
        1.. => format!("{left} {unit}"),
        _ => format!("{} {unit} ago", left.unsigned_abs()),
    }
}

/// A policy text as `Title (2025-04-03)`.
pub(crate) fn dated(document: &Document) -> String {
    titled(&document.title, document.date)
}

/// A page of a report as `Title (2025-04-03)`.
pub(super) fn dated_page(page: &DocumentV1) -> String {
    titled(&page.title, page.date.as_ref())
}

/// A title with its date, `Title (2025-04-03)`.
pub(super) fn titled(title: &str, date: Option<impl Display>) -> String {
    match date {
        Some(date) => format!("{title} ({date})"),
        None => format!("{title} (undated)"),
    }
}

/// A basis as text for people. A documented one names its pages with their dates.
pub(crate) fn rests_on(basis: Basis) -> String {
    let pages: Vec<String> = basis.documents().into_iter().map(dated).collect();
    if pages.is_empty() { basis.phrase().to_owned() } else { format!("{}: {}", basis.phrase(), pages.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_nouns_agree() {
        assert_eq!(counting(1, "node"), "1 node");
        assert_eq!(counting(14212, "object"), "14,212 objects");
        assert_eq!(counting(0, "ingress"), "0 ingresses");
        assert_eq!(counting(2, "networkpolicy"), "2 networkpolicies");
        assert_eq!(counting(2, "day"), "2 days");
    }
}
