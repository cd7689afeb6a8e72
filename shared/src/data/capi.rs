//! Metadata that Cluster API and the Azure Stack HCI provider write on their objects: `data/capi-keys.yaml`.

use serde::Deserialize;

use super::node_keys::Place;
use super::pattern::Pattern;

/// Metadata that Cluster API and its provider write on their objects.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapiKeys {
    /// The prefix of the kinds of the Azure Stack HCI provider. An object that refers to one belongs to AKS Arc.
    pub provider_kind_prefix: String,
    /// Keys that controllers write.
    pub system: Vec<CapiKey>,
    /// Annotations with which people change the behaviour of controllers.
    pub behaviour: Vec<Behaviour>,
    /// Finalizers.
    pub finalizers: Vec<CapiKey>,
}

/// A key, or a finalizer.
#[derive(Clone, Debug, Deserialize)]
pub struct CapiKey {
    /// The key.
    #[serde(flatten)]
    pub key: Pattern,
    /// Labels or annotations; empty for finalizers.
    #[serde(default)]
    pub on: Vec<Place>,
    /// The source.
    pub source: String,
    /// The day on which the source was read.
    pub checked: String,
}

/// An annotation with which people change the behaviour of controllers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behaviour {
    /// Exact key.
    pub key: String,
    /// The effect, for people.
    pub does: String,
    /// The source.
    pub source: String,
    /// The day on which the source was read.
    pub checked: String,
}

impl CapiKeys {
    /// Whether controllers write `key` at `place`.
    pub fn is_system(&self, place: Place, key: &str) -> bool {
        self.system.iter().any(|row| row.on.contains(&place) && row.key.is(key))
    }

    /// The row of an annotation that changes the behaviour of controllers.
    pub fn behaviour(&self, annotation: &str) -> Option<&Behaviour> {
        self.behaviour.iter().find(|row| row.key == annotation)
    }

    /// Whether a finalizer belongs to a controller.
    pub fn is_finalizer(&self, name: &str) -> bool {
        self.finalizers.iter().any(|row| row.key.is(name))
    }
}
