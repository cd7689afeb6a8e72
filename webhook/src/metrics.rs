//! The series that the guard's modules register, and their text. Labels are words of ours, never names of users or
//! objects, so their number is bounded.
//!
//! Every series exists from the start: a rate over a series that appears with its first event misses that event. The
//! request path only ever adds to an atomic.

mod histogram;
mod outcomes;
mod plain_text;
mod process;

use aksarc_shared::jiff::Timestamp;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry, Unit};

pub(crate) use histogram::Histogram;
pub(crate) use outcomes::OutcomeCounters;

/// The series of one server. Each module registers its own and keeps the handles that it counts with.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// The series of any process, whose names have no prefix of ours.
    process: Registry,
}

impl Metrics {
    /// Series of no module yet, but for the version of the running program.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("aksarc");
        registry.register("build", "The running program", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
        let mut process = Registry::default();
        process.register_collector(Box::new(process::ProcessStatistics::new(Timestamp::now())));
        Metrics { registry, process }
    }

    /// Registers a counter that somebody else counts with already.
    pub(crate) fn add(&mut self, name: &str, help: &str, counter: Counter) {
        self.registry.register(name, help, counter);
    }

    /// A counter without labels.
    pub(crate) fn counter(&mut self, name: &str, help: &str) -> Counter {
        let counter = Counter::default();
        self.add(name, help, counter.clone());
        counter
    }

    /// A gauge without labels.
    pub(crate) fn gauge(&mut self, name: &str, help: &str) -> Gauge {
        let gauge = Gauge::default();
        self.registry.register(name, help, gauge.clone());
        gauge
    }

    /// A histogram of seconds.
    pub(crate) fn histogram(&mut self, name: &str, help: &str) -> Histogram {
        let histogram = Histogram::default();
        self.registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
        histogram
    }

    /// A counter for each set of labels, in their order, so that nothing is looked up when counting.
    pub(crate) fn counters(&mut self, name: &str, help: &str, series: &[SeriesLabels]) -> Vec<Counter> {
        self.family(name, help, series)
    }

    /// A gauge for each set of labels, in their order.
    pub(crate) fn gauges(&mut self, name: &str, help: &str, series: &[SeriesLabels]) -> Vec<Gauge> {
        self.family(name, help, series)
    }

    fn family<M>(&mut self, name: &str, help: &str, series: &[SeriesLabels]) -> Vec<M>
    where
        M: Clone + Default,
        Family<SeriesLabels, M>: Metric,
    {
        let family = Family::<SeriesLabels, M>::default();
        self.registry.register(name, help, family.clone());
        series.iter().map(|labels| family.get_or_create(labels).clone()).collect()
    }

    /// The series in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut out = String::with_capacity(64 << 10);
        let written = text::encode_registry(&mut out, &self.registry)
            .and_then(|()| text::encode_registry(&mut out, &self.process))
            .and_then(|()| text::encode_eof(&mut out));
        // Writing to a string fails only when a metric of ours does, and none can.
        if written.is_err() {
            tracing::error!("metrics could not be written");
        }
        out
    }

    /// The series in Prometheus' own text format, 0.0.4, which is all that some scrapers read.
    pub fn plain_text(&self) -> String {
        plain_text::of(&self.text())
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}

/// The labels of one series.
pub(crate) type SeriesLabels = Vec<(&'static str, &'static str)>;

/// One set of labels for each word of a label.
pub(crate) fn by(label: &'static str, words: &[&'static str]) -> Vec<SeriesLabels> {
    words.iter().map(|word| vec![(label, *word)]).collect()
}
