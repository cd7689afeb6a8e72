//! The system's namespaces.

use serde::Deserialize;

use super::{Confidence, Pattern, Place, Platform};

/// The system namespaces.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Namespaces {
    /// The namespaces.
    pub namespaces: Vec<SystemNamespace>,
    /// Metadata the system writes on them.
    pub system_keys: Vec<NamespaceKey>,
}

/// A system namespace.
#[derive(Clone, Debug, Deserialize)]
pub struct SystemNamespace {
    /// Exact name.
    pub name: String,
    /// Whose it is.
    pub owner: String,
    /// Platforms it exists on; empty for all.
    #[serde(default)]
    pub platforms: Vec<Platform>,
    /// How well it is known.
    pub confidence: Confidence,
    /// Where it is written.
    pub source: String,
    /// Whether it and its metadata are protected.
    pub protected: bool,
    /// Whether add-ons in it are managed, so that a user's own do not belong there.
    pub workloads: bool,
    /// It is the system's only under this condition; otherwise the user's.
    #[serde(default)]
    pub condition: Option<String>,
}

/// A key the system writes on its namespaces.
#[derive(Clone, Debug, Deserialize)]
pub struct NamespaceKey {
    /// Which keys.
    #[serde(flatten)]
    pub key: Pattern,
    /// On which namespaces; empty for all.
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

    /// Whether a user's add-on does not belong in this namespace.
    pub fn is_add_on(&self, name: &str) -> bool {
        self.namespaces.iter().any(|row| row.name == name && row.workloads)
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
