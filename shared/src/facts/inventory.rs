//! A cluster at one moment, reduced to the facts that rules compare across objects. Objects themselves are not kept, so
//! memory does not grow with pods.

mod life;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::data::{Data, Place, own};
use crate::facts::azure_resource::AzureResource;
use crate::facts::notes::{Dependence, NotesByType, Remark, Undecided};
use crate::facts::origin;
use crate::facts::probe::{Probe, ProbeState};
use crate::finding::Code;
use crate::k8s::kinds::{self, Kind};
use crate::k8s::node::NodeInfo;
use crate::k8s::object::{MAX_NAME, Object};
use crate::k8s::text::Text;
use crate::k8s::version::Version;
use crate::text;

pub use life::{SignsOfLife, Started};

/// One list: a kind, in a namespace or the whole cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadKey {
    /// The kind.
    pub kind: &'static Kind,
    /// The namespace; `None` for the whole cluster.
    pub namespace: Option<String>,
}

impl std::fmt::Display for ReadKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} in {namespace}", self.kind.qualified()),
            None => f.write_str(&self.kind.qualified()),
        }
    }
}

/// The result of reading a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadState {
    /// Read to its end.
    Complete {
        /// The number of its objects.
        objects: usize,
    },
    /// Read to its end, but some of its objects could not be judged. Findings from the others count; absences do not.
    Partly(Unjudged),
    /// Not read to its end. Findings from it count; absences do not.
    Failed(String),
    /// The caller lacks the right to read it.
    Forbidden,
    /// The snapshot does not hold it.
    NotRecorded,
    /// The server has no such kind, at any version.
    NotServed,
}

impl ReadState {
    /// The reason why nothing can be concluded from this list, if so.
    pub fn gap(&self, key: &ReadKey) -> Option<String> {
        match self {
            ReadState::Complete { .. } => None,
            ReadState::Partly(unjudged) => Some(unjudged.gap(key)),
            // A kind that is not part of Kubernetes and is not served has no objects.
            ReadState::NotServed if !key.kind.builtin => None,
            ReadState::NotServed => Some(format!("the server does not serve {key}")),
            ReadState::Failed(why) => Some(format!("could not read {key}: {why}")),
            ReadState::Forbidden => Some(format!("needs list {key}, which is forbidden")),
            ReadState::NotRecorded => {
                Some(format!("the snapshot does not hold {key}: take a new one with this version"))
            }
        }
    }
}

/// The objects of a list that could not be judged. Nothing follows from parts that seem to be missing in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unjudged {
    count: usize,
    first: String,
    /// Their namespaces; empty for cluster-scoped objects.
    namespaces: BTreeSet<String>,
}

impl Unjudged {
    /// One such object, with the reason.
    pub(crate) fn one(object: &Object<'_>, why: &str) -> Self {
        let meta = &object.meta;
        let name =
            if meta.namespace.is_empty() { meta.name.to_string() } else { format!("{}/{}", meta.namespace, meta.name) };
        Unjudged {
            count: 1,
            first: text::line(&format!("{name}: {why}"), MAX_REASON),
            namespaces: BTreeSet::from([meta.namespace.to_string()]),
        }
    }

    pub(crate) fn and(mut self, other: Unjudged) -> Self {
        self.count += other.count;
        self.namespaces.extend(other.namespaces);
        self
    }

    /// Their namespaces; empty for cluster-scoped objects.
    pub(crate) fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.namespaces.iter().map(String::as_str)
    }

    /// The reason why nothing can be concluded from the list, for people.
    pub fn gap(&self, key: &ReadKey) -> String {
        let more = match self.count - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        format!("could not judge {key}: {}{more}", self.first)
    }
}

/// A cluster at one moment.
#[derive(Debug, Default)]
pub struct Inventory {
    /// The version from `/version`, as printed.
    pub server_version: Option<String>,
    /// The nodes.
    pub nodes: Vec<NodeFact>,
    /// Cluster API machines, where served.
    pub machines: Vec<MachineFact>,
    /// The creation of the oldest system namespace, RFC 3339: the cluster's birth.
    pub birth: Option<String>,
    /// `status.arcAgentVersion` of the Arc agents' report on their cluster.
    pub arc_agent_version: Option<String>,
    /// The cluster's resource in Azure, where an object of the Arc agents names it.
    pub azure_resource: Option<AzureResource>,
    /// The uid of the namespace kube-system; empty where it was not read.
    pub cluster: String,
    /// The names of the existing namespaces, among those that the data knows and the guard's.
    pub namespaces: Vec<String>,
    /// Values of system labels that no person owns, by pool and key.
    pub pool_labels: BTreeMap<String, BTreeMap<String, BTreeMap<String, usize>>>,
    /// Those of [`Inventory::pool_labels`] that a system manager owns.
    pub firm_labels: BTreeMap<String, BTreeMap<String, BTreeMap<String, usize>>>,
    /// The labels and annotations that the system put on some node of a pool, by pool.
    pub system_keys: BTreeMap<String, BTreeSet<(Place, String)>>,
    /// The result of each list.
    pub reads: BTreeMap<ReadKey, ReadState>,
    /// The manifests that could not be judged, by kind. Those of a list are in its [`ReadState`].
    pub unjudged: BTreeMap<ReadKey, Unjudged>,
    /// The result of each probe.
    pub probes: BTreeMap<Probe, ProbeState>,
    /// Signs of life, which show when the cluster ran.
    pub life: SignsOfLife,
    /// Remarks and undecided drafts of the rules, by the rules' codes.
    pub(crate) kept: BTreeMap<Code, NotesByType>,
}

impl Inventory {
    /// Records that a manifest is not judged.
    pub(crate) fn leave(&mut self, key: ReadKey, unjudged: Unjudged) {
        let all = match self.unjudged.remove(&key) {
            Some(others) => others.and(unjudged),
            None => unjudged,
        };
        self.unjudged.insert(key, all);
    }

    /// The API server's version.
    pub fn server(&self) -> Option<Version> {
        Version::parse(self.server_version.as_deref()?)
    }

    /// The drafts of a rule that depend on values of type `D`.
    pub(crate) fn undecided<D: Dependence>(&self, code: Code) -> &[Undecided<D>] {
        self.kept.get(&code).map_or(&[], NotesByType::undecided)
    }

    /// The remarks of type `R` that a rule left, sorted.
    pub(crate) fn remarks<R: Remark>(&self, code: Code) -> impl Iterator<Item = &R> {
        self.kept.get(&code).into_iter().flat_map(NotesByType::remarks)
    }

    /// The API server's answer to a probe.
    ///
    /// # Errors
    /// The reason why there is no answer, for people.
    pub fn probe(&self, probe: Probe) -> Result<&str, String> {
        self.probes.get(&probe).unwrap_or(&ProbeState::NotRecorded).text(probe)
    }

    /// The value of a system label that all clean members of a pool share; `None` when they differ or there is none. If
    /// a system manager owns the label on some of them, only those count.
    pub fn pool_value(&self, pool: &str, key: &str) -> Option<&str> {
        let values = self.firm_labels.get(pool).and_then(|keys| keys.get(key));
        let values = values.or_else(|| self.pool_labels.get(pool)?.get(key))?;
        let mut values = values.keys();
        values.next().filter(|_| values.next().is_none()).map(String::as_str)
    }

    /// The value of a label that a system manager wrote on the members of a pool; `None` when they differ or there is
    /// none.
    pub fn firm_value(&self, pool: &str, key: &str) -> Option<&str> {
        self.firm_labels.get(pool)?.get(key)?;
        self.pool_value(pool, key)
    }

    /// Whether the system put `key` at `place` of some node of a pool. A key that a person wrote on another node does
    /// not count.
    pub fn has_system_key(&self, pool: &str, place: Place, key: &str) -> bool {
        self.system_keys.get(pool).is_some_and(|keys| keys.contains(&(place, key.to_owned())))
    }

    /// Whether the nodes were read, all or in part, so that their number says something.
    pub fn has_nodes(&self) -> bool {
        matches!(self.read(&kinds::NODE), Some(ReadState::Complete { .. } | ReadState::Partly(_)))
    }

    /// The result of the list of `kind` over the whole cluster.
    pub fn read(&self, kind: &'static Kind) -> Option<&ReadState> {
        self.reads.get(&ReadKey { kind, namespace: None })
    }
}

/// A node, reduced.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact that the API reports as such")]
pub struct NodeFact {
    /// Name.
    pub name: String,
    /// Uid.
    pub uid: String,
    /// The pool it is a member of: see [`pool_of_node`].
    pub pool: String,
    /// `msft.microsoft/nodepool-name`, if set.
    pub pool_label: Option<String>,
    /// `spec.providerID`, if set.
    pub provider_id: Option<String>,
    /// `status.nodeInfo.kubeletVersion`, as printed.
    pub kubelet: String,
    /// `status.nodeInfo.osImage`.
    pub os_image: String,
    /// Whether Cluster API annotated it as one of its machines.
    pub machine: bool,
    /// Whether it is a virtual kubelet.
    pub virtual_kubelet: bool,
    /// Whether it is a control-plane node, by label or by taint.
    pub control_plane: bool,
    /// `metadata.creationTimestamp`, RFC 3339.
    pub created: Option<String>,
    /// `status.nodeInfo.kubeProxyVersion`; empty from Kubernetes 1.33 on.
    pub kube_proxy: String,
    /// `status.nodeInfo.containerRuntimeVersion`, `containerd://2.0.0`.
    pub runtime: String,
    /// `status.nodeInfo.kernelVersion`.
    pub kernel: String,
    /// `status.nodeInfo.operatingSystem`, `linux` or `windows`.
    pub os: String,
    /// `status.nodeInfo.systemUUID`.
    pub system_uuid: String,
    /// `status.capacity` of `cpu`, `memory`, `ephemeral-storage`, as printed; empty where not reported.
    pub capacity: [String; 3],
    /// The label `node.kubernetes.io/instance-type`.
    pub instance_type: Option<String>,
    /// The status of the condition `Ready`: `Some(true)`, `Some(false)`; `None` when unknown or not reported.
    pub ready: Option<bool>,
    /// Whether it is cordoned.
    pub unschedulable: bool,
    /// Taints, as `key=value:effect`.
    pub taints: Vec<String>,
    /// The product it belongs to, where that is not AKS Arc.
    pub other_product: Option<String>,
}

/// A Cluster API machine, reduced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineFact {
    /// Namespace and name.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Uid.
    pub uid: String,
    /// `cluster.x-k8s.io/cluster-name`.
    pub cluster: String,
    /// The pool its node is a member of, named as [`NodeFact::pool`]; `None` where nothing tells it.
    pub pool: Option<String>,
    /// `status.nodeRef.name`.
    pub node: Option<String>,
    /// `status.phase`.
    pub phase: String,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// The label that names a node's pool (AKS Arc documentation, cluster-labels).
pub const POOL_LABEL: &str = "msft.microsoft/nodepool-name";

/// The label that kubeadm puts on control-plane nodes.
pub const CONTROL_PLANE_LABEL: &str = "node-role.kubernetes.io/control-plane";

/// The pool in a providerID, `moc://<pool>-md-<hash>-<hash>`. The shape was seen once, so it never accuses alone.
pub fn provider_pool<'p>(provider_id: &'p str, data: &Data) -> Option<&'p str> {
    let vm = provider_id.strip_prefix(&*data.products.provider_id_prefix)?;
    vm.rfind("-md-").map(|end| vm.split_at(end).0)
}

/// The signs by which the pool of a node is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PoolSigns<'n> {
    /// `spec.providerID`.
    pub(crate) provider_id: Option<&'n str>,
    /// The annotation `cluster.x-k8s.io/owner-kind`: the kind of object that made the machine.
    pub(crate) owner_kind: Option<&'n str>,
    /// The annotation `cluster.x-k8s.io/owner-name`.
    pub(crate) owner_name: Option<&'n str>,
    /// The annotation `cluster.x-k8s.io/machine`.
    pub(crate) machine: Option<&'n str>,
    /// Whether it has the control plane's label.
    pub(crate) control_plane: bool,
    /// [`POOL_LABEL`].
    pub(crate) label: Option<&'n str>,
}

/// The pool of a node, or `control-plane`. It comes from the VM's name, which nobody edits, else from Cluster API's
/// notes on the machine, else from the label. `None` where there is none of these.
pub(crate) fn pool_of<'n>(signs: PoolSigns<'n>, data: &Data) -> Option<&'n str> {
    // Labels can be edited, so the machine comes first: a machine of a pool is no control plane, whatever the label
    // says.
    let vm = || signs.provider_id.and_then(|id| id.strip_prefix(&*data.products.provider_id_prefix));
    let of_control_plane = || {
        let by_vm = vm().is_some_and(|vm| vm.contains("-control-plane-"));
        (by_vm || signs.owner_kind == Some("KubeadmControlPlane")).then_some("control-plane")
    };
    (signs.provider_id.and_then(|id| provider_pool(id, data)))
        .or_else(of_control_plane)
        .or_else(|| signs.owner_name.and_then(deployment_pool))
        .or_else(|| signs.machine.and_then(deployment_pool))
        .or_else(|| vm().and_then(short_pool))
        .or_else(|| signs.control_plane.then_some("control-plane"))
        .or(signs.label)
}

/// The pool in the name of an object that Cluster API makes for it, `<pool>-md`, `<pool>-md-<hash>` or
/// `<pool>-md-<hash>-<5>` (AKS-Arc/deploy-gpu-node-pool-22h2.md, MicrosoftDocs/azure-stack-docs, 2025-04-02).
fn deployment_pool(name: &str) -> Option<&str> {
    let pool = name.strip_suffix("-md").or_else(|| name.rfind("-md-").map(|end| name.split_at(end).0));
    pool.filter(|pool| !pool.is_empty())
}

/// The pool in the name of a virtual machine of Windows Server and 22H2, `<pool>-<hash>-<5>` (the same page).
///
/// Other names can end alike, and two pools must not be taken for one. So both suffixes have to look as Kubernetes
/// generates them, without vowels, and the hash has to contain a digit.
fn short_pool(vm: &str) -> Option<&str> {
    let (rest, last) = vm.rsplit_once('-')?;
    let (pool, hash) = rest.rsplit_once('-')?;
    let random = |text: &str| text.bytes().all(|byte| MADE.contains(&byte));
    let hashed = (6..=10).contains(&hash.len()) && hash.bytes().any(|byte| byte.is_ascii_digit());
    (last.len() == 5 && random(last) && random(hash) && hashed && !pool.is_empty()).then_some(pool)
}

/// The letters and digits in names that Kubernetes generates (apimachinery, `util/rand`).
const MADE: &[u8] = b"bcdfghjklmnpqrstvwxz0123456789";

/// The placeholder for the pool of a node without any sign of it. Two such nodes may belong to two pools, so each has
/// its own; no pool can have such a name.
fn untold_pool(node: &str) -> String {
    format!("(that of {node})")
}

/// Whether a pool is the placeholder of a node without any sign of its pool.
pub(crate) fn is_untold(pool: &str) -> bool {
    pool.starts_with('(')
}

/// The pool of a node object, or its placeholder, see [`is_untold`].
pub fn pool_of_node(node: &Object<'_>, data: &Data) -> String {
    let (labels, annotations) = (&node.meta.labels, &node.meta.annotations);
    let signs = PoolSigns {
        provider_id: node.provider_id(),
        owner_kind: annotations.get("cluster.x-k8s.io/owner-kind"),
        owner_name: annotations.get("cluster.x-k8s.io/owner-name"),
        machine: annotations.get("cluster.x-k8s.io/machine"),
        control_plane: labels.get(CONTROL_PLANE_LABEL).is_some(),
        label: labels.get(POOL_LABEL),
    };
    // The name stands in every finding on the pool.
    let cut = |pool: &str| Text::from(pool).cut(MAX_NAME).to_string();
    pool_of(signs, data).map_or_else(|| untold_pool(&node.meta.name), cut)
}

impl NodeFact {
    /// Reduces a node to its facts.
    pub fn of(node: &Object<'_>, data: &Data) -> Self {
        let (labels, annotations) = (&node.meta.labels, &node.meta.annotations);
        let provider = node.provider_id();
        let status = node.node_status();
        let info = status.node_info.as_ref();
        let info = |pick: for<'i> fn(&'i NodeInfo<'_>) -> &'i str| info.map(pick).unwrap_or_default().to_owned();
        let capacity = status.capacity.clone().unwrap_or_default();
        let ready = status.conditions.iter().flatten().find(|condition| &*condition.name == "Ready");
        let taints = node.taints();
        let product = data.products.products.iter().find(|product| {
            product.annotation.as_deref().is_some_and(|key| annotations.get(key).is_some())
                || product.label.as_deref().is_some_and(|key| labels.get(key).is_some())
                || product.provider_id_prefix.as_deref().zip(provider).is_some_and(|(p, id)| id.starts_with(p))
        });
        NodeFact {
            name: node.meta.name.to_string(),
            uid: node.meta.uid.to_string(),
            pool: pool_of_node(node, data),
            pool_label: labels.get(POOL_LABEL).map(str::to_owned),
            kubelet: info(|info| &info.kubelet_version),
            os_image: info(|info| &info.os_image),
            machine: annotations.get("cluster.x-k8s.io/machine").is_some(),
            virtual_kubelet: labels.get("type") == Some("virtual-kubelet"),
            control_plane: labels.get(CONTROL_PLANE_LABEL).is_some()
                || taints.iter().any(|taint| &*taint.key == CONTROL_PLANE_LABEL),
            created: node.meta.creation_timestamp.as_ref().map(ToString::to_string),
            kube_proxy: info(|info| &info.kube_proxy_version),
            runtime: info(|info| &info.container_runtime_version),
            kernel: info(|info| &info.kernel_version),
            os: info(|info| &info.operating_system),
            system_uuid: info(|info| &info.system_uuid),
            capacity: [capacity.cpu, capacity.memory, capacity.ephemeral_storage].map(|text| text.to_string()),
            instance_type: labels.get("node.kubernetes.io/instance-type").map(str::to_owned),
            ready: ready.and_then(|condition| match &*condition.status {
                "True" => Some(true),
                "False" => Some(false),
                _ => None,
            }),
            unschedulable: node.node_spec().unschedulable.unwrap_or_default(),
            taints: taints.iter().map(|taint| format!("{}={}:{}", taint.key, taint.value, taint.effect)).collect(),
            other_product: product.map(|product| product.product.clone()),
            provider_id: provider.map(str::to_owned),
        }
    }

    /// Whether its providerID is that of a VM-based AKS Arc node.
    pub fn is_moc(&self, data: &Data) -> bool {
        self.provider_id.as_deref().is_some_and(|id| id.starts_with(&*data.products.provider_id_prefix))
    }
}

impl MachineFact {
    /// Reduces a machine to its facts.
    pub fn of(machine: &Object<'_>, data: &Data) -> Self {
        let status: serde_json::Value = machine.field("status").unwrap_or_default();
        let text = |path: &str| status.pointer(path).and_then(|value| value.as_str()).map(str::to_owned);
        MachineFact {
            namespace: machine.meta.namespace.to_string(),
            name: machine.meta.name.to_string(),
            uid: machine.meta.uid.to_string(),
            cluster: machine.meta.labels.get("cluster.x-k8s.io/cluster-name").unwrap_or_default().to_owned(),
            pool: machine_pool(machine, data),
            node: text("/nodeRef/name"),
            phase: text("/phase").unwrap_or_default(),
            deleting: machine.meta.deletion_timestamp.is_some(),
        }
    }
}

/// The pool of a machine: by its virtual machine, by its own name, which is the same, or by its deployment.
fn machine_pool(machine: &Object<'_>, data: &Data) -> Option<String> {
    let labels = &machine.meta.labels;
    if labels.get("cluster.x-k8s.io/control-plane").is_some() {
        return Some("control-plane".to_owned());
    }
    let by_name = format!("{}{}", data.products.provider_id_prefix, machine.meta.name);
    let of_deployment = labels.get("cluster.x-k8s.io/deployment-name").and_then(|name| name.strip_suffix("-md"));
    let by_vm = machine.provider_id().and_then(|id| provider_pool(id, data).map(str::to_owned));
    by_vm.or_else(|| provider_pool(&by_name, data).or(of_deployment).map(str::to_owned))
}

/// The part of a ConnectedCluster's status that tells the version of the agents.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AgentVersion {
    arc_agent_version: Option<String>,
}

/// The facts that one list adds to the inventory.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    nodes: Vec<NodeFact>,
    machines: Vec<MachineFact>,
    namespaces: Vec<(String, Option<String>)>,
    arc_agent_version: Option<String>,
    azure_resource: Option<AzureResource>,
    cluster: Option<String>,
    pool_labels: Vec<(String, String, String, bool)>,
    system_keys: BTreeMap<String, BTreeSet<(Place, String)>>,
    life: SignsOfLife,
}

impl Facts {
    pub(crate) fn add(&mut self, object: &Object<'_>, kind: &'static Kind, data: &Data) {
        if *kind == kinds::POD {
            self.life.add_pod(object);
        } else if *kind == kinds::NODE {
            let mut conditions = object.node_status().conditions.iter().flatten();
            let ready = conditions.find(|condition| &*condition.name == "Ready" && &*condition.status == "True");
            self.life.add_node(object, ready.and_then(|condition| condition.last_transition_time.as_ref()));
        } else {
            self.life.add(object);
        }
        self.know(AzureResource::of(object, kind, data));
        if *kind == kinds::NODE {
            let fact = NodeFact::of(object, data);
            let person = object.managed().iter().any(|entry| data.managers.person(&entry.manager).is_some());
            let keys = origin::Keys::of(object, Place::Label, data);
            for (key, value) in object.meta.labels.iter().filter(|(key, _)| is_compared(key)) {
                let clean = !person || keys.by_person(key).is_none();
                if clean && keys.is_listed(key) {
                    let firm = keys.system(key).is_some();
                    self.pool_labels.push((fact.pool.clone(), key.to_owned(), value.to_owned(), firm));
                }
            }
            let system = self.system_keys.entry(fact.pool.clone()).or_default();
            let annotations = origin::Keys::of(object, Place::Annotation, data);
            for (keys, pairs) in [(&keys, &object.meta.labels), (&annotations, &object.meta.annotations)] {
                let put = pairs.iter().map(|(key, _)| key).filter(|key| keys.is_put_by_system(key));
                system.extend(put.take(MAX_SYSTEM_KEYS).map(|key| (keys.place(), key.to_owned())));
            }
            self.nodes.push(fact);
        } else if *kind == kinds::MACHINE {
            self.machines.push(MachineFact::of(object, data));
        } else if *kind == kinds::CONNECTED_CLUSTER && data.namespaces.is_arc(&object.meta.namespace) {
            let told = object.field::<AgentVersion>("status").and_then(|status| status.arc_agent_version);
            self.arc_agent_version =
                told.map(|version| text::line(&version, MAX_NAME)).or(self.arc_agent_version.take());
        } else if *kind == kinds::NAMESPACE
            && (data.namespaces.protected(&object.meta.name).is_some() || object.meta.name.as_str() == own::NAMESPACE)
        {
            // The guard's own namespace is not the system's: its age says nothing about the cluster's.
            let own = object.meta.name.as_str() == own::NAMESPACE;
            let created = object.meta.creation_timestamp.as_ref().filter(|_| !own).map(ToString::to_string);
            self.namespaces.push((object.meta.name.to_string(), created));
            if object.meta.name.as_str() == KUBE_SYSTEM {
                self.cluster = Some(object.meta.uid.to_string());
            }
        }
    }

    /// Of the objects that name the cluster's resource in Azure the surest counts.
    fn know(&mut self, resource: Option<AzureResource>) {
        self.azure_resource = self.azure_resource.take().into_iter().chain(resource).min();
    }

    pub(crate) fn merge(&mut self, other: Facts) {
        self.know(other.azure_resource);
        self.nodes.extend(other.nodes);
        self.machines.extend(other.machines);
        self.namespaces.extend(other.namespaces);
        self.arc_agent_version = self.arc_agent_version.take().or(other.arc_agent_version);
        self.cluster = other.cluster.or(self.cluster.take());
        self.pool_labels.extend(other.pool_labels);
        for (pool, keys) in other.system_keys {
            self.system_keys.entry(pool).or_default().extend(keys);
        }
        self.life.merge(other.life);
    }

    pub(crate) fn into_inventory(self, inventory: &mut Inventory) {
        inventory.nodes.extend(self.nodes);
        inventory.machines.extend(self.machines);
        for (pool, keys) in self.system_keys {
            inventory.system_keys.entry(pool).or_default().extend(keys);
        }
        inventory.life.merge(self.life);
        inventory.arc_agent_version = inventory.arc_agent_version.take().or(self.arc_agent_version);
        inventory.azure_resource = inventory.azure_resource.take().into_iter().chain(self.azure_resource).min();
        if let Some(uid) = self.cluster {
            inventory.cluster = uid;
        }
        for (name, created) in self.namespaces {
            inventory.namespaces.push(name);
            // RFC 3339 times in UTC sort as text.
            if let Some(created) = created
                && inventory.birth.as_ref().is_none_or(|birth| created < *birth)
            {
                inventory.birth = Some(created);
            }
        }
        for (pool, key, value, firm) in self.pool_labels {
            let all = [Some(&mut inventory.pool_labels), firm.then_some(&mut inventory.firm_labels)];
            for labels in all.into_iter().flatten() {
                let values = labels.entry(pool.clone()).or_default().entry(key.clone()).or_default();
                if values.len() < MAX_VALUES || values.contains_key(&value) {
                    *values.entry(value.clone()).or_default() += 1;
                }
            }
        }
    }
}

/// Whether a label is compared between nodes. Labels whose value differs on every node are left out.
fn is_compared(key: &str) -> bool {
    key != "kubernetes.io/hostname"
}

/// The namespace that every cluster has from its beginning on, and that cannot be deleted.
const KUBE_SYSTEM: &str = "kube-system";

/// The most system keys that are kept per pool. A node of AKS Arc has some thirty.
const MAX_SYSTEM_KEYS: usize = 256;

/// The longest reason that is kept, a line of a report.
const MAX_REASON: usize = 200;

/// The most values that are kept per label. Two already show that the pool disagrees; a few more help the reader.
const MAX_VALUES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::embedded;

    fn pool(signs: PoolSigns<'_>) -> Option<&str> {
        pool_of(signs, embedded())
    }

    #[test]
    fn a_pool_is_read_from_every_published_shape() {
        let vm = |id| PoolSigns { provider_id: Some(id), ..PoolSigns::default() };
        assert_eq!(pool(vm("moc://edge-1a2b3c4d-pool1-md-x7k2p-9q8zt")), Some("edge-1a2b3c4d-pool1"));
        assert_eq!(pool(vm("moc://linuxpool-97d9f5667-49lt4")), Some("linuxpool"));
        assert_eq!(pool(vm("moc://edge-1a2b3c4d-control-plane-9q8zt")), Some("control-plane"));
        let owner = |name| PoolSigns { owner_kind: Some("MachineSet"), owner_name: Some(name), ..PoolSigns::default() };
        assert_eq!(pool(owner("linuxpool-md-58d9b96dd9")), Some("linuxpool"));
        assert_eq!(pool(owner("edge-1a2b3c4d-pool1-md")), Some("edge-1a2b3c4d-pool1"));
        let machine = PoolSigns { machine: Some("gpupool-md-58d9b96dd9-vsdbl"), ..PoolSigns::default() };
        assert_eq!(pool(machine), Some("gpupool"));
        let kubeadm = PoolSigns { owner_kind: Some("KubeadmControlPlane"), owner_name: Some("edge-md-7"), ..machine };
        assert_eq!(pool(kubeadm), Some("control-plane"));
    }

    #[test]
    fn names_that_only_resemble_a_shape_name_no_pool() {
        for id in [
            "moc://edge-kiosk-spare7",
            "moc://plant-line-a1b2c",
            "moc://edge-1a2b3c4d-0",
            "moc://vm",
            "k3s://a-97d9f5667-49lt4",
        ] {
            assert_eq!(pool(PoolSigns { provider_id: Some(id), ..PoolSigns::default() }), None, "{id}");
        }
    }

    #[test]
    fn a_label_moves_no_node_whose_machine_tells_its_pool() {
        let labelled = PoolSigns {
            owner_name: Some("linuxpool-md-58d9b96dd9"),
            control_plane: true,
            label: Some("other"),
            ..PoolSigns::default()
        };
        assert_eq!(pool(labelled), Some("linuxpool"));
    }

    #[test]
    fn two_nodes_whose_pool_nothing_tells_are_never_taken_for_peers() {
        let named = |name: &str| {
            let json = format!(r#"{{"metadata":{{"name":"{name}"}},"spec":{{"providerID":"moc://vm"}}}}"#);
            pool_of_node(&serde_json::from_str(&json).unwrap(), embedded())
        };
        assert_ne!(named("moc-l1"), named("moc-l2"));
        assert!(is_untold(&named("moc-l1")));
    }
}
