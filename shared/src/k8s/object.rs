//! A Kubernetes object, read in place: metadata as borrowed text, everything else as slices of the original JSON that are
//! parsed only when a rule asks for them.

mod managed;
mod pairs;
mod raw_field;
mod reading;

use std::cell::{Cell, OnceCell};
use std::fmt;
use std::marker::PhantomData;

use managed::Managed;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::k8s::fit::shape::Shape;
use crate::k8s::kinds::Kind;
use crate::k8s::node::{NodeInfo, NodeSpec, NodeStatus, Taint};
use crate::k8s::pod::{self, Pod};
use crate::k8s::read::scan;
use crate::k8s::text::{Text, null_is_empty, raw_text};

pub use managed::{MAX_ENTRIES, ManagedEntry};
pub(crate) use pairs::PairIndex;
pub use pairs::{LabelRow, Pairs};
use raw_field::RawField;

/// The fields of `metadata` that rules use. Names are cut to [`MAX_NAME`] bytes.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta<'a> {
    /// `metadata.name`; empty where the server has yet to generate it from `generateName`.
    #[serde(borrow, default, deserialize_with = "name")]
    pub name: Text<'a>,
    /// `metadata.generateName`.
    #[serde(borrow, default, deserialize_with = "name")]
    pub generate_name: Text<'a>,
    /// `metadata.namespace`; empty for cluster-scoped objects.
    #[serde(borrow, default, deserialize_with = "name")]
    pub namespace: Text<'a>,
    /// `metadata.uid`.
    #[serde(borrow, default, deserialize_with = "name")]
    pub uid: Text<'a>,
    /// `metadata.creationTimestamp`, RFC 3339; the API server keeps whole seconds.
    #[serde(borrow, default)]
    pub creation_timestamp: Option<Text<'a>>,
    /// `metadata.deletionTimestamp`.
    #[serde(borrow, default)]
    pub deletion_timestamp: Option<Text<'a>>,
    /// `metadata.labels`.
    #[serde(borrow, default)]
    pub labels: Pairs<'a>,
    /// `metadata.annotations`.
    #[serde(borrow, default)]
    pub annotations: Pairs<'a>,
    /// `metadata.finalizers`.
    #[serde(borrow, default)]
    pub finalizers: Option<Vec<Text<'a>>>,
    /// `metadata.resourceVersion`.
    #[serde(borrow, default, deserialize_with = "name")]
    pub resource_version: Text<'a>,
    /// `metadata.generation`, counted by the API server.
    #[serde(default)]
    pub generation: Option<i64>,
    #[serde(borrow, default, deserialize_with = "raw_text")]
    owner_references: Option<&'a str>,
    #[serde(borrow, default, deserialize_with = "raw_text")]
    managed_fields: Option<&'a str>,
    /// The number of entries of `managed_fields`, if they were found to fit while they were read.
    #[serde(skip)]
    fitting_entries: Option<usize>,
}

/// One of an object's owners.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner<'a> {
    /// Kind of the owner, such as `DaemonSet`.
    #[serde(borrow)]
    pub kind: Text<'a>,
    /// Name of the owner.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// Uid of the owner. The garbage collector goes by it alone.
    #[serde(borrow, default)]
    pub uid: Text<'a>,
}

/// A Kubernetes object of any kind.
///
/// Fields that rules use repeatedly are parsed once and kept. A field that is present and cannot be parsed is
/// remembered: see [`Object::fault`].
#[derive(Clone, Debug, Default)]
pub struct Object<'a> {
    /// `apiVersion`; empty for an item of a list, which leaves it out.
    pub api_version: Text<'a>,
    /// `kind`; empty for an item of a list.
    pub kind: Text<'a>,
    /// `metadata`.
    pub meta: Meta<'a>,
    fields: Vec<(Text<'a>, RawField<'a>)>,
    index: PairIndex,
    kept: Parsed<'a>,
    fault: OnceCell<String>,
    asked_for_managed: Cell<bool>,
}

#[derive(Clone, Debug, Default)]
struct Parsed<'a> {
    managed: OnceCell<Vec<ManagedEntry<'a>>>,
    managed_count: OnceCell<usize>,
    owners: OnceCell<Vec<Owner<'a>>>,
    node_spec: OnceCell<Box<NodeSpec<'a>>>,
    node_status: OnceCell<Box<NodeStatus<'a>>>,
    pod: OnceCell<Option<Box<Pod<'a>>>>,
}

impl<'a> Object<'a> {
    /// The JSON text of a top-level field other than `metadata`, `kind` and `apiVersion`.
    pub fn raw(&self, field: &str) -> Option<&'a str> {
        self.raw_field(field).map(|field| field.raw)
    }

    fn raw_field(&self, field: &str) -> Option<RawField<'a>> {
        self.index.find(&self.fields, field).map(|(_, field)| *field)
    }

    /// The JSON text of a top-level field, unless it was found to have this shape while it was read.
    pub(crate) fn unchecked(&self, field: &str, shape: &'static Shape) -> Option<&'a str> {
        let own = self.raw_field(field)?;
        (!own.fits.is_some_and(|fits| std::ptr::eq(fits, shape))).then_some(own.raw)
    }

    /// The top-level fields that a user decides on: all but `metadata`, `status` and the type.
    pub fn content(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.fields.iter().map(|(name, field)| (&**name, field.raw)).filter(|(name, _)| *name != "status")
    }

    /// A top-level field as `T`; `None` when it is absent or `null`, and when it is of another shape, which is a
    /// [fault](Object::fault).
    pub fn field<T: Deserialize<'a>>(&self, field: &str) -> Option<T> {
        self.part(field, self.raw(field)?)
    }

    /// Text of this object, found at `path`, as `T`. Faults are recorded as by [`Object::field`].
    pub fn part<T: Deserialize<'a>>(&self, path: &str, raw: &'a str) -> Option<T> {
        match serde_json::from_str(raw) {
            Ok(value) => value,
            Err(error) => {
                self.set_fault(|| format!("{path}: {error}"));
                None
            }
        }
    }

    /// The first [`MAX_ENTRIES`] entries of `metadata.managedFields`. Empty when the object has none: kubectl hides
    /// them unless asked.
    pub fn managed(&self) -> &[ManagedEntry<'a>] {
        self.asked_for_managed.set(true);
        self.kept.managed.get_or_init(|| {
            let read = |raw| Managed::scan(raw).or_else(|| self.part("metadata.managedFields", raw));
            self.meta.managed_fields.and_then(read).map(|managed| managed.0).unwrap_or_default()
        })
    }

    /// The number of entries of `metadata.managedFields`, if there are more than are looked at.
    pub fn too_many_managed(&self) -> Option<usize> {
        let meta = &self.meta;
        let count = || meta.fitting_entries.unwrap_or_else(|| meta.managed_fields.map_or(0, scan::count));
        let count = self.kept.managed_count.get_or_init(count);
        Some(*count).filter(|count| *count > MAX_ENTRIES)
    }

    /// Sets the number of `metadata.managedFields` entries, for a caller that has counted them anyway.
    pub(crate) fn set_managed_count(&self, count: usize) {
        self.kept.managed_count.get_or_init(|| count);
    }

    /// Whether the object has managedFields.
    pub fn has_managed(&self) -> bool {
        self.meta.managed_fields.is_some_and(|raw| raw.contains('{'))
    }

    /// Whether [`Object::managed`] was called since [`Object::forget_asking`].
    pub(crate) fn was_asked_for_managed(&self) -> bool {
        self.asked_for_managed.get()
    }

    /// The JSON text of `metadata.managedFields`, unless its entries were found to fit while they were read.
    pub(crate) fn unchecked_managed(&self) -> Option<&'a str> {
        self.meta.managed_fields.filter(|_| self.meta.fitting_entries.is_none())
    }

    /// The JSON text of `metadata.managedFields`.
    pub(crate) fn raw_managed(&self) -> Option<&'a str> {
        self.meta.managed_fields
    }

    /// The JSON text of `metadata.ownerReferences`.
    pub(crate) fn raw_owners(&self) -> Option<&'a str> {
        self.meta.owner_references
    }

    /// Forgets that [`Object::managed`] was called.
    pub(crate) fn forget_asking(&self) {
        self.asked_for_managed.set(false);
    }

    /// Whether [`Object::managed`] was called since then, and returned only a part of the entries.
    pub(crate) fn showed_part(&self) -> bool {
        self.asked_for_managed.get() && self.too_many_managed().is_some()
    }

    /// `metadata.ownerReferences`.
    pub fn owners(&self) -> &[Owner<'a>] {
        self.kept.owners.get_or_init(|| {
            let raw = self.meta.owner_references;
            raw.and_then(|raw| self.part("metadata.ownerReferences", raw)).unwrap_or_default()
        })
    }

    /// `spec` of a node; empty where it has none.
    pub fn node_spec(&self) -> &NodeSpec<'a> {
        let read = || {
            let scanned = self.raw("spec").and_then(NodeSpec::scan);
            scanned.map_or_else(|| self.field("spec").unwrap_or_default(), Box::new)
        };
        self.kept.node_spec.get_or_init(read)
    }

    /// `status` of a node; empty where it has none.
    pub fn node_status(&self) -> &NodeStatus<'a> {
        let read = || {
            let scanned = self.raw_field("status").and_then(|field| NodeStatus::scan(field.raw, field.fits.is_some()));
            scanned.map_or_else(|| self.field("status").unwrap_or_default(), Box::new)
        };
        self.kept.node_status.get_or_init(read)
    }

    /// `spec.providerID` of a node, or of a machine; `None` where it is empty.
    pub fn provider_id(&self) -> Option<&str> {
        self.node_spec().provider_id.as_deref().filter(|id| !id.is_empty())
    }

    /// `status.nodeInfo` of a node; `None` where it has none yet.
    pub fn node_info(&self) -> Option<&NodeInfo<'a>> {
        self.node_status().node_info.as_ref()
    }

    /// `spec.taints` of a node.
    pub fn taints(&self) -> &[Taint<'a>] {
        self.node_spec().taints.as_deref().unwrap_or_default()
    }

    /// The pod of an object of this kind: its own, or the one its template describes. `None` where it has none.
    pub fn pod(&self, kind: &Kind) -> Option<&Pod<'a>> {
        let read = || match pod::spec(kind, self.raw("spec")?) {
            Ok(spec) => self.part("the pod of its template", spec?),
            Err(error) => {
                self.set_fault(|| format!("spec: {error}"));
                None
            }
        };
        self.kept.pod.get_or_init(|| read().map(Box::new)).as_deref()
    }

    /// The part of the object that is present and could not be parsed, if any was met so far. It was treated as absent,
    /// so nothing follows from its absence.
    pub fn fault(&self) -> Option<&str> {
        self.fault.get().map(String::as_str)
    }

    /// The reason why the absence of something in the object proves nothing, if so: it could not be parsed, or not as a
    /// whole.
    pub fn unread(&self) -> Option<String> {
        let too_many = || {
            let count = self.too_many_managed()?;
            Some(format!("metadata.managedFields has {count} entries, and {MAX_ENTRIES} at most are looked at"))
        };
        self.fault().map(str::to_owned).or_else(too_many)
    }

    /// Records that a part of the object cannot be parsed. The first record is kept.
    pub(crate) fn set_fault(&self, why: impl FnOnce() -> String) {
        self.fault.get_or_init(why);
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<'a>(PhantomData<Object<'a>>);
        impl<'de: 'a, 'a> Visitor<'de> for ObjectVisitor<'a> {
            type Value = Object<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a Kubernetes object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut object = Object::default();
                while let Some(key) = map.next_key::<Text<'a>>()? {
                    match &*key {
                        "apiVersion" => object.api_version = map.next_value::<Option<_>>()?.unwrap_or_default(),
                        "kind" => object.kind = map.next_value::<Option<_>>()?.unwrap_or_default(),
                        "metadata" => object.meta = map.next_value::<Option<_>>()?.unwrap_or_default(),
                        _ => {
                            let raw = map.next_value::<&'de RawValue>()?.get();
                            object.fields.push((key, RawField { raw, fits: None }));
                        }
                    }
                }
                Ok(object)
            }
        }
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

/// Reads a name, cut to [`MAX_NAME`]. It stands in every finding on the object, so its length must not depend on the
/// object.
fn name<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
    Ok(null_is_empty(deserializer)?.cut(MAX_NAME))
}

/// The longest name that is kept. Kubernetes allows 253 bytes for most names, and more for a few.
pub(crate) const MAX_NAME: usize = 1024;

/// Reads a list element by element, handing each to `each` and keeping none.
pub(crate) struct EachItem<F>(pub F);

impl<'de, F: FnMut(Object<'de>)> DeserializeSeed<'de> for EachItem<F> {
    type Value = usize;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(Object<'de>)> Visitor<'de> for EachItem<F> {
    type Value = usize;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }
    fn visit_unit<E>(self) -> Result<usize, E> {
        Ok(0)
    }
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<usize, A::Error> {
        let mut count = 0;
        while let Some(object) = seq.next_element()? {
            (self.0)(object);
            count += 1;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    const NODE: &str = r#"{"kind":"Node","metadata":{"name":"moc-l1","labels":{"a":"b","c":"d\n"},"managedFields":[
        {"manager":"kubectl-label","operation":"Update","time":"2026-11-18T09:14:00Z","fieldsType":"FieldsV1",
         "fieldsV1":{"f:metadata":{"f:labels":{".":{},"f:a":{}}},
                     "f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"dns\"}":{".":{},"f:image":{}}}}}}}}]},
        "spec":{"providerID":"moc://x"},"status":{"a":1}}"#;

    #[test]
    fn text_is_borrowed_unless_it_holds_escapes() {
        let node: Object<'_> = serde_json::from_str(NODE).unwrap();
        assert_eq!(node.meta.labels.get("c"), Some("d\n"));
        let Text(name) = &node.meta.name;
        assert!(matches!(name, Cow::Borrowed("moc-l1")));
    }

    #[test]
    fn ownership_is_read_from_the_field_set() {
        let node: Object<'_> = serde_json::from_str(NODE).unwrap();
        let entry = node.managed().first().unwrap();
        assert!(entry.owns(&["f:metadata", "f:labels", "f:a"]));
        assert!(!entry.owns(&["f:metadata", "f:labels", "f:c"]));
        assert_eq!(entry.labels(), [Text::from("a")]);
    }

    #[test]
    fn null_metadata_and_null_labels_are_empty_not_errors() {
        for json in [r#"{"metadata":null}"#, r#"{"metadata":{"labels":null,"name":null,"finalizers":null}}"#, "{}"] {
            let object: Object<'_> = serde_json::from_str(json).unwrap();
            assert!(object.meta.labels.is_empty() && object.meta.name.is_empty());
        }
    }

    #[test]
    fn a_field_that_cannot_be_parsed_is_remembered() {
        let object = |json: &'static str| -> Object<'static> { serde_json::from_str(json).unwrap() };
        for (json, fault) in [
            (r#"{"spec":"x"}"#, "spec: invalid type: string"),
            (r#"{"spec":{"taints":{}}}"#, "spec: invalid type: map"),
            (r#"{"metadata":{"ownerReferences":[{"kind":"Node"}]}}"#, "metadata.ownerReferences: missing field `name`"),
            (r#"{"metadata":{"managedFields":[1]}}"#, "metadata.managedFields: invalid type: integer"),
        ] {
            let object = object(json);
            assert_eq!(object.fault(), None);
            assert!(object.node_spec().taints.is_none() && object.owners().is_empty() && object.managed().is_empty());
            assert!(object.fault().is_some_and(|found| found.starts_with(fault)), "{:?}", object.fault());
        }
        let object = object(r#"{"spec":null,"metadata":{"ownerReferences":null,"managedFields":null}}"#);
        assert!(object.node_spec().taints.is_none() && object.owners().is_empty() && object.managed().is_empty());
        assert_eq!(object.fault(), None);
    }

    #[test]
    fn the_first_of_too_many_entries_are_read_and_all_are_counted() {
        for (count, looked_at, too_many) in [(MAX_ENTRIES, MAX_ENTRIES, None), (300, MAX_ENTRIES, Some(300))] {
            let entries: Vec<String> = (0..count).map(|n| format!(r#"{{"manager":"m{n}"}}"#)).collect();
            let json = format!(r#"{{"metadata":{{"managedFields":[{}]}}}}"#, entries.join(","));
            let object: Object<'_> = serde_json::from_str(&json).unwrap();
            assert_eq!((object.too_many_managed(), object.showed_part()), (too_many, false));
            assert_eq!(object.managed().len(), looked_at);
            assert_eq!((object.showed_part(), object.fault()), (too_many.is_some(), None));
        }
    }

    #[test]
    fn names_are_cut_to_a_length_that_findings_can_bear() {
        let json = format!(r#"{{"metadata":{{"name":"{}","uid":"{}"}}}}"#, "ä".repeat(900), "u".repeat(900));
        let mut scanned = Object::default();
        scanned.scan(&json, None).unwrap();
        for object in [scanned, serde_json::from_str(&json).unwrap()] {
            assert_eq!((object.meta.name.len(), object.meta.uid.len()), (MAX_NAME, 900));
        }
    }

    #[test]
    fn labels_of_another_shape_are_an_error() {
        let error = serde_json::from_str::<Object<'_>>(r#"{"metadata":{"labels":[1]}}"#).unwrap_err();
        assert!(error.to_string().contains("expected a map of strings"), "{error}");
    }
}
