//! Patterns by which tables name keys, managers and the like.

use std::ops::Deref;

use serde::Deserialize;

/// An exact name, a prefix, or a domain with its subdomains; exactly one of them is set.
#[derive(Clone, Debug, Deserialize)]
pub struct Pattern {
    #[serde(default, alias = "key")]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) prefix: Option<String>,
    /// For keys: a domain that the part before the `/` equals or ends in.
    #[serde(default)]
    pub(super) domain: Option<String>,
}

impl Pattern {
    /// Whether the pattern matches `text`.
    pub fn is(&self, text: &str) -> bool {
        match (&self.name, &self.prefix, &self.domain) {
            (Some(name), _, _) => name == text,
            (None, Some(prefix), _) => text.starts_with(&**prefix),
            (None, None, Some(domain)) => {
                // This is asked for every key of every node; `split_once` is slower.
                let slash = text.bytes().position(|byte| byte == b'/');
                let before = slash.and_then(|slash| text.get(..slash)?.strip_suffix(&**domain));
                before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
            }
            (None, None, None) => false,
        }
    }

    /// The exact name, where the pattern is one.
    pub fn exact(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The prefix, where the pattern is one.
    pub fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref().filter(|_| self.name.is_none())
    }

    /// Whether the pattern is the exact name `text`.
    pub(super) fn is_exactly(&self, text: &str) -> bool {
        self.name.as_deref() == Some(text)
    }

    /// Whether the pattern matches `text`, ignoring case.
    pub(super) fn is_but_for_case(&self, text: &str) -> bool {
        match (&self.name, &self.prefix) {
            (Some(name), _) => name.eq_ignore_ascii_case(text),
            (None, Some(prefix)) => text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix)),
            (None, None) => self.is(text),
        }
    }

    /// A sort key for precedence: exact names before prefixes and domains, longer before shorter.
    pub(super) fn rank(&self) -> (bool, usize) {
        let text = self.name.as_ref().or(self.prefix.as_ref()).or(self.domain.as_ref());
        (self.name.is_some(), text.map_or(0, String::len))
    }

    #[cfg(test)]
    pub(super) fn is_one(&self) -> bool {
        [&self.name, &self.prefix, &self.domain].into_iter().flatten().count() == 1
    }
}

/// A table that is looked up by the patterns of its rows. A few bytes of each pattern rule most rows out, so that a lookup
/// does not have to load them all: the guard makes many of them for each review.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Vec<R>", bound(deserialize = "R: Deserialize<'de> + AsRef<Pattern>"))]
pub struct PatternTable<R> {
    rows: Vec<R>,
    glances: Vec<Glance>,
}

impl<R> PatternTable<R> {
    /// The rows whose pattern may match `text`, with or without regard to case, in their order: all that do, and few others.
    pub(super) fn candidates(&self, text: &str) -> impl DoubleEndedIterator<Item = &R> {
        let outline = Outline::of(text);
        let rows = self.glances.iter().zip(&self.rows);
        rows.filter(move |(glance, _)| glance.may_match(outline)).map(|(_, row)| row)
    }
}

impl<R: AsRef<Pattern>> From<Vec<R>> for PatternTable<R> {
    fn from(rows: Vec<R>) -> Self {
        let glances = rows.iter().map(|row| Glance::of(row.as_ref())).collect();
        PatternTable { rows, glances }
    }
}

impl<R> Deref for PatternTable<R> {
    type Target = [R];

    fn deref(&self) -> &[R] {
        &self.rows
    }
}

/// What rules out most texts that a pattern does not match, in as few bytes as possible.
#[derive(Clone, Copy, Debug)]
enum Glance {
    /// That of an exact name.
    Name(Outline),
    /// That of a prefix.
    Prefix(Outline),
    /// Nothing.
    Any,
}

impl Glance {
    fn of(pattern: &Pattern) -> Self {
        match (&pattern.name, &pattern.prefix) {
            (Some(name), _) => Glance::Name(Outline::of(name)),
            (None, Some(prefix)) if !prefix.is_empty() => Glance::Prefix(Outline::of(prefix)),
            (None, _) => Glance::Any,
        }
    }

    fn may_match(self, text: Outline) -> bool {
        match self {
            Glance::Name(own) => own == text,
            Glance::Prefix(own) => own.first == text.first && own.length <= text.length,
            Glance::Any => true,
        }
    }
}

/// The first byte of a text in lower case, 0 where there is none, and its length, or 255 for all that are longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outline {
    first: u8,
    length: u8,
}

impl Outline {
    fn of(text: &str) -> Self {
        Outline {
            first: text.bytes().next().unwrap_or_default().to_ascii_lowercase(),
            length: u8::try_from(text.len()).unwrap_or(u8::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Row(Pattern);

    impl AsRef<Pattern> for Row {
        fn as_ref(&self) -> &Pattern {
            &self.0
        }
    }

    #[test]
    fn every_row_that_matches_is_a_candidate() {
        let of = |[name, prefix, domain]: [Option<&str>; 3]| {
            let own = |text: Option<&str>| text.map(str::to_owned);
            Row(Pattern { name: own(name), prefix: own(prefix), domain: own(domain) })
        };
        let texts = ["", "a", "A", "ab", "Ab/c", "ab/c", "b.ab/c", "\u{e9}", "\u{e9}b/c", "/", "0"];
        let long = ["a".repeat(254), "a".repeat(255), "a".repeat(300)];
        let texts: Vec<&str> = texts.into_iter().chain(long.iter().map(String::as_str)).collect();
        let each = || texts.iter().copied().map(Some);
        let rows = each().map(|text| [text, None, None]);
        let rows = rows.chain(each().map(|text| [None, text, None])).chain(each().map(|text| [None, None, text]));
        let table: PatternTable<Row> = rows.chain([[None; 3]]).map(of).collect::<Vec<_>>().into();
        let mut ruled_out = 0;
        for text in &texts {
            let is = |row: &&Row| row.0.is(text) || row.0.is_but_for_case(text);
            let place = |row: &Row| std::ptr::from_ref(row);
            let expected: Vec<_> = table.iter().filter(is).map(place).collect();
            assert_eq!(table.candidates(text).filter(is).map(place).collect::<Vec<_>>(), expected, "{text}");
            ruled_out += table.len() - table.candidates(text).count();
        }
        assert!(ruled_out > table.len());
    }
}
