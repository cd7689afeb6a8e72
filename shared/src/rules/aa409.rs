//! AA409: a static pod that the platform did not put on an agent node.

use std::collections::BTreeMap;

use crate::data::Platform;
use crate::facts::inventory::{Inventory, NodeFact};
use crate::facts::notes::Notes;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA409"),
    slug: "unknown-static-pod",
    summary: "a node runs a static pod that is not the platform's: somebody wrote to its disk",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C10"), Clause::new("C22"), Clause::new("C27")],
    platforms: &Platform::ALL,
    reads: &[Read { kind: &kinds::NODE, scope: Scope::Cluster }, Read { kind: &kinds::POD, scope: Scope::Cluster }],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "run it as a DaemonSet",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

/// Notes mirror pods that their node owns. Only a kubelet makes such a pod, while anybody can set an annotation.
fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, meta) = (seen.object, &seen.object.meta);
    if meta.annotations.get(MIRROR).is_none()
        || seen
            .data
            .components
            .iter()
            .any(|row| row.static_pod && row.is("Pod", &meta.namespace, &meta.name, &seen.data.namespaces))
    {
        return;
    }
    let Some(node) = object.owners().iter().find(|owner| &*owner.kind == "Node") else { return };
    let Some(pod) = seen.pod().filter(|pod| pod.node_name.as_deref() == Some(&*node.name)) else { return };
    let source = meta.annotations.get("kubernetes.io/config.source").unwrap_or("file");
    let images: Vec<&str> = pod.images().collect();
    let microsoft = !images.is_empty() && images.iter().all(|image| seen.data.provenance.is_microsofts(image));
    let draft = Draft::at(ObjectRef::of(object, seen.kind), format!("metadata.annotations[{MIRROR}]"))
        .says(format!("static pod {} of node {} is not a known part of the platform", meta.name, node.name))
        .with(Evidence::seen(MIRROR, format!("the kubelet of {} runs it from a {source}", node.name)))
        .with(Evidence::seen("images", images.join(", ")));
    // A pod with images of Microsoft's alone may be the platform's: the catalogue does not claim to be complete.
    notes.undecided(if microsoft { draft.lighter(Consequence::Info) } else { draft }, OnNode(node.name.to_string()));
}

/// The node that runs a static pod.
#[derive(Debug)]
struct OnNode(String);

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    // An unread object may show that the pod stands on every node of its pool, or that it does not.
    if context.unread(&[&kinds::NODE, &kinds::POD]).is_some() {
        return Verdict::Found(Vec::new());
    }
    let pools: BTreeMap<&str, &str> =
        inventory.nodes.iter().filter(|node| !node.virtual_kubelet).map(|node| (&*node.name, pool(node))).collect();
    // A kubelet names its static pods after their file and its node.
    let base = |name: &str, node: &str| name.strip_suffix(node).map(str::to_owned);
    let suspects = inventory.undecided::<OnNode>(RULE.code);
    let found = suspects.iter().filter_map(|suspect| Some((suspect, *pools.get(&*suspect.depends_on.0)?)));
    let drafts = found.map(|(suspect, pool)| {
        let file = base(&suspect.draft.object.name, &suspect.depends_on.0);
        let twins = suspects.iter().filter(|other| {
            let same = base(&other.draft.object.name, &other.depends_on.0);
            pools.get(&*other.depends_on.0) == Some(&pool) && file.is_some() && same == file
        });
        let members = pools.values().filter(|other| **other == pool).count();
        let draft = suspect.draft.clone();
        // A pod on every node of a pool probably came with their image; a single node proves nothing.
        if members > 1 && twins.count() == members { draft.lighter(Consequence::Info) } else { draft }
    });
    Verdict::Found(drafts.collect())
}

/// The pool of a node; the control plane counts as one.
fn pool(node: &NodeFact) -> &str {
    if node.control_plane { "" } else { &node.pool }
}

/// The annotation by which a kubelet marks the mirror of a static pod (Kubernetes, well-known annotations).
const MIRROR: &str = "kubernetes.io/config.mirror";
