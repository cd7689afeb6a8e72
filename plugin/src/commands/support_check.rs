//! `support-check`: judges a cluster, a snapshot of one, or manifests.

mod manifests;
pub(crate) mod options;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aksarc_shared::data::own::API_VERSION;
use aksarc_shared::data::{Data, Platform, embedded};
use aksarc_shared::text;
use aksarc_shared::verdict::check::{Check, Params};
use aksarc_shared::verdict::report::v1::{CoverageV1, InputKindV1, InputV1, ReportV1};
use anyhow::Context as _;
use clap::builder::FalseyValueParser;
use jiff::Timestamp;

use super::cluster::{self, CheckSource, ClusterFlags};
use super::showing::Showing;
use crate::cli::exit::{ExitResult, Failure};
use crate::cli::tool;
use crate::collect::Reader;
use crate::input::documents::Depth;
use crate::input::manifests::Given;
use crate::input::settings;
use crate::input::waivers::{self, WaiverSource};
use crate::screen::fixes::{self, Pasting, ShellFlag};
use crate::screen::format;
use crate::screen::report::Age;
use crate::screen::ui::Ui;
use crate::screen::waivers::{warn, warn_of_unreadable};
use crate::screen::{output, status};
use crate::snapshot::{self, digest};

use manifests::ManifestsRead;
pub use options::Judging;

/// Arguments of `support-check`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Judge a snapshot instead of a cluster: a file, a directory or a .tar.gz
    #[arg(long, value_name = "PATH", conflicts_with_all = ["filename", "kustomize", "context", "server"], value_hint = clap::ValueHint::AnyPath)]
    pub snapshot: Option<PathBuf>,
    /// Judge manifests as if a person were about to create them; - reads standard input
    #[arg(short, long, value_name = "FILE|DIR|-", value_delimiter = ',', conflicts_with_all = ["context", "server"], value_hint = clap::ValueHint::AnyPath)]
    pub filename: Vec<PathBuf>,
    /// Judge the manifests that kubectl builds of a directory with a kustomization
    #[arg(short, long, value_name = "DIR", conflicts_with_all = ["filename", "context", "server"], value_hint = clap::ValueHint::DirPath)]
    pub kustomize: Option<PathBuf>,
    /// Read subdirectories of -f too
    #[arg(short = 'R', long, requires = "filename")]
    pub recursive: bool,
    /// Print only the findings in this namespace; the whole cluster is judged all the same. For manifests (-f, -k) the namespace
    /// of those without one
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Print the findings of all namespaces, as without it
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// Rules, waivers and platform.
    #[command(flatten)]
    pub judging: Judging,
    /// Output.
    #[command(flatten)]
    pub printing: Printing,
    /// Reading, display and cluster.
    #[command(flatten)]
    pub flags: ClusterFlags,
}

impl Args {
    /// Whether manifests are judged, and no cluster.
    fn of_manifests(&self) -> bool {
        !self.filename.is_empty() || self.kustomize.is_some()
    }

    /// The namespace whose findings are shown; of manifests it says where they go.
    fn shown_namespace(&self) -> Option<&str> {
        self.namespace.as_deref().filter(|_| !self.of_manifests())
    }

    /// The kind of what is judged.
    fn kind(&self) -> InputKindV1 {
        match &self.snapshot {
            Some(_) => InputKindV1::Snapshot,
            None if self.of_manifests() => InputKindV1::Manifests,
            None => InputKindV1::Cluster,
        }
    }
}

/// What is printed, and where to.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct Printing {
    /// What is shown, in which formats, and where.
    #[command(flatten)]
    pub showing: Showing,
    /// Write exit code and verdict to a file as JSON: kubectl on Windows turns every plugin's exit code into 1
    #[arg(long, value_name = "FILE", value_parser = settings::file_not_stdout, env = "KUBECTL_AKSARC_STATUS_FILE", value_hint = clap::ValueHint::FilePath)]
    pub status_file: Option<PathBuf>,
    /// Also save the report as JSON
    #[arg(long, value_name = "FILE", value_parser = settings::file_not_stdout, env = "KUBECTL_AKSARC_SAVE", value_hint = clap::ValueHint::FilePath)]
    pub save: Option<PathBuf>,
    /// Also tell what the check took, in time, memory, objects and requests: a line on stderr, or with a FILE as JSON in it
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = STDERR, env = "KUBECTL_AKSARC_STATS", value_hint = clap::ValueHint::FilePath)]
    pub stats: Option<PathBuf>,
    /// Shell that fixes are printed for; by default the one that the system suggests
    #[arg(long, value_name = "SHELL", env = "KUBECTL_AKSARC_SHELL")]
    pub shell: Option<ShellFlag>,
    /// Exit with 0 whatever the verdict; the report still contains the true code
    #[arg(long, env = "KUBECTL_AKSARC_EXIT_ZERO", value_parser = FalseyValueParser::new())]
    pub exit_zero: bool,
}

impl Printing {
    /// Refuses one file for two outputs.
    fn apart(&self) -> Result<(), Failure> {
        self.showing.apart(&[
            ("--status-file", self.status_file.as_deref()),
            ("--save", self.save.as_deref()),
            ("--stats", self.stats.as_deref().filter(|path| *path != Path::new(STDERR))),
        ])
    }
}

/// Runs `support-check`.
///
/// # Errors
/// [`Failure`] when there is no verdict.
pub async fn run(args: Args, ui: &mut Ui) -> ExitResult {
    let status_file = args.printing.status_file.clone();
    let outcome = judge(&args, ui).await;
    if let Some(path) = status_file {
        status::check(&path, outcome.as_ref())?;
    }
    let report = outcome?;
    if args.printing.exit_zero && report.exit_code != 0 {
        ui.note(&format!("note: ends with 0 instead of {} (--exit-zero)", report.exit_code));
        return Ok(0);
    }
    Ok(report.exit_code)
}

/// Judges, prints and saves.
async fn judge(args: &Args, ui: &Ui) -> Result<ReportV1, Failure> {
    let begun = Instant::now();
    args.printing.apart()?;
    let report = match args.kind() {
        InputKindV1::Cluster => of_cluster(&args.judging, &args.flags, args.printing.shell, ui).await?,
        InputKindV1::Manifests | InputKindV1::Snapshot => of_files(args, ui)?,
    };
    let cost = CheckCost { seconds: rounded(begun.elapsed()), peak_memory_bytes: tool::peak_memory() };
    print(&report, args, &cost, Timestamp::now(), ui)?;
    Ok(report)
}

/// The report of a check of the cluster, as it is now. What is noticed on the way is said on stderr.
///
/// # Errors
/// [`Failure`] when there is no verdict.
pub(super) async fn of_cluster(
    judging: &Judging,
    flags: &ClusterFlags,
    shell: Option<ShellFlag>,
    ui: &Ui,
) -> Result<ReportV1, Failure> {
    let mut params = judging.params(ui)?;
    let now = params.now;
    let reader = cluster::reader(flags, ui).await?;
    take_waivers(judging, &reader, &mut params, ui).await?;
    compare_with_baseline(&mut params, false, ui);
    let (given, answers) = (params.waivers.clone(), params.attestations.clone());
    let mut check = Check::new(tables_of_cluster(&params), params);
    let source = cluster::live(&reader, &flags.reading, &mut check).await?;
    ui.detail(&format!("as of {now}"));
    judging.warn_of_early_day(source.taken.as_deref(), ui);
    Judging::warn_of_answers(&answers, now, ui);
    let as_of = judging.as_of.map(|moment| moment.to_string());
    // With another moment to judge by, the same cluster gives the same report at any time.
    let taken_at = as_of.is_none().then(|| InputV1::to_the_second(now));
    let nodes_read = check.inventory().has_nodes();
    let input = InputV1 { as_of, nodes_read, taken_at, ..InputV1::of(InputKindV1::Cluster, None) };
    // A cluster that cannot be judged, such as one of another product, is wrong input.
    let mut report = check.finish(tool::identity(), &source.context, &source.server).map_err(Failure::input)?;
    Pasting::new(shell).of_cluster(&flags.kube).make_ready(&mut report.findings);
    warn(&given, &report, now, ui);
    Ok(ReportV1::new(report, input))
}

/// The report of a check of a snapshot or of manifests.
fn of_files(args: &Args, ui: &Ui) -> Result<ReportV1, Failure> {
    let mut params = args.judging.params(ui)?;
    let mut now = params.now;
    if WaiverSource::of(args.judging.waivers.as_deref()) == WaiverSource::Cluster {
        return Err(Failure::input(anyhow::anyhow!(
            "--waivers cluster is for a check of a cluster: snapshots and manifests contain no waivers. Give them as a file: \
             kubectl get supportwaivers -o yaml > waivers.yaml"
        )));
    }
    if args.snapshot.is_some() {
        compare_with_baseline(&mut params, true, ui);
    }
    let (given, answers) = (params.waivers.clone(), params.attestations.clone());
    let subject = if args.snapshot.is_some() { Subject::Cluster } else { Subject::Manifests };
    let mut check = Check::new(tables(&params, subject), params);
    let mut manifests_read = ManifestsRead::default();
    let source = if let Some(path) = &args.snapshot {
        let about = snapshot::read::judge(path, &mut check).context("--snapshot").map_err(Failure::input)?;
        if let (None, Some(taken)) = (args.judging.as_of, about.moment()) {
            now = taken;
            check.judge_at(taken);
        }
        CheckSource { context: format!("snapshot {}", path.display()), server: String::new(), taken: about.taken }
    } else {
        let (source, read) = manifests(args, &mut check, ui)?;
        manifests_read = read;
        source
    };
    ui.detail(&format!("as of {now}"));
    args.judging.warn_of_early_day(source.taken.as_deref(), ui);
    Judging::warn_of_answers(&answers, now, ui);
    let input = InputV1 {
        as_of: args.judging.as_of.map(|moment| moment.to_string()),
        nodes_read: check.inventory().has_nodes(),
        unjudged: manifests_read.unjudged.values().sum(),
        recorded: manifests_read.recorded,
        digest: args.snapshot.as_deref().map(digest::of_path).transpose().map_err(Failure::input)?,
        ..InputV1::of(args.kind(), source.taken)
    };
    warn_of_age(Age::of(&input, Timestamp::now()), ui);
    // A cluster that cannot be judged, such as one of another product, is wrong input.
    let mut report = check.finish(tool::identity(), &source.context, &source.server).map_err(Failure::input)?;
    Pasting::new(args.printing.shell).make_ready(&mut report.findings);
    if args.of_manifests() {
        fixes::of_manifests(&mut report.findings);
    }
    warn(&given, &report, now, ui);
    let mut report = ReportV1::new(report, input);
    manifests_read.place(&mut report.findings);
    Ok(report)
}

/// Takes the waivers of the cluster, if the flags ask for them.
///
/// # Errors
/// [`Failure`] when they cannot be read.
pub(super) async fn take_waivers(
    judging: &Judging,
    reader: &Reader,
    params: &mut Params,
    ui: &Ui,
) -> Result<(), Failure> {
    if WaiverSource::of(judging.waivers.as_deref()) == WaiverSource::Cluster {
        let (found, unreadable) = waivers::from_cluster(reader, ui).await?;
        warn_of_unreadable(&unreadable, ui);
        params.waivers = found;
    }
    Ok(())
}

/// Leaves out of the comparison with a baseline what snapshots leave out, where it is of a snapshot and the check is not, or
/// the other way round.
fn compare_with_baseline(params: &mut Params, with_snapshot: bool, ui: &Ui) {
    if let Some(baseline) = params.baseline.as_mut().filter(|own| own.is_of_snapshot() != with_snapshot) {
        baseline.forget_what_snapshots_leave_out();
        ui.note(&format!("note: not compared with the baseline: {}", super::baseline::PARTLY));
    }
}

/// Writes the files that the flags name, and prints a report.
fn print(report: &ReportV1, args: &Args, cost: &CheckCost, now: Timestamp, ui: &Ui) -> Result<(), Failure> {
    let printing = &args.printing;
    let shown = printing.showing.render(report, args.shown_namespace(), now, ui)?;
    if let Some(path) = &printing.save {
        output::write(path, format::json(report)?.as_bytes())?;
    }
    if let Some(path) = &printing.stats {
        stats(path, report, cost, ui)?;
    }
    shown.write(ui)
}

/// Warns on stderr that a snapshot is old.
fn warn_of_age(age: Option<Age>, ui: &Ui) {
    if let Some(Age { days, .. }) = age.filter(|age| age.days >= OLD_DAYS) {
        ui.note(&format!(
            "warning: the snapshot is {days} days old, and the cluster may be another one by now: take a new one"
        ));
    }
}

/// The data tables for the platforms that a check may be of. Without `--platform` a cluster decides; for manifests bare
/// metal has to be named.
fn tables(params: &Params, subject: Subject) -> &'static Data {
    let platforms = match params.platform {
        Some(platform) => vec![platform],
        None => match subject {
            Subject::Cluster => Platform::ALL.to_vec(),
            Subject::Manifests => Platform::WITH_POLICY_TEXT.to_vec(),
        },
    };
    // Lists are read in tasks of their own, and a run judges once, so the tables may live forever.
    Box::leak(Box::new(embedded().on(&platforms)))
}

/// The data tables for a check of a cluster, or of a snapshot of one.
pub(crate) fn tables_of_cluster(params: &Params) -> &'static Data {
    tables(params, Subject::Cluster)
}

/// The subject of a check.
#[derive(Clone, Copy)]
enum Subject {
    /// A cluster, or a snapshot of one.
    Cluster,
    /// Manifests.
    Manifests,
}

/// Judges the given manifests, and returns what was read of them.
fn manifests(args: &Args, check: &mut Check<'static>, ui: &Ui) -> Result<(CheckSource, ManifestsRead), Failure> {
    let namespace = args.namespace.as_deref().unwrap_or("default");
    let depth = if args.recursive { Depth::Recursive } else { Depth::Flat };
    let given = Given::of(&args.filename, depth, args.kustomize.as_deref());
    let read = manifests::judge(given, namespace, check)
        .context(if args.kustomize.is_some() { "-k" } else { "-f" })
        .map_err(Failure::input)?;
    let count = read.objects;
    if read.unjudged.values().any(|count| *count > 0) {
        let kinds: Vec<&str> = read.unjudged.keys().map(String::as_str).collect();
        ui.note(&text::line(&format!("note: no rule looks at the kinds {}", kinds.join(", ")), 400));
    }
    let context = if count == 1 { "1 manifest".to_owned() } else { format!("{count} manifests") };
    Ok((CheckSource { context, server: String::new(), taken: None }, read))
}

/// The cost of a check, which is no part of its report: the same input gives the same bytes.
struct CheckCost {
    /// Wall-clock time.
    seconds: f64,
    /// Peak resident memory; 0 where the system does not tell.
    peak_memory_bytes: u64,
}

/// Prints the cost of a check.
fn stats(path: &Path, report: &ReportV1, cost: &CheckCost, ui: &Ui) -> Result<(), Failure> {
    let CoverageV1 { objects, requests, .. } = &report.coverage;
    let CheckCost { seconds, peak_memory_bytes } = cost;
    if path == Path::new(STDERR) {
        ui.error(&format!(
            "stats: {seconds:.3} seconds, {} MiB of memory at most, {objects} objects, {requests} requests",
            peak_memory_bytes >> 20
        ));
        return Ok(());
    }
    let stats = serde_json::json!({
        "apiVersion": API_VERSION, "kind": "SupportCheckStats", "seconds": seconds,
        "peakMemoryBytes": peak_memory_bytes, "objects": objects, "requests": requests,
    });
    output::write(path, format::json(&stats)?.as_bytes())
}

/// The seconds, rounded to milliseconds.
fn rounded(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

/// What `--stats` without a file stands for.
const STDERR: &str = "-";

/// The age in days from which on a snapshot is called old.
const OLD_DAYS: i64 = 7;

const EXAMPLES: &str = "\
Examples:
  # Judge the cluster of the current context
  kubectl aksarc support-check

  # Give the platform when nothing tells it, and fail on lighter findings too
  kubectl aksarc support-check --platform azure-local --fail-on at-risk

  # Only the rules on nodes' metadata, as of a day in the future
  kubectl aksarc support-check --only 2xx --as-of 2027-01-31

  # Judge manifests before they are applied
  kubectl aksarc support-check -f deploy/ -R

  # Judge what a kustomization makes
  kubectl aksarc support-check -k overlays/edge

  # With the findings that somebody has accepted for a time, from a file or from the cluster itself
  kubectl aksarc support-check --waivers waivers.yaml
  kubectl aksarc support-check --waivers cluster

  # Judge a snapshot taken elsewhere, and keep the result
  kubectl aksarc support-check --snapshot cluster.tar.gz --save result.json

  # The screen, and files for code scanning and for test results
  kubectl aksarc support-check -o table -o sarif=aksarc.sarif -o junit=aksarc.xml";
