//! AA201: a label that the system put on a node was changed or removed.

use crate::data::{Data, Place, Platform};
use crate::facts::change::{Change, Operation};
use crate::facts::inventory::{Inventory, NodeFact, POOL_LABEL, provider_pool};
use crate::facts::notes::Notes;
use crate::facts::origin::{self, Keys};
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::k8s::object::Object;
use crate::rules::parts::node_metadata::{
    TWINS, WrittenKey, against_baseline, against_peers, path, required, restore, should_be, system_keys, twin,
    written_by_people,
};
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Watch, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA201"),
    slug: "system-label-changed",
    summary: "a label that the system created on a node was changed or removed",
    consequence: Weight::Always(Consequence::Voids),
    basis: Grounds::Always(Basis::Explicit),
    clauses: &[Clause::new("C13")],
    platforms: &Platform::ALL,
    reads: &[Read { kind: &kinds::NODE, scope: Scope::Cluster }],
    probes: &[],
    guards: &[
        Watch { kind: &kinds::NODE, subresource: "", operations: &[Operation::Update] },
        Watch { kind: &kinds::NODE, subresource: "status", operations: &[Operation::Update] },
    ],
    reach: Reach::System,
    mode: Mode::Deny,
    instead: "add a label of your own instead",
    change: Some(change),
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

/// Reports labels that contradict the node itself. A system label that a person wrote stays undecided: it is a finding
/// if the system had put it there and its value is not that of the pool's untouched members, which only `per_cluster`
/// can tell.
fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (node, data) = (seen.object, seen.data);
    let target = || ObjectRef::of(node, seen.kind);
    // Before the cloud provider has claimed the node, the kubelet may still correct its labels.
    let claimed = node.provider_id().is_some_and(|id| id.starts_with(&*data.products.provider_id_prefix));
    let keys = Keys::of(node, Place::Label, data);
    for (key, always) in INVARIANTS {
        let Some(must) = required(node, Place::Label, key, data).filter(|_| claimed) else { continue };
        let found = node.meta.labels.get(key);
        // Windows machines report their name in capitals.
        if found.is_some_and(|found| found.eq_ignore_ascii_case(&must)) || (found.is_none() && !always) {
            continue;
        }
        let message = format!("node {}: label {key} {}", node.meta.name, should_be(found, &must));
        let mut draft = Draft::at(target(), path(Place::Label, key))
            .values(Some(&must), found)
            .says(message)
            .with(Evidence::seen("invariant", format!("the node itself says {must}")))
            .fix(restore(Place::Label, &node.meta.name, key, &must));
        draft.evidence.extend(keys.person(key));
        notes.drafts.push(draft);
    }
    written_by_people(node, Place::Label, data, |keys, key, value, entry| {
        // The loop above has judged these by the node's own evidence.
        if !(claimed && INVARIANTS.iter().any(|(label, _)| *label == key)) {
            let draft = Draft::at(target(), path(Place::Label, key))
                .values(twin(node, keys, key), Some(value))
                .says(format!("node {}: system label {key} was written by {}", node.meta.name, &*entry.manager))
                .with(Evidence::managed(entry));
            notes.undecided(draft, WrittenKey::of(node, keys, key, data));
        }
    });
    strangers(node, &keys, notes, &target);
    if claimed {
        notes.drafts.extend(contradictions(node, &keys).map(|draft| Draft { object: target(), ..draft }));
    }
}

/// Notes system labels that an unrecognised client wrote. That client may be the platform's own, so only a different
/// value, given by the system to the rest of the pool, makes a finding of it.
fn strangers(node: &Object<'_>, keys: &Keys<'_, '_>, notes: &mut Notes, target: &dyn Fn() -> ObjectRef) {
    let name = &node.meta.name;
    let invariant = |key: &str| INVARIANTS.iter().any(|(label, _)| *label == key);
    let listed =
        node.meta.labels.iter().filter(|(key, _)| !invariant(key) && *key != POOL_LABEL && keys.is_listed(key));
    for (key, value) in listed {
        let Some(entry) = keys.stranger(key).filter(|entry| origin::is_later(entry, node)) else { continue };
        let draft = Draft::at(target(), path(Place::Label, key))
            .values(None, Some(value))
            .says(format!(
                "node {name}: system label {key} was last written by the unrecognised client {}; a baseline settles it",
                &*entry.manager
            ))
            .with(Evidence::managed(entry))
            .lighter(Consequence::Info)
            .basis(Basis::Derived);
        notes.undecided(draft, ByStranger { key: (*key).to_owned() });
    }
}

/// Drafts on labels that the system writes under two names and whose values differ, although no person wrote either.
/// One was changed, but nothing tells which one or by whom; it may have been the system itself.
fn contradictions<'o>(node: &'o Object<'_>, keys: &'o Keys<'_, '_>) -> impl Iterator<Item = Draft> + 'o {
    let differing = TWINS.into_iter().filter_map(move |[newer, older]| {
        let value = |key| node.meta.labels.get(key).filter(|_| keys.by_person(key).is_none());
        Some((newer, value(newer)?, older, value(older)?)).filter(|(_, one, _, other)| one != other)
    });
    differing.map(|(newer, one, older, other)| {
        let (name, path) = (&node.meta.name, path(Place::Label, newer));
        Draft::at(ObjectRef::default(), path)
            .values(Some(other), Some(one))
            .says(format!("node {name}: label {newer} is {one:?}, but {older} is {other:?}"))
            .with(Evidence::seen("invariant", "the system writes both labels with one value"))
            .lighter(Consequence::AtRisk)
            .basis(Basis::Derived)
    })
}

/// A system label that an unrecognised client wrote.
#[derive(Debug)]
struct ByStranger {
    key: String,
}

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let peers = |pool: &str, key: &str| inventory.pool_value(pool, key);
    let mut drafts = against_peers(inventory, context, RULE.code, peers);
    drafts.extend(inventory.undecided::<ByStranger>(RULE.code).iter().filter_map(|suspect| {
        let key = &*suspect.depends_on.key;
        let node = inventory.nodes.iter().find(|node| node.name == suspect.draft.object.name)?;
        let value = inventory.firm_value(&node.pool, key)?;
        let draft = suspect.draft.clone().values(Some(value), suspect.draft.after.as_deref());
        let peers = Evidence::seen("peers", format!("the other nodes of pool {} have it from the system", node.pool));
        (draft.before != draft.after).then(|| draft.with(peers))
    }));
    drafts.extend(pool_labels(inventory, context.data));
    drafts.extend(against_baseline(inventory, context, Place::Label));
    Verdict::Found(drafts)
}

/// Drafts on pool labels that do not match the virtual machine's name. The shape of both was seen once, so it counts
/// only where other nodes of this cluster prove it.
fn pool_labels(inventory: &Inventory, data: &Data) -> Vec<Draft> {
    let expected = |node: &NodeFact| provider_pool(node.provider_id.as_deref()?, data).map(str::to_owned);
    let agrees = |node: &NodeFact| node.pool_label.is_some() && expected(node) == node.pool_label;
    let proof: Vec<&NodeFact> = inventory.nodes.iter().filter(|node| agrees(node)).collect();
    let mut drafts = Vec::new();
    for node in inventory.nodes.iter().filter(|node| !agrees(node)) {
        let Some(must) = expected(node).filter(|_| !proof.is_empty()) else { continue };
        // A missing label is a finding only where peers of the same pool have one.
        let peer = proof.iter().find(|peer| peer.pool_label.as_ref() == Some(&must));
        if node.pool_label.is_none() && peer.is_none() {
            continue;
        }
        let target = ObjectRef { uid: node.uid.clone(), ..node_ref(&node.name) };
        let witness = peer.or(proof.first()).map(|peer| peer.name.clone()).unwrap_or_default();
        let found = node.pool_label.as_deref();
        let message = format!(
            "node {}: label {POOL_LABEL} {}, the pool of its virtual machine",
            node.name,
            should_be(found, &must)
        );
        drafts.push(
            Draft::at(target, path(Place::Label, POOL_LABEL))
                .values(Some(&must), found)
                .says(message)
                .with(Evidence::seen("invariant", format!("providerID names {must}, and on node {witness} both agree")))
                .fix(restore(Place::Label, &node.name, POOL_LABEL, &must)),
        );
    }
    drafts
}

fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    system_keys(change, Place::Label, data)
}

fn node_ref(name: &str) -> ObjectRef {
    ObjectRef { api_version: "v1".to_owned(), kind: "Node".to_owned(), name: name.to_owned(), ..ObjectRef::default() }
}

/// Labels whose value the node itself tells, and whether every node has them.
const INVARIANTS: [(&str, bool); 5] = [
    ("kubernetes.io/hostname", true),
    ("kubernetes.io/arch", true),
    ("kubernetes.io/os", true),
    ("beta.kubernetes.io/arch", false),
    ("beta.kubernetes.io/os", false),
];
