//! A review, as bytes that anybody sends: whatever they are, the answer is one that an API server understands, and nobody
//! is denied who acts for the platform.

use std::sync::{Arc, LazyLock};

use aksarc_shared::data::{Platform, embedded};
use aksarc_shared::verdict::guard::{Guard, Preset, Settings};
use aksarc_webhook::metrics::Metrics;
use aksarc_webhook::review::{ReviewCounters, Reviewer};
use arc_swap::ArcSwap;
use serde_json::Value;

pub(crate) fn run(bytes: &[u8]) {
    let Ok(answer) = ENFORCING.answer(bytes) else { return };
    let answer: Value = serde_json::from_slice(&answer).expect("an answer is JSON");
    let response = &answer["response"];
    // What is not read may be broken: no API server sends such a thing.
    let Ok(review) = serde_json::from_slice::<Value>(bytes) else { return };
    let request = &review["request"];
    assert_eq!(response["uid"], request["uid"], "the answer is to the review");
    let allowed = response["allowed"].as_bool().expect("an answer says whether");
    if !allowed {
        let status = &response["status"];
        let code = status["details"]["causes"][0]["reason"].as_str().unwrap_or_default();
        assert!(status["code"] == 403 && status["reason"] == "Forbidden" && code.starts_with("AA"), "{answer}");
        assert!(!is_platform(&request["userInfo"]), "the platform is denied: {answer}");
    }
    let warnings = response["warnings"].as_array().into_iter().flatten().map(|warning| warning.as_str().unwrap());
    let sizes: Vec<usize> = warnings
        .map(|warning| {
            assert!(!warning.chars().any(char::is_control), "an API server drops {warning:?}");
            warning.len()
        })
        .collect();
    assert!(sizes.iter().sum::<usize>() <= 4096, "an API server cuts warnings: {sizes:?}");
    let again = OBSERVING.answer(bytes).expect("a review that one guard answers, another answers too");
    let again: Value = serde_json::from_slice(&again).expect("an answer is JSON");
    assert_eq!(again["response"]["allowed"], true, "a guard that observes denies nothing");
}

/// Users and groups that are the platform in every cluster, a few of each kind.
fn is_platform(user: &Value) -> bool {
    let groups = user["groups"].as_array().map(Vec::as_slice).unwrap_or_default();
    let name = user["username"].as_str().unwrap_or_default();
    let of_kube_system = name.starts_with("system:serviceaccount:kube-system:")
        && groups.iter().any(|group| group == "system:serviceaccounts:kube-system");
    of_kube_system || ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler"].contains(&name)
}

static ENFORCING: LazyLock<Reviewer> = LazyLock::new(|| reviewer(Preset::Enforce));
static OBSERVING: LazyLock<Reviewer> = LazyLock::new(|| reviewer(Preset::Observe));

fn reviewer(mode: Preset) -> Reviewer {
    let settings = Settings { mode, platform: Some(Platform::AzureLocal), ..Settings::default() };
    let guard = Guard::new(embedded(), settings).expect("settings without a fault");
    let counters = ReviewCounters::register(&mut Metrics::new());
    Reviewer::new(Arc::new(ArcSwap::from_pointee(guard)), counters)
}
