//! The owner of a namespace with a system's name: the system, or somebody who took the name.

use crate::data::{Confidence, Data, SystemNamespace};
use crate::facts::origin::{self, Provenance};
use crate::finding::Evidence;
use crate::k8s::object::{ManagedEntry, Object};

/// The owner of a namespace with a system's name.
#[derive(Debug)]
pub(crate) enum Whose {
    /// A user, by the evidence; no document gives the name to the platform.
    Somebodys,
    /// The platform by name, although a person made the namespace.
    Taken(Evidence),
    /// The platform by name, but nothing shows who made the namespace, and no document gives it the name.
    Unknown,
    /// The platform.
    Systems,
}

impl Whose {
    /// The owner of a namespace, from its metadata; `row` is the table's row on its name.
    pub(crate) fn of(namespace: &Object<'_>, row: &SystemNamespace, data: &Data) -> Self {
        // Nobody else can have made these, whatever their managedFields say.
        if row.is_kubernetes() {
            return Whose::Systems;
        }
        let documented = row.confidence == Confidence::Doc;
        match maker(namespace, row, data) {
            Provenance::Person(evidence) if documented => Whose::Taken(evidence),
            Provenance::Person(_) => Whose::Somebodys,
            Provenance::Unrecognised if !documented => Whose::Unknown,
            Provenance::Platform(_) | Provenance::Unrecognised => Whose::Systems,
        }
    }
}

/// The maker of a namespace. A later writer has not made it.
fn maker(namespace: &Object<'_>, row: &SystemNamespace, data: &Data) -> Provenance {
    if origin::is_made_by_platform(namespace, data) || is_made_by_release(namespace, row, data) {
        return Provenance::Platform("made by the platform".to_owned());
    }
    let found = origin::of_object(namespace, data);
    let Provenance::Person(evidence) = &found else { return found };
    let first = |entry: &&ManagedEntry<'_>| {
        data.managers.person(&entry.manager).is_some() && origin::is_of_birth(entry, namespace)
    };
    match namespace.managed().iter().find(first) {
        Some(entry) => Provenance::Person(Evidence::managed(entry)),
        None if evidence.what == "mark" => found,
        None => Provenance::Unrecognised,
    }
}

/// Whether Helm made a namespace for a release of the platform, or as a part of one: Microsoft's command line runs Helm
/// as the user who is signed in.
pub(crate) fn is_made_by_release(namespace: &Object<'_>, row: &SystemNamespace, data: &Data) -> bool {
    let by_helm = || namespace.managed().iter().any(|entry| data.provenance.is_helm(&entry.manager));
    origin::is_release_write(namespace, data) || row.keeps_release && by_helm()
}
