//! The guard's configuration file: the guard that it makes, the ConfigMap that may hold it, and its schema.

use aksarc_shared::data;
use aksarc_shared::k8s::read::yaml;
use aksarc_shared::verdict::guard::{Guard, GuardConfig, GuardConfigError, SettingsError};
use serde_json::Value;

/// Why a configuration is not used. The old one, if there is one, stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No configuration of a guard.
    #[error(transparent)]
    Read(#[from] GuardConfigError),
    /// A ConfigMap that does not hold the configuration.
    #[error("the ConfigMap has no key {FILE}, which is the file that the guard reads")]
    Key,
    /// A setting that cannot work.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

/// Builds a guard from the bytes of a configuration file.
///
/// # Errors
/// [`ConfigError`], with line and column where the shape is wrong.
pub fn guard(bytes: &[u8]) -> Result<Guard, ConfigError> {
    Ok(Guard::new(data::embedded(), GuardConfig::read(bytes)?.settings())?)
}

/// The configuration in the manifest of a ConfigMap, as people keep it in git; `None` where `bytes` are anything else.
///
/// # Errors
/// [`ConfigError::Key`] where the ConfigMap does not hold the file that the guard reads.
pub fn in_configmap(bytes: &[u8]) -> Result<Option<String>, ConfigError> {
    let documents = std::str::from_utf8(bytes).ok().and_then(|text| yaml::documents(text).ok()).unwrap_or_default();
    let [document] = documents.as_slice() else { return Ok(None) };
    if document.get("kind").and_then(Value::as_str) != Some("ConfigMap") {
        return Ok(None);
    }
    let text = document.get("data").and_then(|data| data.get(FILE)?.as_str());
    text.map(|text| Some(text.to_owned())).ok_or(ConfigError::Key)
}

/// The key of the ConfigMap, and the name of the file that the guard reads.
const FILE: &str = "guard.yaml";

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
    use aksarc_shared::data::Platform;
    use aksarc_shared::facts::actor::Ambiguous;
    use aksarc_shared::rules::rule::Mode;
    use aksarc_shared::verdict::guard::{Preset, Settings};

    use super::*;

    const HEAD: &str = "apiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\n";

    fn refusal(text: &str) -> String {
        guard(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn deny_is_refused_by_name_where_nothing_voids() {
        let at_risk = refusal(&format!("{HEAD}mode: enforce\nrules: {{AA208: deny}}\n"));
        let words = "rules: AA208 cannot deny, because its findings never void support: give it warn, or leave it out";
        assert_eq!(at_risk, words);
        let on_bare_metal = refusal(&format!("{HEAD}platform: bare-metal\nrules: {{system-label-changed: deny}}\n"));
        assert!(
            on_bare_metal
                .starts_with("rules: AA201 cannot deny, because its findings never void support on bare-metal:")
        );
        let several = refusal(&format!("{HEAD}rules: {{AA306: deny, AA201: deny, AA206: deny, AA208: warn}}\n"));
        assert_eq!(
            several,
            "rules: AA206, AA306 cannot deny, because their findings never void support: give them warn, or leave them out"
        );
        for taken in ["AA201: deny", "AA208: warn", "AA208: record", "AA702: \"off\""] {
            guard(format!("{HEAD}platform: azure-local\nrules: {{{taken}}}\n").as_bytes()).unwrap();
        }
    }

    #[test]
    fn a_setting_that_does_less_than_it_says_is_noted() {
        let notes = |rest: &str| guard(format!("{HEAD}{rest}\n").as_bytes()).unwrap().notes();
        for silent in ["", "platform: azure-local\nrules: {AA201: deny, AA206: warn, AA205: record, AA406: \"off\"}"] {
            assert!(notes(silent).is_empty(), "{:?}", notes(silent));
        }
        assert_eq!(
            notes("platform: azure-local\nrules: {AA205: warn, AA702: warn}"),
            [
                "rules: AA205 has the mode warn, and what it finds is info at most on azure-local, which is recorded without a \
                 warning: give it record, or leave it out",
                "rules: AA702 has the mode warn, and what it finds is not-covered at most on azure-local, which is recorded \
                 without a warning: give it record, or leave it out",
            ]
        );
        assert!(notes("platform: windows-server\nrules: {AA205: warn}").is_empty());
        let unnamed = notes("rules: {AA205: warn}");
        assert!(unnamed[0].contains("info at most on some platform, and none is named"), "{unnamed:?}");
        let waiver = "waivers: [{name: w, rules: [AA402], match: {kind: NodePool, name: p, path: status.nodeInfo.osImage}, \
                      reason: r, requestedBy: a, approvedBy: b, expires: 2027-01-01T00:00:00Z}]";
        assert!(
            notes(waiver)[0].starts_with("waiver w: AA402 found status.nodeInfo.osImage up to 0.1.0"),
            "{:?}",
            notes(waiver)
        );
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
    fn a_mistake_is_reported_with_its_place() {
        assert!(refusal(&format!("{HEAD}mood: warn\n")).contains("mood"));
        assert!(refusal(&format!("{HEAD}mode: warm\n")).contains("line 3"));
        assert!(refusal(&format!("{HEAD}rules: {{AA20l: warn}}\n")).contains("AA201"));
        assert!(refusal("kind: GuardConfig\n").contains("apiVersion"));
        assert_eq!(refusal(""), "unexpected end of input at line 1, column 1");
        assert!(!guard(b"\xff\xfe").unwrap_err().to_string().is_empty());
    }

    /// Files that version 0.1.0 took; a README says so beside them.
    const GUARD_OF_0_1_0: &str = include_str!("../../tests/from-0.1.0/guard.yaml");
    const MODES_OF_0_1_0: &str = include_str!("../../tests/from-0.1.0/guard-modes.yaml");

    #[test]
    fn a_configuration_of_0_1_0_with_every_field_is_taken() {
        let with = |mode: &str, platform: &str| {
            let text = GUARD_OF_0_1_0.replace("\nmode: enforce\n", &format!("\nmode: {mode}\n"));
            guard(text.replace("\nplatform: azure-local\n", &format!("\n{platform}\n")).as_bytes()).unwrap()
        };
        for mode in ["observe", "warn", "enforce"] {
            for platform in ["", "windows-server", "hci-22h2", "azure-local", "bare-metal"] {
                let platform = if platform.is_empty() { String::new() } else { format!("platform: {platform}") };
                let guard = with(mode, &platform);
                assert_eq!(guard.settings().mode.as_str(), mode);
                assert!(guard.notes().is_empty(), "{mode} {platform}: {:?}", guard.notes());
            }
        }
        let guard = with("enforce", "platform: azure-local");
        let Settings { rules, actors, components, lawful, waivers, .. } = guard.settings();
        assert_eq!((rules.len(), components.len(), lawful.len(), waivers.len()), (2, 1, 1, 1));
        assert_eq!(
            (actors.platform.users.len(), actors.platform.credential_ids.len(), actors.people.users.len()),
            (1, 1, 1)
        );
        assert_eq!(actors.ambiguous, Ambiguous::Warn, "what it could not say is as it was");
        assert!(waivers[0].lapses_unless.is_some());
    }

    #[test]
    fn modes_of_0_1_0_that_no_longer_work_are_named_together_and_those_that_do_less_are_noted() {
        assert_eq!(
            refusal(MODES_OF_0_1_0),
            "rules: AA206, AA208, AA306 cannot deny, because their findings never void support on azure-local: give them warn, \
             or leave them out"
        );
        let mended = ["AA206", "AA208", "AA306"].into_iter().fold(MODES_OF_0_1_0.to_owned(), |text, code| {
            text.replace(&format!("{code}: deny"), &format!("{code}: warn"))
        });
        let notes = guard(mended.as_bytes()).unwrap().notes();
        let about: Vec<&str> = notes.iter().filter_map(|note| note.split(' ').nth(1)).collect();
        assert_eq!(about, ["AA205", "AA702"], "{notes:?}");
    }
}
