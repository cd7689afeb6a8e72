//! Manifests of nodes. Nobody creates a node of AKS Arc from a manifest: repositories contain labels and taints of
//! existing nodes, so a manifest is judged as an update of that node.

use crate::data::{Data, Place, Ruling};
use crate::facts::change::{Change, Operation};
use crate::facts::origin::Keys;
use crate::finding::{Code, Consequence, Draft, Evidence};
use crate::k8s::kinds;
use crate::k8s::object::Object;
use crate::rules::rule::{ManifestUse, Rule};

/// The drafts for a manifest of a node, by code, and the reason why they do not count, if any. `creation` is the
/// creation of the object in the manifest.
pub(super) fn judge(
    creation: &Change<'_>,
    rules: &[&'static Rule],
    data: &Data,
) -> (Vec<(Code, Vec<Draft>)>, Option<String>) {
    let Some(after) = &creation.after else { return (Vec::new(), None) };
    let before = Box::new(taken(after, data));
    let update = Change::new(Operation::Update, &kinds::NODE, "", Some(before), Some(after.clone()));
    let note = || Evidence::seen("manifest", format!("judged as an update of node {}", creation.name));
    let judged = rules.iter().filter_map(|rule| {
        let judge = rule.change?;
        let drafts = match rule.manifests {
            // Other fields of the manifest, such as the hostname, are the node's own.
            ManifestUse::AsNodeUpdate => judge(&update, data).into_iter().map(|draft| draft.with(note())).collect(),
            ManifestUse::AsNodeCreation => {
                judge(creation, data).into_iter().map(|draft| as_note(draft, &creation.name)).collect()
            }
            _ => return None,
        };
        Some((rule.code, drafts))
    });
    let judged = judged.collect();
    (judged, update.unread())
}

/// The assumed node before the update: it has the metadata that the system gives every node, with the manifest's
/// values.
fn taken<'a>(manifest: &Object<'a>, data: &Data) -> Object<'a> {
    let mut node = Object::default();
    node.api_version = manifest.api_version.clone();
    node.kind = manifest.kind.clone();
    node.meta.name = manifest.meta.name.clone();
    let is_there = |keys: &Keys<'_, '_>, key: &str| {
        let known = matches!(data.node_keys.ruling(keys.place(), key), Ruling::Known(row) if !row.elsewhere);
        known || keys.is_of_machine(key)
    };
    let [labels, annotations] = [Place::Label, Place::Annotation].map(|place| Keys::of(manifest, place, data));
    node.meta.labels = manifest.meta.labels.only(|key| is_there(&labels, key));
    node.meta.annotations = manifest.meta.annotations.only(|key| is_there(&annotations, key));
    node
}

/// Turns a draft on the creation of a node into a note: the manifest only creates a node if none of that name exists,
/// which it does not show.
fn as_note(draft: Draft, name: &str) -> Draft {
    let says = format!("judged as an update of node {name}; if there is no such node, applying this makes one by hand");
    draft.says(says).lighter(Consequence::Info)
}
