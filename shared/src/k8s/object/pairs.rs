//! Labels, annotations and other pairs that are looked up by name.

use std::cell::OnceCell;
use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::k8s::read::scan;
use crate::k8s::text::Text;

/// A key and its value.
pub type LabelRow<'a> = (Text<'a>, Text<'a>);

/// Labels or annotations, in the order of the document.
#[derive(Clone, Debug, Default)]
pub struct Pairs<'a> {
    /// The text of all pairs, where they were read without a parser.
    raw: Option<&'a str>,
    rows: Vec<LabelRow<'a>>,
    index: PairIndex,
}

impl<'a> Pairs<'a> {
    fn new(rows: Vec<LabelRow<'a>>) -> Self {
        Pairs { raw: None, rows, index: PairIndex::default() }
    }

    /// The value of `key`, exactly as spelled.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.index.find(&self.rows, key).map(|(_, value)| &**value)
    }

    /// Keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rows.iter().map(|(k, v)| (&**k, &**v))
    }

    /// Keys and values, as rows.
    pub fn rows(&self) -> &[LabelRow<'a>] {
        &self.rows
    }

    /// The rows of both sides from the first difference to the last. The API server sorts keys, so mostly these are few.
    pub fn differing<'p>(&'p self, other: &'p Self) -> (&'p [LabelRow<'a>], &'p [LabelRow<'a>]) {
        if self.has_text_of(other) {
            return (&[], &[]);
        }
        let before = self.rows.iter().zip(&other.rows).take_while(|(own, other)| own == other).count();
        let rest = |rows: &'p [_]| rows.get(before..).unwrap_or_default();
        let (own, other) = (rest(&self.rows), rest(&other.rows));
        let behind = own.iter().rev().zip(other.iter().rev()).take_while(|(own, other)| own == other).count();
        (own.split_at(own.len() - behind).0, other.split_at(other.len() - behind).0)
    }

    fn has_text_of(&self, other: &Self) -> bool {
        self.raw.is_some() && self.raw == other.raw
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().map(|(k, _)| &**k)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The pairs whose key satisfies `wanted`.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&str) -> bool) -> Self {
        Pairs::new(self.rows.iter().filter(|(key, _)| wanted(key)).cloned().collect())
    }

    /// Reads the pairs at the beginning of `rest`, or `null`, into `self`, and returns their length. `None` leaves them to
    /// the parser. `twin` are pairs whose text these may repeat.
    pub(super) fn scan(&mut self, rest: &'a str, twin: Option<&Pairs<'a>>) -> Option<usize> {
        *self = Pairs::default();
        if rest.starts_with("null") {
            return Some("null".len());
        }
        let repeated = twin.and_then(|twin| Some((twin, twin.raw?))).filter(|(_, raw)| scan::repeats(rest, raw));
        if let Some((twin, raw)) = repeated {
            self.clone_from(twin);
            return Some(raw.len());
        }
        self.rows.reserve(16);
        let length = scan::members(rest, |key, rest| {
            let value = scan::value(rest, None)?;
            self.rows.push((Text::from(key), scan::text(value)?));
            Some(value.len())
        })?;
        self.raw = rest.get(..length);
        Some(length)
    }
}

impl PartialEq for Pairs<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.has_text_of(other) || self.rows == other.rows
    }
}

impl Eq for Pairs<'_> {}

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;
        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map of strings")
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Pairs::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::with_capacity(map.size_hint().unwrap_or(16));
                while let Some(key) = map.next_key()? {
                    // kubectl sometimes prints `key: null` for an empty value; the API server reads it as "".
                    let value: Option<Text<'de>> = map.next_value()?;
                    pairs.push((key, value.unwrap_or_default()));
                }
                Ok(Pairs::new(pairs))
            }
        }
        deserializer.deserialize_any(PairsVisitor)
    }
}

/// An index of names, sorted, so that a look-up does not pass all rows. It is made at the first look-up in a long list:
/// few lists are long, and most are never searched.
#[derive(Clone, Debug, Default)]
pub(crate) struct PairIndex(OnceCell<Vec<usize>>);

impl PairIndex {
    /// The first of `rows` with the given name.
    pub(crate) fn find<'r, K, T>(&self, rows: &'r [(K, T)], name: &str) -> Option<&'r (K, T)>
    where
        K: Deref<Target = str>,
    {
        if rows.len() <= FEW {
            return rows.iter().find(|(own, _)| &**own == name);
        }
        let name_at = |at: &usize| rows.get(*at).map(|(own, _)| &**own);
        let sorted = self.0.get_or_init(|| {
            let mut places: Vec<usize> = (0..rows.len()).collect();
            // The sort is stable, so of several rows of one name the first stays first.
            places.sort_by_key(name_at);
            places
        });
        let first = sorted.partition_point(|at| name_at(at) < Some(name));
        rows.get(*sorted.get(first)?).filter(|(own, _)| &**own == name)
    }
}

/// The number of rows up to which a linear search is faster than an index.
const FEW: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Pairs<'_> {
        let mut pairs = Pairs::default();
        pairs.scan(json, None).unwrap();
        pairs
    }

    #[test]
    fn every_key_of_few_and_of_many_is_found_and_no_other() {
        for count in [0, 1, FEW, FEW + 1, 300] {
            let own: Vec<String> = (0..count).map(|n| format!(r#""k{n}":"v{n}""#)).collect();
            let json = format!("{{{}}}", own.join(","));
            let pairs = read(&json);
            for n in 0..count {
                assert_eq!(pairs.get(&format!("k{n}")), Some(&*format!("v{n}")), "of {count}");
            }
            for other in ["", "k", "k300", "z", "K1"] {
                assert_eq!(pairs.get(other), None, "{other} of {count}");
            }
        }
    }

    #[test]
    fn the_first_of_two_equal_keys_counts() {
        for count in [1, 40] {
            let many = (0..count).map(|n| format!(r#""k{n}":"","#)).collect::<Vec<_>>().concat();
            let json = format!(r#"{{"twice":"a",{many}"twice":"b"}}"#);
            assert_eq!(read(&json).get("twice"), Some("a"));
        }
    }
}
