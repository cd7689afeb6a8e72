//! `config path`: prints the path of the configuration file.

use std::path::PathBuf;

use anyhow::anyhow;

use crate::cli::exit::{ExitResult, Failure};
use crate::input::config::SettingsFile;
use crate::screen::ui::Ui;

/// Arguments of `config path`.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Configuration file, instead of the user's own
    #[arg(long, value_name = "FILE|none", env = "KUBECTL_AKSARC_CONFIG", value_hint = clap::ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

/// Runs `config path`.
pub(super) fn run(args: &Args, ui: &Ui) -> ExitResult {
    let file = SettingsFile::of(args.config.as_deref());
    let path = file.path().ok_or_else(|| Failure::input(anyhow!("there is no configuration file: {NOWHERE}")))?;
    ui.print(&format!("{}\n", path.display()))?;
    Ok(0)
}

/// The reasons for which there is no path.
const NOWHERE: &str = "--config none, or no home directory";
