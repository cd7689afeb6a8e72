//! The system's namespaces.

use serde::Deserialize;

use super::confidence::Confidence;
use super::node_keys::Place;
use super::pattern::Pattern;
use super::platform::Platform;
use crate::k8s::kinds::Kind;

/// The system namespaces.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Namespaces {
    /// The namespaces.
    pub namespaces: Vec<SystemNamespace>,
    /// Metadata that the system writes on them.
    pub system_keys: Vec<NamespaceKey>,
}

/// A system namespace.
#[derive(Clone, Debug, Deserialize)]
pub struct SystemNamespace {
    /// Exact name.
    pub name: String,
    /// Its owner.
    pub owner: String,
    /// Platforms it exists on; empty for all.
    #[serde(default)]
    pub platforms: Vec<Platform>,
    /// How well it is known.
    pub confidence: Confidence,
    /// The source.
    pub source: String,
    /// Whether the namespace and its metadata are protected.
    pub protected: bool,
    /// The consequence of a user's own add-on in it.
    pub add_ons: AddOns,
    /// Whether it holds a Helm release of the platform, so that Helm creates it.
    #[serde(default)]
    pub keeps_release: bool,
    /// The condition under which it is the system's; otherwise it is the user's.
    #[serde(default)]
    pub condition: Option<String>,
}

/// The consequence of an add-on that a user puts into a system namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AddOns {
    /// Support is at risk, because the accounts of the namespace count as the platform's.
    AtRisk,
    /// There is no consequence.
    Free,
    /// Support is void for workloads, because the policy text names the namespace.
    Voids,
    /// Support is at risk for workloads; other objects have no consequence.
    WorkloadsAtRisk,
}

impl SystemNamespace {
    /// Whether the API server itself creates it, in every cluster.
    pub fn is_kubernetes(&self) -> bool {
        self.owner == "kubernetes"
    }
}

/// A key that the system writes on its namespaces.
#[derive(Clone, Debug, Deserialize)]
pub struct NamespaceKey {
    /// The keys.
    #[serde(flatten)]
    pub key: Pattern,
    /// The namespaces; empty for all.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// Labels or annotations.
    pub on: Vec<Place>,
}

impl Namespaces {
    /// The unconditional, protected system namespace of this name.
    pub fn protected(&self, name: &str) -> Option<&SystemNamespace> {
        self.namespaces.iter().find(|row| row.name == name && row.protected && row.condition.is_none())
    }

    /// The consequence of a user's add-on in this namespace.
    pub fn add_ons(&self, name: &str) -> AddOns {
        self.protected(name).map_or(AddOns::Free, |row| row.add_ons)
    }

    /// Whether a user's own object of this kind in this namespace has a consequence.
    pub fn judges(&self, name: &str, kind: &Kind) -> bool {
        match self.add_ons(name) {
            AddOns::Free => false,
            AddOns::WorkloadsAtRisk => kind.runs(),
            AddOns::AtRisk | AddOns::Voids => true,
        }
    }

    /// Whether the policy text names this namespace as one whose add-ons are managed.
    pub fn is_add_on(&self, name: &str) -> bool {
        self.add_ons(name) == AddOns::Voids
    }

    /// Whether it is a namespace of the Arc agents.
    pub fn is_arc(&self, name: &str) -> bool {
        self.protected(name).is_some_and(|row| row.owner == "arc")
    }

    /// Whether the system writes `key` on this namespace.
    pub fn is_system_key(&self, namespace: &str, place: Place, key: &str) -> bool {
        self.system_keys.iter().any(|row| {
            row.key.is(key)
                && row.on.contains(&place)
                && (row.namespaces.is_empty() || row.namespaces.iter().any(|name| name == namespace))
        })
    }
}
