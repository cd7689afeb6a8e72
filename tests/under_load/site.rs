//! A cluster with a node in it, two guards that make their own certificates, and changes that they answer without a pause.

use std::cell::Cell;
use std::time::{Duration, Instant};

use aksarc_tests::guard::Guard;
use aksarc_tests::load::{Load, Owed};
use aksarc_tests::replicas::Replicas;
use aksarc_tests::{ControlPlane, Http, Identity, protection, wait};
use serde_json::{Value, json};

pub(crate) struct Site<'c> {
    pub(crate) cluster: &'c ControlPlane,
    pub(crate) replicas: Replicas<'c>,
    pub(super) load: Option<Load>,
    pub(super) guards: Vec<Guard>,
    /// One whose certificate was made by hand.
    pub(super) former: Option<Guard>,
    pub(super) admin: Http,
    /// Changes that the API server may let through, for a reason.
    pub(super) excused: u64,
    /// How long trust was destroyed, so that the API server could have nothing judged.
    untrusted: Duration,
    /// What it had let through before.
    before: u64,
    /// When connections were last cut.
    cut: Cell<Instant>,
}

impl<'c> Site<'c> {
    /// Two guards, trusted and asked.
    pub(crate) fn new(cluster: &'c ControlPlane, arguments: &[&str]) -> Self {
        let mut site = Self::empty(cluster, arguments);
        for _ in 0..2 {
            site.add_guard();
        }
        site.begin(Load::begin(cluster, NODE, &site.replicas.webhooks).unwrap());
        site
    }

    /// Two guards whose configurations change, so that one change is denied by one and warned of by the next.
    pub(crate) fn of_two_minds(cluster: &'c ControlPlane, arguments: &[&str]) -> Self {
        let mut site = Self::empty(cluster, arguments);
        for _ in 0..2 {
            site.add_guard();
        }
        let owed = Owed::DeniedOrWarned("AA201");
        site.begin(Load::relabelling(cluster, NODE, &site.replicas.webhooks, owed).unwrap());
        site
    }

    pub(super) fn empty(cluster: &'c ControlPlane, arguments: &[&str]) -> Self {
        let node = json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE}}});
        cluster.http(&Identity::kubelet(NODE)).unwrap().post("/api/v1/nodes", &node).unwrap().object().unwrap();
        let replicas = Replicas::install(cluster, arguments).unwrap();
        protection::await_in_force(cluster).unwrap();
        let admin = cluster.http(&Identity::Admin).unwrap();
        let cut = Cell::new(Instant::now());
        Site {
            cluster,
            replicas,
            load: None,
            guards: Vec::new(),
            former: None,
            admin,
            excused: 0,
            untrusted: Duration::ZERO,
            before: 0,
            cut,
        }
    }

    /// Waits until changes are answered as they have to be, and goes on with them.
    pub(super) fn begin(&mut self, load: Load) {
        wait::until("changes to be judged", LIMIT, || {
            load.take_through();
            let before = load.right();
            // As long as it takes for some dozens.
            wait::until("some changes", LIMIT, || if load.right() > before + 50 { Ok(()) } else { Err(load.right()) })
                .map_err(|error| format!("{error:#} {:?}", load.take_failed()))?;
            if load.through() == 0 { Ok(()) } else { Err(format!("{}\n{}", load.through(), self.logs())) }
        })
        .unwrap();
        load.take_failed();
        self.before = load.meanwhile(|| self.cluster.failed_open().unwrap());
        self.load = Some(load.anew());
    }

    pub(crate) fn load(&self) -> &Load {
        self.load.as_ref().unwrap()
    }

    pub(super) fn add_guard(&mut self) {
        let guard = self.replicas.start(&enforced()).unwrap();
        self.guards.push(guard);
    }

    /// Lets the next requests begin with a handshake.
    pub(super) fn fresh_connections(&self) {
        self.load().meanwhile(|| self.replicas.balancer.cut());
        self.cut.set(Instant::now());
    }

    /// Lets requests begin with a handshake now and then: a few times a second.
    pub(super) fn some_fresh_connections(&self) {
        if self.cut.get().elapsed() > Duration::from_millis(300) {
            self.fresh_connections();
        }
    }

    /// Waits for so many more changes that are answered as they have to be.
    pub(crate) fn await_changes(&self, count: u64) {
        let before = self.load().right();
        wait::until("more changes", LIMIT, || {
            let more = self.load().right() - before;
            if more >= count { Ok(()) } else { Err(more) }
        })
        .unwrap();
    }

    /// Does something for which the API server may let changes through, and excuses those. How many there were.
    pub(super) fn excusing<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> (T, u64) {
        let before = self.load().meanwhile(|| self.cluster.failed_open().unwrap());
        let done = act(self);
        let counted = self.load().meanwhile(|| self.cluster.failed_open().unwrap()) - before;
        let through = self.load().take_through().len();
        assert!(u64::try_from(through).unwrap() <= counted, "{through} went through, and {counted} were let through");
        self.excused += counted;
        (done, counted)
    }

    /// As [`Site::excusing`], for an act that destroys trust. It tells how long the API server could have nothing judged.
    pub(super) fn without_trust(&mut self, act: impl FnOnce(&mut Self) -> Duration) -> Duration {
        let (back, _) = self.excusing(act);
        self.untrusted += back;
        back
    }

    /// Goes by what the API server has counted from now on, after it has started again.
    pub(super) fn counts_anew(&mut self) {
        self.before = self.cluster.failed_open().unwrap();
        assert_eq!(self.before, 0, "the API server let changes through as soon as it began");
        self.excused = 0;
    }

    /// How many changes went through, besides those that may.
    pub(crate) fn let_through(&self) -> usize {
        let through = self.load().take_through();
        for answer in &through {
            eprintln!("let through: {answer}");
        }
        if !through.is_empty() {
            eprintln!("{}", self.logs());
        }
        through.len()
    }

    /// Ends the load, and compares with what the API server counted. So many changes a second at least were judged while the
    /// API server trusted the guards.
    pub(crate) fn ends(mut self, least: f64) {
        let left = self.let_through();
        let failed = self.load().take_failed();
        let mut done = self.load.take().unwrap().end();
        done.time = done.time.saturating_sub(self.untrusted);
        let counted = self.cluster.failed_open().unwrap() - self.before;
        eprintln!(
            "{done}, and {:.1?} without trust; {} went through then, or while a replica was killed",
            self.untrusted, self.excused
        );
        assert_eq!(left, 0);
        assert!(failed.is_empty(), "{} changes failed, such as {:?}", failed.len(), failed.first());
        assert!(counted <= self.excused, "the API server let {counted} through, of which {} may", self.excused);
        assert!(done.rate() >= least, "{:.0} changes a second, instead of {least}", done.rate());
    }

    pub(super) fn logs(&self) -> String {
        let logs = self.guards.iter().chain(&self.former).map(Guard::log);
        logs.collect::<Vec<_>>().join("--- another guard\n")
    }
}

pub(super) fn enforced() -> Value {
    json!({"mode": "enforce", "platform": "azure-local"})
}

pub(super) const NODE: &str = "moc-l1";
pub(super) const LIMIT: Duration = Duration::from_secs(90);
