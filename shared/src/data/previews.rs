//! Microsoft's previews, and by what traces they are told.

use jiff::civil::Date;
use serde::Deserialize;

use super::platform::Platform;

/// A preview.
#[derive(Clone, Debug, Deserialize)]
pub struct Preview {
    /// A word for paths.
    pub id: String,
    /// What Microsoft calls it.
    pub name: String,
    /// Where it is one; empty for all.
    #[serde(default)]
    pub platforms: Vec<Platform>,
    /// By what it is told.
    pub trace: PreviewTrace,
    /// Microsoft's pages disagree on whether it is one.
    #[serde(default)]
    pub disputed: bool,
    /// Where it is written.
    pub source: String,
    /// When somebody last looked: previews end.
    pub checked: Date,
}

/// By what a preview is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PreviewTrace {
    /// A Deployment of this name in a namespace of the Arc agents.
    Deployment(String),
    /// An Arc extension of this type.
    Extension(String),
    /// A namespace of this name, among those that `namespaces.yaml` knows.
    Namespace(String),
    /// The platform itself.
    Platform(Platform),
}
