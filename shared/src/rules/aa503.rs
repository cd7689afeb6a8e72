//! AA503: network policies on a platform that does not have them as a feature.

use crate::data::Platform;
use crate::data::own::{NAMESPACE, SERVICE};
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::facts::origin::{self, Provenance};
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA503"),
    slug: "network-policy-unavailable",
    summary: "network policies are used on a platform that does not offer them",
    consequence: Weight::Always(Consequence::NotCovered),
    basis: Grounds::Always(Basis::Documented(&["platforms-compared"])),
    clauses: &[Clause::new("C18")],
    platforms: &Platform::ALL,
    reads: &[Read { kind: &kinds::NETWORK_POLICY, scope: Scope::Cluster }],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "keep them; support does not cover them",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (policy, data) = (seen.object, seen.data);
    let platform = || matches!(origin::of_object(policy, data), Provenance::Platform(_));
    let is_own = (&*policy.meta.namespace, &*policy.meta.name) == (NAMESPACE, SERVICE);
    if data.namespaces.protected(&policy.meta.namespace).is_some() || platform() || is_own {
        return;
    }
    let meta = &policy.meta;
    let draft = Draft::at(ObjectRef::of(policy, seen.kind), "spec")
        .says(format!(
            "NetworkPolicy {} in {} uses a feature that this platform does not offer",
            meta.name, meta.namespace
        ))
        .with(Evidence::seen("document", &*data.network.network_policy.source));
    notes.undecided(draft, UnavailableHere);
}

/// Whether the platform lacks the feature.
#[derive(Debug)]
struct UnavailableHere;

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    if !context.data.network.network_policy.unavailable_on.contains(&context.platform) {
        return Verdict::Found(Vec::new());
    }
    Verdict::Found(
        inventory.undecided::<UnavailableHere>(RULE.code).iter().map(|suspect| suspect.draft.clone()).collect(),
    )
}
