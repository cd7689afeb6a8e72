//! AA302: a managed component was deleted.

use crate::data::{Component, Confidence, Data, Platform};
use crate::facts::change::{Change, Operation};
use crate::facts::origin::{self, Provenance};
use crate::finding::{Basis, Clause, Code, Consequence, Draft};
use crate::k8s::kinds::{self, Kind};
use crate::rules::parts::components;
use crate::rules::parts::owners::owned;
use crate::rules::parts::target::target;
use crate::rules::rule::{Grounds, ManifestUse, Mode, Reach, Rule, StateCheck, Voiding, Watch, Weight};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA302"),
    slug: "managed-component-deleted",
    summary: "a component that Microsoft manages was deleted",
    consequence: Weight::Always(Consequence::Voids),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C05")],
    platforms: &Platform::ALL,
    reads: &[],
    probes: &[],
    guards: &[
        on(&kinds::CONFIG_MAP),
        on(&kinds::CRON_JOB),
        status(&kinds::CRON_JOB),
        on(&kinds::DAEMON_SET),
        status(&kinds::DAEMON_SET),
        on(&kinds::DEPLOYMENT),
        status(&kinds::DEPLOYMENT),
        on(&kinds::JOB),
        status(&kinds::JOB),
        on(&kinds::REPLICA_SET),
        status(&kinds::REPLICA_SET),
        on(&kinds::ROLE),
        on(&kinds::ROLE_BINDING),
        on(&kinds::SERVICE),
        status(&kinds::SERVICE),
        on(&kinds::SERVICE_ACCOUNT),
        on(&kinds::STATEFUL_SET),
        status(&kinds::STATEFUL_SET),
    ],
    reach: Reach::System,
    mode: Mode::Deny,
    instead: "leave it to the platform",
    change: Some(change),
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck = StateCheck::NONE;

const fn on(kind: &'static Kind) -> Watch {
    Watch { kind, subresource: "", operations: &[Operation::Delete, Operation::Update] }
}

/// The update of a kind's status, which can change the owners along with it.
const fn status(kind: &'static Kind) -> Watch {
    Watch { kind, subresource: "status", operations: &[Operation::Update] }
}

/// Drafts on a deletion of a component, or on an owner that would delete it. Deleting a pod of a managed workload is
/// routine, since its controller makes a new one.
fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    let owner = change.new_owner();
    if !(change.is_delete() || owner.is_some()) || *change.kind == kinds::POD {
        return Vec::new();
    }
    let Some(component) = components::component(data, change.kind.kind, &change.namespace, &change.name) else {
        return Vec::new();
    };
    if change.before.as_deref().is_some_and(|before| components::is_theirs(before, component, data)) {
        return Vec::new();
    }
    if let Some(owner) = owner {
        return vec![owned(change, owner)];
    }
    let draft = Draft::at(target(change), "metadata")
        .values(Some(&change.name), None)
        .says(format!("{} {} of {} would be deleted", change.kind.kind, change.name, component.product));
    vec![match lighter(change, component, data) {
        Some(weight) => draft.lighter(weight),
        None => draft,
    }]
}

/// The lighter weight of a deletion whose object is not certainly the platform's.
fn lighter(change: &Change<'_>, component: &Component, data: &Data) -> Option<Consequence> {
    // Software of an extension is no managed feature of AKS Arc: AA306 says the same.
    if component.extension {
        return Some(Consequence::AtRisk);
    }
    // A name that no document gives to the platform is also upstream's. A workload counts as the platform's until a
    // mark says otherwise; an account counts as a person's if that person was seen to make it.
    if component.confidence == Confidence::Doc || change.kind.runs() {
        return None;
    }
    let by_hand = change.before.as_deref().is_some_and(|before| {
        matches!(origin::of_object(before, data), Provenance::Person(_)) && !origin::is_made_by_platform(before, data)
    });
    Some(if by_hand { Consequence::Info } else { Consequence::AtRisk })
}
