//! The labels of managed pods: `data/managed-pods.yaml`.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;

use super::confidence::Confidence;

/// Pods of the platform that bear the same labels.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagedPods {
    /// The product they belong to.
    pub product: String,
    /// Their namespace.
    pub namespace: String,
    /// The labels that identify them; a pod can bear more.
    pub labels: BTreeMap<String, String>,
    /// How well it is known.
    pub confidence: Confidence,
    /// The source.
    pub source: String,
    /// The day on which the source was last read.
    pub checked: Date,
}
