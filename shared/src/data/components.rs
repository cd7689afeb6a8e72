//! The managed components.

use serde::Deserialize;

use super::confidence::Confidence;
use super::namespaces::Namespaces;
use super::platform::Platform;

/// A managed component.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Component {
    /// Exact name; or `prefix`.
    #[serde(default)]
    pub name: Option<String>,
    /// The prefix of its name, where the rest varies.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Kinds.
    pub kinds: Vec<String>,
    /// Namespaces.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// Whether its namespace is not known, so that any system namespace matches.
    #[serde(default)]
    pub any_namespace: bool,
    /// Platforms it exists on; empty for all.
    #[serde(default)]
    pub platforms: Vec<Platform>,
    /// How well it is known.
    #[serde(default = "configured")]
    pub confidence: Confidence,
    /// The source.
    #[serde(default)]
    pub source: String,
    /// The product it belongs to.
    #[serde(default)]
    pub product: String,
    /// A static pod, written by the kubelet from a file on the node.
    #[serde(default)]
    pub static_pod: bool,
    /// For a component that is released with Kubernetes, so that its image tag is its version: how far it may lag
    /// behind. Not configurable.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub versioned: Option<Versioned>,
    /// Whether it is part of an Arc extension, which users install on purpose.
    #[serde(default)]
    pub extension: bool,
    /// The part of a cluster that it is, where users may ask about its settings. Not configurable.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub part: Option<Part>,
}

/// A part of a cluster that people customise, and whose settings are judged apart from the component itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The cluster's name service.
    Dns,
    /// The network plug-in.
    Network,
}

/// A part of Kubernetes whose version is compared with the API server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Versioned {
    /// The API server itself.
    ApiServer,
    /// Controller manager and scheduler.
    Controller,
    /// The proxy on nodes.
    Proxy,
}

/// The confidence of rows in a configuration: users know their own components.
fn configured() -> Confidence {
    Confidence::Doc
}

impl Component {
    /// Its exact name, where the row has one.
    pub fn exact(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The prefix of its name, where the row has no exact one.
    pub fn prefixed(&self) -> Option<&str> {
        self.prefix.as_deref().filter(|_| self.name.is_none())
    }

    /// Whether an object is this component; `namespaces` are the system's.
    pub fn is(&self, kind: &str, namespace: &str, name: &str, namespaces: &Namespaces) -> bool {
        let named = match (&self.name, &self.prefix) {
            (Some(own), _) => own == name,
            (None, Some(prefix)) => name.starts_with(&**prefix),
            (None, None) => false,
        };
        named
            && self.kinds.iter().any(|own| own == kind)
            // A component of unknown namespace is only looked for in system namespaces, never in a user's.
            && (self.namespaces.iter().any(|own| own == namespace)
                || (self.any_namespace && namespaces.protected(namespace).is_some()))
    }
}
