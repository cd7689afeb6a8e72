//! The summary of all outcomes: verdict, deadlines and questions.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::state::Check;
use crate::data::Platform;
use crate::facts::answers;
use crate::finding::{Basis, Consequence, Finding};
use crate::people::questions::Question;
use crate::people::{questions, waiver};
use crate::rules::catalogue;
use crate::rules::rule::{Due, Rule};
use crate::verdict::report::{Clock, RuleOutcome, RuleResult, VerdictWord, exit};

impl Check<'_> {
    pub(super) fn exit_code(&self, verdict: VerdictWord, findings: &[Finding]) -> u8 {
        let fails = |finding: &Finding| finding.waiver.is_none() && finding.consequence <= self.params.fail_on;
        match verdict {
            VerdictWord::Outside => exit::OUTSIDE,
            VerdictWord::Inconclusive if !self.params.allow_incomplete => exit::INCONCLUSIVE,
            _ if findings.iter().any(fails) => exit::FAIL_ON,
            _ => exit::WITHIN,
        }
    }

    pub(super) fn clocks(&self, day: Date, candidates: &[Platform]) -> Vec<Clock> {
        let clock = |due: Date, code: &str, what: String| Clock {
            due: due.to_string(),
            days_left: (due - day).get_days().into(),
            code: code.to_owned(),
            what,
            platforms: Vec::new(),
            subject: String::new(),
        };
        let mut clocks = Vec::new();
        for rule in &self.params.rules {
            let Some(of_rule) = rule.state().deadlines else { continue };
            let mut dues: BTreeMap<Due, Vec<Platform>> = BTreeMap::new();
            for platform in candidates.iter().filter(|platform| rule.platforms.contains(platform)) {
                for due in of_rule(&self.inventory, &self.context(rule, *platform)) {
                    dues.entry(due).or_default().push(*platform);
                }
            }
            clocks.extend(dues.into_iter().map(|(Due { on, what, subject }, platforms)| {
                let everywhere = platforms.len() == candidates.len();
                let platforms = if everywhere { Vec::new() } else { platforms };
                Clock { platforms, subject, ..clock(on, rule.code.as_str(), what) }
            }));
        }
        for waiver in waiver::in_force(&self.params.waivers, self.params.now) {
            let what = format!("waiver {} ({} {})", waiver.name, waiver.rules.join(" "), waiver.matches.word());
            clocks.push(clock(
                waiver.expires.to_zoned(TimeZone::UTC).date(),
                waiver.rules.first().map_or("", String::as_str),
                what,
            ));
        }
        for (answer, ends) in self.answers().ends() {
            let on_clause = |rule: &&&Rule| match catalogue::attested(&answer.clause) {
                Some(own) => rule.code == own,
                None => rule.names(&answer.clause),
            };
            let on_it = self.params.rules.iter().find(on_clause);
            let what = format!("answer of {} to {} ends", answer.by.trim(), answer.clause);
            clocks.push(clock(answers::day(ends), on_it.map_or("", |rule| rule.code.as_str()), what));
        }
        clocks.sort();
        clocks
    }

    pub(super) fn questions(&self, candidates: &[Platform]) -> Vec<Question> {
        if self.manifests {
            return Vec::new();
        }
        questions::questions(&questions::AskedFor {
            data: self.data,
            candidates,
            rules: &self.params.rules,
            release: self.params.release.as_deref(),
            attestations: &self.params.attestations,
            now: self.params.now,
        })
    }
}

/// The verdict, and the strongest basis of the findings that void support.
pub(super) fn verdict(rules: &[RuleOutcome], findings: &[Finding]) -> (VerdictWord, Option<Basis>) {
    let voids = findings.iter().filter(|finding| finding.consequence == Consequence::Voids && finding.waiver.is_none());
    match voids.map(|finding| finding.basis).min() {
        Some(basis) => (VerdictWord::Outside, Some(basis)),
        None if rules.iter().any(|rule| rule.could_void) => (VerdictWord::Inconclusive, None),
        None => (VerdictWord::Within, None),
    }
}

/// Turns the outcome of a rule whose findings are all waived into `waived`.
pub(super) fn settle(rules: &mut [RuleOutcome], findings: &[Finding]) {
    for rule in rules.iter_mut().filter(|rule| rule.outcome == RuleResult::Violated) {
        let mut heavy = findings.iter().filter(|f| f.code == rule.code && f.consequence != Consequence::Info);
        if heavy.all(|finding| finding.waiver.is_some()) {
            rule.outcome = RuleResult::Waived;
        }
    }
}

pub(super) fn summary(rules: &[RuleOutcome], findings: &[Finding]) -> BTreeMap<&'static str, usize> {
    let mut summary = BTreeMap::new();
    for consequence in Consequence::ALL {
        let own = findings.iter().filter(|f| f.consequence == consequence && f.waiver.is_none());
        summary.insert(consequence.as_str(), own.count());
    }
    summary.insert("waived", findings.iter().filter(|f| f.waiver.is_some()).count());
    for outcome in [RuleResult::Unknown, RuleResult::NotObservable] {
        summary.insert(outcome.as_str(), rules.iter().filter(|rule| rule.outcome == outcome).count());
    }
    summary
}
