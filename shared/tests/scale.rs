//! The limits of a cluster's size at their edges, which are too large for an example on a page.

use aksarc_shared::data::{Platform, embedded};
use aksarc_shared::facts::inventory::ReadState;
use aksarc_shared::k8s::kinds;
use aksarc_shared::k8s::read::json;
use aksarc_shared::verdict::check::{Check, Params};
use aksarc_shared::verdict::report::ToolVersion;

enum Until {
    TheEnd,
    HereOnly,
}

/// The findings of AA905 on Azure Local for so many agent nodes in each pool, beside so many of the control plane.
fn found(pools: &[usize], masters: usize, until: &Until) -> Vec<String> {
    let params = Params {
        platform: Some(Platform::AzureLocal),
        ..Params::at("2026-06-01T00:00:00Z".parse().expect("a moment"))
    };
    let mut check = Check::new(embedded(), params);
    let mut nodes = Vec::new();
    for (pool, count) in pools.iter().enumerate() {
        nodes.extend((0..*count).map(|node| {
            format!(r#"{{"metadata":{{"name":"l{pool}-{node}","labels":{{"msft.microsoft/nodepool-name":"edge-pool{pool}"}}}},"spec":{{"providerID":"moc://edge-pool{pool}-md-x-{node}"}}}}"#)
        }));
    }
    nodes.extend((0..masters).map(|node| {
        format!(r#"{{"metadata":{{"name":"c{node}","labels":{{"node-role.kubernetes.io/control-plane":""}}}},"spec":{{"providerID":"moc://edge-control-plane-{node}"}}}}"#)
    }));
    for key in check.plan_first() {
        if key.kind != &kinds::NODE {
            check.not_read(key, ReadState::Forbidden);
            continue;
        }
        let mut segment = check.segment(&key);
        for node in &nodes {
            segment.object(&json::object(node.as_bytes()).expect("a node"));
        }
        match until {
            Until::TheEnd => check.complete(segment),
            Until::HereOnly => check.cut_short(segment, "the connection ended".to_owned()),
        }
    }
    let report = check.finish(ToolVersion::default(), "", "").expect("an AKS Arc cluster");
    let own = report.findings.into_iter().filter(|finding| finding.code == "AA905");
    own.map(|finding| finding.path.to_string()).collect()
}

#[test]
fn a_cluster_of_the_largest_size_passes_and_one_more_node_or_pool_does_not() {
    let nothing: [&str; 0] = [];
    assert_eq!(found(&[64, 64, 64, 5], 3, &Until::TheEnd), nothing);
    assert_eq!(found(&[64, 64, 64, 6], 3, &Until::TheEnd), ["nodes"]);
    assert_eq!(found(&[65], 1, &Until::TheEnd), ["nodePools[edge-pool0].nodes"]);
    assert_eq!(found(&[1; 16], 5, &Until::TheEnd), nothing);
    assert_eq!(found(&[1; 17], 5, &Until::TheEnd), ["nodePools"]);
}

#[test]
fn a_part_of_the_nodes_shows_what_is_too_many_and_not_what_is_too_few() {
    assert_eq!(found(&[1], 2, &Until::TheEnd), ["controlPlane.nodes"]);
    let nothing: [&str; 0] = [];
    assert_eq!(found(&[1], 2, &Until::HereOnly), nothing);
    assert_eq!(found(&[65], 2, &Until::HereOnly), ["nodePools[edge-pool0].nodes"]);
}
