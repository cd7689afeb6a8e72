//! Reviews without a server: a guard that answers bytes with bytes, and the reviews to ask it.

use std::sync::Arc;

use aksarc_shared::data::{Platform, embedded};
use aksarc_shared::k8s::kinds::Kind;
use aksarc_shared::k8s::read::yaml;
use aksarc_shared::verdict::guard::{Guard, Preset, Settings};
use aksarc_webhook::metrics::Metrics;
use aksarc_webhook::review::{ReviewCounters, Reviewer};
use anyhow::Context;
use arc_swap::ArcSwap;
use serde_json::{Value, json};

/// A guard in `enforce` on Azure Local, and its counters.
///
/// # Errors
/// Never: the settings are valid.
pub fn enforcing() -> anyhow::Result<(Reviewer, Metrics)> {
    let settings = Settings { mode: Preset::Enforce, platform: Some(Platform::AzureLocal), ..Settings::default() };
    let guard = Guard::new(embedded(), settings)?;
    let mut metrics = Metrics::new();
    let counters = ReviewCounters::register(&mut metrics);
    Ok((Reviewer::new(Arc::new(ArcSwap::from_pointee(guard)), counters), metrics))
}

/// The objects of `tests/unread/objects.yaml`: one at least of each kind that rules judge, each read in full.
///
/// # Errors
/// The file is no YAML.
pub fn objects() -> anyhow::Result<Vec<Value>> {
    yaml::documents(include_str!("../unread/objects.yaml")).context("tests/unread/objects.yaml")
}

/// The review of a person's change as the API server sends it. A side that there is none of is null.
pub fn review(kind: &Kind, operation: &str, before: &Value, after: &Value) -> Value {
    let known = if after.is_null() { before } else { after };
    let text = |field: &str| known.pointer(field).and_then(Value::as_str).unwrap_or_default();
    let gvk = |field: &str, name: &str| json!({"group": kind.group, "version": kind.version, field: name});
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "0f5c1c1c-0000-4000-8000-000000000001",
        "kind": gvk("kind", kind.kind), "resource": gvk("resource", kind.resource),
        "name": text("/metadata/name"), "namespace": text("/metadata/namespace"),
        "operation": operation, "userInfo": {"username": "alice", "groups": ["system:authenticated"]},
        "object": after, "oldObject": before, "dryRun": false, "options": {"fieldManager": "kubectl-edit"},
    }})
}
