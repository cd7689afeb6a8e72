//! A Kubernetes object, read in place: metadata as borrowed text, everything else as slices of the original JSON that are
//! parsed only when a rule asks for them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::read::scan;

/// A string that borrows from the input unless it holds escapes. `null` is not a `Text`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Text<'_> {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Text(Cow::Borrowed(text))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// Labels or annotations, in the order of the document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs<'a>(Vec<(Text<'a>, Text<'a>)>);

impl Pairs<'_> {
    /// The value of `key`, exactly as spelled.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| &**k == key).map(|(_, v)| &**v)
    }

    /// Keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (&**k, &**v))
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(k, _)| &**k)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;
        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of strings")
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Pairs::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::with_capacity(map.size_hint().unwrap_or(16));
                while let Some(key) = map.next_key()? {
                    // kubectl prints `key: null` for an empty value now and then; the API server reads it as "".
                    let value: Option<Text<'de>> = map.next_value()?;
                    pairs.push((key, value.unwrap_or_default()));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_any(PairsVisitor)
    }
}

/// The parts of `metadata` that rules use.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta<'a> {
    /// `metadata.name`; empty where the server has yet to make one from `generateName`.
    #[serde(borrow, default, deserialize_with = "null_is_empty")]
    pub name: Text<'a>,
    /// `metadata.generateName`.
    #[serde(borrow, default, deserialize_with = "null_is_empty")]
    pub generate_name: Text<'a>,
    /// `metadata.namespace`; empty for cluster-scoped objects.
    #[serde(borrow, default, deserialize_with = "null_is_empty")]
    pub namespace: Text<'a>,
    /// `metadata.uid`.
    #[serde(borrow, default, deserialize_with = "null_is_empty")]
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
    #[serde(borrow, default, deserialize_with = "slice")]
    owner_references: Option<&'a str>,
    #[serde(borrow, default, deserialize_with = "slice")]
    managed_fields: Option<&'a str>,
}

/// One of an object's owners.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner<'a> {
    /// Kind of the owner, `DaemonSet` for one.
    #[serde(borrow)]
    pub kind: Text<'a>,
    /// Name of the owner.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// Uid of the owner: the garbage collector goes by it, whatever kind and name say.
    #[serde(borrow, default)]
    pub uid: Text<'a>,
}

/// One entry of `metadata.managedFields`: who wrote which fields, when.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedEntry<'a> {
    /// The fieldManager, as the client called itself: a hint, never proof of identity.
    #[serde(borrow, default)]
    pub manager: Text<'a>,
    /// `Apply` or `Update`.
    #[serde(borrow, default)]
    pub operation: Text<'a>,
    /// RFC 3339, whole seconds, of the manager's last write that changed its fields.
    #[serde(borrow, default)]
    pub time: Option<Text<'a>>,
    /// `status`, `scale` …; empty for the object itself.
    #[serde(borrow, default, deserialize_with = "null_is_empty")]
    pub subresource: Text<'a>,
    /// The version that the manager wrote the object at, which can be another one than it is read at.
    #[serde(borrow, default, deserialize_with = "null_is_empty")]
    pub api_version: Text<'a>,
    #[serde(borrow, default, rename = "fieldsV1")]
    fields: Option<&'a RawValue>,
}

impl<'a> ManagedEntry<'a> {
    /// Whether this entry owns the field at `path`, such as `["f:metadata", "f:labels", "f:example.com/site"]`.
    pub fn owns(&self, path: &[&str]) -> bool {
        let mut found = false;
        self.descend(path, |_| found = true);
        found
    }

    /// The keys directly below `path`, without their `f:`; `k:{…}` and `v:…` keys are left out, as is `.`.
    pub fn children(&self, path: &[&str]) -> Vec<Text<'a>> {
        let mut keys = Vec::new();
        self.descend(path, |raw| {
            if let Ok(Keys(found)) = serde_json::from_str::<Keys<'a>>(raw.get()) {
                keys = found;
            }
        });
        keys
    }

    /// Every owned leaf below `f:<field>`, as a dotted path such as `spec.template.spec.containers[name=coredns].image`; and of a
    /// list, the items that it owns as such, each before what is in it.
    pub fn leaves(&self, field: &str) -> Vec<String> {
        let mut leaves = Vec::new();
        let key = format!("f:{field}");
        self.descend(&[&key], |raw| {
            if let Ok(value) = serde_json::from_str::<serde_json::Value>(raw.get()) {
                collect_leaves(field, &value, &mut leaves);
            }
        });
        leaves
    }

    /// The names of the top-level fields with something owned in them, such as `spec`, `data`, `rules`.
    pub fn roots(&self) -> Vec<Text<'a>> {
        self.children(&[])
    }

    fn descend(&self, path: &[&str], hit: impl FnOnce(&'a RawValue)) {
        let Some(mut raw) = self.fields else { return };
        for step in path {
            let Ok(Some(next)) = Step(step).deserialize(&mut serde_json::Deserializer::from_str(raw.get())) else {
                return;
            };
            raw = next;
        }
        hit(raw);
    }
}

/// A Kubernetes object of any kind.
#[derive(Clone, Debug, Default)]
pub struct Object<'a> {
    /// `apiVersion`; lists leave it out of their items, so the reader fills it in.
    pub api_version: Text<'a>,
    /// `kind`; as above.
    pub kind: Text<'a>,
    /// `metadata`.
    pub meta: Meta<'a>,
    fields: Vec<(Text<'a>, &'a str)>,
}

impl<'a> Object<'a> {
    /// The JSON text of a top-level field other than `metadata`, `kind` and `apiVersion`.
    pub fn raw(&self, field: &str) -> Option<&'a str> {
        self.fields.iter().find(|(name, _)| &**name == field).map(|(_, raw)| *raw)
    }

    /// The top-level fields a user decides on: all but `metadata`, `status` and the type.
    pub fn content(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.fields.iter().map(|(name, raw)| (&**name, *raw)).filter(|(name, _)| *name != "status")
    }

    /// A top-level field as `T`; `None` when it is absent, `null` or of another shape.
    pub fn field<T: Deserialize<'a>>(&self, field: &str) -> Option<T> {
        serde_json::from_str(self.raw(field)?).ok()
    }

    /// `metadata.managedFields`. Empty when the object carries none (kubectl hides them unless asked) or unreadable ones.
    pub fn managed(&self) -> Vec<ManagedEntry<'a>> {
        self.meta.managed_fields.and_then(|raw| serde_json::from_str(raw).ok()).unwrap_or_default()
    }

    /// `metadata.ownerReferences`.
    pub fn owners(&self) -> Vec<Owner<'a>> {
        self.meta.owner_references.and_then(|raw| serde_json::from_str(raw).ok()).unwrap_or_default()
    }
}

impl<'a> Object<'a> {
    /// Reads the object that `rest` begins with, without looking into what nobody asked for, and says how long it is;
    /// `None` leaves it to the parser.
    ///
    /// `twin` is an object that is probably the same but for a few fields: the other side of an update.
    pub(crate) fn scan(rest: &'a str, twin: Option<&Object<'a>>) -> Option<(Self, usize)> {
        let mut object = Object { fields: Vec::with_capacity(8), ..Object::default() };
        let length = scan::members(rest, |key, rest| {
            if key == "metadata" && rest.starts_with('{') {
                let (meta, length) = Meta::scan(rest, twin.map(|twin| &twin.meta))?;
                object.meta = meta;
                return Some(length);
            }
            let value = scan::value(rest, twin.and_then(|twin| twin.raw(key)))?;
            match key {
                "apiVersion" => object.api_version = scan::text(value)?,
                "kind" => object.kind = scan::text(value)?,
                "metadata" if value == "null" => {}
                "metadata" => return None,
                _ => object.fields.push((Text::from(key), value)),
            }
            Some(value.len())
        })?;
        Some((object, length))
    }
}

impl<'a> Meta<'a> {
    fn scan(rest: &'a str, twin: Option<&Meta<'a>>) -> Option<(Self, usize)> {
        let mut meta = Meta::default();
        let length = scan::members(rest, |key, rest| {
            let repeated = match key {
                "managedFields" => twin.and_then(|twin| twin.managed_fields),
                "ownerReferences" => twin.and_then(|twin| twin.owner_references),
                _ => None,
            };
            let value = scan::value(rest, repeated)?;
            let some = (value != "null").then_some(value);
            match key {
                "name" => meta.name = scan::text(value)?,
                "generateName" => meta.generate_name = scan::text(value)?,
                "namespace" => meta.namespace = scan::text(value)?,
                "uid" => meta.uid = scan::text(value)?,
                "creationTimestamp" => scan::nullable(value, &mut meta.creation_timestamp)?,
                "deletionTimestamp" => scan::nullable(value, &mut meta.deletion_timestamp)?,
                "labels" => meta.labels = Pairs::scan(value)?,
                "annotations" => meta.annotations = Pairs::scan(value)?,
                "finalizers" => meta.finalizers = serde_json::from_str(value).ok()?,
                "ownerReferences" => meta.owner_references = some,
                "managedFields" => meta.managed_fields = some,
                _ => {}
            }
            Some(value.len())
        })?;
        Some((meta, length))
    }
}

impl<'a> Pairs<'a> {
    fn scan(json: &'a str) -> Option<Self> {
        if json == "null" {
            return Some(Pairs::default());
        }
        let mut pairs = Vec::with_capacity(16);
        scan::members(json, |key, rest| {
            let value = scan::value(rest, None)?;
            pairs.push((Text::from(key), scan::text(value)?));
            Some(value.len())
        })?;
        Some(Pairs(pairs))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;
        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a Kubernetes object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut object = Object::default();
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    match &*key {
                        "apiVersion" => object.api_version = map.next_value::<Option<_>>()?.unwrap_or_default(),
                        "kind" => object.kind = map.next_value::<Option<_>>()?.unwrap_or_default(),
                        "metadata" => object.meta = map.next_value::<Option<_>>()?.unwrap_or_default(),
                        _ => object.fields.push((key, map.next_value::<&'de RawValue>()?.get())),
                    }
                }
                Ok(object)
            }
        }
        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// The text of a value; `null` is none.
fn slice<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a str>, D::Error> {
    Ok(Option::<&'de RawValue>::deserialize(deserializer)?.map(RawValue::get))
}

fn null_is_empty<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
    Ok(Option::<Text<'a>>::deserialize(deserializer)?.unwrap_or_default())
}

/// Finds the value of one key in a map, skipping all others without building them.
struct Step<'s>(&'s str);

impl<'de> DeserializeSeed<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field set")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<Text<'de>>()? {
            if found.is_none() && &*key == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

struct Keys<'a>(Vec<Text<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Keys<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeysVisitor;
        impl<'de> Visitor<'de> for KeysVisitor {
            type Value = Keys<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field set")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, IgnoredAny)) = map.next_entry::<Text<'de>, IgnoredAny>()? {
                    match key.0 {
                        Cow::Borrowed(key) => keys.extend(key.strip_prefix("f:").map(Text::from)),
                        Cow::Owned(key) => {
                            keys.extend(key.strip_prefix("f:").map(|key| Text(Cow::Owned(key.to_owned()))));
                        }
                    }
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(KeysVisitor)
    }
}

/// Walks a managedFields set: `{}` is a leaf, `.` stands for the item itself.
fn collect_leaves(path: &str, value: &serde_json::Value, leaves: &mut Vec<String>) {
    let Some(map) = value.as_object().filter(|map| !map.is_empty()) else {
        leaves.push(path.to_owned());
        return;
    };
    for (key, inner) in map {
        if let Some(field) = key.strip_prefix("f:") {
            let step = if field.contains(['.', '/']) { format!("{path}[{field}]") } else { format!("{path}.{field}") };
            collect_leaves(&step, inner, leaves);
        } else if let Some(item) = key.strip_prefix("k:") {
            let path = format!("{path}[{}]", item_key(item));
            // Who owns the item as such has added it.
            if inner.as_object().is_some_and(|inner| inner.len() > 1 && inner.contains_key(".")) {
                leaves.push(path.clone());
            }
            collect_leaves(&path, inner, leaves);
        } else if let Some(item) = key.strip_prefix("v:") {
            leaves.push(format!("{path}[{}]", item.trim_matches('"')));
        } else if key == "." && map.len() == 1 {
            leaves.push(path.to_owned());
        }
    }
}

/// `{"name":"coredns"}` as `name=coredns`.
fn item_key(json: &str) -> String {
    let Ok(serde_json::Value::Object(map)) = serde_json::from_str(json) else {
        return json.to_owned();
    };
    let parts: Vec<String> = map
        .iter()
        .map(|(key, value)| match value {
            serde_json::Value::String(text) => format!("{key}={text}"),
            other => format!("{key}={other}"),
        })
        .collect();
    parts.join(",")
}

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
        let borrowed = node.meta.labels.0.iter().map(|(_, v)| matches!(v.0, Cow::Borrowed(_)));
        assert_eq!(borrowed.collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn ownership_is_read_from_the_field_set() {
        let node: Object<'_> = serde_json::from_str(NODE).unwrap();
        let managed = node.managed();
        let entry = managed.first().unwrap();
        assert!(entry.owns(&["f:metadata", "f:labels", "f:a"]));
        assert!(!entry.owns(&["f:metadata", "f:labels", "f:c"]));
        assert_eq!(entry.children(&["f:metadata", "f:labels"]), [Text::from("a")]);
        let container = "spec.template.spec.containers[name=dns]";
        assert_eq!(entry.leaves("spec"), [container.to_owned(), format!("{container}.image")]);
    }

    #[test]
    fn null_metadata_and_null_labels_are_empty_not_errors() {
        for json in [r#"{"metadata":null}"#, r#"{"metadata":{"labels":null,"name":null,"finalizers":null}}"#, "{}"] {
            let object: Object<'_> = serde_json::from_str(json).unwrap();
            assert!(object.meta.labels.is_empty() && object.meta.name.is_empty());
        }
    }

    #[test]
    fn labels_of_another_shape_are_an_error() {
        assert!(serde_json::from_str::<Object<'_>>(r#"{"metadata":{"labels":[1]}}"#).is_err());
    }
}
