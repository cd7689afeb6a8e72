//! Rules that came to no outcome: those that could void support among the findings, the others below them.

use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::{OutcomeV1, RuleV1, VerdictV1};

use super::head::FORBIDDEN;
use super::layout::Screen;
use crate::screen::report::summary::of_manifests;
use crate::screen::report::view::Show;
use crate::screen::style::{Paint, sign};
use crate::screen::wording::counting;

impl Screen<'_> {
    /// The rules that could void support and are not decided.
    pub(super) fn undecided(&mut self) {
        let rules: Vec<&RuleV1> = self.report.rules.iter().filter(|rule| rule.could_void).collect();
        if rules.is_empty() || self.view.show == Show::Fixes {
            return;
        }
        let verdict = VerdictV1::Inconclusive;
        let title = format!("{} COULD VOID SUPPORT · not decided · {}", sign(verdict), counting(rules.len(), "rule"));
        self.gap();
        self.out.line(&Paint::verdict(verdict, title));
        let (lines, more) = self.folded(&rules);
        for line in lines {
            self.out.fold("    ", "      ", &line);
        }
        if more > 0 {
            self.out.line(&format!("    … and {}: --show all", counting(more, "more rule")));
        }
    }

    /// The other undecided rules, and the unread parts besides rules.
    pub(super) fn unknown(&mut self) {
        let report = self.report;
        let open = |rule: &&RuleV1| {
            let found = matches!(rule.outcome, OutcomeV1::Violated | OutcomeV1::Waived);
            !rule.could_void && (rule.outcome == OutcomeV1::Unknown || found && !rule.reason.is_empty())
        };
        let rules: Vec<&RuleV1> = report.rules.iter().filter(open).collect();
        let forbidden = report.rules.iter().any(|rule| rule.reason.contains(FORBIDDEN));
        let (mut lines, more) = self.folded(&rules);
        if more > 0 {
            lines.push(format!("… and {}: --show all", counting(more, "more rule")));
        }
        if forbidden {
            let name = self.view.name;
            lines.push(format!("{name} doctor says which rights are missing, {name} doctor --print-role prints them"));
        }
        self.block("unknown", &lines);
    }

    /// The clauses without a trace in Kubernetes that nobody is asked about.
    pub(super) fn not_observable(&mut self) {
        let report = self.report;
        let asked = |rule: &RuleV1| report.questions.iter().any(|question| question.rules.contains(&rule.code));
        let rules: Vec<&RuleV1> =
            report.rules.iter().filter(|rule| rule.outcome == OutcomeV1::NotObservable && !asked(rule)).collect();
        let lines: Vec<String> = if self.view.show == Show::All {
            let line = |(codes, reason, _): &(Vec<&str>, &str, &RuleV1)| {
                format!("{}: {}", codes.join(", "), text::line(reason, 300))
            };
            by_reason(&rules).iter().map(line).collect()
        } else {
            let codes: Vec<&str> = rules.iter().map(|rule| &*rule.code).collect();
            let told = (!codes.is_empty()).then(|| format!("{}: --show all says why", codes.join(", ")));
            told.into_iter().collect()
        };
        self.block("not observable", &lines);
    }

    /// The rules that judge a state, which manifests do not show.
    pub(super) fn not_run(&mut self) {
        let count = self.report.rules.iter().filter(|rule| rule.needs_cluster).count();
        if !of_manifests(self.report) || count == 0 {
            return;
        }
        let rules = if count == 1 { "1 rule was".to_owned() } else { format!("{count} rules were") };
        let mut lines = vec![format!("{rules} not run, since they need a running cluster")];
        if self.report.input.recorded > 0 {
            let objects = match self.report.input.recorded {
                1 => "1 object looks as if it was".to_owned(),
                count => format!("{count} objects look as if they were"),
            };
            lines.push(format!("{objects} recorded from a cluster: --snapshot judges a recorded state"));
        }
        self.block("not run", &lines);
    }

    /// Rules by their reasons, in lines, and the number of rules that there is no room for.
    fn folded(&self, rules: &[&RuleV1]) -> (Vec<String>, usize) {
        let reasons = by_reason(rules);
        let most = if self.view.show == Show::All { reasons.len() } else { MAX_REASONS };
        let more = reasons.iter().skip(most).map(|(codes, ..)| codes.len()).sum();
        let line = |(codes, reason, first): &(Vec<&str>, &str, &RuleV1)| {
            let beyond = if first.outcome == OutcomeV1::Unknown { "" } else { "beyond what was found: " };
            let who = match codes.as_slice() {
                [code] => format!("{code} {}", first.slug),
                several => several.join(", "),
            };
            format!("{who}: {beyond}{}", text::line(reason, 300))
        };
        (reasons.iter().take(most).map(line).collect(), more)
    }
}

/// Rules with the same reason together: their codes, the reason, and the first of them.
fn by_reason<'r>(rules: &[&'r RuleV1]) -> Vec<(Vec<&'r str>, &'r str, &'r RuleV1)> {
    let mut reasons: Vec<(Vec<&str>, &str, &RuleV1)> = Vec::new();
    for rule in rules {
        let alike = |(_, reason, first): &&mut (Vec<&str>, &str, &RuleV1)| {
            *reason == rule.reason && (first.outcome == OutcomeV1::Unknown) == (rule.outcome == OutcomeV1::Unknown)
        };
        match reasons.iter_mut().find(alike) {
            Some((codes, ..)) => codes.push(&rule.code),
            None => reasons.push((vec![&rule.code], &rule.reason, rule)),
        }
    }
    reasons
}

/// Reasons listed at once; with few rights each list has one of its own.
const MAX_REASONS: usize = 6;
