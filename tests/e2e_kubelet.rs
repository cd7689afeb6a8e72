//! The harness' kubelet: pods with our images run as processes, are probed, routed to and ended as in a cluster.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use aksarc_tests::kubelet::Kubelet;
use aksarc_tests::replicas::signal;
use aksarc_tests::{ControlPlane, Finished, Identity, Kubernetes, PatchKind, Shared, product, wait};
use serde_json::{Value, json};

/// Each test has a namespace of its own.
static CLUSTER: Shared =
    Shared::new(|| ControlPlane::builder(Kubernetes::NEWEST).controller_manager().pods().start().unwrap());

#[test]
fn a_job_succeeds_or_fails_by_the_exit_code_of_its_program() {
    let cluster = CLUSTER.lease();
    apply(&cluster, "{apiVersion: v1, kind: Namespace, metadata: {name: jobs}}");
    let kubelet = Kubelet::start(&cluster, "jobs").unwrap();
    apply(&cluster, JOBS);

    let job = |name: &str, condition: &str| {
        let met = |job: &Value| {
            job["status"]["conditions"].as_array().is_some_and(|all| all.iter().any(|one| one["type"] == condition))
        };
        cluster.object_when(&format!("/apis/batch/v1/namespaces/jobs/jobs/{name}"), LIMIT, met).unwrap();
        let pods = format!("/api/v1/namespaces/jobs/pods?labelSelector=job-name={name}");
        get(&cluster, &pods)["items"][0].clone()
    };
    let right = job("right", "Complete");
    assert_eq!(right["status"]["phase"], "Succeeded");
    let log = kubelet.log(right["metadata"]["name"].as_str().unwrap()).unwrap();
    assert!(log.contains("the configuration can be used"), "{log}");
    let wrong = job("wrong", "Failed");
    assert_eq!(wrong["status"]["phase"], "Failed");
    assert_eq!(wrong["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"], 2, "{wrong}");

    // The token is its service account's, and bound to the pod.
    let asks = job("asks", "Failed");
    let account = "system:serviceaccount:jobs:reader";
    let event = cluster.audit_event("a request of the job", |event| event.user.username == account).unwrap();
    assert_eq!(event.user.extra["authentication.kubernetes.io/pod-name"], [asks["metadata"]["name"].clone()]);

    // What is not in the image, or not there, does not run.
    for (pod, why) in [("shell", "no such file in the image"), ("unmounted", "there is no ConfigMap absent")] {
        let told = |pod: &Value| {
            pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"].to_string().contains(why)
        };
        cluster.object_when(&format!("/api/v1/namespaces/jobs/pods/{pod}"), LIMIT, told).unwrap();
    }
}

#[test]
fn a_container_that_fails_its_liveness_probe_is_started_again() {
    let cluster = CLUSTER.lease();
    apply(&cluster, "{apiVersion: v1, kind: Namespace, metadata: {name: lively}}");
    let _kubelet = Kubelet::start(&cluster, "lively").unwrap();
    apply(&cluster, DYING);
    let path = "/api/v1/namespaces/lively/pods/dying";
    let pod =
        cluster.object_when(path, LIMIT, |pod| pod["status"]["containerStatuses"][0]["restartCount"] == 1).unwrap();
    // It was told to end, and ended by itself.
    assert_eq!(pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"], 0, "{pod}");
}

#[test]
fn the_shipped_manifest_runs_as_it_is() {
    let cluster = CLUSTER.lease();
    apply(&cluster, "{apiVersion: v1, kind: Namespace, metadata: {name: aksarc-system}}");
    let kubelet = Kubelet::start(&cluster, "aksarc-system").unwrap();
    configure(&cluster, "enforce");
    let mut manifest = cluster.command(&Identity::Admin, &product::webhook().unwrap()).unwrap();
    manifest.args(["manifest", "--image", "registry.example/aksarc-webhook:test"]);
    apply(&cluster, Finished::run(&mut manifest, None).unwrap().succeeded().unwrap());
    ready(&cluster, 2);

    // The API server reaches it by the Service and the configuration of the manifest.
    let denied = denied(&cluster).unwrap();
    assert!(denied.contains("AA303") && denied.contains(".guard.aksarc.dev\" denied the request"), "{denied}");
    let running = kubelet.running();
    let [first, second] = &*running else { panic!("{running:?}") };
    for pod in &running {
        let raw = format!("/api/v1/namespaces/aksarc-system/pods/{}:8081/proxy/readyz", pod.name);
        cluster.kubectl(&Identity::Admin, ["get", "--raw", &raw]).unwrap().succeeded().unwrap();
    }

    // A change of the ConfigMap is in the volume, and then in use.
    configure(&cluster, "warn");
    let file = kubelet.volume(&first.name, "config").join("guard.yaml");
    wait::until("the changed file", LIMIT, || {
        let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
        if text.contains("warn") { Ok(()) } else { Err(text) }
    })
    .unwrap();

    // No review is routed to a pod that is not ready. Both have to be routed to before.
    endpoints(&cluster, 2);
    signal(first.pid, "STOP").unwrap();
    assert_eq!(endpoints(&cluster, 1), [pod_address(&cluster, &second.name)]);
    signal(first.pid, "CONT").unwrap();
    endpoints(&cluster, 2);

    // A deleted pod is told to end, and does so by itself; one that does not is killed.
    let address = pod_address(&cluster, &first.name);
    delete(&cluster, &first.name, 30);
    let log = kubelet.log(&first.name).unwrap();
    assert!(log.contains("stopp"), "{log}");
    assert!(!endpoints(&cluster, 2).contains(&address));
    signal(second.pid, "STOP").unwrap();
    delete(&cluster, &second.name, 1);
    assert!(!Path::new(&format!("/proc/{}", second.pid)).exists());
    ready(&cluster, 2);
}

/// Waits until as many pods of the guard are ready.
fn ready(cluster: &ControlPlane, count: u64) {
    let path = "/apis/apps/v1/namespaces/aksarc-system/deployments/guard";
    cluster.object_when(path, LIMIT, |guard| guard["status"]["readyReplicas"] == count).unwrap();
}

/// The guard's answer to a workload of a person's in kube-system, as soon as it denies that.
fn denied(cluster: &ControlPlane) -> anyhow::Result<String> {
    wait::until("a denial", LIMIT, || {
        let create = ["create", "deployment", "web", "--image=web", "--namespace=kube-system", "--dry-run=server"];
        let answer = cluster.kubectl(&Identity::Person, create).unwrap();
        if answer.code == Some(0) { Err(answer.stdout) } else { Ok(answer.stderr) }
    })
}

/// Addresses that are ready behind the guard's Service, as soon as they are so many.
fn endpoints(cluster: &ControlPlane, count: usize) -> Vec<String> {
    let path = "/apis/discovery.k8s.io/v1/namespaces/aksarc-system/endpointslices";
    let addresses = |list: &Value| -> Vec<String> {
        let slices = list["items"].as_array().unwrap().iter();
        let endpoints = slices.flat_map(|slice| slice["endpoints"].as_array().cloned().unwrap_or_default());
        let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"] == true);
        ready.map(|endpoint| endpoint["addresses"][0].as_str().unwrap().to_owned()).collect()
    };
    let list = cluster.object_when(path, LIMIT, |list| addresses(list).len() == count).unwrap();
    addresses(&list)
}

fn pod_address(cluster: &ControlPlane, pod: &str) -> String {
    let pod = get(cluster, &format!("/api/v1/namespaces/aksarc-system/pods/{pod}"));
    pod["status"]["podIP"].as_str().unwrap().to_owned()
}

/// Deletes a pod and waits until it is gone.
fn delete(cluster: &ControlPlane, pod: &str, grace: u32) {
    let grace = format!("--grace-period={grace}");
    let delete = ["delete", "pod", pod, "--namespace=aksarc-system", &grace, "--timeout=30s"];
    cluster.kubectl(&Identity::Admin, delete).unwrap().succeeded().unwrap();
}

fn configure(cluster: &ControlPlane, mode: &str) {
    let text = format!("{{apiVersion: aksarc.dev/v1alpha1, kind: GuardConfig, mode: {mode}}}");
    let map =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "guard"}, "data": {"guard.yaml": text}});
    let path = "/api/v1/namespaces/aksarc-system/configmaps/guard?fieldManager=admin&force=true";
    cluster.http(&Identity::Admin).unwrap().patch(path, PatchKind::Apply, &map).unwrap().object().unwrap();
}

fn apply(cluster: &ControlPlane, manifest: &str) {
    let apply = ["apply", "--server-side", "-f", "-"];
    cluster.kubectl_with(&Identity::Admin, apply, manifest).unwrap().succeeded().unwrap();
}

fn get(cluster: &ControlPlane, path: &str) -> Value {
    cluster.http(&Identity::Admin).unwrap().get(path).unwrap().object().unwrap()
}

const JOBS: &str = r"
{apiVersion: v1, kind: ServiceAccount, metadata: {name: reader, namespace: jobs}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: config, namespace: jobs}
data:
  right.yaml: '{apiVersion: aksarc.dev/v1alpha1, kind: GuardConfig, mode: warn}'
  wrong.yaml: '{apiVersion: aksarc.dev/v1alpha1, kind: GuardConfig, mode: panic}'
---
apiVersion: batch/v1
kind: Job
metadata: {name: right, namespace: jobs}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: check
        image: registry.example/aksarc-webhook:test
        args: [check-config, $(FILE)]
        env: [{name: FILE, value: /etc/aksarc/config/right.yaml}]
        volumeMounts: [{name: config, mountPath: /etc/aksarc/config}]
      volumes: [{name: config, configMap: {name: config}}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: wrong, namespace: jobs}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: check
        image: registry.example/aksarc-webhook:test
        args: [check-config, /etc/aksarc/config/wrong.yaml]
        volumeMounts: [{name: config, mountPath: /etc/aksarc/config}]
      volumes: [{name: config, configMap: {name: config}}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: asks, namespace: jobs}
spec:
  backoffLimit: 0
  template:
    spec:
      serviceAccountName: reader
      restartPolicy: Never
      containers:
      - name: check
        image: registry.example/aksarc-webhook:test
        command: [/kubectl-aksarc]
        # Without a right to anything it fails.
        args: [support-check]
---
apiVersion: v1
kind: Pod
metadata: {name: shell, namespace: jobs}
spec:
  containers: [{name: shell, image: aksarc-webhook, command: [/bin/sh]}]
---
apiVersion: v1
kind: Pod
metadata: {name: unmounted, namespace: jobs}
spec:
  containers: [{name: guard, image: aksarc-webhook}]
  volumes: [{name: config, configMap: {name: absent}}]
";

const DYING: &str = r"
apiVersion: v1
kind: Pod
metadata: {name: dying, namespace: lively}
spec:
  containers:
  - name: guard
    image: registry.example/aksarc-webhook:test
    args: [--linger=0s]
    ports: [{name: probe, containerPort: 8081}]
    livenessProbe: {httpGet: {path: /nothing, port: probe}, periodSeconds: 1, failureThreshold: 2}
";

/// Two replicas of a debug build begin at once, on a machine that does more.
const LIMIT: Duration = Duration::from_secs(90);
