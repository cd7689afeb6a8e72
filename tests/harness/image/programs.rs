//! The programs of the images, linked statically against musl.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use super::{Architecture, Program};
use crate::product::{PACKAGE, forget};
use crate::root;

/// Builds a program of the checkout `source` for `architecture` as it is shipped, below the target directory `target`.
/// Its file.
///
/// # Errors
/// The target or its C compiler is not installed, or the program does not build; the message holds cargo's own.
pub fn static_program(
    program: Program,
    architecture: Architecture,
    source: &Path,
    target: &Path,
) -> anyhow::Result<PathBuf> {
    let program = program.name();
    let source = source.canonicalize()?;
    let triple = architecture.target();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--profile", "dist", "--target", triple]);
    cargo.args(["--package", program, "--bin", program]);
    cargo.arg("--target-dir").arg(target).current_dir(&source).stdin(Stdio::null());
    forget(&mut cargo, &PACKAGE);
    let variable = triple.replace('-', "_");
    // The toolchain's own linker, so that it is the same everywhere; what the target needs from a C library comes with it.
    cargo.env(format!("CARGO_TARGET_{}_LINKER", variable.to_uppercase()), "rust-lld");
    // Another choice of the developer's would give other bytes.
    cargo.env("CARGO_INCREMENTAL", "0");
    // For the cryptography.
    cargo.env(format!("CC_{variable}"), compiler(architecture));
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags(&source)?);
    let output = cargo.output().context("cannot run cargo")?;
    ensure!(
        output.status.success(),
        "the static program {program} does not build. It needs the target (rustup target add {triple}) and {} (Debian: {}).\n{}",
        compiler(architecture),
        package(architecture),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(target.join(triple).join("dist").join(program))
}

/// The target directory of this checkout for an architecture. Each has its own, so that both can be built at once.
pub fn target(architecture: Architecture) -> PathBuf {
    root().join(match architecture {
        Architecture::Amd64 => "target/image",
        Architecture::Arm64 => "target/image-arm64",
    })
}

fn compiler(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "musl-gcc",
        Architecture::Arm64 => "aarch64-linux-gnu-gcc",
    }
}

fn package(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "musl-tools",
        Architecture::Arm64 => "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    }
}

/// Flags without which a program would name the folders that it was built in.
fn flags(source: &Path) -> anyhow::Result<OsString> {
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let cargo = cargo.context("neither CARGO_HOME nor HOME is set")?;
    let mut flags = OsString::new();
    for (from, to) in [(source, "/source"), (&cargo, "/cargo")] {
        if !flags.is_empty() {
            flags.push("\u{1f}");
        }
        flags.push("--remap-path-prefix=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
    }
    Ok(flags)
}
