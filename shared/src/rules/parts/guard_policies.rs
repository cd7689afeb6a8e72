//! The guard's policies and their bindings as a cluster has them: those that were altered, unbound or removed. No policy and
//! no webhook is asked about policies, so nothing else tells.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use crate::data::own::{GENERATED, POLICIES, PROTECTION};
use crate::facts::digest;
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::finding::{Code, Draft, Evidence, ObjectRef};
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::Object;
use crate::rules::rule::{Context, Seen};

/// A part of the policies that exists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PolicyPart {
    /// A binding, by the name of its policy.
    Binding(String),
    /// A policy.
    Policy(String),
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BindingSpec {
    policy_name: String,
    validation_actions: Vec<String>,
    match_resources: Option<Value>,
}

/// Judges a policy or binding of the guard's by itself.
pub(crate) fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let object = seen.object;
    if !object.meta.name.ends_with(POLICIES) {
        return;
    }
    if *seen.kind == kinds::VALIDATING_POLICIES {
        notes.remark(PolicyPart::Policy(object.meta.name.to_string()));
        notes.drafts.extend(altered(object));
    } else if *seen.kind == kinds::VALIDATING_POLICY_BINDINGS {
        let spec: BindingSpec = object.field("spec").unwrap_or_default();
        notes.drafts.extend(narrowed(object, &spec));
        notes.remark(PolicyPart::Binding(spec.policy_name));
    }
}

/// A draft on a policy that is not as it was generated. One without a digest is from an older version, or somebody else's.
fn altered(policy: &Object<'_>) -> Option<Draft> {
    let generated = policy.meta.annotations.get(GENERATED)?;
    let spec: Value = policy.field("spec").unwrap_or_default();
    let digest = digest::of_policy(&spec);
    let open = spec.get("failurePolicy").and_then(Value::as_str) == Some("Ignore");
    let how = if open {
        "it has other conditions or validations, or fails open"
    } else {
        "its conditions or validations were changed"
    };
    (digest != generated).then(|| {
        Draft::at(ObjectRef::of(policy, &kinds::VALIDATING_POLICIES), "spec")
            .values(Some(generated), Some(&digest))
            .says(format!("policy {} differs from its manifest: {how}", policy.meta.name))
            .with(Evidence::seen("policy", format!("its annotation {GENERATED} has another digest")))
    })
}

/// Drafts on a binding that does not refuse, or not everything that its policy does.
fn narrowed(binding: &Object<'_>, spec: &BindingSpec) -> Vec<Draft> {
    let at = |path: &str| Draft::at(ObjectRef::of(binding, &kinds::VALIDATING_POLICY_BINDINGS), path);
    let name = &binding.meta.name;
    let mut drafts = Vec::new();
    if !spec.validation_actions.iter().any(|action| action == "Deny") {
        let actions = spec.validation_actions.join(", ");
        drafts.push(
            at("spec.validationActions")
                .values(Some("Deny"), Some(&actions))
                .says(format!("binding {name} does not deny, so its policy refuses nothing"))
                .with(Evidence::seen("binding", format!("spec.validationActions: {actions}"))),
        );
    }
    if spec.match_resources.is_some() {
        drafts.push(
            at("spec.matchResources")
                .says(format!("binding {name} is narrowed: its policy is not asked about everything that it protects"))
                .with(Evidence::seen("binding", "spec.matchResources is set, and the manifest sets none")),
        );
    }
    drafts
}

/// Drafts on policies without a binding, bindings without a policy, and policies that are missing beside others of the same
/// manifest.
pub(crate) fn per_cluster(inventory: &Inventory, context: &Context<'_>, code: Code) -> Vec<Draft> {
    if context.unread(&[&kinds::VALIDATING_POLICIES, &kinds::VALIDATING_POLICY_BINDINGS]).is_some() {
        return Vec::new();
    }
    let (mut policies, mut bound) = (BTreeSet::new(), BTreeSet::new());
    for part in inventory.remarks::<PolicyPart>(code) {
        match part {
            PolicyPart::Binding(name) => bound.insert(&**name),
            PolicyPart::Policy(name) => policies.insert(&**name),
        };
    }
    let is_there = |name: &str| policies.contains(name) || bound.contains(name);
    let some = PROTECTION.into_iter().any(is_there);
    let gone = PROTECTION.into_iter().filter(|name| some && !is_there(name));
    let missing = |kind: &'static Kind, name: &str, says: String| {
        let object = ObjectRef {
            api_version: kind.api_version(),
            kind: kind.kind.to_owned(),
            name: name.to_owned(),
            ..ObjectRef::default()
        };
        let evidence = Evidence::seen("policies", format!("the list of {} does not have it", kind.qualified()));
        Draft::at(object, "metadata").values(Some(name), None).says(says).with(evidence)
    };
    let unbound = policies.difference(&bound).map(|name| {
        let says = format!("policy {name} has no binding, so it refuses nothing");
        missing(&kinds::VALIDATING_POLICY_BINDINGS, name, says)
    });
    let empty = bound.difference(&policies).map(|name| {
        missing(
            &kinds::VALIDATING_POLICIES,
            name,
            format!("the binding of policy {name} is there, and the policy is not"),
        )
    });
    let gone = gone.map(|name| {
        let says = format!("policy {name} is missing beside the others of guard-protection.yaml");
        missing(&kinds::VALIDATING_POLICIES, name, says)
    });
    unbound.chain(empty).chain(gone).collect()
}
