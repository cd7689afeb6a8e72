//! AA403: nodes run an operating system that is out of support.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::Platform;
use crate::data::tables;
use crate::facts::inventory::Inventory;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::rules::parts::{pools, ways};
use crate::rules::rule::{
    Context, Due, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA403"),
    slug: "node-os-retired",
    summary: "nodes run an operating system that is out of support",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Documented(&["whats-new-azure-local"])),
    clauses: &[Clause::new("C20"), Clause::new("C22")],
    platforms: &[Platform::WindowsServer, Platform::Hci22h2, Platform::AzureLocal],
    reads: &[Read { kind: &kinds::NODE, scope: Scope::Cluster }],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "upgrade the cluster: nodes come back with a newer system",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: None, per_cluster: Some(per_cluster), deadlines: Some(deadlines) };

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let pools = match pools::nodes(inventory, context) {
        Ok(pools) => pools,
        Err(why) => return Verdict::Unknown(why),
    };
    let lifecycle = tables::lifecycle();
    let mut drafts = Vec::new();
    let mut open = BTreeSet::new();
    for (pool, node) in pools.iter().flat_map(|(pool, members)| members.iter().map(move |node| (*pool, *node))) {
        // A node that has not reported yet has no system.
        if node.os_image.is_empty() && node.kernel.is_empty() {
            continue;
        }
        let Some(row) = lifecycle.node_os(context.platform, &node.os_image, &node.kernel) else {
            open.insert(format!("no row for the operating system {:?} of pool {pool}", node.os_image));
            continue;
        };
        match (row.end, lifecycle.holds_until(row)) {
            (Some(end), _) if context.as_of > end => {
                let mut draft = Draft::at(
                    ObjectRef::pool(pool),
                    format!("status.nodeInfo.osImage[{}]", row.title.replace(' ', "-")),
                )
                .values(Some(&format!("one in support, as this was until {end}")), Some(&node.os_image))
                .says(format!("nodes of pool {pool} run {}, out of support since {end}", row.title))
                .member(&node.name)
                .basis(if row.os == "windows" { WINDOWS_POOLS } else { RULE.basis_on(context.platform) })
                .with(Evidence::seen("lifecycle", row.source.clone()))
                .with(Evidence::seen("node", format!("osImage {}, kernel {}", node.os_image, node.kernel)));
                draft = draft.fixes(ways::upgrade());
                drafts.push(draft);
            }
            (None, Some(until)) if context.as_of > until => {
                open.insert(format!(
                    "no end of {} is known, and no text read names it as current after {until}",
                    row.title
                ));
            }
            _ => {}
        }
    }
    match open.pop_first() {
        Some(why) => Verdict::FoundPartly(drafts, why),
        None => Verdict::Found(drafts),
    }
}

/// One deadline for each system that ends.
fn deadlines(inventory: &Inventory, context: &Context<'_>) -> Vec<Due> {
    let Ok(pools) = pools::nodes(inventory, context) else { return Vec::new() };
    let mut ending: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for (pool, node) in pools.iter().flat_map(|(pool, members)| members.iter().map(move |node| (*pool, *node))) {
        let row = tables::lifecycle().node_os(context.platform, &node.os_image, &node.kernel);
        if let Some((row, end)) = row.and_then(|row| Some((row, row.end?))).filter(|(_, end)| context.as_of <= *end) {
            ending.entry((end, &*row.title)).or_default().insert(pool);
        }
    }
    let due = ending.into_iter().map(|((on, title), pools)| {
        let pools: Vec<&str> = pools.into_iter().collect();
        Due { on, what: format!("{title} of pool {} leaves support", pools::few(&pools)), subject: title.to_owned() }
    });
    due.collect()
}

/// The page on the end of support for Windows node pools.
const WINDOWS_POOLS: Basis = Basis::Documented(&["windows-server-retirement"]);
