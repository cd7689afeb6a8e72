//! `version`: shows the versions of this program and its data.

use std::fmt::Write as _;

use aksarc_shared::data::own::API_VERSION;
use aksarc_shared::data::tables;
use aksarc_shared::data::{Data, embedded};
use aksarc_shared::rules::catalogue;
use serde_json::{Value, json};

use crate::cli::exit::ExitResult;
use crate::cli::tool;
use crate::screen::format::{self, ListFormat};
use crate::screen::grid::Grid;
use crate::screen::ui::Ui;
use crate::screen::wording::dated;

/// Arguments of `version`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: ListFormat,
    /// Accepted for compatibility; the versions of a cluster are told by `versions`
    #[arg(long, hide = true)]
    pub client: bool,
}

/// Runs `version`.
///
/// # Errors
/// [`Failure`].
pub fn run(args: &Args, ui: &Ui) -> ExitResult {
    let text = match args.output {
        ListFormat::Table => table(embedded()),
        ListFormat::Json => format::json(&document(embedded()))?,
        ListFormat::Yaml => format::yaml(&document(embedded()))?,
    };
    ui.print(&ui.look().fit(text))?;
    Ok(0)
}

fn table(data: &Data) -> String {
    let mut grid = Grid::plain();
    let commit = if tool::COMMIT.is_empty() { "unknown" } else { tool::COMMIT };
    grid.row(["kubectl-aksarc".to_owned(), format!("{}, commit {commit}", tool::VERSION)]);
    grid.row(["rules".to_owned(), catalogue::ALL.len().to_string()]);
    for document in data.policy_texts() {
        grid.row(["policy text".to_owned(), dated(document)]);
    }
    for table in tables::versions() {
        grid.row(["version table".to_owned(), format!("{} as of {}", table.platform.as_str(), table.as_of)]);
    }
    let mut text = grid.lines("", None);
    // Writing to a String cannot fail.
    let _infallible = writeln!(
        text,
        "\nNot affiliated with Microsoft. What it says is a reading of published texts, not a promise of support."
    );
    text
}

fn document(data: &Data) -> Value {
    let tables: Vec<_> = tables::versions()
        .iter()
        .map(|table| json!({ "platform": table.platform.as_str(), "asOf": table.as_of.to_string() }))
        .collect();
    json!({
        "apiVersion": API_VERSION,
        "kind": "Version",
        "tool": tool::identity(),
        "rules": catalogue::ALL.len(),
        "documents": data.policy_texts().collect::<Vec<_>>(),
        "versionTables": tables,
    })
}
