//! Words of a report that the formats for people share: the cluster, its texts, moments and days.

use aksarc_shared::verdict::report::v1::{DocumentV1, InputKindV1, ReportV1};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::screen::wording::{counting, either};

/// The cluster, the snapshot or the manifests that were judged.
pub(crate) fn place(report: &ReportV1) -> String {
    let cluster = &report.cluster;
    match (cluster.context.is_empty(), cluster.server.is_empty()) {
        (false, _) => cluster.context.clone(),
        (true, false) => cluster.server.clone(),
        (true, true) => "a cluster without a name".to_owned(),
    }
}

/// The platforms that the cluster may be on.
pub(crate) fn candidates(report: &ReportV1) -> String {
    let platforms: Vec<&str> = report.policy.platforms.iter().map(String::as_str).collect();
    if platforms.is_empty() { report.policy.platform.clone() } else { either(&platforms) }
}

/// The policy texts, each as `“Support policies for AKS on Azure Local” of 2025-06-26`.
pub(crate) fn policy_texts(report: &ReportV1) -> Vec<String> {
    let each = report.policy.documents.iter().map(|document| match &document.date {
        Some(date) => format!("“{}” of {date}", document.title),
        None => format!("“{}” (undated)", document.title),
    });
    each.collect()
}

/// A page as `Title (2025-04-03)`.
pub(crate) fn titled(page: &DocumentV1) -> String {
    format!("{} ({})", page.title, page.date.as_deref().unwrap_or("undated"))
}

/// `of the rules asked, 1 of 65`, where `--only` or `--skip` left some out.
pub(crate) fn by_some(report: &ReportV1) -> Option<String> {
    report.partial.then(|| format!("of the rules asked, {} of {}", report.rules.len(), report.catalogue.rules))
}

/// A count of the report's summary.
pub(crate) fn counted(report: &ReportV1, key: &str) -> usize {
    report.summary.get(key).copied().unwrap_or(0)
}

/// Whether manifests were judged, and no state.
pub(crate) fn is_of_manifests(report: &ReportV1) -> bool {
    report.input.kind == InputKindV1::Manifests
}

/// A moment in RFC 3339 as `2026-11-27 05:30:30 UTC`; anything else as it is.
pub(crate) fn moment(text: &str) -> String {
    match text.parse::<Timestamp>() {
        Ok(moment) => moment.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => text.to_owned(),
    }
}

/// The age of a snapshot on the day judged: `the day before`, `12 days before`; nothing where that is not known.
pub(crate) fn age(report: &ReportV1) -> Option<String> {
    let taken = report.input.taken.as_deref()?.parse::<Timestamp>().ok()?.to_zoned(TimeZone::UTC).date();
    let judged = report.policy.as_of.parse::<Date>().ok()?;
    let days = judged.since(taken).ok()?.get_days();
    Some(match days {
        0 => "on the day judged".to_owned(),
        1.. => format!("{} before the day judged", counting(days.unsigned_abs() as usize, "day")),
        _ => format!("{} after the day judged", counting(days.unsigned_abs() as usize, "day")),
    })
}
