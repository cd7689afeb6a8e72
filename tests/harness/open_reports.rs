//! The chart of OpenReports, whose definitions a real API server gets in tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::binaries::MODULES;

/// The directory of the chart, downloaded as the Go module that it is published in.
///
/// # Errors
/// Go is not there, or could not download it.
pub fn chart() -> anyhow::Result<PathBuf> {
    let module = Path::new(MODULES).join("openreports");
    let mut go = Command::new("go");
    go.args(["mod", "download", "-json", "github.com/openreports/reports-api"])
        .current_dir(module)
        .env("GOWORK", "off");
    let output = go.output().context("cannot start Go: install Go 1.26 or newer (https://go.dev/dl)")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "Go could not download the chart of OpenReports:\n{text}{words}");
    let told: Value = serde_json::from_str(&text).context("Go's answer is no JSON")?;
    let directory = told.get("Dir").and_then(Value::as_str).context("Go does not tell where the module is")?;
    Ok(Path::new(directory).join("charts/openreports"))
}
