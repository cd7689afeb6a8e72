//! One policy in each language: a label that the system puts on every node is neither changed nor removed once it is
//! there, except by the platform. It is the part of AA201 that can be said in all of them.

use aksarc_shared::data::embedded;
use aksarc_shared::rules::catalogue;
use serde_json::{Value, json};

/// An object, and the collection that it is created in.
pub(crate) struct Resource {
    pub(crate) collection: &'static str,
    pub(crate) object: Value,
}

/// The guard's configuration: AA201 alone is on.
pub(crate) fn guard() -> Value {
    let others = catalogue::ALL.iter().filter(|rule| rule.change.is_some() && rule.code.as_str() != RULE);
    let off: serde_json::Map<String, Value> = others.map(|rule| (rule.code.to_string(), json!("off"))).collect();
    let mut config = guard_with_all_rules();
    if let Some(fields) = config.as_object_mut() {
        fields.insert("rules".to_owned(), off.into());
    }
    config
}

/// The guard's configuration with the rules that are on by default.
pub(crate) fn guard_with_all_rules() -> Value {
    json!({"apiVersion": "aksarc.dev/v1alpha1", "kind": "GuardConfig", "mode": "enforce", "platform": "azure-local"})
}

/// A template of Gatekeeper's with Rego, and the constraint that uses it.
pub(crate) fn gatekeeper_rego() -> Vec<Resource> {
    let rego = r#"package systemlabels

violation contains {"msg": msg} if {
  not platform
  before := object.get(input.review.oldObject.metadata, "labels", {})
  after := object.get(input.review.object.metadata, "labels", {})
  some key in input.parameters.labels
  value := before[key]
  object.get(after, key, null) != value
  msg := "a system label was changed or removed"
}

platform if input.review.userInfo.username in input.parameters.users

platform if {
  some group in input.review.userInfo.groups
  group in input.parameters.groups
}
"#;
    gatekeeper("SystemLabelsRego", &json!({"engine": "Rego", "source": {"version": "v1", "rego": rego}}))
}

/// A template of Gatekeeper's with CEL, and the constraint that uses it.
pub(crate) fn gatekeeper_cel() -> Vec<Resource> {
    let source = json!({
        // It would be the API server that judges otherwise.
        "generateVAP": false,
        "matchCondition": [not_by_the_platform()],
        "validations": [{"expression": unchanged("variables.params.labels"), "message": MESSAGE}],
    });
    gatekeeper("SystemLabelsCel", &json!({"engine": "K8sNativeValidation", "source": source}))
}

/// A policy of Kyverno's with JMESPath.
pub(crate) fn kyverno_jmespath() -> Vec<Resource> {
    let platform = |kind: &'static str, names: Vec<&'static str>| {
        names.into_iter().map(move |name| json!({"kind": kind, "name": name, "apiGroup": "rbac.authorization.k8s.io"}))
    };
    let subjects: Vec<Value> = platform("Group", groups()).chain(platform("User", users())).collect();
    let pairs = |side: &str, filter: &str| {
        format!(
            "{{{{ items(request.{side}.metadata.labels || `{{}}`, 'key', 'value'){filter}.join('=', [key, value]) }}}}"
        )
    };
    let protected = format!("[?contains(`{}`, key)]", json!(LABELS));
    let rule = json!({
        "name": "system-labels",
        "match": {"any": [{"resources": {"kinds": ["Node"], "operations": ["UPDATE"]}}]},
        "exclude": {"any": [{"subjects": subjects}]},
        "validate": {
            "failureAction": "Enforce", "message": MESSAGE,
            "deny": {"conditions": {"any": [{
                "key": pairs("oldObject", &protected), "operator": "AnyNotIn", "value": pairs("object", "[]"),
            }]}},
        },
    });
    vec![Resource {
        collection: "/apis/kyverno.io/v1/clusterpolicies",
        object: json!({
            "apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": "system-labels"},
            // A rule about users cannot run in the background.
            "spec": {"background": false, "rules": [rule]},
        }),
    }]
}

/// A policy of Kyverno's with CEL.
pub(crate) fn kyverno_cel() -> Vec<Resource> {
    vec![Resource {
        collection: "/apis/policies.kyverno.io/v1beta1/validatingpolicies",
        object: json!({
            "apiVersion": "policies.kyverno.io/v1beta1", "kind": "ValidatingPolicy", "metadata": {"name": "system-labels"},
            "spec": {
                "validationActions": ["Deny"],
                "evaluation": {"background": {"enabled": false}},
                "matchConstraints": {"resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["nodes"]},
                ]},
                "matchConditions": [not_by_the_platform()],
                "validations": [{"expression": unchanged(&json!(LABELS).to_string()), "message": MESSAGE}],
            },
        }),
    }]
}

fn gatekeeper(kind: &str, code: &Value) -> Vec<Resource> {
    let schema = |field: &str| (field.to_owned(), json!({"type": "array", "items": {"type": "string"}}));
    let properties: serde_json::Map<String, Value> = ["labels", "users", "groups"].map(schema).into_iter().collect();
    let name = kind.to_lowercase();
    let template = json!({
        "apiVersion": "templates.gatekeeper.sh/v1", "kind": "ConstraintTemplate", "metadata": {"name": name},
        "spec": {
            "crd": {"spec": {
                "names": {"kind": kind},
                "validation": {"openAPIV3Schema": {"type": "object", "properties": properties}},
            }},
            "targets": [{"target": "admission.k8s.gatekeeper.sh", "code": [code]}],
        },
    });
    let constraint = json!({
        "apiVersion": "constraints.gatekeeper.sh/v1beta1", "kind": kind, "metadata": {"name": "system-labels"},
        "spec": {
            "match": {"kinds": [{"apiGroups": [""], "kinds": ["Node"]}]},
            "parameters": {"labels": LABELS, "users": users(), "groups": groups()},
        },
    });
    let constraints = match kind {
        "SystemLabelsCel" => "/apis/constraints.gatekeeper.sh/v1beta1/systemlabelscel",
        _ => "/apis/constraints.gatekeeper.sh/v1beta1/systemlabelsrego",
    };
    vec![
        Resource { collection: "/apis/templates.gatekeeper.sh/v1/constrainttemplates", object: template },
        Resource { collection: constraints, object: constraint },
    ]
}

/// A match condition in CEL: the user is not the platform.
fn not_by_the_platform() -> Value {
    let expression = format!(
        "!(request.userInfo.username in {}) && !request.userInfo.groups.exists(group, group in {})",
        json!(users()),
        json!(groups())
    );
    json!({"name": "not-by-the-platform", "expression": expression})
}

/// A condition in CEL: each of the labels that was there still has its value.
fn unchanged(labels: &str) -> String {
    format!(
        "!has(oldObject.metadata.labels) || {labels}.all(key, !(key in oldObject.metadata.labels) || \
         (has(object.metadata.labels) && key in object.metadata.labels && \
         object.metadata.labels[key] == oldObject.metadata.labels[key]))"
    )
}

fn users() -> Vec<&'static str> {
    embedded().identities.users.iter().map(|identity| &*identity.name).collect()
}

fn groups() -> Vec<&'static str> {
    embedded().identities.groups.iter().map(|identity| &*identity.name).collect()
}

/// The rule of the guard.
pub(crate) const RULE: &str = "AA201";
/// What the others say of a denial.
pub(crate) const MESSAGE: &str = "a system label was changed or removed";
/// Labels that the system puts on every node.
const LABELS: [&str; 7] = [
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "kubernetes.io/arch",
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "msft.microsoft/nodepool-name",
    "node.kubernetes.io/instance-type",
];
