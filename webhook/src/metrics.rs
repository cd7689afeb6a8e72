//! What the guard counts. Labels are words of ours, never names of users or objects, so their number is bounded.
//!
//! Every series exists from the start: a rate over a series that appears with its first event misses that event, and the
//! request path only ever adds to an atomic.

mod histogram;
mod port;

use std::time::Duration;

use aksarc_shared::facts::actor::Actor;
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::rules::catalogue;
use aksarc_shared::verdict::guard::{Decision, Judgement, Preset};
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::guards::Counts;
use crate::heartbeat::Outcome;
use crate::respond::{REASONS, Refusal};
use crate::waivers;

pub(crate) use port::{Eviction, Port, Ports};

use histogram::Histogram;

/// All counters of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    modes: Vec<Gauge>,
    reviews: Vec<Counter>,
    findings: Vec<(&'static str, Vec<Counter>)>,
    not_evaluated: Vec<Counter>,
    refused: Vec<Counter>,
    heartbeats: Vec<Counter>,
    heartbeat_seen: Gauge,
    waiver_reads: Vec<Counter>,
    waivers_read: Gauge,
    waivers: Family<Labels, Gauge>,
    seconds: Histogram,
    pub(crate) ports: Ports,
    pub(crate) accept_errors: Counter,
    pub(crate) handshakes_failed: Counter,
    pub(crate) handshakes_slow: Counter,
    pub(crate) headers_slow: Counter,
    pub(crate) log_lines_suppressed: Counter,
    pub(crate) config: Reloads,
    pub(crate) certificate: Reloads,
    pub(crate) config_hash: Gauge,
    pub(crate) certificate_expiry: Gauge,
}

/// The outcome of reading a watched file again.
#[derive(Debug, Default)]
pub(crate) struct Reloads {
    failures: Counter,
    last_successful: Gauge,
    last_success: Gauge,
}

impl Reloads {
    pub(crate) fn succeeded(&self, now: Timestamp) {
        self.last_successful.set(1);
        self.last_success.set(now.as_second());
    }

    pub(crate) fn failed(&self) {
        self.failures.inc();
        self.last_successful.set(0);
    }

    /// The content is again the one in use.
    pub(crate) fn recovered(&self) {
        self.last_successful.set(1);
    }

    fn register(&self, registry: &mut Registry, what: &str) {
        let name = |rest: &str| format!("{what}_{rest}");
        registry.register(
            name("reload_failures"),
            format!("Contents of the {what} that were refused; the old one stayed in use"),
            self.failures.clone(),
        );
        registry.register(
            name("last_reload_successful"),
            format!("Whether the {what} in use is the one on disk"),
            self.last_successful.clone(),
        );
        registry.register(
            name("last_reload_success_timestamp_seconds"),
            format!("When the {what} in use was taken into use"),
            self.last_success.clone(),
        );
    }
}

impl Metrics {
    /// Registers everything.
    pub fn new() -> Self {
        Metrics::with_log(Counter::default())
    }

    /// Registers everything, with the count of lines that the log has dropped.
    pub fn with_log(log_lines_dropped: Counter) -> Self {
        let mut registry = Registry::with_prefix("aksarc");
        registry.register("build", "The running program", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
        let modes = Family::<Labels, Gauge>::default();
        registry.register("mode_info", "The mode in force has 1, the others have 0", modes.clone());
        let modes = PRESETS.map(|preset| modes.get_or_create(&vec![("mode", preset.as_str())]).clone()).to_vec();
        let series: Vec<Labels> = DECISIONS
            .iter()
            .flat_map(|decision| ACTORS.iter().map(move |actor| (decision, actor)))
            .flat_map(|(decision, actor)| PRESETS.iter().map(move |preset| (decision, actor, preset)))
            .map(|(decision, actor, preset)| {
                vec![("decision", decision.as_str()), ("actor", actor.as_str()), ("mode", preset.as_str())]
            })
            .collect();
        let reviews = counters(&mut registry, "reviews", "Judged reviews by decision, actor and mode", &series);
        let findings = finding_counters(&mut registry);
        let by_reason = |words: &[&'static str]| words.iter().map(|word| vec![("reason", *word)]).collect::<Vec<_>>();
        let not_evaluated = counters(
            &mut registry,
            "reviews_not_evaluated",
            "Reviews that were not judged, or not as a whole, by reason",
            &by_reason(&REASONS),
        );
        let refused = counters(
            &mut registry,
            "requests_refused",
            "Requests answered with an HTTP error, by reason; the API server goes on without us",
            &by_reason(&Refusal::WORDS),
        );
        let heartbeats = counters(
            &mut registry,
            "heartbeat_attempts",
            "Attempts to note that the cluster runs, by outcome",
            &Outcome::WORDS.map(|word| vec![("outcome", word)]),
        );
        let waiver_reads = counters(
            &mut registry,
            "cluster_waiver_reads",
            "Attempts to read the waivers that the cluster keeps, by outcome",
            &waivers::Outcome::WORDS.map(|word| vec![("outcome", word)]),
        );
        let seconds = Histogram::default();
        registry.register_with_unit(
            "review_duration",
            "From the whole body to the answer",
            Unit::Seconds,
            seconds.clone(),
        );
        let ports = Ports::register(&mut registry);
        registry.register(
            "log_lines_dropped",
            "Lines of the log that could not be written, or not soon enough",
            log_lines_dropped,
        );
        let metrics = Metrics {
            registry: Registry::default(),
            modes,
            reviews,
            findings,
            not_evaluated,
            refused,
            heartbeats,
            heartbeat_seen: Gauge::default(),
            waiver_reads,
            waivers_read: Gauge::default(),
            waivers: Family::default(),
            seconds,
            ports,
            accept_errors: Counter::default(),
            handshakes_failed: Counter::default(),
            handshakes_slow: Counter::default(),
            headers_slow: Counter::default(),
            log_lines_suppressed: Counter::default(),
            config: Reloads::default(),
            certificate: Reloads::default(),
            config_hash: Gauge::default(),
            certificate_expiry: Gauge::default(),
        };
        metrics.register_server(&mut registry);
        Metrics { registry, ..metrics }
    }

    fn register_server(&self, registry: &mut Registry) {
        let m = self;
        registry.register("accept_errors", "Failures to accept a connection", m.accept_errors.clone());
        registry.register("handshake_failures", "TLS handshakes that failed", m.handshakes_failed.clone());
        registry.register("handshake_timeouts", "TLS handshakes that took too long", m.handshakes_slow.clone());
        registry.register("header_timeouts", "New connections without a request in time", m.headers_slow.clone());
        registry.register(
            "log_lines_suppressed",
            "Lines on findings that were left out of the log, because a user had caused too many in a second",
            m.log_lines_suppressed.clone(),
        );
        m.config.register(registry, "config");
        registry.register(
            "config_hash",
            "Of the configuration in use, to compare replicas; 0 without one",
            m.config_hash.clone(),
        );
        m.certificate.register(registry, "certificate");
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When the first certificate of the chain in use to expire does",
            m.certificate_expiry.clone(),
        );
        registry.register(
            "heartbeat_last_seen_timestamp_seconds",
            "Up to when this guard knows the cluster to be noted as running, by the API server's clock",
            m.heartbeat_seen.clone(),
        );
        registry.register(
            "cluster_waivers_last_read_timestamp_seconds",
            "When the waivers that the cluster keeps were last read, or it was seen to have none",
            m.waivers_read.clone(),
        );
        registry.register("cluster_waivers", "Waivers that the cluster keeps, by state", m.waivers.clone());
        m.cluster_waivers(Counts::default());
    }

    /// Says which mode is in force.
    pub(crate) fn mode(&self, mode: Preset) {
        for (preset, gauge) in PRESETS.iter().zip(&self.modes) {
            gauge.set(i64::from(*preset == mode));
        }
    }

    pub(crate) fn judged(&self, judgement: &Judgement) {
        let place = (judgement.decision() as usize * ACTORS.len() + judgement.actor as usize) * PRESETS.len();
        if let Some(counter) = self.reviews.get(place + judgement.preset as usize) {
            counter.inc();
        }
        for judged in &judgement.judged {
            let own = self.findings.iter().find(|(code, _)| judged.finding.code == *code);
            let place = judged.decision as usize * JUDGED_ACTORS + usize::from(judgement.actor == Actor::Person);
            if let Some(counter) = own.and_then(|(_, counters)| counters.get(place)) {
                counter.inc();
            }
        }
    }

    pub(crate) fn not_evaluated(&self, reason: &str) {
        let place = REASONS.iter().position(|known| *known == reason).unwrap_or(REASONS.len() - 1);
        if let Some(counter) = self.not_evaluated.get(place) {
            counter.inc();
        }
    }

    pub(crate) fn refused(&self, refusal: &Refusal) {
        if let Some(counter) = self.refused.get(refusal.place()) {
            counter.inc();
        }
    }

    pub(crate) fn heartbeat(&self, outcome: &Outcome) {
        let place = Outcome::WORDS.iter().position(|word| *word == outcome.word());
        if let Some(counter) = place.and_then(|place| self.heartbeats.get(place)) {
            counter.inc();
        }
        if let Some(seen) = outcome.seen() {
            self.heartbeat_seen.set(seen.as_second());
        }
    }

    pub(crate) fn waivers_read(&self, outcome: &waivers::Outcome) {
        let place = waivers::Outcome::WORDS.iter().position(|word| *word == outcome.word());
        if let Some(counter) = place.and_then(|place| self.waiver_reads.get(place)) {
            counter.inc();
        }
        if !matches!(outcome, waivers::Outcome::Failed(_)) {
            self.waivers_read.set(Timestamp::now().as_second());
        }
    }

    pub(crate) fn cluster_waivers(&self, counts: Counts) {
        for (state, count) in [("taken", counts.taken), ("ignored", counts.ignored), ("expired", counts.expired)] {
            self.waivers.get_or_create(&vec![("state", state)]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    pub(crate) fn took(&self, time: Duration) {
        self.seconds.observe(time);
    }

    /// Everything in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut out = String::with_capacity(32 << 10);
        // Writing to a string fails only when a metric of ours does, and none can.
        if text::encode(&mut out, &self.registry).is_err() {
            tracing::error!("metrics could not be written");
        }
        out
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}

type Labels = Vec<(&'static str, &'static str)>;

/// Handles to the series of a counter, in the order of their labels, so that nothing is looked up when counting.
fn counters(registry: &mut Registry, name: &str, help: &str, series: &[Labels]) -> Vec<Counter> {
    let family = Family::<Labels, Counter>::default();
    registry.register(name, help, family.clone());
    series.iter().map(|labels| family.get_or_create(labels).clone()).collect()
}

/// One table per rule that can be found in a change. The platform is never judged, which leaves two actors.
fn finding_counters(registry: &mut Registry) -> Vec<(&'static str, Vec<Counter>)> {
    let family = Family::<Labels, Counter>::default();
    registry.register("findings", "Findings in judged reviews by rule, decision and actor", family.clone());
    let of_rule = |code: &'static str| {
        let series = DECISIONS.iter().flat_map(|decision| {
            [Actor::Ambiguous, Actor::Person]
                .map(|actor| vec![("rule", code), ("decision", decision.as_str()), ("actor", actor.as_str())])
        });
        (code, series.map(|labels| family.get_or_create(&labels).clone()).collect())
    };
    catalogue::ALL.iter().filter(|rule| rule.change.is_some()).map(|rule| of_rule(rule.code.as_str())).collect()
}

/// In the order of their discriminants, which `judged` computes with; a test holds both together.
const DECISIONS: [Decision; 3] = [Decision::Allow, Decision::Warn, Decision::Deny];
const ACTORS: [Actor; 3] = [Actor::Ambiguous, Actor::Person, Actor::Platform];
const PRESETS: [Preset; 3] = [Preset::Enforce, Preset::Observe, Preset::Warn];
const JUDGED_ACTORS: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_judgement_counts_in_its_own_series() {
        for decision in DECISIONS {
            assert_eq!(DECISIONS[decision as usize], decision);
        }
        for actor in ACTORS {
            for preset in PRESETS {
                let metrics = Metrics::new();
                metrics.judged(&Judgement { actor, preset, judged: Vec::new(), not_evaluated: None });
                let line = format!(
                    "aksarc_reviews_total{{decision=\"allow\",actor=\"{}\",mode=\"{}\"}} 1",
                    actor.as_str(),
                    preset.as_str()
                );
                let text = metrics.text();
                assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
            }
        }
    }

    #[test]
    fn every_reason_counts_in_its_own_series() {
        let metrics = Metrics::new();
        for reason in REASONS {
            metrics.not_evaluated(reason);
        }
        for reason in REASONS {
            let line = format!("aksarc_reviews_not_evaluated_total{{reason=\"{reason}\"}} 1");
            assert!(metrics.text().lines().any(|found| found == line), "{line}");
        }
    }
}
