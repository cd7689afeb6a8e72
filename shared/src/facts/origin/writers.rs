//! When an entry of managedFields was written: with the object, or later.

use crate::k8s::object::{ManagedEntry, Object};

/// Whether an entry was written after the object was created. Whoever creates an object owns its fields without having
/// changed anything; times have whole seconds, and without them nothing is proved. Nothing is created through `scale`, and the
/// API server gives what is written through it no time (measured on 1.33, 2026-11-29).
pub fn is_later(entry: &ManagedEntry<'_>, object: &Object<'_>) -> bool {
    if &*entry.subresource == "scale" {
        return true;
    }
    match (&entry.time, &object.meta.creation_timestamp) {
        (Some(time), Some(created)) => **time > **created,
        _ => false,
    }
}

/// Whether an entry was written in the second in which the object was created; without times nothing is proved.
pub(crate) fn is_of_birth(entry: &ManagedEntry<'_>, object: &Object<'_>) -> bool {
    entry.time.is_some() && object.meta.creation_timestamp.is_some() && !is_later(entry, object)
}
