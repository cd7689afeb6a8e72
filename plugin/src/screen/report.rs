//! The formats of a report. All are derived from [`Report`], and none decides anything.

mod name;
mod short;
mod summary;
mod table;
mod view;
mod wide;

use std::fmt;

use aksarc_shared::verdict::report::Report;

pub use view::{Age, GroupBy, Show, View};

use super::format::{self, ReportFormat};
use crate::cli::exit::Failure;

/// A report as text, with colours as ANSI codes in the formats for people.
///
/// # Errors
/// [`Failure`] when it cannot be serialized.
pub fn report(report: &Report, format: ReportFormat, view: &View<'_>) -> Result<String, Failure> {
    let text = match format {
        ReportFormat::Json => return format::json(report),
        // By way of JSON, so that both always hold the same.
        ReportFormat::Yaml => return format::yaml(&serde_json::to_value(report).map_err(Failure::run)?),
        ReportFormat::Table => table::render(report, view),
        ReportFormat::Wide => wide::render(report, view),
        ReportFormat::Short => short::render(report),
        ReportFormat::Name => name::render(report, view),
    };
    let text = text.map_err(|fmt::Error| Failure::run(anyhow::anyhow!("cannot lay out the report")))?;
    Ok(view.look.fit(text))
}
