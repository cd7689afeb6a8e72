//! AA301: a managed component was changed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::change::{Change, Operation};
use crate::data::{Component, Data, Platform};
use crate::finding::{Basis, Consequence, Draft, Evidence, ObjectRef};
use crate::inventory::Inventory;
use crate::kinds;
use crate::object::{ManagedEntry, Object};
use crate::origin;
use crate::rule::{
    Code, Context, Grounds, Guard, Mode, Notes, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Weight,
};
use crate::rules::node_metadata::{disowned, target};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA301"),
    slug: "managed-component-changed",
    summary: "a component that Microsoft manages was changed",
    consequence: Weight::Always(Consequence::Voids),
    basis: Grounds::Always(Basis::Derived),
    clauses: &["C05"],
    platforms: &Platform::ALL,
    reads: &[
        Read { kind: &kinds::CONFIG_MAP, scope: Scope::ComponentNamespaces },
        Read { kind: &kinds::DAEMON_SET, scope: Scope::ComponentNamespaces },
        Read { kind: &kinds::DEPLOYMENT, scope: Scope::ComponentNamespaces },
        Read { kind: &kinds::ROLE, scope: Scope::ComponentNamespaces },
        Read { kind: &kinds::ROLE_BINDING, scope: Scope::ComponentNamespaces },
        Read { kind: &kinds::SERVICE, scope: Scope::ComponentNamespaces },
        Read { kind: &kinds::STATEFUL_SET, scope: Scope::ComponentNamespaces },
    ],
    probes: &[],
    guards: &[
        on(&kinds::CONFIG_MAP),
        on(&kinds::CRON_JOB),
        on(&kinds::DAEMON_SET),
        on(&kinds::DEPLOYMENT),
        scale(&kinds::DEPLOYMENT),
        on(&kinds::JOB),
        on(&kinds::POD),
        Guard { kind: &kinds::POD, subresource: "ephemeralcontainers", operations: &[Operation::Update] },
        Guard { kind: &kinds::POD, subresource: "resize", operations: &[Operation::Update] },
        on(&kinds::REPLICA_SET),
        scale(&kinds::REPLICA_SET),
        on(&kinds::ROLE),
        on(&kinds::ROLE_BINDING),
        on(&kinds::SERVICE),
        on(&kinds::SERVICE_ACCOUNT),
        on(&kinds::STATEFUL_SET),
        scale(&kinds::STATEFUL_SET),
    ],
    reach: Reach::System,
    mode: Mode::Deny,
    instead: "leave it to the platform",
    page: include_str!("aa301.md"),
    state: StateCheck { each: Some(each), whole: Some(whole), clocks: None },
    change: Some(change),
};

const fn on(kind: &'static kinds::Kind) -> Guard {
    Guard { kind, subresource: "", operations: &[Operation::Create, Operation::Update] }
}

const fn scale(kind: &'static kinds::Kind) -> Guard {
    Guard { kind, subresource: "scale", operations: &[Operation::Update] }
}

/// The catalogued component an object is, where this rule speaks for it: the Arc agents have a rule of their own.
pub(super) fn component<'d>(data: &'d Data, kind: &str, namespace: &str, name: &str) -> Option<&'d Component> {
    let arc = data.namespaces.protected(namespace).is_some_and(|row| row.owner == "arc");
    data.component(kind, namespace, name).filter(|_| !arc)
}

/// The component a pod or ReplicaSet belongs to, by its owner.
pub(super) fn owning_component<'d>(kind: &kinds::Kind, object: &Object<'_>, data: &'d Data) -> Option<&'d Component> {
    let own = matches!(kind.kind, "Pod" | "ReplicaSet");
    by_owner(object, |kind, name| component(data, kind, &object.meta.namespace, name)).filter(|_| own)
}

/// What `find` says of the workload that a pod or ReplicaSet belongs to.
pub(super) fn by_owner<T>(object: &Object<'_>, find: impl Fn(&str, &str) -> Option<T>) -> Option<T> {
    object.owners().iter().find_map(|owner| match &*owner.kind {
        // A Deployment's ReplicaSet is named after it and a hash.
        "ReplicaSet" => find("Deployment", owner.name.rsplit_once('-')?.0),
        kind => find(kind, &owner.name),
    })
}

fn each(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let meta = &seen.object.meta;
    if let Some(component) = component(seen.data, seen.kind.kind, &meta.namespace, &meta.name) {
        notes.drafts.extend(traces(seen.object, seen.kind, component, seen.data));
    }
}

/// What is not as a baseline recorded it. Where no person's hand shows, the platform may have replaced it by a client that
/// nobody knows: that informs, and accuses nobody.
fn whole(_: &Inventory, context: &Context<'_>) -> Verdict {
    let changed = context.baseline.iter().flat_map(|baseline| {
        baseline.changed_objects().into_iter().map(move |(target, field, person)| (baseline, target, field, person))
    });
    let own = changed
        .filter(|(_, target, ..)| component(context.data, &target.kind, &target.namespace, &target.name).is_some());
    // Where a person's hand shows, the fields it is on have been named already.
    let drafts = own.filter(|(.., person)| person.is_none()).map(|(baseline, target, field, _)| {
        Draft::at(target.clone(), field)
            .says(format!("{field} of {} {} is not as the baseline recorded it", target.kind, target.name))
            .with(baseline.evidence(&format!("another {field}")))
            .lighter(Consequence::Info)
    });
    Verdict::Found(drafts.collect())
}

/// What an object shows of having been changed: fields that a second hand owns, and that it was put to rest.
fn traces(object: &Object<'_>, kind: &'static kinds::Kind, component: &Component, data: &Data) -> Vec<Draft> {
    let mut drafts = hands(object, kind, &component.product, data);
    drafts.extend(idle(object, kind, component));
    drafts
}

/// The fields of a platform's object that a person's tool took from whoever had them first.
pub(super) fn hands(object: &Object<'_>, kind: &'static kinds::Kind, product: &str, data: &Data) -> Vec<Draft> {
    let mut drafts = Vec::new();
    let what = format!("{} {}", kind.kind, object.meta.name);
    let managed = object.managed();
    let own = |entry: &&ManagedEntry<'_>| &*entry.subresource != "status";
    let is_hand = |entry: &ManagedEntry<'_>| origin::is_hand(entry, object, data);
    for entry in managed.iter().filter(own) {
        // The platform is the first hand whenever it wrote last, and so is Helm on an object of a release of the platform's.
        let installer = |other: &ManagedEntry<'_>| {
            let release = data.managers.person(&other.manager).is_some() && !is_hand(other);
            release || data.managers.platform(&other.manager).is_some()
        };
        if !is_hand(entry) || !origin::is_second_hand(entry, &managed, object, installer) {
            continue;
        }
        for root in entry.roots().iter().filter(|root| !matches!(&***root, "metadata" | "status")) {
            let system = managed.iter().filter(own).filter(|other| !is_hand(other));
            for leaf in origin::taken(entry, root, system).into_iter().take(MAX_PATHS) {
                let draft = Draft::at(ObjectRef::of(object, kind), &*leaf)
                    .values(None, value_at(object, &leaf).as_deref())
                    .says(format!("{what} of {product} was changed by {}", &*entry.manager))
                    .with(Evidence::managed(entry));
                drafts.push(if is_restart(&leaf) {
                    draft.lighter(Consequence::Info)
                } else {
                    undo(draft, object, kind)
                });
            }
        }
    }
    drafts
}

/// What these kinds keep of their earlier shape; others have to be reinstalled by the platform.
fn undo(draft: Draft, object: &Object<'_>, kind: &kinds::Kind) -> Draft {
    if !matches!(kind.kind, "Deployment" | "DaemonSet" | "StatefulSet") || !draft.path.starts_with("spec.template") {
        return draft;
    }
    let (kind, meta) = (kind.kind.to_lowercase(), &object.meta);
    draft
        .fix(format!("kubectl -n {} rollout history {kind} {}", meta.namespace, meta.name))
        .fix(format!("kubectl -n {} rollout undo {kind} {}", meta.namespace, meta.name))
}

/// A component that was put to rest: scaled to nothing, or a DaemonSet that selects no node by a label of nobody's.
pub(super) fn idle(object: &Object<'_>, kind: &'static kinds::Kind, component: &Component) -> Option<Draft> {
    if component.extension || component.confidence != crate::data::Confidence::Doc {
        return None;
    }
    let spec: Value = object.field("spec")?;
    let name = &object.meta.name;
    let at = |path: &str| Draft::at(ObjectRef::of(object, kind), path);
    if matches!(kind.kind, "Deployment" | "StatefulSet") && spec.get("replicas").and_then(Value::as_u64) == Some(0) {
        let word = kind.kind.to_lowercase();
        return Some(
            at("spec.replicas")
                .values(None, Some("0"))
                .says(format!("{} {name} of {} is scaled to 0", kind.kind, component.product))
                .with(Evidence::seen("spec", "spec.replicas is 0"))
                .fix(format!("kubectl -n {} scale {word} {name} --replicas=2", object.meta.namespace)),
        );
    }
    let selector = spec.pointer("/template/spec/nodeSelector").and_then(Value::as_object)?;
    let foreign = selector.keys().find(|key| !key.contains("kubernetes.io/"))?;
    let scheduled = object.field::<Value>("status")?.get("desiredNumberScheduled").and_then(Value::as_u64)?;
    (kind.kind == "DaemonSet" && scheduled == 0).then(|| {
        at(&format!("spec.template.spec.nodeSelector[{foreign}]"))
            .values(None, selector.get(foreign).and_then(Value::as_str))
            .says(format!("DaemonSet {name} of {} runs nowhere: its nodeSelector matches no node", component.product))
            .with(Evidence::seen("status", "desiredNumberScheduled is 0"))
    })
}

fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    if change.operation == Operation::Delete || !change.kind.namespaced {
        return Vec::new();
    }
    let named = component(data, change.kind.kind, &change.namespace, &change.name);
    let owned = || owning_component(change.kind, change.object()?, data);
    let Some(component) = named.or_else(owned) else { return Vec::new() };
    if let Some(object) = change.create() {
        // A pod of a managed workload that somebody makes by hand is an add-on, unless it claims the component's name.
        if named.is_none() || data.lawful.covers(change.kind.kind, &change.namespace, &change.name) {
            return Vec::new();
        }
        let draft = Draft::at(ObjectRef::of(object, change.kind), "metadata.name")
            .values(None, Some(&change.name))
            .says(format!("{} {} of {} would be created by hand", change.kind.kind, change.name, component.product));
        return vec![draft];
    }
    changed(change, &component.product, |before| traces(before, change.kind, component, data))
}

/// What an update would change of a platform's object. `traces` tells where a person's hand already shows.
pub(super) fn changed(change: &Change<'_>, product: &str, traces: impl Fn(&Object<'_>) -> Vec<Draft>) -> Vec<Draft> {
    let Some((before, after)) = change.update(&["scale", "ephemeralcontainers", "resize"]) else { return Vec::new() };
    let mut differences = differences(before, after);
    let lost = lost_owner(change, before, after, product);
    if differences.is_empty() {
        return lost.into_iter().collect();
    }
    // Where a person's hand already shows, this may be the way back. What weighs more is never cut off behind it.
    let traces: Vec<String> = traces(before).into_iter().map(|draft| draft.path).collect();
    // Of a map that has one owner as a whole the trace names the map, and a difference what is in it.
    let shows = |path: &str| traces.iter().any(|trace| origin::is_within(path, trace));
    differences.sort_by_key(|difference| is_restart(&difference.path) || shows(&difference.path));
    differences.truncate(MAX_PATHS);
    differences
        .into_iter()
        .map(|difference| {
            let draft = Draft::at(target(change), &*difference.path)
                .values(difference.before.as_deref(), difference.after.as_deref())
                .says(format!("{} {} of {product} would be changed", change.kind.kind, change.name));
            let draft = if is_restart(&difference.path) { draft.lighter(Consequence::Info) } else { draft };
            if shows(&difference.path) { draft.warn_at_most() } else { draft }
        })
        .chain(lost)
        .collect()
}

/// That a pod or ReplicaSet would no longer be its workload's. Its controller takes back what still bears its labels, and the
/// claim may have been somebody's own: so it is warned of, not denied.
fn lost_owner(change: &Change<'_>, before: &Object<'_>, after: &Object<'_>, product: &str) -> Option<Draft> {
    let makes =
        matches!(change.kind.kind, "Pod" | "ReplicaSet") && !before.owners().is_empty() && after.owners().is_empty();
    let owner = change.lost_owner().filter(|_| makes)?;
    let what = format!("{} {} of {product}", change.kind.kind, change.name);
    Some(disowned(change, &owner, &what).warn_at_most())
}

/// `kubectl rollout restart` changes nothing but this annotation.
fn is_restart(path: &str) -> bool {
    path == "spec.template.metadata.annotations[kubectl.kubernetes.io/restartedAt]"
}

/// One field that differs.
pub(super) struct Difference {
    pub(super) path: String,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

/// What differs in what users decide on; metadata and status never count, nor does the order of keys.
pub(super) fn differences(before: &Object<'_>, after: &Object<'_>) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut fields: Vec<&str> = before.content().chain(after.content()).map(|(name, _)| name).collect();
    fields.sort_unstable();
    fields.dedup();
    for field in fields {
        let (old, new) = (before.raw(field), after.raw(field));
        if old == new {
            continue;
        }
        let parse = |raw: Option<&str>| raw.and_then(|raw| serde_json::from_str(raw).ok()).unwrap_or(Value::Null);
        diff(field, &parse(old), &parse(new), &mut found);
    }
    found
}

fn diff(path: &str, old: &Value, new: &Value, found: &mut Vec<Difference>) {
    if old == new || found.len() >= MAX_DIFFERENCES {
        return;
    }
    // What appears or vanishes as a whole is named field by field too, where there are any.
    let (empty, none) = (Value::Object(serde_json::Map::new()), Value::Array(Vec::new()));
    let (old, new) = match (old, new) {
        (Value::Null, Value::Object(fields)) if !fields.is_empty() => (&empty, new),
        (Value::Object(fields), Value::Null) if !fields.is_empty() => (old, &empty),
        (Value::Null, Value::Array(items)) if !items.is_empty() && by_key(&[], items).is_some() => (&none, new),
        (Value::Array(items), Value::Null) if !items.is_empty() && by_key(items, &[]).is_some() => (old, &none),
        sides => sides,
    };
    let items = match (old, new) {
        (Value::Array(a), Value::Array(b)) => by_key(a, b),
        _ => None,
    };
    if let Some((old, new)) = &items {
        return diff_items(path, old, new, found);
    }
    match (old, new) {
        (Value::Object(a), Value::Object(b)) if !a.is_empty() || !b.is_empty() => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let step = if key.contains(['.', '/']) { format!("{path}[{key}]") } else { format!("{path}.{key}") };
                diff(&step, a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null), found);
            }
        }
        _ => {
            // What stands in data can be anything, also what nobody should see in a report.
            let show = |value: &Value| (!value.is_null() && !is_private(path)).then(|| scalar(value));
            found.push(Difference { path: path.to_owned(), before: show(old), after: show(new) });
        }
    }
}

/// Two sides of a list, item by item.
fn diff_items(path: &str, old: &Items<'_>, new: &Items<'_>, found: &mut Vec<Difference>) {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let step = format!("{path}[{key}]");
        match (old.get(key), new.get(key)) {
            (Some(old), Some(new)) => diff(&step, old, new, found),
            // A whole item says enough by its name, and may hold what nobody should see in a report.
            (old, _) => {
                let word = |there: bool| there.then(|| "(present)".to_owned());
                found.push(Difference { path: step, before: word(old.is_some()), after: word(old.is_none()) });
            }
        }
    }
}

/// The items of a list by what tells them apart, spelled as managedFields are here.
type Items<'v> = BTreeMap<String, &'v Value>;

/// Both sides of a list by the first key that tells the items apart on both. Environment variables and subjects may share a
/// name, and a second one of a name must not hide behind the first.
fn by_key<'v>(old: &'v [Value], new: &'v [Value]) -> Option<(Items<'v>, Items<'v>)> {
    let side = |items: &'v [Value], keys: &[&str]| -> Option<Items<'v>> {
        let mut found = Items::new();
        for item in items {
            let values = keys.iter().map(|key| item.get(key).filter(|value| value.is_string() || value.is_number()));
            let values = values.collect::<Option<Vec<_>>>()?;
            let parts = keys.iter().zip(values).map(|(key, value)| format!("{key}={}", scalar(value)));
            if found.insert(parts.collect::<Vec<_>>().join(","), item).is_some() {
                return None;
            }
        }
        Some(found)
    };
    KEYS.iter().find_map(|keys| Some((side(old, keys)?, side(new, keys)?)))
}

fn is_private(path: &str) -> bool {
    path.starts_with("data")
        || path.starts_with("binaryData")
        || path.starts_with("stringData")
        || path.contains(".env")
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The value at a plain dotted path, for evidence; lists and private data are not followed.
fn value_at(object: &Object<'_>, path: &str) -> Option<String> {
    if is_private(path) || path.contains('[') {
        return None;
    }
    let (root, rest) = path.split_once('.')?;
    let value: Value = object.field(root)?;
    let found = rest.split('.').try_fold(&value, |value, step| value.get(step))?;
    (!found.is_object() && !found.is_array()).then(|| scalar(found))
}

/// What tells the items of a list apart: first what the API server merges them by (kubernetes.io, API reference), which is how
/// managedFields name them.
const KEYS: [&[&str]; 5] =
    [&["mountPath"], &["devicePath"], &["containerPort", "protocol"], &["port", "protocol"], &["name"]];

/// A wholesale replacement differs everywhere; the first fields say enough.
const MAX_PATHS: usize = 8;

/// How many differences are looked for before the heaviest are chosen: far more than a pod template has fields that a
/// person could own already.
const MAX_DIFFERENCES: usize = 4_096;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::data::embedded;
    use crate::read::json;

    /// What is said of an update of CoreDNS, by path, and whether it may be denied.
    fn said(before: &Value, after: &Value) -> Vec<(String, bool)> {
        let whole = |spec: &Value| {
            let fields = json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {
                "k:{\"name\":\"sidecar\"}": {".": {}, "f:image": {}, "f:name": {}},
                "k:{\"name\":\"coredns\"}": {
                    "f:ports": {"k:{\"containerPort\":9153,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}, "f:name": {}}},
                    "f:volumeMounts": {"k:{\"mountPath\":\"/own\"}": {".": {}, "f:mountPath": {}, "f:name": {}}}}}}}}});
            let entry = |manager: &str, time: &str, fields: &Value| json!({"manager": manager, "operation": "Update", "time": time, "fieldsV1": fields});
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {
                "name": "coredns", "namespace": "kube-system", "creationTimestamp": "2026-03-02T08:00:00Z",
                "managedFields": [entry("kubeadm", "2026-03-02T08:00:00Z", &json!({"f:spec": {"f:replicas": {}}})),
                                  entry("kubectl-edit", "2026-05-18T09:14:00Z", &fields)]},
                "spec": {"template": {"spec": spec}}})
            .to_string()
        };
        let (before, after) = (whole(before), whole(after));
        let (before, after) = (json::object(before.as_bytes()).unwrap(), json::object(after.as_bytes()).unwrap());
        let update = Change::new(Operation::Update, &kinds::DEPLOYMENT, "", Some(before), Some(after));
        change(&update, embedded()).into_iter().map(|draft| (draft.path, !draft.warn_at_most)).collect()
    }

    #[test]
    fn to_take_back_what_a_person_added_to_a_list_is_not_denied() {
        let port = json!({"containerPort": 53, "protocol": "UDP", "name": "dns"});
        let own = json!({"containerPort": 9153, "protocol": "TCP", "name": "metrics"});
        let dns = json!({"name": "coredns", "image": "a", "ports": [port]});
        let mounts = json!([{"name": "own", "mountPath": "/own"}]);
        let more = json!({"name": "coredns", "image": "a", "ports": [port, own], "volumeMounts": mounts});
        let sidecar = json!({"name": "sidecar", "image": "b"});
        let all = json!({"containers": [more, sidecar]});
        let path = |rest: &str| format!("spec.template.spec.containers{rest}");
        assert_eq!(
            said(&all, &json!({"containers": [dns]})),
            [
                (path("[name=coredns].ports[containerPort=9153,protocol=TCP]"), false),
                (path("[name=coredns].volumeMounts[mountPath=/own]"), false),
                (path("[name=sidecar]"), false)
            ]
        );
        assert_eq!(said(&all, &json!({"containers": [sidecar]})), [(path("[name=coredns]"), true)]);
        let without =
            json!({"containers": [{"name": "coredns", "image": "a", "ports": [own], "volumeMounts": mounts}, sidecar]});
        assert_eq!(said(&all, &without), [(path("[name=coredns].ports[containerPort=53,protocol=UDP]"), true)]);
    }

    #[test]
    fn what_is_empty_goes_as_a_whole() {
        let spec = |spec: &Value| json::object(json!({"spec": spec}).to_string().leak().as_bytes()).unwrap();
        let found = differences(&spec(&json!({"a": {}, "b": []})), &spec(&json!({})));
        let found: Vec<_> = found.iter().map(|found| (&*found.path, found.before.as_deref(), &found.after)).collect();
        assert_eq!(found, [("spec.a", Some("{}"), &None), ("spec.b", Some("[]"), &None)]);
    }
}
