//! What judging costs grows with the bytes that are judged and with nothing else: whoever writes an object chooses what of it
//! is large, and the guard has to answer before the API server stops waiting.
//!
//! The time that this thread was given by the kernel is compared with itself, at one size and at sixteen times as much, so it
//! does not matter how fast the machine is or what else runs on it. What one comparison gets wrong the next one, of the best of
//! several runs, gets right.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

mod cost {
    pub(crate) mod objects;
}

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aksarc_shared::catalogue;
use aksarc_shared::change::Operation;
use aksarc_shared::check::{Check, Params};
use aksarc_shared::data::{Platform, embedded};
use aksarc_shared::derive;
use aksarc_shared::guard::{Guard, Preset, Settings};
use aksarc_shared::inventory::ReadKey;
use aksarc_shared::kinds::{Kind, NODE};
use aksarc_shared::rule::Mode;
use aksarc_webhook::metrics::Metrics;
use aksarc_webhook::respond::Reviewer;
use arc_swap::ArcSwap;
use cost::objects::{AXES, Axis, Side, grown, object};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

#[test]
fn a_review_costs_by_the_byte_whatever_is_large_in_it() {
    let reviewer = reviewer();
    let everything: BTreeMap<String, Mode> = all_on();
    let mut tally = Tally::default();
    for watched in derive::watched(&everything) {
        for operation in &watched.operations {
            for axis in AXES.iter().filter(|axis| (axis.is_of)(watched.kind)) {
                for sides in sides(*operation, watched.subresource) {
                    let what =
                        format!("{} {} with {} {}", operation.as_str(), watched.resource(), axis.name, sides.name);
                    let body = |n| review(watched.kind, watched.subresource, *operation, axis, *sides, n).into_bytes();
                    tally.compare(&what, &body, &mut |body| drop(reviewer.answer(body).unwrap()));
                }
            }
        }
    }
    tally.done();
}

#[test]
fn a_state_costs_by_the_byte_whatever_is_large_in_an_object() {
    let params = Params {
        platform: Some(Platform::AzureLocal),
        record: true,
        ..Params::at("2026-06-03T00:00:00Z".parse().unwrap())
    };
    let check = Check::new(embedded(), params);
    let mut tally = Tally::default();
    for (kind, _) in derive::listed() {
        let key = ReadKey { kind, namespace: None };
        for axis in AXES.iter().filter(|axis| (axis.is_of)(kind)) {
            let body = |n| json!({"items": [grown(object(kind), axis, n, Side::Before)]}).to_string().into_bytes();
            let what = format!("{} with {}", kind.qualified(), axis.name);
            tally.compare(&what, &body, &mut |body| {
                let mut segment = check.segment(&key);
                segment.page(body).unwrap();
            });
        }
    }
    tally.done();
}

#[test]
fn who_asks_costs_by_the_byte() {
    let reviewer = reviewer();
    let mut tally = Tally::default();
    for field in ["groups", "extra", "uid"] {
        let body = |n: usize| {
            let names: Vec<String> = (0..n).map(|at| format!("contoso:group-{at}")).collect();
            let mut review: Value =
                serde_json::from_str(&review(&NODE, "", Operation::Delete, AXES.first().unwrap(), NOTHING, 0)).unwrap();
            review["request"]["userInfo"][field] = match field {
                "groups" => json!(names),
                "extra" => json!({"authentication.kubernetes.io/credential-id": names}),
                _ => json!(names.join(",")),
            };
            review.to_string().into_bytes()
        };
        tally.compare(field, &body, &mut |body| drop(reviewer.answer(body).unwrap()));
    }
    tally.done();
}

/// What was compared, and what cost more than it should.
#[derive(Default)]
struct Tally {
    compared: usize,
    steep: Vec<String>,
}

impl Tally {
    /// Compares what judging costs at two sizes.
    fn compare(&mut self, what: &str, body: &dyn Fn(usize) -> Vec<u8>, judge: &mut dyn FnMut(&[u8])) {
        let (small, large) = (body(SMALL), body(SMALL * TIMES));
        let (mut of_small, mut of_large) = (Duration::MAX, Duration::MAX);
        let mut ratio = f64::MAX;
        self.compared += 1;
        for _ in 0..RUNS {
            for (body, best) in [(&small, &mut of_small), (&large, &mut of_large)] {
                let start = thread_time();
                judge(body);
                *best = (*best).min(thread_time().saturating_sub(start));
            }
            ratio = per_byte(of_large, &large) / per_byte(of_small, &small);
            if ratio < STEEP {
                return;
            }
        }
        let of = |time: Duration, body: &[u8]| format!("{time:?} for {} bytes", body.len());
        let (small, large) = (of(of_small, &small), of(of_large, &large));
        self.steep.push(format!("{what}: {ratio:.1} times as much for each byte: {small}, {large}"));
    }

    fn done(self) {
        assert!(self.compared > 0, "nothing was compared");
        let Tally { compared, steep } = self;
        assert!(steep.is_empty(), "{} of {compared}:\n{}", steep.len(), steep.join("\n"));
    }
}

/// Which sides of a change are large.
#[derive(Clone, Copy)]
struct Sides {
    name: &'static str,
    before: Option<Side>,
    after: Option<Side>,
}

/// Nothing is.
const NOTHING: Sides = Sides { name: "", before: None, after: None };

fn sides(operation: Operation, subresource: &str) -> &'static [Sides] {
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

fn review(kind: &Kind, subresource: &str, operation: Operation, axis: &Axis, sides: Sides, n: usize) -> String {
    let scale = subresource == "scale";
    let side = |side: Option<Side>| {
        let mut object = object(kind);
        if scale {
            object["apiVersion"] = json!("autoscaling/v1");
            object["kind"] = json!("Scale");
        }
        side.map_or(object.clone(), |side| grown(object, axis, n, side))
    };
    let before = if operation == Operation::Create { Value::Null } else { side(sides.before) };
    let after = if operation == Operation::Delete { Value::Null } else { side(sides.after) };
    let known = if before.is_null() { &after } else { &before };
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "0f5c1c1c-0000-4000-8000-000000000001",
        "kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "resource": {"group": kind.group, "version": kind.version, "resource": kind.resource},
        "subResource": subresource, "name": known["metadata"]["name"], "namespace": known["metadata"]["namespace"],
        "operation": operation.as_str(), "userInfo": {"username": "alice", "groups": ["a"]},
        "object": after, "oldObject": before, "options": {"fieldManager": "kubectl-edit"},
    }})
    .to_string()
}

/// A guard that judges by every rule and denies.
fn reviewer() -> Reviewer {
    let settings = Settings {
        mode: Preset::Enforce,
        platform: Some(Platform::AzureLocal),
        rules: all_on(),
        ..Settings::default()
    };
    let guard = Guard::new(embedded(), settings).unwrap();
    Reviewer::new(Arc::new(ArcSwap::from_pointee(guard)), Arc::new(Metrics::new()))
}

/// Every rule that judges changes is on, also one that is off unless asked for.
fn all_on() -> BTreeMap<String, Mode> {
    let judging = catalogue::ALL.iter().filter(|rule| rule.change.is_some() && rule.mode == Mode::Off);
    judging.map(|rule| (rule.code.as_str().to_owned(), Mode::Warn)).collect()
}

fn per_byte(time: Duration, body: &[u8]) -> f64 {
    time.as_secs_f64() / f64::from(u32::try_from(body.len()).unwrap())
}

/// How long this thread has run.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// How many items there are at first.
const SMALL: usize = 100;

/// How many times as many there are then.
const TIMES: usize = 16;

/// What costs by the byte costs the same for each byte; what costs by the square of them sixteen times as much.
const STEEP: f64 = 2.5;

/// How often is measured at most before the best of all counts.
const RUNS: usize = 8;
