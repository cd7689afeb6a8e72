//! `baseline`: records what the system created at a known-good time, and compares it with the present state.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use aksarc_shared::data::embedded;
use aksarc_shared::data::own::API_VERSION;
use aksarc_shared::facts::baseline::{self, Baseline, BaselineDifference};
use aksarc_shared::facts::inventory::{ReadKey, ReadState};
use aksarc_shared::verdict::check::{Check, Params};
use aksarc_shared::verdict::report::exit;
use anyhow::Context as _;
use clap::builder::FalseyValueParser;
use jiff::Timestamp;
use serde::Serialize;

use super::cluster::{self, ClusterFlags};
use super::missing::Missing;
use crate::cli::exit::{ExitResult, Failure};
use crate::cli::tool;
use crate::input::{documents, settings};
use crate::screen::format::{self, ListFormat};
use crate::screen::grid::Grid;
use crate::screen::output;
use crate::screen::ui::{Ui, UiFlags};
use crate::screen::waivers::shown;
use crate::snapshot;

/// What the system created here, recorded at a known-good time.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: BaselineCommand,
}

/// The subcommands of `baseline`.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum BaselineCommand {
    /// Record what the system created, in its present state
    ///
    /// The baseline contains labels and annotations of nodes and system namespaces, the evidence that they are the
    /// system's, sizes of nodes, and a hash of the relevant fields of each system object. Fields that a person's tool
    /// has written are left out, with a note. Record it when the cluster is known to be good: after its creation, or
    /// after an upgrade.
    #[command(after_help = CAPTURE)]
    Capture(Box<CaptureArgs>),
    /// Show the differences between a baseline and the present state
    #[command(after_help = DIFF)]
    Diff(Box<DiffArgs>),
}

/// Arguments of `baseline capture`.
#[derive(Clone, Debug, clap::Args)]
pub struct CaptureArgs {
    /// File to write; by default standard output
    #[arg(short, long, value_name = "FILE", value_parser = settings::file_or_nothing, value_hint = clap::ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Exit 0 instead of 5 when something could not be recorded
    #[arg(long, env = "KUBECTL_AKSARC_ALLOW_INCOMPLETE", value_parser = FalseyValueParser::new())]
    pub allow_incomplete: bool,
    /// Where from.
    #[command(flatten)]
    pub source: Source,
}

/// Arguments of `baseline diff`.
#[derive(Clone, Debug, clap::Args)]
pub struct DiffArgs {
    /// The baseline
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,
    /// Format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: ListFormat,
    /// Where from.
    #[command(flatten)]
    pub source: Source,
}

/// The source of a record: a cluster, or a snapshot of one.
#[derive(Clone, Debug, clap::Args)]
pub struct Source {
    /// Read a snapshot instead of a cluster: a file, a directory or a .tar.gz
    #[arg(long, value_name = "PATH", conflicts_with_all = ["context", "server"], value_hint = clap::ValueHint::AnyPath)]
    pub snapshot: Option<PathBuf>,
    /// Reading, display and cluster.
    #[command(flatten)]
    pub flags: ClusterFlags,
}

impl Args {
    /// The flags that shape what is printed.
    pub fn ui(&self) -> &UiFlags {
        match &self.command {
            BaselineCommand::Capture(args) => &args.source.flags.ui,
            BaselineCommand::Diff(args) => &args.source.flags.ui,
        }
    }
}

/// Runs `baseline`.
///
/// # Errors
/// [`Failure`] when there is nothing to record or to compare.
pub async fn run(args: Args, ui: &mut Ui) -> ExitResult {
    match args.command {
        BaselineCommand::Capture(args) => capture(&args, ui).await,
        BaselineCommand::Diff(args) => diff(&args, ui).await.map_err(Failure::beside_differences),
    }
}

/// The baseline in a file.
///
/// # Errors
/// The file cannot be read, or is not a baseline.
pub(crate) fn read(path: &Path) -> anyhow::Result<Baseline> {
    let shown = path.display();
    let size = std::fs::metadata(path).with_context(|| format!("cannot read baseline {shown}"))?.len();
    if size > MAX_FILE {
        anyhow::bail!("{shown} has {size} bytes, and a baseline at most {MAX_FILE}");
    }
    // Only a regular file has a size.
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).with_context(|| format!("cannot read baseline {shown}"))?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read baseline {shown}"))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_FILE {
        anyhow::bail!("{shown} has more than {MAX_FILE} bytes, the most a baseline may have");
    }
    baseline::parse(documents::text(&shown.to_string(), &bytes)?)
        .with_context(|| format!("{shown} is not a baseline made by `kubectl aksarc baseline capture`"))
}

async fn capture(args: &CaptureArgs, ui: &Ui) -> ExitResult {
    if let Some(path) = &args.output {
        settings::no_format(path).map_err(Failure::input)?;
    }
    let now = record(&args.source, ui).await?;
    let missing = Missing::of_lists(&now.gaps);
    missing.warn(ui);
    let text = format!("{}\n", serde_json::to_string_pretty(&now.baseline).map_err(Failure::run)?);
    match &args.output {
        Some(path) => {
            output::write(path, text.as_bytes())?;
            output::told(path, &summary(&now.baseline, &path.display().to_string()), ui)?;
        }
        None => ui.print(&text)?,
    }
    if !now.left_out.is_empty() {
        let few = now.left_out.iter().take(SHOWN).map(|name| shown(name)).collect::<Vec<_>>().join(", ");
        let more = now.left_out.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        ui.note(&format!("left out, because a person's hand shows on it: {few}{more}"));
    }
    Ok(if missing.is_empty() || args.allow_incomplete { 0 } else { exit::INCONCLUSIVE })
}

async fn diff(args: &DiffArgs, ui: &Ui) -> ExitResult {
    let mut then = self::read(&args.file).map_err(Failure::input)?;
    let Recorded { baseline: mut now, gaps, read, .. } = record(&args.source, ui).await?;
    if !then.cluster.is_empty() && !now.cluster.is_empty() && then.cluster != now.cluster {
        return Err(Failure::input(anyhow::anyhow!(
            "baseline {} was recorded from another cluster ({}): its namespace kube-system has another uid",
            args.file.display(),
            shown(&then.context)
        )));
    }
    let is_partly_compared = then.is_of_snapshot() != now.is_of_snapshot();
    if is_partly_compared {
        then.forget_what_snapshots_leave_out();
        now.forget_what_snapshots_leave_out();
    }
    let mut differences = baseline::diff(&then, &now);
    // An object of an unread list counts as unknown, not as gone.
    let is_unknown = |difference: &BaselineDifference| gaps.iter().any(|(list, _)| difference.is_absence_from(list));
    // A caller who may not list a kind in the whole cluster may still list it in a namespace.
    let is_known = |difference: &BaselineDifference| read.iter().any(|list| difference.is_absence_from(list));
    differences.retain(|difference| !is_unknown(difference) || is_known(difference));
    let mut not_read: Vec<String> =
        gaps.iter().filter_map(|(key, state)| state.gap(key)).map(|gap| shown(&gap)).collect();
    // An object of a list that the baseline lacks may have been there before.
    let mut unrecorded = BTreeSet::new();
    differences.retain(|difference| match difference.newly_in() {
        Some(list) if !then.covers(list.kind, list.namespace.as_deref().unwrap_or_default()) => {
            unrecorded.insert(format!("the baseline was recorded without {list}: capture a new one"));
            false
        }
        _ => true,
    });
    not_read.extend(unrecorded);
    not_read.extend(is_partly_compared.then(|| PARTLY.to_owned()));
    let code = match (differences.is_empty(), not_read.is_empty()) {
        (false, _) => DIFFERENT,
        (true, true) => 0,
        (true, false) => exit::INCONCLUSIVE,
    };
    let text = match args.output {
        ListFormat::Table => table(&then, &differences, &not_read, ui),
        ListFormat::Json | ListFormat::Yaml => {
            let list = DifferenceList {
                api_version: API_VERSION,
                kind: "BaselineDiff",
                captured_at: then.captured_at,
                not_read,
                items: differences,
            };
            if args.output == ListFormat::Json { format::json(&list)? } else { format::yaml(&list)? }
        }
    };
    ui.print(&text)?;
    Ok(code)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DifferenceList {
    api_version: &'static str,
    kind: &'static str,
    captured_at: Timestamp,
    /// The lists whose differences are unknown, with the reason: not read now, or not when the baseline was recorded.
    not_read: Vec<String>,
    items: Vec<BaselineDifference>,
}

struct Recorded {
    baseline: Baseline,
    left_out: Vec<String>,
    /// The lists that a baseline needs and that could not be read, with what became of each.
    gaps: Vec<(ReadKey, ReadState)>,
    /// The lists that were read.
    read: Vec<ReadKey>,
}

/// Reads a cluster or a snapshot, and records what the system created.
async fn record(source: &Source, ui: &Ui) -> Result<Recorded, Failure> {
    let now = Timestamp::now();
    let mut check = Check::new(embedded(), Params { record: true, ..Params::at(now) });
    let (context, taken) = if let Some(path) = &source.snapshot {
        let about = snapshot::read::judge(path, &mut check).context("--snapshot").map_err(Failure::input)?;
        (format!("{}{}", baseline::OF_SNAPSHOT, path.display()), about.taken.and_then(|taken| taken.parse().ok()))
    } else {
        let reader = cluster::reader(&source.flags, ui).await?;
        (cluster::live(&reader, &source.flags.reading, &mut check).await?.context, None)
    };
    let mut read = Vec::new();
    let mut gaps = Vec::new();
    for (key, state) in check.inventory().reads.iter().filter(|(key, _)| baseline::records(key, embedded())) {
        match state.gap(key) {
            Some(_) => gaps.push((key.clone(), state.clone())),
            None => read.push(key.clone()),
        }
    }
    // Where the list of the whole cluster is missing, lists of namespaces add nothing.
    let wide: Vec<_> = gaps.iter().filter(|(key, _)| key.namespace.is_none()).map(|(key, _)| key.kind).collect();
    let gaps = gaps.into_iter().filter(|(key, _)| key.namespace.is_none() || !wide.contains(&key.kind)).collect();
    let recorder = check.recorded();
    let taken: Timestamp = taken.unwrap_or(now);
    let baseline = Baseline {
        tool_version: tool::VERSION.to_owned(),
        // Fractions of seconds do not matter in a baseline.
        captured_at: Timestamp::from_second(taken.as_second()).unwrap_or(taken),
        context,
        kubernetes_version: check.inventory().server_version.clone().unwrap_or_default(),
        lists: Some(baseline::list_keys(&read)),
        ..recorder.baseline()
    };
    if baseline.nodes.is_empty() && baseline.namespaces.is_empty() && baseline.objects.is_empty() {
        return Err(Failure::run(anyhow::anyhow!(
            "no object of the system could be read, so there is nothing to record; `kubectl aksarc doctor` lists the missing rights"
        )));
    }
    Ok(Recorded { baseline, left_out: recorder.left_out(), gaps, read })
}

fn summary(baseline: &Baseline, path: &str) -> String {
    let keys = baseline.nodes.values().map(|node| node.labels.len() + node.annotations.len()).sum::<usize>()
        + baseline.namespaces.values().map(|space| space.labels.len() + space.annotations.len()).sum::<usize>();
    format!(
        "{path}: {keys} labels and annotations on {} nodes and {} namespaces, {} objects, recorded {}\n",
        baseline.nodes.len(),
        baseline.namespaces.len(),
        baseline.objects.len(),
        baseline.captured_at
    )
}

fn table(then: &Baseline, differences: &[BaselineDifference], not_read: &[String], ui: &Ui) -> String {
    let mut gaps = String::new();
    gaps.extend(not_read.iter().map(|gap| format!("not compared: {gap}\n")));
    if differences.is_empty() {
        let rest = if not_read.is_empty() { "" } else { "what was read is " };
        return format!("{gaps}{rest}as recorded on {}\n", then.captured_at);
    }
    let mut grid = Grid::under(ui.headings, &["OBJECT", "FIELD", "RECORDED", "NOW"]);
    for difference in differences {
        let cell = |value: &Option<String>| match (value, difference.path.is_empty()) {
            (None, _) => "–".to_owned(),
            (Some(_), true) => "there".to_owned(),
            (Some(value), false) => aksarc_shared::text::line(value, MAX_SHOWN),
        };
        let (before, after) = (cell(&difference.before), cell(&difference.after));
        grid.row([difference.object.clone(), difference.path.clone(), before, after]);
    }
    let text = gaps + &grid.lines("", ui.width);
    ui.look().fit(text)
}

const EXAMPLES: &str = "\
Examples:
  # Record what the system created, while the cluster is known to be good
  kubectl aksarc baseline capture -o edge-01.baseline.json

  # Later: what differs, and what the policy says of it
  kubectl aksarc baseline diff edge-01.baseline.json
  kubectl aksarc support-check --baseline edge-01.baseline.json";

const CAPTURE: &str = "\
Exit codes: 0 all of it was recorded; 5 the baseline is written and lacks something, named on stderr (--allow-incomplete makes \
it 0); 1 or 2 there is no baseline.

Examples:
  kubectl aksarc baseline capture -o edge-01.baseline.json
  kubectl aksarc baseline capture --snapshot cluster.tar.gz -o edge-01.baseline.json";

const DIFF: &str = "\
What could not be read is named and never called gone.

Exit codes, as kubectl diff has them: 0 nothing differs; 1 something differs; 5 nothing that was compared differs, and something \
could not be read, or was not when the baseline was recorded; 2 there is no result; 130 interrupted.

Examples:
  kubectl aksarc baseline diff edge-01.baseline.json
  kubectl aksarc baseline diff edge-01.baseline.json --snapshot cluster.tar.gz -o json";

/// Something differs: the code of diff and `kubectl diff`. Failures of a command that compares have others.
const DIFFERENT: u8 = 1;

/// The largest file: 5,000 nodes with thirty keys each make about 30 MiB.
const MAX_FILE: u64 = 256 << 20;

/// The parts that cannot be compared between a cluster and a snapshot.
pub(crate) const PARTLY: &str = "the contents of ConfigMaps and workloads, since one side is a snapshot, which holds them in part, and the other a cluster";

/// The most names of left-out objects that are shown.
const SHOWN: usize = 6;

/// The most characters of a value in the table.
const MAX_SHOWN: usize = 60;
