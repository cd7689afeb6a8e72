//! The exit code depends on what was found, never on how it is printed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

mod fake;

use clap::ValueEnum as _;
use fake::{Cluster, Program, Server};
use kubectl_aksarc::formats::ReportFormat;
use serde_json::Value;

/// All formats of a report: a new one is among them.
fn formats() -> Vec<String> {
    ReportFormat::value_variants().iter().map(|format| format.word()).collect()
}

/// Every outcome a check can have, and the flags that bring it about.
fn outcomes() -> Vec<(&'static str, Cluster, Vec<&'static str>, i32)> {
    let mut blind = Cluster::healthy();
    blind.forbidden = vec!["/api/v1/nodes".to_owned()];
    vec![
        ("within", Cluster::healthy(), vec![], 0),
        ("outside", Cluster::outside(), vec![], 3),
        ("outside, whatever --fail-on says", Cluster::outside(), vec!["--fail-on", "info"], 3),
        ("at risk, asked to fail on it", Cluster::at_risk(), vec!["--fail-on", "at-risk"], 4),
        ("at risk, asked to fail on lighter", Cluster::at_risk(), vec!["--fail-on", "not-covered"], 4),
        ("at risk, not asked", Cluster::at_risk(), vec![], 0),
        ("inconclusive", blind.clone(), vec![], 5),
        ("inconclusive, allowed", blind.clone(), vec!["--allow-incomplete"], 0),
        ("inconclusive goes before --fail-on", blind, vec!["--fail-on", "info"], 5),
    ]
}

#[test]
fn every_format_has_the_same_exit_code_for_every_outcome() {
    for (name, cluster, flags, code) in outcomes() {
        let server = Server::of(cluster);
        let program = Program::at(&server.url());
        for format in &formats() {
            let mut args = flags.clone();
            args.extend(["-o", format, "--status-file", "status.json"]);
            let ran = program.check(&args);
            assert_eq!(ran.code, code, "{name}, -o {format}: {ran:?}");
            let status: Value = serde_json::from_str(&program.read("status.json")).unwrap();
            assert_eq!(status["exitCode"], code, "{name}, -o {format}");
            if format == "json" {
                assert_eq!(ran.json()["exitCode"], code, "{name}");
                assert_eq!(ran.json()["verdict"], status["verdict"], "{name}");
            }
        }
    }
}

#[test]
fn failures_have_the_same_exit_code_in_every_format_and_print_no_report() {
    let program = Program::at("http://127.0.0.1:1");
    for format in &formats() {
        let ran = program.check(&["-o", format, "--status-file", "status.json"]).exits(1);
        assert_eq!(ran.stdout, "", "-o {format}");
        let status: Value = serde_json::from_str(&program.read("status.json")).unwrap();
        assert_eq!((status["exitCode"].as_i64(), status["verdict"].as_str()), (Some(1), Some("none")));
        let ran = program.check(&["-o", format, "--snapshot", "missing"]).exits(2);
        assert_eq!(ran.stdout, "", "-o {format}");
    }
}

#[test]
fn exit_zero_changes_the_exit_code_and_not_the_report() {
    let server = Server::of(Cluster::outside());
    let program = Program::at(&server.url());
    let ran = program.check(&["--exit-zero", "-o", "json"]).exits(0);
    assert_eq!(ran.json()["exitCode"], 3);
    // There is no verdict to be lenient about.
    Program::at("http://127.0.0.1:1").check(&["--exit-zero"]).exits(1);
}

#[test]
fn yaml_and_json_hold_the_same() {
    let server = Server::of(Cluster::outside());
    let program = Program::at(&server.url());
    let json = program.check(&["-o", "json"]).exits(3).json();
    let yaml = program.check(&["-o", "yaml"]).exits(3).stdout;
    let yaml: Value = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(yaml, json);
}

#[test]
fn a_verdict_by_some_rules_says_so_in_every_format_and_keeps_its_code() {
    let server = Server::of(Cluster::healthy());
    let program = Program::at(&server.url());
    let check = |format: &str, flags: &[&str]| program.check(&[&["-o", format], flags].concat()).exits(0);
    let some = ["--only", "AA407"];
    for format in ["table", "short"] {
        let ran = check(format, &some);
        assert!(ran.stdout.contains(" of the rules asked, 1 of "), "{format}: {}", ran.stdout);
        assert!(!check(format, &[]).stdout.contains("of the rules asked"));
    }
    assert!(check("name", &some).stderr.contains("note: of the rules asked, 1 of "));
    assert_eq!(check("name", &[]).stderr, "");
    let report = check("json", &some).json();
    assert_eq!((&report["partial"], &report["verdict"]), (&Value::Bool(true), &Value::from("within")));
    assert_eq!(check("json", &[]).json()["partial"], false);
}

#[cfg(target_os = "linux")]
#[test]
fn help_that_cannot_be_printed_is_a_failure() {
    for words in [&["--help"][..], &["--version"], &["support-check", "--help"], &["help"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ran =
            std::process::Command::new(env!("CARGO_BIN_EXE_kubectl-aksarc")).args(words).stdout(full).output().unwrap();
        let stderr = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(1), "{words:?}: {stderr}");
        assert!(stderr.starts_with("error: cannot write to stdout"), "{words:?}: {stderr}");
    }
}
