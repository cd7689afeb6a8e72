//! Strategic merge patches, made as by `kubectl apply` and applied as by the API server.
//!
//! The server's own OpenAPI v3 documents say which lists merge, and by which key (`x-kubernetes-patch-strategy`,
//! `x-kubernetes-patch-merge-key`). Documented at kubernetes.io, "Update API Objects in Place Using kubectl patch".

use serde_json::{Map, Value, json};

/// The OpenAPI v3 document of one group and version.
#[derive(Clone, Debug, Default)]
pub struct OpenApiDocument(Value);

impl OpenApiDocument {
    /// A document as the server sent it.
    pub fn new(document: Value) -> Self {
        OpenApiDocument(document)
    }

    /// Whether the server accepts strategic merge patches of a kind: built-in kinds yes, custom resources no.
    pub fn takes_strategic(&self, group: &str, version: &str, kind: &str) -> bool {
        let paths = self.0.get("paths").and_then(Value::as_object);
        paths.into_iter().flat_map(Map::values).filter_map(|path| path.get("patch")).any(|patch| {
            let own = patch.get(GVK).is_some_and(|gvk| is_gvk(gvk, group, version, kind));
            own && patch.pointer("/requestBody/content").and_then(|content| content.get(STRATEGIC)).is_some()
        })
    }

    /// The schema of a kind, or an empty one where the document has none.
    pub fn schema(&self, group: &str, version: &str, kind: &str) -> Schema<'_> {
        let schemas = self.0.pointer("/components/schemas").and_then(Value::as_object);
        let own = schemas.into_iter().flat_map(Map::values).find(|schema| {
            let gvks = schema.get(GVK).and_then(Value::as_array);
            gvks.is_some_and(|gvks| gvks.iter().any(|gvk| is_gvk(gvk, group, version, kind)))
        });
        Schema { document: self, node: own }
    }
}

fn is_gvk(gvk: &Value, group: &str, version: &str, kind: &str) -> bool {
    let part = |key: &str| gvk.get(key).and_then(Value::as_str).unwrap_or_default();
    (part("group"), part("version"), part("kind")) == (group, version, kind)
}

/// A place in a schema.
#[derive(Clone, Copy, Debug)]
pub struct Schema<'d> {
    document: &'d OpenApiDocument,
    node: Option<&'d Value>,
}

/// The patch behaviour of a field.
#[derive(Clone, Copy, Debug)]
struct FieldPatch<'d> {
    /// The schema of its value; for lists, that of an element.
    value: Schema<'d>,
    /// Whether a list merges instead of being replaced.
    merges: bool,
    /// Whether an object is replaced instead of being merged.
    replaces: bool,
    /// Whether keys that the patch does not name are cleared.
    retains: bool,
    /// The key by which a list of objects merges; empty for lists of plain values.
    key: &'d str,
}

impl<'d> Schema<'d> {
    fn at(self, node: Option<&'d Value>) -> Self {
        Schema { document: self.document, node: node.map(|node| self.resolve(node)) }
    }

    /// Follows references: `$ref` itself, or the only member of `allOf`, the form in which defaults stand beside one.
    fn resolve(self, node: &'d Value) -> &'d Value {
        let mut node = node;
        for _ in 0..MAX_REFERENCES {
            let reference = node.get("$ref").or_else(|| node.pointer("/allOf/0/$ref")).and_then(Value::as_str);
            let target = reference.and_then(|reference| self.document.0.pointer(reference.strip_prefix('#')?));
            match target {
                Some(target) => node = target,
                None => break,
            }
        }
        node
    }

    fn field(self, key: &str) -> FieldPatch<'d> {
        let own =
            self.node.and_then(|node| node.get("properties")?.get(key).or_else(|| node.get("additionalProperties")));
        let text = |name: &str| own.and_then(|own| own.get(name)).and_then(Value::as_str).unwrap_or_default();
        let strategies = text("x-kubernetes-patch-strategy");
        let has = |name: &str| strategies.split(',').any(|own| own == name);
        let resolved = own.map(|own| self.resolve(own));
        let value = match resolved.and_then(|own| own.get("items")) {
            Some(items) => self.at(Some(items)),
            None => self.at(own),
        };
        FieldPatch {
            value,
            merges: has("merge"),
            replaces: has("replace"),
            retains: has("retainKeys"),
            key: text("x-kubernetes-patch-merge-key"),
        }
    }
}

/// The patch that brings `current` to the state in the manifest. `original` is the last applied manifest, `modified`
/// the new one.
///
/// Fields of the manifest that differ in `current` are set. Fields that were applied last and are no longer in the
/// manifest are deleted. All other fields of `current` belong to others and stay.
pub fn three_way(original: &Value, modified: &Value, current: &Value, schema: Schema<'_>) -> Value {
    let (original, modified, current) = (object(original), object(modified), object(current));
    let changes = diff_maps(current, modified, schema, Keep::Changes, false);
    let deletions = diff_maps(original, modified, schema, Keep::Deletions, false);
    Value::Object(combine(deletions, changes, schema))
}

/// The JSON merge patch for the same, for kinds without a schema: lists are replaced as a whole.
pub fn three_way_merge(original: &Value, modified: &Value, current: &Value) -> Value {
    let changes = super::patch::merge_diff(object(current), object(modified), super::patch::Side::Changes);
    let deletions = super::patch::merge_diff(object(original), object(modified), super::patch::Side::Deletions);
    Value::Object(overlay(deletions, changes))
}

fn overlay(mut below: Map<String, Value>, above: Map<String, Value>) -> Map<String, Value> {
    for (key, value) in above {
        let merged = match (below.remove(&key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => Value::Object(overlay(below, above)),
            (_, value) => value,
        };
        below.insert(key, merged);
    }
    below
}

fn object(value: &Value) -> &Map<String, Value> {
    static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    value.as_object().unwrap_or_else(|| &EMPTY)
}

/// The part of a difference that a patch contains.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Changes,
    Deletions,
}

fn diff_maps(
    from: &Map<String, Value>,
    to: &Map<String, Value>,
    schema: Schema<'_>,
    keep: Keep,
    retains: bool,
) -> Map<String, Value> {
    let mut patch = Map::new();
    for (key, new) in to {
        let Some(old) = from.get(key) else {
            if keep == Keep::Changes {
                patch.insert(key.clone(), new.clone());
            }
            continue;
        };
        let field = schema.field(key);
        match (old, new) {
            (Value::Object(old), Value::Object(new)) if !field.replaces => {
                let inner = diff_maps(old, new, field.value, keep, field.retains);
                if !inner.is_empty() {
                    patch.insert(key.clone(), Value::Object(inner));
                }
            }
            (Value::Array(old), Value::Array(new)) if field.merges => {
                diff_lists(key, old, new, field, keep, &mut patch);
            }
            _ if keep == Keep::Changes && old != new => {
                patch.insert(key.clone(), new.clone());
            }
            _ => {}
        }
    }
    if keep == Keep::Deletions {
        for key in from.keys().filter(|key| !to.contains_key(*key)) {
            patch.insert(key.clone(), Value::Null);
        }
    }
    let cleared = || from.iter().any(|(key, value)| !value.is_null() && !to.contains_key(key));
    if retains && (!patch.is_empty() || cleared()) {
        let mut kept: Vec<&String> = to.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key).collect();
        kept.sort();
        if !kept.is_empty() {
            patch.insert(RETAIN.to_owned(), json!(kept));
        }
    }
    patch
}

fn diff_lists(
    key: &str,
    old: &[Value],
    new: &[Value],
    field: FieldPatch<'_>,
    keep: Keep,
    patch: &mut Map<String, Value>,
) {
    if old.is_empty() {
        if keep == Keep::Changes && !new.is_empty() {
            patch.insert(key.to_owned(), Value::Array(new.to_vec()));
        }
        return;
    }
    if field.key.is_empty() {
        let missing = |list: &[Value], other: &[Value]| -> Vec<Value> {
            list.iter().filter(|value| !other.contains(value)).cloned().collect()
        };
        let (added, removed) = (missing(new, old), missing(old, new));
        let ordered = match keep {
            Keep::Changes => {
                if !added.is_empty() {
                    patch.insert(key.to_owned(), Value::Array(added));
                }
                old != new
            }
            Keep::Deletions => {
                let any = !removed.is_empty();
                if any {
                    patch.insert(format!("{DELETE_FROM}{key}"), Value::Array(removed));
                }
                any
            }
        };
        if ordered {
            patch.insert(format!("{ORDER}{key}"), Value::Array(new.to_vec()));
        }
        return;
    }
    let mut items = Vec::new();
    for element in new {
        let Some(name) = element.get(field.key) else { continue };
        match find(old, field.key, name) {
            Some(before) => {
                let mut inner = diff_maps(object(before), object(element), field.value, keep, field.retains);
                if !inner.is_empty() {
                    inner.insert(field.key.to_owned(), name.clone());
                    items.push(Value::Object(inner));
                }
            }
            None if keep == Keep::Changes => items.push(element.clone()),
            None => {}
        }
    }
    if keep == Keep::Deletions {
        let names = old.iter().filter_map(|element| element.get(field.key));
        let mut gone: Vec<&Value> = names.filter(|name| find(new, field.key, name).is_none()).collect();
        // kubectl sorts the keys as texts, numbers too.
        gone.sort_by_key(|name| name.as_str().map_or_else(|| name.to_string(), str::to_owned));
        items.extend(gone.into_iter().map(|name| json!({DIRECTIVE: "delete", field.key: name})));
    }
    let names = |list: &[Value]| list.iter().map(|element| element.get(field.key).cloned()).collect::<Vec<_>>();
    let reordered = keep == Keep::Changes && names(old) != names(new);
    if !items.is_empty() || reordered {
        let order = new.iter().filter_map(|element| Some(json!({field.key: element.get(field.key)?})));
        patch.insert(format!("{ORDER}{key}"), Value::Array(order.collect()));
    }
    if !items.is_empty() {
        patch.insert(key.to_owned(), Value::Array(items));
    }
}

/// Joins two parts of one patch.
fn combine(deletions: Map<String, Value>, mut changes: Map<String, Value>, schema: Schema<'_>) -> Map<String, Value> {
    for (key, deletion) in deletions {
        let field = schema.field(&key);
        let Some(change) = changes.remove(&key) else {
            changes.insert(key, deletion);
            continue;
        };
        let both = match (deletion, change) {
            (Value::Object(deletion), Value::Object(change)) => Value::Object(combine(deletion, change, field.value)),
            (Value::Array(deletion), Value::Array(mut change)) if field.merges && !field.key.is_empty() => {
                for element in deletion {
                    let same = element.get(field.key).and_then(|name| {
                        change.iter_mut().find(|own| own.get(field.key) == Some(name)).and_then(Value::as_object_mut)
                    });
                    match (same, element) {
                        (Some(own), Value::Object(element)) => {
                            *own = combine(element, std::mem::take(own), field.value);
                        }
                        (_, element) => change.push(element),
                    }
                }
                Value::Array(change)
            }
            (_, change) => change,
        };
        changes.insert(key, both);
    }
    changes
}

/// `original` as the API server would have it after a strategic merge patch.
pub fn apply(original: &Value, patch: &Value, schema: Schema<'_>) -> Value {
    Value::Object(apply_map(object(original), object(patch), schema))
}

fn apply_map(original: &Map<String, Value>, patch: &Map<String, Value>, schema: Schema<'_>) -> Map<String, Value> {
    match patch.get(DIRECTIVE).and_then(Value::as_str) {
        Some("replace") => return without_directives(patch),
        Some("delete") => return Map::new(),
        _ => {}
    }
    let mut out = original.clone();
    if let Some(kept) = patch.get(RETAIN).and_then(Value::as_array) {
        out.retain(|key, _| kept.iter().any(|own| own.as_str() == Some(key)));
    }
    for (key, gone) in patch {
        let Some(list) = key.strip_prefix(DELETE_FROM) else { continue };
        if let (Some(Value::Array(own)), Value::Array(gone)) = (out.get_mut(list), gone) {
            own.retain(|value| !gone.contains(value));
        }
    }
    for (key, new) in patch {
        if is_directive(key) {
            continue;
        }
        if new.is_null() {
            out.remove(key);
            continue;
        }
        let field = schema.field(key);
        let order = patch.get(&format!("{ORDER}{key}")).and_then(Value::as_array);
        let merged = match (out.get(key), new) {
            (Some(Value::Object(old)), Value::Object(new)) if !field.replaces => {
                Value::Object(apply_map(old, new, field.value))
            }
            (None, Value::Object(new)) => Value::Object(apply_map(&Map::new(), new, field.value)),
            (Some(Value::Array(old)), Value::Array(new)) if field.merges => {
                Value::Array(apply_list(old, new, order, field))
            }
            (None, Value::Array(new)) if field.merges => Value::Array(apply_list(&[], new, order, field)),
            (_, new) => new.clone(),
        };
        out.insert(key.clone(), merged);
    }
    out
}

fn apply_list(old: &[Value], new: &[Value], order: Option<&Vec<Value>>, field: FieldPatch<'_>) -> Vec<Value> {
    if field.key.is_empty() {
        let mut out = old.to_vec();
        out.extend(new.iter().filter(|value| !old.contains(value)).cloned());
        return order.map_or(out.clone(), |order| sorted(out, |value| order.iter().position(|own| own == value)));
    }
    let directive = |element: &Value| element.get(DIRECTIVE).and_then(Value::as_str).unwrap_or_default().to_owned();
    let replaced = new.iter().any(|element| directive(element) == "replace" && element.get(field.key).is_none());
    let mut out: Vec<Value> = if replaced { Vec::new() } else { old.to_vec() };
    for element in new {
        let Some(name) = element.get(field.key) else { continue };
        let at = out.iter().position(|own| own.get(field.key) == Some(name));
        match (directive(element).as_str(), at) {
            ("delete", Some(at)) => {
                out.remove(at);
            }
            ("delete", None) => {}
            (_, Some(at)) => {
                if let Some(slot) = out.get_mut(at) {
                    *slot = Value::Object(apply_map(object(slot), object(element), field.value));
                }
            }
            (_, None) => out.push(Value::Object(apply_map(&Map::new(), object(element), field.value))),
        }
    }
    let Some(order) = order else { return out };
    sorted(out, |value| order.iter().position(|own| own.get(field.key) == value.get(field.key)))
}

/// The list sorted by place. An element without a place stays behind its neighbour.
fn sorted(list: Vec<Value>, place: impl Fn(&Value) -> Option<usize>) -> Vec<Value> {
    let mut previous = None;
    let mut keyed: Vec<(Option<usize>, Value)> = Vec::with_capacity(list.len());
    for value in list {
        let own = place(&value);
        previous = own.or(previous);
        keyed.push((previous, value));
    }
    keyed.sort_by_key(|(place, _)| *place);
    keyed.into_iter().map(|(_, value)| value).collect()
}

fn without_directives(map: &Map<String, Value>) -> Map<String, Value> {
    map.iter().filter(|(key, _)| !is_directive(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn is_directive(key: &str) -> bool {
    key == DIRECTIVE || key == RETAIN || key.starts_with(DELETE_FROM) || key.starts_with(ORDER)
}

fn find<'v>(list: &'v [Value], key: &str, name: &Value) -> Option<&'v Value> {
    list.iter().find(|element| element.get(key) == Some(name))
}

const GVK: &str = "x-kubernetes-group-version-kind";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const DIRECTIVE: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";

/// The longest chain of references that is followed: a document that refers to itself must not hang this program.
const MAX_REFERENCES: usize = 16;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Deployments with containers that merge by name and ports by number, volumes with retained keys, finalizers as a set.
    pub(crate) fn document() -> OpenApiDocument {
        let reference =
            |name: &str| json!({"default": {}, "allOf": [{"$ref": format!("#/components/schemas/{name}")}]});
        let gvk = json!({"group": "apps", "version": "v1", "kind": "Deployment"});
        let crd = json!({"group": "example.com", "version": "v1", "kind": "Widget"});
        let takes = |gvk: &Value, kinds: &[&str]| {
            let content: Map<String, Value> = kinds.iter().map(|kind| ((*kind).to_owned(), json!({}))).collect();
            json!({"patch": {GVK: gvk, "requestBody": {"content": content}}})
        };
        OpenApiDocument::new(json!({
            "paths": {
                "/apis/apps/v1/namespaces/{namespace}/deployments/{name}": takes(&gvk, &["application/merge-patch+json", STRATEGIC]),
                "/apis/example.com/v1/widgets/{name}": takes(&crd, &["application/merge-patch+json"]),
            },
            "components": {"schemas": {
                "Deployment": {GVK: [gvk], "properties": {"metadata": reference("Meta"), "spec": reference("Spec")}},
                "Meta": {"properties": {
                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                    "finalizers": {"type": "array", "items": {"type": "string"}, "x-kubernetes-patch-strategy": "merge"},
                }},
                "Spec": {"properties": {
                    "containers": {"items": reference("Container"), "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "name"},
                    "volumes": {"items": {"type": "object"}, "x-kubernetes-patch-strategy": "merge,retainKeys", "x-kubernetes-patch-merge-key": "name"},
                    "strategy": {"type": "object", "x-kubernetes-patch-strategy": "retainKeys"},
                    "args": {"type": "array"},
                }},
                "Container": {"properties": {
                    "ports": {"items": {"type": "object"}, "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "containerPort"},
                }},
            }},
        }))
    }

    fn patch(original: &Value, modified: &Value, current: &Value) -> Value {
        let document = document();
        three_way(original, modified, current, document.schema("apps", "v1", "Deployment"))
    }

    fn applied(current: &Value, patch: &Value) -> Value {
        let document = document();
        apply(current, patch, document.schema("apps", "v1", "Deployment"))
    }

    #[test]
    fn only_kinds_for_which_the_server_offers_it_are_patched_strategically() {
        let document = document();
        assert!(document.takes_strategic("apps", "v1", "Deployment"));
        assert!(!document.takes_strategic("example.com", "v1", "Widget"));
        assert!(!document.takes_strategic("apps", "v2", "Deployment"));
    }

    #[test]
    fn keys_that_left_the_manifest_are_deleted_and_others_left_alone() {
        let original = json!({"metadata": {"labels": {"gone": "1", "kept": "1"}}});
        let modified = json!({"metadata": {"labels": {"kept": "2"}}});
        let current = json!({"metadata": {"labels": {"gone": "1", "kept": "1", "foreign": "x"}}});
        let patch = patch(&original, &modified, &current);
        assert_eq!(patch, json!({"metadata": {"labels": {"gone": null, "kept": "2"}}}));
        assert_eq!(applied(&current, &patch), json!({"metadata": {"labels": {"kept": "2", "foreign": "x"}}}));
    }

    #[test]
    fn containers_merge_by_name_and_leave_with_a_directive() {
        let original = json!({"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}});
        let modified = json!({"spec": {"containers": [{"name": "a", "image": "2"}]}});
        let current = json!({"spec": {"containers": [{"name": "a", "image": "1", "tty": true}, {"name": "b", "image": "1"}, {"name": "sidecar"}]}});
        let patch = patch(&original, &modified, &current);
        assert_eq!(
            patch,
            json!({"spec": {
                "$setElementOrder/containers": [{"name": "a"}],
                "containers": [{"name": "a", "image": "2"}, {"$patch": "delete", "name": "b"}],
            }})
        );
        let after = json!({"spec": {"containers": [{"name": "a", "image": "2", "tty": true}, {"name": "sidecar"}]}});
        assert_eq!(applied(&current, &patch), after);
    }

    #[test]
    fn nested_lists_lists_of_values_and_retained_keys_follow_the_schema() {
        let original = json!({
            "metadata": {"finalizers": ["a", "b"]},
            "spec": {"volumes": [{"name": "v", "emptyDir": {}}], "containers": [{"name": "c", "ports": [{"containerPort": 80}]}]},
        });
        let modified = json!({
            "metadata": {"finalizers": ["b", "c"]},
            "spec": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}], "containers": [{"name": "c", "ports": [{"containerPort": 81}]}], "args": ["x"]},
        });
        let current = original.clone();
        let patch = patch(&original, &modified, &current);
        assert_eq!(
            patch,
            json!({
                "metadata": {
                    "$deleteFromPrimitiveList/finalizers": ["a"], "$setElementOrder/finalizers": ["b", "c"], "finalizers": ["c"],
                },
                "spec": {
                    "args": ["x"],
                    "$setElementOrder/containers": [{"name": "c"}],
                    "containers": [{
                        "name": "c",
                        "$setElementOrder/ports": [{"containerPort": 81}],
                        "ports": [{"containerPort": 81}, {"$patch": "delete", "containerPort": 80}],
                    }],
                    "$setElementOrder/volumes": [{"name": "v"}],
                    "volumes": [{"name": "v", "$retainKeys": ["hostPath", "name"], "hostPath": {"path": "/"}, "emptyDir": null}],
                },
            })
        );
        assert_eq!(applied(&current, &patch), modified);
    }

    #[test]
    fn an_unchanged_manifest_is_an_empty_patch() {
        let manifest = json!({"spec": {"containers": [{"name": "a", "image": "1"}], "strategy": {"type": "Recreate"}}});
        assert_eq!(patch(&manifest, &manifest, &manifest), json!({}));
        assert_eq!(three_way_merge(&manifest, &manifest, &manifest), json!({}));
    }

    #[test]
    fn custom_resources_get_a_json_merge_patch() {
        let original = json!({"spec": {"a": 1, "list": [1, 2]}});
        let modified = json!({"spec": {"list": [2]}});
        let current = json!({"spec": {"a": 1, "b": 1, "list": [1, 2]}, "status": {}});
        assert_eq!(three_way_merge(&original, &modified, &current), json!({"spec": {"a": null, "list": [2]}}));
    }

    #[test]
    fn directives_of_a_users_patch_are_obeyed() {
        let current = json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {}}, "containers": [{"name": "a"}, {"name": "b"}]}});
        let patch = json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}, "containers": [{"$patch": "replace"}, {"name": "c"}]}});
        let after = json!({"spec": {"strategy": {"type": "Recreate"}, "containers": [{"name": "c"}]}});
        assert_eq!(applied(&current, &patch), after);
        let patch = json!({"spec": {"strategy": {"$patch": "replace", "type": "X"}, "containers": [{"$patch": "delete", "name": "a"}]}});
        assert_eq!(
            applied(&current, &patch),
            json!({"spec": {"strategy": {"type": "X"}, "containers": [{"name": "b"}]}})
        );
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let document = OpenApiDocument::new(
            json!({"components": {"schemas": {"A": {GVK: [{"group": "", "version": "v1", "kind": "A"}], "properties": {"a": {"$ref": "#/components/schemas/B"}}}, "B": {"$ref": "#/components/schemas/B"}}}}),
        );
        let after = apply(&json!({"a": {"b": 1}}), &json!({"a": {"c": 2}}), document.schema("", "v1", "A"));
        assert_eq!(after, json!({"a": {"b": 1, "c": 2}}));
    }
}
