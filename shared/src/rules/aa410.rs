//! AA410: the container runtime of nodes is not one the platform's policy names.

use crate::data::Platform;
use crate::data::tables;
use crate::facts::inventory::Inventory;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::rules::parts::{pools, ways};
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA410"),
    slug: "unsupported-container-runtime",
    summary: "nodes run a container runtime that the policy does not name",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Documented(&["platforms-compared"])),
    clauses: &[Clause::new("C19")],
    platforms: &[Platform::WindowsServer, Platform::Hci22h2, Platform::AzureLocal],
    reads: &[Read { kind: &kinds::NODE, scope: Scope::Cluster }],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "upgrade the cluster: nodes come back with its runtime",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck = StateCheck { per_object: None, per_cluster: Some(per_cluster), deadlines: None };

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let pools = match pools::nodes(inventory, context) {
        Ok(pools) => pools,
        Err(why) => return Verdict::Unknown(why),
    };
    let lifecycle = tables::lifecycle();
    let named: Vec<&str> =
        lifecycle.runtimes.iter().filter(|row| row.platform == context.platform).map(|row| &*row.runtime).collect();
    let mut expected = named.clone();
    expected.sort_unstable();
    expected.dedup();
    let mut drafts = Vec::new();
    for (pool, node) in pools.iter().flat_map(|(pool, members)| members.iter().map(move |node| (*pool, *node))) {
        let Some((runtime, _)) = node.runtime.split_once("://") else { continue };
        let row = lifecycle.runtime(context.platform, runtime, &node.os);
        let ended = row.and_then(|row| row.end).filter(|end| context.as_of > *end);
        let why = match (row, ended) {
            (Some(_), None) => continue,
            (_, Some(end)) => format!("out of support since {end}"),
            (None, None) => "which the policy does not name".to_owned(),
        };
        let source = row.or_else(|| lifecycle.runtimes.iter().find(|row| row.platform == context.platform));
        let mut draft = Draft::at(ObjectRef::pool(pool), format!("status.nodeInfo.containerRuntimeVersion[{runtime}]"))
            .values(Some(&expected.join(" or ")), Some(&node.runtime))
            .says(format!("{} nodes of pool {pool} run the container runtime {runtime}, {why}", node.os))
            .member(&node.name);
        if let Some(source) = source {
            draft = draft.with(Evidence::seen("runtimes", source.source.clone()));
        }
        draft = draft.fixes(ways::upgrade());
        drafts.push(draft);
    }
    Verdict::Found(drafts)
}
