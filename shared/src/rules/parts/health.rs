//! Findings on workloads of the platform that do not work, for the rules on components and on Arc agents.

use serde_json::Value;

use crate::command::Command;
use crate::data::essentials::{Companion, Essential};
use crate::data::tables;
use crate::data::{Data, Platform};
use crate::facts::inventory::{Inventory, ReadKey, ReadState};
use crate::finding::{Draft, Evidence, ObjectRef};
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::Object;
use crate::rules::parts::components::by_owner;

/// A draft on a workload whose status says that it does not work. Only the controllers' own status counts, so an
/// upgrade under way, or a workload that somebody scaled to nothing, is no finding here.
pub(crate) fn ailing(object: &Object<'_>, kind: &'static Kind) -> Option<Draft> {
    if object.meta.deletion_timestamp.is_some() {
        return None;
    }
    let status: Value = object.field("status")?;
    let number = |field: &str| status.get(field).and_then(Value::as_u64).unwrap_or_default();
    let at = |path: &str| Draft::at(ObjectRef::of(object, kind), path);
    let subject = format!("{} {}", kind.kind, object.meta.name);
    let describe = Command::kubectl_in(&object.meta.namespace, ["describe", &kind.kind.to_lowercase()])
        .name(&object.meta.name)
        .only(SHOWS);
    match kind.kind {
        "Deployment" => {
            let spec: Value = object.field("spec").unwrap_or_default();
            let wanted = spec.get("replicas").and_then(Value::as_u64).unwrap_or(1);
            let conditions = status.get("conditions").and_then(Value::as_array)?;
            let available = conditions.iter().find(|condition| condition["type"] == "Available")?;
            if wanted == 0 || available["status"] != "False" {
                return None;
            }
            let since = available["lastTransitionTime"].as_str().unwrap_or_default();
            let evidence =
                Evidence { time: since.to_owned(), ..Evidence::seen("status", "the condition Available is False") };
            let ready = format!("{} of {wanted}", number("readyReplicas"));
            Some(
                at("status.conditions[Available]")
                    .values(Some("True"), Some(&format!("False, {ready} ready")))
                    .broken()
                    .says(format!("{subject} is not available"))
                    .with(evidence)
                    .fix(describe),
            )
        }
        "DaemonSet" => {
            let (wanted, ready) = (number("desiredNumberScheduled"), number("numberReady"));
            if wanted == 0 || ready > 0 {
                return None;
            }
            let evidence = Evidence::seen("status", format!("numberReady is 0 of {wanted}"));
            Some(
                at("status.numberReady")
                    .values(Some(&wanted.to_string()), Some("0"))
                    .broken()
                    .says(format!("{subject} runs on no node"))
                    .with(evidence)
                    .fix(describe),
            )
        }
        _ => None,
    }
}

/// A draft on the workload of a pod in CrashLoopBackOff. `is_known` says whether the rule covers a workload, by kind
/// and name.
pub(crate) fn crash_loop(pod: &Object<'_>, is_known: impl Fn(&str, &str) -> bool) -> Option<Draft> {
    // There are thousands of pods, and this test runs before any of them is parsed.
    if !pod.raw("status").is_some_and(|status| status.contains(CRASH_LOOP)) {
        return None;
    }
    let (kind, name) = by_owner(pod, |kind, name| is_known(kind, name).then(|| (kind.to_owned(), name.to_owned())))?;
    let status: Value = pod.field("status")?;
    let all = ["initContainerStatuses", "containerStatuses"].iter();
    let mut containers = all.filter_map(|list| status.get(*list).and_then(Value::as_array)).flatten();
    let failing = containers
        .find(|container| container.pointer("/state/waiting/reason").and_then(Value::as_str) == Some(CRASH_LOOP))?;
    let container = failing["name"].as_str().unwrap_or_default();
    let restarts = failing["restartCount"].as_u64().unwrap_or_default();
    let namespace = pod.meta.namespace.to_string();
    let object = ObjectRef {
        api_version: kinds::ALL
            .iter()
            .find(|known| known.kind == kind)
            .map(|known| known.api_version())
            .unwrap_or_default(),
        kind: kind.clone(),
        namespace: namespace.clone(),
        name: name.clone(),
        ..ObjectRef::default()
    };
    let draft = Draft::at(object, format!("spec.template.spec.containers[name={container}]"))
        .broken()
        .values(Some("running"), Some(CRASH_LOOP))
        .says(format!("container {container} of {kind} {name} keeps restarting"))
        .with(Evidence::seen("pods", format!("pod {}: {restarts} restarts", pod.meta.name)))
        .fix(
            Command::kubectl_in(&namespace, ["logs"])
                .name(&pod.meta.name)
                .word("-c")
                .name(container)
                .word("--previous")
                .only(SHOWS),
        );
    Some(draft)
}

/// The note on a command that only reads.
const SHOWS: &str = "shows what is wrong";

/// The namespaces whose objects are looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sought {
    /// Those of the Arc agents.
    ArcAgents,
    /// All others.
    Components,
}

/// Drafts on objects that every cluster of a platform has and this one lacks, where their list was read to the end.
pub(crate) fn missing(
    inventory: &Inventory,
    data: &Data,
    platform: Platform,
    sought: Sought,
    is_there: impl Fn(&Essential) -> bool,
) -> Vec<Draft> {
    let here = |row: &&Essential| {
        row.beside.is_empty()
            && data.namespaces.is_arc(&row.namespace) == (sought == Sought::ArcAgents)
            && row.platforms.contains(&platform)
            && is_complete(inventory, &row.kind, &row.namespace)
    };
    let rows: Vec<&Essential> = tables::essentials().iter().filter(here).collect();
    // Some object of the platform has to exist: with none, this is another sort of cluster, or a rehearsal.
    if !rows.iter().any(|row| is_there(row)) {
        return Vec::new();
    }
    let absent = rows.into_iter().filter(|row| !is_there(row));
    absent
        .map(|row| {
            absence(row, &row.namespace)
                .says(format!("{} {} is missing, while other parts of the platform exist", row.kind, row.name))
        })
        .collect()
}

/// Drafts on missing objects of a product whose other parts exist. `is_there` tells by kind, namespace and name.
pub(crate) fn missing_beside(
    inventory: &Inventory,
    platform: Platform,
    is_there: impl Fn(&str, &str, &str) -> bool,
) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for row in tables::essentials().iter().filter(|row| row.platforms.contains(&platform)) {
        let is_namespaced = kind(&row.kind).is_some_and(|kind| kind.namespaced);
        let names: Vec<&str> = match (&*row.namespace, is_namespaced) {
            ("", true) => inventory.namespaces.iter().map(|name| &**name).collect(),
            (own, _) => vec![own],
        };
        for namespace in names {
            let proves = |companion: &&Companion| {
                let at = if companion.namespace.is_empty() { namespace } else { &companion.namespace };
                is_there(&companion.kind, at, &companion.name)
            };
            let Some(proof) = row.beside.iter().find(proves) else { continue };
            if is_there(&row.kind, namespace, &row.name) || !is_complete(inventory, &row.kind, namespace) {
                continue;
            }
            drafts.push(
                absence(row, namespace)
                    .says(format!("{} {} is missing, while {} {} exists", row.kind, row.name, proof.kind, proof.name)),
            );
        }
    }
    drafts
}

/// Whether the list that would hold an object of a kind was read to its end.
fn is_complete(inventory: &Inventory, name: &str, namespace: &str) -> bool {
    let Some(kind) = kind(name) else { return false };
    let namespace = Some(namespace).filter(|namespace| !namespace.is_empty()).map(str::to_owned);
    [namespace, None]
        .into_iter()
        .any(|namespace| matches!(inventory.reads.get(&ReadKey { kind, namespace }), Some(ReadState::Complete { .. })))
}

fn absence(row: &Essential, namespace: &str) -> Draft {
    let kind = kind(&row.kind);
    let object = ObjectRef {
        api_version: kind.map(Kind::api_version).unwrap_or_default(),
        kind: row.kind.clone(),
        namespace: namespace.to_owned(),
        name: row.name.clone(),
        ..ObjectRef::default()
    };
    Draft::at(object, "metadata.name")
        .broken()
        .values(Some(&row.name), None)
        .with(Evidence::seen("catalogue", row.source.clone()))
        .fix(Command::kubectl_in(namespace, ["get", &kind.map(Kind::qualified).unwrap_or_default()]).only(SHOWS))
}

fn kind(name: &str) -> Option<&'static Kind> {
    kinds::ALL.iter().copied().find(|kind| kind.kind == name)
}

const CRASH_LOOP: &str = "CrashLoopBackOff";
