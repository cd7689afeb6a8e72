//! `baseline` with bad files: each is an error that names the file, and nothing is written.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failure")]

use std::path::Path;
use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-aksarc"));
    command.args(arguments).env("KUBECONFIG", "/nonexistent").env("NO_COLOR", "1").output().unwrap()
}

fn drifted() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/clusters/drifted").to_owned()
}

#[test]
fn a_snapshot_can_be_recorded_and_compared_with_itself() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("b.json").display().to_string();
    let captured = run(&["baseline", "capture", "--snapshot", &drifted(), "-o", &file]);
    assert!(captured.status.success(), "{}", String::from_utf8_lossy(&captured.stderr));
    // What people have changed there is not recorded as known good, and said.
    assert!(String::from_utf8_lossy(&captured.stderr).contains("left out, because a person's hand shows on it"));
    let compared = run(&["baseline", "diff", &file, "--snapshot", &drifted()]);
    assert!(String::from_utf8_lossy(&compared.stdout).starts_with("as recorded on"));
    let checked = run(&["support-check", "--snapshot", &drifted(), "--baseline", &file, "--platform", "azure-local"]);
    assert_eq!(checked.status.code(), Some(3), "what was left out is found as before");
}

#[test]
fn what_is_no_baseline_is_an_error_that_names_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let write = |name: &str, text: &[u8]| std::fs::write(path(name), text).unwrap();
    write("empty.json", b"");
    write("half.json", b"{\"apiVersion\": \"aksarc.dev/v1alpha1\", \"kind\": \"Base");
    write("other.yaml", b"apiVersion: v1\nkind: ConfigMap\n");
    write("binary.json", b"\xff\xfe\x00{");
    for name in ["empty.json", "half.json", "other.yaml", "binary.json", "missing.json"] {
        let file = path(name).display().to_string();
        for arguments in [
            vec!["baseline", "diff", &file, "--snapshot", "SNAPSHOT"],
            vec!["support-check", "--baseline", &file, "--snapshot", "SNAPSHOT"],
        ] {
            let snapshot = drifted();
            let arguments: Vec<&str> =
                arguments.into_iter().map(|word| if word == "SNAPSHOT" { &*snapshot } else { word }).collect();
            let output = run(&arguments);
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{name}: {stderr}");
            assert!(stderr.contains(name), "{name}: {stderr}");
        }
    }
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_and_nothing_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let nowhere = directory.path().join("no/such/directory/b.json").display().to_string();
    let output = run(&["baseline", "capture", "--snapshot", &drifted(), "-o", &nowhere]);
    assert_ne!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no/such/directory"));
    assert!(!Path::new(&nowhere).exists());
}
