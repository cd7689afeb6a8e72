//! AA405: a shell on a node, by a pod that shares the host.

use crate::data::{Data, Platform};
use crate::facts::change::Change;
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::finding::{Basis, Clause, Code, Consequence, Draft};
use crate::k8s::kinds;
use crate::rules::parts::installed::EXTENSIONS;
use crate::rules::parts::node_power::{self, PODS, Speaker, everywhere};
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Rule, Seen, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA405"),
    slug: "node-shell",
    summary: "somebody opened a shell on a node",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Explicit),
    clauses: &[Clause::new("C11"), Clause::new("C27")],
    platforms: &Platform::ALL,
    reads: &[everywhere(&kinds::POD), EXTENSIONS],
    probes: &[],
    guards: &PODS,
    reach: Reach::Everywhere,
    mode: Mode::Warn,
    instead: "change nodes with a DaemonSet",
    change: Some(change),
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    node_power::per_object(seen, notes, Speaker::Shell);
}

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    node_power::per_cluster(inventory, context, RULE.code)
}

fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    node_power::change(change, data, Speaker::Shell)
}
