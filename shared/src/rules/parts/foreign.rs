//! Findings in a component's own specification, whoever wrote it: images from registries that are not Microsoft's, and
//! an API server without authorization.

use crate::data::{Component, Confidence};
use crate::finding::{Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::k8s::pod::Container;
use crate::rules::rule::Seen;

/// A component's container with an image from elsewhere.
pub(crate) struct Foreign {
    /// The container.
    pub(crate) container: String,
    /// The image.
    pub(crate) image: String,
    /// The finding.
    pub(crate) draft: Draft,
}

/// The containers of a component's workload or pod with images from registries that are not Microsoft's. A mirror is
/// possible, so this is a risk and no more. Components that are only inferred are left out, and so are extensions,
/// which have settings of their own for it.
pub(crate) fn images(seen: &Seen<'_, '_>, component: &Component) -> Vec<Foreign> {
    // An object on its way out has been replaced already.
    if !is_told(component) || component.extension || seen.object.meta.deletion_timestamp.is_some() {
        return Vec::new();
    }
    let Some(pod) = seen.pod() else { return Vec::new() };
    let init = pod.init_containers().map(|container| ("initContainers", container));
    let all = init.chain(pod.containers().map(|container| ("containers", container)));
    let foreign = all.filter_map(|(list, container)| {
        let image = container.image.as_deref().filter(|image| !seen.data.provenance.is_microsofts(image))?;
        let (name, what) = (&*container.name, word(seen));
        let draft = Draft::at(ObjectRef::of(seen.object, seen.kind), path(seen, list, container, "image"))
            .values(None, Some(image))
            .says(format!(
                "container {name} of {what} of {} runs an image that is not from Microsoft's registries: {image}",
                component.product
            ))
            .with(Evidence::seen("image", "its registry is not one of Microsoft's; it may be a mirror of one"))
            .lighter(Consequence::AtRisk);
        Some(Foreign { container: name.to_owned(), image: image.to_owned(), draft })
    });
    foreign.collect()
}

/// A draft: an API server of the control plane runs with authorization mode AlwaysAllow.
pub(crate) fn authorization(seen: &Seen<'_, '_>, component: &Component) -> Option<Draft> {
    let pod = seen.pod().filter(|_| component.static_pod && is_told(component))?;
    let open = pod.containers().find_map(|container| {
        let mode = container.flag(AUTHORIZATION_MODE)?;
        mode.split(',').any(|mode| mode.trim() == "AlwaysAllow").then_some((container, mode))
    });
    let (container, mode) = open?;
    let draft = Draft::at(ObjectRef::of(seen.object, seen.kind), path(seen, "containers", container, "command"))
        .values(None, Some(&format!("{AUTHORIZATION_MODE}={mode}")))
        .says(format!("{} authorizes every request: its authorization mode is {mode}", word(seen)))
        .with(Evidence::seen("flag", format!("{AUTHORIZATION_MODE}={mode}")))
        .lighter(Consequence::AtRisk);
    Some(draft)
}

/// Whether a document or a listing names the component.
fn is_told(component: &Component) -> bool {
    component.confidence != Confidence::Inferred
}

fn word(seen: &Seen<'_, '_>) -> String {
    format!("{} {}", seen.kind.kind, seen.object.meta.name)
}

fn path(seen: &Seen<'_, '_>, list: &str, container: &Container<'_>, field: &str) -> String {
    let pod = if *seen.kind == kinds::POD { "spec" } else { "spec.template.spec" };
    format!("{pod}.{list}[name={}].{field}", &*container.name)
}

/// The flag of the API server (kube-apiserver reference, kubernetes.io).
const AUTHORIZATION_MODE: &str = "--authorization-mode";
