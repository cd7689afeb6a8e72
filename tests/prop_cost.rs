//! The cost of judging grows with the bytes that are judged and with nothing else: whoever writes an object chooses
//! what of it is large, and the guard has to answer before the API server stops waiting.
//!
//! The time that this thread was given by the kernel is compared with itself, at one size and at sixteen times as much,
//! so it does not matter how fast the machine is or what else runs on it. What one comparison gets wrong the next one,
//! of the best of several runs, gets right.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

mod cost {
    pub(crate) mod objects;
    pub(crate) mod reviews;
    pub(crate) mod tally;
}

use aksarc_shared::data::{Platform, embedded};
use aksarc_shared::facts::change::Operation;
use aksarc_shared::facts::inventory::ReadKey;
use aksarc_shared::k8s::kinds::{Kind, NODE};
use aksarc_shared::rules::derive;
use aksarc_shared::verdict::check::{Check, Params};
use cost::objects::{AXES, Side, object};
use cost::reviews::{NULL, Texts, all_on, review, reviewer, sides};
use cost::tally::Tally;
use serde_json::{Value, json};

#[test]
fn a_review_of_a_namespaced_object_costs_by_the_byte() {
    reviews(|kind| kind.namespaced);
}

#[test]
fn a_review_of_a_cluster_scoped_object_costs_by_the_byte() {
    reviews(|kind| !kind.namespaced);
}

/// All that a guard can be asked about objects of some kinds, whatever is large in them.
fn reviews(are_meant: fn(&Kind) -> bool) {
    let reviewer = reviewer();
    let mut tally = Tally::default();
    for watched in derive::watched(&all_on()).iter().filter(|watched| are_meant(watched.kind)) {
        for axis in AXES.iter().filter(|axis| (axis.is_of)(watched.kind)) {
            let Some(sizes) = Texts::of(watched, axis, SMALL).zip(Texts::of(watched, axis, SMALL * TIMES)) else {
                continue;
            };
            for operation in &watched.operations {
                for sides in sides(*operation, watched.subresource) {
                    let what =
                        format!("{} {} with {} {}", operation.as_str(), watched.resource(), axis.name, sides.name);
                    let (small, large) = (&sizes.0, &sizes.1);
                    let body =
                        |texts: &Texts| review(watched, *operation, texts.side(sides.before), texts.side(sides.after));
                    let bodies = [body(small), body(large)].map(String::into_bytes);
                    tally.compare(&what, &bodies, &mut |body| drop(reviewer.answer(body).unwrap()));
                }
            }
        }
    }
    tally.done();
}

#[test]
fn a_state_costs_by_the_byte_whichever_part_of_an_object_is_large() {
    let now = "2026-06-03T00:00:00Z".parse().unwrap();
    let check =
        Check::new(embedded(), Params { platform: Some(Platform::AzureLocal), record: true, ..Params::at(now) });
    let mut tally = Tally::default();
    for (kind, _) in derive::listed() {
        let key = ReadKey { kind, namespace: None };
        for axis in AXES.iter().filter(|axis| (axis.is_of)(kind)) {
            let page =
                |n| json!({"items": [axis.grown(object(kind), n, Side::Before).unwrap()]}).to_string().into_bytes();
            let what = format!("{} with {}", kind.qualified(), axis.name);
            tally.compare(&what, &[page(SMALL), page(SMALL * TIMES)], &mut |page| {
                check.segment(&key).page(page).unwrap();
            });
        }
    }
    tally.done();
}

#[test]
fn the_user_of_a_review_costs_by_the_byte() {
    let reviewer = reviewer();
    let mut tally = Tally::default();
    let watched = derive::watched(&all_on());
    let nodes = watched.iter().find(|watched| *watched.kind == NODE && watched.subresource.is_empty()).unwrap();
    for field in ["groups", "extra", "uid"] {
        let body = |n: usize| {
            let names: Vec<String> = (0..n).map(|at| format!("contoso:group-{at}")).collect();
            let mut review: Value =
                serde_json::from_str(&review(nodes, Operation::Delete, &object(&NODE).to_string(), NULL)).unwrap();
            review["request"]["userInfo"][field] = match field {
                "groups" => json!(names),
                "extra" => json!({"authentication.kubernetes.io/credential-id": names}),
                _ => json!(names.join(",")),
            };
            review.to_string().into_bytes()
        };
        tally.compare(field, &[body(SMALL), body(SMALL * TIMES)], &mut |body| {
            drop(reviewer.answer(body).unwrap());
        });
    }
    tally.done();
}

/// The number of items at first.
const SMALL: usize = 64;

/// The factor by which they grow.
const TIMES: usize = 16;
