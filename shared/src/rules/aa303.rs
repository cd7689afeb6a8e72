//! AA303: an add-on of the user's stands where only managed ones belong.

use crate::change::{Change, Operation};
use crate::data::{Data, Platform};
use crate::finding::{Basis, Consequence, Draft, Evidence, ObjectRef};
use crate::inventory::Inventory;
use crate::kinds::{self, Kind};
use crate::object::{ManagedEntry, Object};
use crate::origin::{self, Provenance};
use crate::rule::{
    Code, Context, Grounds, Guard, Mode, Notes, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Weight,
};
use crate::rules::aa301;
use crate::rules::differences::Differing;
use crate::rules::node_metadata::{disowned, target};
use crate::rules::ways;

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA303"),
    slug: "unmanaged-add-on",
    summary: "an add-on of the user's stands in a namespace whose add-ons are managed",
    consequence: Weight::EvenWithoutText(Consequence::Voids),
    basis: Grounds::Always(Basis::Derived),
    clauses: &["C05"],
    platforms: &Platform::ALL,
    reads: &[
        here(&kinds::CONFIG_MAP),
        here(&kinds::CRON_JOB),
        here(&kinds::DAEMON_SET),
        here(&kinds::DEPLOYMENT),
        here(&kinds::HORIZONTAL_POD_AUTOSCALER),
        here(&kinds::INGRESS),
        here(&kinds::JOB),
        here(&kinds::LIMIT_RANGE),
        here(&kinds::POD),
        here(&kinds::POD_DISRUPTION_BUDGET),
        here(&kinds::REPLICA_SET),
        here(&kinds::ROLE),
        here(&kinds::ROLE_BINDING),
        here(&kinds::SERVICE),
        here(&kinds::SERVICE_ACCOUNT),
        here(&kinds::STATEFUL_SET),
    ],
    probes: &[],
    guards: &[
        on(&kinds::CONFIG_MAP),
        on(&kinds::CRON_JOB),
        status(&kinds::CRON_JOB),
        on(&kinds::DAEMON_SET),
        status(&kinds::DAEMON_SET),
        on(&kinds::DEPLOYMENT),
        status(&kinds::DEPLOYMENT),
        on(&kinds::HORIZONTAL_POD_AUTOSCALER),
        on(&kinds::INGRESS),
        on(&kinds::JOB),
        status(&kinds::JOB),
        on(&kinds::LIMIT_RANGE),
        on(&kinds::POD),
        on(&kinds::POD_DISRUPTION_BUDGET),
        on(&kinds::REPLICA_SET),
        status(&kinds::REPLICA_SET),
        on(&kinds::REPLICATION_CONTROLLER),
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
    instead: "use a namespace of your own",
    page: include_str!("aa303.md"),
    state: StateCheck { each: Some(each), whole: Some(whole), clocks: None },
    change: Some(change),
};

const fn here(kind: &'static Kind) -> Read {
    Read { kind, scope: Scope::AddOnNamespaces }
}

const fn on(kind: &'static Kind) -> Guard {
    Guard { kind, subresource: "", operations: &[Operation::Create, Operation::Update] }
}

/// An update of the status can change owners and marks along with it.
const fn status(kind: &'static Kind) -> Guard {
    Guard { kind, subresource: "status", operations: &[Operation::Update] }
}

fn each(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, data) = (seen.object, seen.data);
    let (namespace, name) = (&object.meta.namespace, &object.meta.name);
    if !data.namespaces.is_add_on(namespace) || is_expected(data, seen.kind, namespace, name) {
        return;
    }
    // What a workload makes is judged with the workload, and a mirror pod comes from the node's disk.
    if !object.owners().is_empty() || object.meta.annotations.get("kubernetes.io/config.mirror").is_some() {
        return;
    }
    let what = format!("{} {name} in {namespace}", seen.kind.kind);
    let draft = Draft::at(ObjectRef::of(object, seen.kind), "metadata.namespace").values(None, Some(namespace));
    match origin::of_object(object, data) {
        Provenance::Platform(_) => {}
        Provenance::Person(evidence) => {
            let draft =
                draft.says(format!("{what} is not the platform's")).with(evidence).fix(ways::delete(object, seen.kind));
            notes.drafts.push(if is_light(seen.kind) { draft.lighter(Consequence::AtRisk) } else { draft });
        }
        // Nobody is told to delete what may be the platform's.
        Provenance::Unrecognised => notes.suspect(
            draft
                .with(Evidence::seen("provenance", "no catalogue entry, owner, tool or mark tells whose it is"))
                .lighter(Consequence::Info),
            what,
        ),
    }
}

/// What nobody recognises: a baseline settles what was there when it was recorded, and tells what came later.
fn whole(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let drafts = inventory.suspects(RULE.code).iter().map(|suspect| {
        let (draft, what) = (suspect.draft.clone(), &suspect.hinge);
        match &context.baseline {
            None => {
                draft.says(format!("{what} is unrecognised: nothing tells whose it is, a baseline would settle it"))
            }
            Some(baseline) => draft
                .says(format!("{what} is unrecognised, and came after the baseline"))
                .with(baseline.evidence("nothing of this name")),
        }
    });
    Verdict::Found(drafts.collect())
}

fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    let name = &*change.name;
    if !data.namespaces.is_add_on(&change.namespace) || is_expected(data, change.kind, &change.namespace, name) {
        return Vec::new();
    }
    let shown = target(change).name;
    if change.create().is_some() {
        let draft = Draft::at(target(change), "metadata.namespace")
            .values(None, Some(&change.namespace))
            .says(format!("{} {shown} does not belong in {}", change.kind.kind, change.namespace));
        return vec![if is_light(change.kind) { draft.lighter(Consequence::AtRisk).warn_at_most() } else { draft }];
    }
    let Some((before, after)) = change.update(&["status"]) else { return Vec::new() };
    // What workloads make is theirs to change, as long as it is theirs.
    if !before.owners().is_empty() {
        return disowns(change, before, after, data).into_iter().collect();
    }
    let (was, is) = (origin::of_object(before, data), origin::of_object(after, data));
    let what = format!("{} {shown}", change.kind.kind);
    let draft = Draft::at(target(change), "metadata.namespace").values(None, Some(&change.namespace)).warn_at_most();
    let draft = match (was, is) {
        // A mark of people's tools makes it theirs: they prune and overwrite what bears it.
        (Provenance::Platform(_) | Provenance::Unrecognised, Provenance::Person(evidence)) => {
            draft.says(format!("{what} in {} would count as a person's", change.namespace)).with(evidence)
        }
        // The platform's own objects that no table knows are not add-ons.
        (Provenance::Platform(_), _) => return Vec::new(),
        _ if !Differing::of(before, after).any() => return Vec::new(),
        _ => draft.says(format!("{what} does not belong in {}, and would be changed there", change.namespace)),
    };
    vec![if is_light(change.kind) { draft.lighter(Consequence::AtRisk) } else { draft }]
}

/// That an object would outlive the last of its owners, and stand in the namespace for itself. What somebody made and let
/// another claim is theirs again.
fn disowns(change: &Change<'_>, before: &Object<'_>, after: &Object<'_>, data: &Data) -> Option<Draft> {
    let owner = change.lost_owner().filter(|_| after.owners().is_empty())?;
    let what = format!("{} {} in {}", change.kind.kind, target(change).name, change.namespace);
    let draft = disowned(change, owner, &what).warn_at_most();
    match origin::of_object(after, data) {
        Provenance::Person(evidence) if is_light(change.kind) => {
            Some(draft.with(evidence).lighter(Consequence::AtRisk))
        }
        Provenance::Person(evidence) => Some(draft.with(evidence)),
        // What a managed component makes is judged with the component.
        _ if aa301::owning_component(change.kind, before, data).is_some() => None,
        // A claim that a person made is theirs to take back.
        _ if before.managed().iter().any(|entry| is_claimant(entry, before, data)) => None,
        _ => Some(draft.lighter(Consequence::AtRisk)),
    }
}

fn is_claimant(entry: &ManagedEntry<'_>, object: &Object<'_>, data: &Data) -> bool {
    data.managers.person(&entry.manager).is_some()
        && origin::is_later(entry, object)
        && entry.owns(&["f:metadata", "f:ownerReferences"])
}

/// Managed, or lawful by Microsoft's own documents.
fn is_expected(data: &Data, kind: &Kind, namespace: &str, name: &str) -> bool {
    aa301::component(data, kind.kind, namespace, name).is_some() || data.lawful.covers(kind.kind, namespace, name)
}

/// Kinds that run nothing and grant nothing.
fn is_light(kind: &Kind) -> bool {
    matches!(kind.kind, "ConfigMap" | "LimitRange")
}
