//! The recorder, which gathers the present state of everything that a baseline contains, object by object.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Baseline, KIND, KeyRecord, NamespaceRecord, NodeRecord, ObjectRecord, RecordedStep, object_key};
use crate::data::own::API_VERSION;
use crate::data::{Data, Place};
use crate::facts::inventory::{NodeFact, ReadKey};
use crate::facts::origin::{self, Keys, Origin, Provenance};
use crate::finding::{Evidence, ObjectRef};
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::{Object, Pairs};
use crate::text;

/// The present state of everything that a baseline contains. Its size grows with the nodes and the system's objects,
/// not with pods.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    cluster: String,
    pub(super) nodes: BTreeMap<String, NodeNow>,
    pub(super) namespaces: BTreeMap<String, PlacesNow>,
    pub(super) objects: BTreeMap<String, ObjectNow>,
}

#[derive(Clone, Debug)]
pub(super) struct NodeNow {
    pub(super) target: ObjectRef,
    pub(super) pool: String,
    pub(super) capacity: [String; 3],
    pub(super) keys: PlacesNow,
}

#[derive(Clone, Debug, Default)]
pub(super) struct PlacesNow {
    pub(super) labels: BTreeMap<String, KeyNow>,
    pub(super) annotations: BTreeMap<String, KeyNow>,
}

#[derive(Clone, Debug)]
pub(super) struct KeyNow {
    pub(super) value: String,
    /// The step that shows that the system created it, if it did.
    step: Option<RecordedStep>,
    /// Whether a system manager owns it.
    pub(super) system: bool,
    /// The person who wrote it after the object was created.
    pub(super) person: Option<Evidence>,
}

#[derive(Clone, Debug)]
pub(super) struct ObjectNow {
    pub(super) target: ObjectRef,
    step: Option<RecordedStep>,
    pub(super) content: BTreeMap<String, String>,
    /// A person's entry in managedFields that is later than the object's creation.
    pub(super) person: Option<Evidence>,
    /// Whether only system managers have written it.
    pub(super) system: bool,
}

impl Recorder {
    /// Adds an object.
    pub fn add(&mut self, object: &Object<'_>, kind: &'static Kind, data: &Data) {
        let meta = &object.meta;
        if *kind == kinds::NODE {
            let fact = NodeFact::of(object, data);
            let now = NodeNow {
                target: ObjectRef::of(object, kind),
                pool: fact.pool,
                capacity: fact.capacity,
                keys: places(
                    object,
                    |place, keys, key| {
                        let origin = if place == Place::Label || place == Place::Annotation {
                            keys.origin(key)
                        } else {
                            Origin::User
                        };
                        step_of(&origin)
                    },
                    data,
                ),
            };
            self.nodes.insert(meta.name.to_string(), now);
        } else if *kind == kinds::NAMESPACE {
            if &*meta.name == "kube-system" {
                self.cluster = meta.uid.to_string();
            }
            if data.namespaces.protected(&meta.name).is_some() {
                let name = meta.name.to_string();
                let step = |place, keys: &Keys<'_, '_>, key: &str| {
                    if data.namespaces.is_system_key(&name, place, key) {
                        Some(RecordedStep::Table)
                    } else {
                        keys.system(key).map(|_| RecordedStep::ManagedFields)
                    }
                };
                self.namespaces.insert(name.clone(), places(object, step, data));
            }
        } else if is_recorded(kind, &meta.namespace, data) && object.owners().is_empty() {
            self.objects.insert(object_key(kind, &meta.namespace, &meta.name), ObjectNow::of(object, kind, data));
        }
    }

    /// Adds the records of another recorder.
    pub fn merge(&mut self, other: Recorder) {
        if !other.cluster.is_empty() {
            self.cluster = other.cluster;
        }
        self.nodes.extend(other.nodes);
        self.namespaces.extend(other.namespaces);
        self.objects.extend(other.objects);
    }

    /// The uid of the namespace kube-system; empty where it was not read.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The objects and keys that [`Recorder::baseline`] leaves out because a person has written them, although the
    /// system may have made them.
    pub fn left_out(&self) -> Vec<String> {
        let keys = |object: String, places: &PlacesNow| -> Vec<String> {
            let both = [("labels", &places.labels), ("annotations", &places.annotations)];
            let of = both.into_iter().flat_map(|(word, keys)| keys.iter().map(move |(key, now)| (word, key, now)));
            let touched = of.filter(|(_, _, now)| {
                now.person.is_some() && now.step.is_some_and(|step| step != RecordedStep::Recorded)
            });
            touched.map(|(word, key, _)| format!("{object} {word}[{key}]")).collect()
        };
        let nodes = self.nodes.iter().flat_map(|(name, node)| keys(format!("node/{name}"), &node.keys));
        let namespaces = self.namespaces.iter().flat_map(|(name, places)| keys(format!("namespace/{name}"), places));
        let objects = self.objects.iter().filter(|(_, object)| object.person.is_some() && object.step.is_some());
        nodes.chain(namespaces).chain(objects.map(|(key, _)| key.trim_start_matches('/').to_owned())).collect()
    }

    /// A baseline of the present state. Objects and keys that a person has written are left out, since they are not
    /// known to be good.
    pub fn baseline(&self) -> Baseline {
        let keys = |now: &BTreeMap<String, KeyNow>| -> BTreeMap<String, KeyRecord> {
            let own = now.iter().filter(|(_, key)| key.person.is_none());
            own.filter_map(|(name, key)| Some((name.clone(), KeyRecord { value: key.value.clone(), step: key.step? })))
                .collect()
        };
        let nodes = self.nodes.iter().map(|(name, node)| {
            let record = NodeRecord {
                uid: node.target.uid.clone(),
                pool: node.pool.clone(),
                capacity: node.capacity.clone(),
                labels: keys(&node.keys.labels),
                annotations: keys(&node.keys.annotations),
            };
            (name.clone(), record)
        });
        let namespaces = self.namespaces.iter().map(|(name, places)| {
            let record = NamespaceRecord { labels: keys(&places.labels), annotations: keys(&places.annotations) };
            (name.clone(), record)
        });
        let objects = self.objects.iter().filter(|(_, object)| object.person.is_none()).filter_map(|(key, object)| {
            let record =
                ObjectRecord { uid: object.target.uid.clone(), step: object.step?, content: object.content.clone() };
            Some((key.clone(), record))
        });
        Baseline {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            cluster: self.cluster.clone(),
            nodes: nodes.collect(),
            namespaces: namespaces.collect(),
            objects: objects.collect(),
            ..Baseline::default()
        }
    }
}

fn step_of(origin: &Origin) -> Option<RecordedStep> {
    match origin {
        Origin::Known => Some(RecordedStep::Table),
        Origin::FromMachine => Some(RecordedStep::Machine),
        Origin::SystemManager(_) => Some(RecordedStep::ManagedFields),
        Origin::Reserved | Origin::Unclear | Origin::User => Some(RecordedStep::Recorded),
        Origin::Excepted => None,
    }
}

fn places(
    object: &Object<'_>,
    step: impl Fn(Place, &Keys<'_, '_>, &str) -> Option<RecordedStep>,
    data: &Data,
) -> PlacesNow {
    let of = |place: Place, pairs: &Pairs<'_>| -> BTreeMap<String, KeyNow> {
        let keys = Keys::of(object, place, data);
        let now = |key: &str, value: &str| KeyNow {
            // Long values are hashed: an annotation can hold 256 KiB.
            value: short(value),
            step: step(place, &keys, key),
            system: keys.system(key).is_some(),
            person: keys.person(key),
        };
        pairs.iter().map(|(key, value)| (key.to_owned(), now(key, value))).collect()
    };
    PlacesNow {
        labels: of(Place::Label, &object.meta.labels),
        annotations: of(Place::Annotation, &object.meta.annotations),
    }
}

impl ObjectNow {
    fn of(object: &Object<'_>, kind: &'static Kind, data: &Data) -> Self {
        let (namespace, name) = (&object.meta.namespace, &object.meta.name);
        let managed = object.managed();
        let writers = || managed.iter().filter(|entry| &*entry.subresource != "status");
        let person = writers()
            .find(|entry| data.managers.person(&entry.manager).is_some() && origin::is_later(entry, object))
            .map(Evidence::managed);
        let step = if data.component(kind.kind, namespace, name).is_some() {
            Some(RecordedStep::Table)
        } else {
            match origin::of_object(object, data) {
                Provenance::Person(_) => None,
                Provenance::Platform(_) => Some(RecordedStep::ManagedFields),
                Provenance::Unrecognised => Some(RecordedStep::Recorded),
            }
        };
        let content = object.content().filter_map(|(field, raw)| {
            let mut value: Value = object.part(field, raw)?;
            if field == "webhooks" {
                forget_certificates(&mut value);
            }
            // serde_json sorts the keys of a map, so the order in the document does not matter.
            Some((field.to_owned(), hash(value.to_string().as_bytes())))
        });
        ObjectNow {
            target: ObjectRef::of(object, kind),
            step,
            content: content.collect(),
            person,
            system: writers().next().is_some()
                && writers().all(|entry| data.managers.platform(&entry.manager).is_some()),
        }
    }
}

/// Removes certificates from a webhook configuration. Controllers renew the certificates of their own webhooks, which
/// is not a change.
fn forget_certificates(webhooks: &mut Value) {
    let configs = webhooks.as_array_mut().into_iter().flatten().filter_map(|webhook| webhook.get_mut("clientConfig"));
    for config in configs.filter_map(Value::as_object_mut) {
        config.remove(CERTIFICATE);
    }
}

/// Whether the objects of a list go into a baseline.
pub fn records(key: &ReadKey, data: &Data) -> bool {
    // A list of the whole cluster contains the objects of the system's namespaces too.
    let namespace = key.namespace.as_deref().unwrap_or("kube-system");
    *key.kind == kinds::NODE || *key.kind == kinds::NAMESPACE || is_recorded(key.kind, namespace, data)
}

/// Whether an object goes into a baseline: objects in the system's namespaces, and the system's cluster-scoped objects.
fn is_recorded(kind: &Kind, namespace: &str, data: &Data) -> bool {
    if kind.namespaced {
        // These objects come and go with the object that they belong to.
        let passing =
            [&kinds::CONTROLLER_REVISION, &kinds::ENDPOINT_SLICE, &kinds::ENDPOINTS, &kinds::POD].contains(&kind);
        // Those of other namespaces are only read for earlier revisions of their workloads.
        let of_workloads = *kind == kinds::REPLICA_SET && !data.namespaces.is_add_on(namespace);
        return !passing
            && !of_workloads
            && (data.namespaces.protected(namespace).is_some() || data.namespaces.is_add_on(namespace));
    }
    [
        &kinds::API_SERVICE,
        &kinds::CSI_DRIVER,
        &kinds::MUTATING_WEBHOOKS,
        &kinds::PRIORITY_CLASS,
        &kinds::STORAGE_CLASS,
        &kinds::VALIDATING_WEBHOOKS,
    ]
    .contains(&kind)
}

fn short(value: &str) -> String {
    if value.len() <= MAX_VALUE { value.to_owned() } else { format!("sha256:{}", hash(value.as_bytes())) }
}

fn hash(bytes: &[u8]) -> String {
    text::short_hex(&Sha256::digest(bytes))
}

/// The field of a webhook's `clientConfig` that holds the expected certificate authority.
pub(super) const CERTIFICATE: &str = "caBundle";

/// Longer values are kept as their hash, which is enough for a comparison. A label has 63 bytes at most.
const MAX_VALUE: usize = 256;

#[cfg(test)]
mod tests {
    use crate::facts::baseline::RecordedStep;
    use crate::facts::baseline::samples::{SPACE, check, touched};

    #[test]
    fn an_object_that_a_person_has_touched_is_not_recorded_as_known_good() {
        let check = check(&[touched("A8"), SPACE.replace("UID", "k1")], None);
        let (baseline, left_out) = (check.recorded().baseline(), check.recorded().left_out());
        assert!(!baseline.nodes["moc-l1"].labels.contains_key("node.kubernetes.io/instance-type"));
        assert_eq!(left_out, ["node/moc-l1 labels[node.kubernetes.io/instance-type]"]);
        assert_eq!(baseline.nodes["moc-l1"].labels["kubernetes.io/os"].step, RecordedStep::Table);
    }
}
