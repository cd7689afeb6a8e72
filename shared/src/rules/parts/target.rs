//! The object of a change.

use crate::facts::change::Change;
use crate::finding::ObjectRef;

/// The object of a change; the request's name and namespace take precedence.
pub(crate) fn target(change: &Change<'_>) -> ObjectRef {
    let mut target = change.object().map(|object| ObjectRef::of(object, change.kind)).unwrap_or_default();
    if !change.name.is_empty() {
        target.name.clone_from(&change.name);
    }
    if !change.namespace.is_empty() {
        target.namespace.clone_from(&change.namespace);
    }
    target
}
