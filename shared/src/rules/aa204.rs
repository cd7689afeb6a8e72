//! AA204: a key of one's own under a prefix reserved to the system.

use std::cell::OnceCell;

use crate::command::Command;
use crate::data::{Data, Place, Platform};
use crate::facts::change::{Change, Operation};
use crate::facts::inventory::{Inventory, NodeFact, is_untold};
use crate::facts::notes::Notes;
use crate::facts::origin::{Keys, Origin};
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::rules::parts::node_metadata::{
    Act, MAX_KEYS, WrittenKey, act, by_people, changes, path, update, verb_of, word, written_by_people,
};
use crate::rules::parts::platform_signs::platform_signs;
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Watch, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA204"),
    slug: "reserved-prefix-used",
    summary: "a user's key on a node has a reserved prefix, or the name of a system key that the system had not set",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(LABELS),
    clauses: &[Clause::new("C13")],
    platforms: &Platform::ALL,
    reads: &[Read { kind: &kinds::NODE, scope: Scope::Cluster }],
    probes: &[],
    guards: &[
        Watch { kind: &kinds::NODE, subresource: "", operations: &[Operation::Update] },
        Watch { kind: &kinds::NODE, subresource: "status", operations: &[Operation::Update] },
    ],
    reach: Reach::System,
    mode: Mode::Warn,
    instead: "use a prefix of your own",
    change: Some(change),
    claim: None,
    manifests: ManifestUse::AsNodeUpdate,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

/// Reports keys under a reserved prefix that a person's tool wrote. Known system keys that a person wrote stay
/// undecided: they are additions only if the system had not put them there, which the pool tells.
fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (node, data) = (seen.object, seen.data);
    let name = &node.meta.name;
    by_people(node, data, |keys, written, evidence| {
        let place = keys.place();
        for (key, value) in written.iter().filter(|(key, _)| keys.origin(key) == Origin::Reserved) {
            notes.drafts.push(
                Draft::at(ObjectRef::of(node, seen.kind), path(place, key))
                    .basis(grounds(place))
                    .values(None, Some(value))
                    .surplus()
                    .says(format!("node {name}: {} {key} has a reserved prefix", word(place)))
                    .with(evidence.clone())
                    .fix(removal(place, name, key)),
            );
        }
    });
    let ours = OnceCell::new();
    for place in [Place::Label, Place::Annotation] {
        written_by_people(node, place, data, |keys, key, value, entry| {
            // A foreign node is AA401's, and its creator's keys do not matter.
            let ours = ours.get_or_init(|| !platform_signs(&NodeFact::of(node, data), data).is_empty());
            if !ours || data.managers.is_agent(&entry.manager) {
                return;
            }
            let draft = Draft::at(ObjectRef::of(node, seen.kind), path(place, key))
                .basis(grounds(place))
                .values(None, Some(value))
                .surplus()
                .says(format!(
                    "node {name}: {} {key}, the name of a system key, was added by {}",
                    word(place),
                    &*entry.manager
                ))
                .with(Evidence::managed(entry))
                .fix(removal(place, name, key));
            notes.undecided(draft, WrittenKey::of(node, keys, key, data));
        });
    }
}

/// The verdict on added keys. A key that the system had put there was changed, not added, and is AA201's or AA202's.
fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    // An unread peer may show that the system puts the key there.
    if context.unread(&[&kinds::NODE]).is_some() {
        return Verdict::Found(Vec::new());
    }
    let is_recorded = |node: &str, written: &WrittenKey| {
        context.baseline.as_ref().is_some_and(|baseline| baseline.has_key(node, written.place, &written.key))
    };
    let suspects = inventory.undecided::<WrittenKey>(RULE.code).iter();
    let added = suspects.filter_map(|suspect| {
        let (draft, written) = (&suspect.draft, &suspect.depends_on);
        let added = !written.is_systems(inventory) && !is_recorded(&draft.object.name, written);
        added.then(|| {
            let peers = if is_untold(&written.pool) {
                "the node's pool is unknown".to_owned()
            } else {
                format!("no other node of pool {} has it from the system", written.pool)
            };
            let detail = format!("{peers}, and nothing on this one shows that the system had set it");
            draft.clone().with(Evidence::seen("peers", detail))
        })
    });
    Verdict::Found(added.collect())
}

/// Drafts on reserved keys that a change adds or sets to another value. Removing one is the cure.
fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    let Some((before, after)) = update(change) else { return Vec::new() };
    let mut drafts = Vec::new();
    for place in [Place::Label, Place::Annotation, Place::Taint] {
        let keys = Keys::of(before, place, data);
        let added = changes(before, after, &[place]).into_iter().filter(|key| match place {
            // AA203 judges the system's known taints.
            Place::Taint => key.after.is_some() && keys.origin(&key.key) == Origin::Reserved,
            Place::Annotation | Place::Label => act(key, &keys, before, data) == Act::Adds,
        });
        drafts.extend(added.take(MAX_KEYS).map(|key| {
            let problem = match keys.origin(&key.key) {
                Origin::Known => "is the name of a system key, and would be set by hand",
                _ => "has a reserved prefix",
            };
            key.draft(change)
                .basis(grounds(place))
                .says(format!("node {}: {} {} {problem}", change.name, word(place), key.key))
                .fix(removal(place, &change.name, &key.key))
                .agents_may()
        }));
    }
    drafts
}

/// The basis for a place. Microsoft's page is about labels; that annotations and taints follow the same rules is our
/// reading.
fn grounds(place: Place) -> Basis {
    match place {
        Place::Label => LABELS,
        Place::Annotation | Place::Taint => Basis::Derived,
    }
}

fn removal(place: Place, node: &str, key: &str) -> Command {
    let removal = Command::kubectl([verb_of(place), "node"]).one_of(node).name(&format!("{key}-"));
    match place {
        Place::Annotation => removal,
        // Volumes, for one, are bound to nodes by topology.kubernetes.io/zone.
        Place::Label => removal.caution("first move everything that selects nodes by it, volumes too"),
        Place::Taint => removal.caution("pods that it kept away may then be scheduled here"),
    }
}

/// The page on the labels that nodes may have.
const LABELS: Basis = Basis::Documented(&["cluster-labels"]);
