//! AA902: a disruption budget leaves no disruption, so nodes cannot be drained.

use serde::Deserialize;

use crate::command::Command;
use crate::data::Platform;
use crate::facts::notes::Notes;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::rules::rule::{Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Voiding, Weight};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA902"),
    slug: "disruption-budget-blocks-drain",
    summary: "a disruption budget allows no disruption, so nodes with its pods cannot be drained",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Operational),
    clauses: &[Clause::new("C06")],
    platforms: &Platform::ALL,
    reads: &[Read { kind: &kinds::POD_DISRUPTION_BUDGET, scope: Scope::Cluster }],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "leave room for one disruption",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck = StateCheck { per_object: Some(per_object), per_cluster: None, deadlines: None };

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BudgetStatus {
    current_healthy: i64,
    desired_healthy: i64,
    disruptions_allowed: i64,
    expected_pods: i64,
}

fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, meta) = (seen.object, &seen.object.meta);
    // A budget blocks nothing until the controller has counted, nor where it counts no pods.
    let Some(status) = object.field::<BudgetStatus>("status") else { return };
    if status.disruptions_allowed > 0 || status.expected_pods <= 0 || status.current_healthy < status.desired_healthy {
        return;
    }
    let (namespace, name) = (&meta.namespace, &meta.name);
    let counted = format!(
        "{} of {} pods are healthy, {} must be",
        status.current_healthy, status.expected_pods, status.desired_healthy
    );
    let draft = Draft::at(ObjectRef::of(object, seen.kind), "status.disruptionsAllowed")
        .values(Some("1 or more"), Some("0"))
        .with(Evidence::seen("status", counted.clone()));
    // A budget of the platform's is nobody's to change.
    let component = seen.data.component(seen.kind.kind, namespace, name);
    if component.is_some() || seen.data.namespaces.protected(namespace).is_some() {
        let whose = component.map_or("the platform", |component| &*component.product);
        notes.drafts.push(
            draft
                .says(format!("disruption budget {name} of {whose} allows no disruption: {counted}"))
                .lighter(Consequence::Info),
        );
        return;
    }
    let budget = format!("disruption budget {name} in {namespace}");
    notes.drafts.push(if status.desired_healthy < status.expected_pods {
        // With all its pods healthy the budget would give way.
        draft.says(format!("{budget} allows no disruption at the moment: {counted}")).lighter(Consequence::Info)
    } else {
        let one = if status.expected_pods == 1 { ", and there is only one" } else { "" };
        draft.says(format!("{budget} never allows a disruption: {counted}{one}")).fix(
            Command::kubectl_in(namespace, ["patch", "poddisruptionbudget"])
                .name(name)
                .word("--type=merge")
                .word(r#"--patch={"spec":{"minAvailable":null,"maxUnavailable":1}}"#)
                .caution("lets one pod at a time be moved"),
        )
    });
}
