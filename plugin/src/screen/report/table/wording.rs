//! Numbers and choices in words.

use aksarc_shared::report::Report;

/// `1 node`, `412 nodes`, `14,212 objects`.
pub(super) fn counting(count: usize, noun: &str) -> String {
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

/// The platforms it may be.
pub(super) fn candidates(report: &Report) -> Vec<&str> {
    report.policy.platform.split('|').collect()
}

/// `a`, `a or b`, `a, b or c`.
pub(super) fn either(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [head @ .., last] => format!("{} or {last}", head.join(", ")),
    }
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
