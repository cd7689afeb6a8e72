//! The product's own programs, as this checkout has them.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, ensure};

/// The plugin.
///
/// # Errors
/// It does not build.
pub fn plugin() -> anyhow::Result<PathBuf> {
    Ok(folder()?.join("kubectl-aksarc"))
}

/// The guard.
///
/// # Errors
/// It does not build.
pub fn webhook() -> anyhow::Result<PathBuf> {
    Ok(folder()?.join("aksarc-webhook"))
}

/// The folder of both programs. Cargo is asked once in a process: even when nothing is to be built, its answer takes a
/// second on a busy machine.
fn folder() -> anyhow::Result<PathBuf> {
    static BUILT: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(folder) = &*built {
        return Ok(folder.clone());
    }
    let folder = build()?;
    *built = Some(folder.clone());
    Ok(folder)
}

/// Cargo does not build the programs of other packages for a test, so a stale one could be taken: they are built first,
/// in the profile of this test, which costs little when they are up to date.
fn build() -> anyhow::Result<PathBuf> {
    let own = env::current_exe()?;
    let folder = own.parent().context("a program without a directory")?;
    // Tests are in `deps`, programs beside it.
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let target = folder.parent().context("a profile without a target directory")?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--bin", "kubectl-aksarc", "--bin", "aksarc-webhook"]);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    // Cargo chooses the features of a dependency by all packages it builds at once. With these three it chooses as it did
    // for this test; for one program's package alone it would build much of the tree a second time.
    cargo.args(["--package", "aksarc-tests", "--package", "aksarc-webhook", "--package", "kubectl-aksarc"]);
    cargo.arg("--target-dir").arg(target).stdin(Stdio::null());
    forget(&mut cargo, &PACKAGE);
    // The folder of a profile has its name, except for that of `dev`.
    let profile = folder.file_name().context("a program without a profile")?;
    cargo.arg("--profile").arg(if profile == "debug" { OsStr::new("dev") } else { profile });
    let output = cargo.output().context("cannot run cargo")?;
    ensure!(output.status.success(), "the product does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(folder.to_owned())
}

/// Removes the variables that begin with one of `prefixes` from what `command` inherits.
pub fn forget(command: &mut Command, prefixes: &[&str]) {
    for (name, _) in env::vars_os() {
        if prefixes.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
}

/// The beginnings of the names of the variables by which cargo tells a test about its package. A build script that
/// watches them would run again for what is built here, and again for the next test that is started from a shell, each
/// time with all that depends on it.
pub const PACKAGE: [&str; 2] = ["CARGO_MANIFEST_", "CARGO_PKG_"];
