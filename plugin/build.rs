//! Hands the commit that a release is built from to the program, as `AKSARC_COMMIT`.
//!
//! Whoever builds without git sets the variable. Other builds than releases carry none: every commit would build them anew.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=AKSARC_COMMIT");
    let given = std::env::var("AKSARC_COMMIT").is_ok_and(|commit| !commit.is_empty());
    if given || std::env::var("PROFILE").as_deref() != Ok("release") {
        return;
    }
    let Some(commit) = git(&["rev-parse", "HEAD"]) else { return };
    // What a branch stands at is in a file of its own, or among those that git has packed.
    let branch = git(&["symbolic-ref", "-q", "HEAD"]);
    for name in ["HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        if let Some(path) = git(&["rev-parse", "--path-format=absolute", "--git-path", name]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    println!("cargo::rustc-env=AKSARC_COMMIT={commit}");
}

/// The answer of git; `None` outside of a repository, and where there is no git.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
}
