//! AA905: the cluster is larger than the platform's documents allow.

use std::collections::BTreeMap;

use crate::data::Platform;
use crate::data::limits::PlatformLimits;
use crate::data::tables;
use crate::facts::inventory::{Inventory, NodeFact};
use crate::finding::{Basis, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA905"),
    slug: "scale-limit-exceeded",
    summary: "the cluster's size is not supported by the platform's documents",
    consequence: Weight::Always(Consequence::NotCovered),
    basis: Grounds::By(|platform| match platform {
        Platform::BareMetal => Basis::Documented(&["P-BM"]),
        Platform::WindowsServer | Platform::Hci22h2 | Platform::AzureLocal => {
            Basis::Documented(&["scale-requirements"])
        }
    }),
    // The limit is one of the product's documents; no clause of the policy is about size.
    clauses: &[],
    platforms: &Platform::ALL,
    reads: &[Read { kind: &kinds::NODE, scope: Scope::Cluster }],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "spread the work over several clusters",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck = StateCheck { per_object: None, per_cluster: Some(per_cluster), deadlines: None };

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let Some(limits) = tables::limits().iter().find(|limits| limits.platform == context.platform) else {
        return Verdict::Found(Vec::new());
    };
    let nodes: Vec<&NodeFact> = inventory.nodes.iter().filter(|node| !node.virtual_kubelet).collect();
    let mut pools: BTreeMap<&str, usize> = BTreeMap::new();
    for node in nodes.iter().filter(|node| !node.control_plane && node.pool_label.is_some()) {
        *pools.entry(&node.pool).or_default() += 1;
    }
    let mut drafts = Vec::new();
    let mut above = |path: String, what: &str, count: usize, limit: Option<usize>| {
        if let Some(limit) = limit.filter(|limit| count > *limit) {
            drafts.push(draft(
                &path,
                &format!("{count} {what}, and at most {limit} are supported"),
                count,
                limits,
                limit,
            ));
        }
    };
    above("nodes".to_owned(), "nodes", nodes.len(), limits.nodes);
    above("nodePools".to_owned(), "node pools", pools.len(), limits.pools);
    for (pool, count) in &pools {
        above(format!("nodePools[{pool}].nodes"), &format!("nodes in pool {pool}"), *count, limits.nodes_per_pool);
    }
    let masters: Vec<&&NodeFact> = nodes.iter().filter(|node| node.control_plane).collect();
    let allowed = &limits.control_plane_nodes;
    // An upgrade runs with one more node until the old one is gone.
    let moving = masters.iter().any(|node| is_moving(node, context));
    if let Some(most) = allowed.iter().max()
        && !masters.is_empty()
        && !allowed.contains(&masters.len())
        && !moving
        // More nodes than allowed can be told from a part of the nodes; nothing else can.
        && context.unread(&[&kinds::NODE]).is_none()
    {
        let numbers: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        let message = format!("{} control-plane nodes, and {} are supported", masters.len(), numbers.join(", "));
        drafts.push(draft("controlPlane.nodes", &message, masters.len(), limits, *most));
    }
    Verdict::Found(drafts)
}

/// Whether a node is about to go or has just come.
fn is_moving(node: &NodeFact, context: &Context<'_>) -> bool {
    let created = node.created.as_deref().and_then(|time| time.parse::<jiff::Timestamp>().ok());
    let young = created.is_some_and(|created| context.now.duration_since(created) < A_DAY);
    young || node.unschedulable || node.taints.iter().any(|taint| taint.starts_with("node.cluster.x-k8s.io/"))
}

fn draft(path: &str, message: &str, count: usize, limits: &PlatformLimits, limit: usize) -> Draft {
    Draft::at(ObjectRef::cluster(), path)
        .values(Some(&limit.to_string()), Some(&count.to_string()))
        .says(message)
        .with(Evidence::seen("limits", format!("{} of {}", limits.source, limits.date)))
}

const A_DAY: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);
