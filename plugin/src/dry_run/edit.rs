//! `label`, `annotate` and `taint`: the changes in their arguments, the arguments that kubectl refuses, and the patches
//! that it sends.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// A map of the metadata to edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataPlace {
    /// `metadata.annotations`.
    Annotations,
    /// `metadata.labels`.
    Labels,
}

impl MetadataPlace {
    /// The field's name.
    pub fn field(self) -> &'static str {
        match self {
            MetadataPlace::Annotations => "annotations",
            MetadataPlace::Labels => "labels",
        }
    }

    fn word(self) -> &'static str {
        match self {
            MetadataPlace::Annotations => "annotation",
            MetadataPlace::Labels => "label",
        }
    }
}

/// Keys to set and keys to remove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyEdits {
    /// Keys and their new values.
    pub set: BTreeMap<String, String>,
    /// Keys to remove.
    pub remove: Vec<String>,
}

/// Splits `TYPE NAME … KEY=VALUE … KEY-` into the words before the first change, and the changes.
///
/// # Errors
/// A sentence, when a resource follows a change.
pub fn split_arguments<'a>(
    arguments: &'a [String],
    what: &str,
    is_edit: fn(&str) -> bool,
) -> Result<(&'a [String], &'a [String]), String> {
    let at = arguments.iter().position(|argument| is_edit(argument)).unwrap_or(arguments.len());
    let (resources, edits) = arguments.split_at(at);
    if let Some(late) = edits.iter().find(|argument| !is_edit(argument)) {
        return Err(format!("all resources must be specified before {what} changes: {late}"));
    }
    if edits.is_empty() {
        return Err(format!("at least one {what} update is required"));
    }
    Ok((resources, edits))
}

/// Whether an argument of `label` or `annotate` is a change.
pub fn is_pair(argument: &str) -> bool {
    (argument.contains('=') && !argument.starts_with('=')) || (argument.ends_with('-') && argument != "-")
}

/// Whether an argument of `taint` is a change.
pub fn is_taint(argument: &str) -> bool {
    argument.contains('=') || argument.contains(':') || argument.ends_with('-')
}

/// Reads the changes of `label` and `annotate`.
///
/// # Errors
/// A sentence for each argument that kubectl refuses.
pub fn pairs(place: MetadataPlace, edits: &[String]) -> Result<KeyEdits, String> {
    let mut pairs = KeyEdits::default();
    for edit in edits {
        match edit.split_once('=') {
            Some(("", _)) => return Err(format!("invalid {} format: {edit}", place.word())),
            Some((key, value)) if place == MetadataPlace::Labels => {
                if value.contains('=') {
                    return Err(format!("invalid label spec: {edit}"));
                }
                if !is_label_value(value) {
                    return Err(format!("invalid label value: {edit:?}: {LABEL_VALUE}"));
                }
                pairs.set.insert(key.to_owned(), value.to_owned());
            }
            Some((key, value)) => {
                pairs.set.insert(key.to_owned(), value.to_owned());
            }
            None => match edit.strip_suffix('-').filter(|key| !key.is_empty()) {
                Some(key) => pairs.remove.push(key.to_owned()),
                None => return Err(format!("invalid {} format: {edit}", place.word())),
            },
        }
    }
    if let Some(key) = pairs.remove.iter().find(|key| pairs.set.contains_key(*key)) {
        return Err(format!("{key}: cannot both modify and remove a {} in the same command", place.word()));
    }
    Ok(pairs)
}

/// The treatment of keys and taints that the object has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// The command is refused.
    Keep,
    /// They are replaced.
    Replace,
}

impl Existing {
    /// Of the flag `--overwrite`.
    pub fn of(overwrite: bool) -> Self {
        if overwrite { Existing::Replace } else { Existing::Keep }
    }
}

/// The patch that kubectl would send for an object, and its remarks.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// The patch.
    pub patch: Value,
    /// Remarks, such as a label to remove that is not there.
    pub notes: Vec<String>,
}

/// The JSON merge patch of `label` or `annotate` for one object.
///
/// # Errors
/// The message with which kubectl refuses without asking the server.
pub fn metadata(
    object: &Value,
    place: MetadataPlace,
    pairs: &KeyEdits,
    existing: Existing,
    resource_version: &str,
) -> Result<Edit, String> {
    let empty = Map::new();
    let old = object
        .pointer("/metadata")
        .and_then(|meta| meta.get(place.field()))
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let current = |key: &str| old.get(key).and_then(Value::as_str);
    if existing == Existing::Keep {
        for (key, value) in &pairs.set {
            // `kubectl rollout history` reads this annotation, and kubectl always lets it be replaced.
            let free = place == MetadataPlace::Annotations && key == CHANGE_CAUSE;
            match current(key) {
                Some(own) if !free && own != value => {
                    return Err(format!(
                        "{} {key} already has a value ({own}), and --overwrite is not given",
                        place.word()
                    ));
                }
                _ => {}
            }
        }
    }
    let (mut changes, mut notes) = (Map::new(), Vec::new());
    for (key, value) in &pairs.set {
        if current(key) != Some(value) {
            changes.insert(key.clone(), json!(value));
        }
    }
    for key in &pairs.remove {
        if old.contains_key(key) {
            changes.insert(key.clone(), Value::Null);
        } else if place == MetadataPlace::Labels {
            notes.push(format!("label {key:?} not found"));
        }
    }
    let mut meta = Map::new();
    if !changes.is_empty() {
        meta.insert(place.field().to_owned(), Value::Object(changes));
    }
    if !resource_version.is_empty() {
        meta.insert("resourceVersion".to_owned(), json!(resource_version));
    }
    let patch = if meta.is_empty() { json!({}) } else { json!({"metadata": meta}) };
    Ok(Edit { patch, notes })
}

/// A taint as `kubectl taint` spells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaintEdit {
    /// Key.
    pub key: String,
    /// Value; empty for none.
    pub value: String,
    /// Effect; empty for all effects of the key, when removing.
    pub effect: String,
}

/// Taints to set and to remove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taints {
    /// Taints to add or replace.
    pub set: Vec<TaintEdit>,
    /// Taints to remove.
    pub remove: Vec<TaintEdit>,
}

/// Reads the changes of `taint`: `key=value:Effect`, `key:Effect`, `key:Effect-`, `key-`.
///
/// # Errors
/// A sentence for the first argument that kubectl refuses.
pub fn taints(edits: &[String]) -> Result<Taints, String> {
    let mut taints = Taints::default();
    for edit in edits {
        if let Some(spec) = edit.strip_suffix('-') {
            let taint = taint(spec)?;
            taints.remove.push(TaintEdit { value: String::new(), ..taint });
            continue;
        }
        let taint = taint(edit)?;
        if taint.effect.is_empty() {
            return Err(format!("invalid taint spec: {edit}"));
        }
        if taints.set.iter().any(|own| same(own, &taint)) {
            return Err(format!("duplicated taints with the same key and effect: {edit}"));
        }
        taints.set.push(taint);
    }
    let clash = |gone: &&TaintEdit| {
        taints.set.iter().any(|own| own.key == gone.key && (gone.effect.is_empty() || own.effect == gone.effect))
    };
    match taints.remove.iter().find(clash) {
        Some(gone) => Err(format!("{}: cannot both modify and remove a taint in the same command", gone.key)),
        None => Ok(taints),
    }
}

fn taint(spec: &str) -> Result<TaintEdit, String> {
    let (pair, effect) = spec.split_once(':').unwrap_or((spec, ""));
    if !effect.is_empty() && !EFFECTS.contains(&effect) {
        return Err(format!("invalid taint effect: {effect}, it is one of {}", EFFECTS.join(", ")));
    }
    // Without an effect, `=` would be part of the key.
    let (key, value) = if effect.is_empty() { (pair, "") } else { pair.split_once('=').unwrap_or((pair, "")) };
    if !is_qualified(key) || !is_label_value(value) {
        return Err(format!("invalid taint spec: {spec}"));
    }
    Ok(TaintEdit { key: key.to_owned(), value: value.to_owned(), effect: effect.to_owned() })
}

fn same(one: &TaintEdit, other: &TaintEdit) -> bool {
    one.key == other.key && one.effect == other.effect
}

/// The strategic merge patch of `taint` for one node. Taints are a list that is replaced as a whole.
///
/// # Errors
/// The message with which kubectl refuses without asking the server.
pub fn taint_patch(node: &Value, taints: &Taints, existing: Existing) -> Result<Value, String> {
    let own = node.pointer("/spec/taints").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let is = |entry: &Value, key: &str, effect: &str| {
        let part = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        part("key") == key && (effect.is_empty() || part("effect") == effect)
    };
    if existing == Existing::Keep {
        let there = taints.set.iter().find(|taint| own.iter().any(|entry| is(entry, &taint.key, &taint.effect)));
        if let Some(taint) = there {
            return Err(format!(
                "the node already has taint {}:{}, and --overwrite is not given",
                taint.key, taint.effect
            ));
        }
    }
    let mut list: Vec<Value> = taints.set.iter().map(entry).collect();
    for old in own {
        if !taints.set.iter().any(|taint| is(old, &taint.key, &taint.effect)) {
            list.push(old.clone());
        }
    }
    for gone in &taints.remove {
        let before = list.len();
        list.retain(|entry| !is(entry, &gone.key, &gone.effect));
        if list.len() == before {
            let effect = if gone.effect.is_empty() { String::new() } else { format!(":{}", gone.effect) };
            return Err(format!("taint \"{}{effect}\" not found", gone.key));
        }
    }
    Ok(match (list.as_slice() == own, list.is_empty()) {
        (true, _) => json!({}),
        (false, true) => json!({"spec": {"taints": null}}),
        (false, false) => json!({"spec": {"taints": list}}),
    })
}

fn entry(taint: &TaintEdit) -> Value {
    let mut entry = json!({"effect": taint.effect, "key": taint.key});
    if let Some(map) = entry.as_object_mut().filter(|_| !taint.value.is_empty()) {
        map.insert("value".to_owned(), json!(taint.value));
    }
    entry
}

fn is_label_value(value: &str) -> bool {
    value.is_empty() || (value.len() <= MAX_NAME && is_word(value))
}

fn is_qualified(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let domain = |prefix: &str| {
        prefix.len() <= MAX_DOMAIN
            && prefix.split('.').all(|part| is_word(part) && !part.contains(['_']) && part == part.to_lowercase())
    };
    name.len() <= MAX_NAME && is_word(name) && prefix.is_none_or(domain)
}

fn is_word(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    edge(text.chars().next())
        && edge(text.chars().next_back())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";
const LABEL_VALUE: &str = "at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit";

/// The longest name of a label, a limit of Kubernetes. Prefixes have their own.
const MAX_NAME: usize = 63;
const MAX_DOMAIN: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn node() -> Value {
        json!({"metadata": {"name": "a", "labels": {"size": "s", "site": "x"}}, "spec": {"taints": [
            {"key": "gpu", "value": "yes", "effect": "NoSchedule"}, {"key": "gpu", "effect": "NoExecute"}, {"key": "old", "effect": "NoSchedule"},
        ]}})
    }

    #[test]
    fn resources_come_before_changes() {
        let arguments = strings(&["node", "a", "k=v", "gone-"]);
        let (resources, edits) = split_arguments(&arguments, "label", is_pair).unwrap();
        assert_eq!((resources.len(), edits.len()), (2, 2));
        let late = strings(&["node", "k=v", "a"]);
        assert_eq!(
            split_arguments(&late, "label", is_pair).unwrap_err(),
            "all resources must be specified before label changes: a"
        );
        assert_eq!(
            split_arguments(&strings(&["node", "a"]), "label", is_pair).unwrap_err(),
            "at least one label update is required"
        );
    }

    #[test]
    fn pairs_are_read_as_kubectl_reads_them() {
        let read = pairs(MetadataPlace::Labels, &strings(&["a=1", "b=", "example.com/c-"])).unwrap();
        assert_eq!(read.set, BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())]));
        assert_eq!(read.remove, ["example.com/c"]);
        for (bad, words) in [
            (&["a=b=c"][..], "invalid label spec: a=b=c"),
            (&["a=-x"], "invalid label value: \"a=-x\""),
            (&["a=1", "a-"], "a: cannot both modify and remove a label in the same command"),
            (&["="], "invalid label format: ="),
            (&["a=ä"], "invalid label value: \"a=ä\""),
        ] {
            let said = pairs(MetadataPlace::Labels, &strings(bad)).unwrap_err();
            assert!(said.starts_with(words), "{bad:?}: {said}");
        }
        assert_eq!(pairs(MetadataPlace::Annotations, &strings(&["a=b=c d"])).unwrap().set.get("a").unwrap(), "b=c d");
    }

    #[test]
    fn label_patches_hold_only_what_differs() {
        let set = |edits: &[&str], existing| {
            let pairs = pairs(MetadataPlace::Labels, &strings(edits)).unwrap();
            metadata(&node(), MetadataPlace::Labels, &pairs, existing, "")
        };
        assert_eq!(
            set(&["size=m", "site-"], Existing::Replace).unwrap().patch,
            json!({"metadata": {"labels": {"size": "m", "site": null}}})
        );
        assert_eq!(
            set(&["size=m"], Existing::Keep).unwrap_err(),
            "label size already has a value (s), and --overwrite is not given"
        );
        assert_eq!(set(&["size=s"], Existing::Keep).unwrap().patch, json!({}));
        assert_eq!(
            set(&["nope-"], Existing::Keep).unwrap(),
            Edit { patch: json!({}), notes: vec!["label \"nope\" not found".to_owned()] }
        );
    }

    #[test]
    fn a_given_resource_version_is_part_of_the_patch() {
        let pairs = pairs(MetadataPlace::Annotations, &strings(&["a=1"])).unwrap();
        let edit = metadata(&json!({}), MetadataPlace::Annotations, &pairs, Existing::Keep, "7").unwrap();
        assert_eq!(edit.patch, json!({"metadata": {"annotations": {"a": "1"}, "resourceVersion": "7"}}));
    }

    #[test]
    fn annotations_are_refused_but_for_the_change_cause() {
        let object = json!({"metadata": {"annotations": {"a": "1", "kubernetes.io/change-cause": "x"}}});
        let edit = |edits: &[&str]| {
            let pairs = pairs(MetadataPlace::Annotations, &strings(edits)).unwrap();
            metadata(&object, MetadataPlace::Annotations, &pairs, Existing::Keep, "")
        };
        let refused = "annotation a already has a value (1), and --overwrite is not given";
        assert_eq!(edit(&["a=2"]).unwrap_err(), refused);
        assert_eq!(edit(&["a=1"]).unwrap().patch, json!({}));
        let cause = json!({"metadata": {"annotations": {"kubernetes.io/change-cause": "y"}}});
        assert_eq!(edit(&["kubernetes.io/change-cause=y"]).unwrap().patch, cause);
    }

    #[test]
    fn taints_are_added_replaced_and_removed() {
        let patch = |edits: &[&str], existing| taint_patch(&node(), &taints(&strings(edits)).unwrap(), existing);
        let list = |value: &Value| -> Vec<String> {
            value.pointer("/spec/taints").and_then(Value::as_array).unwrap().iter().map(ToString::to_string).collect()
        };
        assert_eq!(
            list(&patch(&["new=1:NoExecute", "old-"], Existing::Keep).unwrap()),
            [
                r#"{"effect":"NoExecute","key":"new","value":"1"}"#,
                r#"{"effect":"NoSchedule","key":"gpu","value":"yes"}"#,
                r#"{"effect":"NoExecute","key":"gpu"}"#,
            ]
        );
        assert!(patch(&["gpu=no:NoSchedule"], Existing::Keep).unwrap_err().contains("--overwrite"));
        assert_eq!(list(&patch(&["gpu=no:NoSchedule"], Existing::Replace).unwrap()).len(), 3);
        assert_eq!(patch(&["gpu-", "old:NoSchedule-"], Existing::Keep).unwrap(), json!({"spec": {"taints": null}}));
        assert_eq!(patch(&["nope-"], Existing::Keep).unwrap_err(), "taint \"nope\" not found");
    }

    #[test]
    fn taints_that_make_no_sense_are_refused() {
        for (bad, words) in [
            (&["a=b"][..], "invalid taint spec: a=b"),
            (&["a:Never"], "invalid taint effect: Never"),
            (&["a:NoSchedule", "a=1:NoSchedule"], "duplicated taints with the same key and effect: a=1:NoSchedule"),
            (&["a:NoSchedule", "a-"], "a: cannot both modify and remove a taint in the same command"),
            (&["a b:NoSchedule"], "invalid taint spec: a b:NoSchedule"),
            (&[":NoSchedule"], "invalid taint spec: :NoSchedule"),
            (&["a:b:NoSchedule"], "invalid taint effect: b:NoSchedule"),
        ] {
            let said = taints(&strings(bad)).unwrap_err();
            assert!(said.starts_with(words), "{bad:?}: {said}");
        }
    }
}
