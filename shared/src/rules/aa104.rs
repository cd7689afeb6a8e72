//! AA104: nodes run a kubelet whose minor is out of support.

use crate::data::Platform;
use crate::facts::inventory::Inventory;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, ObjectRef};
use crate::k8s::kinds;
use crate::k8s::version::Version;
use crate::rules::parts::{version_table, ways};
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA104"),
    slug: "node-version-unsupported",
    summary: "nodes of a pool run a Kubernetes minor that is out of support",
    consequence: Weight::Always(Consequence::Voids),
    basis: Grounds::Always(Basis::Explicit),
    clauses: &[Clause::new("C01"), Clause::new("C02")],
    platforms: &Platform::ALL,
    reads: &[Read { kind: &kinds::NODE, scope: Scope::Cluster }],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "upgrade the cluster",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck = StateCheck { per_object: None, per_cluster: Some(per_cluster), deadlines: None };

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let Some(table) = context.version_table() else {
        return Verdict::Unknown(format!("there is no version table for {}", context.platform.as_str()));
    };
    let mut drafts = Vec::new();
    let mut open = Vec::new();
    // A node that has not reported yet has no version, and the version of a virtual kubelet is not a machine's.
    for node in inventory.nodes.iter().filter(|node| !node.kubelet.is_empty() && !node.virtual_kubelet) {
        let Some(version) = Version::parse(&node.kubelet) else {
            open.push(format!("node {} reports {:?}, which is not a version", node.name, node.kubelet));
            continue;
        };
        match version_table::judge(table, version, context.as_of) {
            Ok(None) => {}
            Err(why) => open.push(why),
            Ok(Some(retired)) => {
                let path = format!("status.nodeInfo.kubeletVersion[{version}]");
                let mut draft = Draft::at(ObjectRef::pool(&node.pool), path)
                    .values(Some(&version_table::supported(table, context.as_of)), Some(&version.to_string()))
                    .says(format!("nodes of pool {} run Kubernetes {version}, out of support{retired}", node.pool))
                    .member(&node.name)
                    .with(version_table::evidence(table));
                draft = draft.fixes(ways::upgrade());
                drafts.push(draft);
            }
        }
    }
    open.sort();
    open.dedup();
    match open.into_iter().next() {
        Some(why) if drafts.is_empty() => Verdict::Unknown(why),
        Some(why) => Verdict::FoundPartly(drafts, why),
        None => Verdict::Found(drafts),
    }
}
