//! The guard in use: made of the configuration and of the waivers that the cluster keeps, and swapped as a whole.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aksarc_shared::people::waiver::Objects;
use aksarc_shared::text;
use aksarc_shared::verdict::guard::Guard;
use arc_swap::ArcSwap;

use crate::metrics::Metrics;

/// Puts the guard together anew whenever a part of it changes. Never on the request path, which only loads the result.
#[derive(Debug)]
pub(crate) struct Guards {
    in_use: Arc<ArcSwap<Guard>>,
    parts: Mutex<Parts>,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Parts {
    configured: Arc<Guard>,
    cluster: ClusterWaivers,
    /// Objects that count for nothing, with the reason; what was said of them is not said again.
    ignored: BTreeSet<(String, String)>,
}

/// What the `SupportWaiver` objects of a cluster are at one reading.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ClusterWaivers {
    /// Those that are not over.
    pub(crate) objects: Objects,
    /// How many are.
    pub(crate) expired: usize,
}

/// What became of the objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// In use, from their time on.
    pub(crate) taken: usize,
    /// No waivers, or ones that break a term.
    pub(crate) ignored: usize,
    /// Over.
    pub(crate) expired: usize,
}

impl Guards {
    pub(crate) fn new(configured: Guard, metrics: Arc<Metrics>) -> Self {
        metrics.mode(configured.settings().mode);
        let configured = Arc::new(configured);
        let in_use = Arc::new(ArcSwap::new(Arc::clone(&configured)));
        let parts = Parts { configured, cluster: ClusterWaivers::default(), ignored: BTreeSet::new() };
        Guards { in_use, parts: Mutex::new(parts), metrics }
    }

    /// For the request path.
    pub(crate) fn in_use(&self) -> Arc<ArcSwap<Guard>> {
        Arc::clone(&self.in_use)
    }

    /// Takes another configuration.
    pub(crate) fn configure(&self, guard: Guard) {
        let mut parts = self.lock();
        self.metrics.mode(guard.settings().mode);
        parts.configured = Arc::new(guard);
        let cluster = parts.cluster.clone();
        self.put_together(&mut parts, &cluster);
    }

    /// Takes what the cluster keeps now; `None` when that is what it kept before.
    pub(crate) fn keep(&self, cluster: ClusterWaivers) -> Option<Counts> {
        let mut parts = self.lock();
        if parts.cluster == cluster {
            return None;
        }
        let counts = self.put_together(&mut parts, &cluster);
        // Only what is in use counts as known: should putting together panic, the next equal reading tries again.
        parts.cluster = cluster;
        Some(counts)
    }

    fn put_together(&self, parts: &mut Parts, cluster: &ClusterWaivers) -> Counts {
        let Parts { configured, ignored, .. } = parts;
        let Objects { waivers, unreadable } = &cluster.objects;
        // Without waivers from the cluster the guard is the configured one itself, not a copy of it.
        let (guard, invalid) = match waivers.as_slice() {
            [] => (Arc::clone(configured), Vec::new()),
            waivers => {
                let (guard, invalid) = configured.beside(waivers.to_vec());
                (Arc::new(guard), invalid)
            }
        };
        self.in_use.store(guard);
        let counts = Counts {
            taken: waivers.len() - invalid.len(),
            ignored: invalid.len() + unreadable.len(),
            expired: cluster.expired,
        };
        self.metrics.cluster_waivers(counts);
        let of_terms = invalid.iter().map(|(waiver, problems)| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            (text::line(&waiver.name, MAX_NAME), text::line(&problems.join(", "), MAX_WHY))
        });
        let of_shape = unreadable.iter().map(|object| (object.name.clone(), object.why.clone()));
        let now: BTreeSet<(String, String)> = of_terms.chain(of_shape).collect();
        let fresh: Vec<&(String, String)> = now.difference(ignored).collect();
        for (waiver, why) in fresh.iter().take(MAX_LINES) {
            tracing::warn!(waiver, why, "a SupportWaiver does not count");
        }
        if let Some(more @ 1..) = fresh.len().checked_sub(MAX_LINES) {
            tracing::warn!(more, "more SupportWaivers do not count");
        }
        *ignored = now;
        counts
    }

    /// A poisoned lock means that putting together panicked; each part is whole, so the next change can go on.
    fn lock(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As long as a Kubernetes name may be.
const MAX_NAME: usize = 253;
/// A waiver can break every term; the first few say enough.
const MAX_WHY: usize = 300;
/// Of one change. Whoever may write one object may write a thousand.
const MAX_LINES: usize = 20;

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use aksarc_shared::data;
    use aksarc_shared::verdict::guard::Settings;

    use super::*;

    /// Panics at the first word, which is in the midst of putting together.
    struct Broken;

    impl tracing::Subscriber for Broken {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, _: &tracing::Event<'_>) {
            panic!("the subscriber is broken");
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }

    #[test]
    fn what_was_not_put_together_is_taken_at_the_next_equal_reading() {
        let configured = Guard::new(data::embedded(), Settings::default()).unwrap();
        let guards = Guards::new(configured, Arc::new(Metrics::new()));
        let mut objects = Objects::default();
        objects.page(br#"{"items": [{"metadata": {"name": "no-waiver"}, "spec": {}}]}"#).unwrap();
        let read = ClusterWaivers { objects, expired: 0 };
        let keep = || guards.keep(read.clone());
        let panicked = tracing::subscriber::with_default(Broken, || catch_unwind(AssertUnwindSafe(keep)));
        assert!(panicked.is_err());
        assert_eq!(keep().unwrap().ignored, 1);
        assert_eq!(keep(), None);
    }
}
