//! A histogram of durations.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// A histogram of durations made of atomics; the library's takes a lock for every observation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histogram(Arc<Buckets>);

#[derive(Debug, Default)]
struct Buckets {
    counts: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

impl Histogram {
    pub(crate) fn observe(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let place = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        if let Some(count) = self.0.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.0.nanoseconds.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> =
            bounds.zip(&self.0.counts).map(|(bound, count)| (bound, count.load(Ordering::Relaxed))).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = Duration::from_nanos(self.0.nanoseconds.load(Ordering::Relaxed)).as_secs_f64();
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// The upper bounds of the buckets. A review takes some 20 µs, one of a 3 MB object some milliseconds, and the API
/// server gives up after three seconds.
const BOUNDS: [f64; 9] = [0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.001, 0.005, 0.025, 0.25, 2.5];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn durations_fall_into_the_bucket_that_bounds_them() {
        let mut metrics = Metrics::new();
        let seconds = metrics.histogram("review_duration", "From the whole body to the answer");
        for time in [Duration::from_micros(25), Duration::from_micros(26), Duration::from_secs(9)] {
            seconds.observe(time);
        }
        let text = metrics.text();
        for line in [
            "aksarc_review_duration_seconds_bucket{le=\"0.000025\"} 1",
            "aksarc_review_duration_seconds_bucket{le=\"0.00005\"} 2",
            "aksarc_review_duration_seconds_bucket{le=\"+Inf\"} 3",
            "aksarc_review_duration_seconds_count 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
