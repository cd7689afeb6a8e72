//! Every rule, proved on a real API server by its file in `proofs/`.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::env;
use std::io::{self, Write};

use aksarc_tests::proofs;

#[test]
fn every_rule_is_proved_on_a_real_api_server() {
    let only = restriction();
    if !only.is_empty() {
        assert!(env::var_os("CI").is_none(), "{RESTRICTION} leaves proofs out: not in CI");
    }
    let report = proofs::run(&only).unwrap();
    say(&format!("\n{}", report.table));
    if !only.is_empty() {
        say(&format!("!!!! ONLY {} PLAYED, BY {RESTRICTION}: THIS IS NOT A FULL RUN !!!!\n", only.join(", ")));
    }
    assert!(report.failures.is_empty(), "{} failed:\n\n{}\n", report.failures.len(), report.failures.join("\n\n"));
}

/// Past the test runner's capture: what was proved is to be read also where all of it was.
fn say(text: &str) {
    // A closed stderr is no reason to fail.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// For whoever writes a proof: the rules to play, `AA203,AA301`.
fn restriction() -> Vec<String> {
    let codes = env::var(RESTRICTION).unwrap_or_default();
    codes.split(',').map(|code| code.trim().to_uppercase()).filter(|code| !code.is_empty()).collect()
}

const RESTRICTION: &str = "AKSARC_PROOFS";
