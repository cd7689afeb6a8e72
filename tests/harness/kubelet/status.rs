//! The status of a pod: phase, conditions, and the state of its container.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::HOST;

/// What is told of a pod.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) address: Ipv4Addr,
    pub(super) state: State,
    /// By its readiness probe, where it has one.
    pub(super) ready: bool,
    pub(super) restarts: u32,
    /// The end of the container before the last start.
    pub(super) last: Option<Ending>,
    begun: String,
    ready_since: (bool, String),
    written: Option<Value>,
}

/// The state of a container.
#[derive(Debug)]
pub(super) enum State {
    Ended(Ending),
    Running { since: String },
    Waiting { reason: &'static str, message: String },
}

/// The end of a container.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) code: i32,
    pub(super) since: String,
    pub(super) until: String,
}

impl Report {
    pub(super) fn new(address: Ipv4Addr) -> Self {
        Report {
            address,
            state: State::Waiting { reason: "ContainerCreating", message: String::new() },
            ready: false,
            restarts: 0,
            last: None,
            begun: now(),
            ready_since: (false, now()),
            written: None,
        }
    }

    /// The status, if it is another than was written last.
    pub(super) fn changed(&mut self, pod: &Pod) -> Option<Value> {
        let is_ready = self.ready && matches!(self.state, State::Running { .. });
        if self.ready_since.0 != is_ready {
            self.ready_since = (is_ready, now());
        }
        let status = self.status(pod, is_ready);
        (self.written.as_ref() != Some(&status)).then_some(status)
    }

    /// Remembers what was written.
    pub(super) fn written(&mut self, status: Value) {
        self.written = Some(status);
    }

    fn status(&self, pod: &Pod, is_ready: bool) -> Value {
        let phase = match &self.state {
            State::Ended(Ending { code: 0, .. }) => "Succeeded",
            State::Ended(_) => "Failed",
            State::Waiting { .. } if self.last.is_none() => "Pending",
            State::Running { .. } | State::Waiting { .. } => "Running",
        };
        let condition = |kind: &str, holds: bool, since: &str| json!({"type": kind, "status": if holds { "True" } else { "False" }, "lastTransitionTime": since});
        let state = match &self.state {
            State::Ended(ending) => json!({"terminated": ending.told()}),
            State::Running { since } => json!({"running": {"startedAt": since}}),
            State::Waiting { reason, message } => json!({"waiting": {"reason": reason, "message": message}}),
        };
        let container = pod.spec.as_ref().and_then(|spec| spec.containers.first());
        let container = json!({
            "name": container.map(|container| &container.name),
            "image": container.and_then(|container| container.image.as_ref()),
            "imageID": "",
            "ready": is_ready,
            "started": matches!(self.state, State::Running { .. }),
            "restartCount": self.restarts,
            "state": state,
            "lastState": self.last.as_ref().map_or(json!({}), |ending| json!({"terminated": ending.told()})),
        });
        json!({
            "phase": phase,
            "hostIP": HOST,
            "podIP": self.address,
            "podIPs": [{"ip": self.address}],
            "startTime": self.begun,
            "conditions": [
                condition("Initialized", true, &self.begun),
                condition("ContainersReady", is_ready, &self.ready_since.1),
                condition("Ready", is_ready, &self.ready_since.1),
            ],
            "containerStatuses": [container],
        })
    }
}

impl Ending {
    fn told(&self) -> Value {
        let reason = if self.code == 0 { "Completed" } else { "Error" };
        json!({"exitCode": self.code, "reason": reason, "startedAt": self.since, "finishedAt": self.until})
    }
}

/// The present, as the API has it: whole seconds.
pub(super) fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
