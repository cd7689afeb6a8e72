//! AA407: power over nodes in anything but a DaemonSet.

use crate::data::{Data, Platform};
use crate::facts::change::Change;
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::finding::{Basis, Clause, Code, Consequence, Draft};
use crate::k8s::kinds;
use crate::rules::parts::installed::EXTENSIONS;
use crate::rules::parts::node_power::{self, PODS, Speaker, everywhere, written};
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Rule, Seen, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA407"),
    slug: "node-modified-outside-daemonset",
    summary: "a workload other than a DaemonSet can change its node",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C11")],
    platforms: &Platform::ALL,
    reads: &[
        everywhere(&kinds::CRON_JOB),
        everywhere(&kinds::DEPLOYMENT),
        everywhere(&kinds::JOB),
        everywhere(&kinds::POD),
        everywhere(&kinds::STATEFUL_SET),
        EXTENSIONS,
    ],
    probes: &[],
    guards: &[
        written(&kinds::CRON_JOB),
        written(&kinds::DEPLOYMENT),
        written(&kinds::JOB),
        written(&kinds::REPLICA_SET),
        written(&kinds::REPLICATION_CONTROLLER),
        written(&kinds::STATEFUL_SET),
        PODS[0],
        PODS[1],
    ],
    reach: Reach::Everywhere,
    mode: Mode::Warn,
    instead: "move changes of nodes into a DaemonSet",
    change: Some(change),
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    node_power::per_object(seen, notes, Speaker::Outside);
}

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    node_power::per_cluster(inventory, context, RULE.code)
}

fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    node_power::change(change, data, Speaker::Outside)
}
