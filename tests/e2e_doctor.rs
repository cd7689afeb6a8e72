//! `doctor` on a real API server: rights as it judges them, and nothing written.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use aksarc_tests::{ControlPlane, Finished, Identity, product};
use serde_json::Value;

use crate::HEALTHY;

#[test]
fn rights_are_those_of_the_caller_and_nothing_is_written() {
    let cluster = HEALTHY.lease();
    let admin = doctor(&cluster, &Identity::Admin, 0);
    for name in ["server", "clock", "rights", "dry-run", "webhooks", "guard"] {
        assert_eq!(check(&admin, name)["state"], "ok", "{name}: {admin}");
    }
    let nobody = doctor(&cluster, &Identity::user("bob"), 5);
    let rights = check(&nobody, "rights");
    assert_eq!(rights["state"], "incomplete");
    assert!(rights["details"].to_string().contains("list nodes: no"), "{rights}");
    let events = cluster.audit_events().unwrap();
    let ours: Vec<_> = events.iter().filter(|event| event.user_agent.starts_with("kubectl-aksarc")).collect();
    assert!(ours.iter().any(|event| event.request_uri.ends_with("/selfsubjectaccessreviews")));
    for event in ours {
        let review = event.request_uri.ends_with("/selfsubjectaccessreviews");
        assert!(review || matches!(&*event.verb, "get" | "list"), "{} {}", event.verb, event.request_uri);
    }
}

fn doctor(cluster: &ControlPlane, identity: &Identity, code: i32) -> Value {
    let mut command = cluster.command(identity, &product::plugin().unwrap()).unwrap();
    let finished = Finished::run(command.args(["doctor", "-o", "json"]), None).unwrap();
    assert_eq!(finished.code, Some(code), "{}{}", finished.stdout, finished.stderr);
    serde_json::from_str(&finished.stdout).unwrap()
}

fn check<'r>(report: &'r Value, name: &str) -> &'r Value {
    report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap()
}
