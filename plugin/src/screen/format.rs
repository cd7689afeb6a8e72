//! Formats of results: those of a report on a terminal, those of other commands, and the writers of JSON and YAML. The
//! exit code does not depend on the format.

use serde::Serialize;

use crate::cli::exit::Failure;

/// The formats of a report for a terminal. All formats of a report are [`ReportFormat`](crate::formats::ReportFormat).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScreenFormat {
    /// The verdict, then every finding.
    Table,
    /// One line per finding.
    Wide,
    /// One line.
    Short,
    /// One object per line.
    Name,
}

/// The formats of commands that list something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ListFormat {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
    /// The same as YAML
    Yaml,
}

/// The formats of `dry-run`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum PlanFormat {
    /// For people
    #[default]
    Table,
    /// DryRunReport, versioned
    Json,
    /// As json
    Yaml,
    /// The objects, one per line
    Name,
}

/// A value as JSON, over several lines.
///
/// # Errors
/// [`Failure`] when it cannot be serialized.
pub(crate) fn json(value: &impl Serialize) -> Result<String, Failure> {
    json_text(value).map_err(Failure::run)
}

/// As [`json`], for callers that have an error of their own.
///
/// # Errors
/// The value cannot be serialized.
pub(crate) fn json_text(value: &impl Serialize) -> serde_json::Result<String> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    Ok(text)
}

/// A value as YAML.
///
/// # Errors
/// [`Failure`] when it cannot be serialized.
pub(crate) fn yaml(value: &impl Serialize) -> Result<String, Failure> {
    let mut text = serde_saphyr::to_string(value).map_err(Failure::run)?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}
