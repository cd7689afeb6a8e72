//! A report in each format. All derive from [`Report`], and none decides anything.

mod name;
mod short;
mod table;
mod wide;

use std::fmt;

use aksarc_shared::catalogue;
use aksarc_shared::data::Document;
use aksarc_shared::finding::{Basis, Consequence, Finding};
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::report::{Report, VerdictWord};

pub use super::explain::{documents, page};
pub use super::grid::Grid;
pub use super::style::{Paint, to_ascii};

use crate::cli::exit::Failure;
use crate::screen::format::Format;

/// Which findings people see. JSON and YAML always hold all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Show {
    /// Findings that are neither waived nor information only
    #[default]
    Problems,
    /// All findings, and every rule's outcome
    All,
}

/// What findings are grouped by in the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum GroupBy {
    /// The rule
    #[default]
    Rule,
    /// The object
    Object,
    /// The namespace of the object
    Namespace,
}

/// How things are to look.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// ASCII only.
    pub ascii: bool,
    /// Columns of the terminal; `None` where there is none, and lines are as long as they are.
    pub width: Option<usize>,
    /// What to call ourselves.
    pub name: &'static str,
    /// Which findings.
    pub show: Show,
    /// In which groups.
    pub group_by: GroupBy,
    /// When the snapshot was taken.
    pub taken: Option<&'a str>,
    /// How old that makes it.
    pub age: Option<Age>,
    /// Manifests were judged, not a state.
    pub manifests: bool,
    /// The nodes were read, so that their number says something.
    pub nodes_read: bool,
    /// Objects among the manifests that no rule looks at.
    pub unjudged: usize,
    /// Objects among the manifests that were recorded from a cluster.
    pub recorded: usize,
}

/// How old a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    /// Whole days; negative where it was taken later.
    pub days: i64,
    /// The moment was given for which that is so; else it is so today.
    pub given: bool,
}

impl Age {
    /// The age of what was taken at a moment: on the day that was asked for, or today.
    pub fn of(taken: Timestamp, as_of: Option<Timestamp>) -> Self {
        let then = as_of.unwrap_or_else(Timestamp::now);
        Age { days: then.duration_since(taken).as_hours() / 24, given: as_of.is_some() }
    }
}

/// Where a report is from.
#[derive(Clone, Debug)]
pub struct Source {
    /// The kubeconfig context, or what stands in its place.
    pub context: String,
    /// The server; empty for files.
    pub server: String,
    /// When the snapshot was taken.
    pub taken: Option<String>,
}

/// A report as text, with colours as ANSI codes in the formats for people.
///
/// # Errors
/// [`Failure`] when it cannot be serialized.
pub fn report(report: &Report, format: Format, look: &Look<'_>) -> Result<String, Failure> {
    let text = match format {
        Format::Json => return json(report),
        Format::Yaml => return yaml(report),
        Format::Table => table::render(report, look),
        Format::Wide => wide::render(report, look),
        Format::Short => short::render(report, look),
        Format::Name => name::render(report, look),
    };
    let text = text.map_err(|fmt::Error| Failure::run(anyhow::anyhow!("cannot lay out the report")))?;
    Ok(if look.ascii { to_ascii(&text) } else { text })
}

/// The report as JSON.
///
/// # Errors
/// [`Failure`] when it cannot be serialized.
pub fn json(report: &Report) -> Result<String, Failure> {
    let mut text = serde_json::to_string_pretty(report).map_err(Failure::run)?;
    text.push('\n');
    Ok(text)
}

/// The report as YAML.
fn yaml(report: &Report) -> Result<String, Failure> {
    // By way of JSON, so that both always hold the same.
    let value = serde_json::to_value(report).map_err(Failure::run)?;
    let mut text = serde_saphyr::to_string(&value).map_err(Failure::run)?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// Findings to show, in the report's order.
fn shown(report: &Report, show: Show) -> Vec<&Finding> {
    let wanted = |finding: &&Finding| {
        show == Show::All || (finding.waiver.is_none() && finding.consequence != Consequence::Info)
    };
    report.findings.iter().filter(wanted).collect()
}

/// The policy texts, each as `"Support policies for AKS on Azure Local" of 2025-06-26`.
fn texts(report: &Report) -> Vec<String> {
    let each = report.policy.documents.iter().map(|document| match document.date {
        Some(date) => format!("\"{}\" of {date}", document.title),
        None => format!("\"{}\" (undated)", document.title),
    });
    each.collect()
}

/// How many rules `--only` and `--skip` left out: a verdict of a few is not one of all.
fn left_out(report: &Report) -> usize {
    catalogue::ALL.len().saturating_sub(report.rules.len())
}

/// The verdict in a few words, with whose word it is; a verdict of some rules alone says so and is never `within`.
fn headline(report: &Report) -> String {
    let word = match (report.verdict, report.verdict_basis) {
        (VerdictWord::Outside, Some(Basis::Documented(_))) => "outside, by Microsoft's retirement notice",
        (VerdictWord::Outside, Some(Basis::Derived | Basis::Operational)) => "outside, by our reading",
        (VerdictWord::Within, _) if left_out(report) > 0 => "nothing voids support",
        (verdict, _) => verdict.as_str(),
    };
    let asked = if left_out(report) > 0 { ", of the rules asked" } else { "" };
    format!("{word}{asked}")
}

/// `23 days`, `1 day ago`, `today`.
fn days(left: i64) -> String {
    let unit = if left.unsigned_abs() == 1 { "day" } else { "days" };
    match left {
        0 => "today".to_owned(),
        1.. => format!("{left} {unit}"),
        _ => format!("{} {unit} ago", left.unsigned_abs()),
    }
}

/// A policy text as `Title (2025-04-03)`.
pub fn dated(document: &Document) -> String {
    match document.date {
        Some(date) => format!("{} ({date})", document.title),
        None => format!("{} (undated)", document.title),
    }
}

/// What a basis is, for people; a documented one names its pages with their dates.
pub fn rests_on(basis: Basis) -> String {
    let pages: Vec<String> = basis.documents().into_iter().map(dated).collect();
    if pages.is_empty() { basis.phrase().to_owned() } else { format!("{}: {}", basis.phrase(), pages.join("; ")) }
}

/// How many of something the report's summary counts.
fn counted(report: &Report, key: &str) -> usize {
    report.summary.get(key).copied().unwrap_or(0)
}
