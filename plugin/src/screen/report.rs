//! The formats of a report for a terminal. Each prints a [`ReportV1`] and nothing else: none looks anything up or decides anything.

mod commands;
mod filter;
mod name;
pub(crate) mod sentence;
mod short;
mod shown;
mod sources;
pub(crate) mod summary;
mod table;
mod view;
mod wide;

use std::borrow::Cow;
use std::fmt;

use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::ReportV1;
use serde_json::Value;

pub use filter::{Filter, ObjectName};
pub use view::{Age, GroupBy, Show, View};

use super::format::ScreenFormat;
use crate::cli::exit::Failure;

/// A sentence for stderr on the findings that a format leaves out silently.
pub fn left_out(report: &ReportV1, format: ScreenFormat, view: &View) -> Option<String> {
    if format != ScreenFormat::Name {
        return None;
    }
    let count = name::nameless(report, view);
    let findings = if count == 1 { "1 finding is".to_owned() } else { format!("{count} findings are") };
    let nameless = (count > 0)
        .then(|| format!("note: {findings} on node pools or the cluster as a whole, which have no name to print"));
    // Waived findings and information are left out by default; what a filter hides is said.
    let filtered = (view.filter != Filter::default())
        .then(|| shown::hidden(report, view))
        .flatten()
        .map(|hidden| format!("note: hidden: {hidden}"));
    let notes: Vec<String> = nameless.into_iter().chain(filtered).collect();
    (!notes.is_empty()).then(|| notes.join("\n"))
}

/// A report as text, with colours as ANSI codes in the formats for people.
///
/// # Errors
/// [`Failure`] when it cannot be serialized.
pub fn report(report: &ReportV1, format: ScreenFormat, view: &View) -> Result<String, Failure> {
    let render = match format {
        ScreenFormat::Table => table::render,
        ScreenFormat::Wide => wide::render,
        ScreenFormat::Short => short::render,
        ScreenFormat::Name => name::render,
    };
    let text = render(&printable(report).map_err(Failure::run)?, view);
    let text = text.map_err(|fmt::Error| Failure::run(anyhow::anyhow!("cannot lay out the report")))?;
    Ok(view.look.fit(text))
}

/// The report without characters that could steer a terminal: a report that was read may hold any text in any field.
fn printable(report: &ReportV1) -> serde_json::Result<ReportV1> {
    let mut value = serde_json::to_value(report)?;
    clean(&mut value);
    serde_json::from_value(value)
}

fn clean(value: &mut Value) {
    match value {
        Value::String(word) => {
            if let Cow::Owned(clean) = text::clean(word) {
                *word = clean;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(clean),
        Value::Object(fields) => fields.values_mut().for_each(clean),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
