//! `report`: renders a saved result.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use jiff::Timestamp;

use super::showing::Showing;
use crate::cli::exit::{ExitResult, Failure};
use crate::input::result;
use crate::screen::ui::{Ui, UiFlags};

/// Arguments of `report`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Args {
    /// A result as `support-check --save` and `support-check -o json` write it; - reads standard input
    #[arg(value_name = "RESULT", required = true, value_hint = clap::ValueHint::FilePath)]
    pub result: PathBuf,
    /// Output.
    #[command(flatten)]
    pub showing: Showing,
    /// Exit with 0 whatever the verdict of the result
    #[arg(long, help_heading = "Output", env = "KUBECTL_AKSARC_EXIT_ZERO", value_parser = FalseyValueParser::new())]
    pub exit_zero: bool,
    /// Display.
    #[command(flatten)]
    pub ui: UiFlags,
}

impl Args {
    /// The flags that shape what is printed.
    pub fn ui(&self) -> &UiFlags {
        &self.ui
    }
}

/// Runs `report`.
///
/// # Errors
/// [`Failure`] when the result cannot be read or written.
pub fn run(args: &Args, ui: &Ui) -> ExitResult {
    args.showing.apart(&[])?;
    let report = result::read(&args.result).map_err(Failure::input)?;
    args.showing.render(&report, Timestamp::now(), ui)?.write(ui)?;
    Ok(if args.exit_zero { 0 } else { report.exit_code })
}

const EXAMPLES: &str = "\
Examples:
  # Show a saved result as its check showed it
  kubectl aksarc report result.json

  # Files for code scanning and for test results, of one check
  kubectl aksarc report result.json -o sarif=aksarc.sarif -o junit=aksarc.xml

  # The same as `support-check -o markdown`
  kubectl aksarc support-check -o json | kubectl aksarc report - -o markdown";
