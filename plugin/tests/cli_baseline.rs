//! `baseline` with bad files: each is an error that names the file, and nothing is written.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

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
    // Fields that people have changed are not recorded as known good, and a note says so.
    assert!(String::from_utf8_lossy(&captured.stderr).contains("left out, because a person's hand shows on it"));
    let compared = run(&["baseline", "diff", &file, "--snapshot", &drifted()]);
    assert!(String::from_utf8_lossy(&compared.stdout).starts_with("as recorded on"));
    assert_eq!(compared.status.code(), Some(0));
    let checked = run(&["support-check", "--snapshot", &drifted(), "--baseline", &file, "--platform", "azure-local"]);
    assert_eq!(checked.status.code(), Some(3), "what was left out is found as before");
}

/// A snapshot whose lists of `kinds` are marked as forbidden.
fn without(kinds: &[(&str, &str)], into: &Path) {
    let mut pending = vec![Path::new(&drifted()).to_owned()];
    while let Some(directory) = pending.pop() {
        let inside = into.join(directory.strip_prefix(drifted()).unwrap());
        std::fs::create_dir_all(&inside).unwrap();
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                pending.push(path);
            } else if !kinds.iter().any(|(_, resource)| name.starts_with(&format!("{resource}."))) {
                std::fs::copy(&path, inside.join(name)).unwrap();
            }
        }
    }
    let index = into.join("index.json");
    let mut told: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&index).unwrap()).unwrap();
    for list in told["lists"].as_array_mut().unwrap() {
        if kinds.iter().any(|(kind, _)| list["kind"] == *kind) {
            list["state"] = "forbidden".into();
            list["objects"] = 0.into();
            list["files"] = serde_json::json!([]);
        }
    }
    std::fs::write(index, told.to_string()).unwrap();
}

#[test]
fn objects_of_unread_lists_count_neither_as_gone_nor_as_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("b.json").display().to_string();
    assert!(run(&["baseline", "capture", "--snapshot", &drifted(), "-o", &file]).status.success());
    let partial = directory.path().join("partial");
    without(&[("Node", "nodes"), ("Deployment", "deployments")], &partial);
    let partial = partial.display().to_string();
    let table = run(&["baseline", "diff", &file, "--snapshot", &partial]);
    let (screen, stderr) = (String::from_utf8_lossy(&table.stdout), String::from_utf8_lossy(&table.stderr));
    assert_eq!(table.status.code(), Some(5), "{screen}{stderr}");
    for gap in ["not compared: needs list nodes, which is forbidden\n", "list deployments.apps"] {
        assert!(screen.contains(gap), "{screen}");
    }
    let index = std::fs::read_to_string(format!("{}/index.json", drifted())).unwrap();
    let index: serde_json::Value = serde_json::from_str(&index).unwrap();
    let taken = index["takenAt"].as_str().unwrap();
    assert!(screen.ends_with(&format!("what was read is as recorded on {taken}\n")), "{screen}");
    let json = run(&["baseline", "diff", &file, "--snapshot", &partial, "-o", "json"]);
    assert_eq!(json.status.code(), Some(5));
    let told: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(told["notRead"].as_array().unwrap().len(), 2, "{told}");
    assert_eq!(told["items"], serde_json::json!([]), "nothing that was read differs");
    // An object that was read and is gone is still reported: the other snapshot's baseline holds more.
    let mut more: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let record = serde_json::json!({"uid": "u", "step": "table", "content": {}});
    for key in ["kube-system/daemonsets.apps/gone", "kube-system/deployments.apps/unknown"] {
        more["objects"][key] = record.clone();
    }
    std::fs::write(&file, more.to_string()).unwrap();
    let json = run(&["baseline", "diff", &file, "--snapshot", &partial, "-o", "json"]);
    assert_eq!(json.status.code(), Some(1), "a difference that is known goes before a gap");
    let told: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let gone: Vec<_> = told["items"].as_array().unwrap().iter().map(|item| &item["object"]).collect();
    assert_eq!(gone, ["kube-system/daemonsets.apps/gone"]);
    // A list that no baseline holds an object of is no gap in one.
    let pods = directory.path().join("pods");
    without(&[("Pod", "pods")], &pods);
    let whole = run(&["baseline", "diff", &file, "--snapshot", &pods.display().to_string()]);
    assert_eq!(whole.status.code(), Some(1), "{}", String::from_utf8_lossy(&whole.stderr));
    assert!(!String::from_utf8_lossy(&whole.stdout).contains("not compared"));
}

#[test]
fn a_baseline_that_lacks_a_list_says_which_and_is_no_success() {
    let directory = tempfile::tempdir().unwrap();
    let partial = directory.path().join("partial");
    without(&[("Deployment", "deployments")], &partial);
    let (partial, file) = (partial.display().to_string(), directory.path().join("b.json").display().to_string());
    let captured = run(&["baseline", "capture", "--snapshot", &partial, "-o", &file]);
    let stderr = String::from_utf8_lossy(&captured.stderr).into_owned();
    assert_eq!(captured.status.code(), Some(5), "{stderr}");
    let lines: Vec<&str> = stderr.lines().filter(|line| line.contains("not recorded")).collect();
    assert!(lines.len() == 1 && lines[0].contains("you may not read deployments.apps"), "{stderr}");
    let allowed = run(&["baseline", "capture", "--snapshot", &partial, "-o", &file, "--allow-incomplete"]);
    assert_eq!(allowed.status.code(), Some(0));
}

#[test]
fn a_comparison_that_fails_is_no_difference() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("b.json").display().to_string();
    assert!(run(&["baseline", "capture", "--snapshot", &drifted(), "-o", &file]).status.success());
    // Nobody listens there.
    let failed = run(&["baseline", "diff", &file, "--server", "http://127.0.0.1:1"]);
    let stderr = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert_eq!(failed.status.code(), Some(2), "{stderr}");
    let help = run(&["baseline", "diff", "--help"]);
    assert!(String::from_utf8_lossy(&help.stdout).contains("1 something differs"));
}

#[test]
fn names_and_contexts_are_shown_not_sent() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("b.json").display().to_string();
    let snapshot = directory.path().join("s");
    without(&[], &snapshot);
    // No API server accepts such a name; a snapshot may hold anything.
    let nodes = snapshot.join("nodes.json");
    let text = std::fs::read_to_string(&nodes).unwrap();
    let name = "moc-l1\\r\\nerror: forged \\u202e";
    let text = text
        .replace("\"name\": \"moc-l", &format!("\"name\": \"{name}"))
        .replace("\"name\":\"moc-l", &format!("\"name\":\"{name}"));
    assert!(text.contains("forged"));
    std::fs::write(&nodes, text).unwrap();
    let snapshot = snapshot.display().to_string();
    let captured = run(&["baseline", "capture", "--snapshot", &snapshot, "-o", &file]);
    let stderr = String::from_utf8_lossy(&captured.stderr).into_owned();
    assert!(captured.status.success() && stderr.contains("forged"), "{stderr}");
    assert!(!stderr.contains(['\r', '\u{202e}']) && stderr.lines().count() == 1, "{stderr:?}");
    let mut other: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    other["cluster"] = "another".into();
    other["context"] = "a\r\nerror: forged \u{202e}".into();
    std::fs::write(&file, other.to_string()).unwrap();
    let compared = run(&["baseline", "diff", &file, "--snapshot", &snapshot]);
    let stderr = String::from_utf8_lossy(&compared.stderr).into_owned();
    assert_eq!(compared.status.code(), Some(2), "{stderr}");
    assert!(!stderr.contains(['\r', '\u{202e}']) && stderr.lines().count() == 1, "{stderr:?}");
}

#[test]
fn a_file_that_is_no_baseline_is_an_error_that_names_it() {
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
