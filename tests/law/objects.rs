//! Objects of every kind that rules judge, by every possible maker.

use aksarc_shared::data::{Data, embedded};
use aksarc_shared::k8s::kinds::{self, Kind};
use serde_json::{Value, json};

use crate::law::fields;
use crate::law::world::{EARLIER, NAMESPACES};

/// The maker of an object, by which its marks are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    /// A component of the platform, by its own name.
    Platform,
    /// A Helm release of the platform's.
    Release,
    /// A person's tool.
    Person,
    /// A Helm release of a person's.
    PersonsRelease,
    /// A controller nobody knows, with an image of Microsoft's.
    Microsofts,
    /// A controller nobody knows.
    Unknown,
    /// Unknown: recorded without managedFields.
    Unrecorded,
    /// Another object, which owns it: a component's workload, or a user's.
    Owner,
}

pub(crate) const MAKERS: [Maker; 8] = [
    Maker::Platform,
    Maker::Release,
    Maker::Person,
    Maker::PersonsRelease,
    Maker::Microsofts,
    Maker::Unknown,
    Maker::Unrecorded,
    Maker::Owner,
];

/// An object of a kind with the fields that such objects have; its pods run a person's image.
pub(crate) fn object(kind: &Kind, namespace: &str, name: &str) -> Value {
    let mut object = json!({"apiVersion": kind.api_version(), "kind": kind.kind, "metadata": {
        "name": name, "labels": {"app": name}, "annotations": {"contoso.com/note": "x"}}});
    if kind.namespaced {
        object["metadata"]["namespace"] = json!(namespace);
    }
    for (key, content) in content(kind, name) {
        object[key] = content;
    }
    let metadata = &mut object["metadata"];
    if kind.group.ends_with("cluster.x-k8s.io") {
        metadata["labels"]["cluster.x-k8s.io/cluster-name"] = json!("edge");
        metadata["annotations"]["cluster.x-k8s.io/cloned-from-name"] = json!("edge");
        metadata["finalizers"] = json!(["machine.cluster.x-k8s.io", "example.com/own"]);
        metadata["ownerReferences"] =
            json!([{"apiVersion": "cluster.x-k8s.io/v1beta1", "kind": "Cluster", "name": "edge", "uid": "capi-edge"}]);
    }
    match kind.kind {
        "ClusterRole" | "ClusterRoleBinding" if name.starts_with("system:") => {
            metadata["labels"]["kubernetes.io/bootstrapping"] = json!("rbac-defaults");
            metadata["annotations"]["rbac.authorization.kubernetes.io/autoupdate"] = json!("true");
        }
        "FlowSchema" | "PriorityLevelConfiguration" => {
            metadata["annotations"]["apf.kubernetes.io/autoupdate-spec"] = json!("true");
        }
        "StorageClass" => metadata["annotations"]["storageclass.kubernetes.io/is-default-class"] = json!("true"),
        "APIService" => metadata["labels"]["kube-aggregator.kubernetes.io/automanaged"] = json!("onstart"),
        _ => {}
    }
    object
}

/// The object as its maker leaves it at `time`.
pub(crate) fn made(mut object: Value, kind: &Kind, maker: Maker, time: &str) -> Value {
    object["metadata"]["uid"] =
        json!(format!("{}-{}", kind.resource, object["metadata"]["name"].as_str().unwrap_or("")));
    object["metadata"]["creationTimestamp"] = json!(time);
    let release = |object: &mut Value, name: &str| {
        object["metadata"]["annotations"]["meta.helm.sh/release-name"] = json!(name);
        object["metadata"]["annotations"]["meta.helm.sh/release-namespace"] = json!("x");
    };
    let manager = match maker {
        Maker::Platform if kind.group.contains("calico") || kind.group.contains("tigera") => "calico-node",
        Maker::Platform if kind.group.ends_with("cluster.x-k8s.io") => "cluster-api-controller-manager",
        Maker::Platform => "kubeadm",
        Maker::Person => "kubectl-create",
        Maker::Release => {
            release(&mut object, "azure-arc");
            "helm"
        }
        Maker::PersonsRelease => {
            release(&mut object, "shop");
            "helm"
        }
        Maker::Owner => {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let owner = if kind.kind == "Pod" { "coredns-5d78c9869d".to_owned() } else { name.to_owned() };
            let owner_kind = if kind.kind == "Pod" { "ReplicaSet" } else { "Deployment" };
            object["metadata"]["ownerReferences"] = json!([
                {"apiVersion": "apps/v1", "kind": owner_kind, "name": owner, "uid": "owner-1", "controller": true}]);
            "kube-controller-manager"
        }
        Maker::Microsofts | Maker::Unknown | Maker::Unrecorded => "operator",
    };
    if matches!(maker, Maker::Platform | Maker::Release | Maker::Microsofts)
        && let Some(pod) = pod_spec(&mut object)
    {
        pod["containers"][0]["image"] = json!("mcr.microsoft.com/x:1");
    }
    if maker != Maker::Unrecorded {
        fields::create(&mut object, manager, time);
    }
    object
}

/// The specification of the pod that an object is, or describes.
pub(crate) fn pod_spec(object: &mut Value) -> Option<&mut Value> {
    let path = match object["kind"].as_str()? {
        "Pod" => "/spec",
        "CronJob" => "/spec/jobTemplate/spec/template/spec",
        "DaemonSet" | "Deployment" | "Job" | "ReplicaSet" | "ReplicationController" | "StatefulSet" => {
            "/spec/template/spec"
        }
        _ => return None,
    };
    object.pointer_mut(path)
}

/// Where an object of a kind may stand, and how it may be called: everything the tables know, their near misses, and
/// names of people's own.
pub(crate) fn places(kind: &Kind) -> Vec<(String, String)> {
    let data: &Data = embedded();
    let mut places = Vec::new();
    if kind.namespaced {
        for row in data.components.iter().filter(|row| row.kinds.iter().any(|own| own == kind.kind)) {
            let name = row.name.clone().unwrap_or_else(|| format!("{}x1", row.prefix.as_deref().unwrap_or("")));
            let namespaces = if row.any_namespace { vec!["calico-system".to_owned()] } else { row.namespaces.clone() };
            for namespace in namespaces.into_iter().filter(|own| NAMESPACES.contains(&&**own)) {
                places.push((namespace, name.clone()));
            }
        }
        // Some kinds have many components, and people's own matter no less.
        places.truncate(MAX_COMPONENTS);
        if let Some((namespace, name)) = places.first().cloned() {
            places.push((namespace, format!("{name}-autoscaler")));
            places.push(("shop".to_owned(), name));
        }
        let lawful = data.lawful.objects.iter().filter(|row| row.kind == kind.kind);
        places.extend(lawful.filter_map(|row| Some((row.namespace.clone(), row.name.clone()?))).take(MAX_COMPONENTS));
        let own = ["kube-system", "azure-arc", "kube-public", "shop", "shop"].map(|own| (own.to_owned(), "log-agent"));
        places.extend(own.map(|(namespace, name)| (namespace, name.to_owned())));
        if kind.kind == "Pod" {
            places.push(("shop".to_owned(), "node-debugger-moc-l1-abcde".to_owned()));
        }
        if kind.group.ends_with("cluster.x-k8s.io") {
            places = vec![("fleet".to_owned(), "edge".to_owned()), ("fleet".to_owned(), "other".to_owned())];
        }
        return places;
    }
    let cluster = |name: &str| (String::new(), name.to_owned());
    for row in data.cluster_objects.objects.iter().filter(|row| row.kind == kind.kind) {
        let affixes = row.prefix.is_some() || row.suffix.is_some();
        let name = format!("{}x1{}", row.prefix.as_deref().unwrap_or(""), row.suffix.as_deref().unwrap_or(""));
        places.extend(affixes.then(|| cluster(&name)));
        places.extend(row.names.iter().take(2).map(|name| cluster(name)));
    }
    if kind.kind.starts_with("ClusterRole") {
        places.push(cluster("system:node"));
        places.push(cluster("system:metrics-server-of-shop"));
    }
    if kind.kind == "Namespace" {
        places.extend(NAMESPACES.map(cluster));
        places.extend(["azure-extensions-usage-system", "tigera-operator"].map(cluster));
    }
    places.extend(["default", "contoso", "contoso"].map(cluster));
    places
}

/// Adds a field that gives a pod power over its node, or one that only looks like it.
pub(crate) fn empower(pod: &mut Value, how: usize) {
    let host = |path: &str| json!([{"name": "h", "hostPath": {"path": path}}]);
    let mount = |read_only: bool| json!([{"name": "h", "mountPath": "/host", "readOnly": read_only}]);
    match how % POWERS {
        0 => pod["containers"][0]["securityContext"] = json!({"privileged": true}),
        1 => {
            pod["volumes"] = host("/");
            pod["containers"][0]["volumeMounts"] = mount(false);
        }
        2 => {
            pod["volumes"] = host("/var/log");
            pod["containers"][0]["volumeMounts"] = mount(true);
        }
        3 => {
            pod["hostPID"] = json!(true);
            pod["containers"][0]["securityContext"] = json!({"privileged": true});
        }
        4 => pod["hostNetwork"] = json!(true),
        5 => {
            pod["initContainers"] =
                json!([{"name": "setup", "image": "contoso.example/x:1", "securityContext": {"privileged": true}}]);
        }
        6 => {
            pod["volumes"] = json!([{"name": "h", "emptyDir": {}}]);
            pod["containers"][0]["volumeMounts"] = mount(false);
        }
        7 => pod["containers"][0]["securityContext"] = json!({"capabilities": {"add": ["SYS_ADMIN"]}}),
        8 => pod["containers"][0]["securityContext"] = json!({"privileged": false, "capabilities": {"drop": ["ALL"]}}),
        9 => pod["containers"][0]["image"] = json!("ghcr.io/k8snetworkplumbingwg/multus-cni:v4"),
        10 => {
            pod["volumes"] = host("/etc/kubernetes");
            pod["containers"][0]["volumeMounts"] = mount(false);
        }
        _ => pod["containers"][0]["image"] = json!("ghcr.io/k8snetworkplumbingwg/multus-cni-docs:v4"),
    }
}

fn content(kind: &Kind, name: &str) -> Vec<(&'static str, Value)> {
    let pod = || json!({"containers": [{"name": "c", "image": "contoso.example/x:1", "args": ["-v"]}]});
    let template = || json!({"metadata": {"labels": {"app": name}}, "spec": pod()});
    let rules = || json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]);
    let (group, suffix) = (kind.group, name.split_once('.').map_or("contoso.com", |(_, group)| group));
    match kind.kind {
        "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet" => {
            vec![("spec", json!({"replicas": 2, "template": template()}))]
        }
        "DaemonSet" => {
            vec![("spec", json!({"template": template()})), ("status", json!({"desiredNumberScheduled": 4}))]
        }
        "CronJob" => {
            vec![("spec", json!({"schedule": "@daily", "jobTemplate": {"spec": {"template": template()}}}))]
        }
        "Job" => vec![("spec", json!({"template": template(), "parallelism": 1}))],
        "Pod" => vec![("spec", pod()), ("status", json!({"phase": "Running"}))],
        "ConfigMap" => vec![("data", json!({"Corefile": ".:53 {}"}))],
        "Service" => {
            let port = json!({"name": "dns", "port": 53, "protocol": "UDP"});
            vec![("spec", json!({"clusterIP": "10.96.0.10", "selector": {"app": name}, "ports": [port]}))]
        }
        "NetworkPolicy" => vec![("spec", json!({"podSelector": {}, "policyTypes": ["Egress"]}))],
        "ResourceQuota" => vec![("spec", json!({"hard": {"pods": "20"}}))],
        "LimitRange" => vec![("spec", json!({"limits": [{"type": "Container", "default": {"cpu": "250m"}}]}))],
        "PodDisruptionBudget" => {
            vec![("spec", json!({"maxUnavailable": 0, "selector": {"matchLabels": {"k8s-app": "kube-dns"}}}))]
        }
        "HorizontalPodAutoscaler" => {
            let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": name});
            vec![("spec", json!({"maxReplicas": 3, "scaleTargetRef": target}))]
        }
        "Namespace" => vec![("spec", json!({"finalizers": ["kubernetes"]}))],
        "ServiceAccount" => vec![("automountServiceAccountToken", json!(false))],
        "Role" | "ClusterRole" => vec![("rules", rules())],
        "RoleBinding" | "ClusterRoleBinding" => {
            let subject = json!({"kind": "ServiceAccount", "name": name, "namespace": "kube-system"});
            // Of people's own every other one lets them write.
            let role = if name.len().is_multiple_of(2) { "view" } else { "edit" };
            let role = json!({"apiGroup": group, "kind": "ClusterRole", "name": role});
            vec![("roleRef", role), ("subjects", json!([subject]))]
        }
        "CustomResourceDefinition" => {
            vec![("spec", json!({"group": suffix, "scope": "Cluster", "names": {"kind": "X", "plural": "x"}}))]
        }
        "StorageClass" => {
            let provisioner = if name == "default" { "disk.csi.akshci.com" } else { "nfs.contoso.com" };
            vec![("provisioner", json!(provisioner)), ("parameters", json!({"group": "a"}))]
        }
        "PriorityClass" => vec![("value", json!(1000)), ("description", json!("x"))],
        "ExtensionConfig" => vec![("spec", json!({"extensionType": format!("microsoft.{name}"), "version": "1"}))],
        _ if group.ends_with("cluster.x-k8s.io") => {
            let template = json!({"kind": "AzureStackHCIMachineTemplate", "name": "t"});
            vec![("spec", json!({"clusterName": "edge", "infrastructureRef": template, "replicas": 2}))]
        }
        _ => vec![("spec", json!({"priority": 1, "setting": "a", "inner": {"size": 3}}))],
    }
}

/// A person who changed an object before.
pub(crate) fn touched(before: &Value, edit: &dyn Fn(&mut Value), manager: &str) -> Value {
    let mut after = before.clone();
    edit(&mut after);
    fields::update(before, &mut after, manager, "", EARLIER);
    after
}

/// The number of ways to empower a pod.
pub(crate) const POWERS: usize = 12;

const MAX_COMPONENTS: usize = 8;

/// The kinds that are pods or make pods.
pub(crate) fn has_pod(kind: &Kind) -> bool {
    pod_spec(&mut object(kind, "shop", "x")).is_some() || *kind == kinds::POD
}
