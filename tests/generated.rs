//! Generated files are up to date with rules, data and programs, as `cargo xtask generate` writes them.
#![allow(clippy::unwrap_used, reason = "a test")]

use aksarc_tests::generated::{Stale, stale};
use aksarc_tests::root;

#[test]
fn every_generated_file_is_up_to_date() {
    let stale = stale(&root()).unwrap();
    let refusals: Vec<String> = stale.iter().map(Stale::refusal).collect();
    assert!(refusals.is_empty(), "{}", refusals.join("\n"));
}
