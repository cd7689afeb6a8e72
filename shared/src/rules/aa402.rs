//! AA402: members of one pool differ in version, operating system or runtime, although no upgrade explains it.

use std::collections::BTreeMap;

use crate::data::Platform;
use crate::facts::inventory::{Inventory, NodeFact};
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence};
use crate::k8s::kinds;
use crate::rules::parts::pools::{self, PoolDifference};
use crate::rules::parts::ways;
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA402"),
    slug: "pool-drift",
    summary: "nodes of one pool differ in version, operating system or runtime outside an upgrade",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Operational),
    clauses: &[Clause::new("C22")],
    platforms: &[Platform::WindowsServer, Platform::Hci22h2, Platform::AzureLocal],
    reads: &[Read { kind: &kinds::NODE, scope: Scope::Cluster }],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "finish the upgrade of the pool",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck = StateCheck { per_object: None, per_cluster: Some(per_cluster), deadlines: None };

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let (pools, open) = match pools::peers(inventory, context) {
        Ok(pools) => pools,
        Err(why) => return Verdict::Unknown(why),
    };
    let mut drafts = Vec::new();
    for (pool, members) in pools {
        let upgrading = pools::is_upgrading(&members, context);
        let differences = FIELDS.into_iter().filter_map(|(what, value)| {
            let values = values(&members, value);
            // An upgrade leads from one version to another; a third version is something else.
            if upgrading && values.len() <= 2 { None } else { PoolDifference::of(what, values) }
        });
        let differences: Vec<_> = differences.collect();
        let draft = pools::differing(pool, "status.nodeInfo", &differences);
        drafts.extend(draft.map(|draft| complete(draft, &members)));
    }
    match open {
        Some(why) => Verdict::FoundPartly(drafts, why),
        None => Verdict::Found(drafts),
    }
}

/// The reported values with the nodes that report them; a node that has not reported yet differs from nothing.
fn values<'i>(members: &[&'i NodeFact], value: fn(&NodeFact) -> &str) -> BTreeMap<String, Vec<&'i str>> {
    let mut values: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for node in members.iter().filter(|node| !value(node).is_empty()) {
        values.entry(value(node).to_owned()).or_default().push(&node.name);
    }
    values
}

fn complete(draft: Draft, members: &[&NodeFact]) -> Draft {
    let mut kernels: Vec<&str> = members.iter().map(|node| &*node.kernel).filter(|kernel| !kernel.is_empty()).collect();
    kernels.sort_unstable();
    kernels.dedup();
    let draft = draft.with(Evidence::seen(
        "nodes",
        format!(
            "{} nodes, none cordoned, marked outdated or younger than a day; kernels {}",
            members.len(),
            kernels.join(", ")
        ),
    ));
    draft.fixes(ways::upgrade())
}

type PoolField = (&'static str, fn(&NodeFact) -> &str);

/// The fields that all members of a pool share, since they are made from one image.
const FIELDS: [PoolField; 3] = [
    ("Kubernetes version", |node| &node.kubelet),
    ("operating system", |node| &node.os_image),
    ("container runtime", |node| &node.runtime),
];
