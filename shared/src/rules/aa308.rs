//! AA308: a cluster-scoped object of the system was changed or deleted.

use crate::command::Command;
use crate::data::cluster_objects::{ClusterKey, ClusterObject};
use crate::data::{Confidence, Data, Place, Platform};
use crate::facts::change::{Change, Operation};
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::facts::origin::Keys;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::Object;
use crate::rules::parts::changed::changed;
use crate::rules::parts::node_metadata::{path, should_be, word};
use crate::rules::parts::owners::owned;
use crate::rules::parts::target::target;
use crate::rules::parts::written::hands;
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Watch, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA308"),
    slug: "system-cluster-resource-changed",
    summary: "a cluster-scoped object of the system was changed or deleted",
    consequence: Weight::Always(Consequence::Voids),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C05")],
    platforms: &Platform::ALL,
    reads: &[
        everywhere(&kinds::API_SERVICE),
        everywhere(&kinds::CLUSTER_ROLE),
        everywhere(&kinds::CLUSTER_ROLE_BINDING),
        everywhere(&kinds::CSI_DRIVER),
        everywhere(&kinds::CUSTOM_RESOURCE_DEFINITION),
        everywhere(&kinds::FLOW_SCHEMA),
        everywhere(&kinds::PRIORITY_CLASS),
        everywhere(&kinds::PRIORITY_LEVEL),
        everywhere(&kinds::STORAGE_CLASS),
    ],
    probes: &[],
    guards: &[
        on(&kinds::API_SERVICE),
        on(&kinds::CLUSTER_ROLE),
        on(&kinds::CLUSTER_ROLE_BINDING),
        on(&kinds::CSI_DRIVER),
        on(&kinds::CUSTOM_RESOURCE_DEFINITION),
        on(&kinds::FLOW_SCHEMA),
        on(&kinds::PRIORITY_CLASS),
        on(&kinds::PRIORITY_LEVEL),
        on(&kinds::STORAGE_CLASS),
    ],
    reach: Reach::System,
    mode: Mode::Deny,
    instead: "create an object of your own instead",
    change: Some(change),
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

const fn everywhere(kind: &'static Kind) -> Read {
    Read { kind, scope: Scope::Cluster }
}

const fn on(kind: &'static Kind) -> Watch {
    Watch { kind, subresource: "", operations: &[Operation::Delete, Operation::Update] }
}

/// Notes changes of system objects. Some objects are the platform's on some platforms only, so the drafts wait for the
/// platform.
fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, kind, data) = (seen.object, seen.kind, seen.data);
    let Some(row) = row(object, kind, data) else { return };
    let mut drafts = hands(object, kind, &row.product, data);
    for key in keys(row, data) {
        let Some(found) = value(object, key).filter(|found| *found != key.value) else { continue };
        let Some(evidence) = Keys::of(object, key.on, data).person(&key.key) else { continue };
        let draft = Draft::at(ObjectRef::of(object, kind), path(key.on, &key.key))
            .values(Some(&key.value), Some(found))
            .says(format!(
                "{}: {} {} {}: {}",
                name(object, kind),
                word(key.on),
                key.key,
                should_be(Some(found), &key.value),
                key.note
            ))
            .with(evidence)
            .fix(restore(object, kind, key));
        drafts.push(light(draft, key));
    }
    for draft in drafts {
        notes.undecided(weigh(draft, row), OnPlatforms(row.platforms.clone()));
    }
}

/// The platforms to which the object belongs; empty for all.
#[derive(Debug)]
struct OnPlatforms(Vec<Platform>);

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let here = |platforms: &[Platform]| platforms.is_empty() || platforms.contains(&context.platform);
    let suspects = inventory.undecided::<OnPlatforms>(RULE.code).iter().filter(|suspect| here(&suspect.depends_on.0));
    Verdict::Found(suspects.map(|suspect| suspect.draft.clone()).collect())
}

fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    let Some(object) = change.before.as_deref().filter(|_| !change.kind.namespaced) else { return Vec::new() };
    let Some(row) = row(object, change.kind, data) else { return Vec::new() };
    let mut drafts = if let Some(owner) = change.new_owner() {
        vec![owned(change, owner)]
    } else if change.is_delete() {
        let draft = Draft::at(target(change), "metadata")
            .values(Some(&change.name), None)
            .says(format!("{} {} of {} would be deleted", change.kind.kind, change.name, row.product));
        vec![draft]
    } else {
        changed(change, &row.product, data, |_| None)
    };
    if let Some((before, after)) = change.update(&[]) {
        for key in keys(row, data) {
            let (old, new) = (value(before, key), value(after, key));
            if old == new || new == Some(&key.value) {
                continue;
            }
            let draft = Draft::at(target(change), path(key.on, &key.key))
                .values(old, new)
                .says(format!(
                    "{}: {} {} would be changed: {}",
                    name(before, change.kind),
                    word(key.on),
                    key.key,
                    key.note
                ))
                .with(Evidence::seen("origin", "a key that decides how the system treats the object"));
            // A value that was wrong before is not broken by this update.
            drafts.push(light(if old == Some(&key.value) { draft } else { draft.warn_at_most() }, key));
        }
    }
    drafts.into_iter().map(|draft| weigh(draft, row)).collect()
}

/// The table's row for an object, if the object is the platform's. Where the row is only inferred, or goes by a label
/// that anybody can add, an object that only people's tools wrote is a user's own.
fn row<'d>(object: &Object<'_>, kind: &Kind, data: &'d Data) -> Option<&'d ClusterObject> {
    let row = data.cluster_objects.find(kind.kind, object).filter(|row| row.owner != "arc")?;
    let peoples = || {
        let managed = object.managed();
        let mut writers = managed.iter().filter(|entry| &*entry.subresource != "status").peekable();
        writers.peek().is_some() && writers.all(|entry| crate::facts::origin::is_hand(entry, object, data))
    };
    // A person who wrote only later may have taken the object over from its maker.
    let made = || object.managed().iter().any(|entry| !crate::facts::origin::is_later(entry, object));
    let theirs = match (row.confidence, &row.label) {
        (Confidence::Doc, None) => false,
        (Confidence::Doc, Some(_)) => made() && peoples(),
        _ => peoples(),
    };
    (!theirs).then_some(row)
}

fn keys<'d>(row: &ClusterObject, data: &'d Data) -> impl Iterator<Item = &'d ClusterKey> {
    data.cluster_objects.keys.iter().filter(move |key| key.kinds.contains(&row.kind))
}

fn value<'o>(object: &'o Object<'_>, key: &ClusterKey) -> Option<&'o str> {
    let pairs = if key.on == Place::Label { &object.meta.labels } else { &object.meta.annotations };
    pairs.get(&key.key)
}

/// The draft with its weight. Support is voided only by a change of a documented driver, a documented definition or a
/// `system:` role. Any other change, such as of the default StorageClass, which people change routinely, endangers it.
fn weigh(draft: Draft, row: &ClusterObject) -> Draft {
    let documented = row.confidence == Confidence::Doc;
    let voids = match &*row.kind {
        "CSIDriver" | "CustomResourceDefinition" => documented,
        "ClusterRole" | "ClusterRoleBinding" => documented && draft.object.name.starts_with("system:"),
        _ => false,
    };
    if voids || draft.lighter.is_some() { draft } else { draft.lighter(Consequence::AtRisk) }
}

fn light(draft: Draft, key: &ClusterKey) -> Draft {
    if key.light { draft.lighter(Consequence::AtRisk).warn_at_most() } else { draft }
}

fn name(object: &Object<'_>, kind: &Kind) -> String {
    format!("{} {}", kind.kind, object.meta.name)
}

fn restore(object: &Object<'_>, kind: &Kind, key: &ClusterKey) -> Command {
    let verb = if key.on == Place::Label { "label" } else { "annotate" };
    Command::kubectl([verb, &kind.qualified()])
        .name(&object.meta.name)
        .word(&format!("{}={}", key.key, key.value))
        .word("--overwrite")
}
