//! Comparison of a workload's pod template with its earlier revisions, to see whether it is the platform's again.
//! Kubernetes keeps them: the ReplicaSets of a Deployment, the ControllerRevisions of a DaemonSet or StatefulSet.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::data::Data;
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::facts::origin;
use crate::finding::Code;
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::{ManagedEntry, Object};
use crate::rules::parts::effect::is_restart;
use crate::text;

/// A workload as it is now, reduced to the fields that are compared with its revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Present {
    uid: String,
    born: Option<Timestamp>,
    /// The revision number the workload claims; a DaemonSet claims none.
    revision: Option<i64>,
    template: Option<String>,
    /// The last writes of the platform's managers.
    written: Vec<Timestamp>,
}

/// A revision of a workload, earlier or present.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Revision {
    number: i64,
    born: Timestamp,
    /// The digest of the template. Snapshots leave it out of ControllerRevisions.
    template: Option<String>,
}

/// A revision of the workload with this uid.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RevisionOf {
    uid: String,
    revision: Revision,
}

/// The state of a template that a person changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Past {
    /// The template is again that of this revision, which the platform made.
    PutBack(i64),
    /// The template is still changed; this is the platform's last revision, if one is kept.
    Changed(Option<i64>),
}

/// The kind whose objects keep the revisions of a workload.
pub(crate) fn keeper(workload: &str) -> Option<&'static Kind> {
    match workload {
        "Deployment" => Some(&kinds::REPLICA_SET),
        "DaemonSet" | "StatefulSet" => Some(&kinds::CONTROLLER_REVISION),
        _ => None,
    }
}

/// Notes the revision in a ReplicaSet or ControllerRevision, by the workload's uid.
pub(crate) fn note(object: &Object<'_>, kind: &Kind, notes: &mut Notes) {
    let Some(owner) = object.owners().first() else { return };
    let (number, template) = if *kind == kinds::REPLICA_SET {
        let number = object.meta.annotations.get(REVISION).and_then(|number| number.parse().ok());
        let template = object.field::<Value>("spec").and_then(|spec| spec.get("template").map(digest));
        (number, template)
    } else {
        let template = object.field::<Value>("data").and_then(|data| data.pointer("/spec/template").map(digest));
        (object.field("revision"), template)
    };
    if let (Some(number), Some(born)) = (number, born(object)) {
        let revision = Revision { number, born, template };
        notes.remark(RevisionOf { uid: owner.uid.to_string(), revision });
    }
}

impl Present {
    /// The present state of a workload that a person changed.
    pub(crate) fn of(object: &Object<'_>, data: &Data) -> Self {
        let is_platform = |entry: &&ManagedEntry<'_>| {
            &*entry.subresource != "status" && data.managers.platform(&entry.manager).is_some()
        };
        let entries = object.managed().iter().filter(is_platform).filter(|entry| origin::is_later(entry, object));
        Present {
            uid: object.meta.uid.to_string(),
            born: born(object),
            revision: object.meta.annotations.get(REVISION).and_then(|number| number.parse().ok()),
            template: object.field::<Value>("spec").and_then(|spec| spec.get("template").map(digest)),
            written: entries.filter_map(|entry| entry.time.as_ref()?.parse().ok()).collect(),
        }
    }

    /// The state of the template, judged by the revisions that `rule` noted.
    pub(crate) fn past(&self, inventory: &Inventory, rule: Code) -> Past {
        let noted = inventory.remarks::<RevisionOf>(rule).filter(|remark| remark.uid == self.uid);
        let revisions: Vec<&Revision> = noted.map(|remark| &remark.revision).collect();
        let current = match self.revision {
            Some(number) => revisions.iter().find(|revision| revision.number == number),
            // A rollback gets a new number, so it is the last revision.
            None => revisions.iter().max_by_key(|revision| revision.number),
        };
        // A change and its rollback leave another revision behind.
        let is_now = |revision: &Revision| {
            revisions.len() > 1 && (revision.template.is_none() || revision.template == self.template)
        };
        let platforms = |revision: &&&Revision| self.is_platforms(revision, &revisions);
        match current.filter(platforms) {
            Some(revision) if is_now(revision) => Past::PutBack(revision.number),
            _ => {
                let last = revisions.iter().filter(platforms).max_by_key(|revision| revision.born);
                Past::Changed(last.map(|revision| revision.number))
            }
        }
    }

    /// Whether the platform made a revision: the first one, which came with the workload itself, or one that came when
    /// a manager of the platform wrote the workload. Any other later revision may be a person's.
    fn is_platforms(&self, revision: &Revision, all: &[&Revision]) -> bool {
        let follows = |moment: Timestamp, within: SignedDuration| {
            let after = revision.born.duration_since(moment);
            !after.is_negative() && after <= within
        };
        let first = all.iter().all(|other| revision.born <= other.born);
        (first && self.born.is_some_and(|born| follows(born, FIRST)))
            || self.written.iter().any(|written| follows(*written, ANSWER))
    }
}

fn born(object: &Object<'_>) -> Option<Timestamp> {
    object.meta.creation_timestamp.as_ref()?.parse().ok()
}

/// A digest of a pod template, the same in a workload and in its revision. It leaves out the labels that tell revisions
/// apart, empty values, and the time of the last restart.
fn digest(template: &Value) -> String {
    let mut template = template.clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.retain(|label, _| !HASHES.contains(&&**label));
    }
    if let Some(annotations) = template.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        let is_own = |key: &str, value: &Value| {
            let path = format!("spec.template.metadata.annotations[{key}]");
            !is_restart(&path, [None, value.as_str()])
        };
        let rest: Map<String, Value> =
            std::mem::take(annotations).into_iter().filter(|(key, value)| is_own(key, value)).collect();
        *annotations = rest;
    }
    if let Some(fields) = template.as_object_mut() {
        fields.remove("$patch");
    }
    text::short_hex(&Sha256::digest(sorted(&template).unwrap_or_default().to_string()))
}

/// A value without its empty parts; `None` where nothing is left.
fn sorted(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Object(fields) => {
            let fields: Map<String, Value> =
                fields.iter().filter_map(|(name, value)| Some((name.clone(), sorted(value)?))).collect();
            (!fields.is_empty()).then_some(Value::Object(fields))
        }
        Value::Array(items) => {
            let items: Vec<Value> = items.iter().filter_map(sorted).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        other => Some(other.clone()),
    }
}

/// The revision number of a Deployment or ReplicaSet, written by the Deployment controller (kubernetes/kubernetes,
/// deployment util).
const REVISION: &str = "deployment.kubernetes.io/revision";

/// The labels that tell revisions apart.
const HASHES: [&str; 2] = ["pod-template-hash", "controller-revision-hash"];

/// The longest time from a workload's creation to its first revision.
const FIRST: SignedDuration = SignedDuration::from_secs(60);

/// The longest time from a write of the platform's to its revision.
const ANSWER: SignedDuration = SignedDuration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-{text}Z").parse().unwrap()
    }

    fn past(revision: Option<i64>, now: &str, revisions: &[(i64, &str, Option<&str>)]) -> Past {
        let code = Code::new("AA301");
        let mut inventory = Inventory::default();
        let mut notes = Notes::default();
        for (number, born, template) in revisions {
            let revision = Revision { number: *number, born: at(born), template: template.map(str::to_owned) };
            notes.remark(RevisionOf { uid: "u1".to_owned(), revision });
        }
        inventory.kept.insert(code, notes.kept);
        let present = Present {
            uid: "u1".to_owned(),
            born: Some(at("01T08:00:00")),
            revision,
            template: Some(now.to_owned()),
            written: vec![at("10T12:00:00")],
        };
        present.past(&inventory, code)
    }

    #[test]
    fn the_first_revision_and_those_after_the_platforms_writes_are_the_platforms() {
        let first = (3, "01T08:00:01", Some("a"));
        let edited = (2, "05T09:00:00", Some("b"));
        let upgraded = (5, "10T12:00:01", Some("c"));
        assert_eq!(past(Some(3), "a", &[first, edited]), Past::PutBack(3));
        assert_eq!(past(Some(5), "c", &[first, edited, upgraded]), Past::PutBack(5));
        assert_eq!(past(Some(2), "b", &[first, edited]), Past::Changed(Some(3)));
        assert_eq!(past(Some(6), "d", &[first, upgraded, (6, "11T09:00:00", Some("d"))]), Past::Changed(Some(5)));
        // There is no new revision yet, or the controller stands still.
        assert_eq!(past(Some(3), "b", &[first, edited]), Past::Changed(Some(3)));
        // There was never another revision.
        assert_eq!(past(Some(3), "a", &[first]), Past::Changed(Some(3)));
        // The first revision is no longer kept.
        assert_eq!(past(Some(2), "b", &[edited]), Past::Changed(None));
        assert_eq!(past(Some(1), "a", &[]), Past::Changed(None));
    }

    #[test]
    fn a_daemon_set_is_at_its_highest_revision() {
        assert_eq!(past(None, "a", &[(3, "01T08:00:01", None), (2, "05T09:00:00", None)]), Past::PutBack(3));
        assert_eq!(past(None, "b", &[(1, "01T08:00:01", None), (2, "05T09:00:00", None)]), Past::Changed(Some(1)));
        assert_eq!(past(None, "b", &[(1, "01T08:00:01", Some("a"))]), Past::Changed(Some(1)));
    }

    #[test]
    fn templates_are_compared_without_the_labels_of_revisions() {
        let of = |text: &str| digest(&serde_json::from_str(text).unwrap());
        let own = r#"{"metadata":{"creationTimestamp":null,"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","resources":{}}]}}"#;
        let kept = r#"{"$patch":"replace","metadata":{"labels":{"a":"b","pod-template-hash":"x"},
            "annotations":{"kubectl.kubernetes.io/restartedAt":"2026-11-01T08:00:00Z"}},"spec":{"containers":[{"name":"c"}]}}"#;
        assert_eq!(of(own), of(kept));
        assert_ne!(of(own), of(&own.replace("\"b\"", "\"d\"")));
    }
}
