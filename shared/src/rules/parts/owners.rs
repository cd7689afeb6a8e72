//! Drafts on changes of an object's owners.

use crate::facts::change::Change;
use crate::finding::Draft;
use crate::k8s::object::Owner;
use crate::rules::parts::target::target;

/// A draft: the change gives the object an owner, and garbage collection deletes it together with that owner.
pub(crate) fn owned(change: &Change<'_>, owner: &Owner<'_>) -> Draft {
    let (kind, owner) = (change.kind.kind, format!("{} {}", &*owner.kind, &*owner.name));
    Draft::at(target(change), "metadata.ownerReferences")
        .values(None, Some(&owner))
        .says(format!("{kind} {} would get the owner {owner}, and be deleted with it", change.name))
}

/// A draft: the change drops `owner`. `what` names the object for people.
pub(crate) fn disowned(change: &Change<'_>, owner: &Owner<'_>, what: &str) -> Draft {
    let owner = format!("{} {}", &*owner.kind, &*owner.name);
    Draft::at(target(change), "metadata.ownerReferences")
        .values(Some(&owner), None)
        .says(format!("{what} would lose its owner {owner}, and outlive it"))
}
