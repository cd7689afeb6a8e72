//! The guard under attack, in front of a real API server: nobody who reaches its ports can get a change past it that it
//! denies, or keep its probes from being answered.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "helpers of tests are tests")]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aksarc_tests::attack::{Attack, Attackers};
use aksarc_tests::guard::Guard;
use aksarc_tests::{ControlPlane, Http, Identity, Kubernetes, PatchKind, root, wait};
use serde_json::{Value, json};

#[test]
fn huge_reviews_hold_up_neither_denials_nor_probes() {
    let attack = |attackers: &Attackers, guard: &Guard| {
        for entries in [11_000, 24_000] {
            attackers.strike(guard.review, 2, &Attack::Post(forged(entries).into())).unwrap();
        }
    };
    Site::under("two reviews of 3.7 MB and two of 8 MB, over and over", attack, 2).withstands();
}

#[test]
fn silent_connections_on_the_ports_in_the_clear_hold_up_no_probe() {
    let attack = |attackers: &Attackers, guard: &Guard| {
        for port in [guard.probe, guard.admin] {
            attackers.strike(port, 200, &Attack::Silent).unwrap();
        }
    };
    let site = Site::under("200 silent connections on each port in the clear", attack, 100);
    site.withstands();
    assert!(site.guard.metric("aksarc_connections_saturated_total").unwrap() >= 1.0);
}

#[test]
fn idle_connections_hold_up_no_review() {
    let attack = |attackers: &Attackers, guard: &Guard| {
        attackers.strike(guard.review, 700, &Attack::Idle(harmless().into())).unwrap();
    };
    // More connections than the guard holds, so that some were evicted before the first denial.
    let site = Site::under("700 connections that had a review answered and stay", attack, 600);
    site.withstands();
    assert!(site.guard.metric("aksarc_connections_evicted_total").unwrap() >= 1.0);
}

#[test]
fn half_open_handshakes_hold_up_no_review() {
    let attack = |attackers: &Attackers, guard: &Guard| {
        attackers.strike(guard.review, 1_000, &Attack::HalfOpen).unwrap();
    };
    let site = Site::under("1,000 handshakes that never end", attack, 1_000);
    site.withstands();
    assert!(site.guard.metric("aksarc_connections_evicted_total").unwrap() >= 1.0);
}

#[test]
fn slow_headers_and_bodies_hold_up_no_review() {
    let header = "POST /validate HTTP/1.1\r\nhost: guard.aksarc-system.svc\r\nx-slow: ";
    let body = "POST /validate HTTP/1.1\r\nhost: guard.aksarc-system.svc\r\ncontent-type: application/json\r\n\
        content-length: 10000000\r\n\r\n{";
    let attack = |attackers: &Attackers, guard: &Guard| {
        for begin in [header, body] {
            attackers.strike(guard.review, 200, &Attack::Slow(begin.into())).unwrap();
        }
    };
    let site = Site::under("200 headers and 200 bodies that come byte by byte", attack, 400);
    site.withstands();
    // In the end each is given up or makes room.
    let figures = wait::until("the ends of slow connections", LIMIT, || {
        let bodies = site.guard.sum("aksarc_requests_refused_total", &["timeout"]).unwrap();
        let headers = site.guard.metric("aksarc_header_timeouts_total").unwrap();
        let evicted = site.guard.metric("aksarc_connections_evicted_total").unwrap();
        let figures = format!("{bodies} bodies and {headers} headers given up, {evicted} connections evicted");
        if bodies + headers + evicted >= 400.0 { Ok(figures) } else { Err(figures) }
    });
    eprintln!("{}", figures.unwrap());
}

#[test]
fn bodies_at_the_limit_and_past_it_hold_up_no_review_and_fit_into_memory() {
    let attack = |attackers: &Attackers, guard: &Guard| {
        // White space of the largest size, and of one byte more.
        for size in [LARGEST, LARGEST, LARGEST + 1] {
            attackers.strike(guard.review, 2, &Attack::Post(vec![b' '; size].into())).unwrap();
        }
    };
    let site = Site::under("four bodies of 20 MiB and two of one byte more, over and over", attack, 12);
    site.withstands();
    let refused = |reason: &str| site.guard.sum("aksarc_requests_refused_total", &[reason]).unwrap();
    let refusals = wait::until("a body of each size to be refused", LIMIT, || {
        let (large, malformed) = (refused("too-large"), refused("malformed"));
        let seen = format!("{large} refused as too large, {malformed} read to the end");
        if large >= 1.0 && malformed >= 1.0 { Ok(seen) } else { Err(seen) }
    });
    let peak = site.guard.peak_bytes().unwrap() >> 20;
    eprintln!("{}, {peak} MiB of memory at most", refusals.unwrap());
    assert!(peak < MEMORY_LIMIT, "{peak} MiB");
}

#[test]
fn reviews_that_the_fuzzer_thought_of_hold_up_no_review() {
    let corpus = fs::read_dir(root().join("tests/fuzz/corpus/review")).unwrap();
    let mut paths: Vec<_> = corpus.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut bodies: Vec<Vec<u8>> = paths.iter().step_by(8).map(|path| fs::read(path).unwrap()).collect();
    let (deep, wide) = ("[".repeat(30_000), r#"{"a":"#.repeat(5_000));
    bodies.extend([
        deep.into_bytes(),
        wide.into_bytes(),
        vec![0xff; 30_000],
        harmless().replace('a', "\\u0061").into_bytes(),
    ]);
    let count = bodies.len();
    let attack = |attackers: &Attackers, guard: &Guard| {
        for body in &bodies {
            attackers.strike(guard.review, 1, &Attack::Post(body.clone().into())).unwrap();
        }
    };
    let site = Site::under("malformed and adversarial reviews, over and over", attack, count);
    site.withstands();
    let refused = site.guard.sum("aksarc_requests_refused_total", &["malformed"]).unwrap();
    let panics = site.guard.sum("aksarc_reviews_not_evaluated_total", &["panic"]).unwrap();
    eprintln!("{count} bodies, {refused} refused as malformed, {panics} panics");
    assert!(refused >= 1.0 && panics < 1.0, "{refused} {panics}");
}

/// No connection can be accepted then, which is worse than the attacks above; but the guard comes back at once.
#[test]
fn a_guard_without_descriptors_waits_and_comes_back() {
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    let config = json!({"mode": "enforce", "platform": "azure-local"});
    let mut guard = Guard::with_descriptors(&cluster, &config, 80).unwrap();
    guard.register(&cluster).unwrap();
    let person = cluster.http(&Identity::Person).unwrap();
    let foreign = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "foreign"}});
    let denied = || {
        let answer = person.post("/api/v1/nodes?dryRun=All", &foreign).unwrap();
        if answer.code == 403 && answer.body.contains("AA401") { Ok(()) } else { Err(answer.body) }
    };
    wait::until("a denial", LIMIT, denied).unwrap();
    let attackers = Attackers::new(&cluster.authority()).unwrap();
    attackers.strike(guard.review, 200, &Attack::HalfOpen).unwrap();
    // By the log: a connection for metrics may need a descriptor that is not there.
    let failed = || guard.log().matches("cannot accept connections").count();
    wait::until("connections that cannot be accepted", LIMIT, || if failed() > 3 { Ok(()) } else { Err(failed()) })
        .unwrap();
    drop(attackers);
    let begun = Instant::now();
    wait::until("a denial", LIMIT, denied).unwrap();
    let back = begun.elapsed();
    let warnings = failed();
    eprintln!(
        "200 connections on 80 descriptors: {warnings} times none could be accepted, a denial {back:.1?} afterwards"
    );
    assert!(back < Duration::from_secs(6), "{back:?}");
    assert!(guard.metric("aksarc_accept_errors_total").unwrap() >= 1.0);
}

/// A cluster with a node in it, whose guard is under attack.
struct Site {
    attack: &'static str,
    guard: Guard,
    person: Http,
    _attackers: Attackers,
    // Last, since values are dropped in this order.
    cluster: ControlPlane,
}

impl Site {
    /// Lets `attack` begin and waits until so many connections struck. The API server learns of the guard only then, so
    /// that it has no connection from better times.
    fn under(what: &'static str, attack: impl FnOnce(&Attackers, &Guard), strikes: usize) -> Self {
        let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
        let node = json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE}}});
        cluster.http(&Identity::kubelet(NODE)).unwrap().post("/api/v1/nodes", &node).unwrap().object().unwrap();
        let mut guard = Guard::unregistered(&cluster, &json!({"mode": "enforce", "platform": "azure-local"})).unwrap();
        let attackers = Attackers::new(&cluster.authority()).unwrap();
        attack(&attackers, &guard);
        let struck = || match attackers.struck() {
            struck if struck >= strikes => Ok(()),
            struck => Err(format!("{struck} of {strikes}")),
        };
        wait::until(what, LIMIT, struck).unwrap();
        guard.register(&cluster).unwrap();
        let person = cluster.http(&Identity::Person).unwrap();
        Site { attack: what, guard, person, _attackers: attackers, cluster }
    }

    /// Checks that the guard denies as before, and answers probes as fast as before.
    fn withstands(&self) {
        let over = AtomicBool::new(false);
        let (denials, probes) = thread::scope(|scope| {
            let probes = scope.spawn(|| probe_until(self.guard.probe, &over));
            // Several at once, so that the API server opens more connections.
            let writers: Vec<_> = (0..8).map(|_| scope.spawn(|| self.denials(25))).collect();
            let denials: Vec<Duration> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
            over.store(true, Ordering::Relaxed);
            (denials, probes.join().unwrap())
        });
        let failures = probes.iter().filter(|probe| probe.is_none()).count();
        let answered: Vec<Duration> = probes.iter().map(|probe| probe.unwrap_or(PROBE_TIMEOUT)).collect();
        eprintln!(
            "{}: {} denials, {}; {} probes, {failures} failed, {}",
            self.attack,
            denials.len(),
            spread(&denials),
            probes.len(),
            spread(&answered)
        );
        assert_eq!(
            self.cluster.failed_open().unwrap(),
            0,
            "the API server went on without the guard:\n{}",
            self.guard.log()
        );
        // A kubelet takes the guard for not ready after three failures in a row.
        assert!(!probes.windows(3).any(|three| three.iter().all(Option::is_none)), "{failures} of {}", probes.len());
        assert!(median(&answered) <= PROBE_LIMIT, "{}", spread(&answered));
    }

    /// Tries a change that is denied so many times, and returns the time that each attempt took.
    fn denials(&self, count: usize) -> Vec<Duration> {
        let relabel = json!({"metadata": {"labels": {"kubernetes.io/hostname": "edge-7"}}});
        let path = format!("/api/v1/nodes/{NODE}?dryRun=All&fieldManager=kubectl-label");
        let deny = || {
            let start = Instant::now();
            let answer = self.person.patch(&path, PatchKind::Merge, &relabel).unwrap();
            let refusal: Value = serde_json::from_str(&answer.body).unwrap();
            let message = refusal["message"].as_str().unwrap_or_default();
            let ours = self.guard.webhooks.iter().any(|name| message.contains(&**name));
            let by_rule = refusal["details"]["causes"][0]["reason"] == "AA201";
            assert!(answer.code == 403 && ours && by_rule, "{} {}\n{}", answer.code, answer.body, self.guard.log());
            start.elapsed()
        };
        (0..count).map(|_| deny()).collect()
    }
}

/// Sends a probe as a kubelet does, on a new connection: the time that it took, or `None` when it failed.
fn probe_until(address: SocketAddr, over: &AtomicBool) -> Vec<Option<Duration>> {
    let mut probes = Vec::new();
    while !over.load(Ordering::Relaxed) || probes.len() < 20 {
        let start = Instant::now();
        probes.push(probe(address).ok().filter(|status| *status == 200).map(|_| start.elapsed()));
        // Often enough to notice a failure, and not an attack of its own.
        thread::sleep(PROBE_PERIOD);
    }
    probes
}

fn probe(address: SocketAddr) -> anyhow::Result<u16> {
    let mut tcp = TcpStream::connect_timeout(&address, PROBE_TIMEOUT)?;
    tcp.set_read_timeout(Some(PROBE_TIMEOUT))?;
    write!(tcp, "GET /readyz HTTP/1.1\r\nHost: guard\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    tcp.read_to_string(&mut answer)?;
    Ok(answer.split(' ').nth(1).unwrap_or_default().parse()?)
}

/// A person's edit of the Corefile, with so many entries of managedFields on either side: of a person's tool and of the
/// platform by turns, so that each is to be told from all others.
fn forged(entries: usize) -> String {
    let entry = |n: usize| {
        let platform = format!("m{n}");
        let (manager, day) = if n.is_multiple_of(2) { (&*platform, 1) } else { ("kubectl-edit", 2) };
        json!({"manager": manager, "operation": "Apply", "apiVersion": "v1", "time": format!("2026-06-0{day}T08:00:00Z"),
            "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:Corefile": {}}}})
    };
    let managed: Vec<Value> = (0..entries).map(entry).collect();
    let map = |corefile: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"Corefile": corefile}, "metadata": {"name": "coredns",
            "namespace": "kube-system", "creationTimestamp": "2026-06-01T08:00:00Z", "managedFields": managed}})
    };
    review("configmaps", "ConfigMap", "coredns", "kube-system", &map(". {}"), &map("."))
}

/// The smallest valid review, without a finding.
fn harmless() -> String {
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "other"}});
    review("nodes", "Node", "other", "", &node, &node)
}

fn review(resource: &str, kind: &str, name: &str, namespace: &str, old: &Value, new: &Value) -> String {
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "0df28fbd-5f5f-11e8-bc74-36e6bb280816", "kind": {"group": "", "version": "v1", "kind": kind},
        "resource": {"group": "", "version": "v1", "resource": resource}, "name": name, "namespace": namespace,
        "operation": "UPDATE", "userInfo": {"username": "mallory@contoso.example", "groups": ["system:authenticated"]},
        "object": new, "oldObject": old, "dryRun": false}});
    review.to_string()
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[times.len() / 2]
}

fn spread(times: &[Duration]) -> String {
    format!("median {:.1?}, most {:.1?}", median(times), times.iter().max().unwrap())
}

const NODE: &str = "moc-l1";
/// Bytes of the largest body that the guard reads.
const LARGEST: usize = 20 << 20;
/// MiB, of the container in the shipped manifest.
const MEMORY_LIMIT: u64 = 128;
const PROBE_PERIOD: Duration = Duration::from_millis(10);
/// A kubelet's own default.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// A probe takes less than a millisecond; a machine that runs other tests as well takes its time.
const PROBE_LIMIT: Duration = Duration::from_millis(100);
const LIMIT: Duration = Duration::from_mins(1);
