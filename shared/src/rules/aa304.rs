//! AA304: a managed component is missing, not ready, or started over and over.

use crate::data::tables;
use crate::data::{Component, Confidence, Data, Platform};
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::finding::{Basis, Clause, Code, Consequence};
use crate::k8s::kinds;
use crate::rules::parts::components::component;
use crate::rules::parts::health;
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA304"),
    slug: "managed-component-unhealthy",
    summary: "a component that Microsoft manages is missing or does not work",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Operational),
    clauses: &[Clause::new("C05"), Clause::new("C19")],
    platforms: &Platform::ALL,
    reads: &[
        Read { kind: &kinds::CSI_DRIVER, scope: Scope::Cluster },
        Read { kind: &kinds::DAEMON_SET, scope: Scope::ComponentNamespaces },
        Read { kind: &kinds::DEPLOYMENT, scope: Scope::ComponentNamespaces },
        Read { kind: &kinds::POD, scope: Scope::AddOnNamespaces },
        Read { kind: &kinds::SERVICE, scope: Scope::ComponentNamespaces },
        Read { kind: &kinds::SERVICE_ACCOUNT, scope: Scope::AddOnNamespaces },
        Read { kind: &kinds::STORAGE_CLASS, scope: Scope::Cluster },
    ],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "repair by upgrade, or ask Microsoft Support",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

/// The component with a kind, namespace and name, if this rule covers it. A failing component is an observation,
/// however little is known of it; but inferred components are left out, and so are Arc extensions, which come and go as
/// users wish.
fn spoken_for<'d>(data: &'d Data, kind: &str, namespace: &str, name: &str) -> Option<&'d Component> {
    let known = component(data, kind, namespace, name);
    known.filter(|row| row.confidence != Confidence::Inferred && !row.extension)
}

fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, kind, data) = (seen.object, seen.kind, seen.data);
    let (namespace, name) = (&object.meta.namespace, &object.meta.name);
    if *kind == kinds::POD {
        let known = |kind: &str, name: &str| spoken_for(data, kind, namespace, name).is_some();
        notes.drafts.extend(health::crash_loop(object, known));
        return;
    }
    let is_one = |other: &str, called: &str| other == kind.kind && *called == **name;
    let is_essential = tables::essentials()
        .iter()
        .any(|row| is_one(&row.kind, &row.name) || row.beside.iter().any(|beside| is_one(&beside.kind, &beside.name)));
    // Cluster-scoped names are shared by all: an object that no table gives to the platform is another's.
    let is_platforms = kind.namespaced || data.cluster_objects.find(kind.kind, object).is_some();
    if is_essential && is_platforms {
        notes.remark(ThereAlready::of(kind.kind, namespace, name));
    }
    if spoken_for(data, kind.kind, namespace, name).is_some() {
        notes.drafts.extend(health::ailing(object, kind));
    }
}

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let is_there = |kind: &str, namespace: &str, name: &str| {
        let object = ThereAlready::of(kind, namespace, name);
        inventory.remarks::<ThereAlready>(RULE.code).any(|other| *other == object)
    };
    let (data, platform) = (context.data, context.platform);
    let mut drafts = health::missing(inventory, data, platform, health::Sought::Components, |row| {
        is_there(&row.kind, &row.namespace, &row.name)
    });
    drafts.extend(health::missing_beside(inventory, platform, is_there));
    Verdict::Found(drafts)
}

/// An object that exists.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ThereAlready {
    kind: String,
    namespace: String,
    name: String,
}

impl ThereAlready {
    fn of(kind: &str, namespace: &str, name: &str) -> Self {
        ThereAlready { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }
}
