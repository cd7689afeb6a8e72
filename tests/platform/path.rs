//! Paths of objects, and the requests that the shipped webhooks are registered for.

use std::cell::RefCell;
use std::collections::HashMap;

use aksarc_tests::{Http, seen};
use serde_json::Value;

/// The paths at which a cluster serves kinds.
pub(crate) struct Paths {
    reader: Http,
    /// By version.
    known: RefCell<HashMap<String, Kinds>>,
}

/// By kind: the plural, and whether its objects lie in namespaces.
type Kinds = HashMap<String, (String, bool)>;

impl Paths {
    pub(crate) fn new(reader: Http) -> Self {
        Paths { reader, known: RefCell::default() }
    }

    /// The path at which an object is created.
    pub(crate) fn collection(&self, object: &Value) -> String {
        let text = |field: &str| object[field].as_str().unwrap_or_else(|| panic!("{field} of {object}")).to_owned();
        let (version, kind) = (text("apiVersion"), text("kind"));
        let (plural, namespaced) = self.resource(&version, &kind);
        let root = if version.contains('/') { "apis" } else { "api" };
        let namespace = object["metadata"]["namespace"].as_str().map(|name| format!("/namespaces/{name}"));
        assert_eq!(namespace.is_some(), namespaced, "{object}");
        format!("/{root}/{version}{}/{plural}", namespace.unwrap_or_default())
    }

    /// The path of an object that has a name.
    pub(crate) fn object(&self, object: &Value) -> String {
        format!("{}/{}", self.collection(object), seen::name(object).replace(':', "%3A"))
    }

    fn resource(&self, version: &str, kind: &str) -> (String, bool) {
        if let Some(found) = self.known.borrow().get(version).and_then(|kinds| kinds.get(kind)) {
            return found.clone();
        }
        let root = if version.contains('/') { "apis" } else { "api" };
        // A definition that was just made is served a moment later.
        let found = aksarc_tests::wait::until(&format!("{version} {kind} to be served"), super::LIMIT, || {
            let list = self.reader.get(&format!("/{root}/{version}")).and_then(|answer| answer.object());
            let list = list.map_err(|error| format!("{error:#}"))?;
            let kinds: Kinds = list["resources"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|one| !one["name"].as_str().unwrap_or_default().contains('/'))
                .map(|one| {
                    let name = one["name"].as_str().unwrap_or_default().to_owned();
                    (one["kind"].as_str().unwrap_or_default().to_owned(), (name, one["namespaced"] == true))
                })
                .collect();
            let found = kinds.get(kind).cloned().ok_or_else(|| list.to_string());
            self.known.borrow_mut().insert(version.to_owned(), kinds);
            found
        });
        found.unwrap()
    }
}

/// What the webhooks are registered for, as the API server has it.
pub(crate) struct Registered(Value);

impl Registered {
    pub(crate) fn new(configuration: Value) -> Self {
        Registered(configuration)
    }

    /// Whether rules and selectors of a webhook match a write. With match conditions aside the API server then asks.
    pub(crate) fn matches(&self, path: &str, operation: &str) -> bool {
        let target = Target::of(path);
        self.0["webhooks"].as_array().into_iter().flatten().any(|webhook| {
            in_namespace(webhook, target.namespace)
                && webhook["rules"].as_array().into_iter().flatten().any(|rule| {
                    let has = |field: &str, value: &str| {
                        rule[field].as_array().is_some_and(|all| all.iter().any(|one| *one == *value))
                    };
                    has("apiGroups", target.group)
                        && has("operations", operation)
                        && has("resources", &target.resource)
                        && (rule["scope"] == "Namespaced") == target.namespace.is_some()
                })
        })
    }
}

fn in_namespace(webhook: &Value, namespace: Option<&str>) -> bool {
    let Some(namespace) = namespace else { return true };
    webhook["namespaceSelector"]["matchExpressions"].as_array().into_iter().flatten().all(|expression| {
        let listed = expression["values"].as_array().is_some_and(|all| all.iter().any(|one| *one == *namespace));
        assert_eq!(expression["key"], "kubernetes.io/metadata.name");
        match expression["operator"].as_str() {
            Some("In") => listed,
            Some("NotIn") => !listed,
            other => panic!("{other:?}"),
        }
    })
}

/// What a path leads to, as a webhook's rules name it.
struct Target<'p> {
    group: &'p str,
    /// With its subresource.
    resource: String,
    namespace: Option<&'p str>,
}

impl<'p> Target<'p> {
    fn of(path: &'p str) -> Self {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let (group, rest) = match &parts[..] {
            ["api", _, rest @ ..] => ("", rest),
            ["apis", group, _, rest @ ..] => (*group, rest),
            _ => panic!("no path: {path}"),
        };
        let (namespace, rest) = match rest {
            ["namespaces", _] | ["namespaces", _, "finalize" | "status"] => (None, rest),
            ["namespaces", namespace, rest @ ..] => (Some(*namespace), rest),
            _ => (None, rest),
        };
        let resource = match rest {
            [resource] | [resource, _] => (*resource).to_owned(),
            [resource, _, subresource] => format!("{resource}/{subresource}"),
            _ => panic!("no resource: {path}"),
        };
        Target { group, resource, namespace }
    }
}
