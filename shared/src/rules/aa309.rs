//! AA309: a webhook configuration of the platform's is missing or was edited.

use crate::data::cluster_objects::PlatformWebhooks;
use crate::data::{Data, Platform};
use crate::facts::baseline::{Comparison, RecordedStep, object_key};
use crate::facts::inventory::Inventory;
use crate::facts::notes::{Notes, Undecided};
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds::{self, Kind};
use crate::rules::parts::written::hands;
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA309"),
    slug: "platform-admission-changed",
    summary: "a webhook configuration of the platform is missing or was edited",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C05")],
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
    instead: "change the extension that installed it",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

/// Notes the proving Deployments, the webhook configurations, and the writes of people on the latter.
fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, kind, data) = (seen.object, seen.kind, seen.data);
    let meta = &object.meta;
    if *kind == kinds::DEPLOYMENT {
        let rows = &data.cluster_objects.webhooks;
        if rows.iter().any(|row| *row.proof.namespace == *meta.namespace && *row.proof.name == *meta.name) {
            notes.remark(Proof(format!("{}/{}", &*meta.namespace, &*meta.name)));
        }
        return;
    }
    if let Some(row) = find(kind, &meta.name, data) {
        notes.remark(Configuration::of(row));
        for draft in hands(object, kind, &row.product, data) {
            notes.undecided(draft, Configuration::of(row));
        }
    }
}

/// The verdict on the platform's webhook configurations. Users install the same products by themselves, so a
/// configuration is the platform's only where its Deployment is.
fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let rows = context.data.cluster_objects.webhooks.iter();
    let proven: Vec<&PlatformWebhooks> =
        rows.filter(|row| inventory.remarks::<Proof>(RULE.code).any(|remark| remark.0 == proof(row))).collect();
    let mut drafts = Vec::new();
    for row in &proven {
        let evidence =
            || Evidence::seen("deployment", format!("{} shows that {} is the platform's", proof(row), row.product));
        let is_of_row = |own: &&Undecided<Configuration>| own.depends_on == Configuration::of(row);
        let suspects = inventory.undecided(RULE.code).iter().filter(is_of_row);
        drafts.extend(suspects.map(|suspect| suspect.draft.clone().with(evidence())));
        let is_present = || inventory.remarks(RULE.code).any(|own: &Configuration| *own == Configuration::of(row));
        let unread = || context.unread.iter().any(|(kind, _)| kind.kind == row.kind);
        if !row.optional && !is_present() && !unread() {
            drafts.push(
                Draft::at(reference(&row.kind, &row.name), MISSING)
                    .values(Some(&row.name), None)
                    .says(format!("{} {} of {} is missing", row.kind, row.name, row.product))
                    .with(evidence()),
            );
        }
    }
    let since = context.baseline.iter().flat_map(|baseline| since(baseline, &proven, context));
    // A field that a person wrote says more than the baseline's difference.
    let reported =
        |draft: &Draft| drafts.iter().any(|other| other.path != MISSING && is_same(&other.object, &draft.object));
    let since: Vec<Draft> = since.filter(|draft| !reported(draft)).collect();
    drafts.extend(since);
    Verdict::Found(drafts)
}

/// Drafts on webhook configurations of the platform that differ from the baseline. The writer does not show, and an
/// extension removes and renews its own: so they inform, and accuse nobody.
fn since(baseline: &Comparison<'_>, proven: &[&PlatformWebhooks], context: &Context<'_>) -> Vec<Draft> {
    let is_own = |kind: &Kind, name: &str| {
        let by_platform = |step| step == RecordedStep::Table || step == RecordedStep::ManagedFields;
        baseline.then.objects.get(&object_key(kind, "", name)).is_some_and(|record| by_platform(record.step))
            || proven.iter().any(|row| row.kind == kind.kind && row.name == name)
    };
    let mut drafts = Vec::new();
    for kind in [&kinds::MUTATING_WEBHOOKS, &kinds::VALIDATING_WEBHOOKS] {
        let gone = baseline.missing(kind).into_iter().filter(|(_, name)| is_own(kind, name));
        let gone = gone.filter(|_| context.unread(&[kind]).is_none());
        drafts.extend(gone.map(|(_, name)| {
            Draft::at(reference(kind.kind, name), MISSING)
                .values(Some(name), None)
                .says(format!("{} {name} is missing since the baseline", kind.kind))
                .with(baseline.evidence(name))
                .lighter(Consequence::Info)
        }));
        let changed = baseline.changed_objects().into_iter();
        let changed = changed.filter(|(target, ..)| target.kind == kind.kind && is_own(kind, &target.name));
        drafts.extend(changed.map(|(target, field, _)| {
            Draft::at(target.clone(), field)
                .says(format!("{} {}: {field} differs from the baseline", target.kind, target.name))
                .with(baseline.evidence(&format!("another {field}")))
                .lighter(Consequence::Info)
        }));
    }
    drafts
}

fn is_same(one: &ObjectRef, other: &ObjectRef) -> bool {
    one.kind == other.kind && one.name == other.name
}

fn find<'d>(kind: &Kind, name: &str, data: &'d Data) -> Option<&'d PlatformWebhooks> {
    data.cluster_objects.webhooks.iter().find(|row| row.kind == kind.kind && row.name == name)
}

/// The Deployment, as `namespace/name`, that proves who owns a webhook configuration.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Proof(String);

/// A webhook configuration that may be the platform's.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Configuration {
    kind: String,
    name: String,
}

impl Configuration {
    fn of(row: &PlatformWebhooks) -> Self {
        Configuration { kind: row.kind.clone(), name: row.name.clone() }
    }
}

/// The namespace and name of the Deployment that proves who owns a configuration.
fn proof(row: &PlatformWebhooks) -> String {
    format!("{}/{}", row.proof.namespace, row.proof.name)
}

fn reference(kind: &str, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: kinds::VALIDATING_WEBHOOKS.api_version(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        ..ObjectRef::default()
    }
}

/// The path of a finding on a missing configuration.
const MISSING: &str = "metadata.name";
