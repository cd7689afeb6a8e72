//! `kubectl aksarc baseline` on a real API server: a baseline recorded at a known-good time shows changes since then,
//! and values that were put back, which managedFields alone cannot.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::time::Duration;

use aksarc_tests::{ControlPlane, Finished, Identity, product, samples, wait};
use serde_json::Value;

const SETTING: [&str; 4] = ["--platform", "azure-local", "--as-of", "2026-06-01"];

#[test]
fn a_baseline_shows_what_was_removed_and_settles_what_was_put_back() {
    let cluster = samples::start("healthy-azure-local").unwrap();
    let file = cluster.directory().join("edge.baseline.json");
    let baseline = file.to_str().unwrap().to_owned();
    let captured = plugin(&cluster, &["baseline", "capture", "-o", &baseline]);
    assert_eq!(captured.code, Some(0), "{}{}", captured.stdout, captured.stderr);
    assert!(captured.stdout.contains("5 nodes"), "{}", captured.stdout);
    let same = plugin(&cluster, &["baseline", "diff", &baseline]);
    assert!(same.stdout.starts_with("as recorded on"), "{}{}", same.stdout, same.stderr);

    // A system label is removed: only the baseline shows it.
    kubectl(&cluster, &["label", "node", NODE, "node.kubernetes.io/instance-type-"]);
    assert_eq!(found(&check(&cluster, &["--only", "AA201"])), Vec::<String>::new());
    let report = check(&cluster, &["--only", "AA201", "--baseline", &baseline]);
    assert_eq!(found(&report), ["AA201 metadata.labels[node.kubernetes.io/instance-type]"]);
    let difference = plugin(&cluster, &["baseline", "diff", &baseline, "-o", "json"]);
    assert!(difference.stdout.contains("labels[node.kubernetes.io/instance-type]"), "{}", difference.stdout);
    fix(&cluster, &report);
    assert_eq!(found(&check(&cluster, &["--only", "AA201", "--baseline", &baseline])), Vec::<String>::new());

    // A managed component is changed and set back: its fields are a person's now, and the baseline knows them to be
    // right.
    let image = |tag: &str| format!("deployment/coredns coredns=registry.k8s.io/coredns/coredns:{tag}");
    let before = image_of(&cluster);
    let words = image("v0.0.1");
    let mut set = vec!["set", "image", "--namespace=kube-system"];
    set.extend(words.split(' '));
    kubectl(&cluster, &set);
    assert_eq!(found(&check(&cluster, &["--only", "AA301", "--baseline", &baseline])).len(), 1);
    let back = format!("coredns={before}");
    kubectl(&cluster, &["set", "image", "--namespace=kube-system", "deployment/coredns", &back]);
    // The pod template is the platform's again, which its earlier revision shows; until their controller has removed
    // them, pods with the other image are found too.
    let put_back = wait::until("the pods of before", Duration::from_secs(30), || {
        let report = check(&cluster, &["--only", "AA301"]);
        if found(&report).is_empty() { Ok(report) } else { Err(report["findings"].to_string()) }
    });
    let put_back = put_back.unwrap()["findings"].to_string();
    assert!(put_back.contains("was changed and put back") && put_back.contains("kubectl-set"), "{put_back}");
    let with_baseline = check(&cluster, &["--only", "AA301", "--baseline", &baseline]);
    assert_eq!(with_baseline["findings"].as_array().unwrap().len(), 0, "{with_baseline}");

    // Another cluster's baseline is refused.
    let text = std::fs::read_to_string(&file).unwrap();
    let mut other: Value = serde_json::from_str(&text).unwrap();
    other["cluster"] = "another".into();
    let path = cluster.directory().join("other.json");
    std::fs::write(&path, other.to_string()).unwrap();
    for arguments in
        [vec!["support-check", "--baseline", path.to_str().unwrap()], vec!["baseline", "diff", path.to_str().unwrap()]]
    {
        let refused = plugin(&cluster, &arguments);
        assert_eq!(refused.code, Some(2), "{}{}", refused.stdout, refused.stderr);
        assert!(refused.stderr.contains("another cluster"), "{}", refused.stderr);
    }
    // The right to read is enough for recording and comparing.
    for event in cluster.audit_events().unwrap().iter().filter(|event| event.user_agent.starts_with("kubectl-aksarc")) {
        assert!(matches!(&*event.verb, "get" | "list"), "{} {}", event.verb, event.request_uri);
    }
}

fn image_of(cluster: &ControlPlane) -> String {
    let path = "jsonpath={.spec.template.spec.containers[0].image}";
    let arguments = ["get", "deployment", "coredns", "--namespace=kube-system", "-o", path];
    let finished = cluster.kubectl(&Identity::Person, arguments).unwrap();
    finished.succeeded().unwrap();
    finished.stdout
}

fn kubectl(cluster: &ControlPlane, arguments: &[&str]) {
    cluster.kubectl(&Identity::Person, arguments).unwrap().succeeded().unwrap();
}

/// Runs the commands that a report prints.
fn fix(cluster: &ControlPlane, report: &Value) {
    for finding in report["findings"].as_array().unwrap() {
        for command in finding["fix"].as_array().unwrap() {
            let words: Vec<&str> = command["argv"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            assert_eq!(words[0], "kubectl", "{command}");
            if command["clears"] == true {
                kubectl(cluster, &words[1..]);
            }
        }
    }
}

fn check(cluster: &ControlPlane, arguments: &[&str]) -> Value {
    let mut all = vec!["support-check", "-o", "json"];
    all.extend(SETTING);
    all.extend(arguments);
    let finished = plugin(cluster, &all);
    serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", finished.stdout, finished.stderr))
}

fn found(report: &Value) -> Vec<String> {
    let heavy = report["findings"].as_array().unwrap().iter().filter(|finding| finding["consequence"] != "info");
    heavy.map(|f| format!("{} {}", f["code"].as_str().unwrap(), f["path"].as_str().unwrap())).collect()
}

fn plugin(cluster: &ControlPlane, arguments: &[&str]) -> Finished {
    let mut command = cluster.command(&Identity::Person, &product::plugin().unwrap()).unwrap();
    Finished::run(command.args(arguments), None).unwrap()
}

const NODE: &str = "moc-l3xk9p0bd7t";
