//! The built program: its messages before any request to a server, and its exit codes.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test too")]

use std::process::{Command, Output};

fn dry_run(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_kubectl-aksarc"))
        .arg("dry-run")
        .args(arguments)
        .env_clear()
        .env("HOME", home.path())
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap()
}

#[track_caller]
fn says(arguments: &[&str], code: i32, words: &str) {
    let output = dry_run(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(words), "{words:?} is missing: {stderr}");
}

/// A port on which nobody listens, so that a request to it fails at once.
const NOBODY: [&str; 2] = ["--server", "http://127.0.0.1:1"];

#[test]
fn wrong_arguments_are_exit_2_and_nothing_is_asked() {
    says(&["label", "node", "a"], 2, "at least one label update is required");
    says(&["label", "node", "a", "b=c", "d"], 2, "all resources must be specified before label changes: d");
    says(&["taint", "node", "a", "b=c"], 2, "invalid taint spec");
    says(&["patch", "node", "a", "-p", "{"], 2, "the patch");
    says(&["patch", "node", "a"], 2, "--patch");
    says(&["scale", "deploy/a", "--replicas=-1"], 2, "--replicas");
    says(&["apply", "-f", "/nowhere/at-all.yaml"], 2, "cannot read /nowhere/at-all.yaml");
    says(&["apply", "-f", "https://example.com/a.yaml"], 2, "only the API server is contacted");
    says(&["delete", "pod", "a", "--now", "--grace-period=3"], 2, "--grace-period");
    says(&["label", "node", "a", "b=c", "--as-of", "tomorrow"], 2, "expected a day");
    says(&["label", "node", "a", "b=c", "--dry-run=none"], 2, "--dry-run");
}

#[test]
fn a_guards_configuration_that_would_not_start_it_is_exit_2() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("guard.yaml");
    let path = file.to_str().unwrap();
    std::fs::write(&file, "apiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\nmood: warn\n").unwrap();
    says(&["label", "node", "a", "b=c", "--guard-config", path], 2, "mood");
    says(&["label", "node", "a", "b=c", "--guard-config", "/nowhere/guard.yaml"], 2, "/nowhere/guard.yaml");
}

#[test]
fn a_server_that_is_not_there_is_exit_1_also_in_the_status_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("status.json");
    let mut arguments = vec!["label", "node", "a", "b=c", "--status-file", file.to_str().unwrap()];
    arguments.extend(NOBODY);
    says(&arguments, 1, "Nothing was rehearsed");
    let status: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!((status["kind"].as_str(), status["exitCode"].as_u64()), (Some("DryRunStatus"), Some(1)));
}

#[test]
fn every_verbs_help_has_examples() {
    for verb in ["annotate", "apply", "delete", "label", "patch", "scale", "taint"] {
        let output = dry_run(&[verb, "--help"]);
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0));
        assert!(help.contains(&format!("kubectl aksarc dry-run {verb}")), "{help}");
    }
}
