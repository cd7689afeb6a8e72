//! Attempted writes, drawn at random over everything the rules look at, by everybody who may attempt them.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::law::world::{self, BORN, CHANGED, Key, World};

/// Somebody, and the client they use.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) user: &'static str,
    pub(crate) groups: &'static [&'static str],
    pub(crate) manager: &'static str,
    /// Whether the manager's name is a tool of people's, so that a state shows who it was.
    pub(crate) is_known_tool: bool,
}

/// An attempted write.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    pub(crate) who: Who,
    pub(crate) operation: &'static str,
    pub(crate) key: Key,
    pub(crate) subresource: &'static str,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

/// One attempted write on a healthy cluster.
pub(crate) fn edits() -> impl Strategy<Value = Edit> {
    (who(), what()).prop_map(|(who, what)| what.by(who))
}

fn who() -> impl Strategy<Value = Who> {
    const AUTHENTICATED: &[&str] = &["system:authenticated"];
    const MASTERS: &[&str] = &["system:masters", "system:authenticated"];
    const ARGO: &[&str] = &["system:serviceaccounts", "system:serviceaccounts:argocd", "system:authenticated"];
    const PLATFORM: &[&str] = &["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"];
    const NODES: &[&str] = &["system:nodes", "system:authenticated"];
    let who = |user, groups, manager, is_known_tool| Just(Who { user, groups, manager, is_known_tool });
    prop_oneof![
        4 => who("alice@contoso.example", AUTHENTICATED, "kubectl-edit", true),
        2 => who("alice@contoso.example", AUTHENTICATED, "helm", true),
        1 => who("alice@contoso.example", AUTHENTICATED, "a-script", false),
        2 => who("system:serviceaccount:argocd:argocd-application-controller", ARGO, "argocd-controller", true),
        2 => who("kubernetes-admin", MASTERS, "kubectl-label", true),
        1 => who("kubernetes-admin", MASTERS, "", false),
        1 => who("kubernetes-admin", MASTERS, "manager", false),
        1 => who("system:node:moc-l1", NODES, "kubelet", false),
        1 => who("system:serviceaccount:kube-system:node-controller", PLATFORM, "kube-controller-manager", false),
    ]
}

#[derive(Clone, Debug)]
enum What {
    NodeMetadata { node: usize, annotation: bool, key: &'static str, value: Option<&'static str>, status: bool },
    NodeTaint { node: usize, key: &'static str },
    NodeDelete { node: usize },
    NodeCreate,
    NamespaceMetadata { name: &'static str, annotation: bool, key: &'static str, value: Option<&'static str> },
    NamespaceFinalizer { name: &'static str, spec: bool },
    NamespaceDelete { name: &'static str },
    Component { edit: usize },
    ComponentDelete { kind: &'static str, name: &'static str },
    AddOn { kind: &'static str, api_version: &'static str, name: &'static str, namespace: &'static str },
    AddOnUpdate { namespace: &'static str },
    AddOnDelete { namespace: &'static str },
}

fn what() -> impl Strategy<Value = What> {
    let node_key = prop::sample::select(vec![
        "kubernetes.io/hostname",
        "kubernetes.io/arch",
        "kubernetes.io/os",
        "node.kubernetes.io/instance-type",
        "msft.microsoft/nodepool-name",
        "shop.example/zone",
        "topology.kubernetes.io/zone",
        "node-role.kubernetes.io/control-plane",
        "node-role.kubernetes.io/shop",
        "kubernetes.azure.com/team",
        "team.kubernetes.io/x",
        "contoso.com/size",
        "plain",
        "kubectl.kubernetes.io/last-applied-configuration",
        "node.kubernetes.io/out-of-service",
        "kubernetes.azure.com/mode",
    ]);
    let value = prop::sample::select(vec![
        None,
        Some("edge-big"),
        Some("moc-l1"),
        Some("linux"),
        Some("Standard_A4_v2"),
        Some(""),
    ]);
    let system = prop::sample::select(vec!["kube-system", "azure-arc", "shop"]);
    let space_key = prop::sample::select(vec![
        "kubernetes.io/metadata.name",
        "control-plane",
        "contoso.com/x",
        "pod-security.kubernetes.io/enforce",
        "kubernetes.azure.com/x",
    ]);
    let taint = prop::sample::select(vec![
        "contoso.com/gpu",
        "node.kubernetes.io/out-of-service",
        "kubernetes.azure.com/mine",
        "node.kubernetes.io/unschedulable",
    ]);
    let add_on = prop::sample::select(vec![
        ("Deployment", "apps/v1", "log-agent"),
        ("DaemonSet", "apps/v1", "scanner"),
        ("Service", "v1", "log-agent"),
        ("ServiceAccount", "v1", "log-agent"),
        ("ConfigMap", "v1", "my-config"),
        ("ConfigMap", "v1", "ama-metrics-settings-configmap"),
        ("ConfigMap", "v1", "container-azm-ms-agentconfig"),
        ("LimitRange", "v1", "cpu-mem-resource-constraint"),
        ("Deployment", "apps/v1", "coredns-autoscaler"),
        ("Role", "rbac.authorization.k8s.io/v1", "log-agent"),
        ("Pod", "v1", "debug"),
        ("StatefulSet", "apps/v1", "kube-proxy"),
    ]);
    prop_oneof![
        6 => (1..5_usize, any::<bool>(), node_key, value.clone(), any::<bool>())
            .prop_map(|(node, annotation, key, value, status)| What::NodeMetadata { node, annotation, key, value, status }),
        2 => (1..5_usize, taint).prop_map(|(node, key)| What::NodeTaint { node, key }),
        1 => (1..5_usize).prop_map(|node| What::NodeDelete { node }),
        1 => Just(What::NodeCreate),
        3 => (system.clone(), any::<bool>(), space_key, value)
            .prop_map(|(name, annotation, key, value)| What::NamespaceMetadata { name, annotation, key, value }),
        1 => (system.clone(), any::<bool>()).prop_map(|(name, spec)| What::NamespaceFinalizer { name, spec }),
        1 => system.clone().prop_map(|name| What::NamespaceDelete { name }),
        4 => (0..6_usize).prop_map(|edit| What::Component { edit }),
        1 => prop::sample::select(vec![("Deployment", "coredns"), ("DaemonSet", "kube-proxy"), ("ConfigMap", "coredns"), ("Service", "kube-dns")])
            .prop_map(|(kind, name)| What::ComponentDelete { kind, name }),
        4 => (add_on, prop::sample::select(vec!["kube-system", "shop", "azure-arc"]))
            .prop_map(|((kind, api_version, name), namespace)| What::AddOn { kind, api_version, name, namespace }),
        1 => prop::sample::select(vec!["kube-system", "shop"]).prop_map(|namespace| What::AddOnUpdate { namespace }),
        1 => prop::sample::select(vec!["kube-system", "shop"]).prop_map(|namespace| What::AddOnDelete { namespace }),
    ]
}

impl What {
    fn by(self, who: Who) -> Edit {
        let world = World::healthy();
        let get = |kind: &str, namespace: &str, name: &str| {
            let key = (kind.to_owned(), namespace.to_owned(), name.to_owned());
            (key.clone(), world.objects.get(&key).cloned().expect("an object of the healthy cluster"))
        };
        let update = |(key, before): (Key, Value),
                      subresource: &'static str,
                      paths: &[&str],
                      edit: &dyn Fn(&mut Value)| {
            let mut after = before.clone();
            edit(&mut after);
            if after != before {
                world::take_over(&mut after, who.manager, subresource, paths);
            }
            Edit { who: who.clone(), operation: "UPDATE", key, subresource, before: Some(before), after: Some(after) }
        };
        let delete = |(key, before): (Key, Value)| Edit {
            who: who.clone(),
            operation: "DELETE",
            key,
            subresource: "",
            before: Some(before),
            after: None,
        };
        match self {
            What::NodeMetadata { node, annotation, key, value, status } => {
                let (map, path) = metadata(annotation, key);
                let subresource = if status { "status" } else { "" };
                update(get("Node", "", &format!("moc-l{node}")), subresource, &[&path], &|node| {
                    set(node, map, key, value)
                })
            }
            What::NodeTaint { node, key } => {
                update(get("Node", "", &format!("moc-l{node}")), "", &["spec.taints"], &|node| {
                    node["spec"]["taints"] = json!([{"key": key, "value": "x", "effect": "NoSchedule"}]);
                })
            }
            What::NodeDelete { node } => delete(get("Node", "", &format!("moc-l{node}"))),
            What::NodeCreate => {
                let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "rack-7", "uid": "r7", "creationTimestamp": CHANGED,
                    "labels": {"kubernetes.io/hostname": "rack-7"}, "managedFields": [world::entry(who.manager, CHANGED, "", &["metadata.labels.kubernetes.io/hostname"])]},
                    "spec": {}, "status": {"nodeInfo": {"kubeletVersion": "v1.33.5", "osImage": "Ubuntu"}}});
                Edit {
                    who,
                    operation: "CREATE",
                    key: world::key_of(&node),
                    subresource: "",
                    before: None,
                    after: Some(node),
                }
            }
            What::NamespaceMetadata { name, annotation, key, value } => {
                let (map, path) = metadata(annotation, key);
                update(get("Namespace", "", name), "", &[&path], &|namespace| set(namespace, map, key, value))
            }
            What::NamespaceFinalizer { name, spec: true } => {
                update(get("Namespace", "", name), "finalize", &["spec.finalizers"], &|namespace| {
                    namespace["spec"] = json!({})
                })
            }
            What::NamespaceFinalizer { name, spec: false } => {
                update(get("Namespace", "", name), "", &["metadata.finalizers"], &|namespace| {
                    namespace["metadata"]["finalizers"] = json!([])
                })
            }
            What::NamespaceDelete { name } => delete(get("Namespace", "", name)),
            What::Component { edit } => component_edit(edit, &get, &update),
            What::ComponentDelete { kind, name } => delete(get(kind, "kube-system", name)),
            What::AddOn { kind, api_version, name, namespace } => {
                let object = add_on(kind, api_version, name, namespace, CHANGED, who.manager);
                Edit {
                    who,
                    operation: "CREATE",
                    key: world::key_of(&object),
                    subresource: "",
                    before: None,
                    after: Some(object),
                }
            }
            What::AddOnUpdate { namespace } => {
                let before = add_on("Deployment", "apps/v1", "log-agent", namespace, BORN, "kubectl-create");
                update((world::key_of(&before), before), "", &["spec.replicas"], &|object| {
                    object["spec"]["replicas"] = json!(5)
                })
            }
            What::AddOnDelete { namespace } => {
                let before = add_on("Deployment", "apps/v1", "log-agent", namespace, BORN, "kubectl-create");
                delete((world::key_of(&before), before))
            }
        }
    }
}

type Get<'g> = &'g dyn Fn(&str, &str, &str) -> (Key, Value);
type Update<'u> = &'u dyn Fn((Key, Value), &'static str, &[&str], &dyn Fn(&mut Value)) -> Edit;

fn component_edit(edit: usize, get: Get<'_>, update: Update<'_>) -> Edit {
    let coredns = || get("Deployment", "kube-system", "coredns");
    match edit {
        0 => update(coredns(), "", &["spec.replicas"], &|object| object["spec"]["replicas"] = json!(0)),
        1 => update(
            coredns(),
            "",
            &["spec.template.metadata.annotations.kubectl.kubernetes.io/restartedAt"],
            &|object| {
                object["spec"]["template"]["metadata"]["annotations"] =
                    json!({"kubectl.kubernetes.io/restartedAt": CHANGED});
            },
        ),
        2 => update(get("ConfigMap", "kube-system", "coredns"), "", &["data.Corefile"], &|object| {
            object["data"]["Corefile"] = json!("x")
        }),
        3 => update(
            get("DaemonSet", "kube-system", "kube-proxy"),
            "",
            &["spec.template.spec.nodeSelector.contoso"],
            &|object| {
                object["spec"]["template"]["spec"]["nodeSelector"] = json!({"contoso": "never"});
            },
        ),
        4 => update(coredns(), "", &["metadata.labels.team"], &|object| set(object, "labels", "team", Some("a"))),
        _ => update(get("Service", "kube-system", "kube-dns"), "", &["spec.clusterIP"], &|object| {
            object["spec"]["clusterIP"] = json!("10.96.0.11")
        }),
    }
}

fn metadata(annotation: bool, key: &str) -> (&'static str, String) {
    let map = if annotation { "annotations" } else { "labels" };
    (map, format!("metadata.{map}.{key}"))
}

fn set(object: &mut Value, map: &str, key: &str, value: Option<&str>) {
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    let map = metadata.entry(map).or_insert_with(|| json!({})).as_object_mut().expect("a map");
    match value {
        Some(value) => drop(map.insert(key.to_owned(), json!(value))),
        None => drop(map.remove(key)),
    }
}

fn add_on(kind: &str, api_version: &str, name: &str, namespace: &str, time: &str, manager: &str) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {
        "name": name, "namespace": namespace, "uid": format!("own-{kind}-{name}"), "creationTimestamp": time,
        "managedFields": [world::entry(manager, time, "", &["metadata.labels.app"])]}});
    object["metadata"]["labels"] = json!({"app": name});
    match kind {
        "Deployment" | "DaemonSet" | "StatefulSet" => {
            object["spec"] = json!({"replicas": 1, "template": {"spec": {"containers": [{"name": "c", "image": "contoso.example/x:1"}]}}});
        }
        "Pod" => object["spec"] = json!({"containers": [{"name": "c", "image": "contoso.example/x:1"}]}),
        _ => {}
    }
    object
}
