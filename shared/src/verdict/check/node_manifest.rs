//! ManifestUse of nodes. Nobody makes a node of AKS Arc by one: what is kept in a repository are labels and taints of a node that
//! is there, so applying it is judged as an update of that node.

use crate::data::{Data, Place, Ruling};
use crate::facts::change::{Change, Operation};
use crate::facts::origin::Keys;
use crate::finding::{Code, Consequence, Draft, Evidence};
use crate::k8s::kinds;
use crate::k8s::object::Object;
use crate::rules::rule::{ManifestUse, Rule};

/// What the rules say of a manifest of a node, by code, and why that counts for nothing, if so. `creation` is the change that it
/// would be if there were no such node.
pub(super) fn judge(
    creation: &Change<'_>,
    rules: &[&'static Rule],
    data: &Data,
) -> (Vec<(Code, Vec<Draft>)>, Option<String>) {
    let Some(after) = &creation.after else { return (Vec::new(), None) };
    let update = Change::new(Operation::Update, &kinds::NODE, "", Some(taken(after, data)), Some(after.clone()));
    let note = || Evidence::seen("manifest", format!("judged as an update of node {}", creation.name));
    let judged = rules.iter().filter_map(|rule| {
        let judge = rule.change?;
        let drafts = match rule.manifests {
            // What else it says of the node, its hostname for one, is the node's own to say.
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

/// The node that the manifest is taken for: it has what the system gives every node, as the manifest says it.
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

/// That a node would be made by hand is said of a manifest only if there is no node of that name, which no manifest tells.
fn as_note(draft: Draft, name: &str) -> Draft {
    let says = format!("judged as an update of node {name}; if there is no such node, applying this makes one by hand");
    draft.says(says).lighter(Consequence::Info)
}
