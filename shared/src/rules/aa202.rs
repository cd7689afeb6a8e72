//! AA202: an annotation that the system put on a node was changed or removed.

use crate::data::{Data, Place, Platform};
use crate::facts::change::{Change, Operation};
use crate::facts::inventory::{Inventory, pool_of_node};
use crate::facts::notes::Notes;
use crate::facts::origin::Keys;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::rules::parts::node_metadata::{
    WrittenKey, against_baseline, against_peers, path, system_keys, written_by_people,
};
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Watch, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA202"),
    slug: "system-annotation-changed",
    summary: "an annotation that the system created on a node was changed or removed",
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
    instead: "add an annotation of your own instead",
    change: Some(change),
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

/// Notes system annotations that a person wrote. Each is a finding if the system had put it there, unless it has the
/// value that the pool's untouched members agree on.
fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (node, data) = (seen.object, seen.data);
    written_by_people(node, Place::Annotation, data, |keys, key, value, entry| {
        let draft = Draft::at(ObjectRef::of(node, seen.kind), path(Place::Annotation, key))
            .values(None, Some(value))
            .says(format!("node {}: system annotation {key} was written by {}", node.meta.name, &*entry.manager))
            .with(Evidence::managed(entry));
        notes.undecided(draft, WrittenKey::of(node, keys, key, data));
    });
    let keys = Keys::of(node, Place::Annotation, data);
    let shared = node.meta.annotations.iter().filter(|(key, _)| data.node_keys.is_pool_wide(key));
    let mut shared = shared.filter(|(key, _)| keys.person(key).is_none()).peekable();
    let pool = shared.peek().map(|_| pool_of_node(node, data)).unwrap_or_default();
    for (key, value) in shared {
        notes.remark(PoolAnnotation { pool: pool.clone(), key: key.to_owned(), value: value.to_owned() });
    }
}

/// The value of an annotation that all nodes of a pool share, on a node where no person wrote it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PoolAnnotation {
    pool: String,
    key: String,
    value: String,
}

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    // Untouched members with different values prove nothing.
    let peers = |pool: &str, key: &str| {
        let shared = inventory
            .remarks::<PoolAnnotation>(RULE.code)
            .filter(|annotation| annotation.pool == pool && annotation.key == key);
        let mut values = shared.map(|annotation| &*annotation.value);
        values.next().filter(|_| values.next().is_none())
    };
    let mut drafts = against_peers(inventory, context, RULE.code, peers);
    drafts.extend(against_baseline(inventory, context, Place::Annotation));
    Verdict::Found(drafts)
}

fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    system_keys(change, Place::Annotation, data)
}
