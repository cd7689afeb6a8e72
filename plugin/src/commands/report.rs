//! `report`: renders a saved result, compares two, makes one ready for a support ticket, and publishes one.

pub mod bundle;
pub mod diff;
pub mod publish;
pub mod redact;

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use jiff::Timestamp;

use super::showing::Showing;
use crate::cli::exit::{ExitResult, Failure};
use crate::input::result;
use crate::screen::ui::{Ui, UiFlags};

/// Arguments of `report`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    /// What to do instead of rendering it.
    #[command(subcommand)]
    pub command: Option<Box<ReportCommand>>,
    /// A result as `support-check --save` and `support-check -o json` write it; - reads standard input
    #[arg(value_name = "RESULT", required = true, value_hint = clap::ValueHint::FilePath)]
    pub result: Option<PathBuf>,
    /// Print only the findings in this namespace
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
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

/// The subcommands of `report`.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum ReportCommand {
    /// Put a result, its snapshot and the case page into one file for a support ticket
    ///
    /// The file begins with a list of what is inside and of what was left out. The case page answers what a support request
    /// asks for, in its order. The exit code is 0 when the file is written, whatever the verdict.
    #[command(after_help = bundle::EXAMPLES)]
    Bundle(Box<bundle::Args>),
    /// Show what is new, fixed and unchanged between two results
    ///
    /// Findings are compared by their fingerprints. Where a rule was not run or is unknown in one of both, its findings cannot be
    /// compared. The exit code is 1 when something is new that no waiver accepts, 5 when nothing is and something cannot be
    /// compared, 0 otherwise, and 2 for failures.
    #[command(after_help = diff::EXAMPLES)]
    Diff(diff::Args),
    /// Write a result into its cluster, as a ConfigMap and a ClusterReport of OpenReports
    ///
    /// The result is a saved one, or with --live that of a check which is made now. Two objects are written, as the owner of
    /// their fields, and nothing else is changed. They have roles of their own, with the rights to these two and nothing else;
    /// a check needs those of deploy/reader.yaml besides. The exit code is 0 when they are written, whatever the verdict, and
    /// 1 when a check or a write fails. In a cluster without the definitions of OpenReports the ConfigMap is written alone.
    Publish(Box<publish::Args>),
    /// Print a result with pseudonyms for the names of nodes, namespaces, people, hosts and the cluster
    ///
    /// A pseudonym is an HMAC of the name under the key: the same name has the same pseudonym under the same key, also in
    /// bundles. Nobody without the key can go from a pseudonym to a name, or confirm a guess. Whoever has the key and the
    /// result goes back with --names. Names that stand in sentences alone are known from --snapshot. Names of workloads,
    /// images, node pools, labels and public software stay; waivers' reasons and answers' notes are left out.
    #[command(after_help = redact::EXAMPLES)]
    Redact(redact::Args),
}

impl Args {
    /// The flags that shape what is printed.
    pub fn ui(&self) -> &UiFlags {
        match self.command.as_deref() {
            Some(ReportCommand::Bundle(args)) => &args.flags.ui,
            Some(ReportCommand::Diff(args)) => &args.ui,
            Some(ReportCommand::Publish(args)) => &args.flags.ui,
            Some(ReportCommand::Redact(args)) => &args.ui,
            None => &self.ui,
        }
    }
}

/// Runs `report`.
///
/// # Errors
/// [`Failure`] when the result cannot be read, written or published.
pub async fn run(args: &Args, ui: &Ui) -> ExitResult {
    match args.command.as_deref() {
        Some(ReportCommand::Bundle(args)) => return bundle::run(args, ui).await,
        Some(ReportCommand::Diff(args)) => return diff::run(args, ui),
        Some(ReportCommand::Publish(args)) => return publish::run(args, ui).await,
        Some(ReportCommand::Redact(args)) => return redact::run(args, ui),
        None => {}
    }
    let Some(path) = &args.result else { return Err(Failure::input(anyhow::anyhow!("name the result to render"))) };
    args.showing.apart(&[])?;
    let report = result::read(path).map_err(Failure::input)?;
    args.showing.render(&report, args.namespace.as_deref(), Timestamp::now(), ui)?.write(ui)?;
    Ok(if args.exit_zero { 0 } else { report.exit_code })
}

const EXAMPLES: &str = "\
Examples:
  # Show a saved result as its check showed it
  kubectl aksarc report result.json

  # Files for code scanning and for test results, of one check
  kubectl aksarc report result.json -o sarif=aksarc.sarif -o junit=aksarc.xml

  # What is new since the last check, and a file for a support ticket
  kubectl aksarc report diff monday.json tuesday.json
  kubectl aksarc report bundle result.json --snapshot cluster.tar.gz -o case.tar.gz

  # The same as `support-check -o markdown`
  kubectl aksarc support-check -o json | kubectl aksarc report - -o markdown";
