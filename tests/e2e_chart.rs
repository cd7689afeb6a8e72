//! The guard by its Helm chart on a real API server, with Helm's own defaults: installed, its certificate exchanged,
//! upgraded, rolled back and removed, each by one command, with the protection on and the hooks run for real.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

use aksarc_shared::data::own;
use aksarc_shared::k8s::certificate::Validity;
use aksarc_tests::chart::given::REVIEW_PORT;
use aksarc_tests::chart::release::{CHART, await_denied, helm, mode, trusted};
use aksarc_tests::kubelet::Kubelet;
use aksarc_tests::protection::{await_in_force, refused};
use aksarc_tests::replicas::{presented, secret_path};
use aksarc_tests::{Answer, ControlPlane, Finished, Identity, Kubernetes, PatchKind, product, wait};
use aksarc_webhook::manifest;
use aksarc_webhook::manifest::rules::{NODES, WORKLOADS};
use flate2::read::GzDecoder;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

#[test]
fn helm_installs_upgrades_rolls_back_and_removes_the_guard_each_by_one_command() {
    let cluster = ControlPlane::builder(Kubernetes::NEWEST).controller_manager().pods().start().unwrap();
    let kubelet = Kubelet::start(&cluster, manifest::NAMESPACE).unwrap();

    let installed = helm(&cluster, &["install", "guard", CHART, "--wait", ENFORCE, AZURE_LOCAL]).unwrap();
    let notes = installed.succeeded().unwrap();
    assert!(notes.contains("with the mode enforce") && notes.contains("kubectl aksarc guard test"), "{notes}");
    await_denied(&cluster).unwrap();
    await_in_force(&cluster).unwrap();
    status_and_test_tell_of_the_installation(&cluster, &kubelet);
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
    nothing_is_left(&cluster, &[CRD, "supportwaiver.aksarc.dev/kept"]);
}

#[test]
fn with_rule_policies_changes_are_refused_while_no_guard_runs() {
    let cluster = ControlPlane::builder(Kubernetes::NEWEST).controller_manager().pods().start().unwrap();
    let _kubelet = Kubelet::start(&cluster, manifest::NAMESPACE).unwrap();
    // Hooks run, and no replica: what is refused, policies refuse.
    let change = |arguments: &[&str]| helm(&cluster, arguments).unwrap().succeeded().unwrap().to_owned();
    change(&["install", "guard", CHART, "--wait", "--set=replicas=0", AZURE_LOCAL]);
    await_in_force(&cluster).unwrap();
    let create = || workload(&cluster, &Identity::Person);
    assert_eq!(create().code, 201, "the guard fails open: {}", create().body);

    let notes = change(&["upgrade", "guard", CHART, "--wait", "--reuse-values", "--set=rulePolicies=on"]);
    assert!(notes.contains("also while the guard is down"), "{notes}");
    let refused = wait::until("a refusal by a policy", LIMIT, || {
        let answer = create();
        if answer.code == 403 { Ok(answer.body) } else { Err(answer.body) }
    })
    .unwrap();
    let words = format!("ValidatingAdmissionPolicy '{WORKLOADS}' with binding '{WORKLOADS}' denied request: AA303 (");
    assert!(refused.contains(&words), "{refused}");
    let platform = cluster.service_account("kube-system", "installer").unwrap();
    cluster.bind(&platform, "cluster-admin").unwrap();
    let lawful = workload(&cluster, &platform);
    assert_eq!(lawful.code, 201, "{}", lawful.body);
    // A check knows them: it says nothing of them until one is weakened.
    assert_eq!(said_of_rule_policies(&cluster), [""; 0]);
    let delete = ["delete", "validatingadmissionpolicybinding", NODES];
    cluster.kubectl(&Identity::Admin, delete).unwrap().succeeded().unwrap();
    assert_eq!(said_of_rule_policies(&cluster), [format!("policy {NODES} has no binding, so it refuses nothing")]);

    // The opening for a change by Helm opens them too, and the end closes them again.
    change(&["upgrade", "guard", CHART, "--wait", "--reuse-values", "--set=labels.team=edge"]);
    assert_eq!(said_of_rule_policies(&cluster), [""; 0]);
    closed_and_without_hooks(&cluster);
    wait::until("a refusal after the upgrade", LIMIT, || {
        let answer = create();
        if answer.code == 403 { Ok(()) } else { Err(answer.body) }
    })
    .unwrap();
    change(&["upgrade", "guard", CHART, "--wait", "--reuse-values", "--set=rulePolicies=off"]);
    wait::until("no refusal", LIMIT, || {
        let answer = create();
        if answer.code == 201 { Ok(()) } else { Err(answer.body) }
    })
    .unwrap();
    change(&["rollback", "guard", "3", "--wait"]);
    change(&["uninstall", "guard", "--wait"]);
    nothing_is_left(&cluster, &[CRD]);
}

/// The answer to a person's workload in kube-system, as a dry run.
fn workload(cluster: &ControlPlane, identity: &Identity) -> Answer {
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web"}]}}}});
    let path = "/apis/apps/v1/namespaces/kube-system/deployments?dryRun=All";
    cluster.http(identity).unwrap().post(path, &deployment).unwrap()
}

/// What AA903 finds of the policies that stand in for rules.
fn said_of_rule_policies(cluster: &ControlPlane) -> Vec<String> {
    let mut plugin = cluster.command(&Identity::Admin, &product::plugin().unwrap()).unwrap();
    let arguments = ["support-check", "--only", "AA903", "--platform", "azure-local", "-o", "json"];
    let checked = Finished::run(plugin.args(arguments), None).unwrap();
    let report: Value = serde_json::from_str(&checked.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    // Without a replica there is something to find, so the check has looked.
    assert!(findings.iter().any(|own| own["message"] == "the guard is scaled to 0: every request passes unjudged"));
    let messages = findings.iter().map(|own| own["message"].as_str().unwrap().to_owned());
    messages.filter(|message| message.contains(".rules.guard.aksarc.dev")).collect()
}

/// `guard status` shows what both replicas say through the API server, and `guard test` sees the guard refuse.
fn status_and_test_tell_of_the_installation(cluster: &ControlPlane, kubelet: &Kubelet) {
    let plugin = |words: &[&str]| {
        let mut plugin = cluster.command(&Identity::Person, &product::plugin().unwrap()).unwrap();
        Finished::run(plugin.args(words), None).unwrap()
    };
    let told = wait::until("both replicas' reviews", LIMIT, || {
        await_denied(cluster).unwrap();
        let shown = plugin(&["guard", "status", "-o", "json"]);
        let told: Value = serde_json::from_str(&shown.stdout).map_err(|error| format!("{error}: {}", shown.stderr))?;
        let replicas = told["replicas"].as_array().unwrap();
        let judged = replicas.iter().map(|own| own["denied"].as_u64().unwrap_or_default()).sum::<u64>();
        if replicas.len() == 2 && judged > 0 { Ok(told) } else { Err(shown.stdout) }
    })
    .unwrap();
    assert_eq!((&told["armed"]["state"], &told["exitCode"]), (&json!("armed"), &json!(0)), "{told}");
    assert_eq!((&told["mode"], &told["image"]), (&json!("enforce"), &json!(manifest::IMAGE)), "{told}");
    assert_eq!((&told["wanted"], &told["ready"], &told["unseen"]), (&json!(2), &json!(2), &json!([])), "{told}");
    assert_eq!(told["webhooks"], "4 registered, as the manifest says");
    assert_eq!(told["failOpen"], cluster.failed_open().unwrap(), "before a replica was ready: {told}");
    for (replica, pod) in told["replicas"].as_array().unwrap().iter().zip(kubelet.running()) {
        assert_eq!((&replica["pod"], &replica["ready"]), (&json!(pod.name), &json!(true)), "{told}");
        assert_eq!(replica["version"], env!("CARGO_PKG_VERSION"), "{told}");
        assert_eq!((&replica["mode"], &replica["configLoaded"]), (&json!("enforce"), &json!(true)), "{told}");
        assert_eq!(replica["certificateTrusted"], true, "{told}");
        let address = SocketAddr::from((pod.address, REVIEW_PORT));
        let bundle = decoded(&trusted(cluster).unwrap().bundles[0]);
        let der = presented(address, &String::from_utf8(bundle).unwrap()).unwrap();
        let end = Validity::of(&der).unwrap().end;
        assert_eq!(replica["certificateEnds"], end.to_string(), "{told}");
    }
    // It reads, and tries one change.
    let requests = cluster.audit_events().unwrap();
    let own = requests.iter().filter(|event| event.user_agent.starts_with("kubectl-aksarc"));
    let writes = own.filter(|event| !["get", "list"].contains(&&*event.verb));
    assert!(writes.clone().count() > 0 && writes.clone().all(|event| event.request_uri.contains("dryRun=All")));
    let table = plugin(&["guard", "status"]);
    for words in ["yes: system.guard.aksarc.dev refused", "warned about, never refused", "2 of 2 ready"] {
        assert!(table.succeeded().unwrap().contains(words), "{words} in {}", table.stdout);
    }
    let tried = plugin(&["guard", "test"]);
    assert!(tried.succeeded().unwrap().contains("armed: the guard refused what it has to"), "{}", tried.stdout);
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
        let packed = decoded(&json!(String::from_utf8(decoded(&secret["data"]["release"])).unwrap()));
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

fn decoded(base64: &Value) -> Vec<u8> {
    serde_json::from_value::<ByteString>(base64.clone()).unwrap().0
}

/// What a release has rendered: the chart itself, which it holds too, says `caBundle` in the other modes of certificates.
fn manifest_of(release: &str) -> String {
    let release: Value = serde_json::from_str(release).unwrap();
    format!("{} {} {}", release["manifest"], release["hooks"], release["config"])
}

fn nothing_is_left(cluster: &ControlPlane, but: &[&str]) {
    let kinds = "namespaces,clusterroles,clusterrolebindings,validatingwebhookconfigurations,flowschemas,\
                 validatingadmissionpolicies,validatingadmissionpolicybindings,customresourcedefinitions,supportwaivers";
    wait::until("the namespace to be gone", LIMIT, || {
        let left =
            cluster.kubectl(&Identity::Admin, ["get", kinds, "--output=name"]).map_err(|error| error.to_string())?;
        let left = left.succeeded().map_err(|error| format!("{error:#}"))?;
        let left: Vec<&str> = left.lines().filter(|name| name.contains("aksarc") && !KUBELETS.contains(name)).collect();
        if left == but { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .unwrap();
    let releases = helm(cluster, &["list", "--all-namespaces", "--short"]).unwrap();
    assert_eq!(releases.succeeded().unwrap().trim(), "");
}

const CRD: &str = "customresourcedefinition.apiextensions.k8s.io/supportwaivers.aksarc.dev";

/// What the harness' kubelet brings.
const KUBELETS: [&str; 1] = ["clusterrolebinding.rbac.authorization.k8s.io/aksarc-kubelet-cluster-admin"];
const ENFORCE: &str = "--set=config.mode=enforce";
const AZURE_LOCAL: &str = "--set=config.platform=azure-local";
const LIMIT: Duration = Duration::from_mins(1);
