//! The digests of a webhook configuration and of a policy, which show whether they are as they were generated.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::text;

/// The hash of the match rules of webhooks and of the Services that they call. It leaves out defaults that the API
/// server fills in, so that a manifest and the stored object have the same digest, and the choices of an installer, such
/// as certificate, port and timeout.
pub fn digest(webhooks: &Value) -> String {
    let asked = webhooks.as_array().into_iter().flatten().map(|webhook| {
        let kept = ASKED.iter().filter_map(|path| Some(((*path).to_owned(), webhook.pointer(path)?.clone())));
        full(&Value::Object(kept.collect()))
    });
    let asked: Vec<Value> = asked.flatten().collect();
    text::short_hex(&Sha256::digest(Value::Array(asked).to_string()))
}

/// The hash of the specification of a ValidatingAdmissionPolicy, without defaults that the API server fills in.
pub fn of_policy(spec: &Value) -> String {
    text::short_hex(&Sha256::digest(full(spec).unwrap_or_default().to_string()))
}

/// The value without empty fields and defaults; `None` where nothing is left.
fn full(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Array(items) => {
            let items: Vec<Value> = items.iter().filter_map(full).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(fields) => {
            let own = fields
                .iter()
                .filter(|(name, value)| !DEFAULTS.iter().any(|(field, own)| field == name && *value == own));
            let fields: Map<String, Value> =
                own.filter_map(|(name, value)| Some((name.clone(), full(value)?))).collect();
            (!fields.is_empty()).then_some(Value::Object(fields))
        }
        other => Some(other.clone()),
    }
}

/// The fields of a webhook that decide which requests go to it.
const ASKED: [&str; 9] = [
    "/name",
    "/clientConfig/service/namespace",
    "/clientConfig/service/name",
    "/clientConfig/service/path",
    "/matchPolicy",
    "/namespaceSelector",
    "/objectSelector",
    "/rules",
    "/matchConditions",
];

/// Defaults that the API server fills in, besides empty selectors (kubernetes.io, `admissionregistration.k8s.io/v1`).
const DEFAULTS: [(&str, &str); 3] = [("/matchPolicy", "Equivalent"), ("matchPolicy", "Equivalent"), ("scope", "*")];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::data::own::{NAMESPACE, SERVICE};

    #[test]
    fn a_digest_changes_with_what_is_asked_and_not_with_what_the_api_server_fills_in() {
        let made = json!([{
            "name": "system.guard.aksarc.dev",
            "clientConfig": {"service": {"namespace": NAMESPACE, "name": SERVICE}, "caBundle": "${CA_BUNDLE}"},
            "namespaceSelector": {"matchLabels": {"a": "b"}},
            "matchConditions": [{"name": "some", "expression": "true"}],
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}],
        }]);
        let with = |path: &str, field: &str, value: Value| {
            let mut other = made.clone();
            let place = other.pointer_mut(path).and_then(Value::as_object_mut).unwrap();
            place.insert(field.to_owned(), value);
            digest(&other) == digest(&made)
        };
        for (path, field, value) in [
            ("/0", "objectSelector", json!({})),
            ("/0", "matchPolicy", json!("Equivalent")),
            ("/0", "failurePolicy", json!("Fail")),
            ("/0", "timeoutSeconds", json!(10)),
            ("/0/rules/0", "scope", json!("*")),
            ("/0/clientConfig", "caBundle", json!("Zm9v")),
            ("/0/clientConfig/service", "port", json!(443)),
        ] {
            assert!(with(path, field, value), "{path}/{field}");
        }
        for (path, field, value) in [
            ("/0", "name", json!("user.guard.aksarc.dev")),
            ("/0", "matchPolicy", json!("Exact")),
            ("/0", "objectSelector", json!({"matchLabels": {"nothing": "here"}})),
            ("/0", "namespaceSelector", json!({})),
            ("/0", "matchConditions", json!([{"name": "some", "expression": "false"}])),
            ("/0", "matchConditions", json!([])),
            ("/0/rules/0", "scope", json!("Cluster")),
            ("/0/rules/0", "operations", json!(["DELETE"])),
            ("/0/clientConfig/service", "name", json!("other")),
            ("/0/clientConfig/service", "path", json!("/")),
        ] {
            assert!(!with(path, field, value), "{path}/{field}");
        }
        assert_ne!(digest(&json!([])), digest(&made));
        let policy = json!({"failurePolicy": "Fail", "validations": [{"expression": "true"}],
            "matchConstraints": {"resourceRules": [{"scope": "Cluster"}]}});
        let with = |path: &str, field: &str, value: Value| {
            let mut other = policy.clone();
            other.pointer_mut(path).and_then(Value::as_object_mut).unwrap().insert(field.to_owned(), value);
            of_policy(&other) == of_policy(&policy)
        };
        assert!(with("/matchConstraints", "matchPolicy", json!("Equivalent")));
        assert!(with("/matchConstraints", "objectSelector", json!({})));
        assert!(!with("", "failurePolicy", json!("Ignore")));
        assert!(!with("", "matchConditions", json!([{"name": "never", "expression": "false"}])));
        assert!(!with("/validations/0", "expression", json!("1 == 1")));
        assert_eq!(digest(&Value::Null), digest(&json!([])));
    }
}
