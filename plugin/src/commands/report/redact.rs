//! `report redact`: a saved result without the names that tell whose cluster it is.

use std::path::{Path, PathBuf};

use aksarc_shared::verdict::report::v1::ReportV1;
use anyhow::Context as _;

use crate::cli::exit::{ExitResult, Failure};
use crate::input::{result, settings};
use crate::screen::format;
use crate::screen::grid::Grid;
use crate::screen::output;
use crate::screen::ui::{Ui, UiFlags};
use crate::snapshot::recorded::RecordedSnapshot;
use crate::ticket::names::TellingNames;
use crate::ticket::pseudonyms::PseudonymKey;
use crate::ticket::redaction::Redaction;

/// Arguments of `report redact`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// A result as `support-check --save` and `support-check -o json` write it; - reads standard input
    #[arg(value_name = "RESULT", value_hint = clap::ValueHint::FilePath)]
    pub result: PathBuf,
    /// Key of the pseudonyms: the same name gets the same one again. Without a key they lead nowhere
    #[arg(long, value_name = "KEYFILE", value_hint = clap::ValueHint::FilePath)]
    pub pseudonyms: Option<PathBuf>,
    /// The snapshot that the result is of: its names are replaced too where they stand in sentences alone
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    pub snapshot: Option<PathBuf>,
    /// Print which pseudonym stands for which name, instead of the result
    #[arg(long, requires = "pseudonyms")]
    pub names: bool,
    /// Write to a file instead of stdout
    #[arg(long, value_name = "FILE", value_parser = settings::file_or_nothing, value_hint = clap::ValueHint::FilePath)]
    pub output_file: Option<PathBuf>,
    /// Display.
    #[command(flatten)]
    pub ui: UiFlags,
}

/// Runs `report redact`.
pub(super) fn run(args: &Args, ui: &Ui) -> ExitResult {
    let report = result::read(&args.result).map_err(Failure::input)?;
    let recorded = args.snapshot.as_deref().map(RecordedSnapshot::read).transpose();
    let names = names(&report, recorded.context("--snapshot").map_err(Failure::input)?.as_ref());
    let redaction = redaction(&names, args.pseudonyms.as_deref())?;
    let text = if args.names { table(&redaction, ui) } else { format::json(&redacted(&redaction, &report)?)? };
    match &args.output_file {
        Some(path) => output::write(path, text.as_bytes())?,
        None => ui.print(&text)?,
    }
    Ok(0)
}

/// The names in a result and its snapshot.
pub(super) fn names(report: &ReportV1, recorded: Option<&RecordedSnapshot>) -> TellingNames {
    let mut names = TellingNames::default();
    names.add_report(report);
    if let Some(recorded) = recorded {
        recorded.each_object(&mut |kind, object| names.add_object(kind, object));
        recorded.contexts().for_each(|context| names.add_context(context));
    }
    names
}

/// The replacement of names, by the key in a file or by one that nobody keeps.
pub(super) fn redaction(names: &TellingNames, key: Option<&Path>) -> Result<Redaction, Failure> {
    let key = match key {
        Some(path) => PseudonymKey::read(path).map_err(Failure::input)?,
        None => PseudonymKey::forgotten().map_err(Failure::run)?,
    };
    Redaction::new(names, key).map_err(Failure::run)
}

/// A report with pseudonyms for its names.
pub(super) fn redacted(redaction: &Redaction, report: &ReportV1) -> Result<ReportV1, Failure> {
    redaction.report(report).map_err(Failure::run)
}

fn table(redaction: &Redaction, ui: &Ui) -> String {
    let mut grid = Grid::under(ui.headings, &["PSEUDONYM", "NAME"]);
    for (pseudonym, name) in redaction.table() {
        grid.row([pseudonym.to_owned(), aksarc_shared::text::line(name, MAX_SHOWN)]);
    }
    grid.lines("", None)
}

/// The longest name in the table.
const MAX_SHOWN: usize = 260;

pub(super) const EXAMPLES: &str = "\
Examples:
  # With pseudonyms that nobody can trace back
  kubectl aksarc report redact result.json > public.json

  # With those of a key, and the way back for whoever has the key and the result
  kubectl aksarc report redact result.json --pseudonyms key.txt > for-support.json
  kubectl aksarc report redact result.json --pseudonyms key.txt --names";
