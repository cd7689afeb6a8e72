//! What happens to guards and API servers while changes come in: a kill, an orderly end, a restart, a configuration that
//! changes all the time, a clock that jumps.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use aksarc_tests::guard::Guard;
use aksarc_tests::load::{Load, WRITERS};
use aksarc_tests::replicas::{handshake, signal};
use aksarc_tests::{ControlPlane, wait};

use super::site::{LIMIT, NODE, Site, enforced};

impl Site<'_> {
    /// Kills a replica, withdraws it from the Service as late as a node does, and starts another. How many changes the API
    /// server let through.
    pub(crate) fn kill(&mut self, place: usize) -> u64 {
        let mut guard = self.guards.remove(place);
        let address = guard.review;
        let (routed, counted) = self.excusing(|site| {
            let before = site.replicas.balancer.routed(address);
            guard.kill();
            // Time that has to pass: until then connections are refused.
            thread::sleep(NOTICED);
            site.replicas.balancer.withdraw(address);
            site.replicas.balancer.routed(address) - before
        });
        // One request of each writer was on its way at most; the others were sent where nobody listens.
        let may = u64::try_from(WRITERS + routed).unwrap();
        assert!(counted <= may, "{counted} let through, of {WRITERS} on their way and {routed} sent after them");
        self.add_guard();
        counted
    }

    /// Ends a replica as a rollout does: it is told to end, and withdrawn from the Service a moment later. How long it took.
    pub(crate) fn terminate(&mut self, place: usize) -> Duration {
        let guard = self.guards.remove(place);
        let begun = Instant::now();
        signal(guard.pid().unwrap(), "TERM").unwrap();
        thread::sleep(NOTICED);
        self.replicas.balancer.withdraw(guard.review);
        let ended = guard.await_end(GRACE).unwrap();
        assert!(ended.success(), "{ended}\n{}", guard.log());
        let took = begun.elapsed();
        self.add_guard();
        took
    }

    /// Starts the API server again, over and under the writers. How long it gave no answer, and how many changes it judged
    /// afterwards, all of them rightly.
    pub(crate) fn restart_the_api_server(&mut self) -> (Duration, u64) {
        let begun = Instant::now();
        self.cluster.restart_api_server().unwrap();
        let right = self.load().right();
        let first = wait::until("an answer of the API server", LIMIT, || {
            if self.load().right() > right {
                Ok(begun.elapsed())
            } else {
                Err(self.load().take_failed().pop().unwrap_or_default())
            }
        })
        .unwrap();
        self.await_changes(500);
        // Without an API server there is no answer, and one that has just begun refuses some requests by itself.
        self.load().take_failed();
        // It counts from zero again.
        self.counts_anew();
        (first, self.load().right() - right)
    }

    /// Replaces the configuration of all replicas ten times a second for so long: by one that enforces, by one that warns,
    /// and by some that cannot be used.
    pub(crate) fn flap(&mut self, time: Duration) -> Flapped {
        let at_first: Vec<u64> = self.guards.iter().map(|guard| guard.resident_bytes().unwrap()).collect();
        let begun = Instant::now();
        let mut written = 0;
        for text in FLAPPING.iter().cycle() {
            if begun.elapsed() > time {
                break;
            }
            for guard in &self.guards {
                guard.write_configuration(text).unwrap();
            }
            written += 1;
            thread::sleep(Duration::from_millis(100));
        }
        let sum = |metric: &str| self.guards.iter().map(|guard| guard.metric(metric).unwrap()).sum::<f64>();
        let growth = |(guard, before): (&Guard, &u64)| guard.resident_bytes().unwrap().saturating_sub(*before);
        Flapped {
            written,
            refused: sum("aksarc_config_reload_failures_total"),
            growth: self.guards.iter().zip(&at_first).map(growth).max().unwrap(),
        }
    }
}

/// What came of a configuration that changed all the time.
pub(crate) struct Flapped {
    /// How often it was replaced.
    pub(crate) written: u64,
    /// How often all replicas together refused one.
    pub(crate) refused: f64,
    /// Bytes of memory that a replica has more than before, at most.
    pub(crate) growth: u64,
}

/// Two guards whose clocks are moved by a file.
pub(crate) struct Clocks {
    file: PathBuf,
}

impl Clocks {
    /// Two guards, trusted and asked, on clocks that go right.
    pub(crate) fn site<'c>(cluster: &'c ControlPlane, arguments: &[&str]) -> (Clocks, Site<'c>) {
        let clocks = Clocks { file: cluster.directory().join("clock") };
        clocks.set("+0");
        let mut site = Site::empty(cluster, arguments);
        for _ in 0..2 {
            let guard = site.replicas.start_under(&clocks.words(), &enforced()).unwrap();
            site.guards.push(guard);
        }
        site.begin(Load::begin(cluster, NODE, &site.replicas.webhooks).unwrap());
        (clocks, site)
    }

    /// Moves them at once: by `+400d` for one.
    pub(crate) fn set(&self, by: &str) {
        let draft = self.file.with_extension("new");
        fs::write(&draft, by).unwrap();
        fs::rename(draft, &self.file).unwrap();
    }

    fn words(&self) -> Vec<String> {
        let library = LIBRARIES.iter().find(|path| Path::new(path).exists());
        let library = library.expect("libfaketime is missing: apt-get install faketime");
        // What measures time goes on as it did, as when somebody sets a machine's clock.
        let variables = ["FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(), "FAKETIME_NO_CACHE=1".to_owned()];
        let own = [format!("LD_PRELOAD={library}"), format!("FAKETIME_TIMESTAMP_FILE={}", self.file.display())];
        ["/usr/bin/env".to_owned()].into_iter().chain(variables).chain(own).collect()
    }
}

impl Site<'_> {
    /// Waits until every replica presents a certificate that the API server takes, on new connections. How long that took.
    pub(crate) fn await_trusted_certificates(&self) -> Duration {
        let begun = Instant::now();
        wait::until("certificates that the API server takes", LIMIT, || {
            self.fresh_connections();
            let bundle = self.replicas.bundles().map_err(|error| format!("{error:#}"))?.concat();
            let each = self.guards.iter().map(|guard| handshake(guard.review, &bundle));
            each.collect::<Result<(), _>>().map_err(|error| format!("{error:#}\n{}", self.logs()))
        })
        .unwrap();
        begun.elapsed()
    }

    /// The time by a replica's clock, in seconds: of a configuration that it has just taken into use.
    pub(crate) fn clock(&self, place: usize) -> f64 {
        let guard = &self.guards[place];
        let mut config = enforced();
        config["contact"] = format!("desk {:?}", Instant::now()).into();
        guard.reconfigure(&config).unwrap();
        guard.metric("aksarc_config_last_reload_success_timestamp_seconds").unwrap()
    }
}

/// A kubelet looks at its containers once a second, and so notices the end of one.
const NOTICED: Duration = Duration::from_secs(1);

/// A pod's, in the shipped manifest.
const GRACE: Duration = Duration::from_secs(30);

const FLAPPING: [&str; 5] = [
    "apiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\nmode: warn\nplatform: azure-local\n",
    "mode: [",
    "apiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\nmode: enforce\nplatform: azure-local\n",
    "",
    "apiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\nmode: sometimes\n",
];

/// Where Debian has it.
const LIBRARIES: [&str; 2] =
    ["/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1"];
