//! Patterns of names: `*` stands for any characters, `?` for one.

/// Whether a pattern matches a name.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut seen) = (0, 0);
    // The last star, and how much of the name it took.
    let mut star: Option<(usize, usize)> = None;
    while seen < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(own) if *own == '?' || name.get(seen) == Some(own) => {
                at += 1;
                seen += 1;
            }
            _ => {
                // The star takes one more.
                let Some((place, taken)) = star else { return false };
                star = Some((place, taken + 1));
                at = place + 1;
                seen = taken + 1;
            }
        }
    }
    pattern.iter().skip(at).all(|own| *own == '*')
}

/// How many characters a pattern takes as they are: the more, the less it matches.
pub(super) fn literals(pattern: &str) -> usize {
    pattern.chars().filter(|own| !matches!(own, '*' | '?')).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_take_any_characters_and_question_marks_one() {
        for (pattern, name) in [
            ("edge-7", "edge-7"),
            ("edge-*", "edge-"),
            ("edge-*", "edge-7"),
            ("*", ""),
            ("*-admin@*", "a-admin-admin@b"),
            ("*a*b*", "xaxxbx"),
            ("edge-?", "edge-ü"),
            ("**", "a"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("edge", "edge-7"), ("edge-?", "edge-"), ("*a", "ab"), ("", "a"), ("Edge", "edge"), ("a*b*c", "acb")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        assert!(literals("edge-*") > literals("*") && literals("edge-?") == literals("edge-*"));
    }
}
