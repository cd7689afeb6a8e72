//! Drafts on the changes an update makes to an object of the platform.

use crate::data::Data;
use crate::facts::change::Change;
use crate::facts::origin::Step;
use crate::finding::{Consequence, Draft};
use crate::k8s::object::Object;
use crate::rules::parts::differences::{Differing, FieldDifference, Ranking};
use crate::rules::parts::effect::is_restart;
use crate::rules::parts::owners::disowned;
use crate::rules::parts::rank::rank;
use crate::rules::parts::target::target;
use crate::rules::parts::written::taken;

/// The changes an update makes to an object of the platform. `rest` gives the path of the field that put it to rest, if
/// any.
pub(crate) fn changed(
    change: &Change<'_>,
    product: &str,
    data: &Data,
    rest: impl FnOnce(&Object<'_>) -> Option<Vec<Step<'static>>>,
) -> Vec<Draft> {
    changed_fields(change, product, data, rest, &rank).into_iter().map(|(draft, _)| draft).collect()
}

/// As [`changed`], each draft with the field it is about; a draft on the object as a whole has none. `rank` decides which
/// of many fields are among them.
pub(crate) fn changed_fields(
    change: &Change<'_>,
    product: &str,
    data: &Data,
    rest: impl FnOnce(&Object<'_>) -> Option<Vec<Step<'static>>>,
    rank: &Ranking<'_>,
) -> Vec<(Draft, Option<FieldDifference>)> {
    let Some((before, after)) = change.update(&["scale", "ephemeralcontainers", "resize"]) else { return Vec::new() };
    let lost = lost_owner(change, before, after, product).map(|draft| (draft, None));
    let differing = Differing::of(before, after);
    if !differing.any() {
        return lost.into_iter().collect();
    }
    // A field that a person wrote before may be on its way back.
    let mut shown = taken(before, data);
    if let Some(path) = rest(before) {
        shown.insert(&path);
    }
    differing
        .heaviest(&shown, rank)
        .into_iter()
        .map(|difference| {
            let draft = Draft::at(target(change), &*difference.path)
                .values(difference.before.as_deref(), difference.after.as_deref())
                .says(format!("{} {} of {product} would be changed", change.kind.kind, change.name));
            let restart = is_restart(&difference.path, [difference.before.as_deref(), difference.after.as_deref()]);
            let draft = if restart || wakes(&difference, change) { draft.lighter(Consequence::Info) } else { draft };
            let draft = if difference.shows { draft.warn_at_most() } else { draft };
            (draft, Some(difference))
        })
        .chain(lost)
        .collect()
}

/// A draft: the update takes a pod or ReplicaSet away from its workload. A warning and no denial, since the controller
/// adopts it again by its labels, and the owner may have been the user's own claim.
pub(crate) fn lost_owner(change: &Change<'_>, before: &Object<'_>, after: &Object<'_>, product: &str) -> Option<Draft> {
    let makes =
        matches!(change.kind.kind, "Pod" | "ReplicaSet") && !before.owners().is_empty() && after.owners().is_empty();
    let owner = change.lost_owner().filter(|_| makes)?;
    let subject = format!("{} {} of {product}", change.kind.kind, change.name);
    Some(disowned(change, owner, &subject).warn_at_most())
}

/// Whether the update starts a workload again that was scaled to nothing, which is the cure.
pub(crate) fn wakes(difference: &FieldDifference, change: &Change<'_>) -> bool {
    // An old ReplicaSet would run again without its Deployment knowing.
    if change.kind.kind == "ReplicaSet" {
        return false;
    }
    // A Scale leaves out `spec.replicas` when it is 0.
    let rests = difference.before.as_deref().map_or(change.subresource == "scale", |before| before == "0");
    difference.path == "spec.replicas" && rests && difference.after.as_deref().is_some_and(|after| after != "0")
}
