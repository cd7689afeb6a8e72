//! Marks that show whose an object is.

use serde::Deserialize;

use super::managers::is_same_program;

/// Marks that show whose an object is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvenanceMarks {
    /// Helm releases of the platform's own.
    pub helm_releases: Vec<String>,
    /// The field managers that Helm writes as.
    pub helm_managers: Vec<String>,
    /// Registries only Microsoft publishes to.
    pub image_registries: Vec<String>,
    /// Marks that people's tools leave.
    pub person_marks: PersonMarks,
}

impl ProvenanceMarks {
    /// Whether a field manager is Helm.
    pub fn is_helm(&self, manager: &str) -> bool {
        self.helm_managers.iter().any(|own| is_same_program(own, manager))
    }

    /// Whether an image is from a registry that only Microsoft publishes to.
    pub fn is_microsofts(&self, image: &str) -> bool {
        self.image_registries.iter().any(|registry| image.starts_with(&**registry))
    }
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
