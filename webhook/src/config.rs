//! The guard's configuration file.

use std::collections::BTreeMap;

use aksarc_shared::actor::Actors;
use aksarc_shared::data::{self, Component, LawfulObject, Platform};
use aksarc_shared::guard::{Guard, Preset, Settings, SettingsError};
use aksarc_shared::read::json::ReadError;
use aksarc_shared::read::yaml;
use aksarc_shared::rule::Mode;
use aksarc_shared::waiver::Waiver;
use schemars::JsonSchema;
use serde::Deserialize;

/// How the guard decides: one YAML document, of which everything but the first two fields may be left out.
///
/// The fields are those of the engine's settings, listed again because serde cannot both flatten a struct and refuse
/// unknown fields; `settings` does not compile when they differ.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GuardConfig {
    /// The version of this format.
    pub api_version: ApiVersion,
    /// What the file is.
    pub kind: Kind,
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
}

/// The version of the format.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The only one so far.
    #[serde(rename = "aksarc.dev/v1alpha1")]
    V1Alpha1,
}

/// What the file is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub enum Kind {
    /// A configuration of the guard.
    GuardConfig,
}

/// Why a configuration is not used. The old one, if there is one, stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not UTF-8.
    #[error("it is not UTF-8 text")]
    Text(#[from] std::str::Utf8Error),
    /// Not YAML, or not of this shape.
    #[error(transparent)]
    Shape(#[from] ReadError),
    /// A setting that cannot work.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

impl GuardConfig {
    /// The engine's settings.
    pub fn settings(self) -> Settings {
        let GuardConfig {
            api_version: ApiVersion::V1Alpha1,
            kind: Kind::GuardConfig,
            mode,
            platform,
            rules,
            actors,
            components,
            lawful,
            waivers,
        } = self;
        Settings { mode, platform, rules, actors, components, lawful, waivers }
    }
}

/// Builds a guard from the bytes of a configuration file.
///
/// # Errors
/// [`ConfigError`], with line and column where the shape is wrong.
pub fn guard(bytes: &[u8]) -> Result<Guard, ConfigError> {
    let config: GuardConfig = yaml::parse(std::str::from_utf8(bytes)?)?;
    Ok(Guard::new(data::embedded(), config.settings())?)
}

/// The JSON schema of the file, for editors and pipelines.
pub fn schema() -> String {
    let schema = schemars::schema_for!(GuardConfig);
    // Maps and strings only, which always serialise.
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "apiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\n";

    fn refusal(text: &str) -> String {
        guard(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn deny_is_refused_by_name_where_nothing_voids() {
        let at_risk = refusal(&format!("{HEAD}mode: enforce\nrules: {{AA208: deny}}\n"));
        let words =
            "rules: AA208 cannot deny, because what it finds never voids support: give it warn, or leave it out";
        assert_eq!(at_risk, words);
        let on_bare_metal = refusal(&format!("{HEAD}platform: bare-metal\nrules: {{system-label-changed: deny}}\n"));
        assert!(
            on_bare_metal
                .starts_with("rules: AA201 cannot deny, because what it finds never voids support on bare-metal:")
        );
        for taken in ["AA201: deny", "AA208: warn", "AA208: record", "AA702: \"off\""] {
            assert!(guard(format!("{HEAD}platform: azure-local\nrules: {{{taken}}}\n").as_bytes()).is_ok(), "{taken}");
        }
    }

    #[test]
    fn the_least_configuration_observes() {
        assert_eq!(*guard(HEAD.as_bytes()).unwrap().settings(), Settings::default());
    }

    #[test]
    fn fields_reach_the_engine() {
        let text = format!("{HEAD}mode: enforce\nplatform: azure-local\nrules: {{AA201: warn}}\n");
        let guard = guard(text.as_bytes()).unwrap();
        assert_eq!(guard.settings().mode, Preset::Enforce);
        assert_eq!(guard.settings().platform, Some(Platform::AzureLocal));
        assert_eq!(guard.settings().rules.get("AA201"), Some(&Mode::Warn));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        assert!(refusal(&format!("{HEAD}mood: warn\n")).contains("mood"));
        assert!(refusal(&format!("{HEAD}mode: warm\n")).contains("line 3"));
        assert!(refusal(&format!("{HEAD}rules: {{AA20l: warn}}\n")).contains("AA201"));
        assert!(refusal("kind: GuardConfig\n").contains("apiVersion"));
        assert!(refusal("").contains("apiVersion") || !refusal("").is_empty());
        assert!(!guard(b"\xff\xfe").unwrap_err().to_string().is_empty());
    }
}
