//! What Cluster API and the Azure Stack HCI provider write on their objects: `data/capi-keys.yaml`.

use serde::Deserialize;

use super::node_keys::Place;
use super::pattern::Pattern;

/// What Cluster API and its provider write on their objects.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapiKeys {
    /// How the kinds of the Azure Stack HCI provider begin: an object that names one is AKS Arc's.
    pub provider_kind_prefix: String,
    /// Keys that controllers write.
    pub system: Vec<CapiKey>,
    /// Annotations by which a person changes what controllers do.
    pub behaviour: Vec<Behaviour>,
    /// Finalizers.
    pub finalizers: Vec<CapiKey>,
}

/// A key, or a finalizer.
#[derive(Clone, Debug, Deserialize)]
pub struct CapiKey {
    /// Which.
    #[serde(flatten)]
    pub key: Pattern,
    /// Labels or annotations; empty for finalizers.
    #[serde(default)]
    pub on: Vec<Place>,
    /// Where it is written.
    pub source: String,
    /// When it was looked at.
    pub checked: String,
}

/// An annotation by which a person changes what controllers do.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behaviour {
    /// Exact key.
    pub key: String,
    /// What it does, for people.
    pub does: String,
    /// Where it is written.
    pub source: String,
    /// When it was looked at.
    pub checked: String,
}

impl CapiKeys {
    /// Whether controllers write `key` at `place`.
    pub fn is_system(&self, place: Place, key: &str) -> bool {
        self.system.iter().any(|row| row.on.contains(&place) && row.key.is(key))
    }

    /// The annotation that changes what controllers do.
    pub fn behaviour(&self, annotation: &str) -> Option<&Behaviour> {
        self.behaviour.iter().find(|row| row.key == annotation)
    }

    /// Whether a finalizer is a controller's.
    pub fn is_finalizer(&self, name: &str) -> bool {
        self.finalizers.iter().any(|row| row.key.is(name))
    }
}
