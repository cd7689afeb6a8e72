//! The chart of OpenReports, whose definitions a real API server gets in tests.

use std::path::PathBuf;

use crate::go_module::GoModule;

/// The directory of the chart, downloaded as the Go module that it is published in.
///
/// # Errors
/// As [`GoModule::download`].
pub fn chart() -> anyhow::Result<PathBuf> {
    let module = GoModule::download("openreports", "github.com/openreports/reports-api")?;
    Ok(module.directory.join("charts/openreports"))
}
