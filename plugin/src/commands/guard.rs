//! `guard`: shows, tests and sets the guard in a cluster, and explains its denials.

mod attempt;
mod denial;
mod edit;
mod installed;
mod mode;
mod observed;
mod replica;
pub mod roles;
mod status;
mod test;

use crate::cli::exit::ExitResult;
use crate::screen::ui::{Ui, UiFlags};

/// Arguments of `guard`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Box<GuardSubcommand>,
}

/// The subcommands of `guard`.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum GuardSubcommand {
    /// Show the guard's state: armed, mode, replicas, certificates, and changes that went through without it
    ///
    /// Replicas are asked for their metrics through the API server. What you may not read is listed as not seen.
    /// "Armed" is only said after the guard has refused a dry-run request, which creates nothing.
    #[command(after_help = status::EXAMPLES)]
    Status(Box<status::Args>),
    /// Send dry-run requests that the guard has to refuse, and others that have to pass
    ///
    /// All requests are sent with dryRun=All, so the API server stores nothing. Each requires the right to the request
    /// itself; one that you may not make is listed as not tried. Whether the policy of guard-protection.yaml is in force
    /// is tried in the same way.
    #[command(after_help = test::EXAMPLES)]
    Test(test::Args),
    /// List who was denied or warned of, or would have been, and draft the actors of the configuration
    ///
    /// The guard adds up users, credential ids, field managers and rules in the ConfigMap guard-observed, in every mode and
    /// without dry runs.
    #[command(after_help = observed::EXAMPLES)]
    Observed(observed::Args),
    /// Set what the guard does, on the whole or by a rule: observe, warn or enforce
    ///
    /// Changes the ConfigMap guard and nothing else, and prints what has changed and how to undo it. Comments in it stay. A
    /// ConfigMap that Helm, Argo CD or Flux writes is left alone, and the value to change is printed instead.
    #[command(after_help = mode::EXAMPLES)]
    Mode(mode::Args),
    /// Explain a denial or a warning: the rule, the clause, and the way out
    ///
    /// Reads kubectl's message or an event of the API server's audit log, without a cluster.
    #[command(after_help = denial::EXAMPLES)]
    ExplainDenial(denial::Args),
    /// Print the roles with the rights that status, observed and mode need, as YAML
    #[command(after_help = roles::EXAMPLES)]
    Roles(roles::Args),
}

impl Args {
    /// The flags that shape what is printed.
    pub fn ui(&self) -> &UiFlags {
        match &*self.command {
            GuardSubcommand::Status(args) => &args.ui,
            GuardSubcommand::Test(args) => &args.ui,
            GuardSubcommand::Observed(args) => &args.ui,
            GuardSubcommand::Mode(args) => &args.ui,
            GuardSubcommand::ExplainDenial(args) => &args.ui,
            GuardSubcommand::Roles(args) => &args.ui,
        }
    }
}

/// Runs `guard`.
///
/// # Errors
/// [`Failure`](crate::cli::exit::Failure).
pub async fn run(args: &Args, ui: &Ui) -> ExitResult {
    match &*args.command {
        GuardSubcommand::Status(args) => status::run(args, ui).await,
        GuardSubcommand::Test(args) => test::run(args, ui).await,
        GuardSubcommand::Observed(args) => observed::run(args, ui).await,
        GuardSubcommand::Mode(args) => mode::run(args, ui).await,
        GuardSubcommand::ExplainDenial(args) => denial::run(args, ui),
        GuardSubcommand::Roles(args) => roles::run(args, ui),
    }
}

const EXAMPLES: &str = "\
Examples:
  kubectl aksarc guard status
  kubectl aksarc guard observed
  kubectl aksarc guard mode enforce
  kubectl aksarc guard test
  kubectl label node moc-l1 kubernetes.io/hostname=edge-7 --overwrite 2>&1 | kubectl aksarc guard explain-denial -";
