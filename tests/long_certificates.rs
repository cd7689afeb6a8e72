//! The guard's own certificates at the pace that they have in production, and over many renewals.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "helpers of tests are tests")]

mod under_load {
    #[allow(dead_code, reason = "e2e_certificates uses all of it")]
    pub(crate) mod certificates;
    #[allow(dead_code, reason = "other tests use the rest")]
    pub(crate) mod site;
}

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aksarc_tests::{ControlPlane, Kubernetes};
use under_load::certificates::certificates_and_authorities_change;
use under_load::site::Site;

#[test]
fn certificates_and_authorities_change_under_a_full_load_and_no_change_goes_unasked() {
    let _alone = alone();
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    certificates_and_authorities_change(&cluster, LEAST);
}

#[test]
fn destroyed_trust_is_back_within_fifteen_seconds_at_the_usual_pace() {
    let _alone = alone();
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    let mut site = Site::new(&cluster, &[]);
    for bundle in ["", "Zm9v", "", "Zm9v"] {
        let back = site.destroy_trust(bundle);
        eprintln!("caBundle {bundle:?}: back after {back:.1?}");
        assert!(back < FIFTEEN, "{back:?}");
    }
    // The record is lost while both run: nobody notices, and a minute later another authority signs.
    let before = site.generation();
    site.destroy_the_record(None);
    site.await_step("use", before + 1);
    assert_eq!(site.let_through(), 0);
    // Record and replicas are lost at once.
    let back = site.destroy_all();
    eprintln!("record and replicas lost: back {back:.1?} after the first new one began");
    assert!(back < FIFTEEN, "{back:?}");
    site.ends(LEAST);
}

#[test]
fn many_renewals_in_a_row_cost_no_review() {
    let _alone = alone();
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    let times = "authority=60s,leaf=9s,dwell=3s,settle=1s,keep=5s,report=1s";
    let site = Site::new(&cluster, &["--poll", "500ms", "--certificate-times", times]);
    let first = site.generation();
    // One follows forty seconds after the other.
    for generation in first + 1..=first + 5 {
        site.await_step("steady", generation);
        assert_eq!(site.let_through(), 0);
    }
    let renewals = site.renewals(0) + site.renewals(1);
    eprintln!("{renewals} certificates followed the first ones");
    assert!(renewals >= 40, "{renewals}");
    site.ends(LEAST);
}

const FIFTEEN: Duration = Duration::from_secs(15);

/// Changes a second that the guard has to judge, on two cores with nothing else to do.
const LEAST: f64 = 500.0;

/// One test at a time: the rate of each is asserted.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
