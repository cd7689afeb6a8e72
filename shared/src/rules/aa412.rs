//! AA412: members of one pool differ in size, as when a virtual machine was resized outside AKS Arc.

use std::collections::BTreeMap;

use crate::data::Platform;
use crate::facts::baseline::Comparison;
use crate::facts::inventory::{Inventory, NodeFact};
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::{kinds, quantity};
use crate::rules::parts::pools::{self, PoolDifference};
use crate::rules::parts::ways;
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA412"),
    slug: "node-size-drift",
    summary: "nodes of one pool and size differ in CPU, memory or disk",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C10"), Clause::new("C22"), Clause::new("C24")],
    platforms: &[Platform::WindowsServer, Platform::Hci22h2, Platform::AzureLocal],
    reads: &[Read { kind: &kinds::NODE, scope: Scope::Cluster }],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "add a node pool of the size you need",
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
        // Where a pool has machines of several sizes on purpose, each size is compared with itself.
        let mut sizes: BTreeMap<Option<&str>, Vec<&NodeFact>> = BTreeMap::new();
        for node in members {
            sizes.entry(node.instance_type.as_deref()).or_default().push(node);
        }
        for (size, members) in sizes {
            let differences = MEASURES.iter().enumerate().filter_map(|(index, measure)| {
                let values = measure.values(index, &members);
                if upgrading && values.len() <= 2 { None } else { PoolDifference::of(measure.what, values) }
            });
            let differences: Vec<_> = differences.collect();
            let path = size.map_or("status.capacity".to_owned(), |size| format!("status.capacity[{size}]"));
            let draft = pools::differing(pool, &path, &differences);
            drafts.extend(draft.map(|draft| complete(draft, size, members.len())));
        }
    }
    drafts.extend(context.baseline.iter().flat_map(|baseline| resized(baseline)));
    match open {
        Some(why) => Verdict::FoundPartly(drafts, why),
        None => Verdict::Found(drafts),
    }
}

/// Drafts on nodes whose size differs from the baseline: AKS Arc resizes a node by making it anew.
fn resized(baseline: &Comparison<'_>) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for (node, pool, then, now) in baseline.same_nodes() {
        for (measure, (then, now)) in MEASURES.iter().zip(then.iter().zip(now)) {
            let (Some(before), Some(after)) = (quantity::parse(then), quantity::parse(now)) else { continue };
            if measure.is_near(before.min(after), before.max(after)) {
                continue;
            }
            let draft = Draft::at(ObjectRef::pool(pool), format!("status.capacity[{}][{}]", measure.key, node.name))
                .values(Some(then), Some(now))
                .says(format!("node {} of pool {pool}: {} differs from the baseline", node.name, measure.what))
                .member(&node.name)
                .with(baseline.evidence(then));
            drafts.push(draft.fixes(ways::upgrade()));
        }
    }
    drafts
}

fn complete(draft: Draft, size: Option<&str>, count: usize) -> Draft {
    let size = size.map_or("which name no size".to_owned(), |size| format!("which all say they are {size}"));
    // An upgrade makes every node anew, in the pool's own size.
    draft.with(Evidence::seen("nodes", format!("{count} nodes, {size}"))).fixes(ways::upgrade())
}

/// One capacity that is compared.
struct Measure {
    key: &'static str,
    what: &'static str,
    /// The tolerated difference as a share of the larger value.
    tolerated_share: f64,
    /// The tolerated difference in units or bytes, in addition.
    tolerated: f64,
}

impl Measure {
    /// Whether two sizes, the smaller first, may be those of one machine.
    fn is_near(&self, smaller: f64, larger: f64) -> bool {
        larger - smaller <= larger * self.tolerated_share + self.tolerated
    }

    /// The values of the members; nearby values count as one.
    fn values<'i>(&self, index: usize, members: &[&'i NodeFact]) -> BTreeMap<String, Vec<&'i str>> {
        let reported = |node: &'i NodeFact| {
            let text = node.capacity.get(index)?;
            Some((quantity::parse(text)?, &**text, &*node.name))
        };
        let mut reported: Vec<(f64, &str, &str)> = members.iter().filter_map(|node| reported(node)).collect();
        reported.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut groups: Vec<(f64, &str, Vec<&str>)> = Vec::new();
        for (size, text, name) in reported {
            match groups.last_mut() {
                Some((smallest, _, names)) if self.is_near(*smallest, size) => {
                    names.push(name);
                }
                _ => groups.push((size, text, vec![name])),
            }
        }
        groups.into_iter().map(|(_, text, names)| (text.to_owned(), names)).collect()
    }
}

/// The measures in the order of [`NodeFact::capacity`].
///
/// Memory: the amount a kernel reserves differs between two kernels of one image by up to half a gibibyte and a few
/// percent, and no size differs from the next by less than one. Disk: the share of file systems differs in the same
/// way.
const MEASURES: [Measure; 3] = [
    Measure { key: "cpu", what: "CPUs", tolerated_share: 0.0, tolerated: 0.0 },
    Measure { key: "memory", what: "memory", tolerated_share: 0.03, tolerated: 512.0 * MIB },
    Measure { key: "ephemeral-storage", what: "disk", tolerated_share: 0.05, tolerated: 1024.0 * MIB },
];

const MIB: f64 = 1024.0 * 1024.0;
