//! AA204: a key of one's own under a prefix reserved to the system.

use crate::change::{Change, Operation};
use crate::command::Command;
use crate::data::{Data, Place, Platform};
use crate::finding::{Basis, Consequence, Draft, ObjectRef};
use crate::kinds;
use crate::origin::{Keys, Origin};
use crate::rule::{Code, Grounds, Guard, Mode, Notes, Reach, Read, Rule, Scope, Seen, StateCheck, Weight};
use crate::rules::node_metadata::{MAX_KEYS, by_people, changes, path, update, verb_of, word};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA204"),
    slug: "reserved-prefix-used",
    summary: "a key of one's own stands under a prefix that is reserved to the system",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(LABELS),
    clauses: &["C13"],
    platforms: &Platform::ALL,
    reads: &[Read { kind: &kinds::NODE, scope: Scope::Cluster }],
    probes: &[],
    guards: &[
        Guard { kind: &kinds::NODE, subresource: "", operations: &[Operation::Update] },
        Guard { kind: &kinds::NODE, subresource: "status", operations: &[Operation::Update] },
    ],
    reach: Reach::System,
    mode: Mode::Warn,
    instead: "use a prefix of your own",
    page: include_str!("aa204.md"),
    state: StateCheck { each: Some(each), whole: None, clocks: None },
    change: Some(change),
};

fn each(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (node, data) = (seen.object, seen.data);
    let name = &node.meta.name;
    by_people(node, data, |keys, written, evidence| {
        let place = keys.place();
        for (key, value) in written.iter().filter(|(key, _)| keys.origin(key) == Origin::Reserved) {
            notes.drafts.push(
                Draft::at(ObjectRef::of(node, seen.kind), path(place, key))
                    .basis(grounds(place))
                    .values(None, Some(value))
                    .says(format!("{} {key} of node {name} stands under a reserved prefix", word(place)))
                    .with(evidence.clone())
                    .fix(removal(place, name, key)),
            );
        }
    });
}

fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    let Some((before, after)) = update(change) else { return Vec::new() };
    let mut drafts = Vec::new();
    for place in [Place::Label, Place::Annotation, Place::Taint] {
        let keys = Keys::of(before, place, data);
        let new = changes(before, after, &[place]).into_iter().filter(|key| key.before.is_none());
        let reserved = new.filter(|key| keys.origin(&key.key) == Origin::Reserved).take(MAX_KEYS);
        drafts.extend(reserved.map(|key| {
            key.draft(change)
                .basis(grounds(place))
                .says(format!("{} {} stands under a reserved prefix", word(place), key.key))
                .fix(removal(place, &change.name, &key.key))
        }));
    }
    drafts
}

/// Microsoft's page speaks of labels; that annotations and taints follow the same rules is our reading.
fn grounds(place: Place) -> Basis {
    match place {
        Place::Label => LABELS,
        Place::Annotation | Place::Taint => Basis::Derived,
    }
}

fn removal(place: Place, node: &str, key: &str) -> Command {
    Command::kubectl([verb_of(place), "node"])
        .name(node)
        .name(&format!("{key}-"))
        .caution("first move what selects nodes by it, volumes too")
}

/// The page on what labels nodes may have.
const LABELS: Basis = Basis::Documented(&["cluster-labels"]);
