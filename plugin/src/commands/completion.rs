//! `completion`: scripts for shells.

use clap_complete::Shell;

use crate::cli::exit::{ExitResult, Failure};
use crate::cli::invocation;
use crate::screen::ui::Ui;

/// Arguments of `completion`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Shell
    #[arg(value_name = "SHELL", value_parser = ["bash", "zsh", "fish", "powershell"])]
    pub shell: String,
}

/// Prints the script for `command`, the whole command line of the program.
///
/// # Errors
/// [`Failure`].
pub fn run(args: &Args, mut command: clap::Command, ui: &Ui) -> ExitResult {
    let shell = match &*args.shell {
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        "powershell" => Shell::PowerShell,
        _ => Shell::Bash,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, invocation::ALONE, &mut script);
    ui.print(&String::from_utf8(script).map_err(Failure::run)?)?;
    Ok(0)
}

const EXAMPLES: &str = "\
Examples:
  source <(kubectl-aksarc completion bash)
  kubectl-aksarc completion zsh > ~/.zfunc/_kubectl-aksarc
  kubectl-aksarc completion fish > ~/.config/fish/completions/kubectl-aksarc.fish";
