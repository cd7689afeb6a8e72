//! AA301: a managed component was changed.

use std::collections::HashMap;

use serde_json::Value;

use crate::change::{Change, Operation};
use crate::command::Command;
use crate::data::{Component, Data, Platform};
use crate::finding::{Basis, Consequence, Draft, Evidence, ObjectRef};
use crate::inventory::Inventory;
use crate::kinds;
use crate::object::{ManagedEntry, Object};
use crate::origin::{self, Hands, Paths, Step};
use crate::rule::{
    Code, Context, Grounds, Guard, Mode, Notes, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Weight,
};
use crate::rules::differences::{Difference, Differing, is_private, scalar};
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
    let mut values: HashMap<String, Option<Value>> = HashMap::new();
    let what = format!("{} {}", kind.kind, object.meta.name);
    each_hand(object, data, |entry, kept| {
        origin::each_taken(entry, kept, MAX_PATHS, |path| {
            let Some(root) = root(path) else { return };
            let leaf = origin::spell(path);
            let value = values.entry(root.to_owned()).or_insert_with(|| object.field(root));
            let draft = Draft::at(ObjectRef::of(object, kind), &*leaf)
                .values(None, value.as_ref().and_then(|value| value_at(value, &leaf)).as_deref())
                .says(format!("{what} of {product} was changed by {}", &*entry.manager))
                .with(Evidence::managed(entry));
            drafts.push(if is_restart(&leaf) { draft.lighter(Consequence::Info) } else { undo(draft, object, kind) });
        });
    });
    drafts
}

/// The same fields, as a set.
fn taken<'a>(object: &Object<'a>, data: &Data) -> Paths<'a> {
    let mut taken = Paths::default();
    each_hand(object, data, |entry, kept| {
        taken.insert_taken(entry, kept, |step| root(std::slice::from_ref(step)).is_some());
    });
    taken
}

/// Hands each second hand of a person's on a platform's object to `each`, with all that is the platform's still.
fn each_hand<'a>(object: &Object<'a>, data: &Data, mut each: impl FnMut(&ManagedEntry<'a>, &Paths<'a>)) {
    let is_hand = |entry: &ManagedEntry<'_>| origin::is_hand(entry, object, data);
    // The platform is the first hand whenever it wrote last, and so is Helm on an object of a release of the platform's.
    let installer = |other: &ManagedEntry<'_>| {
        let release = data.managers.person(&other.manager).is_some() && !is_hand(other);
        release || data.managers.platform(&other.manager).is_some()
    };
    let hands = Hands::of(object, &object.managed().iter(), installer);
    let own = || object.managed().iter().filter(|entry| &*entry.subresource != "status");
    let mut kept = Paths::default();
    let mut gathered = false;
    for entry in own().filter(|entry| is_hand(entry) && hands.is_second(entry, object)) {
        if !gathered {
            own().filter(|other| !is_hand(other)).for_each(|other| kept.insert_owned(other));
            gathered = true;
        }
        each(entry, &kept);
    }
}

/// The top-level field that a path leads into, where users decide on it.
fn root<'p>(path: &'p [Step<'_>]) -> Option<&'p str> {
    match path.first() {
        Some(Step::Field(name)) if !matches!(&**name, "metadata" | "status") => Some(name),
        _ => None,
    }
}

/// What these kinds keep of their earlier shape; others have to be reinstalled by the platform.
fn undo(draft: Draft, object: &Object<'_>, kind: &kinds::Kind) -> Draft {
    if !matches!(kind.kind, "Deployment" | "DaemonSet" | "StatefulSet") || !draft.path.starts_with("spec.template") {
        return draft;
    }
    let (kind, meta) = (kind.kind.to_lowercase(), &object.meta);
    draft.fix(
        Command::kubectl_in(&meta.namespace, ["rollout", "history", &kind])
            .name(&meta.name)
            .only("shows the earlier revisions: none of them is known to be the platform's"),
    )
}

/// A component that was put to rest: scaled to nothing, or a DaemonSet that selects no node by a label of nobody's.
pub(super) fn idle(object: &Object<'_>, kind: &'static kinds::Kind, component: &Component) -> Option<Draft> {
    let name = &object.meta.name;
    let at = |path: &str| Draft::at(ObjectRef::of(object, kind), path);
    Some(match Rest::of(object, kind, component)? {
        Rest::Scaled => {
            let word = kind.kind.to_lowercase();
            at("spec.replicas")
                .values(None, Some("0"))
                .says(format!("{} {name} of {} is scaled to 0", kind.kind, component.product))
                .with(Evidence::seen("spec", "spec.replicas is 0"))
                .fix(
                    Command::kubectl_in(&object.meta.namespace, ["scale", &word])
                        .name(name)
                        .word("--replicas=2")
                        .caution("how many there were before is not known here"),
                )
        }
        Rest::Nowhere(key, value) => at(&format!("spec.template.spec.nodeSelector[{key}]"))
            .values(None, value.as_deref())
            .says(format!("DaemonSet {name} of {} runs nowhere: its nodeSelector matches no node", component.product))
            .with(Evidence::seen("status", "desiredNumberScheduled is 0")),
    })
}

/// How a component was put to rest.
enum Rest {
    /// Scaled to nothing.
    Scaled,
    /// By this key of its nodeSelector, and its value.
    Nowhere(String, Option<String>),
}

impl Rest {
    fn of(object: &Object<'_>, kind: &kinds::Kind, component: &Component) -> Option<Self> {
        if component.extension || component.confidence != crate::data::Confidence::Doc {
            return None;
        }
        let spec: Value = object.field("spec")?;
        if matches!(kind.kind, "Deployment" | "StatefulSet") && spec.get("replicas").and_then(Value::as_u64) == Some(0)
        {
            return Some(Rest::Scaled);
        }
        let selector = spec.pointer("/template/spec/nodeSelector").and_then(Value::as_object)?;
        let (key, value) = selector.iter().find(|(key, _)| !key.contains("kubernetes.io/"))?;
        let scheduled = object.field::<Value>("status")?.get("desiredNumberScheduled").and_then(Value::as_u64)?;
        let nowhere = kind.kind == "DaemonSet" && scheduled == 0;
        nowhere.then(|| Rest::Nowhere(key.clone(), value.as_str().map(str::to_owned)))
    }

    fn path(self) -> Vec<Step<'static>> {
        let fields = |names: &[&'static str]| names.iter().map(|name| Step::Field((*name).into())).collect();
        match self {
            Rest::Scaled => fields(&["spec", "replicas"]),
            Rest::Nowhere(key, _) => {
                let mut path: Vec<_> = fields(&["spec", "template", "spec", "nodeSelector"]);
                path.push(Step::Field(key.into()));
                path
            }
        }
    }
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
        if named.is_none() || data.allows(change.kind, &change.namespace, &change.name, object) {
            return Vec::new();
        }
        let draft = Draft::at(ObjectRef::of(object, change.kind), "metadata.name")
            .values(None, Some(&change.name))
            .says(format!("{} {} of {} would be created by hand", change.kind.kind, change.name, component.product));
        return vec![draft];
    }
    changed(change, &component.product, data, |before| Rest::of(before, change.kind, component).map(Rest::path))
}

/// What an update would change of a platform's object. `rest` tells where it shows that it was put to rest.
pub(super) fn changed(
    change: &Change<'_>,
    product: &str,
    data: &Data,
    rest: impl FnOnce(&Object<'_>) -> Option<Vec<Step<'static>>>,
) -> Vec<Draft> {
    let Some((before, after)) = change.update(&["scale", "ephemeralcontainers", "resize"]) else { return Vec::new() };
    let lost = lost_owner(change, before, after, product);
    let differing = Differing::of(before, after);
    if !differing.any() {
        return lost.into_iter().collect();
    }
    // Where a person's hand already shows, this may be the way back. What weighs more is never cut off behind it.
    let mut shown = taken(before, data);
    if let Some(path) = rest(before) {
        shown.insert(&path);
    }
    differing
        .heaviest(&shown, is_restart_at)
        .into_iter()
        .map(|difference| {
            let draft = Draft::at(target(change), &*difference.path)
                .values(difference.before.as_deref(), difference.after.as_deref())
                .says(format!("{} {} of {product} would be changed", change.kind.kind, change.name));
            let light = is_restart(&difference.path) || wakes(&difference, change);
            let draft = if light { draft.lighter(Consequence::Info) } else { draft };
            if difference.shows { draft.warn_at_most() } else { draft }
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
    Some(disowned(change, owner, &what).warn_at_most())
}

/// Whether what was scaled to nothing would run again, which is the cure.
fn wakes(difference: &Difference, change: &Change<'_>) -> bool {
    // A Scale of nothing has no such field.
    let rests = difference.before.as_deref().map_or(change.subresource == "scale", |before| before == "0");
    difference.path == "spec.replicas" && rests && difference.after.as_deref().is_some_and(|after| after != "0")
}

/// `kubectl rollout restart` changes nothing but this annotation.
fn is_restart(path: &str) -> bool {
    path == "spec.template.metadata.annotations[kubectl.kubernetes.io/restartedAt]"
}

fn is_restart_at(path: &[Step<'_>]) -> bool {
    path.len() == RESTART_STEPS && is_restart(&origin::spell(path))
}

/// So many steps lead to the annotation of a restart.
const RESTART_STEPS: usize = 5;

/// The value at a plain path below a top-level field, for evidence; lists and private data are not followed.
fn value_at(root: &Value, path: &str) -> Option<String> {
    if is_private(path) || path.contains('[') {
        return None;
    }
    let (_, rest) = path.split_once('.')?;
    let found = rest.split('.').try_fold(root, |value, step| value.get(step))?;
    (!found.is_object() && !found.is_array()).then(|| scalar(found))
}

/// Of what somebody wrote below one field the first say enough.
const MAX_PATHS: usize = 8;

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
}
