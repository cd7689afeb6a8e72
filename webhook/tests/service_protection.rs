//! The protection of the guard's own objects: what the guard closes and when, and what it says of the policies. The
//! policies themselves are for `tests/e2e_protection.rs` and `tests/e2e_disarming.rs`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::api_server::{ApiServer, status};
use crate::support::{Guard, until};
use aksarc_webhook::protection::ProtectionOptions;
use http::StatusCode;
use serde_json::json;

#[tokio::test]
async fn what_is_open_is_closed_after_its_time_and_the_time_of_another_reason_begins_anew() {
    let reason = Arc::new(Mutex::new(String::new()));
    let given = Arc::clone(&reason);
    let api = ApiServer::start(move |asked| match asked {
        asked if asked.starts_with("GET") => object(&given.lock().unwrap()),
        asked if asked.contains("dryRun=All") => refused(asked),
        _ => {
            given.lock().unwrap().clear();
            object("")
        }
    })
    .await;
    let give = |text: &str| text.clone_into(&mut reason.lock().unwrap());
    let guard = start(&api, Duration::from_millis(600)).await;
    looks(&guard, "shut").await;
    assert_eq!(open(&guard), [0, 0]);
    // A reason without text opens nothing.
    give("  ");
    looks(&guard, "shut").await;
    assert_eq!(open(&guard), [0, 0]);
    give("first");
    until(|| open(&guard), |open| *open == [1, 1]).await;
    let first = std::time::Instant::now();
    give("second");
    until(|| reason.lock().unwrap().is_empty(), |closed| *closed).await;
    assert!(first.elapsed() >= Duration::from_millis(500), "{:?}", first.elapsed());
    until(|| open(&guard), |open| *open == [0, 0]).await;
    let closed: Vec<String> = api.requests().into_iter().filter(|asked| is_closing(asked)).collect();
    assert!(!closed.is_empty() && closed.len() <= 2, "{closed:?}");
    assert!(metric(&guard, "aksarc_protection_looks_total", "outcome", "closed") >= 1);
}

#[tokio::test]
async fn a_policy_is_in_force_when_it_refused_and_not_when_something_else_did() {
    let api = ApiServer::start(|asked| if asked.starts_with("GET") { object("") } else { refused(asked) }).await;
    let guard = start(&api, Duration::from_mins(1)).await;
    until(|| armed(&guard), |armed| *armed == [1, 1]).await;
    // The change would have been made.
    api.answer(|_| object(""));
    until(|| armed(&guard), |armed| *armed == [0, 0]).await;
    api.answer(|asked| if asked.starts_with("GET") { object("") } else { refused(asked) });
    until(|| armed(&guard), |armed| *armed == [1, 1]).await;
    // A right that is missing says nothing about policies: what was seen last stays.
    api.answer(
        |asked| {
            if asked.starts_with("GET") { object("") } else { status(StatusCode::FORBIDDEN, "User cannot patch") }
        },
    );
    looks(&guard, "forbidden").await;
    assert_eq!(armed(&guard), [1, 1]);
    // An object that is not there is protected by nothing.
    api.answer(|_| status(StatusCode::NOT_FOUND, "not found"));
    until(|| armed(&guard), |armed| *armed == [0, 0]).await;
    assert!(api.requests().iter().filter(|asked| asked.starts_with("PATCH")).all(|asked| asked.contains("dryRun=All")));
}

async fn start(api: &ApiServer, close_after: Duration) -> Guard {
    let often = Duration::from_millis(20);
    let options = ProtectionOptions { every: often, close_after, try_every: often, access: api.access() };
    Guard::start("observe", |server| server.protection = Some(options)).await
}

async fn looks(guard: &Guard, outcome: &str) {
    let looks = || metric(guard, "aksarc_protection_looks_total", "outcome", outcome);
    let before = looks();
    // Two objects, and a look that had begun before.
    until(looks, |looks| *looks > before + 2).await;
}

fn open(guard: &Guard) -> [i64; 2] {
    ["configuration", "namespace"].map(|object| metric(guard, "aksarc_protection_open", "object", object))
}

fn armed(guard: &Guard) -> [i64; 2] {
    ["configuration", "namespace"].map(|object| metric(guard, "aksarc_protection_armed", "object", object))
}

fn metric(guard: &Guard, name: &str, label: &str, value: &str) -> i64 {
    guard.metric(name, &[&format!("{label}=\"{value}\"")])
}

fn is_closing(asked: &str) -> bool {
    asked.starts_with("PATCH") && !asked.contains("dryRun=All")
}

fn object(reason: &str) -> Option<(StatusCode, String)> {
    Some((StatusCode::OK, json!({"metadata": {"annotations": {"aksarc.dev/open": reason}}}).to_string()))
}

/// The answer of an API server with the policies.
fn refused(asked: &str) -> Option<(StatusCode, String)> {
    let policy = if asked.contains("/namespaces/") { "namespace" } else { "protection" };
    let message = format!("it is forbidden: ValidatingAdmissionPolicy '{policy}.guard.aksarc.dev' with binding denied");
    status(StatusCode::FORBIDDEN, &message)
}
