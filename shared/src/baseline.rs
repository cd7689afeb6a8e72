//! What the system created here, recorded at a known-good time, and what became of it since.
//!
//! The last of the four steps that tell the system's from the user's: the tables, the node's own lists, managedFields, and
//! what was there when the cluster was known to be good. A baseline settles what nothing else can: that a value has been put
//! back, that a key is gone, that an object which nobody knows was there from the start.

mod comparison;
mod difference;
mod recorder;
#[cfg(test)]
mod samples;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::kinds::Kind;
use crate::read::json::ReadError;
use crate::read::yaml;
use crate::text;

pub use comparison::{ChangedKey, Comparison};
pub use difference::{Difference, diff};
pub use recorder::{Recorder, records};

/// What the system created, as recorded on a day. The file's shape, JSON or YAML, `aksarc.dev/v1alpha1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Baseline {
    /// `aksarc.dev/v1alpha1`.
    pub api_version: String,
    /// `Baseline`.
    pub kind: String,
    /// The version that recorded it.
    pub tool_version: String,
    /// When.
    pub captured_at: Timestamp,
    /// The kubeconfig context, or the snapshot, it was recorded from.
    pub context: String,
    /// The uid of the namespace kube-system, which tells clusters apart; empty where it could not be read.
    pub cluster: String,
    /// `v1.33.5`; empty where unknown.
    pub kubernetes_version: String,
    /// The nodes, by name.
    pub nodes: BTreeMap<String, NodeRecord>,
    /// The system's namespaces, by name.
    pub namespaces: BTreeMap<String, NamespaceRecord>,
    /// The system's other objects, by [`object_key`].
    pub objects: BTreeMap<String, ObjectRecord>,
}

/// A node at that time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeRecord {
    /// Its uid: a node of the same name made anew is another.
    pub uid: String,
    /// The pool it was a member of.
    pub pool: String,
    /// CPU, memory and ephemeral storage, as the node reported them.
    pub capacity: [String; 3],
    /// Labels the system created.
    pub labels: BTreeMap<String, KeyRecord>,
    /// Annotations the system created.
    pub annotations: BTreeMap<String, KeyRecord>,
}

/// A namespace of the system's at that time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamespaceRecord {
    /// Labels the system created.
    pub labels: BTreeMap<String, KeyRecord>,
    /// Annotations the system created.
    pub annotations: BTreeMap<String, KeyRecord>,
}

/// A label or annotation at that time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyRecord {
    /// Its value.
    pub value: String,
    /// How we knew that the system created it.
    pub step: Step,
}

/// The step that told that something is the system's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// The tables of known keys, components and reserved prefixes.
    Table,
    /// The node's own lists, written by Cluster API.
    Machine,
    /// managedFields: a system manager owned it.
    ManagedFields,
    /// It was there, and no person's hand showed on it.
    #[default]
    Recorded,
}

/// An object at that time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectRecord {
    /// Its uid.
    pub uid: String,
    /// How we knew that it is the system's.
    pub step: Step,
    /// A hash of each field that matters (`spec`, `data`, `rules`, …), by name. Metadata and status never count.
    pub content: BTreeMap<String, String>,
}

/// A file with a baseline.
///
/// # Errors
/// [`ReadError`] when it is none, or one of another version.
pub fn parse(text: &str) -> Result<Baseline, ReadError> {
    // JSON is YAML too, but large files are read much faster as what they are.
    let is_json = text.trim_start().starts_with('{');
    let baseline: Baseline = if is_json { serde_json::from_str(text)? } else { yaml::parse(text)? };
    if (&*baseline.api_version, &*baseline.kind) != (API_VERSION, KIND) {
        return Err(ReadError::Yaml(format!(
            "expected apiVersion {API_VERSION}, kind {KIND}, found {}",
            text::line(&format!("{} {}", baseline.api_version, baseline.kind), 200)
        )));
    }
    Ok(baseline)
}

/// `kube-system/deployments.apps/coredns`; the namespace is empty for cluster-scoped objects.
pub fn object_key(kind: &Kind, namespace: &str, name: &str) -> String {
    format!("{namespace}/{}/{name}", kind.qualified())
}

/// `apiVersion` of a baseline.
pub const API_VERSION: &str = "aksarc.dev/v1alpha1";

/// `kind` of a baseline.
pub const KIND: &str = "Baseline";

#[cfg(test)]
mod tests {
    use super::samples::recorded;
    use super::*;

    #[test]
    fn a_file_leads_back_and_another_one_is_an_error() {
        let text = serde_json::to_string_pretty(&recorded()).unwrap();
        assert_eq!(parse(&text).unwrap(), recorded());
        for bad in [
            "",
            "{",
            "{}",
            "kind: Baseline",
            &text.replace("\"Baseline\"", "\"Other\""),
            &text.replace("uid", "uidd"),
            &text[..text.len() / 2],
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
