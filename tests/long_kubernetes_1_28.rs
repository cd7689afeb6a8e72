//! The tests that want Kubernetes 1.28, for `.ci/long`: the sample cluster on Windows Server, and the proofs that start
//! from it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use aksarc_tests::{Finished, Identity, Kubernetes, Shared, product, proofs, samples, seen};
use serde_json::Value;

/// No test changes it.
static HEALTHY: Shared = Shared::new(|| samples::start("healthy-windows-server").unwrap());

#[test]
fn the_healthy_cluster_on_windows_server_has_a_windows_pool() {
    let cluster = HEALTHY.lease();
    let nodes = seen::items(&cluster, "/api/v1/nodes").unwrap();
    let windows = nodes.iter().filter(|node| {
        node["metadata"]["labels"]["kubernetes.io/os"] == "windows"
            && node["status"]["nodeInfo"]["operatingSystem"] == "windows"
    });
    assert_eq!((nodes.len(), windows.count()), (5, 2));
    for node in &nodes {
        assert_eq!(node["status"]["nodeInfo"]["kubeletVersion"], "v1.28.5");
        assert_eq!(seen::person(node), None, "{}", seen::name(node));
    }
    let path = "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy-windows";
    assert_eq!(seen::object(&cluster, path).unwrap()["status"]["numberReady"], 2);
    seen::pods_run(&cluster).unwrap();
}

#[test]
fn the_healthy_cluster_is_within_the_policy_of_its_time() {
    let cluster = HEALTHY.lease();
    let mut command = cluster.command(&Identity::Person, &product::plugin().unwrap()).unwrap();
    command.args(["support-check", "-o", "json", "--platform", "windows-server", "--as-of", "2024-12-01"]);
    let finished = Finished::run(&mut command, None).unwrap();
    assert_eq!(finished.code, Some(0), "{}{}", finished.stdout, finished.stderr);
    let report: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(report["verdict"], "within");
    for weight in ["voids", "at-risk", "not-covered", "unknown", "waived"] {
        assert_eq!(report["summary"][weight], 0, "{weight}: {}", report["findings"]);
    }
    assert_eq!(report["cluster"]["kubernetesVersion"], cluster.kubernetes().git_version());
    seen::only_read(&cluster, &Identity::Person).unwrap();
}

/// The guard is installed on it as well, by its shipped manifest.
#[test]
fn every_rule_of_this_version_is_proved() {
    proofs::assert(Kubernetes::V1_28);
}
