//! Reviews of a person's edit of a node.

use serde_json::{Value, json};

/// A person's change of the node: a cordon alone; with it a system label that the node had not, which is warned of; or
/// another value of a system label, which is denied.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Edit {
    Denied,
    Lawful,
    Warned,
}

impl Edit {
    /// Whether this is the guard's answer to the edit.
    pub(crate) fn is_answered_by(self, answer: &[u8]) -> bool {
        let Ok(answer) = serde_json::from_slice::<Value>(answer) else { return false };
        let at = |path: &str| answer.pointer(path);
        let judged = at("/response/auditAnnotations/not-evaluated").is_none();
        let warned = at("/response/warnings").is_some();
        judged && warned == (self == Edit::Warned) && at("/response/allowed") == Some(&json!(self != Edit::Denied))
    }
}

/// The review of an edit, in the order in which the API server writes it: both sides of the object, filled up to `bytes`
/// with the list of images that makes nodes large.
pub(crate) fn review(edit: Edit, bytes: usize) -> String {
    let one = 2 * image(0).to_string().len() + 2;
    let room = bytes.saturating_sub(whole(edit, &[]).len());
    let images: Vec<Value> = (0..room / one).map(image).collect();
    whole(edit, &images)
}

fn whole(edit: Edit, images: &[Value]) -> String {
    let (kind, resource) =
        (r#"{"group":"","version":"v1","kind":"Node"}"#, r#"{"group":"","version":"v1","resource":"nodes"}"#);
    let user = json!({"username": PERSON, "groups": ["operators", "system:authenticated"],
        "extra": {"authentication.kubernetes.io/credential-id": ["X509SHA256=5d41402abc4b2a76b9719d911017c592"]}});
    let options = json!({"kind": "PatchOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "kubectl-label"});
    let (object, old) = (node(edit, images, true), node(edit, images, false));
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"0f5c1c1c-0000-4000-8000-000000000001","kind":{kind},"resource":{resource},"requestKind":{kind},"requestResource":{resource},"name":"{NODE}","operation":"UPDATE","userInfo":{user},"object":{object},"oldObject":{old},"dryRun":false,"options":{options}}}}}"#
    )
}

/// A node with some images, before or after an edit.
pub(crate) fn node(edit: Edit, images: &[Value], after: bool) -> Value {
    let instance_type = if after && edit == Edit::Denied { "edge-big" } else { "Standard_A4_v2" };
    let mut labels = json!({
        "beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux", "kubernetes.io/hostname": NODE, "node.kubernetes.io/instance-type": instance_type,
        "msft.microsoft/nodepool-name": "edge-1a2b3c4d-pool1", "contoso.example/site": "ams",
    });
    if let (true, Edit::Warned, Value::Object(labels)) = (after, edit, &mut labels) {
        labels.insert("topology.kubernetes.io/zone".to_owned(), json!("west-1"));
    }
    json!({
        "kind": "Node", "apiVersion": "v1",
        "metadata": {
            "name": NODE, "uid": "7d2c2a52-90de-4b3b-8d0e-6c2f1b7fd001", "resourceVersion": "81234", "creationTimestamp": "2026-06-01T08:00:00Z",
            "labels": labels,
            "annotations": {
                "cluster.x-k8s.io/machine": "edge-md-1", "cluster.x-k8s.io/owner-kind": "MachineSet",
                "volumes.kubernetes.io/controller-managed-attach-detach": "true", "projectcalico.org/IPv4Address": "10.0.0.7/24",
            },
            "managedFields": [
                {"manager": "kubelet", "operation": "Update", "apiVersion": "v1", "time": "2026-06-01T08:00:00Z", "fieldsType": "FieldsV1",
                 "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:kubernetes.io/arch": {}, "f:kubernetes.io/hostname": {}, "f:kubernetes.io/os": {}}}, "f:spec": {"f:providerID": {}}}},
                {"manager": "kubectl-label", "operation": "Update", "apiVersion": "v1", "time": "2026-06-02T08:00:00Z", "fieldsType": "FieldsV1",
                 "fieldsV1": {"f:metadata": {"f:labels": {"f:contoso.example/site": {}}}}},
            ],
        },
        "spec": {"providerID": "moc://edge-1a2b3c4d-pool1-md-x7k2p-9q8zt", "podCIDR": "10.244.3.0/24", "podCIDRs": ["10.244.3.0/24"], "unschedulable": after},
        "status": {
            "capacity": {"cpu": "4", "memory": "8138224Ki", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}],
            "nodeInfo": {"kubeletVersion": "v1.33.5", "osImage": "Microsoft Azure Linux 3.0", "architecture": "amd64", "operatingSystem": "linux"},
            "images": images,
        },
    })
}

/// One of a node's images.
pub(crate) fn image(n: usize) -> Value {
    let names = [format!("ecpacr.azurecr.io/part-{n}@sha256:{n:064x}"), format!("ecpacr.azurecr.io/part-{n}:v1.{n}")];
    json!({"names": names, "sizeBytes": 91_234_567 + n})
}

/// The name of the node.
pub(crate) const NODE: &str = "moc-l7x2";
/// The name of the person.
pub(crate) const PERSON: &str = "alice@contoso.example";
