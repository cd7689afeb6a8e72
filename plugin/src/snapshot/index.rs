//! The index of a snapshot made by this program.

use aksarc_shared::facts::probe::Probe;
use serde::{Deserialize, Serialize};

/// The contents of a snapshot, with the time and the result of each list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// `aksarc.dev/v1alpha1`.
    pub api_version: String,
    /// `SnapshotIndex`.
    pub kind: String,
    /// The version of the tool that took it.
    pub tool_version: String,
    /// The time, RFC 3339.
    pub taken_at: String,
    /// The kubeconfig context it was taken from.
    pub context: String,
    /// `v1.33.5`; empty if unknown.
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
    /// The result.
    pub state: ListState,
    /// The reason why it could not be read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The number of its objects.
    #[serde(default)]
    pub objects: usize,
    /// The files that contain it.
    #[serde(default)]
    pub files: Vec<String>,
}

/// The result of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListState {
    /// All of it is there.
    Complete,
    /// The caller lacks the right to list it.
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
    /// Its name, such as `metrics`. A newer version may have further ones.
    pub probe: String,
    /// The result.
    pub state: RecordedProbe,
    /// The reason why it failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The file with the answer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
}

/// The result of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordedProbe {
    /// The answer is there.
    Complete,
    /// The probe failed.
    Failed,
    /// The caller lacks the right to send it.
    Forbidden,
}

/// The answer to a probe as a document. In a snapshot of one file, plain-text answers have this form.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeDocument {
    /// `aksarc.dev/v1alpha1`.
    pub api_version: String,
    /// `SnapshotProbe`.
    pub kind: String,
    /// Its name.
    pub probe: String,
    /// The answer.
    pub text: String,
}

/// The file of a directory or an archive with the answer to a probe.
pub fn file_of(probe: Probe) -> &'static str {
    match probe {
        Probe::ApiGroups => "apis.json",
        Probe::Certificate => "certificate.txt",
        Probe::Metrics => "metrics.txt",
        Probe::Readyz => "readyz.txt",
    }
}

/// The probes whose answers are plain text instead of a document.
pub const TEXTS: [Probe; 3] = [Probe::Certificate, Probe::Metrics, Probe::Readyz];

/// The text file with the time of a snapshot made with kubectl alone, RFC 3339.
pub const TAKEN: &str = "taken-at.txt";

/// `kind` of the answer to `GET /apis`.
pub const API_GROUPS: &str = "APIGroupList";

/// `kind` of an answer to a probe.
pub const PROBE_KIND: &str = "SnapshotProbe";

/// `kind` of an index.
pub const KIND: &str = "SnapshotIndex";
