//! Paths of fields, as managedFields name them. Time and memory grow only with the part that is looked at: anybody who
//! writes an object chooses the length and depth of its keys, so a path is spelled out only to be shown.

use std::borrow::Cow;
use std::collections::HashMap;

use super::heaviest::{FieldRank, Heaviest};
use crate::k8s::object::ManagedEntry;
use crate::k8s::read::scan::{self, Nested};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step<'p> {
    /// Into a field of a map.
    Field(Cow<'p, str>),
    /// Into an item of a list, by the key that identifies it: `name=coredns`, or its value.
    Item(Cow<'p, str>),
}

/// A path as text: `spec.template.spec.containers[name=coredns].image`.
pub(crate) fn spell(path: &[Step<'_>]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Field(field) if text.is_empty() => text.push_str(field),
            Step::Field(field) if !field.contains(['.', '/']) => text.extend([".", field]),
            Step::Field(inner) | Step::Item(inner) => text.extend(["[", inner, "]"]),
        }
    }
    text
}

/// The path as [`spell`] has it, with every step cut to a length and the steps to a number that hold all names of the
/// API: for comparisons with such names, of paths whose keys may be as long as an object.
pub(crate) fn spell_briefly(path: &[Step<'_>]) -> String {
    let brief: Vec<Step<'_>> = path
        .iter()
        .take(BRIEF_STEPS)
        .map(|step| match step {
            Step::Field(name) => Step::Field(cut(name).into()),
            Step::Item(name) => Step::Item(cut(name).into()),
        })
        .collect();
    spell(&brief)
}

fn cut(name: &str) -> &str {
    name.get(..name.floor_char_boundary(BRIEF_BYTES)).unwrap_or(name)
}

/// More than the path of a container's field in a CronJob has.
const BRIEF_STEPS: usize = 16;
/// More than any name of a field in the API has.
const BRIEF_BYTES: usize = 64;

/// A set of paths, as a tree. A place in it is a number; `None` is a place outside.
#[derive(Debug, Default)]
pub(crate) struct Paths<'p> {
    steps: HashMap<(usize, Step<'p>), usize>,
    members: Vec<bool>,
}

impl<'p> Paths<'p> {
    /// The place at which every path begins.
    pub(crate) const START: usize = 0;

    /// The place one step further, if a path of the set leads there.
    pub(crate) fn step(&self, from: Option<usize>, step: &Step<'_>) -> Option<usize> {
        find(&self.steps, from?, step)
    }

    /// Whether the path to a place belongs to the set.
    pub(crate) fn has(&self, place: Option<usize>) -> bool {
        place.is_some_and(|place| self.members.get(place).copied().unwrap_or_default())
    }

    /// Adds a path.
    pub(crate) fn insert(&mut self, path: &[Step<'p>]) {
        let place = path.iter().fold(Self::START, |from, step| self.add(from, step.clone()));
        self.mark(place);
    }

    fn add(&mut self, from: usize, step: Step<'p>) -> usize {
        let next = self.steps.len() + 1;
        *self.steps.entry((from, step)).or_insert(next)
    }

    fn mark(&mut self, place: usize) {
        if self.members.len() <= place {
            self.members.resize(place + 1, false);
        }
        if let Some(member) = self.members.get_mut(place) {
            *member = true;
        }
    }

    /// Adds all paths that an entry owns: its leaves, and the list items that it owns as such.
    pub(crate) fn insert_owned(&mut self, entry: &ManagedEntry<'p>) {
        let mut places = vec![Self::START];
        walk(entry, |at| match at {
            PathEvent::Enter(step, owned) => {
                let place = self.add(places.last().copied().unwrap_or_default(), step.clone());
                if owned != OwnedPath::Inside {
                    self.mark(place);
                }
                places.push(place);
                true
            }
            PathEvent::Leave => {
                places.pop();
                true
            }
        });
    }

    /// Adds the paths that [`each_taken`] yields for an entry and `kept`, below the top-level fields that `leads`
    /// selects. Each key is looked at once, whatever lies below it.
    pub(crate) fn insert_taken(
        &mut self,
        entry: &ManagedEntry<'p>,
        kept: &Paths<'_>,
        leads: impl Fn(&Step<'_>) -> bool,
    ) {
        let mut places = vec![(Self::START, Some(Self::START))];
        walk(entry, |at| match at {
            PathEvent::Enter(step, owned) => {
                let (own, other) = places.last().copied().unwrap_or_default();
                let meant = places.len() > 1 || leads(&step);
                let other = kept.step(other, &step);
                let own = if meant { self.add(own, step) } else { Self::START };
                places.push((own, other));
                let taken = meant && owned != OwnedPath::Inside && !kept.has(other);
                if taken {
                    self.mark(own);
                }
                meant && !taken
            }
            PathEvent::Leave => {
                places.pop();
                true
            }
        });
    }
}

/// Looks up a step. A tuple can only be borrowed as a whole, so the lifetime of the map's steps is shortened to that of
/// the step.
fn find<'s>(steps: &HashMap<(usize, Step<'s>), usize>, from: usize, step: &Step<'s>) -> Option<usize> {
    steps.get(&(from, step.clone())).copied()
}

/// Calls `each` with each path that an entry owns and `kept` does not, in the order of the keys. For a list item that the
/// entry added, it yields only the item.
pub(crate) fn each_taken<'a>(entry: &ManagedEntry<'a>, kept: &Paths<'_>, mut each: impl FnMut(&[Step<'a>])) {
    walk_taken(entry, kept, |_, path| {
        each(path);
        true
    });
}

/// The paths that [`each_taken`] yields and that matter most by `rank`, up to `most` of them below each top-level field, in
/// the order of the keys.
pub(crate) fn heaviest_taken<'a>(
    entry: &ManagedEntry<'a>,
    kept: &Paths<'_>,
    most: usize,
    rank: impl Fn(&[Step<'a>]) -> FieldRank,
) -> Vec<Vec<Step<'a>>> {
    let mut roots: Vec<Heaviest<Vec<Step<'a>>>> = Vec::new();
    walk_taken(entry, kept, |root, path| {
        while roots.len() < root {
            roots.push(Heaviest::new(most));
        }
        let Some(below) = roots.last_mut() else { return true };
        below.add(rank(path), || path.to_vec());
        !below.is_full()
    });
    let in_order = |below: Heaviest<_>| {
        let mut items = below.into_items();
        items.sort_by_key(|own| own.place);
        items.into_iter().map(|own| own.item)
    };
    roots.into_iter().flat_map(in_order).collect()
}

/// Calls `each` with each path that an entry owns and `kept` does not, in the order of the keys, and with the number of its
/// top-level field, from 1 on, until it says that it has seen enough of that field.
fn walk_taken<'a>(entry: &ManagedEntry<'a>, kept: &Paths<'_>, mut each: impl FnMut(usize, &[Step<'a>]) -> bool) {
    let mut path: Vec<Step<'a>> = Vec::new();
    let mut places = vec![Some(Paths::START)];
    let (mut root, mut goes_on) = (0, true);
    walk(entry, |at| match at {
        PathEvent::Enter(step, owned) => {
            if path.is_empty() {
                (root, goes_on) = (root + 1, true);
            }
            let place = kept.step(places.last().copied().flatten(), &step);
            path.push(step);
            places.push(place);
            let taken = owned != OwnedPath::Inside && !kept.has(place);
            if taken && goes_on {
                goes_on = each(root, &path);
            }
            !taken && goes_on
        }
        PathEvent::Leave => {
            path.pop();
            places.pop();
            true
        }
    });
}

/// An event in a walk through an entry's fields.
enum PathEvent<'a> {
    /// Before a field or item; the return value says whether to look into it.
    Enter(Step<'a>, OwnedPath),
    /// Behind a field or item; the return value is ignored.
    Leave,
}

/// The most steps of a path that are distinguished. A path is as long as its field is deep, and an entry can have as
/// many paths as fields, so without a limit the cost would grow with the square of the entry. A pod's specification,
/// the deepest in Kubernetes, has some 15.
const MAX_DEPTH: usize = 64;

/// The part of a place that an entry owns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OwnedPath {
    /// Something below the place.
    Inside,
    /// The item as such, and something below it.
    Item,
    /// The whole place.
    Leaf,
}

/// Walks through the fields of an entry in the order of their keys. Fields deeper than [`MAX_DEPTH`] count as one with
/// the field that contains them.
fn walk<'a>(entry: &ManagedEntry<'a>, mut visit: impl FnMut(PathEvent<'a>) -> bool) {
    let Some(fields) = entry.fields.and_then(Fields::read) else { return };
    let Some(root) = fields.0.first() else { return };
    let mut ahead: Vec<Option<usize>> = root.below.iter().rev().copied().map(Some).collect();
    let mut depth = 0;
    while let Some(next) = ahead.pop() {
        let Some(field) = next.and_then(|at| fields.0.get(at)) else {
            depth -= 1;
            visit(PathEvent::Leave);
            continue;
        };
        let Some((step, owned)) = fields.step(field) else { continue };
        depth += 1;
        let owned = if depth < MAX_DEPTH { owned } else { OwnedPath::Leaf };
        let looks = visit(PathEvent::Enter(step, owned));
        ahead.push(None);
        if looks && owned != OwnedPath::Leaf {
            ahead.extend(field.below.iter().rev().copied().map(Some));
        }
    }
}

/// The fields of an entry as a tree: each field with the places of the fields below it, by key. The first is the entry
/// itself.
struct Fields<'a>(Vec<FieldStep<'a>>);

#[derive(Default)]
struct FieldStep<'a> {
    key: Cow<'a, str>,
    below: Vec<usize>,
}

impl<'a> Fields<'a> {
    fn read(json: &'a str) -> Option<Self> {
        let mut fields = vec![FieldStep::default()];
        let mut open = vec![0];
        let mut readable = true;
        scan::nested(json, |step| match step {
            Nested::Into(literal) => {
                let key = scan::text(literal);
                readable &= key.is_some();
                let next = fields.len();
                if let Some(parent) = open.last().and_then(|at| fields.get_mut(*at)) {
                    parent.below.push(next);
                }
                fields.push(FieldStep { key: key.unwrap_or_default().0, below: Vec::new() });
                open.push(next);
            }
            Nested::OutOf => {
                open.pop();
            }
        })?;
        let keys: Vec<Cow<'a, str>> = fields.iter().map(|field| field.key.clone()).collect();
        for field in &mut fields {
            field.below.sort_by_key(|at| keys.get(*at));
        }
        readable.then_some(Fields(fields))
    }

    /// The step of a field, and the part that is owned. `{}` is a leaf, `.` stands for the item itself.
    fn step(&self, field: &FieldStep<'a>) -> Option<(Step<'a>, OwnedPath)> {
        let is_itself = |at: &usize| self.0.get(*at).is_some_and(|below| below.key == ".");
        let itself = field.below.iter().any(is_itself);
        let leaf = field.below.is_empty() || (itself && field.below.len() == 1);
        let of = |prefix| strip(&field.key, prefix);
        if let Some(name) = of("f:") {
            return Some((Step::Field(name), if leaf { OwnedPath::Leaf } else { OwnedPath::Inside }));
        }
        if let Some(key) = of("k:") {
            let owned = match (leaf, itself) {
                (true, _) => OwnedPath::Leaf,
                (false, true) => OwnedPath::Item,
                (false, false) => OwnedPath::Inside,
            };
            return Some((Step::Item(item_key(&key).into()), owned));
        }
        of("v:").map(|value| (Step::Item(value.trim_matches('"').to_owned().into()), OwnedPath::Leaf))
    }
}

fn strip<'a>(key: &Cow<'a, str>, prefix: &str) -> Option<Cow<'a, str>> {
    match key {
        Cow::Borrowed(key) => key.strip_prefix(prefix).map(Cow::Borrowed),
        Cow::Owned(key) => key.strip_prefix(prefix).map(|rest| Cow::Owned(rest.to_owned())),
    }
}

/// The key of a list item as text: `{"name":"coredns"}` becomes `name=coredns`.
fn item_key(json: &str) -> String {
    let Ok(serde_json::Value::Object(map)) = serde_json::from_str(json) else {
        return json.to_owned();
    };
    let parts: Vec<String> = map
        .iter()
        .map(|(key, value)| match value {
            serde_json::Value::String(text) => format!("{key}={text}"),
            other => format!("{key}={other}"),
        })
        .collect();
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(fields: &str) -> ManagedEntry<'static> {
        serde_json::from_str(format!(r#"{{"fieldsV1":{fields}}}"#).leak()).unwrap()
    }

    fn taken(fields: &str, others: &[&str]) -> Vec<String> {
        let mut kept = Paths::default();
        for other in others {
            kept.insert_owned(&entry(other));
        }
        let mut found = Vec::new();
        each_taken(&entry(fields), &kept, |path| found.push(spell(path)));
        found
    }

    #[test]
    fn every_path_of_an_entry_is_spelled_for_people() {
        let fields = r#"{"f:spec":{"f:template":{"f:spec":{"f:containers":{
            "k:{\"name\":\"dns\"}":{"f:image":{}}, "k:{\"port\":53,\"protocol\":\"UDP\"}":{".":{}}}}}},
            "f:metadata":{"f:labels":{".":{},"f:a.b/c":{}},"f:finalizers":{"v:\"x/y\"":{}}},"i:1":{},"f:data":{}}"#;
        let expected = [
            "data",
            "metadata.finalizers[x/y]",
            "metadata.labels[a.b/c]",
            "spec.template.spec.containers[name=dns].image",
            "spec.template.spec.containers[port=53,protocol=UDP]",
        ];
        assert_eq!(taken(fields, &[]), expected);
        assert_eq!(taken(fields, &[fields]), Vec::<String>::new());
    }

    #[test]
    fn an_added_item_is_one_path_and_what_is_shared_is_not_taken() {
        let first = r#"{"f:spec":{"f:containers":{"k:{\"name\":\"x\"}":{".":{},"f:image":{}}}}}"#;
        let second = r#"{"f:spec":{"f:containers":{
            "k:{\"name\":\"x\"}":{".":{},"f:image":{},"f:tty":{}},
            "k:{\"name\":\"y\"}":{".":{},"f:image":{},"f:ports":{"k:{\"port\":1}":{".":{},"f:port":{}}}}},
            "f:replicas":{}}}"#;
        let expected = ["spec.containers[name=x].tty", "spec.containers[name=y]", "spec.replicas"];
        assert_eq!(taken(second, &[first]), expected);
    }

    #[test]
    fn the_paths_that_matter_most_below_each_top_level_field_are_named() {
        let fields = r#"{"f:data":{"f:a":{},"f:b":{},"f:c":{"f:d":{}}},"f:spec":{"f:a":{}},"f:x":{}}"#;
        let named = |rank: fn(&[Step<'_>]) -> FieldRank| -> Vec<String> {
            let found = heaviest_taken(&entry(fields), &Paths::default(), 2, rank);
            found.iter().map(|path| spell(path)).collect()
        };
        assert_eq!(named(|_| FieldRank::Heavy), ["data.a", "data.b", "spec.a", "x"]);
        assert_eq!(named(|_| FieldRank::Light), ["data.a", "data.b", "spec.a", "x"]);
        let deep = |path: &[Step<'_>]| if path.len() > 2 { FieldRank::Heavy } else { FieldRank::Middle };
        assert_eq!(named(deep), ["data.a", "data.c.d", "spec.a", "x"]);
    }

    #[test]
    fn a_set_has_the_paths_that_were_put_into_it_and_not_those_on_the_way() {
        let mut paths = Paths::default();
        let path = ["a", "b"].map(|name| Step::Field(name.into()));
        paths.insert(&path);
        let [a, b] = &path;
        let at_a = paths.step(Some(Paths::START), a);
        assert!(at_a.is_some() && !paths.has(at_a) && paths.has(paths.step(at_a, b)));
        assert!(paths.step(Some(Paths::START), b).is_none() && !paths.has(None));
    }

    #[test]
    fn fields_of_any_depth_are_looked_through_and_the_deepest_are_one() {
        let deep = |inner: &str| format!("{}{inner}{}", r#"{"f:a":"#.repeat(20_000), "}".repeat(20_000));
        let found = taken(&deep("{}"), &[r#"{"f:a":{"f:b":{}}}"#]);
        assert_eq!(found.iter().map(String::len).collect::<Vec<_>>(), [2 * MAX_DEPTH - 1]);
        assert_eq!(taken(&deep("{}"), &[&deep(r#"{"f:b":{}}"#)]), Vec::<String>::new());
    }

    #[test]
    fn a_set_of_taken_paths_has_the_paths_that_are_named_one_by_one() {
        let (own, other) = (
            r#"{"f:metadata":{"f:labels":{"f:x":{}}},"f:spec":{"f:a":{"f:b":{},"f:c":{}},"f:l":{"k:{\"name\":\"n\"}":{".":{},"f:i":{}}}}}"#,
            r#"{"f:spec":{"f:a":{"f:c":{}}}}"#,
        );
        let mut kept = Paths::default();
        kept.insert_owned(&entry(other));
        let leads = |step: &Step<'_>| *step == Step::Field("spec".into());
        let mut set = Paths::default();
        set.insert_taken(&entry(own), &kept, leads);
        let mut members = 0;
        each_taken(&entry(own), &kept, |path| {
            let mut place = Some(Paths::START);
            for step in path {
                place = set.step(place, step);
            }
            assert_eq!(set.has(place), path.first().is_some_and(leads), "{}", spell(path));
            members += usize::from(set.has(place));
        });
        assert_eq!((members, set.members.iter().filter(|member| **member).count()), (2, 2));
    }
}
