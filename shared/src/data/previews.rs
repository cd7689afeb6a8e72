//! Microsoft's previews, and the traces that reveal them.

use jiff::civil::Date;
use serde::Deserialize;

use super::platform::Platform;

/// A preview.
#[derive(Clone, Debug, Deserialize)]
pub struct Preview {
    /// An id, used in paths.
    pub id: String,
    /// Microsoft's name for it.
    pub name: String,
    /// The platforms on which it is a preview; empty for all.
    #[serde(default)]
    pub platforms: Vec<Platform>,
    /// The trace that reveals it.
    pub trace: PreviewTrace,
    /// Whether Microsoft's pages disagree on its being a preview.
    #[serde(default)]
    pub disputed: bool,
    /// The source.
    pub source: String,
    /// The day on which the source was last read: previews end.
    pub checked: Date,
}

/// A trace that reveals a preview.
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
