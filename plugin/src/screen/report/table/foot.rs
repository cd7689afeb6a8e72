//! Below the findings: deadlines, the outcome of every rule, and the addresses of the sources.

use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::{ClockV1, ConsequenceV1, OutcomeV1, RuleV1};

use super::layout::Screen;
use crate::screen::grid::Grid;
use crate::screen::report::summary::{Deadline, FAR_DAYS, deadlines};
use crate::screen::report::view::Show;
use crate::screen::wording::{counting, days};

impl Screen<'_> {
    /// The outcome of every rule.
    pub(super) fn outcomes(&mut self) {
        let mut grid = Grid::narrow();
        for rule in &self.report.rules {
            let reason = [self.beside(rule), text::line(&rule.reason, 200)];
            let reason: Vec<String> = reason.into_iter().filter(|part| !part.is_empty()).collect();
            grid.row([
                rule.code.clone(),
                rule.outcome.as_str().to_owned(),
                [rule.slug.clone()].into_iter().chain(reason).collect::<Vec<_>>().join(": "),
            ]);
        }
        self.gap();
        self.out.line(" rules");
        self.out.grid("   ", &grid);
    }

    /// A rule passes with findings that are information only: they are counted beside its outcome.
    fn beside(&self, rule: &RuleV1) -> String {
        let info = |finding: &&aksarc_shared::verdict::report::v1::FindingV1| {
            finding.code == rule.code && finding.consequence == ConsequenceV1::Info && finding.waiver.is_none()
        };
        match self.report.findings.iter().filter(info).count() {
            count if count > 0 && rule.outcome == OutcomeV1::Pass => counting(count, "finding") + " for information",
            _ => String::new(),
        }
    }

    /// The deadlines, soonest first.
    pub(super) fn deadlines(&mut self) {
        let all = matches!(self.view.show, Show::All | Show::Deadlines);
        let deadlines = deadlines(self.report, if all { i64::MAX } else { FAR_DAYS });
        if deadlines.is_empty() {
            return;
        }
        let mut grid = Grid::narrow();
        for deadline in &deadlines {
            let clock = deadline.first;
            grid.row([days(clock.days_left), clock.due.clone(), text::line(&clock.code, 40), what(deadline)]);
        }
        self.gap();
        self.out.line(" deadlines");
        self.out.grid("   ", &grid);
    }

    /// The addresses of the sources, by their numbers.
    pub(super) fn sources(&mut self) {
        let listed: Vec<String> = self.cited.listed().collect();
        if listed.is_empty() {
            return;
        }
        self.gap();
        self.out.line(" sources");
        for line in listed {
            self.out.line(&format!("   {line}"));
        }
    }
}

/// The event, and on which other days it comes if the cluster is on another platform or host.
fn what(deadline: &Deadline<'_>) -> String {
    let on = |clock: &ClockV1| clock.platforms.join(", ");
    let first = deadline.first;
    let here = if first.platforms.is_empty() { String::new() } else { format!(" ({})", on(first)) };
    let mut words = text::line(&first.what, 160) + &here;
    let mut told: Vec<String> = Vec::new();
    for other in deadline.others.iter().filter(|other| other.due != first.due) {
        let there = if other.platforms.is_empty() { String::new() } else { format!(" ({})", on(other)) };
        let other = format!("{}{there}", other.due);
        if !told.contains(&other) {
            told.push(other);
        }
    }
    if !told.is_empty() {
        words = format!("{words}; else {}", told.join(", "));
    }
    words
}
