//! `config view`: the value of each setting, and where it comes from.

use std::path::PathBuf;

use aksarc_shared::data::own::API_VERSION;
use aksarc_shared::text;
use serde_json::{Value, json};

use crate::cli::configured::{Configured, Setting, SettingSource};
use crate::cli::exit::ExitResult;
use crate::commands::cluster::ClusterFlags;
use crate::commands::support_check::Judging;
use crate::screen::fixes::ShellFlag;
use crate::screen::format::{self, ListFormat};
use crate::screen::grid::Grid;
use crate::screen::report;
use crate::screen::ui::Ui;
use crate::screen::wording::camel_case;

/// Arguments of `config view`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Format
    #[arg(id = "format", short = 'o', long = "output", value_name = "FORMAT", default_value = "table")]
    pub format: ListFormat,
    /// Rules, waivers and platform.
    #[command(flatten)]
    pub judging: Judging,
    /// Configuration of the real guard (kind GuardConfig), for dry runs
    #[arg(long, value_name = "FILE", help_heading = "Judging", env = "KUBECTL_AKSARC_GUARD_CONFIG", value_hint = clap::ValueHint::FilePath)]
    pub guard_config: Option<PathBuf>,
    /// The part of the report to print
    #[arg(
        long,
        value_name = "WHICH",
        help_heading = "Output",
        default_value = "problems",
        env = "KUBECTL_AKSARC_SHOW"
    )]
    pub show: report::Show,
    /// Order of the findings in the table
    #[arg(long, value_name = "BY", help_heading = "Output", default_value = "rule", env = "KUBECTL_AKSARC_GROUP_BY")]
    pub group_by: report::GroupBy,
    /// Shell that commands are printed for
    #[arg(long, value_name = "SHELL", help_heading = "Output", env = "KUBECTL_AKSARC_SHELL")]
    pub shell: Option<ShellFlag>,
    /// Reading, display and cluster.
    #[command(flatten)]
    pub flags: ClusterFlags,
}

/// Runs `config view`.
pub(super) fn run(args: &Args, configured: &Configured, ui: &Ui) -> ExitResult {
    let text = match args.format {
        ListFormat::Table => table(configured, ui),
        ListFormat::Json => format::json(&document(configured))?,
        ListFormat::Yaml => format::yaml(&document(configured))?,
    };
    ui.print(&ui.look().fit(text))?;
    Ok(0)
}

fn table(configured: &Configured, ui: &Ui) -> String {
    let file = configured.file.as_ref().map_or_else(|| "none".to_owned(), |file| file.display().to_string());
    let context = configured.context.as_deref().unwrap_or("none");
    let mut head = Grid::plain();
    head.row(["file".to_owned(), text::line(&file, MAX_SHOWN)]);
    head.row(["context".to_owned(), text::line(context, MAX_SHOWN)]);
    let mut grid = Grid::under(ui.headings, &["SETTING", "VALUE", "FROM"]);
    for Setting { flag, value, source } in &configured.settings {
        let from = match source {
            SettingSource::Flag => format!("flag --{flag}"),
            SettingSource::Variable(name) => format!("environment {name}"),
            SettingSource::File(entry) => format!("file {}", text::line(entry, MAX_SHOWN)),
            SettingSource::BuiltIn => "default".to_owned(),
        };
        let value = value.as_deref().map_or_else(|| "–".to_owned(), |value| text::line(value, MAX_SHOWN));
        grid.row([camel_case(flag), value, from]);
    }
    format!("{}\n{}", head.lines("", None), grid.lines("", None))
}

fn document(configured: &Configured) -> Value {
    let setting = |Setting { flag, value, source }: &Setting| {
        let (source, from) = match source {
            SettingSource::Flag => ("flag", format!("--{flag}")),
            SettingSource::Variable(name) => ("environment", name.clone()),
            SettingSource::File(entry) => ("file", entry.clone()),
            SettingSource::BuiltIn => ("default", String::new()),
        };
        json!({"name": camel_case(flag), "value": value, "source": source, "from": from})
    };
    json!({
        "apiVersion": API_VERSION, "kind": "PluginConfigView", "file": configured.file, "context": configured.context,
        "settings": configured.settings.iter().map(setting).collect::<Vec<_>>(),
    })
}

/// The longest name or value that is printed in the table.
const MAX_SHOWN: usize = 200;
