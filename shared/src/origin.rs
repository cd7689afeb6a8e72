//! Whose a piece of metadata is: the system's or the user's, and how we know.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap, HashSet};

use crate::data::{Data, Place, Ruling};
use crate::finding::Evidence;
use crate::inventory::taints;
use crate::object::{ManagedEntry, Object};

/// Whose a key on a node is, decided in this order: the table of known keys and reserved prefixes with their
/// exceptions, the node's own list of what Cluster API sets, managedFields. Otherwise it is the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A known system key.
    Known,
    /// Under a reserved prefix, known to nobody.
    Reserved,
    /// Listed on the node by Cluster API.
    FromMachine,
    /// Owned by this system manager.
    SystemManager(String),
    /// The user's by a silent exception: never spoken of.
    Excepted,
    /// The system's by our conclusion only, or an administrator's: nobody is accused by it.
    Unclear,
    /// The user's.
    User,
}

impl Origin {
    /// Whether the system made it.
    pub fn is_system(&self) -> bool {
        matches!(self, Origin::Known | Origin::FromMachine | Origin::SystemManager(_))
    }

    /// How we know, for evidence.
    pub fn because(&self) -> String {
        match self {
            Origin::Known => "a known system key".to_owned(),
            Origin::Reserved => "under a reserved prefix".to_owned(),
            Origin::FromMachine => "listed by Cluster API in the node's own annotations".to_owned(),
            Origin::SystemManager(manager) => format!("written by {manager}"),
            Origin::Unclear => "perhaps the system's".to_owned(),
            Origin::Excepted | Origin::User => "the user's own".to_owned(),
        }
    }
}

/// Whose the keys at one place of an object are. What the object says of that is read once, and only when it is needed:
/// a node can be given a hundred thousand labels, and who looks through all of them for each of them answers too late.
#[derive(Debug)]
pub struct Keys<'o, 'a> {
    object: &'o Object<'a>,
    place: Place,
    data: &'o Data,
    machine: OnceCell<HashSet<&'o str>>,
    owners: OnceCell<Owners<'a>>,
}

#[derive(Debug)]
struct Owners<'a> {
    managed: Vec<ManagedEntry<'a>>,
    of_key: HashMap<Cow<'a, str>, Vec<usize>>,
}

impl<'o, 'a> Keys<'o, 'a> {
    /// The keys at `place` of `object`.
    pub fn of(object: &'o Object<'a>, place: Place, data: &'o Data) -> Self {
        Keys { object, place, data, machine: OnceCell::new(), owners: OnceCell::new() }
    }

    /// Whose `key` of a node is.
    pub fn origin(&self, key: &str) -> Origin {
        let ruling = self.data.node_keys.ruling(self.place, key);
        match ruling {
            Ruling::Exception(exception) if exception.silent => return Origin::Excepted,
            Ruling::Exception(_) => return Origin::User,
            Ruling::Known(_) => return Origin::Known,
            Ruling::Guess(_) | Ruling::Silent => {}
        }
        let guess = matches!(ruling, Ruling::Guess(_));
        let system = || self.system(key).map(|entry| Origin::SystemManager(entry.manager.to_string()));
        if self.data.node_keys.reserved(key).is_some() && !guess {
            // Under a reserved prefix an unknown key is the system's, unless a person put it there.
            return system().unwrap_or(Origin::Reserved);
        }
        let machine = self.machine.get_or_init(|| from_machine(self.object, self.place).collect());
        if machine.contains(key) {
            return Origin::FromMachine;
        }
        system().unwrap_or(if guess { Origin::Unclear } else { Origin::User })
    }

    /// The entry of the first system manager that owns `key`.
    pub fn system(&self, key: &str) -> Option<&ManagedEntry<'a>> {
        self.owners(key).find(|entry| self.data.managers.platform(&entry.manager).is_some())
    }

    /// The entry of a person who wrote `key` after the object was created, as evidence.
    ///
    /// Who changes a value takes it from all its other owners. Where somebody who is no person owns it too, the person has
    /// applied the value that was there (server-side apply) and changed nothing.
    pub fn person(&self, key: &str) -> Option<Evidence> {
        let is_person = |entry: &ManagedEntry<'a>| self.data.managers.person(&entry.manager).is_some();
        if !self.owners(key).all(is_person) {
            return None;
        }
        self.owners(key).find(|entry| is_later(entry, self.object)).map(Evidence::managed)
    }

    fn owners(&self, key: &str) -> impl Iterator<Item = &ManagedEntry<'a>> {
        let owners = self.owners.get_or_init(|| Owners::of(self.object, self.place));
        let of_key = owners.of_key.get(key).into_iter().flatten();
        of_key.filter_map(|at| owners.managed.get(*at))
    }
}

impl<'a> Owners<'a> {
    fn of(object: &Object<'a>, place: Place) -> Self {
        let mut owners = Owners { managed: object.managed(), of_key: HashMap::new() };
        let taints = if place == Place::Taint { taints(object) } else { Vec::new() };
        for (at, entry) in owners.managed.iter().enumerate() {
            let field = match place {
                Place::Annotation => "f:annotations",
                Place::Label => "f:labels",
                // `spec.taints` is one atomic list: its last writer owns all that is in it, and nothing that is not.
                Place::Taint => {
                    if entry.owns(&["f:spec", "f:taints"]) {
                        for taint in &taints {
                            owners.of_key.entry(taint.key.0.clone()).or_default().push(at);
                        }
                    }
                    continue;
                }
            };
            for key in entry.children(&["f:metadata", field]) {
                owners.of_key.entry(key.0).or_default().push(at);
            }
        }
        owners
    }
}

/// Whose `key` at `place` of a node is.
pub fn of_node_key(node: &Object<'_>, place: Place, key: &str, data: &Data) -> Origin {
    Keys::of(node, place, data).origin(key)
}

/// As [`Keys::person`], for one key.
pub fn person_owner(object: &Object<'_>, place: Place, key: &str, data: &Data) -> Option<Evidence> {
    Keys::of(object, place, data).person(key)
}

/// Whether the system made a key without anybody's managedFields being asked: the tables or the node's own list say so.
pub fn is_listed(node: &Object<'_>, place: Place, key: &str, data: &Data) -> bool {
    match data.node_keys.ruling(place, key) {
        Ruling::Known(_) => true,
        Ruling::Exception(_) => false,
        Ruling::Guess(_) | Ruling::Silent => from_machine(node, place).any(|listed| listed == key),
    }
}

/// Whether an entry was written after the object was created. Whoever creates an object owns its fields without having
/// changed anything; times have whole seconds, and without them nothing is proved.
pub fn is_later(entry: &ManagedEntry<'_>, object: &Object<'_>) -> bool {
    match (&entry.time, &object.meta.creation_timestamp) {
        (Some(time), Some(created)) => **time > **created,
        _ => false,
    }
}

/// Whether an entry is of a second hand: of somebody who wrote what another had made. Whoever makes an object owns its fields
/// without having changed anything, and when they write it again, the API server dates all that they own anew. So it takes
/// another who was there before: the maker, where the object tells, or somebody of its first second, or whoever `first` says.
pub fn is_second_hand(
    entry: &ManagedEntry<'_>,
    managed: &[ManagedEntry<'_>],
    object: &Object<'_>,
    first: impl Fn(&ManagedEntry<'_>) -> bool,
) -> bool {
    if !is_later(entry, object) {
        return false;
    }
    if let Some(maker) = maker(managed) {
        return maker.manager != entry.manager;
    }
    let writers = || managed.iter().filter(|other| &*other.subresource != "status");
    let there = |other: &ManagedEntry<'_>| !is_later(other, object);
    !writers().any(|own| own.manager == entry.manager && there(own))
        && writers().any(|other| other.manager != entry.manager && (there(other) || first(other)))
}

/// The entry of whoever made a custom resource: only its creation sets `spec` as such, and nobody takes that over. Objects of
/// Kubernetes' own kinds do not tell, nor does what was made by server-side apply.
pub fn maker<'m, 'a>(managed: &'m [ManagedEntry<'a>]) -> Option<&'m ManagedEntry<'a>> {
    managed.iter().find(|entry| entry.owns(&["f:spec", "."]))
}

/// What an entry owns alone below a top-level field. Who changes a value takes it from all its other owners: what is shared
/// with one of `others` is unchanged. An item of a list that the entry added is one path, whatever is in it.
pub fn taken<'m, 'a: 'm>(
    entry: &ManagedEntry<'_>,
    field: &str,
    others: impl Iterator<Item = &'m ManagedEntry<'a>>,
) -> Vec<String> {
    let unchanged: BTreeSet<String> = others.flat_map(|other| other.leaves(field)).collect();
    let mut taken: Vec<String> = Vec::new();
    for leaf in entry.leaves(field).into_iter().filter(|leaf| !unchanged.contains(leaf)) {
        // What is in an item comes right behind it.
        let item = taken.last().filter(|last| last.ends_with(']'));
        if !item.is_some_and(|item| is_within(&leaf, item)) {
            taken.push(leaf);
        }
    }
    taken
}

/// Whether a path is another one, or leads into what stands there.
pub fn is_within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Whether an entry is a person's tool at work. Helm is not, on an object of a release of the platform's: its agents keep
/// themselves up to date with it.
pub fn is_hand(entry: &ManagedEntry<'_>, object: &Object<'_>, data: &Data) -> bool {
    data.managers.person(&entry.manager).is_some()
        && !(data.provenance.helm_managers.iter().any(|own| **own == *entry.manager)
            && is_platform_release(object, data))
}

/// Whether an object belongs to a Helm release of the platform's.
pub fn is_platform_release(object: &Object<'_>, data: &Data) -> bool {
    let release = object.meta.annotations.get("meta.helm.sh/release-name");
    release.is_some_and(|release| data.provenance.helm_releases.iter().any(|own| own == release))
}

/// Whether an object is the platform's by a mark that a person's later hand leaves where it is: a release of the platform's, or
/// a system manager that wrote when it was created.
pub fn is_made_by_platform(object: &Object<'_>, data: &Data) -> bool {
    let first = |entry: &ManagedEntry<'_>| data.managers.platform(&entry.manager).is_some() && !is_later(entry, object);
    is_platform_release(object, data)
        || object.managed().iter().any(|entry| &*entry.subresource != "status" && first(entry))
}

/// Whether an update of an object of the platform's release is Helm's own, as far as its managedFields tell: Microsoft's
/// command line runs Helm as whoever is signed in.
pub fn is_release_update(before: &Object<'_>, after: &Object<'_>, data: &Data) -> bool {
    let helm = |entry: &&ManagedEntry<'_>| data.provenance.helm_managers.iter().any(|own| **own == *entry.manager);
    if !is_platform_release(before, data) || !is_platform_release(after, data) {
        return false;
    }
    let (old, new) = (before.managed(), after.managed());
    new.iter()
        .filter(helm)
        .any(|entry| !old.iter().any(|other| other.manager == entry.manager && other.time == entry.time))
}

/// The keys Cluster API sets on this node: `cluster.x-k8s.io/labels-from-machine` and its two siblings, comma-separated
/// (Cluster API, node annotations).
fn from_machine<'o>(node: &'o Object<'_>, place: Place) -> impl Iterator<Item = &'o str> {
    let annotation = match place {
        Place::Annotation => "cluster.x-k8s.io/annotations-from-machine",
        Place::Label => "cluster.x-k8s.io/labels-from-machine",
        Place::Taint => "cluster.x-k8s.io/taints-from-machine",
    };
    let listed = node.meta.annotations.get(annotation).unwrap_or_default();
    // Taints are listed as key:effect.
    listed.split(',').map(|item| item.trim().split(':').next().unwrap_or_default()).filter(|item| !item.is_empty())
}

/// Whose an object among managed ones is, by positive evidence only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// A person's, and how we know.
    Person(Evidence),
    /// The platform's, and how we know.
    Platform(String),
    /// Nothing tells.
    Unrecognised,
}

/// Whose an object is that is no catalogued component.
///
/// The platform's: a platform owner, only system managers, a release of the platform's own, or an image of Microsoft's
/// registries with no person's manager. A person's: a person's tool in managedFields, unless the platform made the object,
/// or marks of Helm, Argo CD or Flux of another release.
pub fn of_object(object: &Object<'_>, data: &Data) -> Provenance {
    let meta = &object.meta;
    let release = meta.annotations.get("meta.helm.sh/release-name").or_else(|| meta.labels.get("release"));
    if let Some(release) = meta.annotations.get("meta.helm.sh/release-name")
        && data.provenance.helm_releases.iter().any(|own| own == release)
    {
        return Provenance::Platform(format!("Helm release {release} is the platform's"));
    }
    let managed = object.managed();
    let writers: Vec<&ManagedEntry<'_>> = managed.iter().filter(|entry| &*entry.subresource != "status").collect();
    let is_platform = |entry: &&ManagedEntry<'_>| data.managers.platform(&entry.manager).is_some();
    let is_person = |entry: &&&ManagedEntry<'_>| data.managers.person(&entry.manager).is_some();
    let person = writers.iter().find(is_person);
    if let Some(entry) = person {
        // What somebody else made and a person touched later is changed, not added. RFC 3339 in UTC sorts as text.
        let when = |entry: &ManagedEntry<'_>| entry.time.as_ref().map(ToString::to_string).unwrap_or_default();
        let first = writers.iter().filter(is_person).map(|entry| when(entry)).min().unwrap_or_default();
        let others = || writers.iter().filter(|entry| !is_person(entry) && when(entry) < first);
        if others().next().is_none() {
            return Provenance::Person(Evidence::managed(entry));
        }
        if others().any(is_platform) {
            return Provenance::Unrecognised;
        }
    }
    let marks = &data.provenance.person_marks;
    let label = marks.labels.iter().find_map(|mark| Some((mark, meta.labels.get(&mark.key)?)));
    let annotation = || marks.annotations.iter().find_map(|mark| Some((mark, meta.annotations.get(&mark.key)?)));
    if let Some((mark, value)) = label.or_else(annotation) {
        let detail = format!("{} set {}={}", mark.tool, mark.key, crate::text::line(value, 80));
        return Provenance::Person(Evidence::seen("mark", detail));
    }
    if !writers.is_empty() && writers.iter().all(is_platform) {
        return Provenance::Platform("written by system managers only".to_owned());
    }
    // Without managedFields nobody can say "no person's manager", so an image alone tells nothing.
    let images = images(object);
    let microsoft =
        |image: &String| data.provenance.image_registries.iter().any(|registry| image.starts_with(&**registry));
    if !managed.is_empty()
        && person.is_none()
        && !images.is_empty()
        && images.iter().all(microsoft)
        && release.is_none()
    {
        return Provenance::Platform(
            "all images are from Microsoft's registries, and no person's tool wrote it".to_owned(),
        );
    }
    Provenance::Unrecognised
}

/// The images of a workload, from wherever its kind keeps the pod template.
pub fn images(object: &Object<'_>) -> Vec<String> {
    let Some(spec) = object.field::<serde_json::Value>("spec") else { return Vec::new() };
    let pod = ["/template/spec", "/jobTemplate/spec/template/spec"]
        .iter()
        .find_map(|path| spec.pointer(path))
        .unwrap_or(&spec);
    ["initContainers", "containers"]
        .iter()
        .filter_map(|list| pod.get(list)?.as_array())
        .flatten()
        .filter_map(|container| Some(container.get("image")?.as_str()?.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::embedded;

    fn person_of(managed: &str) -> Option<Evidence> {
        let json = format!(
            r#"{{"metadata":{{"creationTimestamp":"2026-03-02T08:00:00Z","labels":{{"a/b":"c"}},"managedFields":[{managed}]}}}}"#
        );
        let node: Object<'_> = serde_json::from_str(&json).unwrap();
        person_owner(&node, Place::Label, "a/b", embedded())
    }

    fn entry(manager: &str, time: &str) -> String {
        format!(
            r#"{{"manager":"{manager}","time":"{time}","fieldsV1":{{"f:metadata":{{"f:labels":{{"f:a/b":{{}}}}}}}}}}"#
        )
    }

    /// Which of the writers, as `manager operation time fields`, are of a second hand.
    fn second_hands(writers: &[(&str, &str, &str, &str)], first: &str) -> Vec<String> {
        let entries: Vec<String> = writers
            .iter()
            .map(|(manager, operation, time, fields)| {
                format!(
                    r#"{{"manager":"{manager}","operation":"{operation}","time":"2026-03-02T{time}Z","fieldsV1":{{"f:spec":{fields}}}}}"#
                )
            })
            .collect();
        let json = format!(
            r#"{{"metadata":{{"creationTimestamp":"2026-03-02T08:00:00Z","managedFields":[{}]}}}}"#,
            entries.join(",")
        );
        let object: Object<'_> = serde_json::from_str(&json).unwrap();
        let managed = object.managed();
        let second =
            |entry: &&ManagedEntry<'_>| is_second_hand(entry, &managed, &object, |other| &*other.manager == first);
        managed.iter().filter(second).map(|entry| entry.manager.to_string()).collect()
    }

    #[test]
    fn a_second_hand_needs_somebody_who_was_there_before() {
        let (born, later, last) = ("08:00:00", "09:00:00", "10:00:00");
        let (made, wrote) = (r#"{".":{},"f:a":{}}"#, r#"{"f:b":{}}"#);
        let of = |writers: &[(&str, &str, &str, &str)]| second_hands(writers, "platform");
        // The maker of a custom resource shows whenever it wrote last, and whoever was quick to write too.
        assert_eq!(of(&[("maker", "Update", last, made), ("kubectl", "Update", later, wrote)]), ["kubectl"]);
        assert_eq!(of(&[("kubectl", "Update", later, made), ("manager", "Update", born, wrote)]), Vec::<String>::new());
        // Of another kind the first second tells.
        assert_eq!(of(&[("kubeadm", "Update", born, wrote), ("kubectl", "Update", later, wrote)]), ["kubectl"]);
        assert_eq!(of(&[("kubectl", "Update", born, wrote)]), Vec::<String>::new());
        assert_eq!(of(&[("kubectl", "Update", later, wrote)]), Vec::<String>::new());
        assert_eq!(
            of(&[("kubectl", "Update", later, wrote), ("operator", "Update", last, wrote)]),
            Vec::<String>::new()
        );
        // Who was there from the beginning may be the maker, through whatever subresource they write later.
        assert_eq!(
            of(&[("helm", "Update", born, wrote), ("helm", "Apply", later, wrote), ("kubelet", "Update", born, wrote)]),
            Vec::<String>::new()
        );
        // Unless somebody is known to have been the first.
        assert_eq!(of(&[("platform", "Update", last, wrote), ("kubectl", "Update", later, wrote)]), ["kubectl"]);
    }

    #[test]
    fn an_added_item_is_one_path_and_what_is_shared_is_not_taken() {
        let json = r#"{"metadata":{"managedFields":[
            {"manager":"a","fieldsV1":{"f:spec":{"f:containers":{"k:{\"name\":\"x\"}":{".":{},"f:image":{}}}}}},
            {"manager":"b","fieldsV1":{"f:spec":{"f:containers":{
                "k:{\"name\":\"x\"}":{".":{},"f:image":{},"f:tty":{}},
                "k:{\"name\":\"y\"}":{".":{},"f:image":{},"f:ports":{"k:{\"port\":1}":{".":{},"f:port":{}}}}},
                "f:replicas":{}}}}]}}"#;
        let object: Object<'_> = serde_json::from_str(json).unwrap();
        let managed = object.managed();
        let [first, second] = managed.as_slice() else { panic!("two entries") };
        let taken = taken(second, "spec", std::iter::once(first));
        assert_eq!(taken, ["spec.containers[name=x].tty", "spec.containers[name=y]", "spec.replicas"]);
    }

    #[test]
    fn who_shares_a_value_with_the_system_has_not_changed_it() {
        let (born, later) = ("2026-03-02T08:00:00Z", "2026-05-18T09:14:00Z");
        let (person, system) = (entry("kubectl", later), entry("kubelet", born));
        assert!(person_of(&person).is_some());
        assert!(person_of(&format!("{person},{}", entry("helm", later))).is_some());
        assert!(person_of(&format!("{person},{system}")).is_none());
        assert!(person_of(&entry("kubectl", born)).is_none());
    }
}
