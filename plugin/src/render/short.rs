//! `-o short`: one line.

use std::fmt;

use aksarc_shared::report::Report;
use aksarc_shared::text;

use super::style::sign;
use super::{Look, Paint, counted};

pub(super) fn render(report: &Report, _look: &Look<'_>) -> Result<String, fmt::Error> {
    let verdict = report.verdict;
    let next = report
        .clocks
        .first()
        .map(|clock| format!(" · next {} in {} days", text::line(&clock.code, 40), clock.days_left));
    let counts: Vec<String> = ["voids", "at-risk", "not-covered", "info", "waived", "unknown"]
        .iter()
        .map(|key| format!("{} {key}", counted(report, key)))
        .collect();
    Ok(format!(
        "{} · {} · {} · exit {}{}\n",
        text::line(&report.cluster.context, 120),
        Paint::verdict(verdict, format_args!("{} {}", sign(verdict), verdict.as_str())),
        counts.join(", "),
        report.exit_code,
        next.unwrap_or_default(),
    ))
}
