//! The programs that only tests of `.ci/long` run: each is the version that it should be.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use aksarc_tests::{ControlPlane, Identity, Kubernetes};

#[test]
fn every_api_server_reports_its_version() {
    for kubernetes in Kubernetes::ALL {
        let cluster = ControlPlane::start(kubernetes).unwrap();
        let version = cluster.http(&Identity::Person).unwrap().get("/version").unwrap().object().unwrap();
        assert_eq!(version["gitVersion"], kubernetes.git_version());
        assert_eq!(version["minor"], kubernetes.minor());
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
    assert_eq!(data(), serde_json::json!({"helm": "v3.22.0", "minor": "28+"}));
    cluster.helm(&Identity::Person, ["upgrade", "shop", chart]).unwrap().succeeded().unwrap();
    assert_eq!(data(), serde_json::json!({"helm": "v4.3.1", "minor": "28+"}));
}
