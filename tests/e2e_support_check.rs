//! `kubectl aksarc support-check` against real API servers holding the sample clusters, live and from recordings.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use aksarc_tests::{ControlPlane, Finished, Identity, product, samples, seen, wait};
use serde_json::Value;

use crate::{DRIFTED, HEALTHY};

const AZURE_LOCAL: [&str; 4] = ["--platform", "azure-local", "--as-of", "2026-06-01"];

#[test]
fn a_healthy_cluster_is_within_the_policy() {
    let cluster = HEALTHY.lease();
    let finished = check(&cluster, &Identity::Person, &AZURE_LOCAL);
    assert_eq!(finished.code, Some(0), "{}{}", finished.stdout, finished.stderr);
    let report = report(&finished);
    assert_eq!(report["verdict"], "within");
    for weight in ["voids", "at-risk", "not-covered", "unknown", "waived"] {
        assert_eq!(report["summary"][weight], 0, "{weight}: {}", report["findings"]);
    }
    assert_eq!(report["cluster"]["kubernetesVersion"], cluster.kubernetes().git_version());
    only_read(&cluster, &Identity::Person);
}

#[test]
fn lawful_oddities_are_neither_outside_nor_at_risk() {
    let cluster = samples::start("lawful-oddities").unwrap();
    let finished = check(&cluster, &Identity::Person, &AZURE_LOCAL);
    let report = report(&finished);
    // Information is allowed, and so are a log agent and third-party products, which the policy leaves to the user.
    for weight in ["voids", "at-risk", "unknown", "waived"] {
        assert_eq!(report["summary"][weight], 0, "{weight}: {} {}", report["findings"], report["rules"]);
    }
    assert_eq!(finished.code, Some(0), "{}{}", finished.stdout, finished.stderr);
    assert_eq!(report["verdict"], "within");
    only_read(&cluster, &Identity::Person);
}

#[test]
fn a_drifted_cluster_shows_exactly_its_violations_and_who_made_them() {
    let cluster = DRIFTED.lease();
    let finished = check(&cluster, &Identity::Person, &AZURE_LOCAL);
    assert_eq!(finished.code, Some(3), "{}", finished.stderr);
    let live = report(&finished);
    assert_eq!(live["verdict"], "outside");
    assert_eq!(found(&live), expected());
    // Every accusation names the writer and the time.
    for finding in live["findings"].as_array().unwrap() {
        let by_hand = ["AA201", "AA204", "AA205", "AA207", "AA301"].contains(&finding["code"].as_str().unwrap());
        let seen = finding["evidence"].as_array().unwrap().iter().any(|evidence| {
            evidence["what"] == "managedFields" && evidence["time"].as_str().is_some_and(|time| time.ends_with('Z'))
        });
        // `kubectl scale --replicas=0` makes nobody the owner of the field, so that one finding rests on the value alone.
        let at_rest = finding["object"]["name"] == "coredns" && finding["after"] == "0";
        assert!(seen || at_rest || !by_hand, "{finding}");
    }
    only_read(&cluster, &Identity::Person);

    // A recording gives the same result, as a directory and as an archive.
    for name in ["recording", "recording.tar.gz"] {
        let recording = cluster.directory().join(name);
        let finished = plugin(&cluster, &Identity::Person, &["snapshot", "-o", recording.to_str().unwrap()]);
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        let mut arguments = vec!["support-check", "-o", "json", "--snapshot", recording.to_str().unwrap()];
        arguments.extend(AZURE_LOCAL);
        let offline = report(&plugin(&cluster, &Identity::Person, &arguments));
        assert_eq!(offline["findings"], live["findings"], "{name}");
        assert_eq!(offline["rules"], live["rules"], "{name}");
        no_secrets(&recording);
    }
    only_read(&cluster, &Identity::Person);
}

#[test]
fn the_committed_recording_of_the_drifted_cluster_is_the_readmes_first_command() {
    let recording = Path::new(env!("CARGO_MANIFEST_DIR")).join("clusters/drifted");
    let program = product::plugin().unwrap();
    let mut command = std::process::Command::new(program);
    command.args(["support-check", "-o", "json", "--snapshot"]).arg(&recording).args(AZURE_LOCAL);
    let finished = Finished::run(&mut command, None).unwrap();
    assert_eq!(finished.code, Some(3), "{}", finished.stderr);
    assert_eq!(found(&report(&finished)), expected());
}

#[test]
fn too_few_rights_are_unknown_never_a_pass() {
    let cluster = HEALTHY.lease();
    let finished = check(&cluster, &Identity::Reader, &AZURE_LOCAL);
    assert_eq!(finished.code, Some(5), "{}{}", finished.stdout, finished.stderr);
    let report = report(&finished);
    assert_eq!(report["verdict"], "inconclusive");
    for rule in report["rules"].as_array().unwrap() {
        if ["AA104", "AA201", "AA204", "AA205", "AA401"].contains(&rule["code"].as_str().unwrap()) {
            assert_eq!(rule["outcome"], "unknown", "{rule}");
            assert!(rule["reason"].as_str().unwrap().contains("list nodes"), "{rule}");
        }
    }
    let nobody = check(&cluster, &Identity::user("bob"), &AZURE_LOCAL);
    assert_eq!(nobody.code, Some(5), "{}{}", nobody.stdout, nobody.stderr);
    let mut allowed = vec!["--allow-incomplete"];
    allowed.extend(AZURE_LOCAL);
    assert_eq!(check(&cluster, &Identity::Reader, &allowed).code, Some(0));
}

#[test]
fn the_shipped_role_is_all_that_a_complete_check_needs() {
    let cluster = HEALTHY.lease();
    let role = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/reader.yaml");
    cluster.kubectl(&Identity::Admin, ["apply", "-f", role]).unwrap().succeeded().unwrap();
    let auditor = Identity::user("auditor@contoso.example");
    cluster.bind(&auditor, "aksarc-reader").unwrap();
    // A binding takes effect after a moment.
    let complete = wait::until("a complete check", Duration::from_secs(30), || {
        let finished = check(&cluster, &auditor, &AZURE_LOCAL);
        if finished.code == Some(0) { Ok(finished) } else { Err(format!("{}{}", finished.stdout, finished.stderr)) }
    });
    assert_eq!(report(&complete.unwrap())["summary"]["unknown"], 0);
    only_read(&cluster, &auditor);
}

fn check(cluster: &ControlPlane, identity: &Identity, setting: &[&str]) -> Finished {
    let mut arguments = vec!["support-check", "-o", "json"];
    arguments.extend(setting);
    plugin(cluster, identity, &arguments)
}

fn plugin(cluster: &ControlPlane, identity: &Identity, arguments: &[&str]) -> Finished {
    let mut command = cluster.command(identity, &product::plugin().unwrap()).unwrap();
    Finished::run(command.args(arguments), None).unwrap()
}

fn report(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", finished.stdout, finished.stderr))
}

fn found(report: &Value) -> BTreeSet<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    findings.map(|f| (text(&f["code"]), text(&f["object"]["name"]), text(&f["path"]))).collect()
}

/// The changes of `samples/drifted.yaml`, as far as a state shows them.
fn expected() -> BTreeSet<(String, String, String)> {
    let rows = [
        ("AA103", "cluster", "kubelet[1.29]"),
        ("AA104", "contoso-edge-5d1f08ae-legacy", "status.nodeInfo.kubeletVersion[1.29.13]"),
        ("AA201", "moc-l3xk9p0bd7t", "metadata.labels[node.kubernetes.io/instance-type]"),
        ("AA201", "moc-l8c2ongw6ra", "metadata.labels[kubernetes.io/hostname]"),
        ("AA201", "moc-lm4ivy8s1fh", "metadata.labels[node.kubernetes.io/instance-type]"),
        ("AA201", "moc-lt5jz1e9quk", "metadata.labels[msft.microsoft/nodepool-name]"),
        ("AA204", "moc-l3xk9p0bd7t", "metadata.labels[kubernetes.azure.com/my-team]"),
        ("AA205", "contoso-edge-5d1f08ae-apps", "spec.taints[contoso.example/reserved]"),
        ("AA205", "contoso-edge-5d1f08ae-nodepool1", "metadata.labels[contoso.example/site]"),
        ("AA207", "azure-arc", "metadata.labels[app.kubernetes.io/managed-by]"),
        ("AA301", "calico-kube-controllers", "spec.template.spec.containers[name=calico-kube-controllers].image"),
        ("AA301", "coredns", "spec.replicas"),
        ("AA301", "kube-proxy", "data[config.conf]"),
        ("AA303", "edge-sync", "metadata.namespace"),
        ("AA303", "log-shipper", "metadata.namespace"),
        ("AA303", "node-tuner", "metadata.namespace"),
        ("AA401", "k3s-agent-01", "spec.providerID"),
    ];
    rows.into_iter().map(|(code, name, path)| (code.to_owned(), name.to_owned(), path.to_owned())).collect()
}

fn only_read(cluster: &ControlPlane, identity: &Identity) {
    seen::only_read(cluster, identity).unwrap();
}

fn no_secrets(recording: &Path) {
    if recording.is_dir() {
        for entry in std::fs::read_dir(recording).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                no_secrets(&path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(!text.contains("\"kind\":\"Secret\"") && !text.contains("kind: Secret"), "{}", path.display());
            }
        }
    }
}
