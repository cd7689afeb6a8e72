//! Node pools for several rules: the nodes to compare with each other, and whether an upgrade explains a difference.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::facts::inventory::{Inventory, NodeFact, is_untold};
use crate::finding::{Draft, ObjectRef};
use crate::k8s::kinds;
use crate::rules::parts::platform_signs;
use crate::rules::rule::Context;

/// Nodes by their pool.
pub(crate) type Pools<'i> = BTreeMap<&'i str, Vec<&'i NodeFact>>;

/// The platform's nodes by pool, with the control plane as one pool. Foreign nodes (AA401) and virtual kubelets are
/// left out.
///
/// # Errors
/// The reason why no node can be judged, although there are some.
pub(crate) fn nodes<'i>(inventory: &'i Inventory, context: &Context<'_>) -> Result<Pools<'i>, String> {
    let mut pools = Pools::new();
    let machines = || inventory.nodes.iter().filter(|node| !node.virtual_kubelet);
    for node in machines().filter(|node| !platform_signs::platform_signs(node, context.data).is_empty()) {
        pools.entry(&node.pool).or_default().push(node);
    }
    if pools.is_empty() && machines().next().is_some() {
        return Err("no node looks like one of AKS Arc".to_owned());
    }
    Ok(pools)
}

/// As [`nodes`], limited to pools with several members; and the reason why nodes without a known pool stay open, if
/// there are any: they may be peers of any node.
pub(crate) fn peers<'i>(
    inventory: &'i Inventory,
    context: &Context<'_>,
) -> Result<(Pools<'i>, Option<String>), String> {
    let mut pools = nodes(inventory, context)?;
    let untold = pools.iter().filter(|(pool, _)| is_untold(pool)).flat_map(|(_, members)| members);
    let names: Vec<&str> = untold.map(|node| &*node.name).collect();
    let open = (!names.is_empty()).then(|| format!("the node pool of {} is unknown", few(&names)));
    pools.retain(|pool, members| !is_untold(pool) && members.len() > 1);
    Ok((pools, open))
}

/// Whether an upgrade of these nodes is under way: Cluster API marks old nodes, each is cordoned before it goes, and
/// new nodes are young. Where some nodes were not read, one of them may show it.
pub(crate) fn is_upgrading(members: &[&NodeFact], context: &Context<'_>) -> bool {
    let now = context.now;
    context.unread(&[&kinds::NODE]).is_some()
        || members.iter().any(|node| {
            let marked = node.taints.iter().any(|taint| taint.starts_with(OUTDATED));
            let created = node.created.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
            node.unschedulable || marked || created.is_some_and(|time| now.as_second() - time.as_second() < DAY)
        })
}

/// One property in which members of a pool differ.
#[derive(Clone, Debug)]
pub(crate) struct PoolDifference<'i> {
    what: &'static str,
    /// The value most members have, if one prevails.
    usual: Option<String>,
    /// The other values, each with its nodes.
    odd: Vec<(String, Vec<&'i str>)>,
}

impl<'i> PoolDifference<'i> {
    /// The difference in the property `what`, from its values and their nodes; `None` where all agree.
    pub(crate) fn of(what: &'static str, values: BTreeMap<String, Vec<&'i str>>) -> Option<Self> {
        if values.len() < 2 {
            return None;
        }
        let mut by_count: Vec<(String, Vec<&str>)> = values.into_iter().collect();
        by_count.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
        let prevails = matches!(by_count.as_slice(), [first, next, ..] if next.1.len() < first.1.len());
        let usual = prevails.then(|| by_count.remove(0).0);
        Some(PoolDifference { what, usual, odd: by_count })
    }

    fn told(&self) -> String {
        let odd: Vec<String> = self.odd.iter().map(|(value, names)| format!("{value} on {}", few(names))).collect();
        odd.join("; ")
    }
}

/// One draft on a pool with all its differences, at `path`; `None` where its members agree.
pub(crate) fn differing(pool: &str, path: &str, differences: &[PoolDifference<'_>]) -> Option<Draft> {
    // A single property is named by the message, so its values need no prefix.
    let joined = |each: &dyn Fn(&PoolDifference<'_>) -> Option<String>| match differences {
        [one] => each(one),
        all => {
            let parts: Vec<String> =
                all.iter().filter_map(|one| Some(format!("{}: {}", one.what, each(one)?))).collect();
            (!parts.is_empty()).then(|| parts.join("; "))
        }
    };
    let whats: Vec<&str> = differences.iter().map(|one| one.what).collect();
    let whats = match whats.as_slice() {
        [] => return None,
        [one] => (*one).to_owned(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    };
    let mut draft = Draft::at(ObjectRef::pool(pool), path)
        .values(joined(&|one| one.usual.clone()).as_deref(), joined(&|one| Some(one.told())).as_deref())
        .says(format!("nodes of pool {pool} differ in {whats}, and no upgrade is under way"));
    for name in differences.iter().flat_map(|one| &one.odd).flat_map(|(_, names)| names) {
        draft = draft.member(name);
    }
    draft.members.sort();
    draft.members.dedup();
    Some(draft)
}

/// The first names: `moc-l1, moc-l2 and 3 more`.
pub(crate) fn few(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [one, two] => format!("{one}, {two}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} more", rest.len()),
    }
}

/// The taint that Cluster API puts on nodes of an old revision (kubernetes-sigs/cluster-api, 2026-08).
const OUTDATED: &str = "node.cluster.x-k8s.io/outdated-revision";

/// Seconds in a day. A pool of the largest size is replaced within hours.
const DAY: i64 = 24 * 60 * 60;
