//! What Arc extensions bring: `data/extensions.yaml`.

use serde::Deserialize;

/// What Arc extensions of one type bring.
#[derive(Clone, Debug, Deserialize)]
pub struct Extension {
    /// `spec.extensionType`, in lower case.
    #[serde(rename = "type")]
    pub name: String,
    /// The namespaces their release lives in, unless the installer chose another.
    pub namespaces: Vec<String>,
    /// Ids of products among third-party software that they ship.
    #[serde(default)]
    pub products: Vec<String>,
    /// Whether they put parts of themselves into pods of all namespaces.
    #[serde(default)]
    pub everywhere: bool,
    /// How well it is known.
    pub confidence: super::Confidence,
    /// Where it is written.
    pub source: String,
}
