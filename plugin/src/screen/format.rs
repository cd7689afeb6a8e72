//! Formats of results: the formats of each command, and the writers of JSON and YAML. The exit code does not depend on
//! the format.

use serde::Serialize;

use crate::cli::exit::Failure;

/// The formats of `support-check`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ReportFormat {
    /// For people: the verdict, then every finding with evidence and fix
    #[default]
    Table,
    /// One line per finding
    Wide,
    /// One line
    Short,
    /// One object per line for `xargs -L1 kubectl get`: -n NAMESPACE KIND/NAME
    Name,
    /// The whole report, versioned
    Json,
    /// The same as YAML
    Yaml,
}

/// The formats of commands that list something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ListFormat {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

/// The formats of the commands of `waivers`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum WaiverFormat {
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
    let mut text = serde_json::to_string_pretty(value).map_err(Failure::run)?;
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
