//! AA306: an Azure Arc agent, or an object that belongs to one, was changed or deleted.

use crate::data::{Data, Platform};
use crate::facts::change::{Change, Operation};
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::facts::origin;
use crate::finding::{Basis, Clause, Code, Consequence, Draft};
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::Object;
use crate::rules::parts::changed::changed;
use crate::rules::parts::components::by_owner;
use crate::rules::parts::installed::{self, Installed};
use crate::rules::parts::owners::{disowned, owned};
use crate::rules::parts::rest::idle;
use crate::rules::parts::target::target;
use crate::rules::parts::written::hands;
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Watch, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA306"),
    slug: "arc-agent-changed",
    summary: "an Azure Arc agent, or an object that belongs to it, was changed or deleted",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C14")],
    platforms: &Platform::ALL,
    reads: &[
        here(&kinds::ARC_EXTENSION_CONFIG),
        here(&kinds::ARC_EXTENSION_IDENTITY),
        here(&kinds::ARC_IDENTITY_REQUEST),
        all(&kinds::CLUSTER_ROLE_BINDING),
        here(&kinds::CONFIG_MAP),
        beside(&kinds::CONFIG_MAP),
        here(&kinds::CONNECTED_CLUSTER),
        all(&kinds::DAEMON_SET),
        all(&kinds::DEPLOYMENT),
        here(&kinds::ROLE),
        beside(&kinds::ROLE),
        here(&kinds::ROLE_BINDING),
        beside(&kinds::ROLE_BINDING),
        all(&kinds::SERVICE),
        all(&kinds::STATEFUL_SET),
    ],
    probes: &[],
    guards: &[
        on(&kinds::ARC_EXTENSION_CONFIG),
        on(&kinds::ARC_EXTENSION_IDENTITY),
        on(&kinds::ARC_IDENTITY_REQUEST),
        on(&kinds::CLUSTER_ROLE_BINDING),
        on(&kinds::CONFIG_MAP),
        on(&kinds::CONNECTED_CLUSTER),
        on(&kinds::CRON_JOB),
        on(&kinds::DAEMON_SET),
        on(&kinds::DEPLOYMENT),
        sub(&kinds::DEPLOYMENT, "scale"),
        on(&kinds::JOB),
        sub(&kinds::POD, "ephemeralcontainers"),
        sub(&kinds::POD, "resize"),
        on(&kinds::REPLICA_SET),
        sub(&kinds::REPLICA_SET, "scale"),
        on(&kinds::ROLE),
        on(&kinds::ROLE_BINDING),
        on(&kinds::SERVICE),
        on(&kinds::SERVICE_ACCOUNT),
        on(&kinds::STATEFUL_SET),
        sub(&kinds::STATEFUL_SET, "scale"),
    ],
    reach: Reach::System,
    mode: Mode::Warn,
    instead: "use az connectedk8s or az k8s-extension",
    change: Some(change),
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

const fn here(kind: &'static Kind) -> Read {
    Read { kind, scope: Scope::ArcNamespaces }
}

/// The list of a kind in kube-system, where extensions put parts of themselves.
const fn beside(kind: &'static Kind) -> Read {
    Read { kind, scope: Scope::AddOnNamespaces }
}

/// The list of a kind in the whole cluster: extensions choose their own namespaces.
const fn all(kind: &'static Kind) -> Read {
    Read { kind, scope: Scope::Cluster }
}

const fn on(kind: &'static Kind) -> Watch {
    Watch { kind, subresource: "", operations: &[Operation::Delete, Operation::Update] }
}

const fn sub(kind: &'static Kind, subresource: &'static str) -> Watch {
    Watch { kind, subresource, operations: &[Operation::Update] }
}

fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, kind, data) = (seen.object, seen.kind, seen.data);
    installed::note(seen, notes);
    let Some(product) = product(object, kind, data) else {
        return of_extension(object, kind, data, notes);
    };
    notes.drafts.extend(hands(object, kind, &product, data));
    let meta = &object.meta;
    notes.drafts.extend(data.component(kind.kind, &meta.namespace, &meta.name).and_then(|row| idle(object, kind, row)));
}

/// Notes a person's writes on an object of a Helm release: a finding if the release is an installed extension's.
fn of_extension(object: &Object<'_>, kind: &'static Kind, data: &Data, notes: &mut Notes) {
    let release = installed::release(object);
    let meta = &object.meta;
    if release.is_empty()
        || !object.owners().is_empty()
        || data.component(kind.kind, &meta.namespace, &meta.name).is_some()
    {
        return;
    }
    for draft in hands(object, kind, &format!("Arc extension {release}"), data) {
        // Extensions keep themselves up to date, with Helm.
        if !draft.evidence.iter().any(|evidence| data.provenance.is_helm(&evidence.manager)) {
            notes.undecided(draft, ReleaseName(release.to_string()));
        }
    }
}

/// The Helm release that an object belongs to.
#[derive(Debug)]
struct ReleaseName(String);

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let extensions = Installed::of(inventory, RULE.code, context.data);
    let suspects = inventory
        .undecided::<ReleaseName>(RULE.code)
        .iter()
        .filter(|suspect| extensions.has_release(&suspect.depends_on.0));
    Verdict::Found(suspects.map(|suspect| suspect.draft.clone()).collect())
}

fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    let Some(object) = change.before.as_deref() else { return Vec::new() };
    let Some(product) = product(object, change.kind, data).or_else(|| of_installed(change, object, data)) else {
        return disowns(change, data).into_iter().collect();
    };
    if let Some(owner) = change.new_owner() {
        return vec![owned(change, owner)];
    }
    if change.is_delete() {
        // The controller makes it anew.
        if matches!(change.kind.kind, "Pod" | "ReplicaSet") {
            return Vec::new();
        }
        let draft = Draft::at(target(change), "metadata")
            .values(Some(&change.name), None)
            .says(format!("{} {} of {product} would be deleted", change.kind.kind, change.name));
        return vec![draft];
    }
    // Microsoft's command line upgrades the agents by Helm, as the user who is signed in; the chart's own version
    // changes then.
    let upgraded = |after: &Object<'_>| origin::is_release_update(object, after, data) && is_other_chart(object, after);
    if change.after.as_deref().is_some_and(upgraded) {
        return Vec::new();
    }
    changed(change, &product, data, |_| None)
}

/// The installed extension that an object belongs to, if the extensions were looked up.
fn of_installed(change: &Change<'_>, object: &Object<'_>, data: &Data) -> Option<String> {
    let release = installed::of_change(change)?;
    let component = data.component(change.kind.kind, &change.namespace, &change.name);
    (object.owners().is_empty() && component.is_none()).then(|| format!("Arc extension {release}"))
}

/// Whether two sides have labels of different chart versions.
fn is_other_chart(before: &Object<'_>, after: &Object<'_>) -> bool {
    let mark = |side: &Object<'_>, key: &str| side.meta.labels.get(key).map(str::to_owned);
    CHART_MARKS.iter().any(|key| {
        let (was, is) = (mark(before, key), mark(after, key));
        was.is_some() && is.is_some() && was != is
    })
}

/// The labels in which charts write their version (Labels and Annotations, helm.sh).
const CHART_MARKS: [&str; 2] = ["helm.sh/chart", "app.kubernetes.io/version"];

/// A draft: the update takes an agents' object away from its workload. A warning, since the owner may have been a
/// user's own claim.
fn disowns(change: &Change<'_>, data: &Data) -> Option<Draft> {
    let owner = change.lost_owner()?;
    let product = product(change.after.as_deref()?, change.kind, data)?;
    let subject = format!("{} {} of {product}", change.kind.kind, change.name);
    Some(disowned(change, owner, &subject).warn_at_most())
}

/// The Arc product an object belongs to, if any: catalogued or marked as the platform's in a namespace of the agents,
/// or a known cluster-scoped name.
fn product(object: &Object<'_>, kind: &Kind, data: &Data) -> Option<String> {
    let meta = &object.meta;
    if !kind.namespaced {
        let row = data.cluster_objects.find(kind.kind, object).filter(|row| row.owner == "arc");
        return row.map(|row| row.product.clone());
    }
    let namespace = &*meta.namespace;
    if data.lawful.covers(kind.kind, namespace, &meta.name) {
        return None;
    }
    if !data.namespaces.is_arc(namespace) {
        // An extension with a known name, or one read from the cluster, in any namespace.
        let read = match kind.kind {
            "DaemonSet" | "Deployment" | "Service" | "StatefulSet" => true,
            "ConfigMap" | "Role" | "RoleBinding" => data.namespaces.is_add_on(namespace),
            _ => false,
        };
        let own = read && object.owners().is_empty() && data.component(kind.kind, namespace, &meta.name).is_none();
        let release = installed::release(object);
        return (own && origin::is_platform_release(object, data)).then(|| format!("Arc extension {release}"));
    }
    let known = |kind: &str, name: &str| data.component(kind, namespace, name).map(|row| row.product.clone());
    if matches!(kind.kind, "Pod" | "ReplicaSet") {
        return by_owner(object, known);
    }
    // The workload is judged instead of its objects.
    if !object.owners().is_empty() {
        return None;
    }
    known(kind.kind, &meta.name).or_else(|| origin::is_made_by_platform(object, data).then(|| "Azure Arc".to_owned()))
}
