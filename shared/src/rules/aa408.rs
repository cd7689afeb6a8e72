//! AA408: a pool's number of nodes differs from its record.

use std::collections::BTreeMap;

use crate::data::Platform;
use crate::facts::baseline::Comparison;
use crate::facts::inventory::{Inventory, MachineFact, NodeFact, is_untold};
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::rules::parts::node_metadata::pool_name;
use crate::rules::parts::{pools, ways};
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA408"),
    slug: "node-count-differs",
    summary: "a pool's number of nodes differs from its recorded machines",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C10")],
    platforms: &[Platform::WindowsServer, Platform::Hci22h2, Platform::AzureLocal],
    reads: &[Read { kind: &kinds::NODE, scope: Scope::Cluster }, Read { kind: &kinds::MACHINE, scope: Scope::Cluster }],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "add and remove nodes by scaling their pool",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck = StateCheck { per_object: None, per_cluster: Some(per_cluster), deadlines: None };

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    // Nodes that were not read may still exist.
    if let Some(why) = context.unread(&[&kinds::NODE, &kinds::MACHINE]) {
        return Verdict::Unknown(why.to_owned());
    }
    let pools = match pools::nodes(inventory, context) {
        Ok(pools) => pools,
        Err(why) => return Verdict::Unknown(why),
    };
    let Some(machines) = own_machines(inventory) else {
        if let Some(baseline) = &context.baseline {
            return Verdict::Found(since_baseline(baseline));
        }
        return Verdict::NotObservable(
            "this cluster does not hold the Cluster API machines of its own nodes, and nothing else records how many a pool has"
                .to_owned(),
        );
    };
    let record = match by_pool(&machines) {
        Ok(record) => record,
        Err(why) => return Verdict::Unknown(why),
    };
    let names = pools.keys().copied().chain(record.keys().copied());
    let names: std::collections::BTreeSet<&str> = names.filter(|pool| !is_untold(pool)).collect();
    let drafts = names.into_iter().filter_map(|pool| {
        let nodes = pools.get(pool).map_or(&[][..], Vec::as_slice);
        let machines = record.get(pool).map_or(&[][..], Vec::as_slice);
        differs(pool, nodes, machines)
    });
    Verdict::Found(drafts.collect())
}

/// Drafts on pools whose number of nodes differs from the baseline. Scaling a pool is lawful, so they inform: the
/// operators know whether anybody scaled it.
fn since_baseline(baseline: &Comparison<'_>) -> Vec<Draft> {
    let differing = baseline.pools().into_iter().filter(|(pool, (then, now))| then != now && !is_untold(pool));
    let drafts = differing.map(|(pool, (then, now))| {
        Draft::at(ObjectRef::pool(pool), "nodeCount")
            .values(Some(&then.to_string()), Some(&now.to_string()))
            .says(format!("pool {pool} has {now} nodes, and had {then} in the baseline"))
            .with(baseline.evidence(&format!("{then} nodes")))
            .lighter(Consequence::Info)
    });
    drafts.collect()
}

/// The Machines of this cluster, if the cluster holds those of its own nodes.
fn own_machines(inventory: &Inventory) -> Option<Vec<&MachineFact>> {
    let is_here = |machine: &MachineFact| {
        machine.node.as_deref().is_some_and(|name| inventory.nodes.iter().any(|node| node.name == name))
    };
    let cluster = &inventory.machines.iter().find(|machine| is_here(machine))?.cluster;
    Some(inventory.machines.iter().filter(|machine| machine.cluster == *cluster).collect())
}

/// The Machines by pool; an error if one names no pool: it could be of any, and no pool could be counted.
fn by_pool<'i>(machines: &[&'i MachineFact]) -> Result<BTreeMap<&'i str, Vec<&'i MachineFact>>, String> {
    let mut pools: BTreeMap<&str, Vec<&MachineFact>> = BTreeMap::new();
    for &machine in machines {
        let pool = machine.pool.as_deref();
        let pool = pool.ok_or_else(|| format!("machine {} names no pool, so pools cannot be counted", machine.name))?;
        pools.entry(pool).or_default().push(machine);
    }
    Ok(pools)
}

/// A draft on a pool with more or fewer nodes than Machines. A Machine whose node was deleted is AA208's, and while
/// Machines come and go no number is right.
fn differs(pool: &str, nodes: &[&NodeFact], machines: &[&MachineFact]) -> Option<Draft> {
    if machines.iter().any(|machine| machine.deleting || machine.phase != "Running") {
        return None;
    }
    let has_machine = |node: &NodeFact| machines.iter().any(|machine| machine.node.as_deref() == Some(&*node.name));
    let lone: Vec<&str> = nodes.iter().filter(|node| !has_machine(node)).map(|node| &*node.name).collect();
    let silent: Vec<&str> =
        machines.iter().filter(|machine| machine.node.is_none()).map(|machine| &*machine.name).collect();
    if lone.len() == silent.len() {
        return None;
    }
    let named = |what: &str, names: &[&str]| {
        if names.is_empty() { String::new() } else { format!("; {what}: {}", pools::few(names)) }
    };
    let detail = format!("{}{}", named("nodes without a machine", &lone), named("machines without a node", &silent));
    let mut draft = Draft::at(ObjectRef::pool(pool), "nodeCount")
        .values(Some(&machines.len().to_string()), Some(&nodes.len().to_string()))
        .says(format!("pool {pool} has {} nodes and {} machines", nodes.len(), machines.len()))
        .with(Evidence::seen("machines", format!("all machines of the pool run{detail}")));
    for name in &lone {
        draft = draft.member(name);
    }
    let Some(name) = pool_name(pool) else { return Some(draft) };
    let count = machines.len();
    Some(draft.fix(ways::pool("scale", name).word("--node-count").word(&count.to_string())))
}
