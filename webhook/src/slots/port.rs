//! Counters of the connections of each listener.

use std::array::from_fn;
use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::seat::ConnectionState;
use crate::metrics::{Metrics, SeriesLabels, by};

/// The counters of all listeners.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) review: Arc<PortCounters>,
    pub(crate) metrics: Arc<PortCounters>,
    pub(crate) probe: Arc<PortCounters>,
}

impl Ports {
    pub(crate) fn register(metrics: &mut Metrics) -> Self {
        let ports = ["review", "metrics", "probe"];
        let with = |key: &'static str, words: &[&'static str]| -> Vec<SeriesLabels> {
            ports.iter().flat_map(|port| words.iter().map(move |word| vec![("port", *port), (key, *word)])).collect()
        };
        let states = with("state", &ConnectionState::ALL.map(ConnectionState::word));
        let open = metrics.gauges("connections", "Open connections by port and by what they are doing", &states);
        let by_port = by("port", &ports);
        let limit = metrics.gauges("connections_limit", "How many connections a port holds at most", &by_port);
        let accepted = metrics.counters("connections_accepted", "Accepted connections by port", &by_port);
        let evicted = metrics.counters(
            "connections_evicted",
            "Connections that were closed for a newcomer, by port: the longest idle one, one of an address beyond its \
             share, or the slowest sender when none was idle",
            &with("reason", &Eviction::ALL.map(Eviction::word)),
        );
        let saturated = metrics.counters(
            "connections_saturated",
            "Connections that came while a port held as many as it can",
            &by_port,
        );
        let accept_errors = metrics.counter("accept_errors", "Failures to accept a connection");
        let (mut open, mut limit, mut accepted) = (open.into_iter(), limit.into_iter(), accepted.into_iter());
        let (mut evicted, mut saturated) = (evicted.into_iter(), saturated.into_iter());
        // In the order of `ports`, and for each port in the order of the words.
        let mut port = |name: &'static str| {
            Arc::new(PortCounters {
                name,
                open: from_fn(|_| open.next().unwrap_or_default()),
                limit: limit.next().unwrap_or_default(),
                accepted: accepted.next().unwrap_or_default(),
                evicted: from_fn(|_| evicted.next().unwrap_or_default()),
                saturated: saturated.next().unwrap_or_default(),
                accept_errors: accept_errors.clone(),
            })
        };
        let [review, metrics, probe] = ports.map(&mut port);
        Ports { review, metrics, probe }
    }
}

/// The counters of one listener.
#[derive(Debug, Default)]
pub(crate) struct PortCounters {
    /// The word for the listener in metrics, and the name of its thread.
    pub(crate) name: &'static str,
    open: [Gauge; ConnectionState::ALL.len()],
    limit: Gauge,
    accepted: Counter,
    evicted: [Counter; Eviction::ALL.len()],
    saturated: Counter,
    /// One for all listeners.
    accept_errors: Counter,
}

impl PortCounters {
    pub(crate) fn accept_failed(&self) {
        self.accept_errors.inc();
    }

    #[cfg(test)]
    pub(crate) fn accept_failures(&self) -> u64 {
        self.accept_errors.get()
    }

    pub(crate) fn limited(&self, connections: usize) {
        self.limit.set(i64::try_from(connections).unwrap_or(i64::MAX));
    }

    pub(crate) fn accepted(&self) {
        self.accepted.inc();
    }

    pub(crate) fn saturated(&self) {
        self.saturated.inc();
    }

    pub(crate) fn evicted(&self, why: Eviction) {
        if let Some(counter) = self.evicted.get(why as usize) {
            counter.inc();
        }
    }

    pub(crate) fn entered(&self, state: ConnectionState) {
        if let Some(gauge) = self.open.get(state as usize) {
            gauge.inc();
        }
    }

    #[cfg(test)]
    pub(crate) fn open(&self, state: ConnectionState) -> i64 {
        self.open.get(state as usize).map_or(0, Gauge::get)
    }

    pub(crate) fn left(&self, state: ConnectionState) {
        if let Some(gauge) = self.open.get(state as usize) {
            gauge.dec();
        }
    }
}

/// Why a connection was evicted for a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Eviction {
    /// All slots were taken, and the connection was the longest idle one.
    Idle,
    /// Its address holds more than its share.
    Share,
    /// All slots were taken and none was idle; the connection had been sending its request for longest.
    Slow,
}

impl Eviction {
    const ALL: [Eviction; 3] = [Eviction::Idle, Eviction::Share, Eviction::Slow];

    fn word(self) -> &'static str {
        match self {
            Eviction::Idle => "idle",
            Eviction::Share => "share",
            Eviction::Slow => "slow",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_and_each_reason_counts_in_its_own_series() {
        let mut metrics = Metrics::new();
        let ports = Ports::register(&mut metrics);
        for (state, why) in ConnectionState::ALL.into_iter().zip(Eviction::ALL.into_iter().cycle()) {
            let port = &ports.probe;
            let (gauge, counter) = (port.open[state as usize].get(), port.evicted[why as usize].get());
            port.entered(state);
            port.evicted(why);
            let text = metrics.text();
            for line in [
                format!("aksarc_connections{{port=\"probe\",state=\"{}\"}} {}", state.word(), gauge + 1),
                format!("aksarc_connections_evicted_total{{port=\"probe\",reason=\"{}\"}} {}", why.word(), counter + 1),
            ] {
                assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
            }
            port.left(state);
        }
        assert!(metrics.text().contains("aksarc_connections{port=\"probe\",state=\"idle\"} 0"));
    }
}
