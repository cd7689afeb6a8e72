//! The source of Go modules that `controlplane` pins: charts and manifests that their programs are installed with.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::binaries::MODULES;

/// A module as it was published.
#[derive(Debug)]
pub struct GoModule {
    pub version: String,
    /// Where it lies, read-only.
    pub directory: PathBuf,
}

impl GoModule {
    /// Downloads the module `path` in the version that the `go.mod` in `controlplane/PINS` has.
    ///
    /// # Errors
    /// Go is not there, or could not download it.
    pub fn download(pins: &str, path: &str) -> anyhow::Result<Self> {
        let mut go = Command::new("go");
        go.args(["mod", "download", "-json", path]).current_dir(Path::new(MODULES).join(pins)).env("GOWORK", "off");
        let output = go.output().context("cannot start Go: install Go 1.26 or newer (https://go.dev/dl)")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let words = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "Go could not download {path}:\n{text}{words}");
        let told: Value = serde_json::from_str(&text).context("Go's answer is no JSON")?;
        let word = |field: &str| told.get(field).and_then(Value::as_str).map(str::to_owned);
        let directory = word("Dir").context("Go does not tell where the module is")?.into();
        Ok(Self { version: word("Version").context("Go does not tell the module's version")?, directory })
    }
}
