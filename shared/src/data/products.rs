//! How the platform and other products are told.

use serde::Deserialize;

/// How the platform and other products are told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Products {
    /// Products that are not AKS Arc.
    pub products: Vec<Product>,
    /// How `spec.providerID` of a VM-based AKS Arc node begins.
    pub provider_id_prefix: String,
    /// How the name of an AKS Arc node begins.
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
    /// How its providerIDs begin.
    #[serde(default)]
    pub provider_id_prefix: Option<String>,
}
