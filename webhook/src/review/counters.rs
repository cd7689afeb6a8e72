//! Counters of reviews and of their findings.

use aksarc_shared::facts::actor::Actor;
use aksarc_shared::rules::catalogue;
use aksarc_shared::verdict::guard::{Decision, Judgement, Preset};
use prometheus_client::metrics::counter::Counter;

use crate::metrics::{Metrics, SeriesLabels, by};

/// Counters of reviews. Each is found by position, so that counting looks nothing up.
#[derive(Debug)]
pub struct ReviewCounters {
    /// By decision, actor, mode, and whether they were dry runs.
    reviews: Vec<Counter>,
    /// By rule, and for each rule by mode with decision, and by actor.
    findings: Vec<(&'static str, Vec<Counter>)>,
    /// By rule, in the order of `findings`.
    waived: Vec<Counter>,
    /// By the position of the reason in `REASONS`.
    not_evaluated: Vec<Counter>,
    log_lines_suppressed: Counter,
}

impl ReviewCounters {
    /// Registers the series.
    pub fn register(metrics: &mut Metrics) -> Self {
        let series: Vec<SeriesLabels> = DECISIONS
            .iter()
            .flat_map(|decision| ACTORS.iter().map(move |actor| (decision, actor)))
            .flat_map(|(decision, actor)| Preset::ALL.iter().map(move |preset| (decision, actor, preset)))
            .flat_map(|(decision, actor, preset)| {
                DRY_RUN.map(|dry_run| {
                    vec![
                        ("decision", decision.as_str()),
                        ("actor", actor.as_str()),
                        ("mode", preset.as_str()),
                        ("dry_run", dry_run),
                    ]
                })
            })
            .collect();
        let codes: Vec<&'static str> =
            catalogue::ALL.iter().filter(|rule| rule.change.is_some()).map(|rule| rule.code.as_str()).collect();
        ReviewCounters {
            reviews: metrics.counters(
                "reviews",
                "Judged reviews by decision, actor, mode, and whether they were dry runs",
                &series,
            ),
            findings: finding_counters(metrics, &codes),
            waived: metrics.counters(
                "findings_waived",
                "Findings in judged reviews that a waiver accepted, by rule; they count among the findings as allowed",
                &by("rule", &codes),
            ),
            not_evaluated: metrics.counters(
                "reviews_not_evaluated",
                "Reviews that were not judged, or not as a whole, by reason",
                &by("reason", &REASONS),
            ),
            log_lines_suppressed: metrics.counter(
                "log_lines_suppressed",
                "Lines on findings that were left out of the log, because a user had caused too many in a second",
            ),
        }
    }

    pub(super) fn judged(&self, judgement: &Judgement, dry_run: bool) {
        let place = (judgement.decision() as usize * ACTORS.len() + judgement.actor as usize) * Preset::ALL.len();
        let place = (place + judgement.preset as usize) * DRY_RUN.len() + usize::from(dry_run);
        if let Some(counter) = self.reviews.get(place) {
            counter.inc();
        }
        for judged in &judgement.judged {
            let Some(rule) = self.findings.iter().position(|(code, _)| judged.finding.code == *code) else { continue };
            let outcome = OUTCOMES.iter().position(|own| *own == (judgement.preset, judged.decision));
            let place = outcome.map(|at| at * JUDGED_ACTORS.len() + usize::from(judgement.actor == Actor::Person));
            let counter = place.and_then(|place| self.findings.get(rule)?.1.get(place));
            let waived = judged.finding.waiver.as_ref().and_then(|_| self.waived.get(rule));
            for counter in counter.into_iter().chain(waived) {
                counter.inc();
            }
        }
    }

    pub(super) fn not_evaluated(&self, reason: &str) {
        let place = REASONS.iter().position(|known| *known == reason).unwrap_or(REASONS.len() - 1);
        if let Some(counter) = self.not_evaluated.get(place) {
            counter.inc();
        }
    }

    pub(super) fn log_line_suppressed(&self) {
        self.log_lines_suppressed.inc();
    }
}

/// One family for all rules that can be found in a change, and the handles of each rule.
fn finding_counters(metrics: &mut Metrics, codes: &[&'static str]) -> Vec<(&'static str, Vec<Counter>)> {
    let labels = |code: &'static str| {
        OUTCOMES.iter().flat_map(move |(preset, decision)| {
            JUDGED_ACTORS.map(|actor| {
                vec![
                    ("rule", code),
                    ("decision", decision.as_str()),
                    ("actor", actor.as_str()),
                    ("mode", preset.as_str()),
                ]
            })
        })
    };
    let series: Vec<SeriesLabels> = codes.iter().flat_map(|code| labels(code)).collect();
    let help = "Findings in judged reviews by rule, decision, actor and mode";
    let counters = metrics.counters("findings", help, &series);
    let of_rule = counters.chunks(OUTCOMES.len() * JUDGED_ACTORS.len()).map(<[Counter]>::to_vec);
    codes.iter().copied().zip(of_rule).collect()
}

/// In the order of their discriminants, by which `judged` finds a counter; a test holds both together.
const DECISIONS: [Decision; 3] = [Decision::Allow, Decision::Warn, Decision::Deny];
const ACTORS: [Actor; 3] = [Actor::Ambiguous, Actor::Person, Actor::Platform];
/// The platform is never judged.
const JUDGED_ACTORS: [Actor; 2] = [Actor::Ambiguous, Actor::Person];
/// The words for a change and for a dry run, by position.
const DRY_RUN: [&str; 2] = ["false", "true"];
/// The decisions that a mode can lead to, with the mode. The others would be series that never count.
const OUTCOMES: [(Preset, Decision); 6] = [
    (Preset::Enforce, Decision::Allow),
    (Preset::Enforce, Decision::Warn),
    (Preset::Enforce, Decision::Deny),
    (Preset::Observe, Decision::Allow),
    (Preset::Warn, Decision::Allow),
    (Preset::Warn, Decision::Warn),
];

/// The reasons for which a review can go unjudged. All but the last three are words of the engine.
const REASONS: [&str; 10] = [
    "unreadable",
    "operation",
    "resource",
    "subresource",
    "version",
    "missing-object",
    "managed-fields",
    PANIC,
    TIME,
    "other",
];
pub(super) const PANIC: &str = "panic";
pub(super) const TIME: &str = "time";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_judgement_counts_in_its_own_series() {
        for decision in DECISIONS {
            assert_eq!(DECISIONS[decision as usize], decision);
        }
        for actor in ACTORS {
            for preset in Preset::ALL {
                for dry_run in [false, true] {
                    let mut metrics = Metrics::new();
                    let counters = ReviewCounters::register(&mut metrics);
                    let judgement = Judgement { actor, preset, judged: Vec::new(), not_evaluated: None };
                    counters.judged(&judgement, dry_run);
                    let line = format!(
                        "aksarc_reviews_total{{decision=\"allow\",actor=\"{}\",mode=\"{}\",dry_run=\"{dry_run}\"}} 1",
                        actor.as_str(),
                        preset.as_str()
                    );
                    let text = metrics.text();
                    assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
                }
            }
        }
    }

    #[test]
    fn every_decision_that_a_mode_can_lead_to_has_its_series_and_no_other() {
        for preset in Preset::ALL {
            let most: Decision = preset.at_most().into();
            for decision in DECISIONS {
                assert_eq!(OUTCOMES.contains(&(preset, decision)), decision <= most, "{preset:?} {decision:?}");
            }
        }
    }

    #[test]
    fn every_reason_counts_in_its_own_series() {
        let mut metrics = Metrics::new();
        let counters = ReviewCounters::register(&mut metrics);
        for reason in REASONS {
            counters.not_evaluated(reason);
        }
        for reason in REASONS {
            let line = format!("aksarc_reviews_not_evaluated_total{{reason=\"{reason}\"}} 1");
            assert!(metrics.text().lines().any(|found| found == line), "{line}");
        }
    }
}
