//! What belongs to every cluster of a platform, so that its absence says something.

use serde::Deserialize;

use super::Platform;

/// A workload that no cluster of its platforms is without.
#[derive(Clone, Debug, Deserialize)]
pub struct Essential {
    /// `Deployment` or `DaemonSet`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its exact name.
    pub name: String,
    /// Platforms it belongs to.
    pub platforms: Vec<Platform>,
    /// Where it is written.
    pub source: String,
}
