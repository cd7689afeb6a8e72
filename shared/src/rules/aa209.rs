//! AA209: Cluster API metadata of AKS Arc's objects was changed, on a management cluster.

use std::collections::HashSet;

use crate::command::Command;
use crate::data::capi::CapiKeys;
use crate::data::{Data, Place, Platform};
use crate::facts::change::{Change, Operation};
use crate::facts::notes::Notes;
use crate::facts::origin::{self, FirstWriters, Keys, Paths, Step};
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::{ManagedEntry, Object};
use crate::k8s::text::Text;
use crate::rules::parts::cluster_api::is_aks_arc;
use crate::rules::parts::node_metadata::{KeyChange, changes, path, word};
use crate::rules::parts::owners::{disowned, owned};
use crate::rules::parts::target::target;
use crate::rules::rule::{
    Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Voiding, Watch, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA209"),
    slug: "cluster-api-metadata-changed",
    summary: "Cluster API metadata on objects of a management cluster was changed",
    consequence: Weight::Always(Consequence::Voids),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C13")],
    platforms: &[Platform::WindowsServer, Platform::Hci22h2, Platform::AzureLocal],
    reads: &[
        everywhere(&kinds::CAPI_CLUSTER),
        everywhere(&kinds::HCI_CLUSTER),
        everywhere(&kinds::HCI_LOAD_BALANCER),
        everywhere(&kinds::HCI_MACHINE),
        everywhere(&kinds::HCI_MACHINE_TEMPLATE),
        everywhere(&kinds::HCI_VIRTUAL_MACHINE),
        everywhere(&kinds::KUBEADM_CONTROL_PLANE),
        everywhere(&kinds::MACHINE),
        everywhere(&kinds::MACHINE_DEPLOYMENT),
        everywhere(&kinds::MACHINE_SET),
    ],
    probes: &[],
    guards: &[
        on(&kinds::CAPI_CLUSTER),
        on(&kinds::HCI_CLUSTER),
        on(&kinds::HCI_LOAD_BALANCER),
        on(&kinds::HCI_MACHINE),
        on(&kinds::HCI_MACHINE_TEMPLATE),
        on(&kinds::HCI_VIRTUAL_MACHINE),
        on(&kinds::KUBEADM_CONTROL_PLANE),
        on(&kinds::MACHINE),
        on(&kinds::MACHINE_DEPLOYMENT),
        on(&kinds::MACHINE_SET),
    ],
    // Clusters live in namespaces that users choose.
    reach: Reach::Everywhere,
    mode: Mode::Warn,
    instead: "change the cluster with AKS Arc's own commands",
    change: Some(change),
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck = StateCheck { per_object: Some(per_object), per_cluster: None, deadlines: None };

const fn everywhere(kind: &'static Kind) -> Read {
    Read { kind, scope: Scope::Cluster }
}

const fn on(kind: &'static Kind) -> Watch {
    Watch { kind, subresource: "", operations: &[Operation::Update] }
}

/// Reports fields of an AKS Arc object that a person's tool wrote and somebody else had made.
fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, kind, data) = (seen.object, seen.kind, seen.data);
    if !is_judged(kind) || !is_aks_arc(object, kind, data) {
        return;
    }
    let subject = format!("{} {}", kind.kind, object.meta.name);
    let at = |path: String| Draft::at(ObjectRef::of(object, kind), path);
    let is_person = |entry: &ManagedEntry<'_>| data.managers.person(&entry.manager).is_some();
    let first_writers = FirstWriters::of(object, &object.managed().iter(), |_| false);
    // An object made by server-side apply does not tell its maker, since controllers write it within its first second.
    let has_maker = origin::maker(object.managed().iter()).is_some();
    let may_be_maker = |entry: &ManagedEntry<'_>| &*entry.operation == "Apply" && !has_maker;
    let hand = |entry: &&ManagedEntry<'_>| {
        is_person(entry) && !may_be_maker(entry) && first_writers.overwrote_another_writer(entry, object)
    };
    let people: Vec<&ManagedEntry<'_>> = object.managed().iter().filter(hand).collect();
    if people.is_empty() {
        return;
    }
    for place in PLACES {
        let keys = Keys::of(object, place, data);
        for entry in &people {
            let (tool, evidence) = (&*entry.manager, Evidence::managed(entry));
            for key in origin::owned_keys(entry, place) {
                let Some(value) = get(object, place, key) else { continue };
                let behaviour = behaviour(&data.capi_keys, place, key);
                if (behaviour.is_none() && !data.capi_keys.is_system(place, key)) || keys.by_person(key).is_none() {
                    continue;
                }
                let draft = at(path(place, key)).values(None, Some(value)).with(evidence.clone());
                notes.drafts.push(match behaviour {
                    Some(does) => draft
                        .surplus()
                        .says(format!("{subject}: annotation {key} was set by {tool}; it {does}"))
                        .fix(removal(object, kind, key)),
                    None => draft.says(format!("{subject}: system {} {} was written by {tool}", word(place), key)),
                });
            }
        }
    }
    let mut kept = Paths::default();
    object.managed().iter().filter(|other| !is_person(other)).for_each(|other| kept.insert_owned(other));
    let takes = |entry: &ManagedEntry<'_>, names: [&str; 2]| {
        let mut takes = false;
        let steps = names.map(|name| Step::Field(name.into()));
        origin::each_taken(entry, &kept, |path| takes |= path.starts_with(&steps));
        takes
    };
    let owners: Vec<String> = object.owners().iter().map(|o| format!("{} {}", &*o.kind, &*o.name)).collect();
    let owners = owners.join(", ");
    let paused = is_paused(object);
    for entry in people {
        let (tool, evidence) = (&*entry.manager, Evidence::managed(entry));
        if !owners.is_empty() && takes(entry, ["metadata", "ownerReferences"]) {
            let draft = at("metadata.ownerReferences".to_owned());
            notes.drafts.push(
                draft
                    .values(None, Some(&owners))
                    .says(format!("{subject}: an owner was written by {tool}"))
                    .with(evidence.clone()),
            );
        }
        if paused && takes(entry, ["spec", "paused"]) {
            notes.drafts.push(
                at("spec.paused".to_owned())
                    .values(None, Some("true"))
                    .surplus()
                    .says(format!("{subject} was paused by {tool}: no controller reconciles it"))
                    .with(evidence)
                    .fix(unpause(object, kind)),
            );
        }
    }
}

fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    let Some((before, after)) = change.update(&[]).filter(|_| is_judged(change.kind)) else { return Vec::new() };
    if !is_aks_arc(before, change.kind, data) {
        return Vec::new();
    }
    let subject = format!("{} {}", change.kind.kind, change.name);
    let mut drafts = Vec::new();
    for place in PLACES {
        let keys = Keys::of(before, place, data);
        drafts.extend(changes(before, after, &[place]).iter().filter_map(|key| judge(key, &keys, change, data)));
    }
    if let Some(owner) = change.new_owner() {
        drafts.push(owned(change, owner));
    } else {
        drafts.extend(change.lost_owner().map(|owner| disowned(change, owner, &subject)));
    }
    let new: HashSet<&Text<'_>> = after.meta.finalizers.iter().flatten().collect();
    let old = before.meta.finalizers.iter().flatten();
    for name in old.filter(|name| data.capi_keys.is_finalizer(name) && !new.contains(name)) {
        drafts.push(
            Draft::at(target(change), format!("metadata.finalizers[{}]", &**name)).values(Some(name), None).says(
                format!("{subject}: finalizer {} would be removed, and its virtual machine may stay behind", &**name),
            ),
        );
    }
    if is_paused(after) && !is_paused(before) {
        drafts.push(
            Draft::at(target(change), "spec.paused")
                .values(None, Some("true"))
                .says(format!("{subject} would be paused: no controller would reconcile it"))
                .fix(unpause(before, change.kind)),
        );
    }
    drafts
}

fn judge(key: &KeyChange<'_>, keys: &Keys<'_, '_>, change: &Change<'_>, data: &Data) -> Option<Draft> {
    let name = &*key.key;
    let subject = format!("{} {}", change.kind.kind, change.name);
    if let Some(does) = behaviour(&data.capi_keys, key.place, name) {
        // Removing such a key lets the controllers work again.
        key.after.as_ref()?;
        return Some(key.draft(change).says(format!("{subject}: annotation {name} would be set; it {does}")));
    }
    let by_system = keys.system(name).filter(|_| key.before.is_some());
    if !data.capi_keys.is_system(key.place, name) && by_system.is_none() {
        return None;
    }
    let because = by_system.map_or("a known system key".to_owned(), |entry| format!("written by {}", &*entry.manager));
    let message = format!("{subject}: system {} {name} {}", word(key.place), key.would_be());
    Some(key.draft(change).says(message).with(Evidence::seen("origin", because)))
}

fn is_judged(kind: &Kind) -> bool {
    RULE.guards.iter().any(|guard| *guard.kind == *kind)
}

fn behaviour<'d>(keys: &'d CapiKeys, place: Place, key: &str) -> Option<&'d str> {
    keys.behaviour(key).filter(|_| place == Place::Annotation).map(|row| &*row.does)
}

fn get<'o>(object: &'o Object<'_>, place: Place, key: &str) -> Option<&'o str> {
    if place == Place::Label { object.meta.labels.get(key) } else { object.meta.annotations.get(key) }
}

fn is_paused(object: &Object<'_>) -> bool {
    #[derive(serde::Deserialize)]
    struct PausableSpec {
        #[serde(default)]
        paused: Option<bool>,
    }
    object.raw("spec").is_some_and(|spec| spec.contains("\"paused\""))
        && object.field::<PausableSpec>("spec").is_some_and(|spec| spec.paused.unwrap_or_default())
}

fn removal(object: &Object<'_>, kind: &Kind, key: &str) -> Command {
    let meta = &object.meta;
    Command::kubectl_in(&meta.namespace, ["annotate", &kind.qualified()]).one_of(&meta.name).name(&format!("{key}-"))
}

fn unpause(object: &Object<'_>, kind: &Kind) -> Command {
    Command::kubectl_in(&object.meta.namespace, ["patch", &kind.qualified()])
        .name(&object.meta.name)
        .word("--type=merge")
        .word(r#"--patch={"spec":{"paused":false}}"#)
}

const PLACES: [Place; 2] = [Place::Label, Place::Annotation];
