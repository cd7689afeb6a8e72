//! Counters of the outcomes of a task in the background.

use prometheus_client::metrics::counter::Counter;

use super::{Metrics, by};

/// A counter for each word that an outcome can have.
#[derive(Debug)]
pub(crate) struct OutcomeCounters(Vec<(&'static str, Counter)>);

impl OutcomeCounters {
    /// Registers a counter for each of `words`, with the label `outcome`.
    pub(crate) fn register(metrics: &mut Metrics, name: &str, help: &str, words: &[&'static str]) -> Self {
        let counters = metrics.counters(name, help, &by("outcome", words));
        OutcomeCounters(words.iter().copied().zip(counters).collect())
    }

    /// Counts an outcome by its word. A word that was not registered counts nothing.
    pub(crate) fn count(&self, word: &str) {
        if let Some((_, counter)) = self.0.iter().find(|(own, _)| *own == word) {
            counter.inc();
        }
    }
}
