//! The cluster, as a support request asks for it.

use aksarc_shared::verdict::report::v1::{AzureResourceV1, NodeVersionV1, ReportV1};

use super::item::{CaseItem, fact};
use crate::formats::words::{candidates, moment};
use crate::screen::report::summary::of_manifests;
use crate::screen::wording::counting;

/// Azure resource, platform, host, agents, versions, and when nodes were made.
pub(super) fn items(report: &ReportV1) -> Vec<CaseItem> {
    let cluster = &report.cluster;
    if of_manifests(report) {
        return vec![CaseItem::Remark("Manifests were judged, and no cluster.".to_owned())];
    }
    let mut items = vec![match &cluster.azure_resource {
        Some(AzureResourceV1 { id, source }) => fact("Azure resource id", format!("{id}, named by {source}")),
        None => CaseItem::NotKnown {
            label: "Azure resource id",
            ask: "No object that was read names it. Whoever has the Azure subscription",
            command: Some("az connectedk8s show --resource-group GROUP --name CLUSTER --query id --output tsv"),
        },
    }];
    items.push(fact(
        "Platform",
        format!("{}, known by: {}", candidates(report), report.policy.platform_evidence.join("; ")),
    ));
    items.push(match &report.policy.release {
        Some(release) => fact("Release of the host", format!("{release}, given with --platform-release")),
        None => CaseItem::NotKnown {
            label: "Build of the host",
            ask: "The administrator of the hosts, on a host",
            command: Some("Get-ComputerInfo -Property OsName, OsVersion, OsBuildNumber"),
        },
    });
    items.push(match &cluster.arc_agent_version {
        Some(version) => fact("Azure Arc agents", version),
        None => CaseItem::NotKnown {
            label: "Azure Arc agents",
            ask: "Whoever has the Azure subscription",
            command: Some(
                "az connectedk8s show --resource-group GROUP --name CLUSTER --query agentVersion --output tsv",
            ),
        },
    });
    items.push(match &*cluster.kubernetes_version {
        "" => CaseItem::NotKnown {
            label: "Kubernetes",
            ask: "The operators of the cluster",
            command: Some("kubectl version"),
        },
        version => fact("Kubernetes", version),
    });
    if report.input.nodes_read {
        items.push(fact("Nodes", cluster.nodes.to_string()));
    }
    items.extend(cluster.node_versions.iter().map(|version| fact("Nodes by version", of_version(version))));
    if let Some(created) = &cluster.created {
        items.push(fact("Cluster created", moment(created)));
    }
    if let Some(taken) = &report.input.taken {
        items.push(fact("Snapshot taken", moment(taken)));
    }
    if let Some(digest) = &report.input.digest {
        items.push(fact("SHA-256 of snapshot", &**digest));
    }
    if !cluster.node_versions.is_empty() {
        items.push(CaseItem::Remark(
            "An upgrade makes nodes anew: when the nodes of a version were created shows when it was.".to_owned(),
        ));
    }
    items
}

fn of_version(version: &NodeVersionV1) -> String {
    let nodes = counting(version.nodes, "node");
    match (&version.first_created, &version.last_created) {
        (Some(first), Some(last)) if first == last => {
            format!("{}: {nodes}, created {}", version.version, moment(first))
        }
        (Some(first), Some(last)) => {
            format!("{}: {nodes}, created from {} to {}", version.version, moment(first), moment(last))
        }
        _ => format!("{}: {nodes}", version.version),
    }
}
