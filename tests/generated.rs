//! Files that follow from rules, data and programs are what `cargo xtask generate` writes.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use aksarc_tests::generated::{Stale, stale};

#[test]
fn every_generated_file_is_up_to_date() {
    let stale = stale(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
    let refusals: Vec<String> = stale.iter().map(Stale::refusal).collect();
    assert!(refusals.is_empty(), "{}", refusals.join("\n"));
}
