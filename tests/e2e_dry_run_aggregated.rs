//! `kubectl aksarc dry-run` where aggregated API servers serve groups: no write is sent to one that may store it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::time::Duration;

use aksarc_tests::extension::{DryRun, Extension, Served};
use aksarc_tests::{ControlPlane, Finished, Identity, Kubernetes, PatchKind, product};
use serde_json::{Value, json};

/// It stores every write, dry run or not.
const CARELESS: Served =
    Served { group: "careless.example", version: "v1", kind: "Thing", plural: "things", dry_run: DryRun::Ignored };

/// The same server, under the group and version of a CustomResourceDefinition.
const TAKEN: Served = Served { group: "taken.example", version: "v1", kind: "Gadget", plural: "gadgets", ..CARELESS };

/// A resource as Calico's API server serves it.
const CALICO: Served = Served {
    group: "projectcalico.org",
    version: "v3",
    kind: "FelixConfiguration",
    plural: "felixconfigurations",
    dry_run: DryRun::Kept,
};

#[test]
fn no_verb_sends_a_write_to_a_server_that_ignores_dry_runs() {
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    let extension = Extension::start(&cluster, &[CARELESS, TAKEN]).unwrap();
    define(&cluster, "taken.example", "Gadget", "gadgets");

    // A direct write is stored: a write of the plugin's would show in the server and in the audit log.
    let admin = cluster.http(&Identity::Admin).unwrap();
    let (old, gone) = (format!("{}/old", CARELESS.path()), format!("{}/gone", CARELESS.path()));
    for name in ["old", "gone"] {
        admin.post(&format!("{}?dryRun=All", CARELESS.path()), &thing(name)).unwrap().object().unwrap();
    }
    let merge = json!({"spec": {"size": 2}});
    admin.patch(&format!("{old}?dryRun=All"), PatchKind::Merge, &merge).unwrap().object().unwrap();
    admin.delete(&format!("{gone}?dryRun=All")).unwrap().object().unwrap();
    assert_eq!(admin.get(&old).unwrap().object().unwrap()["spec"]["size"], 2);
    assert_eq!(admin.get(&gone).unwrap().code, 404);
    assert_eq!(extension.stored(), [&*old]);
    cluster
        .audit_event("a write to the careless group", |event| event.request_uri == format!("{old}?dryRun=All"))
        .unwrap();

    let (before, writes) = (extension.object(&old), extension.writes());
    for arguments in VERBS {
        let finished = dry_run(&cluster, &Identity::Person, arguments, &thing("new"));
        let report = is_barred(&finished, "careless.example is served by extension/api");
        assert_eq!(report["requests"], 0, "{arguments:?}");
    }
    // The definition alone says nothing: the APIService decides.
    let finished = dry_run(&cluster, &Identity::Person, &["apply", "-f", "-"], &object(&TAKEN, "new"));
    is_barred(&finished, "taken.example is served by extension/api");
    // The same as a screen.
    let mut command = cluster.command(&Identity::Person, &product::plugin().unwrap()).unwrap();
    let screen = Finished::run(command.args(["dry-run", "label", "things/old", "team=a"]), None).unwrap();
    assert_eq!(screen.code, Some(5), "{screen:?}");
    assert!(
        screen.stdout.contains("? cannot be rehearsed on this server: careless.example is served by extension/api\n")
    );
    assert!(screen.stdout.contains("nothing was sent") && screen.stdout.contains("0 requests"), "{}", screen.stdout);

    assert_eq!((extension.object(&old), extension.writes()), (before, writes), "nothing came and nothing was stored");
    assert_eq!(extension.stored(), [&*old]);
    let reads = reads_alone(&cluster, &[CARELESS, TAKEN]);
    assert!(reads > VERBS.len(), "the plugin reads what it rehearses: {reads}");
}

#[test]
fn a_server_that_is_known_to_keep_to_dry_runs_is_sent_them() {
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    let extension = Extension::start(&cluster, &[CALICO]).unwrap();
    let admin = cluster.http(&Identity::Admin).unwrap();
    admin.post(&CALICO.path(), &object(&CALICO, "default")).unwrap().object().unwrap();
    let (path, before) = (format!("{}/default", CALICO.path()), extension.writes().len());
    for arguments in [
        &["label", "felixconfigurations/default", "contoso.example/a=b"][..],
        &["apply", "-f", "-", "--server-side"],
        &["delete", "felixconfigurations/default"],
    ] {
        let finished = dry_run(&cluster, &Identity::Person, arguments, &object(&CALICO, "new"));
        let report = report(&finished);
        let change = &report["changes"][0];
        assert_eq!((&report["requests"], &change["notRehearsed"]), (&json!(1), &json!("")), "{report}");
        assert_eq!(change["refusal"], Value::Null, "{report}");
    }
    let writes = extension.writes().split_off(before);
    assert_eq!(writes.len(), 3, "{writes:?}");
    assert!(writes.iter().all(|write| write.contains("dryRun=All")), "{writes:?}");
    assert_eq!(extension.stored(), [&*path]);
    assert_eq!(extension.object(&path).unwrap()["metadata"]["labels"], Value::Null);
}

#[test]
fn a_user_who_may_not_list_api_services_can_rehearse_kubernetes_own_groups() {
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    let extension = Extension::start(&cluster, &[CARELESS, CALICO]).unwrap();
    define(&cluster, "shop.example", "Widget", "widgets");
    let verbs = json!(["get", "list", "create", "patch", "update", "delete"]);
    let own = |group: &str, resource: &str| json!({"apiGroups": [group], "resources": [resource], "verbs": verbs});
    let mut rules = vec![
        own("", "configmaps"),
        own("shop.example", "widgets"),
        own(CARELESS.group, CARELESS.plural),
        own(CALICO.group, CALICO.plural),
    ];
    let nothing = Identity::user("dave");
    cluster.allow(&nothing, &json!(rules)).unwrap();
    rules.insert(
        0,
        json!({"apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"], "verbs": ["list"]}),
    );
    let definitions = Identity::user("carol");
    cluster.allow(&definitions, &json!(rules)).unwrap();

    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}});
    let widget = json!({"apiVersion": "shop.example/v1", "kind": "Widget", "metadata": {"name": "a"}});
    let needs = "needs list apiservices.apiregistration.k8s.io, which is forbidden";
    let unknown = |group: &str, why: &str| format!("the server of {group} is not known: {needs}; {why}");
    let run = |identity: &Identity, object: &Value| dry_run(&cluster, identity, &["apply", "-f", "-"], object);

    for (identity, object) in [(&definitions, &config), (&definitions, &widget), (&nothing, &config)] {
        let finished = run(identity, object);
        assert_eq!(finished.code, Some(0), "{}{}", finished.stdout, finished.stderr);
        let report = report(&finished);
        assert_eq!((&report["requests"], &report["plan"]["add"]), (&json!(1), &json!(1)), "{report}");
    }
    for served in [CARELESS, CALICO] {
        let group = format!("{}/{}", served.group, served.version);
        let why =
            format!("no CustomResourceDefinition serves {}.{} at {}", served.plural, served.group, served.version);
        is_barred(&run(&definitions, &object(&served, "new")), &unknown(&group, &why));
    }
    let missing = "needs list customresourcedefinitions.apiextensions.k8s.io, which is forbidden";
    is_barred(&run(&nothing, &widget), &unknown("shop.example/v1", missing));
    is_barred(&run(&nothing, &thing("new")), &unknown("careless.example/v1", missing));

    assert_eq!((extension.stored(), extension.writes()), (Vec::new(), Vec::new()));
    reads_alone(&cluster, &[CARELESS, CALICO]);
}

const VERBS: &[&[&str]] = &[
    &["annotate", "things/old", "contoso.example/a=b"],
    &["apply", "-f", "-"],
    &["apply", "-f", "-", "--server-side"],
    &["delete", "things/old"],
    &["delete", "things", "--all"],
    &["label", "things/old", "team=a"],
    &["label", "things", "--all", "team=a"],
    &["patch", "things/old", "--type=merge", "--patch", r#"{"spec":{"size":3}}"#],
    &["patch", "things/old", "--type=json", "--patch", r#"[{"op":"remove","path":"/spec/size"}]"#],
    &["patch", "things/old", "--patch", r#"{"spec":{"size":3}}"#],
];

fn thing(name: &str) -> Value {
    object(&CARELESS, name)
}

fn object(of: &Served, name: &str) -> Value {
    let api_version = format!("{}/{}", of.group, of.version);
    json!({"apiVersion": api_version, "kind": of.kind, "metadata": {"name": name}, "spec": {"size": 1}})
}

/// Creates a CustomResourceDefinition of cluster scope and waits until the API server has taken it.
fn define(cluster: &ControlPlane, group: &str, kind: &str, plural: &str) {
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group, "scope": "Cluster", "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}],
        },
    });
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    cluster.http(&Identity::Admin).unwrap().post(definitions, &definition).unwrap().object().unwrap();
    // In discovery, and with the APIService that is made for it.
    let limit = Duration::from_secs(30);
    cluster
        .object_when(&format!("/apis/{group}/v1"), limit, |list| list["resources"].to_string().contains(plural))
        .unwrap();
    cluster.object_when(&format!("/apis/apiregistration.k8s.io/v1/apiservices/v1.{group}"), limit, |_| true).unwrap();
}

fn dry_run(cluster: &ControlPlane, identity: &Identity, arguments: &[&str], input: &Value) -> Finished {
    let mut command = cluster.command(identity, &product::plugin().unwrap()).unwrap();
    command.arg("dry-run").args(arguments).args(["--output", "json", "--platform", "azure-local"]);
    Finished::run(&mut command, Some(&input.to_string())).unwrap()
}

fn report(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", finished.stdout, finished.stderr))
}

#[track_caller]
fn is_barred(finished: &Finished, why: &str) -> Value {
    assert_eq!(finished.code, Some(5), "{}{}", finished.stdout, finished.stderr);
    let report = report(finished);
    assert_eq!(report["changes"][0]["notRehearsed"], format!("cannot be rehearsed on this server: {why}"));
    report
}

/// The API server's own record: of these groups the plugin has read and nothing else. How often it did.
fn reads_alone(cluster: &ControlPlane, served: &[Served]) -> usize {
    // The log is in order: once it holds this request, it holds all earlier ones.
    cluster.http(&Identity::Admin).unwrap().get("/version?after=dry-runs").unwrap();
    cluster.audit_event("the last request", |event| event.request_uri.ends_with("after=dry-runs")).unwrap();
    let mut reads = 0;
    for event in cluster.audit_events().unwrap() {
        let ours = event.user_agent.starts_with("kubectl-aksarc");
        if ours && served.iter().any(|own| event.request_uri.starts_with(&format!("/apis/{}/", own.group))) {
            assert!(matches!(&*event.verb, "get" | "list" | "watch"), "{} {}", event.verb, event.request_uri);
            reads += 1;
        }
    }
    reads
}
