//! The series of the guard's own certificates.

use aksarc_shared::jiff::Timestamp;
use prometheus_client::metrics::gauge::Gauge;

use super::outcome::PassOutcome;
use super::record::TrustStep;
use crate::metrics::{Metrics, OutcomeCounters, by};

/// The series of the guard's own certificates.
#[derive(Debug)]
pub(crate) struct CertificateCounters {
    passes: OutcomeCounters,
    /// One for each word of a step.
    steps: Vec<Gauge>,
    authority_end: Gauge,
    leaf_end: Gauge,
    generation: Gauge,
    trusted: Gauge,
}

impl CertificateCounters {
    pub(crate) fn register(metrics: &mut Metrics, leaf_end: Gauge) -> Self {
        CertificateCounters {
            passes: OutcomeCounters::register(
                metrics,
                "certificate_passes",
                "Looks at the guard's own certificates and at what API servers trust, by outcome",
                &PassOutcome::WORDS,
            ),
            steps: metrics.gauges(
                "certificate_authority_step_info",
                "How far a change of the authority has come: 1 for the present step, steady without a change",
                &by("step", &TrustStep::WORDS),
            ),
            authority_end: metrics.gauge(
                "certificate_authority_expiry_timestamp_seconds",
                "When the authority of the certificate in use expires; 0 without one",
            ),
            leaf_end,
            generation: metrics.gauge(
                "certificate_authority_generation",
                "The number of the authority of the certificate in use; 0 without one",
            ),
            trusted: metrics.gauge(
                "certificate_trusted",
                "Whether the caBundle of every webhook has the authority of the certificate in use, at the last look",
            ),
        }
    }

    pub(super) fn passed(&self, outcome: PassOutcome) {
        self.passes.count(outcome.word());
    }

    pub(super) fn step(&self, step: &TrustStep) {
        for (word, gauge) in TrustStep::WORDS.iter().zip(&self.steps) {
            gauge.set(i64::from(*word == step.word()));
        }
    }

    pub(super) fn presented(&self, generation: u64, authority: Timestamp, leaf: Timestamp) {
        self.generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
        self.authority_end.set(authority.as_second());
        self.leaf_end.set(leaf.as_second());
    }

    pub(super) fn trusted(&self, trusted: bool) {
        self.trusted.set(i64::from(trusted));
    }
}
