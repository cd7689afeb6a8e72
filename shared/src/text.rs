//! Text that is safe to print. Names and values come from the cluster, where anybody who can write an object chooses
//! them.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` without characters that could steer a terminal, forge a line or reorder what is read.
///
/// Control characters, line and paragraph separators, bidirectional overrides and zero-width characters are shown as
/// `\u{..}`. The API server drops a whole warning that holds a control character, so this is needed there too.
pub fn clean(text: &str) -> Cow<'_, str> {
    // Most text is printable ASCII. Without an early end, many bytes are compared at once.
    let is_plain = text.bytes().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'));
    if is_plain || !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// `text` cleaned and cut to at most `max` bytes, with `…` where something was cut.
pub fn line(text: &str, max: usize) -> String {
    let clean = clean(text);
    if clean.len() <= max {
        return clean.into_owned();
    }
    let mut end = max.saturating_sub(ELLIPSIS.len());
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    let (kept, _) = clean.split_at(end);
    format!("{}{ELLIPSIS}", kept.trim_end())
}

/// The known word nearest to `given`, if one is near enough to be a slip of the finger.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    known
        .into_iter()
        .map(|word| (distance(&given, &word.to_lowercase()), word))
        .filter(|(distance, word)| *distance <= 1 + word.len() / 6)
        .min()
        .map(|(_, word)| word)
}

/// Levenshtein distance in characters, one row at a time.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, cb) in row.iter_mut().skip(1).zip(&b) {
            let cost = if ca == *cb { diagonal } else { 1 + diagonal.min(left).min(*cell) };
            diagonal = *cell;
            *cell = cost;
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// Whether a character could steer a terminal, forge a line, hide, or reorder what is read.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        // A soft hyphen, fillers, an empty Braille cell, tags: these are invisible too.
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}' | '\u{e0000}'..='\u{e007f}')
}

const ELLIPSIS: &str = "…";

/// The first 16 bytes of a digest, in hex: enough to tell any two things apart, and short enough to print.
pub fn short_hex(digest: &[u8]) -> String {
    hex(digest.get(..16).unwrap_or(digest))
}

/// Bytes in hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The reason why a text cannot be printed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextProblem {
    /// The text is too long.
    #[error("{0} has more than {1} bytes")]
    TooLarge(&'static str, usize),
    /// The text contains characters that steer terminals or forge lines.
    #[error("{0} holds control or invisible characters")]
    Unprintable(&'static str),
}

impl TextProblem {
    /// The name of the field that holds the text.
    pub fn field(&self) -> &'static str {
        match self {
            TextProblem::TooLarge(field, _) | TextProblem::Unprintable(field) => field,
        }
    }
}

/// The problems of a text in a field of at most `max` bytes.
pub(crate) fn problems(field: &'static str, text: &str, max: usize) -> impl Iterator<Item = TextProblem> {
    let long = (text.len() > max).then_some(TextProblem::TooLarge(field, max));
    let unseen = (clean(text) != text).then_some(TextProblem::Unprintable(field));
    long.into_iter().chain(unseen)
}

/// The longest Kubernetes name, in bytes. A longer one is a mistake in a file.
pub(crate) const MAX_NAME: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_overrides_are_shown_not_sent() {
        assert_eq!(clean("plain"), "plain");
        for unseen in ['\u{ad}', '\u{61c}', '\u{115f}', '\u{2800}', '\u{3164}', '\u{e0061}'] {
            assert_eq!(clean(&unseen.to_string()), unseen.escape_unicode().to_string());
        }
        assert_eq!(clean("a\nb\u{1b}[31m\u{202e}c"), "a\\u{a}b\\u{1b}[31m\\u{202e}c");
    }

    #[test]
    fn line_never_exceeds_its_bytes_nor_splits_a_character() {
        for max in 3..20 {
            let cut = line("äöüäöüäöüäöü", max);
            assert!(cut.len() <= max, "{cut} is longer than {max}");
        }
        assert_eq!(line("short", 10), "short");
    }

    #[test]
    fn nearest_finds_slips_only() {
        assert_eq!(nearest("AA20l", ["AA201", "AA301"]), Some("AA201"));
        assert_eq!(nearest("nodes", ["pods-of-something", "elsewhere"]), None);
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
