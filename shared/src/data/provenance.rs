//! Marks that tell whose an object is.

use serde::Deserialize;

/// Marks that tell whose an object is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Helm releases of the platform's own.
    pub helm_releases: Vec<String>,
    /// FieldManagers that Helm writes as.
    pub helm_managers: Vec<String>,
    /// Registries only Microsoft publishes to.
    pub image_registries: Vec<String>,
    /// Marks that people's tools leave.
    pub person_marks: PersonMarks,
}

/// Marks that people's tools leave.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonMarks {
    /// Labels.
    pub labels: Vec<Mark>,
    /// Annotations.
    pub annotations: Vec<Mark>,
}

/// A mark.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Exact key.
    pub key: String,
    /// The tool that leaves it.
    pub tool: String,
}
