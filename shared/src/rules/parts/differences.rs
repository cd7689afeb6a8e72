//! Field-by-field differences between two sides of an object, in the fields users decide on.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use serde_json::{Map, Value};

use crate::facts::origin::{FieldRank, Heaviest, Paths, Step, spell};
use crate::k8s::object::Object;

/// One field that differs.
#[derive(Debug)]
pub(crate) struct FieldDifference {
    pub(crate) path: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    /// Whether its path, or a path above it, is among the given paths.
    pub(crate) shows: bool,
}

/// The top-level fields that users decide on and whose text differs between two sides; metadata and status never count.
pub(crate) struct Differing<'o> {
    fields: Vec<(&'o str, Value, Value)>,
}

impl<'o> Differing<'o> {
    /// The differing fields of two sides of an object.
    pub(crate) fn of(before: &'o Object<'_>, after: &'o Object<'_>) -> Self {
        let mut names: Vec<&str> = before.content().map(|(name, _)| name).collect();
        names.extend(after.content().map(|(name, _)| name));
        names.sort_unstable();
        names.dedup();
        let differs = |name: &&str| before.raw(name) != after.raw(name);
        let parsed = names.into_iter().filter(differs).map(|name| {
            let value = |side: &Object<'_>| side.field(name).unwrap_or(Value::Null);
            (name, value(before), value(after))
        });
        Differing { fields: parsed.collect() }
    }

    /// Whether any value differs. The order of keys does not count, nor the order of list items that a key identifies.
    pub(crate) fn any(&self) -> bool {
        !self.heaviest(&Paths::default(), &|_, _| FieldRank::Heavy).is_empty()
    }

    /// The differences that matter most, by the rank that `rank` gives a path, which may lie under one of `shown`. A
    /// wholesale replacement differs everywhere, and the first fields say enough. Shown and light ones come last.
    pub(crate) fn heaviest(&self, shown: &Paths<'_>, rank: &Ranking<'_>) -> Vec<FieldDifference> {
        let mut walk = DifferenceWalk { path: Vec::new(), shown, rank, found: Heaviest::new(MAX_PATHS) };
        let start = WalkPlace { place: Some(Paths::START), shows: false };
        // The walk breaks off as soon as it has found enough.
        let _ = self.fields.iter().try_for_each(|(name, old, new)| walk.look(start, field(name), old, new));
        let mut most = walk.found.into_items();
        most.sort_by_key(|own| (own.item.shows || own.rank == FieldRank::Light, own.place));
        most.into_iter().map(|own| own.item).collect()
    }
}

/// The rank of the field at a path, and whether a path that is shown leads to it.
pub(crate) type Ranking<'r> = dyn Fn(&[Step<'_>], bool) -> FieldRank + 'r;

/// A simultaneous walk through two values.
struct DifferenceWalk<'w, 'v> {
    path: Vec<Step<'v>>,
    shown: &'w Paths<'w>,
    rank: &'w Ranking<'w>,
    found: Heaviest<FieldDifference>,
}

/// The position of a walk among the given paths.
#[derive(Clone, Copy)]
struct WalkPlace {
    place: Option<usize>,
    shows: bool,
}

impl<'v> DifferenceWalk<'_, 'v> {
    fn look(&mut self, at: WalkPlace, step: Step<'v>, old: &'v Value, new: &'v Value) -> ControlFlow<()> {
        let at = self.enter(at, step);
        let flow = self.diff(at, old, new);
        self.path.pop();
        flow
    }

    fn enter(&mut self, at: WalkPlace, step: Step<'v>) -> WalkPlace {
        let place = self.shown.step(at.place, &step);
        self.path.push(step);
        WalkPlace { place, shows: at.shows || self.shown.has(place) }
    }

    /// Compares two values in one pass: a map is not compared as a whole before its fields are.
    fn diff(&mut self, at: WalkPlace, old: &'v Value, new: &'v Value) -> ControlFlow<()> {
        if let Some((old, new)) = maps(old, new) {
            let keys: BTreeSet<&String> = old.iter().chain(&new).flat_map(|map| map.keys()).collect();
            let value = |side: Option<&'v Map<String, Value>>, key: &str| side.and_then(|map| map.get(key));
            return keys.into_iter().try_for_each(|key| {
                self.look(at, field(key), value(old, key).unwrap_or(&NULL), value(new, key).unwrap_or(&NULL))
            });
        }
        if let Some((old, new)) = lists(old, new) {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            return keys.into_iter().try_for_each(|key| {
                let step = Step::Item(key.clone().into());
                match (old.get(key), new.get(key)) {
                    (Some(old), Some(new)) => self.look(at, step, old, new),
                    // The name of an item says enough, and the whole item may hold data that does not belong in a
                    // report.
                    (old, _) => {
                        let at = self.enter(at, step);
                        let present = |there: bool| there.then(|| "(present)".to_owned());
                        let flow = self.found(at, |_| (present(old.is_some()), present(old.is_none())));
                        self.path.pop();
                        flow
                    }
                }
            });
        }
        if old == new {
            return ControlFlow::Continue(());
        }
        // Private fields can hold anything, including secrets that do not belong in a report.
        let show = |path: &str, value: &Value| (!value.is_null() && !is_private(path)).then(|| scalar(value));
        self.found(at, |path| (show(path, old), show(path, new)))
    }

    fn found(
        &mut self,
        at: WalkPlace,
        values: impl FnOnce(&str) -> (Option<String>, Option<String>),
    ) -> ControlFlow<()> {
        let path = &self.path;
        self.found.add((self.rank)(path, at.shows), || {
            let path = spell(path);
            let (before, after) = values(&path);
            FieldDifference { path, before, after, shows: at.shows }
        });
        if self.found.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn field(name: &str) -> Step<'_> {
    Step::Field(name.into())
}

type FieldSide<'v> = Option<&'v Map<String, Value>>;

/// Both sides as maps. A non-empty map that appears or vanishes as a whole is compared field by field too.
fn maps<'v>(old: &'v Value, new: &'v Value) -> Option<(FieldSide<'v>, FieldSide<'v>)> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => Some((Some(old), Some(new))),
        (Value::Null, Value::Object(new)) if !new.is_empty() => Some((None, Some(new))),
        (Value::Object(old), Value::Null) if !old.is_empty() => Some((Some(old), None)),
        _ => None,
    }
}

/// The items of a list by their identifying keys, spelled as in managedFields.
type ListItems<'v> = BTreeMap<String, &'v Value>;

/// Both sides of a list by the first key that identifies the items on both. Environment variables and subjects may
/// share a name, and a second item of a name must not hide behind the first.
fn lists<'v>(old: &'v Value, new: &'v Value) -> Option<(ListItems<'v>, ListItems<'v>)> {
    let (old, new): (&[Value], &[Value]) = match (old, new) {
        (Value::Array(old), Value::Array(new)) => (old, new),
        (Value::Null, Value::Array(new)) if !new.is_empty() => (&[], new),
        (Value::Array(old), Value::Null) if !old.is_empty() => (old, &[]),
        _ => return None,
    };
    let side = |items: &'v [Value], keys: &[&str]| -> Option<ListItems<'v>> {
        let mut found = ListItems::new();
        for item in items {
            let values = keys.iter().map(|key| item.get(key).filter(|value| value.is_string() || value.is_number()));
            let values = values.collect::<Option<Vec<_>>>()?;
            let parts = keys.iter().zip(values).map(|(key, value)| format!("{key}={}", scalar(value)));
            if found.insert(parts.collect::<Vec<_>>().join(","), item).is_some() {
                return None;
            }
        }
        Some(found)
    };
    KEYS.iter().find_map(|keys| Some((side(old, keys)?, side(new, keys)?)))
}

/// Whether values at a path are kept out of reports.
pub(crate) fn is_private(path: &str) -> bool {
    path.starts_with("data")
        || path.starts_with("binaryData")
        || path.starts_with("stringData")
        || path.contains(".env")
}

/// A value as reports show it.
pub(crate) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

static NULL: Value = Value::Null;

/// The keys that identify the items of a list: first the API server's merge keys (kubernetes.io, API reference), which
/// managedFields use too.
const KEYS: [&[&str]; 5] =
    [&["mountPath"], &["devicePath"], &["containerPort", "protocol"], &["port", "protocol"], &["name"]];

/// The most differences returned.
const MAX_PATHS: usize = 8;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::k8s::read::json;

    fn object(spec: &Value) -> Object<'static> {
        json::object(json!({"spec": spec}).to_string().leak().as_bytes()).unwrap()
    }

    fn found(old: &Value, new: &Value, shown: &[&[&'static str]]) -> Vec<(String, Option<String>, Option<String>)> {
        let mut paths = Paths::default();
        for path in shown {
            paths.insert(&path.iter().map(|name| field(name)).collect::<Vec<_>>());
        }
        let (old, new) = (object(old), object(new));
        let rank = |_: &[Step<'_>], shows| if shows { FieldRank::Light } else { FieldRank::Heavy };
        let found = Differing::of(&old, &new).heaviest(&paths, &rank);
        found.into_iter().map(|found| (found.path, found.before, found.after)).collect()
    }

    #[test]
    fn an_empty_value_is_removed_as_a_whole() {
        let own = |text: &str| Some(text.to_owned());
        let expected = [("spec.a".to_owned(), own("{}"), None), ("spec.b".to_owned(), own("[]"), None)];
        assert_eq!(found(&json!({"a": {}, "b": []}), &json!({}), &[]), expected);
    }

    #[test]
    fn the_order_of_keys_and_named_items_is_no_difference() {
        let (old, new) = (
            r#"{"spec":{"a":1,"l":[{"name":"x"},{"name":"y"}]}}"#,
            r#"{"spec":{"l":[{"name":"y"},{"name":"x"}],"a":1}}"#,
        );
        let (old, new) = (json::object(old.as_bytes()).unwrap(), json::object(new.as_bytes()).unwrap());
        assert!(!Differing::of(&old, &new).any());
        assert!(Differing::of(&object(&json!([1, 2])), &object(&json!([2, 1]))).any());
    }

    #[test]
    fn shown_paths_crowd_out_no_other_difference() {
        let old: Value = (0..20).map(|n| (format!("k{n:02}"), json!({"x": n}))).collect();
        let new: Value = (0..20).map(|n| (format!("k{n:02}"), json!({"x": -1}))).collect();
        let paths = |shown: &[&[&'static str]]| -> Vec<String> {
            found(&old, &new, shown).into_iter().map(|(path, ..)| path.replace("spec.", "")).collect()
        };
        assert_eq!(paths(&[]), ["k00.x", "k01.x", "k02.x", "k03.x", "k04.x", "k05.x", "k06.x", "k07.x"]);
        let shown = paths(&[&["spec", "k00"], &["spec", "k02", "x"], &["spec", "k03", "x", "y"]]);
        assert_eq!(shown, ["k01.x", "k03.x", "k04.x", "k05.x", "k06.x", "k07.x", "k08.x", "k09.x"]);
        let all = paths(&[&["spec"]]);
        assert_eq!(all.len(), MAX_PATHS);
    }
}
