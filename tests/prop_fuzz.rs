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
