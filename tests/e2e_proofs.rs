//! Every rule, proved on a real API server by its file in `proofs/`.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::env;

use aksarc_tests::proofs;

#[test]
fn every_rule_is_proved_on_a_real_api_server() {
    let only = restriction();
    if !only.is_empty() {
        assert!(env::var_os("CI").is_none(), "{RESTRICTION} leaves proofs out: not in CI");
        println!("\n!!!! ONLY {} PLAYED, BY {RESTRICTION}: THIS IS NOT A FULL RUN !!!!\n", only.join(", "));
    }
    let report = proofs::run(&only).unwrap();
    println!("{}", report.table);
    if !only.is_empty() {
        println!("!!!! ONLY {} PLAYED: NOT A FULL RUN !!!!", only.join(", "));
    }
    assert!(report.failures.is_empty(), "{} failed:\n\n{}\n", report.failures.len(), report.failures.join("\n\n"));
}

/// For whoever writes a proof: the rules to play, `AA203,AA301`.
fn restriction() -> Vec<String> {
    let codes = env::var(RESTRICTION).unwrap_or_default();
    codes.split(',').map(|code| code.trim().to_uppercase()).filter(|code| !code.is_empty()).collect()
}

const RESTRICTION: &str = "AKSARC_PROOFS";
