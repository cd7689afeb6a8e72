//! README.md agrees with the help.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: a panic is a failure")]

use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn the_exit_codes_are_those_of_the_help() {
    let readme = readme();
    let shown: Vec<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .filter_map(|line| line.split(" | ").next())
        .filter(|cell| cell.parse::<u8>().is_ok())
        .collect();
    let help = run(&["--help"]);
    let (_, codes) = help.split_once("Exit codes").unwrap();
    let told: Vec<&str> =
        codes.lines().filter(|line| line.starts_with("  ")).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(shown, told);
    assert_eq!(told.len(), 8);
}

/// Runs the program in a clone.
fn run(args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-aksarc"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("KUBECTL_AKSARC_") {
            command.env_remove(name);
        }
    }
    let output = command.args(args).current_dir(root()).env("LC_ALL", "C.UTF-8").output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn readme() -> String {
    // A checkout on Windows may have other line ends.
    std::fs::read_to_string(root().join("README.md")).unwrap().replace("\r\n", "\n")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
