//! AA301: a managed component was changed.

use std::collections::BTreeSet;

use crate::command::Command;
use crate::data::{Component, Confidence, Data, Platform};
use crate::facts::change::{Change, Operation};
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::facts::origin::{self, Step};
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::Object;
use crate::rules::parts::changed::changed_fields;
use crate::rules::parts::components::{by_owner, component, is_theirs, of_pods};
use crate::rules::parts::differences::FieldDifference;
use crate::rules::parts::effect::{Effect, is_restart};
use crate::rules::parts::finalizers::added_finalizers;
use crate::rules::parts::put_back::{self, Past, Present};
use crate::rules::parts::rank::{rank, rank_in};
use crate::rules::parts::rest::{Rest, idle};
use crate::rules::parts::target::target;
use crate::rules::parts::written::{MAX_PATHS, each_hand, each_second, hands_in, root};
use crate::rules::parts::{foreign, forged, names};
use crate::rules::rule::{
    Across, Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Watch,
    Weight,
};

pub(crate) static RULE: Rule = Rule {
    code: Code::new("AA301"),
    slug: "managed-component-changed",
    summary: "a component that Microsoft manages was changed",
    consequence: Weight::Always(Consequence::Voids),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C05")],
    platforms: &Platform::ALL,
    reads: &[
        Read { kind: &kinds::CONFIG_MAP, scope: Scope::ComponentNamespaces },
        Read { kind: &kinds::CONTROLLER_REVISION, scope: Scope::ComponentRecords },
        Read { kind: &kinds::DAEMON_SET, scope: Scope::ComponentNamespaces },
        Read { kind: &kinds::DEPLOYMENT, scope: Scope::ComponentNamespaces },
        Read { kind: &kinds::ENDPOINTS, scope: Scope::ComponentRecords },
        Read { kind: &kinds::ENDPOINT_SLICE, scope: Scope::Cluster },
        Read { kind: &kinds::HORIZONTAL_POD_AUTOSCALER, scope: Scope::AddOnNamespaces },
        Read { kind: &kinds::POD, scope: Scope::AddOnNamespaces },
        Read { kind: &kinds::REPLICA_SET, scope: Scope::ComponentRecords },
        Read { kind: &kinds::ROLE, scope: Scope::ComponentNamespaces },
        Read { kind: &kinds::ROLE_BINDING, scope: Scope::ComponentNamespaces },
        Read { kind: &kinds::SERVICE, scope: Scope::Cluster },
        Read { kind: &kinds::STATEFUL_SET, scope: Scope::ComponentNamespaces },
    ],
    probes: &[],
    guards: &[
        on(&kinds::CONFIG_MAP),
        on(&kinds::CRON_JOB),
        on(&kinds::DAEMON_SET),
        on(&kinds::DEPLOYMENT),
        scale(&kinds::DEPLOYMENT),
        on(&kinds::ENDPOINTS),
        on(&kinds::ENDPOINT_SLICE),
        on(&kinds::HORIZONTAL_POD_AUTOSCALER),
        on(&kinds::JOB),
        on(&kinds::POD),
        Watch { kind: &kinds::POD, subresource: "ephemeralcontainers", operations: &[Operation::Update] },
        Watch { kind: &kinds::POD, subresource: "resize", operations: &[Operation::Update] },
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
    change: Some(change),
    claim: Some(forged::forged),
    manifests: ManifestUse::Together(&ACROSS),
    voiding: Voiding::AnyList,
};

pub(crate) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

const fn on(kind: &'static Kind) -> Watch {
    Watch { kind, subresource: "", operations: &[Operation::Create, Operation::Update] }
}

const fn scale(kind: &'static Kind) -> Watch {
    Watch { kind, subresource: "scale", operations: &[Operation::Update] }
}

/// The fact that decides an undecided draft on a component.
#[derive(Debug)]
enum ComponentDecision {
    /// Whether the pod template is the platform's again.
    Template(Present),
    /// Whether the workload's own template has the same image in the same container.
    Image(Runs),
    /// Whether this is the address of a managed Service.
    Address(ServiceAddress),
}

fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, kind, data) = (seen.object, seen.kind, seen.data);
    let meta = &object.meta;
    if *kind == kinds::REPLICA_SET || *kind == kinds::CONTROLLER_REVISION {
        if of_workload(object, data).is_some() {
            put_back::note(object, kind, notes);
        }
        return;
    }
    if let Some(component) = component(data, kind.kind, &meta.namespace, &meta.name) {
        if !is_theirs(object, component, data) {
            traces(seen, component, notes);
        }
    } else if *kind == kinds::POD {
        let workload = by_owner(object, |kind, name| {
            Some((component(data, kind, &meta.namespace, name)?, format!("{kind} {}/{name}", &*meta.namespace)))
        });
        for found in workload.iter().flat_map(|(component, _)| foreign::images(seen, component)) {
            let workload = workload.as_ref().map(|(_, name)| &**name).unwrap_or_default();
            let runs = Runs(format!("{workload} {} {}", found.container, found.image));
            notes.undecided(found.draft, ComponentDecision::Image(runs));
        }
    } else if *kind == kinds::SERVICE {
        for (address, draft) in names::claims(object, kind) {
            notes.undecided(draft, ComponentDecision::Address(ServiceAddress(address)));
        }
    }
    notes.drafts.extend(names::endpoints(seen));
    notes.drafts.extend(names::autoscaler(object, kind, data));
    notes.drafts.extend(of_another_product(object, kind).map(|draft| {
        draft.says(format!("ConfigMap {COREDNS_CUSTOM} is read by AKS in Azure; nothing shows that AKS Arc reads it"))
    }));
}

/// The component whose ReplicaSet or ControllerRevision an object is.
fn of_workload<'d>(object: &Object<'_>, data: &'d Data) -> Option<&'d Component> {
    let owner = object.owners().first()?;
    component(data, &owner.kind, &object.meta.namespace, &owner.name)
}

/// A draft on the ConfigMap that customises CoreDNS on AKS in Azure.
fn of_another_product(object: &Object<'_>, kind: &'static Kind) -> Option<Draft> {
    let is_one =
        *kind == kinds::CONFIG_MAP && &*object.meta.namespace == "kube-system" && &*object.meta.name == COREDNS_CUSTOM;
    is_one.then(|| Draft::at(ObjectRef::of(object, kind), "metadata.name").lighter(Consequence::Info))
}

/// The ConfigMap's name: "Customize CoreDNS with Azure Kubernetes Service", MicrosoftDocs/azure-aks-docs, 2026-08; AKS
/// Arc has no such page.
const COREDNS_CUSTOM: &str = "coredns-custom";

/// The verdict on drafts that the rest of the cluster decides, and on components that differ from the baseline. Where
/// no person's write shows, the platform may have used a client that no table knows: such a difference informs, and
/// accuses nobody.
fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let mut open: Option<String> = None;
    let mut drafts = Vec::new();
    // Looked up, since there can be as many of them as suspects.
    let described: BTreeSet<&Runs> = inventory.remarks(RULE.code).collect();
    let managed: BTreeSet<&ServiceAddress> = inventory.remarks(RULE.code).collect();
    for suspect in inventory.undecided(RULE.code) {
        let draft = suspect.draft.clone();
        match &suspect.depends_on {
            ComponentDecision::Template(present) => {
                let keeper = put_back::keeper(&draft.object.kind);
                if let Some(why) = keeper.and_then(|keeper| context.unread(&[keeper])) {
                    open.get_or_insert_with(|| {
                        format!("{why}, which tells whether {} was put back", draft.object.short())
                    });
                    continue;
                }
                drafts.push(with_past(draft, present.past(inventory, RULE.code)));
            }
            ComponentDecision::Image(image) => {
                if !described.contains(image) && context.unread(&kinds::ROLLED_OUT).is_none() {
                    drafts.push(draft);
                }
            }
            ComponentDecision::Address(address) => {
                if managed.contains(address) {
                    drafts.push(draft);
                }
            }
        }
    }
    let changed = context.baseline.iter().flat_map(|baseline| {
        baseline.changed_objects().into_iter().map(move |(target, field, person)| (baseline, target, field, person))
    });
    let components = changed
        .filter(|(_, target, ..)| component(context.data, &target.kind, &target.namespace, &target.name).is_some());
    // A person's fields have been reported one by one already.
    drafts.extend(components.filter(|(.., person)| person.is_none()).map(|(baseline, target, field, _)| {
        Draft::at(target.clone(), field)
            .says(format!("{} {}: {field} differs from the baseline", target.kind, target.name))
            .with(baseline.evidence(&format!("another {field}")))
            .lighter(Consequence::Info)
    }));
    match open {
        Some(why) => Verdict::FoundPartly(drafts, why),
        None => Verdict::Found(drafts),
    }
}

/// The judgement across manifests: Services that would answer on the address of a managed Service among them.
pub(super) static ACROSS: Across = Across { note: note_manifest, settle: settle_manifests };

fn note_manifest(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, kind) = (seen.object, seen.kind);
    if *kind != kinds::SERVICE {
        return;
    }
    if component(seen.data, kind.kind, &object.meta.namespace, &object.meta.name).is_some() {
        for address in names::addresses(object) {
            notes.remark(ServiceAddress(address));
        }
        return;
    }
    for (address, draft) in names::claims(object, kind).into_iter().chain(names::asked_for(object, kind)) {
        notes.undecided(draft, ServiceAddress(address));
    }
}

fn settle_manifests(inventory: &Inventory, _: &Context<'_>, drafts: &mut Vec<Draft>) -> Option<String> {
    let managed: BTreeSet<&ServiceAddress> = inventory.remarks(RULE.code).collect();
    let claims = inventory.undecided::<ServiceAddress>(RULE.code).iter();
    let claims = claims.filter(|claim| managed.contains(&claim.depends_on));
    drafts.extend(claims.map(|claim| claim.draft.clone()));
    None
}

/// A draft on a pod template, with the template's present state: informing if it is the platform's again, otherwise
/// with the way back, if known.
fn with_past(mut draft: Draft, past: Past) -> Draft {
    match past {
        Past::PutBack(number) => {
            draft.message = format!(
                "{} {} was changed and put back: its pod template is again that of revision {number}, which the platform \
                 made; no text says that this restores support, so tell Microsoft Support",
                draft.object.kind, draft.object.name
            );
            draft.clauses = None;
            draft.lighter(Consequence::Info)
        }
        Past::Changed(Some(number)) => {
            let object = &draft.object;
            let undo = Command::kubectl_in(&object.namespace, ["rollout", "undo", &object.kind.to_lowercase()])
                .name(&object.name)
                .word(&format!("--to-revision={number}"))
                .only("restores the platform's last revision; the change stays as information");
            draft.with(Evidence::seen("revision", format!("revision {number} is the platform's last"))).fix(undo)
        }
        Past::Changed(None) => draft.with(Evidence::seen(
            "revision",
            "no revision of the platform is kept: an upgrade or Microsoft Support repairs it",
        )),
    }
}

/// A container of a workload with an image from elsewhere: `Kind namespace/name container image`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Runs(String);

/// An address of a managed Service.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ServiceAddress(String);

/// Reports the traces of change on a component: fields that a person took over, a component put to rest, and images or
/// flags that cannot be the platform's.
fn traces(seen: &Seen<'_, '_>, component: &Component, notes: &mut Notes) {
    let (object, kind, data) = (seen.object, seen.kind, seen.data);
    let mut present = None;
    let mut by_hand = Vec::new();
    for draft in hands_in(object, kind, component, data) {
        by_hand.push(format!("{}.", draft.path));
        let values = [draft.before.clone(), draft.after.clone()];
        let effect = Effect::of(kind.kind, component, &draft.path, values.each_ref().map(Option::as_deref));
        let draft = if draft.lighter.is_some() { draft } else { effect.weigh(draft, component) };
        let in_template = draft.path.starts_with("spec.template") && effect != Effect::Restarts;
        if in_template && put_back::keeper(kind.kind).is_some() {
            let present = present.get_or_insert_with(|| Present::of(object, data));
            notes.undecided(draft, ComponentDecision::Template(present.clone()));
        } else {
            notes.drafts.push(draft);
        }
    }
    notes.drafts.extend(idle(object, kind, component));
    for found in foreign::images(seen, component) {
        let name = format!(
            "{} {}/{} {} {}",
            kind.kind, &*object.meta.namespace, &*object.meta.name, found.container, found.image
        );
        notes.remark(Runs(name));
        // A field or container that a person wrote has a weightier finding already.
        if !by_hand.iter().any(|path| format!("{}.", found.draft.path).starts_with(path)) {
            notes.drafts.push(found.draft);
        }
    }
    notes.drafts.extend(foreign::authorization(seen, component));
    notes.drafts.extend(strangers(object, kind, component, data));
    notes.drafts.extend(finalizers(object, kind, component, data));
    if *kind == kinds::SERVICE {
        for address in names::addresses(object) {
            notes.remark(ServiceAddress(address));
        }
    }
}

/// Drafts on fields that an unrecognised client took over. They inform: neither a pass nor an accusation.
fn strangers(object: &Object<'_>, kind: &'static Kind, component: &Component, data: &Data) -> Vec<Draft> {
    let mut drafts = Vec::new();
    let subject = format!("{} {}", kind.kind, object.meta.name);
    each_second(
        object,
        data,
        |entry| data.managers.is_stranger(&entry.manager),
        |entry, kept| {
            for path in origin::heaviest_taken(entry, kept, MAX_PATHS, |path| rank(path, false)) {
                let leaf = origin::spell(&path);
                if root(&path).is_none() || is_restart(&leaf, [None, None]) {
                    continue;
                }
                let draft = Draft::at(ObjectRef::of(object, kind), &*leaf).says(format!(
                    "{subject} of {} was written by unrecognised client {}: neither the platform's nor a known tool of \
                     people; a baseline settles it",
                    component.product, &*entry.manager
                ));
                drafts.push(draft.with(Evidence::managed(entry)).lighter(Consequence::Info));
            }
        },
    );
    drafts
}

/// Drafts on finalizers that a person's tool added to a component. They block the component's deletion.
fn finalizers(object: &Object<'_>, kind: &'static Kind, component: &Component, data: &Data) -> Vec<Draft> {
    if object.meta.finalizers.as_ref().is_none_or(Vec::is_empty) {
        return Vec::new();
    }
    let mut drafts = Vec::new();
    each_hand(object, data, |entry, kept| {
        origin::each_taken(entry, kept, |path| {
            let [Step::Field(meta), Step::Field(field), Step::Item(finalizer)] = path else { return };
            if &**meta == "metadata" && &**field == "finalizers" {
                let draft = Draft::at(ObjectRef::of(object, kind), origin::spell(path))
                    .values(None, Some(finalizer))
                    .surplus()
                    .says(format!(
                        "{} {} of {} has a finalizer that {} added",
                        kind.kind, object.meta.name, component.product, &*entry.manager
                    ))
                    .with(Evidence::managed(entry))
                    .lighter(Consequence::AtRisk);
                drafts.push(draft);
            }
        });
    });
    drafts
}

fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    if change.operation == Operation::Delete || !change.kind.namespaced {
        return Vec::new();
    }
    let of_names = names::endpoints_change(change, data).or_else(|| names::autoscaler_change(change, data));
    let of_names = of_names.into_iter().chain(names::claims_change(change));
    let named = component(data, change.kind.kind, &change.namespace, &change.name);
    let named = named.filter(|row| !change.object().is_some_and(|object| is_theirs(object, row, data)));
    let Some(component) = named.or_else(|| of_pods(change, data)) else {
        let other = change.create().and_then(|object| of_another_product(object, change.kind));
        let says = format!("ConfigMap {COREDNS_CUSTOM} is read by AKS in Azure; nothing shows that AKS Arc reads it");
        return of_names.chain(other.map(|draft| draft.says(says))).collect();
    };
    if let Some(object) = change.create() {
        // A pod made by hand for a managed workload is an add-on, unless it claims the component's name.
        if named.is_none() || data.allows(change.kind, &change.namespace, &change.name, object) {
            return Vec::new();
        }
        return vec![created(change, object, component, data)];
    }
    let rest = |before: &Object<'_>| Rest::of(before, change.kind, component).map(Rest::path);
    let rank = |path: &[Step<'_>], shows| rank_in(component, change.kind, path, shows);
    let mut drafts: Vec<Draft> = changed_fields(change, &component.product, data, rest, &rank)
        .into_iter()
        .map(|(draft, difference)| {
            let Some(difference) = difference else { return draft };
            // A Scale leaves out `spec.replicas` when it is 0.
            let none = Some("0").filter(|_| change.subresource == "scale");
            let values = [difference.before.as_deref().or(none), difference.after.as_deref().or(none)];
            let effect = Effect::of(change.kind.kind, component, &difference.path, values);
            // A field that a person wrote before may be on its way back, unless the new value replaces the component.
            let cap = difference.shows && (effect != Effect::Replaces || may_be_the_platforms(&difference, data));
            let draft = Draft { warn_at_most: cap, ..draft };
            if draft.lighter.is_some() {
                return draft;
            }
            let effect = if change.subresource == "scale" && *change.kind == kinds::REPLICA_SET {
                Effect::Replaces
            } else {
                effect
            };
            effect.weigh(draft, component)
        })
        .collect();
    drafts.extend(new_finalizers(change, component));
    drafts
}

/// A draft: the change creates a component by hand. A deleted component may be made again as it was: nothing in it is
/// then another's.
fn created(change: &Change<'_>, object: &Object<'_>, component: &Component, data: &Data) -> Draft {
    let draft = Draft::at(ObjectRef::of(object, change.kind), "metadata.name")
        .values(None, Some(&change.name))
        .says(format!("{} {} of {} would be created by hand", change.kind.kind, change.name, component.product));
    // A name that no document gives to the platform is also upstream's, and other rules judge the pods under it.
    if component.confidence != Confidence::Doc && !change.kind.runs() {
        return draft.lighter(Consequence::Info);
    }
    let images = origin::images(object);
    let as_it_was = !images.is_empty()
        && images.iter().all(|image| data.provenance.is_microsofts(image))
        && Rest::of(object, change.kind, component).is_none();
    let settings = *change.kind == kinds::CONFIG_MAP && component.part.is_some();
    let effect = if as_it_was || settings { Effect::Customises } else { Effect::Replaces };
    effect.weigh(draft, component)
}

/// Whether a new value is one the platform is known to set: an added field is gone again, or an image is Microsoft's.
fn may_be_the_platforms(difference: &FieldDifference, data: &Data) -> bool {
    match &difference.after {
        None => difference.path != "spec.replicas",
        Some(image) => difference.path.rsplit('.').next() == Some("image") && data.provenance.is_microsofts(image),
    }
}

/// Drafts on finalizers that an update adds to a component, or to a pod of it.
fn new_finalizers(change: &Change<'_>, component: &Component) -> Vec<Draft> {
    let Some((before, after)) = change.update(&["status"]) else { return Vec::new() };
    let drafts = added_finalizers(before, after).into_iter().map(|finalizer| {
        Draft::at(target(change), format!("metadata.finalizers[{finalizer}]"))
            .values(None, Some(finalizer))
            .says(format!(
                "{} {} of {} would get finalizer {finalizer}",
                change.kind.kind, change.name, component.product
            ))
            .lighter(Consequence::AtRisk)
    });
    drafts.take(MAX_PATHS).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::data::embedded;
    use crate::k8s::read::json;

    /// The findings on an update of CoreDNS, as paths, and whether each may be denied.
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
        let [before, after] = [before, after].map(|object| Some(Box::new(object)));
        let update = Change::new(Operation::Update, &kinds::DEPLOYMENT, "", before, after);
        change(&update, embedded()).into_iter().map(|draft| (draft.path.to_string(), !draft.warn_at_most)).collect()
    }

    #[test]
    fn removing_list_items_that_a_person_added_is_not_denied() {
        let port = json!({"containerPort": 53, "protocol": "UDP", "name": "dns"});
        let metrics = json!({"containerPort": 9153, "protocol": "TCP", "name": "metrics"});
        let dns = json!({"name": "coredns", "image": "a", "ports": [port]});
        let mounts = json!([{"name": "own", "mountPath": "/own"}]);
        let more = json!({"name": "coredns", "image": "a", "ports": [port, metrics], "volumeMounts": mounts});
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
        let without = json!({"containers": [{"name": "coredns", "image": "a", "ports": [metrics], "volumeMounts": mounts}, sidecar]});
        assert_eq!(said(&all, &without), [(path("[name=coredns].ports[containerPort=53,protocol=UDP]"), true)]);
    }

    #[test]
    fn an_image_is_found_behind_many_fields_that_only_customise() {
        let own = |image: &str| json!([{"name": "coredns", "image": image}]);
        let many: Value =
            (0..20).map(|place| (format!("a{place}"), json!("x"))).collect::<serde_json::Map<_, _>>().into();
        let found = said(&json!({"containers": own("a")}), &json!({"affinity": many, "containers": own("b")}));
        assert!(found.contains(&("spec.template.spec.containers[name=coredns].image".to_owned(), true)), "{found:?}");
        assert_eq!(found.len(), 8);
    }
}
