//! Network policies that cut the agents of Azure Arc off from Azure.
//!
//! Policies add up: a pod may send where any policy that selects it allows. So each pod is held against all of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::command::Command;
use crate::data::Data;
use crate::finding::{Basis, Draft, Evidence, ObjectRef};
use crate::inventory::Inventory;
use crate::kinds;
use crate::object::Object;
use crate::rule::{Code, Notes};
use crate::rules::add_ons;
use crate::rules::node_metadata::target;

/// What a policy says of where its pods may send to.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    namespace: String,
    selector: Selector,
    /// Whether something outside of the cluster is among it.
    leads_out: bool,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Selector {
    match_labels: Option<BTreeMap<String, String>>,
    match_expressions: Option<Vec<Requirement>>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Requirement {
    key: String,
    operator: String,
    values: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    pod_selector: Selector,
    policy_types: Option<Vec<String>>,
    egress: Option<Vec<Rule>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rule {
    to: Option<Vec<Peer>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Peer {
    ip_block: Option<serde_json::Value>,
}

impl Selector {
    fn takes(&self, labels: &BTreeMap<String, String>) -> bool {
        let has = |(key, value): (&String, &String)| labels.get(key) == Some(value);
        let holds = |one: &Requirement| {
            let own = labels.get(&one.key);
            let named = || own.is_some_and(|own| one.values.iter().flatten().any(|value| value == own));
            match &*one.operator {
                "In" => named(),
                "NotIn" => !named(),
                "Exists" => own.is_some(),
                "DoesNotExist" => own.is_none(),
                _ => false,
            }
        };
        self.match_labels.iter().flatten().all(has) && self.match_expressions.iter().flatten().all(holds)
    }
}

/// Keeps the labels of a pod of the agents.
pub(super) fn note_pod(pod: &Object<'_>, data: &Data, notes: &mut Notes) {
    let namespace = &pod.meta.namespace;
    if !data.namespaces.is_arc(namespace) {
        return;
    }
    let labels: BTreeMap<&str, &str> = pod.meta.labels.iter().collect();
    if let Ok(text) = serde_json::to_string(&labels) {
        notes.note(format!("pod {namespace}"), text);
    }
}

/// Keeps a policy that says where pods of the agents may send to.
pub(super) fn note_policy(policy: &Object<'_>, data: &Data, notes: &mut Notes) {
    let namespace = &policy.meta.namespace;
    let Some(spec) = policy.field::<Spec>("spec").filter(|_| data.namespaces.is_arc(namespace)) else { return };
    let rules = spec.egress.unwrap_or_default();
    let types = spec.policy_types.unwrap_or_default();
    // Without types it is one of egress where it has rules of it.
    let speaks = if types.is_empty() { !rules.is_empty() } else { types.iter().any(|own| own == "Egress") };
    if !speaks {
        return;
    }
    let outside = |rule: &Rule| {
        let peers = rule.to.as_deref().unwrap_or_default();
        peers.is_empty() || peers.iter().any(|peer| peer.ip_block.is_some())
    };
    let kept =
        Policy { namespace: namespace.to_string(), selector: spec.pod_selector, leads_out: rules.iter().any(outside) };
    let name = &policy.meta.name;
    let draft = Draft::at(ObjectRef::of(policy, &kinds::NETWORK_POLICY), "spec.egress")
        .says(format!("network policy {name} lets agents of Azure Arc send nothing out of the cluster, and they have to reach Azure"))
        .basis(Basis::Derived)
        .clauses(&["C29"])
        .with(Evidence::seen("signs", "no rule of it, and of no other policy on the same pods, leads out of the cluster"))
        .fix(
            Command::kubectl_in(namespace, ["describe", "networkpolicies.networking.k8s.io"])
                .name(name)
                .only("shows what it lets out"),
        );
    if let Ok(hinge) = serde_json::to_string(&kept) {
        notes.suspect(draft, hinge);
    }
}

/// That a policy would let nothing of the agents' out, by itself: what other policies allow is not seen.
pub(super) fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    let namespace = &*change.namespace;
    let cut = |policy: &Object<'_>| {
        let spec: add_ons::Policy = policy.field("spec").filter(|_| data.namespaces.is_arc(namespace))?;
        let selector = spec.pod_selector.clone().unwrap_or_default();
        add_ons::selected(&selector, namespace, data).filter(|_| spec.lets_nothing_out())
    };
    if change.before.as_ref().and_then(cut).is_some() {
        return Vec::new();
    }
    let Some(products) = change.after.as_ref().and_then(cut) else { return Vec::new() };
    let draft = Draft::at(target(change), "spec.egress")
        .says(format!(
            "network policy {} lets nothing of {products} out of the cluster, and they have to reach Azure",
            change.name
        ))
        .basis(Basis::Derived)
        .clauses(&["C29"])
        .with(Evidence::seen("signs", "no rule of it leads out of the cluster; other policies are not seen here"));
    vec![draft]
}

/// The policies that cut off an agent.
pub(super) fn cut_off(inventory: &Inventory, code: Code) -> Vec<Draft> {
    let suspects = inventory.suspects(code).iter();
    let policies: Vec<(&Draft, Policy)> =
        suspects.filter_map(|one| Some((&one.draft, serde_json::from_str(&one.hinge).ok()?))).collect();
    let pods: Vec<(&str, BTreeMap<String, String>)> = inventory
        .remarks(code)
        .filter_map(|(about, says)| Some((about.strip_prefix("pod ")?, serde_json::from_str(says).ok()?)))
        .collect();
    let cuts = |policy: &Policy| {
        let takes = |own: &Policy, (namespace, labels): &(&str, BTreeMap<String, String>)| {
            own.namespace == *namespace && own.selector.takes(labels)
        };
        let lost = |pod: &&(&str, BTreeMap<String, String>)| {
            takes(policy, pod) && !policies.iter().any(|(_, other)| other.leads_out && takes(other, pod))
        };
        !policy.leads_out && pods.iter().any(|pod| lost(&pod))
    };
    policies.iter().filter(|(_, policy)| cuts(policy)).map(|(draft, _)| (*draft).clone()).collect()
}
