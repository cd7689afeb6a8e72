//! The index of a snapshot of ours.

use aksarc_shared::facts::probe::Probe;
use serde::{Deserialize, Serialize};

/// What was read, when, and with what result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// `aksarc.dev/v1alpha1`.
    pub api_version: String,
    /// `SnapshotIndex`.
    pub kind: String,
    /// The version that took it.
    pub tool_version: String,
    /// When, RFC 3339.
    pub taken_at: String,
    /// The kubeconfig context it was taken from.
    pub context: String,
    /// `v1.33.5`; empty if the server did not tell.
    #[serde(default)]
    pub server_version: String,
    /// Every list that was planned.
    pub lists: Vec<ListEntry>,
    /// Every probe that was planned; none in snapshots of older versions.
    #[serde(default)]
    pub probes: Vec<ProbeEntry>,
}

/// One list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListEntry {
    /// `apps/v1`.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    /// Empty for the whole cluster.
    #[serde(default)]
    pub namespace: String,
    /// What became of it.
    pub state: ListState,
    /// Why it could not be read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Objects in it.
    #[serde(default)]
    pub objects: usize,
    /// The files that hold it.
    #[serde(default)]
    pub files: Vec<String>,
}

/// What became of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListState {
    /// All of it is there.
    Complete,
    /// Whoever took the snapshot may not list it.
    Forbidden,
    /// It could not be read.
    Failed,
    /// The server has no such kind.
    NotServed,
}

/// One probe.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeEntry {
    /// Its word, such as `metrics`. A newer version may know more of them.
    pub probe: String,
    /// What became of it.
    pub state: RecordedProbe,
    /// Why it could not be asked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The file that holds the answer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
}

/// What became of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordedProbe {
    /// The answer is there.
    Complete,
    /// It could not be asked.
    Failed,
    /// Whoever took the snapshot may not ask it.
    Forbidden,
}

/// The answer to a probe as a document: where a snapshot is one file, answers that are plain text have this form.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeDocument {
    /// `aksarc.dev/v1alpha1`.
    pub api_version: String,
    /// `SnapshotProbe`.
    pub kind: String,
    /// Its word.
    pub probe: String,
    /// The answer.
    pub text: String,
}

/// The file of a directory or an archive that holds the answer to a probe.
pub fn file_of(probe: Probe) -> &'static str {
    match probe {
        Probe::ApiGroups => "apis.json",
        Probe::Certificate => "certificate.txt",
        Probe::Metrics => "metrics.txt",
        Probe::Readyz => "readyz.txt",
    }
}

/// The probes whose answers are plain text, and not a document of its own.
pub const TEXTS: [Probe; 3] = [Probe::Certificate, Probe::Metrics, Probe::Readyz];

/// The file of plain text that says when a snapshot was taken with kubectl alone, RFC 3339.
pub const TAKEN: &str = "taken-at.txt";

/// `kind` of what `GET /apis` answers.
pub const API_GROUPS: &str = "APIGroupList";

/// `kind` of an answer to a probe.
pub const PROBE_KIND: &str = "SnapshotProbe";

/// `kind` of an index.
pub const KIND: &str = "SnapshotIndex";

/// `apiVersion` of an index.
pub const API_VERSION: &str = "aksarc.dev/v1alpha1";
