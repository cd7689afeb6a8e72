//! The input of formats besides the report: the pipeline that runs the program, and flags of one format.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use aksarc_shared::text;
use sha2::{Digest as _, Sha256};

use crate::cli::exit::Failure;
use crate::screen::output;

/// The pipeline that runs the program, and flags of one format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The beginning of the made-up files of objects in SARIF.
    pub sarif_prefix: String,
    /// `$GITHUB_STEP_SUMMARY`: the file that GitHub shows as the summary of the step.
    pub github_summary: Option<PathBuf>,
    /// `$AGENT_TEMPDIRECTORY`: a directory that the agent of Azure Pipelines empties after the job.
    pub azdo_directory: Option<PathBuf>,
}

impl Surroundings {
    /// The surroundings by the environment of the process.
    pub fn from_environment(sarif_prefix: &str) -> Self {
        let path = |name| std::env::var_os(name).filter(|path: &OsString| !path.is_empty()).map(PathBuf::from);
        Surroundings {
            sarif_prefix: sarif_prefix.to_owned(),
            github_summary: path("GITHUB_STEP_SUMMARY"),
            azdo_directory: path("AGENT_TEMPDIRECTORY"),
        }
    }

    /// The file for a page in the summary of an Azure Pipelines run.
    pub(super) fn azdo_summary(&self, page: &str) -> Option<PathBuf> {
        // The agent reads it later, when another check may have written its own.
        let digest = text::short_hex(&Sha256::digest(page));
        let name = format!("AKS Arc support policy {}.md", digest.get(..8).unwrap_or_default());
        Some(self.azdo_directory.as_ref()?.join(name))
    }

    /// Writes the summary of an Azure Pipelines run, where one runs.
    pub(super) fn write_azdo_summary(&self, page: &str) -> Result<(), Failure> {
        match self.azdo_summary(page) {
            Some(path) => output::write(&path, page.as_bytes()),
            None => Ok(()),
        }
    }

    /// Adds to the summary of a step of GitHub Actions, where one runs.
    pub(super) fn add_github_summary(&self, page: &str) -> Result<(), Failure> {
        let Some(path) = &self.github_summary else { return Ok(()) };
        let added = OpenOptions::new().append(true).create(true).open(path);
        let added = added.and_then(|mut file| file.write_all(page.as_bytes()));
        added.map_err(|error| {
            let what = format!("cannot write the summary of the step, {} (GITHUB_STEP_SUMMARY)", path.display());
            Failure::run(anyhow::Error::from(error).context(what))
        })
    }
}
