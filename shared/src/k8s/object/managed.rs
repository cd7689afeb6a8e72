//! Entries of `metadata.managedFields`: manager, fields and time of each write.

use std::cell::OnceCell;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};

use crate::k8s::read::scan;
use crate::k8s::text::{Text, null_is_empty, raw_text};

/// The entries of one object, read once.
#[derive(Clone, Debug, Default)]
pub(super) struct Managed<'a>(pub(super) Vec<ManagedEntry<'a>>);

/// One entry of `metadata.managedFields`: a manager, its fields, and the time of its last write.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedEntry<'a> {
    /// The field manager, as the client called itself: a hint, never proof of identity.
    #[serde(borrow, default, deserialize_with = "short")]
    pub manager: Text<'a>,
    /// `Apply` or `Update`.
    #[serde(borrow, default, deserialize_with = "short")]
    pub operation: Text<'a>,
    /// RFC 3339, whole seconds, of the manager's last write that changed its fields.
    #[serde(borrow, default)]
    pub time: Option<Text<'a>>,
    /// `status`, `scale` …; empty for the object itself.
    #[serde(borrow, default, deserialize_with = "short")]
    pub subresource: Text<'a>,
    /// The version at which the manager wrote the object. It can differ from the version at which the object is read.
    #[serde(borrow, default, deserialize_with = "short")]
    pub api_version: Text<'a>,
    /// The owned fields, as the API server wrote them.
    #[serde(borrow, default, rename = "fieldsV1", deserialize_with = "raw_text")]
    pub(crate) fields: Option<&'a str>,
    #[serde(skip)]
    labels: OnceCell<Vec<Text<'a>>>,
    #[serde(skip)]
    annotations: OnceCell<Vec<Text<'a>>>,
}

impl<'a> ManagedEntry<'a> {
    /// Whether this entry owns the field at `path`, such as `["f:metadata", "f:labels", "f:example.com/site"]`.
    pub fn owns(&self, path: &[&str]) -> bool {
        self.descend(path).is_some()
    }

    /// The owned labels.
    pub fn labels(&self) -> &[Text<'a>] {
        self.labels.get_or_init(|| self.children(&["f:metadata", "f:labels"]))
    }

    /// The owned annotations.
    pub fn annotations(&self) -> &[Text<'a>] {
        self.annotations.get_or_init(|| self.children(&["f:metadata", "f:annotations"]))
    }

    /// The keys directly below `path`, without their `f:`; `k:{…}` and `v:…` keys are left out, as is `.`.
    pub fn children(&self, path: &[&str]) -> Vec<Text<'a>> {
        let mut keys = Vec::new();
        let read = self.descend(path).and_then(|fields| {
            scan::literals(fields, |key, rest| {
                keys.extend(scan::text(key)?.without("f:"));
                scan::nested(rest, |_| ())
            })
        });
        read.map(|_| keys).unwrap_or_default()
    }

    /// Reads the entry at the beginning of `rest` into `self`, and returns its length. `None` leaves it to the parser.
    fn scan(&mut self, rest: &'a str) -> Option<usize> {
        scan::fields(rest, |key, value| {
            match key {
                "manager" => self.manager = scan::text(value)?.cut(MAX_TEXT),
                "operation" => self.operation = scan::text(value)?.cut(MAX_TEXT),
                "time" => scan::nullable(value, &mut self.time)?,
                "subresource" => self.subresource = scan::text(value)?.cut(MAX_TEXT),
                "apiVersion" => self.api_version = scan::text(value)?.cut(MAX_TEXT),
                "fieldsV1" => self.fields = (value != "null").then_some(value),
                _ => {}
            }
            Some(())
        })
    }

    /// The fields below `path`, as the text that begins with them.
    fn descend(&self, path: &[&str]) -> Option<&'a str> {
        path.iter().try_fold(self.fields?, |fields, step| {
            let mut found = None;
            // What follows the step is not read: `None` ends the walk.
            scan::literals(fields, |key, rest| {
                found = (*scan::text(key)? == **step).then_some(rest);
                if found.is_some() { None } else { scan::nested(rest, |_| ()) }
            });
            found
        })
    }
}

/// The most entries of an object that are looked at. The API server keeps ten for updates and one for each manager that
/// applies; a writer of an object can add hundreds.
pub const MAX_ENTRIES: usize = 256;

impl<'a> Managed<'a> {
    /// Reads `raw` without a parser. `None` leaves it to the parser.
    pub(super) fn scan(raw: &'a str) -> Option<Self> {
        let mut entries = Vec::new();
        let end = scan::items(raw, |rest| {
            if entries.len() == MAX_ENTRIES {
                return scan::value(rest, None).map(str::len);
            }
            let mut entry = ManagedEntry::default();
            let length = entry.scan(rest)?;
            entries.push(entry);
            Some(length)
        })?;
        scan::is_end(raw, end).then_some(Managed(entries))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Managed<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ManagedVisitor<'a>(PhantomData<Managed<'a>>);
        impl<'de: 'a, 'a> Visitor<'de> for ManagedVisitor<'a> {
            type Value = Managed<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of entries")
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Managed::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while entries.len() < MAX_ENTRIES
                    && let Some(entry) = seq.next_element()?
                {
                    entries.push(entry);
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Managed(entries))
            }
        }
        deserializer.deserialize_any(ManagedVisitor(PhantomData))
    }
}

/// Reads a text and cuts it to the API server's limit: it stands in every finding that cites the entry.
fn short<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
    Ok(null_is_empty(deserializer)?.cut(MAX_TEXT))
}

/// The longest text kept. The API server allows 128 bytes for a manager and 256 for a subresource.
const MAX_TEXT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_as_by_the_parser_and_those_of_another_shape_are_left_to_it() {
        for raw in [
            "[]",
            "[{}]",
            r#"[ {"manager":"a\n","operation":"Update","time":"2026-06-01T08:00:00Z","fieldsType":"FieldsV1",
                "fieldsV1":{"f:spec":{"f:\"x\"":{}}}} , {"subresource":"status","apiVersion":"v1","more":[1,{}]}]"#,
            r#"[{"manager":null,"operation":null,"time":null,"subresource":null,"apiVersion":null,"fieldsV1":null}]"#,
            &format!(r#"[{{"manager":"{}"}}]"#, "m".repeat(2 * MAX_TEXT)),
        ] {
            let parsed: Managed<'_> = serde_json::from_str(raw).unwrap();
            let scanned = Managed::scan(raw).unwrap();
            assert_eq!(format!("{scanned:?}"), format!("{parsed:?}"), "{raw}");
        }
        for other in ["{}", "1", "[1]", "[{}", "[{}] x", r#"[{"manager":1}]"#, r#"[{"time":[]}]"#] {
            assert!(Managed::scan(other).is_none() && serde_json::from_str::<Managed<'_>>(other).is_err(), "{other}");
        }
    }
}
