//! Counters of the port for reviews.

use prometheus_client::metrics::counter::Counter;

use crate::metrics::{Histogram, Metrics};
use crate::refusal::RefusalCounters;

/// Counters of the port for reviews.
#[derive(Debug)]
pub(super) struct ServerCounters {
    pub(super) refusals: RefusalCounters,
    pub(super) review_seconds: Histogram,
    pub(super) handshakes_failed: Counter,
    pub(super) handshakes_slow: Counter,
    pub(super) headers_slow: Counter,
}

impl ServerCounters {
    pub(super) fn register(metrics: &mut Metrics) -> Self {
        ServerCounters {
            refusals: RefusalCounters::register(metrics),
            review_seconds: metrics.histogram("review_duration", "From the whole body to the answer"),
            handshakes_failed: metrics.counter("handshake_failures", "TLS handshakes that failed"),
            handshakes_slow: metrics.counter("handshake_timeouts", "TLS handshakes that took too long"),
            headers_slow: metrics.counter("header_timeouts", "New connections without a request in time"),
        }
    }
}
