//! AA301: a managed component was changed.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::facts::change::{Change, Operation};
use crate::command::Command;
use crate::data::{Component, Confidence, Data, Platform};
use crate::finding::{Basis, Consequence, Draft, Evidence, ObjectRef};
use crate::facts::inventory::Inventory;
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::{ManagedEntry, Object};
use crate::facts::origin::{self, Hands, Paths, Step};
use crate::rules::rule::{
    Code, Context, Grounds, Guard, Mode, Notes, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Weight,
};
use crate::rules::parts::across::Across;
use crate::rules::parts::differences::{Difference, Differing, is_private, scalar};
use crate::rules::parts::effect::{Effect, is_restart};
use crate::rules::parts::node_metadata::{added_finalizers, disowned, target};
use crate::rules::parts::put_back::{self, Past, Present};
use crate::rules::{foreign, names};

pub(crate) static RULE: Rule = Rule {
    code: Code::new("AA301"),
    slug: "managed-component-changed",
    summary: "a component that Microsoft manages was changed",
    consequence: Weight::Always(Consequence::Voids),
    basis: Grounds::Always(Basis::Derived),
    clauses: &["C05"],
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

const fn on(kind: &'static Kind) -> Guard {
    Guard { kind, subresource: "", operations: &[Operation::Create, Operation::Update] }
}

const fn scale(kind: &'static Kind) -> Guard {
    Guard { kind, subresource: "scale", operations: &[Operation::Update] }
}

/// The catalogued component an object is, where this rule speaks for it: the Arc agents have a rule of their own.
pub(super) fn component<'d>(data: &'d Data, kind: &str, namespace: &str, name: &str) -> Option<&'d Component> {
    let arc = data.namespaces.protected(namespace).is_some_and(|row| row.owner == "arc");
    data.component(kind, namespace, name).filter(|_| !arc)
}

/// Whether an object that bears a component's name is somebody's own: no document gives the name to AKS Arc, upstream's chart uses
/// it too, and the object bears the mark of a person's release and runs no image of Microsoft's.
pub(super) fn is_theirs(object: &Object<'_>, component: &Component, data: &Data) -> bool {
    if component.confidence == Confidence::Doc || origin::is_platform_release(object, data) {
        return false;
    }
    let (meta, marks) = (&object.meta, &data.provenance.person_marks);
    let marked = marks.labels.iter().any(|mark| meta.labels.get(&mark.key).is_some())
        || marks.annotations.iter().any(|mark| meta.annotations.get(&mark.key).is_some());
    marked && !origin::images(object).iter().any(|image| data.provenance.is_microsofts(image))
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

/// What a suspect hinges on.
#[derive(Debug, Serialize, Deserialize)]
enum Hinge {
    /// Whether the template is one again that the platform had made.
    Template(Present),
    /// Whether the workload, as `Kind namespace/name`, describes the same image for the same container.
    Image(String),
    /// Whether this is the address of a managed Service.
    Address(String),
}

impl Hinge {
    fn word(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn each(seen: &Seen<'_, '_>, notes: &mut Notes) {
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
            notes.suspect(found.draft, Hinge::Image(format!("{workload} {} {}", found.container, found.image)).word());
        }
    } else if *kind == kinds::SERVICE {
        for (address, draft) in names::claims(object, kind) {
            notes.suspect(draft, Hinge::Address(address).word());
        }
    }
    notes.drafts.extend(names::endpoints(seen));
    notes.drafts.extend(names::autoscaler(object, kind, data));
    notes.drafts.extend(of_another_product(object, kind).map(|draft| {
        draft.says(format!("ConfigMap {COREDNS_CUSTOM} is read by AKS in Azure; nothing shows that AKS Arc reads it"))
    }));
}

/// The workload that a ReplicaSet or ControllerRevision is of, where it is a component's.
fn of_workload<'d>(object: &Object<'_>, data: &'d Data) -> Option<&'d Component> {
    let owner = object.owners().first()?;
    component(data, &owner.kind, &object.meta.namespace, &owner.name)
}

/// A ConfigMap by which CoreDNS is customised on AKS in Azure.
fn of_another_product(object: &Object<'_>, kind: &'static Kind) -> Option<Draft> {
    let is_one =
        *kind == kinds::CONFIG_MAP && &*object.meta.namespace == "kube-system" && &*object.meta.name == COREDNS_CUSTOM;
    is_one.then(|| Draft::at(ObjectRef::of(object, kind), "metadata.name").lighter(Consequence::Info))
}

/// "Customize CoreDNS with Azure Kubernetes Service", MicrosoftDocs/azure-aks-docs, 2026-08; AKS Arc has no such page.
const COREDNS_CUSTOM: &str = "coredns-custom";

/// What the rest of the cluster decides, and what is not as a baseline recorded it. Where no person's hand shows, the platform
/// may have replaced it by a client that nobody knows: that informs, and accuses nobody.
fn whole(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let mut open: Option<String> = None;
    let mut drafts = Vec::new();
    let remarked = |about: &str, says: &str| inventory.remarks(RULE.code).any(|remark| remark == (about, says));
    for suspect in inventory.suspects(RULE.code) {
        let draft = suspect.draft.clone();
        match serde_json::from_str(&suspect.hinge) {
            Ok(Hinge::Template(present)) => {
                let keeper = put_back::keeper(&draft.object.kind);
                if let Some(why) = keeper.and_then(|keeper| context.unread(&[keeper])) {
                    open.get_or_insert_with(|| {
                        format!("{why}, which tells whether {} was put back", draft.object.short())
                    });
                    continue;
                }
                drafts.push(with_past(draft, present.past(inventory, RULE.code)));
            }
            Ok(Hinge::Image(image)) if !remarked(RUNS, &image) && context.unread(&kinds::ROLLED_OUT).is_none() => {
                drafts.push(draft);
            }
            Ok(Hinge::Address(address)) if remarked(ADDRESS, &address) => drafts.push(draft),
            _ => {}
        }
    }
    let changed = context.baseline.iter().flat_map(|baseline| {
        baseline.changed_objects().into_iter().map(move |(target, field, person)| (baseline, target, field, person))
    });
    let own = changed
        .filter(|(_, target, ..)| component(context.data, &target.kind, &target.namespace, &target.name).is_some());
    // Where a person's hand shows, the fields it is on have been named already.
    drafts.extend(own.filter(|(.., person)| person.is_none()).map(|(baseline, target, field, _)| {
        Draft::at(target.clone(), field)
            .says(format!("{field} of {} {} is not as the baseline recorded it", target.kind, target.name))
            .with(baseline.evidence(&format!("another {field}")))
            .lighter(Consequence::Info)
    }));
    match open {
        Some(why) => Verdict::FoundPartly(drafts, why),
        None => Verdict::Found(drafts),
    }
}

/// What manifests tell of one another: which of their Services would answer on the address of a managed one among them.
pub(super) static ACROSS: Across = Across { code: RULE.code, note: note_manifest, settle: settle_manifests };

fn note_manifest(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, kind) = (seen.object, seen.kind);
    if *kind != kinds::SERVICE {
        return;
    }
    if component(seen.data, kind.kind, &object.meta.namespace, &object.meta.name).is_some() {
        for address in names::addresses(object) {
            notes.note(ADDRESS, address);
        }
        return;
    }
    for (address, draft) in names::claims(object, kind).into_iter().chain(names::asked_for(object, kind)) {
        notes.suspect(draft, address);
    }
}

fn settle_manifests(inventory: &Inventory, _: &Context<'_>, drafts: &mut Vec<Draft>) -> Option<String> {
    let taken = |address: &str| inventory.remarks(RULE.code).any(|remark| remark == (ADDRESS, address));
    let own = inventory.suspects(RULE.code).iter().filter(|suspect| taken(&suspect.hinge));
    drafts.extend(own.map(|suspect| suspect.draft.clone()));
    None
}

/// A finding on a workload's template, with what became of that: put back, it informs; changed still, the way back is told
/// where it is known.
fn with_past(mut draft: Draft, past: Past) -> Draft {
    match past {
        Past::PutBack(number) => {
            draft.message = format!(
                "{} {} was touched and put back: its pods are described again as in revision {number}, which the platform \
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
                .only("puts it back as the platform made it last; that it was touched stays, as information");
            draft
                .with(Evidence::seen("revision", format!("revision {number} is the last that the platform made")))
                .fix(undo)
        }
        Past::Changed(None) => draft.with(Evidence::seen(
            "revision",
            "no revision that the platform made is kept: an upgrade or Microsoft Support puts it right",
        )),
    }
}

/// The remark of what a container of a workload runs from elsewhere.
const RUNS: &str = "runs";

/// The remark of an address of a managed Service.
const ADDRESS: &str = "address";

/// What an object shows of having been changed: fields that a second hand owns, that it was put to rest, and what in it cannot
/// be the platform's.
fn traces(seen: &Seen<'_, '_>, component: &Component, notes: &mut Notes) {
    let (object, kind, data) = (seen.object, seen.kind, seen.data);
    let mut present = None;
    let mut by_hand = Vec::new();
    for draft in hands(object, kind, &component.product, data) {
        by_hand.push(format!("{}.", draft.path));
        let values = [draft.before.clone(), draft.after.clone()];
        let effect = Effect::of(kind.kind, component, &draft.path, values.each_ref().map(Option::as_deref));
        let draft = if draft.lighter.is_some() { draft } else { effect.weigh(draft, component) };
        let told = draft.path.starts_with("spec.template") && effect != Effect::Restarts;
        if told && put_back::keeper(kind.kind).is_some() {
            let present = present.get_or_insert_with(|| Hinge::Template(Present::of(object, data)).word());
            notes.suspect(draft, present.clone());
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
        notes.note(RUNS, name);
        // Where a person's hand shows, or a container that somebody added, that says more.
        if !by_hand.iter().any(|path| format!("{}.", found.draft.path).starts_with(path)) {
            notes.drafts.push(found.draft);
        }
    }
    notes.drafts.extend(foreign::authorization(seen, component));
    notes.drafts.extend(strangers(object, kind, component, data));
    notes.drafts.extend(finalizers(object, kind, component, data));
    if *kind == kinds::SERVICE {
        for address in names::addresses(object) {
            notes.note(ADDRESS, address);
        }
    }
}

/// The fields that a client owns of which nobody knows for whom it writes: neither a pass nor an accusation.
fn strangers(object: &Object<'_>, kind: &'static Kind, component: &Component, data: &Data) -> Vec<Draft> {
    let mut drafts = Vec::new();
    let what = format!("{} {}", kind.kind, object.meta.name);
    each_second(
        object,
        data,
        |entry| data.managers.is_stranger(&entry.manager),
        |entry, kept| {
            origin::each_taken(entry, kept, MAX_PATHS, |path| {
                let leaf = origin::spell(path);
                if root(path).is_none() || is_restart(&leaf, [None, None]) {
                    return;
                }
                drafts.push(
                Draft::at(ObjectRef::of(object, kind), &*leaf)
                    .says(format!(
                        "{what} of {} was written by unrecognised client {}: neither the platform's nor a tool that people \
                         are known to use; a baseline settles it",
                        component.product, &*entry.manager
                    ))
                    .with(Evidence::managed(entry))
                    .lighter(Consequence::Info),
            );
            });
        },
    );
    drafts
}

/// The finalizers of a component's that a person's tool put there: whoever waits for them decides when it may go.
fn finalizers(object: &Object<'_>, kind: &'static Kind, component: &Component, data: &Data) -> Vec<Draft> {
    if object.meta.finalizers.as_ref().is_none_or(Vec::is_empty) {
        return Vec::new();
    }
    let mut drafts = Vec::new();
    each_hand(object, data, |entry, kept| {
        origin::each_taken(entry, kept, usize::MAX, |path| {
            let [Step::Field(meta), Step::Field(field), Step::Item(finalizer)] = path else { return };
            if &**meta == "metadata" && &**field == "finalizers" {
                let draft = Draft::at(ObjectRef::of(object, kind), origin::spell(path))
                    .values(None, Some(finalizer))
                    .says(format!(
                        "{} {} of {} has a finalizer that {} put there",
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

/// The fields of a platform's object that a person's tool took from whoever had them first.
pub(super) fn hands(object: &Object<'_>, kind: &'static Kind, product: &str, data: &Data) -> Vec<Draft> {
    let mut drafts = Vec::new();
    let mut values: HashMap<String, Option<Value>> = HashMap::new();
    let what = format!("{} {}", kind.kind, object.meta.name);
    each_hand(object, data, |entry, kept| {
        origin::each_taken(entry, kept, MAX_PATHS, |path| {
            let Some(root) = root(path) else { return };
            let leaf = origin::spell(path);
            let value = values.entry(root.to_owned()).or_insert_with(|| object.field(root));
            let now = value.as_ref().and_then(|value| value_at(value, &leaf));
            let draft = Draft::at(ObjectRef::of(object, kind), &*leaf)
                .values(None, now.as_deref())
                .says(format!("{what} of {product} was changed by {}", &*entry.manager))
                .with(Evidence::managed(entry));
            let restart = is_restart(&leaf, [None, value.as_ref().and_then(|value| annotation(value, path))]);
            drafts.push(if restart {
                let says = format!("the pods of {what} of {product} were started again by {}", &*entry.manager);
                draft.says(says).lighter(Consequence::Info)
            } else {
                draft
            });
        });
    });
    drafts
}

/// The annotation of the pods' template that a path leads to.
fn annotation<'v>(spec: &'v Value, path: &[Step<'_>]) -> Option<&'v str> {
    let [Step::Field(_), Step::Field(template), Step::Field(meta), Step::Field(annotations), Step::Field(key)] = path
    else {
        return None;
    };
    spec.get(&**template)?.get(&**meta)?.get(&**annotations)?.get(&**key)?.as_str()
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
fn each_hand<'a>(object: &Object<'a>, data: &Data, each: impl FnMut(&ManagedEntry<'a>, &Paths<'a>)) {
    each_second(object, data, |entry| origin::is_hand(entry, object, data), each);
}

/// Hands each second hand of those that are asked for to `each`, with all that others have still.
fn each_second<'a>(
    object: &Object<'a>,
    data: &Data,
    is_asked_for: impl Fn(&ManagedEntry<'a>) -> bool,
    mut each: impl FnMut(&ManagedEntry<'a>, &Paths<'a>),
) {
    // The platform is the first hand whenever it wrote last, and so is Helm on an object of a release of the platform's.
    let installer = |other: &ManagedEntry<'_>| {
        let release = data.managers.person(&other.manager).is_some() && !origin::is_hand(other, object, data);
        release || data.managers.platform(&other.manager).is_some()
    };
    let hands = Hands::of(object, &object.managed().iter(), installer);
    let own = || object.managed().iter().filter(|entry| &*entry.subresource != "status");
    let mut kept = Paths::default();
    let mut gathered = false;
    for entry in own().filter(|entry| is_asked_for(entry) && hands.is_second(entry, object)) {
        if !gathered {
            own().filter(|other| !is_asked_for(other)).for_each(|other| kept.insert_owned(other));
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
                        .caution("how many there were before is not known here")
                        .only("lets it run again; a number of one's own stays, at risk"),
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
        if component.extension || component.confidence != Confidence::Doc {
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
    let beside = names::endpoints_change(change, data).or_else(|| names::autoscaler_change(change, data));
    let beside = beside.into_iter().chain(names::claims_change(change));
    let named = component(data, change.kind.kind, &change.namespace, &change.name);
    let named = named.filter(|row| !change.object().is_some_and(|object| is_theirs(object, row, data)));
    let Some(component) = named.or_else(|| of_pods(change, data)) else {
        let other = change.create().and_then(|object| of_another_product(object, change.kind));
        let says = format!("ConfigMap {COREDNS_CUSTOM} is read by AKS in Azure; nothing shows that AKS Arc reads it");
        return beside.chain(other.map(|draft| draft.says(says))).collect();
    };
    if let Some(object) = change.create() {
        // A pod of a managed workload that somebody makes by hand is an add-on, unless it claims the component's name.
        if named.is_none() || data.allows(change.kind, &change.namespace, &change.name, object) {
            return Vec::new();
        }
        return vec![created(change, object, component, data)];
    }
    let rest = |before: &Object<'_>| Rest::of(before, change.kind, component).map(Rest::path);
    let mut drafts: Vec<Draft> = changed_fields(change, &component.product, data, rest)
        .into_iter()
        .map(|(draft, difference)| {
            let Some(difference) = difference else { return draft };
            // A Scale leaves out that it is nought.
            let none = Some("0").filter(|_| change.subresource == "scale");
            let values = [difference.before.as_deref().or(none), difference.after.as_deref().or(none)];
            let effect = Effect::of(change.kind.kind, component, &difference.path, values);
            // Where a person's hand already shows, this may be the way back; not where it leads elsewhere.
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

/// The component whose pods or replicas a pod or ReplicaSet is: by its owner, or, of what is scaled, by its name.
fn of_pods<'d>(change: &Change<'_>, data: &'d Data) -> Option<&'d Component> {
    if *change.kind == kinds::REPLICA_SET && change.subresource == "scale" {
        // A Scale has no owner; a ReplicaSet is named after its Deployment and a hash.
        return component(data, "Deployment", &change.namespace, change.name.rsplit_once('-')?.0);
    }
    owning_component(change.kind, change.object()?, data)
}

/// A component that somebody would make by hand. What was deleted may be made again as it was: nothing in it is another's then.
fn created(change: &Change<'_>, object: &Object<'_>, component: &Component, data: &Data) -> Draft {
    let draft = Draft::at(ObjectRef::of(object, change.kind), "metadata.name")
        .values(None, Some(&change.name))
        .says(format!("{} {} of {} would be created by hand", change.kind.kind, change.name, component.product));
    // A name that no document gives to the platform is also upstream's, and what runs under it is judged by itself.
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

/// Whether a new value is one that the platform is known to set: what somebody added is gone again, an image is Microsoft's.
fn may_be_the_platforms(difference: &Difference, data: &Data) -> bool {
    match &difference.after {
        None => difference.path != "spec.replicas",
        Some(image) => difference.path.rsplit('.').next() == Some("image") && data.provenance.is_microsofts(image),
    }
}

/// That an update writes somebody else into a component's managedFields than whoever asks for it, as `own` says: a state would
/// show that hand and not theirs. The API server's own names for what it merges are nobody's.
pub(crate) fn forged(change: &Change<'_>, own: &str, data: &Data) -> Option<Draft> {
    let (Some(before), Some(after)) = (&change.before, &change.after) else { return None };
    if before.raw_managed() == after.raw_managed() || !change.kind.namespaced {
        return None;
    }
    let named = component(data, change.kind.kind, &change.namespace, &change.name);
    let component = named.or_else(|| of_pods(change, data))?;
    let had: HashSet<&str> = before.managed().iter().map(|entry| &*entry.manager).collect();
    let added = after.managed().iter().map(|entry| &*entry.manager);
    let mut added: Vec<&str> = added.filter(|name| !had.contains(name) && !data.managers.is_api_server(name)).collect();
    added.sort_unstable();
    added.dedup();
    if own.is_empty() {
        // Whoever gives no name of their own is called after their program: that is one, and none of the platform's.
        let is_platforms = |name: &&str| data.managers.platform(name).is_some();
        if added.len() == 1 && !added.iter().any(is_platforms) {
            return None;
        }
    } else {
        added.retain(|name| *name != own);
    }
    let first = added.first()?;
    let what = format!("{} {} of {}", change.kind.kind, change.name, component.product);
    let draft = Draft::at(target(change), "metadata.managedFields")
        .values(None, Some(first))
        .says(format!("managedFields of {what} would say that {first} wrote it, which is not who asks"))
        .lighter(Consequence::AtRisk);
    Some(draft)
}

/// The finalizers that an update adds to a component, or to a pod of it.
fn new_finalizers(change: &Change<'_>, component: &Component) -> Vec<Draft> {
    let Some((before, after)) = change.update(&["status"]) else { return Vec::new() };
    let drafts = added_finalizers(before, after).into_iter().map(|finalizer| {
        Draft::at(target(change), format!("metadata.finalizers[{finalizer}]"))
            .values(None, Some(finalizer))
            .says(format!("{} {} of {} would get a finalizer", change.kind.kind, change.name, component.product))
            .lighter(Consequence::AtRisk)
    });
    drafts.take(MAX_PATHS).collect()
}

/// What an update would change of a platform's object. `rest` tells where it shows that it was put to rest.
pub(super) fn changed(
    change: &Change<'_>,
    product: &str,
    data: &Data,
    rest: impl FnOnce(&Object<'_>) -> Option<Vec<Step<'static>>>,
) -> Vec<Draft> {
    changed_fields(change, product, data, rest).into_iter().map(|(draft, _)| draft).collect()
}

/// As [`changed`], with the field that a finding is about; one on the object as a whole has none.
fn changed_fields(
    change: &Change<'_>,
    product: &str,
    data: &Data,
    rest: impl FnOnce(&Object<'_>) -> Option<Vec<Step<'static>>>,
) -> Vec<(Draft, Option<Difference>)> {
    let Some((before, after)) = change.update(&["scale", "ephemeralcontainers", "resize"]) else { return Vec::new() };
    let lost = lost_owner(change, before, after, product).map(|draft| (draft, None));
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
        .heaviest(&shown, is_template_annotation)
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
    // Behind the back of its Deployment a ReplicaSet of the past would run again.
    if change.kind.kind == "ReplicaSet" {
        return false;
    }
    // A Scale of nothing has no such field.
    let rests = difference.before.as_deref().map_or(change.subresource == "scale", |before| before == "0");
    difference.path == "spec.replicas" && rests && difference.after.as_deref().is_some_and(|after| after != "0")
}

/// Annotations of the pods' template weigh least of all in it: a restart changes nothing else.
fn is_template_annotation(path: &[Step<'_>]) -> bool {
    let is = |step: &Step<'_>, name: &str| matches!(step, Step::Field(field) if &**field == name);
    matches!(path, [_, template, meta, annotations, _]
        if is(template, "template") && is(meta, "metadata") && is(annotations, "annotations"))
}

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
    use crate::k8s::read::json;

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
