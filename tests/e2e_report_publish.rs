//! `report publish` on a real API server: with its roles alone it writes its two objects, and without them it names the
//! missing right.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::path::PathBuf;
use std::time::Duration;

use aksarc_tests::{ControlPlane, Finished, Identity, Kubernetes, open_reports, product, root, wait};
use serde_json::{Value, json};

#[test]
fn a_result_is_published_with_its_two_roles_and_nothing_else() {
    let cluster = ControlPlane::start(Kubernetes::NEWEST).unwrap();
    let publisher = Identity::user("report-publisher");
    let result = result(&cluster, "drifted", &[]);
    let publish = |more: &[&str]| {
        plugin(&cluster, &publisher, &[&["report", "publish", result.to_str().unwrap()], more].concat())
    };

    // Without rights.
    let refused = publish(&[]);
    assert_eq!(refused.code, Some(1), "{}{}", refused.stdout, refused.stderr);
    for words in [
        "cannot publish configmaps aksarc-result in the namespace aksarc-system: the server answered 403 Forbidden: ",
        "cannot patch resource \"configmaps\"",
        "report publish --print-role` prints; bind both",
        "Published was nothing",
    ] {
        assert!(refused.stderr.contains(words), "{words} in {}", refused.stderr);
    }

    // With the generated roles, which have the rights to two objects by name.
    let roles = std::fs::read_to_string(root().join("deploy/publisher.yaml")).unwrap();
    assert_eq!(plugin(&cluster, &publisher, &["report", "publish", "--print-role"]).succeeded().unwrap(), roles);
    let admin = |words: &[&str]| cluster.kubectl(&Identity::Admin, words.to_vec()).unwrap();
    admin(&["create", "namespace", "aksarc-system"]).succeeded().unwrap();
    cluster.kubectl_with(&Identity::Admin, ["apply", "-f", "-"], &roles).unwrap().succeeded().unwrap();
    let user = format!("--user={}", publisher.username());
    admin(&["create", "clusterrolebinding", "aksarc-publisher", "--clusterrole=aksarc-publisher", &user])
        .succeeded()
        .unwrap();
    let bind = ["-n", "aksarc-system", "create", "rolebinding", "aksarc-publisher", "--role=aksarc-publisher", &user];
    admin(&bind).succeeded().unwrap();

    // Without the definitions the ConfigMap is published alone.
    let alone = wait::until("the rights", LIMIT, || {
        let finished = publish(&[]);
        if finished.code == Some(0) { Ok(finished) } else { Err(finished.stderr) }
    })
    .unwrap();
    assert!(alone.stdout.ends_with("\npublished: configmap/aksarc-result in aksarc-system\n"), "{}", alone.stdout);
    assert!(alone.stderr.contains("note: there is no ClusterReport, since the cluster lacks"), "{}", alone.stderr);

    let chart = open_reports::chart().unwrap();
    let install = ["install", "openreports", chart.to_str().unwrap()];
    cluster.helm(&Identity::Admin, install).unwrap().succeeded().unwrap();
    let told = wait::until("the definitions", LIMIT, || {
        let finished = publish(&[]);
        if finished.stderr.is_empty() { Ok(finished.stdout) } else { Err(finished.stderr) }
    })
    .unwrap();
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].starts_with("verdict: outside (at-risk "), "{told}");
    let last = "published: configmap/aksarc-result in aksarc-system, and clusterreport.openreports.io/aksarc";
    assert_eq!(lines[1..], [last]);
    let report = get(&cluster, REPORT);
    let counts = (&report["summary"]["fail"], report["results"].as_array().unwrap().len());
    assert_eq!(counts.0, 11, "{report}");
    assert!(counts.1 > 11, "{report}");
    let map = get(&cluster, MAP);
    let kept: Value = serde_json::from_str(map["data"]["result.json"].as_str().unwrap()).unwrap();
    let saved: Value = serde_json::from_str(&std::fs::read_to_string(&result).unwrap()).unwrap();
    assert_eq!((kept, &map["data"]["verdict"]), (saved, &json!("outside")));
    // The format prints the same object, and publishing it again changes neither.
    let printed = plugin(&cluster, &publisher, &["report", result.to_str().unwrap(), "-o", "openreports"]);
    let printed: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!((&report["results"], &report["summary"]), (&printed["results"], &printed["summary"]));
    publish(&[]).succeeded().unwrap();
    for (path, before) in [(REPORT, &report), (MAP, &map)] {
        assert_eq!(get(&cluster, path)["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"], "{path}");
    }
    // This program owns the fields, and a later result replaces an earlier one as a whole.
    let managers = report["metadata"]["managedFields"].as_array().unwrap();
    assert!(
        matches!(&managers[..], [one] if one["manager"] == "kubectl-aksarc" && one["operation"] == "Apply"),
        "{report}"
    );
    let healthy = self::result(&cluster, "healthy-azure-local", &["--platform", "azure-local"]);
    plugin(&cluster, &publisher, &["report", "publish", healthy.to_str().unwrap()]).succeeded().unwrap();
    let report = get(&cluster, REPORT);
    assert_eq!((&report["summary"]["fail"], get(&cluster, MAP)["data"]["exitCode"].clone()), (&json!(0), json!("0")));

    // The rights do not cover another namespace, nor one that does not exist.
    let elsewhere = publish(&["--namespace", "default"]);
    assert_eq!(elsewhere.code, Some(1));
    let words = "Published was nothing";
    assert!(elsewhere.stderr.contains("403 Forbidden") && elsewhere.stderr.contains(words), "{}", elsewhere.stderr);
    let missing = ["report", "publish", result.to_str().unwrap(), "--namespace", "nowhere"];
    let missing = plugin(&cluster, &Identity::Admin, &missing);
    assert!(missing.stderr.contains("create the namespace, or name another one"), "{}", missing.stderr);
    // They cover nothing else.
    let client = cluster.http(&publisher).unwrap();
    for path in [REPORT, MAP, "/api/v1/namespaces/aksarc-system/configmaps"] {
        assert_eq!(client.get(path).unwrap().code, 403, "{path}");
    }
    let other = REPORT.replace("aksarc", "other");
    let body = json!({"apiVersion": "openreports.io/v1alpha1", "kind": "ClusterReport", "metadata": {"name": "other"}});
    let collection = REPORT.trim_end_matches("/aksarc");
    assert_eq!(client.post(collection, &body).unwrap().code, 403);
    assert_eq!(client.delete(&other).unwrap().code, 403);
    assert_eq!(client.delete(REPORT).unwrap().code, 403);
}

#[test]
fn a_result_of_manifests_is_not_published() {
    let directory = tempfile::tempdir().unwrap();
    let manifest = directory.path().join("m.yaml");
    std::fs::write(&manifest, "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n").unwrap();
    let path = directory.path().join("result.json");
    let run = |words: &[&str]| {
        let mut command = std::process::Command::new(product::plugin().unwrap());
        command.env_clear().env("LC_ALL", "C.UTF-8").args(words);
        Finished::run(&mut command, None).unwrap()
    };
    let output = format!("json={}", path.display());
    run(&["support-check", "-f", manifest.to_str().unwrap(), "-o", &output]).succeeded().unwrap();
    let refused = run(&["report", "publish", path.to_str().unwrap()]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("is a result of manifests, which says nothing of a cluster"), "{}", refused.stderr);
}

/// The result of a check of a sample, as a file.
fn result(cluster: &ControlPlane, sample: &str, more: &[&str]) -> PathBuf {
    let path = cluster.directory().join(format!("{sample}.json"));
    let snapshot = root().join("tests/clusters").join(sample);
    let output = format!("json={}", path.display());
    let words = ["support-check", "--snapshot", snapshot.to_str().unwrap(), "--as-of", "2026-12-01", "-o", &output];
    let finished = plugin(cluster, &Identity::Person, &[&words[..], more].concat());
    assert!(matches!(finished.code, Some(0 | 3)), "{}", finished.stderr);
    path
}

fn get(cluster: &ControlPlane, path: &str) -> Value {
    cluster.http(&Identity::Admin).unwrap().get(path).unwrap().object().unwrap()
}

fn plugin(cluster: &ControlPlane, identity: &Identity, arguments: &[&str]) -> Finished {
    let mut command = cluster.command(identity, &product::plugin().unwrap()).unwrap();
    Finished::run(command.args(arguments), None).unwrap()
}

const REPORT: &str = "/apis/openreports.io/v1alpha1/clusterreports/aksarc";
const MAP: &str = "/api/v1/namespaces/aksarc-system/configmaps/aksarc-result";
const LIMIT: Duration = Duration::from_secs(30);
