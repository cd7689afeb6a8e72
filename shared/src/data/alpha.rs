//! Alpha APIs and feature gates of Kubernetes itself.

use jiff::civil::Date;
use serde::Deserialize;

use super::confidence::Confidence;

/// The alpha APIs and feature gates of Kubernetes, and who turns them on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alpha {
    /// When the lists were last compared with their source.
    pub checked: Date,
    /// How well the lists are known.
    pub confidence: Confidence,
    /// Their source.
    pub source: String,
    /// Alpha versions, `group/version`, that hold no objects made by people.
    pub no_objects_of_people: Vec<String>,
    /// Alpha feature gates that the platform turns on.
    pub platform_gates: Vec<PlatformGate>,
    /// Alpha feature gates that Kubernetes itself has on by default.
    pub default_gates: Vec<PlatformGate>,
}

/// An alpha feature gate that the platform turns on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformGate {
    /// The name of the gate.
    pub gate: String,
    /// The page that documents it.
    pub source: String,
}

impl Alpha {
    /// Whether the platform, or Kubernetes itself, turns the gate on.
    pub fn is_platform_gate(&self, gate: &str) -> bool {
        self.platform_gates.iter().chain(&self.default_gates).any(|own| own.gate == gate)
    }
}
