//! The guard's webhook configuration, as far as trust is concerned.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::authority::TrustedCertificate;
use super::decide::SeenTrust;

/// The authorities in a webhook configuration as the API server returns it.
pub(super) fn trust(configuration: &Value) -> SeenTrust {
    let bundles: Vec<String> = webhooks(configuration).map(bundle).collect();
    let mut certificates: Vec<TrustedCertificate> = Vec::new();
    for certificate in bundles.iter().flat_map(|bundle| TrustedCertificate::all(bundle)) {
        if !certificates.contains(&certificate) {
            certificates.push(certificate);
        }
    }
    let version = configuration.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default();
    SeenTrust::Read { version: version.to_owned(), bundles, certificates }
}

/// The JSON patch that has every webhook of a configuration trust `bundle`. It changes `caBundle` and nothing else, and
/// only in the configuration that was read: the version and the name of each webhook are tested first.
pub(super) fn patch(configuration: &Value, bundle: &str) -> Value {
    let version = configuration.pointer("/metadata/resourceVersion");
    let mut operations = vec![json!({"op": "test", "path": "/metadata/resourceVersion", "value": version})];
    for (place, webhook) in webhooks(configuration).enumerate() {
        operations.push(json!({"op": "test", "path": format!("/webhooks/{place}/name"), "value": webhook.get("name")}));
        let path = format!("/webhooks/{place}/clientConfig/caBundle");
        operations.push(json!({"op": "add", "path": path, "value": STANDARD.encode(bundle)}));
    }
    Value::Array(operations)
}

fn webhooks(configuration: &Value) -> impl Iterator<Item = &Value> {
    configuration.get("webhooks").and_then(Value::as_array).into_iter().flatten()
}

/// What a webhook trusts; what is no text is nothing that could be trusted.
fn bundle(webhook: &Value) -> String {
    let text = webhook.pointer("/clientConfig/caBundle").and_then(Value::as_str).unwrap_or_default();
    STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificates::authority::Authority;
    use std::time::Duration;

    #[test]
    fn a_patch_names_the_bundles_alone_and_tests_what_it_was_made_for() {
        let now = "2026-06-01T12:00:00Z".parse().unwrap();
        let one = Authority::make(1, now, Duration::from_hours(1)).unwrap().certificate;
        let configuration = json!({"metadata": {"resourceVersion": "7"}, "webhooks": [
            {"name": "a", "clientConfig": {"service": {"name": "guard"}}, "failurePolicy": "Ignore"},
            {"name": "b", "clientConfig": {"caBundle": STANDARD.encode(&one.pem)}},
            {"name": "c", "clientConfig": {"caBundle": STANDARD.encode(one.pem.replace('\n', "\r\n"))}},
            {"name": "d", "clientConfig": {"caBundle": STANDARD.encode([0xff])}},
        ]});
        let SeenTrust::Read { bundles, certificates, .. } = trust(&configuration) else { panic!() };
        assert_eq!(certificates, std::slice::from_ref(&one));
        assert_eq!((bundles[0].as_str(), bundles[1].as_str(), bundles[3].as_str()), ("", &*one.pem, ""));
        let mut patched = configuration.clone();
        let operations = patch(&configuration, &one.pem);
        let operations: Vec<&Value> = operations.as_array().unwrap().iter().collect();
        let (tests, adds): (Vec<&Value>, Vec<&Value>) =
            operations.into_iter().partition(|operation| operation["op"] == "test");
        for test in &tests {
            assert_eq!(configuration.pointer(test["path"].as_str().unwrap()), Some(&test["value"]), "{test}");
        }
        assert_eq!((tests.len(), adds.len()), (5, 4));
        for add in adds {
            let (parent, field) = add["path"].as_str().unwrap().rsplit_once('/').unwrap();
            assert_eq!((&add["op"], field), (&json!("add"), "caBundle"));
            patched.pointer_mut(parent).unwrap()[field] = add["value"].clone();
        }
        let SeenTrust::Read { bundles, .. } = trust(&patched) else { panic!() };
        assert!(bundles.iter().all(|bundle| *bundle == one.pem));
    }
}
