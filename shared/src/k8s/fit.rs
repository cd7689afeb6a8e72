//! The check of an object against the shape of its kind, for the fields that rules read and those that objects usually
//! have.
//!
//! The API server decodes objects before it calls a webhook, so all objects from an API server pass. An object that
//! does not fit is not judged: a rule that meets a list where it expects a map would report its contents as missing.

mod misfit;
pub(crate) mod shape;
pub(crate) mod shapes;
pub(crate) mod walk;

use crate::k8s::kinds::Kind;
use crate::k8s::object::Object;

pub use misfit::Misfit;

use shape::Shape;
use shapes::{ENTRY, OWNERS, SCALE_KIND};
use walk::{entries, is_time, whole};

/// Checks an object against the shape of its kind, or against that of its subresource `scale`. `twin` is the other side
/// of an update, which fits: text that both have in common is not checked again.
///
/// # Errors
/// [`Misfit`] for the first difference.
pub fn check(object: &Object<'_>, kind: &Kind, subresource: &str, twin: Option<&Object<'_>>) -> Result<(), Misfit> {
    let scale = subresource == "scale";
    is_type(object, if scale { ("autoscaling", SCALE_KIND) } else { (kind.group, kind.kind) })?;
    metadata(object, twin)?;
    for (name, shape) in shapes::of(if scale { SCALE_KIND } else { kind.kind }) {
        let same = |raw: &str| twin.is_some_and(|twin| twin.raw(name) == Some(raw));
        if let Some(raw) = object.unchecked(name, shape).filter(|raw| !same(raw)) {
            whole(shape, raw).map_err(|misfit| misfit.below(name))?;
        }
    }
    Ok(())
}

/// Checks that an object is of a group and a kind. Items of lists do not name theirs.
fn is_type(object: &Object<'_>, (own_group, own_kind): (&str, &str)) -> Result<(), Misfit> {
    let group = object.api_version.split_once('/').map_or("", |(group, _)| group);
    let is = |found: &str, given: &str, own: &str| given.is_empty() || found == own;
    if is(group, &object.api_version, own_group) && is(&object.kind, &object.kind, own_kind) {
        return Ok(());
    }
    Err(Misfit::Type(format!("{} {}", &*object.api_version, &*object.kind)))
}

fn metadata(object: &Object<'_>, twin: Option<&Object<'_>>) -> Result<(), Misfit> {
    let meta = &object.meta;
    for (name, time) in
        [("creationTimestamp", &meta.creation_timestamp), ("deletionTimestamp", &meta.deletion_timestamp)]
    {
        if time.as_ref().is_some_and(|time| !is_time(time)) {
            return Err(Misfit::of(&Shape::Time).below(name).below("metadata"));
        }
    }
    if let Some(raw) = object.raw_owners().filter(|raw| twin.and_then(Object::raw_owners) != Some(raw)) {
        whole(&OWNERS, raw).map_err(|misfit| misfit.below("ownerReferences").below("metadata"))?;
    }
    if let Some(raw) = object.unchecked_managed().filter(|raw| twin.and_then(Object::raw_managed) != Some(raw)) {
        let below = |misfit: Misfit| misfit.below("managedFields").below("metadata");
        let (length, count) = entries(raw).map_err(below)?;
        if length != raw.len() {
            return Err(below(Misfit::of(&Shape::List(&ENTRY))));
        }
        object.set_managed_count(count);
    }
    Ok(())
}
