//! Objects that take over a managed component's name: endpoints for a managed Service, Services that take its address,
//! and autoscalers that set its number of replicas.

use serde_json::Value;

use crate::command::Command;
use crate::data::{Component, Data};
use crate::facts::change::{Change, Operation};
use crate::facts::origin::{self, Provenance};
use crate::finding::{Clause, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::Object;
use crate::rules::parts::components::component;
use crate::rules::parts::target::target;
use crate::rules::rule::Seen;

/// The managed Service whose endpoints an object holds: by its label, or for Endpoints by its name.
fn service_of<'d>(kind: &Kind, object: &Object<'_>, data: &'d Data) -> Option<(&'d Component, String)> {
    let name = match kind {
        kind if *kind == kinds::ENDPOINT_SLICE => object.meta.labels.get(SERVICE_NAME)?,
        kind if *kind == kinds::ENDPOINTS => &*object.meta.name,
        _ => return None,
    };
    Some((component(data, "Service", &object.meta.namespace, name)?, name.to_owned()))
}

/// A draft: endpoints of a managed Service were made by a person or by an unrecognised client, not by Kubernetes.
pub(crate) fn endpoints(seen: &Seen<'_, '_>) -> Option<Draft> {
    let (component, service) = service_of(seen.kind, seen.object, seen.data)?;
    let subject = format!("{} {}", seen.kind.kind, seen.object.meta.name);
    let draft = Draft::at(ObjectRef::of(seen.object, seen.kind), ANSWERS).values(None, Some(&service)).surplus();
    match origin::of_object(seen.object, seen.data) {
        Provenance::Person(evidence) => Some(
            draft
                .says(format!("{subject} answers for Service {service} of {}, and a person made it", component.product))
                .with(evidence)
                .fix(
                    Command::kubectl_in(&seen.object.meta.namespace, ["delete", &seen.kind.qualified()])
                        .one_of(&seen.object.meta.name),
                ),
        ),
        Provenance::Unrecognised if seen.object.owners().is_empty() && !seen.object.managed().is_empty() => Some(
            draft
                .says(format!(
                    "{subject} answers for Service {service} of {}, and is unrecognised: no controller of Kubernetes made it",
                    component.product
                ))
                .with(Evidence::seen("provenance", "no system manager and no known tool of people's wrote it"))
                .lighter(Consequence::Info),
        ),
        _ => None,
    }
}

/// A draft: the change gives a managed Service endpoints of the user's own.
pub(crate) fn endpoints_change(change: &Change<'_>, data: &Data) -> Option<Draft> {
    let object = change.after.as_deref().filter(|_| change.operation != Operation::Delete)?;
    let (component, service) = service_of(change.kind, object, data)?;
    let same = |before: &Object<'_>| {
        before.raw("endpoints") == object.raw("endpoints") && before.raw("subsets") == object.raw("subsets")
    };
    if change.before.as_deref().is_some_and(same) {
        return None;
    }
    let draft = Draft::at(target(change), ANSWERS).values(None, Some(&service)).says(format!(
        "{} {} would answer for Service {service} of {}",
        change.kind.kind,
        target(change).name,
        component.product
    ));
    Some(draft)
}

/// The component whose replicas an autoscaler sets, and its kind and name; `None` for an object of another kind.
fn scaled<'d>(object: &Object<'_>, kind: &Kind, data: &'d Data) -> Option<(&'d Component, String)> {
    if *kind != kinds::HORIZONTAL_POD_AUTOSCALER {
        return None;
    }
    let spec: Value = object.field("spec")?;
    let reference = spec.get("scaleTargetRef")?;
    let (kind, name) = (reference.get("kind")?.as_str()?, reference.get("name")?.as_str()?);
    // Extensions bring their own autoscalers.
    let component = component(data, kind, &object.meta.namespace, name).filter(|row| !row.extension)?;
    Some((component, format!("{kind} {name}")))
}

/// Whether an object is an autoscaler of a component.
pub(crate) fn is_autoscaler_of_component(object: &Object<'_>, kind: &Kind, data: &Data) -> bool {
    scaled(object, kind, data).is_some()
}

/// A draft: a person's autoscaler sets the replicas of a component.
pub(crate) fn autoscaler(object: &Object<'_>, kind: &'static Kind, data: &Data) -> Option<Draft> {
    let (component, target) = scaled(object, kind, data)?;
    let Provenance::Person(evidence) = origin::of_object(object, data) else { return None };
    let draft = Draft::at(ObjectRef::of(object, kind), SCALES)
        .values(None, Some(&target))
        .says(format!("{} {} scales {target} of {}", kind.kind, object.meta.name, component.product))
        .with(evidence);
    Some(customises(draft))
}

/// A draft: the change makes an autoscaler set the replicas of a component.
pub(crate) fn autoscaler_change(change: &Change<'_>, data: &Data) -> Option<Draft> {
    let object = change.after.as_deref()?;
    let (component, scales) = scaled(object, change.kind, data)?;
    if change.before.as_deref().is_some_and(|before| before.raw("spec") == object.raw("spec")) {
        return None;
    }
    let draft = Draft::at(target(change), SCALES).values(None, Some(&scales)).says(format!(
        "{} {} would scale {scales} of {}",
        change.kind.kind,
        target(change).name,
        component.product
    ));
    Some(customises(draft))
}

fn customises(draft: Draft) -> Draft {
    draft.lighter(Consequence::AtRisk).clauses(const { &[Clause::new("C05"), Clause::new("C14")] })
}

/// The cluster addresses of a managed Service.
pub(crate) fn addresses(object: &Object<'_>) -> Vec<String> {
    let spec: Value = object.field("spec").unwrap_or_default();
    let listed = spec.get("clusterIPs").and_then(Value::as_array).into_iter().flatten();
    let all = listed.chain(spec.get("clusterIP")).filter_map(Value::as_str);
    let mut addresses: Vec<String> =
        all.filter(|address| !matches!(*address, "" | "None")).map(str::to_owned).collect();
    addresses.dedup();
    addresses
}

/// The external addresses a Service answers on, each with a draft: a Service that names another's address receives its
/// traffic.
pub(crate) fn claims(object: &Object<'_>, kind: &'static Kind) -> Vec<(String, Draft)> {
    // There are many Services, and few have external addresses.
    if !object.raw("spec").is_some_and(|spec| spec.contains("\"externalIPs\"")) {
        return Vec::new();
    }
    let spec: Value = object.field("spec").unwrap_or_default();
    let claimed = spec.get("externalIPs").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let draft = |address: &str| {
        Draft::at(ObjectRef::of(object, kind), "spec.externalIPs").values(None, Some(address)).says(format!(
            "Service {} answers on {address}, which is the address of a managed Service",
            object.meta.name
        ))
    };
    claimed.map(|address| (address.to_owned(), draft(address))).collect()
}

/// The cluster addresses a Service manifest asks for, each with a draft. In a cluster no two Services have the same.
pub(crate) fn asked_for(object: &Object<'_>, kind: &'static Kind) -> Vec<(String, Draft)> {
    let draft = |address: &str| {
        Draft::at(ObjectRef::of(object, kind), "spec.clusterIP")
            .values(None, Some(address))
            .says(format!("Service {} asks for {address}, which is the address of a managed Service", object.meta.name))
    };
    addresses(object).into_iter().map(|address| (address.clone(), draft(&address))).collect()
}

/// Drafts: the change makes a Service answer on the address of a managed one, as far as the addresses were looked up.
pub(crate) fn claims_change(change: &Change<'_>) -> Vec<Draft> {
    let Some(after) = change.after.as_deref().filter(|_| *change.kind == kinds::SERVICE) else { return Vec::new() };
    if change.beside.addresses.is_empty() {
        return Vec::new();
    }
    let had: Vec<String> =
        change.before.iter().flat_map(|before| claims(before, change.kind)).map(|(address, _)| address).collect();
    let taken = |address: &String| change.beside.addresses.contains(address) && !had.contains(address);
    let claims = claims(after, change.kind).into_iter().filter(|(address, _)| taken(address));
    let says = |address: &str| {
        format!("Service {} would answer on {address}, which is the address of a managed Service", target(change).name)
    };
    claims.map(|(address, draft)| Draft { object: target(change), ..draft }.says(says(&address))).collect()
}

/// The label that names the Service of an EndpointSlice (kubernetes.io, EndpointSlices).
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// The path of a finding on endpoints.
const ANSWERS: &str = "metadata.name";

const SCALES: &str = "spec.scaleTargetRef";
