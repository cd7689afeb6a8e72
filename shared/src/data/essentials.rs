//! Objects that every cluster of a platform has, so that their absence means something.

use serde::Deserialize;

use super::confidence::Confidence;
use super::platform::Platform;

/// An object that every cluster of its platforms has, or every one that has the object it belongs to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Essential {
    /// `Deployment`, `CSIDriver` …
    pub kind: String,
    /// Its namespace. Empty for cluster-scoped objects, and where it is the namespace of the companion.
    #[serde(default)]
    pub namespace: String,
    /// Its exact name.
    pub name: String,
    /// Platforms it belongs to.
    pub platforms: Vec<Platform>,
    /// The companions, any of which proves that the object has to be there. Without any, the presence of another row's
    /// object is the proof.
    #[serde(default)]
    pub beside: Vec<Companion>,
    /// How well it is known.
    pub confidence: Confidence,
    /// The source.
    pub source: String,
    /// The day on which the source was read.
    pub checked: String,
}

/// An object whose presence proves that another object has to be there.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Companion {
    /// Kind.
    pub kind: String,
    /// Its namespace. Empty where any system namespace matches.
    #[serde(default)]
    pub namespace: String,
    /// Exact name.
    pub name: String,
}
