//! What the rules about node pools share: which nodes are compared with which, and whether an upgrade explains what differs.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::finding::{Draft, ObjectRef};
use crate::inventory::{Inventory, NodeFact};
use crate::kinds;
use crate::rule::Context;
use crate::rules::aa401;

/// The platform's nodes by pool, the control plane's as one; foreign nodes (AA401) and virtual kubelets are left out.
///
/// # Errors
/// Why no node can be judged, although there are some.
pub(super) fn nodes<'i>(
    inventory: &'i Inventory,
    context: &Context<'_>,
) -> Result<BTreeMap<&'i str, Vec<&'i NodeFact>>, String> {
    let mut pools: BTreeMap<&str, Vec<&NodeFact>> = BTreeMap::new();
    let machines = || inventory.nodes.iter().filter(|node| !node.virtual_kubelet);
    for node in machines().filter(|node| !aa401::platform_signs(node, context.data).is_empty()) {
        pools.entry(&node.pool).or_default().push(node);
    }
    if pools.is_empty() && machines().next().is_some() {
        return Err("no node looks like one of AKS Arc".to_owned());
    }
    Ok(pools)
}

/// As [`nodes`], without nodes that name no pool: they have no peers to differ from.
pub(super) fn peers<'i>(
    inventory: &'i Inventory,
    context: &Context<'_>,
) -> Result<BTreeMap<&'i str, Vec<&'i NodeFact>>, String> {
    let mut pools = nodes(inventory, context)?;
    pools.retain(|pool, members| !pool.starts_with('(') && members.len() > 1);
    Ok(pools)
}

/// Whether an upgrade of these nodes is under way: Cluster API marks the old ones, each is cordoned before it goes, and the
/// new ones are young. Where not all nodes were read, one that was not may show it.
pub(super) fn is_upgrading(members: &[&NodeFact], context: &Context<'_>) -> bool {
    let now = context.now;
    context.unread(&[&kinds::NODE]).is_some()
        || members.iter().any(|node| {
            let marked = node.taints.iter().any(|taint| taint.starts_with(OUTDATED));
            let created = node.created.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
            node.unschedulable || marked || created.is_some_and(|time| now.as_second() - time.as_second() < DAY)
        })
}

/// A finding on what members of a pool differ in: what most of them have against the others, or all values where none
/// prevails. `None` where all agree.
pub(super) fn differing(pool: &str, path: &str, what: &str, values: &BTreeMap<String, Vec<&str>>) -> Option<Draft> {
    if values.len() < 2 {
        return None;
    }
    let mut by_count: Vec<(&String, &Vec<&str>)> = values.iter().collect();
    by_count.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
    let (usual, others) = by_count.split_first()?;
    let prevails = others.first().is_some_and(|next| next.1.len() < usual.1.len());
    let odd = if prevails { others } else { &by_count };
    let told: Vec<String> = odd.iter().map(|(value, names)| format!("{value} on {}", few(names))).collect();
    let mut draft = Draft::at(ObjectRef::pool(pool), path)
        .values(prevails.then_some(&**usual.0), Some(&told.join("; ")))
        .says(format!("nodes of pool {pool} differ in {what}, and no upgrade is under way"));
    for name in odd.iter().flat_map(|(_, names)| names.iter()) {
        draft = draft.member(name);
    }
    draft.members.sort();
    Some(draft)
}

/// `moc-l1, moc-l2 and 3 more`.
pub(super) fn few(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [one, two] => format!("{one}, {two}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} more", rest.len()),
    }
}

/// Cluster API puts it on nodes of an old revision (kubernetes-sigs/cluster-api, 2026-08).
const OUTDATED: &str = "node.cluster.x-k8s.io/outdated-revision";

/// Seconds. A pool of the largest size is replaced within hours.
const DAY: i64 = 24 * 60 * 60;
