//! `SupportWaiver` objects on a real API server: its schema refuses bad ones, and checks count the good ones to the second.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::time::Duration;

use aksarc_tests::{ControlPlane, Finished, Identity, product, samples, wait};
use serde_json::{Value, json};

const DEFINITION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/supportwaiver.yaml");

#[test]
fn waivers_of_the_cluster_are_checked_by_its_schema_and_counted_to_the_second() {
    let cluster = samples::start("drifted").unwrap();
    // Before there is such a resource.
    let finished = check(&cluster, &Identity::Person, "2026-06-01");
    assert_eq!(finished.code, Some(3), "{}", finished.stderr);
    assert!(finished.stderr.contains("does not serve supportwaivers.aksarc.dev"), "{}", finished.stderr);

    cluster.kubectl(&Identity::Admin, ["apply", "-f", DEFINITION]).unwrap().succeeded().unwrap();
    wait::until("the resource is served", Duration::from_secs(30), || {
        let finished = cluster.kubectl(&Identity::Admin, ["get", "supportwaivers"]).unwrap();
        finished.succeeded().map(drop)
    })
    .unwrap();

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

    // Whoever may not read them hears so, and nothing is checked.
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

    // What kubectl prints of them is a file of waivers.
    let printed = cluster.kubectl(&Identity::Admin, ["get", "supportwaivers", "-o", "yaml"]).unwrap();
    let file = cluster.directory().join("waivers.yaml");
    std::fs::write(&file, printed.succeeded().unwrap()).unwrap();
    let checked = plugin(&cluster, &Identity::Person, &["waivers", "lint", file.to_str().unwrap()]);
    assert_eq!(checked.code, Some(2), "{}{}", checked.stdout, checked.stderr);
    assert!(checked.stdout.contains("2 waivers, 1 error, "), "{}", checked.stdout);

    // And what `new` prints is an object that the API server takes.
    let words = "waivers new --rule AA201 --kind Node --name moc-l1 --waiver-name w-3 --reason r --ticket t --requested-by alice \
                 --approved-by bob --days 30 --resource";
    let made = plugin(&cluster, &Identity::Person, &words.split_whitespace().collect::<Vec<_>>());
    let made = made.succeeded().unwrap();
    cluster.kubectl_with(&Identity::Admin, ["create", "-f", "-"], made).unwrap().succeeded().unwrap();
}

/// For the node of the drifted cluster that AKS Arc did not create; ninety days from June on.
fn good() -> Value {
    json!({
        "rules": ["AA401"], "match": {"kind": "Node", "name": "k3s-agent-01"}, "reason": "leaves in August", "ticket": "OPS-1",
        "requestedBy": "alice", "approvedBy": "bob", "notBefore": "2026-06-01T00:00:00Z", "expires": "2026-08-30T00:00:00Z",
    })
}

/// What the schema refuses, with a word of its message.
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
        ("an empty pin", "uid or value", with("lapsesUnless", json!({}))),
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
