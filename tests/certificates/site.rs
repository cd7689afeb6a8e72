//! A cluster with a node in it, two guards that make their own certificates, and changes that they deny.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use aksarc_tests::guard::Guard;
use aksarc_tests::replicas::{Replicas, configuration_path, secret_path, signal};
use aksarc_tests::{ControlPlane, Http, Identity, PatchKind, protection, wait};
use aksarc_webhook::certificates::record::TrustStep;
use aksarc_webhook::manifest::NAMESPACE;
use aksarc_webhook::tls;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use serde_json::{Value, json};

use super::load::{Load, WRITERS};

pub(crate) struct Site<'c> {
    pub(crate) replicas: Replicas<'c>,
    load: Option<Load>,
    guards: Vec<Guard>,
    /// One whose certificate was made by hand.
    former: Option<Guard>,
    admin: Http,
    /// Changes that may go through, for a reason.
    excused: usize,
    /// What the API server had let through before.
    before: u64,
}

impl<'c> Site<'c> {
    /// Two guards, trusted and asked.
    pub(crate) fn new(cluster: &'c ControlPlane, arguments: &[&str]) -> Self {
        let mut site = Self::empty(cluster, arguments);
        for _ in 0..2 {
            site.add_guard();
        }
        site.begin(cluster);
        site
    }

    /// A guard with a certificate made by hand, in a cluster that trusts it.
    pub(crate) fn by_hand(cluster: &'c ControlPlane, arguments: &[&str]) -> Self {
        let mut site = Self::empty(cluster, arguments);
        let former = Guard::unregistered(cluster, &enforced()).unwrap();
        site.replicas.balancer.add(former.review);
        site.former = Some(former);
        let authority = fs::read(cluster.authority()).unwrap();
        site.set_bundles(&serde_json::to_value(k8s_openapi::ByteString(authority)).unwrap());
        site.begin(cluster);
        site
    }

    fn empty(cluster: &'c ControlPlane, arguments: &[&str]) -> Self {
        let node = json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE}}});
        cluster.http(&Identity::kubelet(NODE)).unwrap().post("/api/v1/nodes", &node).unwrap().object().unwrap();
        let replicas = Replicas::install(cluster, arguments).unwrap();
        protection::await_in_force(cluster).unwrap();
        let admin = cluster.http(&Identity::Admin).unwrap();
        Site { replicas, load: None, guards: Vec::new(), former: None, admin, excused: 0, before: 0 }
    }

    /// Waits until changes are denied, and goes on trying to make them.
    fn begin(&mut self, cluster: &ControlPlane) {
        let person = cluster.http(&Identity::Person).unwrap();
        let load = Load::begin(&person, NODE, &self.replicas.webhooks);
        wait::until("changes to be denied", LIMIT, || {
            let denied = load.denied();
            if denied > 50 { Ok(()) } else { Err(format!("{denied}\n{}", self.logs())) }
        })
        .unwrap();
        load.take_through();
        self.before = load.meanwhile(|| self.failed_open());
        load.take_through();
        self.load = Some(load);
    }

    fn load(&self) -> &Load {
        self.load.as_ref().unwrap()
    }

    fn add_guard(&mut self) {
        let guard = self.replicas.start(&enforced()).unwrap();
        self.guards.push(guard);
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

    /// Lets the next requests begin with a handshake.
    fn fresh_connections(&self) {
        self.load().meanwhile(|| self.replicas.balancer.cut());
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
            self.fresh_connections();
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
        let before = self.load().through();
        guard.kill();
        self.replicas.balancer.withdraw(guard.review);
        self.add_guard();
        // At most one request of each writer was on its way.
        let through = self.load().through() - before;
        assert!(through <= WRITERS, "{through} changes went through when a replica was killed");
        self.excused += self.load().take_through().len();
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
        self.load().take_through();
        let begun = Instant::now();
        self.set_bundles(&json!(bundle));
        let own = self.replicas.record().unwrap().step.bundle();
        wait::until("trust to come back", LIMIT, || {
            self.fresh_connections();
            let bundles = self.replicas.bundles().map_err(|error| format!("{error:#}"))?;
            if bundles == [own.as_str()] { Ok(()) } else { Err(format!("{bundles:?}\n{}", self.logs())) }
        })
        .unwrap();
        // The API server learns of it a moment later.
        self.await_denials(begun)
    }

    /// Deletes the record and kills both replicas, so that nobody has anything to serve that is trusted, and starts two
    /// others. How long it took from the start of the first until changes were denied again.
    pub(crate) fn destroy_all(&mut self) -> Duration {
        self.load().take_through();
        self.destroy_the_record(None);
        for mut guard in std::mem::take(&mut self.guards) {
            guard.kill();
            self.replicas.balancer.withdraw(guard.review);
        }
        let begun = Instant::now();
        for _ in 0..2 {
            self.add_guard();
        }
        self.await_denials(begun)
    }

    /// Waits until every change is denied again; when the last one was let through.
    fn await_denials(&mut self, begun: Instant) -> Duration {
        let mut last = begun;
        wait::until("changes to be denied again", LIMIT, || {
            let through = self.load().take_through();
            self.excused += through.len();
            last = through.last().map_or(last, |(at, _)| *at);
            let denied = self.load().denied();
            thread::sleep(Duration::from_millis(500));
            self.fresh_connections();
            if self.load().through() == 0 && self.load().denied() > denied + 50 { Ok(()) } else { Err(denied) }
        })
        .unwrap();
        last - begun
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

    /// How many changes went through, besides those that may.
    pub(crate) fn let_through(&self) -> usize {
        let through = self.load().take_through();
        for (_, answer) in &through {
            eprintln!("let through: {answer}");
        }
        if !through.is_empty() {
            eprintln!("{}", self.logs());
        }
        through.len()
    }

    /// Ends the load, and compares with what the API server counted.
    pub(crate) fn ends(mut self) {
        let left = self.let_through();
        let done = self.load.take().unwrap().end();
        let counted = self.failed_open() - self.before;
        eprintln!("{done}; {} went through while a replica was killed or trust was destroyed", self.excused);
        assert_eq!(left, 0);
        assert!(counted <= u64::try_from(self.excused).unwrap(), "the API server let {counted} through");
    }

    /// The number of changes that the API server has let through since it could not ask the guard.
    fn failed_open(&self) -> u64 {
        let metrics = self.admin.get("/metrics").unwrap().body;
        let rows = metrics.lines().filter(|line| line.starts_with("apiserver_admission_webhook_fail_open_count{"));
        rows.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    fn logs(&self) -> String {
        let logs = self.guards.iter().chain(&self.former).map(Guard::log);
        logs.collect::<Vec<_>>().join("--- another guard\n")
    }
}

/// The word of a step and the number of its newest authority.
pub(crate) fn in_step(step: &TrustStep) -> (&'static str, u64) {
    (step.word(), step.authorities().last().unwrap().generation)
}

/// A handshake as an API server makes it that trusts `bundle`.
fn handshake(address: SocketAddr, bundle: &str) -> anyhow::Result<()> {
    let mut roots = RootCertStore::empty();
    for der in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(der?)?;
    }
    let config = ClientConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("guard.aksarc-system.svc")?;
    let mut tls = ClientConnection::new(Arc::new(config), name)?;
    let mut tcp = TcpStream::connect(address)?;
    tcp.set_read_timeout(Some(Duration::from_secs(3)))?;
    while tls.is_handshaking() {
        tls.complete_io(&mut tcp)?;
    }
    Ok(())
}

fn enforced() -> Value {
    json!({"mode": "enforce", "platform": "azure-local"})
}

const NODE: &str = "moc-l1";
const LIMIT: Duration = Duration::from_secs(90);
