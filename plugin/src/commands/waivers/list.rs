//! `waivers list`: shows waivers and their state.

use std::collections::BTreeMap;

use aksarc_shared::data::own::API_VERSION;
use aksarc_shared::people::waiver::{self, Waiver};
use jiff::Timestamp;
use serde::Serialize;

use super::loaded::{WaiverFrom, counted};
use crate::cli::exit::ExitResult;
use crate::commands::cluster::ClusterFlags;
use crate::input::settings::moment;
use crate::screen::format::{self, ListFormat};
use crate::screen::grid::Grid;
use crate::screen::ui::Ui;
use crate::screen::waivers::{days_left, joined, shown, warn_of_unreadable};

/// Arguments of `waivers list`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Where from.
    #[command(flatten)]
    pub from: WaiverFrom,
    /// Format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: ListFormat,
    /// State as of this day (2026-12-31, at midnight UTC) or moment (RFC 3339) instead of now
    #[arg(long, value_name = "DATE", value_parser = moment, env = "KUBECTL_AKSARC_AS_OF")]
    pub as_of: Option<Timestamp>,
    /// Reading, display and cluster.
    #[command(flatten)]
    pub flags: ClusterFlags,
}

/// Runs `waivers list`.
pub(super) async fn run(args: &Args, ui: &Ui) -> ExitResult {
    let now = args.as_of.unwrap_or_else(Timestamp::now);
    let loaded = args.from.load(&args.flags, ui).await?;
    warn_of_unreadable(&loaded.unreadable, ui);
    let rows = rows(&loaded.waivers, now);
    let text = match args.output {
        ListFormat::Table => table(&rows, now, ui),
        ListFormat::Json => format::json(&document(&rows, now))?,
        ListFormat::Yaml => format::yaml(&document(&rows, now))?,
    };
    ui.print(&text)?;
    Ok(0)
}

/// One waiver and its state.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    name: &'a str,
    status: &'static str,
    days_left: i64,
    /// The terms that it breaks.
    problems: Vec<String>,
    waiver: &'a Waiver,
}

fn rows(waivers: &[Waiver], now: Timestamp) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = waiver::all_problems(waivers)
        .map(|(waiver, problems)| Row {
            name: &waiver.name,
            status: if problems.is_empty() { waiver::status(waiver, now).as_str() } else { "invalid" },
            days_left: days_left(waiver.expires, now),
            problems: problems.iter().map(ToString::to_string).collect(),
            waiver,
        })
        .collect();
    rows.sort_by(|a, b| a.waiver.expires.cmp(&b.waiver.expires).then_with(|| a.name.cmp(b.name)));
    rows
}

fn document(rows: &[Row<'_>], now: Timestamp) -> serde_json::Value {
    serde_json::json!({
        "apiVersion": API_VERSION, "kind": "WaiverStatusList", "asOf": now.to_string(), "items": rows,
    })
}

fn table(rows: &[Row<'_>], now: Timestamp, ui: &Ui) -> String {
    if rows.is_empty() {
        return "no waivers\n".to_owned();
    }
    let mut grid = Grid::under(ui.headings, &["NAME", "STATUS", "DAYS LEFT", "EXPIRES", "RULES", "FOR", "REASON"]);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        let waiver = row.waiver;
        *counts.entry(row.status).or_default() += 1;
        grid.row([
            shown(row.name),
            row.status.to_owned(),
            row.days_left.to_string(),
            to_seconds(waiver.expires),
            shown(&waiver.rules.join(",")),
            shown(&waiver.matches.short()),
            shown(&waiver.reason.split_whitespace().collect::<Vec<_>>().join(" ")),
        ]);
    }
    let counts: Vec<String> = counts.iter().map(|(status, count)| format!("{count} {status}")).collect();
    let sum = format!("\n{}: {} · as of {}\n", counted(rows.len(), "waiver"), counts.join(", "), to_seconds(now));
    let mut text = vec![grid.lines("", ui.width), sum];
    let invalid = rows.iter().filter(|row| !row.problems.is_empty());
    text.extend(invalid.map(|row| format!("  {} does not count: {}\n", shown(row.name), joined(&row.problems))));
    ui.look().fit(text.concat())
}

/// A moment without fractions of its second, of which no waiver has any.
fn to_seconds(moment: Timestamp) -> String {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment).to_string()
}

pub(super) const EXAMPLES: &str = "\
Examples:
  kubectl aksarc waivers list waivers.yaml
  kubectl aksarc waivers list --waivers cluster -o json

  # What will be left at the end of the year?
  kubectl aksarc waivers list waivers.yaml --as-of 2026-12-31";
