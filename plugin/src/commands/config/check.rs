//! `config check`: whether the configuration file and the files that it names can be used.

use std::path::{Path, PathBuf};

use aksarc_shared::chain::Chain;
use aksarc_shared::text;
use anyhow::anyhow;

use super::path;
use crate::api;
use crate::cli::exit::{ExitResult, Failure};
use crate::commands::{baseline, dry_run, support_check};
use crate::input::config::{self, GivenSetting, SettingsFile};
use crate::input::waivers::{self, WaiverSource};
use crate::screen::ui::Ui;
use crate::screen::wording::counting;

/// Arguments of `config check`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Configuration file, instead of the user's own
    #[arg(value_name = "FILE", conflicts_with = "config", value_hint = clap::ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// The same as a flag.
    #[command(flatten)]
    pub path: path::Args,
}

/// Runs `config check`.
pub(super) fn run(args: &Args, ui: &Ui) -> ExitResult {
    let file = SettingsFile::of(args.file.as_deref().or(args.path.config.as_deref()));
    let Some(config) = file.read().map_err(Failure::input)? else {
        let shown = file.path().map_or_else(|| "none".to_owned(), |path| path.display().to_string());
        return Err(Failure::input(anyhow!("there is no configuration file ({shown})")));
    };
    let path = file.path().unwrap_or(Path::new(""));
    let directory = path.parent().map(std::path::absolute).and_then(Result::ok).unwrap_or_default();
    let named = config.files(&directory);
    let mut wrong = 0;
    for GivenSetting { entry, flag, value } in &named {
        if let Err(error) = usable(flag, value) {
            wrong += 1;
            ui.error(&format!("error: {entry}: --{flag}: {}", Chain(error.as_ref())));
        }
    }
    let known = api::known_contexts(None);
    for entry in config.contexts().filter(|entry| !known.iter().any(|name| config::is_for(entry, name))) {
        ui.note(&format!("note: no context of the kubeconfig is {:?}", text::line(entry, 80)));
    }
    if wrong > 0 {
        let files = counting(wrong, "file");
        return Err(Failure::input(anyhow!("{} names {files} that cannot be used", path.display())));
    }
    let (contexts, files) = (counting(config.contexts().count(), "context"), counting(named.len(), "file"));
    ui.print(&format!("{}: can be used; {contexts}, {files} named\n", path.display()))?;
    Ok(0)
}

/// Reads a file as the command that gets it by the flag would.
fn usable(flag: &str, path: &str) -> anyhow::Result<()> {
    let file = Path::new(path);
    match flag {
        "waivers" => match WaiverSource::of(Some(path)) {
            WaiverSource::File(path) => waivers::of_file(path).map(drop),
            WaiverSource::Cluster | WaiverSource::None => Ok(()),
        },
        "baseline" => baseline::read(file).map(drop),
        "attest" => support_check::options::answers_of(path).map(drop),
        "versions" => support_check::options::tables_of(path).map(drop),
        "guard-config" => dry_run::guard_config(file).map(drop),
        other => Err(anyhow!("no file is known to be given by --{other}")),
    }
}
