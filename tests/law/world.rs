//! A small cluster in memory: objects as the API server would store them, so that a check of the state after a change
//! sees what a real one would.

use std::collections::BTreeMap;

use aksarc_shared::k8s::kinds::{self, Kind};
use serde_json::{Value, json};

use crate::law::fields;
use crate::law::objects::{Maker, made, object};

/// Kind, namespace, name.
pub(crate) type Key = (String, String, String);

/// The objects of a cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) objects: BTreeMap<Key, Value>,
}

/// When the cluster was made, when somebody changed it for the first time, and when again.
pub(crate) const BORN: &str = "2026-06-01T00:00:00Z";
pub(crate) const EARLIER: &str = "2026-06-01T12:00:00Z";
pub(crate) const CHANGED: &str = "2026-06-02T09:14:00Z";

/// The nodes of the healthy cluster: two members a pool, since a missing pool label shows only where a peer has one.
pub(crate) const NODES: [&str; 6] = ["moc-l1", "moc-l2", "moc-l3", "moc-l4", "moc-c1", "moc-c2"];

/// The namespaces of the healthy cluster.
pub(crate) const NAMESPACES: [&str; 7] =
    ["kube-system", "kube-public", "azure-arc", "azure-arc-release", "calico-system", "arc-workload-identity", "shop"];

impl World {
    /// A healthy AKS Arc cluster with objects of every sort that rules judge.
    pub(crate) fn healthy() -> Self {
        let mut world = World::default();
        let pools = ["edge-1a2b3c4d-linux", "edge-1a2b3c4d-linux", "edge-1a2b3c4d-gpu", "edge-1a2b3c4d-gpu"];
        for (name, pool) in NODES.iter().zip(pools.into_iter().map(Some).chain([None, None])) {
            world.insert(node(name, pool));
            world.insert(machine(name, pool));
        }
        for name in NAMESPACES {
            world.insert(namespace(name));
        }
        let platform = |kind: &'static Kind, namespace: &str, name: &str| {
            made(object(kind, namespace, name), kind, Maker::Platform, BORN)
        };
        for (kind, namespace, name) in [
            (&kinds::DEPLOYMENT, "kube-system", "coredns"),
            (&kinds::CONFIG_MAP, "kube-system", "coredns"),
            (&kinds::SERVICE_ACCOUNT, "kube-system", "coredns"),
            (&kinds::DAEMON_SET, "kube-system", "kube-proxy"),
            (&kinds::SERVICE, "kube-system", "kube-dns"),
            (&kinds::CLUSTER_ROLE, "", "system:coredns"),
            (&kinds::CLUSTER_ROLE_BINDING, "", "azure-arc-operator"),
            (&kinds::CSI_DRIVER, "", "disk.csi.akshci.com"),
            (&kinds::STORAGE_CLASS, "", "default"),
            (&kinds::PRIORITY_CLASS, "", "system-node-critical"),
            (&kinds::CUSTOM_RESOURCE_DEFINITION, "", "extensionconfigs.clusterconfig.azure.com"),
            (&kinds::CUSTOM_RESOURCE_DEFINITION, "", "machines.cluster.x-k8s.io"),
            (&kinds::FLOW_SCHEMA, "", "system-nodes"),
            (&kinds::PRIORITY_LEVEL, "", "node-high"),
            (&kinds::API_SERVICE, "", "v1.apps"),
            (&kinds::CALICO_INSTALLATION, "", "default"),
            (&kinds::CALICO_IP_POOL, "", "default-ipv4-ippool"),
            (&kinds::CALICO_FELIX_CONFIGURATION, "", "default"),
            (&kinds::CAPI_CLUSTER, "fleet", "edge"),
            (&kinds::MUTATING_WEBHOOKS, "", "azure-wi-webhook-mutating-webhook-configuration"),
            (&kinds::DEPLOYMENT, "arc-workload-identity", "azure-wi-webhook-controller-manager"),
        ] {
            world.insert(platform(kind, namespace, name));
        }
        let agents = ["clusteridentityoperator", "controller-manager", "metrics-agent", "cluster-metadata-operator"];
        let agents = agents.into_iter().chain(["resource-sync-agent", "extension-manager"]);
        for name in agents {
            let agent = object(&kinds::DEPLOYMENT, "azure-arc", name);
            world.insert(made(agent, &kinds::DEPLOYMENT, Maker::Release, BORN));
        }
        for (kind, name) in [
            (&kinds::DEPLOYMENT, "config-agent"),
            (&kinds::CONFIG_MAP, "azure-clusterconfig"),
            (&kinds::ARC_EXTENSION_CONFIG, "flux"),
        ] {
            world.insert(made(object(kind, "azure-arc", name), kind, Maker::Release, BORN));
        }
        for (kind, name) in [(&kinds::DEPLOYMENT, "web"), (&kinds::POD, "job-1"), (&kinds::DAEMON_SET, "exporter")] {
            world.insert(made(object(kind, "shop", name), kind, Maker::Person, BORN));
        }
        world
    }

    pub(crate) fn insert(&mut self, object: Value) -> Key {
        let key = key_of(&object);
        self.objects.insert(key.clone(), object);
        key
    }
}

/// Kind, namespace and name of an object.
pub(crate) fn key_of(object: &Value) -> Key {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    (text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
}

/// A node as kubelet, Cluster API and the node controllers write it; without a pool it is of the control plane.
fn node(name: &str, pool: Option<&str>) -> Value {
    let mut node = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name, "uid": format!("node-{name}"), "creationTimestamp": BORN,
            "labels": {
                "kubernetes.io/hostname": name, "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux",
                "node.kubernetes.io/instance-type": "Standard_A4_v2",
            },
            "annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
        },
        "spec": {},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {"kubeletVersion": "v1.33.5", "osImage": "Azure Linux 3.0", "architecture": "amd64",
                         "operatingSystem": "linux", "containerRuntimeVersion": "containerd://2.0.0",
                         "systemUUID": format!("4c4c4544-0000-4000-8000-0000{:0>8}", hex(name))},
        },
    });
    fields::create(&mut node, "kubelet", BORN);
    let mut by = |manager: &str, edit: &dyn Fn(&mut Value)| {
        let before = node.clone();
        edit(&mut node);
        fields::update(&before, &mut node, manager, "", BORN);
    };
    by("moc-cloud-controller-manager", &|node| {
        let pool = pool.map_or("edge-1a2b3c4d-control-plane-".to_owned(), |pool| format!("{pool}-md-x7k2p-"));
        node["spec"]["providerID"] = json!(format!("moc://{pool}{name}"));
    });
    by("kube-controller-manager", &|node| {
        node["spec"]["podCIDR"] = json!(format!("10.244.{}.0/24", name.len()));
        node["spec"]["podCIDRs"] = json!([format!("10.244.{}.0/24", name.len())]);
        node["metadata"]["annotations"]["node.alpha.kubernetes.io/ttl"] = json!("0");
    });
    by("capi-machine", &|node| {
        let own = &mut node["metadata"];
        own["annotations"]["cluster.x-k8s.io/machine"] = json!(format!("m-{name}"));
        own["annotations"]["cluster.x-k8s.io/labels-from-machine"] = json!("shop.example/zone");
        own["labels"]["shop.example/zone"] = json!("a");
        if let Some(pool) = pool {
            own["labels"]["msft.microsoft/nodepool-name"] = json!(pool);
        } else {
            own["annotations"]["cluster.x-k8s.io/taints-from-machine"] =
                json!("node-role.kubernetes.io/control-plane:NoSchedule");
        }
    });
    by("calico-node", &|node| node["metadata"]["annotations"]["vendor.example/tunnel"] = json!("10.244.0.1"));
    if pool.is_none() {
        by("kubeadm", &|node| {
            node["metadata"]["labels"]["node-role.kubernetes.io/control-plane"] = json!("");
            node["spec"]["taints"] = json!([{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]);
        });
    }
    node
}

/// The Cluster API machine of a node.
fn machine(node: &str, pool: Option<&str>) -> Value {
    let prefix = pool.map_or("edge-1a2b3c4d-control-plane-".to_owned(), |pool| format!("{pool}-md-x7k2p-"));
    let mut machine = object(&kinds::MACHINE, "fleet", &format!("{prefix}{node}"));
    machine["spec"]["providerID"] = json!(format!("moc://{prefix}{node}"));
    machine["status"] = json!({"phase": "Running", "nodeRef": {"name": node}});
    if pool.is_none() {
        machine["metadata"]["labels"]["cluster.x-k8s.io/control-plane"] = json!("");
    }
    made(machine, &kinds::MACHINE, Maker::Platform, BORN)
}

fn namespace(name: &str) -> Value {
    let mut namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {
            "name": name, "uid": format!("ns-{name}"), "creationTimestamp": BORN,
            "labels": {"kubernetes.io/metadata.name": name, "control-plane": "true", "vendor.example/tier": "0"},
            "finalizers": ["example.com/guarded"],
        },
        "spec": {"finalizers": ["kubernetes"]},
    });
    fields::create(&mut namespace, "kube-apiserver", BORN);
    namespace
}

fn hex(text: &str) -> String {
    text.bytes().skip(4).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}
