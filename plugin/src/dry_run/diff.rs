//! The differences between an object before and after a change, field by field, for people.

use serde::Serialize;
use serde_json::{Map, Value};

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldDifference {
    /// `metadata.labels[example.com/site]`, `spec.template.spec.containers[name=coredns].image`: spelled as in findings.
    pub path: String,
    /// The value before; `null` where there was none.
    pub before: Option<String>,
    /// The value after; `null` where there is none.
    pub after: Option<String>,
}

/// Every field that differs, in the order of paths. Fields that the server writes itself are left out: managedFields,
/// resourceVersion, generation, uid and timestamps, the annotation with the last applied manifest, and, unless
/// it is compared too, status.
pub fn fields(before: &Value, after: &Value, status: StatusField) -> Vec<FieldDifference> {
    let mut found = Vec::new();
    let none = Map::new();
    let (old, new) = (before.as_object().unwrap_or(&none), after.as_object().unwrap_or(&none));
    let private = old.get("kind").or(new.get("kind")).and_then(Value::as_str) == Some("Secret");
    let mut walk = Walk { private, found: &mut found };
    for key in keys(old, new) {
        if key == "status" && status == StatusField::LeftOut {
            continue;
        }
        walk.compare(key, old.get(key).unwrap_or(&Value::Null), new.get(key).unwrap_or(&Value::Null));
    }
    found
}

/// The treatment of `status` in a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusField {
    /// It is compared like any other field.
    Compared,
    /// It is left out.
    LeftOut,
}

struct Walk<'f> {
    private: bool,
    found: &'f mut Vec<FieldDifference>,
}

impl Walk<'_> {
    fn compare(&mut self, path: &str, old: &Value, new: &Value) {
        if old == new || IGNORED.contains(&path) {
            return;
        }
        match (old, new) {
            (Value::Object(a), Value::Object(b)) => self.objects(path, a, b),
            (Value::Null, Value::Object(b)) if !b.is_empty() && is_map(path) => self.objects(path, &Map::new(), b),
            (Value::Object(a), Value::Null) if !a.is_empty() && is_map(path) => self.objects(path, a, &Map::new()),
            _ if path == "spec.taints" => self.taints(old, new),
            (Value::Array(a), Value::Array(b)) if named(a) && named(b) => self.named(path, a, b),
            _ => self.leaf(path, old, new),
        }
    }

    fn objects(&mut self, path: &str, a: &Map<String, Value>, b: &Map<String, Value>) {
        for key in keys(a, b) {
            let bracket = is_map(path) || key.contains(['.', '/']);
            let step = if bracket { format!("{path}[{key}]") } else { format!("{path}.{key}") };
            self.compare(&step, a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null));
        }
    }

    fn named(&mut self, path: &str, a: &[Value], b: &[Value]) {
        let name = |item: &Value| item.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut names: Vec<String> = a.iter().chain(b).map(name).collect();
        names.sort_unstable();
        names.dedup();
        let find = |items: &[Value], wanted: &str| {
            items.iter().find(|item| name(item) == wanted).cloned().unwrap_or(Value::Null)
        };
        let before = self.found.len();
        for wanted in names {
            self.compare(&format!("{path}[name={wanted}]"), &find(a, &wanted), &find(b, &wanted));
        }
        if self.found.len() == before {
            // Only the order differs, or a name occurs twice.
            self.leaf(path, &Value::Array(a.to_vec()), &Value::Array(b.to_vec()));
        }
    }

    /// Compares taints by key, all effects of a key together, as the rules do.
    fn taints(&mut self, old: &Value, new: &Value) {
        let entries = |side: &Value| -> std::collections::BTreeMap<String, String> {
            let mut entries = std::collections::BTreeMap::new();
            for taint in side.as_array().into_iter().flatten() {
                let part = |name: &str| taint.get(name).and_then(Value::as_str).unwrap_or_default();
                let text = format!("{}:{}", part("value"), part("effect"));
                let slot: &mut String = entries.entry(part("key").to_owned()).or_default();
                *slot = if slot.is_empty() { text } else { format!("{slot},{text}") };
            }
            entries
        };
        let (old, new) = (entries(old), entries(new));
        for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
            if old.get(key) != new.get(key) {
                let path = format!("spec.taints[{key}]");
                self.found.push(FieldDifference { path, before: old.get(key).cloned(), after: new.get(key).cloned() });
            }
        }
    }

    fn leaf(&mut self, path: &str, old: &Value, new: &Value) {
        let hidden = is_private(path, self.private);
        let show = |value: &Value| match value {
            Value::Null => None,
            _ if hidden => Some(HIDDEN.to_owned()),
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        self.found.push(FieldDifference { path: path.to_owned(), before: show(old), after: show(new) });
    }
}

fn keys<'m>(a: &'m Map<String, Value>, b: &'m Map<String, Value>) -> Vec<&'m str> {
    let mut keys: Vec<&str> = a.keys().chain(b.keys()).map(String::as_str).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn named(items: &[Value]) -> bool {
    items.iter().all(|item| item.get("name").is_some_and(Value::is_string))
}

/// Whether the keys of a field are chosen by users.
fn is_map(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or(path);
    matches!(last, "labels" | "annotations" | "matchLabels" | "nodeSelector" | "data" | "binaryData" | "stringData")
}

/// Whether the value at a path may be secret and must not be shown.
fn is_private(path: &str, secret: bool) -> bool {
    let data = ["data", "binaryData", "stringData"]
        .iter()
        .any(|own| path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('[')));
    data || path.contains(".env[")
        || path.rsplit('.').next() == Some("env")
        || (secret && !path.starts_with("metadata"))
}

/// Fields that the server or a tool writes for its own bookkeeping.
const IGNORED: [&str; 9] = [
    "metadata.annotations[kubectl.kubernetes.io/last-applied-configuration]",
    "metadata.creationTimestamp",
    "metadata.deletionGracePeriodSeconds",
    "metadata.deletionTimestamp",
    "metadata.generation",
    "metadata.managedFields",
    "metadata.resourceVersion",
    "metadata.selfLink",
    "metadata.uid",
];

/// The placeholder for a value that is not shown.
const HIDDEN: &str = "(not shown)";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lines(before: &Value, after: &Value) -> Vec<String> {
        let show = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        fields(before, after, StatusField::LeftOut)
            .into_iter()
            .map(|f| format!("{} {} > {}", f.path, show(f.before), show(f.after)))
            .collect()
    }

    #[test]
    fn bookkeeping_is_no_difference() {
        let before =
            json!({"metadata": {"resourceVersion": "1", "generation": 1, "managedFields": [1]}, "status": {"a": 1}});
        let after = json!({
            "metadata": {
                "resourceVersion": "2", "generation": 2, "uid": "x", "creationTimestamp": "y",
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
            },
            "status": {"a": 2},
        });
        assert_eq!(lines(&before, &after), Vec::<String>::new());
        assert_eq!(fields(&before, &after, StatusField::Compared).len(), 1);
    }

    #[test]
    fn paths_are_spelled_as_findings_spell_them() {
        let before = json!({
            "metadata": {"labels": {"a": "1"}},
            "spec": {"replicas": 2, "taints": [{"key": "t", "effect": "NoSchedule"}], "template": {"spec": {"containers": [{"name": "c", "image": "1"}]}}},
        });
        let after = json!({
            "metadata": {"labels": {"a": "2"}, "annotations": {"example.com/x": "y"}},
            "spec": {"replicas": 0, "taints": [{"key": "t", "effect": "NoExecute"}], "template": {"spec": {"containers": [{"name": "c", "image": "2"}, {"name": "d"}]}}},
        });
        assert_eq!(
            lines(&before, &after),
            [
                "metadata.annotations[example.com/x] - > y",
                "metadata.labels[a] 1 > 2",
                "spec.replicas 2 > 0",
                "spec.taints[t] :NoSchedule > :NoExecute",
                "spec.template.spec.containers[name=c].image 1 > 2",
                "spec.template.spec.containers[name=d] - > {\"name\":\"d\"}",
            ]
        );
    }

    #[test]
    fn secrets_and_private_data_are_never_shown() {
        let secret = |text: &str| json!({"kind": "Secret", "data": {"key": text}, "type": text});
        assert_eq!(
            lines(&secret("old"), &secret("new")),
            ["data[key] (not shown) > (not shown)", "type (not shown) > (not shown)"]
        );
        let pod =
            |text: &str| json!({"spec": {"containers": [{"name": "c", "env": [{"name": "PASSWORD", "value": text}]}]}});
        assert!(lines(&pod("old"), &pod("new")).iter().all(|line| !line.contains("old") && !line.contains("new")));
    }

    #[test]
    fn a_changed_order_of_named_items_is_a_difference() {
        let list = |names: [&str; 2]| json!({"spec": {"initContainers": names.map(|name| json!({"name": name}))}});
        assert_eq!(lines(&list(["a", "b"]), &list(["b", "a"])).len(), 1);
    }
}
