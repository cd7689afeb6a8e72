//! The origin of metadata and objects: whether the system or the user made them, and the evidence for it.

mod hands;
mod heaviest;
mod keys;
mod paths;
mod writers;

use std::collections::HashSet;

use crate::data::Data;
use crate::finding::Evidence;
use crate::k8s::object::{ManagedEntry, Object};

pub(crate) use hands::{FirstWriters, maker};
pub(crate) use heaviest::{FieldRank, Heaviest};
pub(crate) use keys::owned_keys;
pub use keys::{Keys, Origin};
pub(crate) use paths::{Paths, Step, each_taken, heaviest_taken, spell, spell_briefly};
pub use writers::is_later;
pub(crate) use writers::is_of_birth;

/// Whether an entry shows a person's tool at work. Helm does not count on an object of a platform release, since the
/// platform's agents use Helm to update themselves.
pub fn is_hand(entry: &ManagedEntry<'_>, object: &Object<'_>, data: &Data) -> bool {
    data.managers.person(&entry.manager).is_some()
        && !(data.provenance.is_helm(&entry.manager) && is_platform_release(object, data))
}

/// Whether an object belongs to a Helm release of the platform.
pub fn is_platform_release(object: &Object<'_>, data: &Data) -> bool {
    let release = object.meta.annotations.get("meta.helm.sh/release-name");
    release.is_some_and(|release| data.provenance.helm_releases.iter().any(|own| own == release))
}

/// Whether the platform made an object, by a mark that a person's later write leaves in place: a release of the
/// platform, or a system manager that wrote at the object's creation.
pub fn is_made_by_platform(object: &Object<'_>, data: &Data) -> bool {
    let first = |entry: &ManagedEntry<'_>| data.managers.platform(&entry.manager).is_some() && !is_later(entry, object);
    is_platform_release(object, data)
        || object.managed().iter().any(|entry| &*entry.subresource != "status" && first(entry))
}

/// The Helm release named by the marks of an object. Helm marks the objects that it creates; pods have the labels of
/// their chart.
pub fn helm_release<'o>(object: &'o Object<'_>) -> &'o str {
    let (annotations, labels) = (&object.meta.annotations, &object.meta.labels);
    let by_chart = labels.get("app.kubernetes.io/managed-by") == Some("Helm") || labels.get("helm.sh/chart").is_some();
    let label = || labels.get("app.kubernetes.io/instance").or_else(|| labels.get("release")).filter(|_| by_chart);
    annotations.get("meta.helm.sh/release-name").or_else(label).unwrap_or_default()
}

/// Whether an update of an object in a platform release was made by Helm, according to its managedFields. Microsoft's
/// command line runs Helm as the signed-in user.
pub fn is_release_update(before: &Object<'_>, after: &Object<'_>, data: &Data) -> bool {
    if !is_platform_release(before, data) || !is_platform_release(after, data) {
        return false;
    }
    let when = |entry: &ManagedEntry<'_>| entry.time.as_ref().map(ToString::to_string);
    let write = |entry: &ManagedEntry<'_>| (entry.manager.to_string(), when(entry));
    let old: HashSet<_> = before.managed().iter().map(write).collect();
    let is_helm = |entry: &&ManagedEntry<'_>| data.provenance.is_helm(&entry.manager);
    let mut new = after.managed().iter().filter(|entry| !old.contains(&write(entry))).peekable();
    if new.peek().is_some() {
        return new.any(|entry| is_helm(&entry));
    }
    // A time is in whole seconds. A manager's second write in one second leaves the times as they were, and its own is
    // the latest. RFC 3339 times in UTC sort as text.
    let latest = after.managed().iter().map(when).max();
    after.managed().iter().filter(is_helm).any(|entry| latest == Some(when(entry)))
}

/// Whether an object of a platform release was written by Helm, according to its managedFields.
pub fn is_release_write(object: &Object<'_>, data: &Data) -> bool {
    is_platform_release(object, data) && object.managed().iter().any(|entry| data.provenance.is_helm(&entry.manager))
}

/// The owner of an object among managed ones, by positive evidence only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// A person, with the evidence.
    Person(Evidence),
    /// The platform, with the evidence.
    Platform(String),
    /// Unknown.
    Unrecognised,
}

/// The owner of an object that is not a catalogued component.
///
/// The platform owns it if it has a platform owner, only system managers, a release of the platform, or an image from
/// Microsoft's registries without a person's manager. A person owns it if managedFields show a people's tool, unless
/// the platform made the object, or if it has marks of Helm, Argo CD or Flux of another release.
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
        // An object that somebody else made and a person changed later is changed, not added. RFC 3339 times in UTC
        // sort as text.
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
    // Without managedFields it is unknown whether a person wrote the object, so an image alone proves nothing.
    let images = images(object);
    if !managed.is_empty()
        && person.is_none()
        && !images.is_empty()
        && images.iter().all(|image| data.provenance.is_microsofts(image))
        && release.is_none()
    {
        return Provenance::Platform(
            "all images are from Microsoft's registries, and no person's tool wrote it".to_owned(),
        );
    }
    Provenance::Unrecognised
}

/// The images of a workload, wherever its kind keeps the pod template.
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
    use crate::data::{Place, embedded};

    fn person_of(managed: &str) -> Option<Evidence> {
        let json = format!(
            r#"{{"metadata":{{"creationTimestamp":"2026-03-02T08:00:00Z","labels":{{"a/b":"c"}},"managedFields":[{managed}]}}}}"#
        );
        let node: Object<'_> = serde_json::from_str(&json).unwrap();
        Keys::of(&node, Place::Label, embedded()).person("a/b")
    }

    fn entry(manager: &str, time: &str) -> String {
        format!(
            r#"{{"manager":"{manager}","time":"{time}","fieldsV1":{{"f:metadata":{{"f:labels":{{"f:a/b":{{}}}}}}}}}}"#
        )
    }

    #[test]
    fn a_writer_that_shares_a_value_with_the_system_has_not_changed_it() {
        let (born, later) = ("2026-03-02T08:00:00Z", "2026-05-18T09:14:00Z");
        let (person, system) = (entry("kubectl", later), entry("kubelet", born));
        assert!(person_of(&person).is_some());
        assert!(person_of(&format!("{person},{}", entry("helm", later))).is_some());
        assert!(person_of(&format!("{person},{system}")).is_none());
        assert!(person_of(&entry("kubectl", born)).is_none());
    }
}
