//! `config`: shows and checks the configuration file.

mod check;
mod path;
mod view;

use crate::cli::configured::Configured;
use crate::cli::exit::ExitResult;
use crate::screen::ui::{Ui, UiFlags};

/// Arguments of `config`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// The subcommands of `config`.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum ConfigCommand {
    /// Check the configuration file and the files that it names, without a cluster
    ///
    /// Exit code 2 when the file, or one that it names, cannot be used; 0 otherwise.
    Check(check::Args),
    /// Print the path of the configuration file, whether or not it is there
    Path(path::Args),
    /// Show the value of each setting, and where it comes from
    ///
    /// The settings are those for the context that the flags, their variables or the kubeconfig select. A flag counts before its
    /// variable, that before the file, and that before the built-in default.
    View(Box<view::Args>),
}

impl Args {
    /// The flags that shape what is printed, if the subcommand has any.
    pub fn ui(&self) -> Option<&UiFlags> {
        match &self.command {
            ConfigCommand::View(args) => Some(&args.flags.ui),
            ConfigCommand::Check(_) | ConfigCommand::Path(_) => None,
        }
    }
}

/// Runs `config`. `configured` is what the file gives to this command line.
///
/// # Errors
/// A failure with exit 2 when the file cannot be used.
pub fn run(args: &Args, configured: &Configured, ui: &Ui) -> ExitResult {
    match &args.command {
        ConfigCommand::Check(args) => check::run(args, ui),
        ConfigCommand::Path(args) => path::run(args, ui),
        ConfigCommand::View(args) => view::run(args, configured, ui),
    }
}

const EXAMPLES: &str = "\
The file is $XDG_CONFIG_HOME/kubectl-aksarc/config.yaml, by default ~/.config/kubectl-aksarc/config.yaml, and on Windows \
%APPDATA%\\kubectl-aksarc\\config.yaml. Its schema is deploy/plugin-config.schema.json.

  apiVersion: aksarc.dev/v1alpha1
  kind: PluginConfig
  defaults:                 # each named as its flag: platformRelease is --platform-release
    output: wide
  contexts:                 # names of contexts; * stands for any characters, ? for one
    edge-*:
      platform: azure-local
    edge-7:                 # a name counts before a pattern, a longer pattern before a shorter one
      waivers: waivers/edge-7.yaml       # relative to the file

Examples:
  kubectl aksarc config view --context edge-7
  kubectl aksarc config check ./config.yaml";
