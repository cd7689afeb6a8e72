//! One control plane: its start, access to it, and its end.

mod access;
mod joining;
mod keys;
mod programs;

use std::collections::HashMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::{self, Runtime};

use crate::audit::{self, AuditEvent};
use crate::binaries::Kubernetes;
use crate::client::Http;
use crate::identity::Identity;
use crate::pki::Pki;
use crate::pod_network::PodNetwork;
use crate::process::{self, Supervised};
use crate::wait;

pub use programs::PlayedKubelets;
use programs::{ApiServer, encryption, start_api_server, start_etcd, start_key_provider};

/// A running control plane: etcd, kube-apiserver and what the [`Builder`] added.
///
/// It ends with the value. Tests should `unwrap` rather than return errors: when the thread
/// panics, the directory is kept and the tail of each log is printed. `AKSARC_KEEP=1` keeps the
/// directory always.
#[derive(Debug)]
pub struct ControlPlane {
    kubernetes: Kubernetes,
    server: String,
    admin: Http,
    kubeconfigs: Mutex<HashMap<Identity, PathBuf>>,
    pub(crate) pki: Pki,
    processes: Mutex<Vec<Supervised>>,
    /// Encrypts Secrets, where the [`Builder`] added it; `None` while it is stopped.
    key_provider: Option<Mutex<Option<Supervised>>>,
    pods: Pods,
    runtime: Option<Runtime>,
    directory: Option<TempDir>,
    /// Arranges, once, that the directory goes after the process that shares it.
    shared: OnceLock<Result<(), String>>,
    root: PathBuf,
}

/// The parts to start besides etcd and the API server.
#[derive(Clone, Debug)]
pub struct Builder {
    kubernetes: Kubernetes,
    controllers: bool,
    pods: Pods,
    key_provider: bool,
    node_grace: Option<Duration>,
    api_server_flags: Vec<String>,
}

/// What becomes of pods.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Pods {
    /// They are left as they were written.
    Left,
    /// kwok plays them.
    Played,
    /// A [`Kubelet`](crate::kubelet::Kubelet) runs them.
    Run,
}

impl Builder {
    /// The real controllers and the scheduler: Deployments and `DaemonSet`s become pods.
    #[must_use]
    pub fn controller_manager(mut self) -> Self {
        self.controllers = true;
        self
    }

    /// Nodes become ready whoever creates them, and pods bound to them run.
    #[must_use]
    pub fn kwok(mut self) -> Self {
        self.pods = Pods::Played;
        self
    }

    /// Pods of our images can run, in a [`Kubelet`](crate::kubelet::Kubelet): the API server reaches Services and pods, and
    /// mounts service accounts into pods as in a cluster. There is no kwok then, which would play the same pods.
    #[must_use]
    pub fn pods(mut self) -> Self {
        self.pods = Pods::Run;
        self
    }

    /// The controllers give a silent node up after `grace`: for tests that play kubelets by
    /// [`ControlPlane::play_kubelets`].
    #[must_use]
    pub fn node_grace(mut self, grace: Duration) -> Self {
        self.node_grace = Some(grace);
        self
    }

    /// Secrets are encrypted by a key management provider of its own process, which can be stopped.
    #[must_use]
    pub fn key_provider(mut self) -> Self {
        self.key_provider = true;
        self
    }

    /// One more flag for the API server, `--feature-gates=…` for instance.
    #[must_use]
    pub fn api_server_flag(mut self, flag: &str) -> Self {
        self.api_server_flags.push(flag.to_owned());
        self
    }

    /// Starts it and waits until the API server is ready.
    ///
    /// # Errors
    /// A program is missing or did not become ready; the message holds the tail of its log.
    pub fn start(mut self) -> anyhow::Result<ControlPlane> {
        let directory = tempfile::Builder::new().prefix("aksarc-control-plane-").tempdir()?;
        let root = directory.path().to_owned();
        let pki = Pki::new(root.join("pki"))?;
        let runtime =
            runtime::Builder::new_multi_thread().worker_threads(1).enable_all().thread_name("control-plane").build()?;

        let mut key_provider = None;
        if self.key_provider {
            key_provider = Some(Mutex::new(Some(start_key_provider(&root)?)));
            self.api_server_flags.push(format!("--encryption-provider-config={}", encryption(&root)?.display()));
        }
        let network = if self.pods == Pods::Run { Some(PodNetwork::new(&root)?) } else { None };
        if let Some(network) = &network {
            self.api_server_flags.push(format!("--egress-selector-config-file={}", network.configuration().display()));
        }
        let (etcd, store) = start_etcd(&root)?;
        let ApiServer { process, server, admin } = start_api_server(&self, &root, &pki, &store, &runtime)?;
        if let Some(network) = network {
            network.serve(admin.clone());
        }
        let cluster = ControlPlane {
            kubernetes: self.kubernetes,
            server,
            admin,
            kubeconfigs: Mutex::default(),
            pki,
            // Dropped in this order, so that no program complains about a store that ended first.
            processes: Mutex::new(vec![process, etcd]),
            key_provider,
            pods: self.pods,
            runtime: Some(runtime),
            directory: Some(directory),
            shared: OnceLock::new(),
            root,
        };
        cluster.with_controllers(&self)
    }
}

impl ControlPlane {
    /// An API server with its store, and nothing else.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub fn start(kubernetes: Kubernetes) -> anyhow::Result<Self> {
        Self::builder(kubernetes).start()
    }

    pub fn builder(kubernetes: Kubernetes) -> Builder {
        Builder {
            kubernetes,
            controllers: false,
            key_provider: false,
            node_grace: None,
            pods: Pods::Left,
            api_server_flags: Vec::new(),
        }
    }

    pub fn kubernetes(&self) -> Kubernetes {
        self.kubernetes
    }

    /// `https://127.0.0.1:<port>`.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The certificate authority of the API server and of all clients, PEM.
    pub fn authority(&self) -> PathBuf {
        self.pki.authority()
    }

    /// Whether pods of our images can run.
    pub(crate) fn has_pods(&self) -> bool {
        self.pods == Pods::Run
    }

    /// A place for the test's own files; it ends with the control plane.
    pub fn directory(&self) -> &Path {
        &self.root
    }

    /// Name and process id of everything that runs.
    pub fn processes(&self) -> Vec<(&'static str, u32)> {
        self.running().iter().map(|process| (process.name(), process.pid())).collect()
    }

    /// Every request answered so far. The log lags a little: see [`ControlPlane::audit_event`].
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn audit_events(&self) -> anyhow::Result<Vec<AuditEvent>> {
        audit::read(&fs::read_to_string(self.root.join("audit.log"))?)
    }

    /// The first event that `matches`, awaited for a few seconds.
    ///
    /// # Errors
    /// None came; the message lists what did.
    pub fn audit_event(&self, what: &str, matches: impl Fn(&AuditEvent) -> bool) -> anyhow::Result<AuditEvent> {
        wait::until(what, LAG_LIMIT, || {
            let events = self.audit_events().map_err(|error| error.to_string())?;
            let recent: Vec<_> = events.iter().rev().take(10).map(describe).collect();
            events.into_iter().find(|event| matches(event)).ok_or_else(|| recent.join(", "))
        })
    }

    /// The number of changes that the API server has let through since it could not ask the guard.
    ///
    /// # Errors
    /// The API server does not answer, or counts otherwise.
    pub fn failed_open(&self) -> anyhow::Result<u64> {
        let metrics = self.admin.get("/metrics")?.body;
        let rows = metrics.lines().filter(|line| line.starts_with("apiserver_admission_webhook_fail_open_count{"));
        rows.map(|line| Ok(line.rsplit(' ').next().unwrap_or_default().parse::<u64>()?)).sum()
    }

    /// The object at `path`, as soon as it satisfies `holds`.
    ///
    /// # Errors
    /// It did not within `limit`; the message holds the object as seen last.
    pub fn object_when(&self, path: &str, limit: Duration, holds: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        wait::until(path, limit, || {
            if let Some(ended) = self.running().iter().find(|process| process.exited().is_some()) {
                return Err(format!("{} has ended:\n{}", ended.name(), ended.log_tail()));
            }
            let answer = self.admin.get(path).map_err(|error| format!("{error:#}"))?;
            match answer.object() {
                Ok(object) if holds(&object) => Ok(object),
                _ => Err(answer.body),
            }
        })
    }

    /// Ends the API server as a crash would, and starts it again at the same address. It is not ready yet afterwards.
    ///
    /// # Errors
    /// It does not start.
    pub fn restart_api_server(&self) -> anyhow::Result<()> {
        let mut running = self.running();
        let server = running.iter_mut().find(|process| process.name() == "kube-apiserver");
        server.context("no API server")?.restart()
    }

    fn running(&self) -> MutexGuard<'_, Vec<Supervised>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn runtime(&self) -> anyhow::Result<&Runtime> {
        self.runtime.as_ref().context("the control plane is ending")
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        if failed || env::var_os("AKSARC_KEEP").is_some() {
            self.keep(failed);
        }
        self.running().clear();
        if let Some(runtime) = self.runtime.take() {
            // Unlike its own drop, allowed on an async test's thread.
            runtime.shutdown_background();
        }
    }
}

impl ControlPlane {
    fn keep(&mut self, failed: bool) {
        if failed {
            self.print_logs();
        }
        if let Some(directory) = self.directory.take() {
            say_kept(&directory.keep());
        }
    }

    /// For one that is never dropped: its directory is removed when the process has ended. Its programs end by
    /// themselves.
    pub(crate) fn outlives_tests(&self) -> anyhow::Result<()> {
        let arranged = self.shared.get_or_init(|| {
            if env::var_os("AKSARC_KEEP").is_some() {
                say_kept(&self.root);
                return Ok(());
            }
            process::remove_afterwards(&self.root).map_err(|error| format!("{error:#}"))
        });
        arranged.clone().map_err(anyhow::Error::msg)
    }

    /// What [`ControlPlane::keep`] does for one that is never dropped, after a failed test.
    pub(crate) fn keep_shared(&self) {
        self.print_logs();
        // A failure to keep the directory must not hide the test's own failure.
        if fs::write(self.root.join(process::KEPT), "").is_ok() {
            say_kept(&self.root);
        }
    }

    #[expect(clippy::print_stderr, reason = "part of the failing test's own output")]
    fn print_logs(&self) {
        for process in &*self.running() {
            eprintln!("--- end of the log of {}\n{}", process.name(), process.log_tail());
        }
    }
}

#[expect(clippy::print_stderr, reason = "part of the failing test's own output")]
fn say_kept(directory: &Path) {
    eprintln!("--- kept the control plane's files: {}", directory.display());
}

fn describe(event: &AuditEvent) -> String {
    let AuditEvent { user, verb, request_uri, response_status, .. } = event;
    format!("{} {verb} {request_uri} -> {}", user.username, response_status.code)
}

/// The time for effects that follow an answer of the API server.
const LAG_LIMIT: Duration = Duration::from_secs(5);
