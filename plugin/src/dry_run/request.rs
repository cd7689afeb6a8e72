//! The step from a verb and an object to the request that kubectl would send, and to the object after it.

use serde_json::{Map, Value, json};

use super::api_path::ApiPath;
use super::discover::Resource;
use super::edit::{self, Existing, KeyEdits, MetadataPlace, Taints};
use super::patch;
use super::strategic::{self, OpenApiDocument};
use super::write::{Method, Write};

/// What the server does with fields that it does not know, in the words of `--validate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum FieldValidation {
    /// It refuses them
    #[default]
    #[value(alias = "true")]
    Strict,
    /// It warns of them
    Warn,
    /// It drops them without a word
    #[value(alias = "false")]
    Ignore,
}

impl FieldValidation {
    /// The value of the query parameter `fieldValidation`.
    fn as_str(self) -> &'static str {
        match self {
            FieldValidation::Strict => "Strict",
            FieldValidation::Warn => "Warn",
            FieldValidation::Ignore => "Ignore",
        }
    }
}

/// A verb with all its arguments except the objects.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    /// `annotate` and `label`.
    Metadata {
        /// The map to edit.
        place: MetadataPlace,
        /// The changes.
        pairs: KeyEdits,
        /// The treatment of keys that exist already.
        existing: Existing,
        /// `--resource-version`.
        resource_version: String,
        /// `--field-manager`.
        manager: String,
    },
    /// `apply`.
    Apply {
        /// `--server-side`.
        server_side: bool,
        /// `--force-conflicts`.
        force_conflicts: bool,
        /// `--validate`.
        validation: FieldValidation,
        /// `--field-manager`.
        manager: String,
    },
    /// `cordon` and `uncordon`.
    Cordon(Scheduling),
    /// `delete`.
    Delete {
        /// `--cascade`.
        propagation: String,
        /// `--grace-period`, after kubectl's rules for `--now` and `--force`.
        grace_period: Option<i64>,
    },
    /// `patch`.
    Patch {
        /// The method.
        method: Method,
        /// The patch.
        patch: Value,
        /// `--subresource`.
        subresource: String,
        /// `--field-manager`.
        manager: String,
    },
    /// `scale`.
    Scale {
        /// `--replicas`.
        replicas: u32,
        /// `--current-replicas`.
        current: Option<u32>,
        /// `--resource-version`.
        resource_version: String,
    },
    /// `taint`.
    Taint {
        /// The changes.
        taints: Taints,
        /// The treatment of keys that exist already.
        existing: Existing,
        /// `--validate`.
        validation: FieldValidation,
        /// `--field-manager`.
        manager: String,
    },
}

/// Whether the scheduler may place new pods on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduling {
    /// `uncordon`.
    Enabled,
    /// `cordon`.
    Disabled,
}

impl Verb {
    /// kubectl's name of the verb.
    pub fn word(&self) -> &'static str {
        match self {
            Verb::Metadata { place: MetadataPlace::Annotations, .. } => "annotate",
            Verb::Metadata { place: MetadataPlace::Labels, .. } => "label",
            Verb::Apply { .. } => "apply",
            Verb::Cordon(Scheduling::Disabled) => "cordon",
            Verb::Cordon(Scheduling::Enabled) => "uncordon",
            Verb::Delete { .. } => "delete",
            Verb::Patch { .. } => "patch",
            Verb::Scale { .. } => "scale",
            Verb::Taint { .. } => "taint",
        }
    }

    /// The subresource the request is on; empty for the object itself.
    pub fn subresource(&self) -> &str {
        match self {
            Verb::Scale { .. } => "scale",
            Verb::Patch { subresource, .. } => subresource,
            _ => "",
        }
    }

    /// The fieldManager in the request. A delete has none, and `kubectl scale` and `kubectl cordon` send none.
    pub fn manager(&self) -> &str {
        match self {
            Verb::Metadata { manager, .. }
            | Verb::Apply { manager, .. }
            | Verb::Patch { manager, .. }
            | Verb::Taint { manager, .. } => manager,
            Verb::Cordon(_) | Verb::Delete { .. } | Verb::Scale { .. } => "",
        }
    }

    /// Checks that the verb can act on a resource.
    ///
    /// # Errors
    /// A sentence that names the resources on which it can.
    pub fn accepts(&self, resource: &Resource) -> Result<(), String> {
        let done = match self {
            Verb::Taint { .. } => "tainted",
            Verb::Cordon(Scheduling::Disabled) => "cordoned",
            Verb::Cordon(Scheduling::Enabled) => "uncordoned",
            Verb::Apply { .. }
            | Verb::Delete { .. }
            | Verb::Metadata { .. }
            | Verb::Patch { .. }
            | Verb::Scale { .. } => return Ok(()),
        };
        if (&*resource.group, &*resource.kind) == ("", "Node") {
            return Ok(());
        }
        Err(format!("only nodes can be {done}, not {}", resource.qualified()))
    }

    /// Whether kubectl sends the request without having read the object.
    pub fn is_blind(&self) -> bool {
        matches!(self, Verb::Delete { .. } | Verb::Apply { server_side: true, .. })
    }

    /// Whether the request is a strategic merge patch that requires the server's schema.
    pub fn needs_schema(&self) -> bool {
        matches!(self, Verb::Apply { .. } | Verb::Patch { method: Method::PatchStrategic, .. })
    }
}

/// The identity of an object.
#[derive(Clone, Copy, Debug)]
pub struct Address<'a> {
    /// The resource.
    pub resource: &'a Resource,
    /// The namespace; empty for cluster-scoped objects.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
}

/// The action of kubectl on one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The request; `None` when kubectl would find nothing to do.
    pub write: Option<Write>,
    /// The object after the request, as computed here; `None` for deletes, and where it cannot be computed.
    pub after: Option<Value>,
    /// Remarks for the user.
    pub notes: Vec<String>,
}

/// The request of a verb for an existing object, or for a manifest.
///
/// `before` is the object, where it was read. `manifest` is the input of `apply`. `document` is the OpenAPI document of
/// the object's group and version, where the server has one.
///
/// # Errors
/// The message with which kubectl refuses without asking the server.
pub fn request(
    verb: &Verb,
    place: Address<'_>,
    before: Option<&Value>,
    manifest: Option<&Value>,
    document: Option<&OpenApiDocument>,
) -> Result<Request, String> {
    let Address { resource, namespace, name } = place;
    let object = before.unwrap_or(&Value::Null);
    let path = resource.path(namespace, name, verb.subresource());
    match verb {
        Verb::Metadata { place, pairs, existing, resource_version, manager } => {
            let edit = edit::metadata(object, *place, pairs, *existing, resource_version)?;
            let after = patch::merged(object, &edit.patch);
            let write = Write::new(Method::PatchMerge, path, edit.patch).with("fieldManager", manager);
            Ok(Request { write: Some(write), after: Some(after), notes: edit.notes })
        }
        Verb::Taint { taints, existing, validation, manager } => {
            let body = edit::taint_patch(object, taints, *existing)?;
            let after = patch::merged(object, &body);
            let write = Write::new(Method::PatchStrategic, path, body)
                .with("fieldManager", manager)
                .with("fieldValidation", validation.as_str());
            Ok(Request { write: Some(write), after: Some(after), notes: Vec::new() })
        }
        Verb::Cordon(scheduling) => Ok(cordon(object, path, *scheduling)),
        Verb::Delete { propagation, grace_period } => {
            let mut body = json!({"propagationPolicy": propagation});
            if let (Some(seconds), Some(body)) = (grace_period, body.as_object_mut()) {
                body.insert("gracePeriodSeconds".to_owned(), json!(seconds));
            }
            Ok(Request { write: Some(Write::new(Method::Delete, path, body)), after: None, notes: Vec::new() })
        }
        Verb::Patch { method, patch: body, manager, .. } => {
            let (after, exact) = match method {
                Method::PatchJson => (patch::patched(object, body), true),
                Method::PatchStrategic => match document {
                    Some(document) => (Some(strategic::apply(object, body, schema(document, resource))), true),
                    None => (Some(patch::merged(object, body)), false),
                },
                _ => (Some(patch::merged(object, body)), true),
            };
            let notes = if exact { Vec::new() } else { vec![NOT_EXACT.to_owned()] };
            let write = Write::new(*method, path, body.clone()).with("fieldManager", manager);
            Ok(Request { write: Some(write), after, notes })
        }
        Verb::Scale { replicas, current, resource_version } => {
            scale(object, path, *replicas, *current, resource_version)
        }
        Verb::Apply { .. } => apply(verb, place, before, manifest.unwrap_or(&Value::Null), document),
    }
}

fn schema<'d>(document: &'d OpenApiDocument, resource: &Resource) -> strategic::Schema<'d> {
    document.schema(&resource.group, &resource.version, &resource.kind)
}

fn cordon(node: &Value, path: ApiPath, scheduling: Scheduling) -> Request {
    let is_cordoned = node.pointer("/spec/unschedulable").and_then(Value::as_bool).unwrap_or_default();
    if is_cordoned == (scheduling == Scheduling::Disabled) {
        let remark = if is_cordoned { "already cordoned" } else { "already uncordoned" };
        return Request { write: None, after: Some(node.clone()), notes: vec![remark.to_owned()] };
    }
    let wish = if scheduling == Scheduling::Disabled { Value::Bool(true) } else { Value::Null };
    let body = json!({"spec": {"unschedulable": wish}});
    let after = patch::merged(node, &body);
    Request { write: Some(Write::new(Method::PatchStrategic, path, body)), after: Some(after), notes: Vec::new() }
}

fn scale(
    object: &Value,
    path: ApiPath,
    replicas: u32,
    current: Option<u32>,
    resource_version: &str,
) -> Result<Request, String> {
    let wish = json!({"spec": {"replicas": replicas}});
    let after = patch::merged(object, &wish);
    // Without a condition kubectl patches; with one it replaces the object that it has read.
    let write = if current.is_none() && resource_version.is_empty() {
        Write::new(Method::PatchMerge, path, wish)
    } else {
        let own = object.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or_default();
        if let Some(expected) = current.filter(|expected| u64::from(*expected) != own) {
            return Err(format!("expected replicas to be {expected}, was {own}"));
        }
        let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default();
        if !resource_version.is_empty() && resource_version != version {
            return Err(format!("expected resource version to be {resource_version}, was {version}"));
        }
        Write::new(Method::Put, path, after.clone())
    };
    Ok(Request { write: Some(write), after: Some(after), notes: Vec::new() })
}

fn apply(
    verb: &Verb,
    place: Address<'_>,
    before: Option<&Value>,
    manifest: &Value,
    document: Option<&OpenApiDocument>,
) -> Result<Request, String> {
    let Address { resource, namespace, name } = place;
    let Verb::Apply { server_side, force_conflicts, validation, manager } = verb else {
        return Err("not an apply".to_owned());
    };
    let object_path = || resource.path(namespace, name, "");
    let strategic =
        document.filter(|document| document.takes_strategic(&resource.group, &resource.version, &resource.kind));
    if *server_side {
        let force = if *force_conflicts { "true" } else { "false" };
        let write = Write::new(Method::PatchApply, object_path(), manifest.clone())
            .with("fieldManager", manager)
            .with("fieldValidation", validation.as_str())
            .with("force", force);
        // An estimate for servers that do not show the result: an apply sets the fields that it names.
        let after = match (before, strategic) {
            (Some(before), Some(document)) => strategic::apply(before, manifest, schema(document, resource)),
            (Some(before), None) => patch::merged(before, manifest),
            (None, _) => manifest.clone(),
        };
        return Ok(Request { write: Some(write), after: Some(after), notes: Vec::new() });
    }
    let modified = with_last_applied(manifest);
    let Some(current) = before else {
        let after = without_nulls(modified);
        let write = Write::new(Method::Post, resource.list_path(namespace), after.clone())
            .with("fieldManager", manager)
            .with("fieldValidation", validation.as_str());
        return Ok(Request { write: Some(write), after: Some(after), notes: Vec::new() });
    };
    let mut notes = Vec::new();
    let original = if let Some(text) = last_applied(current) {
        serde_json::from_str(text)
            .map_err(|error| format!("annotation {LAST_APPLIED} of the object is not JSON: {error}"))?
    } else {
        notes.push("the object was not made by kubectl apply: fields that the manifest leaves out stay".to_owned());
        json!({})
    };
    let (method, body, after) = if let Some(document) = strategic {
        let schema = schema(document, resource);
        let body = strategic::three_way(&original, &modified, current, schema);
        let after = strategic::apply(current, &body, schema);
        (Method::PatchStrategic, body, after)
    } else {
        if document.is_none() {
            notes.push(
                "the server gave no OpenAPI v3 schema: the patch is a JSON merge patch, in which lists are replaced"
                    .to_owned(),
            );
        }
        let body = strategic::three_way_merge(&original, &modified, current);
        let after = patch::merged(current, &body);
        (Method::PatchMerge, body, after)
    };
    if body.as_object().is_some_and(Map::is_empty) {
        return Ok(Request { write: None, after: Some(after), notes });
    }
    let write = Write::new(method, object_path(), body)
        .with("fieldManager", manager)
        .with("fieldValidation", validation.as_str());
    Ok(Request { write: Some(write), after: Some(after), notes })
}

fn last_applied(object: &Value) -> Option<&str> {
    object.get("metadata")?.get("annotations")?.get(LAST_APPLIED)?.as_str()
}

/// The manifest with itself in the annotation that tells the next `apply` which fields this one set.
fn with_last_applied(manifest: &Value) -> Value {
    let mut plain = manifest.clone();
    if let Some(annotations) = annotations(&mut plain) {
        annotations.remove(LAST_APPLIED);
    }
    let text = format!("{plain}\n");
    let mut modified = plain;
    if let Some(annotations) = annotations(&mut modified) {
        annotations.insert(LAST_APPLIED.to_owned(), Value::String(text));
    }
    modified
}

fn annotations(object: &mut Value) -> Option<&mut Map<String, Value>> {
    let meta = object.as_object_mut()?.entry("metadata").or_insert_with(|| json!({}));
    let slot = meta.as_object_mut()?.entry("annotations").or_insert_with(|| json!({}));
    if slot.is_null() {
        *slot = json!({});
    }
    slot.as_object_mut()
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key, without_nulls(value)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const NOT_EXACT: &str = "the server gave no OpenAPI v3 schema, so lists in the patch are taken as replaced";

#[cfg(test)]
mod tests {
    use super::super::call::rehearse;
    use super::super::discover::tests::served;
    use super::super::gate::tests::cleared;
    use super::super::strategic::tests::document;
    use super::*;

    fn sent(
        verb: &Verb,
        word: &str,
        before: Option<&Value>,
        manifest: Option<&Value>,
    ) -> Result<(String, Value), String> {
        let discovery = served();
        let resource = discovery.resolve(word).unwrap();
        let namespace = if resource.namespaced { "ns" } else { "" };
        let document = document();
        let request = request(verb, Address { resource, namespace, name: "a" }, before, manifest, Some(&document))?;
        let Some(write) = request.write else { return Ok(("nothing".to_owned(), Value::Null)) };
        let sent = rehearse(&cleared(write));
        let line = format!("{} {} {}", sent.method(), sent.target(), sent.content_type().unwrap_or_default());
        Ok((line, serde_json::from_slice(sent.body()).unwrap()))
    }

    #[test]
    fn label_taint_and_delete_are_sent_as_kubectl_sends_them() {
        let node = json!({"metadata": {"name": "a", "labels": {"x": "1"}}});
        let pairs = edit::pairs(MetadataPlace::Labels, &["x=2".to_owned()]).unwrap();
        let label = Verb::Metadata {
            place: MetadataPlace::Labels,
            pairs,
            existing: Existing::Replace,
            resource_version: String::new(),
            manager: "kubectl-label".to_owned(),
        };
        let (line, body) = sent(&label, "node", Some(&node), None).unwrap();
        assert_eq!(line, "PATCH /api/v1/nodes/a?fieldManager=kubectl-label&dryRun=All application/merge-patch+json");
        assert_eq!(body, json!({"metadata": {"labels": {"x": "2"}}}));

        let taint = Verb::Taint {
            taints: edit::taints(&["k=v:NoSchedule".to_owned()]).unwrap(),
            existing: Existing::Keep,
            validation: FieldValidation::Strict,
            manager: "kubectl-taint".to_owned(),
        };
        let (line, body) = sent(&taint, "node", Some(&node), None).unwrap();
        assert_eq!(
            line,
            "PATCH /api/v1/nodes/a?fieldManager=kubectl-taint&fieldValidation=Strict&dryRun=All application/strategic-merge-patch+json"
        );
        assert_eq!(body, json!({"spec": {"taints": [{"effect": "NoSchedule", "key": "k", "value": "v"}]}}));
        assert!(taint.accepts(served().resolve("node").unwrap()).is_ok());
        let refused = taint.accepts(served().resolve("pod").unwrap()).unwrap_err();
        assert_eq!(refused, "only nodes can be tainted, not pods");

        let delete = Verb::Delete { propagation: "Background".to_owned(), grace_period: Some(1) };
        let (line, body) = sent(&delete, "deploy", None, None).unwrap();
        assert_eq!(line, "DELETE /apis/apps/v1/namespaces/ns/deployments/a?dryRun=All application/json");
        assert_eq!(
            body,
            json!({"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"], "propagationPolicy": "Background", "gracePeriodSeconds": 1})
        );
    }

    #[test]
    fn cordon_patches_the_node_unless_it_is_there_already() {
        let open = json!({"metadata": {"name": "a"}, "spec": {}});
        let cordoned = json!({"metadata": {"name": "a"}, "spec": {"unschedulable": true}});
        let patch = "PATCH /api/v1/nodes/a?dryRun=All application/strategic-merge-patch+json";
        for (scheduling, before, line, body) in [
            (Scheduling::Disabled, &open, patch, json!({"spec": {"unschedulable": true}})),
            (Scheduling::Enabled, &cordoned, patch, json!({"spec": {"unschedulable": null}})),
            (Scheduling::Disabled, &cordoned, "nothing", Value::Null),
            (Scheduling::Enabled, &open, "nothing", Value::Null),
        ] {
            let request = sent(&Verb::Cordon(scheduling), "node", Some(before), None).unwrap();
            assert_eq!(request, (line.to_owned(), body), "{scheduling:?}");
        }
        let refused = Verb::Cordon(Scheduling::Enabled).accepts(served().resolve("pod").unwrap()).unwrap_err();
        assert_eq!(refused, "only nodes can be uncordoned, not pods");
    }

    #[test]
    fn scale_patches_the_subresource_and_replaces_it_under_a_condition() {
        let scale = json!({"kind": "Scale", "metadata": {"resourceVersion": "7"}, "spec": {"replicas": 2}});
        let verb = |current, resource_version: &str| Verb::Scale {
            replicas: 0,
            current,
            resource_version: resource_version.to_owned(),
        };
        let (line, body) = sent(&verb(None, ""), "deploy", Some(&scale), None).unwrap();
        assert_eq!(
            line,
            "PATCH /apis/apps/v1/namespaces/ns/deployments/a/scale?dryRun=All application/merge-patch+json"
        );
        assert_eq!(body, json!({"spec": {"replicas": 0}}));
        let (line, _) = sent(&verb(Some(2), "7"), "deploy", Some(&scale), None).unwrap();
        assert!(line.starts_with("PUT "));
        assert_eq!(
            sent(&verb(Some(3), ""), "deploy", Some(&scale), None).unwrap_err(),
            "expected replicas to be 3, was 2"
        );
        let said = sent(&verb(None, "8"), "deploy", Some(&scale), None).unwrap_err();
        assert!(said.contains("resource version"), "{said}");
    }

    fn client_side() -> Verb {
        Verb::Apply {
            server_side: false,
            force_conflicts: false,
            validation: FieldValidation::Strict,
            manager: "kubectl-client-side-apply".to_owned(),
        }
    }

    #[test]
    fn apply_creates_what_is_absent_with_its_annotation_and_without_nulls() {
        let manifest = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {"x": null, "y": 1}});
        let (line, body) = sent(&client_side(), "deploy", None, Some(&manifest)).unwrap();
        assert_eq!(
            line,
            "POST /apis/apps/v1/namespaces/ns/deployments?fieldManager=kubectl-client-side-apply&fieldValidation=Strict&dryRun=All application/json"
        );
        assert_eq!(body["spec"], json!({"y": 1}));
        let last: Value = serde_json::from_str(last_applied(&body).unwrap()).unwrap();
        assert_eq!(last["spec"], json!({"x": null, "y": 1}));
    }

    #[test]
    fn apply_patches_three_ways_and_sends_nothing_when_nothing_is_left() {
        let manifest = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "1"}]}});
        let current = with_last_applied(&manifest);
        assert_eq!(sent(&client_side(), "deploy", Some(&current), Some(&manifest)).unwrap().0, "nothing");
        let mut next = manifest.clone();
        next["spec"] = json!({"containers": [{"name": "d", "image": "1"}]});
        let (line, body) = sent(&client_side(), "deploy", Some(&current), Some(&next)).unwrap();
        assert!(line.ends_with("application/strategic-merge-patch+json"), "{line}");
        assert_eq!(body["spec"]["containers"], json!([{"name": "d", "image": "1"}, {"$patch": "delete", "name": "c"}]));
    }

    #[test]
    fn custom_resources_are_applied_by_merge_patch_and_server_side_as_given() {
        let manifest =
            json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}, "spec": {"list": [1]}});
        let current = json!({"metadata": {"name": "a"}, "spec": {"list": [1, 2]}});
        let (line, body) = sent(&client_side(), "widgets", Some(&current), Some(&manifest)).unwrap();
        assert!(line.ends_with("application/merge-patch+json"), "{line}");
        assert_eq!(body["spec"], json!({"list": [1]}));
        let verb = Verb::Apply {
            server_side: true,
            force_conflicts: false,
            validation: FieldValidation::Strict,
            manager: "kubectl".to_owned(),
        };
        let (line, body) = sent(&verb, "widgets", Some(&current), Some(&manifest)).unwrap();
        assert_eq!(
            line,
            "PATCH /apis/example.com/v1/namespaces/ns/widgets/a?fieldManager=kubectl&fieldValidation=Strict&force=false&dryRun=All application/apply-patch+yaml"
        );
        assert_eq!(body, manifest);
    }
}
