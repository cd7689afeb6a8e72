//! Lookups of managed components, and of the component an object belongs to.

use crate::data::{Component, Confidence, Data};
use crate::facts::change::Change;
use crate::facts::origin;
use crate::k8s::kinds;
use crate::k8s::object::Object;

/// The catalogued component with a kind, namespace and name. Arc agents are left out: they have a rule of their own.
pub(crate) fn component<'d>(data: &'d Data, kind: &str, namespace: &str, name: &str) -> Option<&'d Component> {
    let arc = data.namespaces.protected(namespace).is_some_and(|row| row.owner == "arc");
    data.component(kind, namespace, name).filter(|_| !arc)
}

/// Whether an object with a component's name is the user's own: no document gives the name to AKS Arc (upstream's chart
/// uses it too), and the object bears the mark of a person's release and runs no image of Microsoft's.
pub(crate) fn is_theirs(object: &Object<'_>, component: &Component, data: &Data) -> bool {
    if component.confidence == Confidence::Doc || origin::is_platform_release(object, data) {
        return false;
    }
    let (meta, marks) = (&object.meta, &data.provenance.person_marks);
    let marked = marks.labels.iter().any(|mark| meta.labels.get(&mark.key).is_some())
        || marks.annotations.iter().any(|mark| meta.annotations.get(&mark.key).is_some());
    marked && !origin::images(object).iter().any(|image| data.provenance.is_microsofts(image))
}

/// The component a pod or ReplicaSet belongs to, by its owner.
pub(crate) fn owning_component<'d>(kind: &kinds::Kind, object: &Object<'_>, data: &'d Data) -> Option<&'d Component> {
    let is_owned = matches!(kind.kind, "Pod" | "ReplicaSet");
    by_owner(object, |kind, name| component(data, kind, &object.meta.namespace, name)).filter(|_| is_owned)
}

/// The first result of `find` for the kind and name of the workload that owns a pod or ReplicaSet.
pub(crate) fn by_owner<T>(object: &Object<'_>, find: impl Fn(&str, &str) -> Option<T>) -> Option<T> {
    object.owners().iter().find_map(|owner| match &*owner.kind {
        // A Deployment's ReplicaSet is named after it and a hash.
        "ReplicaSet" => find("Deployment", owner.name.rsplit_once('-')?.0),
        kind => find(kind, &owner.name),
    })
}

/// The component a pod or ReplicaSet belongs to: by its owner, or, for the scale subresource, by its name.
pub(crate) fn of_pods<'d>(change: &Change<'_>, data: &'d Data) -> Option<&'d Component> {
    if *change.kind == kinds::REPLICA_SET && change.subresource == "scale" {
        // A Scale has no owner; a ReplicaSet is named after its Deployment and a hash.
        return component(data, "Deployment", &change.namespace, change.name.rsplit_once('-')?.0);
    }
    owning_component(change.kind, change.object()?, data)
}
