//! JSON merge patches and JSON Patches: making the small ones that kubectl sends, and applying both where the server
//! does not show the result.

use serde_json::{Map, Value};

/// The part of a difference that a patch contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Both.
    All,
    /// New and changed values.
    Changes,
    /// Removed values.
    Deletions,
}

/// The JSON merge patch (RFC 7386) from one object to another.
pub fn merge_diff(from: &Map<String, Value>, to: &Map<String, Value>, side: Side) -> Map<String, Value> {
    let mut patch = Map::new();
    for (key, new) in to {
        match (from.get(key), new) {
            (Some(Value::Object(old)), Value::Object(new)) => {
                let inner = merge_diff(old, new, side);
                if !inner.is_empty() {
                    patch.insert(key.clone(), Value::Object(inner));
                }
            }
            (Some(old), new) if old == new => {}
            _ if side == Side::Deletions => {}
            (_, new) => {
                patch.insert(key.clone(), new.clone());
            }
        }
    }
    if side != Side::Changes {
        for key in from.keys().filter(|key| !to.contains_key(*key)) {
            patch.insert(key.clone(), Value::Null);
        }
    }
    patch
}

/// `object` after a JSON merge patch.
pub fn merged(object: &Value, patch: &Value) -> Value {
    let mut after = object.clone();
    json_patch::merge(&mut after, patch);
    after
}

/// `object` after a JSON Patch; `None` when it does not fit, which the server would refuse too.
pub fn patched(object: &Value, patch: &Value) -> Option<Value> {
    let operations: json_patch::Patch = serde_json::from_value(patch.clone()).ok()?;
    let mut after = object.clone();
    json_patch::patch(&mut after, &operations).ok()?;
    Some(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_merge_patch_leads_from_one_to_the_other() {
        let (from, to) = (json!({"a": {"x": 1, "y": 2}, "b": [1], "c": 1}), json!({"a": {"x": 2}, "b": [2], "d": {}}));
        let patch = Value::Object(merge_diff(from.as_object().unwrap(), to.as_object().unwrap(), Side::All));
        assert_eq!(patch, json!({"a": {"x": 2, "y": null}, "b": [2], "c": null, "d": {}}));
        assert_eq!(merged(&from, &patch), to);
    }

    #[test]
    fn a_json_patch_that_does_not_fit_gives_nothing() {
        let object = json!({"spec": {"replicas": 1}});
        let fits = json!([{"op": "replace", "path": "/spec/replicas", "value": 0}]);
        assert_eq!(patched(&object, &fits), Some(json!({"spec": {"replicas": 0}})));
        assert_eq!(patched(&object, &json!([{"op": "remove", "path": "/spec/nope"}])), None);
        assert_eq!(patched(&object, &json!({"op": "remove"})), None);
    }
}
