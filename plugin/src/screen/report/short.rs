//! `-o short`: one line.

use std::fmt;

use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::ReportV1;

use super::summary::{FAR_DAYS, counted, deadlines, headline, left_out};
use super::view::View;
use crate::screen::style::{Paint, sign};
use crate::screen::wording::days;

pub(super) fn render(report: &ReportV1, _: &View) -> Result<String, fmt::Error> {
    let verdict = report.verdict;
    let near = deadlines(report, FAR_DAYS);
    let next =
        near.iter().map(|deadline| deadline.first).find(|clock| clock.days_left >= 0 && clock.platforms.is_empty());
    let next = next.map(|clock| {
        let when = if clock.days_left == 0 { "" } else { "in " };
        format!(" · next {} {when}{}", text::line(&clock.code, 40), days(clock.days_left))
    });
    let mut counts: Vec<String> = ["voids", "at-risk", "not-covered", "info", "waived", "unknown"]
        .iter()
        .map(|key| format!("{} {key}", counted(report, key)))
        .collect();
    if left_out(report) > 0 {
        counts.push(format!("{} not run", left_out(report)));
    }
    Ok(format!(
        "{} · {} · {} · exit {}{}\n",
        text::line(&report.cluster.context, 120),
        Paint::verdict(verdict, format_args!("{} {}", sign(verdict), headline(report))),
        counts.join(", "),
        report.exit_code,
        next.unwrap_or_default(),
    ))
}
