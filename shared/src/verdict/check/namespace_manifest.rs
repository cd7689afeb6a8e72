//! Manifests of namespaces whose accounts count as the platform's. What is kept in a repository is mostly metadata for one that
//! is there.

use crate::facts::change::Change;
use crate::finding::{Consequence, Draft};
use crate::k8s::kinds;
use crate::rules::aa207;

/// What a rule says of a manifest. One of a namespace that brings metadata is an update wherever there is such a namespace, which
/// no manifest tells; one that brings none makes a namespace and does nothing else.
pub(super) fn weigh(drafts: Vec<Draft>, creation: &Change<'_>) -> Vec<Draft> {
    let Some(object) = creation.after.as_ref().filter(|_| *creation.kind == kinds::NAMESPACE) else { return drafts };
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
