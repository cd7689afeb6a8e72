//! `dry-run`: what a change would do, and what the policy says of it, without doing it.

use std::path::{Path, PathBuf};

use aksarc_shared::actor::User;
use aksarc_shared::data::Platform;
use aksarc_shared::finding::Consequence;
use aksarc_shared::guard::{Preset, Settings};
use aksarc_shared::read::yaml;
use anyhow::{Context as _, anyhow, bail};
use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::client;
use crate::collect::Reader;
use crate::dry_run::call::Method;
use crate::dry_run::edit::{self, Place};
use crate::dry_run::manifest;
use crate::dry_run::render::{self, Look};
use crate::dry_run::report::{ClusterNote, Report};
use crate::dry_run::request::Verb;
use crate::dry_run::run::{self, Scope, Task};
use crate::dry_run::session::Session;
use crate::dry_run::target::Choice;
use crate::exit::{Failure, Outcome};
use crate::flags::KubeFlags;
use crate::output;
use crate::progress::Progress;
use crate::settings::{PLATFORMS, moment, read};
use crate::tool;
use crate::ui::{Ui, UiFlags};
use crate::waivers::{self, Source};

/// Arguments of `dry-run`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Args {
    /// The kubectl command to rehearse.
    #[command(subcommand)]
    pub verb: Box<Command>,
}

/// The commands that can be rehearsed, with kubectl's arguments and flags.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Rehearse `kubectl annotate`
    #[command(after_help = ANNOTATE)]
    Annotate(Metadata),
    /// Rehearse `kubectl apply`
    #[command(after_help = APPLY)]
    Apply(Apply),
    /// Rehearse `kubectl delete`
    #[command(after_help = DELETE)]
    Delete(Delete),
    /// Rehearse `kubectl label`
    #[command(after_help = LABEL)]
    Label(Metadata),
    /// Rehearse `kubectl patch`
    #[command(after_help = PATCH)]
    Patch(Patch),
    /// Rehearse `kubectl scale`
    #[command(after_help = SCALE)]
    Scale(Scale),
    /// Rehearse `kubectl taint`
    #[command(after_help = TAINT)]
    Taint(Taint),
}

/// Arguments of `label` and `annotate`.
#[derive(Clone, Debug, clap::Args)]
pub struct Metadata {
    /// TYPE NAME... or TYPE/NAME..., then KEY=VALUE to set and KEY- to remove
    #[arg(required = true, value_name = "ARGUMENT")]
    pub arguments: Vec<String>,
    /// Replace values that are there already
    #[arg(long)]
    pub overwrite: bool,
    /// Only if the object is at this version
    #[arg(long, value_name = "VERSION", default_value = "", hide_default_value = true)]
    pub resource_version: String,
    /// Name under which the server records who changed what; kubectl's own by default
    #[arg(long, value_name = "NAME")]
    pub field_manager: Option<String>,
    /// Choice.
    #[command(flatten)]
    pub choose: Choose,
    /// Files.
    #[command(flatten)]
    pub files: Files,
    /// All else.
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `taint`.
#[derive(Clone, Debug, clap::Args)]
pub struct Taint {
    /// node NAME..., then KEY=VALUE:EFFECT to set and KEY:EFFECT- or KEY- to remove
    #[arg(required = true, value_name = "ARGUMENT")]
    pub arguments: Vec<String>,
    /// Replace taints that are there already
    #[arg(long)]
    pub overwrite: bool,
    /// All nodes
    #[arg(long)]
    pub all: bool,
    /// Nodes with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "", hide_default_value = true)]
    pub selector: String,
    /// Name under which the server records who changed what
    #[arg(long, value_name = "NAME", default_value = "kubectl-taint")]
    pub field_manager: String,
    /// All else.
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `patch`.
#[derive(Clone, Debug, clap::Args)]
pub struct Patch {
    /// TYPE NAME or TYPE/NAME
    #[arg(value_name = "ARGUMENT")]
    pub arguments: Vec<String>,
    /// The patch, JSON or YAML
    #[arg(short, long, value_name = "PATCH", required_unless_present = "patch_file", conflicts_with = "patch_file")]
    pub patch: Option<String>,
    /// A file with the patch
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub patch_file: Option<PathBuf>,
    /// How to read the patch
    #[arg(long = "type", value_name = "TYPE", default_value = "strategic", ignore_case = true)]
    pub patch_type: PatchType,
    /// Patch a subresource, such as status or scale
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub subresource: String,
    /// Name under which the server records who changed what
    #[arg(long, value_name = "NAME", default_value = "kubectl-patch")]
    pub field_manager: String,
    /// Files.
    #[command(flatten)]
    pub files: Files,
    /// All else.
    #[command(flatten)]
    pub common: Common,
}

/// How to read a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PatchType {
    /// A list of operations (RFC 6902)
    Json,
    /// A JSON merge patch (RFC 7386)
    Merge,
    /// Kubernetes' strategic merge patch
    Strategic,
}

/// Arguments of `scale`.
#[derive(Clone, Debug, clap::Args)]
pub struct Scale {
    /// TYPE NAME or TYPE/NAME
    #[arg(value_name = "ARGUMENT")]
    pub arguments: Vec<String>,
    /// How many replicas there shall be
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(..=2_147_483_647))]
    pub replicas: u32,
    /// Only if there are this many now; -1 for no condition
    #[arg(long, value_name = "COUNT", default_value_t = -1, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..=2_147_483_647))]
    pub current_replicas: i64,
    /// Only if the object is at this version
    #[arg(long, value_name = "VERSION", default_value = "", hide_default_value = true)]
    pub resource_version: String,
    /// All of the type in the namespace
    #[arg(long)]
    pub all: bool,
    /// Objects with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "", hide_default_value = true)]
    pub selector: String,
    /// Files.
    #[command(flatten)]
    pub files: Files,
    /// All else.
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `delete`.
#[derive(Clone, Debug, clap::Args)]
pub struct Delete {
    /// TYPE NAME... or TYPE/NAME...
    #[arg(value_name = "ARGUMENT")]
    pub arguments: Vec<String>,
    /// What becomes of dependents: background, orphan or foreground
    #[arg(long, value_name = "HOW", default_value = "background", num_args = 0..=1, require_equals = true, default_missing_value = "background", value_parser = ["background", "orphan", "foreground", "true", "false"])]
    pub cascade: String,
    /// Seconds the object has to end; negative for its own
    #[arg(long, value_name = "SECONDS", default_value_t = -1, allow_negative_numbers = true)]
    pub grace_period: i64,
    /// As --grace-period=1
    #[arg(long)]
    pub now: bool,
    /// Remove without waiting for it to end
    #[arg(long)]
    pub force: bool,
    /// Pass over what is not there; the default with --all and selectors
    #[arg(long)]
    pub ignore_not_found: bool,
    /// Accepted for habit's sake: a rehearsal never waits
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub wait: Option<bool>,
    /// Choice.
    #[command(flatten)]
    pub choose: Choose,
    /// Files.
    #[command(flatten)]
    pub files: Files,
    /// All else.
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `apply`.
#[derive(Clone, Debug, clap::Args)]
pub struct Apply {
    /// Let the server merge
    #[arg(long)]
    pub server_side: bool,
    /// Take over fields of other managers
    #[arg(long, requires = "server_side")]
    pub force_conflicts: bool,
    /// Name under which the server records who changed what; kubectl's own by default
    #[arg(long, value_name = "NAME")]
    pub field_manager: Option<String>,
    /// Manifests: a file, a directory, or - for stdin; repeat for several
    #[arg(short, long, value_name = "FILE|DIR|-", required = true, value_hint = clap::ValueHint::AnyPath)]
    pub filename: Vec<String>,
    /// Read directories all the way down
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// All else.
    #[command(flatten)]
    pub common: Common,
}

/// Choosing objects by other means than a name.
#[derive(Clone, Debug, clap::Args)]
pub struct Choose {
    /// All of the type in the namespace
    #[arg(long)]
    pub all: bool,
    /// Objects with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "", hide_default_value = true)]
    pub selector: String,
    /// Objects with these fields
    #[arg(long, value_name = "SELECTOR", default_value = "", hide_default_value = true)]
    pub field_selector: String,
    /// In all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
}

/// Choosing objects by manifests.
#[derive(Clone, Debug, clap::Args)]
pub struct Files {
    /// Objects by manifest: a file, a directory, or - for stdin; repeat for several
    #[arg(short, long, value_name = "FILE|DIR|-", value_hint = clap::ValueHint::AnyPath)]
    pub filename: Vec<String>,
    /// Read directories all the way down
    #[arg(short = 'R', long)]
    pub recursive: bool,
}

/// Flags of every command.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
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
    pub output: Format,
    /// Write the result to a file instead of stdout
    #[arg(long, value_name = "FILE", env = "KUBECTL_AKSARC_OUTPUT_FILE", value_hint = clap::ValueHint::FilePath)]
    pub output_file: Option<PathBuf>,
    /// Write exit code and outcome to a file as JSON: kubectl on Windows turns every plugin's exit code into 1
    #[arg(long, value_name = "FILE", env = "KUBECTL_AKSARC_STATUS_FILE", value_hint = clap::ValueHint::FilePath)]
    pub status_file: Option<PathBuf>,
    /// Accepted for habit's sake: it is always server
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "server", value_parser = ["server"])]
    pub dry_run: Option<String>,
    /// Judging.
    #[command(flatten)]
    pub judging: Judging,
    /// Display.
    #[command(flatten)]
    pub ui: UiFlags,
    /// Cluster.
    #[command(flatten)]
    pub kube: KubeFlags,
}

/// What is judged by.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Judging")]
pub struct Judging {
    /// Configuration of the real guard (kind GuardConfig); otherwise the enforce preset is assumed
    #[arg(long, value_name = "FILE", env = "KUBECTL_AKSARC_GUARD_CONFIG", value_hint = clap::ValueHint::FilePath)]
    pub guard_config: Option<PathBuf>,
    /// Platform of the cluster; without it a finding counts as the lightest that any platform makes of it
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = PLATFORMS, env = "KUBECTL_AKSARC_PLATFORM")]
    pub platform: String,
    /// Judge as of this day (2026-12-31, at midnight UTC) or moment (RFC 3339) instead of now
    #[arg(long, value_name = "DATE", value_parser = moment, env = "KUBECTL_AKSARC_AS_OF")]
    pub as_of: Option<Timestamp>,
    /// Fail with exit code 4 on findings of this weight or heavier
    #[arg(long, value_name = "WEIGHT", default_value = "voids", value_parser = ["voids", "at-risk", "not-covered", "info"], env = "KUBECTL_AKSARC_FAIL_ON")]
    pub fail_on: String,
    /// Waivers: a file, or cluster for the SupportWaivers of the cluster; none for none, also against the environment
    #[arg(long, value_name = "FILE|cluster|none", env = "KUBECTL_AKSARC_WAIVERS", value_hint = clap::ValueHint::FilePath)]
    pub waivers: Option<String>,
}

/// How the result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// DryRunReport, versioned
    Json,
    /// As json
    Yaml,
    /// The objects, one per line
    Name,
}

/// Runs `dry-run`.
///
/// # Errors
/// [`Failure`] when there is no result.
pub async fn run(args: Args, ui: &mut Ui) -> Outcome {
    let common = args.verb.common().clone();
    ui.apply(&common.ui);
    let result = rehearse(&args, &common, ui).await;
    if let Some(path) = &common.status_file {
        status(path, result.as_ref())?;
    }
    Ok(result?.exit_code)
}

/// Writes what `--status-file` holds.
///
/// # Errors
/// [`Failure`] when the file cannot be written.
pub fn status(path: &Path, result: Result<&Report, &Failure>) -> Result<(), Failure> {
    let (code, support, error) = match result {
        Ok(report) => (report.exit_code, Some(report.support), String::new()),
        Err(failure) => (failure.code, None, failure.to_string()),
    };
    let status = json!({
        "apiVersion": "aksarc.dev/v1alpha1", "kind": "DryRunStatus", "exitCode": code, "support": support, "error": error,
    });
    output::write(path, format!("{status}\n").as_bytes())
}

async fn rehearse(args: &Args, common: &Common, ui: &Ui) -> Result<Report, Failure> {
    // What is wrong with the arguments is said before anything is sent.
    let given = args.verb.given().map_err(Failure::input)?;
    let (mut settings, guard_config) = common.judging.settings(ui).map_err(Failure::input)?;
    if let Some(platform) = Platform::parse(&common.judging.platform) {
        settings.platform = Some(platform);
    }
    let connection = client::connect(&common.kube).await?;
    if Source::of(common.judging.waivers.as_deref()) == Source::Cluster {
        let limit = common.kube.request_timeout.duration();
        let reader = Reader::new(connection.clone(), WAIVERS_PER_PAGE, limit, limit, Progress::new(ui));
        let (found, unreadable) = waivers::from_cluster(&reader, ui).await?;
        waivers::warn_of_unreadable(&unreadable, ui);
        let found = waivers::valid_beside(&settings.waivers, found, ui);
        settings.waivers.extend(found);
    }
    let task = Task {
        verb: given.verb,
        words: given.words,
        choice: given.choice,
        manifests: given.manifests,
        scope: match (given.all_namespaces, &common.namespace) {
            (true, _) => Scope::All,
            (false, Some(_)) => Scope::Given,
            (false, None) => Scope::Context,
        },
        namespace: common.namespace.clone().unwrap_or(connection.namespace),
        ignore_not_found: given.ignore_not_found,
        settings,
        guard_config,
        now: common.judging.as_of.unwrap_or_else(Timestamp::now),
        fail_on: Consequence::parse(&common.judging.fail_on).unwrap_or(Consequence::Voids),
        fallback: User { name: connection.user, groups: common.kube.as_group.clone(), ..User::default() },
        cluster: ClusterNote { context: connection.context, server: connection.server },
        tool: tool::identity(),
    };
    let session = Session::new(connection.client, common.kube.request_timeout.duration());
    let report = run::run(&session, &task).await?;
    let text = printed(&report, common.output, ui)?;
    match &common.output_file {
        Some(path) => output::write(path, anstream::adapter::strip_str(&text).to_string().as_bytes())?,
        None => ui.print(&text)?,
    }
    Ok(report)
}

fn printed(report: &Report, format: Format, ui: &Ui) -> Result<String, Failure> {
    Ok(match format {
        Format::Table => render::table(report, Look { ascii: ui.ascii }),
        Format::Json => format!("{}\n", serde_json::to_string_pretty(report).map_err(Failure::run)?),
        Format::Yaml => serde_saphyr::to_string(report).map_err(Failure::run)?,
        Format::Name => render::names(report),
    })
}

/// What a command line says, read.
struct Given {
    verb: Verb,
    words: Vec<String>,
    choice: Choice,
    manifests: Vec<manifest::Manifest>,
    all_namespaces: bool,
    ignore_not_found: bool,
}

impl Given {
    fn of(verb: Verb, words: &[String]) -> Self {
        Given {
            verb,
            words: words.to_vec(),
            choice: Choice::default(),
            manifests: Vec::new(),
            all_namespaces: false,
            ignore_not_found: false,
        }
    }

    fn chosen(mut self, choose: &Choose) -> Self {
        self.choice = Choice {
            all: choose.all,
            selector: choose.selector.clone(),
            field_selector: choose.field_selector.clone(),
        };
        self.all_namespaces = choose.all_namespaces;
        self
    }

    fn from(mut self, files: &[String], recursive: bool) -> anyhow::Result<Self> {
        if !files.is_empty() {
            self.manifests = manifest::read(files, recursive)?;
        }
        Ok(self)
    }
}

impl Command {
    /// The flags that every command has.
    pub fn common(&self) -> &Common {
        match self {
            Command::Annotate(args) | Command::Label(args) => &args.common,
            Command::Apply(args) => &args.common,
            Command::Delete(args) => &args.common,
            Command::Patch(args) => &args.common,
            Command::Scale(args) => &args.common,
            Command::Taint(args) => &args.common,
        }
    }

    fn given(&self) -> anyhow::Result<Given> {
        match self {
            Command::Annotate(args) => metadata(args, Place::Annotations),
            Command::Label(args) => metadata(args, Place::Labels),
            Command::Taint(args) => taint(args),
            Command::Patch(args) => patch(args),
            Command::Scale(args) => scale(args),
            Command::Delete(args) => delete(args),
            Command::Apply(args) => {
                let own = if args.server_side { "kubectl" } else { "kubectl-client-side-apply" };
                let verb = Verb::Apply {
                    server_side: args.server_side,
                    force_conflicts: args.force_conflicts,
                    manager: args.field_manager.clone().unwrap_or_else(|| own.to_owned()),
                };
                Given::of(verb, &[]).from(&args.filename, args.recursive)
            }
        }
    }
}

fn metadata(args: &Metadata, place: Place) -> anyhow::Result<Given> {
    let (what, own) = match place {
        Place::Annotations => ("annotation", "kubectl-annotate"),
        Place::Labels => ("label", "kubectl-label"),
    };
    let (words, edits) =
        edit::split_arguments(&args.arguments, what, edit::is_pair).map_err(|message| anyhow!(message))?;
    let verb = Verb::Metadata {
        place,
        pairs: edit::pairs(place, edits).map_err(|message| anyhow!(message))?,
        overwrite: args.overwrite,
        resource_version: args.resource_version.clone(),
        manager: args.field_manager.clone().unwrap_or_else(|| own.to_owned()),
    };
    Given::of(verb, words).chosen(&args.choose).from(&args.files.filename, args.files.recursive)
}

fn taint(args: &Taint) -> anyhow::Result<Given> {
    let (words, edits) =
        edit::split_arguments(&args.arguments, "taint", edit::is_taint).map_err(|message| anyhow!(message))?;
    let verb = Verb::Taint {
        taints: edit::taints(edits).map_err(|message| anyhow!(message))?,
        overwrite: args.overwrite,
        manager: args.field_manager.clone(),
    };
    let mut given = Given::of(verb, words);
    given.choice = Choice { all: args.all, selector: args.selector.clone(), field_selector: String::new() };
    Ok(given)
}

fn patch(args: &Patch) -> anyhow::Result<Given> {
    let text = match (&args.patch, &args.patch_file) {
        (Some(text), _) => text.clone(),
        (None, Some(path)) => read(path)?,
        (None, None) => bail!("--patch or --patch-file is needed"),
    };
    let body = match text.trim_start() {
        // A JSON Patch is a list, which is no document of a manifest.
        list if list.starts_with('[') => serde_json::from_str(list).context("the patch is no JSON")?,
        _ => yaml::parse::<Value>(&text).context("the patch is neither JSON nor YAML")?,
    };
    let method = match args.patch_type {
        PatchType::Json => Method::PatchJson,
        PatchType::Merge => Method::PatchMerge,
        PatchType::Strategic => Method::PatchStrategic,
    };
    if body.is_array() != (method == Method::PatchJson) {
        bail!("a patch of --type json is a list of operations, and one of any other type is an object");
    }
    let verb =
        Verb::Patch { method, patch: body, subresource: args.subresource.clone(), manager: args.field_manager.clone() };
    Given::of(verb, &args.arguments).from(&args.files.filename, args.files.recursive)
}

fn scale(args: &Scale) -> anyhow::Result<Given> {
    let verb = Verb::Scale {
        replicas: args.replicas,
        current: u32::try_from(args.current_replicas).ok(),
        resource_version: args.resource_version.clone(),
    };
    let mut given = Given::of(verb, &args.arguments);
    given.choice = Choice { all: args.all, selector: args.selector.clone(), field_selector: String::new() };
    given.from(&args.files.filename, args.files.recursive)
}

fn delete(args: &Delete) -> anyhow::Result<Given> {
    if args.now && args.grace_period != -1 {
        bail!("--now and --grace-period cannot be specified together");
    }
    if args.force && args.grace_period > 0 {
        bail!("--force and --grace-period greater than 0 cannot be specified together");
    }
    // As kubectl: a grace period of 0 is 1 unless forced, and forced is 0 unless told otherwise.
    let grace_period = match (args.grace_period, args.now, args.force) {
        (_, true, _) | (0, _, false) => Some(1),
        (given, _, true) if given <= 0 => Some(0),
        (given, ..) if given < 0 => None,
        (given, ..) => Some(given),
    };
    let propagation = match args.cascade.as_str() {
        "orphan" | "false" => "Orphan",
        "foreground" => "Foreground",
        _ => "Background",
    };
    let verb = Verb::Delete { propagation: propagation.to_owned(), grace_period };
    let mut given = Given::of(verb, &args.arguments).chosen(&args.choose);
    given.ignore_not_found = args.ignore_not_found || given.choice.is_list();
    given.from(&args.files.filename, args.files.recursive)
}

impl Judging {
    /// The guard's settings, and whether they are a real guard's.
    fn settings(&self, ui: &Ui) -> anyhow::Result<(Settings, bool)> {
        let mut settings = match &self.guard_config {
            Some(path) => guard_config(&read(path)?).with_context(|| format!("cannot use {}", path.display()))?,
            None => Settings { mode: Preset::Enforce, ..Settings::default() },
        };
        if let Source::File(path) = Source::of(self.waivers.as_deref()) {
            let found = waivers::from_file(path)?.into_iter().map(|entry| entry.waiver).collect();
            let found = waivers::valid_beside(&settings.waivers, found, ui);
            settings.waivers.extend(found);
        }
        Ok((settings, self.guard_config.is_some()))
    }
}

/// The settings of a guard's configuration file.
fn guard_config(text: &str) -> anyhow::Result<Settings> {
    let mut document: Value = yaml::parse(text)?;
    let Some(fields) = document.as_object_mut() else { bail!("it is no GuardConfig") };
    for (key, expected) in [("apiVersion", "aksarc.dev/v1alpha1"), ("kind", "GuardConfig")] {
        let found = fields.remove(key);
        if found.as_ref().and_then(Value::as_str) != Some(expected) {
            bail!("{key} has to be {expected}");
        }
    }
    Ok(serde_json::from_value(document)?)
}

/// As many as a check reads at once.
const WAIVERS_PER_PAGE: usize = 500;

const EXAMPLES: &str = "\
Examples:
  # Would this label be let through, and would it void support?
  kubectl aksarc dry-run label node moc-l7x2 node.kubernetes.io/instance-type=edge-big --overwrite

  # The manifests of a directory, judged as the guard in use would judge them
  kubectl aksarc dry-run apply -f deploy/ -R --guard-config guard.yaml

  # As somebody else, for a pipeline
  kubectl aksarc dry-run delete deploy/coredns -n kube-system --as alice -o json";

const ANNOTATE: &str = "\
Examples:
  kubectl aksarc dry-run annotate node moc-l7x2 contoso.com/owner=ops
  kubectl aksarc dry-run annotate ns kube-system example.com/note- --overwrite";

const APPLY: &str = "\
Examples:
  kubectl aksarc dry-run apply -f app.yaml
  kubectl aksarc dry-run apply -f deploy/ -R --server-side
  kustomize build . | kubectl aksarc dry-run apply -f -";

const DELETE: &str = "\
Examples:
  kubectl aksarc dry-run delete node moc-l7x2
  kubectl aksarc dry-run delete deploy -n kube-system -l k8s-app=kube-dns
  kubectl aksarc dry-run delete -f app.yaml --cascade=orphan";

const LABEL: &str = "\
Examples:
  kubectl aksarc dry-run label node moc-l7x2 contoso.com/size=edge
  kubectl aksarc dry-run label nodes -l kubernetes.io/os=linux site=bonn --overwrite
  kubectl aksarc dry-run label node/moc-l7x2 site-";

const PATCH: &str = "\
Examples:
  kubectl aksarc dry-run patch node moc-l7x2 -p '{\"spec\":{\"unschedulable\":true}}'
  kubectl aksarc dry-run patch deploy/coredns -n kube-system --type json -p '[{\"op\":\"remove\",\"path\":\"/spec/template/spec/affinity\"}]'
  kubectl aksarc dry-run patch node moc-l7x2 --subresource status --type merge --patch-file labels.yaml";

const SCALE: &str = "\
Examples:
  kubectl aksarc dry-run scale deploy/coredns -n kube-system --replicas=0
  kubectl aksarc dry-run scale statefulset web --current-replicas=2 --replicas=3";

const TAINT: &str = "\
Examples:
  kubectl aksarc dry-run taint node moc-l7x2 dedicated=gpu:NoSchedule
  kubectl aksarc dry-run taint nodes -l pool=a dedicated-";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        args: Args,
    }

    fn given(line: &[&str]) -> anyhow::Result<Given> {
        let words = std::iter::once("program").chain(line.iter().copied());
        Program::try_parse_from(words)?.args.verb.given()
    }

    #[test]
    fn the_flags_are_sound() {
        use clap::CommandFactory as _;
        Program::command().debug_assert();
    }

    #[test]
    fn each_verb_has_kubectls_field_manager() {
        let manager = |line: &[&str]| given(line).unwrap().verb.manager().to_owned();
        assert_eq!(manager(&["label", "node", "a", "b=c"]), "kubectl-label");
        assert_eq!(manager(&["annotate", "node", "a", "b=c"]), "kubectl-annotate");
        assert_eq!(manager(&["annotate", "node", "a", "b=c", "--field-manager", "own"]), "own");
        assert_eq!(manager(&["taint", "node", "a", "b:NoExecute"]), "kubectl-taint");
        assert_eq!(manager(&["patch", "node", "a", "-p", "{}"]), "kubectl-patch");
        assert_eq!(manager(&["scale", "deploy/a", "--replicas=0"]), "");
        assert_eq!(manager(&["delete", "node", "a"]), "");
        assert_eq!(manager(&["delete", "node", "a", "--dry-run=server"]), "");
    }

    #[test]
    fn a_delete_ends_objects_as_kubectl_would() {
        let grace = |flags: &[&str]| {
            let line: Vec<&str> = ["delete", "pod", "a"].iter().chain(flags).copied().collect();
            match given(&line).unwrap().verb {
                Verb::Delete { grace_period, propagation } => (grace_period, propagation),
                _ => (None, String::new()),
            }
        };
        let background = |seconds| (seconds, "Background".to_owned());
        assert_eq!(grace(&[]), background(None));
        assert_eq!(grace(&["--grace-period=0"]), background(Some(1)));
        assert_eq!(grace(&["--force"]), background(Some(0)));
        assert_eq!(grace(&["--now"]), background(Some(1)));
        assert_eq!(grace(&["--grace-period", "30", "--cascade=orphan"]), (Some(30), "Orphan".to_owned()));
        assert_eq!(grace(&["--cascade"]), background(None));
        assert!(given(&["delete", "pod", "a", "--now", "--grace-period=3"]).is_err());
        assert!(given(&["delete", "pod", "a", "--force", "--grace-period=3"]).is_err());
    }

    #[test]
    fn patches_are_yaml_or_json_and_fit_their_type() {
        let patch = |body: &str, kind: &str| given(&["patch", "node", "a", "-p", body, "--type", kind]);
        assert!(matches!(
            patch("spec:\n  unschedulable: true", "strategic").unwrap().verb,
            Verb::Patch { method: Method::PatchStrategic, .. }
        ));
        assert!(patch("[{\"op\":\"remove\",\"path\":\"/a\"}]", "JSON").is_ok());
        assert!(patch("[]", "merge").is_err() && patch("{}", "json").is_err() && patch("[", "json").is_err());
        assert!(given(&["patch", "node", "a"]).is_err());
    }

    #[test]
    fn what_kubectl_refuses_at_once_is_refused_before_anything_is_sent() {
        for line in [
            &["label", "node", "a"][..],
            &["label", "node", "a=b", "c"],
            &["taint", "node", "a", "b"],
            &["scale", "deploy/a"],
            &["apply"],
        ] {
            assert!(given(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn a_guards_configuration_is_read_as_the_guard_reads_it() {
        let head = "apiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\n";
        let settings = guard_config(&format!("{head}mode: warn\nplatform: azure-local\n")).unwrap();
        assert_eq!((settings.mode, settings.platform), (Preset::Warn, Some(Platform::AzureLocal)));
        assert_eq!(guard_config(head).unwrap().mode, Preset::Observe);
        assert!(guard_config(&format!("{head}mood: warn\n")).is_err());
        assert!(guard_config("kind: GuardConfig\n").is_err() && guard_config("[]").is_err());
    }

    #[test]
    fn days_and_moments_are_read() {
        assert_eq!(moment("2026-12-31").unwrap().to_string(), "2026-12-31T00:00:00Z");
        assert!(moment("2026-12-31T01:02:03Z").is_ok() && moment("tomorrow").is_err());
    }
}
