//! Notes for an installer: what applying a manifest changes beyond the guard's own objects.

use aksarc_shared::data::own::{NAMESPACE, SERVICE};
use aksarc_shared::facts::actor::{Ambiguous, Matchers};
use aksarc_shared::verdict::guard::Settings;

use super::options::ManifestOptions;

/// Sentences about what a manifest sets and what it leaves alone, one for each line.
pub fn notes(options: &ManifestOptions) -> Vec<String> {
    let mut notes = match &options.config {
        Some(config) => vec![format!(
            "the manifest sets the configuration: {}; it replaces what the ConfigMap {SERVICE} in {NAMESPACE} holds",
            summary(&config.settings)
        )],
        None => vec![
            format!(
                "the manifest has no configuration: an existing ConfigMap {SERVICE} in {NAMESPACE} stays as it is; \
                 without one the guard observes"
            ),
            "pass a configuration with rules, actors.people or components by --config: what the API server asks the guard \
             about is generated from them"
                .to_owned(),
        ],
    };
    if !options.pods.is_empty() {
        notes.push(
            "the port of reviews is closed to the addresses of pods: the NetworkPolicy says how to check that API servers \
             still reach the guard, which fails open where they do not"
                .to_owned(),
        );
    }
    notes
}

/// A configuration in one line: its mode, its platform, and how many of everything else it has.
fn summary(settings: &Settings) -> String {
    // Where to ask is no matter of what the guard does.
    let Settings { mode, platform, rules, actors, components, lawful, waivers, contact: _ } = settings;
    let identities = |who: &Matchers| who.users.len() + who.groups.len() + who.credential_ids.len();
    let platform = platform.map_or("no platform", |platform| platform.as_str());
    let counts = [
        (waivers.len(), "waiver", "waivers"),
        (rules.len(), "rule with a mode of its own", "rules with a mode of their own"),
        (identities(&actors.platform), "identity of the platform", "identities of the platform"),
        (identities(&actors.people), "identity of people", "identities of people"),
        (components.len(), "component", "components"),
        (lawful.len(), "lawful object", "lawful objects"),
    ];
    // The number of waivers is always told: that there are none any more is news as well.
    let counts = counts.iter().enumerate().filter(|(place, (count, ..))| *place == 0 || *count > 0);
    let counts = counts.map(|(_, (count, one, many))| format!("{count} {}", if *count == 1 { one } else { many }));
    let ambiguous = match actors.ambiguous {
        Ambiguous::Warn => "",
        Ambiguous::Deny => ", whoever could be the platform or a person is refused what people are",
    };
    format!("mode {}, {platform}, {}{ambiguous}", mode.as_str(), counts.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::options::ManifestConfig;

    fn with(fields: &str) -> ManifestOptions {
        let text = format!("apiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\n{fields}");
        let settings = crate::config::guard(text.as_bytes()).unwrap().settings().clone();
        ManifestOptions { config: Some(ManifestConfig { text, settings }), ..ManifestOptions::default() }
    }

    #[test]
    fn the_notes_tell_mode_and_waivers_of_a_configuration() {
        let told = |fields: &str| notes(&with(fields)).join("\n");
        assert!(told("").contains("mode observe, no platform, 0 waivers;"), "{}", told(""));
        let text = include_str!("../../../deploy/guard-config.example.yaml");
        let settings = crate::config::guard(text.as_bytes()).unwrap().settings().clone();
        let all = "mode enforce, azure-local, 1 waiver, 2 rules with a mode of their own, 2 identities of the platform, \
                   1 identity of people, 1 component, 1 lawful object";
        assert_eq!(summary(&settings), all);
    }

    #[test]
    fn without_a_configuration_the_notes_say_that_the_one_in_the_cluster_stays() {
        let told = notes(&ManifestOptions::default()).join("\n");
        assert!(told.contains("an existing ConfigMap guard in aksarc-system stays as it is"), "{told}");
        assert!(told.contains("--config") && !told.contains("NetworkPolicy"), "{told}");
        let closed = ManifestOptions { pods: vec!["10.244.0.0/16".parse().unwrap()], ..ManifestOptions::default() };
        assert!(notes(&closed).last().unwrap().contains("NetworkPolicy"));
    }
}
