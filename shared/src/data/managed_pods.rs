//! The labels of managed pods: `data/managed-pods.yaml`.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;

use super::confidence::Confidence;

/// Pods of the platform's that bear the same labels.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagedPods {
    /// What they belong to.
    pub product: String,
    /// Where they run.
    pub namespace: String,
    /// Labels that tell them; a pod can bear more.
    pub labels: BTreeMap<String, String>,
    /// How well it is known.
    pub confidence: Confidence,
    /// Where it is written.
    pub source: String,
    /// When it was last looked up.
    pub checked: Date,
}
