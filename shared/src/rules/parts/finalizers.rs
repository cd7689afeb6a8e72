//! Drafts on finalizers, which block the deletion of an object.

use std::collections::HashSet;

use crate::command::Command;
use crate::data::Data;
use crate::facts::change::{Change, Operation};
use crate::finding::{Draft, Evidence, ObjectRef};
use crate::k8s::kinds::Kind;
use crate::k8s::object::Object;
use crate::rules::parts::node_metadata::{MAX_KEYS, later_hands};
use crate::rules::parts::target::target;

/// The finalizers on `after` that `before` lacks, in their order.
pub(crate) fn added_finalizers<'o>(before: &Object<'_>, after: &'o Object<'_>) -> Vec<&'o str> {
    if before.meta.finalizers == after.meta.finalizers {
        return Vec::new();
    }
    let had: HashSet<&str> = before.meta.finalizers.iter().flatten().map(|name| &**name).collect();
    after.meta.finalizers.iter().flatten().map(|name| &**name).filter(|name| !had.contains(name)).collect()
}

/// A draft for each finalizer that an update adds, through whatever subresource. `what` names the object whose deletion
/// it blocks.
pub(crate) fn new_finalizers(change: &Change<'_>, what: &str) -> Vec<Draft> {
    let (Operation::Update, Some(before), Some(after)) = (change.operation, &change.before, &change.after) else {
        return Vec::new();
    };
    let drafts = added_finalizers(before, after).into_iter().take(MAX_KEYS).map(|name| {
        Draft::at(target(change), format!("metadata.finalizers[{name}]"))
            .values(None, Some(name))
            .says(format!("{what}: finalizer {name} would block its deletion"))
            .agents_may()
    });
    drafts.collect()
}

/// A draft, with the way back, for each finalizer that a person's tool added after the object was created. `what` names
/// the object.
pub(crate) fn finalizers_of_people(object: &Object<'_>, kind: &Kind, what: &str, data: &Data) -> Vec<Draft> {
    let names: Vec<&str> = object.meta.finalizers.iter().flatten().map(|name| &**name).collect();
    let mut drafts = Vec::new();
    for name in names.iter().take(MAX_KEYS) {
        let path = ["f:metadata", "f:finalizers", &format!("v:{}", serde_json::Value::from(*name))];
        let Some(entry) = later_hands(object, data).find(|entry| entry.owns(&path)) else { continue };
        // A merge patch replaces the whole list: the other finalizers stay.
        let left: Vec<&&str> = names.iter().filter(|other| *other != name).collect();
        let body = serde_json::json!({"metadata": {"finalizers": left}}).to_string();
        drafts.push(
            Draft::at(ObjectRef::of(object, kind), format!("metadata.finalizers[{name}]"))
                .values(None, Some(name))
                .surplus()
                .says(format!("{what}: finalizer {name} was added by hand, and blocks its deletion"))
                .with(Evidence::managed(entry))
                .fix(
                    Command::kubectl(["patch", &kind.kind.to_lowercase()])
                        .name(&object.meta.name)
                        .word("--type=merge")
                        .word("-p")
                        .word(&body),
                ),
        );
    }
    drafts
}
