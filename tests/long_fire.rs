//! The guard under fire as `admit_fire` has it, under a full load and for longer.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "helpers of tests are tests")]

mod under_load {
    #[allow(dead_code, reason = "admit_fire uses the rest")]
    pub(crate) mod faults;
    #[allow(dead_code, reason = "other tests use the rest")]
    pub(crate) mod site;
}

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aksarc_tests::{ControlPlane, Kubernetes};
use under_load::site::Site;

#[test]
fn replicas_that_are_killed_under_a_full_load_cost_the_reviews_sent_to_them_and_no_write() {
    let _alone = alone();
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    let mut site = Site::new(&cluster, ARGUMENTS);
    for _ in 0..10 {
        site.await_changes(2_500);
        let counted = site.kill(0);
        eprintln!("a replica killed: {counted} changes let through until it was withdrawn");
    }
    site.ends(LEAST);
}

#[test]
fn rollouts_under_a_full_load_cost_no_review() {
    let _alone = alone();
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    // As it is installed, with five seconds to linger.
    let mut site = Site::new(&cluster, &[]);
    for _ in 0..6 {
        let took = site.terminate(0);
        eprintln!("a replica ended in order after {took:.1?}");
        assert_eq!(site.let_through(), 0);
    }
    site.ends(LEAST);
}

#[test]
fn configurations_that_take_turns_for_minutes_cost_no_review_and_no_memory() {
    let _alone = alone();
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    let mut site = Site::of_two_minds(&cluster, &["--poll", "100ms"]);
    // The first minute fills what is filled once.
    site.flap(MINUTE);
    let flapped = site.flap(2 * MINUTE);
    let growth = flapped.growth >> 10;
    eprintln!("{} configurations, {} refusals, {growth} KiB more memory", flapped.written, flapped.refused);
    assert!(flapped.growth < FLAT, "{growth} KiB");
    // Each of its changes is a patch, which takes an API server more than a create.
    site.ends(LEAST / 2.0);
}

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const ARGUMENTS: &[&str] = &["--poll", "500ms"];
/// Changes a second that the guard has to judge, on two cores with nothing else to do.
const LEAST: f64 = 500.0;
const MINUTE: Duration = Duration::from_mins(1);
/// Bytes. What is made anew for each configuration is given back.
const FLAT: u64 = 2 << 20;
