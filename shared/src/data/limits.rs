//! Size limits of clusters, by platform.

use jiff::civil::Date;
use serde::Deserialize;

use super::confidence::Confidence;
use super::platform::Platform;

/// The limits of one platform. A field that is left out has no limit in any text that we know.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformLimits {
    /// The platform.
    pub platform: Platform,
    /// The allowed numbers of control-plane nodes; empty where no text gives them.
    #[serde(default)]
    pub control_plane_nodes: Vec<usize>,
    /// The most nodes of a cluster, control plane included.
    #[serde(default)]
    pub nodes: Option<usize>,
    /// The most nodes of a pool.
    #[serde(default)]
    pub nodes_per_pool: Option<usize>,
    /// The most pools.
    #[serde(default)]
    pub pools: Option<usize>,
    /// The day of the source.
    pub date: Date,
    /// How well it is known.
    pub confidence: Confidence,
    /// The source.
    pub source: String,
}
