//! The time of an entry of managedFields: at the object's creation, or later.

use crate::k8s::object::{ManagedEntry, Object};

/// Whether an entry was written after the object was created. The creator owns fields without having changed anything;
/// times have whole seconds, and without them nothing is proved. Nothing is created through `scale`, and the API server
/// records no time for writes through it (measured on 1.33, 2026-11-29).
pub fn is_later(entry: &ManagedEntry<'_>, object: &Object<'_>) -> bool {
    if &*entry.subresource == "scale" {
        return true;
    }
    match (&entry.time, &object.meta.creation_timestamp) {
        (Some(time), Some(created)) => **time > **created,
        _ => false,
    }
}

/// Whether an entry was written in the second of the object's creation. Without times nothing is proved.
pub(crate) fn is_of_birth(entry: &ManagedEntry<'_>, object: &Object<'_>) -> bool {
    entry.time.is_some() && object.meta.creation_timestamp.is_some() && !is_later(entry, object)
}
