//! A kubelet for the product's own images: the pods that the real controllers make become processes of this checkout's
//! programs, with their arguments, volumes, service account and probes.
//!
//! What the processes do is real. What the kubelet plays: images are not pulled, security contexts and limits of resources
//! are not enforced, and a container that ended is started again after a second. A pod that asks for more than is played
//! (init containers, lifecycle hooks, probes by command …) does not start, and its status says why.

mod container;
mod pod;
mod probe;
mod status;
mod volumes;

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, ensure};
use k8s_openapi::List;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::client::{Http, PatchKind};
use crate::control_plane::ControlPlane;
use crate::identity::Identity;
use crate::{pod_network, wait};

use pod::PlayedPod;

/// Runs the pods of one namespace that have an image of ours. They end with the value.
#[derive(Debug)]
pub struct Kubelet {
    stop: Arc<AtomicBool>,
    pods: Arc<Mutex<HashMap<String, PlayedPod>>>,
    directory: PathBuf,
    thread: Option<JoinHandle<()>>,
}

/// A container that runs.
#[derive(Clone, Debug)]
pub struct RunningPod {
    /// The name of its pod.
    pub name: String,
    /// The process.
    pub pid: u32,
    /// The address that it listens on, with the ports that it has in a cluster.
    pub address: Ipv4Addr,
}

/// The parts of a cluster that a kubelet works with.
#[derive(Debug)]
struct Site {
    http: Http,
    namespace: String,
    server: String,
    directory: PathBuf,
}

impl Kubelet {
    /// Registers a node, waits until pods are scheduled to it, and runs the pods of `namespace` from now on. The control plane
    /// has to have [`pods`](crate::Builder::pods).
    ///
    /// # Errors
    /// The API server refuses the node, or has no way to pods.
    pub fn start(cluster: &ControlPlane, namespace: &str) -> anyhow::Result<Self> {
        ensure!(cluster.has_pods(), "this control plane was started without pods");
        let identity = Identity::user_in(USER, "system:nodes");
        cluster.bind(&identity, "cluster-admin")?;
        let directory = cluster.directory().join("pods").join(namespace);
        let site = Site {
            http: cluster.http(&identity)?,
            namespace: namespace.to_owned(),
            server: cluster.server().to_owned(),
            directory: directory.clone(),
        };
        register_node(&site.http)?;
        site.await_account()?;
        let (stop, pods) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(HashMap::new())));
        let (told, played) = (stop.clone(), pods.clone());
        let thread = thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                // A list that failed is asked for again; the control plane says why it ended itself.
                let _ = sync(&site, &played);
                thread::sleep(PAUSE);
            }
        });
        Ok(Kubelet { stop, pods, directory, thread: Some(thread) })
    }

    /// The containers that run, by the names of their pods.
    pub fn running(&self) -> Vec<RunningPod> {
        let mut running: Vec<RunningPod> = lock(&self.pods).values().filter_map(PlayedPod::running).collect();
        running.sort_by(|one, other| one.name.cmp(&other.name));
        running
    }

    /// The directory that stands for a volume of a pod.
    pub fn volume(&self, pod: &str, volume: &str) -> PathBuf {
        self.directory.join(pod).join("volumes").join(volume)
    }

    /// All that the containers of a pod have logged, also of a pod that is gone.
    ///
    /// # Errors
    /// It never ran.
    pub fn log(&self, pod: &str) -> anyhow::Result<String> {
        let path = self.directory.join(pod).join("log");
        let log = std::fs::read(&path).with_context(|| format!("no container of {pod} has run"))?;
        Ok(String::from_utf8_lossy(&log).into_owned())
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // One that panicked has ended too.
            let _ = thread.join();
        }
        lock(&self.pods).clear();
    }
}

impl Site {
    /// Waits until a new namespace has its service account, without which the API server refuses pods.
    fn await_account(&self) -> anyhow::Result<()> {
        let namespace = format!("/api/v1/namespaces/{}", self.namespace);
        if self.http.get(&namespace)?.code == NOT_FOUND {
            return Ok(());
        }
        wait::until("the service account of the namespace", LIMIT, || {
            let answer = self.http.get(&format!("{namespace}/serviceaccounts/default"));
            answer.and_then(|answer| answer.object()).map(drop).map_err(|error| format!("{error:#}"))
        })
    }
}

/// One look at the namespace: starts, probes and ends what has to be, and writes what became of it.
fn sync(site: &Site, played: &Mutex<HashMap<String, PlayedPod>>) -> anyhow::Result<()> {
    let path = format!("/api/v1/namespaces/{}/pods", site.namespace);
    let pods: List<Pod> = serde_json::from_value(site.http.get(&path)?.object()?)?;
    let mut played = lock(played);
    let mut seen = Vec::new();
    for pod in pods.items.into_iter().filter(|pod| is_bound(pod) && container::is_ours(pod)) {
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let entry = played.entry(uid.clone()).or_insert_with(|| PlayedPod::new(&pod));
        entry.sync(site, &pod);
        seen.push(uid);
    }
    // A pod that was deleted by force has no time to end.
    played.retain(|uid, _| seen.contains(uid));
    Ok(())
}

fn is_bound(pod: &Pod) -> bool {
    pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some())
}

fn register_node(http: &Http) -> anyhow::Result<()> {
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE,
        "labels": {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux"}}});
    let answer = http.post("/api/v1/nodes", &node)?;
    if answer.code != CONFLICT {
        answer.object()?;
    }
    let room = json!({"cpu": "64", "memory": "256Gi", "pods": "110"});
    let ready = json!({"type": "Ready", "status": "True", "reason": "KubeletReady"});
    let status = json!({"status": {"capacity": room, "allocatable": room, "conditions": [ready],
        "addresses": [{"type": "InternalIP", "address": HOST.to_string()}]}});
    let path = format!("/api/v1/nodes/{NODE}");
    http.patch(&format!("{path}/status"), PatchKind::Strategic, &status)?.object()?;
    // The controllers take the taints of a node that is not ready away, and the scheduler waits for that.
    wait::until("the node to take pods", LIMIT, || {
        let node = http.get(&path).and_then(|answer| answer.object()).map_err(|error| format!("{error:#}"))?;
        match node.pointer("/spec/taints").and_then(Value::as_array) {
            Some(taints) if !taints.is_empty() => Err(node.to_string()),
            _ => Ok(()),
        }
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a pod gets as its address, by its uid: no two that run at the same time are likely to have the same.
fn address_of(pod: &Pod) -> Ipv4Addr {
    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
    let end = uid.get(uid.len().saturating_sub(6)..).unwrap_or_default();
    pod_network::address(u32::from_str_radix(end, 16).unwrap_or(1))
}

/// The user that it is to the API server, which leaves its reads out of the audit log.
pub(crate) const USER: &str = "system:aksarc-kubelet";

/// The node that all its pods run on.
pub const NODE: &str = "moc-kubelet";

const HOST: Ipv4Addr = Ipv4Addr::new(10, 128, 0, 1);

/// Changes of pods, ConfigMaps and Secrets are seen after this time at most.
const PAUSE: Duration = Duration::from_millis(100);

const LIMIT: Duration = Duration::from_secs(30);
const CONFLICT: u16 = 409;
const NOT_FOUND: u16 = 404;
