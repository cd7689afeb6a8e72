//! Network policies that cut the agents of Azure Arc off from Azure.
//!
//! Policies add up: a pod may send where any policy that selects it allows. So each pod is held against all of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::data::Data;
use crate::facts::change::Change;
use crate::facts::inventory::Inventory;
use crate::finding::Code;
use crate::finding::{Basis, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::k8s::object::Object;
use crate::k8s::selector::Selector;
use crate::rules::parts::add_ons;
use crate::rules::parts::network_policy::Policy;
use crate::rules::parts::node_metadata::target;
use crate::rules::rule::Notes;

/// A policy that says where its pods may send to.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    namespace: String,
    selector: Selector,
    /// Whether something outside of the cluster is among it.
    leads_out: bool,
}

/// Keeps the labels of a pod of the agents.
pub(crate) fn note_pod(pod: &Object<'_>, data: &Data, notes: &mut Notes) {
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
pub(crate) fn note_policy(policy: &Object<'_>, data: &Data, notes: &mut Notes) {
    let namespace = &policy.meta.namespace;
    let Some(spec) = policy.field::<Policy>("spec").filter(|_| data.namespaces.is_arc(namespace)) else { return };
    if !spec.is_about_egress() {
        return;
    }
    let leads_out = spec.leads_out();
    let kept = Kept { namespace: namespace.to_string(), selector: spec.pod_selector.unwrap_or_default(), leads_out };
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
pub(crate) fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    let namespace = &*change.namespace;
    let cut = |policy: &Object<'_>| {
        let spec: Policy = policy.field("spec").filter(|_| data.namespaces.is_arc(namespace))?;
        let closed = spec.is_about_egress() && !spec.leads_out();
        add_ons::selected(&spec.pod_selector.unwrap_or_default(), namespace, data).filter(|_| closed)
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
pub(crate) fn cut_off(inventory: &Inventory, code: Code) -> Vec<Draft> {
    let suspects = inventory.suspects(code).iter();
    let policies: Vec<(&Draft, Kept)> =
        suspects.filter_map(|one| Some((&one.draft, serde_json::from_str(&one.hinge).ok()?))).collect();
    let pods: Vec<(&str, BTreeMap<String, String>)> = inventory
        .remarks(code)
        .filter_map(|(about, says)| Some((about.strip_prefix("pod ")?, serde_json::from_str(says).ok()?)))
        .collect();
    let cuts = |policy: &Kept| {
        let takes = |own: &Kept, (namespace, labels): &(&str, BTreeMap<String, String>)| {
            own.namespace == *namespace && own.selector.matches(|key| labels.get(key).map(String::as_str))
        };
        let lost = |pod: &&(&str, BTreeMap<String, String>)| {
            takes(policy, pod) && !policies.iter().any(|(_, other)| other.leads_out && takes(other, pod))
        };
        !policy.leads_out && pods.iter().any(|pod| lost(&pod))
    };
    policies.iter().filter(|(_, policy)| cuts(policy)).map(|(draft, _)| (*draft).clone()).collect()
}
