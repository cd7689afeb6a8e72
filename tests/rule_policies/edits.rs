//! Changes, drawn from the objects of a real cluster, and requests for them.

use std::collections::BTreeSet;

use aksarc_shared::data::{Place, embedded};
use aksarc_tests::{Answer, Http, PatchKind};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

/// A change that somebody tries; nothing is stored.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    pub(crate) who: &'static str,
    pub(crate) manager: &'static str,
    pub(crate) verb: Verb,
    /// The path of the object, or for a creation of its collection.
    pub(crate) path: String,
    pub(crate) body: Value,
    /// The object as it is stored, where there is one.
    pub(crate) before: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    Delete,
    Merge,
    Strategic,
}

impl Edit {
    fn by_alice(verb: Verb, path: &str, body: Value) -> Self {
        Edit { who: "alice", manager: "kubectl-edit", verb, path: path.to_owned(), body, before: Value::Null }
    }

    /// One change for each rule that the policies stand in for.
    pub(crate) fn samples() -> Vec<Edit> {
        let node = format!("/api/v1/nodes/{NODE}");
        let system = "/apis/apps/v1/namespaces/kube-system/deployments";
        vec![
            Edit::by_alice(Verb::Merge, &node, json!({"metadata": {"labels": {"kubernetes.io/hostname": "edge-7"}}})),
            Edit::by_alice(
                Verb::Merge,
                &node,
                json!({"metadata": {"annotations": {"cluster.x-k8s.io/machine": null}}}),
            ),
            Edit::by_alice(Verb::Merge, &format!("{system}/coredns/scale"), json!({"spec": {"replicas": 0}})),
            Edit::by_alice(Verb::Delete, &format!("{system}/coredns"), Value::Null),
            Edit::by_alice(Verb::Create, system, workload("Deployment", "kube-system", "own", FOREIGN, &[])),
            Edit::by_alice(Verb::Delete, "/api/v1/namespaces/kube-node-lease", Value::Null),
            Edit::by_alice(Verb::Create, "/api/v1/nodes", json!({"metadata": {"name": "rack-7"}})),
        ]
    }

    /// Makes the request as a dry run.
    pub(crate) fn send(&self, client: &Http) -> Answer {
        let manager = if self.manager.is_empty() { String::new() } else { format!("&fieldManager={}", self.manager) };
        let path = format!("{}?dryRun=All{manager}", self.path);
        match self.verb {
            Verb::Create => client.post(&path, &self.body),
            Verb::Delete => client.delete(&format!("{}?dryRun=All", self.path)),
            Verb::Merge => client.patch(&path, PatchKind::Merge, &self.body),
            Verb::Strategic => client.patch(&path, PatchKind::Strategic, &self.body),
        }
        .unwrap()
    }
}

/// What people did before there was a guard, for good: their names stay in managedFields.
pub(crate) fn traces(alice: &Http) {
    let change = |path: &str, body: &Value| {
        let path = format!("{path}?fieldManager=kubectl-edit");
        alice.patch(&path, PatchKind::Strategic, body).unwrap().object().unwrap();
    };
    let labels = json!({"node.kubernetes.io/instance-type": "edge-big", "topology.kubernetes.io/zone": "rack-7",
        "kubernetes.io/os": "windows"});
    let annotations = json!({"cluster.x-k8s.io/owner-kind": "Rack"});
    change(&format!("/api/v1/nodes/{TOUCHED}"), &json!({"metadata": {"labels": labels, "annotations": annotations}}));
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "kube-proxy", "image": FOREIGN}]}}}});
    change("/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy", &image);
    let path = "/api/v1/namespaces?fieldManager=kubectl-create";
    let space = json!({"metadata": {"name": "azure-extensions-usage-system"}});
    alice.post(path, &space).unwrap().object().unwrap();
}

/// The objects of a cluster that changes are drawn from.
pub(crate) struct Stored {
    nodes: Vec<(String, Value)>,
    namespaces: Vec<(String, Value)>,
    workloads: Vec<(String, Value)>,
    others: Vec<(String, Value)>,
}

impl Stored {
    pub(crate) fn of(admin: &Http) -> Self {
        let list = |path: &str| -> Vec<(String, Value)> {
            let items = admin.get(path).unwrap().object().unwrap()["items"].as_array().unwrap().clone();
            items
                .into_iter()
                .map(|item| (format!("{path}/{}", item["metadata"]["name"].as_str().unwrap()), item))
                .collect()
        };
        let within = |resources: &[(&str, &str)]| {
            let spaces = ["kube-system", "kube-public", "azure-arc"];
            let places = spaces.iter().flat_map(|space| {
                resources.iter().map(move |(group, resource)| format!("/{group}/namespaces/{space}/{resource}"))
            });
            places.flat_map(|path| list(&path)).collect()
        };
        let rbac = "apis/rbac.authorization.k8s.io/v1";
        Stored {
            nodes: list("/api/v1/nodes"),
            namespaces: list("/api/v1/namespaces"),
            workloads: within(&[("apis/apps/v1", "deployments"), ("apis/apps/v1", "daemonsets")]),
            others: within(&[
                ("api/v1", "configmaps"),
                ("api/v1", "services"),
                ("api/v1", "serviceaccounts"),
                ("apis/apps/v1", "replicasets"),
                (rbac, "roles"),
                (rbac, "rolebindings"),
            ]),
        }
    }
}

/// Changes, the same in every run.
pub(crate) fn edits(stored: &Stored, count: usize) -> Vec<Edit> {
    let seed = 20_261_201_u64.to_le_bytes().repeat(4);
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let all = prop_oneof![
        6 => node_keys(stored),
        3 => stops(stored),
        4 => images(stored),
        3 => deletions(stored),
        4 => creations(),
    ];
    (0..count).map(|_| all.new_tree(&mut runner).unwrap().current()).collect()
}

fn who() -> impl Strategy<Value = (&'static str, &'static str)> {
    let managers = vec!["", "kubectl-edit", "Helm.exe", "argocd-controller", "kubelet", "manager"];
    (select(vec!["admin", "alice", "alice", "argo", "platform"]), select(managers))
}

fn node_keys(stored: &Stored) -> impl Strategy<Value = Edit> + use<> {
    let tables = |place| embedded().node_keys.certain(place).map(str::to_owned).collect::<Vec<_>>();
    let some = |more: &[&str], mut keys: Vec<String>| {
        keys.extend(more.iter().map(|key| (*key).to_owned()));
        select(keys)
    };
    let labels = some(&["topology.kubernetes.io/zone", "shop.example/tier", "kubernetes.io/x"], tables(Place::Label));
    let annotations = some(&["projectcalico.org/IPv4Address", "shop.example/tier"], tables(Place::Annotation));
    let key = prop_oneof![labels.prop_map(|key| ("labels", key)), annotations.prop_map(|key| ("annotations", key)),];
    let values = vec!["", "edge-7", "amd64", "LINUX", "linux", "contoso-edge-5d1f08ae-nodepool1", NODE];
    let value = prop_oneof![Just(None), select(values).prop_map(Some)];
    let nodes = select(stored.nodes.clone());
    (who(), nodes, key, value, select(vec!["", "/status"])).prop_map(
        |((who, manager), (path, before), (side, key), value, sub)| {
            let body = json!({"metadata": {side: {key: value}}});
            Edit { who, manager, verb: Verb::Merge, path: format!("{path}{sub}"), body, before }
        },
    )
}

fn stops(stored: &Stored) -> impl Strategy<Value = Edit> + use<> {
    let deployments: Vec<_> =
        stored.workloads.iter().filter(|(path, _)| path.contains("/deployments/")).cloned().collect();
    (who(), select(deployments), select(vec![0, 1, 3]), select(vec!["", "/scale"])).prop_map(
        |((who, manager), (path, before), replicas, sub)| {
            let body = json!({"spec": {"replicas": replicas}});
            Edit { who, manager, verb: Verb::Merge, path: format!("{path}{sub}"), body, before }
        },
    )
}

fn images(stored: &Stored) -> impl Strategy<Value = Edit> + use<> {
    let image = select(vec![FOREIGN, OWN]);
    let list = select(vec!["containers", "initContainers"]);
    (who(), select(stored.workloads.clone()), image, list, any::<bool>()).prop_map(
        |((who, manager), (path, before), image, list, new)| {
            let of = |list: &str| before["spec"]["template"]["spec"][list][0]["name"].as_str().map(str::to_owned);
            let name = of(list).filter(|_| !new).unwrap_or_else(|| "beside".to_owned());
            let body = json!({"spec": {"template": {"spec": {list: [{"name": name, "image": image}]}}}});
            Edit { who, manager, verb: Verb::Strategic, path, body, before }
        },
    )
}

fn deletions(stored: &Stored) -> impl Strategy<Value = Edit> + use<> {
    let one = prop_oneof![
        select(stored.workloads.clone()),
        select(stored.others.clone()),
        select(stored.namespaces.clone()),
        select(stored.nodes.clone()),
    ];
    (who(), one).prop_map(|((who, _), (path, before))| Edit {
        who,
        manager: "",
        verb: Verb::Delete,
        path,
        body: Value::Null,
        before,
    })
}

fn creations() -> impl Strategy<Value = Edit> {
    let names = vec!["own", "coredns", "kube-proxy", "ama-logs", "ama-own", "calico-node", "mitigation", ""];
    let commands: Vec<&'static [&'static str]> = vec![&[], &["sh", "-c", "rmmod algif_aead"]];
    let spaces = select(vec!["kube-system", "kube-system", "kube-public", "azure-arc", "default"]);
    let workloads = (who(), select(RUN.to_vec()), spaces, select(names), select(vec![FOREIGN, OWN]), select(commands));
    let workloads = workloads.prop_map(|((who, manager), (kind, group, resource), space, name, image, command)| Edit {
        who,
        manager,
        verb: Verb::Create,
        path: format!("/{group}/namespaces/{space}/{resource}"),
        body: workload(kind, space, name, image, command),
        before: Value::Null,
    });
    let nodes = who().prop_map(|(who, manager)| Edit {
        who,
        manager,
        verb: Verb::Create,
        path: "/api/v1/nodes".to_owned(),
        body: json!({"metadata": {"name": "rack-7"}}),
        before: Value::Null,
    });
    prop_oneof![8 => workloads, 1 => nodes]
}

/// A workload; one without a name leaves that to the API server.
fn workload(kind: &str, namespace: &str, name: &str, image: &str, command: &[&str]) -> Value {
    let labels = json!({"app": "own"});
    let mut pod = json!({"automountServiceAccountToken": false, "containers": [{"name": "main", "image": image}]});
    if !command.is_empty() {
        pod["containers"][0]["command"] = json!(command);
    }
    if matches!(kind, "Job" | "CronJob") {
        pod["restartPolicy"] = json!("Never");
    }
    let template = json!({"metadata": {"labels": labels}, "spec": pod});
    let spec = match kind {
        "Pod" => pod,
        "Job" => json!({"template": template}),
        "CronJob" => json!({"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template}}}),
        "ReplicationController" => json!({"selector": labels, "template": template}),
        "StatefulSet" => json!({"serviceName": "own", "selector": {"matchLabels": labels}, "template": template}),
        _ => json!({"selector": {"matchLabels": labels}, "template": template}),
    };
    let named = if name.is_empty() { ("generateName", "own-") } else { ("name", name) };
    json!({"metadata": {named.0: named.1, "namespace": namespace, "labels": labels}, "spec": spec})
}

/// The rules of the engine know more than these; see the exceptions.
pub(crate) fn certain(place: Place) -> BTreeSet<&'static str> {
    embedded().node_keys.certain(place).collect()
}

const RUN: [(&str, &str, &str); 8] = [
    ("CronJob", "apis/batch/v1", "cronjobs"),
    ("DaemonSet", "apis/apps/v1", "daemonsets"),
    ("Deployment", "apis/apps/v1", "deployments"),
    ("Job", "apis/batch/v1", "jobs"),
    ("Pod", "api/v1", "pods"),
    ("ReplicaSet", "apis/apps/v1", "replicasets"),
    ("ReplicationController", "api/v1", "replicationcontrollers"),
    ("StatefulSet", "apis/apps/v1", "statefulsets"),
];

/// A worker of the sample, and the one to which people did something before.
const NODE: &str = "moc-l3xk9p0bd7t";
const TOUCHED: &str = "moc-lm4ivy8s1fh";
pub(crate) const FOREIGN: &str = "registry.contoso.example/main:1";
pub(crate) const OWN: &str = "mcr.microsoft.com/oss/own:1";
