//! AA303: an add-on of the user's stands where only managed ones belong.

use crate::change::{Change, Operation};
use crate::data::{Data, Platform};
use crate::finding::{Basis, Consequence, Draft, Evidence, ObjectRef};
use crate::inventory::Inventory;
use crate::kinds::{self, Kind};
use crate::origin::{self, Provenance};
use crate::rule::{Code, Context, Guard, Mode, Notes, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Weight};
use crate::rules::aa301;
use crate::rules::node_metadata::target;

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA303"),
    slug: "unmanaged-add-on",
    summary: "an add-on of the user's stands in a namespace whose add-ons are managed",
    consequence: Weight::Always(Consequence::Voids),
    basis: Basis::Derived,
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
        on(&kinds::DAEMON_SET),
        on(&kinds::DEPLOYMENT),
        on(&kinds::HORIZONTAL_POD_AUTOSCALER),
        on(&kinds::INGRESS),
        on(&kinds::JOB),
        on(&kinds::LIMIT_RANGE),
        on(&kinds::POD),
        on(&kinds::POD_DISRUPTION_BUDGET),
        on(&kinds::REPLICA_SET),
        on(&kinds::REPLICATION_CONTROLLER),
        on(&kinds::ROLE),
        on(&kinds::ROLE_BINDING),
        on(&kinds::SERVICE),
        on(&kinds::SERVICE_ACCOUNT),
        on(&kinds::STATEFUL_SET),
    ],
    reach: Reach::System,
    mode: Mode::Deny,
    warns_of_info: false,
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
            let kind = seen.kind.qualified();
            let draft = draft
                .says(format!("{what} is not the platform's"))
                .with(evidence)
                .fix(format!("kubectl -n {namespace} delete {kind} {name}"));
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
    let Some((before, after)) = change.update(&[]) else { return Vec::new() };
    // What workloads make is theirs to change, and the platform's own objects that no table knows are not add-ons.
    let platform = matches!(origin::of_object(before, data), Provenance::Platform(_));
    if !before.owners().is_empty() || platform || aa301::differences(before, after).is_empty() {
        return Vec::new();
    }
    let draft = Draft::at(target(change), "metadata.namespace")
        .values(None, Some(&change.namespace))
        .says(format!(
            "{} {shown} does not belong in {}, and would be changed there",
            change.kind.kind, change.namespace
        ))
        .warn_at_most();
    vec![if is_light(change.kind) { draft.lighter(Consequence::AtRisk) } else { draft }]
}

/// Managed, or lawful by Microsoft's own documents.
fn is_expected(data: &Data, kind: &Kind, namespace: &str, name: &str) -> bool {
    aa301::component(data, kind.kind, namespace, name).is_some() || data.lawful.covers(kind.kind, namespace, name)
}

/// Kinds that run nothing and grant nothing.
fn is_light(kind: &Kind) -> bool {
    matches!(kind.kind, "ConfigMap" | "LimitRange")
}
