//! The guard by its Helm chart on a real API server, with Helm's own defaults: installed, its certificate exchanged,
//! upgraded, rolled back and removed, each by one command, with the protection on and the hooks run for real.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::io::Read;
use std::time::Duration;

use aksarc_shared::data::own;
use aksarc_tests::chart::release::{CHART, await_denied, helm, mode, trusted};
use aksarc_tests::kubelet::Kubelet;
use aksarc_tests::protection::{await_in_force, refused};
use aksarc_tests::replicas::secret_path;
use aksarc_tests::{ControlPlane, Finished, Identity, Kubernetes, PatchKind, product, wait};
use aksarc_webhook::manifest;
use flate2::read::GzDecoder;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

#[test]
fn helm_installs_upgrades_rolls_back_and_removes_the_guard_each_by_one_command() {
    let cluster = ControlPlane::builder(Kubernetes::NEWEST).controller_manager().pods().start().unwrap();
    let _kubelet = Kubelet::start(&cluster, manifest::NAMESPACE).unwrap();

    let installed = helm(&cluster, &["install", "guard", CHART, "--wait", ENFORCE, AZURE_LOCAL]).unwrap();
    let notes = installed.succeeded().unwrap();
    assert!(notes.contains("with the mode enforce") && notes.contains("kubectl aksarc guard test"), "{notes}");
    await_denied(&cluster).unwrap();
    await_in_force(&cluster).unwrap();
    helm_owns_the_configuration(&cluster);

    // Somebody deletes the Secret, so that the guard makes another authority.
    let first = trusted(&cluster).unwrap();
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
        let now = trusted(&cluster).unwrap();
        let changed = now.bundles != first.bundles && now.secret.is_some() && now.secret != first.secret;
        if changed { Ok(now) } else { Err(format!("{now:?}")) }
    })
    .unwrap();

    helm(&cluster, &["upgrade", "guard", CHART, "--wait", "--reuse-values", "--set=config.mode=warn"])
        .unwrap()
        .succeeded()
        .unwrap();
    assert_eq!(trusted(&cluster).unwrap(), rotated, "an upgrade leaves the certificate alone");
    assert_eq!(mode(&cluster).unwrap(), "warn");
    closed_and_without_hooks(&cluster);

    helm(&cluster, &["rollback", "guard", "1", "--wait"]).unwrap().succeeded().unwrap();
    assert_eq!(trusted(&cluster).unwrap(), rotated, "a rollback leaves the certificate alone");
    assert_eq!(mode(&cluster).unwrap(), "enforce");
    closed_and_without_hooks(&cluster);
    await_denied(&cluster).unwrap();

    no_release_holds_a_secret(&cluster, 3);

    let waiver = "{apiVersion: aksarc.dev/v1alpha1, kind: SupportWaiver, metadata: {name: kept}, spec: {rules: [AA205], \
                  match: {kind: Node, name: moc-l1}, reason: moves with the next release, requestedBy: a, approvedBy: b, \
                  expires: 2099-01-15T00:00:00Z}}";
    cluster.kubectl_with(&Identity::Admin, ["create", "-f", "-"], waiver).unwrap().succeeded().unwrap();
    helm(&cluster, &["uninstall", "guard", "--wait"]).unwrap().succeeded().unwrap();
    nothing_is_left_but_waivers(&cluster);
}

/// `guard mode` names the value to change.
fn helm_owns_the_configuration(cluster: &ControlPlane) {
    let mut plugin = cluster.command(&Identity::Admin, &product::plugin().unwrap()).unwrap();
    let refused = Finished::run(plugin.args(["guard", "mode", "warn"]), None).unwrap();
    let advice = "helm upgrade guard CHART --namespace default --reuse-values --set config.mode=warn";
    assert!(refused.code == Some(2) && refused.stderr.contains(advice), "{}{}", refused.stdout, refused.stderr);
    assert_eq!(mode(cluster).unwrap(), "enforce");
}

/// After a change by Helm the objects are closed again, and nothing of the hooks is left.
fn closed_and_without_hooks(cluster: &ControlPlane) {
    let label = ["label", "validatingwebhookconfiguration", manifest::CONFIGURATION, "a=b", "--dry-run=server"];
    let tried = cluster.kubectl(&Identity::Admin, label).unwrap();
    assert!(refused(&tried), "{}{}", tried.stdout, tried.stderr);
    let kinds = "jobs,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings";
    let arguments = ["get", kinds, "--all-namespaces", "--output=name"];
    let left = cluster.kubectl(&Identity::Admin, arguments).unwrap();
    let left: Vec<&str> = left.succeeded().unwrap().lines().filter(|name| name.contains("guard-hooks")).collect();
    assert_eq!(left, [""; 0]);
}

/// Each stored revision, unpacked.
fn no_release_holds_a_secret(cluster: &ControlPlane, revisions: usize) {
    let admin = cluster.http(&Identity::Admin).unwrap();
    let list = admin.get("/api/v1/namespaces/default/secrets").unwrap().object().unwrap();
    let secrets = list["items"].as_array().unwrap().iter().filter(|own| own["type"] == "helm.sh/release.v1");
    let mut seen = 0;
    for secret in secrets {
        // Kubernetes encodes what Helm has encoded already.
        let decoded = |text: Value| serde_json::from_value::<ByteString>(text).unwrap().0;
        let packed = decoded(json!(String::from_utf8(decoded(secret["data"]["release"].clone())).unwrap()));
        let mut text = String::new();
        GzDecoder::new(&*packed).read_to_string(&mut text).unwrap();
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
        let left: Vec<&str> = left.lines().filter(|name| name.contains("aksarc") && !KUBELETS.contains(name)).collect();
        if left == expected { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .unwrap();
    let releases = helm(cluster, &["list", "--all-namespaces", "--short"]).unwrap();
    assert_eq!(releases.succeeded().unwrap().trim(), "");
}

/// What the harness' kubelet brings.
const KUBELETS: [&str; 1] = ["clusterrolebinding.rbac.authorization.k8s.io/aksarc-kubelet-cluster-admin"];
const ENFORCE: &str = "--set=config.mode=enforce";
const AZURE_LOCAL: &str = "--set=config.platform=azure-local";
const LIMIT: Duration = Duration::from_mins(1);
