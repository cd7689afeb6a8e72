//! What became of each rule, deadlines, what could not be seen, and what to do next.

use std::fmt::{self, Write as _};

use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::{
    ClockV1, ConsequenceV1, InputKindV1, OutcomeV1, QuestionV1, RuleV1, VerdictV1,
};

use super::layout::Screen;
use crate::screen::grid::Grid;
use crate::screen::report::summary::{candidates, of_manifests};
use crate::screen::report::view::Show;
use crate::screen::style::Paint;
use crate::screen::wording::{counting, days, either};

impl Screen<'_> {
    pub(super) fn outcomes(&mut self) -> fmt::Result {
        let mut grid = Grid::plain();
        for rule in &self.report.rules {
            grid.row([
                rule.code.clone(),
                rule.slug.clone(),
                rule.outcome.as_str().to_owned(),
                text::line(&rule.reason, 200),
            ]);
        }
        writeln!(self.out, "\n rules")?;
        self.out.grid("   ", &grid);
        Ok(())
    }

    pub(super) fn footer(&mut self) -> fmt::Result {
        let report = self.report;
        let listed = |clock: &&ClockV1| self.view.show == Show::All || clock.days_left <= FAR_DAYS;
        let clocks: Vec<&ClockV1> = report.clocks.iter().filter(listed).collect();
        if !clocks.is_empty() {
            writeln!(self.out)?;
            let mut grid = Grid::plain();
            for (number, clock) in clocks.into_iter().enumerate() {
                let label = if number == 0 { "clocks" } else { "" };
                grid.row([
                    label.to_owned(),
                    text::line(&what(clock), 160),
                    days(clock.days_left),
                    clock.due.clone(),
                    text::line(&clock.code, 40),
                ]);
            }
            self.out.grid(" ", &grid);
        }
        // What could void support stands with the findings.
        let open: Vec<_> =
            report.rules.iter().filter(|rule| rule.outcome == OutcomeV1::Unknown && !rule.could_void).collect();
        let partly = |rule: &&RuleV1| {
            let found = matches!(rule.outcome, OutcomeV1::Violated | OutcomeV1::Waived);
            found && !rule.reason.is_empty() && !rule.could_void
        };
        let partly: Vec<_> = report.rules.iter().filter(partly).collect();
        if !open.is_empty() || !partly.is_empty() {
            writeln!(self.out)?;
            let mut label = "unknown";
            for rule in open {
                self.wrapped_line(label, &format!("{} {}: {}", rule.code, rule.slug, text::line(&rule.reason, 300)));
                label = "";
            }
            for rule in partly {
                self.wrapped_line(
                    label,
                    &format!("{} {}, beyond what was found: {}", rule.code, rule.slug, text::line(&rule.reason, 300)),
                );
                label = "";
            }
        }
        self.not_run()?;
        self.unseen()?;
        writeln!(self.out)?;
        let next = self.next();
        writeln!(self.out, "exit {}{next}", report.exit_code)
    }

    /// What manifests cannot show: the rules that judge a state.
    fn not_run(&mut self) -> fmt::Result {
        let count = self.report.rules.iter().filter(|rule| rule.needs_cluster).count();
        if !of_manifests(self.report) || count == 0 {
            return Ok(());
        }
        writeln!(self.out)?;
        let rules = if count == 1 { "1 rule was".to_owned() } else { format!("{count} rules were") };
        self.wrapped_line("not run", &format!("{rules} not run, since they need a running cluster"));
        if self.report.input.recorded > 0 {
            let objects = match self.report.input.recorded {
                1 => "1 object looks as if it was".to_owned(),
                count => format!("{count} objects look as if they were"),
            };
            self.wrapped_line("", &format!("{objects} recorded from a cluster: --snapshot judges a recorded state"));
        }
        Ok(())
    }

    /// What Kubernetes cannot show: what is asked of people, and what leaves no trace.
    fn unseen(&mut self) -> fmt::Result {
        let report = self.report;
        let of_people = |rule: &RuleV1| report.questions.iter().any(|question| question.rules.contains(&rule.code));
        let mut hidden: Vec<(&str, Vec<&str>)> = Vec::new();
        for rule in report.rules.iter().filter(|rule| rule.outcome == OutcomeV1::NotObservable && !of_people(rule)) {
            match hidden.iter_mut().find(|(reason, _)| *reason == rule.reason) {
                Some((_, codes)) => codes.push(&rule.code),
                None => hidden.push((&rule.reason, vec![&rule.code])),
            }
        }
        let (answered, open): (Vec<_>, Vec<_>) =
            report.questions.iter().partition(|question| question.answer.is_some());
        if hidden.is_empty() && open.is_empty() && answered.is_empty() {
            return Ok(());
        }
        let topics = |questions: &[&QuestionV1]| {
            let each = questions.iter().map(|question| text::line(&question.topic, 60));
            each.collect::<Vec<_>>().join(", ")
        };
        writeln!(self.out)?;
        if !open.is_empty() {
            self.flush_left(&format!("cannot be seen from Kubernetes ({}), and answered by", open.len()));
            let (name, ask) = (self.view.name, self.view.show != Show::All);
            if ask {
                let mut grid = Grid::plain();
                for question in &open {
                    grid.row([
                        question.clauses.join(" "),
                        text::line(&question.topic, 60),
                        text::line(&commands(&question.ask), 200),
                    ]);
                }
                self.out.grid("   ", &grid);
            }
            let whom = if ask { "--show all says whom to ask, " } else { "" };
            self.flush_left(&format!("  {whom}{name} rules coverage --attest-template begins a file for --attest"));
        }
        if !answered.is_empty() {
            self.flush_left(&format!("answered by people ({}): {}", answered.len(), topics(&answered)));
        }
        if self.view.show == Show::All {
            for question in &report.questions {
                self.question(question)?;
            }
        }
        for (number, (reason, codes)) in hidden.into_iter().enumerate() {
            let label = if number == 0 { "unseen" } else { "" };
            self.wrapped_line(label, &format!("{}: {}", codes.join(", "), text::line(reason, 300)));
        }
        Ok(())
    }

    fn question(&mut self, question: &QuestionV1) -> fmt::Result {
        let rules = if question.rules.is_empty() { String::new() } else { format!(" ({})", question.rules.join(" ")) };
        writeln!(self.out, "   {}{rules} {}", Paint::bold(question.clauses.join(" ")), text::clean(&question.topic))?;
        let mut lines = vec![question.says.clone(), format!("ask: {}", question.ask)];
        if let Some(answer) = &question.answer {
            let note = if answer.note.is_empty() { String::new() } else { format!(" ({})", answer.note) };
            lines.push(format!(
                "answer: {} by {} on {}, until {}{note}",
                answer.answer, answer.by, answer.on, answer.expires
            ));
        }
        lines.extend(question.refused.clone());
        for line in &lines {
            self.out.fold_below("      ", &text::line(line, 600));
        }
        Ok(())
    }

    fn next(&self) -> String {
        let report = self.report;
        let mut codes: Vec<&str> = report.unwaived(ConsequenceV1::Voids).map(|f| f.code.as_str()).collect();
        codes.dedup();
        // What was judged is judged again as it was given: only a cluster is asked anew by the bare command.
        let again = |flags: String| {
            if of_manifests(report) {
                format!("judge the manifests again with {flags}")
            } else if report.input.kind == InputKindV1::Snapshot {
                format!("judge a new snapshot with {flags}")
            } else {
                format!(" {} support-check {flags}", self.view.name)
            }
        };
        match report.verdict {
            VerdictV1::Outside => {
                let findings = counting(report.unwaived(ConsequenceV1::Voids).count(), "finding");
                format!(" · next: fix {findings}, then {}", again(format!("--only {}", codes.join(","))))
            }
            VerdictV1::Inconclusive => {
                let candidates = candidates(report);
                let platform = |rule: &&RuleV1| candidates.len() > 1 && rule.reason.contains("--platform");
                let unknown: Vec<_> = report.rules.iter().filter(|rule| rule.outcome == OutcomeV1::Unknown).collect();
                let mut ways = Vec::new();
                if unknown.iter().any(|rule| !platform(rule) && rule.reason.contains("forbidden")) {
                    ways.push("run with rights to list what is named above".to_owned());
                } else if unknown.iter().any(|rule| !platform(rule)) || unknown.is_empty() {
                    ways.push("supply what is named above".to_owned());
                }
                if unknown.iter().any(platform) {
                    ways.push(format!("say with --platform which it is: {}", either(&candidates)));
                }
                format!(" · next: {}", ways.join(", and "))
            }
            VerdictV1::Within => String::new(),
        }
    }
}

fn what(clock: &ClockV1) -> String {
    if clock.platforms.is_empty() {
        clock.what.clone()
    } else {
        format!("{} ({})", clock.what, clock.platforms.join(", "))
    }
}

/// Five years: who plans that far ahead asks for it with `--show all`.
const FAR_DAYS: i64 = 5 * 366;

/// The commands in a question's text, which stand in backticks.
fn commands(ask: &str) -> String {
    ask.split('`').skip(1).step_by(2).collect::<Vec<_>>().join(", ")
}
