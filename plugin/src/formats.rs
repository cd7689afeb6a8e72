//! The formats of a report. Each renders a [`ReportV1`] and nothing else: none looks anything up or decides anything. So a
//! saved report gives the same bytes as the check that saved it.
//!
//! The formats for a terminal are in [`screen::report`](crate::screen::report); each of the others is a file here.

mod azdo;
pub mod case;
mod choice;
mod csv;
pub mod escape;
mod gist;
mod github;
pub mod html;
mod jsonl;
mod junit;
mod markdown;
pub(crate) mod openreports;
mod prometheus;
#[cfg(test)]
pub(crate) mod samples;
mod sarif;
mod surroundings;
pub(crate) mod words;

use aksarc_shared::verdict::report::v1::ReportV1;

pub use choice::{Chosen, ChosenParser, ReportFormat};
pub use surroundings::Surroundings;

use self::case::Case;
use crate::cli::exit::Failure;
use crate::screen::format::{self, ScreenFormat};
use crate::screen::report::{self, Show, View};

/// A report as text, with colours as ANSI codes in the formats for a terminal.
///
/// # Errors
/// [`Failure`] when it cannot be serialized.
pub fn render(report: &ReportV1, format: ReportFormat, view: &View, around: &Surroundings) -> Result<String, Failure> {
    let on_screen = |format| report::report(report, format, view);
    if view.show == Show::Case
        && let Some(page) = case_page(report, format, view)
    {
        return Ok(page);
    }
    match format {
        ReportFormat::Table => on_screen(ScreenFormat::Table),
        ReportFormat::Wide => on_screen(ScreenFormat::Wide),
        ReportFormat::Short => on_screen(ScreenFormat::Short),
        ReportFormat::Name => on_screen(ScreenFormat::Name),
        ReportFormat::Json => format::json(report),
        // By way of JSON, so that both always hold the same.
        ReportFormat::Yaml => format::yaml(&serde_json::to_value(report).map_err(Failure::run)?),
        ReportFormat::Jsonl => jsonl::render(report).map_err(Failure::run),
        ReportFormat::Csv => csv::render(report).map_err(Failure::run),
        ReportFormat::Html => Ok(html::page(report)),
        ReportFormat::Markdown => Ok(markdown::render(report)),
        ReportFormat::Sarif => sarif::render(report, &around.sarif_prefix).map_err(Failure::run),
        ReportFormat::Junit => junit::render(report).map_err(Failure::run),
        ReportFormat::Github => Ok(github::render(report)),
        ReportFormat::Azdo => Ok(azdo::render(report, around.azdo_summary(&markdown::render(report)).as_deref())),
        ReportFormat::Prometheus => Ok(prometheus::render(report)),
        ReportFormat::Openreports => openreports::render(report).map_err(Failure::run),
    }
}

/// The case page, in the formats for people that have one.
fn case_page(report: &ReportV1, format: ReportFormat, view: &View) -> Option<String> {
    match format {
        ReportFormat::Table => Some(Case::of(report).for_terminal(view.look)),
        ReportFormat::Html => Some(html::case_page(report)),
        ReportFormat::Markdown => Some(Case::of(report).markdown()),
        _ => None,
    }
}

/// Writes what a format puts elsewhere than into its own text: the summary of a pipeline's step.
///
/// # Errors
/// [`Failure`] when the file cannot be written.
pub fn write_beside(report: &ReportV1, format: ReportFormat, around: &Surroundings) -> Result<(), Failure> {
    match format {
        ReportFormat::Github => around.add_github_summary(&markdown::render(report)),
        ReportFormat::Azdo => around.write_azdo_summary(&markdown::render(report)),
        _ => Ok(()),
    }
}
