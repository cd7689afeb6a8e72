//! Whether the pods' template of a workload is one again that the platform had made, by the earlier shapes that Kubernetes keeps:
//! the ReplicaSets of a Deployment, the ControllerRevisions of a DaemonSet or StatefulSet.

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

/// A workload as it is now, as far as its past is compared with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Present {
    uid: String,
    born: Option<Timestamp>,
    /// The number of the revision that it says it is at; a DaemonSet does not say.
    revision: Option<i64>,
    template: Option<String>,
    /// When managers of the platform wrote it last.
    written: Vec<Timestamp>,
}

/// An earlier shape, or the present one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Revision {
    number: i64,
    born: Timestamp,
    /// Of its template; snapshots leave it out of ControllerRevisions.
    template: Option<String>,
}

/// A revision of the workload with this uid.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RevisionOf {
    uid: String,
    revision: Revision,
}

/// What became of a template that a person's hand is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Past {
    /// It is the one of this revision again, which the platform made.
    PutBack(i64),
    /// It is not; this revision is the platform's last, where one is kept.
    Changed(Option<i64>),
}

/// The kind whose objects keep the earlier shapes of a workload.
pub(crate) fn keeper(workload: &str) -> Option<&'static Kind> {
    match workload {
        "Deployment" => Some(&kinds::REPLICA_SET),
        "DaemonSet" | "StatefulSet" => Some(&kinds::CONTROLLER_REVISION),
        _ => None,
    }
}

/// Keeps what a ReplicaSet or ControllerRevision tells of a workload's past, by the workload's uid.
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
    /// A workload that a person's hand is on.
    pub(crate) fn of(object: &Object<'_>, data: &Data) -> Self {
        let is_platform = |entry: &&ManagedEntry<'_>| {
            &*entry.subresource != "status" && data.managers.platform(&entry.manager).is_some()
        };
        let own = object.managed().iter().filter(is_platform).filter(|entry| origin::is_later(entry, object));
        Present {
            uid: object.meta.uid.to_string(),
            born: born(object),
            revision: object.meta.annotations.get(REVISION).and_then(|number| number.parse().ok()),
            template: object.field::<Value>("spec").and_then(|spec| spec.get("template").map(digest)),
            written: own.filter_map(|entry| entry.time.as_ref()?.parse().ok()).collect(),
        }
    }

    /// What became of its template, by what `rule` has noted of its revisions.
    pub(crate) fn past(&self, inventory: &Inventory, rule: Code) -> Past {
        let own = inventory.remarks::<RevisionOf>(rule).filter(|own| own.uid == self.uid);
        let revisions: Vec<&Revision> = own.map(|own| &own.revision).collect();
        let current = match self.revision {
            Some(number) => revisions.iter().find(|revision| revision.number == number),
            // What is gone back to is numbered anew, as the last.
            None => revisions.iter().max_by_key(|revision| revision.number),
        };
        // Whoever goes away from a shape and back to it leaves another one behind.
        let is_now = |revision: &Revision| {
            revisions.len() > 1 && (revision.template.is_none() || revision.template == self.template)
        };
        let platforms = |revision: &&&Revision| self.is_platforms(revision, &revisions);
        match current.filter(platforms) {
            Some(revision) if is_now(revision) => Past::PutBack(revision.number),
            _ => {
                let kept = revisions.iter().filter(platforms).max_by_key(|revision| revision.born);
                Past::Changed(kept.map(|revision| revision.number))
            }
        }
    }

    /// Whether the platform made a revision: it is the workload's first, which came with the workload itself, or came when a
    /// manager of the platform wrote the workload. Whatever else came later may be a person's.
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

/// A digest of a template, the same for a workload's own and for the one of its revision: without the labels by which revisions
/// are told apart, without what is empty, and without when its pods were started again.
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
        let kept: Map<String, Value> =
            std::mem::take(annotations).into_iter().filter(|(key, value)| is_own(key, value)).collect();
        *annotations = kept;
    }
    if let Some(fields) = template.as_object_mut() {
        fields.remove("$patch");
    }
    text::short_hex(&Sha256::digest(sorted(&template).unwrap_or_default().to_string()))
}

/// A value without what is empty in it; `None` where nothing is left.
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

/// Where the Deployment controller says which revision a Deployment or ReplicaSet is (kubernetes/kubernetes, deployment util).
const REVISION: &str = "deployment.kubernetes.io/revision";

/// The labels by which revisions are told apart.
const HASHES: [&str; 2] = ["pod-template-hash", "controller-revision-hash"];

/// So soon after a workload its first revision is there.
const FIRST: SignedDuration = SignedDuration::from_secs(60);

/// So soon after a write of the platform's its revision is there.
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
    fn the_first_revision_and_those_of_the_platforms_writes_are_its_own() {
        let first = (3, "01T08:00:01", Some("a"));
        let edited = (2, "05T09:00:00", Some("b"));
        let upgraded = (5, "10T12:00:01", Some("c"));
        assert_eq!(past(Some(3), "a", &[first, edited]), Past::PutBack(3));
        assert_eq!(past(Some(5), "c", &[first, edited, upgraded]), Past::PutBack(5));
        assert_eq!(past(Some(2), "b", &[first, edited]), Past::Changed(Some(3)));
        assert_eq!(past(Some(6), "d", &[first, upgraded, (6, "11T09:00:00", Some("d"))]), Past::Changed(Some(5)));
        // No new revision is there yet, or the controller stands still.
        assert_eq!(past(Some(3), "b", &[first, edited]), Past::Changed(Some(3)));
        // Nothing tells that it was ever another.
        assert_eq!(past(Some(3), "a", &[first]), Past::Changed(Some(3)));
        // The first one is no longer kept.
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
    fn templates_are_compared_without_what_tells_revisions_apart() {
        let of = |text: &str| digest(&serde_json::from_str(text).unwrap());
        let own = r#"{"metadata":{"creationTimestamp":null,"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","resources":{}}]}}"#;
        let kept = r#"{"$patch":"replace","metadata":{"labels":{"a":"b","pod-template-hash":"x"},
            "annotations":{"kubectl.kubernetes.io/restartedAt":"2026-11-01T08:00:00Z"}},"spec":{"containers":[{"name":"c"}]}}"#;
        assert_eq!(of(own), of(kept));
        assert_ne!(of(own), of(&own.replace("\"b\"", "\"d\"")));
    }
}
