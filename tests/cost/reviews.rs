//! Reviews of every change that rules judge, with a part that can be large.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aksarc_shared::data::{Platform, embedded};
use aksarc_shared::facts::change::Operation;
use aksarc_shared::rules::catalogue;
use aksarc_shared::rules::rule::{Mode, Watched};
use aksarc_shared::verdict::guard::{Guard, Preset, Settings};
use aksarc_webhook::metrics::Metrics;
use aksarc_webhook::review::{ReviewCounters, Reviewer};
use arc_swap::ArcSwap;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use super::objects::{Axis, Side, object, place};

/// Which sides of a change are large.
#[derive(Clone, Copy)]
pub(crate) struct Sides {
    pub(crate) name: &'static str,
    pub(crate) before: Option<Side>,
    pub(crate) after: Option<Side>,
}

pub(crate) fn sides(operation: Operation, subresource: &str) -> &'static [Sides] {
    const SAME: Sides = Sides { name: "on both sides alike", before: Some(Side::Before), after: Some(Side::Before) };
    const CHANGED: Sides = Sides { name: "changed", before: Some(Side::Before), after: Some(Side::After) };
    const ADDED: Sides = Sides { name: "added", before: None, after: Some(Side::After) };
    const REMOVED: Sides = Sides { name: "removed", before: Some(Side::Before), after: None };
    match operation {
        Operation::Create => &[ADDED],
        Operation::Delete => &[REMOVED],
        Operation::Update if subresource.is_empty() => &[SAME, CHANGED, ADDED, REMOVED],
        Operation::Update => &[CHANGED],
    }
}

/// The sides that an object of one size can have, as they are sent.
pub(crate) struct Texts {
    neither: String,
    before: String,
    after: String,
}

impl Texts {
    pub(crate) fn of(watched: &Watched, axis: &Axis, n: usize) -> Option<Self> {
        let mut object = object(watched.kind);
        if watched.subresource == "scale" {
            object["apiVersion"] = json!("autoscaling/v1");
            object["kind"] = json!("Scale");
        }
        let grown = |side| axis.grown(object.clone(), n, side).map(|object| object.to_string());
        Some(Texts { before: grown(Side::Before)?, after: grown(Side::After)?, neither: object.to_string() })
    }

    pub(crate) fn side(&self, side: Option<Side>) -> &str {
        match side {
            None => &self.neither,
            Some(Side::Before) => &self.before,
            Some(Side::After) => &self.after,
        }
    }
}

pub(crate) fn review(watched: &Watched, operation: Operation, before: &str, after: &str) -> String {
    let Watched { kind, subresource, .. } = watched;
    let before = if operation == Operation::Create { NULL } else { before };
    let after = if operation == Operation::Delete { NULL } else { after };
    let (namespace, _) = place(kind);
    let mut review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "0f5c1c1c-0000-4000-8000-000000000001",
        "kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "resource": {"group": kind.group, "version": kind.version, "resource": kind.resource},
        "subResource": subresource, "namespace": namespace, "operation": operation.as_str(),
        "userInfo": {"username": "alice", "groups": ["a"]}, "options": {"fieldManager": "kubectl-edit"},
    }})
    .to_string();
    // Into the request, which ends the review.
    review.truncate(review.len() - "}}".len());
    format!("{review},\"object\":{after},\"oldObject\":{before}}}}}")
}

/// A guard that judges by every rule and denies.
pub(crate) fn reviewer() -> Reviewer {
    let settings = Settings {
        mode: Preset::Enforce,
        platform: Some(Platform::AzureLocal),
        rules: all_on(),
        ..Settings::default()
    };
    let guard = Guard::new(embedded(), settings).unwrap();
    Reviewer::new(Arc::new(ArcSwap::from_pointee(guard)), ReviewCounters::register(&mut Metrics::new()))
}

/// Every rule that judges changes is on, also one that is off unless asked for.
pub(crate) fn all_on() -> BTreeMap<String, Mode> {
    let judging = catalogue::ALL.iter().filter(|rule| rule.change.is_some() && rule.mode == Mode::Off);
    judging.map(|rule| (rule.code.as_str().to_owned(), Mode::Warn)).collect()
}

/// The time that this thread has run.
pub(crate) fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

pub(crate) const NULL: &str = "null";
