//! The origin of the keys at one place of an object.

use std::cell::{Cell, OnceCell};
use std::collections::HashSet;

use super::writers::is_later;
use crate::data::{Data, Place, Ruling};
use crate::finding::Evidence;
use crate::k8s::object::{ManagedEntry, Object};
use crate::k8s::text::Text;
use crate::k8s::version::Version;

/// The origin of a key on a node. It is decided in this order: the tables of known keys and reserved prefixes with
/// their exceptions, the node's own list of keys that Cluster API sets, managedFields. Any other key is the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A known system key.
    Known,
    /// Under a reserved prefix, but not in the tables.
    Reserved,
    /// Listed on the node by Cluster API.
    FromMachine,
    /// Owned by this system manager.
    SystemManager(String),
    /// The user's, by a silent exception: rules never mention it.
    Excepted,
    /// The system's by our conclusion only, or an administrator's. It accuses nobody.
    Unclear,
    /// The user's.
    User,
}

impl Origin {
    /// Whether the system made the key.
    pub fn is_system(&self) -> bool {
        matches!(self, Origin::Known | Origin::FromMachine | Origin::SystemManager(_))
    }

    /// The reason, as evidence.
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

/// The origin of the keys at one place of an object. The object's evidence is read only when needed, and in full only
/// for those who ask for many keys: most changes touch one, but a node can have a hundred thousand labels, and a search
/// through all of them for each of them would take too long.
#[derive(Debug)]
pub struct Keys<'o, 'a> {
    object: &'o Object<'a>,
    place: Place,
    data: &'o Data,
    machine: OnceCell<HashSet<&'o str>>,
    /// How often an owner was searched for.
    searches: Cell<usize>,
    owners: OnceCell<Vec<OwnedKey<'o, 'a>>>,
}

/// A key with its owners.
type OwnedKey<'o, 'a> = (&'o str, Ownership<'o, 'a>);

/// The owners of a key that matter, however many there are.
#[derive(Clone, Copy, Debug, Default)]
struct Ownership<'o, 'a> {
    /// The first system manager.
    system: Option<&'o ManagedEntry<'a>>,
    /// The first person who wrote after the object was created.
    person: Option<&'o ManagedEntry<'a>>,
    /// The first that is no person.
    other: Option<&'o ManagedEntry<'a>>,
}

impl<'o, 'a> Keys<'o, 'a> {
    /// The keys at `place` of `object`.
    pub fn of(object: &'o Object<'a>, place: Place, data: &'o Data) -> Self {
        Keys { object, place, data, machine: OnceCell::new(), searches: Cell::new(0), owners: OnceCell::new() }
    }

    /// The place.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The origin of `key` on a node.
    pub fn origin(&self, key: &str) -> Origin {
        let ruling = self.ruling(key);
        let system = || self.system(key).map(|entry| Origin::SystemManager(entry.manager.to_string()));
        match ruling {
            Ruling::Exception(exception) if exception.silent => return Origin::Excepted,
            Ruling::Exception(_) => return system().unwrap_or(Origin::User),
            // A key that an agent sets under a name that belongs to the system elsewhere is the agent's.
            Ruling::Known(row) if row.elsewhere && self.is_strangers(key) => return Origin::Reserved,
            Ruling::Known(_) => return Origin::Known,
            // Removing a key that the system no longer sets, or had left behind, changes nothing of the system's.
            Ruling::Lapsed(_) => return Origin::Reserved,
            Ruling::Guess(_) | Ruling::Silent => {}
        }
        let guess = matches!(ruling, Ruling::Guess(_));
        if self.data.node_keys.reserved(key).is_some() && !guess {
            // An unknown key under a reserved prefix is the system's, unless a person put it there.
            return system().unwrap_or(Origin::Reserved);
        }
        if self.machine().contains(key) {
            return Origin::FromMachine;
        }
        system().unwrap_or(if guess { Origin::Unclear } else { Origin::User })
    }

    /// Whether the tables or the node's own list name `key` as the system's, without a look at managedFields.
    pub fn is_listed(&self, key: &str) -> bool {
        match self.ruling(key) {
            Ruling::Known(_) => true,
            Ruling::Exception(_) | Ruling::Lapsed(_) => false,
            Ruling::Guess(_) | Ruling::Silent => self.machine().contains(key),
        }
    }

    /// Whether the system put `key` on this node, according to the node: the tables or the node's own list name it, and
    /// no person wrote it. A key that the tables know from elsewhere also needs a system manager as owner.
    pub fn is_put_by_system(&self, key: &str) -> bool {
        let told = || match self.ruling(key) {
            Ruling::Known(row) => !row.elsewhere || self.system(key).is_some() || self.machine().contains(key),
            _ => true,
        };
        self.is_listed(key) && self.by_person(key).is_none() && told()
    }

    /// Whether the system sets `key` only at other versions than the node's.
    pub fn is_lapsed(&self, key: &str) -> bool {
        matches!(self.ruling(key), Ruling::Lapsed(_))
    }

    /// Whether the node's own list names `key` as its machine's.
    pub fn is_of_machine(&self, key: &str) -> bool {
        self.machine().contains(key)
    }

    /// Whether an owner of `key` is neither a person nor the system.
    pub fn is_strangers(&self, key: &str) -> bool {
        self.stranger(key).is_some()
    }

    /// The entry of the owner of `key` that is neither a person nor the system, unless the system owns the key too.
    pub fn stranger(&self, key: &str) -> Option<&'o ManagedEntry<'a>> {
        let ownership = self.ownership(key);
        // The API server's own name stands for a writer that it does not identify.
        let named = |entry: &&ManagedEntry<'_>| !self.data.managers.is_api_server(&entry.manager);
        ownership.other.filter(|_| ownership.system.is_none()).filter(named)
    }

    /// The verdict of the tables on `key`, at the node's version.
    fn ruling(&self, key: &str) -> Ruling<'o> {
        let kubelet = || Version::parse(&self.object.node_info()?.kubelet_version);
        self.data.node_keys.ruling_at(self.place, key, kubelet)
    }

    /// The entry of the first system manager that owns `key`.
    pub fn system(&self, key: &str) -> Option<&'o ManagedEntry<'a>> {
        self.ownership(key).system
    }

    /// The entry of a person who wrote `key` after the object was created, as evidence.
    pub fn person(&self, key: &str) -> Option<Evidence> {
        self.by_person(key).map(Evidence::managed)
    }

    /// The entry of a person who wrote `key` after the object was created.
    ///
    /// A change of a value takes the key from all its other owners. If another owner is no person, the person has only
    /// applied the existing value (server-side apply) and changed nothing.
    pub fn by_person(&self, key: &str) -> Option<&'o ManagedEntry<'a>> {
        let ownership = self.ownership(key);
        ownership.person.filter(|_| ownership.other.is_none())
    }

    fn machine(&self) -> &HashSet<&'o str> {
        self.machine.get_or_init(|| from_machine(self.object, self.place).collect())
    }

    fn ownership(&self, key: &str) -> Ownership<'o, 'a> {
        if self.searches.get() < MOST_SEARCHES {
            self.searches.set(self.searches.get() + 1);
            return search(key, self.object, self.place, self.data);
        }
        let owners = self.owners.get_or_init(|| owners(self.object, self.place, self.data));
        let found = owners.binary_search_by_key(&key, |(own, _)| own).ok();
        found.and_then(|at| owners.get(at)).map(|(_, ownership)| *ownership).unwrap_or_default()
    }
}

impl<'o, 'a> Ownership<'o, 'a> {
    fn of(entry: &'o ManagedEntry<'a>, object: &Object<'a>, data: &Data) -> Self {
        let person = data.managers.person(&entry.manager).is_some();
        let system = data.managers.platform(&entry.manager).is_some();
        Ownership {
            system: system.then_some(entry),
            person: (person && is_later(entry, object)).then_some(entry),
            other: (!person).then_some(entry),
        }
    }

    fn and(self, other: Self) -> Self {
        Ownership {
            system: self.system.or(other.system),
            person: self.person.or(other.person),
            other: self.other.or(other.other),
        }
    }
}

/// The labels or annotations that a managedFields entry owns. Taints are one list, whose entry does not tell them apart.
pub(crate) fn owned_keys<'o, 'a>(entry: &'o ManagedEntry<'a>, place: Place) -> &'o [Text<'a>] {
    match place {
        Place::Annotation => entry.annotations(),
        Place::Label => entry.labels(),
        Place::Taint => &[],
    }
}

/// The owners of one key at a place, according to managedFields.
fn search<'o, 'a>(key: &str, object: &'o Object<'a>, place: Place, data: &Data) -> Ownership<'o, 'a> {
    let owns = |entry: &ManagedEntry<'_>| match place {
        Place::Taint => {
            entry.owns(&["f:spec", "f:taints"]) && object.taints().iter().any(|taint| taint.key.as_str() == key)
        }
        Place::Annotation | Place::Label => owned_keys(entry, place).iter().any(|own| own.as_str() == key),
    };
    let owners = object.managed().iter().filter(|entry| owns(entry));
    owners.fold(Ownership::default(), |owners, entry| owners.and(Ownership::of(entry, object, data)))
}

/// The owners of the keys at one place, according to managedFields, sorted by key.
fn owners<'o, 'a>(object: &'o Object<'a>, place: Place, data: &Data) -> Vec<OwnedKey<'o, 'a>> {
    let mut of_key: Vec<OwnedKey<'o, 'a>> = Vec::new();
    let mut of_taints: Option<Ownership<'o, 'a>> = None;
    for entry in object.managed() {
        let owner = Ownership::of(entry, object, data);
        if place == Place::Taint && entry.owns(&["f:spec", "f:taints"]) {
            of_taints = Some(of_taints.unwrap_or_default().and(owner));
        }
        of_key.extend(owned_keys(entry, place).iter().map(|key| (key.as_str(), owner)));
    }
    // `spec.taints` is one atomic list: its last writer owns everything in it.
    if let Some(owners) = of_taints {
        of_key.extend(object.taints().iter().map(|taint| (taint.key.as_str(), owners)));
    }
    // The sort is stable: of several owners of one kind the first entry counts.
    of_key.sort_by_key(|(key, _)| *key);
    of_key.dedup_by(|(key, further), (first, owners)| {
        let is_same = key == first;
        if is_same {
            *owners = owners.and(*further);
        }
        is_same
    });
    of_key
}

/// The keys that Cluster API sets on this node, from `cluster.x-k8s.io/labels-from-machine` and its two siblings,
/// comma-separated (Cluster API, node annotations).
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

/// Searches for one key before all are indexed.
const MOST_SEARCHES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::embedded;

    #[test]
    fn a_key_has_the_same_owners_however_many_are_asked_for() {
        let entry = |manager: &str, day: u8, place: &str| {
            format!(
                r#"{{"manager":"{manager}","time":"2026-03-0{day}T08:00:00Z","fieldsV1":{{"f:metadata":{{"f:{place}":{{"f:a":{{}},"f:{manager}":{{}}}}}},"f:spec":{{"f:taints":{{}}}}}}}}"#
            )
        };
        let entries = ["labels", "annotations"].map(|place| {
            let of = |manager, day| entry(manager, day, place);
            [of("kubelet", 2), of("kubectl", 3), of("helm", 4), of("agent", 5)].join(",")
        });
        let json = format!(
            r#"{{"metadata":{{"creationTimestamp":"2026-03-02T08:00:00Z","managedFields":[{}]}},"spec":{{"taints":[{{"key":"a","effect":"NoSchedule"}}]}}}}"#,
            entries.join(",")
        );
        let node: Object<'_> = serde_json::from_str(&json).unwrap();
        for place in [Place::Annotation, Place::Label, Place::Taint] {
            let keys = Keys::of(&node, place, embedded());
            let name = |entry: Option<&ManagedEntry<'_>>| entry.map(|entry| entry.manager.to_string());
            let owners = |key| {
                let ownership = keys.ownership(key);
                [ownership.system, ownership.person, ownership.other].map(name)
            };
            let all = || ["a", "kubelet", "kubectl", "helm", "agent", "none"].map(owners);
            let first = all();
            assert!(first.iter().flatten().any(Option::is_some) && keys.owners.get().is_none());
            for _ in 0..MOST_SEARCHES {
                assert_eq!(all(), first, "{place:?}");
            }
            assert!(keys.owners.get().is_some());
        }
    }
}
