//! AA309: a webhook configuration of the platform's is missing or was edited.

use crate::data::cluster_objects::PlatformWebhooks;
use crate::data::{Data, Platform};
use crate::finding::{Basis, Consequence, Draft, Evidence, ObjectRef};
use crate::inventory::Inventory;
use crate::kinds::{self, Kind};
use crate::rule::{Code, Context, Mode, Notes, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Weight};
use crate::rules::aa301::hands;

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA309"),
    slug: "platform-admission-changed",
    summary: "a webhook configuration that the platform brought is missing or was edited",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Basis::Derived,
    clauses: &["C05"],
    platforms: &Platform::ALL,
    reads: &[
        Read { kind: &kinds::DEPLOYMENT, scope: Scope::ComponentNamespaces },
        Read { kind: &kinds::MUTATING_WEBHOOKS, scope: Scope::Cluster },
        Read { kind: &kinds::VALIDATING_WEBHOOKS, scope: Scope::Cluster },
    ],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Warn,
    warns_of_info: false,
    instead: "change the extension that brought it",
    page: include_str!("aa309.md"),
    state: StateCheck { each: Some(each), whole: Some(whole), clocks: None },
    change: None,
};

/// Which proofs and which configurations are there, and who wrote in the latter.
fn each(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, kind, data) = (seen.object, seen.kind, seen.data);
    let meta = &object.meta;
    if *kind == kinds::DEPLOYMENT {
        let rows = &data.cluster_objects.webhooks;
        if rows.iter().any(|row| *row.proof.namespace == *meta.namespace && *row.proof.name == *meta.name) {
            notes.note(PROOF, format!("{}/{}", &*meta.namespace, &*meta.name));
        }
        return;
    }
    if let Some(row) = find(kind, &meta.name, data) {
        notes.note(PRESENT, hinge(row));
        for draft in hands(object, kind, &row.product, data) {
            notes.suspect(draft, hinge(row));
        }
    }
}

/// Users install the same products by themselves: a configuration is the platform's only where its Deployment is.
fn whole(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let remarked = |about: &str, says: &str| inventory.remarks(RULE.code).any(|remark| remark == (about, says));
    let mut drafts = Vec::new();
    for row in &context.data.cluster_objects.webhooks {
        let proof = format!("{}/{}", row.proof.namespace, row.proof.name);
        if !remarked(PROOF, &proof) {
            continue;
        }
        let evidence = || Evidence::seen("deployment", format!("{proof} shows that {} is the platform's", row.product));
        let suspects = inventory.suspects(RULE.code).iter().filter(|suspect| suspect.hinge == hinge(row));
        drafts.extend(suspects.map(|suspect| suspect.draft.clone().with(evidence())));
        if !row.optional && !remarked(PRESENT, &hinge(row)) {
            drafts.push(
                Draft::at(reference(row), "metadata.name")
                    .values(Some(&row.name), None)
                    .says(format!("{} {} of {} is missing", row.kind, row.name, row.product))
                    .with(evidence()),
            );
        }
    }
    Verdict::Found(drafts)
}

fn find<'d>(kind: &Kind, name: &str, data: &'d Data) -> Option<&'d PlatformWebhooks> {
    data.cluster_objects.webhooks.iter().find(|row| row.kind == kind.kind && row.name == name)
}

fn hinge(row: &PlatformWebhooks) -> String {
    format!("{}/{}", row.kind, row.name)
}

fn reference(row: &PlatformWebhooks) -> ObjectRef {
    ObjectRef {
        api_version: kinds::VALIDATING_WEBHOOKS.api_version(),
        kind: row.kind.clone(),
        name: row.name.clone(),
        ..ObjectRef::default()
    }
}

/// The remark that a Deployment is there which proves whose a configuration is.
const PROOF: &str = "proof";

/// The remark that a configuration is there.
const PRESENT: &str = "present";
