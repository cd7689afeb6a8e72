//! AA203: a taint that the system keeps on a node was changed by hand.

use crate::command::Command;
use crate::data::{Data, Place, Platform, Ruling};
use crate::facts::change::{Change, Operation};
use crate::facts::inventory::{CONTROL_PLANE_LABEL, Inventory, NodeFact};
use crate::facts::notes::Notes;
use crate::facts::origin::Keys;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::k8s::object::Object;
use crate::rules::parts::node_metadata::{KeyChange, changes, entries, path, update};
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Watch, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA203"),
    slug: "system-taint-changed",
    summary: "a taint that the system keeps on a node was changed by hand",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C13")],
    platforms: &Platform::ALL,
    reads: &[Read { kind: &kinds::NODE, scope: Scope::Cluster }],
    probes: &[],
    guards: &[Watch { kind: &kinds::NODE, subresource: "", operations: &[Operation::Update] }],
    reach: Reach::System,
    mode: Mode::Warn,
    instead: "cordon the node, or taint its pool",
    change: Some(change),
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

/// Judges the taint of a control-plane node: it is there, it is missing although the node's annotations list it, or it
/// is missing and other nodes decide.
fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (node, data) = (seen.object, seen.data);
    if !is_control_plane(node, data) {
        return;
    }
    if has_taint(node) {
        notes.remark(Tainted);
        return;
    }
    let name = &node.meta.name;
    let draft = Draft::at(ObjectRef::of(node, seen.kind), path(Place::Taint, CONTROL_PLANE_LABEL))
        .values(Some(":NoSchedule"), None)
        .says(format!(
            "control-plane node {name}: taint {CONTROL_PLANE_LABEL}, which keeps workloads off it, is missing"
        ))
        .fix(Command::kubectl(["taint", "node"]).one_of(name).word(&format!("{CONTROL_PLANE_LABEL}=:NoSchedule")));
    let listed = node.meta.annotations.get("cluster.x-k8s.io/taints-from-machine").unwrap_or_default();
    if listed.split(',').any(|taint| taint.trim().split(':').next() == Some(CONTROL_PLANE_LABEL)) {
        let detail = "the node's own annotations list the taint as one of its machine's";
        notes.drafts.push(draft.with(Evidence::seen("machine", detail)));
    } else {
        notes.undecided(draft, OtherNodes);
    }
}

/// A control-plane node has its taint.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Tainted;

/// Whether other control-plane nodes have the taint.
#[derive(Debug)]
struct OtherNodes;

/// The verdict on control-plane nodes without their taint. One is a finding if another control-plane node has the
/// taint. If none has it, nobody knows whether it was taken away or never given; without other nodes, workloads have to
/// run on the control plane.
fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let suspects = inventory.undecided::<OtherNodes>(RULE.code);
    let is_foreign = |name: &str| {
        let is_moc = |node: &NodeFact| node.is_moc(context.data);
        inventory.nodes.iter().any(is_moc) && !inventory.nodes.iter().any(|node| node.name == name && is_moc(node))
    };
    let suspects: Vec<&Draft> =
        suspects.iter().map(|suspect| &suspect.draft).filter(|draft| !is_foreign(&draft.object.name)).collect();
    if inventory.remarks::<Tainted>(RULE.code).next().is_some() {
        let peers = || Evidence::seen("peers", "another control-plane node has the taint");
        return Verdict::Found(suspects.into_iter().map(|draft| draft.clone().with(peers())).collect());
    }
    let workers = inventory.nodes.iter().any(|node| !node.control_plane && !node.virtual_kubelet);
    match suspects.first() {
        Some(draft) if workers => Verdict::Unknown(format!(
            "control-plane node {} has no control-plane taint; whether it was removed or never set is unknown",
            draft.object.name
        )),
        _ => Verdict::Found(Vec::new()),
    }
}

fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    let Some((before, after)) = update(change) else { return Vec::new() };
    let taints = changes(before, after, &[Place::Taint]);
    let judged = taints.iter().filter(|taint| is_system(taint, data) && !is_cure(taint, before));
    judged
        .map(|taint| {
            let draft = taint
                .draft(change)
                .says(format!("node {}: system taint {} {}", change.name, taint.key, taint.would_be()))
                .with(Evidence::seen("origin", "a known system taint"));
            let taken = taint.key == CONTROL_PLANE_LABEL && taint.after.is_none();
            if taken { draft } else { draft.fix(Command::kubectl(["cordon"]).name(&change.name)) }
        })
        .collect()
}

/// Whether the system sets the taint. Taints that are only inferred count too: nothing here weighs more than a risk.
fn is_system(taint: &KeyChange<'_>, data: &Data) -> bool {
    matches!(data.node_keys.ruling(Place::Taint, &taint.key), Ruling::Known(_) | Ruling::Guess(_))
}

/// Whether the change gives a control-plane node its taint back.
fn is_cure(taint: &KeyChange<'_>, before: &Object<'_>) -> bool {
    let label = before.meta.labels.get(CONTROL_PLANE_LABEL).is_some();
    taint.key == CONTROL_PLANE_LABEL && taint.before.is_none() && label && taint.after.as_deref() == Some(":NoSchedule")
}

/// Whether a node is of the control plane: by its label, unless a person set it. The system's managedFields or the name
/// of the virtual machine vouch for the label (microsoft/cluster-api-provider-azurestackhci, templates/flavors/mgmt,
/// 2026-08).
fn is_control_plane(node: &Object<'_>, data: &Data) -> bool {
    if node.meta.labels.get(CONTROL_PLANE_LABEL).is_none() {
        return false;
    }
    let keys = Keys::of(node, Place::Label, data);
    let by_name = || node.provider_id().is_some_and(|id| id.contains("-control-plane-"));
    keys.system(CONTROL_PLANE_LABEL).is_some() || node.managed().is_empty() || by_name()
}

fn has_taint(node: &Object<'_>) -> bool {
    entries(node, Place::Taint).iter().any(|(key, _)| key == CONTROL_PLANE_LABEL)
}
