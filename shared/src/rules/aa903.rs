//! AA903: the guard is installed, but does not guard as it should.

use serde::Deserialize;

use crate::command::Command;
use crate::data::Platform;
use crate::data::own::{CONFIGURATION, GENERATED, NAMESPACE, OPEN, SERVICE};
use crate::facts::digest;
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::facts::probe::Probe;
use crate::finding::{Basis, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::Object;
use crate::rules::parts::guard_policies;
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA903"),
    slug: "guard-disarmed",
    summary: "the guard is installed but does not guard as it should",
    consequence: Weight::Always(Consequence::Info),
    basis: Grounds::Always(Basis::Operational),
    clauses: &[],
    platforms: &Platform::ALL,
    reads: &[
        Read { kind: &kinds::MUTATING_WEBHOOKS, scope: Scope::Cluster },
        Read { kind: &kinds::VALIDATING_WEBHOOKS, scope: Scope::Cluster },
        Read { kind: &kinds::NAMESPACE, scope: Scope::Cluster },
        Read { kind: &kinds::DEPLOYMENT, scope: Scope::Own },
        Read { kind: &kinds::VALIDATING_POLICIES, scope: Scope::BesideGuard },
        Read { kind: &kinds::VALIDATING_POLICY_BINDINGS, scope: Scope::BesideGuard },
    ],
    probes: &[Probe::Metrics],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "install the guard's manifest again",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, meta) = (seen.object, &seen.object.meta);
    guard_policies::per_object(seen, notes);
    notes.drafts.extend(open(object, seen.kind));
    if *seen.kind == kinds::VALIDATING_WEBHOOKS && &*meta.name == CONFIGURATION {
        notes.remark(GuardPart::Configuration);
        notes.drafts.extend(alterations(seen));
        match meta.annotations.get(GENERATED) {
            Some(generated) => notes.drafts.extend(edited(object, generated)),
            None => notes.remark(GuardPart::OfUnknownOrigin),
        }
    } else if *seen.kind == kinds::DEPLOYMENT && (&*meta.namespace, &*meta.name) == (NAMESPACE, SERVICE) {
        notes.remark(GuardPart::Deployment);
        notes.drafts.extend(idle(object));
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GuardWebhook {
    name: String,
    #[serde(default)]
    client_config: GuardClient,
    #[serde(default)]
    rules: Vec<WebhookRule>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GuardClient {
    #[serde(default)]
    ca_bundle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WebhookRule {
    #[serde(default)]
    api_groups: Vec<String>,
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default)]
    operations: Vec<String>,
}

/// Drafts on parts of the guard's configuration that the rules need and that are missing. AA901 judges a configuration
/// with more than they need.
fn alterations(seen: &Seen<'_, '_>) -> Vec<Draft> {
    let configuration = seen.object;
    let webhooks: Vec<GuardWebhook> = configuration.field("webhooks").unwrap_or_default();
    let at = |path: String| Draft::at(this(configuration), path);
    let mut drafts = Vec::new();
    for webhook in webhooks.iter().filter(|webhook| webhook.client_config.ca_bundle.is_empty()) {
        drafts.push(
            at(format!("webhooks[name={}].clientConfig.caBundle", webhook.name))
                .says(format!("webhook {} has no caBundle, so the API server cannot trust the guard", webhook.name))
                .with(Evidence::seen("configuration", "caBundle is empty")),
        );
    }
    // `*` stands for resources and subresources alike here: extra requests are no gap.
    let is_in = |words: &[String], word: &str| words.iter().any(|own| own == word || own == "*" || own == "*/*");
    for watched in (seen.watched)() {
        let (group, resource) = (watched.kind.group, watched.resource());
        let missing: Vec<&str> = watched
            .operations
            .iter()
            .map(|operation| operation.as_str())
            .filter(|operation| {
                !webhooks.iter().flat_map(|webhook| &webhook.rules).any(|rule| {
                    is_in(&rule.api_groups, group)
                        && is_in(&rule.resources, &resource)
                        && is_in(&rule.operations, operation)
                })
            })
            .collect();
        if missing.is_empty() {
            continue;
        }
        let codes = watched.codes.join(", ");
        drafts.push(
            at(format!("webhooks.rules[{resource}]"))
                .says(format!(
                    "the guard does not cover {} of {resource}, which {codes} would judge",
                    missing.join(", ")
                ))
                .with(Evidence::seen("configuration", "compared with the one this release generates")),
        );
    }
    drafts.truncate(MAX_DRAFTS);
    drafts
}

/// A draft on selectors, conditions or rules that differ from the manifest: the guard may run and never be asked.
fn edited(configuration: &Object<'_>, generated: &str) -> Option<Draft> {
    let digest = digest::digest(&configuration.field("webhooks").unwrap_or_default());
    (digest != generated).then(|| {
        Draft::at(this(configuration), "webhooks")
            .values(Some(generated), Some(&digest))
            .says(
                "the guard's configuration differs from its manifest: rules, selectors, conditions or the Service were changed",
            )
            .with(Evidence::seen("configuration", format!("its annotation {GENERATED} has another digest")))
    })
}

/// A draft on a webhook configuration or the guard's namespace that somebody opened for a change.
fn open(object: &Object<'_>, kind: &'static Kind) -> Option<Draft> {
    let reason = object.meta.annotations.get(OPEN).map(str::trim).filter(|reason| !reason.is_empty())?;
    let name = &object.meta.name;
    let is_namespace = *kind == kinds::NAMESPACE && &**name == NAMESPACE;
    (is_namespace || *kind == kinds::MUTATING_WEBHOOKS || *kind == kinds::VALIDATING_WEBHOOKS).then(|| {
        Draft::at(ObjectRef::of(object, kind), format!("metadata.annotations[{OPEN}]"))
            .values(None, Some(reason))
            .says(format!("{} {name} is open: the policy that protects it lets every change pass", kind.kind))
            .with(Evidence::seen("annotation", format!("{OPEN}: {reason}")))
            .fix(Command::kubectl(["annotate", &kind.kind.to_lowercase()]).name(name).word(&format!("{OPEN}-")))
    })
}

/// A draft on a guard that is scaled to 0, or has no ready replica.
fn idle(deployment: &Object<'_>) -> Option<Draft> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Replicas {
        replicas: Option<u64>,
        ready_replicas: Option<u64>,
    }
    let wanted = deployment.field::<Replicas>("spec").unwrap_or_default().replicas.unwrap_or(1);
    let ready = deployment.field::<Replicas>("status").unwrap_or_default().ready_replicas.unwrap_or(0);
    let target = ObjectRef::of(deployment, &kinds::DEPLOYMENT);
    if wanted == 0 {
        let draft = Draft::at(target, "spec.replicas").values(None, Some("0"));
        return Some(
            draft
                .says("the guard is scaled to 0: every request passes unjudged")
                .with(Evidence::seen("spec", "spec.replicas is 0"))
                .fix(Command::kubectl_in(NAMESPACE, ["scale", "deployment", SERVICE, "--replicas=2"])),
        );
    }
    (ready == 0).then(|| {
        Draft::at(target, "status.readyReplicas")
            .values(Some(&wanted.to_string()), Some("0"))
            .says("no replica of the guard is ready: every request passes unjudged")
            .with(Evidence::seen("status", "status.readyReplicas is 0"))
    })
}

/// A part of the guard that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum GuardPart {
    /// Its webhook configuration.
    Configuration,
    /// A webhook configuration that does not name its manifest.
    OfUnknownOrigin,
    /// Its Deployment.
    Deployment,
}

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let found = |part: GuardPart| inventory.remarks(RULE.code).any(|own: &GuardPart| *own == part);
    let (configured, deployed) = (found(GuardPart::Configuration), found(GuardPart::Deployment));
    let mut drafts = Vec::new();
    let unread = |kind| context.unread(&[kind]).is_some();
    if deployed && !configured && !unread(&kinds::VALIDATING_WEBHOOKS) {
        drafts.push(
            Draft::at(registration(), "metadata")
                .values(Some(CONFIGURATION), None)
                .says("the guard runs, but the API server does not call it: its webhook configuration is missing")
                .with(Evidence::seen("deployment", format!("{NAMESPACE}/{SERVICE} is there"))),
        );
    }
    if configured && !deployed && !unread(&kinds::DEPLOYMENT) {
        drafts.push(
            Draft::at(registration(), "webhooks.clientConfig.service")
                .values(Some(&format!("{NAMESPACE}/{SERVICE}")), None)
                .says("the API server calls a guard that is missing: every request passes unjudged")
                .with(Evidence::seen("deployment", format!("{NAMESPACE}/{SERVICE} is missing"))),
        );
    }
    drafts.extend(guard_policies::per_cluster(inventory, context, RULE.code));
    if configured && let Ok(metrics) = inventory.probe(Probe::Metrics) {
        drafts.extend(metrics.lines().filter_map(failed_open));
    }
    if found(GuardPart::OfUnknownOrigin) {
        let why = format!("{CONFIGURATION} has no annotation {GENERATED}, which tells how it was generated");
        return Verdict::FoundPartly(drafts, why);
    }
    Verdict::Found(drafts)
}

/// A draft from a metrics line that counts requests admitted because one of our webhooks did not answer.
fn failed_open(line: &str) -> Option<Draft> {
    let rest = line.strip_prefix(Probe::FAIL_OPEN)?;
    let (labels, count) = rest.split_once("} ")?;
    let name = labels.split(',').find_map(|label| label.strip_prefix("name=\"")?.strip_suffix('"'))?;
    let count: f64 = count.trim().parse().ok().filter(|count| *count > 0.0)?;
    let ours = name.ends_with(CONFIGURATION);
    ours.then(|| {
        Draft::at(registration(), format!("webhooks[name={name}].failOpen"))
            .values(Some("0"), Some(&count.to_string()))
            .says(format!(
                "{count} requests passed unjudged since the API server started: {name} did not answer in time"
            ))
            .with(Evidence::seen("metrics", line.to_owned()))
    })
}

fn this(configuration: &Object<'_>) -> ObjectRef {
    ObjectRef::of(configuration, &kinds::VALIDATING_WEBHOOKS)
}

fn registration() -> ObjectRef {
    ObjectRef {
        api_version: kinds::VALIDATING_WEBHOOKS.api_version(),
        kind: kinds::VALIDATING_WEBHOOKS.kind.to_owned(),
        name: CONFIGURATION.to_owned(),
        ..ObjectRef::default()
    }
}

/// The most drafts. A configuration of something else would lack everything, and the first few say enough.
const MAX_DRAFTS: usize = 8;
