//! The part of the kubelets: pods run, and workloads become ready.

use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::{Value, json};

use super::fill::in_days;
use super::player::{LIMIT, Player};
use crate::client::{Http, PatchKind};
use crate::identity::Identity;
use crate::wait;

impl Player<'_> {
    /// Waits until every workload runs, and plays the kubelets for that long. Costs one look when nothing is to be
    /// done.
    ///
    /// # Errors
    /// The workloads don't settle.
    pub fn settle(&mut self) -> anyhow::Result<()> {
        let http = self.client(&Identity::Admin)?;
        if self.play(&http)?.is_empty() { Ok(()) } else { self.run_pods() }
    }

    /// Plays the kubelets once.
    ///
    /// # Errors
    /// The API server refused what they say.
    pub fn look(&mut self) -> anyhow::Result<()> {
        let http = self.client(&Identity::Admin)?;
        self.play(&http).map(drop)
    }

    /// Plays the kubelets, under their names, until all workloads have what they want for a while.
    pub(super) fn run_pods(&mut self) -> anyhow::Result<()> {
        let http = self.client(&Identity::Admin)?;
        let mut steady_since = None;
        wait::until("all workloads to run", LIMIT, || {
            let unfinished = self.play(&http).map_err(|error| format!("{error:#}"))?;
            if !unfinished.is_empty() {
                steady_since = None;
                return Err(unfinished.join(", "));
            }
            if steady_since.get_or_insert_with(Instant::now).elapsed() >= STEADY {
                Ok(())
            } else {
                Err("all run, but not for long yet".to_owned())
            }
        })
    }

    /// One look at all pods and workloads; what is not as it should be.
    pub(super) fn play(&mut self, http: &Http) -> anyhow::Result<Vec<String>> {
        let mut unfinished = Vec::new();
        for pod in items(http, "/api/v1/pods")? {
            let word = |pointer| pod.pointer(pointer).and_then(Value::as_str);
            let (Some(namespace), Some(name)) = (word("/metadata/namespace"), word("/metadata/name")) else {
                continue;
            };
            let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
            let gone = word("/metadata/deletionTimestamp").is_some();
            if !gone && matches!(word("/status/phase"), Some("Failed" | "Running" | "Succeeded")) {
                continue;
            }
            unfinished.push(format!("pod {namespace}/{name}"));
            // A DaemonSet's pod is meant for one node before it is bound to it.
            let Some(node) = word("/spec/nodeName").or(word(MEANT_FOR)) else {
                continue;
            };
            if http.get(&format!("/api/v1/nodes/{node}"))?.code == 404 {
                // As the garbage collector of pods does, which takes its time.
                http.delete(&format!("{path}?gracePeriodSeconds=0"))?;
                continue;
            }
            if word("/spec/nodeName").is_none() {
                continue;
            }
            let kubelet = self.client(&Identity::kubelet(node))?;
            if gone {
                kubelet.delete(&format!("{path}?gracePeriodSeconds=0"))?;
            } else {
                let status = json!({"status": running(&pod)});
                let path = format!("{path}/status?fieldManager=kubelet");
                kubelet.patch(&path, PatchKind::Strategic, &status)?;
            }
        }
        let deployed: &[_] =
            &[("/spec/replicas", "/status/readyReplicas"), ("/spec/replicas", "/status/updatedReplicas")];
        let daemons: &[_] = &[("/status/desiredNumberScheduled", "/status/numberReady")];
        for (kind, pairs) in [("deployments", deployed), ("daemonsets", daemons)] {
            for workload in items(http, &format!("/apis/apps/v1/{kind}"))? {
                let number = |pointer| workload.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
                let seen = number("/metadata/generation") == number("/status/observedGeneration");
                if !seen || pairs.iter().any(|(wanted, ready)| number(wanted) != number(ready)) {
                    let name = workload.pointer("/metadata/name").cloned().unwrap_or_default();
                    unfinished.push(format!("{kind} {name}"));
                }
            }
        }
        Ok(unfinished)
    }
}

fn items(http: &Http, path: &str) -> anyhow::Result<Vec<Value>> {
    let mut list = http.get(path)?.object()?;
    match list.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => Ok(items),
        _ => bail!("{path} is not a list"),
    }
}

fn running(pod: &Value) -> Value {
    let now = in_days(0).unwrap_or_default();
    let conditions: Vec<_> = ["PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"]
        .iter()
        .map(|kind| json!({"type": kind, "status": "True", "lastTransitionTime": now}))
        .collect();
    let statuses = |list: &str, state: &Value| -> Vec<Value> {
        let containers = pod.pointer(list).and_then(Value::as_array).cloned().unwrap_or_default();
        let status = |container: &Value| {
            json!({
                "name": container.get("name"),
                "image": container.get("image"),
                "imageID": "",
                "ready": true,
                "restartCount": 0,
                "state": state,
            })
        };
        containers.iter().map(status).collect()
    };
    let done = json!({"terminated": {
        "exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now,
    }});
    let address = address(pod);
    json!({
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": now,
        "conditions": conditions,
        "containerStatuses": statuses("/spec/containers", &json!({"running": {"startedAt": now}})),
        "initContainerStatuses": statuses("/spec/initContainers", &done),
    })
}

/// Without an address no Service leads to a pod. Nobody connects to it, so two that are alike by chance do no harm.
fn address(pod: &Value) -> String {
    let uid = pod.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
    let end = uid.get(uid.len().saturating_sub(4)..).and_then(|end| u16::from_str_radix(end, 16).ok()).unwrap_or(1);
    let [high, low] = end.to_be_bytes();
    format!("10.244.{high}.{low}")
}

const MEANT_FOR: &str = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/matchFields/0/values/0";

/// Longer than a controller needs to notice a new node.
const STEADY: Duration = Duration::from_secs(1);
