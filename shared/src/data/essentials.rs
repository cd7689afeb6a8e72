//! What belongs to every cluster of a platform, so that its absence says something.

use serde::Deserialize;

use super::confidence::Confidence;
use super::platform::Platform;

/// An object that no cluster of its platforms is without, or none that has what it belongs to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Essential {
    /// `Deployment`, `CSIDriver` …
    pub kind: String,
    /// Its namespace; empty for the cluster, and where it is that of what it belongs to.
    #[serde(default)]
    pub namespace: String,
    /// Its exact name.
    pub name: String,
    /// Platforms it belongs to.
    pub platforms: Vec<Platform>,
    /// What proves that it has to be there, any of these; without one that is any other row's presence.
    #[serde(default)]
    pub beside: Vec<Companion>,
    /// How well it is known.
    pub confidence: Confidence,
    /// Where it is written.
    pub source: String,
    /// When it was looked at.
    pub checked: String,
}

/// An object whose presence proves that another has to be there too.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Companion {
    /// Kind.
    pub kind: String,
    /// Its namespace; empty where any system namespace will do.
    #[serde(default)]
    pub namespace: String,
    /// Exact name.
    pub name: String,
}
