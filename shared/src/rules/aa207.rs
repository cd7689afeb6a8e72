//! AA207: metadata that the system put on one of its namespaces was changed, or a person made a namespace that counts
//! as the system's.

use std::collections::HashSet;

use crate::command::Command;
use crate::data::{Data, Place, Platform, SystemNamespace};
use crate::facts::change::{Change, Operation};
use crate::facts::notes::Notes;
use crate::facts::origin::{self, Keys};
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::k8s::object::Object;
use crate::k8s::text::Text;
use crate::rules::parts::finalizers::{finalizers_of_people, new_finalizers};
use crate::rules::parts::node_metadata::{KeyChange, changes, path, word};
use crate::rules::parts::system_namespace::{Whose, is_made_by_release};
use crate::rules::parts::target::target;
use crate::rules::rule::{
    Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Voiding, Watch, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA207"),
    slug: "system-namespace-metadata-changed",
    summary: "metadata that the system created on one of its namespaces was changed or removed",
    consequence: Weight::Always(Consequence::Voids),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C13")],
    platforms: &Platform::ALL,
    reads: &[Read { kind: &kinds::NAMESPACE, scope: Scope::Cluster }],
    probes: &[],
    guards: &[
        Watch { kind: &kinds::NAMESPACE, subresource: "", operations: &[Operation::Create, Operation::Update] },
        Watch { kind: &kinds::NAMESPACE, subresource: "status", operations: &[Operation::Update] },
        Watch { kind: &kinds::NAMESPACE, subresource: "finalize", operations: &[Operation::Update] },
    ],
    reach: Reach::System,
    mode: Mode::Deny,
    instead: "leave it; add a key of your own",
    change: Some(change),
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck = StateCheck { per_object: Some(per_object), per_cluster: None, deadlines: None };

fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (namespace, data) = (seen.object, seen.data);
    let name = &namespace.meta.name;
    let Some(row) = data.namespaces.protected(name) else { return };
    match Whose::of(namespace, row, data) {
        // The metadata of a user's namespace is the user's too.
        Whose::Somebodys => return,
        Whose::Taken(evidence) if data.identities.trusts(name) => {
            let shows = Command::kubectl_in(name, ["get", "serviceaccounts,pods"])
                .only("shows who uses it; unused, it can be deleted");
            let draft = Draft::at(ObjectRef::of(namespace, seen.kind), MADE).values(None, Some(name)).says(format!(
                "namespace {name} was created by hand, and its service accounts count as the platform's"
            ));
            notes.drafts.push(trusting(draft).with(evidence).fix(shows));
        }
        Whose::Taken(_) | Whose::Unknown | Whose::Systems => {}
    }
    for (place, pairs) in [(Place::Label, &namespace.meta.labels), (Place::Annotation, &namespace.meta.annotations)] {
        let keys = Keys::of(namespace, place, data);
        for entry in namespace.managed() {
            if data.managers.person(&entry.manager).is_none() || !origin::is_later(entry, namespace) {
                continue;
            }
            for key in origin::owned_keys(entry, place) {
                let Some(value) = pairs.get(key) else { continue };
                if data.namespaces.is_system_key(name, place, key)
                    && required(name, key).is_none_or(|must| must != value)
                    && keys.by_person(key).is_some()
                {
                    let message =
                        format!("namespace {name}: system {} {} was written by {}", word(place), key, &*entry.manager);
                    let draft = Draft::at(ObjectRef::of(namespace, seen.kind), path(place, key))
                        .values(None, Some(value))
                        .says(message)
                        .with(Evidence::managed(entry));
                    notes.drafts.push(if is_put_by_system(namespace, key, data) {
                        draft
                    } else {
                        let removal =
                            Command::kubectl([verb(place), "namespace"]).one_of(name).name(&format!("{key}-"));
                        draft.lighter(Consequence::AtRisk).with(Evidence::seen("origin", ADDED)).fix(removal)
                    });
                }
            }
        }
    }
    let held = finalizers_of_people(namespace, seen.kind, &format!("namespace {name}"), data);
    notes.drafts.extend(held.into_iter().map(|draft| draft.lighter(Consequence::AtRisk)));
    // Every living namespace has this finalizer from its creation on, and only the namespace controller removes it.
    if namespace.meta.deletion_timestamp.is_none()
        && namespace.raw("spec").is_some()
        && !finalizers(namespace).contains(&SPEC_FINALIZER.into())
    {
        notes.drafts.push(
            Draft::at(ObjectRef::of(namespace, seen.kind), "spec.finalizers")
                .values(Some(SPEC_FINALIZER), None)
                .says(format!("namespace {name}: finalizer {SPEC_FINALIZER} of the system is missing"))
                .with(Evidence::seen("invariant", "a living namespace has the finalizer kubernetes")),
        );
    }
}

fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    let Some(row) = data.namespaces.protected(&change.name).filter(|_| *change.kind == kinds::NAMESPACE) else {
        return Vec::new();
    };
    if let Some(namespace) = change.create() {
        return made(change, namespace, row, data).into_iter().collect();
    }
    let Some((before, after)) = change.update(&["status", "finalize"]) else { return Vec::new() };
    if matches!(Whose::of(before, row, data), Whose::Somebodys) {
        return Vec::new();
    }
    let mut drafts = Vec::new();
    for place in [Place::Label, Place::Annotation] {
        let keys = Keys::of(before, place, data);
        let changed = changes(before, after, &[place]);
        drafts.extend(changed.iter().filter_map(|key| judge(key, &keys, (change, before), data)));
    }
    // Adding is not changing, but a finalizer that blocks a namespace's deletion is more than a note.
    let held = new_finalizers(change, &format!("namespace {}", change.name));
    drafts.extend(held.into_iter().map(|draft| draft.lighter(Consequence::AtRisk)));
    let mut lost = |path: &str, name: &str| {
        drafts.push(
            Draft::at(target(change), format!("{path}[{name}]"))
                .values(Some(name), None)
                .says(format!("namespace {}: finalizer {name} would be removed", change.name)),
        );
    };
    for (path, old, new) in [
        ("metadata.finalizers", meta_finalizers(before), meta_finalizers(after)),
        ("spec.finalizers", finalizers(before), finalizers(after)),
    ] {
        let new: HashSet<&Text<'_>> = new.iter().collect();
        for name in old.iter().filter(|name| !new.contains(name)) {
            lost(path, name);
        }
    }
    drafts
}

/// A draft: the change makes a namespace whose service accounts the guard trusts as the platform's. Kubernetes makes
/// its own namespaces by itself, so a write to one of those is an update.
fn made(change: &Change<'_>, namespace: &Object<'_>, row: &SystemNamespace, data: &Data) -> Option<Draft> {
    let name = &*change.name;
    if !data.identities.trusts(name) || row.is_kubernetes() || is_made_by_release(namespace, row, data) {
        return None;
    }
    let draft = Draft::at(target(change), MADE)
        .values(None, Some(name))
        .says(format!("namespace {name} would be created by hand; its service accounts count as the platform's"));
    Some(trusting(draft))
}

/// The draft with the clause on add-ons: accounts in such a namespace are not its metadata, but an add-on among managed
/// ones.
fn trusting(draft: Draft) -> Draft {
    draft.lighter(Consequence::AtRisk).clauses(const { &[Clause::new("C05")] })
}

fn judge(
    key: &KeyChange<'_>,
    keys: &Keys<'_, '_>,
    (change, before): (&Change<'_>, &Object<'_>),
    data: &Data,
) -> Option<Draft> {
    let by_system = keys.system(&key.key);
    let listed = data.namespaces.is_system_key(&change.name, key.place, &key.key);
    // Adding a key is lawful, except a key of the system's.
    if !listed && (by_system.is_none() || key.before.is_none()) {
        return None;
    }
    if required(&change.name, &key.key).is_some_and(|must| key.after.as_deref() == Some(must)) {
        return None;
    }
    let because = by_system.map_or("a known system key".to_owned(), |entry| format!("written by {}", &*entry.manager));
    let draft = key
        .draft(change)
        .says(format!("namespace {}: system {} {} {}", change.name, word(key.place), key.key, key.would_be()))
        .with(Evidence::seen("origin", because));
    // The key was absent, or a person wrote it before: this may be the way back.
    let theirs = key.before.is_none() || keys.by_person(&key.key).is_some();
    if theirs && !is_put_by_system(before, &key.key, data) {
        // Adding is not changing, and a key that a person added is theirs to remove.
        let added = || draft.lighter(Consequence::AtRisk).with(Evidence::seen("origin", ADDED)).warn_at_most();
        return key.after.is_some().then(added);
    }
    Some(if theirs { draft.warn_at_most() } else { draft })
}

/// Whether evidence besides the key itself shows that the system had put it on this namespace: the name requires its
/// value, or it is one of Helm's marks of ownership and another of them is not a person's.
fn is_put_by_system(namespace: &Object<'_>, key: &str, data: &Data) -> bool {
    let [labels, annotations] = [Place::Label, Place::Annotation].map(|place| Keys::of(namespace, place, data));
    let is_there = |keys: &Keys<'_, '_>, other: &str| {
        let pairs = if keys.place() == Place::Label { &namespace.meta.labels } else { &namespace.meta.annotations };
        other != key && pairs.get(other).is_some() && keys.by_person(other).is_none()
    };
    let marked = || MARKS.iter().any(|mark| is_there(&labels, mark) || is_there(&annotations, mark));
    required(&namespace.meta.name, key).is_some() || (MARKS.contains(&key) && marked())
}

/// The marks that Helm writes together on the objects it makes (helm.sh, `helm install --take-ownership`).
const MARKS: [&str; 3] =
    ["app.kubernetes.io/managed-by", "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"];

/// The reason why an addition is no change.
const ADDED: &str = "the name of a system key, but nothing shows that the system had set it here";

fn verb(place: Place) -> &'static str {
    if place == Place::Annotation { "annotate" } else { "label" }
}

/// The required value of the one key that is known without a record (kubernetes.io, well-known labels).
fn required<'n>(namespace: &'n str, key: &str) -> Option<&'n str> {
    (key == "kubernetes.io/metadata.name").then_some(namespace)
}

fn meta_finalizers<'a>(namespace: &Object<'a>) -> Vec<Text<'a>> {
    namespace.meta.finalizers.clone().unwrap_or_default()
}

fn finalizers<'a>(namespace: &Object<'a>) -> Vec<Text<'a>> {
    #[derive(serde::Deserialize)]
    struct NamespaceSpec<'a> {
        #[serde(borrow, default)]
        finalizers: Option<Vec<Text<'a>>>,
    }
    namespace.field::<NamespaceSpec<'a>>("spec").and_then(|spec| spec.finalizers).unwrap_or_default()
}

/// The path of a finding on a namespace that a person made.
pub(crate) const MADE: &str = "metadata.name";

/// The finalizer Kubernetes gives every namespace.
const SPEC_FINALIZER: &str = "kubernetes";
