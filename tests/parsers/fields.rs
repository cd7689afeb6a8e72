//! Parsers of the API server's machine-readable texts: managedFields and metrics.

use std::fmt::Write as _;

use aksarc_shared::k8s::read::{json, metrics};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::draw::{each, mangled};

const CASES: u32 = 2_000;

#[test]
fn an_entry_owns_exactly_the_paths_of_its_fields() {
    each(CASES, (fields(), prop::collection::vec(key(), 1..4)), |(fields, other)| {
        let text = json!({"metadata": {"name": "a", "managedFields": [{"manager": "m", "fieldsV1": fields}]}});
        let text = text.to_string();
        let object = json::object(text.as_bytes()).unwrap();
        let entry = object.managed().first().unwrap();
        for path in paths(&fields, &[]) {
            let steps: Vec<&str> = path.iter().map(String::as_str).collect();
            assert!(entry.owns(&steps), "{path:?} of {text}");
            let expected: Vec<&str> = at(&fields, &path).keys().filter_map(|key| key.strip_prefix("f:")).collect();
            let mut children: Vec<String> = entry.children(&steps).iter().map(ToString::to_string).collect();
            children.sort();
            assert_eq!(children, expected, "below {path:?} of {text}");
        }
        let steps: Vec<&str> = other.iter().map(String::as_str).collect();
        assert_eq!(entry.owns(&steps), paths(&fields, &[]).contains(&other), "{other:?} of {text}");
    });
    let good = r#"{"metadata":{"managedFields":[{"manager":"m","fieldsV1":{"f:a":{".":{},"k:{\"name\":\"b\"}":{"f:c":{}}}}}]}}"#;
    each(CASES, mangled(good), |text| {
        let Ok(object) = json::object(text.as_bytes()) else { return };
        for entry in object.managed() {
            // What owns a field lists it below its parent.
            for child in entry.children(&[]) {
                assert!(entry.owns(&[&format!("f:{}", &*child)]), "{text}");
            }
        }
    });
}

#[test]
fn a_sample_is_read_back_whatever_its_labels_hold() {
    let labels = prop::collection::btree_map("[a-z_]{1,6}", any::<String>(), 0..4);
    each(CASES, (labels, any::<f64>().prop_filter("a number", |value| !value.is_nan())), |(labels, value)| {
        let mut line = "aksarc_test{".to_owned();
        for (name, label) in &labels {
            let label = label.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            write!(line, "{name}=\"{label}\",").unwrap();
        }
        let text = format!("# HELP aksarc_test x\n{line}}} {value}\nother 1\n");
        let found: Vec<_> = metrics::samples(&text, "aksarc_test").collect();
        // A carriage return or another break within a label ends no line here, as in Go.
        assert_eq!(found.len(), 1, "{text:?}");
        for sample in &found {
            assert_eq!(sample.value.to_bits(), value.to_bits(), "{text:?}");
            for (name, label) in &labels {
                assert_eq!(sample.label(name), label, "{text:?}");
            }
        }
    });
    each(CASES, mangled("a{x=\"1\",y=\"q\\\"}\\\\\\n\"} 1\na 2 17\na{} +Inf\n"), |text| {
        assert!(metrics::samples(&text, "a").count() <= text.lines().count(), "{text:?}");
    });
}

/// A set of fields as managedFields has it.
fn fields() -> impl Strategy<Value = Value> {
    Just(json!({})).prop_recursive(4, 24, 4, |inner| {
        prop::collection::btree_map(key(), inner, 0..4).prop_map(|own| Value::Object(own.into_iter().collect()))
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ab]{1,2}".prop_map(|name| format!("f:{name}")),
        2 => "\\PC{0,6}".prop_map(|name| format!("f:{name}")),
        1 => "\\PC{0,6}".prop_map(|name| format!("k:{}", json!({"name": name}))),
        1 => "\\PC{0,6}".prop_map(|value| format!("v:{}", json!(value))),
        1 => Just(".".to_owned()),
    ]
}

/// The paths to all that is in a set of fields.
fn paths(fields: &Value, before: &[String]) -> Vec<Vec<String>> {
    let below = |(key, value): (&String, &Value)| {
        let path = [before, std::slice::from_ref(key)].concat();
        let rest = paths(value, &path);
        std::iter::once(path).chain(rest).collect::<Vec<_>>()
    };
    fields.as_object().into_iter().flatten().flat_map(below).collect()
}

fn at<'v>(fields: &'v Value, path: &[String]) -> &'v Map<String, Value> {
    path.iter().fold(fields, |fields, step| fields.get(step).unwrap()).as_object().unwrap()
}
