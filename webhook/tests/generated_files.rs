//! The manifest that the program writes gives the guard no more than it needs, and the configuration that people start from is valid.

use std::fs;
use std::path::PathBuf;

use aksarc_shared::data::{Platform, embedded, own};
use aksarc_shared::facts::{digest, heartbeat};
use aksarc_shared::finding::Finding;
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::k8s::kinds;
use aksarc_shared::k8s::read::{json, yaml};
use aksarc_shared::people::waiver::SUPPORT_WAIVER;
use aksarc_shared::rules::catalogue;
use aksarc_shared::rules::rule::Mode;
use aksarc_shared::verdict::check::{Check, Params};
use aksarc_shared::verdict::guard::Settings;
use aksarc_shared::verdict::observed;
use aksarc_shared::verdict::published;
use aksarc_shared::verdict::report::ToolVersion;
use aksarc_webhook::config;
use aksarc_webhook::manifest::{self, ManifestCertificate, ManifestConfig, ManifestOptions};
use serde_json::{Value, json};

fn deploy(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_manifest_says_what_it_generated_whatever_authority_it_is_given() {
    let configuration =
        |options: &ManifestOptions| -> Value { yaml::documents(&manifest::webhooks(options)).unwrap().remove(0) };
    let generated = |configuration: &Value| configuration["metadata"]["annotations"][own::GENERATED].clone();
    let plain = configuration(&ManifestOptions::default());
    assert_eq!(generated(&plain), digest::digest(&plain["webhooks"]));
    let certificate = ManifestCertificate::Secret { authority: Some(b"authority".to_vec()) };
    let trusted = configuration(&ManifestOptions { certificate, ..ManifestOptions::default() });
    assert_eq!(generated(&trusted), generated(&plain));
    let mut edited = plain["webhooks"].clone();
    edited[0]["matchConditions"][0]["expression"] = json!("false");
    assert_ne!(generated(&plain), digest::digest(&edited));
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
fn the_guards_only_rights_are_its_records_the_list_of_waivers_its_certificate_and_its_protection() {
    let objects = yaml::documents(&deploy("guard.yaml")).unwrap();
    let one = |kind: &str| objects.iter().find(|object| object["kind"] == kind).unwrap();
    let named = |kind: &str, name: &str| {
        let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("no {kind} {name}"))
    };
    let account = one("ServiceAccount");
    assert_eq!(account["automountServiceAccountToken"], false);
    let subject =
        json!([{"kind": "ServiceAccount", "name": account["metadata"]["name"], "namespace": manifest::NAMESPACE}]);
    for name in [heartbeat::NAME, observed::NAME] {
        assert_eq!(named("ConfigMap", name)["data"], Value::Null);
        let (role, binding) = (named("Role", name), named("RoleBinding", name));
        let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [name],
            "verbs": ["get", "update"]}]);
        assert_eq!((&role["rules"], &binding["roleRef"]["name"]), (&rules, &role["metadata"]["name"]));
        assert_eq!(binding["subjects"], subject);
    }
    let (role, binding) = (one("ClusterRole"), one("ClusterRoleBinding"));
    let rules = json!([{"apiGroups": [SUPPORT_WAIVER.group], "resources": [SUPPORT_WAIVER.resource], "verbs": ["list"]},
            {"apiGroups": [SUPPORT_WAIVER.group], "resources": ["supportwaivers/status"], "verbs": ["patch"]}]);
    assert_eq!((&role["kind"], &role["rules"]), (&json!("ClusterRole"), &rules));
    assert_eq!((&binding["kind"], &binding["subjects"]), (&json!("ClusterRoleBinding"), &subject));
    assert_eq!(
        binding["roleRef"],
        json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role["metadata"]["name"]})
    );
    let kinds = objects.iter().map(|object| object["kind"].as_str().unwrap());
    assert_eq!(kinds.filter(|kind| kind.contains("Role")).count(), 14);
    // The authority of its certificate, in one Secret, which it may also make; the bundle in one configuration; and what
    // opens that configuration and one namespace.
    let of_secret = json!([{"apiGroups": [""], "resources": ["secrets"], "resourceNames": [own::CERTIFICATES],
        "verbs": ["get", "update"]}, {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]}]);
    let of_trust = json!([{"apiGroups": ["admissionregistration.k8s.io"],
        "resources": ["validatingwebhookconfigurations"], "resourceNames": [own::CONFIGURATION],
        "verbs": ["get", "patch"]}]);
    let of_namespace = json!([{"apiGroups": [""], "resources": ["namespaces"], "resourceNames": [own::NAMESPACE],
        "verbs": ["get", "patch"]}]);
    let of_result = json!([{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [published::NAME],
        "verbs": ["get"]}]);
    for (kind, name, rules) in [
        ("Role", "guard-result", of_result),
        ("Role", own::CERTIFICATES, of_secret),
        ("Role", own::SERVICE, of_namespace),
        ("ClusterRole", "aksarc-guard-configuration", of_trust),
    ] {
        let (role, binding) = (named(kind, name), named(&format!("{kind}Binding"), name));
        assert_eq!(role["rules"], rules);
        assert_eq!(
            (&binding["roleRef"]["name"], &binding["roleRef"]["kind"]),
            (&role["metadata"]["name"], &json!(kind))
        );
        assert_eq!(binding["subjects"], subject);
    }
    // The pod has the token that these rights need.
    assert_eq!(one("Deployment")["spec"]["template"]["spec"]["automountServiceAccountToken"], true);
}

#[test]
fn the_guards_own_webhooks_do_not_stand_in_the_clusters_way() {
    let all = catalogue::ALL.iter().map(|rule| (rule.code.as_str().to_owned(), Mode::Warn)).collect();
    let settings = Settings { rules: all, ..Settings::default() };
    let config = ManifestConfig { text: String::new(), settings };
    for config in [None, Some(config)] {
        let manifest = manifest::render(&ManifestOptions { config, ..ManifestOptions::default() });
        assert_eq!(blocking_webhooks(&manifest), Vec::new());
        // The rule speaks once a webhook fails closed.
        let closed = manifest.replace("failurePolicy: Ignore", "failurePolicy: Fail");
        assert!(!blocking_webhooks(&closed).is_empty());
    }
}

/// The findings of AA901, information included, on a cluster of the system's namespaces and the manifest.
fn blocking_webhooks(manifest: &str) -> Vec<Finding> {
    let now: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
    let rules = vec![catalogue::find("AA901").unwrap()];
    let mut check = Check::new(embedded(), Params { platform: Some(Platform::AzureLocal), rules, ..Params::at(now) });
    let mut documents = yaml::documents(manifest).unwrap();
    let labels = |name: &str| json!({"kubernetes.io/metadata.name": name});
    documents.extend(embedded().namespaces.namespaces.iter().map(|row| {
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": row.name, "labels": labels(&row.name)}})
    }));
    let texts: Vec<String> = documents.iter().map(ToString::to_string).collect();
    for plan in [Check::plan_first, Check::plan_then] {
        for key in plan(&check) {
            let mut segment = check.segment(&key);
            for text in &texts {
                let object = json::object(text.as_bytes()).unwrap();
                if kinds::of(&object.api_version, &object.kind) == Some(key.kind) {
                    segment.object(&object);
                }
            }
            check.complete(segment);
        }
    }
    check.finish(ToolVersion::default(), "guard", "").unwrap().findings
}

#[test]
fn the_manifest_is_a_set_of_hardened_objects() {
    let objects = yaml::documents(&deploy("guard.yaml")).unwrap();
    let kinds: Vec<&str> = objects.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    let expected = [
        "Namespace",
        "ServiceAccount",
        "ConfigMap",
        "Role",
        "RoleBinding",
        "ConfigMap",
        "Role",
        "RoleBinding",
        "Role",
        "RoleBinding",
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
        "Role",
        "RoleBinding",
        "Deployment",
        "PodDisruptionBudget",
        "NetworkPolicy",
        "Service",
        "ValidatingWebhookConfiguration",
    ];
    assert_eq!(kinds, expected);
    for object in &objects[1..objects.len() - 1] {
        let cluster = object["kind"].as_str().unwrap().starts_with("Cluster");
        assert_eq!(object["metadata"]["namespace"] == manifest::NAMESPACE, !cluster, "{}", object["kind"]);
    }
    let deployment = &objects.iter().find(|object| object["kind"] == "Deployment").unwrap()["spec"];
    assert_eq!(deployment["replicas"], 2);
    let pod = &deployment["template"]["spec"];
    assert_eq!(pod["priorityClassName"], Value::Null);
    // The pod starts without a configuration, which may come later or never.
    let config = pod["volumes"].as_array().unwrap().iter().find(|volume| volume["name"] == "config").unwrap();
    assert_eq!(config["configMap"], json!({"name": "guard", "optional": true}));
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["nodeSelector"]["kubernetes.io/os"], "linux");
    // Probes go to the port that the program answers them on, and nothing but reviews and metrics is open to others.
    let container = &pod["containers"][0];
    let number = |name: &Value| {
        let mut ports = container["ports"].as_array().unwrap().iter();
        ports.find(|port| port["name"] == *name).unwrap()["containerPort"].as_u64().unwrap()
    };
    for probe in ["readinessProbe", "livenessProbe"] {
        let port = number(&container[probe]["httpGet"]["port"]);
        let listens = json!(format!("--probe-listen=0.0.0.0:{port}"));
        assert!(container["args"].as_array().unwrap().contains(&listens), "{probe}");
        assert!(container[probe]["failureThreshold"].as_u64() >= Some(3), "{probe}");
    }
    let policy = objects.iter().find(|object| object["kind"] == "NetworkPolicy").unwrap();
    let rules = policy["spec"]["ingress"].as_array().unwrap();
    let open: Vec<u64> = rules.iter().map(|rule| rule["ports"][0]["port"].as_u64().unwrap()).collect();
    assert_eq!(open, ["review", "admin"].map(|name| number(&json!(name))));
    assert_eq!(policy["spec"]["podSelector"]["matchLabels"], deployment["template"]["metadata"]["labels"]);
    let container = &container["securityContext"];
    assert_eq!(container["allowPrivilegeEscalation"], false);
    assert_eq!(container["readOnlyRootFilesystem"], true);
    assert_eq!(container["capabilities"]["drop"][0], "ALL");
}
