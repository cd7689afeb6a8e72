//! The files in `deploy/` that the program writes are what it writes today, and the one people start from is valid.

use std::fs;
use std::path::PathBuf;

use aksarc_shared::guard::Settings;
use aksarc_shared::heartbeat;
use aksarc_shared::read::yaml;
use aksarc_webhook::{config, manifest, protection};
use serde_json::{Value, json};

fn deploy(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_manifest_is_what_the_rules_say() {
    let same = deploy("guard.yaml") == manifest::render(&manifest::Options::default());
    assert!(same, "write it anew: cargo run -p aksarc-webhook -- manifest > deploy/guard.yaml");
}

#[test]
fn the_protecting_policy_is_what_the_data_say() {
    let same = deploy("guard-protection.yaml") == protection::render(&Settings::default());
    assert!(same, "write it anew: cargo run -p aksarc-webhook -- manifest --protection > deploy/guard-protection.yaml");
}

#[test]
fn the_schema_is_what_the_types_say() {
    let same = deploy("guard-config.schema.json") == config::schema();
    assert!(same, "write it anew: cargo run -p aksarc-webhook -- config-schema > deploy/guard-config.schema.json");
}

#[test]
fn the_example_is_valid_and_shows_every_field() {
    let text = deploy("guard-config.example.yaml");
    config::guard(text.as_bytes()).unwrap();
    let example: Value = yaml::parse(&text).unwrap();
    let schema: Value = serde_json::from_str(&config::schema()).unwrap();
    for field in schema["properties"].as_object().unwrap().keys() {
        assert!(!example[field].is_null(), "the example does not show {field}");
    }
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn the_guards_only_right_is_to_read_and_update_its_heartbeat() {
    let objects = yaml::documents(&deploy("guard.yaml")).unwrap();
    let (account, heartbeat, role, binding) = (&objects[1], &objects[3], &objects[4], &objects[5]);
    assert_eq!(account["automountServiceAccountToken"], false);
    assert_eq!(heartbeat["metadata"]["name"], heartbeat::NAME);
    assert_eq!(heartbeat["data"], Value::Null);
    let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [heartbeat::NAME],
        "verbs": ["get", "update"]}]);
    assert_eq!((&role["kind"], &role["rules"]), (&json!("Role"), &rules));
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    let subject =
        json!([{"kind": "ServiceAccount", "name": account["metadata"]["name"], "namespace": manifest::NAMESPACE}]);
    assert_eq!(binding["subjects"], subject);
    let kinds = objects.iter().map(|object| object["kind"].as_str().unwrap());
    assert_eq!(kinds.filter(|kind| kind.contains("Role")).count(), 2);
    // The pod has the token for that.
    assert_eq!(objects[6]["spec"]["template"]["spec"]["automountServiceAccountToken"], true);
}

#[test]
fn the_manifest_is_a_set_of_hardened_objects() {
    let objects = yaml::documents(&deploy("guard.yaml")).unwrap();
    let kinds: Vec<&str> = objects.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    let expected = [
        "Namespace",
        "ServiceAccount",
        "ConfigMap",
        "ConfigMap",
        "Role",
        "RoleBinding",
        "Deployment",
        "PodDisruptionBudget",
        "Service",
        "ValidatingWebhookConfiguration",
    ];
    assert_eq!(kinds, expected);
    for object in &objects[1..9] {
        assert_eq!(object["metadata"]["namespace"], manifest::NAMESPACE);
    }
    config::guard(objects[2]["data"]["guard.yaml"].as_str().unwrap().as_bytes()).unwrap();
    let deployment = &objects[6]["spec"];
    assert_eq!(deployment["replicas"], 2);
    let pod = &deployment["template"]["spec"];
    assert_eq!(pod["priorityClassName"], Value::Null);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["nodeSelector"]["kubernetes.io/os"], "linux");
    let container = &pod["containers"][0]["securityContext"];
    assert_eq!(container["allowPrivilegeEscalation"], false);
    assert_eq!(container["readOnlyRootFilesystem"], true);
    assert_eq!(container["capabilities"]["drop"][0], "ALL");
}
