//! AA205: the user's own metadata on nodes rather than on their pool, where it is lost at the next upgrade.

use crate::change::{Change, Operation};
use crate::command::Command;
use crate::data::{Data, Place, Platform, Ruling};
use crate::finding::{Basis, Consequence, Draft, ObjectRef};
use crate::inventory::pool_of_node;
use crate::kinds;
use crate::origin::{Keys, Origin};
use crate::rule::{Code, Grounds, Guard, Mode, Notes, Reach, Read, Rule, Scope, Seen, StateCheck, Weight};
use crate::rules::node_metadata::{MAX_KEYS, by_people, changes, path, pool_name, update, word};
use crate::rules::ways;

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA205"),
    slug: "node-metadata-not-durable",
    summary: "own labels, annotations or taints are set on nodes and not on their pool, and are lost at the next upgrade",
    consequence: Weight::On {
        platforms: &[Platform::WindowsServer, Platform::Hci22h2],
        consequence: Consequence::AtRisk,
        elsewhere: Consequence::Info,
    },
    basis: Grounds::By(|platform| match platform {
        Platform::WindowsServer | Platform::Hci22h2 => Basis::Documented(&["known-issues-of-upgrades"]),
        Platform::AzureLocal => Basis::Documented(&["node-taints"]),
        Platform::BareMetal => Basis::Derived,
    }),
    clauses: &["C12"],
    platforms: &Platform::ALL,
    reads: &[Read { kind: &kinds::NODE, scope: Scope::Cluster }],
    probes: &[],
    guards: &[
        Guard { kind: &kinds::NODE, subresource: "", operations: &[Operation::Update] },
        Guard { kind: &kinds::NODE, subresource: "status", operations: &[Operation::Update] },
    ],
    reach: Reach::System,
    mode: Mode::Warn,
    instead: "set it on the node pool",
    page: include_str!("aa205.md"),
    state: StateCheck { each: Some(each), whole: None, clocks: None },
    change: Some(change),
};

/// Keys that a person's tool owns: a device plugin's label is nobody's to repair.
fn each(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (node, data) = (seen.object, seen.data);
    let pool = pool_of_node(node, data);
    by_people(node, data, |keys, written, evidence| {
        let own = Own { node: &node.meta.name, keys, data, pool: &pool };
        let drafted = written.iter().filter_map(|(key, value)| own.draft(key, Some(value)));
        notes.drafts.extend(drafted.map(|draft| draft.with(evidence.clone())));
    });
}

/// Adding or changing an own key; taking one back is silent.
fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    let Some((before, after)) = update(change) else { return Vec::new() };
    let mut drafts = Vec::new();
    let pool = pool_of_node(before, data);
    for place in [Place::Label, Place::Annotation, Place::Taint] {
        let own = Own { node: &before.meta.name, keys: &Keys::of(before, place, data), data, pool: &pool };
        let set = changes(before, after, &[place]).into_iter().filter(|key| key.after.is_some());
        let drafted = set.filter_map(|key| {
            let mut draft = own.draft(&key.key, key.after.as_deref())?;
            draft.before = key.before.map(std::borrow::Cow::into_owned);
            Some(draft)
        });
        drafts.extend(drafted.take(MAX_KEYS));
    }
    drafts
}

/// The user's own keys at one place of a node.
struct Own<'o, 'k, 'a> {
    node: &'o str,
    keys: &'o Keys<'k, 'a>,
    data: &'o Data,
    pool: &'o str,
}

impl Own<'_, '_, '_> {
    fn draft(&self, key: &str, value: Option<&str>) -> Option<Draft> {
        if self.keys.origin(key) != Origin::User {
            return None;
        }
        let (place, pool) = (self.keys.place(), self.pool);
        let mut message =
            format!("own {} {key} is on nodes of pool {pool}, not on the pool: an upgrade drops it", word(place));
        if let Ruling::Exception(exception) = self.data.node_keys.ruling(place, key) {
            message = format!("{message}; {}", exception.note);
        }
        let draft =
            Draft::at(ObjectRef::pool(pool), path(place, key)).values(None, value).says(message).member(self.node);
        Some(match pool_command(place, pool, key, value.unwrap_or_default()) {
            Some(command) => draft.fix(command),
            None => draft,
        })
    }
}

/// The pool command of Azure Local; it replaces the whole set, so the page says to list what is there first.
fn pool_command(place: Place, pool: &str, key: &str, value: &str) -> Option<Command> {
    let (flag, value) = match place {
        Place::Annotation => return None,
        Place::Label => ("--labels", format!("{key}={value}")),
        Place::Taint => {
            // Several effects of one key come as `value:effect,value:effect`; an empty value has no `=`.
            let taint =
                |item: &str| if item.starts_with(':') { format!("{key}{item}") } else { format!("{key}={item}") };
            ("--node-taints", value.split(',').map(taint).collect::<Vec<_>>().join(","))
        }
    };
    let command = ways::pool("update", pool_name(pool)?).word(flag).name(&value);
    Some(command.caution("replaces the pool's whole set: add what az aksarc nodepool show prints"))
}
