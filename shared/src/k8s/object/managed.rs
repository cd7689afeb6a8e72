//! Entries of `metadata.managedFields`: manager, fields and time of each write.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::k8s::read::scan;
use crate::k8s::text::{Text, null_is_empty};

/// The entries of one object, read once.
#[derive(Clone, Debug, Default)]
pub(super) struct Managed<'a>(pub(super) Vec<ManagedEntry<'a>>);

/// One entry of `metadata.managedFields`: a manager, its fields, and the time of its last write.
#[derive(Clone, Debug, serde::Deserialize)]
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
    #[serde(borrow, default, rename = "fieldsV1")]
    fields: Option<&'a RawValue>,
}

impl<'a> ManagedEntry<'a> {
    /// Whether this entry owns the field at `path`, such as `["f:metadata", "f:labels", "f:example.com/site"]`.
    pub fn owns(&self, path: &[&str]) -> bool {
        self.descend(path).is_some()
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

    /// The owned fields, as the API server wrote them.
    pub(crate) fn fields(&self) -> Option<&'a str> {
        self.fields.map(RawValue::get)
    }

    /// The fields below `path`, as the text that begins with them.
    fn descend(&self, path: &[&str]) -> Option<&'a str> {
        path.iter().try_fold(self.fields()?, |fields, step| {
            let mut found = None;
            scan::literals(fields, |key, rest| {
                if found.is_none() && *scan::text(key)? == **step {
                    found = Some(rest);
                }
                scan::nested(rest, |_| ())
            })?;
            found
        })
    }
}

/// The most entries of an object that are looked at. The API server keeps ten for updates and one for each manager that
/// applies; a writer of an object can add hundreds.
pub const MAX_ENTRIES: usize = 256;

impl<'de: 'a, 'a> Deserialize<'de> for Managed<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ManagedVisitor;
        impl<'de> Visitor<'de> for ManagedVisitor {
            type Value = Managed<'de>;
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
        deserializer.deserialize_any(ManagedVisitor)
    }
}

/// Reads a text and cuts it to the API server's limit: it stands in every finding that cites the entry.
fn short<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
    Ok(null_is_empty(deserializer)?.cut(MAX_TEXT))
}

/// The longest text kept. The API server allows 128 bytes for a manager and 256 for a subresource.
const MAX_TEXT: usize = 256;
