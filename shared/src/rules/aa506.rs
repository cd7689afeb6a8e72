//! AA506: the configuration of the platform's network plug-in was changed by hand.

use crate::data::{Data, Platform};
use crate::facts::change::{Change, Operation};
use crate::facts::notes::Notes;
use crate::facts::origin::{self, FieldRank, FirstWriters, Paths, Provenance, Step};
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::{ManagedEntry, Object};
use crate::rules::parts::differences::Differing;
use crate::rules::parts::target::target;
use crate::rules::parts::ways;
use crate::rules::rule::{
    Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Voiding, Watch, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA506"),
    slug: "cni-configuration-changed",
    summary: "the configuration of the platform's network plug-in was changed by hand",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C18")],
    platforms: &[Platform::WindowsServer, Platform::Hci22h2, Platform::AzureLocal],
    reads: &[
        all(&kinds::CALICO_BGP_CONFIGURATION),
        all(&kinds::CALICO_BGP_PEER),
        all(&kinds::CALICO_FELIX_CONFIGURATION),
        all(&kinds::CALICO_INSTALLATION),
        all(&kinds::CALICO_IP_POOL),
        all(&kinds::CALICO_KUBE_CONTROLLERS),
        all(&kinds::CALICO_V3_BGP_CONFIGURATION),
        all(&kinds::CALICO_V3_BGP_PEER),
        all(&kinds::CALICO_V3_FELIX_CONFIGURATION),
        all(&kinds::CALICO_V3_IP_POOL),
        all(&kinds::CALICO_V3_KUBE_CONTROLLERS),
    ],
    probes: &[],
    guards: &[
        on(&kinds::CALICO_BGP_CONFIGURATION),
        on(&kinds::CALICO_BGP_PEER),
        on(&kinds::CALICO_FELIX_CONFIGURATION),
        on(&kinds::CALICO_INSTALLATION),
        on(&kinds::CALICO_IP_POOL),
        on(&kinds::CALICO_KUBE_CONTROLLERS),
        on(&kinds::CALICO_V3_BGP_CONFIGURATION),
        on(&kinds::CALICO_V3_BGP_PEER),
        on(&kinds::CALICO_V3_FELIX_CONFIGURATION),
        on(&kinds::CALICO_V3_IP_POOL),
        on(&kinds::CALICO_V3_KUBE_CONTROLLERS),
    ],
    reach: Reach::System,
    mode: Mode::Warn,
    instead: "leave the plug-in's configuration to the platform",
    change: Some(change),
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck = StateCheck { per_object: Some(per_object), per_cluster: None, deadlines: None };

const fn all(kind: &'static Kind) -> Read {
    Read { kind, scope: Scope::Cluster }
}

const fn on(kind: &'static Kind) -> Watch {
    Watch { kind, subresource: "", operations: &[Operation::Create, Operation::Delete, Operation::Update] }
}

/// Reports objects that a person's tool made, as additions; and, on objects of other makers, the fields that a person
/// owns.
fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, data) = (seen.object, seen.data);
    let subject = format!("{} {}", seen.kind.kind, object.meta.name);
    let target = || ObjectRef::of(object, seen.kind);
    let managed = managed(object, seen.kind);
    if let Some(entry) = maker(&managed, object, data) {
        notes.drafts.push(
            Draft::at(target(), "spec")
                .says(format!("{subject} was added to the network plug-in's configuration by {}", entry.manager))
                .with(Evidence::managed(entry))
                .fix(ways::delete(object, seen.kind)),
        );
        return;
    }
    let is_person = |entry: &ManagedEntry<'_>| data.managers.person(&entry.manager).is_some();
    let is_platform = |other: &ManagedEntry<'_>| data.managers.platform(&other.manager).is_some();
    let first_writers = FirstWriters::of(object, &managed.iter().copied(), is_platform);
    let mut kept = Paths::default();
    managed.iter().filter(|other| !is_person(other)).for_each(|other| kept.insert_owned(other));
    for entry in managed
        .iter()
        .filter(|entry| is_own(entry) && is_person(entry) && first_writers.overwrote_another_writer(entry, object))
    {
        for path in origin::heaviest_taken(entry, &kept, MAX_PATHS, |_| FieldRank::Heavy) {
            if path.first() != Some(&Step::Field("spec".into())) {
                continue;
            }
            notes.drafts.push(
                Draft::at(target(), origin::spell(&path))
                    .says(format!("network plug-in configuration {subject} was changed by {}", entry.manager))
                    .with(Evidence::managed(entry)),
            );
        }
    }
}

/// The managedFields of an object in its own API group. Calico's API server shows an object that it stores as another
/// one, and may show that one's writers; they are found there.
fn managed<'o, 'a>(object: &'o Object<'a>, kind: &Kind) -> Vec<&'o ManagedEntry<'a>> {
    let of_group =
        |entry: &&ManagedEntry<'_>| entry.api_version.split_once('/').is_none_or(|(group, _)| group == kind.group);
    object.managed().iter().filter(of_group).collect()
}

/// The entry of the person whose tool made an object, if nobody else wrote it in its first second.
fn maker<'o, 'a>(managed: &[&'o ManagedEntry<'a>], object: &Object<'_>, data: &Data) -> Option<&'o ManagedEntry<'a>> {
    // A maker who writes their own object again has a later time, and is its maker still.
    let entries = || managed.iter().copied().filter(|entry| is_own(entry));
    let by_person = |entry: &&ManagedEntry<'_>| data.managers.person(&entry.manager).is_some();
    let mut sole = entries();
    if let (Some(entry), None) = (sole.next(), sole.next()) {
        return Some(entry).filter(by_person);
    }
    if let Some(entry) = origin::maker(managed.iter().copied()) {
        return Some(entry).filter(by_person);
    }
    // The API server gives no date to an apply that changes nothing, so such an entry shows no maker.
    let mut first = entries().filter(|entry| entry.time.is_some() && !origin::is_later(entry, object));
    first.next().filter(by_person).filter(|_| first.next().is_none())
}

fn is_own(entry: &ManagedEntry<'_>) -> bool {
    &*entry.subresource != "status"
}

fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    if !RULE.guards.iter().any(|guard| guard.kind == change.kind) {
        return Vec::new();
    }
    let subject = format!("{} {}", change.kind.kind, change.name);
    if change.create().is_some() {
        let draft = Draft::at(target(change), "spec")
            .says(format!("{subject} would be added to the network plug-in's configuration"));
        return vec![draft];
    }
    if change.is_delete() {
        // Removing their own addition is the cure.
        let theirs = change.before.as_deref().is_some_and(|before| {
            maker(&managed(before, change.kind), before, data).is_some()
                || matches!(origin::of_object(before, data), Provenance::Person(_))
        });
        let draft = Draft::at(target(change), "metadata")
            .values(Some(&change.name), None)
            .says(format!("network plug-in configuration {subject} would be deleted"));
        return if theirs { Vec::new() } else { vec![draft] };
    }
    let Some((before, after)) = change.update(&[]) else { return Vec::new() };
    let differences = Differing::of(before, after).heaviest(&Paths::default(), &|_, _| FieldRank::Heavy);
    differences
        .into_iter()
        .map(|difference| {
            Draft::at(target(change), &*difference.path)
                .values(difference.before.as_deref(), difference.after.as_deref())
                .says(format!("network plug-in configuration {subject} would be changed"))
        })
        .collect()
}

/// The most fields reported of one writer.
const MAX_PATHS: usize = 8;
