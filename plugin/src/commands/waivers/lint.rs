//! `waivers lint`: checks a file of waivers.

use std::collections::BTreeMap;

use aksarc_shared::data::own::API_VERSION;
use aksarc_shared::people::waiver::{self, Waiver, WaiverEntry, WaiverKind, WaiverPlace};
use aksarc_shared::verdict::report::exit;
use anyhow::anyhow;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;

use super::loaded::counted;
use super::place;
use crate::cli::exit::{ExitResult, Failure};
use crate::input::settings::moment;
use crate::input::waivers::file_text;
use crate::screen::format::{self, ListFormat};
use crate::screen::ui::{Ui, UiFlags};
use crate::screen::waivers::{days_left, shown};

/// Arguments of `waivers lint`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// File of waivers; - for standard input
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub file: String,
    /// Format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: ListFormat,
    /// Warn about waivers that end within this many days
    #[arg(long, value_name = "DAYS", default_value_t = 14)]
    pub soon: u16,
    /// As of this day (2026-12-31, at midnight UTC) or moment (RFC 3339) instead of now
    #[arg(long, value_name = "DATE", value_parser = moment, env = "KUBECTL_AKSARC_AS_OF")]
    pub as_of: Option<Timestamp>,
    /// Display.
    #[command(flatten)]
    pub ui: UiFlags,
}

/// Runs `waivers lint`.
pub(super) fn run(args: &Args, ui: &Ui) -> ExitResult {
    let now = args.as_of.unwrap_or_else(Timestamp::now);
    let text = file_text(&args.file).map_err(Failure::input)?;
    let entries = waiver::entries(&text).map_err(|error| {
        // The reader stops at the first fault, so only that one is known.
        let file = shown(&args.file);
        Failure::input(anyhow!(
            "cannot read waivers from {file}: {error}; correct it and lint again: the rest of the file was not checked"
        ))
    })?;
    let notes = notes(&text, &entries, now, args.soon);
    let errors = notes.iter().filter(|note| note.level == Level::Error).count();
    let warnings = notes.len() - errors;
    let name = if args.file == "-" { "standard input".to_owned() } else { shown(&args.file) };
    let text = match args.output {
        ListFormat::Table => {
            let mut text: Vec<String> = notes.iter().map(|note| note.line(&name) + "\n").collect();
            let sum = format!("{}, {}", counted(errors, "error"), counted(warnings, "warning"));
            text.push(format!("{name}: {}, {sum}\n", counted(entries.len(), "waiver")));
            ui.look().fit(text.concat())
        }
        ListFormat::Json | ListFormat::Yaml => {
            let document = serde_json::json!({
                "apiVersion": API_VERSION, "kind": "WaiverLint", "file": args.file, "asOf": now.to_string(),
                "waivers": entries.len(), "errors": errors, "warnings": warnings, "items": notes,
            });
            if args.output == ListFormat::Json { format::json(&document)? } else { format::yaml(&document)? }
        }
    };
    ui.print(&text)?;
    Ok(if errors > 0 { exit::USAGE } else { 0 })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// The waiver does not count.
    Error,
    /// Somebody should look at the waiver.
    Warning,
}

/// A problem of a waiver, with its place.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Note {
    line: u64,
    column: u64,
    level: Level,
    waiver: String,
    message: String,
}

impl Note {
    fn line(&self, file: &str) -> String {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        format!("{file}:{}:{}: {level}: waiver {}: {}", self.line, self.column, shown(&self.waiver), self.message)
    }
}

fn notes(text: &str, entries: &[WaiverEntry], now: Timestamp, soon: u16) -> Vec<Note> {
    let waivers: Vec<Waiver> = entries.iter().map(|entry| entry.waiver.clone()).collect();
    let mut notes = Vec::new();
    for (index, (entry, (waiver, problems))) in entries.iter().zip(waiver::all_problems(&waivers)).enumerate() {
        let next = entries.get(index + 1).map(|next| next.place);
        let mut add = |level: Level, field: &str, message: String| {
            let WaiverPlace { line, column } = place::of_field(text, entry.place, next, field);
            notes.push(Note { line, column, level, waiver: waiver.name.clone(), message });
        };
        for problem in &problems {
            add(Level::Error, problem.field(), problem.to_string());
        }
        let days = days_left(waiver.expires, now);
        if waiver.expires <= now {
            add(
                Level::Warning,
                "expires",
                format!("it expired at {}: take it out, or have a new one approved", waiver.expires),
            );
        } else if days <= i64::from(soon) {
            let left = if days == 0 {
                "today".to_owned()
            } else {
                format!("in {}", counted(usize::try_from(days).unwrap_or(0), "day"))
            };
            add(Level::Warning, "expires", format!("it ends {left}, at {}: the finding returns then", waiver.expires));
        }
        let start = waiver.not_before.unwrap_or(now);
        if start.checked_add((A_YEAR * 24).hours()).is_ok_and(|year| waiver.expires > year) {
            add(Level::Warning, "expires", "it runs for more than a year; consider a shorter time".to_owned());
        }
        if waiver.kind == WaiverKind::Accepted && waiver.support_case.is_some() {
            add(
                Level::Warning,
                "supportCase",
                "supportCase has no effect with kind accepted; did you mean microsoft-directed?".to_owned(),
            );
        }
        if waiver.matches.name.contains(['*', '?']) {
            add(Level::Warning, "match", "names match exactly: * and ? stand for themselves".to_owned());
        }
        for moved in waiver.moved() {
            add(Level::Warning, moved.field(), moved.to_string());
        }
        if let Some(doubt) = waiver.matches.doubt() {
            add(Level::Warning, "match", doubt);
        }
    }
    let valid = entries.iter().zip(waiver::all_problems(&waivers)).filter(|(_, (_, problems))| problems.is_empty());
    notes.extend(overlaps(valid.map(|(entry, _)| entry)));
    notes.sort_by_key(|note| (note.line, note.column, note.level));
    notes
}

/// Notes on valid waivers for the same subject at the same time: only the one that ends last is ever shown.
fn overlaps<'e>(entries: impl Iterator<Item = &'e WaiverEntry>) -> Vec<Note> {
    let mut same: BTreeMap<(String, &str), Vec<&WaiverEntry>> = BTreeMap::new();
    for entry in entries {
        for code in &entry.waiver.rules {
            same.entry((entry.waiver.matches.short(), code)).or_default().push(entry);
        }
    }
    let mut notes = Vec::new();
    for ((_, code), mut group) in same {
        group.sort_by_key(|entry| entry.waiver.expires);
        for pair in group.windows(2) {
            let [earlier, later] = pair else { continue };
            let (one, other) = (&earlier.waiver, &later.waiver);
            let apart = other.not_before.is_some_and(|start| start >= one.expires);
            if apart || one.name == other.name {
                continue;
            }
            notes.push(Note {
                line: earlier.place.line,
                column: earlier.place.column,
                level: Level::Warning,
                waiver: one.name.clone(),
                message: format!("{} is for the same {code} and ends later, so that one is shown", shown(&other.name)),
            });
        }
    }
    notes
}

/// In days.
const A_YEAR: i64 = 366;

pub(super) const EXAMPLES: &str = "\
Examples:
  kubectl aksarc waivers lint waivers.yaml

  # In a pipeline: what would be invalid or over in a month?
  kubectl aksarc waivers lint waivers.yaml --soon 30 -o json

  # Those of a cluster
  kubectl get supportwaivers -o yaml | kubectl aksarc waivers lint -";
