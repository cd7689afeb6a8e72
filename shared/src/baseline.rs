//! What the system created here, recorded at a known-good time, and what became of it since.
//!
//! The last of the four steps that tell the system's from the user's: the tables, the node's own lists, managedFields, and
//! what was there when the cluster was known to be good. A baseline settles what nothing else can: that a value has been put
//! back, that a key is gone, that an object which nobody knows was there from the start.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::data::{Data, Place};
use crate::finding::{Draft, Evidence, ObjectRef};
use crate::inventory::{NodeFact, ReadKey};
use crate::kinds::{self, Kind};
use crate::object::{Object, Pairs};
use crate::origin::{self, Keys, Origin, Provenance};
use crate::read::json::ReadError;
use crate::read::yaml;
use crate::rule::Rule;
use crate::text;

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

/// What is there now of what a baseline records. Grows with the nodes and with the system's objects, not with pods.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    cluster: String,
    nodes: BTreeMap<String, NodeNow>,
    namespaces: BTreeMap<String, PlacesNow>,
    objects: BTreeMap<String, ObjectNow>,
}

#[derive(Clone, Debug)]
struct NodeNow {
    target: ObjectRef,
    pool: String,
    capacity: [String; 3],
    keys: PlacesNow,
}

#[derive(Clone, Debug, Default)]
struct PlacesNow {
    labels: BTreeMap<String, KeyNow>,
    annotations: BTreeMap<String, KeyNow>,
}

#[derive(Clone, Debug)]
struct KeyNow {
    value: String,
    /// How we know that the system created it, if it did.
    step: Option<Step>,
    /// Whether a system manager owns it.
    system: bool,
    /// The person who wrote it since the object was created.
    person: Option<Evidence>,
}

#[derive(Clone, Debug)]
struct ObjectNow {
    target: ObjectRef,
    step: Option<Step>,
    content: BTreeMap<String, String>,
    /// The person's entry in managedFields that is later than the object.
    person: Option<Evidence>,
    /// Whether only system managers have written it.
    system: bool,
}

impl Recorder {
    /// Takes in an object.
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
                        Some(Step::Table)
                    } else {
                        keys.system(key).map(|_| Step::ManagedFields)
                    }
                };
                self.namespaces.insert(name.clone(), places(object, step, data));
            }
        } else if is_recorded(kind, &meta.namespace, data) && object.owners().is_empty() {
            self.objects.insert(object_key(kind, &meta.namespace, &meta.name), ObjectNow::of(object, kind, data));
        }
    }

    /// Takes in what another has recorded.
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

    /// What [`Recorder::baseline`] leaves out although the system may have made it: a person's hand shows on it.
    pub fn left_out(&self) -> Vec<String> {
        let keys = |object: String, places: &PlacesNow| -> Vec<String> {
            let both = [("labels", &places.labels), ("annotations", &places.annotations)];
            let of = both.into_iter().flat_map(|(word, keys)| keys.iter().map(move |(key, now)| (word, key, now)));
            let touched =
                of.filter(|(_, _, now)| now.person.is_some() && now.step.is_some_and(|step| step != Step::Recorded));
            touched.map(|(word, key, _)| format!("{object} {word}[{key}]")).collect()
        };
        let nodes = self.nodes.iter().flat_map(|(name, node)| keys(format!("node/{name}"), &node.keys));
        let namespaces = self.namespaces.iter().flat_map(|(name, places)| keys(format!("namespace/{name}"), places));
        let objects = self.objects.iter().filter(|(_, object)| object.person.is_some() && object.step.is_some());
        nodes.chain(namespaces).chain(objects.map(|(key, _)| key.trim_start_matches('/').to_owned())).collect()
    }

    /// What the system created, as it is now. What a person's hand shows on is left out: it is not known to be good.
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

fn step_of(origin: &Origin) -> Option<Step> {
    match origin {
        Origin::Known => Some(Step::Table),
        Origin::FromMachine => Some(Step::Machine),
        Origin::SystemManager(_) => Some(Step::ManagedFields),
        Origin::Reserved | Origin::Unclear | Origin::User => Some(Step::Recorded),
        Origin::Excepted => None,
    }
}

fn places(object: &Object<'_>, step: impl Fn(Place, &Keys<'_, '_>, &str) -> Option<Step>, data: &Data) -> PlacesNow {
    let of = |place: Place, pairs: &Pairs<'_>| -> BTreeMap<String, KeyNow> {
        let keys = Keys::of(object, place, data);
        let now = |key: &str, value: &str| KeyNow {
            // Hashed where it is long: an annotation can hold 256 KiB.
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
            Some(Step::Table)
        } else {
            match origin::of_object(object, data) {
                Provenance::Person(_) => None,
                Provenance::Platform(_) => Some(Step::ManagedFields),
                Provenance::Unrecognised => Some(Step::Recorded),
            }
        };
        let content = object.content().filter_map(|(field, raw)| {
            let mut value: Value = serde_json::from_str(raw).ok()?;
            if field == "webhooks" {
                forget_certificates(&mut value);
            }
            // serde_json keeps the keys of a map sorted, so the order of the document does not count.
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

/// Controllers renew the certificates of their own webhooks, and whoever renews one has changed nothing.
fn forget_certificates(webhooks: &mut Value) {
    let configs = webhooks.as_array_mut().into_iter().flatten().filter_map(|webhook| webhook.get_mut("clientConfig"));
    for config in configs.filter_map(Value::as_object_mut) {
        config.remove(CERTIFICATE);
    }
}

/// Whether what a list holds goes into a baseline.
pub fn records(key: &ReadKey, data: &Data) -> bool {
    // A list of the whole cluster holds what is in the system's namespaces too.
    let namespace = key.namespace.as_deref().unwrap_or("kube-system");
    *key.kind == kinds::NODE || *key.kind == kinds::NAMESPACE || is_recorded(key.kind, namespace, data)
}

/// The objects of which a baseline makes sense: those in the system's namespaces, and what of the cluster is its own.
fn is_recorded(kind: &Kind, namespace: &str, data: &Data) -> bool {
    if kind.namespaced {
        return *kind != kinds::POD
            && *kind != kinds::ENDPOINT_SLICE
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

/// A baseline, and what is there now.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'b> {
    /// What was recorded.
    pub then: &'b Baseline,
    /// What is there.
    pub now: &'b Recorder,
}

/// A system key of a node that is not as recorded.
#[derive(Clone, Debug)]
pub struct ChangedKey<'b> {
    /// The node.
    pub target: ObjectRef,
    /// The key.
    pub key: &'b str,
    /// The value recorded.
    pub before: &'b str,
    /// The value now; `None` when the key is gone.
    pub after: Option<&'b str>,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

impl<'b> Comparison<'b> {
    /// The day of the baseline, as evidence.
    pub fn evidence(&self, what: &str) -> Evidence {
        Evidence {
            what: "baseline".to_owned(),
            time: self.then.captured_at.to_string(),
            detail: format!("recorded: {what}"),
            ..Evidence::default()
        }
    }

    /// Whether what a draft complains of is as it was recorded: who put it there, or put it back, has left it right.
    pub fn settles(&self, rule: &Rule, draft: &Draft) -> bool {
        // Only rules about what the system created rest on who wrote something.
        if !matches!(rule.category(), '2' | '3') {
            return false;
        }
        let object = &draft.object;
        let place = |prefix: &str| draft.path.strip_prefix(prefix)?.strip_suffix(']');
        let same = |then: Option<&KeyRecord>, now: Option<&KeyNow>| {
            then.zip(now).is_some_and(|(then, now)| then.value == now.value)
        };
        match (&*object.kind, place("metadata.labels["), place("metadata.annotations[")) {
            ("Node", Some(key), _) => {
                self.node(&object.name).is_some_and(|(then, now)| same(then.labels.get(key), now.keys.labels.get(key)))
            }
            ("Node", _, Some(key)) => self
                .node(&object.name)
                .is_some_and(|(then, now)| same(then.annotations.get(key), now.keys.annotations.get(key))),
            ("Namespace", Some(key), _) => {
                self.namespace(&object.name).is_some_and(|(then, now)| same(then.labels.get(key), now.labels.get(key)))
            }
            ("Namespace", _, Some(key)) => self
                .namespace(&object.name)
                .is_some_and(|(then, now)| same(then.annotations.get(key), now.annotations.get(key))),
            ("Node" | "Namespace", None, None) => false,
            _ => {
                let Some(kind) = kinds::of(&object.api_version, &object.kind) else { return false };
                let key = object_key(kind, &object.namespace, &object.name);
                let (Some(then), Some(now)) = (self.then.objects.get(&key), self.now.objects.get(&key)) else {
                    return false;
                };
                // Not recorded, see `forget_certificates`.
                if draft.path.ends_with(CERTIFICATE) {
                    return false;
                }
                let root = draft.path.split(['.', '[']).next().unwrap_or_default();
                // That it is there at all was known, unless somebody made it anew.
                let is_there = draft.path == "metadata.namespace" && then.uid == now.target.uid;
                is_there || then.content.get(root).is_some_and(|hash| now.content.get(root) == Some(hash))
            }
        }
    }

    /// The keys of nodes at `place` that the system created and that are not as recorded, without what the system itself
    /// has written since.
    ///
    /// A key that only the record knows is found changed where a person's hand shows on it; that it is gone says nothing,
    /// because whoever added it may have taken it away.
    pub fn changed_keys(&self, place: Place) -> Vec<ChangedKey<'b>> {
        let mut changed = Vec::new();
        for (name, then) in &self.then.nodes {
            let Some(now) = self.now.nodes.get(name).filter(|now| now.target.uid == then.uid) else { continue };
            let (recorded, current) = match place {
                Place::Annotation => (&then.annotations, &now.keys.annotations),
                Place::Label => (&then.labels, &now.keys.labels),
                Place::Taint => continue,
            };
            for (key, then) in recorded {
                let current = current.get(key);
                if current.is_some_and(|now| now.value == then.value || now.system) {
                    continue;
                }
                let person = current.and_then(|now| now.person.clone());
                if then.step == Step::Recorded && person.is_none() {
                    continue;
                }
                let mut evidence = vec![self.evidence(&then.value)];
                evidence.extend(person);
                let after = current.map(|now| &*now.value);
                changed.push(ChangedKey { target: now.target.clone(), key, before: &then.value, after, evidence });
            }
        }
        changed
    }

    /// The objects whose content is not as recorded although no system manager has written it since: object, field, and who.
    pub fn changed_objects(&self) -> Vec<(&'b ObjectRef, &'b str, Option<&'b Evidence>)> {
        let mut changed = Vec::new();
        for (key, then) in &self.then.objects {
            let Some(now) = self.now.objects.get(key).filter(|now| !now.system) else { continue };
            let fields = then.content.iter().filter(|(field, hash)| now.content.get(*field) != Some(hash));
            changed.extend(fields.map(|(field, _)| (&now.target, &**field, now.person.as_ref())));
        }
        changed
    }

    /// The objects of a kind that were recorded and are gone, by name; empty namespaces are the cluster's.
    pub fn missing(&self, kind: &Kind) -> Vec<(&'b str, &'b str)> {
        let gone = self.then.objects.keys().filter(|key| !self.now.objects.contains_key(*key));
        let parts = gone.filter_map(|key| {
            let (namespace, rest) = key.split_once('/')?;
            let (qualified, name) = rest.split_once('/')?;
            (qualified == kind.qualified()).then_some((namespace, name))
        });
        parts.collect()
    }

    /// The nodes that are still the same, with their pool and their capacity then and now.
    pub fn same_nodes(&self) -> impl Iterator<Item = (&'b ObjectRef, &'b str, &'b [String; 3], &'b [String; 3])> {
        let (then, now) = (&self.then.nodes, &self.now.nodes);
        then.iter().filter_map(|(name, then)| {
            let now = now.get(name).filter(|now| now.target.uid == then.uid)?;
            Some((&now.target, &*now.pool, &then.capacity, &now.capacity))
        })
    }

    /// Nodes per pool, then and now.
    pub fn pools(&self) -> BTreeMap<&'b str, (usize, usize)> {
        let mut pools: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for node in self.then.nodes.values() {
            pools.entry(&node.pool).or_default().0 += 1;
        }
        for node in self.now.nodes.values() {
            pools.entry(&node.pool).or_default().1 += 1;
        }
        pools
    }

    fn node(&self, name: &str) -> Option<(&'b NodeRecord, &'b NodeNow)> {
        let (then, now) = (self.then.nodes.get(name)?, self.now.nodes.get(name)?);
        (then.uid == now.target.uid).then_some((then, now))
    }

    fn namespace(&self, name: &str) -> Option<(&'b NamespaceRecord, &'b PlacesNow)> {
        Some((self.then.namespaces.get(name)?, self.now.namespaces.get(name)?))
    }
}

/// One line of a difference between two baselines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// `node/moc-l1`, `namespace/kube-system`, `kube-system/deployments.apps/coredns`.
    pub object: String,
    /// `labels[kubernetes.io/os]`, `spec`, `capacity`; empty for the object itself.
    pub path: String,
    /// The value before; a hash for content.
    pub before: Option<String>,
    /// The value after.
    pub after: Option<String>,
}

impl Difference {
    /// Whether it says that something is gone which `list` would hold. Where that list was not read, nobody knows.
    pub fn is_absence_from(&self, list: &ReadKey) -> bool {
        if self.after.is_some() {
            return false;
        }
        // Of namespaces only the keys are recorded, so each of them is gone by itself.
        if *list.kind == kinds::NAMESPACE {
            return self.object.starts_with("namespace/");
        }
        if !self.path.is_empty() {
            return false;
        }
        if *list.kind == kinds::NODE {
            return self.object.starts_with("node/");
        }
        let name = if list.kind.namespaced {
            let parts = self.object.split_once('/');
            let here = |namespace: &str| list.namespace.as_ref().is_none_or(|own| own == namespace);
            parts.filter(|(namespace, _)| here(namespace)).map(|(_, rest)| rest)
        } else {
            Some(&*self.object)
        };
        let kind = name.and_then(|name| name.split_once('/')).map(|(kind, _)| kind);
        kind.is_some_and(|kind| kind == list.kind.qualified())
    }
}

/// What differs between two baselines, sorted.
pub fn diff(before: &Baseline, after: &Baseline) -> Vec<Difference> {
    let (old, new) = (lines(before), lines(after));
    let mut keys: Vec<&(String, String)> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    let differing = keys.into_iter().filter(|key| old.get(*key) != new.get(*key));
    let differing = differing.map(|key| Difference {
        object: key.0.clone(),
        path: key.1.clone(),
        before: old.get(key).cloned(),
        after: new.get(key).cloned(),
    });
    // Of what came or went as a whole, its parts say nothing more.
    let differing: Vec<Difference> = differing.collect();
    let whole: Vec<String> = differing.iter().filter(|d| d.path.is_empty()).map(|d| d.object.clone()).collect();
    differing.into_iter().filter(|d| d.path.is_empty() || !whole.contains(&d.object)).collect()
}

fn lines(baseline: &Baseline) -> BTreeMap<(String, String), String> {
    let mut lines = BTreeMap::new();
    let mut keys = |object: &str, word: &str, records: &BTreeMap<String, KeyRecord>| {
        for (key, record) in records {
            lines.insert((object.to_owned(), format!("{word}[{key}]")), record.value.clone());
        }
    };
    for (name, node) in &baseline.nodes {
        let object = format!("node/{name}");
        keys(&object, "labels", &node.labels);
        keys(&object, "annotations", &node.annotations);
    }
    for (name, namespace) in &baseline.namespaces {
        let object = format!("namespace/{name}");
        keys(&object, "labels", &namespace.labels);
        keys(&object, "annotations", &namespace.annotations);
    }
    for (name, node) in &baseline.nodes {
        lines.insert((format!("node/{name}"), String::new()), node.uid.clone());
        lines.insert((format!("node/{name}"), "capacity".to_owned()), node.capacity.join(" / "));
        lines.insert((format!("node/{name}"), "pool".to_owned()), node.pool.clone());
    }
    for (key, object) in &baseline.objects {
        let name = key.trim_start_matches('/').to_owned();
        lines.insert((name.clone(), String::new()), object.uid.clone());
        for (field, hash) in &object.content {
            lines.insert((name.clone(), field.clone()), hash.clone());
        }
    }
    lines
}

fn short(value: &str) -> String {
    if value.len() <= MAX_VALUE { value.to_owned() } else { format!("sha256:{}", hash(value.as_bytes())) }
}

fn hash(bytes: &[u8]) -> String {
    text::short_hex(&Sha256::digest(bytes))
}

/// `apiVersion` of a baseline.
pub const API_VERSION: &str = "aksarc.dev/v1alpha1";

/// `kind` of a baseline.
pub const KIND: &str = "Baseline";

/// The field of a webhook's `clientConfig` with the certificate that its server has to show.
const CERTIFICATE: &str = "caBundle";

/// Longer values are kept as their hash: they are compared, and a label has 63 bytes at most.
const MAX_VALUE: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Check, Params};
    use crate::data::{Platform, embedded};
    use crate::finding::Consequence;
    use crate::read::json;
    use crate::report::{Report, Tool};

    #[test]
    fn an_absence_belongs_to_the_lists_that_would_hold_it() {
        let gone = |object: &str, path: &str| Difference {
            object: object.to_owned(),
            path: path.to_owned(),
            before: Some("x".to_owned()),
            after: None,
        };
        let list = |kind: &'static Kind, namespace: &str| ReadKey {
            kind,
            namespace: Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty()),
        };
        let deployment = gone("kube-system/deployments.apps/coredns", "");
        assert!(deployment.is_absence_from(&list(&kinds::DEPLOYMENT, "")));
        assert!(deployment.is_absence_from(&list(&kinds::DEPLOYMENT, "kube-system")));
        assert!(!deployment.is_absence_from(&list(&kinds::DEPLOYMENT, "azure-arc")));
        assert!(!deployment.is_absence_from(&list(&kinds::DAEMON_SET, "")));
        assert!(!deployment.is_absence_from(&list(&kinds::NODE, "")));
        assert!(!gone("kube-system/deployments.apps/coredns", "spec").is_absence_from(&list(&kinds::DEPLOYMENT, "")));
        assert!(
            !Difference { after: Some("y".to_owned()), ..deployment }.is_absence_from(&list(&kinds::DEPLOYMENT, ""))
        );
        assert!(gone("storageclasses.storage.k8s.io/default", "").is_absence_from(&list(&kinds::STORAGE_CLASS, "")));
        assert!(gone("node/a", "").is_absence_from(&list(&kinds::NODE, "")));
        assert!(!gone("node/a", "labels[a]").is_absence_from(&list(&kinds::NODE, "")));
        assert!(gone("namespace/kube-system", "labels[a]").is_absence_from(&list(&kinds::NAMESPACE, "")));
    }

    const NODE: &str = r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"moc-l1","uid":"n1","creationTimestamp":"2026-03-02T08:00:00Z",
        "labels":{"kubernetes.io/hostname":"moc-l1","kubernetes.io/os":"linux","node.kubernetes.io/instance-type":"TYPE"OWN},
        "managedFields":[{"manager":"kubelet","operation":"Update","time":"2026-03-02T08:00:00Z","fieldsV1":{"f:metadata":{"f:labels":{"f:kubernetes.io/os":{}KUBELET}}}}PERSON]},
        "spec":{"providerID":"moc://a-md-b-c"},"status":{"nodeInfo":{"operatingSystem":"linux"},"capacity":{"cpu":"CPU","memory":"8138224Ki","ephemeral-storage":"203056560Ki"}}}"#;
    const KUBELET: &str = r#","f:node.kubernetes.io/instance-type":{}"#;
    const PERSON: &str = r#",{"manager":"kubectl-label","operation":"Update","time":"2026-05-18T09:14:00Z","fieldsV1":{"f:metadata":{"f:labels":{"f:node.kubernetes.io/instance-type":{}}}}}"#;
    const SPACE: &str = r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"kube-system","uid":"UID"},"spec":{"finalizers":["kubernetes"]}}"#;

    const WEBHOOKS: &str = r#"{"apiVersion":"admissionregistration.k8s.io/v1","kind":"MutatingWebhookConfiguration",
        "metadata":{"name":"gatekeeper-mutating-webhook-configuration","uid":"w2"},"webhooks":[WEBHOOKS]}"#;

    fn clean(size: &str) -> String {
        NODE.replace("TYPE", size)
            .replace("KUBELET", KUBELET)
            .replace("PERSON", "")
            .replace("OWN", "")
            .replace("CPU", "4")
    }

    fn touched(size: &str) -> String {
        NODE.replace("TYPE", size)
            .replace("KUBELET", "")
            .replace("PERSON", PERSON)
            .replace("OWN", "")
            .replace("CPU", "4")
    }

    fn check(objects: &[String], baseline: Option<Baseline>) -> Check<'static> {
        let params = Params {
            platform: Some(Platform::AzureLocal),
            baseline,
            record: true,
            ..Params::at("2026-06-01T00:00:00Z".parse().unwrap())
        };
        let mut check = Check::new(embedded(), params);
        for plan in [Check::plan_first, Check::plan_then] {
            for key in plan(&check) {
                let mut segment = check.segment(&key);
                for text in objects {
                    let object = json::object(text.as_bytes()).unwrap();
                    if kinds::of(&object.api_version, &object.kind) == Some(key.kind) {
                        segment.object(&object);
                    }
                }
                check.complete(segment);
            }
        }
        check
    }

    fn report(node: String, baseline: Option<Baseline>) -> Report {
        check(&[node, SPACE.replace("UID", "k1")], baseline).finish(Tool::default(), "", "").unwrap()
    }

    fn recorded() -> Baseline {
        check(&[clean("A4"), SPACE.replace("UID", "k1")], None).recorded().baseline()
    }

    fn of<'r>(report: &'r Report, code: &str) -> Vec<&'r str> {
        report.findings.iter().filter(|finding| finding.code == code).map(|finding| &*finding.path).collect()
    }

    const TYPE: &str = "metadata.labels[node.kubernetes.io/instance-type]";

    #[test]
    fn a_value_put_back_is_no_finding_once_a_baseline_tells_what_it_was() {
        assert_eq!(of(&report(touched("A4"), None), "AA201"), [TYPE]);
        assert!(of(&report(touched("A4"), Some(recorded())), "AA201").is_empty());
        let still = report(touched("A8"), Some(recorded()));
        assert_eq!(of(&still, "AA201"), [TYPE]);
        let finding = still.findings.iter().find(|finding| finding.code == "AA201").unwrap();
        assert_eq!((finding.before.as_deref(), finding.after.as_deref()), (Some("A4"), Some("A8")));
        assert!(
            finding.fix.iter().any(|fix| fix.contains("node.kubernetes.io/instance-type=A4 --overwrite")),
            "{:?}",
            finding.fix
        );
    }

    #[test]
    fn a_label_that_is_gone_shows_against_a_baseline_alone() {
        let gone = clean("A4").replace(r#","node.kubernetes.io/instance-type":"A4""#, "").replace(KUBELET, "");
        assert!(of(&report(gone.clone(), None), "AA201").is_empty());
        assert_eq!(of(&report(gone, Some(recorded())), "AA201"), [TYPE]);
    }

    #[test]
    fn what_the_system_itself_has_changed_since_is_no_finding() {
        assert!(of(&report(clean("A8"), Some(recorded())), "AA201").is_empty());
    }

    #[test]
    fn a_node_made_anew_is_compared_with_nothing() {
        let anew = touched("A8").replace(r#""uid":"n1""#, r#""uid":"n2""#);
        let found = report(anew, Some(recorded()));
        assert!(
            found.findings.iter().all(|finding| finding.evidence.iter().all(|evidence| evidence.what != "baseline"))
        );
    }

    #[test]
    fn a_node_that_has_grown_shows_against_a_baseline() {
        let grown = clean("A4").replace(r#""cpu":"4""#, r#""cpu":"8""#);
        assert!(of(&report(grown.clone(), None), "AA412").is_empty());
        assert_eq!(of(&report(grown, Some(recorded())), "AA412"), ["status.capacity[cpu][moc-l1]"]);
    }

    #[test]
    fn what_a_person_has_touched_is_not_recorded_as_known_good() {
        let check = check(&[touched("A8"), SPACE.replace("UID", "k1")], None);
        let (baseline, left_out) = (check.recorded().baseline(), check.recorded().left_out());
        assert!(!baseline.nodes["moc-l1"].labels.contains_key("node.kubernetes.io/instance-type"));
        assert_eq!(left_out, ["node/moc-l1 labels[node.kubernetes.io/instance-type]"]);
        assert_eq!(baseline.nodes["moc-l1"].labels["kubernetes.io/os"].step, Step::Table);
    }

    #[test]
    fn a_baseline_of_another_cluster_is_refused() {
        let other = check(&[clean("A4"), SPACE.replace("UID", "k2")], Some(recorded()));
        assert!(other.finish(Tool::default(), "", "").is_err());
    }

    /// A cluster with Azure Policy, and a webhook configuration of its.
    fn policy(webhooks: Option<&str>) -> Vec<String> {
        let deployment = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"azure-policy","namespace":"kube-system","uid":"d1"}}"#;
        // What is missing without a baseline too is no question here.
        let other = r#"{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingWebhookConfiguration","metadata":{"name":"gatekeeper-validating-webhook-configuration","uid":"w1"}}"#;
        let mut objects = vec![SPACE.replace("UID", "k1"), deployment.to_owned(), other.to_owned()];
        objects.extend(webhooks.map(|webhooks| WEBHOOKS.replace("WEBHOOKS", webhooks)));
        objects
    }

    fn of_policy(then: Option<&str>, now: Option<&str>) -> Vec<(String, Consequence)> {
        let baseline = then.map(|then| check(&policy(Some(then)), None).recorded().baseline());
        let report = check(&policy(now), baseline).finish(Tool::default(), "", "").unwrap();
        let own = report.findings.into_iter().filter(|finding| finding.code == "AA309");
        own.map(|finding| (finding.path, finding.consequence)).collect()
    }

    #[test]
    fn a_webhook_configuration_that_is_gone_or_differs_shows_against_a_baseline_without_accusing_anybody() {
        let recorded = r#"{"name":"mutation.gatekeeper.sh","failurePolicy":"Fail","clientConfig":{"caBundle":"AA=="}}"#;
        let ignoring = recorded.replace("Fail", "Ignore");
        let renewed = recorded.replace("AA==", "BB==");
        let (then, info) = (Some(recorded), Consequence::Info);
        assert_eq!(of_policy(None, None), []);
        assert_eq!(of_policy(then, None), [("metadata.name".to_owned(), info)]);
        assert_eq!(of_policy(then, Some(&ignoring)), [("webhooks".to_owned(), info)]);
        assert_eq!(of_policy(then, then), []);
        assert_eq!(of_policy(then, Some(&renewed)), []);
    }

    #[test]
    fn a_webhook_configuration_of_the_users_own_is_the_users_to_remove() {
        let own = |objects: Vec<String>| -> Vec<String> {
            objects.into_iter().map(|text| text.replace("gatekeeper-", "press-line-")).collect()
        };
        let baseline = check(&own(policy(Some(""))), None).recorded().baseline();
        let key = object_key(&kinds::MUTATING_WEBHOOKS, "", "press-line-mutating-webhook-configuration");
        assert_eq!(baseline.objects[&key].step, Step::Recorded);
        let report = check(&policy(None), Some(baseline)).finish(Tool::default(), "", "").unwrap();
        assert!(of(&report, "AA309").is_empty());
    }

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

    #[test]
    fn what_came_or_went_as_a_whole_is_one_line() {
        let mut after = recorded();
        assert_eq!(diff(&recorded(), &after), []);
        after.nodes.get_mut("moc-l1").unwrap().labels.remove("kubernetes.io/os");
        let lines = diff(&recorded(), &after);
        assert_eq!((&*lines[0].object, &*lines[0].path, lines.len()), ("node/moc-l1", "labels[kubernetes.io/os]", 1));
        after.nodes.clear();
        let lines = diff(&recorded(), &after);
        assert_eq!((&*lines[0].path, lines.len(), lines[0].after.is_none()), ("", 1, true));
    }
}
