//! The published result of `support-check` in the guard's metrics.

use std::time::Duration;

use crate::support::api_server::{ApiServer, status};
use crate::support::{Guard, until};
use aksarc_shared::verdict::published::SUMMARY;
use aksarc_webhook::published::PublishedOptions;
use http::StatusCode;
use serde_json::json;

#[tokio::test]
async fn metrics_show_what_was_published_last_until_it_is_gone() {
    let api = ApiServer::start(|_| status(StatusCode::NOT_FOUND, "not found")).await;
    let guard = start(&api).await;
    reads(&guard, "absent").await;
    assert_eq!(shown(&guard), [0; 6]);

    api.answer(|_| published(SUMMARY_TEXT));
    until(|| guard.metric("aksarc_check_timestamp_seconds", &[]), |seconds| *seconds == TAKEN_AT).await;
    assert_eq!(shown(&guard), [TAKEN_AT, 1, 3, 5, 2, 4]);
    assert_eq!(guard.metric(VERDICT, &["within"]), 0);
    assert_eq!(guard.metric(FINDINGS, &["AA303", "at-risk"]), 1);
    // Rules of a later version.
    assert_eq!(guard.metric(FINDINGS, &["other"]), 9);

    // What cannot be read leaves the last result standing.
    for (code, word) in [(StatusCode::FORBIDDEN, "forbidden"), (StatusCode::BAD_GATEWAY, "refused")] {
        api.answer(move |_| status(code, "no"));
        reads(&guard, word).await;
    }
    for text in ["", "{}", "7", r#"{"verdict": "fine"}"#] {
        let before = guard.metric(READS, &["unreadable"]);
        api.answer(move |_| published(text));
        until(|| guard.metric(READS, &["unreadable"]), |reads| *reads > before).await;
    }
    assert_eq!(shown(&guard), [TAKEN_AT, 1, 3, 5, 2, 4]);

    let other = SUMMARY_TEXT.replace("outside", "within");
    api.answer(move |_| published(&other));
    until(|| guard.metric(VERDICT, &["within"]), |gauge| *gauge == 1).await;
    assert_eq!(guard.metric(VERDICT, &["outside"]), 0);
    api.answer(|_| status(StatusCode::NOT_FOUND, "not found"));
    until(|| shown(&guard), |shown| *shown == [0; 6]).await;
    let asked = api.requests();
    assert!(
        asked.iter().all(|one| one == "GET /api/v1/namespaces/aksarc-system/configmaps/aksarc-result"),
        "{asked:?}"
    );
}

async fn start(api: &ApiServer) -> Guard {
    let published = PublishedOptions { access: api.access(), every: Duration::from_millis(20) };
    Guard::start("observe", |options| options.published = Some(published)).await
}

async fn reads(guard: &Guard, outcome: &str) {
    let outcome = format!("\"{outcome}\"");
    until(|| guard.metric(READS, &[&outcome]), |reads| *reads > 0).await;
}

/// The time, the verdict `outside`, findings of one rule, waived findings, and rules by two outcomes.
fn shown(guard: &Guard) -> [i64; 6] {
    [
        guard.metric("aksarc_check_timestamp_seconds", &[]),
        guard.metric(VERDICT, &["outside"]),
        guard.metric(FINDINGS, &["AA303", "voids"]),
        guard.metric("aksarc_check_findings_waived", &[]),
        guard.metric(RULES, &["unknown"]),
        guard.metric(RULES, &["left-out"]),
    ]
}

fn published(summary: &str) -> Option<(StatusCode, String)> {
    let meta = json!({"name": "aksarc-result", "annotations": {SUMMARY: summary}});
    Some((StatusCode::OK, json!({"kind": "PartialObjectMetadata", "metadata": meta}).to_string()))
}

const SUMMARY_TEXT: &str = r#"{"takenAt": "2026-12-01T00:00:00Z", "verdict": "outside",
    "findings": {"AA303": {"voids": 3, "at-risk": 1}, "AA998": {"voids": 2}, "AA999": {"info": 7}},
    "waived": 5, "rules": {"unknown": 2, "left-out": 4, "of-a-later-version": 1}, "more": true}"#;

const TAKEN_AT: i64 = 1_796_083_200;

const READS: &str = "aksarc_check_reads_total";
const VERDICT: &str = "aksarc_check_verdict_info";
const FINDINGS: &str = "aksarc_check_findings";
const RULES: &str = "aksarc_check_rules";
