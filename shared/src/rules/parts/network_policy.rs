//! The specification of a NetworkPolicy: the directions it closes, and its egress out of the cluster.

use serde::Deserialize;
use serde_json::Value;

use crate::k8s::selector::Selector;

/// The fields of a NetworkPolicy that rules read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct NetworkPolicySpec {
    /// The selected pods; without a selector, all pods of the namespace.
    pub(crate) pod_selector: Option<Selector>,
    #[serde(rename = "policyTypes")]
    types: Option<Vec<String>>,
    ingress: Option<Vec<Value>>,
    egress: Option<Vec<Value>>,
}

impl NetworkPolicySpec {
    /// Whether the policy closes a direction. An empty rule leaves its direction open.
    pub(crate) fn closes_something(&self) -> bool {
        let open = |rules: &Option<Vec<Value>>| {
            rules.iter().flatten().any(|rule| rule.as_object().is_some_and(serde_json::Map::is_empty))
        };
        (self.is_about_ingress() && !open(&self.ingress)) || (self.is_about_egress() && !open(&self.egress))
    }

    /// Whether the policy restricts ingress.
    fn is_about_ingress(&self) -> bool {
        self.names("Ingress").unwrap_or(true)
    }

    /// Whether the policy restricts egress.
    pub(crate) fn is_about_egress(&self) -> bool {
        self.names("Egress").unwrap_or(self.egress.is_some())
    }

    /// Whether an egress rule leads out of the cluster: it names no peers, or it names addresses.
    pub(crate) fn leads_out(&self) -> bool {
        self.egress.iter().flatten().any(|rule| {
            let peers = rule.get("to").and_then(Value::as_array).filter(|peers| !peers.is_empty());
            peers.is_none_or(|peers| peers.iter().any(|peer| peer.get("ipBlock").is_some()))
        })
    }

    /// Whether `policyTypes` names a direction; `None` where it names none at all.
    fn names(&self, direction: &str) -> Option<bool> {
        let types = self.types.as_ref().filter(|types| !types.is_empty())?;
        Some(types.iter().any(|own| own == direction))
    }
}
