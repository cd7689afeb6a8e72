//! The guard in use. It is made of the configuration and of the cluster's waivers, and is swapped as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aksarc_shared::people::waiver::Objects;
use aksarc_shared::text;
use aksarc_shared::verdict::guard::{Guard, Preset};
use arc_swap::ArcSwap;
use prometheus_client::metrics::gauge::Gauge;

use crate::metrics::{Metrics, by};

/// The guard in use and the parts that it is made of. It is made anew whenever a part changes, and never on the request
/// path, which only loads the result.
#[derive(Debug)]
pub(crate) struct Guards {
    in_use: Arc<ArcSwap<Guard>>,
    parts: Mutex<GuardParts>,
    gauges: GuardGauges,
}

#[derive(Debug)]
struct GuardParts {
    configured: Arc<Guard>,
    cluster: ClusterWaivers,
    /// Objects that do not count, each with the reason. They have been reported, and are not reported again.
    ignored: BTreeSet<(String, String)>,
}

/// The `SupportWaiver` objects of a cluster, as one reading found them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ClusterWaivers {
    /// Objects whose time is not over.
    pub(crate) objects: Objects,
    /// How many objects there are whose time is over.
    pub(crate) expired: usize,
}

/// How many of the cluster's waivers count, and how many do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClusterWaiverCounts {
    /// Waivers in use; each counts from its own time on.
    pub(crate) taken: usize,
    /// Objects that are no waivers, or that break a term.
    pub(crate) ignored: usize,
    /// Objects whose time is over.
    pub(crate) expired: usize,
}

impl Guards {
    pub(crate) fn new(configured: Guard, gauges: GuardGauges) -> Self {
        gauges.mode(configured.settings().mode);
        let configured = Arc::new(configured);
        let in_use = Arc::new(ArcSwap::new(Arc::clone(&configured)));
        let parts = GuardParts { configured, cluster: ClusterWaivers::default(), ignored: BTreeSet::new() };
        Guards { in_use, parts: Mutex::new(parts), gauges }
    }

    /// The guard in use, for the request path to load.
    pub(crate) fn in_use(&self) -> Arc<ArcSwap<Guard>> {
        Arc::clone(&self.in_use)
    }

    /// Takes another configured guard into use.
    pub(crate) fn configure(&self, guard: Guard) {
        let mut parts = self.lock();
        self.gauges.mode(guard.settings().mode);
        parts.configured = Arc::new(guard);
        let cluster = parts.cluster.clone();
        self.rebuild(&mut parts, &cluster);
    }

    /// Takes the cluster's waivers into use, and returns how many count; `None` when they are the same as before.
    pub(crate) fn take(&self, cluster: ClusterWaivers) -> Option<ClusterWaiverCounts> {
        let mut parts = self.lock();
        if parts.cluster == cluster {
            return None;
        }
        let counts = self.rebuild(&mut parts, &cluster);
        // Kept only now: should the rebuild panic, the next equal reading tries again.
        parts.cluster = cluster;
        Some(counts)
    }

    /// The objects that do not count, each with the reason.
    pub(crate) fn ignored(&self) -> BTreeMap<String, String> {
        self.lock().ignored.iter().cloned().collect()
    }

    /// Makes the guard anew from its parts and takes it into use. Each object that does not count is logged once.
    fn rebuild(&self, parts: &mut GuardParts, cluster: &ClusterWaivers) -> ClusterWaiverCounts {
        let GuardParts { configured, ignored, .. } = parts;
        let Objects { waivers, unreadable } = &cluster.objects;
        // Without waivers from the cluster the guard is the configured one itself, not a copy of it.
        let (guard, invalid) = match waivers.as_slice() {
            [] => (Arc::clone(configured), Vec::new()),
            waivers => {
                let (guard, invalid) = configured.with_cluster_waivers(waivers.to_vec());
                (Arc::new(guard), invalid)
            }
        };
        self.in_use.store(guard);
        let counts = ClusterWaiverCounts {
            taken: waivers.len() - invalid.len(),
            ignored: invalid.len() + unreadable.len(),
            expired: cluster.expired,
        };
        self.gauges.cluster_waivers(counts);
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

    /// A poisoned lock means that a rebuild panicked. Each part is whole, so the next change can go on.
    fn lock(&self) -> MutexGuard<'_, GuardParts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gauges of the guard in use.
#[derive(Debug)]
pub(crate) struct GuardGauges {
    /// One for each preset.
    modes: Vec<Gauge>,
    /// Waivers of the cluster: taken, ignored, expired.
    cluster_waivers: Vec<Gauge>,
}

impl GuardGauges {
    pub(crate) fn register(metrics: &mut Metrics) -> Self {
        GuardGauges {
            modes: metrics.gauges(
                "mode_info",
                "The mode in force has 1, the others have 0",
                &by("mode", &Preset::ALL.map(Preset::as_str)),
            ),
            cluster_waivers: metrics.gauges(
                "cluster_waivers",
                "Waivers that the cluster keeps, by state",
                &by("state", &["taken", "ignored", "expired"]),
            ),
        }
    }

    fn mode(&self, mode: Preset) {
        for (preset, gauge) in Preset::ALL.iter().zip(&self.modes) {
            gauge.set(i64::from(*preset == mode));
        }
    }

    fn cluster_waivers(&self, counts: ClusterWaiverCounts) {
        for (gauge, count) in self.cluster_waivers.iter().zip([counts.taken, counts.ignored, counts.expired]) {
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
}

/// The longest name that Kubernetes takes.
const MAX_NAME: usize = 253;
/// Bytes of the terms that a waiver breaks: it can break every term, and the first few say enough.
const MAX_WHY: usize = 300;
/// Objects that are logged after one change. A user who may write one object may write a thousand.
const MAX_LINES: usize = 20;

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use aksarc_shared::data;
    use aksarc_shared::verdict::guard::Settings;

    use super::*;

    /// A subscriber that panics at the first event, which is logged in the middle of a rebuild.
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
    fn a_reading_whose_rebuild_panicked_is_taken_the_next_time() {
        let configured = Guard::new(data::embedded(), Settings::default()).unwrap();
        let guards = Guards::new(configured, GuardGauges::register(&mut Metrics::new()));
        let mut objects = Objects::default();
        objects.page(br#"{"items": [{"metadata": {"name": "no-waiver"}, "spec": {}}]}"#).unwrap();
        let read = ClusterWaivers { objects, expired: 0 };
        let take = || guards.take(read.clone());
        let panicked = tracing::subscriber::with_default(Broken, || catch_unwind(AssertUnwindSafe(take)));
        assert_eq!(panicked.unwrap_err().downcast_ref::<&str>(), Some(&"the subscriber is broken"));
        assert_eq!(take().unwrap().ignored, 1);
        assert_eq!(take(), None);
    }
}
