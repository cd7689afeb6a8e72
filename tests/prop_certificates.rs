//! The decisions of the guard's replicas about their certificates, in every order of reads, writes, crashes and
//! vandalism that proptest thinks of: no review meets a certificate that the API server does not trust, unless somebody
//! destroyed trust itself, and whatever was done, trust comes back.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

mod certificates {
    pub(crate) mod world;
}

use certificates::world::{Event, Vandalism, World};
use proptest::prelude::*;

fn vandalism() -> impl Strategy<Value = Vandalism> {
    prop_oneof![
        Just(Vandalism::BundleEmptied),
        Just(Vandalism::BundleForeign),
        Just(Vandalism::BundleExtended),
        Just(Vandalism::BundleOfOneWebhookEmptied),
        (0_usize..40).prop_map(Vandalism::BundleOlder),
        Just(Vandalism::ConfigurationDeleted),
        Just(Vandalism::ConfigurationRestored),
        Just(Vandalism::RecordLost),
        (0_usize..40).prop_map(Vandalism::RecordOlder),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        40 => (0_usize..2).prop_map(Event::Step),
        6 => (1_i64..40).prop_map(Event::Seconds),
        1 => (1_i64..48).prop_map(|hours| Event::Seconds(hours * 3600)),
        1 => (2_i64..9).prop_map(|years| Event::Seconds(years * 365 * 24 * 3600)),
        3 => (0_usize..2).prop_map(Event::Crash),
        2 => vandalism().prop_map(Event::Vandalism),
    ]
}

fn run(events: &[Event]) -> World {
    let mut world = World::new();
    for event in events {
        world.happens(event);
        world.check();
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_served_is_trusted_and_trust_comes_back(events in prop::collection::vec(event(), 1..160)) {
        let mut world = run(&events);
        world.settles();
    }
}

/// Renewals for decades, without chance.
#[test]
fn an_authority_is_replaced_every_few_years_and_nobody_notices() {
    let mut world = World::new();
    world.settles();
    let mut generations = std::collections::BTreeSet::new();
    for _ in 0..50 * 12 {
        world.happens(&Event::Seconds(30 * 24 * 3600));
        // A month is more than a day: it all has to happen in whole passes.
        for _ in 0..12 {
            world.pass(0);
            world.check();
            world.pass(1);
            world.check();
            world.happens(&Event::Seconds(61));
            world.check();
        }
        generations.insert(world.generation());
        assert!(!world.destroyed());
    }
    // Each lives for ten years and is replaced at two thirds.
    assert!((7..=9).contains(&generations.len()), "{generations:?}");
}

/// A record that is lost while both replicas run.
#[test]
fn a_record_that_is_lost_costs_no_review() {
    let mut world = World::new();
    world.settles();
    let before = world.generation();
    world.happens(&Event::Vandalism(Vandalism::RecordLost));
    world.settles();
    assert!(!world.destroyed());
    assert_eq!(world.generation(), before + 1);
}

/// Both the record and what is served are lost, in a cluster that still trusts the former authority: a guard that was
/// installed anew is trusted within seconds.
#[test]
fn a_guard_that_starts_with_nothing_serves_within_fifteen_seconds() {
    let mut world = World::new();
    world.settles();
    world.happens(&Event::Vandalism(Vandalism::RecordLost));
    world.happens(&Event::Crash(0));
    world.happens(&Event::Crash(1));
    let mut waited = 0;
    while !world.all_serve() {
        for replica in [0, 1] {
            world.pass(replica);
            world.check();
        }
        world.happens(&Event::Seconds(1));
        waited += 1;
        assert!(waited <= 7, "{waited} seconds, and a look takes its time");
    }
}
