//! AA205: the user's own metadata on nodes rather than on their pool, where it is lost at the next upgrade.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::command::Command;
use crate::data::{Data, Place, Platform, Ruling};
use crate::facts::change::{Change, Operation};
use crate::facts::inventory::{Inventory, is_untold, pool_of_node};
use crate::facts::notes::Notes;
use crate::facts::origin::{Keys, Origin};
use crate::finding::{Basis, Clause, Code, Consequence, Draft, ObjectRef};
use crate::k8s::kinds;
use crate::rules::parts::node_metadata::{MAX_KEYS, by_people, changes, entries, path, pool_name, update, word};
use crate::rules::parts::ways;
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Watch, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA205"),
    slug: "node-metadata-not-durable",
    summary: "a user's labels, annotations or taints are set on nodes, not on their pool, and are lost at the next upgrade",
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
    clauses: &[Clause::new("C12")],
    platforms: &Platform::ALL,
    reads: &[Read { kind: &kinds::NODE, scope: Scope::Cluster }],
    probes: &[],
    guards: &[
        Watch { kind: &kinds::NODE, subresource: "", operations: &[Operation::Update] },
        Watch { kind: &kinds::NODE, subresource: "status", operations: &[Operation::Update] },
    ],
    reach: Reach::System,
    mode: Mode::Warn,
    instead: "set it on the node pool",
    change: Some(change),
    claim: None,
    manifests: ManifestUse::AsNodeUpdate,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

/// Notes keys that a person's tool owns, and keys the pool has of its own and so has to keep. A device plugin's label
/// is nobody's to repair.
fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (node, data) = (seen.object, seen.data);
    let pool = pool_of_node(node, data);
    by_people(node, data, |keys, written, evidence| {
        let own = Own { node: &node.meta.name, keys, data, pool: &pool };
        let set = written.iter().filter(|(key, _)| keys.origin(key) == Origin::User);
        let drafted = set.map(|(key, value)| own.draft(key, value));
        for draft in drafted {
            notes.undecided(draft.with(evidence.clone()), OfPool(pool.clone()));
        }
    });
    // The kubelet gives a new node the labels and taints of its pool.
    for place in [Place::Label, Place::Taint] {
        let keys = Keys::of(node, place, data);
        for (key, value) in entries(node, place).iter().filter(|(key, _)| is_of_pool(&keys, key, data)) {
            notes.remark(PoolKey { pool: pool.clone(), place, key: key.to_string(), value: value.to_string() });
        }
    }
}

/// Whether a node has a key because its pool has it, as far as the node tells.
fn is_of_pool(keys: &Keys<'_, '_>, key: &str, data: &Data) -> bool {
    let free =
        matches!(data.node_keys.ruling(keys.place(), key), Ruling::Silent) && data.node_keys.reserved(key).is_none();
    // The topology of a storage driver is the node's own, and the kubelet writes it too.
    free && !key.starts_with("topology.") && keys.system(key).is_some()
}

/// A key that a node has because its pool has it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PoolKey {
    pool: String,
    place: Place,
    key: String,
    value: String,
}

/// The node's pool, whose other keys the command has to repeat.
#[derive(Debug)]
struct OfPool(String);

/// The findings, with one command for each pool and place. It replaces the pool's whole set, so it repeats all keys of
/// the pool.
fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let mut sets: BTreeMap<(&str, Place), BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for PoolKey { pool, place, key, value } in inventory.remarks(RULE.code) {
        sets.entry((pool, *place)).or_default().entry(key).or_default().insert(value);
    }
    let suspects = inventory.undecided::<OfPool>(RULE.code);
    for suspect in suspects {
        let Some((place, key)) = place_of(&suspect.draft.path) else { continue };
        let value = suspect.draft.after.as_deref().unwrap_or_default();
        sets.entry((&suspect.depends_on.0, place)).or_default().entry(key).or_default().insert(value);
    }
    let commands: BTreeMap<(&str, Place), Command> = sets
        .iter()
        .filter_map(|((pool, place), set)| Some(((*pool, *place), pool_command(*place, pool, set)?)))
        .collect();
    let drafts = suspects.iter().map(|suspect| {
        let place = place_of(&suspect.draft.path).map(|(place, _)| place);
        let command = place.and_then(|place| commands.get(&(&*suspect.depends_on.0, place)));
        let Some(command) = command.filter(|_| context.platform == Platform::AzureLocal) else {
            return suspect.draft.clone();
        };
        suspect.draft.clone().fix(command.clone())
    });
    Verdict::Found(drafts.collect())
}

/// Drafts on own keys that a change adds or sets. Removing one is silent, and so are agents' keys, which their agents
/// write again on every new node.
fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    let Some((before, after)) = update(change) else { return Vec::new() };
    let mut drafts = Vec::new();
    // Most changes set no key of the user's own, and need no pool.
    let pool = OnceCell::new();
    for place in [Place::Label, Place::Annotation, Place::Taint] {
        let mut set = changes(before, after, &[place]);
        let keys = Keys::of(before, place, data);
        set.retain(|key| key.after.is_some() && keys.origin(&key.key) == Origin::User);
        if set.is_empty() {
            continue;
        }
        let pool = pool.get_or_init(|| pool_of_node(before, data));
        let own = Own { node: &before.meta.name, keys: &keys, data, pool };
        let drafted = set.into_iter().map(|key| {
            let value = key.after.as_deref().unwrap_or_default();
            let mut draft = own.draft(&key.key, value).agents_may();
            draft.before = key.before.as_deref().map(str::to_owned);
            let set = BTreeMap::from([(&*key.key, BTreeSet::from([value]))]);
            match pool_command(place, pool, &set) {
                Some(command) => draft.fix(command),
                None => draft,
            }
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
    fn draft(&self, key: &str, value: &str) -> Draft {
        let (place, pool) = (self.keys.place(), self.pool);
        // A node without a known pool is the object of its own finding.
        let setting = format!("own {} {key} is set on", word(place));
        let (object, mut message) = if is_untold(pool) {
            let node = self.node;
            (node_ref(node), format!("node {node}: {setting} the node, not on its pool: an upgrade drops it"))
        } else {
            (ObjectRef::pool(pool), format!("pool {pool}: {setting} nodes, not on the pool: an upgrade drops it"))
        };
        if let Ruling::Exception(exception) = self.data.node_keys.ruling(place, key) {
            message = format!("{message}; {}", exception.note);
        }
        let draft = Draft::at(object, path(place, key)).values(None, Some(value)).says(message);
        if is_untold(pool) { draft } else { draft.member(self.node) }
    }
}

fn node_ref(name: &str) -> ObjectRef {
    ObjectRef {
        api_version: kinds::NODE.api_version(),
        kind: kinds::NODE.kind.to_owned(),
        name: name.to_owned(),
        ..ObjectRef::default()
    }
}

/// The place and key in the path of a finding; `None` for annotations, which a pool cannot carry.
fn place_of(path: &str) -> Option<(Place, &str)> {
    let key = |prefix: &str| path.strip_prefix(prefix)?.strip_suffix(']');
    let label = key("metadata.labels[").map(|key| (Place::Label, key));
    label.or_else(|| key("spec.taints[").map(|key| (Place::Taint, key)))
}

/// The Azure Local command that sets keys on a pool. It replaces the pool's whole set (page on cluster labels of AKS
/// Arc, 2024-08-01), so it carries every known key. A key with several values has no place on a pool.
fn pool_command(place: Place, pool: &str, set: &BTreeMap<&str, BTreeSet<&str>>) -> Option<Command> {
    let name = pool_name(pool)?;
    let one = |values: &BTreeSet<&str>| values.first().filter(|_| values.len() == 1).map(|value| (*value).to_owned());
    if set.len() > MAX_SET {
        return None;
    }
    let items = set.iter().filter_map(|(key, values)| Some((*key, one(values)?)));
    let (flag, words) = match place {
        Place::Annotation => return None,
        Place::Label => ("--labels", items.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>()),
        Place::Taint => {
            // Several effects of one key are joined as `value:effect,value:effect`; an empty value has no `=`.
            let taint = |key: &str, item: &str| {
                if item.starts_with(':') { format!("{key}{item}") } else { format!("{key}={item}") }
            };
            let taints: Vec<String> = items
                .flat_map(|(key, value)| value.split(',').map(|item| taint(key, item)).collect::<Vec<_>>())
                .collect();
            ("--node-taints", if taints.is_empty() { taints } else { vec![taints.join(",")] })
        }
    };
    if words.is_empty() {
        return None;
    }
    let update = ways::pool("update", name).word(flag);
    Some(words.iter().fold(update, |command, word| command.name(word)).caution(REPLACES))
}

/// The caution on the command.
const REPLACES: &str = "replaces the pool's whole set: add the others that az aksarc nodepool show prints";

/// The most keys in one command. Nobody would paste a longer one, and it stands in the finding on each of its keys.
const MAX_SET: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn command(place: Place, set: &[(&'static str, &[&'static str])]) -> Option<String> {
        let set = set.iter().map(|(key, values)| (*key, values.iter().copied().collect())).collect();
        pool_command(place, "edge-1a2b3c4d-pool1", &set).map(|command| command.line())
    }

    const HEAD: &str = "az aksarc nodepool update --resource-group GROUP --cluster-name CLUSTER --name pool1";

    #[test]
    fn one_command_carries_the_whole_set() {
        let labels =
            command(Place::Label, &[("example.com/line", &["3"]), ("example.com/site", &["edge-7"]), ("own", &[""])]);
        assert_eq!(labels.unwrap(), format!("{HEAD} --labels example.com/line=3 example.com/site=edge-7 own="));
        let taints = command(Place::Taint, &[("a", &[":NoSchedule"]), ("b", &["x:NoExecute,y:NoSchedule"])]);
        assert_eq!(taints.unwrap(), format!("{HEAD} --node-taints a:NoSchedule,b=x:NoExecute,b=y:NoSchedule"));
    }

    #[test]
    fn a_value_that_differs_between_nodes_has_no_place_on_a_pool() {
        let labels = command(Place::Label, &[("rack", &["r1", "r2"]), ("site", &["edge-7"])]);
        assert_eq!(labels.unwrap(), format!("{HEAD} --labels site=edge-7"));
        assert_eq!(command(Place::Label, &[("rack", &["r1", "r2"])]), None);
        assert_eq!(command(Place::Annotation, &[("note", &["x"])]), None);
    }

    #[test]
    fn only_known_pools_get_a_command() {
        let set = BTreeMap::from([("site", BTreeSet::from(["edge-7"]))]);
        for pool in ["control-plane", "(that of moc-l1)"] {
            assert_eq!(pool_command(Place::Label, pool, &set), None, "{pool}");
        }
    }
}
