//! The product's own programs, as this checkout has them.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::PoisonError;

use anyhow::{Context, ensure};

/// The plugin.
///
/// # Errors
/// It does not build.
pub fn plugin() -> anyhow::Result<PathBuf> {
    program("kubectl-aksarc", "kubectl-aksarc")
}

/// The guard.
///
/// # Errors
/// It does not build.
pub fn webhook() -> anyhow::Result<PathBuf> {
    program("aksarc-webhook", "aksarc-webhook")
}

/// Cargo does not build the programs of other packages for a test, so a stale one could be taken: it is built first, in
/// the profile of this test, which costs nothing when it is up to date.
fn program(package: &str, name: &str) -> anyhow::Result<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let own = env::current_exe()?;
    let folder = own.parent().context("a program without a directory")?;
    // Tests are in `deps`, programs beside it.
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let target = folder.parent().context("a profile without a target directory")?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--locked", "--package", package, "--bin", name])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.arg("--target-dir").arg(target).stdin(Stdio::null());
    // Cargo tells a test about its package. A build script that watches such variables would run again for what is built
    // here, and again for the next test that is started from a shell, each time with all that depends on it.
    for (name, _) in env::vars_os() {
        if PACKAGE.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            cargo.env_remove(name);
        }
    }
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    let output = cargo.output().context("cannot run cargo")?;
    ensure!(output.status.success(), "{name} does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(folder.join(name))
}

/// Variables of the package that is being built or run.
const PACKAGE: [&str; 2] = ["CARGO_MANIFEST_", "CARGO_PKG_"];
