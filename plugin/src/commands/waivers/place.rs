//! The place of a waiver's field in a file.

use aksarc_shared::people::waiver::WaiverPlace;

/// The place of `field` between `from` and the beginning of the next waiver; `from` itself where it is not found.
///
/// The reader gives the place of each waiver as a whole. Its terms are checked later, on values without places, so the
/// field is looked for in the text; a wrong guess within the right waiver still leads to the right waiver.
pub(super) fn of_field(text: &str, from: WaiverPlace, next: Option<WaiverPlace>, field: &str) -> WaiverPlace {
    if field.is_empty() {
        return from;
    }
    let number = |line: u64| usize::try_from(line).unwrap_or(usize::MAX);
    let end = next.map_or(usize::MAX, |next| number(next.line));
    for (index, line) in text.lines().enumerate() {
        let own = index + 1;
        // For two waivers on one line only the line is known.
        if own < number(from.line) || own > end || (own == end && end != number(from.line)) {
            continue;
        }
        if let Some(column) = key_in(line, field) {
            let place = WaiverPlace {
                line: u64::try_from(own).unwrap_or(from.line),
                column: u64::try_from(column).unwrap_or(from.column),
            };
            if place >= from {
                return place;
            }
        }
    }
    from
}

/// The column, from 1 on, of `key:` in a line.
fn key_in(line: &str, key: &str) -> Option<usize> {
    let bare = line.split(" #").next().unwrap_or(line);
    for (at, _) in bare.match_indices(key) {
        let (before, rest) = bare.split_at_checked(at)?;
        let after = rest.strip_prefix(key).unwrap_or_default();
        let begins = before.chars().next_back().is_none_or(|c| matches!(c, ' ' | '{' | ',' | '-' | '"' | '\''));
        let ends = after.trim_start_matches(['"', '\'']).trim_start().starts_with(':');
        if begins && ends {
            return Some(before.chars().count() + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_block_and_flow_and_not_in_neighbours() {
        let text = "items:\n- name: a # ticket: none\n  reason: no ticket: here\n  ticket: x\n- {name: b, ticket: y}\n- name: c\n";
        let at = |line, column| WaiverPlace { line, column };
        assert_eq!(of_field(text, at(2, 3), Some(at(5, 3)), "ticket"), at(3, 14), "a guess within the waiver");
        assert_eq!(of_field(text, at(2, 3), Some(at(5, 3)), "name"), at(2, 3));
        assert_eq!(of_field(text, at(5, 3), Some(at(6, 3)), "ticket"), at(5, 13));
        assert_eq!(of_field(text, at(6, 3), None, "ticket"), at(6, 3));
        assert_eq!(of_field("{\"ticket\": 1}", at(1, 1), None, "ticket"), at(1, 3));
    }
}
