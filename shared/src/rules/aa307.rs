//! AA307: a system namespace was deleted.

use crate::data::{Data, Platform};
use crate::facts::change::{Change, Operation};
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence};
use crate::k8s::kinds;
use crate::rules::parts::owners::owned;
use crate::rules::parts::system_namespace::Whose;
use crate::rules::parts::target::target;
use crate::rules::rule::{Grounds, ManifestUse, Mode, Reach, Rule, StateCheck, Voiding, Watch, Weight};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA307"),
    slug: "system-namespace-deleted",
    summary: "a system namespace was deleted",
    consequence: Weight::Always(Consequence::Voids),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C05")],
    platforms: &Platform::ALL,
    reads: &[],
    probes: &[],
    guards: &[
        Watch { kind: &kinds::NAMESPACE, subresource: "", operations: &[Operation::Delete, Operation::Update] },
        Watch { kind: &kinds::NAMESPACE, subresource: "status", operations: &[Operation::Update] },
        Watch { kind: &kinds::NAMESPACE, subresource: "finalize", operations: &[Operation::Update] },
    ],
    reach: Reach::System,
    mode: Mode::Deny,
    instead: "remove extensions with az k8s-extension",
    change: Some(change),
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck = StateCheck::NONE;

fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    let row = data.namespaces.protected(&change.name).filter(|_| *change.kind == kinds::NAMESPACE);
    let (Some(row), Some(namespace)) = (row, change.before.as_deref()) else { return Vec::new() };
    let draft = match change.new_owner() {
        Some(owner) => owned(change, owner),
        None if change.is_delete() => Draft::at(target(change), "metadata")
            .values(Some(&change.name), None)
            .says(format!("system namespace {} would be deleted with everything in it", change.name)),
        None => return Vec::new(),
    };
    match Whose::of(namespace, row, data) {
        Whose::Somebodys => Vec::new(),
        // Parts of the platform may live in it all the same.
        Whose::Taken(evidence) => vec![draft.lighter(Consequence::AtRisk).with(evidence)],
        Whose::Unknown => {
            let evidence =
                Evidence::seen("provenance", "no document gives the platform this name, and nothing shows who made it");
            vec![draft.lighter(Consequence::AtRisk).with(evidence)]
        }
        Whose::Systems => vec![draft],
    }
}
