//! AA208: a node was deleted by hand, which leaves its virtual machine behind.

use crate::command::Command;
use crate::data::{Data, Platform};
use crate::facts::change::{Change, Operation};
use crate::facts::inventory::{Inventory, NodeFact};
use crate::facts::notes::Notes;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::rules::parts::finalizers::{finalizers_of_people, new_finalizers};
use crate::rules::parts::owners::owned;
use crate::rules::parts::target::target;
use crate::rules::parts::{platform_signs, ways};
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Watch, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA208"),
    slug: "node-deleted",
    summary: "a node was deleted with kubectl while its machine is still there, or a finalizer added by hand blocks its deletion",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C13")],
    platforms: &Platform::ALL,
    reads: &[Read { kind: &kinds::NODE, scope: Scope::Cluster }, Read { kind: &kinds::MACHINE, scope: Scope::Cluster }],
    probes: &[],
    guards: &[
        Watch { kind: &kinds::NODE, subresource: "", operations: &[Operation::Delete, Operation::Update] },
        Watch { kind: &kinds::NODE, subresource: "status", operations: &[Operation::Update] },
    ],
    reach: Reach::System,
    mode: Mode::Warn,
    instead: "scale the node pool instead",
    change: Some(change),
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

/// Reports finalizers that a person put on a node.
fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (node, data) = (seen.object, seen.data);
    if *seen.kind != kinds::NODE || node.meta.finalizers.as_ref().is_none_or(Vec::is_empty) {
        return;
    }
    if !platform_signs::platform_signs(&NodeFact::of(node, data), data).is_empty() {
        notes.drafts.extend(finalizers_of_people(node, seen.kind, &format!("node {}", node.meta.name), data));
    }
}

/// The verdict on running machines whose node is gone, on clusters that hold the machines of their own nodes. On a
/// management cluster the machines are other clusters'.
fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    if let Some(why) = context.unread(&[&kinds::NODE]) {
        return Verdict::Unknown(why.to_owned());
    }
    let is_here = |name: &str| inventory.nodes.iter().any(|node| node.name == name);
    let named = inventory.machines.iter().filter_map(|machine| Some((machine, machine.node.as_deref()?)));
    let clusters: Vec<&str> =
        named.clone().filter(|(_, node)| is_here(node)).map(|(machine, _)| &*machine.cluster).collect();
    if clusters.is_empty() {
        return Verdict::NotObservable(
            "this cluster does not hold the Cluster API machines of its own nodes".to_owned(),
        );
    }
    let lost = named.filter(|(machine, node)| {
        clusters.contains(&&*machine.cluster) && !is_here(node) && !machine.deleting && machine.phase == "Running"
    });
    let drafts = lost.map(|(machine, node)| {
        let target = ObjectRef {
            api_version: kinds::MACHINE.api_version(),
            kind: kinds::MACHINE.kind.to_owned(),
            namespace: machine.namespace.clone(),
            name: machine.name.clone(),
            uid: machine.uid.clone(),
        };
        Draft::at(target, "status.nodeRef")
            .values(Some(node), None)
            .says(format!("machine {} runs, but its node {node} is gone", machine.name))
            .with(Evidence::seen("machines", "other machines of the same cluster have their nodes here"))
    });
    Verdict::Found(drafts.collect())
}

fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    if *change.kind != kinds::NODE {
        return Vec::new();
    }
    let (owner, held) = (change.new_owner(), new_finalizers(change, &format!("node {}", change.name)));
    if !change.is_delete() && owner.is_none() && held.is_empty() {
        return Vec::new();
    }
    let Some(node) = &change.before else { return Vec::new() };
    // Deleting a foreign node is the cure for AA401.
    let fact = NodeFact::of(node, data);
    if platform_signs::platform_signs(&fact, data).is_empty() {
        return Vec::new();
    }
    let gone = match owner {
        Some(owner) => owned(change, owner),
        None if !change.is_delete() => return held,
        None => Draft::at(target(change), "metadata")
            .values(Some(&change.name), None)
            .says(format!("node {} would be deleted, and its virtual machine stays behind", change.name)),
    };
    let scale = Command::az(["aksarc", "nodepool", "scale", "--resource-group"])
        .blank("GROUP")
        .word("--cluster-name")
        .blank("CLUSTER")
        .word("--name")
        .blank("POOL")
        .word("--node-count")
        .blank("COUNT")
        .on(&[Platform::AzureLocal])
        .caution("AKS Arc chooses the node to remove");
    let gone = gone.fixes([ways::drain(&change.name), scale]);
    [vec![gone], held].concat()
}
