//! `waivers`: lists, checks, audits and creates waivers.

mod audit;
mod lint;
mod list;
mod loaded;
mod new;
mod place;

use crate::cli::exit::ExitResult;
use crate::screen::ui::{Ui, UiFlags};

/// Arguments of `waivers`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Box<WaiversCommand>,
}

/// The subcommands of `waivers`.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum WaiversCommand {
    /// List waivers with their state, the days left, and their object
    ///
    /// The exit code is 0 whatever their state; `lint` fails on problems.
    #[command(after_help = list::EXAMPLES)]
    List(list::Args),
    /// Check a file of waivers, without a cluster, and list the problems by line
    ///
    /// Exit code 2 when a waiver breaks a term, so that it does not count, or the file cannot be read; 0 otherwise.
    #[command(after_help = lint::EXAMPLES)]
    Lint(lint::Args),
    /// Compare waivers with findings, and list those that are unused, lapsed, expired or invalid
    ///
    /// Judges the cluster of the current context, or a snapshot. A waiver is called unused only when all of its rules
    /// were evaluated in full. If something was not read, or leaves no trace in the cluster, its use is unknown.
    ///
    /// The exit code is 2 when a waiver is invalid; with --strict 5 when the use of one is unknown, then 4 when one is
    /// unused, lapsed or expired; 0 otherwise. The verdict on the cluster is the task of `support-check`.
    #[command(after_help = audit::EXAMPLES)]
    Audit(audit::Args),
    /// Print a complete waiver for a finding
    ///
    /// The finding comes from a saved result (--from), by its fingerprint or by code and object, or from flags. A
    /// waiver that `lint` would refuse is refused here. Nothing is written to a file unless --output-file names one.
    #[command(after_help = new::EXAMPLES)]
    New(new::Args),
}

impl Args {
    /// The flags that shape what is printed.
    pub fn ui(&self) -> &UiFlags {
        match &*self.command {
            WaiversCommand::Audit(args) => &args.flags.ui,
            WaiversCommand::Lint(args) => &args.ui,
            WaiversCommand::List(args) => &args.flags.ui,
            WaiversCommand::New(args) => &args.ui,
        }
    }
}

/// Runs `waivers`.
///
/// # Errors
/// [`Failure`].
pub async fn run(args: &Args, ui: &Ui) -> ExitResult {
    match &*args.command {
        WaiversCommand::Audit(args) => audit::run(args, ui).await,
        WaiversCommand::Lint(args) => lint::run(args, ui),
        WaiversCommand::List(args) => list::run(args, ui).await,
        WaiversCommand::New(args) => new::run(args, ui),
    }
}

const EXAMPLES: &str = "\
Examples:
  kubectl aksarc waivers new --from result.json AA303 kube-system/deployment/log-agent \\
      --reason 'moves next month' --ticket OPS-1234 --requested-by alice --approved-by bob --days 30
  kubectl aksarc waivers lint waivers.yaml
  kubectl aksarc waivers audit waivers.yaml --snapshot cluster.tar.gz
  kubectl aksarc waivers list --waivers cluster";
