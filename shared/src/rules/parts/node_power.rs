//! The power of pods over their nodes, and the rule that reports it.

use crate::command::Command;
use crate::data::node_power::HostNamespace;
use crate::data::{Data, own};
use crate::facts::change::{Change, Operation};
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::facts::origin::{self, Provenance};
use crate::finding::{Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::Object;
use crate::k8s::pod::{Container, Pod};
use crate::rules::parts::installed::{self, FromRelease, Installed};
use crate::rules::parts::target::target;
use crate::rules::rule::{Context, Read, Scope, Seen, Verdict, Watch};

/// The rule that reports a pod with power over its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaker {
    /// AA406: a `DaemonSet`, or init containers: the allowed way.
    Allowed,
    /// AA407: anything else.
    Outside,
    /// AA405: an interactive shell on one node.
    Shell,
}

/// The extent of the power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    /// The pod can change the node.
    Changes,
    /// The pod can read the node's files and change none.
    Looks,
}

/// One field that gives power.
#[derive(Clone, Debug)]
struct Power<'p> {
    tier: Tier,
    /// The list and name of the container; `None` for the whole pod.
    container: Option<(&'static str, &'p str)>,
    /// The field, below the container or pod.
    field: String,
    value: String,
    /// The power as a predicate, after "it".
    what: String,
    /// The JSON patch operation that takes the power away; `{base}` is the pod specification.
    undo: Option<String>,
    initial: bool,
    privilege: bool,
    root: bool,
}

/// The list of a kind in the whole cluster.
pub(crate) const fn everywhere(kind: &'static Kind) -> Read {
    Read { kind, scope: Scope::Cluster }
}

/// The creation and update of a kind.
pub(crate) const fn written(kind: &'static Kind) -> Watch {
    Watch { kind, subresource: "", operations: &[Operation::Create, Operation::Update] }
}

/// The watched requests on pods: the specification of a running pod does not change, but ephemeral containers join it.
pub(crate) const PODS: [Watch; 2] = [
    Watch { kind: &kinds::POD, subresource: "", operations: &[Operation::Create] },
    Watch { kind: &kinds::POD, subresource: "ephemeralcontainers", operations: &[Operation::Update] },
];

/// Judges one object of a state for one rule. A pod that may be an extension's waits for [`per_cluster`].
pub(crate) fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes, speaker: Speaker) {
    if installed::note(seen, notes) {
        return;
    }
    let Some(pod) = seen.pod() else { return };
    if let Some(draft) = judge(seen.object, seen.kind, pod, seen.data, speaker) {
        notes.undecided(draft, FromRelease::of(seen.object));
    }
}

/// The verdict on all noted pods, without those that Arc extensions brought.
pub(crate) fn per_cluster(inventory: &Inventory, context: &Context<'_>, code: Code) -> Verdict {
    let extensions = Installed::of(inventory, code, context.data);
    let foreign =
        inventory.undecided::<FromRelease>(code).iter().filter(|suspect| !extensions.brought(&suspect.depends_on));
    Verdict::Found(foreign.map(|suspect| suspect.draft.clone()).collect())
}

/// Drafts: the change gives a pod more power than it had.
pub(crate) fn change(change: &Change<'_>, data: &Data, speaker: Speaker) -> Vec<Draft> {
    if installed::of_change(change).is_some() {
        return Vec::new();
    }
    let sides = match change.create() {
        Some(after) => Some((None, after)),
        None => change.update(&["ephemeralcontainers"]).map(|(before, after)| (Some(before), after)),
    };
    let Some((before, after)) = sides else { return Vec::new() };
    let judged = |object: &Object<'_>| judge(object, change.kind, object.pod(change.kind)?, data, speaker);
    let Some(mut draft) = judged(after) else { return Vec::new() };
    if before.and_then(judged).is_some_and(|was| was.path == draft.path && was.lighter == draft.lighter) {
        return Vec::new();
    }
    if draft.object.kind == change.kind.kind {
        draft.object = target(change);
    }
    vec![draft]
}

/// A draft on an object with a pod in it, if `speaker` is the rule that reports it.
fn judge(object: &Object<'_>, kind: &'static Kind, pod: &Pod<'_>, data: &Data, speaker: Speaker) -> Option<Draft> {
    let meta = &object.meta;
    // Almost no pod has power over its node, and this test runs for all of them.
    if !may_have_power(pod) {
        return None;
    }
    let place = PodPlace::of(object, kind)?;
    let powers = powers(pod, data, place.containers);
    let debug = *kind == kinds::POD && place.name.starts_with(&*data.node_power.debug_pods.prefix) && place.bare;
    let host = [("hostPID", pod.host_pid), ("hostNetwork", pod.host_network), ("hostIPC", pod.host_ipc)];
    let shared = host.iter().find(|(_, is)| *is).map(|(field, _)| *field);
    let privilege = powers.iter().any(|power| power.privilege);
    let root = powers.iter().any(|power| power.root);
    let by_hand = *kind == kinds::POD && (place.bare || place.containers == JudgedContainers::Ephemeral);
    let shell = by_hand && ((debug && shared.is_some()) || (shared.is_some() && privilege) || root)
        || (debug && !powers.is_empty());
    let strongest = powers.iter().min_by_key(|power| (power.tier, power.initial, !power.root));
    if strongest.is_none() && !shell {
        return None;
    }
    let of_init = powers.iter().filter(|power| power.tier == Tier::Changes).all(|power| power.initial)
        && powers.iter().any(|power| power.initial && power.tier == Tier::Changes);
    let speaks = if shell {
        Speaker::Shell
    } else if place.kind == "DaemonSet" || of_init {
        Speaker::Allowed
    } else {
        Speaker::Outside
    };
    if speaks != speaker || is_component(object, place.kind, &place.name, data) {
        return None;
    }
    // The owner was not read, and the controller that made the pod tells nothing about who made the owner.
    let provenance = if place.owner.is_some() { Provenance::Unrecognised } else { origin::of_object(object, data) };
    // Anybody can run an image: a pod made by hand is the platform's only by its writers or its release.
    let by_image = shell && !origin::is_made_by_platform(object, data);
    let provenance = match provenance {
        Provenance::Platform(_) if by_image => Provenance::Unrecognised,
        Provenance::Platform(_) => return None,
        other => other,
    };
    let base = place.base;
    let (path, value, tier) = match strongest {
        Some(power) => (format!("{base}.{}", power.path()), power.value.clone(), power.tier),
        // A pod without power is a shell only if it shares a namespace of the host.
        None => (format!("{base}.{}", shared?), "true".to_owned(), Tier::Changes),
    };
    let mut reach: Vec<String> = powers.iter().map(|power| power.what.clone()).collect();
    reach.extend(host.iter().filter(|(_, is)| *is).map(|(field, _)| format!("has {field}")));
    reach.dedup();
    let shown = reach.iter().take(MAX_REASONS).cloned().collect::<Vec<_>>().join(", ");
    let name = format!("{} {}/{}", place.kind, meta.namespace, place.name);
    let message = match (speaks, tier) {
        (Speaker::Shell, _) => {
            let node = pod.node_name.as_deref().filter(|node| !node.is_empty());
            format!(
                "{name} is a shell on {}: it {shown}",
                node.map_or("its node".to_owned(), |node| format!("node {node}"))
            )
        }
        (Speaker::Allowed, Tier::Changes) => format!("{name} can change nodes: it {shown}"),
        (Speaker::Outside, Tier::Changes) => format!("{name} can change its node outside a DaemonSet: it {shown}"),
        (_, Tier::Looks) => format!("{name} sees files of its node, read-only: it {shown}"),
    };
    let mut draft = Draft::at(place.refers(object, kind), path).values(None, Some(&value)).surplus().says(message);
    draft = draft.with(Evidence::seen("specification", shown));
    if let Provenance::Person(evidence) = &provenance {
        draft = draft.with(evidence.clone());
    }
    if let Some(command) = fix(&place, object, &powers, speaks) {
        draft = draft.fix(command);
    }
    // A finding accuses nobody where the pod may be the platform's: its maker is unknown, and it stands among the
    // platform's.
    let unclear = provenance == Provenance::Unrecognised
        && !debug
        && (data.namespaces.protected(&meta.namespace).is_some() || (!shell && is_microsofts(pod, data)));
    Some(if unclear {
        draft.lighter(Consequence::Info)
    } else if tier == Tier::Looks {
        draft.lighter(if speaks == Speaker::Shell { Consequence::NotCovered } else { Consequence::Info })
    } else {
        draft
    })
}

/// Whether an object is a part Microsoft maintains, by its own name or its owner's: other rules judge these.
pub(crate) fn is_component(object: &Object<'_>, kind: &str, name: &str, data: &Data) -> bool {
    let namespace = &object.meta.namespace;
    let is = |kind: &str, name: &str| data.component(kind, namespace, name).is_some();
    is(kind, name)
        || object.owners().iter().any(|owner| match (&*owner.kind, owner.name.rsplit_once('-')) {
            // A Deployment's ReplicaSet is named after it and a hash.
            ("ReplicaSet", Some((deployment, _))) => is("Deployment", deployment),
            (kind, _) => is(kind, &owner.name),
        })
}

/// Whether a pod may have power over its node. Cheap: the tables are not needed.
fn may_have_power(pod: &Pod<'_>) -> bool {
    pod.has_host_paths()
        || pod.shares_the_host()
        || pod.is_privileged()
        || pod.all_containers().any(|container| container.capabilities().next().is_some())
}

fn is_microsofts(pod: &Pod<'_>, data: &Data) -> bool {
    pod.images().all(|image| data.provenance.is_microsofts(image))
}

/// The object that stands for a pod in a finding, and whether the pod has an owner.
struct PodPlace<'o> {
    kind: &'o str,
    name: String,
    /// The path of the pod's specification.
    base: &'static str,
    /// Whether the pod has no owner.
    bare: bool,
    containers: JudgedContainers,
    /// The owner that is judged instead of the pod, because its list is not read.
    owner: Option<ObjectRef>,
}

/// The containers of a pod that are judged with it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum JudgedContainers {
    All,
    /// Ephemeral containers alone: the others are judged with the pod's owner.
    Ephemeral,
}

impl<'o> PodPlace<'o> {
    /// The place of a pod; `None` for a pod judged elsewhere: static pods, and pods of a `DaemonSet` or another
    /// workload.
    fn of(object: &Object<'_>, kind: &'static Kind) -> Option<PodPlace<'o>> {
        let name = ObjectRef::of(object, kind).name;
        let owners = object.owners();
        let mut place = PodPlace {
            kind: kind.kind,
            name,
            base: base(kind),
            bare: owners.is_empty(),
            containers: JudgedContainers::All,
            owner: None,
        };
        if *kind != kinds::POD {
            let made = owners.iter().any(|owner| matches!(&*owner.kind, "CronJob" | "Deployment"));
            return (!made && &*object.meta.namespace != own::NAMESPACE).then_some(place);
        }
        if object.meta.annotations.get("kubernetes.io/config.mirror").is_some() {
            return None;
        }
        let controller = owners.iter().find(|owner| {
            matches!(
                &*owner.kind,
                "DaemonSet" | "Job" | "Node" | "ReplicaSet" | "ReplicationController" | "StatefulSet"
            )
        });
        let Some(owner) = controller else { return Some(place) };
        match &*owner.kind {
            "DaemonSet" | "Node" => return None,
            // A Deployment's ReplicaSet marks its pods. Any other ReplicaSet or ReplicationController is its maker's
            // own, and its list is not read.
            "ReplicaSet" | "ReplicationController" if object.meta.labels.get("pod-template-hash").is_none() => {
                let of =
                    if &*owner.kind == "ReplicaSet" { &kinds::REPLICA_SET } else { &kinds::REPLICATION_CONTROLLER };
                place.kind = of.kind;
                place.name = owner.name.to_string();
                place.base = base(of);
                place.owner = Some(ObjectRef {
                    api_version: of.api_version(),
                    kind: of.kind.to_owned(),
                    namespace: object.meta.namespace.to_string(),
                    name: owner.name.to_string(),
                    uid: owner.uid.to_string(),
                });
            }
            _ => place.containers = JudgedContainers::Ephemeral,
        }
        Some(place)
    }

    fn refers(&self, object: &Object<'_>, kind: &'static Kind) -> ObjectRef {
        self.owner.clone().unwrap_or_else(|| ObjectRef::of(object, kind))
    }
}

fn base(kind: &Kind) -> &'static str {
    match kind.kind {
        "Pod" => "spec",
        "CronJob" => "spec.jobTemplate.spec.template.spec",
        _ => "spec.template.spec",
    }
}

/// Whether a pod has power over its node: by the rights of its containers, or by paths of the host.
pub(crate) fn has_power(pod: &Pod<'_>, data: &Data) -> bool {
    may_have_power(pod) && !powers(pod, data, JudgedContainers::All).is_empty()
}

/// All fields that give a pod power over its node.
fn powers<'p>(pod: &'p Pod<'_>, data: &Data, judged: JudgedContainers) -> Vec<Power<'p>> {
    let mut powers = Vec::new();
    if pod.is_host_process() && judged == JudgedContainers::All {
        powers.push(Power { privilege: true, ..Power::new(Tier::Changes, HOST_PROCESS, "true", "is a host process") });
    }
    let init = pod.init_containers().enumerate().map(|(at, container)| ("initContainers", at, container));
    let main = pod.containers().enumerate().map(|(at, container)| ("containers", at, container));
    let ephemeral =
        pod.ephemeral_containers().enumerate().map(|(at, container)| ("ephemeralContainers", at, container));
    let own = init.chain(main).filter(|_| judged == JudgedContainers::All);
    for (list, at, container) in own.chain(ephemeral) {
        let initial = list == "initContainers" && !container.is_sidecar();
        let own = of_container(pod, list, at, container, data).into_iter();
        powers.extend(own.map(|power| Power { initial, container: Some((list, &container.name)), ..power }));
    }
    powers
}

fn of_container<'p>(pod: &Pod<'_>, list: &str, at: usize, container: &Container<'_>, data: &Data) -> Vec<Power<'p>> {
    let remove = |field: &str| Some(format!(r#"{{"op":"remove","path":"{{base}}/{list}/{at}/{field}"}}"#));
    let mut powers = Vec::new();
    if container.is_host_process() {
        powers.push(Power {
            privilege: true,
            undo: remove("securityContext/windowsOptions/hostProcess"),
            ..Power::new(Tier::Changes, HOST_PROCESS, "true", "is a host process")
        });
    } else if container.is_privileged() {
        powers.push(Power {
            privilege: true,
            undo: remove("securityContext/privileged"),
            ..Power::new(Tier::Changes, "securityContext.privileged", "true", "is privileged")
        });
    }
    let shared = |needs: HostNamespace| match needs {
        HostNamespace::Network => pod.host_network,
        HostNamespace::Pid => pod.host_pid,
    };
    let strong = container.capabilities().find(|own| {
        let mut rows = data.node_power.capabilities.iter();
        rows.any(|row| row.name == *own && row.needs.is_none_or(shared))
    });
    if let Some(capability) = strong {
        powers.push(Power {
            privilege: true,
            undo: remove("securityContext/capabilities/add"),
            ..Power::new(
                Tier::Changes,
                "securityContext.capabilities.add",
                capability,
                &format!("has the capability {capability}"),
            )
        });
    }
    for (mount_at, mount) in pod.host_mounts_of(container) {
        let socket = data.node_power.is_socket(mount.path);
        let root = is_root(mount.path);
        let (tier, what) = match (mount.writable, socket) {
            (_, true) => (Tier::Changes, format!("speaks to the container runtime ({})", mount.path)),
            (true, false) => (Tier::Changes, format!("writes to {} of the node", mount.path)),
            (false, false) => (Tier::Looks, format!("reads {} of the node", mount.path)),
        };
        let read_only =
            format!(r#"{{"op":"add","path":"{{base}}/{list}/{at}/volumeMounts/{mount_at}/readOnly","value":true}}"#);
        powers.push(Power {
            root,
            undo: (tier == Tier::Changes && !socket).then_some(read_only),
            ..Power::new(tier, format!("volumeMounts[{}]", mount.path), mount.path, &what)
        });
    }
    powers
}

impl Power<'_> {
    fn new(tier: Tier, field: impl Into<String>, value: &str, what: &str) -> Self {
        Power {
            tier,
            container: None,
            field: field.into(),
            value: value.to_owned(),
            what: what.to_owned(),
            undo: None,
            initial: false,
            privilege: false,
            root: false,
        }
    }

    /// The field path below the pod's specification.
    fn path(&self) -> String {
        let Power { container, field, .. } = self;
        container.map_or(field.clone(), |(list, name)| format!("{list}[{name}].{field}"))
    }
}

/// Whether a path is the root of a file system: `/`, `//`, `/.`, `C:\`.
fn is_root(path: &str) -> bool {
    let mut letters = path.chars();
    let drive = matches!((letters.next(), letters.next()), (Some('a'..='z' | 'A'..='Z'), Some(':')));
    let rest = if drive { path.split_at(2).1 } else { path };
    (drive || rest.starts_with(['/', '\\'])) && rest.split(['/', '\\']).all(|part| matches!(part, "" | "."))
}

/// The command that takes the power away. Objects that cannot be changed are deleted.
fn fix(place: &PodPlace<'_>, object: &Object<'_>, powers: &[Power<'_>], speaks: Speaker) -> Option<Command> {
    let (namespace, name) = (&object.meta.namespace, &place.name);
    let kind = place.kind.to_lowercase();
    if speaks == Speaker::Allowed || object.meta.name.is_empty() {
        return None;
    }
    if matches!(place.kind, "Job" | "Pod" | "ReplicaSet" | "ReplicationController") {
        return Some(Command::kubectl_in(namespace, ["delete", &kind]).one_of(name).caution("ends what runs in it"));
    }
    let strong: Vec<&Power<'_>> = powers.iter().filter(|power| power.tier == Tier::Changes).collect();
    let base = format!("/{}", place.base.replace('.', "/"));
    let operations: Option<Vec<String>> =
        strong.iter().map(|power| Some(power.undo.as_ref()?.replace("{base}", &base))).collect();
    let operations = operations.filter(|operations| !operations.is_empty())?;
    let patch = format!("--patch=[{}]", operations.join(","));
    Some(Command::kubectl_in(namespace, ["patch", &kind]).name(name).word("--type=json").word(&patch))
}

/// The field that makes a container or pod a process of its Windows host.
const HOST_PROCESS: &str = "securityContext.windowsOptions.hostProcess";

/// The most reasons shown for one pod.
const MAX_REASONS: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_the_root_is_the_root_and_no_other_path_is() {
        for root in ["/", "//", "/.", "/./", "C:\\", "c:/", "C:"] {
            assert!(is_root(root), "{root}");
        }
        for other in ["/home", "/..a", "", "rootfs", "/var/", "C:\\k", "relative/"] {
            assert!(!is_root(other), "{other}");
        }
    }
}
