//! AA502: a user's object sets up or changes the network cards of nodes.

use serde_json::Value;

use crate::data::{Data, Platform};
use crate::facts::change::{Change, Operation};
use crate::facts::notes::Notes;
use crate::facts::origin::{self, Provenance};
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::Object;
use crate::rules::parts::differences::Differing;
use crate::rules::parts::target::target;
use crate::rules::parts::{network_software, node_power, ways};
use crate::rules::rule::{
    Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Voiding, Watch, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA502"),
    slug: "nic-level-customization",
    summary: "a user's object sets up or changes the network cards of nodes",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Explicit),
    clauses: &[Clause::new("C24"), Clause::new("C28")],
    platforms: &Platform::ALL,
    reads: &[
        all(&kinds::DAEMON_SET),
        all(&kinds::NETWORK_ATTACHMENT),
        all(&kinds::NMSTATE_POLICY),
        all(&kinds::SRIOV_NODE_POLICY),
    ],
    probes: &[],
    guards: &[
        on(&kinds::DAEMON_SET),
        on(&kinds::NETWORK_ATTACHMENT),
        on(&kinds::NMSTATE_POLICY),
        on(&kinds::SRIOV_NODE_POLICY),
    ],
    reach: Reach::Everywhere,
    mode: Mode::Warn,
    instead: "customise through AKS Arc's own networks",
    change: Some(change),
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck = StateCheck { per_object: Some(per_object), per_cluster: None, deadlines: None };

const fn all(kind: &'static Kind) -> Read {
    Read { kind, scope: Scope::Cluster }
}

const fn on(kind: &'static Kind) -> Watch {
    Watch { kind, subresource: "", operations: &[Operation::Create, Operation::Update] }
}

fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let draft = find(seen.object, seen.kind, seen.data, ObjectRef::of(seen.object, seen.kind));
    let Some(draft) = draft else { return };
    let draft = draft.fix(ways::delete(seen.object, seen.kind));
    notes.drafts.extend(match whose(seen.object, seen.data) {
        Provenance::Platform(_) => None,
        Provenance::Person(evidence) => Some(draft.with(evidence)),
        Provenance::Unrecognised => Some(draft),
    });
}

/// The owner of an object. An object that the platform made stays the platform's when somebody changes it.
fn whose(object: &Object<'_>, data: &Data) -> Provenance {
    if origin::is_made_by_platform(object, data) {
        return Provenance::Platform("made by the platform".to_owned());
    }
    origin::of_object(object, data)
}

/// A draft on an object that changes network cards, whoever made it.
fn find(object: &Object<'_>, kind: &'static Kind, data: &Data, target: ObjectRef) -> Option<Draft> {
    let name = target.name.clone();
    if *kind == kinds::DAEMON_SET {
        let (software, image) = network_software::running(object, kind, &data.network.nic_software)?;
        // A pod without power over its node cannot touch a card, and in users' namespaces the guard is not asked about
        // it.
        if !object.pod(kind).is_some_and(|pod| node_power::has_power(pod, data)) {
            return None;
        }
        let does =
            if software.for_pods { "gives pods networks on cards of nodes" } else { "sets up network cards of nodes" };
        let draft = Draft::at(target, "spec.template.spec.containers")
            .values(None, Some(image))
            .says(format!("DaemonSet {name} runs {}, which {does}", software.name))
            .with(Evidence::seen("image", format!("{image} is {}: {}", software.name, software.source)));
        return Some(if software.for_pods { draft.basis(Basis::Derived) } else { draft });
    }
    if *kind == kinds::NETWORK_ATTACHMENT {
        let plugin = card_taken(object, data)?;
        let draft = Draft::at(target, "spec.config")
            .values(None, Some(&plugin))
            .says(format!("NetworkAttachmentDefinition {name} takes network cards of nodes for pods"))
            .with(Evidence::seen("configuration", format!("the network is made by {plugin}")));
        return Some(draft.basis(Basis::Derived));
    }
    let kind_name = kind.kind;
    RULE.reads.iter().any(|read| *read.kind == *kind).then(|| {
        Draft::at(target, "spec")
            .says(format!("{kind_name} {name} sets up the network cards of nodes"))
            .with(Evidence::seen("kind", format!("{kind_name} of {}", kind.group)))
    })
}

/// The plug-in or resource by which a network attachment takes a card of the node for its pods.
fn card_taken(attachment: &Object<'_>, data: &Data) -> Option<String> {
    let spec: Value = attachment.field("spec").unwrap_or_default();
    let text = spec.get("config").and_then(Value::as_str).unwrap_or_default();
    let network: Value = serde_json::from_str(text).unwrap_or_default();
    let chained = network.get("plugins").and_then(Value::as_array).into_iter().flatten();
    let mut types = chained.chain([&network]).filter_map(|plugin| plugin.get("type")?.as_str());
    let taken = types.find(|own| data.network.nic_plugins.iter().any(|row| row.name == *own));
    let resource = || attachment.meta.annotations.get("k8s.v1.cni.cncf.io/resourceName");
    taken.or_else(resource).map(str::to_owned)
}

/// Drafts on an object that a change creates, or whose request changes. Removing one is the cure.
fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    let after: &Object<'_> = match (change.create(), change.update(&[])) {
        (Some(after), _) => after,
        (None, Some((before, after))) if Differing::of(before, after).any() => after,
        _ => return Vec::new(),
    };
    let draft = find(after, change.kind, data, target(change));
    let is_platforms = |object: &Object<'_>| matches!(whose(object, data), Provenance::Platform(_));
    // The platform's old object does not cover the new one, nor does a claim that comes along with the change.
    let platform = change.before.as_deref().is_some_and(is_platforms) && is_platforms(after);
    draft.filter(|_| !platform).into_iter().collect()
}
