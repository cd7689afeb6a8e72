//! The guard under fire, in front of a real API server: replicas are killed and rolled out, the API server restarts, the
//! configuration changes all the time and clocks jump, while changes come in. Each gets the answer that it is owed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "helpers of tests are tests")]

mod under_load {
    pub(crate) mod faults;
    #[allow(dead_code, reason = "e2e_certificates uses the rest")]
    pub(crate) mod site;
}

use std::time::Duration;

use aksarc_tests::{ControlPlane, Kubernetes};
use under_load::faults::Clocks;
use under_load::site::Site;

#[test]
fn a_replica_that_is_killed_costs_the_reviews_sent_to_it_and_no_write() {
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    let mut site = Site::new(&cluster, ARGUMENTS);
    for place in [0, 0] {
        let counted = site.kill(place);
        eprintln!("a replica killed: {counted} changes let through until it was withdrawn");
    }
    site.ends(LEAST);
}

#[test]
fn replicas_that_end_and_an_api_server_that_restarts_cost_no_review() {
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    let mut site = Site::new(&cluster, ARGUMENTS);
    for place in [0, 0] {
        let took = site.terminate(place);
        eprintln!("a replica ended in order after {took:.1?}");
    }
    assert_eq!(site.let_through(), 0);
    let (first, right) = site.restart_the_api_server();
    eprintln!("the API server answered {first:.1?} after its restart, and the first {right} answers were right");
    site.ends(0.0);
}

#[test]
fn configurations_that_take_turns_decide_every_change() {
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    let mut site = Site::of_two_minds(&cluster, &["--poll", "100ms"]);
    let flapped = site.flap(Duration::from_secs(10));
    let growth = flapped.growth >> 10;
    eprintln!("{} configurations, {} refusals, {growth} KiB more memory", flapped.written, flapped.refused);
    assert!(flapped.refused > 20.0, "{}", flapped.refused);
    assert!(flapped.growth < FLAT, "{growth} KiB");
    assert!(site.load().figures().warned > 0 && site.load().figures().denied > 0, "{}", site.load().figures());
    site.ends(LEAST);
}

#[test]
fn a_clock_that_jumps_changes_no_decision() {
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    // As long as in production: by a clock that is 400 days off it is not valid, so that the guard hears nothing.
    cluster.present(-1, 365).unwrap();
    let (clocks, site) = Clocks::site(&cluster, ARGUMENTS);
    let before = site.clock(0);
    for (by, days) in [("+400d", 400.0), ("-400d", -400.0), ("+0", 0.0)] {
        clocks.set(by);
        let jump = (site.clock(0) - before) / 86_400.0;
        assert!((jump - days).abs() < 0.1, "the clock is {jump} days off");
        let back = site.await_trusted_certificates();
        eprintln!("clocks {by}: certificates that the API server takes after {back:.1?}");
        assert!(back < Duration::from_secs(15), "{back:?}");
        assert_eq!(site.let_through(), 0);
    }
    site.ends(LEAST);
}

const ARGUMENTS: &[&str] = &["--poll", "500ms", "--linger", "2s"];
/// Changes a second, while other tests run on the same two cores. `long_fire` wants as many as the guard has to take.
const LEAST: f64 = 40.0;
/// Bytes. What is made anew for each configuration is given back.
const FLAT: u64 = 4 << 20;
