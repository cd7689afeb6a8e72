//! Reviews that take long: they are allowed in time, marked and counted, and delay no others.

use std::time::Duration;

use aksarc_shared::facts::change::Change;
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::k8s::user::User;
use aksarc_shared::verdict::guard::{Guard as Engine, Judgement};
use aksarc_webhook::server::ServerLimits;
use serde_json::{Value, json};

use crate::support::gate::Gate;
use crate::support::{Guard, admin, denied_review, post, unjudged, until};

const SHORT: Duration = Duration::from_millis(200);

async fn guard(
    judge: fn(&Engine, &Change<'_>, &User, Timestamp) -> Judgement,
    change: impl FnOnce(&mut ServerLimits),
) -> Guard {
    Guard::start("enforce", |options| {
        options.judge = Some(judge);
        change(&mut options.limits);
    })
    .await
}

/// Judges as the engine does, but a change of an object called `slow` only once `gate` is open.
fn judge(gate: &Gate, engine: &Engine, change: &Change<'_>, user: &User, now: Timestamp) -> Judgement {
    if change.name == "slow" {
        gate.pass();
    }
    engine.judge(change, user, now)
}

/// A review that is denied, and too large to be judged at once.
fn large(name: &str) -> Value {
    let mut review = denied_review();
    review["request"]["name"] = json!(name);
    review["request"]["object"]["metadata"]["annotations"] = json!({"example.com/large": "x".repeat(64 << 10)});
    review
}

#[tokio::test]
async fn a_review_that_takes_too_long_is_allowed_marked_and_counted_once() {
    static GATE: Gate = Gate::new();
    let guard = guard(|e, c, u, t| judge(&GATE, e, c, u, t), |limits| limits.review = SHORT).await;
    let response = guard.client().await.review(&large("slow")).await;
    assert_eq!(response["uid"], denied_review()["request"]["uid"]);
    assert_eq!(response["allowed"], true);
    assert_eq!(response["auditAnnotations"], unjudged("time"));
    assert_eq!(guard.metric("aksarc_reviews_not_evaluated_total", &["time"]), 1);
    // The worker ends later. It is free then, and its findings are not counted.
    GATE.open();
    let late = late_before_one_is_judged(&guard, &large("slow")).await;
    assert_eq!(guard.metric("aksarc_reviews_total", &["deny"]), 1);
    assert_eq!(guard.metric("aksarc_reviews_not_evaluated_total", &["time"]), 1 + late);
}

/// Sends a review again and again until it is judged, and denied. On a busy machine it may be late at first, which is
/// counted.
async fn late_before_one_is_judged(guard: &Guard, review: &Value) -> i64 {
    for late in 0..100 {
        let response = guard.client().await.review(review).await;
        if response["auditAnnotations"] != unjudged("time") {
            assert_eq!(response["allowed"], false);
            return late;
        }
    }
    panic!("no worker was free in time");
}

#[tokio::test]
async fn small_reviews_and_probes_do_not_wait_for_large_reviews() {
    static GATE: Gate = Gate::new();
    let guard = guard(|e, c, u, t| judge(&GATE, e, c, u, t), |_| ()).await;
    let workers = ServerLimits::default().workers;
    let mut clients = Vec::new();
    for _ in 0..workers {
        let mut client = guard.client().await;
        clients.push(tokio::spawn(async move { client.review(&large("slow")).await }));
    }
    until(|| GATE.came(), |came| *came == workers).await;
    assert_eq!(guard.client().await.review(&denied_review()).await["allowed"], false);
    assert_eq!(admin(guard.server.probe_address(), "/readyz").await.unwrap().0, 200);
    // Another large review waits for a worker, and is judged once one is free.
    let mut client = guard.client().await;
    let waiting = tokio::spawn(async move { client.review(&large("quick")).await });
    let answering = i64::try_from(workers).unwrap() + 1;
    until(|| guard.metric("aksarc_connections", &["answering"]), |count| *count == answering).await;
    assert!(!waiting.is_finished());
    GATE.open();
    assert_eq!(waiting.await.unwrap()["allowed"], false);
    for client in clients {
        assert_eq!(client.await.unwrap()["allowed"], false);
    }
}

#[tokio::test]
async fn a_review_that_finds_no_worker_in_time_is_allowed_marked_and_counted() {
    static GATE: Gate = Gate::new();
    let guard = guard(
        |e, c, u, t| judge(&GATE, e, c, u, t),
        |limits| {
            limits.review = SHORT;
            limits.workers = 1;
        },
    )
    .await;
    for name in ["slow", "quick"] {
        let response = guard.client().await.review(&large(name)).await;
        assert_eq!(response["auditAnnotations"], unjudged("time"), "{name}");
    }
    assert_eq!(guard.metric("aksarc_reviews_not_evaluated_total", &["time"]), 2);
    GATE.open();
    let late = late_before_one_is_judged(&guard, &large("quick")).await;
    assert_eq!(guard.metric("aksarc_reviews_total", &["deny"]), 1);
    assert_eq!(guard.metric("aksarc_reviews_not_evaluated_total", &["time"]), 2 + late);
}

#[tokio::test]
async fn a_review_whose_client_has_left_is_not_judged() {
    static GATE: Gate = Gate::new();
    let guard = guard(|e, c, u, t| judge(&GATE, e, c, u, t), |limits| limits.workers = 1).await;
    let mut first = guard.client().await;
    let first = tokio::spawn(async move { first.review(&large("slow")).await });
    until(|| GATE.came(), |came| *came == 1).await;
    let mut leaving = guard.client().await;
    let left = tokio::spawn(async move { leaving.send(post(large("slow").to_string())).await.map(drop) });
    until(|| guard.metric("aksarc_connections", &["answering"]), |count| *count == 2).await;
    left.abort();
    until(|| guard.metric("aksarc_connections", &["answering"]), |count| *count == 1).await;
    GATE.open();
    assert_eq!(first.await.unwrap()["allowed"], false);
    assert_eq!(guard.client().await.review(&large("quick")).await["allowed"], false);
    assert_eq!(GATE.came(), 1, "the review of a client that has left came to a judge");
    assert_eq!(guard.metric("aksarc_reviews_total", &["deny"]), 2);
}

#[tokio::test]
async fn a_review_whose_worker_panics_is_allowed_and_the_next_large_one_is_judged() {
    fn panics(engine: &Engine, change: &Change<'_>, user: &User, now: Timestamp) -> Judgement {
        assert!(change.name != "bad", "a rule met it");
        engine.judge(change, user, now)
    }
    let guard = guard(panics, |limits| limits.workers = 1).await;
    let response = guard.client().await.review(&large("bad")).await;
    assert_eq!(response["auditAnnotations"], unjudged("panic"));
    assert_eq!(guard.client().await.review(&large("good")).await["allowed"], false);
}

/// No limit catches a hang of the reviews' own thread. The probes, on another thread, tell of it.
#[test]
fn a_guard_whose_reviews_hang_is_not_ready_then_not_alive_and_recovers() {
    static GATE: Gate = Gate::new();
    let (tell, told) = std::sync::mpsc::channel();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let hanging = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let guard = guard(
                |e, c, u, t| judge(&GATE, e, c, u, t),
                |limits| {
                    limits.stalled = SHORT;
                    limits.dead = 2 * SHORT;
                },
            )
            .await;
            tell.send(guard.server.probe_address()).unwrap();
            let mut review = denied_review();
            review["request"]["name"] = json!("slow");
            guard.client().await.review(&review).await;
            ended.await.unwrap();
        });
    });
    let address = told.recv().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let turns = |path: &'static str, status: u16| {
        runtime.block_on(async {
            while admin(address, path).await.unwrap().0 != status {
                tokio::task::yield_now().await;
            }
        });
    };
    turns("/readyz", 503);
    turns("/livez", 503);
    GATE.open();
    turns("/livez", 200);
    turns("/readyz", 200);
    end.send(()).unwrap();
    hanging.join().unwrap();
}
