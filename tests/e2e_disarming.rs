//! The ways round the guard that somebody with every right has, tried on a real API server: each is refused by a policy, or
//! something shows it. SECURITY.md has the table of them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

mod disarming {
    pub(crate) mod open;
}

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use aksarc_shared::k8s::read::yaml;
use aksarc_shared::verdict::guard::Settings;
use aksarc_tests::guard::Guard;
use aksarc_tests::replicas::{Replicas, configuration_path, secret_path};
use aksarc_tests::{Answer, ControlPlane, Finished, Http, Identity, Kubernetes, PatchKind, product, wait};
use aksarc_webhook::manifest::protection::{self, NAMESPACE_POLICY, OBJECTS_POLICY, POLICY};
use aksarc_webhook::manifest::{self, ManifestOptions};
use disarming::open::Scene;
use serde_json::{Value, json};

/// A way round the guard, by its number in SECURITY.md's table.
struct Way {
    number: u8,
    found: Found,
}

/// Who finds it.
enum Found {
    /// The policy of this name refuses the request: method, path and body.
    Refused(&'static str, Method, &'static str, Value),
    /// The guard's metric `aksarc_protection_armed` falls, after this change of the policy's binding or of the policy, and
    /// `guard test` sees it of the guard's webhook configuration.
    Metric(&'static str, Value),
    /// A check's finding of AA903 says these words, after this change of a policy or binding.
    Check(&'static str, Value, &'static str),
    /// SECURITY.md says that it is open.
    Documented(&'static str),
    /// What is generated leaves no such way.
    Closed(fn()),
    /// It goes through, and this shows it.
    Open(&'static str, fn(&Scene)),
}

impl Found {
    /// Who finds it, in the words of SECURITY.md's table.
    fn by(&self) -> &[&'static str] {
        match self {
            Found::Refused(..) => &["refused"],
            Found::Metric(path, _) if path.contains("/protection.") => &[ARMED, "`guard test`"],
            Found::Metric(..) => &[ARMED],
            Found::Check(..) => &["AA903"],
            Found::Documented(_) => &["this page"],
            Found::Closed(_) => &["closed"],
            Found::Open(by, _) => std::slice::from_ref(by),
        }
    }
}

const AUDIT_LOG: &str = "audit log";
const ARMED: &str = "`aksarc_protection_armed`";

#[derive(Clone, Copy)]
enum Method {
    Create,
    Delete,
    Merge,
}

/// The ways of SECURITY.md's table.
fn ways() -> Vec<Way> {
    use Found::{Check, Closed, Documented, Metric, Open, Refused};
    use Method::{Create, Delete, Merge};
    let refused = |number, policy, method, path, body| Way { number, found: Refused(policy, method, path, body) };
    let documented = |number, words| Way { number, found: Documented(words) };
    let metric = |number, path, change| Way { number, found: Metric(path, change) };
    let check = |number, path, change, words| Way { number, found: Check(path, change, words) };
    let objects = |number, method, path, body| refused(number, OBJECTS_POLICY, method, path, body);
    let never = json!({"spec": {"matchConditions": [{"name": "never", "expression": "false"}]}});
    let elsewhere = json!({"spec": {"matchResources": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"],
        "operations": ["UPDATE"], "resources": ["pods"]}]}}});
    let quota = json!({"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}});
    let limits = json!({"metadata": {"name": "none"},
        "spec": {"limits": [{"type": "Container", "max": {"memory": "1Mi"}}]}});
    let shut = json!({"metadata": {"name": "none"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}});
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "guard", "image": "nothing:1"}]}}}});
    let arguments = json!({"spec": {"template": {"spec": {"containers":
        [{"name": "guard", "image": manifest::IMAGE, "args": ["--help"]}]}}}});
    let none = || Value::Null;
    vec![
        metric(1, "bindings/protection.guard.aksarc.dev", none()),
        metric(1, "bindings/namespace.guard.aksarc.dev", none()),
        metric(2, "bindings/protection.guard.aksarc.dev", json!({"spec": {"validationActions": ["Audit"]}})),
        metric(2, "bindings/namespace.guard.aksarc.dev", elsewhere.clone()),
        metric(3, "policies/protection.guard.aksarc.dev", never.clone()),
        check(1, "bindings/objects.guard.aksarc.dev", none(), "objects.guard.aksarc.dev has no binding"),
        check(
            1,
            "policies/endpoints.guard.aksarc.dev",
            none(),
            "endpoints.guard.aksarc.dev is there, and the policy is not",
        ),
        check(
            2,
            "bindings/objects.guard.aksarc.dev",
            json!({"spec": {"validationActions": ["Warn"]}}),
            "does not deny",
        ),
        check(2, "bindings/objects.guard.aksarc.dev", elsewhere.clone(), "objects.guard.aksarc.dev is narrowed"),
        check(3, "policies/objects.guard.aksarc.dev", json!({"spec": {"failurePolicy": "Ignore"}}), "or fails open"),
        check(
            3,
            "policies/objects.guard.aksarc.dev",
            never.clone(),
            "objects.guard.aksarc.dev differs from its manifest",
        ),
        objects(4, Merge, "apis/apps/v1/OWN/deployments/guard", json!({"spec": {"replicas": 0}})),
        objects(4, Merge, "apis/apps/v1/OWN/deployments/guard/scale", json!({"spec": {"replicas": 0}})),
        objects(4, Delete, "apis/apps/v1/OWN/deployments/guard", none()),
        objects(4, Delete, "apis/apps/v1/OWN/deployments", none()),
        objects(4, Delete, "api/v1/OWN/services/guard", none()),
        objects(4, Merge, "api/v1/OWN/services/guard", json!({"spec": {"externalName": "nowhere.example"}})),
        objects(4, Delete, "api/v1/OWN/secrets/guard-certificates", none()),
        objects(4, Delete, "api/v1/OWN/serviceaccounts/guard", none()),
        objects(4, Delete, "apis/rbac.authorization.k8s.io/v1/OWN/roles/guard-certificates", none()),
        objects(4, Delete, "apis/rbac.authorization.k8s.io/v1/OWN/rolebindings/guard", none()),
        objects(4, Delete, "api/v1/OWN/configmaps/guard-heartbeat", none()),
        documented(4, "an edited EndpointSlice sends"),
        objects(5, Create, "apis/networking.k8s.io/v1/OWN/networkpolicies", shut),
        objects(5, Delete, "apis/networking.k8s.io/v1/OWN/networkpolicies/guard", none()),
        Way { number: 6, found: Closed(selectors_use_names_alone) },
        refused(7, NAMESPACE_POLICY, Delete, "api/v1/namespaces/aksarc-system", none()),
        refused(
            7,
            NAMESPACE_POLICY,
            Merge,
            "api/v1/namespaces/aksarc-system",
            json!({"metadata": {"labels": {"a": "b"}}}),
        ),
        objects(8, Create, "api/v1/OWN/resourcequotas", quota),
        objects(8, Create, "api/v1/OWN/limitranges", limits),
        objects(9, Merge, "apis/apps/v1/OWN/deployments/guard", image),
        objects(9, Merge, "apis/apps/v1/OWN/deployments/guard", arguments),
        objects(10, Merge, "api/v1/OWN/configmaps/guard", json!({"data": {"guard.yaml": "mode: observe"}})),
        Way { number: 11, found: Open(AUDIT_LOG, Scene::waiver_for_oneself) },
        Way { number: 12, found: Open(AUDIT_LOG, Scene::impersonation) },
        Way { number: 13, found: Open(AUDIT_LOG, Scene::token) },
        Way { number: 15, found: Open(AUDIT_LOG, Scene::node_proxy) },
        // The last, since it leaves a group of the API without a server.
        Way { number: 14, found: Open("AA308", Scene::api_service) },
    ]
}

#[test]
fn each_way_round_the_guard_is_refused_or_has_somebody_who_finds_it() {
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    let mut replicas = Replicas::install(&cluster, &["--poll", "500ms", "--protection-every", "5s"]).unwrap();
    parts(&cluster);
    let guard = replicas.start(&json!({"mode": "enforce", "platform": "azure-local"})).unwrap();
    await_armed(&guard, &[("configuration", 1.0), ("namespace", 1.0)]);
    let security = security();
    for way in &ways() {
        match &way.found {
            Found::Refused(policy, method, path, body) => {
                for who in [Identity::Person, Identity::Admin] {
                    let answer = request(&cluster.http(&who).unwrap(), *method, path, body);
                    let told = format!("{} {who:?} {path}: {} {}", way.number, answer.code, answer.body);
                    let by = format!("ValidatingAdmissionPolicy '{policy}'");
                    assert!(answer.code == 403 && answer.body.contains(&by), "{told}");
                    assert!(answer.body.contains("aksarc.dev/open="), "{told}");
                }
            }
            Found::Metric(path, change) => {
                assert_eq!(tried_deletion(&cluster), "refused by the policy");
                alter(&cluster, path, change);
                let object = if path.contains("/namespace") { "namespace" } else { "configuration" };
                await_armed(&guard, &[(object, 0.0)]);
                let answer = if object == "configuration" { "passed" } else { "refused by the policy" };
                assert_eq!(tried_deletion(&cluster), answer, "{path}");
                repair(&cluster, path);
                await_armed(&guard, &[("configuration", 1.0), ("namespace", 1.0)]);
            }
            Found::Check(path, change, words) => {
                assert!(!policies_found(&cluster).contains(words), "{words}");
                alter(&cluster, path, change);
                let found = policies_found(&cluster);
                assert!(found.contains(words), "{path} {change}: {found}");
                repair(&cluster, path);
                await_objects(&cluster);
                assert_eq!(policies_found(&cluster), "");
            }
            Found::Documented(words) => assert!(security.contains(words), "{} {words}", way.number),
            Found::Closed(proof) => proof(),
            Found::Open(..) => {}
        }
    }
    the_namespace_goes_on_working(&cluster);
    refusals_are_in_the_audit_log(&cluster);
    what_is_opened_is_closed_again(&cluster, &guard);
    tools_that_keep_the_guard_open_it_for_one_sync(&cluster, &guard);
}

#[test]
fn ways_that_stay_open_leave_a_trace() {
    let scene = Scene::set();
    for way in ways() {
        if let Found::Open(_, play) = way.found {
            play(&scene);
        }
    }
}

/// Each row of the table names all who find its way, and nobody else.
#[test]
fn the_table_of_ways_names_who_finds_each() {
    let mut tried: BTreeMap<u8, BTreeSet<&str>> = BTreeMap::new();
    let ways = ways();
    for way in &ways {
        tried.entry(way.number).or_default().extend(way.found.by());
    }
    let security = fs::read_to_string(SECURITY).unwrap();
    let (_, section) = security.split_once("### Ways round the guard\n").unwrap();
    let cells = |row: &'static str| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>();
    let rows = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let rows: Vec<Vec<&str>> = rows.skip(2).map(|row| cells(row.to_owned().leak())).collect();
    let told = rows.iter().map(|row| (row[0].parse().unwrap(), row[2].split(", ").collect()));
    assert_eq!(told.collect::<BTreeMap<u8, BTreeSet<&str>>>(), tried);
    assert_eq!(rows.len(), 15);
}

/// SECURITY.md, in one line.
fn security() -> String {
    fs::read_to_string(SECURITY).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The answer that `guard test` gets when it tries to delete the guard's webhook configuration.
fn tried_deletion(cluster: &ControlPlane) -> String {
    let mut command = cluster.command(&Identity::Person, &product::plugin().unwrap()).unwrap();
    let finished = Finished::run(command.args(["guard", "test", "-o", "json"]), None).unwrap();
    let test: Value = serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.stderr));
    let is_it = |request: &&Value| request["request"] == "delete the guard's webhook configuration";
    test["requests"].as_array().unwrap().iter().find(is_it).unwrap()["answer"].as_str().unwrap().to_owned()
}

/// Somebody changes a policy or its binding, or deletes it.
fn alter(cluster: &ControlPlane, path: &str, change: &Value) {
    let admin = cluster.http(&Identity::Admin).unwrap();
    let (kind, name) = object_of(path);
    let path = format!("/apis/admissionregistration.k8s.io/v1/{kind}/{name}");
    let answer = match change {
        Value::Null => admin.delete(&path).unwrap(),
        change => admin.patch(&path, PatchKind::Merge, change).unwrap(),
    };
    assert!(answer.is_success(), "{path} {change}: {}", answer.body);
}

/// The policies are applied again as they are generated.
fn repair(cluster: &ControlPlane, path: &str) {
    let (kind, name) = object_of(path);
    let repaired = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    let policies = protection::render(&Settings::default());
    // What was added by another manager is not taken away by applying again.
    cluster.kubectl(&Identity::Admin, ["delete", kind, name, "--ignore-not-found"]).unwrap().succeeded().unwrap();
    cluster.kubectl_with(&Identity::Admin, repaired, &policies).unwrap().succeeded().unwrap();
}

/// The resource and the name of a policy or binding.
fn object_of(path: &str) -> (&'static str, &str) {
    let (kind, name) = path.split_once('/').unwrap();
    let of_bindings = kind == "bindings";
    (if of_bindings { "validatingadmissionpolicybindings" } else { "validatingadmissionpolicies" }, name)
}

/// What a check says of policies and bindings by AA903.
fn policies_found(cluster: &ControlPlane) -> String {
    let mut command = cluster.command(&Identity::Admin, &product::plugin().unwrap()).unwrap();
    command.args(["support-check", "--only", "AA903", "--platform", "azure-local", "-o", "json"]);
    let finished = Finished::run(&mut command, None).unwrap();
    let report: Value = serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.stderr));
    let findings = report["findings"].as_array().unwrap().iter();
    let policies = findings.filter(|finding| finding["object"]["kind"].as_str().unwrap().contains("AdmissionPolicy"));
    policies.map(|finding| finding["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join("; ")
}

/// Namespaces are selected by the one label that the API server itself writes, and lets nobody change.
fn selectors_use_names_alone() {
    let configuration = manifest::webhooks(&ManifestOptions::default());
    let policies = protection::render(&Settings::default());
    let mut keys = BTreeSet::new();
    for document in [configuration, policies].iter().flat_map(|text| yaml::documents(text).unwrap()) {
        collect_selectors(&document, &mut keys);
    }
    assert_eq!(keys, BTreeSet::from(["kubernetes.io/metadata.name".to_owned()]));
}

/// The keys of all selectors of namespaces; any other selector is a way round, by its own name.
fn collect_selectors(value: &Value, keys: &mut BTreeSet<String>) {
    for (field, inner) in value.as_object().into_iter().flatten() {
        match field.as_str() {
            "namespaceSelector" => {
                keys.extend(inner["matchLabels"].as_object().into_iter().flatten().map(|(key, _)| key.clone()));
                let expressions = inner["matchExpressions"].as_array().into_iter().flatten();
                keys.extend(expressions.map(|expression| expression["key"].as_str().unwrap().to_owned()));
            }
            "objectSelector" => {
                keys.insert(field.clone());
            }
            _ => collect_selectors(inner, keys),
        }
    }
    value.as_array().into_iter().flatten().for_each(|inner| collect_selectors(inner, keys));
}

/// What the namespace lives by is nobody's business, and other objects are their owners'.
fn the_namespace_goes_on_working(cluster: &ControlPlane) {
    let person = cluster.http(&Identity::Person).unwrap();
    let lease = json!({"metadata": {"name": "own"}, "spec": {"holderIdentity": "a"}});
    let event = json!({"metadata": {"name": "own"}, "involvedObject": {"namespace": manifest::NAMESPACE}});
    let slice = json!({"metadata": {"name": "own", "labels": {"kubernetes.io/service-name": "guard"}},
        "addressType": "IPv4", "endpoints": []});
    let map = json!({"metadata": {"name": "own"}, "data": {"a": "b"}});
    for (collection, object) in [
        ("apis/coordination.k8s.io/v1/OWN/leases", lease),
        ("api/v1/OWN/events", event),
        ("apis/discovery.k8s.io/v1/OWN/endpointslices", slice),
        ("api/v1/OWN/configmaps", map),
    ] {
        person.post(&own(collection), &object).unwrap().object().unwrap();
        let path = own(&format!("{collection}/own"));
        let change = json!({"metadata": {"labels": {"c": "d"}}});
        person.patch(&path, PatchKind::Merge, &change).unwrap().object().unwrap();
        assert!(person.delete(&path).unwrap().is_success(), "{path}");
    }
    // Another namespace of anybody's.
    let shop = json!({"metadata": {"name": "shop"}});
    person.post("/api/v1/namespaces", &shop).unwrap().object().unwrap();
    let label = json!({"metadata": {"labels": {"a": "b"}}});
    person.patch("/api/v1/namespaces/shop", PatchKind::Merge, &label).unwrap().object().unwrap();
    let quota = json!({"metadata": {"name": "own"}, "spec": {"hard": {"pods": "9"}}});
    person.post("/api/v1/namespaces/shop/resourcequotas", &quota).unwrap().object().unwrap();
}

fn refusals_are_in_the_audit_log(cluster: &ControlPlane) {
    let refused = |policy: &str| {
        cluster
            .audit_event("a refusal in the audit log", |event| {
                let failure = event.annotations.get("validation.policy.admission.k8s.io/validation_failure");
                failure.is_some_and(|failure| failure.contains(policy))
            })
            .unwrap()
    };
    for policy in [POLICY, NAMESPACE_POLICY, OBJECTS_POLICY] {
        refused(policy);
    }
}

/// The namespace is opened, what is in it is changed, and the guard closes both, while its own account could do no more
/// than that.
fn what_is_opened_is_closed_again(cluster: &ControlPlane, guard: &Guard) {
    let person = cluster.http(&Identity::Person).unwrap();
    let space = format!("/api/v1/namespaces/{}", manifest::NAMESPACE);
    let reason = |text: &str| json!({"metadata": {"annotations": {"aksarc.dev/open": text}}});
    let mut more = reason("a test");
    more["metadata"]["labels"] = json!({"a": "b"});
    let answer = person.patch(&space, PatchKind::Merge, &more).unwrap();
    assert_eq!(answer.code, 403, "{}", answer.body);
    for path in [&space, &configuration_path()] {
        person.patch(path, PatchKind::Merge, &reason("a test")).unwrap().object().unwrap();
    }
    let scale = own("apis/apps/v1/OWN/deployments/guard");
    let zero = json!({"spec": {"replicas": 0}});
    wait::until("the namespace to be open", LIMIT, || {
        let answer = person.patch(&format!("{scale}?dryRun=All"), PatchKind::Merge, &zero).unwrap();
        if answer.is_success() { Ok(()) } else { Err(answer.body) }
    })
    .unwrap();
    let account = cluster.http(&Identity::service_account(manifest::NAMESPACE, "guard")).unwrap();
    for (path, change) in [
        (space.clone(), json!({"metadata": {"labels": {"a": "b"}}})),
        (space.clone(), reason("another")),
        (configuration_path(), json!({"metadata": {"labels": {"a": "b"}}})),
        (configuration_path(), reason("another")),
        (configuration_path(), json!({"webhooks": null})),
    ] {
        let answer = account.patch(&format!("{path}?dryRun=All"), PatchKind::Merge, &change).unwrap();
        assert!(answer.code == 403 && answer.body.contains("ValidatingAdmissionPolicy"), "{path} {}", answer.body);
    }
    for path in [&space, &configuration_path()] {
        wait::until("the guard to close what was opened", LIMIT, || {
            let object = person.get(path).unwrap().object().unwrap();
            let open = &object["metadata"]["annotations"]["aksarc.dev/open"];
            if open.is_null() { Ok(()) } else { Err(format!("{open}\n{}", guard.log())) }
        })
        .unwrap();
    }
    wait::until("the namespace to be closed", LIMIT, || {
        let answer = person.patch(&format!("{scale}?dryRun=All"), PatchKind::Merge, &zero).unwrap();
        if answer.code == 403 { Ok(()) } else { Err(answer.body) }
    })
    .unwrap();
    assert!(guard.log().contains("closed what was open for a change"), "{}", guard.log());
    // The guard itself could write its record all the time.
    let secret = cluster.http(&Identity::Admin).unwrap().get(&secret_path()).unwrap().object().unwrap();
    assert!(!secret["data"]["record.json"].is_null());
}

/// Argo CD's and Flux's writes, as requests of their identities and field managers: they open the namespace, change the
/// guard, and go on when the guard has closed it.
fn tools_that_keep_the_guard_open_it_for_one_sync(cluster: &ControlPlane, guard: &Guard) {
    let client = cluster.http(&Identity::GitOps).unwrap();
    let space = format!("/api/v1/namespaces/{}", manifest::NAMESPACE);
    let deployment = own("apis/apps/v1/OWN/deployments/guard");
    for tool in ["argocd-controller", "helm-controller", "kustomize-controller"] {
        let sync = |path: &str, more: &str, object: &Value| {
            let path = format!("{path}?fieldManager={tool}&force=true{more}");
            client.patch(&path, PatchKind::Apply, object).unwrap()
        };
        let name = |annotations: Value| {
            json!({"apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": manifest::NAMESPACE, "annotations": annotations}})
        };
        let labelled = |value: &str| {
            json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "guard", "namespace": manifest::NAMESPACE, "labels": {"contoso.example/sync": value}}})
        };
        sync(&space, "", &name(json!({"aksarc.dev/open": tool}))).object().unwrap();
        wait::until("the tool to change the guard", LIMIT, || {
            let answer = sync(&deployment, "", &labelled(tool));
            if answer.is_success() { Ok(()) } else { Err(answer.body) }
        })
        .unwrap();
        wait::until("the guard to close what the tool opened", LIMIT, || {
            let object = client.get(&space).unwrap().object().unwrap();
            let open = &object["metadata"]["annotations"]["aksarc.dev/open"];
            if open.is_null() { Ok(()) } else { Err(format!("{open}\n{}", guard.log())) }
        })
        .unwrap();
        wait::until("the namespace to be closed to the tool", LIMIT, || {
            let answer = sync(&deployment, "&dryRun=All", &labelled("another"));
            if answer.code == 403 { Ok(()) } else { Err(answer.body) }
        })
        .unwrap();
        // The next sync, without the annotation and without a change; Flux makes each as a dry run first.
        for more in ["&dryRun=All", ""] {
            let closed = sync(&space, more, &name(json!({}))).object().unwrap();
            assert!(closed["metadata"]["annotations"]["aksarc.dev/open"].is_null());
            sync(&deployment, more, &labelled(tool)).object().unwrap();
        }
    }
}

/// The parts of the shipped manifest that are no rights, with a configuration, but for what the harness has made.
fn parts(cluster: &ControlPlane) {
    let text = manifest::render(&ManifestOptions::default());
    let mut documents = yaml::documents(&text).unwrap();
    documents.retain(|document| ["Deployment", "NetworkPolicy"].contains(&document["kind"].as_str().unwrap()));
    documents.push(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"guard.yaml": ""},
        "metadata": {"name": "guard", "namespace": manifest::NAMESPACE}}));
    for document in documents {
        let applied = cluster.kubectl_with(&Identity::Admin, ["create", "-f", "-"], &document.to_string()).unwrap();
        applied.succeeded().unwrap();
    }
}

/// Waits until the policy for the parts of the guard counts again.
fn await_objects(cluster: &ControlPlane) {
    let person = cluster.http(&Identity::Person).unwrap();
    wait::until("the policy for the parts of the guard", LIMIT, || {
        let scale = json!({"spec": {"replicas": 0}});
        let answer = request(&person, Method::Merge, "apis/apps/v1/OWN/deployments/guard", &scale);
        if answer.code == 403 { Ok(()) } else { Err(answer.body) }
    })
    .unwrap();
}

fn await_armed(guard: &Guard, wanted: &[(&str, f64)]) {
    wait::until("what the guard says of the policies", LIMIT, || {
        for (object, armed) in wanted {
            let seen = guard.sum("aksarc_protection_armed", &[object]).map_err(|error| format!("{error:#}"))?;
            if (seen - armed).abs() > 0.1 {
                return Err(format!("{object}: {seen}\n{}", guard.log()));
            }
        }
        Ok(())
    })
    .unwrap();
}

fn request(client: &Http, method: Method, path: &str, body: &Value) -> Answer {
    let path = format!("{}?dryRun=All", own(path));
    match method {
        Method::Create => client.post(&path, body),
        Method::Delete => client.delete(&path),
        Method::Merge => client.patch(&path, PatchKind::Merge, body),
    }
    .unwrap()
}

fn own(path: &str) -> String {
    format!("/{}", path.replace("OWN", &format!("namespaces/{}", manifest::NAMESPACE)))
}

const SECURITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../SECURITY.md");
const LIMIT: Duration = Duration::from_mins(1);
