//! AA404: node images are older than the platform's documents allow.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;

use crate::data::Platform;
use crate::data::tables;
use crate::facts::inventory::{Inventory, NodeFact};
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::rules::parts::{pools, ways};
use crate::rules::rule::{
    Context, Due, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA404"),
    slug: "node-image-stale",
    summary: "nodes were not replaced by an upgrade for too long, so their image is old",
    consequence: Weight::On {
        platforms: &[Platform::WindowsServer, Platform::Hci22h2],
        consequence: Consequence::AtRisk,
        elsewhere: Consequence::Info,
    },
    basis: Grounds::By(|platform| match platform {
        Platform::WindowsServer | Platform::Hci22h2 => {
            Basis::Documented(&["known-issues-of-workload-clusters", "certificates-overview"])
        }
        Platform::AzureLocal | Platform::BareMetal => Basis::Derived,
    }),
    clauses: &[Clause::new("C06"), Clause::new("C20"), Clause::new("C26")],
    platforms: &[Platform::WindowsServer, Platform::Hci22h2, Platform::AzureLocal],
    reads: &[Read { kind: &kinds::NODE, scope: Scope::Cluster }],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "upgrade the cluster: it replaces the nodes",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: None, per_cluster: Some(per_cluster), deadlines: Some(deadlines) };

/// The verdict on the age of node images. Upgrades replace nodes, so the age of the Node object is the age of its
/// image.
fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let Some(allowed) = tables::lifecycle().image_age(context.platform) else {
        return Verdict::NotObservable(format!(
            "no text says how old node images may be on {}",
            context.platform.as_str()
        ));
    };
    let pools = match pools::nodes(inventory, context) {
        Ok(pools) => pools,
        Err(why) => return Verdict::Unknown(why),
    };
    let mut drafts = Vec::new();
    let mut open = None;
    for (pool, node) in pools.iter().flat_map(|(pool, members)| members.iter().map(move |node| (*pool, *node))) {
        let Some(born) = born(node) else {
            open.get_or_insert_with(|| format!("node {} has no time of creation", node.name));
            continue;
        };
        let age = i64::from((context.as_of - born).get_days());
        if age <= allowed.days {
            continue;
        }
        let mut draft = Draft::at(ObjectRef::pool(pool), "metadata.creationTimestamp")
            .values(Some(&format!("at most {} days", allowed.days)), Some(&format!("{age} days, since {born}")))
            .says(format!("images of nodes of pool {pool} are more than {} days old", allowed.days))
            .member(&node.name)
            .with(Evidence::seen("threshold", allowed.source.clone()));
        draft = draft.fixes(ways::renewal());
        drafts.push((age, draft));
    }
    // The finding on a pool is about its oldest node.
    drafts.sort_by_key(|(age, _)| std::cmp::Reverse(*age));
    let drafts = drafts.into_iter().map(|(_, draft)| draft).collect();
    match open {
        Some(why) => Verdict::FoundPartly(drafts, why),
        None => Verdict::Found(drafts),
    }
}

/// One deadline for each pool, by its oldest node.
fn deadlines(inventory: &Inventory, context: &Context<'_>) -> Vec<Due> {
    let Some(allowed) = tables::lifecycle().image_age(context.platform) else { return Vec::new() };
    let pools = pools::nodes(inventory, context).unwrap_or_default();
    let mut due: BTreeMap<Date, Vec<&str>> = BTreeMap::new();
    for (pool, members) in pools {
        let oldest = members.into_iter().filter_map(born).min();
        let on = oldest.and_then(|oldest| oldest.checked_add(allowed.days.days()).ok());
        if let Some(on) = on.filter(|on| context.as_of <= *on) {
            due.entry(on).or_default().push(pool);
        }
    }
    let due = due.into_iter().map(|(on, pools)| {
        let few = pools::few(&pools);
        let of = if pools.len() == 1 { "pool" } else { "pools" };
        let what = format!("the oldest node image of {of} {few} is {} days old", allowed.days);
        Due { on, what, subject: few }
    });
    due.collect()
}

fn born(node: &NodeFact) -> Option<Date> {
    node.created.as_deref()?.get(..10)?.parse().ok()
}
