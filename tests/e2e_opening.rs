//! The protection is opened and closed for Helm by the program and the rights of the chart's hooks, which can do nothing
//! else with them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use aksarc_shared::data::own;
use aksarc_tests::protection::{await_in_force, refused};
use aksarc_tests::replicas::configuration_path;
use aksarc_tests::{ControlPlane, Finished, Identity, Kubernetes, PatchKind, chart, product};
use aksarc_webhook::manifest;
use serde_json::{Value, json};

#[test]
fn hooks_open_and_close_for_helm_and_do_nothing_else() {
    let cluster = ControlPlane::start(Kubernetes::NEWEST).unwrap();
    let hooks = Identity::service_account(manifest::NAMESPACE, own::HOOK_ACCOUNT);
    // What does not exist is as good as open. The administrator asks here: the namespace of the account is not there yet.
    let nothing = run(&cluster, &Identity::Admin, &["open", "--reason=a test"]);
    let words = "there is no ValidatingWebhookConfiguration guard.aksarc.dev\nthere is no Namespace aksarc-system\n";
    assert_eq!(nothing.succeeded().unwrap(), words);
    assert_eq!(run(&cluster, &Identity::Admin, &["close"]).succeeded().unwrap(), words);

    let chart = chart::path().display().to_string();
    let helm = |words: &[&str]| cluster.helm(&Identity::Admin, words.iter().copied()).unwrap();
    helm(&["install", "guard", &chart]).succeeded().unwrap();
    await_in_force(&cluster).unwrap();
    let upgrade = ["upgrade", "guard", &*chart, "--no-hooks", "--set=labels.team=edge"];
    let closed = helm(&upgrade);
    assert!(closed.failed().unwrap().contains(".guard.aksarc.dev' with binding"), "{}", closed.stderr);

    // With the rights that hooks bring.
    cluster.service_account(manifest::NAMESPACE, own::HOOK_ACCOUNT).unwrap();
    let rendered = chart::render("", chart::KUBERNETES, &[]).unwrap();
    let mut rights = chart::objects(rendered.succeeded().unwrap()).unwrap();
    rights.retain(|own| own["metadata"]["annotations"]["helm.sh/hook"].is_string() && own["kind"] != "Job");
    assert_eq!(rights.len(), 5);
    let list = json!({"apiVersion": "v1", "kind": "List", "items": rights}).to_string();
    cluster.kubectl_with(&Identity::Admin, ["apply", "-f", "-"], &list).unwrap().succeeded().unwrap();
    let opened = run(&cluster, &hooks, &["open", "--reason=Helm upgrades"]);
    let words = "opened ValidatingWebhookConfiguration guard.aksarc.dev\nopened Namespace aksarc-system\n";
    assert_eq!(opened.succeeded().unwrap(), words);
    helm(&upgrade).succeeded().unwrap();
    assert_eq!(object(&cluster, &configuration_path())["metadata"]["annotations"][own::OPEN], "Helm upgrades");
    let shut = run(&cluster, &hooks, &["close"]);
    assert_eq!(shut.succeeded().unwrap(), words.replace("opened", "closed"));
    let again = ["label", "validatingwebhookconfiguration", manifest::CONFIGURATION, "team=core", "--overwrite"];
    assert!(refused(&cluster.kubectl(&Identity::Admin, again).unwrap()));

    even_with_all_rights_the_account_does_nothing_else(&cluster, &hooks);
}

fn even_with_all_rights_the_account_does_nothing_else(cluster: &ControlPlane, hooks: &Identity) {
    cluster.bind(hooks, "cluster-admin").unwrap();
    let client = cluster.http(hooks).unwrap();
    let reason = |reason: Value| json!({"metadata": {"annotations": {own::OPEN: reason}}});
    let namespace = format!("/api/v1/namespaces/{}", manifest::NAMESPACE);
    for path in [configuration_path(), namespace] {
        for is_open in [false, true] {
            if is_open {
                client.patch(&path, PatchKind::Merge, &reason(json!("a test"))).unwrap().object().unwrap();
            }
            let label = json!({"metadata": {"labels": {"a": "b"}}});
            let both = json!({"metadata": {"labels": {"a": "b"}, "annotations": {own::OPEN: "another"}}});
            let patch = |change: &Value| client.patch(&path, PatchKind::Merge, change).unwrap();
            for answer in [patch(&label), patch(&both), client.delete(&path).unwrap()] {
                let by_policy = answer.body.contains("ValidatingAdmissionPolicy '");
                assert!(answer.code == 403 && by_policy, "{path} {is_open}: {} {}", answer.code, answer.body);
            }
        }
        client.patch(&path, PatchKind::Merge, &reason(Value::Null)).unwrap().object().unwrap();
    }
}

/// Runs the guard's program as an identity.
fn run(cluster: &ControlPlane, who: &Identity, arguments: &[&str]) -> Finished {
    let kubeconfig = cluster.kubeconfig(who).unwrap().display().to_string();
    let mut program = cluster.command(who, &product::webhook().unwrap()).unwrap();
    Finished::run(program.args(arguments).args(["--kubeconfig", &kubeconfig]), None).unwrap()
}

fn object(cluster: &ControlPlane, path: &str) -> Value {
    cluster.http(&Identity::Admin).unwrap().get(path).unwrap().object().unwrap()
}
