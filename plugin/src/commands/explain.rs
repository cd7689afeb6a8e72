//! `explain`: shows the page of a rule or of a clause, without a cluster.

use aksarc_shared::data::embedded;
use aksarc_shared::rules::catalogue::{self, UnknownRule};
use aksarc_shared::rules::rule::Rule;

use crate::cli::exit::{ExitResult, Failure};
use crate::screen::explain::{self, Extent};
use crate::screen::pager;
use crate::screen::ui::Ui;

/// Arguments of `explain` and `rules show`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Codes, slugs, categories such as 2xx, or clauses such as C13
    #[arg(value_name = "CODE|SLUG|CLAUSE", required = true)]
    pub rules: Vec<String>,
    /// Show the whole page: also what the rule checks, reads and guards, and what it cannot see
    #[arg(long)]
    pub full: bool,
    /// Show the whole page with its examples: objects and changes, each with the rule's answer
    #[arg(long)]
    pub examples: bool,
    /// Print at once, also on a terminal; otherwise $KUBECTL_AKSARC_PAGER, $PAGER or less shows what is longer than the screen
    #[arg(long)]
    pub no_pager: bool,
}

/// Runs `explain`.
///
/// # Errors
/// [`Failure`] when there is no such rule.
pub fn run(args: &Args, ui: &Ui) -> ExitResult {
    let mut pages = Vec::new();
    let extent = match (args.examples, args.full) {
        (true, _) => Extent::Examples,
        (false, true) => Extent::Full,
        (false, false) => Extent::Short,
    };
    let look = ui.look();
    for word in &args.rules {
        if let Some(clause) = embedded().clauses.iter().find(|clause| clause.id.eq_ignore_ascii_case(word)) {
            pages.push(explain::clause(clause, embedded(), look));
            continue;
        }
        for rule in select(word, ui.name).map_err(Failure::input)? {
            pages.push(explain::page(rule, embedded(), look, extent, ui.name));
        }
    }
    let text = look.fit(pages.join("\n"));
    if args.no_pager || !pager::show(&text, ui) {
        ui.print(&text)?;
    }
    Ok(0)
}

/// The rules that a word names. An unknown word is an error that says where to find them.
pub(crate) fn select(word: &str, own_name: &str) -> anyhow::Result<Vec<&'static Rule>> {
    catalogue::select(word).map_err(|unknown| match unknown {
        UnknownRule::Slip { .. } => unknown.into(),
        UnknownRule::Retired(_) | UnknownRule::Other(_) => {
            anyhow::anyhow!("{unknown}: `{own_name} rules list` shows all")
        }
    })
}

const EXAMPLES: &str = "\
Examples:
  kubectl aksarc explain AA201
  kubectl aksarc explain system-label-changed
  kubectl aksarc explain 2xx
  kubectl aksarc explain C13

  # The whole page, and with objects and changes that the rule finds, and those that it does not
  kubectl aksarc explain AA201 --full
  kubectl aksarc explain AA201 --examples";
