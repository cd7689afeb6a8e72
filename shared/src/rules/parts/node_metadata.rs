//! Node metadata for several rules: changed keys, the owner of a key, and the value the node itself requires.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::command::Command;
use crate::data::{Data, Place, Ruling};
use crate::facts::baseline::RecordedStep;
use crate::facts::change::Change;
use crate::facts::inventory::{self, CONTROL_PLANE_LABEL, Inventory, POOL_LABEL, pool_of_node, provider_pool};
use crate::facts::origin::{self, Keys, Origin};
use crate::finding::{Code, Draft, Evidence};
use crate::k8s::kinds;
use crate::k8s::node::NodeInfo;
use crate::k8s::object::{LabelRow, ManagedEntry, Object, PairIndex, Pairs};
use crate::k8s::version::Version;
use crate::rules::parts::target::target;
use crate::rules::rule::Context;
use crate::text;

/// One key that differs between two sides of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyChange<'o> {
    pub(crate) place: Place,
    pub(crate) key: Cow<'o, str>,
    pub(crate) before: Option<Cow<'o, str>>,
    pub(crate) after: Option<Cow<'o, str>>,
}

impl KeyChange<'_> {
    /// The field path: `metadata.labels[kubernetes.io/hostname]`.
    pub(crate) fn path(&self) -> String {
        path(self.place, &self.key)
    }

    pub(crate) fn draft(&self, change: &Change<'_>) -> Draft {
        Draft::at(target(change), self.path()).values(self.before.as_deref(), self.after.as_deref())
    }

    /// The change of the value as a predicate of the key: `would change from "a" to "b"`.
    pub(crate) fn would_be(&self) -> String {
        let value = |side: &Option<Cow<'_, str>>| side.as_deref().map(quoted);
        match (value(&self.before), value(&self.after)) {
            (Some(before), Some(after)) => format!("would change from {before} to {after}"),
            (Some(before), None) => format!("would be removed, was {before}"),
            (None, Some(after)) => format!("would be set to {after}"),
            (None, None) => "would be removed".to_owned(),
        }
    }
}

/// A present value against the required one, as a predicate of its key: `is "a", should be "b"`.
pub(crate) fn should_be(found: Option<&str>, required: &str) -> String {
    let found = found.map_or("is missing".to_owned(), |found| format!("is {}", quoted(found)));
    format!("{found}, should be {}", quoted(required))
}

/// A value in quotes, cut to the length of a label's.
fn quoted(value: &str) -> String {
    format!("\"{}\"", text::line(value, MAX_QUOTED))
}

/// The longest value that a message quotes: a label's value has 63 characters at most. The finding holds the whole.
const MAX_QUOTED: usize = 63;

/// The field path of a key.
pub(crate) fn path(place: Place, key: &str) -> String {
    match place {
        Place::Annotation => format!("metadata.annotations[{key}]"),
        Place::Label => format!("metadata.labels[{key}]"),
        Place::Taint => format!("spec.taints[{key}]"),
    }
}

/// The noun for a place: `label`, `annotation`, `taint`.
pub(crate) fn word(place: Place) -> &'static str {
    match place {
        Place::Annotation => "annotation",
        Place::Label => "label",
        Place::Taint => "taint",
    }
}

/// Both sides of an update of a node, or of its status, which can change metadata too.
pub(crate) fn update<'c, 'a>(change: &'c Change<'a>) -> Option<(&'c Object<'a>, &'c Object<'a>)> {
    if *change.kind == kinds::NODE { change.update(&["status"]) } else { None }
}

/// Every annotation, label or taint key that differs, in the order of the documents.
pub(crate) fn changes<'o>(before: &'o Object<'_>, after: &'o Object<'_>, places: &[Place]) -> Vec<KeyChange<'o>> {
    let mut changes = Vec::new();
    for place in places {
        let pairs = |old: &'o Pairs<'_>, new: &'o Pairs<'_>| {
            let (old, new) = old.differing(new);
            (entries_of(old), entries_of(new))
        };
        let (old, new) = match place {
            Place::Annotation => pairs(&before.meta.annotations, &after.meta.annotations),
            Place::Label => pairs(&before.meta.labels, &after.meta.labels),
            Place::Taint if before.raw("spec") == after.raw("spec") || before.taints() == after.taints() => continue,
            Place::Taint => (entries(before, *place), entries(after, *place)),
        };
        differing(*place, &old, &new, &mut changes);
    }
    changes
}

/// The kind of a change to one key of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// A system key added by hand where the system had none, or a new key under a reserved prefix: AA204.
    Adds,
    /// A change or removal of the system's key: AA201, AA202.
    Changes {
        /// The reason why the key counts as the system's.
        because: String,
        /// The key was absent, or a person wrote it before: this may be the way back.
        may_be_way_back: bool,
    },
    /// Neither.
    Nothing,
}

/// The kind of a change to a label or annotation. `before` is the node as it is, `keys` are its keys at that place.
///
/// Adding is not changing: a known key is the system's on this node only where the node shows that the system had put
/// it there, by the value before or by its own list. A key under a reserved prefix that no table knows belongs to its
/// writer.
pub(crate) fn act(key: &KeyChange<'_>, keys: &Keys<'_, '_>, before: &Object<'_>, data: &Data) -> Act {
    let must = required(before, key.place, &key.key, data);
    // The right value is the cure, and a node that has yet to learn its name is no change. The system may write the
    // value in capitals; a value that is right already is not for others to respell.
    if let (Some(must), Some(after)) = (&must, &key.after) {
        let was_right = key.before.as_ref().is_some_and(|before| must.eq_ignore_ascii_case(before));
        if must == after || (!was_right && must.eq_ignore_ascii_case(after)) {
            return Act::Nothing;
        }
    }
    let added = key.before.is_none();
    let origin = keys.origin(&key.key);
    let by_person = || keys.by_person(&key.key).is_some();
    let changes = |may_be_way_back| Act::Changes { because: origin.because(), may_be_way_back };
    // Removing a key that a person or an agent had added is the cure.
    let adds = if key.after.is_some() { Act::Adds } else { Act::Nothing };
    match &origin {
        Origin::Known if must.is_some() => changes(added || by_person()),
        Origin::Known if added || by_person() => adds,
        Origin::Known => changes(false),
        Origin::FromMachine => changes(added || by_person()),
        Origin::Reserved => {
            let vendor = || data.node_keys.reserved(&key.key).is_some_and(|row| row.vendor);
            let theirs = !added && !by_person() && vendor() && keys.is_strangers(&key.key) && !keys.is_lapsed(&key.key);
            if theirs { changes(false) } else { adds }
        }
        Origin::SystemManager(_) if !added => changes(false),
        Origin::SystemManager(_) | Origin::Excepted | Origin::Unclear | Origin::User => Act::Nothing,
    }
}

/// Drafts on the system keys at one place that an update of a node changes or removes.
pub(crate) fn system_keys(change: &Change<'_>, place: Place, data: &Data) -> Vec<Draft> {
    let Some((before, after)) = update(change) else { return Vec::new() };
    let keys = Keys::of(before, place, data);
    let mut drafts = Vec::new();
    for key in changes(before, after, &[place]) {
        let Act::Changes { because, may_be_way_back } = act(&key, &keys, before, data) else { continue };
        let mut draft = key
            .draft(change)
            .says(format!("node {}: system {} {} {}", change.name, word(place), key.key, key.would_be()))
            .with(Evidence::seen("origin", because))
            .fix(
                Command::kubectl([verb_of(place), "node"])
                    .name(&change.name)
                    .blank("YOUR.DOMAIN/KEY=VALUE")
                    .only("sets a key of your own instead"),
            );
        if may_be_way_back {
            draft = draft.warn_at_most();
        }
        // Findings that can only warn never crowd out findings that can be denied.
        if !draft.warn_at_most || drafts.len() < MAX_KEYS {
            drafts.push(draft);
        }
    }
    drafts
}

/// Calls `each` with the system keys at one place that a person's tool wrote after the node was created: keys, key,
/// value and managedFields entry. Keys with the value that the node itself requires are left out.
pub(crate) fn written_by_people(
    node: &Object<'_>,
    place: Place,
    data: &Data,
    mut each: impl FnMut(&Keys<'_, '_>, &str, &str, &ManagedEntry<'_>),
) {
    let pairs = match place {
        Place::Annotation => &node.meta.annotations,
        Place::Label => &node.meta.labels,
        // Taints are one list with one owner: managedFields do not tell who wrote which taint.
        Place::Taint => return,
    };
    let keys = Keys::of(node, place, data);
    for entry in later_people(node, data) {
        for key in origin::owned_keys(entry, place) {
            let Some(value) = pairs.get(key) else { continue };
            if !keys.is_listed(key) || keys.by_person(key).is_none() {
                continue;
            }
            if required(node, place, key, data).is_none_or(|must| !must.eq_ignore_ascii_case(value)) {
                each(&keys, key, value, entry);
            }
        }
    }
}

/// A node key that a person wrote, with the evidence that the system had put it there: the node itself, or the
/// untouched nodes of its pool.
#[derive(Clone, Debug)]
pub(crate) struct WrittenKey {
    pub(crate) pool: String,
    pub(crate) place: Place,
    pub(crate) key: String,
    /// The evidence on the node itself, if any.
    pub(crate) told: Option<&'static str>,
}

impl WrittenKey {
    /// The written key `key` of `node`.
    pub(crate) fn of(node: &Object<'_>, keys: &Keys<'_, '_>, key: &str, data: &Data) -> Self {
        // A label that makes a node a member of a pool cannot be vouched for by the nodes of that pool.
        let joins = matches!(key, CONTROL_PLANE_LABEL | POOL_LABEL) && node.provider_id().is_none();
        let pool = if joins { JOINED.to_owned() } else { pool_of_node(node, data) };
        let place = keys.place();
        let twin = || place == Place::Label && twin(node, keys, key).is_some();
        let told = if keys.is_of_machine(key) {
            Some("listed by Cluster API in the node's own annotations")
        } else if required(node, place, key, data).is_some() {
            Some("the node itself tells the required value")
        } else if twin() {
            Some("the system wrote the older name of the same label")
        } else {
            None
        };
        WrittenKey { pool, place, key: key.to_owned(), told }
    }

    /// Whether the system had put the key there. Only then did the person change a key of the system's.
    pub(crate) fn is_systems(&self, inventory: &Inventory) -> bool {
        self.told.is_some() || inventory.has_system_key(&self.pool, self.place, &self.key)
    }
}

/// The pool of keys nobody vouches for; no real pool can have this name.
const JOINED: &str = "(joined by hand)";

/// The value of the label's other name, if the system wrote that one and no person did.
pub(crate) fn twin<'o>(node: &'o Object<'_>, keys: &Keys<'_, '_>, key: &str) -> Option<&'o str> {
    let pair = TWINS.iter().find(|pair| pair.contains(&key))?;
    let other = pair.iter().find(|other| **other != key)?;
    node.meta.labels.get(other).filter(|_| keys.is_put_by_system(other))
}

/// Labels that the system writes under two names, the newer first (kubernetes.io, well-known labels).
pub(crate) const TWINS: [[&str; 2]; 3] = [
    ["node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type"],
    ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"],
    ["topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"],
];

/// Drafts on a rule's undecided keys that are the system's and differ from the value their pool's untouched nodes agree
/// on, with the way back to that value. `peers` gives that value for a pool and a key.
pub(crate) fn against_peers<'i>(
    inventory: &'i Inventory,
    context: &Context<'_>,
    code: Code,
    peers: impl Fn(&str, &str) -> Option<&'i str>,
) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for suspect in inventory.undecided::<WrittenKey>(code) {
        let WrittenKey { pool, place, key, told } = &suspect.depends_on;
        if !suspect.depends_on.is_systems(inventory) {
            continue;
        }
        let value = peers(pool, key);
        // An unread peer may confirm the value.
        if value.is_none() && context.unread(&[&kinds::NODE]).is_some() {
            continue;
        }
        // The node's own evidence counts where its peers give none. All values are cut to the same length before they
        // are compared.
        let own = suspect.draft.before.as_deref();
        let mut draft = suspect.draft.clone().values(value.or(own), suspect.draft.after.as_deref());
        if draft.before.is_some() && draft.before == draft.after {
            continue;
        }
        if let Some(told) = told {
            draft = draft.with(Evidence::seen("origin", *told));
        }
        let by_peers = |value: &str| format!("the other nodes of pool {pool} say {}", text::line(value, 80));
        draft = match value {
            Some(value) => draft.with(Evidence::seen("peers", by_peers(value))),
            None if told.is_none() => {
                draft.with(Evidence::seen("peers", format!("the system set it on other nodes of pool {pool}")))
            }
            None => draft,
        };
        if let Some(back) = value.or(own) {
            draft = draft.fix(restore(*place, &suspect.draft.object.name, key, back));
        }
        drafts.push(draft);
    }
    drafts
}

/// Drafts on system keys of nodes that differ from the baseline, if there is one.
pub(crate) fn against_baseline(inventory: &Inventory, context: &Context<'_>, place: Place) -> Vec<Draft> {
    let changed = context.baseline.iter().flat_map(|baseline| baseline.changed_keys(place));
    // Keys that the system no longer sets at the node's version may go.
    let lapsed = |node: &str, key: &str| {
        let node = inventory.nodes.iter().find(|own| own.name == node);
        let kubelet = || Version::parse(&node?.kubelet);
        matches!(context.data.node_keys.ruling_at(place, key, kubelet), Ruling::Lapsed(_))
    };
    let changed = changed.filter(|changed| changed.after.is_some() || !lapsed(&changed.target.name, changed.key));
    // A baseline may be older than the tables: a key that the tables have since given to users is not the system's for
    // having stood in it.
    let is_free = |key: &str| matches!(context.data.node_keys.ruling(place, key), Ruling::Exception(_));
    let changed = changed.filter(|changed| {
        matches!(changed.step, RecordedStep::Machine | RecordedStep::ManagedFields) || !is_free(changed.key)
    });
    let drafts = changed.map(|changed| {
        let (node, key) = (&changed.target.name, changed.key);
        let verb = if changed.after.is_some() { "changed" } else { "removed" };
        let mut draft = Draft::at(changed.target.clone(), path(place, key))
            .values(Some(changed.before), changed.after)
            .says(format!("node {node}: system {} {key} was {verb} since the baseline", word(place)))
            .fix(restore(place, node, key, changed.before));
        draft.evidence = changed.evidence;
        draft
    });
    drafts.collect()
}

/// The command that sets a key back to a value.
pub(crate) fn restore(place: Place, node: &str, key: &str, value: &str) -> Command {
    Command::kubectl([verb_of(place), "node"]).one_of(node).name(&format!("{key}={value}")).word("--overwrite")
}

/// The kubectl verb that changes keys at a place.
pub(crate) fn verb_of(place: Place) -> &'static str {
    match place {
        Place::Annotation => "annotate",
        Place::Label => "label",
        Place::Taint => "taint",
    }
}

type KeyEntry<'o> = (Cow<'o, str>, Cow<'o, str>);

type Entries<'o> = Vec<KeyEntry<'o>>;

fn differing<'o>(place: Place, old: &[KeyEntry<'o>], new: &[KeyEntry<'o>], changes: &mut Vec<KeyChange<'o>>) {
    // By index, since there can be a hundred thousand keys.
    let (was, is) = (PairIndex::default(), PairIndex::default());
    let added = new.iter().filter(|(key, _)| was.find(old, key).is_none());
    for (key, _) in old.iter().chain(added) {
        let [before, after] = [was.find(old, key), is.find(new, key)].map(|row| row.map(|(_, value)| value.clone()));
        if before != after {
            changes.push(KeyChange { place, key: key.clone(), before, after });
        }
    }
}

/// Calls `each` with the keys and values that people's tools wrote on a node after it was created, once for each place
/// and writer.
///
/// A node without a providerID has none: a foreign node is AA401's, and its creator's keys do not matter.
pub(crate) fn by_people(node: &Object<'_>, data: &Data, mut each: impl FnMut(&Keys<'_, '_>, &Entries<'_>, &Evidence)) {
    if node.provider_id().is_none() {
        return;
    }
    for (place, pairs) in [(Place::Label, &node.meta.labels), (Place::Annotation, &node.meta.annotations)] {
        let keys = Keys::of(node, place, data);
        for entry in later_hands(node, data) {
            let written = origin::owned_keys(entry, place)
                .iter()
                .filter_map(|key| Some((key.as_str().into(), pairs.get(key)?.into())));
            each(&keys, &written.collect(), &Evidence::managed(entry));
        }
    }
    let keys = Keys::of(node, Place::Taint, data);
    let taints = entries(node, Place::Taint);
    // Taints are one list, so every writer would be blamed for each taint in it.
    for entry in later_hands(node, data).filter(|entry| entry.owns(&["f:spec", "f:taints"])).take(MAX_WRITERS) {
        each(&keys, &taints, &Evidence::managed(entry));
    }
}

/// The managedFields entries of people's tools that wrote after the object was created.
fn later_people<'o, 'a>(object: &'o Object<'a>, data: &Data) -> impl Iterator<Item = &'o ManagedEntry<'a>> {
    let person = |entry: &ManagedEntry<'_>| data.managers.person(&entry.manager).is_some();
    object.managed().iter().filter(move |entry| person(entry) && origin::is_later(entry, object))
}

/// As [`later_people`], without agents that keep keys of their own on nodes and write them again on every new one.
pub(crate) fn later_hands<'o, 'a>(object: &'o Object<'a>, data: &Data) -> impl Iterator<Item = &'o ManagedEntry<'a>> {
    later_people(object, data).filter(|entry| !data.managers.is_agent(&entry.manager))
}

/// Keys and values at a place. A taint's value is `value:effect`, with all effects of a key together.
pub(crate) fn entries<'o>(node: &'o Object<'_>, place: Place) -> Entries<'o> {
    match place {
        Place::Annotation => entries_of(node.meta.annotations.rows()),
        Place::Label => entries_of(node.meta.labels.rows()),
        Place::Taint => {
            let mut entries: Entries<'o> = Vec::new();
            let mut places: HashMap<&str, usize> = HashMap::new();
            for taint in node.taints() {
                let next = entries.len();
                let place = *places.entry(&taint.key).or_insert(next);
                match entries.get_mut(place) {
                    Some((_, value)) => value.to_mut().extend([",", &taint.value, ":", &taint.effect]),
                    None => {
                        entries.push((taint.key.as_str().into(), format!("{}:{}", taint.value, taint.effect).into()));
                    }
                }
            }
            entries
        }
    }
}

fn entries_of<'o>(rows: &'o [LabelRow<'_>]) -> Entries<'o> {
    rows.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect()
}

/// A pool's own name: the label is `<cluster>-<random>-<pool>`, and a pool's name holds no dash. `None` for nodes of no
/// pool.
pub(crate) fn pool_name(pool: &str) -> Option<&str> {
    pool.rsplit('-').next().filter(|name| !name.is_empty() && !inventory::is_untold(pool) && pool != "control-plane")
}

/// The most findings of one kind. One request can add a hundred thousand keys; nobody reads more than this, and each
/// takes memory.
pub(crate) const MAX_KEYS: usize = 256;

/// The most writers named for one list.
const MAX_WRITERS: usize = 8;

/// The value a label must have by the node's own name, status and virtual machine; no earlier record is needed.
pub(crate) fn required(node: &Object<'_>, place: Place, key: &str, data: &Data) -> Option<String> {
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    match key {
        _ if place != Place::Label => None,
        "kubernetes.io/hostname" => known(&node.meta.name),
        "kubernetes.io/arch" | "beta.kubernetes.io/arch" => known(&node.node_info()?.architecture),
        "kubernetes.io/os" | "beta.kubernetes.io/os" => known(&node.node_info()?.operating_system),
        WINDOWS_BUILD => windows_build(node.node_info()?),
        POOL_LABEL => provider_pool(node.provider_id()?, data).and_then(known),
        _ => None,
    }
}

/// The build a Windows kubelet puts into its label: `10.0.20348` of the kernel version `10.0.20348.2655`
/// (kubernetes.io, well-known labels).
fn windows_build(info: &NodeInfo<'_>) -> Option<String> {
    if &*info.operating_system != "windows" {
        return None;
    }
    let parts: Vec<&str> = info.kernel_version.split('.').collect();
    let [major, minor, build, ..] = parts.as_slice() else { return None };
    Some([*major, *minor, *build].join("."))
}

/// See [`windows_build`].
const WINDOWS_BUILD: &str = "node.kubernetes.io/windows-build";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::embedded;
    use crate::facts::change::Operation;
    use crate::rules::catalogue;

    /// A node with many labels of a person's, and a system label.
    fn node(own: &str, instance_type: &str) -> String {
        let each = |item: &dyn Fn(usize) -> String| (0..LABELS).map(item).collect::<Vec<_>>().concat();
        let own_labels = each(&|n| format!(r#""l{n}":"{own}","#));
        let owned = each(&|n| format!(r#""f:l{n}":{{}},"#));
        format!(
            r#"{{"metadata":{{"name":"moc-l1","creationTimestamp":"2026-03-02T08:00:00Z",
                "labels":{{{own_labels}"node.kubernetes.io/instance-type":"{instance_type}"}},
                "managedFields":[{{"manager":"kubectl-label","operation":"Update","time":"2026-05-18T09:14:00Z",
                    "fieldsV1":{{"f:metadata":{{"f:labels":{{{owned}".":{{}}}}}}}}}}]}}}}"#
        )
    }

    /// The cost is measured by `tests/prop_cost.rs`.
    #[test]
    fn a_flood_of_labels_hides_no_change() {
        let before = node("a", "A2");
        for after in [node("a", "A8"), node("b", "A8")] {
            let objects = [&before, &after].map(|json| serde_json::from_str::<Object<'_>>(json).unwrap());
            let [before, after] = objects.map(|object| Some(Box::new(object)));
            let change = Change::new(Operation::Update, &kinds::NODE, "", before, after);
            let judged = catalogue::ALL.iter().filter_map(|rule| Some((rule.code.as_str(), rule.change?)));
            let found: Vec<_> =
                judged.flat_map(|(code, judge)| judge(&change, embedded()).into_iter().map(move |_| code)).collect();
            assert!(found.contains(&"AA201") && found.len() <= 2 * MAX_KEYS, "{}", found.len());
        }
    }

    const LABELS: usize = 2_000;
}
