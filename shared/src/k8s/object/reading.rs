//! Objects read in one pass, without a parser.

use super::raw_field::RawField;
use super::{MAX_NAME, Meta, Object};
use crate::k8s::fit::shapes;
use crate::k8s::fit::walk::entries;
use crate::k8s::read::scan;
use crate::k8s::text::Text;

impl<'a> Object<'a> {
    /// Reads the object at the beginning of `rest` into `self`, which is empty, without parsing unused parts, and returns
    /// its length. `None` leaves it to the parser.
    ///
    /// `twin` is an object that is probably almost equal: the other side of an update.
    pub(crate) fn scan(&mut self, rest: &'a str, twin: Option<&Object<'a>>) -> Option<usize> {
        self.fields.reserve(8);
        let mut fields = shapes::of("");
        scan::members(rest, |key, rest| {
            let value = match key {
                "apiVersion" | "kind" => scan::value(rest, None)?,
                "metadata" if rest.starts_with('{') => {
                    return self.meta.scan(rest, twin.map(|twin| &twin.meta));
                }
                "metadata" => return rest.starts_with(NULL).then_some(NULL.len()),
                _ => {
                    let twin = twin.and_then(|twin| twin.raw_field(key));
                    let field = RawField::scan(rest, shapes::of_field(fields, key), twin)?;
                    self.fields.push((Text::from(key), field));
                    return Some(field.raw.len());
                }
            };
            if key == "kind" {
                self.kind = scan::text(value)?;
                fields = shapes::of(&self.kind);
            } else {
                self.api_version = scan::text(value)?;
            }
            Some(value.len())
        })
    }
}

impl<'a> Meta<'a> {
    /// Reads the metadata at the beginning of `rest` into `self`, and returns its length.
    fn scan(&mut self, rest: &'a str, twin: Option<&Meta<'a>>) -> Option<usize> {
        scan::members(rest, |key, rest| {
            match key {
                "labels" => return self.labels.scan(rest, twin.map(|twin| &twin.labels)),
                "annotations" => return self.annotations.scan(rest, twin.map(|twin| &twin.annotations)),
                "managedFields" => return self.scan_managed(rest, twin),
                _ => {}
            }
            let repeated = twin.and_then(|twin| twin.owner_references).filter(|_| key == "ownerReferences");
            let value = scan::value(rest, repeated)?;
            match key {
                "name" => self.name = scan::text(value)?.cut(MAX_NAME),
                "generateName" => self.generate_name = scan::text(value)?.cut(MAX_NAME),
                "namespace" => self.namespace = scan::text(value)?.cut(MAX_NAME),
                "uid" => self.uid = scan::text(value)?.cut(MAX_NAME),
                "creationTimestamp" => scan::nullable(value, &mut self.creation_timestamp)?,
                "deletionTimestamp" => scan::nullable(value, &mut self.deletion_timestamp)?,
                "resourceVersion" => self.resource_version = scan::text(value)?.cut(MAX_NAME),
                "generation" => self.generation = serde_json::from_str(value).ok()?,
                "finalizers" => scan::texts(value, &mut self.finalizers)?,
                "ownerReferences" => self.owner_references = (value != NULL).then_some(value),
                _ => {}
            }
            Some(value.len())
        })
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

    fn read<'a>(json: &'a str, twin: Option<&Object<'a>>) -> Object<'a> {
        let mut object = Object::default();
        object.scan(json, twin).unwrap();
        object
    }

    #[test]
    fn a_field_counts_as_checked_only_where_it_has_the_shape_of_the_real_kind() {
        let node = |json: &'static str| read(json, None);
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
            let twin = read(json, Some(&own));
            assert_eq!(fit::check(&twin, &kinds::NODE, "", None).unwrap_err().to_string(), misfit, "{json}");
        }
    }
}
