//! Words for numbers, days, choices and sources.

use std::fmt::Display;

use aksarc_shared::data::Document;
use aksarc_shared::finding::Basis;
use aksarc_shared::verdict::report::v1::DocumentV1;

/// A count with its noun: `1 node`, `412 nodes`, `14,212 objects`.
pub(crate) fn counting(count: usize, noun: &str) -> String {
    let plural = match noun {
        _ if count == 1 => noun.to_owned(),
        _ if noun.ends_with('s') => format!("{noun}es"),
        _ if noun.ends_with('y') => format!("{}ies", noun.trim_end_matches('y')),
        _ => format!("{noun}s"),
    };
    let digits = count.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {plural}")
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

fn titled(title: &str, date: Option<impl Display>) -> String {
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
    }
}
