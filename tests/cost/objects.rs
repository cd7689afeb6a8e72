//! Objects of every kind that rules judge, with parts that can be large.

use aksarc_shared::data::embedded;
use aksarc_shared::k8s::kinds::{self, Kind};
use serde_json::{Map, Value, json};

/// The side of a change that an object is; the values of its large part differ by it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Before,
    After,
}

/// A part of an object that can be large: its name, the kinds that have it, and the function that makes it so.
pub(crate) struct Axis {
    pub(crate) name: &'static str,
    pub(crate) is_of: fn(&Kind) -> bool,
    grow: Grow,
}

/// Makes an object large, or the pod that it is or describes.
enum Grow {
    Object(fn(&mut Value, usize, Side)),
    Pod(fn(&mut Value, usize, Side)),
}

/// Every part by which the writer of an object can make it large.
pub(crate) static AXES: &[Axis] = &[
    any("labels", |object, n, side| keys(object, "labels", n, side)),
    any("annotations", |object, n, side| keys(object, "annotations", n, side)),
    any("managedFields", |object, n, side| {
        for at in 0..n {
            let fields = json!({"f:spec": {format!("f:k{at}"): {}, "f:replicas": {}}, "f:data": {format!("f:k{at}"): {}},
                                "f:metadata": {"f:labels": {format!("f:k{at}"): {}, "f:app": {}}}});
            entry(object, manager(at), &fields);
        }
        values(object, 16, side);
    }),
    any("managedFields of few", |object, n, side| {
        // As many as are looked at, and each of them owns the same.
        let own: Map<String, Value> = (0..20).map(|at| (format!("f:k{at}"), json!({}))).collect();
        for at in 0..n / 8 {
            entry(object, manager(at), &json!({"f:spec": own, "f:metadata": {"f:labels": own, "f:annotations": own}}));
        }
        values(object, 20, side);
    }),
    any("fields of an entry", |object, n, side| {
        let own: Map<String, Value> = (0..n).map(|at| (format!("f:k{at}"), json!({}))).collect();
        for manager in ["kubeadm", "kubectl-edit"] {
            entry(object, manager, &json!({"f:spec": own, "f:data": own, "f:metadata": {"f:labels": own}}));
        }
        values(object, n, side);
    }),
    any("items of an entry", |object, n, side| {
        let item = json!({".": {}, "f:image": {}, "f:name": {}});
        let own: Map<String, Value> = (0..n).map(|at| (format!("k:{{\"name\":\"c{at}\"}}"), item.clone())).collect();
        entry(object, "kubectl-edit", &json!({"f:spec": {"f:template": {"f:spec": {"f:containers": own}}}}));
        values(object, 16, side);
    }),
    any("top-level fields", |object, n, side| {
        let own: Map<String, Value> = (0..n).map(|at| (format!("f:top{at}"), json!({}))).collect();
        entry(object, "kubectl-edit", &Value::Object(own));
        for at in 0..n {
            object[format!("top{at}")] = json!(value(at, side));
        }
    }),
    any("ownerReferences", |object, n, side| {
        let owner = |at: usize| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": format!("o{at}"), "uid": value(at, side)});
        object["metadata"]["ownerReferences"] = (0..n).map(owner).collect();
    }),
    any("finalizers", |object, n, side| {
        let names: Value = (0..n).map(|at| json!(format!("cluster.x-k8s.io/{}", value(at, side)))).collect();
        if object["kind"] == "Namespace" {
            object["spec"]["finalizers"] = names.clone();
        }
        object["metadata"]["finalizers"] = names;
    }),
    any("fields of the specification", values),
    any("a long key over many", |object, n, side| {
        let own: Map<String, Value> = (0..n).map(|at| (format!("k{at}"), json!(value(at, side)))).collect();
        let owned: Map<String, Value> = (0..n).map(|at| (format!("f:k{at}"), json!({}))).collect();
        let long = "key".repeat(8 * n);
        entry(object, "kubectl-edit", &json!({"f:spec": {format!("f:{long}"): owned}}));
        object["spec"][long] = Value::Object(own);
    }),
    any("depth", |object, n, side| {
        // As deep as a parser goes into it.
        let (depth, chains) = (n / 16 + 2, 24);
        for at in 0..chains {
            let deep =
                (0..depth).fold(json!(value(at, side)), |inner, step| json!({format!("d{step}"): inner, "x": 1}));
            object["spec"][format!("chain{at}")] = deep;
        }
    }),
    any("depth of an entry", |object, n, side| {
        let deep = (0..n).fold(json!({}), |inner, step| json!({format!("f:d{step}"): inner, "f:x": {}}));
        entry(object, "kubectl-edit", &json!({"f:spec": deep}));
        values(object, 16, side);
    }),
    any("name", |object, n, side| {
        object["metadata"]["name"] = json!("name".repeat(8 * n));
        keys(object, "labels", 64, side);
    }),
    of_pods("containers", |pod, n, side| pod["containers"] = containers(n, side)),
    of_pods("initContainers", |pod, n, side| pod["initContainers"] = containers(n, side)),
    of_pods("ephemeralContainers", |pod, n, side| pod["ephemeralContainers"] = containers(n, side)),
    of_pods("env", |pod, n, side| {
        let own = |at: usize| json!({"name": format!("E{at}"), "value": value(at, side)});
        pod["containers"][0]["env"] = (0..n).map(own).collect();
    }),
    of_pods("volumes", |pod, n, side| {
        let volume =
            |at: usize| json!({"name": format!("v{at}"), "hostPath": {"path": format!("/{}", value(at, side))}});
        let mount = |at: usize| json!({"name": format!("v{at}"), "mountPath": format!("/m{at}")});
        pod["volumes"] = (0..n).map(volume).collect();
        pod["containers"][0]["volumeMounts"] = (0..n).map(mount).collect();
    }),
    of_pods("tolerations", |pod, n, side| {
        pod["tolerations"] = (0..n).map(|at| json!({"key": value(at, side), "operator": "Exists"})).collect();
    }),
    of_pods("capabilities", |pod, n, side| {
        let own: Value = (0..n).map(|at| json!(value(at, side))).collect();
        pod["containers"][0]["securityContext"] = json!({"capabilities": {"add": own}});
    }),
    Axis {
        name: "taints",
        is_of: |kind| *kind == kinds::NODE,
        grow: Grow::Object(|object, n, side| {
            let taint = |at: usize| json!({"key": format!("k{at}"), "value": value(at, side), "effect": "NoSchedule"});
            object["spec"]["taints"] = (0..n).map(taint).collect();
            for at in 0..4 {
                entry(object, manager(at), &json!({"f:spec": {"f:taints": {}}}));
            }
        }),
    },
    Axis {
        name: "taints of one key",
        is_of: |kind| *kind == kinds::NODE,
        grow: Grow::Object(|object, n, side| {
            let taint = |at: usize| json!({"key": "k", "value": value(at, side), "effect": "NoSchedule"});
            object["spec"]["taints"] = (0..n).map(taint).collect();
        }),
    },
    Axis {
        name: "images of a node",
        is_of: |kind| *kind == kinds::NODE,
        grow: Grow::Object(|object, n, side| {
            let image =
                |at: usize| json!({"names": [format!("mcr.microsoft.com/x:{}", value(at, side))], "sizeBytes": at});
            object["status"]["images"] = (0..n).map(image).collect();
        }),
    },
    Axis {
        name: "rules",
        is_of: |kind| matches!(kind.kind, "Role" | "ClusterRole"),
        grow: Grow::Object(|object, n, side| {
            let rule = |at: usize| json!({"apiGroups": [value(at, side)], "resources": ["pods"], "verbs": ["get"]});
            object["rules"] = (0..n).map(rule).collect();
        }),
    },
    Axis {
        name: "subjects",
        is_of: |kind| matches!(kind.kind, "RoleBinding" | "ClusterRoleBinding"),
        grow: Grow::Object(|object, n, side| {
            let subject = |at: usize| json!({"kind": "User", "name": format!("u{at}"), "apiGroup": value(at, side)});
            object["subjects"] = (0..n).map(subject).collect();
        }),
    },
    Axis {
        name: "data",
        is_of: |kind| *kind == kinds::CONFIG_MAP,
        grow: Grow::Object(|object, n, side| {
            let own: Map<String, Value> = (0..n).map(|at| (format!("k{at}"), json!(value(at, side)))).collect();
            object["data"] = Value::Object(own);
        }),
    },
    Axis {
        name: "ports",
        is_of: |kind| *kind == kinds::SERVICE,
        grow: Grow::Object(|object, n, side| {
            let port = |at: usize| json!({"name": value(at, side), "port": at, "protocol": "TCP"});
            object["spec"]["ports"] = (0..n).map(port).collect();
        }),
    },
    Axis {
        name: "webhooks",
        is_of: |kind| kind.kind.ends_with("WebhookConfiguration"),
        grow: Grow::Object(|object, n, side| {
            let webhook = |at: usize| {
                json!({"name": format!("w{at}"), "sideEffects": "None", "clientConfig": {"url": value(at, side)},
                       "rules": [{"apiGroups": ["*"], "resources": ["*"], "operations": ["*"]}]})
            };
            object["webhooks"] = (0..n).map(webhook).collect();
        }),
    },
];

const fn any(name: &'static str, grow: fn(&mut Value, usize, Side)) -> Axis {
    Axis { name, is_of: |_| true, grow: Grow::Object(grow) }
}

/// An axis in the specification of a pod.
const fn of_pods(name: &'static str, grow: fn(&mut Value, usize, Side)) -> Axis {
    Axis { name, is_of: |kind| pod_path(kind.kind).is_some(), grow: Grow::Pod(grow) }
}

impl Axis {
    /// An object with one large part; `None` where it has no such part.
    pub(crate) fn grown(&self, mut object: Value, n: usize, side: Side) -> Option<Value> {
        match self.grow {
            Grow::Object(grow) => grow(&mut object, n, side),
            Grow::Pod(grow) => grow(object.pointer_mut(pod_path(object["kind"].as_str()?)?)?, n, side),
        }
        Some(object)
    }
}

/// An object of a kind as rules report it: a component of the platform that a person has touched, with the required
/// fields of its kind.
pub(crate) fn object(kind: &Kind) -> Value {
    let (namespace, name) = place(kind);
    let mut object = json!({"apiVersion": kind.api_version(), "kind": kind.kind, "metadata": {
        "name": name, "uid": "u", "creationTimestamp": "2026-06-01T00:00:00Z",
        "labels": {"app": "x"}, "annotations": {"note": "x"}, "managedFields": []}});
    if kind.namespaced {
        object["metadata"]["namespace"] = json!(namespace);
    }
    let pod = json!({"containers": [{"name": "c", "image": "contoso.example/x:1"}]});
    object["spec"] = match kind.kind {
        "Node" => json!({"providerID": "moc://edge-1a2b3c4d-pool1-md-x7k2p-9q8zt"}),
        "Pod" => pod,
        "CronJob" => json!({"jobTemplate": {"spec": {"template": {"spec": pod}}}}),
        _ if pod_path(kind.kind).is_some() => json!({"replicas": 2, "template": {"spec": pod}}),
        _ => json!({"infrastructureRef": {"kind": "AzureStackHCIMachineTemplate"}, "replicas": 2}),
    };
    if *kind == kinds::STORAGE_CLASS {
        object["provisioner"] = json!("disk.csi.akshci.com");
    }
    entry(&mut object, "kubeadm", &json!({"f:spec": {"f:replicas": {}}}));
    entry(&mut object, "kubectl-edit", &json!({"f:metadata": {"f:annotations": {"f:note": {}}}}));
    object["metadata"]["managedFields"][0]["time"] = json!("2026-06-01T00:00:00Z");
    object
}

/// Namespace and name of an object of this kind that rules report.
pub(crate) fn place(kind: &Kind) -> (String, String) {
    let data = embedded();
    let whole = |name: &Option<String>, prefix: &Option<String>, suffix: &str| {
        name.clone().unwrap_or_else(|| format!("{}x1{suffix}", prefix.as_deref().unwrap_or_default()))
    };
    if !kind.namespaced {
        let row = data.cluster_objects.objects.iter().find(|row| row.kind == kind.kind);
        let name = match kind.kind {
            "Namespace" => "kube-system".to_owned(),
            _ => row.map_or("default".to_owned(), |row| {
                whole(&row.names.first().cloned(), &row.prefix, row.suffix.as_deref().unwrap_or_default())
            }),
        };
        return (String::new(), name);
    }
    let row = data.components.iter().find(|row| row.kinds.iter().any(|own| own == kind.kind));
    let namespace = row.and_then(|row| row.namespaces.first().cloned()).unwrap_or("kube-system".to_owned());
    (namespace, row.map_or("log-agent".to_owned(), |row| whole(&row.name, &row.prefix, "")))
}

fn pod_path(kind: &str) -> Option<&'static str> {
    match kind {
        "Pod" => Some("/spec"),
        "CronJob" => Some("/spec/jobTemplate/spec/template/spec"),
        "DaemonSet" | "Deployment" | "Job" | "ReplicaSet" | "ReplicationController" | "StatefulSet" => {
            Some("/spec/template/spec")
        }
        _ => None,
    }
}

/// Adds an entry of managedFields, later than the object.
fn entry(object: &mut Value, manager: &str, fields: &Value) {
    let entry = json!({"manager": manager, "operation": "Update", "apiVersion": object["apiVersion"],
                       "time": "2026-06-02T09:14:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields});
    object["metadata"]["managedFields"].as_array_mut().expect("entries").push(entry);
}

fn manager(at: usize) -> &'static str {
    ["kubectl-edit", "kubelet", "kubectl-label", "operator", "helm"].into_iter().nth(at % 5).expect("one of five")
}

/// Labels or annotations of the system's, of the machine's, under a reserved prefix and of a person's own.
fn keys(object: &mut Value, field: &str, n: usize, side: Side) {
    let key = |at: usize| match at % 4 {
        0 => format!("kubernetes.azure.com/k{at}"),
        1 => format!("contoso.com/k{at}"),
        2 => format!("machine.example/k{at}"),
        _ => format!("k{at}"),
    };
    let own: Map<String, Value> = (0..n).map(|at| (key(at), json!(value(at, side)))).collect();
    let owned: Map<String, Value> = (0..n).map(|at| (format!("f:{}", key(at)), json!({}))).collect();
    let listed: Vec<String> = (0..n).filter(|at| at % 4 == 2).map(key).collect();
    for manager in ["kubectl-label", "calico-node"] {
        let half = owned.iter().enumerate().filter(|(at, _)| manager == "kubectl-label" || at % 2 == 0);
        let half: Map<String, Value> = half.map(|(_, (key, value))| (key.clone(), value.clone())).collect();
        entry(object, manager, &json!({"f:metadata": {format!("f:{field}"): half}}));
    }
    object["metadata"][field] = Value::Object(own);
    object["metadata"]["annotations"][format!("cluster.x-k8s.io/{field}-from-machine")] = json!(listed.join(","));
}

fn values(object: &mut Value, n: usize, side: Side) {
    for at in 0..n {
        object["spec"][format!("k{at}")] = json!(value(at, side));
    }
}

fn containers(n: usize, side: Side) -> Value {
    let own = |at: usize| json!({"name": format!("c{at}"), "image": value(at, side), "securityContext": {"privileged": true}});
    (0..n).map(own).collect()
}

fn value(at: usize, side: Side) -> String {
    match side {
        Side::Before => format!("b{at}"),
        Side::After => format!("a{at}"),
    }
}
