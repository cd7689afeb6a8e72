//! AA206: the identity of a node was set by hand, or is another's.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::command::Command;
use crate::data::{Data, Platform};
use crate::facts::change::{Change, Operation};
use crate::facts::inventory::{Inventory, NodeFact};
use crate::facts::notes::Notes;
use crate::facts::origin;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::k8s::object::{ManagedEntry, Object};
use crate::k8s::text::Text;
use crate::rules::parts::node_metadata::update;
use crate::rules::parts::platform_signs::platform_signs;
use crate::rules::parts::target::target;
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Watch, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA206"),
    slug: "node-identity-changed",
    summary: "the identity that ties a node to its virtual machine was set by hand, or two nodes share one",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C13")],
    platforms: &Platform::ALL,
    reads: &[Read { kind: &kinds::NODE, scope: Scope::Cluster }],
    probes: &[],
    guards: &[Watch { kind: &kinds::NODE, subresource: "", operations: &[Operation::Update] }],
    reach: Reach::System,
    mode: Mode::Warn,
    instead: "let the cloud provider claim the node",
    change: Some(change),
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

/// Reports identity fields that a person's tool wrote, and notes nodes that their cloud provider has yet to claim.
fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (node, data) = (seen.object, seen.data);
    let name = &node.meta.name;
    if node.taints().iter().any(|taint| &*taint.key == UNINITIALIZED) {
        notes.remark(Waiting(name.to_string()));
    }
    // A node without any sign of the platform is AA401's as a whole.
    if platform_signs(&NodeFact::of(node, data), data).is_empty() {
        return;
    }
    let later = |entry: &&ManagedEntry<'_>| origin::is_later(entry, node);
    let identity = identity(node);
    for entry in node.managed().iter().filter(later).filter(|entry| data.managers.person(&entry.manager).is_some()) {
        for (field, value) in &identity {
            let Some(value) = value.as_ref().filter(|_| entry.owns(&["f:spec", &format!("f:{field}")])) else {
                continue;
            };
            notes.drafts.push(
                Draft::at(ObjectRef::of(node, seen.kind), format!("spec.{field}"))
                    .values(None, Some(value))
                    .says(format!("node {name}: spec.{field} was set by {}", &*entry.manager))
                    .with(Evidence::managed(entry)),
            );
            notes.remark(ByHand { node: name.to_string(), field });
        }
    }
}

/// A node whose cloud provider has yet to say which machine it is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting(String);

/// A field of a node's `spec` that a person set.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ByHand {
    node: String,
    field: &'static str,
}

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let mut drafts = providers(inventory, context.data);
    drafts.extend(twins(inventory));
    Verdict::Found(drafts)
}

/// Drafts on nodes that show signs of the platform but lack its providerID, which other nodes have. Nobody knows
/// whether it was removed or never given, so these weigh less than a person's observed write.
fn providers(inventory: &Inventory, data: &Data) -> Vec<Draft> {
    let prefix = &data.products.provider_id_prefix;
    let by_hand = |name: &str| {
        inventory.remarks::<ByHand>(RULE.code).any(|remark| remark.node == name && remark.field == "providerID")
    };
    let Some(witness) = inventory.nodes.iter().find(|node| node.is_moc(data)) else { return Vec::new() };
    let others = inventory.nodes.iter().filter(|node| {
        let claimed =
            node.provider_id.is_some() || !inventory.remarks::<Waiting>(RULE.code).any(|remark| remark.0 == node.name);
        let ours = !node.virtual_kubelet && !platform_signs(node, data).is_empty();
        ours && claimed && !node.is_moc(data) && !by_hand(&node.name)
    });
    others
        .map(|node| {
            let problem = if node.provider_id.is_some() { "is not one of AKS Arc" } else { "is missing" };
            let signs = platform_signs(node, data).join(", ");
            Draft::at(reference(node), "spec.providerID")
                .values(Some(&format!("{prefix}…")), node.provider_id.as_deref())
                .says(format!("node {}: providerID {problem}, so no virtual machine belongs to the node", node.name))
                .with(Evidence::seen(
                    "signs",
                    format!("the platform made it ({signs}), and node {} has one", witness.name),
                ))
                .lighter(Consequence::AtRisk)
        })
        .collect()
}

/// Drafts on Ready nodes that report the same machine. Each names the younger node, which came second.
fn twins(inventory: &Inventory) -> Vec<Draft> {
    let mut by_uuid: BTreeMap<String, Vec<&NodeFact>> = BTreeMap::new();
    for node in inventory.nodes.iter().filter(|node| node.ready == Some(true) && !node.virtual_kubelet) {
        let uuid = node.system_uuid.to_ascii_lowercase();
        if is_unique(&uuid) {
            by_uuid.entry(uuid).or_default().push(node);
        }
    }
    let mut drafts = Vec::new();
    for (uuid, mut nodes) in by_uuid {
        nodes.sort_by_key(|node| (&node.created, &node.name));
        let Some((first, others)) = nodes.split_first() else { continue };
        drafts.extend(others.iter().map(|node| {
            Draft::at(reference(node), "status.nodeInfo.systemUUID")
                .values(None, Some(&uuid))
                .says(format!("nodes {} and {} report the same virtual machine", first.name, node.name))
                .with(Evidence::seen("status", format!("both are Ready, and both report systemUUID {uuid}")))
                .fix(
                    Command::kubectl(["get", "nodes"])
                        .name(&first.name)
                        .name(&node.name)
                        .word("-o")
                        .word("wide")
                        .only("shows both"),
                )
        }));
    }
    drafts
}

/// Whether a UUID identifies a machine. Firmware without an identity of its own reports a repeated digit or a vendor's
/// default.
fn is_unique(uuid: &str) -> bool {
    let digits: Vec<char> = uuid.chars().filter(|c| *c != '-').collect();
    let varied = digits.iter().any(|c| Some(c) != digits.first());
    varied && !NOBODYS.contains(&uuid)
}

/// Drafts on identity fields that a change sets. The API server refuses to change a field that is set already, so there
/// is no way back to allow.
fn change(change: &Change<'_>, _: &Data) -> Vec<Draft> {
    let Some((before, after)) = update(change) else { return Vec::new() };
    if before.raw("spec") == after.raw("spec") {
        return Vec::new();
    }
    let (old, new) = (identity(before), identity(after));
    old.into_iter()
        .zip(new)
        .filter(|((_, old), (_, new))| old != new)
        .map(|((field, old), (_, new))| {
            Draft::at(target(change), format!("spec.{field}"))
                .values(old.as_deref(), new.as_deref())
                .says(format!("node {}: spec.{field} would be set by hand", change.name))
        })
        .collect()
}

/// The fields that tie a node to its network and its machine. `podCIDR` is the first of `podCIDRs`: one field with two
/// spellings.
fn identity<'o>(node: &'o Object<'_>) -> [(&'static str, Option<Cow<'o, str>>); 2] {
    let spec = node.node_spec();
    let text = |text: &'o Option<Text<'_>>| text.as_deref().filter(|text| !text.is_empty()).map(Cow::from);
    let cidrs = match spec.pod_cidrs.as_deref().unwrap_or_default() {
        [] => text(&spec.pod_cidr),
        [one] => Some(Cow::from(&**one)),
        several => Some(several.iter().map(|cidr| &**cidr).collect::<Vec<_>>().join(",").into()),
    };
    [("podCIDR", cidrs), ("providerID", text(&spec.provider_id))]
}

fn reference(node: &NodeFact) -> ObjectRef {
    ObjectRef {
        api_version: kinds::NODE.api_version(),
        kind: kinds::NODE.kind.to_owned(),
        name: node.name.clone(),
        uid: node.uid.clone(),
        ..ObjectRef::default()
    }
}

/// The taint that stays until the cloud provider has claimed the node (kubernetes.io, well-known taints).
const UNINITIALIZED: &str = "node.cloudprovider.kubernetes.io/uninitialized";

/// The identities that firmware vendors leave as a default.
const NOBODYS: [&str; 1] = ["03000200-0400-0500-0006-000700080009"];
