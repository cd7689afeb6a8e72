//! Baselines: records of what the system created in a cluster at a known-good time, and the changes since.
//!
//! The system's metadata is told from the user's in four steps: by the tables, by the node's own lists, by
//! managedFields, and by a baseline. Only a baseline shows that a value has been put back, that a key is gone, or that
//! an object unknown to the tables has been there from the start.

mod comparison;
mod difference;
mod recorder;
#[cfg(test)]
mod samples;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::data::own::API_VERSION;
use crate::facts::inventory::ReadKey;
use crate::k8s::kinds::{self, Kind};
use crate::k8s::read::json::ReadError;
use crate::k8s::read::yaml;
use crate::text;

pub use comparison::{ChangedKey, Comparison};
pub use difference::{BaselineDifference, diff};
pub use recorder::{Recorder, records};

/// A record of what the system created, taken on a day. The fields are those of the file, which is JSON or YAML of
/// version `aksarc.dev/v1alpha1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Baseline {
    /// `aksarc.dev/v1alpha1`.
    pub api_version: String,
    /// `Baseline`.
    pub kind: String,
    /// The version of the tool that recorded it.
    pub tool_version: String,
    /// The moment of the record.
    pub captured_at: Timestamp,
    /// The kubeconfig context, or the snapshot, that was recorded.
    pub context: String,
    /// The uid of the namespace kube-system, which identifies the cluster; empty where it could not be read.
    pub cluster: String,
    /// `v1.33.5`; empty where unknown.
    pub kubernetes_version: String,
    /// The nodes, by name.
    pub nodes: BTreeMap<String, NodeRecord>,
    /// The system's namespaces, by name.
    pub namespaces: BTreeMap<String, NamespaceRecord>,
    /// The system's other objects, by [`object_key`].
    pub objects: BTreeMap<String, ObjectRecord>,
    /// The lists that it was made from, by [`list_key`]. Files of version 0.1.0 lack this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lists: Option<BTreeSet<String>>,
}

impl Baseline {
    /// Whether the baseline would contain an object of this kind in `namespace` (empty for the whole cluster), had
    /// there been one. If not, its absence from the baseline means nothing.
    pub fn covers(&self, kind: &Kind, namespace: &str) -> bool {
        match &self.lists {
            Some(lists) => ["", namespace].iter().any(|place| lists.contains(&list_key(kind, place))),
            None => was_read_by_0_1_0(kind, namespace),
        }
    }

    /// Whether it was recorded from a snapshot.
    pub fn is_of_snapshot(&self) -> bool {
        self.context.starts_with(OF_SNAPSHOT)
    }

    /// Drops the hashes of fields that a snapshot holds only in part, so that a comparison with a cluster does not show
    /// differences that are none.
    pub fn forget_what_snapshots_leave_out(&mut self) {
        let reduced = [
            &kinds::CONFIG_MAP,
            &kinds::CRON_JOB,
            &kinds::DAEMON_SET,
            &kinds::DEPLOYMENT,
            &kinds::JOB,
            &kinds::REPLICA_SET,
            &kinds::STATEFUL_SET,
        ];
        let names = reduced.map(Kind::qualified);
        let objects = self.objects.iter_mut();
        let partly =
            objects.filter(|(key, _)| key.split('/').nth(1).is_some_and(|kind| names.iter().any(|own| own == kind)));
        partly.for_each(|(_, object)| object.content.clear());
    }
}

/// Whether version 0.1.0 read a list, among those that go into a baseline.
fn was_read_by_0_1_0(kind: &Kind, namespace: &str) -> bool {
    let elsewhere = [&kinds::LIMIT_RANGE, &kinds::SERVICE_ACCOUNT].contains(&kind) && namespace != "kube-system";
    *kind != kinds::RESOURCE_QUOTA && !elsewhere
}

/// A recorded node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeRecord {
    /// Its uid. A recreated node of the same name has another one.
    pub uid: String,
    /// The pool it was a member of.
    pub pool: String,
    /// CPU, memory and ephemeral storage, as the node reported them.
    pub capacity: [String; 3],
    /// Labels that the system created.
    pub labels: BTreeMap<String, KeyRecord>,
    /// Annotations that the system created.
    pub annotations: BTreeMap<String, KeyRecord>,
}

/// A recorded namespace of the system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamespaceRecord {
    /// Labels that the system created.
    pub labels: BTreeMap<String, KeyRecord>,
    /// Annotations that the system created.
    pub annotations: BTreeMap<String, KeyRecord>,
}

/// A recorded label or annotation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyRecord {
    /// Its value.
    pub value: String,
    /// The step that showed that the system created it.
    pub step: RecordedStep,
}

/// A step by which the system's metadata is told from the user's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RecordedStep {
    /// The tables list the key, component or reserved prefix.
    Table,
    /// The node's own lists name it, as written by Cluster API.
    Machine,
    /// A system manager owned it in managedFields.
    ManagedFields,
    /// It was there, and no person had written it.
    #[default]
    Recorded,
}

/// A recorded object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectRecord {
    /// Its uid.
    pub uid: String,
    /// The step that showed that it belongs to the system.
    pub step: RecordedStep,
    /// A hash of each relevant field (`spec`, `data`, `rules`, …), by name. Metadata and status are left out.
    pub content: BTreeMap<String, String>,
}

/// The baseline in a file.
///
/// # Errors
/// [`ReadError`] if the text is not a baseline, or one of another version.
pub fn parse(text: &str) -> Result<Baseline, ReadError> {
    // JSON is YAML too, but the JSON parser reads large files much faster.
    let is_json = text.trim_start().starts_with('{');
    let baseline: Baseline = if is_json { serde_json::from_str(text)? } else { yaml::parse(text)? };
    if (&*baseline.api_version, &*baseline.kind) != (API_VERSION, KIND) {
        return Err(ReadError::Content(format!(
            "expected apiVersion {API_VERSION}, kind {KIND}, found {}",
            text::line(&format!("{} {}", baseline.api_version, baseline.kind), 200)
        )));
    }
    Ok(baseline)
}

/// The key of an object, `kube-system/deployments.apps/coredns`. The namespace is empty for cluster-scoped objects.
pub fn object_key(kind: &Kind, namespace: &str, name: &str) -> String {
    format!("{namespace}/{}/{name}", kind.qualified())
}

/// The key of a list, `kube-system/deployments.apps`. The namespace is empty for a list over the whole cluster.
fn list_key(kind: &Kind, namespace: &str) -> String {
    format!("{namespace}/{}", kind.qualified())
}

/// The keys of the lists that were read, as a baseline records them.
pub fn list_keys<'k>(read: impl IntoIterator<Item = &'k ReadKey>) -> BTreeSet<String> {
    read.into_iter().map(|list| list_key(list.kind, list.namespace.as_deref().unwrap_or_default())).collect()
}

/// The prefix of the context of a baseline that was recorded from a snapshot. The snapshot's path follows.
pub const OF_SNAPSHOT: &str = "snapshot ";

/// `kind` of a baseline.
pub const KIND: &str = "Baseline";

#[cfg(test)]
mod tests {
    use super::samples::recorded;
    use super::*;

    #[test]
    fn a_baseline_covers_the_lists_that_it_was_made_from() {
        let key =
            |kind: &'static Kind, namespace: Option<&str>| ReadKey { kind, namespace: namespace.map(str::to_owned) };
        let lists = list_keys(&[key(&kinds::DEPLOYMENT, None), key(&kinds::CONFIG_MAP, Some("azure-arc"))]);
        let baseline = Baseline { lists: Some(lists), ..recorded() };
        assert!(baseline.covers(&kinds::DEPLOYMENT, "kube-system") && baseline.covers(&kinds::CONFIG_MAP, "azure-arc"));
        assert!(!baseline.covers(&kinds::CONFIG_MAP, "kube-system") && !baseline.covers(&kinds::NODE, ""));
        assert_eq!(parse(&serde_json::to_string(&baseline).unwrap()).unwrap(), baseline);
    }

    #[test]
    fn a_baseline_of_0_1_0_covers_what_that_version_read() {
        let old = parse(include_str!("../../../tests/from-0.1.0/baseline.json")).unwrap();
        assert_eq!(old.lists, None);
        for (kind, namespace, read) in [
            (&kinds::SERVICE_ACCOUNT, "kube-system", true),
            (&kinds::SERVICE_ACCOUNT, "azure-arc", false),
            (&kinds::LIMIT_RANGE, "kube-system", true),
            (&kinds::LIMIT_RANGE, "azure-arc-release", false),
            (&kinds::RESOURCE_QUOTA, "kube-system", false),
            (&kinds::DEPLOYMENT, "azure-arc", true),
            (&kinds::STORAGE_CLASS, "", true),
        ] {
            assert_eq!(old.covers(kind, namespace), read, "{} in {namespace}", kind.kind);
        }
    }

    #[test]
    fn a_file_leads_back_and_another_one_is_an_error() {
        let text = serde_json::to_string_pretty(&recorded()).unwrap();
        assert_eq!(parse(&text).unwrap(), recorded());
        for (bad, words) in [
            ("", "unexpected end of input"),
            ("{", "EOF while parsing"),
            ("{}", "missing field"),
            ("kind: Baseline", "missing field"),
            (&text.replace("\"Baseline\"", "\"Other\""), "found aksarc.dev/v1alpha1 Other"),
            (&text.replace("uid", "uidd"), "unknown field `uidd`"),
            (&text[..text.len() / 2], "EOF while parsing"),
        ] {
            let said = parse(bad).unwrap_err().to_string();
            assert!(said.contains(words), "{words:?}: {said}");
        }
    }
}
