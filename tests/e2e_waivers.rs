//! `SupportWaiver` objects on a real API server: its schema refuses bad ones, checks count the good ones to the second,
//! and the guard admits the changes that they cover.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::time::Duration;

use aksarc_shared::jiff::{SignedDuration, Timestamp};
use aksarc_tests::guard::{self, Guard};
use aksarc_tests::{Answer, ControlPlane, Finished, Http, Identity, PatchKind, product, samples, wait};
use serde_json::{Value, json};

const DEFINITION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/supportwaiver.yaml");

#[test]
fn waivers_of_the_cluster_are_checked_by_its_schema_and_counted_to_the_second() {
    let cluster = samples::start("drifted").unwrap();
    // Before there is such a resource.
    let finished = check(&cluster, &Identity::Person, "2026-06-01");
    assert_eq!(finished.code, Some(3), "{}", finished.stderr);
    assert!(finished.stderr.contains("does not serve supportwaivers.aksarc.dev"), "{}", finished.stderr);

    define(&cluster);

    for (what, word, bad) in bad() {
        let refused = create(&cluster, "bad", &bad);
        let stderr = refused.failed().unwrap();
        assert!(stderr.contains(word), "{what}: {stderr}");
        assert!(!stderr.contains("connection refused"), "{what}: {stderr}");
    }
    create(&cluster, "w-1", &good()).succeeded().unwrap();
    // The schema cannot know that this rule voids support; the engine does.
    let mut no_ticket = good();
    no_ticket.as_object_mut().unwrap().remove("ticket");
    create(&cluster, "w-2", &no_ticket).succeeded().unwrap();

    // The last second of the waiver, and the one after.
    for (moment, code, waived) in [
        ("2026-05-31T23:59:59Z", 3, false),
        ("2026-06-01T00:00:00Z", 0, true),
        ("2026-08-29T23:59:59Z", 0, true),
        ("2026-08-30T00:00:00Z", 3, false),
    ] {
        let finished = check(&cluster, &Identity::Person, moment);
        assert_eq!(finished.code, Some(code), "{moment}: {}{}", finished.stdout, finished.stderr);
        let report: Value = serde_json::from_str(&finished.stdout).unwrap();
        let finding = &report["findings"][0];
        assert_eq!((&finding["code"], &finding["object"]["name"]), (&json!("AA401"), &json!("k3s-agent-01")));
        assert_eq!(finding["waiver"]["name"] == "w-1", waived, "{moment}: {finding}");
        assert!(finished.stderr.contains("waiver w-2 does not count: AA401 voids support, so a ticket is required"));
    }

    // A user who may not read them gets an error, and nothing is checked.
    let reader = Identity::user("waiver-auditor");
    let refused = list(&cluster, &reader);
    assert_eq!(refused.code, Some(1), "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("you may not list supportwaivers.aksarc.dev"), "{}", refused.stderr);
    cluster.bind(&reader, "aksarc-waiver-reader").unwrap();
    let listed = wait::until("the list", Duration::from_secs(30), || {
        let finished = list(&cluster, &reader);
        if finished.code == Some(0) { Ok(finished.stdout) } else { Err(finished.stderr) }
    });
    let listed: Value = serde_json::from_str(&listed.unwrap()).unwrap();
    let states: Vec<_> =
        listed["items"].as_array().unwrap().iter().map(|item| item["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["valid", "invalid"]);

    // kubectl's output of them is a file of waivers.
    let printed = cluster.kubectl(&Identity::Admin, ["get", "supportwaivers", "-o", "yaml"]).unwrap();
    let file = cluster.directory().join("waivers.yaml");
    std::fs::write(&file, printed.succeeded().unwrap()).unwrap();
    let checked = plugin(&cluster, &Identity::Person, &["waivers", "lint", file.to_str().unwrap()]);
    assert_eq!(checked.code, Some(2), "{}{}", checked.stdout, checked.stderr);
    assert!(checked.stdout.contains("2 waivers, 1 error, "), "{}", checked.stdout);

    // The output of `new` is an object that the API server accepts.
    let words = "waivers new --rule AA201 --kind Node --name moc-l1 --waiver-name w-3 --reason r --ticket t --requested-by alice \
                 --approved-by bob --days 30 --resource";
    let made = plugin(&cluster, &Identity::Person, &words.split_whitespace().collect::<Vec<_>>());
    let made = made.succeeded().unwrap();
    cluster.kubectl_with(&Identity::Admin, ["create", "-f", "-"], made).unwrap().succeeded().unwrap();
}

#[test]
fn the_guard_admits_what_a_waiver_is_for_until_it_is_deleted() {
    let cluster = samples::start("healthy-azure-local").unwrap();
    let account = guard::account(&cluster).unwrap();
    let kubeconfig = cluster.kubeconfig(&account).unwrap().display().to_string();
    let words = ["--kubeconfig", &kubeconfig, "--cluster-waivers-interval", "1s"];
    let config = json!({"mode": "enforce", "platform": "azure-local"});
    let guard = Guard::install_with(&cluster, &config, words.map(str::to_owned).to_vec()).unwrap();
    let [person, platform] = [Identity::Person, Identity::service_account("kube-system", "cloud-controller-manager")]
        .map(|identity| cluster.http(&identity).unwrap());
    let node = person.get(&format!("/api/v1/nodes/{NODE}")).unwrap().object().unwrap();
    let own_size = node["metadata"]["labels"][SIZE].as_str().unwrap();
    let label = |client: &Http, manager: &str, size: &str| {
        let path = format!("/api/v1/nodes/{NODE}?fieldManager={manager}");
        client.patch(&path, PatchKind::Merge, &json!({"metadata": {"labels": {SIZE: size}}})).unwrap()
    };
    let change = || label(&person, "kubectl-label", "edge-big");

    // A cluster without the resource causes no message.
    await_metric(&guard, "aksarc_cluster_waiver_reads_total{outcome=\"absent\"}", |reads| reads >= 2);
    assert!(!guard.log().contains("waiver"), "{}", guard.log());
    define(&cluster);
    await_metric(&guard, "aksarc_cluster_waiver_reads_total{outcome=\"read\"}", |reads| reads >= 1);
    assert_denied(&change(), &guard);

    let in_days = |days: i64| Timestamp::now() + SignedDuration::from_hours(24 * days);
    let own = json!({
        "rules": ["AA201"], "match": {"kind": "Node", "name": NODE}, "reason": "the vendor's sizes are renamed", "ticket": "OPS-2",
        "requestedBy": "alice", "approvedBy": "bob", "notBefore": in_days(-1), "expires": in_days(30),
    });
    // The schema accepts it, and the rules do not.
    let mut no_ticket = own.clone();
    no_ticket.as_object_mut().unwrap().remove("ticket");
    create(&cluster, "w-bad", &no_ticket).succeeded().unwrap();
    await_metric(&guard, "aksarc_cluster_waivers{state=\"ignored\"}", |ignored| ignored == 1);
    assert_denied(&change(), &guard);
    let state = |name: &str, wanted: &str| {
        cluster.object_when(&format!("{WAIVERS}/{name}"), LIMIT, |waiver| waiver["status"]["state"] == wanted).unwrap()
    };
    let ignored = state("w-bad", "Ignored");
    assert_eq!(ignored["status"]["why"], "AA201 voids support, so a ticket is required");
    assert_eq!(ignored["status"]["observedGeneration"], ignored["metadata"]["generation"]);
    let mut over = own.clone();
    (over["notBefore"], over["expires"]) = (json!(in_days(-20)), json!(in_days(-10)));
    create(&cluster, "w-over", &over).succeeded().unwrap();
    state("w-over", "Expired");
    let printed = cluster.kubectl(&Identity::Person, ["get", "swv", "w-bad", "-o", "wide"]).unwrap();
    let printed = printed.succeeded().unwrap();
    assert!(
        printed.contains("STATE") && printed.contains("Ignored") && printed.contains("a ticket is required"),
        "{printed}"
    );
    // Its account may write the status, and nothing else of a waiver.
    let own_account = cluster.http(&account).unwrap();
    let path = format!("{WAIVERS}/w-over");
    assert_eq!(own_account.patch(&path, PatchKind::Merge, &json!({"spec": {"reason": "x"}})).unwrap().code, 403);

    create(&cluster, "w-good", &own).succeeded().unwrap();
    await_metric(&guard, "aksarc_cluster_waivers{state=\"taken\"}", |taken| taken == 1);
    let admitted = change();
    assert_eq!(admitted.warnings, Vec::<String>::new());
    assert_eq!(admitted.object().unwrap()["metadata"]["labels"][SIZE], "edge-big");
    // The guard was asked, and its answer names the waiver.
    let event = cluster.audit_event("the waived change", |event| {
        event.request_uri.ends_with("fieldManager=kubectl-label") && event.response_status.code == 200
    });
    let annotations = event.unwrap().annotations;
    for (key, value) in [("findings", "AA201=waived"), ("waivers", "w-good"), ("mode", "enforce")] {
        let key = format!("cluster.guard.aksarc.dev/{key}");
        assert_eq!(annotations.get(&key).map(String::as_str), Some(value), "{annotations:?}");
    }
    // The platform puts it back, so that the next change is the same again.
    label(&platform, "moc-cloud-controller-manager", own_size).object().unwrap();

    cluster.kubectl(&Identity::Admin, ["delete", "supportwaiver", "w-good"]).unwrap().succeeded().unwrap();
    await_metric(&guard, "aksarc_cluster_waivers{state=\"taken\"}", |taken| taken == 0);
    assert_denied(&change(), &guard);
    let log = guard.log();
    let said: Vec<&str> = log.lines().filter(|line| line.contains("a SupportWaiver does not count")).collect();
    assert!(matches!(said[..], [line] if line.contains("w-bad") && line.contains("so a ticket is required")), "{log}");
    assert!(!log.contains("are not read"), "{log}");

    // Its token can list them, and nothing more.
    let own = cluster.http(&account).unwrap();
    assert_eq!(own.get(WAIVERS).unwrap().code, 200);
    assert_eq!(own.get(&format!("{WAIVERS}/w-bad")).unwrap().code, 403);
    assert_eq!(own.delete(&format!("{WAIVERS}/w-bad")).unwrap().code, 403);
}

/// Brings the resource, and waits until it is served.
fn define(cluster: &ControlPlane) {
    cluster.kubectl(&Identity::Admin, ["apply", "-f", DEFINITION]).unwrap().succeeded().unwrap();
    wait::until("the resource is served", LIMIT, || {
        let finished = cluster.kubectl(&Identity::Admin, ["get", "supportwaivers"]).unwrap();
        finished.succeeded().map(drop)
    })
    .unwrap();
}

/// Other parts of the API server answer 403 too, so webhook and rule are compared.
fn assert_denied(answer: &Answer, guard: &Guard) {
    let status: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.code, &status["reason"]), (403, &json!("Forbidden")), "{status}");
    let message = status["message"].as_str().unwrap();
    let begins = |name: &String| {
        message.starts_with(&format!("admission webhook \"{name}\" denied the request: AA201 (policy C13): "))
    };
    assert!(guard.webhooks.iter().any(begins), "{message}");
    assert_eq!(status["details"]["causes"][0]["reason"], "AA201", "{status}");
}

fn await_metric(guard: &Guard, series: &str, wanted: impl Fn(u64) -> bool) {
    wait::until(series, LIMIT, || {
        let metrics = guard.metrics().map_err(|error| format!("{error:#}"))?;
        let value = metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        if value.is_some_and(&wanted) { Ok(()) } else { Err(format!("{value:?}\n{}", guard.log())) }
    })
    .unwrap();
}

/// For the node of the drifted cluster that AKS Arc did not create; ninety days from June on.
fn good() -> Value {
    json!({
        "rules": ["AA401"], "match": {"kind": "Node", "name": "k3s-agent-01"}, "reason": "leaves in August", "ticket": "OPS-1",
        "requestedBy": "alice", "approvedBy": "bob", "notBefore": "2026-06-01T00:00:00Z", "expires": "2026-08-30T00:00:00Z",
    })
}

/// Waivers that the schema refuses, with a word of its message.
fn bad() -> Vec<(&'static str, &'static str, Value)> {
    let with = |field: &str, value: Value| {
        let mut waiver = good();
        waiver[field] = value;
        waiver
    };
    let print = "0123456789abcdef0123456789abcdef";
    vec![
        ("self-approved", "two people", with("approvedBy", json!(" Alice"))),
        ("backwards", "after notBefore", with("expires", json!("2026-06-01T00:00:00Z"))),
        ("no time", "date-time", with("expires", json!("2026-08-30"))),
        ("no offset", "date-time", with("expires", json!("2026-08-30T00:00:00"))),
        ("no rule", "spec.rules", with("rules", json!([]))),
        ("no code", "spec.rules", with("rules", json!(["*"]))),
        ("no reason", "spec.reason", with("reason", json!(""))),
        ("no case", "supportCase", with("kind", json!("microsoft-directed"))),
        ("another word", "spec.kind", with("kind", json!("because"))),
        ("half an object", "go together", with("match", json!({"kind": "Node", "fingerprint": print}))),
        ("no object", "have to be given", with("match", json!({}))),
        ("a namespace alone", "have to be given", with("match", json!({"namespace": "a", "fingerprint": print}))),
        ("no fingerprint", "fingerprint", with("match", json!({"fingerprint": "01AB"}))),
        ("an empty pin", "uid, value or changedBefore", with("lapsesUnless", json!({}))),
        ("an unknown field", "unknown field", with("raeson", json!("x"))),
    ]
}

fn create(cluster: &ControlPlane, name: &str, spec: &Value) -> Finished {
    let object = json!({
        "apiVersion": "aksarc.dev/v1alpha1", "kind": "SupportWaiver", "metadata": {"name": name}, "spec": spec,
    });
    cluster.kubectl_with(&Identity::Admin, ["create", "-f", "-"], &object.to_string()).unwrap()
}

fn check(cluster: &ControlPlane, identity: &Identity, as_of: &str) -> Finished {
    let words = ["support-check", "-o", "json", "--only", "AA401", "--platform", "azure-local", "--waivers", "cluster"];
    plugin(cluster, identity, &[&words[..], &["--as-of", as_of]].concat())
}

fn list(cluster: &ControlPlane, identity: &Identity) -> Finished {
    let words = ["waivers", "list", "--waivers", "cluster", "-o", "json", "--as-of", "2026-06-01"];
    plugin(cluster, identity, &words)
}

fn plugin(cluster: &ControlPlane, identity: &Identity, arguments: &[&str]) -> Finished {
    let mut command = cluster.command(identity, &product::plugin().unwrap()).unwrap();
    Finished::run(command.args(arguments), None).unwrap()
}

const LIMIT: Duration = Duration::from_secs(30);
const WAIVERS: &str = "/apis/aksarc.dev/v1alpha1/supportwaivers";
/// A worker of the healthy sample.
const NODE: &str = "moc-l3xk9p0bd7t";
const SIZE: &str = "node.kubernetes.io/instance-type";
