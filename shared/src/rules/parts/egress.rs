//! Network policies that cut off the Azure Arc agents from Azure.
//!
//! Policies add up: a pod may send wherever any policy that selects it allows. So each pod is tested against all of
//! them.

use std::collections::BTreeMap;

use crate::command::Command;
use crate::data::Data;
use crate::facts::change::Change;
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::finding::{Basis, Clause, Code, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::k8s::object::Object;
use crate::k8s::selector::Selector;
use crate::rules::parts::add_ons;
use crate::rules::parts::network_policy::NetworkPolicySpec;
use crate::rules::parts::target::target;

/// A network policy that restricts where its pods may send.
#[derive(Debug)]
struct EgressPolicy {
    namespace: String,
    selector: Selector,
    /// Whether it allows an address outside of the cluster.
    leads_out: bool,
}

/// The labels of an agent's pod.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct AgentPod {
    namespace: String,
    labels: BTreeMap<String, String>,
}

/// Notes the labels of an agent's pod.
pub(crate) fn note_pod(pod: &Object<'_>, data: &Data, notes: &mut Notes) {
    let namespace = &pod.meta.namespace;
    if !data.namespaces.is_arc(namespace) {
        return;
    }
    let labels = pod.meta.labels.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    notes.remark(AgentPod { namespace: namespace.to_string(), labels });
}

/// Notes a policy that restricts where agents may send.
pub(crate) fn note_policy(policy: &Object<'_>, data: &Data, notes: &mut Notes) {
    let namespace = &policy.meta.namespace;
    let Some(spec) = policy.field::<NetworkPolicySpec>("spec").filter(|_| data.namespaces.is_arc(namespace)) else {
        return;
    };
    if !spec.is_about_egress() {
        return;
    }
    let leads_out = spec.leads_out();
    let egress =
        EgressPolicy { namespace: namespace.to_string(), selector: spec.pod_selector.unwrap_or_default(), leads_out };
    let name = &policy.meta.name;
    let draft = Draft::at(ObjectRef::of(policy, &kinds::NETWORK_POLICY), "spec.egress")
        .says(format!("network policy {name} blocks the agents of Azure Arc from leaving the cluster, and they have to reach Azure"))
        .basis(Basis::Derived)
        .clauses(const { &[Clause::new("C29")] })
        .with(Evidence::seen("signs", "no rule of it, and of no other policy on the same pods, leads out of the cluster"))
        .fix(
            Command::kubectl_in(namespace, ["describe", "networkpolicies.networking.k8s.io"])
                .name(name)
                .only("shows its rules"),
        );
    notes.undecided(draft, egress);
}

/// A draft: the new policy allows agents nothing outside of the cluster. Other policies are not seen.
pub(crate) fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    let namespace = &*change.namespace;
    let cut = |policy: &Object<'_>| {
        let spec: NetworkPolicySpec = policy.field("spec").filter(|_| data.namespaces.is_arc(namespace))?;
        let closed = spec.is_about_egress() && !spec.leads_out();
        add_ons::selected(&spec.pod_selector.unwrap_or_default(), namespace, data).filter(|_| closed)
    };
    if change.before.as_deref().and_then(cut).is_some() {
        return Vec::new();
    }
    let Some(products) = change.after.as_deref().and_then(cut) else { return Vec::new() };
    let draft = Draft::at(target(change), "spec.egress")
        .says(format!(
            "network policy {} blocks {products} from leaving the cluster, and they have to reach Azure",
            change.name
        ))
        .basis(Basis::Derived)
        .clauses(const { &[Clause::new("C29")] })
        .with(Evidence::seen("signs", "no rule of it leads out of the cluster; other policies are not seen here"));
    vec![draft]
}

/// The drafts on policies that cut off an agent.
pub(crate) fn cut_off(inventory: &Inventory, code: Code) -> Vec<Draft> {
    let policies = inventory.undecided::<EgressPolicy>(code);
    let cuts = |policy: &EgressPolicy| {
        let takes = |own: &EgressPolicy, pod: &AgentPod| {
            own.namespace == pod.namespace && own.selector.matches(|key| pod.labels.get(key).map(String::as_str))
        };
        let lost = |pod: &AgentPod| {
            let others = || policies.iter().map(|other| &other.depends_on);
            takes(policy, pod) && !others().any(|other| other.leads_out && takes(other, pod))
        };
        !policy.leads_out && inventory.remarks(code).any(lost)
    };
    policies.iter().filter(|policy| cuts(&policy.depends_on)).map(|policy| policy.draft.clone().broken()).collect()
}
