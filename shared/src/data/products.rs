//! Marks that distinguish the platform from other products.

use serde::Deserialize;

/// Marks that distinguish the platform from other products.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Products {
    /// Products that are not AKS Arc.
    pub products: Vec<Product>,
    /// The prefix of `spec.providerID` of a VM-based AKS Arc node.
    pub provider_id_prefix: String,
    /// The prefix of the names of AKS Arc nodes.
    pub node_name_prefix: String,
}

/// A product that is not AKS Arc; one mark is enough.
#[derive(Clone, Debug, Deserialize)]
pub struct Product {
    /// Its name.
    pub product: String,
    /// A node annotation of its own.
    #[serde(default)]
    pub annotation: Option<String>,
    /// A node label of its own.
    #[serde(default)]
    pub label: Option<String>,
    /// The prefix of its providerIDs.
    #[serde(default)]
    pub provider_id_prefix: Option<String>,
}
