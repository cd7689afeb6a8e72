//! Whether a namespace of a system's name is the system's, or was made by somebody under that name.

use crate::data::{Confidence, Data, SystemNamespace};
use crate::facts::origin::{self, Provenance};
use crate::finding::Evidence;
use crate::k8s::object::{ManagedEntry, Object};

/// Whose a namespace of a system's name is.
#[derive(Debug)]
pub(crate) enum Whose {
    /// Somebody's, as the evidence shows, under a name that no document gives to the platform.
    Somebodys,
    /// The platform's by its name, although somebody made it.
    Taken(Evidence),
    /// The platform's by its name, and nothing shows who made it; no document gives it the name.
    Unknown,
    /// The platform's.
    Systems,
}

impl Whose {
    /// Tells it from what the namespace bears; `row` is what is known of its name.
    pub(crate) fn of(namespace: &Object<'_>, row: &SystemNamespace, data: &Data) -> Self {
        // Nobody else can have made these, whatever stands in their managedFields.
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

/// Who made a namespace. Whoever wrote in it later has not made it.
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

/// Whether Helm made a namespace for the release of the platform's that is kept there, or as a part of one: Microsoft's command
/// line runs Helm as whoever is signed in.
pub(crate) fn is_made_by_release(namespace: &Object<'_>, row: &SystemNamespace, data: &Data) -> bool {
    let by_helm = || namespace.managed().iter().any(|entry| data.provenance.is_helm(&entry.manager));
    origin::is_release_write(namespace, data) || row.keeps_release && by_helm()
}
