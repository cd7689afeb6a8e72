//! The guard's configuration file. The guard, its subcommands and dry runs read it here.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::data::{Component, LawfulObject, Platform};
use crate::facts::actor::Actors;
use crate::k8s::read::json::ReadError;
use crate::k8s::read::yaml;
use crate::people::waiver::Waiver;
use crate::rules::rule::Mode;

use super::settings::{Preset, Settings};

/// How the guard decides: one YAML document, of which everything but the first two fields may be left out.
///
/// The fields are those of the engine's settings, listed again because serde cannot both flatten a struct and refuse
/// unknown fields; `settings` does not compile when they differ.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GuardConfig {
    /// The version of this format.
    pub api_version: GuardConfigVersion,
    /// What the file is.
    pub kind: GuardConfigKind,
    /// The preset: `observe` allows and records everything; `enforce` denies what voids support, warns of what puts it at
    /// risk and records the rest, as far as each rule's mode allows; `warn` warns of what `enforce` would deny or warn of.
    #[serde(default)]
    pub mode: Preset,
    /// The platform. Without it a finding counts as the lightest that any platform makes of it; bare metal, a preview
    /// without a policy text, counts only where it is named.
    #[serde(default)]
    pub platform: Option<Platform>,
    /// By rule code or slug: what the rule does in `enforce` at most; `off` leaves it out in every preset. `deny` is refused
    /// for a rule whose findings never void support on the platform.
    #[serde(default)]
    pub rules: BTreeMap<String, Mode>,
    /// Who is the platform and who is not, beyond what is built in.
    #[serde(default)]
    pub actors: Actors,
    /// Managed components beyond the built-in catalogue.
    #[serde(default)]
    pub components: Vec<Component>,
    /// Objects that users may create and change beyond the built-in list.
    #[serde(default)]
    pub lawful: Vec<LawfulObject>,
    /// Findings accepted for a time.
    #[serde(default)]
    pub waivers: Vec<Waiver>,
    /// Where users ask about a denial or a warning, in one line of at most 100 bytes. Everybody whose change is refused or
    /// warned of reads it.
    #[serde(default)]
    pub contact: Option<String>,
}

/// The version of the format.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ApiVersion"))]
pub enum GuardConfigVersion {
    /// The only one so far.
    #[serde(rename = "aksarc.dev/v1alpha1")]
    V1Alpha1,
}

/// What the file is.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Kind"))]
pub enum GuardConfigKind {
    /// A configuration of the guard.
    GuardConfig,
}

/// The reason why bytes are not a configuration of the guard.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuardConfigError {
    /// Not UTF-8.
    #[error("it is not UTF-8 text")]
    Text(#[from] std::str::Utf8Error),
    /// Not YAML, or not of this shape, with line and column.
    #[error("{0}")]
    Shape(String),
}

impl From<ReadError> for GuardConfigError {
    fn from(error: ReadError) -> Self {
        GuardConfigError::Shape(match error {
            // The YAML may be valid and only a word be wrong.
            ReadError::Yaml(text) | ReadError::Content(text) => text,
            other => other.to_string(),
        })
    }
}

impl GuardConfig {
    /// Reads the bytes of a configuration file.
    ///
    /// # Errors
    /// [`GuardConfigError`], with line and column where the shape is wrong.
    pub fn read(bytes: &[u8]) -> Result<Self, GuardConfigError> {
        Ok(yaml::parse(std::str::from_utf8(bytes)?)?)
    }

    /// The engine's settings.
    pub fn settings(self) -> Settings {
        let GuardConfig {
            api_version: GuardConfigVersion::V1Alpha1,
            kind: GuardConfigKind::GuardConfig,
            mode,
            platform,
            rules,
            actors,
            components,
            lawful,
            waivers,
            contact,
        } = self;
        Settings { mode, platform, rules, actors, components, lawful, waivers, contact }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::own;

    #[test]
    fn the_file_has_the_version_of_all_our_documents() {
        let file = format!("apiVersion: {}\nkind: GuardConfig\n", own::API_VERSION);
        assert!(GuardConfig::read(file.as_bytes()).is_ok());
    }
}
