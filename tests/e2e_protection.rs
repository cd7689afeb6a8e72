//! The policy that `aksarc-webhook manifest --protection` prints, on a real API server: the requests that it refuses,
//! and its way out.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::fs;
use std::time::Duration;

use aksarc_shared::data::{self, own};
use aksarc_shared::facts::digest;
use aksarc_shared::k8s::read::yaml;
use aksarc_shared::verdict::guard::{Guard as Engine, Settings};
use aksarc_tests::chart;
use aksarc_tests::protection::{await_in_force, refused};
use aksarc_tests::readme::{self, Desk};
use aksarc_tests::{Answer, AuditEvent, ControlPlane, Finished, Http, Identity, Kubernetes, PatchKind, wait};
use aksarc_webhook::manifest::{protection, rules};
use aksarc_webhook::{config, manifest};
use serde_json::{Value, json};

#[test]
fn a_protected_configuration_is_opened_first_and_changed_then() {
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    let desk = Desk::new(&cluster).unwrap();
    apply(&cluster, &empty(PLATFORM));
    apply(&cluster, &empty(OWN));
    apply(&cluster, &shipped(&cluster));
    let [protect] = readme::blocks("Protection").unwrap();
    desk.run(&Identity::Admin, &protect).unwrap().succeeded().unwrap();
    await_in_force(&cluster).unwrap();
    let ops = cluster.administrator_by_group().unwrap();
    for who in [&Identity::Person, &ops, &Identity::Admin] {
        nothing_else_passes(&cluster, who);
        the_way_out_works(&cluster, &desk, who);
        apply(&cluster, &shipped(&cluster));
    }
    nobody_answers_for_a_managed_service(&cluster);
    the_platform_and_whom_the_configuration_names_pass(&cluster);
    // The API server asks no policy about its own binding.
    let binding = ["delete", "validatingadmissionpolicybinding", protection::POLICY];
    kubectl(&cluster, &ops, &binding).succeeded().unwrap();
    wait::until("the policy to be gone", LIMIT, || {
        let tried = kubectl(&cluster, &ops, &["delete", PLATFORM.0, PLATFORM.1]);
        if tried.code == Some(0) { Ok(()) } else { Err(tried.stderr) }
    })
    .unwrap();
}

#[test]
fn no_shipped_policy_has_an_expression_that_the_api_server_warns_of() {
    // The controller manager checks the types, and writes what it finds into the status.
    let cluster = ControlPlane::builder(Kubernetes::V1_33).controller_manager().start().unwrap();
    let engine = Engine::new(data::embedded(), Settings::default()).unwrap();
    let mut checked = 0;
    for text in [protection::render(&Settings::default()), rules::render(&engine)] {
        apply(&cluster, &text);
        for policy in yaml::documents(&text).unwrap().iter().filter(|one| one["kind"] == "ValidatingAdmissionPolicy") {
            let name = policy["metadata"]["name"].as_str().unwrap();
            let path = format!("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/{name}");
            let is_checked =
                |policy: &Value| policy["status"]["observedGeneration"] == policy["metadata"]["generation"];
            let policy = cluster.object_when(&path, LIMIT, is_checked).unwrap();
            assert_eq!(policy["status"]["typeChecking"]["expressionWarnings"], Value::Null, "{name}");
            checked += 1;
        }
    }
    assert_eq!(checked, 9);
}

#[test]
fn policies_of_a_chart_with_identities_of_its_own_carry_the_digest_of_what_is_installed() {
    let values =
        r#"{"config": {"actors": {"platform": {"users": ["contoso:deployer"], "credentialIds": ["X509SHA256=00"]}}}}"#;
    let rendered = chart::render(values, chart::KUBERNETES, &[]).unwrap();
    let objects = chart::objects(rendered.succeeded().unwrap()).unwrap();
    let policies = objects.iter().filter(|one| one["kind"] == "ValidatingAdmissionPolicy");
    let policies: Vec<&Value> = policies.collect();
    assert_eq!(policies.len(), own::PROTECTION.len());
    assert!(policies.iter().any(|policy| policy["spec"].to_string().contains("contoso:deployer")));
    for policy in policies {
        assert_eq!(policy["metadata"]["annotations"][own::GENERATED], digest::of_policy(&policy["spec"]), "{policy}");
    }
}

/// The requests that are refused without effect while the object is closed.
fn nothing_else_passes(cluster: &ControlPlane, who: &Identity) {
    let client = cluster.http(who).unwrap();
    let before = get(&client, GUARD);
    for arguments in [
        vec!["delete", GUARD.0, GUARD.1],
        vec!["label", GUARD.0, GUARD.1, "a=b"],
        vec!["delete", PLATFORM.0, PLATFORM.1],
        vec!["annotate", PLATFORM.0, PLATFORM.1, "a=b"],
        vec!["annotate", GUARD.0, GUARD.1, "aksarc.dev/open="],
        vec!["annotate", GUARD.0, GUARD.1, "aksarc.dev/open=  "],
        vec!["annotate", GUARD.0, GUARD.1, "aksarc.dev/open=a reason", "a=b"],
        vec!["annotate", GUARD.0, GUARD.1, "aksarc.dev/open=a reason", "aksarc.dev/generated-"],
    ] {
        let tried = kubectl(cluster, who, &arguments);
        let (kind, name) = if arguments.contains(&GUARD.1) { GUARD } else { PLATFORM };
        assert!(refused(&tried), "{who:?} {arguments:?}: {}{}", tried.stdout, tried.stderr);
        let way =
            format!("open it by kubectl annotate {kind} {name} aksarc.dev/open=\"REASON\" in a request of its own");
        assert!(tried.stderr.contains(&way), "{arguments:?}: {}", tried.stderr);
    }
    // A dry run, since the unprotected object would really be deleted.
    assert!(refused(&kubectl(cluster, who, &["delete", GUARD.0, "--all", "--dry-run=server"])));
    kubectl(cluster, who, &["label", OWN.0, OWN.1, "a=b", "--dry-run=server"]).succeeded().unwrap();
    // A change beside the reason is refused, in every part of the object.
    let uid = "1c1b4c2e-5a37-4c8f-9a6e-5d3f0f4f8d11";
    for mut change in [
        json!({"webhooks": []}),
        json!({"webhooks": null}),
        json!({"metadata": {"labels": {"a": "b"}}}),
        json!({"metadata": {"labels": null}}),
        json!({"metadata": {"annotations": {"a": "b"}}}),
        json!({"metadata": {"annotations": {"aksarc.dev/generated": "another"}}}),
        json!({"metadata": {"annotations": {"aksarc.dev/generated": null}}}),
        json!({"metadata": {"finalizers": ["contoso.example/stay"]}}),
        json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Namespace", "name": "gone", "uid": uid}]}}),
    ] {
        change["metadata"]["annotations"]["aksarc.dev/open"] = json!("a reason");
        let answer = client.patch(&path(GUARD), PatchKind::Merge, &change).unwrap();
        assert_forbidden(&answer, &format!("{who:?} {change}"));
    }
    assert_forbidden(&client.delete(&path(GUARD)).unwrap(), "delete");
    assert_eq!(get(&client, GUARD), before);
}

/// The commands of README, each as it is printed.
fn the_way_out_works(cluster: &ControlPlane, desk: &Desk<'_>, who: &Identity) {
    let client = cluster.http(who).unwrap();
    let [_, close, way_out, _] = readme::blocks("The way out").unwrap();
    let [open, delete] = lines(&way_out);
    let before = get(&client, GUARD);
    let run = |commands: &str| desk.run(who, commands).unwrap();
    let annotate = |reason: &str| kubectl(cluster, who, &["annotate", GUARD.0, GUARD.1, reason, "--overwrite"]);

    run(open).succeeded().unwrap();
    assert_eq!(get(&client, GUARD)["webhooks"], before["webhooks"]);
    let recorded = |event: &AuditEvent| {
        event.user.username == who.username()
            && event.annotations.get("protection.guard.aksarc.dev/open").is_some_and(|reason| reason == "REASON")
    };
    cluster.audit_event("the reason in the audit log", recorded).unwrap();
    // Another reason, and any other change; the other object stays protected.
    annotate("aksarc.dev/open=another").succeeded().unwrap();
    for arguments in [
        vec!["label", GUARD.0, GUARD.1, "a=b"],
        vec!["patch", GUARD.0, GUARD.1, "--type=json", r#"-p=[{"op": "remove", "path": "/webhooks/0"}]"#],
    ] {
        kubectl(cluster, who, &arguments).succeeded().unwrap();
    }
    assert!(refused(&kubectl(cluster, who, &["delete", PLATFORM.0, PLATFORM.1])));
    assert_eq!(get(&client, GUARD)["metadata"]["labels"]["a"], "b");

    run(&close).succeeded().unwrap();
    assert!(refused(&run(delete)), "{who:?}: closed, and not protected");
    run(open).succeeded().unwrap();
    annotate("aksarc.dev/open=").succeeded().unwrap();
    assert!(refused(&run(delete)), "{who:?}: without a reason, and not protected");
    annotate("aksarc.dev/open=again").succeeded().unwrap();
    run(&close).succeeded().unwrap();

    run(&way_out).succeeded().unwrap();
    assert_eq!(client.get(&path(GUARD)).unwrap().code, 404);
}

/// No webhook is asked about endpoints, so the second policy stands in for the guard.
fn nobody_answers_for_a_managed_service(cluster: &ControlPlane) {
    let slices = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices?dryRun=All";
    let slice = |service: &str| {
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "own", "namespace": "kube-system", "labels": {"kubernetes.io/service-name": service}},
            "endpoints": [{"addresses": ["192.0.2.53"]}]})
    };
    let person = cluster.http(&Identity::Person).unwrap();
    wait::until("the policy for endpoints to count", LIMIT, || {
        let answer = person.post(slices, &slice("kube-dns")).unwrap();
        let refused = answer.code == 403 && answer.body.contains(protection::ENDPOINTS_POLICY);
        if refused && answer.body.contains("AA301 (our reading): ") { Ok(()) } else { Err(answer.body) }
    })
    .unwrap();
    assert!(person.post(slices, &slice("web")).unwrap().is_success());
    let endpoints = "/api/v1/namespaces/kube-system/endpoints?dryRun=All";
    let older = |name: &str| {
        json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": name, "namespace": "kube-system"},
        "subsets": [{"addresses": [{"ip": "192.0.2.53"}]}]})
    };
    assert_eq!(person.post(endpoints, &older("kube-dns")).unwrap().code, 403);
    assert!(person.post(endpoints, &older("web")).unwrap().is_success());
    let elsewhere = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?dryRun=All";
    let mut own = slice("kube-dns");
    own["metadata"]["namespace"] = json!("default");
    assert!(person.post(elsewhere, &own).unwrap().is_success());
    let controller = cluster.service_account("kube-system", "endpointslice-controller").unwrap();
    cluster.bind(&controller, "cluster-admin").unwrap();
    let answer = cluster.http(&controller).unwrap().post(slices, &slice("kube-dns")).unwrap();
    assert!(answer.is_success(), "{}", answer.body);
}

fn the_platform_and_whom_the_configuration_names_pass(cluster: &ControlPlane) {
    let platform = cluster.service_account("kube-system", "webhook-writer").unwrap();
    let injector = cluster.service_account("cert-manager", "cert-manager-cainjector").unwrap();
    for who in [&platform, &injector] {
        cluster.bind(who, "cluster-admin").unwrap();
    }
    let renew = |who: &Identity| {
        let bundle = r#"-p=[{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": "Zm9v"}]"#;
        kubectl(cluster, who, &["patch", GUARD.0, GUARD.1, "--type=json", bundle, "--dry-run=server"])
    };
    renew(&platform).succeeded().unwrap();
    assert!(refused(&renew(&injector)));
    let text = format!(
        "apiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\nactors: {{platform: {{users: [{:?}]}}}}\n",
        injector.username()
    );
    let named = protection::render(config::guard(text.as_bytes()).unwrap().settings());
    apply(cluster, &named);
    wait::until("the new policy to count", LIMIT, || {
        let tried = renew(&injector);
        if tried.code == Some(0) { Ok(()) } else { Err(tried.stderr) }
    })
    .unwrap();
    assert!(refused(&renew(&Identity::Person)));
}

/// The guard's webhook configuration as the product makes it.
fn shipped(cluster: &ControlPlane) -> String {
    let authority = Some(fs::read(cluster.authority()).unwrap());
    let certificate = manifest::ManifestCertificate::Secret { authority };
    manifest::webhooks(&manifest::ManifestOptions { certificate, ..manifest::ManifestOptions::default() })
}

fn empty((kind, name): (&str, &str)) -> String {
    let kind = if kind == PLATFORM.0 { "MutatingWebhookConfiguration" } else { "ValidatingWebhookConfiguration" };
    let group = "admissionregistration.k8s.io/v1";
    json!({"apiVersion": group, "kind": kind, "metadata": {"name": name}, "webhooks": []}).to_string()
}

fn apply(cluster: &ControlPlane, text: &str) {
    cluster.kubectl_with(&Identity::Admin, ["apply", "-f", "-"], text).unwrap().succeeded().unwrap();
}

fn kubectl(cluster: &ControlPlane, who: &Identity, arguments: &[&str]) -> Finished {
    cluster.kubectl(who, arguments.iter().copied()).unwrap()
}

fn lines<const N: usize>(block: &str) -> [&str; N] {
    block.lines().collect::<Vec<_>>().try_into().unwrap()
}

fn get(client: &Http, object: (&str, &str)) -> Value {
    client.get(&path(object)).unwrap().object().unwrap()
}

fn path((kind, name): (&str, &str)) -> String {
    format!("/apis/admissionregistration.k8s.io/v1/{kind}s/{name}")
}

fn assert_forbidden(answer: &Answer, what: &str) {
    assert_eq!(answer.code, 403, "{what}: {}", answer.body);
    assert!(
        answer.body.contains(protection::POLICY) && answer.body.contains("\"reason\":\"Forbidden\""),
        "{}",
        answer.body
    );
}

/// Kind and name, as kubectl takes them.
const GUARD: (&str, &str) = ("validatingwebhookconfiguration", manifest::CONFIGURATION);
const PLATFORM: (&str, &str) = ("mutatingwebhookconfiguration", "azure-wi-webhook-mutating-webhook-configuration");
/// A user's own, which nobody protects.
const OWN: (&str, &str) = ("validatingwebhookconfiguration", "own.example.com");
const LIMIT: Duration = Duration::from_mins(1);
