//! AA303: a user's add-on stands where only managed add-ons belong.

use std::collections::{BTreeMap, BTreeSet};

use crate::command::Command;
use crate::data::{AddOns, Data, Platform};
use crate::facts::baseline::Baseline;
use crate::facts::change::{Change, Operation};
use crate::facts::inventory::Inventory;
use crate::facts::notes::{Notes, Undecided};
use crate::facts::origin::{self, Provenance};
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::{ManagedEntry, Object};
use crate::rules::parts::add_ons::{self, Standing};
use crate::rules::parts::differences::Differing;
use crate::rules::parts::installed::{self, EXTENSIONS, FromRelease, Installed};
use crate::rules::parts::owners::disowned;
use crate::rules::parts::target::target;
use crate::rules::parts::{components, names, ways};
use crate::rules::rule::{
    Across, Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Watch,
    Weight,
};

pub(crate) static RULE: Rule = Rule {
    code: Code::new("AA303"),
    slug: "unmanaged-add-on",
    summary: "a user's add-on is in a namespace whose add-ons are managed",
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
    change: Some(change),
    claim: None,
    manifests: ManifestUse::Together(&ACROSS),
    voiding: Voiding::InNamed(voids_by),
};

pub(crate) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

/// The list of a kind in kube-system, and in no other namespace.
const fn here(kind: &'static Kind) -> Read {
    Read { kind, scope: Scope::AddOnNamespaces }
}

const fn managed(kind: &'static Kind) -> Read {
    Read { kind, scope: Scope::ManagedNamespaces }
}

/// The list of a cluster-scoped kind that a Helm release may own, so that the release is not uninstalled lightly.
const fn aside(kind: &'static Kind) -> Read {
    Read { kind, scope: Scope::IfRead }
}

const fn on(kind: &'static Kind) -> Watch {
    Watch { kind, subresource: "", operations: &[Operation::Create, Operation::Update] }
}

/// The update of a kind's status, which can change owners and marks along with it.
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
    // The workload is judged instead of its pods, and a mirror pod comes from the node's disk.
    if !object.owners().is_empty() || object.meta.annotations.get("kubernetes.io/config.mirror").is_some() {
        return;
    }
    let subject = format!("{} {name}", kind.kind);
    let draft = Draft::at(ObjectRef::of(object, kind), "metadata.namespace").values(None, Some(namespace));
    match origin::of_object(object, data) {
        Provenance::Platform(_) => {}
        // An autoscaler of a component changes the platform's part, and AA301 reports it.
        Provenance::Person(_) if names::is_autoscaler_of_component(object, kind, data) => {}
        Provenance::Person(evidence) => {
            let gitops = evidence.what == "mark" && !evidence.detail.starts_with("Helm ");
            let draft = draft.says(standing.says(&subject, namespace)).with(evidence).lighter(standing.weight);
            let release = release_of(object);
            let role = add_ons::bound_role(object, namespace).filter(|_| *kind == kinds::ROLE_BINDING);
            if let Some(role) = role
                && let Some(says) = add_ons::empowers(object, namespace, data, Some(WRITES))
            {
                // The binding's effect depends on its Role, which may be listed later.
                let says = format!("{subject} in {namespace} {says}");
                notes.undecided(draft, Open { release, decides: AddOnDecision::Role { role, says } });
            } else if release.release.is_empty() {
                let removable = standing.weight != Consequence::Info && !gitops;
                notes.drafts.push(if removable { draft.fix(ways::delete(object, kind)) } else { draft });
            } else {
                notes.undecided(draft, Open { release, decides: AddOnDecision::Release });
            }
        }
        // An object that may be the platform's gets no command to delete it.
        Provenance::Unrecognised => {
            let evidence = Evidence::seen("provenance", "no catalogue entry, owner, tool or mark shows who made it");
            let draft = draft.with(evidence).lighter(Consequence::Info);
            let (release, subject) = (FromRelease::of(object), format!("{subject} in {namespace}"));
            notes.undecided(draft, Open { release, decides: AddOnDecision::Baseline { subject } });
        }
    }
}

/// Judges cluster-scoped objects: kube-system itself, and objects that a Helm release brought besides.
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
                    .fix(Command::kubectl(["label", "namespace"]).one_of(name).word(&format!("{}-", add_ons::ENFORCE))),
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

/// The Helm release in an object's annotations, and its namespace.
fn release_of(object: &Object<'_>) -> FromRelease {
    let mark = |key: &str| object.meta.annotations.get(key).unwrap_or_default();
    let (release, namespace) = (mark("meta.helm.sh/release-name"), mark("meta.helm.sh/release-namespace"));
    let namespace = if namespace.is_empty() { &*object.meta.namespace } else { namespace };
    FromRelease { release: release.to_owned(), namespace: namespace.to_owned() }
}

/// The managed parts that a Role or ClusterRole may write; `None` for none.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RoleWrites {
    /// The key of the role, by [`add_ons::role`].
    role: String,
    writes: Option<String>,
}

/// A cluster-scoped object that a Helm release owns.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct OwnedByRelease {
    release: FromRelease,
    object: String,
}

/// The open questions about an object that a person or an unrecognised client made.
#[derive(Debug)]
struct Open {
    release: FromRelease,
    decides: AddOnDecision,
}

/// The fact that decides about an object that no Arc extension brought.
#[derive(Debug)]
enum AddOnDecision {
    /// The other objects of its release.
    Release,
    /// The rights of its Role. `says` has [`WRITES`] in their place.
    Role { role: String, says: String },
    /// Whether a baseline holds it; `subject` names the object, since nobody recognises it.
    Baseline { subject: String },
}

/// The verdict on objects that only the whole cluster decides: whether an Arc extension brought them, what their
/// release owns, what their Role may do, and whether an unrecognised object is younger than the baseline.
fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let extensions = Installed::of(inventory, RULE.code, context.data);
    let mut owned = BTreeMap::<&FromRelease, BTreeSet<&str>>::new();
    for OwnedByRelease { release, object } in inventory.remarks(RULE.code) {
        owned.entry(release).or_default().insert(object);
    }
    let written: BTreeMap<&str, Option<&str>> =
        inventory.remarks::<RoleWrites>(RULE.code).map(|remark| (&*remark.role, remark.writes.as_deref())).collect();
    let settle = |suspect: &Undecided<Open>| -> Option<Draft> {
        let Open { release, decides } = &suspect.depends_on;
        if extensions.brought(release) {
            return None;
        }
        let draft = suspect.draft.clone();
        match decides {
            AddOnDecision::Role { role, says } => {
                let Some(Some(writes)) = written.get(&**role) else {
                    // An unread Role leaves the binding out of the findings.
                    let kind = if role.starts_with('/') { &kinds::CLUSTER_ROLE } else { &kinds::ROLE };
                    return context.unread(&[kind]).is_none().then_some(draft);
                };
                let mut draft = draft.says(says.replace(WRITES, writes));
                draft.lighter = Some(Consequence::AtRisk);
                Some(ending(draft, release, &owned))
            }
            AddOnDecision::Release => Some(ending(draft, release, &owned)),
            AddOnDecision::Baseline { subject } => Some(match &context.baseline {
                None => draft.says(format!("{subject} is unrecognised: its maker is unknown; a baseline settles it")),
                Some(baseline) if is_covered(baseline.then, &draft.object) => draft
                    .says(format!("{subject} is unrecognised, and newer than the baseline"))
                    .with(baseline.evidence("nothing of this name")),
                Some(_) => draft.says(format!(
                    "{subject} is unrecognised: its maker is unknown, and the baseline did not record such objects; a new \
                         one settles it"
                )),
            }),
        }
    };
    Verdict::Found(inventory.undecided(RULE.code).iter().filter_map(settle).collect())
}

/// The judgement across manifests: RoleBindings whose Role among them may write managed parts.
pub(super) static ACROSS: Across = Across { note: note_manifest, settle: settle_manifests };

fn note_manifest(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, kind, data) = (seen.object, seen.kind, seen.data);
    let (namespace, name) = (&*object.meta.namespace, &*object.meta.name);
    if *kind == kinds::ROLE || *kind == kinds::CLUSTER_ROLE {
        let place = if kind.namespaced { namespace } else { NAMED };
        let role = add_ons::role(namespace, name);
        match add_ons::writes(object, place, data) {
            Some(writes) => notes.remark(RoleWrites { role, writes: Some(writes) }),
            // The rights of an aggregated ClusterRole come from others in the cluster.
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

/// The Role that a RoleBinding among manifests refers to.
#[derive(Debug)]
struct OfRole(String);

fn settle_manifests(inventory: &Inventory, context: &Context<'_>, drafts: &mut Vec<Draft>) -> Option<String> {
    let written = |role: &str| inventory.remarks::<RoleWrites>(RULE.code).find(|remark| remark.role == role);
    let known = |role: &str| {
        let (namespace, name) = role.split_once('/')?;
        context.data.component(kinds::ROLE.kind, namespace, name)
    };
    let mut open = None;
    for Undecided { draft, depends_on: OfRole(role) } in inventory.undecided(RULE.code) {
        match written(role).map(|remark| remark.writes.as_deref()) {
            Some(None) => {}
            Some(Some(writes)) => {
                // This draft replaces the one on the binding alone.
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
                        "the rights of {binding} depend on {kind} {name}, which is not among the manifests: at risk if it \
                         may write managed parts"
                    )
                });
            }
        }
    }
    open
}

/// Whether a baseline would hold an object, had it existed then.
fn is_covered(baseline: &Baseline, object: &ObjectRef) -> bool {
    kinds::of(&object.api_version, &object.kind).is_some_and(|kind| baseline.covers(kind, &object.namespace))
}

/// A Helm command on a release.
fn helm(release: &str, namespace: &str, verb: &str) -> Command {
    Command::helm(verb.split(' ')).name(release).word("--namespace").name(namespace)
}

/// The draft with the way to remove the object: with its release, unless other objects rest on that. Never alone, since
/// the next upgrade of the release would bring it back.
fn ending(mut draft: Draft, release: &FromRelease, owned: &BTreeMap<&FromRelease, BTreeSet<&str>>) -> Draft {
    if draft.lighter == Some(Consequence::Info) {
        return draft;
    }
    let FromRelease { release: name, namespace } = release;
    if name.is_empty() {
        let (place, name) = (&draft.object.namespace, &draft.object.name);
        let kind = draft.object.kind.to_lowercase();
        let command = Command::kubectl_in(place, ["delete", &kind]).one_of(name).caution("destroys it");
        return draft.fix(command);
    }
    if draft.lighter == Some(Consequence::AtRisk) {
        draft.message = format!("{}; a value of Helm release {name} may turn it off", draft.message);
        let shows = helm(name, namespace, "get values").only("shows the release's values");
        return draft.fix(shows);
    }
    if let Some(owned) = owned.get(release) {
        let shown: Vec<&str> = owned.iter().take(MAX_OWNED).copied().collect();
        let more = owned.len().saturating_sub(MAX_OWNED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        draft.message = format!(
            "{}; first move release {name} into a namespace of its own, since its uninstallation removes {}{more}",
            draft.message,
            shown.join(", ")
        );
        return draft;
    }
    draft.message = format!(
        "{}; remove it with Helm release {name}, which can be installed in a namespace of its own",
        draft.message
    );
    draft.fix(helm(name, namespace, "uninstall").caution("destroys all objects of the release"))
}

fn change(change: &Change<'_>, data: &Data) -> Vec<Draft> {
    if *change.kind == kinds::NAMESPACE {
        return secured(change, data).into_iter().collect();
    }
    let (name, namespace, kind) = (&*change.name, &*change.namespace, change.kind);
    let Some(after) = change.after.as_deref() else { return Vec::new() };
    let Some(standing) = Standing::of(after, kind, namespace, data) else { return Vec::new() };
    if add_ons::is_expected(after, kind, namespace, name, data)
        || names::is_autoscaler_of_component(after, kind, data)
        || installed::of_change(change).is_some()
    {
        return Vec::new();
    }
    let subject = format!("{} {}", kind.kind, target(change).name);
    let draft = Draft::at(target(change), "metadata.namespace").values(None, Some(namespace)).lighter(standing.weight);
    if change.create().is_some() {
        // Microsoft's command line installs the agents by Helm, as the user who is signed in.
        if data.namespaces.is_arc(namespace) && origin::is_release_write(after, data) {
            return Vec::new();
        }
        let says = match (&standing.does, standing.weight) {
            (None, Consequence::Voids | Consequence::AtRisk) => format!("{subject} does not belong in {namespace}"),
            _ => standing.says(&subject, namespace),
        };
        return vec![draft.says(says)];
    }
    let Some((before, after)) = change.update(&["status"]) else { return Vec::new() };
    // Objects of a workload may change as long as the workload owns them.
    if !before.owners().is_empty() {
        return disowns(change, before, after, data).into_iter().collect();
    }
    let (was, is) = (origin::of_object(before, data), origin::of_object(after, data));
    let draft = draft.warn_at_most();
    vec![match (was, is) {
        // A mark of people's tools makes the object theirs: they prune and overwrite objects with their mark.
        (Provenance::Platform(_) | Provenance::Unrecognised, Provenance::Person(evidence)) => {
            draft.says(format!("{subject} in {namespace} would count as a user's")).with(evidence)
        }
        // Objects of the platform that no table knows are not add-ons.
        (Provenance::Platform(_), _) => return Vec::new(),
        _ if !Differing::of(before, after).any() => return Vec::new(),
        // A change shows nothing of an Arc extension but its release's marks, which any chart can have too.
        _ if standing.weight == Consequence::Voids && !installed::release(before).is_empty() => {
            let release = installed::release(before);
            let says = format!(
                "{subject} in {namespace} would be changed; it is an add-on unless release {release} is an Arc extension's"
            );
            draft.says(says).lighter(Consequence::AtRisk)
        }
        _ if standing.does.is_some() => draft.says(standing.says(&subject, namespace)),
        _ if standing.weight == Consequence::Info => draft.says(standing.says(&subject, namespace)),
        _ => draft.says(format!("{subject} does not belong in {namespace}, and would be changed there")),
    }]
}

/// A draft: the update makes a namespace of the platform enforce a level of Pod Security that its pods cannot meet.
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

/// A draft: the update removes the object's last owner, so that it stands in the namespace by itself. A person who let
/// another object own theirs may take that back.
fn disowns(change: &Change<'_>, before: &Object<'_>, after: &Object<'_>, data: &Data) -> Option<Draft> {
    let owner = change.lost_owner().filter(|_| after.owners().is_empty())?;
    let standing = Standing::of(after, change.kind, &change.namespace, data)?;
    let subject = format!("{} {} in {}", change.kind.kind, target(change).name, change.namespace);
    let draft = disowned(change, owner, &subject).warn_at_most();
    match origin::of_object(after, data) {
        Provenance::Person(evidence) => Some(draft.with(evidence).lighter(standing.weight)),
        // Objects of a managed component are judged with the component.
        _ if components::owning_component(change.kind, before, data).is_some() => None,
        // An owner that a person set is theirs to remove.
        _ if before.managed().iter().any(|entry| is_claimant(entry, before, data)) => None,
        _ => Some(draft.lighter(standing.weight.max(Consequence::AtRisk))),
    }
}

fn is_claimant(entry: &ManagedEntry<'_>, object: &Object<'_>, data: &Data) -> bool {
    data.managers.person(&entry.manager).is_some()
        && origin::is_later(entry, object)
        && entry.owns(&["f:metadata", "f:ownerReferences"])
}

/// Whether an object of this kind could void support by this rule.
pub(crate) fn voids_by(kind: &Kind) -> bool {
    kind.runs() || *kind == kinds::ARC_EXTENSION_CONFIG
}

/// The place in a message on a RoleBinding for the rights of its Role.
const WRITES: &str = "{writes}";

/// The namespace that the policy text names; the rights of a ClusterRole are tested against it.
const NAMED: &str = "kube-system";

/// The most objects named that would go with a release.
const MAX_OWNED: usize = 3;
