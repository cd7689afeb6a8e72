//! What the rules about node metadata share: what changed, whose it was, and what a value must be by the node's own word.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::change::Change;
use crate::command::Command;
use crate::data::{Data, Place};
use crate::finding::{Draft, Evidence, ObjectRef};
use crate::inventory::{
    self, CONTROL_PLANE_LABEL, Inventory, POOL_LABEL, node_info, pool_of, pool_of_node, provider_id, provider_pool,
};
use crate::kinds;
use crate::object::{ManagedEntry, Object, Owner};
use crate::origin::{self, Keys, Origin};
use crate::rule::{Code, Context};
use crate::text;

/// One key that differs between two sides of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyChange<'o> {
    pub(super) place: Place,
    pub(super) key: Cow<'o, str>,
    pub(super) before: Option<Cow<'o, str>>,
    pub(super) after: Option<Cow<'o, str>>,
}

impl KeyChange<'_> {
    /// `metadata.labels[kubernetes.io/hostname]`.
    pub(super) fn path(&self) -> String {
        path(self.place, &self.key)
    }

    pub(super) fn draft(&self, change: &Change<'_>) -> Draft {
        Draft::at(target(change), self.path()).values(self.before.as_deref(), self.after.as_deref())
    }
}

/// The field a key stands in.
pub(super) fn path(place: Place, key: &str) -> String {
    match place {
        Place::Annotation => format!("metadata.annotations[{key}]"),
        Place::Label => format!("metadata.labels[{key}]"),
        Place::Taint => format!("spec.taints[{key}]"),
    }
}

/// `label`, `annotation`, `taint`.
pub(super) fn word(place: Place) -> &'static str {
    match place {
        Place::Annotation => "annotation",
        Place::Label => "label",
        Place::Taint => "taint",
    }
}

/// The object of a change, by its request's name.
pub(super) fn target(change: &Change<'_>) -> ObjectRef {
    let mut target = change.object().map(|object| ObjectRef::of(object, change.kind)).unwrap_or_default();
    if !change.name.is_empty() {
        target.name.clone_from(&change.name);
    }
    if !change.namespace.is_empty() {
        target.namespace.clone_from(&change.namespace);
    }
    target
}

/// That an object would be deleted together with an owner it is given.
pub(super) fn owned(change: &Change<'_>, owner: &Owner<'_>) -> Draft {
    let (kind, owner) = (change.kind.kind, format!("{} {}", &*owner.kind, &*owner.name));
    Draft::at(target(change), "metadata.ownerReferences")
        .values(None, Some(&owner))
        .says(format!("{kind} {} would be given the owner {owner}, and be deleted with it", change.name))
}

/// That an object would lose an owner, with what it is as people know it.
pub(super) fn disowned(change: &Change<'_>, owner: &Owner<'_>, what: &str) -> Draft {
    let owner = format!("{} {}", &*owner.kind, &*owner.name);
    Draft::at(target(change), "metadata.ownerReferences")
        .values(Some(&owner), None)
        .says(format!("{what} would lose its owner {owner}, and outlive it"))
}

/// Both sides of an update of a node or its status, which can change metadata too.
pub(super) fn update<'c, 'a>(change: &'c Change<'a>) -> Option<(&'c Object<'a>, &'c Object<'a>)> {
    if *change.kind == kinds::NODE { change.update(&["status"]) } else { None }
}

/// Every label, annotation or taint key that differs, in the order of the documents.
pub(super) fn changes<'o>(before: &'o Object<'_>, after: &'o Object<'_>, places: &[Place]) -> Vec<KeyChange<'o>> {
    let mut changes = Vec::new();
    for place in places {
        // Most updates of a node touch none of it: that is seen without building anything.
        let same = match place {
            Place::Annotation => before.meta.annotations == after.meta.annotations,
            Place::Label => before.meta.labels == after.meta.labels,
            Place::Taint => before.raw("spec") == after.raw("spec"),
        };
        if !same {
            differing(*place, &entries(before, *place), &entries(after, *place), &mut changes);
        }
    }
    changes
}

/// What an update of a node would do to the system's keys at one place: change or remove them, or set them by hand.
pub(super) fn system_keys(change: &Change<'_>, place: Place, data: &Data) -> Vec<Draft> {
    let Some((before, after)) = update(change) else { return Vec::new() };
    let keys = Keys::of(before, place, data);
    let mut drafts = Vec::new();
    for key in changes(before, after, &[place]) {
        let must = required(before, place, &key.key, data);
        // Putting the right value back is the cure, and a node that has yet to learn its name is no change. The system may
        // spell it in capitals; what is right already is not for others to spell anew.
        if let (Some(must), Some(after)) = (&must, &key.after) {
            let was_right = key.before.as_ref().is_some_and(|before| must.eq_ignore_ascii_case(before));
            if must == after || (!was_right && must.eq_ignore_ascii_case(after)) {
                continue;
            }
        }
        let (origin, added) = (keys.origin(&key.key), key.before.is_none());
        let by_person = || keys.by_person(&key.key).is_some();
        let system = match &origin {
            Origin::Known | Origin::FromMachine => true,
            // What a person put under a reserved prefix is theirs to take back.
            Origin::Reserved => !added && !by_person(),
            Origin::SystemManager(_) => !added,
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
            .says(format!("system {} {} would be {verb}", word(place), key.key))
            .with(Evidence::seen("origin", origin.because()))
            .fix(
                Command::kubectl([verb_of(place), "node"])
                    .name(&change.name)
                    .blank("YOUR.DOMAIN/KEY=VALUE")
                    .only("sets a key of your own instead"),
            );
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

/// The system's keys at one place that a person's tool wrote after the node was created, with their values and who it was;
/// not where the value is the one that the node itself calls for.
pub(super) fn written_by_people(
    node: &Object<'_>,
    place: Place,
    data: &Data,
    mut each: impl FnMut(&str, &str, &ManagedEntry<'_>),
) {
    let (field, pairs) = match place {
        Place::Annotation => ("f:annotations", &node.meta.annotations),
        Place::Label => ("f:labels", &node.meta.labels),
        // One list with one owner: who wrote which of them is not told.
        Place::Taint => return,
    };
    let keys = Keys::of(node, place, data);
    for entry in later_people(node, data) {
        for key in entry.children(&["f:metadata", field]) {
            let Some(value) = pairs.get(&key) else { continue };
            if !keys.is_listed(&key) || keys.by_person(&key).is_none() {
                continue;
            }
            if required(node, place, &key, data).is_none_or(|must| !must.eq_ignore_ascii_case(value)) {
                each(&key, value, entry);
            }
        }
    }
}

/// What a suspect key hinges on: what the untouched nodes of its pool say of it.
pub(super) fn hinge(node: &Object<'_>, key: &str, data: &Data) -> String {
    // A label that makes a node a member of a pool cannot be vouched for by the nodes that it joins by it.
    let joins = matches!(key, CONTROL_PLANE_LABEL | POOL_LABEL) && provider_id(node).is_none();
    let pool = if joins { pool_of(None, None, false, data) } else { pool_of_node(node, data) };
    format!("{pool}\n{key}")
}

/// The suspects of a rule whose value is not the one that their pool's untouched nodes agree on, with the way back to that
/// value; where nobody untouched is left, `alone` may add another way. `peers` is asked for a pool and a key.
pub(super) fn against_peers<'i>(
    inventory: &'i Inventory,
    context: &Context<'_>,
    code: Code,
    place: Place,
    peers: impl Fn(&str, &str) -> Option<&'i str>,
    alone: impl Fn(Draft, &str) -> Draft,
) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for suspect in inventory.suspects(code) {
        let (pool, key) = suspect.hinge.split_once('\n').unwrap_or_default();
        let value = peers(pool, key);
        // A peer that was not seen may say that the value is right.
        if value.is_none() && context.unread(&[&kinds::NODE]).is_some() {
            continue;
        }
        // Both are cut to the same length before they are compared.
        let mut draft = suspect.draft.clone().values(value, suspect.draft.after.as_deref());
        if draft.before.is_some() && draft.before == draft.after {
            continue;
        }
        draft = match value {
            Some(value) => draft
                .with(Evidence::seen("peers", format!("the other nodes of pool {pool} say {}", text::line(value, 80))))
                .fix(restore(place, &suspect.draft.object.name, key, value)),
            None => alone(draft, pool),
        };
        drafts.push(draft);
    }
    drafts
}

/// System keys of nodes that are not as a baseline recorded them, where there is one.
pub(super) fn against_baseline(context: &Context<'_>, place: Place) -> Vec<Draft> {
    let changed = context.baseline.iter().flat_map(|baseline| baseline.changed_keys(place));
    let drafts = changed.map(|changed| {
        let (node, key) = (&changed.target.name, changed.key);
        let verb = if changed.after.is_some() { "changed" } else { "removed" };
        let mut draft = Draft::at(changed.target.clone(), path(place, key))
            .values(Some(changed.before), changed.after)
            .says(format!("system {} {key} of node {node} was {verb} since the baseline", word(place)))
            .fix(restore(place, node, key, changed.before));
        draft.evidence = changed.evidence;
        draft
    });
    drafts.collect()
}

/// The command that puts a value back.
pub(super) fn restore(place: Place, node: &str, key: &str, value: &str) -> Command {
    Command::kubectl([verb_of(place), "node"]).name(node).name(&format!("{key}={value}")).word("--overwrite")
}

/// The kubectl command that changes keys at a place.
pub(super) fn verb_of(place: Place) -> &'static str {
    match place {
        Place::Annotation => "annotate",
        Place::Label => "label",
        Place::Taint => "taint",
    }
}

type Entries<'o> = Vec<(Cow<'o, str>, Cow<'o, str>)>;

fn differing<'o>(place: Place, old: &Entries<'o>, new: &Entries<'o>, changes: &mut Vec<KeyChange<'o>>) {
    // By key: there can be a hundred thousand of them.
    let by_key = |side: &'_ Entries<'o>| -> HashMap<_, _> { side.iter().cloned().collect() };
    let (was, is) = (by_key(old), by_key(new));
    let added = new.iter().filter(|(key, _)| !was.contains_key(key));
    for (key, _) in old.iter().chain(added) {
        let (before, after) = (was.get(key), is.get(key));
        if before != after {
            changes.push(KeyChange { place, key: key.clone(), before: before.cloned(), after: after.cloned() });
        }
    }
}

/// What people's tools wrote on a node after it was created: for each place and writer, the keys and their values.
///
/// Nothing of a node without a providerID: a foreign node is AA401's, and what its creator wrote on it is not the point.
pub(super) fn by_people(node: &Object<'_>, data: &Data, mut each: impl FnMut(&Keys<'_, '_>, &Entries<'_>, &Evidence)) {
    if provider_id(node).is_none() {
        return;
    }
    for (place, field, pairs) in
        [(Place::Label, "f:labels", &node.meta.labels), (Place::Annotation, "f:annotations", &node.meta.annotations)]
    {
        let keys = Keys::of(node, place, data);
        for entry in later_people(node, data) {
            let own = entry.children(&["f:metadata", field]);
            let written = own.iter().filter_map(|key| Some((key.as_str().into(), pairs.get(key)?.into())));
            each(&keys, &written.collect(), &Evidence::managed(entry));
        }
    }
    let keys = Keys::of(node, Place::Taint, data);
    let taints = entries(node, Place::Taint);
    // It is one list: each of its writers would be said of every taint in it.
    for entry in later_people(node, data).filter(|entry| entry.owns(&["f:spec", "f:taints"])).take(MAX_WRITERS) {
        each(&keys, &taints, &Evidence::managed(entry));
    }
}

/// The entries of people's tools that wrote after an object was created.
fn later_people<'o, 'a>(object: &'o Object<'a>, data: &Data) -> impl Iterator<Item = &'o ManagedEntry<'a>> {
    let person = |entry: &ManagedEntry<'_>| data.managers.person(&entry.manager).is_some();
    object.managed().iter().filter(move |entry| person(entry) && origin::is_later(entry, object))
}

/// Keys and values at a place. A taint's value is `value:effect`, all effects of a key together.
pub(super) fn entries<'o>(node: &'o Object<'_>, place: Place) -> Entries<'o> {
    let pairs = |pairs: &'o crate::object::Pairs<'_>| pairs.iter().map(|(k, v)| (k.into(), v.into())).collect();
    match place {
        Place::Annotation => pairs(&node.meta.annotations),
        Place::Label => pairs(&node.meta.labels),
        Place::Taint => {
            let mut entries: Entries<'o> = Vec::new();
            let mut places: HashMap<&str, usize> = HashMap::new();
            for taint in inventory::taints(node) {
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

/// A pool's own name: its label is `<cluster>-<random>-<pool>`, and a pool's name holds no dash. `None` for nodes of no pool.
pub(super) fn pool_name(pool: &str) -> Option<&str> {
    pool.rsplit('-').next().filter(|name| !name.is_empty() && !pool.starts_with('(') && pool != "control-plane")
}

/// One request can add a hundred thousand keys; nobody reads more findings of one kind than this, and each takes memory.
pub(super) const MAX_KEYS: usize = 256;

/// Nobody needs more witnesses for one thing.
const MAX_WRITERS: usize = 8;

/// The value a label must have by the node's own name, status and virtual machine; no earlier record is needed.
pub(super) fn required(node: &Object<'_>, place: Place, key: &str, data: &Data) -> Option<String> {
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    match key {
        _ if place != Place::Label => None,
        "kubernetes.io/hostname" => known(&node.meta.name),
        "kubernetes.io/arch" | "beta.kubernetes.io/arch" => known(&node_info(node)?.architecture),
        "kubernetes.io/os" | "beta.kubernetes.io/os" => known(&node_info(node)?.operating_system),
        POOL_LABEL => provider_pool(provider_id(node)?, data).and_then(known),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::catalogue;
    use crate::change::Operation;
    use crate::data::embedded;

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

    #[test]
    fn a_flood_of_labels_hides_no_change_and_takes_no_time() {
        let before = node("a", "A2");
        for after in [node("a", "A8"), node("b", "A8")] {
            let objects = [&before, &after].map(|json| serde_json::from_str::<Object<'_>>(json).unwrap());
            let [before, after] = objects.map(Some);
            let change = Change::new(Operation::Update, &kinds::NODE, "", before, after);
            let start = Instant::now();
            let judged = catalogue::ALL.iter().filter_map(|rule| Some((rule.code.as_str(), rule.change?)));
            let found: Vec<_> =
                judged.flat_map(|(code, judge)| judge(&change, embedded()).into_iter().map(move |_| code)).collect();
            assert!(start.elapsed() < WITHIN, "{:?}", start.elapsed());
            assert!(found.contains(&"AA201") && found.len() <= 2 * MAX_KEYS, "{}", found.len());
        }
    }

    const LABELS: usize = 20_000;
    /// The API server waits three seconds; without optimisation this takes a fraction of one, and squared took minutes.
    const WITHIN: Duration = Duration::from_secs(3);
}
