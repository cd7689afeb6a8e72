//! AA605: an agent of Azure Arc is missing, not ready, restarting or cut off from Azure; or all agents are missing.

use crate::data::{Component, Confidence, Data, Platform};
use crate::facts::change::Operation;
use crate::facts::inventory::{Inventory, ReadKey, ReadState};
use crate::facts::notes::Notes;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds::{self, Kind};
use crate::rules::parts::{egress, health};
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Watch, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA605"),
    slug: "arc-agents-unhealthy",
    summary: "an agent of Azure Arc is missing, does not work or is cut off",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Operational),
    clauses: &[Clause::new("C14"), Clause::new("C29")],
    platforms: &Platform::ALL,
    reads: &[
        Read { kind: &kinds::DEPLOYMENT, scope: Scope::ArcNamespaces },
        Read { kind: &kinds::NETWORK_POLICY, scope: Scope::ArcNamespaces },
        Read { kind: &kinds::POD, scope: Scope::ArcNamespaces },
    ],
    probes: &[],
    guards: &[Watch {
        kind: &kinds::NETWORK_POLICY,
        subresource: "",
        operations: &[Operation::Create, Operation::Update],
    }],
    reach: Reach::System,
    mode: Mode::Warn,
    instead: "az connectedk8s troubleshoot",
    change: Some(egress::change),
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

/// The component with a kind, namespace and name, if this rule covers it. Inferred components are left out, and so are
/// Arc extensions, which come and go as users wish.
fn spoken_for<'d>(data: &'d Data, kind: &str, namespace: &str, name: &str) -> Option<&'d Component> {
    let known = data.component(kind, namespace, name).filter(|_| data.namespaces.is_arc(namespace));
    known.filter(|row| row.confidence == Confidence::Doc && !row.extension)
}

fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, kind, data) = (seen.object, seen.kind, seen.data);
    let (namespace, name) = (&object.meta.namespace, &object.meta.name);
    if *kind == kinds::POD {
        let known = |kind: &str, name: &str| spoken_for(data, kind, namespace, name).is_some();
        notes.drafts.extend(health::crash_loop(object, known));
        egress::note_pod(object, data, notes);
    } else if *kind == kinds::NETWORK_POLICY {
        egress::note_policy(object, data, notes);
    } else if spoken_for(data, kind.kind, namespace, name).is_some() {
        notes.remark(Agent { kind: kind.kind, name: format!("{namespace}/{name}") });
        notes.drafts.extend(health::ailing(object, kind));
    }
}

/// An object of the Arc agents that exists.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Agent {
    kind: &'static str,
    /// The name with its namespace: `azure-arc/clusterconnect-agent`.
    name: String,
}

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let is_there = |row: &crate::data::essentials::Essential| {
        let name = format!("{}/{}", row.namespace, row.name);
        inventory.remarks::<Agent>(RULE.code).any(|agent| agent.kind == row.kind && agent.name == name)
    };
    let mut drafts = health::missing(inventory, context.data, context.platform, health::Sought::ArcAgents, is_there);
    drafts.extend(all_gone(inventory, context));
    // An unread policy may be the one that leads out.
    if context.unread(&[&kinds::NETWORK_POLICY]).is_none() {
        drafts.extend(egress::cut_off(inventory, RULE.code));
    }
    Verdict::Found(drafts)
}

/// A draft on a cluster without any agent. On Azure Local every cluster comes connected, so that the absence of Azure
/// Arc in one of its virtual machines shows that somebody removed it. Elsewhere connecting a cluster is the user's
/// choice.
fn all_gone(inventory: &Inventory, context: &Context<'_>) -> Option<Draft> {
    if context.platform != Platform::AzureLocal || !inventory.nodes.iter().any(|node| node.is_moc(context.data)) {
        return None;
    }
    let read = |kind: &'static Kind, namespace: Option<&str>| {
        let key = ReadKey { kind, namespace: namespace.map(str::to_owned) };
        matches!(inventory.reads.get(&key), Some(ReadState::Complete { .. }))
    };
    let exists = inventory.namespaces.iter().any(|own| own == NAMESPACE);
    let listed = read(&kinds::DEPLOYMENT, None) || read(&kinds::DEPLOYMENT, Some(NAMESPACE));
    let has_agents = || inventory.remarks::<Agent>(RULE.code).any(|agent| agent.kind == kinds::DEPLOYMENT.kind);
    if !read(&kinds::NAMESPACE, None) || (exists && (!listed || has_agents())) {
        return None;
    }
    let (path, after, what) = if exists {
        ("metadata.name", Some("empty"), "all agents of Azure Arc are missing")
    } else {
        ("metadata.name", None, "the namespace of the Azure Arc agents is missing")
    };
    let object = ObjectRef {
        api_version: "v1".to_owned(),
        kind: "Namespace".to_owned(),
        name: NAMESPACE.to_owned(),
        ..ObjectRef::default()
    };
    Some(
        Draft::at(object, path)
            .broken()
            .values(Some(NAMESPACE), after)
            .says(format!(
                "{what}, and every cluster of Azure Local comes connected: updates, billing and repair depend on it"
            ))
            .basis(Basis::Derived)
            .clauses(const { &[Clause::new("C14"), Clause::new("C32")] })
            .with(Evidence::seen("signs", "the nodes are virtual machines of AKS Arc")),
    )
}

/// The namespace of the agents.
const NAMESPACE: &str = "azure-arc";
