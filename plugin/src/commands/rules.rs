//! `rules`: shows the catalogue, and the means that decide each clause.

use aksarc_shared::data::own::API_VERSION;
use aksarc_shared::data::{ClauseText, Data, Document, Platform, Sees, embedded};
use aksarc_shared::finding::{Basis, Clause};
use aksarc_shared::people::questions;
use aksarc_shared::rules::catalogue::{self, Deciders};
use aksarc_shared::rules::rule::{Mode, Rule};
use serde::Serialize;

use super::explain;
use crate::cli::exit::{ExitResult, Failure};
use crate::input::settings::PLATFORMS;
use crate::screen::explain::documents;
use crate::screen::format::{self, ListFormat};
use crate::screen::grid::{Grid, Headings};
use crate::screen::ui::Ui;
use crate::screen::wording::dated;

/// The rules, and what decides each clause of the policy.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What to show.
    #[command(subcommand)]
    pub command: RulesCommand,
}

/// What to show of the rules.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum RulesCommand {
    /// List every rule on one line
    List(Listing),
    /// Show a rule's page, as `explain` does
    #[command(alias = "explain")]
    Show(explain::Args),
    /// List every clause of the policy, and what decides it
    Coverage(CoverageArgs),
}

/// How to show what decides the clauses.
#[derive(Clone, Debug, clap::Args)]
pub struct CoverageArgs {
    /// How to show it.
    #[command(flatten)]
    pub listing: Listing,
    /// Print a file for support-check --attest instead, with every question that only people can answer
    #[arg(long, conflicts_with = "output")]
    pub attest_template: bool,
    /// Platform whose questions --attest-template prints; auto for all
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = PLATFORMS, env = "KUBECTL_AKSARC_PLATFORM")]
    pub platform: String,
}

/// How to show a list.
#[derive(Clone, Debug, clap::Args)]
pub struct Listing {
    /// Format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: ListFormat,
    /// No headings above the columns
    #[arg(long)]
    pub no_headers: bool,
}

/// Runs `rules`.
///
/// # Errors
/// [`Failure`].
pub fn run(args: &Args, ui: &Ui) -> ExitResult {
    let text = match &args.command {
        RulesCommand::Show(args) => return explain::run(args, ui),
        RulesCommand::List(listing) => match listing.output {
            ListFormat::Table => list(listing.headings(), ui),
            format => printed("RuleList", &rows(), format)?,
        },
        RulesCommand::Coverage(coverage) if coverage.attest_template => {
            questions::template(embedded(), Platform::parse(&coverage.platform))
        }
        RulesCommand::Coverage(CoverageArgs { listing, .. }) => match listing.output {
            ListFormat::Table => coverage(embedded(), listing.headings(), ui),
            format => printed("ClauseCoverage", &clauses(embedded()), format)?,
        },
    };
    ui.print(&text)?;
    Ok(0)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuleRow {
    code: &'static str,
    slug: &'static str,
    summary: &'static str,
    /// The consequence by platform, where the rule applies.
    consequence: std::collections::BTreeMap<&'static str, &'static str>,
    /// The basis by platform, where the rule applies.
    basis: std::collections::BTreeMap<&'static str, Basis>,
    /// The pages of a `documented` basis.
    documents: Vec<&'static Document>,
    clauses: &'static [Clause],
    platforms: Vec<&'static str>,
    reads: Vec<String>,
    guards: Vec<String>,
    mode: Mode,
    instead: &'static str,
}

impl Listing {
    fn headings(&self) -> Headings {
        Headings::unless(self.no_headers)
    }
}

fn rows() -> Vec<RuleRow> {
    let row = |rule: &&'static Rule| RuleRow {
        code: rule.code.as_str(),
        slug: rule.slug,
        summary: rule.summary,
        consequence: rule.platforms.iter().map(|p| (p.as_str(), rule.consequence_on(*p).as_str())).collect(),
        basis: rule.platforms.iter().map(|p| (p.as_str(), rule.basis_on(*p))).collect(),
        documents: documents(rule),
        clauses: rule.clauses,
        platforms: rule.platforms.iter().map(|platform| platform.as_str()).collect(),
        reads: rule.reads.iter().map(|read| read.kind.qualified()).collect(),
        guards: rule.guards.iter().map(|guard| guard.kind.qualified()).collect(),
        mode: rule.mode,
        instead: rule.instead,
    };
    catalogue::ALL.iter().map(row).collect()
}

fn list(headings: Headings, ui: &Ui) -> String {
    let mut grid = Grid::under(headings, &["CODE", "SLUG", "CONSEQUENCE", "BASIS", "CLAUSES", "GUARD", "SUMMARY"]);
    for rule in catalogue::ALL {
        let mut weights: Vec<_> = rule.platforms.iter().map(|platform| rule.consequence_on(*platform)).collect();
        weights.sort();
        weights.dedup();
        let weights: Vec<&str> = weights.iter().map(|weight| weight.as_str()).collect();
        let mode = if rule.guards.is_empty() { "–" } else { rule.mode.as_str() };
        let mut bases: Vec<&str> = rule.platforms.iter().map(|platform| rule.basis_on(*platform).as_str()).collect();
        bases.sort_unstable();
        bases.dedup();
        grid.row([
            rule.code.to_string(),
            rule.slug.to_owned(),
            weights.join("/"),
            bases.join("/"),
            Clause::join(rule.clauses, ","),
            mode.to_owned(),
            rule.summary.to_owned(),
        ]);
    }
    shown(&grid, ui)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClauseRow<'d> {
    id: &'d str,
    section: &'d str,
    says: &'d str,
    consequence: &'d str,
    rules: Vec<&'static str>,
    /// The means that can decide the clause at all.
    decided_by: Vec<&'static str>,
    /// The clause whose question covers this clause.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_as: Option<&'d str>,
    /// The means that settle it besides rules and questions, or the reason why nothing in a cluster does.
    #[serde(skip_serializing_if = "Option::is_none")]
    settled_by: Option<&'d str>,
    /// Whether rules, a question or other means decide it.
    decided: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ask: Option<&'d str>,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    differs: std::collections::BTreeMap<&'d str, &'d str>,
}

fn clauses(data: &Data) -> Vec<ClauseRow<'_>> {
    data.clauses.iter().map(clause_row).collect()
}

fn clause_row(clause: &ClauseText) -> ClauseRow<'_> {
    let deciders = Deciders::of(clause);
    ClauseRow {
        id: &clause.id,
        section: &clause.section,
        says: &clause.says,
        consequence: &clause.consequence,
        decided: deciders.any(),
        rules: deciders.rules.iter().map(|rule| rule.code.as_str()).collect(),
        decided_by: clause.sees.iter().map(|sees| word(*sees)).collect(),
        asked_as: deciders.asked_as,
        settled_by: deciders.settled_by,
        ask: clause.ask.as_deref(),
        differs: clause.differs.iter().map(|(platform, text)| (&**platform, &**text)).collect(),
    }
}

fn word(sees: Sees) -> &'static str {
    match sees {
        Sees::Attest => "attest",
        Sees::Change => "change",
        Sees::Cluster => "cluster",
        Sees::Evidence => "evidence",
        Sees::Information => "information",
        Sees::Profile => "profile",
    }
}

fn coverage(data: &Data, headings: Headings, ui: &Ui) -> String {
    let mut grid = Grid::under(headings, &["CLAUSE", "DECIDED BY", "SECTION", "SAYS (in our words)"]);
    let (mut by_rules, mut by_people, mut otherwise) = (0, 0, 0);
    for clause in data.clauses.iter() {
        let deciders = Deciders::of(clause);
        let mut by: Vec<String> = Vec::new();
        if !deciders.rules.is_empty() {
            let codes: Vec<&str> = deciders.rules.iter().map(|rule| rule.code.as_str()).collect();
            by.push(codes.join(" "));
        }
        by.extend(
            deciders
                .asked_as
                .map(|lead| if lead == clause.id { "attest".to_owned() } else { format!("attest with {lead}") }),
        );
        by.extend(deciders.settled_by.map(str::to_owned));
        match &deciders {
            // A rule that only answers can decide repeats people's answers.
            Deciders { asked_as: Some(_), .. } if clause.sees == [Sees::Attest] => by_people += 1,
            Deciders { rules, .. } if !rules.is_empty() => by_rules += 1,
            Deciders { asked_as: Some(_), .. } => by_people += 1,
            Deciders { settled_by: Some(_), .. } => otherwise += 1,
            _ => by.push("no rule yet".to_owned()),
        }
        let decided = by.join("; ");
        grid.row([clause.id.clone(), decided, clause.section.clone(), clause.says.clone()]);
    }
    let all = data.clauses.len();
    let decided = by_rules + by_people + otherwise;
    let titles: Vec<String> = Platform::ALL
        .iter()
        .filter_map(|platform| data.document(*platform))
        .map(|document| format!("  {}\n", dated(document)))
        .collect();
    let sum = format!(
        "\n{all} clauses: {by_rules} decided by rules, {by_people} by somebody's answer alone, {otherwise} by what their row names: {decided} of {all}\n\
         attest: Kubernetes cannot show it, somebody must answer (--attest-template begins a file); -o json says whom to ask, and how platforms differ.\n\nTexts:\n{}",
        titles.concat()
    );
    let text = shown(&grid, ui) + &sum;
    ui.look().fit(text)
}

fn shown(grid: &Grid, ui: &Ui) -> String {
    let text = grid.lines("", ui.width);
    ui.look().fit(text)
}

fn printed(kind: &str, items: &impl Serialize, format: ListFormat) -> Result<String, Failure> {
    let value = serde_json::json!({ "apiVersion": API_VERSION, "kind": kind, "items": items });
    if format == ListFormat::Yaml { format::yaml(&value) } else { format::json(&value) }
}

const EXAMPLES: &str = "\
Examples:
  kubectl aksarc rules list
  kubectl aksarc rules show AA301
  kubectl aksarc rules coverage -o json

  # Begin a file with the questions that only people can answer
  kubectl aksarc rules coverage --attest-template --platform azure-local > answers.yaml";
