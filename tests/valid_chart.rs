//! The guard's Helm chart by the real Helm: what it renders is the manifest of the guard, the same each time and without a
//! secret, and a wrong value is refused by its name.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::collections::BTreeMap;
use std::fs;

use aksarc_shared::data;
use aksarc_shared::facts::digest::digest;
use aksarc_shared::verdict::guard::{Guard, Settings};
use aksarc_tests::chart::{self, KUBERNETES, helm, objects, option_sets, render};
use aksarc_tests::root;
use aksarc_webhook::config;
use aksarc_webhook::manifest::{self, ManifestConfig, ManifestOptions, protection, rules};
use serde_json::{Value, json};

#[test]
fn helm_finds_nothing_wrong_with_the_chart() {
    let linted = helm(&["lint", "deploy/chart", "--strict"], None).unwrap();
    linted.succeeded().unwrap();
    let chart: Value = serde_saphyr::from_str(&fs::read_to_string(chart::path().join("Chart.yaml")).unwrap()).unwrap();
    for field in ["version", "appVersion"] {
        assert_eq!(chart[field], env!("CARGO_PKG_VERSION"), "{field}");
    }
    let images = chart["annotations"]["artifacthub.io/images"].as_str().unwrap();
    for image in [manifest::IMAGE, PLUGIN_IMAGE] {
        assert!(images.contains(&format!("image: {image}\n")), "{images}");
    }
}

#[test]
fn every_set_of_options_renders_twice_the_same_without_a_secret_or_a_webhook_that_fails_closed() {
    for (name, values) in option_sets().unwrap() {
        for kubernetes in [KUBERNETES, "1.30.0-gke.1", "1.36.1"] {
            let text = render(&values, kubernetes, &[]).unwrap();
            let text = text.succeeded().unwrap_or_else(|error| panic!("{name}: {error:#}"));
            assert_eq!(text, render(&values, kubernetes, &[]).unwrap().stdout, "{name}");
            assert!(!text.contains("BEGIN"), "{name}");
            assert!(name == "provided" || !text.contains("caBundle:"), "{name}");
            let objects = objects(text).unwrap();
            assert!(objects.iter().all(|object| object["kind"] != "Secret"), "{name}");
            let webhooks = of_kind(&objects, "ValidatingWebhookConfiguration");
            let webhooks = webhooks[0]["webhooks"].as_array().unwrap();
            assert!(webhooks.len() == 4 && webhooks.iter().all(|own| own["failurePolicy"] == "Ignore"), "{name}");
            every_pod_is_restricted(name, &objects);
            every_object_has_the_labels(name, &objects);
        }
    }
    let mut templates = 0;
    for file in fs::read_dir(chart::path().join("templates")).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        templates += 1;
        for word in ["genCA", "genSelf", "genSigned", "genPrivateKey", "rand", "lookup", "now", "uuidv4"] {
            let is_word = |part: &str| part.split(|own: char| !own.is_alphanumeric()).any(|own| own.starts_with(word));
            let called = text.split("{{").skip(1).filter_map(|rest| rest.split("}}").next());
            let called: Vec<&str> = called.filter(|code| !code.contains("/*") && is_word(code)).collect();
            assert!(called.is_empty(), "{word}: {called:?}");
        }
    }
    assert!(templates > 8, "{templates}");
}

fn every_pod_is_restricted(name: &str, objects: &[Value]) {
    let templates = ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec"];
    let of = |object| templates.iter().find_map(|path| Value::pointer(object, path));
    let pods: Vec<&Value> = objects.iter().filter_map(of).collect();
    let checks = objects.iter().filter(|object| object["kind"] == "CronJob").count();
    assert_eq!(checks, usize::from(matches!(name, "check" | "images" | "places")), "{name}");
    assert!(pods.len() > checks);
    for pod in pods {
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{name}");
        let secrets = pod.get("imagePullSecrets").cloned().unwrap_or_default();
        let expected = if name == "images" { json!([{"name": "two"}, {"name": "one"}]) } else { Value::Null };
        assert_eq!(secrets, expected, "{name}");
        for container in pod["containers"].as_array().unwrap() {
            let context = &container["securityContext"];
            assert_eq!(context["allowPrivilegeEscalation"], false, "{name}");
            assert_eq!(context["capabilities"]["drop"], json!(["ALL"]), "{name}");
            assert_eq!(context["readOnlyRootFilesystem"], true, "{name}");
            let image = container["image"].as_str().unwrap();
            let (program, digit) = match container["name"].as_str() {
                Some("support-check") => ("kubectl-aksarc", "1"),
                _ => ("aksarc-webhook", "0"),
            };
            let expected = match name {
                "images" => format!("registry.example:5000/{program}@sha256:{}", digit.repeat(64)),
                _ => format!("{program}:{}", env!("CARGO_PKG_VERSION")),
            };
            assert_eq!(image, expected, "{name}");
        }
    }
}

fn every_object_has_the_labels(name: &str, objects: &[Value]) {
    for object in objects {
        let labels = &object["metadata"]["labels"];
        assert_eq!(labels["app.kubernetes.io/managed-by"], "Helm", "{name}: {object}");
        assert!(labels["app.kubernetes.io/name"].as_str().unwrap().starts_with("aksarc-guard"), "{name}: {object}");
        if name == "places" {
            assert_eq!(labels["team"], "edge", "{object}");
            assert_eq!(object["metadata"]["annotations"]["owner"], "edge", "{object}");
        }
    }
}

#[test]
fn the_chart_is_the_manifest_for_every_configuration() {
    for (name, values) in option_sets().unwrap() {
        let values: Value = serde_saphyr::from_str(if values.is_empty() { "{}" } else { &values }).unwrap();
        let Some(given) = values.get("config").or((name == "default").then_some(&Value::Null)) else { continue };
        let mut values = values.clone();
        values["rulePolicies"] = json!("on");
        let mut whole = json!({"apiVersion": "aksarc.dev/v1alpha1", "kind": "GuardConfig"});
        whole.as_object_mut().unwrap().extend(given.as_object().cloned().unwrap_or_default());
        let settings = config::guard(whole.to_string().as_bytes()).unwrap().settings().clone();
        if values.get("check").is_some() {
            continue;
        }
        let rendered = render(&values.to_string(), KUBERNETES, &["--no-hooks"]).unwrap();
        let mut rendered = keyed(&objects(rendered.succeeded().unwrap()).unwrap());
        let map = rendered.remove("ConfigMap guard");
        assert_eq!(map.is_some(), !given.is_null(), "{name}");
        if let Some(map) = map {
            let text = map["data"]["guard.yaml"].as_str().unwrap();
            assert_eq!(serde_saphyr::from_str::<Value>(text).unwrap(), whole, "{name}");
        }
        let config = given.is_object().then(|| ManifestConfig { text: whole.to_string(), settings: settings.clone() });
        let options = ManifestOptions { config, ..ManifestOptions::default() };
        let mut expected = keyed(&objects(&manifest::render(&options)).unwrap());
        expected.remove("ConfigMap guard");
        expected.extend(keyed(&objects(&protection::render(&settings)).unwrap()));
        expected.extend(keyed(&objects(&rules::render(&engine(settings.clone()))).unwrap()));
        // The chart leaves an installer's own components to the guard.
        let fewer = keyed(&objects(&rules::render(&engine(Settings { components: Vec::new(), ..settings }))).unwrap());
        expected.extend(fewer.into_iter().filter(|(key, _)| key.ends_with(rules::COMPONENTS)));
        let waivers = fs::read_to_string(root().join("deploy/supportwaiver.yaml")).unwrap();
        expected.extend(keyed(&objects(&waivers).unwrap()));
        // The only object that the chart adds on a cluster without further resources.
        assert!(rendered.remove("FlowSchema aksarc-guard").is_some(), "{name}");
        assert_eq!(rendered.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{name}");
        for (key, object) in &rendered {
            assert_eq!(object, &expected[key], "{name}: {key}");
        }
        let webhooks = &rendered["ValidatingWebhookConfiguration guard.aksarc.dev"];
        assert_eq!(
            webhooks["metadata"]["annotations"]["aksarc.dev/generated"],
            digest(&webhooks["webhooks"]),
            "{name}"
        );
    }
}

fn engine(settings: Settings) -> Guard {
    Guard::new(data::embedded(), settings).unwrap()
}

/// Objects by kind and name, without what Helm adds to every object.
fn keyed(objects: &[Value]) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for object in objects {
        let mut object = object.clone();
        for path in ["/metadata", "/spec/template/metadata"] {
            let Some(meta) = object.pointer_mut(path).and_then(Value::as_object_mut) else { continue };
            if let Some(labels) = meta.get_mut("labels").and_then(Value::as_object_mut) {
                labels.retain(|key, _| !key.starts_with("app.kubernetes.io/") && !key.starts_with("helm.sh/"));
            }
            if let Some(annotations) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.remove("helm.sh/resource-policy");
            }
            meta.retain(|_, value| value.as_object().is_none_or(|own| !own.is_empty()));
        }
        let key = format!("{} {}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        assert!(found.insert(key.clone(), object).is_none(), "{key} twice");
    }
    found
}

#[test]
fn a_wrong_value_is_refused_by_its_name() {
    for (values, name) in [
        ("replica: 3", "replica"),
        ("image: {tags: x}", "tags"),
        ("image: {digest: x}", "digest"),
        ("config: {mood: warn}", "mood"),
        ("config: {mode: warm}", "mode"),
        ("config: {components: [{kinds: [Pod], nam: x}]}", "nam"),
        ("config: {waivers: [{match: {kin: Node}}]}", "kin"),
        ("protection: maybe", "protection"),
        ("affinity: {nodeAffinity: {required: x}}", "required"),
        ("tolerations: [{keys: x}]", "keys"),
        ("resources: {limit: {}}", "limit"),
        ("check: {enable: true}", "enable"),
        ("check: {enabled: daily}", "enabled"),
        ("check: {schedule: at noon}", "schedule"),
        ("check: {schedule: \"\"}", "schedule"),
        ("check: {activeDeadlineSeconds: 5}", "activeDeadlineSeconds"),
        ("check: {staleAfterHours: 0}", "staleAfterHours"),
        ("check: {args: --skip=AA201}", "args"),
        ("check: {resources: {limit: {}}}", "limit"),
        ("webhooks: {failurePolicy: Fail}", "webhooks"),
        ("failurePolicy: Fail", "failurePolicy"),
        ("certificates: {mode: cert-manager}", "certificates.certManager.issuer.name"),
    ] {
        let refused = render(values, KUBERNETES, &[]).unwrap();
        assert!(refused.failed().unwrap().contains(name), "{values}: {}", refused.stderr);
    }
}

#[test]
fn every_value_is_described_and_no_object_takes_others() {
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(chart::path().join("values.schema.json")).unwrap()).unwrap();
    let (mut values, mut open) = (0, Vec::new());
    let mut left = vec![(String::new(), &schema)];
    while let Some((path, schema)) = left.pop() {
        for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            assert!(field["description"].as_str().is_some_and(|own| own.len() > 3), "{path}/{name}");
            values += 1;
        }
        if schema.get("properties").is_some() && schema["additionalProperties"] != false {
            open.push(path.clone());
        }
        match schema {
            Value::Object(fields) => left.extend(fields.iter().map(|(name, own)| (format!("{path}/{name}"), own))),
            Value::Array(items) => left.extend(items.iter().map(|own| (path.clone(), own))),
            _ => {}
        }
    }
    // Values of a parent's other charts arrive there.
    assert_eq!(open, ["/definitions/GlobalValues"]);
    assert!(values > 100, "{values}");
}

#[test]
fn parts_depend_on_the_cluster_and_policies_on_its_version() {
    let kinds = |values: &str, kubernetes: &str, apis: &[&str]| {
        let apis: Vec<String> = apis.iter().map(|api| format!("--api-versions={api}")).collect();
        let apis: Vec<&str> = apis.iter().map(String::as_str).collect();
        let rendered = render(values, kubernetes, &apis).unwrap();
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for object in objects(rendered.succeeded().unwrap()).unwrap() {
            *kinds.entry(object["kind"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        kinds
    };
    let monitoring = ["monitoring.coreos.com/v1/ServiceMonitor", "monitoring.coreos.com/v1/PrometheusRule"];
    let (plain, monitored) = (kinds("", KUBERNETES, &[]), kinds("", KUBERNETES, &monitoring));
    for kind in ["ServiceMonitor", "PrometheusRule"] {
        assert_eq!((plain.get(kind), monitored.get(kind)), (None, Some(&1)), "{kind}");
    }
    assert_eq!(plain["ConfigMap"] + 1, monitored["ConfigMap"], "the dashboard");
    let policies = |kinds: &BTreeMap<String, usize>| kinds.get("ValidatingAdmissionPolicy").copied();
    assert_eq!(policies(&plain), Some(5));
    for old in ["1.28.15", "v1.28.15+vendor.1", "1.29.0"] {
        for values in ["", "rulePolicies: auto"] {
            let kinds = kinds(values, old, &[]);
            assert_eq!((policies(&kinds), kinds.get("Job")), (None, None), "{old}: {values}");
        }
        for value in ["protection", "rulePolicies"] {
            let refused = render(&format!("{value}: \"on\""), old, &[]).unwrap();
            let version = old.trim_start_matches('v').split('+').next().unwrap();
            let words = format!("{value}: on needs Kubernetes 1.30, and this is v{version}");
            assert!(refused.failed().unwrap().contains(&words), "{}", refused.stderr);
        }
    }
    assert_eq!(policies(&kinds("protection: off", KUBERNETES, &[])), None);
    let ruled = kinds("{protection: off, rulePolicies: auto}", KUBERNETES, &[]);
    assert_eq!((policies(&ruled), ruled.get("ValidatingAdmissionPolicyBinding")), (Some(4), Some(&4)));
    assert_eq!(
        kinds("protection: off", KUBERNETES, &[]).get("Job"),
        Some(&2),
        "an earlier revision may have had it on"
    );
    assert_eq!(kinds("hooks: off", KUBERNETES, &[]).get("Job"), None);
    assert_eq!(kinds("", "1.28.15", &[]).get("FlowSchema"), None);
    let refused = render("", "1.27.9", &[]).unwrap();
    assert!(refused.failed().unwrap().contains("kubeVersion: >=1.28.0-0"), "{}", refused.stderr);
}

#[test]
fn the_namespace_belongs_to_the_release_unless_the_release_is_stored_there() {
    let namespaces = |values: &str, further: &[&str]| {
        let rendered = render(values, KUBERNETES, further).unwrap();
        of_kind(&objects(rendered.succeeded().unwrap()).unwrap(), "Namespace")
    };
    let level = |own: &[Value]| own[0]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"].clone();
    assert_eq!(level(&namespaces("", &[])), "restricted");
    assert_eq!(level(&namespaces("hostNetwork: true", &[])), "privileged");
    assert_eq!(namespaces("", &["--namespace", manifest::NAMESPACE]), Vec::<Value>::new());
}

#[test]
fn hooks_have_an_account_of_their_own_that_may_only_patch_two_objects() {
    let rendered = render("", KUBERNETES, &[]).unwrap();
    let objects = objects(rendered.succeeded().unwrap()).unwrap();
    let hooks: Vec<&Value> =
        objects.iter().filter(|own| own["metadata"]["annotations"]["helm.sh/hook"].is_string()).collect();
    let mut rules = Vec::new();
    for hook in &hooks {
        rules.extend(hook["rules"].as_array().cloned().unwrap_or_default());
        // The guard's Service and budget select by this label.
        assert_eq!(hook["metadata"]["labels"]["app.kubernetes.io/name"], "aksarc-guard-hooks");
        if let Some(template) = hook.pointer("/spec/template") {
            assert_eq!(template["metadata"]["labels"]["app.kubernetes.io/name"], "aksarc-guard-hooks");
            assert_eq!(template["spec"]["serviceAccountName"], aksarc_shared::data::own::HOOK_ACCOUNT);
        }
    }
    assert_eq!(hooks.len(), 7);
    rules.sort_by_key(|rule| rule["resources"].to_string());
    assert_eq!(
        rules,
        [
            json!({"apiGroups": [""], "resources": ["namespaces"], "resourceNames": [manifest::NAMESPACE], "verbs": ["patch"]}),
            json!({"apiGroups": ["admissionregistration.k8s.io"], "resources": ["validatingwebhookconfigurations"],
                "resourceNames": [manifest::CONFIGURATION], "verbs": ["patch"]}),
        ]
    );
    assert!(
        protection::render(&Settings::default()).matches("system:serviceaccount:aksarc-system:guard-hooks").count()
            == 2
    );
}

#[test]
fn the_check_has_the_generated_rights_and_an_account_and_labels_of_its_own() {
    let objects_of = |values: &str| objects(render(values, KUBERNETES, &[]).unwrap().succeeded().unwrap()).unwrap();
    let without = keyed(&objects_of(""));
    let mut added = keyed(&objects_of("check: {enabled: true}"));
    added.retain(|key, object| without.get(key) != Some(object));
    let names = [
        "ClusterRole aksarc-support-check",
        "ClusterRoleBinding aksarc-support-check",
        "CronJob support-check",
        "Role support-check",
        "RoleBinding support-check",
        "ServiceAccount support-check",
    ];
    assert_eq!(added.keys().collect::<Vec<_>>(), names);

    let documents = |path: &str| objects(&fs::read_to_string(root().join(path)).unwrap()).unwrap();
    let publisher = documents("deploy/publisher.yaml");
    let of_publisher = |kind: &str| of_kind(&publisher, kind)[0]["rules"].as_array().unwrap().clone();
    let mut expected = documents("deploy/reader.yaml")[0]["rules"].as_array().unwrap().clone();
    expected.push(json!({"apiGroups": ["aksarc.dev"], "resources": ["supportwaivers"], "verbs": ["list"]}));
    expected.extend(of_publisher("ClusterRole"));
    assert_eq!(added["ClusterRole aksarc-support-check"]["rules"], json!(expected));
    assert_eq!(added["Role support-check"]["rules"], json!(of_publisher("Role")));
    let account = json!([{"kind": "ServiceAccount", "name": "support-check", "namespace": manifest::NAMESPACE}]);
    for (kind, name) in [("ClusterRole", "aksarc-support-check"), ("Role", "support-check")] {
        let binding = &added[&format!("{kind}Binding {name}")];
        assert_eq!(binding["subjects"], account);
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name});
        assert_eq!(binding["roleRef"], role);
    }

    // The guard's Service, budget and NetworkPolicy select by another label. Its pods listen on nothing, and need no policy.
    let rendered = objects_of("check: {enabled: true}");
    let label = "app.kubernetes.io/name";
    let check = of_kind(&rendered, "CronJob").remove(0);
    let template = &check["spec"]["jobTemplate"]["spec"]["template"];
    assert_eq!(template["metadata"]["labels"][label], "aksarc-guard-check");
    let own = rendered.iter().filter(|object| object["metadata"]["name"].to_string().contains("support-check"));
    assert_eq!(own.clone().count(), names.len());
    assert!(own.clone().all(|object| object["metadata"]["labels"][label] == "aksarc-guard-check"));
    assert_eq!(
        (&check["spec"]["schedule"], &check["spec"]["concurrencyPolicy"]),
        (&json!("23 4 * * *"), &json!("Forbid"))
    );
    let pod = &template["spec"];
    assert_eq!((&pod["serviceAccountName"], &pod["restartPolicy"]), (&json!("support-check"), &json!("Never")));
    let container = &pod["containers"][0];
    assert_eq!((&container["image"], container.get("command")), (&json!(PLUGIN_IMAGE), None));
    assert_eq!(container["args"], json!(["report", "publish", "--live", "--waivers=cluster"]));

    let (_, set) = option_sets().unwrap().into_iter().find(|(name, _)| *name == "check").unwrap();
    let rendered = objects_of(&set);
    let check = &of_kind(&rendered, "CronJob")[0]["spec"];
    assert_eq!((&check["schedule"], &check["timeZone"]), (&json!("@weekly"), &json!("Europe/Berlin")));
    assert_eq!(check["successfulJobsHistoryLimit"], 0);
    let container = &check["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
    let arguments =
        ["report", "publish", "--live", "--waivers=cluster", "--platform=azure-local", "--platform-release=2602"];
    assert_eq!(container["args"], json!(arguments));
    assert_eq!(container["resources"]["limits"]["memory"], "1Gi");
    let alerts = of_kind(&rendered, "PrometheusRule")[0].to_string();
    assert!(alerts.contains("> 340 * 3600") && !alerts.contains("> 50 * 3600"), "{alerts}");
    let alerts = of_kind(&objects_of("prometheusRule: true"), "PrometheusRule")[0].to_string();
    assert!(alerts.contains("> 50 * 3600"), "{alerts}");
    let elsewhere = "{check: {enabled: true}, image: {registry: registry.example, tag: later}}";
    let elsewhere = of_kind(&objects_of(elsewhere), "CronJob")[0].to_string();
    assert!(elsewhere.contains("registry.example/kubectl-aksarc:later"), "{elsewhere}");
    let without_waivers = of_kind(&objects_of("{check: {enabled: true}, crds: {install: false}}"), "CronJob");
    assert!(!without_waivers[0].to_string().contains("--waivers"));
}

const PLUGIN_IMAGE: &str = concat!("kubectl-aksarc:", env!("CARGO_PKG_VERSION"));

fn of_kind(objects: &[Value], kind: &str) -> Vec<Value> {
    objects.iter().filter(|object| object["kind"] == kind).cloned().collect()
}
