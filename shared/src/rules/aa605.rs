//! AA605: an agent of Azure Arc is missing, not ready, or started over and over.

use crate::change::{Change, Operation};
use crate::data::{Component, Confidence, Data, Platform};
use crate::finding::{Basis, Consequence, Draft, Evidence, ObjectRef};
use crate::inventory::Inventory;
use crate::kinds;
use crate::object::Object;
use crate::rule::{
    Code, Context, Grounds, Guard, Mode, Notes, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Weight,
};
use crate::rules::node_metadata::target;
use crate::rules::{add_ons, health};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA605"),
    slug: "arc-agents-unhealthy",
    summary: "an agent of Azure Arc is missing or does not work",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Operational),
    clauses: &["C14", "C29"],
    platforms: &Platform::ALL,
    reads: &[
        Read { kind: &kinds::DEPLOYMENT, scope: Scope::ArcNamespaces },
        Read { kind: &kinds::NETWORK_POLICY, scope: Scope::ArcNamespaces },
        Read { kind: &kinds::POD, scope: Scope::ArcNamespaces },
    ],
    probes: &[],
    guards: &[Guard {
        kind: &kinds::NETWORK_POLICY,
        subresource: "",
        operations: &[Operation::Create, Operation::Update],
    }],
    reach: Reach::System,
    mode: Mode::Warn,
    instead: "az connectedk8s troubleshoot",
    page: include_str!("aa605.md"),
    state: StateCheck { each: Some(each), whole: Some(whole), clocks: None },
    change: Some(change),
};

/// A component that this rule speaks for. What is only guessed to be one is left alone, and so are Arc extensions, which come
/// and go as users wish.
fn spoken_for<'d>(data: &'d Data, kind: &str, namespace: &str, name: &str) -> Option<&'d Component> {
    let known = data.component(kind, namespace, name).filter(|_| data.namespaces.is_arc(namespace));
    known.filter(|row| row.confidence == Confidence::Doc && !row.extension)
}

fn each(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, kind, data) = (seen.object, seen.kind, seen.data);
    let (namespace, name) = (&object.meta.namespace, &object.meta.name);
    if *kind == kinds::NETWORK_POLICY {
        let draft = Draft::at(ObjectRef::of(object, kind), "spec.egress");
        let fix = format!("kubectl -n {namespace} delete {} {name}", kind.qualified());
        notes.drafts.extend(shut_in(object, draft, data).map(|draft| draft.fix(fix)));
    } else if *kind == kinds::POD {
        let known = |kind: &str, name: &str| spoken_for(data, kind, namespace, name).is_some();
        notes.drafts.extend(health::crash_loop(object, known));
    } else if spoken_for(data, kind.kind, namespace, name).is_some() {
        notes.note(format!("{} {namespace}/{name}", kind.kind), "");
        notes.drafts.extend(health::ailing(object, kind));
    }
}

fn whole(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let is_there = |row: &crate::data::essentials::Essential| {
        let name = format!("{} {}/{}", row.kind, row.namespace, row.name);
        inventory.remarks(RULE.code).any(|(about, _)| about == name)
    };
    Verdict::Found(health::missing(inventory, context.data, context.platform, true, is_there))
}

/// That agents cannot get out, and so not to Azure.
fn shut_in(policy: &Object<'_>, draft: Draft, data: &Data) -> Option<Draft> {
    let namespace = &*policy.meta.namespace;
    let spec: add_ons::Policy = policy.field("spec").filter(|_| data.namespaces.is_arc(namespace))?;
    let products = add_ons::selected(&spec.pod_selector.clone().unwrap_or_default(), namespace, data)?;
    let says = format!("NetworkPolicy {} lets no traffic of {products} out, and so none to Azure", draft.object.name);
    let shown = Evidence::seen("specification", "it is about egress, and no rule allows any");
    spec.lets_nothing_out().then(|| draft.says(says).with(shown).basis(Basis::Derived).clauses(&["C29"]))
}

fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    let Some(after) = change.after.as_ref() else { return Vec::new() };
    let judged = |side: &Object<'_>| shut_in(side, Draft::at(target(change), "spec.egress"), data);
    if change.before.as_ref().and_then(judged).is_some() {
        return Vec::new();
    }
    judged(after).into_iter().collect()
}
