//! The rows of programs that really run: controller-manager, scheduler and kwok.

use std::time::Duration;

use aksarc_tests::{AuditEvent, Http, Identity, PatchKind, wait};
use serde_json::{Value, json};

use super::LIMIT;
use super::stage::Stage;
use super::table::{How, Line, Section};
use super::watch::{Counted, Kept};

/// A row of a program.
pub(crate) struct Ran {
    pub(crate) what: &'static str,
    pub(crate) program: &'static str,
    /// The users it acts as; each writes something.
    pub(crate) users: &'static [&'static str],
    pub(crate) source: &'static str,
}

/// The rows, in the order in which a cluster lives through them.
pub(crate) fn section(stage: &Stage) -> Section {
    let mut lines = nodes_join(stage);
    lines.push(rollouts(stage));
    lines.push(garbage_collection(stage));
    lines.push(namespace_deletion(stage));
    lines.push(node_fails(stage));
    lines.push(node_leaves(stage));
    Section { title: "Controllers, scheduler and nodes".to_owned(), lead: "", lines }
}

impl Ran {
    /// Runs `trigger`, whose requests the guard may be asked about, and `effect`, which waits for the program's work: the
    /// guard is not asked about that, its match conditions keep it away, and nothing of it is refused.
    pub(crate) fn play(&self, stage: &Stage, trigger: impl FnOnce(), effect: impl FnOnce()) -> Line {
        let events = stage.cluster.audit_events().unwrap().len();
        let (before, kept) = (Counted::now(&stage.guard), Kept::now(&stage.cluster));
        trigger();
        let triggered = Counted::now(&stage.guard).since(before);
        stage.check(triggered.is_silent(), || format!("{}: {triggered:?}", self.what));
        let before = Counted::now(&stage.guard);
        effect();
        let counted = Counted::now(&stage.guard).since(before);
        stage.check(counted == Counted::default(), || format!("{}: the guard was asked, {counted:?}", self.what));
        let away = Kept::now(&stage.cluster).away - kept.away;
        stage.check(away > 0, || format!("{}: nothing was kept away", self.what));
        for user in self.users {
            let written = |event: &AuditEvent| {
                event.user.username == *user && is_write(event) && event.response_status.code < 300
            };
            let wrote = wait::until(&format!("{}: writes of {user}", self.what), LAG, || {
                let seen = stage.cluster.audit_events().unwrap().split_off(events);
                if seen.iter().any(written) {
                    return Ok(());
                }
                let mut users: Vec<String> =
                    seen.into_iter().filter(is_write).map(|event| event.user.username).collect();
                users.sort();
                users.dedup();
                Err(users.join(", "))
            });
            stage.check(wrote.is_ok(), || format!("{:#}", wrote.unwrap_err()));
        }
        for event in stage.cluster.audit_events().unwrap().split_off(events) {
            let refused = event.response_status.message.contains("guard.aksarc.dev");
            stage.check(!refused, || format!("{}: {event:?}", self.what));
        }
        println!("{}: {away} requests kept away", self.what);
        self.line("kept away by match conditions")
    }

    pub(crate) fn line(&self, guard: &str) -> Line {
        Line {
            what: self.what.to_owned(),
            who: format!("{} ({})", self.program, self.users.join(", ")).replace(" ()", ""),
            how: How::Ran,
            guard: guard.to_owned(),
            source: self.source.to_owned(),
        }
    }
}

fn nodes_join(stage: &Stage) -> Vec<Line> {
    let approval = Ran {
        what: "the certificate of a kubelet that joins is approved and signed",
        program: "kube-controller-manager",
        users: &["system:serviceaccount:kube-system:certificate-controller"],
        source: "TLS bootstrapping, kubernetes.io",
    };
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "moc-l3",
        "labels": {"kubernetes.io/hostname": "moc-l3", "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}},
        "status": {"conditions": [{"type": "Ready", "status": "False", "reason": "KubeletNotReady"}]}});
    let joins = || {
        let kubelet = stage.cluster.join("moc-l3").unwrap();
        stage.check_silent(&kubelet.post("/api/v1/nodes", &node).unwrap(), "a node joins");
    };
    let kwok = Ran {
        what: "nodes become ready, lose their first taints, and pods are bound to them",
        program: "kwok, kube-controller-manager, kube-scheduler",
        users: &["system:kwok", "system:serviceaccount:kube-system:node-controller", "system:kube-scheduler"],
        source: "Nodes, kubernetes.io",
    };
    let ready = || {
        for node in ["moc-l1", "moc-l2", "moc-l3"] {
            stage.check_object(&format!("/api/v1/nodes/{node}"), is_ready);
        }
        for set in ["calico-node", "kube-proxy"] {
            stage.check_object(&format!("{APPS}/daemonsets/{set}"), |set| set["status"]["numberReady"] == 3);
        }
        stage.check_object(&format!("{APPS}/deployments/coredns"), |one| one["status"]["readyReplicas"] == 2);
    };
    vec![approval.play(stage, || {}, joins), kwok.play(stage, || stage.play_kubelets(true), ready)]
}

fn rollouts(stage: &Stage) -> Line {
    let row = Ran {
        what: "a Deployment and a DaemonSet of kube-system, which Cluster API changes, are rolled out",
        program: "kube-controller-manager, kube-scheduler, kwok",
        users: &[
            "system:serviceaccount:kube-system:deployment-controller",
            "system:serviceaccount:kube-system:replicaset-controller",
            "system:serviceaccount:kube-system:daemon-set-controller",
            "system:kube-scheduler",
        ],
        source: "Deployments and DaemonSets, kubernetes.io",
    };
    let change = |path: &str, container: &str, image: &str| {
        let containers = json!([{"name": container, "image": image}]);
        let body = json!({"spec": {"template": {"spec": {"containers": containers}}}});
        let answer = cluster_api(stage).patch(&format!("{APPS}/{path}"), PatchKind::Strategic, &body).unwrap();
        stage.check_silent(&answer, path);
    };
    let trigger = || {
        change("deployments/coredns", "coredns", "ecpacr.azurecr.io/coredns:v1.12.1");
        change("daemonsets/calico-node", "calico-node", "ecpacr.azurecr.io/calico/node:v3.30.2-1");
    };
    let effect = || {
        let rolled = |one: &Value| {
            let status = &one["status"];
            status["observedGeneration"] == one["metadata"]["generation"]
                && status["updatedReplicas"] == 2
                && status["replicas"] == 2
                && status["readyReplicas"] == 2
        };
        stage.check_object(&format!("{APPS}/deployments/coredns"), rolled);
        let rolled = |one: &Value| {
            let status = &one["status"];
            status["observedGeneration"] == one["metadata"]["generation"]
                && status["updatedNumberScheduled"] == 3
                && status["numberReady"] == 3
        };
        stage.check_object(&format!("{APPS}/daemonsets/calico-node"), rolled);
    };
    row.play(stage, trigger, effect)
}

fn garbage_collection(stage: &Stage) -> Line {
    let row = Ran {
        what: "what a deleted Deployment of kube-system leaves is collected",
        program: "kube-controller-manager, kwok",
        users: &["system:serviceaccount:kube-system:generic-garbage-collector", "system:kwok"],
        source: "Garbage Collection, kubernetes.io",
    };
    let trigger = || {
        let path = format!("{APPS}/deployments/csi-akshcicsi-controller?propagationPolicy=Background");
        stage.check_silent(&cluster_api(stage).delete(&path).unwrap(), &path);
    };
    let effect = || {
        for list in ["/apis/apps/v1/namespaces/kube-system/replicasets", "/api/v1/namespaces/kube-system/pods"] {
            let path = format!("{list}?labelSelector=app=csi-akshcicsi-controller");
            stage.check_object(&path, |list| list["items"] == json!([]));
        }
    };
    row.play(stage, trigger, effect)
}

fn namespace_deletion(stage: &Stage) -> Line {
    let row = Ran {
        what: "a namespace of users is emptied, privileged workloads included, and goes",
        program: "kube-controller-manager",
        users: &["system:serviceaccount:kube-system:namespace-controller"],
        source: "Namespaces, kubernetes.io",
    };
    let person = stage.cluster.http(&Identity::Person).unwrap();
    let create = |path: &str, object: &Value| stage.check_silent(&person.post(path, object).unwrap(), path);
    let template = json!({"metadata": {"labels": {"app": "agent"}}, "spec": {
        "containers": [{"name": "main", "image": "registry.contoso.example/agent:1", "securityContext": {"privileged": true}}],
        "volumes": [{"name": "logs", "hostPath": {"path": "/var/log"}}]}});
    let spec = json!({"selector": {"matchLabels": {"app": "agent"}}, "template": template});
    let trigger = || {
        create("/api/v1/namespaces", &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}));
        let privileged =
            json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "agent"}, "spec": spec});
        create("/apis/apps/v1/namespaces/shop/daemonsets", &privileged);
        let mut plain = privileged.clone();
        plain["kind"] = json!("Deployment");
        plain["spec"]["template"]["spec"] =
            json!({"containers": [{"name": "main", "image": "registry.contoso.example/web:1"}]});
        create("/apis/apps/v1/namespaces/shop/deployments", &plain);
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}});
        create("/api/v1/namespaces/shop/configmaps", &map);
        let ready = |one: &Value| one["status"]["readyReplicas"] == 1;
        stage.check_object("/apis/apps/v1/namespaces/shop/deployments/agent", ready);
        stage.check_silent(&person.delete("/api/v1/namespaces/shop").unwrap(), "delete the namespace");
    };
    row.play(stage, trigger, || check_gone(stage, "/api/v1/namespaces/shop"))
}

fn node_fails(stage: &Stage) -> Line {
    let row = Ran {
        what: "a node whose lease stops is tainted and its pods go, and it comes back",
        program: "kube-controller-manager, kwok",
        users: &["system:serviceaccount:kube-system:node-controller", "system:kwok"],
        source: "Nodes, kubernetes.io",
    };
    let toleration = json!({"key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "tolerationSeconds": 1});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stays"}, "spec": {
        "nodeName": "moc-l2", "tolerations": [toleration],
        "containers": [{"name": "main", "image": "registry.contoso.example/main:1"}]}});
    let trigger = || {
        let person = stage.cluster.http(&Identity::Person).unwrap();
        stage.check_silent(&person.post("/api/v1/namespaces/default/pods", &pod).unwrap(), "a pod");
        stage.silence_one_kubelet();
    };
    let effect = || {
        let tainted = |node: &Value| has_taint(node, "node.kubernetes.io/unreachable", "NoExecute");
        stage.check_object("/api/v1/nodes/moc-l2", tainted);
        let leaves = |pod: &Value| pod["metadata"]["deletionTimestamp"].is_string();
        stage.check_object("/api/v1/namespaces/default/pods/stays", leaves);
        stage.play_kubelets(false);
        stage.check_object("/api/v1/nodes/moc-l2", is_ready);
        check_gone(stage, "/api/v1/namespaces/default/pods/stays");
    };
    row.play(stage, trigger, effect)
}

/// The pods of a node that is gone are collected after a minute, which is too long to wait for here.
fn node_leaves(stage: &Stage) -> Line {
    let row = Ran {
        what: "a node that Cluster API deletes leaves",
        program: "kwok",
        users: &[],
        source: "Nodes, kubernetes.io",
    };
    let before = Counted::now(&stage.guard);
    stage.check_silent(&cluster_api(stage).delete("/api/v1/nodes/moc-l3").unwrap(), row.what);
    check_gone(stage, "/api/v1/nodes/moc-l3");
    let counted = Counted::now(&stage.guard).since(before);
    stage.check(counted == Counted { asked: 1, ..Counted::default() }, || format!("{}: {counted:?}", row.what));
    row.line("asked")
}

fn cluster_api(stage: &Stage) -> Http {
    stage.cluster.http(&Identity::SecondAdmin).unwrap().with_headers(&[("user-agent", "manager/v1.11.0")]).unwrap()
}

pub(crate) fn check_gone(stage: &Stage, path: &str) {
    let admin = stage.cluster.http(&Identity::Admin).unwrap();
    let gone = wait::until(&format!("{path} to go"), LIMIT, || {
        let answer = admin.get(path).unwrap();
        if answer.code == 404 { Ok(()) } else { Err(answer.body) }
    });
    stage.check(gone.is_ok(), || format!("{:#}", gone.unwrap_err()));
}

fn is_write(event: &AuditEvent) -> bool {
    matches!(&*event.verb, "create" | "update" | "patch" | "delete" | "deletecollection")
}

fn is_ready(node: &Value) -> bool {
    let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions.into_iter().any(|one| one["type"] == "Ready" && one["status"] == "True");
    let first =
        ["NoSchedule", "NoExecute"].into_iter().any(|effect| has_taint(node, "node.kubernetes.io/not-ready", effect));
    ready && !first && !has_taint(node, "node.kubernetes.io/unreachable", "NoExecute")
}

fn has_taint(node: &Value, key: &str, effect: &str) -> bool {
    let taints = node["spec"]["taints"].as_array().into_iter().flatten();
    taints.into_iter().any(|taint| taint["key"] == *key && taint["effect"] == *effect)
}

const APPS: &str = "/apis/apps/v1/namespaces/kube-system";

/// The audit log lags a little.
const LAG: Duration = Duration::from_secs(10);

/// The length of the leases that kwok holds; it renews each after a quarter of that.
pub(crate) const LEASE: Duration = Duration::from_secs(8);
