//! AA703: a feature that Microsoft calls a preview is in use.

use serde_json::Value;

use crate::data::Platform;
use crate::data::previews::{Preview, PreviewTrace};
use crate::data::tables;
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA703"),
    slug: "preview-feature-used",
    summary: "a feature that Microsoft calls a preview is in use",
    consequence: Weight::Always(Consequence::Info),
    basis: Grounds::Always(Basis::Explicit),
    clauses: &[Clause::new("C38")],
    platforms: &Platform::ALL,
    reads: &[
        Read { kind: &kinds::ARC_EXTENSION_CONFIG, scope: Scope::ArcNamespaces },
        Read { kind: &kinds::DEPLOYMENT, scope: Scope::ArcNamespaces },
        Read { kind: &kinds::NAMESPACE, scope: Scope::Cluster },
    ],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "keep previews out of production",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

/// Notes the installed Arc extensions, and the Deployments of the Arc agents.
fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let object = seen.object;
    if !seen.data.namespaces.is_arc(&object.meta.namespace) {
        return;
    }
    if *seen.kind == kinds::DEPLOYMENT {
        let is_agents =
            |row: &Preview| matches!(&row.trace, PreviewTrace::Deployment(name) if **name == *object.meta.name);
        if tables::previews().iter().any(is_agents) {
            notes.remark(AgentDeployment(object.meta.name.to_string()));
        }
        return;
    }
    let spec: Value = object.field("spec").unwrap_or_default();
    if let Some(kind) = spec.get("extensionType").and_then(Value::as_str) {
        notes.remark(InstalledExtension { kind: kind.to_lowercase(), name: object.meta.name.to_string() });
    }
}

/// A Deployment of the Arc agents that only a preview brings.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct AgentDeployment(String);

/// An installed Arc extension, its type in lower case.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct InstalledExtension {
    kind: String,
    name: String,
}

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let rows =
        tables::previews().iter().filter(|row| row.platforms.is_empty() || row.platforms.contains(&context.platform));
    Verdict::Found(rows.filter_map(|row| Some(draft(row, &trace(row, inventory, context.platform)?))).collect())
}

/// The sign that a preview is in use, if there is one.
fn trace(row: &Preview, inventory: &Inventory, platform: Platform) -> Option<String> {
    match &row.trace {
        PreviewTrace::Deployment(name) => {
            let there = inventory.remarks::<AgentDeployment>(RULE.code).any(|own| own.0 == *name);
            there.then(|| format!("Deployment {name} of the Arc agents exists"))
        }
        PreviewTrace::Extension(kind) => {
            let mut installed =
                inventory.remarks::<InstalledExtension>(RULE.code).filter(|own| own.kind == kind.to_lowercase());
            installed.next().map(|own| format!("ExtensionConfig {} is of type {kind}", own.name))
        }
        PreviewTrace::Namespace(name) => {
            inventory.namespaces.iter().any(|own| own == name).then(|| format!("namespace {name} exists"))
        }
        PreviewTrace::Platform(own) => (*own == platform).then(|| format!("the platform is {}", platform.as_str())),
    }
}

fn draft(row: &Preview, trace: &str) -> Draft {
    let draft = Draft::at(ObjectRef::cluster(), format!("preview[{}]", row.id))
        .values(None, Some(&row.name))
        .says(format!("{} is a preview of Microsoft's as of {}", row.name, row.checked))
        .with(Evidence::seen("previews", format!("{trace}; {}", row.source)));
    // Where Microsoft's own pages disagree, the finding only informs.
    if row.disputed { draft.lighter(Consequence::Info) } else { draft }
}
