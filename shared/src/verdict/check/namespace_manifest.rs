//! Manifests of namespaces whose accounts count as the platform's. Most such manifests in repositories are metadata for
//! an existing namespace.

use crate::facts::change::Change;
use crate::finding::{Consequence, Draft};
use crate::k8s::kinds;
use crate::rules::aa207;

/// The drafts for a manifest of a namespace. If it contains metadata, it updates the namespace wherever that exists,
/// which the manifest does not show, so its creation is only noted. Without metadata it creates a namespace and nothing
/// else.
pub(super) fn weigh(drafts: Vec<Draft>, creation: &Change<'_>) -> Vec<Draft> {
    let Some(object) = creation.after.as_deref().filter(|_| *creation.kind == kinds::NAMESPACE) else { return drafts };
    let labels = object.meta.labels.iter().filter(|(key, _)| *key != OWN_NAME).count();
    if labels + object.meta.annotations.iter().count() == 0 {
        return drafts;
    }
    let as_note = |draft: Draft| {
        if draft.path != aa207::MADE {
            return draft;
        }
        let says = format!(
            "judged as an update of namespace {}; if there is none, applying this makes one whose accounts count as the platform's",
            creation.name
        );
        draft.says(says).lighter(Consequence::Info)
    };
    drafts.into_iter().map(as_note).collect()
}

/// The label that every namespace has (Well-Known Labels, Annotations and Taints, kubernetes.io).
const OWN_NAME: &str = "kubernetes.io/metadata.name";
