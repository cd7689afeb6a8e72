//! The heartbeat record on a real API server: replicas that share it, what the shipped rights allow, and a guard that
//! has none of them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::time::Duration;

use aksarc_shared::facts::heartbeat::{KEY, NAME, NAMESPACE, Record};
use aksarc_shared::jiff::{SignedDuration, Timestamp};
use aksarc_shared::verdict::published;
use aksarc_tests::guard::{self, Guard};
use aksarc_tests::{AuditEvent, ControlPlane, Finished, Identity, Kubernetes, PatchKind, product, wait};
use aksarc_webhook::api::Access;
use aksarc_webhook::heartbeat::{HeartbeatInterval, HeartbeatOptions};
use aksarc_webhook::server::{GuardServer, ServerOptions};
use serde_json::{Value, json};

#[test]
fn two_guards_and_a_restarted_one_write_once_in_ten_minutes_and_within_their_rights() {
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    let account = guard::account(&cluster).unwrap();
    let kubeconfig = cluster.kubeconfig(&account).unwrap().display().to_string();
    let start = |name: &str| {
        let guard = Guard::replica(&cluster, name, vec!["--kubeconfig".to_owned(), kubeconfig.clone()]).unwrap();
        await_attempt(&guard);
        await_list(&guard, "absent");
        guard
    };
    let (mut one, two) = (start("one"), start("two"));
    assert_eq!((outcome(&one, "written"), outcome(&two, "recent")), (1, 1));
    let written = record(&cluster);
    one.kill();
    let again = start("one-again");
    assert_eq!(outcome(&again, "recent"), 1);
    assert_eq!(record(&cluster), written);
    assert_eq!(written.intervals().len(), 1);
    assert_eq!(written.gaps(Timestamp::now()), []);

    // Three reads and one write of one object; lists of waivers and reads of a published result, of which there can be none
    // here; nothing else of any kind.
    let mut events = events_of(&cluster, &account, 10);
    events.retain(|event| {
        let place = (&*event.verb, &*event.object_ref.resource, &*event.object_ref.name, event.response_status.code);
        place != ("list", "supportwaivers", "", 404) && place != ("get", "configmaps", published::NAME, 404)
    });
    for event in &events {
        let place = (&*event.object_ref.resource, &*event.object_ref.namespace, &*event.object_ref.name);
        assert_eq!(place, ("configmaps", NAMESPACE, NAME), "{event:?}");
        assert_eq!(event.response_status.code, 200, "{event:?}");
    }
    let mut verbs: Vec<&str> = events.iter().map(|event| &*event.verb).collect();
    verbs.sort_unstable();
    assert_eq!(verbs, ["get", "get", "get", "update"]);

    // The token can do nothing else.
    let guard = cluster.http(&account).unwrap();
    let configmaps = format!("/api/v1/namespaces/{NAMESPACE}/configmaps");
    for path in [configmaps.clone(), format!("{configmaps}/guard"), "/api/v1/nodes".to_owned()] {
        assert_eq!(guard.get(&path).unwrap().code, 403, "{path}");
    }
    assert_eq!(guard.delete(&format!("{configmaps}/{NAME}")).unwrap().code, 403);
    let other = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}});
    assert_eq!(guard.post(&configmaps, &other).unwrap().code, 403);
}

/// With an interval of seconds, which only a test can choose.
#[test]
fn replicas_take_turns_and_neither_a_restart_nor_another_writer_leaves_a_gap() {
    const EVERY: SignedDuration = SignedDuration::from_secs(2);
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    let account = guard::account(&cluster).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tls = guard::certificates(&cluster, "guards").unwrap();
    let start = || {
        let mut options = ServerOptions::loopback(&tls);
        let every = HeartbeatInterval::for_tests(Duration::try_from(EVERY).unwrap());
        options.heartbeat =
            Some(HeartbeatOptions { access: Access::Kubeconfig(cluster.kubeconfig(&account).unwrap()), every });
        runtime.block_on(GuardServer::start(options)).unwrap()
    };
    let lasts = |seconds: i64| {
        wait::until("the record to grow", LIMIT, || {
            let seen = record(&cluster);
            let [interval] = seen.intervals() else { return Err(seen.text()) };
            let length = interval.to.duration_since(interval.from).as_secs();
            if length >= seconds { Ok(()) } else { Err(seen.text()) }
        })
        .unwrap();
    };
    let (one, _two) = (start(), start());
    lasts(5);
    assert!(runtime.block_on(one.stop()));
    lasts(8);
    let _three = start();
    // Another writer changes the object in between: its change stays, and so does the record.
    let labels = json!({"metadata": {"labels": {"team": "edge"}}});
    let path = format!("/api/v1/namespaces/{NAMESPACE}/configmaps/{NAME}");
    let admin = cluster.http(&Identity::Admin).unwrap();
    admin.patch(&path, PatchKind::Merge, &labels).unwrap().object().unwrap();
    lasts(14);
    assert_eq!(admin.get(&path).unwrap().object().unwrap()["metadata"]["labels"]["team"], "edge");
    assert_eq!(record(&cluster).gaps(Timestamp::now()), []);

    // Successful writes are at least an interval apart.
    let ends: Vec<Timestamp> = events_of(&cluster, &account, 8)
        .iter()
        .filter(|event| event.verb == "update" && event.response_status.code == 200)
        .map(|event| {
            let text = event.request_object.as_ref().unwrap()["data"][KEY].as_str().unwrap();
            Record::parse(text).unwrap().intervals()[0].to
        })
        .collect();
    assert!(ends.len() > 3, "{ends:?}");
    for pair in ends.windows(2) {
        assert!(pair[1].duration_since(pair[0]) >= EVERY, "{ends:?}");
    }
}

#[test]
fn a_guard_without_rights_answers_reviews_and_says_once_what_it_lacks() {
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    let account = cluster.service_account(NAMESPACE, "without-rights").unwrap();
    let kubeconfig = cluster.kubeconfig(&account).unwrap().display().to_string();
    let flags = vec!["--kubeconfig".to_owned(), kubeconfig];
    let guard = Guard::install_with(&cluster, &json!({"mode": "observe"}), flags).unwrap();
    await_attempt(&guard);
    assert_eq!(outcome(&guard, "forbidden"), 1);
    await_list(&guard, "forbidden");
    let reviews = || guard.metric("aksarc_reviews_total").unwrap();
    let before = reviews();
    let change = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "reviewed"}});
    let person = cluster.http(&Identity::Person).unwrap();
    person.post("/api/v1/namespaces/kube-system/configmaps?dryRun=All", &change).unwrap().object().unwrap();
    assert!(reviews() > before);
    let log = guard.log();
    assert_eq!(log.matches("the heartbeat cannot be written").count(), 1, "{log}");
    assert!(log.contains("guard-heartbeat: 403") && log.contains("manifest, applied anew"), "{log}");
    assert_eq!(log.matches("the cluster's waivers cannot be read").count(), 1, "{log}");
    assert!(log.contains("listing SupportWaivers: 403"), "{log}");
    assert_eq!(log.matches("ERROR").count(), 0, "{log}");

    // Outside a cluster and without a kubeconfig the result is the same; a guard whose heartbeat is off does not even
    // try.
    let lost = Guard::replica(&cluster, "lost", Vec::new()).unwrap();
    await_attempt(&lost);
    assert_eq!(outcome(&lost, "no_access"), 1);
    await_list(&lost, "no_access");
    let words = ["--heartbeat=off", "--cluster-waivers=off"];
    let off = Guard::replica(&cluster, "off", words.map(str::to_owned).to_vec()).unwrap();
    assert!(!off.log().contains("heartbeat") && !off.log().contains("waivers"), "{}", off.log());
}

/// Nodes and pods of before a stop came back after it, by the status that kubelets write. The API server alone dates
/// creations, so the stop lies ahead and a day behind it is judged.
#[test]
fn a_long_stop_that_all_traces_show_voids_support_and_one_that_a_container_denies_does_not() {
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    let admin = cluster.http(&Identity::Admin).unwrap();
    let day =
        |days: i64| (Timestamp::now() + SignedDuration::from_hours(24 * days)).strftime("%FT00:00:00Z").to_string();
    let (stopped, came_back, judged) = (day(1), day(50), day(69));
    let make = |path: &str, object: &Value| admin.post(path, object).unwrap().object().unwrap();
    let status = |path: &str, status: &Value| {
        let patch = json!({"status": status});
        admin.patch(&format!("{path}/status"), PatchKind::Merge, &patch).unwrap().object().unwrap();
    };
    for name in [NAMESPACE, "shop"] {
        make("/api/v1/namespaces", &json!({"metadata": {"name": name}}));
    }
    let intervals = json!([
        {"from": day(-60), "to": stopped, "began": "first"},
        {"from": came_back, "to": judged, "began": "restart"},
    ]);
    let text = json!({"version": 1, "intervals": intervals}).to_string();
    let record = json!({"metadata": {"name": NAME}, "data": {KEY: text}});
    make(&format!("/api/v1/namespaces/{NAMESPACE}/configmaps"), &record);
    let node = json!({"metadata": {"name": "moc-l1"}, "spec": {"providerID": "moc://edge-pool1-x7k2p"}});
    make("/api/v1/nodes", &node);
    let ready = json!({"type": "Ready", "status": "True", "lastTransitionTime": came_back});
    status("/api/v1/nodes/moc-l1", &json!({"conditions": [ready]}));
    make("/api/v1/namespaces/shop/serviceaccounts", &json!({"metadata": {"name": "default"}}));
    for name in ["web", "store"] {
        let spec =
            json!({"nodeName": "moc-l1", "containers": [{"name": "c", "image": "registry.contoso.example/web:1"}]});
        make("/api/v1/namespaces/shop/pods", &json!({"metadata": {"name": name}, "spec": spec}));
    }
    let started = |name: &str, at: &str, restarts: u32| {
        let container = json!({"name": "c", "image": "", "imageID": "", "ready": true, "restartCount": restarts,
            "state": {"running": {"startedAt": at}}});
        status(
            &format!("/api/v1/namespaces/shop/pods/{name}"),
            &json!({"phase": "Running", "containerStatuses": [container]}),
        );
    };
    let check = || {
        let mut command = cluster.command(&Identity::Admin, &product::plugin().unwrap()).unwrap();
        command.args([
            "support-check",
            "-o",
            "json",
            "--only",
            "AA603",
            "--platform",
            "azure-local",
            "--as-of",
            &judged,
        ]);
        let finished = Finished::run(&mut command, None).unwrap();
        let report: Value = serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.stderr));
        (finished.code, report)
    };

    started("web", &came_back, 1);
    started("store", &came_back, 1);
    let (code, report) = check();
    let finding = &report["findings"][0];
    assert_eq!((code, &report["verdictBasis"]), (Some(3), &json!("derived")), "{report}");
    assert_eq!((&finding["code"], &finding["consequence"]), (&json!("AA603"), &json!("voids")), "{finding}");
    assert_eq!(finding["path"], format!("heartbeat[{}]", &stopped[..10]));

    // One container ran on: the guard was away, not the cluster.
    started("store", &day(0), 0);
    let (code, report) = check();
    assert_eq!((code, &report["rules"][0]["outcome"]), (Some(0), &json!("pass")), "{report}");

    // It was made anew after the stop and tells nothing; the other still says that all came back. The node says otherwise.
    started("store", &came_back, 0);
    let ready = json!({"type": "Ready", "status": "True", "lastTransitionTime": day(0)});
    status("/api/v1/nodes/moc-l1", &json!({"conditions": [ready]}));
    let (code, report) = check();
    assert_eq!((code, &report["rules"][0]["outcome"]), (Some(5), &json!("unknown")), "{report}");
}

fn record(cluster: &ControlPlane) -> Record {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/configmaps/{NAME}");
    let object: Value = cluster.http(&Identity::Admin).unwrap().get(&path).unwrap().object().unwrap();
    Record::parse(object["data"][KEY].as_str().unwrap_or_default()).unwrap()
}

fn outcome(guard: &Guard, word: &str) -> u64 {
    let line = format!("aksarc_heartbeat_attempts_total{{outcome=\"{word}\"}} ");
    let metrics = guard.metrics().unwrap();
    metrics.lines().find_map(|found| found.strip_prefix(&line)).unwrap().parse().unwrap()
}

fn await_attempt(guard: &Guard) {
    wait::until("an attempt at a heartbeat", LIMIT, || match guard.metric("aksarc_heartbeat_attempts_total") {
        Ok(attempts) if attempts > 0.5 => Ok(()),
        _ => Err(guard.log()),
    })
    .unwrap();
}

/// The first attempt at a list of waivers, with its outcome.
fn await_list(guard: &Guard, word: &str) {
    let line = format!("aksarc_cluster_waiver_reads_total{{outcome=\"{word}\"}} ");
    wait::until("a list of waivers", LIMIT, || {
        let metrics = guard.metrics().map_err(|error| format!("{error:#}"))?;
        let count = metrics.lines().find_map(|found| found.strip_prefix(&line)).unwrap().to_owned();
        if count == "0" { Err(format!("{metrics}\n{}", guard.log())) } else { Ok(()) }
    })
    .unwrap();
}

/// At least so many of what it asked; the log lags a little.
fn events_of(cluster: &ControlPlane, identity: &Identity, least: usize) -> Vec<AuditEvent> {
    let user = identity.username();
    wait::until("the audit log", LIMIT, || {
        let events = cluster.audit_events().map_err(|error| format!("{error:#}"))?;
        let own: Vec<AuditEvent> = events.into_iter().filter(|event| event.user.username == user).collect();
        if own.len() >= least { Ok(own) } else { Err(format!("{own:?}")) }
    })
    .unwrap()
}

const LIMIT: Duration = Duration::from_mins(1);
