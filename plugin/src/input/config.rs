//! The configuration file of the plugin: settings for all clusters, and for the clusters of some contexts.

mod pattern;
mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aksarc_shared::data::own::API_VERSION;
use aksarc_shared::k8s::read::json::ReadError;
use aksarc_shared::k8s::read::yaml;
use anyhow::{Context as _, anyhow};
use serde::Deserialize;

use super::settings;
use crate::formats::ReportFormat;
use crate::screen::fixes::ShellFlag;
use crate::screen::report::{GroupBy, Show};
use crate::screen::ui::Color;
use values::{Between, FilePath, HostRelease, OneOf, Platforms, TimeLimit, WaiverPlaceSetting, Weights};

/// The settings of the plugin: one YAML document, of which everything but the first two fields may be left out.
///
/// A flag counts before its variable of the environment, that before this file, and that before the built-in default. In the
/// file a context of exactly the name counts first, then patterns from the longest to the shortest, then `defaults`, for each
/// setting on its own. Paths are relative to the directory of the file.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PluginConfig {
    /// The version of this format.
    #[expect(dead_code, reason = "there is only one")]
    api_version: PluginConfigVersion,
    /// What the file is.
    #[expect(dead_code, reason = "there is only one")]
    kind: PluginConfigKind,
    /// Settings for everything that no context sets otherwise.
    #[serde(default)]
    defaults: DefaultSettings,
    /// Settings by context of the kubeconfig: its name, or a pattern with * for any characters and ? for one. They count
    /// where a cluster is read, and not for snapshots and manifests.
    #[serde(default)]
    contexts: BTreeMap<String, ContextSettings>,
}

/// The version of the format.
#[derive(Clone, Copy, Debug, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "ApiVersion")]
enum PluginConfigVersion {
    /// The only one so far.
    #[serde(rename = "aksarc.dev/v1alpha1")]
    V1Alpha1,
}

/// What the file is.
#[derive(Clone, Copy, Debug, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "Kind")]
enum PluginConfigKind {
    /// A configuration of the plugin.
    PluginConfig,
}

/// Settings for everything that no context sets otherwise, each named as its flag.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct DefaultSettings {
    /// Platform of the clusters.
    platform: Option<OneOf<Platforms>>,
    /// Release of their host: 2019 or 2022 of Windows Server, 22H2 of Azure Stack HCI, 2602 of Azure Local.
    platform_release: Option<HostRelease>,
    /// Weight from which on findings fail a run.
    fail_on: Option<OneOf<Weights>>,
    /// Waivers: a file, `cluster` for the SupportWaivers of the cluster that is read, or `none`.
    waivers: Option<WaiverPlaceSetting>,
    /// Version tables newer than the built-in ones.
    versions: Option<FilePath>,
    /// Configuration of the real guard, for dry runs.
    guard_config: Option<FilePath>,
    /// Format of reports.
    output: Option<OneOf<ReportFormat>>,
    /// The part of the report to print.
    show: Option<OneOf<Show>>,
    /// Order of the findings in the table.
    group_by: Option<OneOf<GroupBy>>,
    /// Shell that commands are printed for.
    shell: Option<OneOf<ShellFlag>>,
    /// Colours.
    color: Option<OneOf<Color>>,
    /// Print ASCII only.
    ascii: Option<bool>,
    /// No headings above the columns of lists.
    no_headers: Option<bool>,
    /// No progress line on a terminal.
    no_progress: Option<bool>,
    /// Time limit for a whole run, such as 5m; 0 for none.
    timeout: Option<TimeLimit>,
    /// Time limit for one request, such as 60s; 0 for none.
    request_timeout: Option<TimeLimit>,
    /// Objects per page.
    chunk_size: Option<Between<1, 100_000>>,
    /// Lists read at the same time.
    parallel: Option<Between<1, 32>>,
}

// What `defaults` has too is named again: serde refuses no unknown field of a type that has others flattened into it.
/// Settings for the clusters of some contexts, each named as its flag.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct ContextSettings {
    /// Platform of the cluster.
    platform: Option<OneOf<Platforms>>,
    /// Release of its host.
    platform_release: Option<HostRelease>,
    /// Weight from which on findings fail a run.
    fail_on: Option<OneOf<Weights>>,
    /// Waivers: a file, `cluster` for the SupportWaivers of the cluster, or `none`.
    waivers: Option<WaiverPlaceSetting>,
    /// Baseline of a known-good time, recorded by `baseline capture`.
    baseline: Option<FilePath>,
    /// People's answers to questions that Kubernetes cannot answer.
    attest: Option<FilePath>,
    /// Version tables newer than the built-in ones.
    versions: Option<FilePath>,
    /// Configuration of the real guard, for dry runs.
    guard_config: Option<FilePath>,
    /// Time limit for a whole run, such as 5m; 0 for none.
    timeout: Option<TimeLimit>,
    /// Time limit for one request, such as 60s; 0 for none.
    request_timeout: Option<TimeLimit>,
}

/// Values by the long names of their flags.
type Values = Vec<(&'static str, Option<String>)>;

/// The configuration file that a command line leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SettingsFile {
    /// None, by `--config none`.
    None,
    /// One that was named, and has to be there.
    Named(PathBuf),
    /// The one of the user, which need not be there.
    Usual(PathBuf),
}

/// A value that the configuration file gives to a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GivenSetting {
    /// The long name of the flag.
    pub(crate) flag: &'static str,
    /// The value, as it would be typed.
    pub(crate) value: String,
    /// The part of the file that gives it: `defaults` or `contexts.NAME`.
    pub(crate) entry: String,
}

/// The cluster that settings are wanted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SettingSubject {
    /// The cluster of a context, by its name; empty where no context is selected.
    Context(String),
    /// No cluster: a snapshot or manifests.
    Files,
}

impl SettingsFile {
    /// The file that `--config` or its variable names.
    pub(crate) fn of(given: Option<&Path>) -> Self {
        match given {
            Some(path) if path.as_os_str() == NONE => SettingsFile::None,
            Some(path) => SettingsFile::Named(path.to_owned()),
            None => usual().map_or(SettingsFile::None, SettingsFile::Usual),
        }
    }

    /// The path of the file, whether or not it is there.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            SettingsFile::None => None,
            SettingsFile::Named(path) | SettingsFile::Usual(path) => Some(path),
        }
    }

    /// The settings of the file; `None` where there is no file and none has to be.
    ///
    /// # Errors
    /// The file is missing although it was named, cannot be read, or is no configuration; line and column are given.
    pub(crate) fn read(&self) -> anyhow::Result<Option<PluginConfig>> {
        let Some(path) = self.path() else { return Ok(None) };
        if matches!(self, SettingsFile::Usual(_)) && !path.exists() {
            return Ok(None);
        }
        let wrong = || format!("cannot use the configuration file {}", path.display());
        let text = settings::read(path).with_context(wrong)?;
        if text.trim().is_empty() {
            return Err(anyhow!("it is empty, and begins with apiVersion: {API_VERSION} and kind: PluginConfig")
                .context(wrong()));
        }
        yaml::parse(&text).map(Some).map_err(|error| match error {
            // The YAML may be valid and only a word be wrong.
            ReadError::Yaml(said) | ReadError::Content(said) => anyhow!(said).context(wrong()),
            other => anyhow!(other).context(wrong()),
        })
    }
}

impl PluginConfig {
    /// The values that the file gives to flags: of each flag the one that counts, with the part of the file that gives it.
    /// `directory` is that of the file.
    pub(crate) fn given(&self, subject: &SettingSubject, directory: &Path) -> Vec<GivenSetting> {
        let mut parts: Vec<(String, Values)> = Vec::new();
        if let SettingSubject::Context(name) = subject {
            for (entry, settings) in self.matching(name) {
                parts.push((format!("contexts.{entry}"), settings.values(directory)));
            }
        }
        parts.push(("defaults".to_owned(), self.defaults.values(directory)));
        let mut given: Vec<GivenSetting> = Vec::new();
        for (entry, values) in parts {
            for (flag, value) in values {
                // What is in the cluster does not concern a snapshot of it.
                let is_elsewhere = *subject == SettingSubject::Files && value.as_deref() == Some(CLUSTER);
                if let Some(value) = value.filter(|_| !is_elsewhere)
                    && given.iter().all(|known| known.flag != flag)
                {
                    given.push(GivenSetting { flag, value, entry: entry.clone() });
                }
            }
        }
        given
    }

    /// The files that the file names.
    pub(crate) fn files(&self, directory: &Path) -> Vec<GivenSetting> {
        let defaults = std::iter::once(("defaults".to_owned(), self.defaults.values(directory)));
        let contexts = self.contexts.iter().map(|(name, own)| (format!("contexts.{name}"), own.values(directory)));
        let mut files = Vec::new();
        for (entry, values) in defaults.chain(contexts) {
            let named = values.into_iter().filter(|(flag, _)| FILES.contains(flag));
            let named = named
                .filter_map(|(flag, value)| Some((flag, value.filter(|value| value != CLUSTER && value != NONE)?)));
            files.extend(named.map(|(flag, value)| GivenSetting { flag, value, entry: entry.clone() }));
        }
        files
    }

    /// The contexts and patterns of the file.
    pub(crate) fn contexts(&self) -> impl Iterator<Item = &str> {
        self.contexts.keys().map(String::as_str)
    }

    /// The entries for a context, the one that counts first.
    fn matching(&self, context: &str) -> Vec<(&str, &ContextSettings)> {
        let mut matching: Vec<_> = self
            .contexts
            .iter()
            .map(|(entry, settings)| (entry.as_str(), settings))
            .filter(|(entry, _)| is_for(entry, context))
            .collect();
        matching.sort_by_key(|(entry, _)| std::cmp::Reverse((*entry == context, pattern::literals(entry))));
        matching
    }
}

impl DefaultSettings {
    fn values(&self, directory: &Path) -> Values {
        vec![
            ("platform", text(self.platform.as_ref())),
            ("platform-release", text(self.platform_release.as_ref())),
            ("fail-on", text(self.fail_on.as_ref())),
            ("waivers", self.waivers.as_ref().map(|own| own.from(directory))),
            ("versions", self.versions.as_ref().map(|own| own.from(directory))),
            ("guard-config", self.guard_config.as_ref().map(|own| own.from(directory))),
            ("output", text(self.output.as_ref())),
            ("show", text(self.show.as_ref())),
            ("group-by", text(self.group_by.as_ref())),
            ("shell", text(self.shell.as_ref())),
            ("color", text(self.color.as_ref())),
            ("ascii", text(self.ascii.as_ref())),
            ("no-headers", text(self.no_headers.as_ref())),
            ("no-progress", text(self.no_progress.as_ref())),
            ("timeout", text(self.timeout.as_ref())),
            ("request-timeout", text(self.request_timeout.as_ref())),
            ("chunk-size", text(self.chunk_size.as_ref())),
            ("parallel", text(self.parallel.as_ref())),
        ]
    }
}

impl ContextSettings {
    fn values(&self, directory: &Path) -> Values {
        vec![
            ("platform", text(self.platform.as_ref())),
            ("platform-release", text(self.platform_release.as_ref())),
            ("fail-on", text(self.fail_on.as_ref())),
            ("waivers", self.waivers.as_ref().map(|own| own.from(directory))),
            ("baseline", self.baseline.as_ref().map(|own| own.from(directory))),
            ("attest", self.attest.as_ref().map(|own| own.from(directory))),
            ("versions", self.versions.as_ref().map(|own| own.from(directory))),
            ("guard-config", self.guard_config.as_ref().map(|own| own.from(directory))),
            ("timeout", text(self.timeout.as_ref())),
            ("request-timeout", text(self.request_timeout.as_ref())),
        ]
    }
}

/// Whether an entry of `contexts` is for the context of this name.
pub(crate) fn is_for(entry: &str, context: &str) -> bool {
    pattern::matches(entry, context)
}

fn text(value: Option<&impl ToString>) -> Option<String> {
    value.map(ToString::to_string)
}

/// The names of the flags that the file can give a value to.
pub(crate) fn flags() -> Vec<&'static str> {
    let nowhere = Path::new("");
    let mut flags: Vec<&str> = DefaultSettings::default().values(nowhere).into_iter().map(|(flag, _)| flag).collect();
    for (flag, _) in ContextSettings::default().values(nowhere) {
        if !flags.contains(&flag) {
            flags.push(flag);
        }
    }
    flags
}

/// The JSON schema of the file, for editors and pipelines.
pub fn schema() -> String {
    let schema = schemars::schema_for!(PluginConfig);
    // Maps and strings only, which always serialise.
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// The user's own file: where the system keeps configurations of users.
fn usual() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let configurations = if cfg!(windows) {
        set("APPDATA")
    } else {
        set("XDG_CONFIG_HOME").or_else(|| std::env::home_dir().map(|home| home.join(".config")))
    };
    Some(configurations?.join("kubectl-aksarc").join("config.yaml"))
}

/// The flags that name files.
const FILES: [&str; 5] = ["waivers", "baseline", "attest", "versions", "guard-config"];

/// The word by which `--config` and `--waivers` name no file at all. A file of that name is `./none`.
const NONE: &str = "none";

/// The waivers of the cluster, in the words of `--waivers`.
const CLUSTER: &str = "cluster";

#[cfg(test)]
mod tests {
    use super::*;

    fn config(rest: &str) -> PluginConfig {
        yaml::parse(&format!("{HEAD}{rest}")).unwrap()
    }

    fn refused(rest: &str) -> String {
        yaml::parse::<PluginConfig>(&format!("{HEAD}{rest}")).unwrap_err().to_string()
    }

    const HEAD: &str = "apiVersion: aksarc.dev/v1alpha1\nkind: PluginConfig\n";

    fn given(config: &PluginConfig, subject: &SettingSubject, flag: &str) -> Option<(String, String)> {
        let found = config.given(subject, Path::new("/etc/own")).into_iter().find(|own| own.flag == flag);
        found.map(|own| (own.value, own.entry))
    }

    #[test]
    fn the_nearest_entry_counts_for_each_setting_on_its_own() {
        let config = config(
            "defaults: {platform: hci-22h2, failOn: info, waivers: cluster}\ncontexts:\n  '*': {platform: windows-server, platformRelease: 2022}\n  \
             edge-*: {platform: azure-local, versions: v.yaml}\n  edge-7: {baseline: /b.json, waivers: none}\n",
        );
        let of = |context: &str, flag: &str| given(&config, &SettingSubject::Context(context.to_owned()), flag);
        let some = |value: &str, entry: &str| Some((value.to_owned(), entry.to_owned()));
        assert_eq!(of("edge-7", "baseline"), some("/b.json", "contexts.edge-7"));
        assert_eq!(of("edge-7", "waivers"), some("none", "contexts.edge-7"));
        assert_eq!(of("edge-7", "platform"), some("azure-local", "contexts.edge-*"));
        assert_eq!(of("edge-7", "platform-release"), some("2022", "contexts.*"));
        assert_eq!(of("edge-7", "fail-on"), some("info", "defaults"));
        assert_eq!(of("edge-8", "versions"), some("/etc/own/v.yaml", "contexts.edge-*"));
        assert_eq!(of("other", "platform"), some("windows-server", "contexts.*"));
        assert_eq!(of("other", "waivers"), some("cluster", "defaults"));
        assert_eq!(of("other", "baseline"), None);
        let files = |flag: &str| given(&config, &SettingSubject::Files, flag);
        assert_eq!(files("platform"), some("hci-22h2", "defaults"));
        assert_eq!(files("waivers"), None, "a snapshot has no waivers of a cluster");
    }

    #[test]
    fn unknown_words_are_named_with_their_place_and_the_nearest_known_word() {
        for (rest, words) in [
            ("defalts: {}\n", "unknown field `defalts`"),
            ("defalts: {}\n", "line 3, column 1"),
            ("defalts: {}\n", "did you mean `defaults`?"),
            ("defaults: {platfrom: auto}\n", "did you mean `platform`?"),
            ("defaults: {platform: azure-locl}\n", "did you mean azure-local?"),
            ("defaults:\n  platform: azure\n", "line 4, column 13"),
            ("defaults: {baseline: b.json}\n", "unknown field `baseline`"),
            ("contexts: {a: {output: json}}\n", "unknown field `output`"),
            ("defaults: {parallel: 33}\n", "from 1 to 32"),
            ("defaults: {chunkSize: 0}\n", "from 1 to 100000"),
            ("defaults: {timeout: soon}\n", "expected a duration such as 30s"),
            ("defaults: {platformRelease: new}\n", "expected a release such as 2022"),
            ("defaults: {versions: ~/v.yaml}\n", "~ is not expanded"),
            ("defaults: {versions: ''}\n", "a path is needed"),
            ("defaults: {waivers: '-'}\n", "standard input"),
            ("defaults: {ascii: perhaps}\n", "boolean"),
            ("defaults: {color: never, color: auto}\n", "duplicate mapping key \"color\""),
            ("contexts: {a: {}, a: {}}\n", "duplicate mapping key \"a\""),
            ("contexts: [a]\n", "line 3, column 11"),
        ] {
            let said = refused(rest);
            assert!(said.contains(words), "{rest:?}: {words:?} is not in {said}");
        }
        for (text, words) in [
            ("kind: PluginConfig\n", "missing field `apiVersion`"),
            ("apiVersion: v2\nkind: PluginConfig\n", "aksarc.dev/v1alpha1"),
            ("apiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\n", "PluginConfig"),
        ] {
            let said = yaml::parse::<PluginConfig>(text).unwrap_err().to_string();
            assert!(said.contains(words), "{text:?}: {said}");
        }
    }

    #[test]
    fn every_setting_is_a_flag_with_a_variable() {
        use clap::CommandFactory as _;
        fn has(command: &clap::Command, flag: &str) -> bool {
            let own = command.get_arguments().any(|arg| arg.get_long() == Some(flag) && arg.get_env().is_some());
            own || command.get_subcommands().any(|sub| has(sub, flag))
        }
        let command = crate::cli::args::Cli::command();
        for flag in flags() {
            assert!(has(&command, flag), "--{flag}");
        }
    }
}
