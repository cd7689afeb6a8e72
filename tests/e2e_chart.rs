//! The guard by its Helm chart on a real API server, with Helm's own defaults: installed, its certificate exchanged,
//! upgraded, rolled back and removed, each by one command, with the protection on and the hooks run for real.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::io::Read;
use std::time::Duration;

use aksarc_shared::data::own;
use aksarc_tests::kubelet::Kubelet;
use aksarc_tests::protection::{await_in_force, refused};
use aksarc_tests::replicas::{configuration_path, secret_path};
use aksarc_tests::{ControlPlane, Finished, Identity, Kubernetes, PatchKind, chart, product, wait};
use aksarc_webhook::manifest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::{Value, json};

#[test]
fn helm_installs_upgrades_rolls_back_and_removes_the_guard_each_by_one_command() {
    let cluster = ControlPlane::builder(Kubernetes::NEWEST).controller_manager().pods().start().unwrap();
    let _kubelet = Kubelet::start(&cluster, manifest::NAMESPACE).unwrap();

    let installed = helm(&cluster, &["install", "guard", CHART, "--wait", ENFORCE, AZURE_LOCAL]);
    let notes = installed.succeeded().unwrap();
    assert!(notes.contains("with the mode enforce") && notes.contains("kubectl aksarc guard test"), "{notes}");
    await_denied(&cluster);
    await_in_force(&cluster).unwrap();
    helm_owns_the_configuration(&cluster);
    the_account_of_hooks_opens_and_closes_and_does_nothing_else(&cluster);

    // Somebody deletes the Secret, so that the guard makes another authority.
    let first = trusted(&cluster);
    let open = json!({"metadata": {"annotations": {own::OPEN: "another authority"}}});
    let shut = json!({"metadata": {"annotations": {own::OPEN: null}}});
    let admin = cluster.http(&Identity::Admin).unwrap();
    let namespace = format!("/api/v1/namespaces/{}", manifest::NAMESPACE);
    admin.patch(&namespace, PatchKind::Merge, &open).unwrap().object().unwrap();
    wait::until("the Secret to be deleted", LIMIT, || {
        let answer = admin.delete(&secret_path()).map_err(|error| error.to_string())?;
        if answer.is_success() { Ok(()) } else { Err(answer.body) }
    })
    .unwrap();
    admin.patch(&namespace, PatchKind::Merge, &shut).unwrap().object().unwrap();
    let rotated = wait::until("another authority", LIMIT, || {
        let now = trusted(&cluster);
        let changed = now.0 != first.0 && now.1.is_some() && now.1 != first.1;
        if changed { Ok(now) } else { Err(format!("{now:?}")) }
    })
    .unwrap();

    helm(&cluster, &["upgrade", "guard", CHART, "--wait", "--reuse-values", "--set=config.mode=warn"])
        .succeeded()
        .unwrap();
    assert_eq!(trusted(&cluster), rotated, "an upgrade leaves the certificate alone");
    assert_eq!(mode(&cluster), "warn");
    closed_and_without_hooks(&cluster);

    helm(&cluster, &["rollback", "guard", "1", "--wait"]).succeeded().unwrap();
    assert_eq!(trusted(&cluster), rotated, "a rollback leaves the certificate alone");
    assert_eq!(mode(&cluster), "enforce");
    closed_and_without_hooks(&cluster);
    await_denied(&cluster);

    no_release_holds_a_secret(&cluster, 3);

    let waiver = "{apiVersion: aksarc.dev/v1alpha1, kind: SupportWaiver, metadata: {name: kept}, spec: {rules: [AA205], \
                  match: {kind: Node, name: moc-l1}, reason: moves with the next release, requestedBy: a, approvedBy: b, \
                  expires: 2099-01-15T00:00:00Z}}";
    cluster.kubectl_with(&Identity::Admin, ["create", "-f", "-"], waiver).unwrap().succeeded().unwrap();
    helm(&cluster, &["uninstall", "guard", "--wait"]).succeeded().unwrap();
    nothing_is_left_but_waivers(&cluster);
}

/// `guard mode` names the value to change.
fn helm_owns_the_configuration(cluster: &ControlPlane) {
    let mut plugin = cluster.command(&Identity::Admin, &product::plugin().unwrap()).unwrap();
    let refused = Finished::run(plugin.args(["guard", "mode", "warn"]), None).unwrap();
    let advice = "helm upgrade guard CHART --namespace default --reuse-values --set config.mode=warn";
    assert!(refused.code == Some(2) && refused.stderr.contains(advice), "{}{}", refused.stdout, refused.stderr);
    assert_eq!(mode(cluster), "enforce");
}

/// Even with all rights.
fn the_account_of_hooks_opens_and_closes_and_does_nothing_else(cluster: &ControlPlane) {
    let hooks = cluster.service_account(manifest::NAMESPACE, own::HOOK_ACCOUNT).unwrap();
    cluster.bind(&hooks, "cluster-admin").unwrap();
    let client = cluster.http(&hooks).unwrap();
    let reason = |reason: Value| json!({"metadata": {"annotations": {own::OPEN: reason}}});
    let namespace = format!("/api/v1/namespaces/{}", manifest::NAMESPACE);
    for path in [configuration_path(), namespace] {
        for is_open in [false, true] {
            if is_open {
                client.patch(&path, PatchKind::Merge, &reason(json!("a test"))).unwrap().object().unwrap();
            }
            let label = json!({"metadata": {"labels": {"a": "b"}}});
            let answers = [client.patch(&path, PatchKind::Merge, &label).unwrap(), client.delete(&path).unwrap()];
            for answer in answers {
                let by_policy = answer.body.contains("ValidatingAdmissionPolicy '");
                assert!(answer.code == 403 && by_policy, "{path} {is_open}: {} {}", answer.code, answer.body);
            }
        }
        client.patch(&path, PatchKind::Merge, &reason(Value::Null)).unwrap().object().unwrap();
    }
    // The hooks bring their own.
    let account = format!("/api/v1/namespaces/{}/serviceaccounts/{}", manifest::NAMESPACE, own::HOOK_ACCOUNT);
    cluster.http(&Identity::Admin).unwrap().delete(&account).unwrap().object().unwrap();
}

/// What API servers trust, and the uid of the Secret that the guard keeps, where there is one.
fn trusted(cluster: &ControlPlane) -> (Vec<Value>, Option<Value>) {
    let admin = cluster.http(&Identity::Admin).unwrap();
    let configuration = admin.get(&configuration_path()).unwrap().object().unwrap();
    let webhooks = configuration["webhooks"].as_array().unwrap();
    let bundles: Vec<Value> = webhooks.iter().map(|own| own["clientConfig"]["caBundle"].clone()).collect();
    assert!(bundles.iter().all(Value::is_string), "{bundles:?}");
    let secret = admin.get(&secret_path()).unwrap();
    let uid = |secret: Value| {
        assert!(!secret["metadata"]["managedFields"].to_string().contains("helm"), "{secret}");
        secret["metadata"]["uid"].clone()
    };
    (bundles, secret.is_success().then(|| uid(secret.object().unwrap())))
}

fn mode(cluster: &ControlPlane) -> String {
    let path = format!("/api/v1/namespaces/{}/configmaps/guard", manifest::NAMESPACE);
    let map = cluster.http(&Identity::Admin).unwrap().get(&path).unwrap().object().unwrap();
    let config: Value = serde_saphyr::from_str(map["data"]["guard.yaml"].as_str().unwrap()).unwrap();
    config["mode"].as_str().unwrap().to_owned()
}

/// After a change by Helm the objects are closed again, and nothing of the hooks is left.
fn closed_and_without_hooks(cluster: &ControlPlane) {
    let label = ["label", "validatingwebhookconfiguration", manifest::CONFIGURATION, "a=b", "--dry-run=server"];
    let tried = cluster.kubectl(&Identity::Admin, label).unwrap();
    assert!(refused(&tried), "{}{}", tried.stdout, tried.stderr);
    let kinds = "jobs,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings";
    let arguments = ["get", kinds, "--all-namespaces", "--output=name"];
    let left = cluster.kubectl(&Identity::Admin, arguments).unwrap();
    let hooks: Vec<&str> = left.succeeded().unwrap().lines().filter(|name| name.contains("guard-hooks")).collect();
    // The binding of the test above has another name.
    assert!(hooks.iter().all(|name| name.contains("system")), "{hooks:?}");
}

/// Each stored revision, unpacked.
fn no_release_holds_a_secret(cluster: &ControlPlane, revisions: usize) {
    let admin = cluster.http(&Identity::Admin).unwrap();
    let list = admin.get("/api/v1/namespaces/default/secrets").unwrap().object().unwrap();
    let secrets = list["items"].as_array().unwrap().iter().filter(|own| own["type"] == "helm.sh/release.v1");
    let mut seen = 0;
    for secret in secrets {
        let inner = STANDARD.decode(secret["data"]["release"].as_str().unwrap()).unwrap();
        let mut text = String::new();
        GzDecoder::new(&*STANDARD.decode(inner).unwrap()).read_to_string(&mut text).unwrap();
        assert!(text.contains("ValidatingWebhookConfiguration"), "{text}");
        for word in ["BEGIN", "PRIVATE KEY", "caBundle:", "tls.key"] {
            assert!(!manifest_of(&text).contains(word), "{word}");
        }
        seen += 1;
    }
    assert_eq!(seen, revisions);
}

/// What a release has rendered: the chart itself, which it holds too, says `caBundle` in the other modes of certificates.
fn manifest_of(release: &str) -> String {
    let release: Value = serde_json::from_str(release).unwrap();
    format!("{} {} {}", release["manifest"], release["hooks"], release["config"])
}

fn nothing_is_left_but_waivers(cluster: &ControlPlane) {
    let kinds = "namespaces,clusterroles,clusterrolebindings,validatingwebhookconfigurations,flowschemas,\
                 validatingadmissionpolicies,validatingadmissionpolicybindings,customresourcedefinitions,supportwaivers";
    let expected =
        ["customresourcedefinition.apiextensions.k8s.io/supportwaivers.aksarc.dev", "supportwaiver.aksarc.dev/kept"];
    wait::until("the namespace to be gone", LIMIT, || {
        let left =
            cluster.kubectl(&Identity::Admin, ["get", kinds, "--output=name"]).map_err(|error| error.to_string())?;
        let left = left.succeeded().map_err(|error| format!("{error:#}"))?;
        let ours = |name: &&str| name.contains("aksarc") && !name.contains("system-serviceaccount");
        let left: Vec<&str> = left.lines().filter(ours).collect();
        if left == expected { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .unwrap();
    let releases = helm(cluster, &["list", "--all-namespaces", "--short"]);
    assert_eq!(releases.succeeded().unwrap().trim(), "");
}

/// Waits until the guard refuses what it has to: 403, by our webhook, with the rule's code.
fn await_denied(cluster: &ControlPlane) {
    let person = cluster.http(&Identity::Person).unwrap();
    let container = json!({"name": "web", "image": "web"});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [container]}}}});
    wait::until("a denial", LIMIT, || {
        let path = "/apis/apps/v1/namespaces/kube-system/deployments?dryRun=All";
        let answer = person.post(path, &deployment).map_err(|error| error.to_string())?;
        let by_us = answer.body.contains(&format!("{}\\\" denied the request", manifest::SYSTEM_WEBHOOK));
        if answer.code == 403 && by_us && answer.body.contains("AA303") { Ok(()) } else { Err(answer.body) }
    })
    .unwrap();
}

fn helm(cluster: &ControlPlane, arguments: &[&str]) -> Finished {
    let chart = chart::path().display().to_string();
    let arguments = arguments.iter().map(|&own| if own == CHART { chart.clone() } else { own.to_owned() });
    cluster.helm(&Identity::Admin, arguments).unwrap()
}

const CHART: &str = "deploy/chart";
const ENFORCE: &str = "--set=config.mode=enforce";
const AZURE_LOCAL: &str = "--set=config.platform=azure-local";
const LIMIT: Duration = Duration::from_mins(1);
