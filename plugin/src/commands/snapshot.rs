//! `snapshot`: records the objects that rules read.

use std::path::PathBuf;

use aksarc_shared::data::embedded;
use aksarc_shared::verdict::check::{Check, Params};
use jiff::Timestamp;

use super::cluster::{self, ClusterFlags};
use crate::cli::exit::{ExitResult, Failure};
use crate::collect;
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
    /// Print a script that records the same with kubectl alone, for users who may not install anything
    #[arg(long, value_name = "SHELL", conflicts_with = "output")]
    pub script: Option<ShellFlag>,
    /// Reading, display and cluster.
    #[command(flatten)]
    pub flags: ClusterFlags,
}

/// Runs `snapshot`.
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
    let form = Form::of(&path).map_err(Failure::input)?;
    let now = Timestamp::now();
    // Fractions of seconds do not matter in a snapshot.
    let taken = Timestamp::from_second(now.as_second()).unwrap_or(now).to_string();
    let reader = cluster::reader(&args.flags, ui).await?;
    let mut check = Check::new(embedded(), Params::at(now));
    let cannot =
        |error: anyhow::Error| Failure::run(error.context(format!("cannot write snapshot {}", path.display())));
    let mut recorder = SnapshotRecorder::new(&mut check, &form).map_err(|error| cannot(error.into()))?;
    let all = collect::everything(&reader, args.flags.reading.parallel.into(), &mut recorder);
    reader.sender().in_time("read the cluster", all).await?;
    let index = recorder.finish(&form, &reader.connection().context, &taken).map_err(cannot)?;
    output::told(&path, &summary(&index, &path.display().to_string(), reader.requests()), ui)?;
    for list in index.lists.iter().filter(|list| list.state == ListState::Forbidden) {
        let place = if list.namespace.is_empty() { String::new() } else { format!(" in {}", list.namespace) };
        ui.note(&format!("warning: you may not list {}{place}: rules that need it will be unknown", list.kind));
    }
    Ok(0)
}

fn summary(index: &Index, path: &str, requests: usize) -> String {
    let objects: usize = index.lists.iter().map(|list| list.objects).sum();
    let complete = index.lists.iter().filter(|list| list.state == ListState::Complete).count();
    format!("{path}: {objects} objects in {complete} lists, {requests} requests, taken {}\n", index.taken_at)
}

const EXAMPLES: &str = "\
Examples:
  # Take a snapshot, and judge it elsewhere
  kubectl aksarc snapshot -o cluster.tar.gz
  kubectl aksarc support-check --snapshot cluster.tar.gz

  # As files to look into
  kubectl aksarc snapshot -o cluster/

  # Where nothing may be installed: a script that needs kubectl only
  kubectl aksarc snapshot --script bash > record.sh
  bash record.sh cluster/ --context edge";
