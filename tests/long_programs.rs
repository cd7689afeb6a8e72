//! The programs that only tests of `.ci/long` run: each is the version that it should be.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::time::Duration;

use aksarc_tests::kubelet::Kubelet;
use aksarc_tests::{ControlPlane, Identity, Kubernetes};
use serde_json::json;

#[test]
fn every_control_plane_reports_its_version_and_runs_pods() {
    for kubernetes in Kubernetes::ALL {
        let cluster = ControlPlane::builder(kubernetes).controller_manager().pods().start().unwrap();
        let http = cluster.http(&Identity::Admin).unwrap();
        let version = http.get("/version").unwrap().object().unwrap();
        assert_eq!(version["gitVersion"], kubernetes.git_version());
        assert_eq!(version["minor"], kubernetes.minor());
        let _kubelet = Kubelet::start(&cluster, "default").unwrap();
        let container = json!({"name": "it", "image": "kubectl-aksarc", "args": ["version"]});
        let pod = json!({"spec": {"restartPolicy": "Never", "containers": [container]}});
        let job =
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "it"}, "spec": {"template": pod}});
        http.post("/apis/batch/v1/namespaces/default/jobs", &job).unwrap().object().unwrap();
        let path = "/apis/batch/v1/namespaces/default/jobs/it";
        cluster.object_when(path, LIMIT, |job| job["status"]["succeeded"] == 1).unwrap();
    }
}

#[test]
fn a_release_of_helm_3_is_upgraded_by_helm_4() {
    let cluster = ControlPlane::start(Kubernetes::V1_28Vendor).unwrap();
    let chart = cluster.directory().join("chart");
    std::fs::create_dir_all(chart.join("templates")).unwrap();
    std::fs::write(chart.join("Chart.yaml"), "{apiVersion: v2, name: shop, version: 1.0.0}").unwrap();
    let template = "{apiVersion: v1, kind: ConfigMap, metadata: {name: shop}, data: {helm: \
         '{{.Capabilities.HelmVersion.Version}}', minor: '{{.Capabilities.KubeVersion.Minor}}'}}";
    std::fs::write(chart.join("templates/map.yaml"), template).unwrap();
    let chart = chart.to_str().unwrap();
    let data = || {
        let map = cluster.http(&Identity::Admin).unwrap().get("/api/v1/namespaces/default/configmaps/shop").unwrap();
        map.object().unwrap()["data"].clone()
    };
    cluster.helm_3(&Identity::Person, ["install", "shop", chart]).unwrap().succeeded().unwrap();
    assert_eq!(data(), json!({"helm": "v3.22.0", "minor": "28+"}));
    cluster.helm(&Identity::Person, ["upgrade", "shop", chart]).unwrap().succeeded().unwrap();
    assert_eq!(data(), json!({"helm": "v4.3.1", "minor": "28+"}));
}

const LIMIT: Duration = Duration::from_secs(90);
