//! The sample clusters match their descriptions, down to the traces in managedFields.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use aksarc_tests::ControlPlane;
use aksarc_tests::seen::{self, managers, name, person};
use serde_json::Value;

use crate::{DRIFTED, HEALTHY};

#[test]
fn the_healthy_cluster_on_azure_local_bears_only_the_platforms_marks() {
    let cluster = HEALTHY.lease();
    let nodes = items(&cluster, "/api/v1/nodes");
    assert_eq!(nodes.len(), 5);
    for node in &nodes {
        assert_eq!(node["status"]["nodeInfo"]["kubeletVersion"], "v1.33.5");
        assert!(node["spec"]["providerID"].as_str().unwrap().starts_with("moc://"));
        assert_no_person(node);
        assert_eq!(writer_of_label(node, "kubernetes.io/hostname").manager, "kubelet");
        let size = writer_of_label(node, "node.kubernetes.io/instance-type");
        assert_eq!(size.manager, "moc-cloud-controller-manager");
    }
    assert_eq!(nodes.iter().filter(|node| node["spec"]["taints"].is_array()).count(), 1);
    for path in [
        "/apis/apps/v1/namespaces/kube-system/deployments",
        "/apis/apps/v1/namespaces/kube-system/daemonsets",
        "/api/v1/namespaces/kube-system/services",
        "/api/v1/namespaces/kube-system/serviceaccounts",
    ] {
        let objects = items(&cluster, path);
        assert!(!objects.is_empty(), "{path}");
        objects.iter().for_each(assert_no_person);
    }
    // The two objects that Microsoft's documents have users create.
    let maps = items(&cluster, "/api/v1/namespaces/kube-system/configmaps");
    let own: Vec<_> = maps.iter().filter(|map| person(map).is_some()).map(name).collect();
    assert_eq!(own, ["ama-metrics-settings-configmap", "container-azm-ms-agentconfig"]);
    seen::pods_run(&cluster).unwrap();
}

#[test]
fn each_change_of_the_drifted_cluster_left_its_trace() {
    let cluster = DRIFTED.lease();
    let node = |name: &str| get(&cluster, &format!("/api/v1/nodes/{name}"));
    let system = |path: &str| {
        let (group, rest) = path.split_at(path.rfind("v1/").unwrap() + 3);
        get(&cluster, &format!("{group}namespaces/kube-system/{rest}"))
    };

    let size = "node.kubernetes.io/instance-type";
    for changed in ["moc-l3xk9p0bd7t", "moc-lm4ivy8s1fh"] {
        let node = node(changed);
        assert_eq!(node["metadata"]["labels"][size], "Standard_A8_v2");
        assert_later(&node, &writer_of_label(&node, size), "kubectl-label");
        let own = writer_of_label(&node, "contoso.example/site");
        assert_later(&node, &own, "kubectl-label");
    }
    let renamed = node("moc-l8c2ongw6ra");
    let hostname = writer_of_label(&renamed, "kubernetes.io/hostname");
    assert_later(&renamed, &hostname, "kubectl-label");
    assert_later(&renamed, &writer_of(&renamed, &["f:spec", "f:taints"]), "kubectl-taint");
    let moved = node("moc-lt5jz1e9quk");
    let pool = writer_of_label(&moved, "msft.microsoft/nodepool-name");
    assert_later(&moved, &pool, "kubectl-patch");
    assert_eq!(pool.subresource, "status");
    let reserved = node("moc-l3xk9p0bd7t");
    let team = writer_of_label(&reserved, "kubernetes.azure.com/my-team");
    assert_later(&reserved, &team, "kubectl-label");

    let namespace = get(&cluster, "/api/v1/namespaces/azure-arc");
    let ownership = writer_of_label(&namespace, "app.kubernetes.io/managed-by");
    assert_later(&namespace, &ownership, "kubectl-label");

    let dns = system("/apis/apps/v1/deployments/coredns");
    assert_eq!((&dns["spec"]["replicas"], dns["status"]["replicas"].as_u64()), (&0.into(), None));
    // A zero is not serialized, so that scaling to it takes the field from its owner and gives it to nobody: its
    // absence is the only trace.
    assert_eq!(writers_of(&dns, &["f:spec", "f:replicas"]), []);
    let proxy = system("/api/v1/configmaps/kube-proxy");
    let mode = writer_of(&proxy, &["f:data", "f:config.conf"]);
    assert_later(&proxy, &mode, "kubectl-edit");
    assert!(proxy["data"]["config.conf"].as_str().unwrap().contains("mode: ipvs"));
    let calico = system("/apis/apps/v1/deployments/calico-kube-controllers");
    let container = r#"k:{"name":"calico-kube-controllers"}"#;
    let image = ["f:spec", "f:template", "f:spec", "f:containers", container, "f:image"];
    assert_later(&calico, &writer_of(&calico, &image), "kubectl-patch");

    for path in
        ["/apis/apps/v1/deployments/log-shipper", "/api/v1/services/log-shipper", "/api/v1/serviceaccounts/log-shipper"]
    {
        let object = system(path);
        assert_eq!(writer_of_label(&object, "app.kubernetes.io/managed-by").manager, "helm");
        let release = &object["metadata"]["annotations"]["meta.helm.sh/release-name"];
        assert_eq!(release, "log-shipper");
    }
    let tuner = system("/apis/apps/v1/daemonsets/node-tuner");
    let applied = writer_of_label(&tuner, "argocd.argoproj.io/instance");
    assert_eq!((&*applied.manager, &*applied.operation), ("argocd-controller", "Apply"));
    let sync = system("/api/v1/services/edge-sync");
    assert_eq!(managers(&sync), ["bootstrapper"]);

    let old = node("moc-lz6h2vbn4ys");
    assert_eq!(old["status"]["nodeInfo"]["kubeletVersion"], "v1.29.13");
    assert_no_person(&old);
    let foreign = node("k3s-agent-01");
    assert_eq!(foreign["spec"]["providerID"], "k3s://k3s-agent-01");
    let declared = writer_of(&foreign, &["f:spec", "f:providerID"]);
    assert_eq!(declared.manager, "kubectl-create");
    assert_eq!(writer_of_label(&foreign, "kubernetes.io/hostname").manager, "k3s");
    assert!(foreign["metadata"]["labels"]["msft.microsoft/nodepool-name"].is_null());

    // Who did it, as the audit log saw it.
    for (user, verb, resource, subresource, object) in [
        ("alice@contoso.example", "patch", "nodes", "", "moc-lm4ivy8s1fh"),
        ("kubernetes-admin", "patch", "nodes", "", "moc-l8c2ongw6ra"),
        ("alice@contoso.example", "patch", "nodes", "status", "moc-lt5jz1e9quk"),
        ("alice@contoso.example", "patch", "deployments", "scale", "coredns"),
        ("kubernetes-admin", "patch", "configmaps", "", "kube-proxy"),
        ("system:serviceaccount:argocd:argocd-application-controller", "patch", "daemonsets", "", "node-tuner"),
        ("alice@contoso.example", "create", "nodes", "", "k3s-agent-01"),
    ] {
        let event = cluster.audit_event(object, |event| {
            let target = &event.object_ref;
            event.user.username == user
                && event.verb == verb
                && (&*target.resource, &*target.subresource) == (resource, subresource)
                && target.name == object
        });
        assert!((200..300).contains(&event.unwrap().response_status.code), "{object}");
    }
}

/// One entry of managedFields.
#[derive(Clone, Debug, PartialEq)]
struct Writer {
    manager: String,
    operation: String,
    subresource: String,
    time: String,
}

/// The only writer of the field at `path`, in the notation of managedFields.
fn writer_of(object: &Value, path: &[&str]) -> Writer {
    let writers = writers_of(object, path);
    let [writer] = &*writers else {
        panic!("{path:?} is owned by {writers:?}: {object}");
    };
    writer.clone()
}

fn writers_of(object: &Value, path: &[&str]) -> Vec<Writer> {
    let owns = |entry: &&Value| {
        let mut path = path.iter();
        path.try_fold(&entry["fieldsV1"], |fields, key| fields.get(key)).is_some()
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let writer = |entry: &Value| Writer {
        manager: text(&entry["manager"]),
        operation: text(&entry["operation"]),
        subresource: text(&entry["subresource"]),
        time: text(&entry["time"]),
    };
    let entries = object["metadata"]["managedFields"].as_array().unwrap().iter();
    entries.filter(owns).map(writer).collect()
}

fn writer_of_label(object: &Value, key: &str) -> Writer {
    writer_of(object, &["f:metadata", "f:labels", &format!("f:{key}")])
}

fn assert_later(object: &Value, writer: &Writer, manager: &str) {
    assert_eq!(writer.manager, manager, "{writer:?}");
    let created = object["metadata"]["creationTimestamp"].as_str().unwrap();
    assert!(&*writer.time > created, "{writer:?} is not after {created}");
}

/// No tool of a person's has written here, apart from Helm's writes for the Arc agents.
fn assert_no_person(object: &Value) {
    assert_eq!(person(object), None, "{}", name(object));
}

fn get(cluster: &ControlPlane, path: &str) -> Value {
    seen::object(cluster, path).unwrap()
}

fn items(cluster: &ControlPlane, path: &str) -> Vec<Value> {
    seen::items(cluster, path).unwrap()
}
