//! AA307: a system namespace was deleted.

use crate::change::{Change, Operation};
use crate::data::{Data, Platform};
use crate::finding::{Basis, Consequence, Draft};
use crate::kinds;
use crate::rule::{Code, Grounds, Guard, Mode, Reach, Rule, StateCheck, Weight};
use crate::rules::node_metadata::{owned, target};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA307"),
    slug: "system-namespace-deleted",
    summary: "a system namespace was deleted",
    consequence: Weight::Always(Consequence::Voids),
    basis: Grounds::Always(Basis::Derived),
    clauses: &["C05"],
    platforms: &Platform::ALL,
    reads: &[],
    probes: &[],
    guards: &[
        Guard { kind: &kinds::NAMESPACE, subresource: "", operations: &[Operation::Delete, Operation::Update] },
        Guard { kind: &kinds::NAMESPACE, subresource: "status", operations: &[Operation::Update] },
        Guard { kind: &kinds::NAMESPACE, subresource: "finalize", operations: &[Operation::Update] },
    ],
    reach: Reach::System,
    mode: Mode::Deny,
    instead: "remove extensions with az k8s-extension",
    page: include_str!("aa307.md"),
    state: StateCheck { each: None, whole: None, clocks: None },
    change: Some(change),
};

fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    if *change.kind != kinds::NAMESPACE || data.namespaces.protected(&change.name).is_none() {
        return Vec::new();
    }
    if let Some(owner) = change.new_owner() {
        return vec![owned(change, owner)];
    }
    if !change.is_delete() {
        return Vec::new();
    }
    let draft = Draft::at(target(change), "metadata")
        .values(Some(&change.name), None)
        .says(format!("system namespace {} would be deleted with all in it", change.name));
    vec![draft]
}
