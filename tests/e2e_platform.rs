//! The platform goes on working under `enforce`: the real controllers, the scheduler, kwok and Helm run, and requests of
//! everybody else are replayed, without a denial or a warning. The table of `platform/README.md` is what was measured.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests are tests"
)]

mod platform {
    pub(crate) mod path;
    pub(crate) mod products;
    pub(crate) mod ran;
    pub(crate) mod releases;
    pub(crate) mod row;
    pub(crate) mod stage;
    pub(crate) mod table;
    pub(crate) mod watch;
    pub(crate) mod who;

    /// For effects of an answered request.
    pub(crate) const LIMIT: std::time::Duration = std::time::Duration::from_mins(1);
}

use std::fs;

use aksarc_tests::root;
use platform::products::Product;
use platform::row::{Area, folder, read};
use platform::stage::Stage;
use platform::table::{Section, document};
use platform::{ran, releases, watch};

#[test]
fn the_platform_is_neither_denied_nor_warned_of() {
    let areas = ["control-plane", "nodes", "arc", "agents", "gitops", "remediations", "people"];
    let [control_plane, nodes, arc, agents, gitops, remediations, people] =
        areas.map(|name| read::<Area>(&format!("rows/{name}.yaml")));
    let products: Vec<Product> = ["delivery", "monitoring", "network", "nodes", "security", "storage"]
        .into_iter()
        .flat_map(|name| read::<Vec<Product>>(&format!("products/{name}.yaml")))
        .collect();
    let rows = [&control_plane, &nodes, &arc, &agents, &gitops, &remediations, &people];
    let stage = Stage::set(rows.iter().flat_map(|area| &area.rows).map(|row| &*row.who));

    // The cluster comes to be under the guard's eyes, so that what people then change has the platform's marks.
    let mut sections = vec![stage.play(&control_plane), stage.play(&nodes)];
    sections.push(ran::section(&stage));
    sections.push(releases::section(&stage));
    sections.push(stage.play(&arc));
    for area in [&agents, &gitops] {
        sections.push(stage.play(area));
    }
    sections.push(stage.play_waived(&remediations));
    sections.extend(stage.play_products(&products));
    sections.push(stage.play(&people));

    sections.push(releases::arc_removes_itself(&stage));

    let kept = watch::Kept::now(&stage.cluster);
    stage.check(kept.failed == 0, || format!("went on without the guard, or conditions failed: {kept:?}"));
    println!("{} requests kept away in all", kept.away);
    let faults = stage.faults();
    assert!(faults.is_empty(), "{} faults:\n{}\n{}", faults.len(), faults.join("\n"), document(&sections));
    compare(&sections);
}

/// The checked-in table is the one that was measured.
fn compare(sections: &[Section]) {
    let measured = document(sections);
    println!("{measured}");
    let checked_in = fs::read_to_string(folder().join("README.md")).unwrap_or_default();
    if measured != checked_in {
        let left = root().join("target/platform.md");
        fs::write(&left, &measured).unwrap();
        let differ = measured.lines().filter(|line| !checked_in.lines().any(|other| other == *line));
        panic!(
            "tests/platform/README.md is not what was measured, which is in {}:\n{}",
            left.display(),
            differ.collect::<Vec<_>>().join("\n")
        );
    }
}
