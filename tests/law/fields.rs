//! Owners of fields, kept as the API server keeps them in managedFields: the creator of an object owns all of it, a
//! writer that changes a value takes it from all others, and nobody owns a removed field.

use serde_json::{Map, Value, json};

/// Makes the creator the owner of a new object.
pub(crate) fn create(object: &mut Value, manager: &str, time: &str) {
    let (set, _) = compare("", Some(&json!({})), Some(object));
    object["metadata"]["managedFields"] = json!([entry(object, manager, "", time, &set.unwrap_or_else(|| json!({})))]);
}

/// Records what `manager` changed between two versions of an object. Of an object without managedFields the API server
/// keeps none after an update either.
pub(crate) fn update(before: &Value, after: &mut Value, manager: &str, subresource: &str, time: &str) {
    let (set, gone) = compare("", Some(before), Some(after));
    let Some(entries) = after["metadata"].get("managedFields").and_then(Value::as_array).cloned() else { return };
    let mut entries: Vec<Value> = entries
        .into_iter()
        .map(|mut entry| {
            if let Some(gone) = &gone {
                subtract(&mut entry["fieldsV1"], gone);
            }
            entry
        })
        .collect();
    if let Some(set) = set {
        let mut own = entry(after, manager, subresource, time, &set);
        let same = |other: &Value| {
            ["manager", "operation", "apiVersion", "subresource"].iter().all(|part| other.get(part) == own.get(part))
        };
        if let Some(at) = entries.iter().position(same) {
            unite(&mut own["fieldsV1"], &entries.remove(at)["fieldsV1"]);
        }
        entries.push(own);
    }
    entries.retain(|entry| entry["fieldsV1"].as_object().is_some_and(|fields| !fields.is_empty()));
    after["metadata"]["managedFields"] = json!(entries);
}

/// Keeps of an object only the fields that `manager` has written, and those that the server sets.
pub(crate) fn only(object: &mut Value, manager: &str) {
    let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let (own, others): (Vec<Value>, Vec<Value>) = entries.into_iter().partition(|entry| entry["manager"] == manager);
    for entry in others {
        remove(object, &entry["fieldsV1"]);
    }
    object["metadata"]["managedFields"] = json!(own);
}

/// Removes the values that a set of fields names; of lists that are merged nothing.
fn remove(value: &mut Value, fields: &Value) {
    let (Some(map), Some(fields)) = (value.as_object_mut(), fields.as_object()) else { return };
    for (key, below) in fields {
        let Some(name) = key.strip_prefix("f:") else { continue };
        if below.as_object().is_none_or(|below| below.keys().all(|key| !key.starts_with("f:"))) {
            map.remove(name);
        } else if let Some(inner) = map.get_mut(name) {
            remove(inner, below);
        }
    }
}

fn entry(object: &Value, manager: &str, subresource: &str, time: &str, fields: &Value) -> Value {
    let mut fields = fields.clone();
    let group =
        object["apiVersion"].as_str().and_then(|version| version.split_once('/')).map_or("", |(group, _)| group);
    // Of Kubernetes' own kinds every object has a specification, so nobody has added it.
    let is_custom = group.contains('.') && !group.ends_with(".k8s.io");
    for always in ["f:metadata", "f:spec"].into_iter().take(if is_custom { 1 } else { 2 }) {
        drop(fields.get_mut(always).and_then(Value::as_object_mut).and_then(|own| own.remove(".")));
    }
    let mut entry = json!({"manager": manager, "operation": "Update", "apiVersion": object["apiVersion"], "time": time,
                           "fieldsType": "FieldsV1", "fieldsV1": fields});
    if !subresource.is_empty() {
        entry["subresource"] = json!(subresource);
    }
    entry
}

/// The differences at `path`: the fields that the writer owns from now on, and those that everybody else loses.
fn compare(path: &str, old: Option<&Value>, new: Option<&Value>) -> (Option<Value>, Option<Value>) {
    if old == new {
        return (None, None);
    }
    let field = path.rsplit('.').next().unwrap_or_default();
    match new {
        None => (None, Some(json!({}))),
        Some(Value::Object(new)) if !new.is_empty() && !ATOMIC.contains(&field) => {
            let none = Map::new();
            let was = old.and_then(Value::as_object);
            let pairs = new.keys().chain(was.unwrap_or(&none).keys().filter(|key| !new.contains_key(*key)));
            let pairs = pairs.filter(|key| !is_servers(path, key)).map(|key| {
                let (old, inner) = (was.and_then(|was| was.get(key)), new.get(key));
                (format!("f:{key}"), compare(&format!("{path}.{key}"), old, inner))
            });
            collect(pairs, was.is_none() && !path.is_empty())
        }
        Some(Value::Array(new)) if MERGED.contains(&field) && new.iter().all(|item| item_key(path, item).is_some()) => {
            let was = old.and_then(Value::as_array);
            let find = |items: Option<&Vec<Value>>, key: &str| {
                items.and_then(|items| items.iter().find(|item| item_key(path, item).as_deref() == Some(key)).cloned())
            };
            let mut keys: Vec<String> = new.iter().filter_map(|item| item_key(path, item)).collect();
            keys.extend(was.into_iter().flatten().filter_map(|item| item_key(path, item)));
            keys.sort();
            keys.dedup();
            let pairs = keys.into_iter().map(|key| {
                let (old, inner) = (find(was, &key), find(Some(new), &key));
                let found = compare(&format!("{path}.[]"), old.as_ref(), inner.as_ref());
                (key, found)
            });
            collect(pairs, was.is_none() && !new.is_empty())
        }
        Some(_) => (Some(json!({})), Some(json!({}))),
    }
}

fn collect(
    pairs: impl Iterator<Item = (String, (Option<Value>, Option<Value>))>,
    is_new: bool,
) -> (Option<Value>, Option<Value>) {
    let (mut set, mut gone) = (Map::new(), Map::new());
    if is_new {
        set.insert(".".to_owned(), json!({}));
    }
    for (key, (own, lost)) in pairs {
        set.extend(own.map(|own| (key.clone(), own)));
        gone.extend(lost.map(|lost| (key, lost)));
    }
    let some = |map: Map<String, Value>| (!map.is_empty()).then_some(Value::Object(map));
    (some(set), some(gone))
}

/// The fields that the server sets, and nobody owns.
fn is_servers(path: &str, key: &str) -> bool {
    match path {
        "" => matches!(key, "apiVersion" | "kind"),
        ".metadata" => matches!(
            key,
            "name" | "namespace" | "uid" | "creationTimestamp" | "managedFields" | "generateName" | "deletionTimestamp"
        ),
        _ => false,
    }
}

/// The step of an item of a list that is merged, `k:{"name":"c"}` or `v:"x"`; `None` for lists that are replaced as a
/// whole.
fn item_key(path: &str, item: &Value) -> Option<String> {
    let by = |names: &[&str]| {
        let key: Map<String, Value> =
            names.iter().filter_map(|name| Some(((*name).to_owned(), item.get(name)?.clone()))).collect();
        (key.len() == names.len()).then(|| format!("k:{}", Value::Object(key)))
    };
    match path.rsplit('.').next().unwrap_or_default() {
        "containers" | "initContainers" | "ephemeralContainers" | "volumes" | "env" => by(&["name"]),
        "volumeMounts" => by(&["mountPath"]),
        "ports" => by(&["containerPort", "protocol"]).or_else(|| by(&["port", "protocol"])),
        "ownerReferences" => by(&["uid"]),
        "conditions" => by(&["type"]),
        "podCIDRs" => Some(format!("v:{item}")),
        "finalizers" if path == ".metadata.finalizers" => Some(format!("v:{item}")),
        _ => None,
    }
}

fn subtract(fields: &mut Value, gone: &Value) {
    let (Some(fields), Some(gone)) = (fields.as_object_mut(), gone.as_object()) else { return };
    for (key, below) in gone {
        let Some(inner) = fields.get_mut(key) else { continue };
        let all = below.as_object().is_none_or(Map::is_empty) || inner.as_object().is_none_or(Map::is_empty);
        if !all {
            subtract(inner, below);
        }
        if all || inner.as_object().is_some_and(Map::is_empty) {
            fields.remove(key);
        }
    }
}

fn unite(fields: &mut Value, other: &Value) {
    let (Some(fields), Some(other)) = (fields.as_object_mut(), other.as_object()) else { return };
    for (key, below) in other {
        unite(fields.entry(key.clone()).or_insert_with(|| json!({})), below);
    }
}

/// Lists that are merged item by item (kubernetes.io, API reference).
const MERGED: [&str; 11] = [
    "conditions",
    "containers",
    "env",
    "ephemeralContainers",
    "finalizers",
    "initContainers",
    "ownerReferences",
    "podCIDRs",
    "ports",
    "volumeMounts",
    "volumes",
];

/// Maps that are replaced as a whole (kubernetes.io, API reference).
const ATOMIC: [&str; 3] = ["nodeSelector", "roleRef", "selector"];
