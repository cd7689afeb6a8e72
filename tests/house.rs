//! The house keeps its order: no circles, no rule that leans on another, no room that uses a higher one, and a bar for
//! names that stand for several types. `cargo xtask house` prints what these tests look at.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::LazyLock;

use aksarc_tests::house::{House, NAMES};
use aksarc_tests::root;

static HOUSE: LazyLock<House> = LazyLock::new(|| House::read(&root()).unwrap());

#[test]
fn the_whole_house_is_read() {
    let count = |name: &str| HOUSE.sources.iter().filter(|source| source.path.starts_with(name)).count();
    let counts = [count("shared/"), count("plugin/"), count("webhook/")];
    assert!(counts.iter().all(|files| *files > 20) && HOUSE.arrows.len() > 500, "{counts:?}, {}", HOUSE.arrows.len());
}

#[test]
fn no_files_of_a_crate_use_each_other_in_a_circle() {
    let circles: Vec<String> = HOUSE.circles().iter().map(|files| files.join(", ")).collect();
    assert!(circles.is_empty(), "{} circles:\n{}", circles.len(), circles.join("\n"));
}

#[test]
fn no_rule_uses_another_rules_file() {
    let arrows = HOUSE.rules_that_use_rules();
    assert!(
        arrows.is_empty(),
        "what rules share is in shared/src/rules, in a file with a name:\n{}",
        arrows.join("\n")
    );
}

#[test]
fn no_room_of_the_engine_uses_a_higher_one() {
    let arrows = HOUSE.upward();
    assert!(arrows.is_empty(), "the order is `FLOORS` in tests/harness/house.rs:\n{}", arrows.join("\n"));
}

#[test]
fn few_names_stand_for_several_types() {
    let names: Vec<&String> = HOUSE.names.keys().collect();
    assert!(names.len() <= NAMES, "{} instead of {NAMES}: {names:?}", names.len());
}

#[test]
fn no_file_imports_two_types_of_one_name() {
    let twice: Vec<String> =
        HOUSE.twice.iter().map(|(at, name)| format!("{}: {name}", HOUSE.sources[*at].path)).collect();
    assert!(twice.is_empty(), "{}", twice.join("\n"));
}
