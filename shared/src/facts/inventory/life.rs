//! Signs of life: the days on which the cluster is known to have run, and the start times of its containers and nodes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Deserialize;

use crate::k8s::object::Object;
use crate::k8s::text::Text;

/// Signs of when the cluster ran, by days in UTC. The size does not grow with the number of objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignsOfLife {
    /// Days on which an object that still exists was created, a container was started, or a node became ready.
    pub days: BTreeSet<Date>,
    /// Running containers, by the day on which their pod was created.
    pub containers: BTreeMap<Date, Started>,
    /// For the ready nodes created on a day: the day since which the first of them has been ready.
    pub nodes: BTreeMap<Date, Date>,
}

/// The starts of several containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// The earliest.
    pub first: Date,
    /// Whether one of them was a restart.
    pub restarted: bool,
}

impl SignsOfLife {
    /// Adds an object of any kind.
    pub(super) fn add(&mut self, object: &Object<'_>) -> Option<Date> {
        let born = object.meta.creation_timestamp.as_ref().and_then(day);
        self.days.extend(born);
        born
    }

    /// Adds a pod.
    pub(super) fn add_pod(&mut self, pod: &Object<'_>) {
        let born = self.add(pod);
        let Some(status) = pod.field::<PodStatus<'_>>("status") else { return };
        self.days.extend(status.start_time.as_ref().and_then(day));
        for container in status.container_statuses.into_iter().flatten() {
            let earlier = container.last_state.and_then(|state| state.terminated);
            self.days.extend(earlier.and_then(|run| run.started_at).as_ref().and_then(day));
            let running = container.state.and_then(|state| state.running);
            let Some(first) = running.and_then(|run| run.started_at).as_ref().and_then(day) else { continue };
            self.days.insert(first);
            if let Some(born) = born {
                let restarted = container.restart_count.unwrap_or_default() > 0;
                self.keep_container(born, Started { first, restarted });
            }
        }
    }

    /// Adds a node. `ready` is the time at which it last became ready, if it is.
    pub(super) fn add_node(&mut self, node: &Object<'_>, ready: Option<&Text<'_>>) {
        let born = self.add(node);
        let Some(since) = ready.and_then(day) else { return };
        self.days.insert(since);
        if let Some(born) = born {
            self.keep_node(born, since);
        }
    }

    pub(super) fn merge(&mut self, other: SignsOfLife) {
        self.days.extend(other.days);
        for (born, started) in other.containers {
            self.keep_container(born, started);
        }
        for (born, since) in other.nodes {
            self.keep_node(born, since);
        }
    }

    fn keep_container(&mut self, born: Date, started: Started) {
        self.containers.entry(born).and_modify(|others| others.merge(started)).or_insert(started);
    }

    fn keep_node(&mut self, born: Date, since: Date) {
        self.nodes.entry(born).and_modify(|first| *first = since.min(*first)).or_insert(since);
    }

    /// The earliest start of a running container.
    pub fn container_since(&self) -> Option<Date> {
        self.containers.values().map(|started| started.first).min()
    }

    /// The day since which the longest-ready node has been ready.
    pub fn node_since(&self) -> Option<Date> {
        self.nodes.values().copied().min()
    }

    /// Whether a running container has been restarted since `day`, with a pod from before.
    pub fn was_restarted_since(&self, day: Date) -> bool {
        self.containers.range(..=day).any(|(_, started)| started.restarted && started.first > day)
    }

    /// Whether a running container belongs to a pod that existed on `day`.
    pub fn has_pods_of(&self, day: Date) -> bool {
        self.containers.range(..=day).next().is_some()
    }

    /// For the nodes that existed on `day`: the day since which the first of them has been ready.
    pub fn nodes_of(&self, day: Date) -> Option<Date> {
        self.nodes.range(..=day).map(|(_, since)| *since).min()
    }
}

impl Started {
    fn merge(&mut self, other: Started) {
        self.first = self.first.min(other.first);
        self.restarted |= other.restarted;
    }
}

fn day(time: &Text<'_>) -> Option<Date> {
    time.get(..10)?.parse().ok()
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodStatus<'a> {
    #[serde(borrow, default)]
    start_time: Option<Text<'a>>,
    #[serde(borrow, default)]
    container_statuses: Option<Vec<ContainerStatus<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStatus<'a> {
    #[serde(default)]
    restart_count: Option<u64>,
    #[serde(borrow, default)]
    state: Option<ContainerState<'a>>,
    #[serde(borrow, default)]
    last_state: Option<ContainerState<'a>>,
}

#[derive(Debug, Deserialize)]
struct ContainerState<'a> {
    #[serde(borrow, default)]
    running: Option<Run<'a>>,
    #[serde(borrow, default)]
    terminated: Option<Run<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    #[serde(borrow, default)]
    started_at: Option<Text<'a>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::read::json;

    fn pod(created: &str, started: &str, restarts: u64) -> String {
        format!(
            r#"{{"metadata":{{"creationTimestamp":"{created}T08:00:00Z"}},"status":{{"startTime":null,"containerStatuses":[{{"restartCount":{restarts},"state":{{"running":{{"startedAt":"{started}T08:00:00Z"}}}},"lastState":{{}}}},{{"state":{{"waiting":{{"reason":"x"}}}}}}]}}}}"#
        )
    }

    #[test]
    fn containers_tell_since_when_they_run_and_whether_they_were_restarted() {
        let date = |text: &str| text.parse::<Date>().unwrap();
        let mut life = SignsOfLife::default();
        for text in [pod("2026-01-01", "2026-04-01", 2), pod("2026-01-01", "2026-04-02", 0)] {
            life.add_pod(&json::object(text.as_bytes()).unwrap());
        }
        assert_eq!(life.container_since(), Some(date("2026-04-01")));
        assert!(life.was_restarted_since(date("2026-02-01")) && !life.was_restarted_since(date("2026-04-01")));
        assert!(life.has_pods_of(date("2026-01-01")) && !life.has_pods_of(date("2025-12-31")));
        let mut other = SignsOfLife::default();
        other.add_pod(&json::object(pod("2026-01-01", "2026-01-02", 0).as_bytes()).unwrap());
        life.merge(other);
        assert_eq!(life.container_since(), Some(date("2026-01-02")));
    }
}
