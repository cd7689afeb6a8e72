//! Objects read in one pass, without a parser.

use super::pairs::Pairs;
use super::raw_field::RawField;
use super::{MAX_NAME, Meta, Object};
use crate::k8s::fit::shapes;
use crate::k8s::fit::walk::entries;
use crate::k8s::read::scan;
use crate::k8s::text::Text;

impl<'a> Object<'a> {
    /// Reads the object at the beginning of `rest` without parsing unused parts, and returns its length. `None` leaves
    /// it to the parser.
    ///
    /// `twin` is an object that is probably almost equal: the other side of an update.
    pub(crate) fn scan(rest: &'a str, twin: Option<&Object<'a>>) -> Option<(Self, usize)> {
        let mut object = Object { fields: Vec::with_capacity(8), ..Object::default() };
        let mut fields = shapes::of("");
        let length = scan::members(rest, |key, rest| {
            let value = match key {
                "apiVersion" | "kind" => scan::value(rest, None)?,
                "metadata" if rest.starts_with('{') => {
                    let (meta, length) = Meta::scan(rest, twin.map(|twin| &twin.meta))?;
                    object.meta = meta;
                    return Some(length);
                }
                "metadata" => return rest.starts_with(NULL).then_some(NULL.len()),
                _ => {
                    let twin = twin.and_then(|twin| twin.raw_field(key));
                    let field = RawField::scan(rest, shapes::of_field(fields, key), twin)?;
                    object.fields.push((Text::from(key), field));
                    return Some(field.raw.len());
                }
            };
            if key == "kind" {
                object.kind = scan::text(value)?;
                fields = shapes::of(&object.kind);
            } else {
                object.api_version = scan::text(value)?;
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
            match key {
                "labels" => {
                    let (pairs, length) = Pairs::scan(rest, twin.map(|twin| &twin.labels))?;
                    meta.labels = pairs;
                    return Some(length);
                }
                "annotations" => {
                    let (pairs, length) = Pairs::scan(rest, twin.map(|twin| &twin.annotations))?;
                    meta.annotations = pairs;
                    return Some(length);
                }
                "managedFields" => return meta.scan_managed(rest, twin),
                _ => {}
            }
            let repeated = twin.and_then(|twin| twin.owner_references).filter(|_| key == "ownerReferences");
            let value = scan::value(rest, repeated)?;
            match key {
                "name" => meta.name = scan::text(value)?.cut(MAX_NAME),
                "generateName" => meta.generate_name = scan::text(value)?.cut(MAX_NAME),
                "namespace" => meta.namespace = scan::text(value)?.cut(MAX_NAME),
                "uid" => meta.uid = scan::text(value)?.cut(MAX_NAME),
                "creationTimestamp" => scan::nullable(value, &mut meta.creation_timestamp)?,
                "deletionTimestamp" => scan::nullable(value, &mut meta.deletion_timestamp)?,
                "resourceVersion" => meta.resource_version = scan::text(value)?.cut(MAX_NAME),
                "generation" => meta.generation = serde_json::from_str(value).ok()?,
                "finalizers" => meta.finalizers = serde_json::from_str(value).ok()?,
                "ownerReferences" => meta.owner_references = (value != NULL).then_some(value),
                _ => {}
            }
            Some(value.len())
        })?;
        Some((meta, length))
    }

    /// Reads `managedFields`, and returns the length of its value.
    fn scan_managed(&mut self, rest: &'a str, twin: Option<&Meta<'a>>) -> Option<usize> {
        let repeated = twin.and_then(|twin| Some((twin.managed_fields?, twin.fitting_entries)));
        let (raw, entries) = match repeated.filter(|(raw, _)| scan::repeats(rest, raw)) {
            Some((raw, entries)) => (rest.get(..raw.len())?, entries),
            None => match entries(rest) {
                Ok((length, entries)) => (rest.get(..length)?, Some(entries)),
                Err(_) => (scan::value(rest, None)?, None),
            },
        };
        (self.managed_fields, self.fitting_entries) = ((raw != NULL).then_some(raw), entries);
        Some(raw.len())
    }
}

const NULL: &str = "null";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::{fit, kinds};

    #[test]
    fn a_field_counts_as_checked_only_where_it_has_the_shape_of_the_real_kind() {
        let node = |json: &'static str| Object::scan(json, None).unwrap().0;
        let spec = shapes::of_field(shapes::of("Node"), "spec").unwrap();
        let fitting = r#"{"kind":"Node","spec":{"unschedulable":true},"metadata":{"managedFields":[{"manager":"a"}]}}"#;
        let own = node(fitting);
        assert_eq!((own.unchecked("spec", spec), own.unchecked_managed()), (None, None));
        for (json, misfit) in [
            // A shape that is not known while the field is read, and that of another kind.
            (r#"{"spec":{"taints":{}},"kind":"Node"}"#, "spec.taints is not a list"),
            (r#"{"kind":"Scale","spec":{"unschedulable":1}}"#, "the object is a  Scale"),
            (r#"{"spec":{"unschedulable":1}}"#, "spec.unschedulable is not true or false"),
            (r#"{"kind":"Node","spec":{"podCIDRs":[{}]}}"#, "spec.podCIDRs[0] is not a string"),
            (r#"{"metadata":{"managedFields":[{},{"time":1}]}}"#, "metadata.managedFields[1].time is not a time"),
        ] {
            let own = node(json);
            assert_eq!(fit::check(&own, &kinds::NODE, "", None).unwrap_err().to_string(), misfit, "{json}");
            // The other side of an update repeats the text, and what is known of it.
            let (twin, _) = Object::scan(json, Some(&own)).unwrap();
            assert_eq!(fit::check(&twin, &kinds::NODE, "", None).unwrap_err().to_string(), misfit, "{json}");
        }
    }
}
