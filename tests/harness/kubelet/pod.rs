//! One pod: from the moment it is bound to the node until it is gone.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use serde_json::json;

use super::container::{self, Command};
use super::probe::{Health, Prober};
use super::status::{self, Ending, Report, State};
use super::volumes::Volumes;
use super::{RunningPod, Site};
use crate::client::PatchKind;
use crate::pod_network;
use crate::process::Supervised;
use crate::replicas::signal;

/// A pod that is played.
#[derive(Debug)]
pub(super) struct PlayedPod {
    name: String,
    container: Option<Process>,
    report: Report,
    volumes: Option<Volumes>,
    /// When to look at its volumes next, or to start its container next.
    due: Instant,
}

/// The process of a container, with its probes.
#[derive(Debug)]
struct Process {
    supervised: Supervised,
    readiness: Option<Prober>,
    liveness: Option<Prober>,
    /// When it is killed, once it was told to end.
    deadline: Option<Instant>,
}

impl PlayedPod {
    pub(super) fn new(pod: &Pod) -> Self {
        PlayedPod {
            name: pod.metadata.name.clone().unwrap_or_default(),
            container: None,
            report: Report::new(super::address_of(pod)),
            volumes: None,
            due: Instant::now(),
        }
    }

    pub(super) fn running(&self) -> Option<RunningPod> {
        let pid = self.container.as_ref()?.supervised.pid();
        Some(RunningPod { name: self.name.clone(), pid, address: pod_network::loopback(self.report.address) })
    }

    /// One step towards what `pod` asks for; then its status is written, and the pod removed if it has ended after its
    /// deletion.
    pub(super) fn sync(&mut self, site: &Site, pod: &Pod) {
        let Some(spec) = pod.spec.as_ref() else { return };
        let deleted = pod.metadata.deletion_timestamp.is_some();
        if self.container.is_some() {
            self.look_after(site, pod, spec, deleted);
        } else if !deleted
            && !matches!(self.report.state, State::Ended(_))
            && Instant::now() >= self.due
            && let Err(error) = self.start(site, pod, spec)
        {
            let message = format!("{error:#}");
            self.report.state = State::Waiting { reason: "CreateContainerError", message };
        }
        // Both are tried again at the next step.
        if self.write(site, pod).is_ok() && deleted && self.container.is_none() {
            let _ = self.remove(site, pod);
        }
    }

    fn start(&mut self, site: &Site, pod: &Pod, spec: &PodSpec) -> anyhow::Result<()> {
        let container = container::only(spec)?;
        let directory = site.directory.join(&self.name);
        fs::create_dir_all(&directory)?;
        let volumes = self.volumes.get_or_insert_with(|| Volumes::new(directory.join("volumes")));
        fs::create_dir_all(directory.join("volumes"))?;
        volumes.refresh(site, pod)?;
        let mounts = volumes.mounts(container);
        let kubeconfig = volumes.kubeconfig(site, pod, &mounts)?;
        let Command { program, arguments, environment } =
            Command::new(site, pod, container, &mounts, kubeconfig.as_deref())?;
        let address = pod_network::loopback(self.report.address);
        let prober = |probe: Option<&_>| probe.map(|probe| Prober::new(probe, container, address)).transpose();
        let readiness = prober(container.readiness_probe.as_ref())?;
        let liveness = prober(container.liveness_probe.as_ref())?;
        let log = directory.join("log");
        let supervised = Supervised::start_with("a container", &program, arguments, &environment, log)?;
        self.container = Some(Process { supervised, readiness, liveness, deadline: None });
        self.report.state = State::Running { since: status::now() };
        Ok(())
    }

    /// What a kubelet does about a container that runs.
    fn look_after(&mut self, site: &Site, pod: &Pod, spec: &PodSpec, deleted: bool) {
        let Some(process) = &mut self.container else { return };
        if let Some(status) = process.supervised.exited() {
            return self.ended(spec, status.code().unwrap_or(KILLED), deleted);
        }
        if process.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return self.ended(spec, KILLED, deleted);
        }
        let readiness = process.readiness.as_mut().map_or(Health::Passing, Prober::look);
        match readiness {
            Health::Passing => self.report.ready = true,
            Health::Failing => self.report.ready = false,
            Health::Undecided => {}
        }
        let is_dead = process.liveness.as_mut().is_some_and(|liveness| liveness.look() == Health::Failing);
        if process.deadline.is_none() && (deleted || is_dead) {
            let grace = if deleted {
                pod.metadata.deletion_grace_period_seconds
            } else {
                spec.termination_grace_period_seconds
            };
            let grace = grace.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(GRACE);
            process.deadline = Some(Instant::now() + Duration::from_secs(grace));
            // It may have ended this moment.
            let _ = signal(process.supervised.pid(), "TERM");
        }
        if Instant::now() >= self.due {
            self.due = Instant::now() + VOLUMES_EVERY;
            // A kubelet leaves a volume as it was while what it is made of is missing.
            let _ = self.volumes.as_mut().map(|volumes| volumes.refresh(site, pod));
        }
    }

    fn ended(&mut self, spec: &PodSpec, code: i32, deleted: bool) {
        self.container = None;
        self.report.ready = false;
        let State::Running { since } = &self.report.state else { return };
        let ending = Ending { code, since: since.clone(), until: status::now() };
        let policy = spec.restart_policy.as_deref().unwrap_or("Always");
        let again = policy == "Always" || (policy == "OnFailure" && code != 0);
        if deleted || !again {
            self.report.state = State::Ended(ending);
            return;
        }
        self.report.restarts += 1;
        self.report.last = Some(ending);
        self.report.state = State::Waiting { reason: "CrashLoopBackOff", message: format!("ended with {code}") };
        self.due = Instant::now() + BACK_OFF;
    }

    fn write(&mut self, site: &Site, pod: &Pod) -> anyhow::Result<()> {
        let Some(status) = self.report.changed(pod) else { return Ok(()) };
        let path = format!("{}/status", self.path(site));
        let change = json!({"metadata": {"uid": pod.metadata.uid}, "status": status});
        site.http.patch(&path, PatchKind::Strategic, &change)?.object()?;
        self.report.written(status);
        Ok(())
    }

    /// Tells the API server that nothing of the pod is left.
    fn remove(&self, site: &Site, pod: &Pod) -> anyhow::Result<()> {
        let uid = pod.metadata.uid.as_ref().context("a pod without a uid")?;
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0,
            "preconditions": {"uid": uid}});
        let answer = site.http.delete_with(&self.path(site), &options)?;
        ensure!(answer.is_success(), "{}", answer.body);
        Ok(())
    }

    fn path(&self, site: &Site) -> String {
        format!("/api/v1/namespaces/{}/pods/{}", site.namespace, self.name)
    }
}

/// The code of a process that was killed.
const KILLED: i32 = 137;

/// Seconds between SIGTERM and SIGKILL where the pod does not say.
const GRACE: u64 = 30;

/// A kubelet takes up to a minute to bring a change to a volume, which no test would wait for.
const VOLUMES_EVERY: Duration = Duration::from_millis(500);

/// A kubelet begins with 10 s and doubles them.
const BACK_OFF: Duration = Duration::from_secs(1);
