//! AA401: a node that AKS Arc did not create.

use crate::command::Command;
use crate::data::{Data, Platform};
use crate::facts::change::{Change, Operation};
use crate::facts::inventory::Inventory;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::rules::parts::platform_signs::platform_signs;
use crate::rules::parts::target::target;
use crate::rules::parts::ways;
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, StateCheck, Verdict, Voiding, Watch, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA401"),
    slug: "foreign-node",
    summary: "a node was not created by AKS Arc",
    consequence: Weight::EvenWithoutText(Consequence::Voids),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C10")],
    platforms: &Platform::ALL,
    reads: &[Read { kind: &kinds::NODE, scope: Scope::Cluster }],
    probes: &[],
    guards: &[Watch { kind: &kinds::NODE, subresource: "", operations: &[Operation::Create] }],
    reach: Reach::System,
    mode: Mode::Deny,
    instead: "scale or add a node pool instead",
    change: Some(change),
    claim: None,
    manifests: ManifestUse::AsNodeCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck = StateCheck { per_object: None, per_cluster: Some(per_cluster), deadlines: None };

/// The verdict on nodes without any sign of the platform. They are foreign where other nodes show the platform's signs.
fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let data = context.data;
    let nodes = || inventory.nodes.iter().filter(|node| !node.virtual_kubelet);
    if !nodes().any(|node| node.is_moc(data)) {
        return if context.platform == Platform::BareMetal {
            Verdict::NotObservable("no text says what a node of AKS on bare metal looks like".to_owned())
        } else if inventory.nodes.is_empty() {
            Verdict::Unknown("there are no nodes to compare".to_owned())
        } else {
            Verdict::Unknown("no node looks like one of AKS Arc, so foreign nodes cannot be told apart".to_owned())
        };
    }
    let foreign = nodes().filter(|node| platform_signs(node, data).is_empty());
    let drafts = foreign.map(|node| {
        let target = ObjectRef {
            api_version: "v1".to_owned(),
            kind: kinds::NODE.kind.to_owned(),
            name: node.name.clone(),
            uid: node.uid.clone(),
            ..ObjectRef::default()
        };
        let provider = node.provider_id.as_deref().unwrap_or("none");
        let signs =
            format!("providerID {provider}, no pool label, no Cluster API machine, another name, {}", node.os_image);
        Draft::at(target, "spec.providerID")
            .values(Some(&format!("{}…", data.products.provider_id_prefix)), node.provider_id.as_deref())
            .says(format!("node {} shows no sign of AKS Arc", node.name))
            .with(Evidence::seen("signs", signs))
            .fixes([
                ways::drain(&node.name),
                Command::kubectl(["delete", "node"])
                    .one_of(&node.name)
                    .caution("its kubelet has to be stopped, or it comes back"),
            ])
    });
    Verdict::Found(drafts.collect())
}

/// A draft on a node created by anybody but a node. Nodes register themselves, as members of the nodes' group.
fn change(change: &Change<'_>, _: &Data) -> Vec<Draft> {
    if *change.kind != kinds::NODE || change.create().is_none() {
        return Vec::new();
    }
    let draft = Draft::at(target(change), "spec.providerID")
        .says(format!("node {} would be created by hand", target(change).name));
    vec![draft]
}
