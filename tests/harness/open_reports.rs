//! The chart of OpenReports, whose definitions a real API server gets in tests.

use std::path::PathBuf;

use crate::binaries::downloaded;

/// The directory of the chart, downloaded as the Go module that it is published in.
///
/// # Errors
/// Go is not there, or could not download it.
pub fn chart() -> anyhow::Result<PathBuf> {
    Ok(downloaded("openreports", "github.com/openreports/reports-api")?.join("charts/openreports"))
}
