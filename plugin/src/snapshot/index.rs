//! The index of a snapshot of ours.

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
    /// The server has no such kind.
    NotServed,
}

/// `kind` of an index.
pub const KIND: &str = "SnapshotIndex";

/// `apiVersion` of an index.
pub const API_VERSION: &str = "aksarc.dev/v1alpha1";
