//! Files that version 0.1.0 wrote are read, and changes since then are reported.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/from-0.1.0");
const AS_OF: &str = "2026-11-29";

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-aksarc"));
    command.args(arguments).env("KUBECONFIG", "/nonexistent").env("NO_COLOR", "1").output().unwrap()
}

#[track_caller]
fn text(arguments: &[&str], code: i32) -> (String, String) {
    let output = run(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{stdout}{stderr}");
    (stdout, stderr)
}

fn file(name: &str) -> String {
    format!("{FILES}/{name}")
}

fn check(snapshot: &str, more: &[&str]) -> (Value, String) {
    let mut arguments = vec!["support-check", "--snapshot", snapshot, "--platform", "azure-local", "-o", "json"];
    arguments.extend(more);
    let (stdout, stderr) = text(&arguments, 3);
    (serde_json::from_str(&stdout).unwrap(), stderr)
}

fn found(report: &Value) -> BTreeSet<(String, String, String)> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    findings.map(|own| (word(&own["code"]), word(&own["object"]["name"]), word(&own["path"]))).collect()
}

/// The snapshot of that version, unpacked.
fn unpacked(into: &Path) -> String {
    let archive = std::fs::File::open(file("snapshot.tar.gz")).unwrap();
    tar::Archive::new(flate2::read::GzDecoder::new(archive)).unpack(into).unwrap();
    let only: Vec<_> = std::fs::read_dir(into).unwrap().map(|entry| entry.unwrap().path()).collect();
    let root = if only.len() == 1 && only[0].is_dir() { only[0].clone() } else { into.to_owned() };
    root.display().to_string()
}

#[test]
fn a_snapshot_is_judged_packed_or_not_and_says_what_it_lacks() {
    let directory = tempfile::tempdir().unwrap();
    let (packed, _) = check(&file("snapshot.tar.gz"), &[]);
    let (plain, _) = check(&unpacked(directory.path()), &[]);
    assert_eq!(found(&packed), found(&plain));
    assert_eq!(packed["verdict"], "outside");
    for finding in [
        ("AA201", "moc-l8c2ongw6ra", "metadata.labels[kubernetes.io/hostname]"),
        ("AA301", "kube-proxy", "data[config.conf]"),
        ("AA303", "log-shipper", "metadata.namespace"),
        ("AA401", "k3s-agent-01", "spec.providerID"),
    ] {
        let (code, name, path) = finding;
        assert!(found(&packed).contains(&(code.to_owned(), name.to_owned(), path.to_owned())), "{finding:?}");
    }
    // Lists that it did not read are unknown, and a note says how to get them.
    let rules = packed["rules"].as_array().unwrap();
    let reasons = rules.iter().filter_map(|rule| rule["reason"].as_str());
    let lacking: Vec<&str> = reasons.filter(|reason| reason.contains("the snapshot does not hold")).collect();
    assert!(!lacking.is_empty());
    assert!(lacking.iter().all(|reason| reason.contains("take a new one with this version")), "{lacking:?}");
}

#[test]
fn a_baseline_settles_what_it_settled_and_accuses_nobody_of_what_it_did_not_look_at() {
    let directory = tempfile::tempdir().unwrap();
    let snapshot = unpacked(directory.path());
    let (baseline, archive) = (file("baseline.json"), file("snapshot.tar.gz"));
    // The pool of a node without any sign of it has another name now, which is no difference.
    let (same, _) = text(&["baseline", "diff", &baseline, "--snapshot", &archive, "-o", "json"], 5);
    let same: Value = serde_json::from_str(&same).unwrap();
    assert_eq!(same["items"], json!([]), "{same}");

    // The same cluster as a snapshot of today's version, with lists that 0.1.0 did not read.
    let index = Path::new(&snapshot).join("index.json");
    let mut told: Value = serde_json::from_str(&std::fs::read_to_string(&index).unwrap()).unwrap();
    let mut add = |namespace: &str, kind: &str, resource: &str, name: &str| {
        let path = format!("{namespace}/{resource}.json");
        let mut own = json!({"metadata": {"name": name, "namespace": namespace, "uid": name,
            "managedFields": [{"manager": "somebodys-own", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
                "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:metadata": {}}}]}});
        if kind == "LimitRange" {
            // Without bounds it would starve nobody, and be no finding.
            own["spec"] = json!({"limits": [{"type": "Container", "max": {"memory": "1Mi"}}]});
        }
        let list = json!({"apiVersion": "v1", "kind": format!("{kind}List"), "metadata": {}, "items": [own]});
        std::fs::write(Path::new(&snapshot).join(&path), list.to_string()).unwrap();
        told["lists"].as_array_mut().unwrap().push(json!({"apiVersion": "v1", "kind": kind, "namespace": namespace,
            "state": "complete", "objects": 1, "files": [path]}));
    };
    add("azure-arc", "ServiceAccount", "serviceaccounts", "default");
    add("azure-arc", "LimitRange", "limitranges", "bounds");
    std::fs::write(&index, told.to_string()).unwrap();
    let (later, _) = text(&["baseline", "diff", &baseline, "--snapshot", &snapshot], 5);
    for list in ["limitranges in azure-arc", "serviceaccounts in azure-arc"] {
        let says = format!("not compared: the baseline was recorded without {list}: capture a new one\n");
        assert!(later.contains(&says), "{later}");
    }
    assert!(!later.contains("there"), "{later}");
    let (report, _) = check(&snapshot, &["--baseline", &baseline]);
    let came = report["findings"].as_array().unwrap().iter().find(|own| own["object"]["name"] == "bounds").unwrap();
    assert!(came["message"].as_str().unwrap().contains("the baseline did not record such objects"), "{came}");
    // Objects that it examined are settled, and later ones are told from them.
    let (without, _) = check(&snapshot, &[]);
    let settled: Vec<_> = found(&without).difference(&found(&report)).map(|own| own.1.clone()).collect();
    assert!(settled.contains(&"edge-sync".to_owned()), "{settled:?}");
    assert_eq!(
        found(&report).difference(&found(&without)).next(),
        None,
        "a baseline of the same day finds nothing more"
    );
}

#[test]
fn a_baseline_of_a_cluster_and_a_snapshot_of_it_differ_by_nothing_that_snapshots_leave_out() {
    let directory = tempfile::tempdir().unwrap();
    let mut baseline: Value = serde_json::from_str(&std::fs::read_to_string(file("baseline.json")).unwrap()).unwrap();
    baseline["context"] = json!("contoso-edge");
    for (key, field) in [("kube-system/deployments.apps/coredns", "spec"), ("kube-system/configmaps/coredns", "data")] {
        baseline["objects"][key]["content"][field] = json!("of-all-that-is-in-it");
    }
    let path = directory.path().join("b.json");
    std::fs::write(&path, baseline.to_string()).unwrap();
    let (path, archive) = (path.display().to_string(), file("snapshot.tar.gz"));
    let (diff, _) = text(&["baseline", "diff", &path, "--snapshot", &archive], 5);
    assert!(diff.contains("what was read is as recorded on") && diff.contains("holds them in part"), "{diff}");
    let (report, stderr) = check(&archive, &["--baseline", &path]);
    assert!(stderr.contains("note: not compared with the baseline"), "{stderr}");
    assert!(!report["findings"].to_string().contains("differs from the baseline"));
}

#[test]
fn answers_count_and_are_findings_of_their_own_rules() {
    let archive = file("snapshot.tar.gz");
    let (report, stderr) = check(&archive, &["--attest", &file("answers.yaml"), "--as-of", AS_OF]);
    assert!(!stderr.contains("does not count"), "{stderr}");
    let of_people: Vec<(String, String)> = found(&report)
        .into_iter()
        .filter_map(|(code, _, path)| path.starts_with("attestation[").then_some((code, path)))
        .collect();
    let said: Vec<String> = of_people.iter().map(|(code, path)| format!("{code} {path}")).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    AA106 attestation[C09]
    AA413 attestation[C10]
    AA414 attestation[C22]
    AA415 attestation[C24]
    AA601 attestation[C32]
    AA604 attestation[C35]
    AA609 attestation[C30]
    AA609 attestation[C34]
    AA610 attestation[C31]
    ");
}

#[test]
fn lint_names_every_waiver_that_matches_no_more_and_what_to_name_instead() {
    let (waivers, object) = (file("waivers.yaml"), file("waiver-object.yaml"));
    let words = |file: &str| {
        let (stdout, _) = text(&["waivers", "lint", file, "--as-of", AS_OF], 0);
        stdout.replace(&format!("{FILES}/"), "")
    };
    insta::assert_snapshot!(words(&waivers), @r"
    waivers.yaml:10:5: warning: waiver aa402-contoso-ws-b81e90c4-linuxpool: AA402 found status.nodeInfo.containerRuntimeVersion up to 0.1.0, and status.nodeInfo now, with all that differs: name that path, with its fingerprint if any
    waivers.yaml:28:5: warning: waiver aa412-contoso-ws-b81e90c4-linuxpool: AA412 found status.capacity[memory][Standard_A4_v2] up to 0.1.0, and status.capacity[Standard_A4_v2] now, with all that differs: name that path, with its fingerprint if any
    waivers.yaml:43:3: warning: waiver aa104--no-pool: nodes whose pool nothing tells were one NodePool called (no pool) up to 0.1.0, and each is named by itself now: match what a new check shows
    waivers.yaml:77:3: warning: waiver aa401-cluster: AA401 found attestation[C10] up to 0.1.0, and AA413 does now: name AA413, with its fingerprint if any
    waivers.yaml: 9 waivers, 0 errors, 4 warnings
    ");
    insta::assert_snapshot!(words(&object), @r"
    waiver-object.yaml:11:5: warning: waiver aa402-contoso-edge-5d1f08ae-apps: AA402 found status.nodeInfo.osImage up to 0.1.0, and status.nodeInfo now, with all that differs: name that path, with its fingerprint if any
    waiver-object.yaml: 1 waiver, 0 errors, 1 warning
    ");
}

#[test]
fn waivers_that_still_match_count() {
    let archive = file("snapshot.tar.gz");
    let (report, _) = check(&archive, &["--waivers", &file("waivers.yaml"), "--as-of", AS_OF]);
    let findings = report["findings"].as_array().unwrap().iter();
    let waived: Vec<&str> = findings.filter_map(|own| own["waiver"]["name"].as_str()).collect();
    for name in ["aa103-cluster", "aa303-node-tuner"] {
        assert!(waived.contains(&name), "{name}: {waived:?}");
    }
}

#[test]
fn a_guards_configuration_that_it_took_is_refused_by_its_name_and_by_each_rule_that_cannot_deny() {
    let path = file("guard-modes.yaml");
    let nobody = ["--server", "http://127.0.0.1:1"];
    let dry_run = |file: &str, code: i32| {
        text(&[&["dry-run", "label", "node", "a", "b=c", "--guard-config", file], &nobody[..]].concat(), code).1
    };
    let refused = dry_run(&path, 2);
    assert!(refused.contains(&format!("cannot use {path}: rules: AA206, AA208, AA306 cannot deny")), "{refused}");
    // One that can be used gets as far as the server.
    assert!(dry_run(&file("guard.yaml"), 1).contains("Nothing was rehearsed"));
}
