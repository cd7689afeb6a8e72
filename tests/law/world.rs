//! A small cluster in memory: objects as the API server would store them, with the ownership of fields kept as it would
//! keep it, so that a check of the state after a change sees what a real one would.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Kind, namespace, name.
pub(crate) type Key = (String, String, String);

/// The objects of a cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) objects: BTreeMap<Key, Value>,
}

/// When the cluster was made, and when somebody changed it.
pub(crate) const BORN: &str = "2026-06-01T00:00:00Z";
pub(crate) const CHANGED: &str = "2026-06-02T09:14:00Z";

impl World {
    /// A healthy AKS Arc cluster with a little of everything that rules look at.
    pub(crate) fn healthy() -> Self {
        let mut world = World::default();
        // Two members a pool: a missing pool label shows only where a peer has one.
        let pools = ["edge-1a2b3c4d-linux", "edge-1a2b3c4d-linux", "edge-1a2b3c4d-gpu", "edge-1a2b3c4d-gpu"];
        for (index, pool) in (1..).zip(pools) {
            world.insert(node(index, pool));
        }
        for name in ["kube-system", "azure-arc", "shop"] {
            world.insert(namespace(name));
        }
        let template = json!({"metadata": {"labels": {"k8s-app": "kube-dns"}}, "spec": {"containers": [
            {"name": "coredns", "image": "ecpacr.azurecr.io/coredns:1", "args": ["-conf", "/etc/Corefile"]}]}});
        world.insert(system("apps/v1", "Deployment", "coredns", "spec", json!({"replicas": 2, "template": template})));
        let proxy =
            json!({"template": {"spec": {"containers": [{"name": "kube-proxy", "image": "ecpacr.azurecr.io/kp:1"}]}}});
        world.insert(system("apps/v1", "DaemonSet", "kube-proxy", "spec", proxy));
        world.insert(system("v1", "ConfigMap", "coredns", "data", json!({"Corefile": ".:53 {}"})));
        world.insert(system(
            "v1",
            "Service",
            "kube-dns",
            "spec",
            json!({"clusterIP": "10.96.0.10", "ports": [{"name": "dns", "port": 53}]}),
        ));
        world.insert(system("v1", "ServiceAccount", "coredns", "secrets", json!([])));
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

fn node(index: usize, pool: &str) -> Value {
    let name = format!("moc-l{index}");
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name, "uid": format!("node-{index}"), "creationTimestamp": BORN,
            "labels": {
                "kubernetes.io/hostname": name, "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux",
                "node.kubernetes.io/instance-type": "Standard_A4_v2", "msft.microsoft/nodepool-name": pool,
                "shop.example/zone": "a",
            },
            "annotations": {
                "cluster.x-k8s.io/machine": format!("m-{index}"),
                "cluster.x-k8s.io/labels-from-machine": "shop.example/zone",
                "node.alpha.kubernetes.io/ttl": "0",
            },
            "managedFields": [
                entry("kubelet", BORN, "", &[
                    "metadata.labels.kubernetes.io/hostname", "metadata.labels.kubernetes.io/arch",
                    "metadata.labels.kubernetes.io/os", "metadata.labels.node.kubernetes.io/instance-type",
                    "spec.providerID"]),
                entry("capi-machine", BORN, "", &["metadata.labels.msft.microsoft/nodepool-name", "metadata.labels.shop.example/zone"]),
            ],
        },
        "spec": {"providerID": format!("moc://{pool}-md-x7k2p-{index}")},
        "status": {"nodeInfo": {"kubeletVersion": "v1.33.5", "osImage": "Azure Linux 3.0", "architecture": "amd64", "operatingSystem": "linux"}},
    })
}

fn namespace(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {
            "name": name, "uid": format!("ns-{name}"), "creationTimestamp": BORN,
            "labels": {"kubernetes.io/metadata.name": name, "control-plane": "true"},
            "finalizers": ["example.com/guarded"],
            "managedFields": [entry("kube-apiserver", BORN, "", &[
                "metadata.labels.kubernetes.io/metadata.name", "metadata.labels.control-plane"])],
        },
        "spec": {"finalizers": ["kubernetes"]},
    })
}

fn system(api_version: &str, kind: &str, name: &str, field: &str, content: Value) -> Value {
    let mut object = json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": {"name": name, "namespace": "kube-system", "uid": format!("{kind}-{name}"), "creationTimestamp": BORN,
                     "managedFields": [entry("kubeadm", BORN, "", &[field])]},
    });
    object[field] = content;
    object
}

/// An entry of managedFields that owns `paths`; a path's last step may hold dots and slashes, and follows the field's name.
pub(crate) fn entry(manager: &str, time: &str, subresource: &str, paths: &[&str]) -> Value {
    let mut entry = json!({"manager": manager, "operation": "Update", "apiVersion": "v1", "time": time,
                           "fieldsType": "FieldsV1", "fieldsV1": {}});
    if !subresource.is_empty() {
        entry["subresource"] = json!(subresource);
    }
    for path in paths {
        own(&mut entry["fieldsV1"], &steps(path));
    }
    entry
}

/// `metadata.labels.a.b/c` as `f:metadata`, `f:labels`, `f:a.b/c`; `spec.a.b` as it reads.
fn steps(path: &str) -> Vec<String> {
    let parts: Vec<&str> = path.splitn(3, '.').collect();
    let steps: Vec<&str> = if parts.first() == Some(&"metadata") { parts } else { path.split('.').collect() };
    steps.into_iter().map(|step| format!("f:{step}")).collect()
}

fn own(fields: &mut Value, steps: &[String]) {
    let [first, rest @ ..] = steps else { return };
    let map = fields.as_object_mut().expect("a field set");
    own(map.entry(first.clone()).or_insert_with(|| json!({})), rest);
}

fn disown(fields: &mut Value, steps: &[String]) {
    let [first, rest @ ..] = steps else { return };
    let Some(map) = fields.as_object_mut() else { return };
    if rest.is_empty() {
        map.remove(first);
    } else if let Some(inner) = map.get_mut(first).filter(|inner| inner.as_object().is_some_and(|map| !map.is_empty()))
    {
        disown(inner, rest);
        if inner.as_object().is_some_and(Map::is_empty) {
            map.remove(first);
        }
    }
}

/// Records that `manager` wrote `paths`, as the API server does: whoever owned them no longer does.
pub(crate) fn take_over(object: &mut Value, manager: &str, subresource: &str, paths: &[&str]) {
    let fields =
        object["metadata"].as_object_mut().expect("metadata").entry("managedFields").or_insert_with(|| json!([]));
    let entries = fields.as_array_mut().expect("entries");
    for entry in entries.iter_mut() {
        for path in paths {
            disown(&mut entry["fieldsV1"], &steps(path));
        }
    }
    entries.retain(|entry| entry["fieldsV1"].as_object().is_some_and(|fields| !fields.is_empty()));
    entries.push(entry(manager, CHANGED, subresource, paths));
}
