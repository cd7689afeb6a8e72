//! The flags that several verbs share, and the settings made from them.

use std::path::{Path, PathBuf};

use aksarc_shared::data::Platform;
use aksarc_shared::verdict::guard::{GuardConfig, GuardConfigError, Preset, Settings};
use anyhow::Context as _;
use jiff::Timestamp;

use crate::cli::flags::KubeFlags;
use crate::dry_run::plan::GuardSource;
use crate::dry_run::request::FieldValidation;
use crate::dry_run::target::Choice;
use crate::input::documents::Depth;
use crate::input::manifests::{self, Given, Manifest};
use crate::input::settings::{self, PLATFORMS, moment, read};
use crate::input::waivers::{self, WaiverSource};
use crate::screen::fixes::ShellFlag;
use crate::screen::format::PlanFormat;
use crate::screen::ui::{Ui, UiFlags};
use crate::screen::waivers::keep_valid;

/// The flags of every verb.
#[derive(Clone, Debug, clap::Args)]
pub struct CommonFlags {
    /// Namespace
    #[arg(
        short,
        long,
        value_name = "NAME",
        env = "KUBECTL_AKSARC_NAMESPACE",
        help_heading = "Cluster (as in kubectl)"
    )]
    pub namespace: Option<String>,
    /// Format of the result
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: PlanFormat,
    /// Write the result to a file instead of stdout
    #[arg(long, value_name = "FILE", value_parser = settings::file_or_nothing, env = "KUBECTL_AKSARC_OUTPUT_FILE", value_hint = clap::ValueHint::FilePath)]
    pub output_file: Option<PathBuf>,
    /// Shell that commands are printed for; by default the one that the system suggests
    #[arg(long, value_name = "SHELL", env = "KUBECTL_AKSARC_SHELL")]
    pub shell: Option<ShellFlag>,
    /// Write exit code and outcome to a file as JSON: kubectl on Windows turns every plugin's exit code into 1
    #[arg(long, value_name = "FILE", value_parser = settings::file_not_stdout, env = "KUBECTL_AKSARC_STATUS_FILE", value_hint = clap::ValueHint::FilePath)]
    pub status_file: Option<PathBuf>,
    /// Accepted for compatibility; the value is always server
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "server", value_parser = ["server"])]
    pub dry_run: Option<String>,
    /// Judging.
    #[command(flatten)]
    pub judging: JudgingFlags,
    /// Display.
    #[command(flatten)]
    pub ui: UiFlags,
    /// Cluster.
    #[command(flatten)]
    pub kube: KubeFlags,
}

/// A selection of all objects of a type, or of those with some labels.
#[derive(Clone, Debug, clap::Args)]
pub struct SelectionFlags {
    /// All objects of the type in the namespace
    #[arg(long)]
    pub all: bool,
    /// Objects with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "", hide_default_value = true)]
    pub selector: String,
}

/// The flags that choose objects by other means than a name.
#[derive(Clone, Debug, clap::Args)]
pub struct ChoiceFlags {
    /// Selection.
    #[command(flatten)]
    pub selection: SelectionFlags,
    /// Objects with these fields
    #[arg(long, value_name = "SELECTOR", default_value = "", hide_default_value = true)]
    pub field_selector: String,
    /// Objects in all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
}

/// Objects by manifest.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct FileFlags {
    /// Objects by manifest: a file, a directory, or - for stdin; repeat for several
    #[arg(short, long, value_name = "FILE|DIR|-", value_delimiter = ',', value_hint = clap::ValueHint::AnyPath)]
    pub filename: Vec<PathBuf>,
    /// Objects by the manifests that kubectl builds of a directory with a kustomization
    #[arg(short, long, value_name = "DIR", conflicts_with_all = ["filename", "recursive"], value_hint = clap::ValueHint::DirPath)]
    pub kustomize: Option<PathBuf>,
    /// Read subdirectories too
    #[arg(short = 'R', long)]
    pub recursive: bool,
}

/// The name that the server records for a change.
#[derive(Clone, Debug, clap::Args)]
pub struct ManagerFlag {
    /// Field manager that the server records for the change; kubectl's own by default
    #[arg(long, value_name = "NAME")]
    pub field_manager: Option<String>,
}

/// What the server does with fields that it does not know.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct ValidationFlag {
    /// What the server does with fields that it does not know
    #[arg(long, value_name = "HOW", default_value = "strict", num_args = 0..=1, require_equals = true, default_missing_value = "strict")]
    pub validate: FieldValidation,
}

/// The version that an object has to be at.
#[derive(Clone, Debug, clap::Args)]
pub struct VersionFlag {
    /// Make the change only if the object has this version
    #[arg(long, value_name = "VERSION", default_value = "", hide_default_value = true)]
    pub resource_version: String,
}

/// The flags that influence the judgement.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Judging")]
pub struct JudgingFlags {
    /// Configuration of the real guard (kind GuardConfig); otherwise the enforce preset is assumed
    #[arg(long, value_name = "FILE", env = "KUBECTL_AKSARC_GUARD_CONFIG", value_hint = clap::ValueHint::FilePath)]
    pub guard_config: Option<PathBuf>,
    /// Platform of the cluster; without it a finding has the lightest consequence that it has on any platform but bare
    /// metal
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = PLATFORMS, env = "KUBECTL_AKSARC_PLATFORM")]
    pub platform: String,
    /// Judge as of this day (2026-12-31, at midnight UTC) or moment (RFC 3339) instead of now
    #[arg(long, value_name = "DATE", value_parser = moment, env = "KUBECTL_AKSARC_AS_OF")]
    pub as_of: Option<Timestamp>,
    /// Fail with exit code 4 on findings of this weight or heavier; what voids support fails with 3 in any case
    #[arg(long, value_name = "WEIGHT", default_value = "voids", value_parser = ["voids", "at-risk", "not-covered", "info"], env = "KUBECTL_AKSARC_FAIL_ON")]
    pub fail_on: String,
    /// Waivers: a file, or cluster for the SupportWaivers of the cluster; none for none, which overrides the
    /// environment
    #[arg(long, value_name = "FILE|cluster|none", env = "KUBECTL_AKSARC_WAIVERS", value_hint = clap::ValueHint::FilePath)]
    pub waivers: Option<String>,
}

impl SelectionFlags {
    pub(super) fn choice(&self) -> Choice {
        Choice { all: self.all, selector: self.selector.clone(), field_selector: String::new() }
    }
}

impl ChoiceFlags {
    pub(super) fn choice(&self) -> Choice {
        Choice { field_selector: self.field_selector.clone(), ..self.selection.choice() }
    }
}

impl FileFlags {
    /// The manifests of the files; none where no file is given.
    pub(super) fn read(&self) -> anyhow::Result<Vec<Manifest>> {
        let depth = if self.recursive { Depth::Recursive } else { Depth::Flat };
        manifests::read(Given::of(&self.filename, depth, self.kustomize.as_deref()))
    }
}

impl ManagerFlag {
    /// The given name, or else kubectl's own for the verb.
    pub(super) fn or(&self, own: &str) -> String {
        self.field_manager.clone().unwrap_or_else(|| own.to_owned())
    }
}

impl JudgingFlags {
    /// The guard's settings, and their source.
    pub(super) fn settings(&self, ui: &Ui) -> anyhow::Result<(Settings, GuardSource)> {
        let (mut settings, source) = match &self.guard_config {
            Some(path) => (guard_config(path).context("--guard-config")?, GuardSource::GuardConfig),
            None => (Settings { mode: Preset::Enforce, ..Settings::default() }, GuardSource::Assumed),
        };
        if let WaiverSource::File(path) = WaiverSource::of(self.waivers.as_deref()) {
            let found = waivers::of_file(path).context("--waivers")?;
            let found = keep_valid(&settings.waivers, found, ui);
            settings.waivers.extend(found);
        }
        if let Some(platform) = Platform::parse(&self.platform) {
            settings.platform = Some(platform);
        }
        Ok((settings, source))
    }
}

/// The settings of a guard's configuration file.
///
/// # Errors
/// It cannot be read, or is of another kind.
pub(crate) fn guard_config(path: &Path) -> anyhow::Result<Settings> {
    guard_settings(&read(path)?).with_context(|| format!("cannot use {}", path.display()))
}

fn guard_settings(text: &str) -> Result<Settings, GuardConfigError> {
    Ok(GuardConfig::read(text.as_bytes())?.settings())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guards_configuration_is_read_as_the_guard_reads_it() {
        let head = "apiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\n";
        let settings = guard_settings(&format!("{head}mode: warn\nplatform: azure-local\n")).unwrap();
        assert_eq!((settings.mode, settings.platform), (Preset::Warn, Some(Platform::AzureLocal)));
        assert_eq!(guard_settings(head).unwrap().mode, Preset::Observe);
        let refusal = |text: &str| guard_settings(text).unwrap_err().to_string();
        let unknown = refusal(&format!("{head}mood: warn\n"));
        assert!(unknown.contains("mood") && unknown.contains("line 3"), "{unknown}");
        assert!(refusal("kind: GuardConfig\n").contains("apiVersion"));
        assert!(refusal("apiVersion: aksarc.dev/v1alpha1\nkind: SupportWaiver\n").contains("GuardConfig"));
        let list = refusal("[]");
        assert!(list.contains("line 1"), "{list}");
    }

    #[test]
    fn days_and_moments_are_read() {
        assert_eq!(moment("2026-12-31").unwrap().to_string(), "2026-12-31T00:00:00Z");
        assert_eq!(moment("2026-12-31T01:02:03Z").unwrap().to_string(), "2026-12-31T01:02:03Z");
        assert!(moment("tomorrow").unwrap_err().contains("2026-12-31"));
    }
}
