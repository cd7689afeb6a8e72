//! AA608: no node of the cluster runs.

use crate::command::Command;
use crate::data::Platform;
use crate::facts::inventory::{Inventory, NodeFact};
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA608"),
    slug: "all-nodes-down",
    summary: "no agent node of the cluster is running",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C30")],
    platforms: &[Platform::WindowsServer, Platform::Hci22h2, Platform::AzureLocal],
    reads: &[Read { kind: &kinds::NODE, scope: Scope::Cluster }],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "start the nodes with the platform's own commands",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck = StateCheck { per_object: None, per_cluster: Some(per_cluster), deadlines: None };

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    // An unread node may be ready.
    if let Some(why) = context.unread(&[&kinds::NODE]) {
        return Verdict::Unknown(why.to_owned());
    }
    if inventory.nodes.is_empty() {
        return Verdict::Unknown("there are no nodes to look at".to_owned());
    }
    let agents: Vec<&NodeFact> =
        inventory.nodes.iter().filter(|node| !node.control_plane && !node.virtual_kubelet).collect();
    if agents.is_empty() || !agents.iter().all(|node| is_down(node)) {
        return Verdict::Found(Vec::new());
    }
    let unreachable = agents.iter().filter(|node| is_unreachable(node)).count();
    let mut draft = Draft::at(ObjectRef::cluster(), "status.conditions[Ready]")
        .broken()
        .values(Some("a node that is ready"), Some(&format!("none of {}", agents.len())))
        .says(
            "no agent node is ready: an outage, or all were shut down, which ends support when done by hand in Hyper-V",
        )
        .with(Evidence::seen(
            "nodes",
            format!("{unreachable} of {} are unreachable, the others report not to be ready", agents.len()),
        ))
        .fix(Command::kubectl(["get", "nodes", "-o", "wide"]).only("shows the nodes"));
    for node in agents {
        draft = draft.member(&node.name);
    }
    Verdict::Found(vec![draft])
}

/// Whether a node is down, as the node itself or the node lifecycle controller reports; a node that has yet to report
/// is not.
fn is_down(node: &NodeFact) -> bool {
    node.ready == Some(false) || is_unreachable(node)
}

fn is_unreachable(node: &NodeFact) -> bool {
    node.taints.iter().any(|taint| taint.starts_with("node.kubernetes.io/unreachable="))
}
