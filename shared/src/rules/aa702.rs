//! AA702: an alpha API of Kubernetes is in use.

use crate::command::Command;
use crate::data::tables;
use crate::data::{Data, Platform};
use crate::facts::change::{Change, Operation};
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::facts::probe::{Probe, api_groups};
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::{ManagedEntry, Object};
use crate::rules::parts::target::target;
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Watch, Weight,
};
use crate::text;

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA702"),
    slug: "alpha-api-used",
    summary: "objects of an alpha API of Kubernetes itself are in use",
    consequence: Weight::Always(Consequence::NotCovered),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C37")],
    platforms: &Platform::ALL,
    reads: &[
        all(&kinds::CLUSTER_CIDR),
        all(&kinds::CLUSTER_TRUST_BUNDLE),
        all(&kinds::DEVICE_TAINT_RULE),
        all(&kinds::MUTATING_ADMISSION_POLICY),
        all(&kinds::RESOURCE_CLASS),
        all(&kinds::STORAGE_VERSION_MIGRATION),
        all(&kinds::VOLUME_ATTRIBUTES_CLASS),
    ],
    probes: &[Probe::ApiGroups],
    // Admission webhooks are never asked about admission policies, so those are found in the state only.
    guards: &[
        on(&kinds::CLUSTER_CIDR),
        on(&kinds::CLUSTER_TRUST_BUNDLE),
        on(&kinds::DEVICE_TAINT_RULE),
        on(&kinds::RESOURCE_CLASS),
        on(&kinds::STORAGE_VERSION_MIGRATION),
        on(&kinds::VOLUME_ATTRIBUTES_CLASS),
    ],
    reach: Reach::System,
    mode: Mode::Record,
    instead: "use a stable or beta API",
    change: Some(change),
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

const fn all(kind: &'static Kind) -> Read {
    Read { kind, scope: Scope::Cluster }
}

const fn on(kind: &'static Kind) -> Watch {
    Watch { kind, subresource: "", operations: &[Operation::Create, Operation::Update] }
}

/// Notes alpha APIs in use. An object can be read at an alpha version and have been written at a later one: only its
/// managedFields tell.
fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, kind) = (seen.object, seen.kind);
    if !kind.is_alpha() {
        return;
    }
    let managed = object.managed();
    if managed.is_empty() {
        notes.remark(NoWriter(kind.qualified()));
        return;
    }
    let Some(entry) = alpha_writer(managed, seen.data) else { return };
    notes.remark(Used(kind.api_version()));
    let draft = Draft::at(ObjectRef::of(object, kind), "apiVersion")
        .values(None, Some(&entry.api_version))
        .surplus()
        .with(Evidence::managed(entry));
    let message = format!("{} {} uses the alpha API {}", kind.kind, &*object.meta.name, &*entry.api_version);
    if seen.data.managers.person(&entry.manager).is_some() {
        let delete =
            Command::kubectl_in(&object.meta.namespace, ["delete", &served_name(kind)]).one_of(&object.meta.name);
        notes.drafts.push(draft.says(message).fix(delete.caution("destroys it")));
    } else {
        let writer = text::line(&entry.manager, 80);
        let draft = draft.says(format!("{message}; whether {writer} is a person's or the platform's is unknown"));
        notes.drafts.push(draft.lighter(Consequence::Info));
    }
}

fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    if !change.kind.is_alpha() {
        return Vec::new();
    }
    let Some(after) = change.create().or_else(|| change.update(&[]).map(|(_, after)| after)) else {
        return Vec::new();
    };
    let (group, version) = after.api_version.split_once('/').unwrap_or(("", &after.api_version));
    if !data.api_groups.is_builtin_alpha(group, version) {
        return Vec::new();
    }
    // An object of the alpha API stays so: changing it is nothing new.
    if change.update(&[]).is_some_and(|(before, _)| is_written_at_alpha(before, data)) {
        return Vec::new();
    }
    let target = target(change);
    let message = format!("{} {} would use the alpha API {}", change.kind.kind, target.name, &*after.api_version);
    let draft = Draft::at(target, "apiVersion").values(None, Some(&after.api_version)).says(message);
    vec![draft]
}

fn is_written_at_alpha(object: &Object<'_>, data: &Data) -> bool {
    alpha_writer(object.managed(), data).is_some_and(|entry| data.managers.person(&entry.manager).is_some())
}

/// The entry that wrote an object at an alpha version: a person's before others', never the platform's.
fn alpha_writer<'m, 'a>(managed: &'m [ManagedEntry<'a>], data: &Data) -> Option<&'m ManagedEntry<'a>> {
    let at_alpha = |entry: &&ManagedEntry<'_>| {
        let (group, version) = entry.api_version.split_once('/').unwrap_or_default();
        data.api_groups.is_builtin_alpha(group, version) && &*entry.subresource != "status"
    };
    let writers = || managed.iter().filter(at_alpha).filter(|entry| data.managers.platform(&entry.manager).is_none());
    writers().find(|entry| data.managers.person(&entry.manager).is_some()).or_else(|| writers().next())
}

/// A kind whose objects do not tell the version at which they were written.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct NoWriter(String);

/// An alpha API at which an object was written.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Used(String);

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let alpha = tables::alpha();
    let served = match inventory.probe(Probe::ApiGroups).map(api_groups) {
        Ok(Some(served)) => served,
        Ok(None) => return Verdict::Unknown("the answer to /apis is no list of API groups".to_owned()),
        Err(why) => return Verdict::Unknown(why),
    };
    let mut drafts = Vec::new();
    let mut open = Vec::new();
    for (group, version) in &served {
        let api = format!("{group}/{version}");
        if !context.data.api_groups.is_builtin_alpha(group, version) || alpha.no_objects_of_people.contains(&api) {
            continue;
        }
        let known = |kind: &&&Kind| kind.is_alpha() && kind.group == group && kind.version == version;
        let kinds: Vec<&Kind> = kinds::ALL.iter().filter(known).copied().collect();
        let shown = text::line(&api, 80);
        if kinds.is_empty() {
            open.push(format!("the server serves {shown}, whose kinds this version does not know"));
        }
        let used = inventory.remarks::<Used>(RULE.code).any(|used| used.0 == api);
        if used || context.unread(&kinds).is_some() {
            continue;
        }
        drafts.push(
            Draft::at(ObjectRef::cluster(), format!("apis[{shown}]"))
                .values(None, Some("served"))
                .says(format!("the API server serves the alpha API {shown}; served is not used"))
                .with(Evidence::seen("apis", format!("/apis names {shown}")))
                .lighter(Consequence::Info),
        );
    }
    for NoWriter(kind) in inventory.remarks(RULE.code) {
        open.push(format!("{kind} are recorded without managedFields, which would tell the version they were made at"));
    }
    match open.into_iter().next() {
        None => Verdict::Found(drafts),
        Some(why) => Verdict::FoundPartly(drafts, why),
    }
}

/// The full name for kubectl, which would otherwise choose the version:
/// `clustertrustbundles.v1alpha1.certificates.k8s.io`.
fn served_name(kind: &Kind) -> String {
    format!("{}.{}.{}", kind.resource, kind.version, kind.group)
}
