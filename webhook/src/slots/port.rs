//! What is counted of the connections of one listener.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::seat::State;
use crate::metrics::Labels;

/// The counters of all listeners.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) review: Arc<Port>,
    pub(crate) metrics: Arc<Port>,
    pub(crate) probe: Arc<Port>,
}

impl Ports {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let open = Family::<Labels, Gauge>::default();
        registry.register("connections", "Open connections by port and by what they are doing", open.clone());
        let limit = Family::<Labels, Gauge>::default();
        registry.register("connections_limit", "How many connections a port holds at most", limit.clone());
        let accepted = Family::<Labels, Counter>::default();
        registry.register("connections_accepted", "Accepted connections by port", accepted.clone());
        let evicted = Family::<Labels, Counter>::default();
        registry.register(
            "connections_evicted",
            "Connections that were closed for a newcomer, by port: the longest idle one, one of an address beyond its \
             share, or the slowest sender when none was idle",
            evicted.clone(),
        );
        let saturated = Family::<Labels, Counter>::default();
        registry.register(
            "connections_saturated",
            "Connections that came while a port held as many as it can",
            saturated.clone(),
        );
        let port = |name: &'static str| {
            let labels = || vec![("port", name)];
            let and = |key: &'static str, word: &'static str| vec![("port", name), (key, word)];
            Arc::new(Port {
                name,
                open: State::ALL.map(|state| open.get_or_create(&and("state", state.word())).clone()),
                limit: limit.get_or_create(&labels()).clone(),
                accepted: accepted.get_or_create(&labels()).clone(),
                evicted: Eviction::ALL.map(|why| evicted.get_or_create(&and("reason", why.word())).clone()),
                saturated: saturated.get_or_create(&labels()).clone(),
            })
        };
        Ports { review: port("review"), metrics: port("metrics"), probe: port("probe") }
    }
}

/// The counters of one listener.
#[derive(Debug, Default)]
pub(crate) struct Port {
    /// The word for it in metrics and in the log.
    pub(crate) name: &'static str,
    open: [Gauge; State::ALL.len()],
    limit: Gauge,
    accepted: Counter,
    evicted: [Counter; Eviction::ALL.len()],
    saturated: Counter,
}

impl Port {
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

    pub(crate) fn entered(&self, state: State) {
        if let Some(gauge) = self.open.get(state as usize) {
            gauge.inc();
        }
    }

    #[cfg(test)]
    pub(crate) fn open(&self, state: State) -> i64 {
        self.open.get(state as usize).map_or(0, Gauge::get)
    }

    pub(crate) fn left(&self, state: State) {
        if let Some(gauge) = self.open.get(state as usize) {
            gauge.dec();
        }
    }
}

/// Why a connection gave way to a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Eviction {
    /// All slots were taken, and it was the longest idle one.
    Idle,
    /// Its address holds more than its share.
    Share,
    /// All slots were taken and none was idle; it was sending its request for longest.
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
    use crate::metrics::Metrics;

    #[test]
    fn each_state_and_each_reason_counts_in_its_own_series() {
        let metrics = Metrics::new();
        for (state, why) in State::ALL.into_iter().zip(Eviction::ALL.into_iter().cycle()) {
            let port = &metrics.ports.probe;
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
