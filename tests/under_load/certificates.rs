//! What becomes of the guard's certificates while changes come in: those who write them are killed or stopped, and
//! records and trust are destroyed.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use aksarc_tests::guard::Guard;
use aksarc_tests::load::{Load, WRITERS};
use aksarc_tests::replicas::{configuration_path, handshake, secret_path, signal};
use aksarc_tests::{ControlPlane, PatchKind, wait};
use aksarc_webhook::certificates::record::TrustStep;
use aksarc_webhook::manifest::NAMESPACE;
use serde_json::{Value, json};

use super::site::{LIMIT, NODE, Site, enforced};

/// All that becomes of certificates in their lives, on two replicas that live fast. The load makes so many changes a second at
/// least.
pub(crate) fn certificates_and_authorities_change(cluster: &ControlPlane, least: f64) {
    let mut site = Site::new(cluster, &["--poll", "500ms", "--certificate-times", TIMES]);
    let start = Instant::now();
    let first = site.generation();

    // A replica that is stopped for longer than its certificate is valid, as on a machine that is paused.
    site.stop_beyond_the_end_of_its_certificate(1, LEAF);
    eprintln!("{:.1?}: a stopped replica had a valid certificate at its first handshake", start.elapsed());

    site.await_step("trust", first + 1);
    assert!(site.renewals(0) >= 2, "{} renewals of a certificate", site.renewals(0));
    eprintln!("{:.1?}: certificates were renewed twice", start.elapsed());

    // The authority changes, and in each step whoever wrote it is killed.
    for (step, generation) in [("trust", first + 1), ("use", first + 1), ("steady", first + 1)] {
        site.await_step(step, generation);
        site.kill_the_writer_of(step, generation);
        eprintln!("{:.1?}: {step} of authority {generation}, and its writer killed", start.elapsed());
    }

    // A record that is lost costs nothing while somebody runs.
    for rubbish in [None, Some(json!({"record.json": "cnViYmlzaA=="}))] {
        let before = site.generation();
        site.destroy_the_record(rubbish.as_ref());
        site.await_generation(before + 1);
        site.await_step("use", before + 1);
    }
    eprintln!("{:.1?}: the record deleted and filled with rubbish", start.elapsed());
    assert_eq!(site.let_through(), 0);

    // Trust that somebody destroys comes back.
    for bundle in ["", "Zm9v"] {
        let back = site.destroy_trust(bundle);
        eprintln!("{:.1?}: caBundle {bundle:?}, back after {back:.1?}", start.elapsed());
        assert!(back < Duration::from_secs(15), "{back:?}");
    }
    // The record is lost together with everybody who has something in memory.
    let back = site.destroy_all();
    eprintln!("{:.1?}: record and replicas lost, back {back:.1?} after the first new one began", start.elapsed());
    assert!(back < Duration::from_secs(15), "{back:?}");
    site.ends(least);
}

impl<'c> Site<'c> {
    /// A guard with a certificate made by hand, in a cluster that trusts it.
    pub(crate) fn by_hand(cluster: &'c ControlPlane, arguments: &[&str]) -> Self {
        let mut site = Self::empty(cluster, arguments);
        let former = Guard::unregistered(cluster, &enforced()).unwrap();
        site.replicas.balancer.add(former.review);
        site.former = Some(former);
        let authority = fs::read(cluster.authority()).unwrap();
        site.set_bundles(&serde_json::to_value(k8s_openapi::ByteString(authority)).unwrap());
        site.begin(Load::begin(cluster, NODE, &site.replicas.webhooks).unwrap());
        site
    }

    /// Both replicas one after the other, as a Deployment is rolled out.
    pub(crate) fn roll_out(&mut self) {
        for _ in 0..2 {
            self.add_guard();
            self.fresh_connections();
        }
    }

    /// Ends the guard with the certificate that was made by hand, after the last request to it.
    pub(crate) fn end_the_former(&mut self) {
        let mut former = self.former.take().unwrap();
        self.replicas.balancer.withdraw(former.review);
        self.fresh_connections();
        former.kill();
    }

    /// The newest authority's number.
    pub(crate) fn generation(&self) -> u64 {
        in_step(&self.replicas.record().unwrap().step).1
    }

    pub(crate) fn await_generation(&self, generation: u64) {
        self.await_record(&format!("authority {generation}"), |_, seen| seen >= generation);
    }

    pub(crate) fn await_step(&self, step: &str, generation: u64) {
        self.await_record(&format!("{step} of authority {generation}"), |seen, number| {
            seen == step && number == generation
        });
    }

    /// Handshakes go on meanwhile, a few a second.
    fn await_record(&self, what: &str, holds: impl Fn(&str, u64) -> bool) {
        wait::until(what, LIMIT, || {
            self.some_fresh_connections();
            let record = self.replicas.record().map_err(|error| format!("{error:#}"))?;
            let (step, generation) = in_step(&record.step);
            if holds(step, generation) { Ok(()) } else { Err(format!("{step} {generation}\n{}", self.logs())) }
        })
        .unwrap();
    }

    /// How many certificates of a replica followed its first one.
    pub(crate) fn renewals(&self, place: usize) -> usize {
        self.guards[place].log().matches("certificate taken into use").count() - 1
    }

    /// Stops a replica until its certificate has ended, lets it go on, and sees that the first handshake is valid.
    pub(crate) fn stop_beyond_the_end_of_its_certificate(&mut self, place: usize, leaf: Duration) {
        let (pid, address) = (self.guards[place].pid().unwrap(), self.guards[place].review);
        let (load, balancer) = (self.load.take().unwrap(), self.replicas.balancer.clone());
        // A machine that is paused answers nothing: what is on its way would be let through, by design.
        load.meanwhile(|| {
            balancer.withdraw(address);
            balancer.cut();
            signal(pid, "STOP").unwrap();
        });
        self.load = Some(load);
        let stopped = Instant::now();
        while stopped.elapsed() < leaf + Duration::from_secs(1) {
            // Time that has to pass. Handshakes with the other replica go on.
            thread::sleep(Duration::from_millis(300));
            self.fresh_connections();
        }
        let bundle = self.replicas.bundles().unwrap().concat();
        signal(pid, "CONT").unwrap();
        handshake(address, &bundle).unwrap();
        self.replicas.balancer.add(address);
    }

    /// Kills the replica that wrote this step of the record, and starts another.
    pub(crate) fn kill_the_writer_of(&mut self, step: &str, generation: u64) {
        let words =
            format!("the record of the guard's certificates is written step=\"{step}\" generation={generation}");
        let writer = wait::until("a replica that says that it wrote", LIMIT, || {
            self.guards.iter().position(|guard| guard.log().contains(&words)).ok_or_else(|| self.logs())
        })
        .unwrap();
        let mut guard = self.guards.remove(writer);
        let address = guard.review;
        let (routed, counted) = self.excusing(|site| {
            let before = site.replicas.balancer.routed(address);
            guard.kill();
            site.replicas.balancer.withdraw(address);
            site.add_guard();
            site.replicas.balancer.routed(address) - before
        });
        // At most one request of each writer was on its way.
        assert!(counted <= u64::try_from(WRITERS + routed).unwrap(), "{counted} of {WRITERS} and {routed}");
    }

    /// Deletes the record, or replaces its data.
    pub(crate) fn destroy_the_record(&self, data: Option<&Value>) {
        self.open_namespace(&json!("a test"));
        // The namespace as policies see it follows a moment later.
        wait::until("the record to be destroyed", LIMIT, || {
            let answer = match data {
                None => self.admin.delete(&secret_path()).unwrap(),
                Some(data) => {
                    let mut secret = self.admin.get(&secret_path()).unwrap().object().unwrap();
                    secret["data"] = data.clone();
                    self.admin.put(&secret_path(), &secret).unwrap()
                }
            };
            if answer.is_success() { Ok(()) } else { Err(answer.body) }
        })
        .unwrap();
        self.open_namespace(&Value::Null);
    }

    /// Gives a reason to change what is in the guard's namespace, or takes it back.
    fn open_namespace(&self, reason: &Value) {
        let change = json!({"metadata": {"annotations": {"aksarc.dev/open": reason}}});
        let path = format!("/api/v1/namespaces/{NAMESPACE}");
        self.admin.patch(&path, PatchKind::Merge, &change).unwrap().object().unwrap();
    }

    /// Writes a `caBundle` over that of every webhook. How long it took until changes were denied again.
    pub(crate) fn destroy_trust(&mut self, bundle: &str) -> Duration {
        self.without_trust(|site| {
            let begun = Instant::now();
            site.set_bundles(&json!(bundle));
            let own = site.replicas.record().unwrap().step.bundle();
            wait::until("trust to come back", LIMIT, || {
                site.some_fresh_connections();
                let bundles = site.replicas.bundles().map_err(|error| format!("{error:#}"))?;
                if bundles == [own.as_str()] { Ok(()) } else { Err(format!("{bundles:?}\n{}", site.logs())) }
            })
            .unwrap();
            // The API server learns of it a moment later.
            site.await_judgement(begun)
        })
    }

    /// Deletes the record and kills both replicas, so that nobody has anything to serve that is trusted, and starts two
    /// others. How long it took from the start of the first until changes were denied again.
    pub(crate) fn destroy_all(&mut self) -> Duration {
        self.without_trust(|site| {
            site.destroy_the_record(None);
            for mut guard in std::mem::take(&mut site.guards) {
                guard.kill();
                site.replicas.balancer.withdraw(guard.review);
            }
            let begun = Instant::now();
            for _ in 0..2 {
                site.add_guard();
            }
            site.await_judgement(begun)
        })
    }

    /// Waits until no change goes through any more; when the last one did.
    pub(super) fn await_judgement(&self, begun: Instant) -> Duration {
        let mut seen = (begun, self.load().right());
        wait::until("every change to be judged again", LIMIT, || {
            self.some_fresh_connections();
            let (last, right) = (self.load().last_through().unwrap_or(begun).max(begun), self.load().right());
            if last > seen.0 {
                seen = (last, right);
            }
            if seen.0.elapsed() > QUIET && right > seen.1 + 50 { Ok(seen.0 - begun) } else { Err(right - seen.1) }
        })
        .unwrap()
    }

    /// Opens the protected configuration, sets every `caBundle`, and closes it.
    fn set_bundles(&self, bundle: &Value) {
        let path = configuration_path();
        let annotate = |value: Value| {
            let change = json!({"metadata": {"annotations": {"aksarc.dev/open": value}}});
            self.admin.patch(&path, PatchKind::Merge, &change).unwrap().object().unwrap()
        };
        let opened = annotate(json!("a test"));
        let count = opened["webhooks"].as_array().unwrap().len();
        let operation = |place: usize| json!({"op": "add", "path": format!("/webhooks/{place}/clientConfig/caBundle"), "value": bundle});
        let operations: Vec<Value> = (0..count).map(operation).collect();
        self.admin.patch(&path, PatchKind::Json, &json!(operations)).unwrap().object().unwrap();
        annotate(Value::Null);
    }
}

/// The word of a step and the number of its newest authority.
pub(crate) fn in_step(step: &TrustStep) -> (&'static str, u64) {
    (step.word(), step.authorities().last().unwrap().generation)
}

/// Without a change that went through, for that long.
const QUIET: Duration = Duration::from_millis(1_500);

/// A certificate is renewed at twenty seconds, and an authority at forty-four.
const TIMES: &str = "authority=66s,leaf=30s,dwell=5s,settle=1s,keep=8s,report=1s";
const LEAF: Duration = Duration::from_secs(30);
