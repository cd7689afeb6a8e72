//! The formats of a report by name, and the value of `-o`: a format, and the file that it goes to.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, ValueEnum};

use crate::input::settings;
use crate::screen::format::ScreenFormat;

/// The formats of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ReportFormat {
    /// For people: the verdict, then every finding with evidence and fix
    Table,
    /// One line per finding
    Wide,
    /// One line
    Short,
    /// One object per line for `xargs -L1 kubectl get`: -n NAMESPACE KIND/NAME
    Name,
    /// The whole report, versioned; `report` makes every other format of it
    Json,
    /// The same as YAML
    Yaml,
    /// One finding per line as JSON; the last line is the summary
    Jsonl,
    /// One finding per line, comma-separated, for spreadsheets
    Csv,
    /// A page for a browser and for paper, complete in one file
    Html,
    /// A page for pull requests and wikis
    Markdown,
    /// SARIF 2.1.0, for code scanning: the findings that are neither waived nor information only
    Sarif,
    /// JUnit XML: one test case per rule
    Junit,
    /// Annotations of GitHub Actions; the summary of the step gets the Markdown page
    Github,
    /// Issues of an Azure Pipelines run; its summary gets the Markdown page
    Azdo,
    /// Metrics for the textfile collector of Prometheus' node exporter
    Prometheus,
    /// A ClusterReport of openreports.io/v1alpha1; `report publish` applies it
    Openreports,
}

impl ReportFormat {
    /// The word of `-o`.
    pub fn word(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// The format for a terminal that this is; `None` for the formats for programs and documents.
    pub fn on_screen(self) -> Option<ScreenFormat> {
        match self {
            ReportFormat::Table => Some(ScreenFormat::Table),
            ReportFormat::Wide => Some(ScreenFormat::Wide),
            ReportFormat::Short => Some(ScreenFormat::Short),
            ReportFormat::Name => Some(ScreenFormat::Name),
            _ => None,
        }
    }
}

/// A value of `-o`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The format.
    pub format: ReportFormat,
    /// The file; `None` for standard output.
    pub file: Option<PathBuf>,
}

/// The parser of `FORMAT` and `FORMAT=FILE`, which offers the formats to help texts and shells.
#[derive(Clone, Copy, Debug)]
pub struct ChosenParser;

impl TypedValueParser for ChosenParser {
    type Value = Chosen;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<Chosen, clap::Error> {
        let Some(text) = value.to_str() else {
            return Err(clap::Error::new(ErrorKind::InvalidUtf8).with_cmd(command));
        };
        let (format, file) = match text.split_once('=') {
            Some((format, file)) => (format, Some(file)),
            None => (text, None),
        };
        let format = EnumValueParser::<ReportFormat>::new().parse_ref(command, arg, OsStr::new(format))?;
        let file = file.map(settings::file_of_format).transpose().map_err(|why| {
            let mut error = clap::Error::new(ErrorKind::InvalidValue).with_cmd(command);
            if let Some(arg) = arg {
                error.insert(ContextKind::InvalidArg, ContextValue::String(arg.to_string()));
            }
            error.insert(ContextKind::InvalidValue, ContextValue::String(text.to_owned()));
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![why.into()]));
            error
        })?;
        Ok(Chosen { format, file })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(ReportFormat::value_variants().iter().filter_map(ValueEnum::to_possible_value)))
    }
}
