//! AA303: an add-on of the user's stands where only managed ones belong.

use crate::finding::Clause;
use crate::rules::parts::components;
use std::collections::{BTreeMap, BTreeSet};

use crate::command::Command;
use crate::data::{AddOns, Data, Platform};
use crate::facts::baseline::Baseline;
use crate::facts::change::{Change, Operation};
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::facts::notes::Undecided;
use crate::facts::origin::{self, Provenance};
use crate::finding::Code;
use crate::finding::{Basis, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::{ManagedEntry, Object};
use crate::rules::parts::add_ons::{self, Standing};
use crate::rules::parts::differences::Differing;
use crate::rules::parts::installed::{self, EXTENSIONS, FromRelease, Installed};
use crate::rules::parts::names;
use crate::rules::parts::node_metadata::{disowned, target};
use crate::rules::parts::ways;
use crate::rules::rule::{
    Across, Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Watch,
    Weight,
};

pub(crate) static RULE: Rule = Rule {
    code: Code::new("AA303"),
    slug: "unmanaged-add-on",
    summary: "an add-on of the user's stands in a namespace whose add-ons are managed",
    consequence: Weight::EvenWithoutText(Consequence::Voids),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C05")],
    platforms: &Platform::ALL,
    reads: &[
        aside(&kinds::API_SERVICE),
        EXTENSIONS,
        here(&kinds::CONFIG_MAP),
        managed(&kinds::CRON_JOB),
        Read { kind: &kinds::CLUSTER_ROLE, scope: Scope::Cluster },
        aside(&kinds::CSI_DRIVER),
        aside(&kinds::CUSTOM_RESOURCE_DEFINITION),
        managed(&kinds::DAEMON_SET),
        managed(&kinds::DEPLOYMENT),
        here(&kinds::HORIZONTAL_POD_AUTOSCALER),
        here(&kinds::INGRESS),
        managed(&kinds::JOB),
        managed(&kinds::LIMIT_RANGE),
        aside(&kinds::MUTATING_WEBHOOKS),
        Read { kind: &kinds::NAMESPACE, scope: Scope::Cluster },
        here(&kinds::NETWORK_POLICY),
        managed(&kinds::POD),
        here(&kinds::POD_DISRUPTION_BUDGET),
        here(&kinds::REPLICA_SET),
        managed(&kinds::RESOURCE_QUOTA),
        managed(&kinds::ROLE),
        managed(&kinds::ROLE_BINDING),
        here(&kinds::SERVICE),
        managed(&kinds::SERVICE_ACCOUNT),
        managed(&kinds::STATEFUL_SET),
        aside(&kinds::VALIDATING_WEBHOOKS),
    ],
    probes: &[],
    guards: &[
        on(&kinds::CONFIG_MAP),
        on(&kinds::CRON_JOB),
        status(&kinds::CRON_JOB),
        on(&kinds::DAEMON_SET),
        status(&kinds::DAEMON_SET),
        on(&kinds::DEPLOYMENT),
        status(&kinds::DEPLOYMENT),
        on(&kinds::HORIZONTAL_POD_AUTOSCALER),
        on(&kinds::INGRESS),
        on(&kinds::JOB),
        status(&kinds::JOB),
        on(&kinds::LIMIT_RANGE),
        Watch { kind: &kinds::NAMESPACE, subresource: "", operations: &[Operation::Update] },
        Watch { kind: &kinds::NAMESPACE, subresource: "status", operations: &[Operation::Update] },
        on(&kinds::NETWORK_POLICY),
        on(&kinds::POD),
        on(&kinds::POD_DISRUPTION_BUDGET),
        on(&kinds::REPLICA_SET),
        status(&kinds::REPLICA_SET),
        on(&kinds::REPLICATION_CONTROLLER),
        on(&kinds::RESOURCE_QUOTA),
        on(&kinds::ROLE),
        on(&kinds::ROLE_BINDING),
        on(&kinds::SERVICE),
        status(&kinds::SERVICE),
        on(&kinds::SERVICE_ACCOUNT),
        on(&kinds::STATEFUL_SET),
        status(&kinds::STATEFUL_SET),
    ],
    reach: Reach::System,
    mode: Mode::Deny,
    instead: "use a namespace of your own",
    page: include_str!("aa303.md"),
    state: StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None },
    change: Some(change),
    claim: None,
    manifests: ManifestUse::Together(&ACROSS),
    voiding: Voiding::InNamed(voids_by),
};

/// In kube-system, and in no other namespace.
const fn here(kind: &'static Kind) -> Read {
    Read { kind, scope: Scope::AddOnNamespaces }
}

const fn managed(kind: &'static Kind) -> Read {
    Read { kind, scope: Scope::ManagedNamespaces }
}

/// What a Helm release can own besides, so that it is not taken away lightly.
const fn aside(kind: &'static Kind) -> Read {
    Read { kind, scope: Scope::IfRead }
}

const fn on(kind: &'static Kind) -> Watch {
    Watch { kind, subresource: "", operations: &[Operation::Create, Operation::Update] }
}

/// An update of the status can change owners and marks along with it.
const fn status(kind: &'static Kind) -> Watch {
    Watch { kind, subresource: "status", operations: &[Operation::Update] }
}

fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, kind, data) = (seen.object, seen.kind, seen.data);
    if installed::note(seen, notes) {
        return;
    }
    if !kind.namespaced {
        return each_of_cluster(object, kind, data, notes);
    }
    let (namespace, name) = (&object.meta.namespace, &object.meta.name);
    if *kind == kinds::ROLE
        && data.namespaces.add_ons(namespace) != AddOns::Free
        && let Some(writes) = add_ons::writes(object, namespace, data)
    {
        notes.remark(RoleWrites { role: add_ons::role(namespace, name), writes: Some(writes) });
    }
    let Some(standing) = Standing::of(object, kind, namespace, data) else { return };
    if add_ons::is_expected(object, kind, namespace, name, data) {
        return;
    }
    // What a workload makes is judged with the workload, and a mirror pod comes from the node's disk.
    if !object.owners().is_empty() || object.meta.annotations.get("kubernetes.io/config.mirror").is_some() {
        return;
    }
    let what = format!("{} {name}", kind.kind);
    let draft = Draft::at(ObjectRef::of(object, kind), "metadata.namespace").values(None, Some(namespace));
    match origin::of_object(object, data) {
        Provenance::Platform(_) => {}
        // It does change what is the platform's: AA301 says so.
        Provenance::Person(_) if names::is_autoscaler_of_component(object, kind, data) => {}
        Provenance::Person(evidence) => {
            let gitops = evidence.what == "mark" && !evidence.detail.starts_with("Helm ");
            let draft = draft.says(standing.says(&what, namespace)).with(evidence).lighter(standing.weight);
            let release = release_of(object);
            let role = add_ons::bound_role(object, namespace).filter(|_| *kind == kinds::ROLE_BINDING);
            if let Some(role) = role
                && let Some(says) = add_ons::empowers(object, namespace, data, Some(WRITES))
            {
                // Whether it gives anything hangs on its Role, which may come later.
                let says = format!("{what} in {namespace} {says}");
                notes.undecided(draft, Open { release, decides: AddOnDecision::Role { role, says } });
            } else if release.release.is_empty() {
                let own = standing.weight != Consequence::Info && !gitops;
                notes.drafts.push(if own { draft.fix(ways::delete(object, kind)) } else { draft });
            } else {
                notes.undecided(draft, Open { release, decides: AddOnDecision::Release });
            }
        }
        // Nobody is told to delete what may be the platform's.
        Provenance::Unrecognised => {
            let evidence = Evidence::seen("provenance", "no catalogue entry, owner, tool or mark tells whose it is");
            let draft = draft.with(evidence).lighter(Consequence::Info);
            let (release, what) = (FromRelease::of(object), format!("{what} in {namespace}"));
            notes.undecided(draft, Open { release, decides: AddOnDecision::Baseline { what } });
        }
    }
}

/// What stands in no namespace: kube-system itself, and what a Helm release brought besides.
fn each_of_cluster(object: &Object<'_>, kind: &'static Kind, data: &Data, notes: &mut Notes) {
    if *kind == kinds::NAMESPACE {
        let level = add_ons::enforced(object).filter(|_| data.namespaces.is_add_on(&object.meta.name));
        let system = |entry: &ManagedEntry<'_>| {
            data.managers.platform(&entry.manager).is_some()
                && entry.owns(&["f:metadata", "f:labels", &format!("f:{}", add_ons::ENFORCE)])
        };
        if let Some(level) = level.filter(|_| !object.managed().iter().any(system)) {
            let draft = Draft::at(ObjectRef::of(object, kind), format!("metadata.labels[{}]", add_ons::ENFORCE));
            let name = &object.meta.name;
            notes.drafts.push(
                enforcing(draft.values(None, Some(&level)), name, &level)
                    .with(Evidence::seen("label", format!("{}={level}", add_ons::ENFORCE)))
                    .fix(Command::kubectl(["label", "namespace"]).name(name).word(&format!("{}-", add_ons::ENFORCE))),
            );
        }
    } else if *kind == kinds::CLUSTER_ROLE {
        if let Some(writes) = add_ons::writes(object, NAMED, data) {
            notes.remark(RoleWrites { role: add_ons::role("", &object.meta.name), writes: Some(writes) });
        }
    } else {
        let release = release_of(object);
        if !release.release.is_empty() {
            notes.remark(OwnedByRelease { release, object: format!("{} {}", kind.kind, object.meta.name) });
        }
    }
}

fn enforcing(draft: Draft, namespace: &str, level: &str) -> Draft {
    let says = format!(
        "namespace {namespace} enforces the Pod Security level {level}, under which pods of the platform cannot start"
    );
    draft.says(says).lighter(Consequence::AtRisk)
}

/// The Helm release that an object bears the marks of.
fn release_of(object: &Object<'_>) -> FromRelease {
    let mark = |key: &str| object.meta.annotations.get(key).unwrap_or_default();
    let (release, namespace) = (mark("meta.helm.sh/release-name"), mark("meta.helm.sh/release-namespace"));
    let namespace = if namespace.is_empty() { &*object.meta.namespace } else { namespace };
    FromRelease { release: release.to_owned(), namespace: namespace.to_owned() }
}

/// What a Role or ClusterRole lets its bearers write of what is managed; `None` for nothing.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RoleWrites {
    /// As [`add_ons::role`] names it.
    role: String,
    writes: Option<String>,
}

/// An object without a namespace that a Helm release owns.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct OwnedByRelease {
    release: FromRelease,
    object: String,
}

/// An object that somebody put there, and what decides about it.
#[derive(Debug)]
struct Open {
    release: FromRelease,
    decides: AddOnDecision,
}

/// What decides about an object that no Arc extension brought.
#[derive(Debug)]
enum AddOnDecision {
    /// What else its release owns.
    Release,
    /// What its Role may write. `says` has [`WRITES`] where that is told.
    Role { role: String, says: String },
    /// Whether a baseline holds it; `what` names it, since nobody recognises it.
    Baseline { what: String },
}

/// What only the whole tells of what somebody put there: whether an Arc extension brought it, what its release owns, what its
/// Role may do; and what nobody recognises, of which a baseline tells what came later.
fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let extensions = Installed::of(inventory, RULE.code, context.data);
    let mut owned = BTreeMap::<&FromRelease, BTreeSet<&str>>::new();
    for OwnedByRelease { release, object } in inventory.remarks(RULE.code) {
        owned.entry(release).or_default().insert(object);
    }
    let written: BTreeMap<&str, Option<&str>> =
        inventory.remarks::<RoleWrites>(RULE.code).map(|own| (&*own.role, own.writes.as_deref())).collect();
    let settle = |suspect: &Undecided<Open>| -> Option<Draft> {
        let Open { release, decides } = &suspect.depends_on;
        if extensions.brought(release) {
            return None;
        }
        let draft = suspect.draft.clone();
        match decides {
            AddOnDecision::Role { role, says } => {
                let Some(Some(writes)) = written.get(&**role) else {
                    // Nothing is said of it where nobody could read what it may do.
                    let kind = if role.starts_with('/') { &kinds::CLUSTER_ROLE } else { &kinds::ROLE };
                    return context.unread(&[kind]).is_none().then_some(draft);
                };
                let mut draft = draft.says(says.replace(WRITES, writes));
                draft.lighter = Some(Consequence::AtRisk);
                Some(ending(draft, release, &owned))
            }
            AddOnDecision::Release => Some(ending(draft, release, &owned)),
            AddOnDecision::Baseline { what } => {
                Some(match &context.baseline {
                    None => draft
                        .says(format!("{what} is unrecognised: nothing tells whose it is, a baseline would settle it")),
                    Some(baseline) if is_covered(baseline.then, &draft.object) => draft
                        .says(format!("{what} is unrecognised, and came after the baseline"))
                        .with(baseline.evidence("nothing of this name")),
                    Some(_) => draft.says(format!(
                        "{what} is unrecognised: nothing tells whose it is, and the baseline was recorded without a look at \
                         such objects: a new one would settle it"
                    )),
                })
            }
        }
    };
    Verdict::Found(inventory.undecided(RULE.code).iter().filter_map(settle).collect())
}

/// What manifests tell of one another: whether a RoleBinding among them gives rights to write what is managed.
pub(super) static ACROSS: Across = Across { note: note_manifest, settle: settle_manifests };

fn note_manifest(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, kind, data) = (seen.object, seen.kind, seen.data);
    let (namespace, name) = (&*object.meta.namespace, &*object.meta.name);
    if *kind == kinds::ROLE || *kind == kinds::CLUSTER_ROLE {
        let place = if kind.namespaced { namespace } else { NAMED };
        let role = add_ons::role(namespace, name);
        match add_ons::writes(object, place, data) {
            Some(writes) => notes.remark(RoleWrites { role, writes: Some(writes) }),
            // What such a one may do is gathered from others in the cluster.
            None if object.raw("aggregationRule").is_some() => {}
            None => notes.remark(RoleWrites { role, writes: None }),
        }
    } else if *kind == kinds::ROLE_BINDING
        && data.namespaces.judges(namespace, kind)
        && !add_ons::is_expected(object, kind, namespace, name, data)
        && let Some(role) = add_ons::bound_role(object, namespace)
        && let Some(says) = add_ons::empowers(object, namespace, data, Some(WRITES))
    {
        let draft = Draft::at(ObjectRef::of(object, kind), "metadata.namespace")
            .values(None, Some(namespace))
            .says(format!("{} {name} in {namespace} {says}", kind.kind))
            .lighter(Consequence::AtRisk);
        notes.undecided(draft, OfRole(role));
    }
}

/// The Role that a RoleBinding among manifests gives.
#[derive(Debug)]
struct OfRole(String);

fn settle_manifests(inventory: &Inventory, context: &Context<'_>, drafts: &mut Vec<Draft>) -> Option<String> {
    let written = |role: &str| inventory.remarks::<RoleWrites>(RULE.code).find(|own| own.role == role);
    let known = |role: &str| {
        let (namespace, name) = role.split_once('/')?;
        context.data.component(kinds::ROLE.kind, namespace, name)
    };
    let mut open = None;
    for Undecided { draft, depends_on: OfRole(role) } in inventory.undecided(RULE.code) {
        match written(role).map(|own| own.writes.as_deref()) {
            Some(None) => {}
            Some(Some(writes)) => {
                // That it stands there was said of it alone.
                drafts.retain(|other| other.path != draft.path || other.object.short() != draft.object.short());
                drafts.push(draft.clone().says(draft.message.replace(WRITES, writes)));
            }
            None if known(role).is_some() => {}
            None => {
                let (kind, name) = match role.split_once('/') {
                    Some(("", name)) => (kinds::CLUSTER_ROLE.kind, name),
                    Some((_, name)) => (kinds::ROLE.kind, name),
                    None => continue,
                };
                let binding = draft.object.short();
                open.get_or_insert_with(|| {
                    format!(
                        "what {binding} gives rights to is told by {kind} {name}, which is not among the manifests: at risk \
                         if that may write managed parts"
                    )
                });
            }
        }
    }
    open
}

/// Whether a baseline would hold an object, had it been there.
fn is_covered(baseline: &Baseline, object: &ObjectRef) -> bool {
    kinds::of(&object.api_version, &object.kind).is_some_and(|kind| baseline.covers(kind, &object.namespace))
}

/// What Helm does with a release.
fn helm(release: &str, namespace: &str, verb: &str) -> Command {
    Command::helm(verb.split(' ')).name(release).word("--namespace").name(namespace)
}

/// How somebody's object goes: with its release, unless that takes away what others rest on; and never alone, since the next
/// upgrade of the release brings it back.
fn ending(mut draft: Draft, release: &FromRelease, owned: &BTreeMap<&FromRelease, BTreeSet<&str>>) -> Draft {
    if draft.lighter == Some(Consequence::Info) {
        return draft;
    }
    let FromRelease { release: name, namespace } = release;
    if name.is_empty() {
        let (place, name) = (&draft.object.namespace, &draft.object.name);
        let kind = draft.object.kind.to_lowercase();
        let command = Command::kubectl_in(place, ["delete", &kind]).name(name).caution("destroys it");
        return draft.fix(command);
    }
    if draft.lighter == Some(Consequence::AtRisk) {
        draft.message = format!("{}; a value of Helm release {name} may leave it out", draft.message);
        let shows = helm(name, namespace, "get values").only("shows the release's values");
        return draft.fix(shows);
    }
    if let Some(owned) = owned.get(release) {
        let shown: Vec<&str> = owned.iter().take(MAX_OWNED).copied().collect();
        let more = owned.len().saturating_sub(MAX_OWNED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        draft.message = format!(
            "{}; first move what release {name} brings into a namespace of its own, since {}{more} would go with it",
            draft.message,
            shown.join(", ")
        );
        return draft;
    }
    draft.message = format!(
        "{}; it goes with all of Helm release {name}, which can be installed in a namespace of its own",
        draft.message
    );
    draft.fix(helm(name, namespace, "uninstall").caution("destroys all that the release made"))
}

fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    if *change.kind == kinds::NAMESPACE {
        return secured(change, data).into_iter().collect();
    }
    let (name, namespace, kind) = (&*change.name, &*change.namespace, change.kind);
    let Some(after) = change.after.as_ref() else { return Vec::new() };
    let Some(standing) = Standing::of(after, kind, namespace, data) else { return Vec::new() };
    if add_ons::is_expected(after, kind, namespace, name, data)
        || names::is_autoscaler_of_component(after, kind, data)
        || installed::of_change(change).is_some()
    {
        return Vec::new();
    }
    let shown = target(change).name;
    let what = format!("{} {shown}", kind.kind);
    let draft = Draft::at(target(change), "metadata.namespace").values(None, Some(namespace)).lighter(standing.weight);
    if change.create().is_some() {
        // Microsoft's command line installs the agents by Helm, as whoever is signed in.
        if data.namespaces.is_arc(namespace) && origin::is_release_write(after, data) {
            return Vec::new();
        }
        let says = match (&standing.does, standing.weight) {
            (None, Consequence::Voids | Consequence::AtRisk) => format!("{what} does not belong in {namespace}"),
            _ => standing.says(&what, namespace),
        };
        return vec![draft.says(says)];
    }
    let Some((before, after)) = change.update(&["status"]) else { return Vec::new() };
    // What workloads make is theirs to change, as long as it is theirs.
    if !before.owners().is_empty() {
        return disowns(change, before, after, data).into_iter().collect();
    }
    let (was, is) = (origin::of_object(before, data), origin::of_object(after, data));
    let draft = draft.warn_at_most();
    vec![match (was, is) {
        // A mark of people's tools makes it theirs: they prune and overwrite what bears it.
        (Provenance::Platform(_) | Provenance::Unrecognised, Provenance::Person(evidence)) => {
            draft.says(format!("{what} in {namespace} would count as a person's")).with(evidence)
        }
        // The platform's own objects that no table knows are not add-ons.
        (Provenance::Platform(_), _) => return Vec::new(),
        _ if !Differing::of(before, after).any() => return Vec::new(),
        // Of Arc extensions a change tells nothing but the marks of their release, which are a chart's of anybody's too.
        _ if standing.weight == Consequence::Voids && !installed::release(before).is_empty() => {
            let release = installed::release(before);
            let says = format!(
                "{what} in {namespace} would be changed; it is an add-on unless release {release} is an Arc extension's"
            );
            draft.says(says).lighter(Consequence::AtRisk)
        }
        _ if standing.does.is_some() => draft.says(standing.says(&what, namespace)),
        _ if standing.weight == Consequence::Info => draft.says(standing.says(&what, namespace)),
        _ => draft.says(format!("{what} does not belong in {namespace}, and would be changed there")),
    }]
}

/// That a namespace of the platform's would enforce what its pods cannot meet.
fn secured(change: &Change<'_>, data: &Data) -> Option<Draft> {
    let (before, after) = change.update(&["status"])?;
    let level = add_ons::enforced(after).filter(|_| data.namespaces.is_add_on(&change.name))?;
    let was = before.meta.labels.get(add_ons::ENFORCE);
    if was == Some(&*level) {
        return None;
    }
    let draft = Draft::at(target(change), format!("metadata.labels[{}]", add_ons::ENFORCE));
    Some(enforcing(draft.values(was, Some(&level)), &change.name, &level))
}

/// That an object would outlive the last of its owners, and stand in the namespace for itself. What somebody made and let
/// another claim is theirs again.
fn disowns(change: &Change<'_>, before: &Object<'_>, after: &Object<'_>, data: &Data) -> Option<Draft> {
    let owner = change.lost_owner().filter(|_| after.owners().is_empty())?;
    let standing = Standing::of(after, change.kind, &change.namespace, data)?;
    let what = format!("{} {} in {}", change.kind.kind, target(change).name, change.namespace);
    let draft = disowned(change, owner, &what).warn_at_most();
    match origin::of_object(after, data) {
        Provenance::Person(evidence) => Some(draft.with(evidence).lighter(standing.weight)),
        // What a managed component makes is judged with the component.
        _ if components::owning_component(change.kind, before, data).is_some() => None,
        // A claim that a person made is theirs to take back.
        _ if before.managed().iter().any(|entry| is_claimant(entry, before, data)) => None,
        _ => Some(draft.lighter(standing.weight.max(Consequence::AtRisk))),
    }
}

fn is_claimant(entry: &ManagedEntry<'_>, object: &Object<'_>, data: &Data) -> bool {
    data.managers.person(&entry.manager).is_some()
        && origin::is_later(entry, object)
        && entry.owns(&["f:metadata", "f:ownerReferences"])
}

/// Whether what a list of this kind holds could void support by this rule.
pub(crate) fn voids_by(kind: &Kind) -> bool {
    kind.runs() || *kind == kinds::ARC_EXTENSION_CONFIG
}

/// Where a sentence on a RoleBinding names what its Role may write.
const WRITES: &str = "{writes}";

/// The namespace that the policy text names: what a ClusterRole may write is asked of it.
const NAMED: &str = "kube-system";

/// Objects named that go with a release.
const MAX_OWNED: usize = 3;
