//! How large a cluster may be, by platform.

use jiff::civil::Date;
use serde::Deserialize;

use super::confidence::Confidence;
use super::platform::Platform;

/// The limits of one platform; what is left out is not limited by any text we know.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformLimits {
    /// The platform.
    pub platform: Platform,
    /// How many control-plane nodes there may be; empty where no text says.
    #[serde(default)]
    pub control_plane_nodes: Vec<usize>,
    /// Nodes of a cluster, control plane included.
    #[serde(default)]
    pub nodes: Option<usize>,
    /// Nodes of a pool.
    #[serde(default)]
    pub nodes_per_pool: Option<usize>,
    /// Pools.
    #[serde(default)]
    pub pools: Option<usize>,
    /// The day of the source.
    pub date: Date,
    /// How well it is known.
    pub confidence: Confidence,
    /// Where it is written.
    pub source: String,
}
