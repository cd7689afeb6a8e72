//! The file of `--status-file`: exit code and outcome, for pipelines that do not see a plugin's own exit code.

use std::path::{Path, PathBuf};

use aksarc_shared::data::own::API_VERSION;
use aksarc_shared::verdict::report::v1::ReportV1;
use serde::Serialize;
use serde_json::json;

use super::output;
use crate::cli::exit::Failure;
use crate::dry_run::plan::Plan;

/// A status file, by the command that writes it.
#[derive(Clone, Debug)]
pub enum StatusFile {
    /// Written by `dry-run`.
    DryRun(PathBuf),
    /// Written by `support-check`.
    SupportCheck(PathBuf),
}

impl StatusFile {
    /// Writes that a command failed, with the reason.
    ///
    /// # Errors
    /// [`Failure`] when the file cannot be written.
    pub fn failed(&self, failure: &Failure) -> Result<(), Failure> {
        match self {
            StatusFile::DryRun(path) => plan(path, Err(failure)),
            StatusFile::SupportCheck(path) => check(path, Err(failure)),
        }
    }
}

/// Writes the result of a check.
///
/// # Errors
/// [`Failure`] when the file cannot be written.
pub(crate) fn check(path: &Path, result: Result<&ReportV1, &Failure>) -> Result<(), Failure> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct CheckStatus {
        api_version: &'static str,
        kind: &'static str,
        exit_code: u8,
        /// `within`, `outside`, `inconclusive`; `none` where there is no verdict.
        verdict: &'static str,
        #[serde(skip_serializing_if = "String::is_empty")]
        error: String,
    }
    let (exit_code, verdict, error) = match result {
        Ok(report) => (report.exit_code, report.verdict.as_str(), String::new()),
        Err(failure) => (failure.code, "none", failure.to_string()),
    };
    write(path, &CheckStatus { api_version: API_VERSION, kind: "SupportCheckStatus", exit_code, verdict, error })
}

/// Writes the result of a rehearsal.
///
/// # Errors
/// [`Failure`] when the file cannot be written.
pub(crate) fn plan(path: &Path, result: Result<&Plan, &Failure>) -> Result<(), Failure> {
    let (code, support, error) = match result {
        Ok(plan) => (plan.exit_code, Some(plan.support), String::new()),
        Err(failure) => (failure.code, None, failure.to_string()),
    };
    write(
        path,
        &json!({
            "apiVersion": API_VERSION, "kind": "DryRunStatus", "exitCode": code, "support": support, "error": error,
        }),
    )
}

fn write(path: &Path, status: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(status).map_err(Failure::run)?;
    output::write(path, format!("{text}\n").as_bytes())
}
