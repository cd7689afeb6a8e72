//! The cluster's waivers: which of them count, and for how long when they cannot be read.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::support::api_server::{ApiServer, kubeconfig, not_served, page, status};
use crate::support::{Client, DEADLINE, Guard, UID, config, denied_review, until};
use aksarc_shared::jiff::{SignedDuration, Timestamp};
use aksarc_webhook::api::Access;
use aksarc_webhook::reload::Poll;
use aksarc_webhook::waivers::WaiverReadOptions;
use http::StatusCode;
use serde_json::{Value, json};

#[tokio::test]
async fn a_waiver_admits_what_it_is_for_until_it_is_deleted() {
    let api = ApiServer::start(|_| page(&[], "")).await;
    let guard = start(&api, OFTEN, HOURS).await;
    reads(&guard, "read", 1).await;
    let mut client = guard.client().await;
    let denied = client.review(&denied_review()).await;
    assert_eq!((&denied["allowed"], &denied["status"]["code"]), (&json!(false), &json!(403)));
    assert_eq!(denied["status"]["details"]["causes"][0]["reason"], "AA201");

    api.answer(|_| page(&[waiver("w-1")], ""));
    counted(&guard, "taken", 1).await;
    let waived = client.review(&denied_review()).await;
    assert_eq!(waived["allowed"], true);
    assert!(waived["status"].is_null() && waived["warnings"].is_null());
    let annotations = json!({"actor": "person", "findings": "AA201=waived", "mode": "enforce", "waivers": "w-1",
        "review-uid": UID});
    assert_eq!(waived["auditAnnotations"], annotations);
    // The waiver is for one node, and no other.
    let mut other = denied_review();
    for object in ["object", "oldObject"] {
        other["request"][object]["metadata"]["name"] = json!("moc-l2");
    }
    other["request"]["name"] = json!("moc-l2");
    assert_eq!(client.review(&other).await["allowed"], false);

    api.answer(|_| page(&[], ""));
    counted(&guard, "taken", 0).await;
    assert_eq!(client.review(&denied_review()).await, denied);

    // When the resource goes, its waivers go with it.
    api.answer(|_| page(&[waiver("w-1")], ""));
    counted(&guard, "taken", 1).await;
    api.answer(|_| not_served());
    counted(&guard, "taken", 0).await;
    assert_eq!(client.review(&denied_review()).await, denied);
    let asked = api.requests();
    let (lists, writes): (Vec<_>, Vec<_>) = asked.iter().partition(|one| one.starts_with("GET "));
    assert!(lists.iter().all(|one| *one == "GET /apis/aksarc.dev/v1alpha1/supportwaivers?limit=100"), "{asked:?}");
    let status = "PATCH /apis/aksarc.dev/v1alpha1/supportwaivers/w-1/status";
    assert!(!writes.is_empty() && writes.iter().all(|one| *one == status), "{asked:?}");
    assert!(guard.metric("aksarc_cluster_waivers_last_read_timestamp_seconds", &[]) > 1_700_000_000);
}

#[tokio::test]
async fn each_review_looks_at_the_time_of_a_waiver() {
    let ends = Arc::new(OnceLock::new());
    let set = Arc::clone(&ends);
    let api = ApiServer::start(move |_| {
        let ends = set.get_or_init(|| Timestamp::now() + SignedDuration::from_secs(3));
        let own = with("w-1", |spec| spec["expires"] = json!(ends.to_string()));
        let later = with("w-2", |spec| (spec["notBefore"], spec["expires"]) = (json!(in_days(1)), json!(in_days(2))));
        page(&[own, later], "")
    })
    .await;
    let guard = start(&api, HOURS, HOURS).await;
    counted(&guard, "taken", 2).await;
    let mut client = guard.client().await;
    assert!(admits(&mut client).await);
    let admitted = async { while admits(&mut client).await {} };
    tokio::time::timeout(DEADLINE, admitted).await.unwrap();
    assert!(Timestamp::now() >= *ends.get().unwrap());
    // The list was not read in between.
    assert_eq!(api.requests().iter().filter(|asked| asked.starts_with("GET ")).count(), 1);
}

#[tokio::test]
async fn a_waiver_that_is_over_is_counted_and_takes_no_room() {
    let api = ApiServer::start(|_| {
        let items: Vec<Value> = (0..50)
            .map(|n| with(&format!("w-{n}"), |spec| spec["expires"] = json!(in_days(if n == 7 { 1 } else { -1 }))))
            .collect();
        page(&items, "")
    })
    .await;
    let guard = start(&api, OFTEN, HOURS).await;
    counted(&guard, "taken", 1).await;
    assert_eq!(guard.metric(WAIVERS, &["expired"]), 49);
    assert!(admits(&mut guard.client().await).await);
}

#[tokio::test]
async fn an_object_that_is_no_waiver_or_breaks_a_term_is_left_out_and_the_others_count() {
    let bad = [
        with("self-approved", |spec| spec["approvedBy"] = json!(" Alice")),
        with("no-ticket", |spec| {
            spec.as_object_mut().unwrap().remove("ticket");
        }),
        with("too-long", |spec| spec["expires"] = json!(in_days(91))),
        with("unknown-field", |spec| spec["raeson"] = json!("x")),
        json!({"metadata": {"name": "no-spec"}}),
        json!({"metadata": {"name": "no-object"}, "spec": 7}),
    ];
    let alone = bad.clone();
    let api = ApiServer::start(move |_| page(&alone, "")).await;
    let guard = start(&api, OFTEN, HOURS).await;
    counted(&guard, "ignored", 6).await;
    assert_eq!(guard.metric(WAIVERS, &["taken"]), 0);
    let mut client = guard.client().await;
    assert!(!admits(&mut client).await);

    api.answer(move |_| page(&[&bad[..], &[waiver("w-1")]].concat(), ""));
    counted(&guard, "taken", 1).await;
    assert_eq!(guard.metric(WAIVERS, &["ignored"]), 6);
    assert_eq!(client.review(&denied_review()).await["auditAnnotations"]["waivers"], "w-1");
}

#[tokio::test]
async fn a_waiver_of_the_configuration_counts_whatever_the_cluster_keeps() {
    let elsewhere = with("W-7", |spec| spec["match"] = json!({"kind": "Node", "name": "moc-l9"}));
    let objects = [elsewhere.clone(), waiver("w-1")];
    let api = ApiServer::start(move |_| page(&objects, "")).await;
    let guard = start(&api, OFTEN, HOURS).await;
    counted(&guard, "taken", 2).await;
    let mut client = guard.client().await;

    // The configuration brings a waiver with the name of one in the cluster: the configuration's counts.
    let with_own = format!("{}waivers: [{}]\n", config("enforce"), own_waiver("W-7"));
    guard.config.swap(&[("guard.yaml", with_own.as_bytes())]);
    assert_eq!(guard.server.reload().0, Poll::Loaded);
    assert_eq!((guard.metric(WAIVERS, &["taken"]), guard.metric(WAIVERS, &["ignored"])), (1, 1));
    api.answer(move |_| page(std::slice::from_ref(&elsewhere), ""));
    counted(&guard, "taken", 0).await;
    assert_eq!(client.review(&denied_review()).await["auditAnnotations"]["waivers"], "W-7");

    // Another configuration leaves the cluster's waivers in use.
    api.answer(|_| page(&[waiver("w-1")], ""));
    counted(&guard, "taken", 1).await;
    guard.config.swap(&[("guard.yaml", config("enforce").as_bytes())]);
    assert_eq!(guard.server.reload().0, Poll::Loaded);
    assert_eq!(client.review(&denied_review()).await["auditAnnotations"]["waivers"], "w-1");
}

#[tokio::test]
async fn a_list_that_cannot_be_read_waives_nothing_and_is_counted_by_its_reason() {
    let page_of = |kind: &str| {
        let list = json!({"apiVersion": "v1", "kind": kind, "metadata": {}, "items": [waiver("w-1")]});
        Some((StatusCode::OK, list.to_string()))
    };
    let whole = page(&[waiver("w-1")], "").unwrap().1;
    let cut = whole[..whole.len() - 1].to_owned();
    let many: Vec<Value> = (0..1001).map(|n| waiver(&format!("w-{n}"))).collect();
    let padded = with("w-1", |spec| spec["reason"] = json!("x".repeat(3 << 20)));
    let answers = [
        ("absent", not_served()),
        ("forbidden", status(StatusCode::FORBIDDEN, "supportwaivers.aksarc.dev is forbidden")),
        ("forbidden", status(StatusCode::UNAUTHORIZED, "Unauthorized")),
        ("refused", status(StatusCode::TOO_MANY_REQUESTS, "too many requests")),
        ("refused", status(StatusCode::INTERNAL_SERVER_ERROR, "etcd is gone")),
        ("refused", Some((StatusCode::BAD_GATEWAY, "<html>".to_owned()))),
        ("unreadable", Some((StatusCode::OK, "<html>".to_owned()))),
        ("unreadable", Some((StatusCode::OK, String::new()))),
        ("unreadable", Some((StatusCode::OK, "{}".to_owned()))),
        ("unreadable", Some((StatusCode::OK, "[".repeat(100_000)))),
        ("unreadable", Some((StatusCode::OK, cut))),
        ("unreadable", page_of("ConfigMapList")),
        ("unreadable", page_of("")),
        ("unreadable", page(&[waiver("w-1")], "the same")),
        ("too_large", page(&many, "")),
        ("too_large", page(&[padded], "")),
    ];
    for (word, answer) in answers {
        let said = answer.as_ref().map(|(code, body)| format!("{code} {body:.80}"));
        let api = ApiServer::start(move |_| answer.clone()).await;
        let guard = start(&api, OFTEN, HOURS).await;
        reads(&guard, word, 2).await;
        let others = guard.metric(READS, &[]) - guard.metric(READS, &[word]);
        assert_eq!(others, 0, "{word}: {said:?}");
        assert_eq!(guard.metric(WAIVERS, &[]), 0, "{word}: {said:?}");
        assert!(!admits(&mut guard.client().await).await, "{word}: {said:?}");
        let read = guard.metric("aksarc_cluster_waivers_last_read_timestamp_seconds", &[]) > 0;
        assert_eq!(read, word == "absent", "{word}: {said:?}");
    }
}

#[tokio::test]
async fn reviews_are_answered_even_where_the_api_server_does_not_answer() {
    let gone = ApiServer::start(|_| None).await;
    let hanging = start(&gone, OFTEN, HOURS).await;
    until(|| gone.requests().len(), |asked| *asked == 1).await;
    assert!(!admits(&mut hanging.client().await).await);
    assert_eq!(hanging.metric(READS, &[]), 0);

    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = kubeconfig(address);
    for (word, file) in [("unreachable", closed.path()), ("no_access", Path::new("/nonexistent/kubeconfig"))] {
        let access = Access::Kubeconfig(file.to_owned());
        let options = WaiverReadOptions { every: OFTEN, ..WaiverReadOptions::new(access) };
        let guard = Guard::start("enforce", |all| all.waivers = Some(options)).await;
        reads(&guard, word, 2).await;
        assert!(!admits(&mut guard.client().await).await, "{word}");
    }
}

#[tokio::test]
async fn the_last_list_counts_for_a_while_when_none_can_be_read_and_then_no_more() {
    let broken = || status(StatusCode::SERVICE_UNAVAILABLE, "starting");
    let api = ApiServer::start(|_| page(&[waiver("w-1")], "")).await;
    let (patient, strict) = (start(&api, OFTEN, HOURS).await, start(&api, OFTEN, Duration::ZERO).await);
    for guard in [&patient, &strict] {
        counted(guard, "taken", 1).await;
        assert!(admits(&mut guard.client().await).await);
    }
    api.answer(move |_| broken());
    for guard in [&patient, &strict] {
        reads(guard, "refused", 3).await;
    }
    assert!(admits(&mut patient.client().await).await);
    assert_eq!(patient.metric(WAIVERS, &["taken"]), 1);
    assert!(!admits(&mut strict.client().await).await);
    assert_eq!(strict.metric(WAIVERS, &["taken"]), 0);
    // The waivers count again as soon as the list can be read, although nothing in it has changed.
    api.answer(|_| page(&[waiver("w-1")], ""));
    counted(&strict, "taken", 1).await;
    assert!(admits(&mut strict.client().await).await);
}

#[tokio::test]
async fn a_list_of_many_pages_counts_as_a_whole_or_not_at_all() {
    let pages = |asked: &str| {
        // The status of so many is not what this is about.
        if asked.starts_with("PATCH ") {
            return not_served();
        }
        let of = |from: usize, next: &str| {
            page(&(from..from + 100).map(|n| waiver(&format!("w-{n}"))).collect::<Vec<_>>(), next)
        };
        match asked.split_once("continue=").map(|(_, token)| token) {
            None => of(0, "b/c="),
            Some("b%2Fc%3D") => of(100, "d"),
            Some("d") => of(200, ""),
            Some(_) => None,
        }
    };
    let api = ApiServer::start(pages).await;
    let guard = start(&api, OFTEN, HOURS).await;
    counted(&guard, "taken", 300).await;

    // The server forgets the list half-way, and the next attempt begins anew.
    api.answer(move |asked| {
        if asked.ends_with("continue=d") { status(StatusCode::GONE, "the token is too old") } else { pages(asked) }
    });
    reads(&guard, "refused", 2).await;
    assert_eq!(guard.metric(WAIVERS, &["taken"]), 300);

    // A list without an end is given up by its size.
    api.answer(|asked| {
        let token = asked.rsplit_once('=').map_or("", |(_, token)| token);
        page(&[with(&format!("w{token}"), |spec| spec["reason"] = json!("x".repeat(1 << 20)))], &format!("{token}1"))
    });
    reads(&guard, "too_large", 1).await;
    let asked = api.requests();
    assert!(asked.iter().all(|one| !one.ends_with(&"1".repeat(9))), "{asked:?}");
    assert_eq!(guard.metric(WAIVERS, &["taken"]), 300);
}

async fn start(api: &ApiServer, every: Duration, keep: Duration) -> Guard {
    let options = WaiverReadOptions { every, keep, ..WaiverReadOptions::new(api.access()) };
    Guard::start("enforce", |all| all.waivers = Some(options)).await
}

async fn admits(client: &mut Client) -> bool {
    client.review(&denied_review()).await["allowed"] == true
}

/// Waits until `count` objects are in this state.
async fn counted(guard: &Guard, state: &str, count: i64) {
    until(|| guard.metric(WAIVERS, &[state]), |found| *found == count).await;
}

/// Waits until at least `least` attempts had this outcome.
async fn reads(guard: &Guard, word: &str, least: i64) {
    until(|| guard.metric(READS, &[&format!("\"{word}\"")]), |found| *found >= least).await;
}

/// A waiver for the change of `denied_review`.
fn waiver(name: &str) -> Value {
    with(name, |_| ())
}

fn with(name: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut spec = json!({
        "rules": ["AA201"], "match": {"kind": "Node", "name": "moc-l1"}, "reason": "the name is being corrected", "ticket": "OPS-1",
        "requestedBy": "alice", "approvedBy": "bob", "notBefore": in_days(-1), "expires": in_days(1), "kind": "accepted",
    });
    change(&mut spec);
    let metadata =
        json!({"name": name, "uid": "5f1d", "resourceVersion": "7", "managedFields": [{"manager": "kubectl-create"}]});
    json!({"apiVersion": "aksarc.dev/v1alpha1", "kind": "SupportWaiver", "metadata": metadata, "spec": spec})
}

/// The same waiver, in the form of a configuration.
fn own_waiver(name: &str) -> Value {
    let mut own = waiver(name)["spec"].take();
    own["name"] = json!(name);
    own
}

fn in_days(days: i64) -> String {
    Timestamp::now().checked_add(SignedDuration::from_hours(24 * days)).unwrap().to_string()
}

const READS: &str = "aksarc_cluster_waiver_reads_total";
const WAIVERS: &str = "aksarc_cluster_waivers";
const OFTEN: Duration = Duration::from_millis(5);
const HOURS: Duration = Duration::from_hours(9);
