//! AA201: a label that the system put on a node was changed or removed.

use crate::change::{Change, Operation};
use crate::data::{Data, Place, Platform};
use crate::finding::{Basis, Consequence, Draft, Evidence, ObjectRef};
use crate::inventory::{Inventory, NodeFact, POOL_LABEL, pool_of_node, provider_id, provider_pool};
use crate::kinds;
use crate::origin::{self, Keys, Origin};
use crate::rule::{Code, Context, Guard, Mode, Notes, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Weight};
use crate::rules::node_metadata::{MAX_KEYS, changes, path, pool_name, required, update};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA201"),
    slug: "system-label-changed",
    summary: "a label that the system created on a node was changed or removed",
    consequence: Weight::Always(Consequence::Voids),
    basis: Basis::Explicit,
    clauses: &["C13"],
    platforms: &Platform::ALL,
    reads: &[Read { kind: &kinds::NODE, scope: Scope::Cluster }],
    probes: &[],
    guards: &[
        Guard { kind: &kinds::NODE, subresource: "", operations: &[Operation::Update] },
        Guard { kind: &kinds::NODE, subresource: "status", operations: &[Operation::Update] },
    ],
    reach: Reach::System,
    mode: Mode::Deny,
    warns_of_info: false,
    instead: "add a label of your own instead",
    page: include_str!("aa201.md"),
    state: StateCheck { each: Some(each), whole: Some(whole), clocks: None },
    change: Some(change),
};

/// Labels that contradict the node itself are findings at once; a system label that a person wrote is one unless it has
/// the value its pool's untouched members have, which only the whole can tell.
fn each(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (node, data) = (seen.object, seen.data);
    let target = || ObjectRef::of(node, seen.kind);
    // Before the cloud provider has claimed the node, the kubelet may still correct its labels.
    let claimed = provider_id(node).is_some_and(|id| id.starts_with(&*data.products.provider_id_prefix));
    let (managed, keys) = (node.managed(), Keys::of(node, Place::Label, data));
    for key in INVARIANTS {
        let Some(must) = required(node, key, data).filter(|_| claimed) else { continue };
        let found = node.meta.labels.get(key);
        // Windows machines report their name in capitals.
        if found.is_some_and(|found| found.eq_ignore_ascii_case(&must)) {
            continue;
        }
        let mut draft = Draft::at(target(), path(Place::Label, key))
            .values(Some(&must), found)
            .says(format!("system label {key} of node {} does not say {must}", node.meta.name))
            .with(Evidence::seen("invariant", format!("the node itself says {must}")))
            .fix(restore(&node.meta.name, key, &must));
        draft.evidence.extend(keys.person(key));
        notes.drafts.push(draft);
    }
    let person = |entry: &&crate::object::ManagedEntry<'_>| {
        data.managers.person(&entry.manager).is_some() && origin::is_later(entry, node)
    };
    for entry in managed.iter().filter(person) {
        for key in entry.children(&["f:metadata", "f:labels"]) {
            let Some(value) = node.meta.labels.get(&key) else { continue };
            // Those have been judged above, by what the node itself says.
            if claimed && INVARIANTS.contains(&&*key) {
                continue;
            }
            if !origin::is_listed(node, Place::Label, &key, data) || keys.person(&key).is_none() {
                continue;
            }
            if required(node, &key, data).is_some_and(|must| must.eq_ignore_ascii_case(value)) {
                continue;
            }
            let draft = Draft::at(target(), path(Place::Label, &key))
                .values(None, Some(value))
                .says(format!("system label {} of node {} was written by {}", &*key, node.meta.name, &*entry.manager))
                .with(Evidence::managed(entry));
            notes.suspect(draft, format!("{}\n{}", pool_of_node(node, data), &*key));
        }
    }
}

fn whole(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let mut drafts = Vec::new();
    for suspect in inventory.suspects(RULE.code) {
        let (pool, key) = suspect.hinge.split_once('\n').unwrap_or_default();
        let peers = inventory.pool_value(pool, key);
        if peers.is_some() && peers == suspect.draft.after.as_deref() {
            continue;
        }
        let mut draft = suspect.draft.clone();
        if let Some(value) = peers {
            draft.before = Some(value.to_owned());
            draft = draft
                .with(Evidence::seen("peers", format!("the other nodes of pool {pool} say {value}")))
                .fix(restore(&suspect.draft.object.name, key, value));
        } else if let Some(name) = pool_name(pool) {
            // Nobody untouched is left to compare with; the pool itself says what its machines are.
            let command =
                format!("az aksarc nodepool show --resource-group GROUP --cluster-name CLUSTER --name {name}");
            draft = draft.fix_on(Platform::AzureLocal, command);
        }
        drafts.push(draft);
    }
    drafts.extend(pool_labels(inventory, context.data));
    Verdict::Found(drafts)
}

/// The pool label against the virtual machine's name. The shape of both was seen once, so it counts only where other
/// nodes of this cluster prove it.
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
        drafts.push(
            Draft::at(target, path(Place::Label, POOL_LABEL))
                .values(Some(&must), node.pool_label.as_deref())
                .says(format!("the pool label of node {} does not name the pool of its virtual machine", node.name))
                .with(Evidence::seen("invariant", format!("providerID names {must}, and on node {witness} both agree")))
                .fix(restore(&node.name, POOL_LABEL, &must)),
        );
    }
    drafts
}

fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    let Some((before, after)) = update(change) else { return Vec::new() };
    let keys = Keys::of(before, Place::Label, data);
    let mut drafts = Vec::new();
    for key in changes(before, after, &[Place::Label]) {
        let must = required(before, &key.key, data);
        // Putting the right value back is the cure, and a node that has yet to learn its name is no change. The system may
        // spell it in capitals; what is right already is not for others to spell anew.
        if let (Some(must), Some(after)) = (&must, &key.after) {
            let was_right = key.before.as_ref().is_some_and(|before| must.eq_ignore_ascii_case(before));
            if must == after || (!was_right && must.eq_ignore_ascii_case(after)) {
                continue;
            }
        }
        let (origin, added) = (keys.origin(&key.key), key.before.is_none());
        let by_person = || keys.person(&key.key).is_some();
        let system = match &origin {
            Origin::Known => true,
            // What a person put under a reserved prefix is theirs to take back.
            Origin::Reserved => !added && !by_person(),
            Origin::FromMachine | Origin::SystemManager(_) => !added,
            Origin::Excepted | Origin::Unclear | Origin::User => false,
        };
        if !system {
            continue;
        }
        let verb = match (&key.before, &key.after) {
            (None, _) => "set",
            (_, None) => "removed",
            _ => "changed",
        };
        let mut draft = key
            .draft(change)
            .says(format!("system label {} would be {verb}", key.key))
            .with(Evidence::seen("origin", origin.because()))
            .fix(format!("kubectl label node {} YOUR.DOMAIN/KEY=VALUE", change.name));
        // Already written by a person, or absent: this may be the way back.
        if added || by_person() {
            draft = draft.warn_at_most();
        }
        // What can be denied is never crowded out by what cannot.
        if !draft.warn_at_most || drafts.len() < MAX_KEYS {
            drafts.push(draft);
        }
    }
    drafts
}

fn node_ref(name: &str) -> ObjectRef {
    ObjectRef { api_version: "v1".to_owned(), kind: "Node".to_owned(), name: name.to_owned(), ..ObjectRef::default() }
}

fn restore(node: &str, key: &str, value: &str) -> String {
    format!("kubectl label node {node} {key}={value} --overwrite")
}

/// Labels whose value the node itself tells.
const INVARIANTS: [&str; 3] = ["kubernetes.io/hostname", "kubernetes.io/arch", "kubernetes.io/os"];
