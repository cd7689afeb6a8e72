//! The resource in `deploy/supportwaiver.yaml` has the schema of the type that reads it.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failure")]

use std::collections::BTreeSet;
use std::path::Path;

use aksarc_shared::k8s::read::yaml;
use aksarc_shared::people::waiver::{SUPPORT_WAIVER, Waiver};
use serde_json::{Value, json};

fn definition() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/supportwaiver.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    yaml::documents(&text).unwrap().into_iter().find(|one| one["kind"] == "CustomResourceDefinition").unwrap()
}

/// A waiver with every field there is. One more in the type does not compile here unless it has a default, and then
/// [`the_schema_has_the_fields_of_the_type`] fails on it as soon as it is written below.
fn full() -> Value {
    json!({
        "name": "w", "rules": ["AA303"], "reason": "r", "ticket": "t", "requestedBy": "a", "approvedBy": "b",
        "notBefore": "2026-11-01T00:00:00Z", "expires": "2026-11-29T00:00:00Z", "kind": "microsoft-directed", "supportCase": "1",
        "match": {"kind": "Pod", "namespace": "n", "name": "a", "path": "p", "fingerprint": "0123456789abcdef0123456789abcdef"},
        "lapsesUnless": {"uid": "u", "value": "v", "changedBefore": "2026-11-02T00:00:00Z"},
    })
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_schema_has_the_fields_of_the_type() {
    let waiver: Waiver = serde_json::from_value(full()).unwrap();
    assert_eq!(waiver.problems(), []);
    let mut written = serde_json::to_value(&waiver).unwrap();
    assert_eq!(written, full(), "every field is written as it is read");
    // The object's name is in its metadata.
    written.as_object_mut().unwrap().remove("name");
    let schema = &definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    assert_eq!(keys(&schema["properties"]), keys(&written));
    for part in ["match", "lapsesUnless"] {
        assert_eq!(keys(&schema["properties"][part]["properties"]), keys(&written[part]), "{part}");
    }
    // The type's own list of fields, as it names them when it meets another.
    let mut stranger = full();
    stranger["stranger"] = json!(1);
    let said = serde_json::from_value::<Waiver>(stranger).unwrap_err().to_string();
    for field in keys(&full()) {
        assert!(said.contains(&format!("`{field}`")), "{field}: {said}");
    }
    assert_eq!(said.matches('`').count() / 2, full().as_object().unwrap().len() + 1, "{said}");
}

#[test]
fn the_schema_requires_the_fields_that_the_type_requires() {
    let schema = &definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let required: BTreeSet<&str> =
        schema["required"].as_array().unwrap().iter().map(|field| field.as_str().unwrap()).collect();
    for field in keys(&full()) {
        let mut without = full();
        without.as_object_mut().unwrap().remove(&field);
        let said = serde_json::from_value::<Waiver>(without).err().map(|error| error.to_string());
        let expected = required.contains(&*field).then(|| format!("missing field `{field}`"));
        assert_eq!(said, expected, "{field}");
    }
}

#[test]
fn the_schema_allows_the_words_and_lengths_of_the_type() {
    let schema = &definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
    for word in schema["kind"]["enum"].as_array().unwrap() {
        let mut waiver = full();
        waiver["kind"] = word.clone();
        assert!(serde_json::from_value::<Waiver>(waiver).is_ok(), "{word}");
    }
    for (field, value) in full().as_object().unwrap() {
        let Some(max) = schema[field]["maxLength"].as_u64().filter(|_| value.is_string()) else { continue };
        let long = |length: u64| {
            let mut waiver = full();
            waiver[field] = json!("x".repeat(usize::try_from(length).unwrap()));
            serde_json::from_value::<Waiver>(waiver).unwrap().problems().len()
        };
        assert_eq!((long(max), long(max + 1)), (0, 1), "{field}");
    }
}

#[test]
fn the_resource_is_the_one_that_is_listed() {
    let definition = definition();
    assert_eq!(definition["metadata"]["name"], SUPPORT_WAIVER.qualified());
    assert_eq!(definition["spec"]["group"], SUPPORT_WAIVER.group);
    assert_eq!(definition["spec"]["scope"], "Cluster");
    assert_eq!(definition["spec"]["names"]["kind"], SUPPORT_WAIVER.kind);
    assert_eq!(definition["spec"]["names"]["plural"], SUPPORT_WAIVER.resource);
    assert_eq!(definition["spec"]["versions"][0]["name"], SUPPORT_WAIVER.version);
}
