//! The fuzzer's targets on what it has found so far, without the fuzzer: `fuzz/corpus` holds the smallest set of inputs that
//! reaches all that any input has reached, and every input that once failed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "helpers of tests are tests")]

#[path = "fuzz/targets/configuration.rs"]
mod configuration;
#[path = "fuzz/targets/manifest.rs"]
mod manifest;
#[path = "fuzz/targets/review.rs"]
mod review;
#[path = "fuzz/targets/snapshot.rs"]
mod snapshot;
#[path = "fuzz/targets/waiver.rs"]
mod waiver;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Instant;

use aksarc_tests::root;

#[test]
fn configurations_of_the_corpus() {
    each("configuration", configuration::run);
}

#[test]
fn manifests_of_the_corpus() {
    each("manifest", manifest::run);
}

#[test]
fn reviews_of_the_corpus() {
    each("review", review::run);
}

#[test]
fn snapshots_of_the_corpus() {
    each("snapshot", snapshot::run);
}

#[test]
fn waivers_of_the_corpus() {
    each("waiver", waiver::run);
}

/// The fuzzer is no part of the workspace, so that its crates have a lock file of their own.
#[test]
fn the_fuzzer_is_built_with_the_crates_that_are_shipped() {
    let [shipped, fuzzed] = ["Cargo.lock", "tests/fuzz/Cargo.lock"].map(locked);
    let others: Vec<_> = fuzzed
        .iter()
        .filter(|(name, versions)| shipped.get(*name).is_some_and(|own| !versions.is_subset(own)))
        .map(|(name, versions)| format!("{name} {versions:?}, and {:?} is shipped", shipped[name]))
        .collect();
    assert!(fuzzed.contains_key("serde-saphyr"), "{} crates", fuzzed.len());
    assert!(
        others.is_empty(),
        "copy Cargo.lock to tests/fuzz and run `cargo fuzz build` there:\n{}",
        others.join("\n")
    );
}

/// The crates of a lock file, with their versions.
fn locked(path: &str) -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join(path)).unwrap();
    let mut crates: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in text.split("[[package]]").skip(1) {
        let field = |key: &str| {
            let value = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
            value.unwrap().trim_end_matches('"').to_owned()
        };
        crates.entry(field("name")).or_default().insert(field("version"));
    }
    crates
}

fn each(target: &str, run: fn(&[u8])) {
    let mut paths: Vec<_> = fs::read_dir(root().join("tests/fuzz/corpus").join(target))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(paths.len() >= LEAST, "{} inputs", paths.len());
    let begun = Instant::now();
    for path in &paths {
        // Which one it is stands above what it fails for.
        eprintln!("{}", path.display());
        run(&fs::read(path).unwrap());
    }
    eprintln!("{target}: {} inputs in {:.1?}", paths.len(), begun.elapsed());
}

/// Fewer would mean that a corpus was lost.
const LEAST: usize = 20;
