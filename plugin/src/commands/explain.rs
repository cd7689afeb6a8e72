//! `explain`: shows a rule's page, without a cluster.

use aksarc_shared::data::embedded;
use aksarc_shared::rules::catalogue;
use aksarc_shared::rules::rule::Rule;

use crate::cli::exit::{ExitResult, Failure};
use crate::screen::explain;
use crate::screen::ui::Ui;

/// Arguments of `explain` and `rules show`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Codes, slugs, or categories such as 2xx
    #[arg(value_name = "CODE|SLUG", required = true)]
    pub rules: Vec<String>,
}

/// Runs `explain`.
///
/// # Errors
/// [`Failure`] when there is no such rule.
pub fn run(args: &Args, ui: &Ui) -> ExitResult {
    let mut pages = Vec::new();
    for word in &args.rules {
        for rule in select(word, ui.name).map_err(Failure::input)? {
            pages.push(explain::page(rule, embedded(), ui.width));
        }
    }
    let text = pages.join("\n");
    ui.print(&ui.look().fit(text))?;
    Ok(0)
}

/// The rules that a word names. An unknown word is an error that says where to find them.
pub(crate) fn select(word: &str, own_name: &str) -> anyhow::Result<Vec<&'static Rule>> {
    catalogue::select(word).map_err(|unknown| match unknown.nearest {
        Some(_) => unknown.into(),
        None => anyhow::anyhow!("{unknown}: `{own_name} rules list` shows all"),
    })
}

const EXAMPLES: &str = "\
Examples:
  kubectl aksarc explain AA201
  kubectl aksarc explain system-label-changed
  kubectl aksarc explain 2xx";
