//! `snapshot`: records the objects that rules read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aksarc_shared::data::embedded;
use aksarc_shared::verdict::check::{Check, Params};
use aksarc_shared::verdict::report::exit;
use clap::builder::FalseyValueParser;
use jiff::Timestamp;

use super::cluster::{self, ClusterFlags, Reading};
use super::missing::Missing;
use crate::cli::exit::{ExitResult, Failure};
use crate::collect::{self, Reader};
use crate::input::settings;
use crate::screen::fixes::ShellFlag;
use crate::screen::output;
use crate::screen::ui::Ui;
use crate::snapshot::index::{Index, ListState};
use crate::snapshot::script::script;
use crate::snapshot::write::{Form, SnapshotRecorder};

/// Arguments of `snapshot`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Destination: NAME.tar.gz, NAME.json, or a directory that is new or empty
    #[arg(short, long, value_name = "PATH", required_unless_present = "script", value_parser = settings::file_not_stdout, value_hint = clap::ValueHint::AnyPath)]
    pub output: Option<PathBuf>,
    /// Replace a file that is there already
    #[arg(long)]
    pub force: bool,
    /// Print a script that records the same with kubectl alone, for users who may not install anything
    #[arg(long, value_name = "SHELL", conflicts_with = "output")]
    pub script: Option<ShellFlag>,
    /// Exit 0 instead of 5 when something could not be recorded
    #[arg(long, env = "KUBECTL_AKSARC_ALLOW_INCOMPLETE", value_parser = FalseyValueParser::new())]
    pub allow_incomplete: bool,
    /// Reading, display and cluster.
    #[command(flatten)]
    pub flags: ClusterFlags,
}

/// Runs `snapshot`: exit 0 when all was recorded, 5 when something could not be read.
///
/// # Errors
/// [`Failure`] when there is no snapshot; nothing is left behind then.
pub async fn run(args: Args, ui: &mut Ui) -> ExitResult {
    let path = match (args.output, args.script) {
        (Some(path), _) => path,
        (None, Some(ShellFlag(shell))) => {
            ui.print(&script(shell))?;
            return Ok(0);
        }
        (None, None) => {
            return Err(Failure::input(anyhow::anyhow!(
                "--output is missing: it names the file or directory of the snapshot"
            )));
        }
    };
    settings::no_format(&path).map_err(Failure::input)?;
    let form = Form::of(&path).map_err(Failure::input)?;
    if !args.force && form.replaces() {
        return Err(Failure::input(output::may_be_evidence(&path)));
    }
    let reader = cluster::reader(&args.flags, ui).await?;
    let index = record(&reader, &args.flags.reading, &form, &path).await?;
    output::told(&path, &summary(&index, &path.display().to_string(), reader.requests()), ui)?;
    let missing = Missing::of_snapshot(&index);
    missing.warn(ui);
    Ok(if missing.is_empty() || args.allow_incomplete { 0 } else { exit::INCONCLUSIVE })
}

/// Records the cluster of a reader as a snapshot. Messages name it as `path`.
///
/// # Errors
/// [`Failure`] when the cluster cannot be read, or the snapshot cannot be written.
pub(in crate::commands) async fn record(
    reader: &Arc<Reader>,
    reading: &Reading,
    form: &Form,
    path: &Path,
) -> Result<Index, Failure> {
    let now = Timestamp::now();
    // Fractions of seconds do not matter in a snapshot.
    let taken = Timestamp::from_second(now.as_second()).unwrap_or(now).to_string();
    let mut check = Check::new(embedded(), Params::at(now));
    let cannot =
        |error: anyhow::Error| Failure::run(error.context(format!("cannot write snapshot {}", path.display())));
    let mut recorder = SnapshotRecorder::new(&mut check, form).map_err(|error| cannot(error.into()))?;
    let all = collect::everything(reader, reading.parallel.into(), &mut recorder);
    reader.sender().in_time("read the cluster", all).await?;
    recorder.finish(form, &reader.connection().context, &taken).map_err(cannot)
}

fn summary(index: &Index, path: &str, requests: usize) -> String {
    let objects: usize = index.lists.iter().map(|list| list.objects).sum();
    let complete = index.lists.iter().filter(|list| list.state == ListState::Complete).count();
    format!("{path}: {objects} objects in {complete} lists, {requests} requests, taken {}\n", index.taken_at)
}

const EXAMPLES: &str = "\
Exit codes: 0 all of it was recorded; 5 the snapshot is written and lacks something, named on stderr (--allow-incomplete makes \
it 0); 1 or 2 there is no snapshot.

Examples:
  # Take a snapshot, and judge it elsewhere
  kubectl aksarc snapshot -o cluster.tar.gz
  kubectl aksarc support-check --snapshot cluster.tar.gz

  # As files to look into
  kubectl aksarc snapshot -o cluster/

  # Where nothing may be installed: a script that needs kubectl only
  kubectl aksarc snapshot --script bash > record.sh
  bash record.sh cluster/ --context edge";
