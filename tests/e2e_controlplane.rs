//! The harness itself, on which every other end-to-end test rests.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::io::Read;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use aksarc_tests::{ControlPlane, Identity, Kubernetes, PatchKind, Shared, wait};
use serde_json::{Value, json};

/// Each test that shares it has names of its own.
static PLAIN: Shared = Shared::new(|| ControlPlane::start(Kubernetes::NEWEST).unwrap());

#[test]
fn the_server_reports_its_version() {
    let answer = PLAIN.lease().http(&Identity::Person).unwrap().get("/version").unwrap();
    assert_eq!(answer.object().unwrap()["gitVersion"], Kubernetes::NEWEST.git_version());
}

#[test]
fn identities_are_who_they_say() {
    let cluster = PLAIN.lease();
    let identities = [
        (Identity::Admin, "kubernetes-admin", "system:masters"),
        (Identity::SecondAdmin, "kubernetes-admin", "system:masters"),
        (Identity::Person, "alice@contoso.example", "system:authenticated"),
        (Identity::Reader, "reader@contoso.example", "system:authenticated"),
        (
            Identity::GitOps,
            "system:serviceaccount:argocd:argocd-application-controller",
            "system:serviceaccounts:argocd",
        ),
        (Identity::kubelet("moc-l1"), "system:node:moc-l1", "system:nodes"),
        (
            Identity::NodeController,
            "system:serviceaccount:kube-system:node-controller",
            "system:serviceaccounts:kube-system",
        ),
        (
            cluster.service_account("shop", "deployer").unwrap(),
            "system:serviceaccount:shop:deployer",
            "system:serviceaccounts:shop",
        ),
        (Identity::user_in("bob", "auditors"), "bob", "auditors"),
    ];
    let mut credentials = Vec::new();
    for (identity, name, group) in &identities {
        let me = whoami(&cluster, identity);
        assert_eq!(me["username"], **name);
        assert_eq!(identity.username(), **name);
        assert!(me["groups"].as_array().unwrap().contains(&json!(group)), "{me}");
        credentials.push(me["extra"]["authentication.kubernetes.io/credential-id"][0].clone());
    }
    assert!(credentials[0].as_str().unwrap().starts_with("X509SHA256="));
    assert_ne!(credentials[0], credentials[1], "two admins have two certificates");
}

#[test]
fn rights_are_as_described() {
    let cluster = PLAIN.lease();
    let get = |identity: &Identity, path: &str| cluster.http(identity).unwrap().get(path).unwrap();
    for (identity, path, code) in [
        (Identity::Person, "/api/v1/nodes", 200),
        (Identity::GitOps, "/api/v1/nodes", 200),
        (Identity::Reader, "/api/v1/pods", 200),
        (Identity::Reader, "/apis/apps/v1/deployments", 200),
        (Identity::Reader, "/api/v1/nodes", 403),
        (Identity::user("bob"), "/api/v1/pods", 403),
    ] {
        assert_eq!(get(&identity, path).code, code, "{identity:?} {path}");
    }
    let rules = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]);
    cluster.allow(&Identity::user("bob"), &rules).unwrap();
    assert_eq!(get(&Identity::user("bob"), "/api/v1/pods").code, 200);
}

#[test]
fn the_audit_log_has_who_asked_for_what() {
    let cluster = PLAIN.lease();
    let arguments = ["create", "namespace", "audited", "--dry-run=server"];
    cluster.kubectl(&Identity::Person, arguments).unwrap().succeeded().unwrap();
    let event =
        cluster.audit_event("the dry run", |event| event.verb == "create" && event.object_ref.name == "audited");
    let event = event.unwrap();
    assert_eq!(event.user.username, "alice@contoso.example");
    assert!(event.is_dry_run(), "{}", event.request_uri);
    assert!(event.request_uri.contains("fieldManager=kubectl-create"), "{}", event.request_uri);
    assert_eq!(event.response_status.code, 201);
    assert_eq!(event.annotations["authorization.k8s.io/decision"], "allow");
    assert_eq!(event.request_object.unwrap()["metadata"]["name"], "audited");
}

#[test]
fn a_deployment_rolls_out_on_played_nodes() {
    let cluster = ControlPlane::builder(Kubernetes::V1_33).controller_manager().kwok().start().unwrap();
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "moc-l1"}});
    let kubelet = cluster.http(&Identity::kubelet("moc-l1")).unwrap();
    kubelet.post("/api/v1/nodes", &node).unwrap().object().unwrap();
    let arguments = ["create", "deployment", "web", "--image=example.com/web:1", "--replicas=2"];
    cluster.kubectl(&Identity::Person, arguments).unwrap().succeeded().unwrap();
    let path = "/apis/apps/v1/namespaces/default/deployments/web";
    let deployment = cluster.object_when(path, LIMIT, |web| web["status"]["readyReplicas"] == 2);
    let deployment = deployment.unwrap();
    // Not the first: writers of one second are sorted by name.
    let writers = deployment["metadata"]["managedFields"].as_array().unwrap();
    assert!(writers.iter().any(|writer| writer["manager"] == "kubectl-create"), "{writers:?}");
    let event =
        cluster.audit_event("a pod's creation", |event| event.verb == "create" && event.object_ref.resource == "pods");
    let creator = event.unwrap().user.username;
    assert_eq!(creator, "system:serviceaccount:kube-system:replicaset-controller");
}

#[test]
fn a_chart_is_installed_by_the_real_helm() {
    let cluster = PLAIN.lease();
    let chart = cluster.directory().join("chart");
    std::fs::create_dir_all(chart.join("templates")).unwrap();
    std::fs::write(chart.join("Chart.yaml"), "{apiVersion: v2, name: shop, version: 1.0.0}").unwrap();
    let template = "{apiVersion: v1, kind: ConfigMap, metadata: {name: shop}}";
    std::fs::write(chart.join("templates/map.yaml"), template).unwrap();
    let arguments = ["install", "shop", chart.to_str().unwrap()];
    cluster.helm(&Identity::Person, arguments).unwrap().succeeded().unwrap();
    let http = cluster.http(&Identity::Person).unwrap();
    let map = http.get("/api/v1/namespaces/default/configmaps/shop").unwrap().object().unwrap();
    assert_eq!(map["metadata"]["managedFields"][0]["manager"], "helm");
    assert_eq!(map["metadata"]["annotations"]["meta.helm.sh/release-name"], "shop");
}

/// The way from the shipped manifest to a webhook in tests: by its Service, which names `localhost`.
#[test]
fn a_webhook_behind_a_service_is_reached_on_loopback() {
    let cluster = PLAIN.lease();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let admin = cluster.http(&Identity::Admin).unwrap();
    admin.post("/api/v1/namespaces/default/services", &service(port)).unwrap().object().unwrap();
    let webhooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
    admin.post(webhooks, &webhook(port)).unwrap().object().unwrap();

    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut hello = vec![0; 512];
        let mut stream = listener.accept().unwrap().0;
        let length = stream.read(&mut hello).unwrap();
        hello.truncate(length);
        sender.send(hello).unwrap();
    });
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "probe"}});
    let hello = wait::until("a call", LIMIT, || {
        // The registration takes a moment to reach the admission chain.
        let path = "/api/v1/namespaces/default/configmaps?dryRun=All";
        admin.post(path, &map).unwrap();
        receiver.try_recv()
    });
    let hello = hello.unwrap();
    admin.delete(&format!("{webhooks}/guard")).unwrap().object().unwrap();
    let name = b"guard.default.svc";
    assert!(hello.windows(name.len()).any(|part| part == name), "no such server name");
}

#[test]
fn nothing_is_left_when_it_ends() {
    let started = Instant::now();
    let cluster = ControlPlane::builder(Kubernetes::V1_33).controller_manager().kwok().start();
    let cluster = cluster.unwrap();
    println!("ready after {:.1?}", started.elapsed());
    let processes = cluster.processes();
    assert_eq!(processes.len(), 5, "{processes:?}");
    assert!(processes.iter().all(|(_, pid)| is_running(*pid)));
    let directory = cluster.directory().to_owned();
    drop(cluster);
    assert_eq!(processes.iter().find(|(_, pid)| is_running(*pid)), None);
    assert!(!directory.exists());
}

#[test]
fn a_failed_test_keeps_its_files_and_still_ends_everything() {
    let (sender, receiver) = mpsc::channel();
    let failed = thread::spawn(move || {
        let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
        sender.send((cluster.processes(), cluster.directory().to_owned())).unwrap();
        panic!("as a failed assertion would");
    });
    failed.join().unwrap_err();
    let (processes, directory) = receiver.recv().unwrap();
    assert_eq!(processes.iter().find(|(_, pid)| is_running(*pid)), None);
    assert!(directory.join("kube-apiserver.log").exists());
    assert!(directory.join("audit.log").exists());
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_killed_test_process_leaves_nothing_running() {
    // This test, in another process, which waits to be killed.
    if let Some(report) = std::env::var_os(REPORT) {
        let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
        let unfinished = PathBuf::from(&report).with_extension("unfinished");
        let processes = json!({"processes": cluster.processes(), "directory": cluster.directory()});
        std::fs::write(&unfinished, processes.to_string()).unwrap();
        std::fs::rename(unfinished, report).unwrap();
        loop {
            thread::park();
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.json");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_test_process_leaves_nothing_running"])
        .env(REPORT, &report)
        .spawn()
        .unwrap();
    let started = wait::until("the other process' report", LIMIT, || std::fs::read(&report));
    child.kill().unwrap();
    child.wait().unwrap();
    let report: Value = serde_json::from_slice(&started.unwrap()).unwrap();
    for process in report["processes"].as_array().unwrap() {
        let pid = u32::try_from(process[1].as_u64().unwrap()).unwrap();
        let gone =
            wait::until(&process.to_string(), LIMIT, || if is_running(pid) { Err("still running") } else { Ok(()) });
        gone.unwrap();
    }
    std::fs::remove_dir_all(report["directory"].as_str().unwrap()).unwrap();
}

#[test]
fn a_shared_control_plane_ends_with_its_process() {
    // This test, in another process, which has no other test.
    if let Some(report) = std::env::var_os(REPORT) {
        let cluster = PLAIN.lease();
        let processes = json!({"processes": cluster.processes(), "directory": cluster.directory()});
        std::fs::write(&report, processes.to_string()).unwrap();
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.json");
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_shared_control_plane_ends_with_its_process"])
        .env(REPORT, &report)
        .output()
        .unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let kept = PathBuf::from(report["directory"].as_str().unwrap());
    wait::until("its directory to go", LIMIT, || if kept.exists() { Err("it is there") } else { Ok(()) }).unwrap();
    for process in report["processes"].as_array().unwrap() {
        let pid = u32::try_from(process[1].as_u64().unwrap()).unwrap();
        let gone =
            wait::until(&process.to_string(), LIMIT, || if is_running(pid) { Err("still running") } else { Ok(()) });
        gone.unwrap();
    }
}

#[tokio::test]
async fn it_can_be_used_inside_an_async_test() {
    let cluster = PLAIN.lease();
    let version = cluster.client(&Identity::Person).unwrap().apiserver_version().await.unwrap();
    assert_eq!(version.git_version, "v1.33.13");
    let patch = json!({"metadata": {"labels": {"team": "shop"}}});
    let http = cluster.http(&Identity::Person).unwrap();
    let answer = http.patch("/api/v1/namespaces/default", PatchKind::Merge, &patch).unwrap();
    assert_eq!(answer.object().unwrap()["metadata"]["labels"]["team"], "shop");
}

fn whoami(cluster: &ControlPlane, identity: &Identity) -> Value {
    let answer = cluster.kubectl(identity, ["auth", "whoami", "-o", "json"]).unwrap();
    let review: Value = serde_json::from_str(answer.succeeded().unwrap()).unwrap();
    review["status"]["userInfo"].clone()
}

/// A zombie counts as gone: it waits for its parent, which for an orphan is not ours to hurry.
fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn service(port: u16) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "guard"},
        "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]},
    })
}

fn webhook(port: u16) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "guard"},
        "webhooks": [{
            "name": "guard.aksarc.dev",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Ignore",
            "timeoutSeconds": 1,
            "clientConfig": {"service": {"name": "guard", "namespace": "default", "port": port}},
            "rules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
                "operations": ["CREATE"],
            }],
        }],
    })
}

const REPORT: &str = "AKSARC_REPORT";

const LIMIT: Duration = Duration::from_secs(30);
