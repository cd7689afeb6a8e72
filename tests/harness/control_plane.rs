//! One control plane: how it is started, who may talk to it, how it ends.

use std::collections::HashMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::{self, Runtime};

use crate::audit::{self, AuditEvent};
use crate::binaries::{Kubernetes, MODULES, Tool};
use crate::client::{self, Http};
use crate::identity::{Credential, Identity};
use crate::kubectl::Finished;
use crate::pki::{KeyFiles, Pki};
use crate::process::Supervised;
use crate::wait;

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
    processes: Vec<Supervised>,
    /// Encrypts Secrets, where the [`Builder`] added it; `None` while it is stopped.
    key_provider: Option<Mutex<Option<Supervised>>>,
    runtime: Option<Runtime>,
    directory: Option<TempDir>,
    root: PathBuf,
}

/// What to start besides etcd and the API server.
#[derive(Clone, Debug)]
pub struct Builder {
    kubernetes: Kubernetes,
    controllers: bool,
    kwok: bool,
    key_provider: bool,
    api_server_flags: Vec<String>,
}

impl Builder {
    /// The real controllers and the scheduler: Deployments and `DaemonSet`s become pods.
    #[must_use]
    pub fn controller_manager(mut self) -> Self {
        self.controllers = true;
        self
    }

    /// Nodes that anybody creates become ready, and pods bound to them run.
    #[must_use]
    pub fn kwok(mut self) -> Self {
        self.kwok = true;
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
        let (etcd, store) = start_etcd(&root)?;
        let ApiServer { process, server, admin } = start_api_server(&self, &root, &pki, &store, &runtime)?;
        let cluster = ControlPlane {
            kubernetes: self.kubernetes,
            server,
            admin,
            kubeconfigs: Mutex::default(),
            pki,
            // Dropped in this order, so that nothing complains about a store that went first.
            processes: vec![process, etcd],
            key_provider,
            runtime: Some(runtime),
            directory: Some(directory),
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
        Builder { kubernetes, controllers: false, kwok: false, key_provider: false, api_server_flags: Vec::new() }
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

    /// A place for the test's own files; it ends with the control plane.
    pub fn directory(&self) -> &Path {
        &self.root
    }

    /// Name and process id of everything that runs.
    pub fn processes(&self) -> Vec<(&'static str, u32)> {
        self.processes.iter().map(|process| (process.name(), process.pid())).collect()
    }

    /// The kubeconfig of `identity`, made on first use, service account and rights included.
    ///
    /// # Errors
    /// The API server refused the objects that the identity needs.
    pub fn kubeconfig(&self, identity: &Identity) -> anyhow::Result<PathBuf> {
        let mut known = self.kubeconfigs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = known.get(identity) {
            return Ok(path.clone());
        }
        let path = self.introduce(identity).with_context(|| format!("cannot set up {identity:?}"))?;
        known.insert(identity.clone(), path.clone());
        Ok(path)
    }

    /// The name of the identity's context in its kubeconfig.
    pub fn context(&self, identity: &Identity) -> String {
        identity.slug()
    }

    /// Creates the service account if need be, with its namespace, and answers its identity.
    ///
    /// # Errors
    /// As [`ControlPlane::kubeconfig`].
    pub fn service_account(&self, namespace: &str, name: &str) -> anyhow::Result<Identity> {
        let identity = Identity::service_account(namespace, name);
        self.kubeconfig(&identity)?;
        Ok(identity)
    }

    /// Plain requests as `identity`.
    ///
    /// # Errors
    /// As [`ControlPlane::kubeconfig`].
    pub fn http(&self, identity: &Identity) -> anyhow::Result<Http> {
        Http::new(&self.kubeconfig(identity)?, self.runtime()?.handle())
    }

    /// kube's client as `identity`; it works for as long as the control plane does.
    ///
    /// # Errors
    /// As [`ControlPlane::kubeconfig`].
    pub fn client(&self, identity: &Identity) -> anyhow::Result<kube::Client> {
        client::client(&self.kubeconfig(identity)?, self.runtime()?.handle())
    }

    /// Runs kubectl as `identity`.
    ///
    /// # Errors
    /// It could not be started; how it ended is in the answer.
    pub fn kubectl<A: Into<OsString>>(
        &self,
        identity: &Identity,
        arguments: impl IntoIterator<Item = A>,
    ) -> anyhow::Result<Finished> {
        let mut command = self.command(identity, &Tool::Kubectl.path()?)?;
        Finished::run(command.args(arguments.into_iter().map(Into::into)), None)
    }

    /// Runs kubectl as `identity` with `input` on its stdin, for `apply -f -` and its like.
    ///
    /// # Errors
    /// As [`ControlPlane::kubectl`].
    pub fn kubectl_with<A: Into<OsString>>(
        &self,
        identity: &Identity,
        arguments: impl IntoIterator<Item = A>,
        input: &str,
    ) -> anyhow::Result<Finished> {
        let mut command = self.command(identity, &Tool::Kubectl.path()?)?;
        Finished::run(command.args(arguments.into_iter().map(Into::into)), Some(input))
    }

    /// Runs Helm as `identity`; it is built on first use.
    ///
    /// # Errors
    /// As [`ControlPlane::kubectl`].
    pub fn helm<A: Into<OsString>>(
        &self,
        identity: &Identity,
        arguments: impl IntoIterator<Item = A>,
    ) -> anyhow::Result<Finished> {
        let mut command = self.command(identity, &Tool::Helm.path()?)?;
        Finished::run(command.args(arguments.into_iter().map(Into::into)), None)
    }

    /// A command that sees this cluster as `identity` and nothing of the developer's environment.
    ///
    /// # Errors
    /// As [`ControlPlane::kubeconfig`].
    pub fn command(&self, identity: &Identity, program: &Path) -> anyhow::Result<Command> {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.root)
            .env("KUBECACHEDIR", self.root.join("kubectl-cache"))
            .env("KUBECONFIG", self.kubeconfig(identity)?)
            .current_dir(&self.root);
        Ok(command)
    }

    /// Binds `identity` to a cluster role that exists.
    ///
    /// # Errors
    /// The API server refused it.
    pub fn bind(&self, identity: &Identity, cluster_role: &str) -> anyhow::Result<()> {
        let name = format!("{}-{}", short_name(identity), cluster_role.replace(':', "-"));
        let subject = match identity.credential() {
            Credential::Certificate { user, .. } => {
                json!({"kind": "User", "name": user, "apiGroup": RBAC})
            }
            Credential::Token { namespace, name } => {
                json!({"kind": "ServiceAccount", "name": name, "namespace": namespace})
            }
        };
        self.ensure(
            &format!("/apis/{RBAC}/v1/clusterrolebindings"),
            "kubectl-create",
            &json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": name},
                "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": cluster_role},
                "subjects": [subject],
            }),
        )?;
        if cluster_role == "cluster-admin" {
            let anything = json!({"verb": "*", "group": "*", "resource": "*"});
            return self.await_right(identity, &anything);
        }
        Ok(())
    }

    /// Gives `identity` the `rules` of a cluster role of its own, in RBAC's notation.
    ///
    /// # Errors
    /// The API server refused it.
    pub fn allow(&self, identity: &Identity, rules: &Value) -> anyhow::Result<()> {
        let name = format!("{}-may", short_name(identity));
        self.ensure(
            &format!("/apis/{RBAC}/v1/clusterroles"),
            "kubectl-create",
            &json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": {"name": name},
                "rules": rules,
            }),
        )?;
        self.bind(identity, &name)?;
        let first = |pointer: &str| rules.pointer(pointer).cloned().unwrap_or_default();
        let right = json!({
            "verb": first("/0/verbs/0"),
            "group": first("/0/apiGroups/0"),
            "resource": first("/0/resources/0"),
        });
        self.await_right(identity, &right)
    }

    /// Gives the API server a certificate that holds from and to so many days from now. It watches the file, and
    /// presents what is in it a moment later.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn present(&self, from: i64, to: i64) -> anyhow::Result<()> {
        self.pki.renew("kube-apiserver", from, to)
    }

    /// Stops what encrypts Secrets or starts it again, and waits until the API server has noticed.
    ///
    /// # Errors
    /// The [`Builder`] added none, or the API server does not notice.
    pub(crate) fn keys(&self, available: bool) -> anyhow::Result<()> {
        let provider = self.key_provider.as_ref().context("this control plane has no key provider")?;
        let mut running = provider.lock().unwrap_or_else(PoisonError::into_inner);
        match (available, running.is_some()) {
            (true, false) => *running = Some(start_key_provider(&self.root)?),
            (false, true) => drop(running.take()),
            _ => {}
        }
        let wanted = if available { "[+]kms-providers" } else { "[-]kms-providers" };
        wait::until(&format!("{wanted} from the API server"), KEYS_LIMIT, || {
            let answer = self.admin.get("/readyz?verbose").map_err(|error| format!("{error:#}"))?;
            if answer.body.contains(wanted) { Ok(()) } else { Err(answer.body) }
        })
    }

    /// Makes the authority of all certificates anew, to hold from and to so many days from now, and waits until the API server publishes
    /// this one alone. It would keep the former one beside it for as long as that holds, so what it has published is deleted.
    ///
    /// # Errors
    /// The file cannot be written, or the API server does not take it.
    pub(crate) fn trust(&self, from: i64, to: i64) -> anyhow::Result<()> {
        let pem = self.pki.renew_authority(from, to)?;
        let http = self.http(&Identity::Admin)?;
        let published = || -> Result<String, String> {
            let map = http.get(AUTHORITIES).and_then(|answer| answer.object()).map_err(|error| format!("{error:#}"))?;
            let bundle = map.pointer("/data/client-ca-file").and_then(Value::as_str);
            bundle.map(plain).ok_or_else(|| map.to_string())
        };
        let taken = || published().and_then(|bundle| if bundle.contains(&plain(&pem)) { Ok(()) } else { Err(bundle) });
        wait::until("the new authority to be taken", Duration::from_secs(90), taken)?;
        http.delete(AUTHORITIES)?.object()?;
        let alone = || published().and_then(|bundle| if bundle == plain(&pem) { Ok(()) } else { Err(bundle) });
        wait::until("the new authority to be published alone", Duration::from_secs(90), alone)
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

    /// The object at `path`, as soon as it satisfies `holds`.
    ///
    /// # Errors
    /// It did not within `limit`; the message holds the object as seen last.
    pub fn object_when(&self, path: &str, limit: Duration, holds: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        wait::until(path, limit, || {
            if let Some(ended) = self.processes.iter().find(|process| process.exited().is_some()) {
                return Err(format!("{} has ended:\n{}", ended.name(), ended.log_tail()));
            }
            let answer = self.admin.get(path).map_err(|error| format!("{error:#}"))?;
            match answer.object() {
                Ok(object) if holds(&object) => Ok(object),
                _ => Err(answer.body),
            }
        })
    }

    fn runtime(&self) -> anyhow::Result<&Runtime> {
        self.runtime.as_ref().context("the control plane is ending")
    }

    fn introduce(&self, identity: &Identity) -> anyhow::Result<PathBuf> {
        let slug = identity.slug();
        let user = match identity.credential() {
            Credential::Certificate { user, group } => certificate_user(&self.pki.client(&slug, &user, group)?),
            Credential::Token { namespace, name } => json!({"token": self.token(namespace, name)?}),
        };
        match identity {
            Identity::Person | Identity::GitOps => self.bind(identity, "cluster-admin")?,
            Identity::Reader => self.allow(identity, &self.everything_but_nodes()?)?,
            _ => {}
        }
        write_kubeconfig(&self.root, &slug, &self.server, &self.pki.authority(), &user)
    }

    fn token(&self, namespace: &str, name: &str) -> anyhow::Result<Value> {
        let account = json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": namespace},
        });
        let manager = if namespace == "kube-system" {
            "kube-controller-manager" // which creates the accounts of its controllers itself
        } else {
            self.ensure(
                "/api/v1/namespaces",
                "kubectl-create",
                &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
            )?;
            "kubectl-create"
        };
        let accounts = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        self.ensure(&accounts, manager, &account)?;
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 86_400},
        });
        let answer = self.admin.post(&format!("{accounts}/{name}/token"), &request)?.object()?;
        answer.pointer("/status/token").cloned().context("a token request without a token")
    }

    /// RBAC only adds, so "all but nodes" has to list the rest.
    fn everything_but_nodes(&self) -> anyhow::Result<Value> {
        let names = |path: &str, list: &str| -> anyhow::Result<Vec<Value>> {
            let object = self.admin.get(path)?.object()?;
            let entries = object.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
            Ok(entries.iter().filter_map(|entry| entry.get("name").cloned()).collect())
        };
        let mut core = names("/api/v1", "resources")?;
        core.retain(|name| *name != "nodes" && !name.as_str().is_some_and(|n| n.starts_with("nodes/")));
        let groups = names("/apis", "groups")?;
        Ok(json!([
            {"apiGroups": [""], "resources": core, "verbs": ["get", "list", "watch"]},
            {"apiGroups": groups, "resources": ["*"], "verbs": ["get", "list", "watch"]},
            {"nonResourceURLs": ["*"], "verbs": ["get"]},
        ]))
    }

    /// The authorizer learns of a binding a moment after it is written.
    pub(crate) fn await_right(&self, identity: &Identity, right: &Value) -> anyhow::Result<()> {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": identity.username(), "resourceAttributes": right},
        });
        wait::until(&format!("the right {right} of {identity:?}"), LAG_LIMIT, || {
            let answer = self.admin.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", &review);
            let answer = answer.and_then(|answer| answer.object()).map_err(|error| format!("{error:#}"))?;
            if answer.pointer("/status/allowed") == Some(&Value::Bool(true)) { Ok(()) } else { Err(answer.to_string()) }
        })
    }

    fn ensure(&self, path: &str, manager: &str, object: &Value) -> anyhow::Result<()> {
        let answer = self.admin.post(&format!("{path}?fieldManager={manager}"), object)?;
        if answer.code == CONFLICT {
            return Ok(());
        }
        answer.object().map(drop)
    }

    fn with_controllers(mut self, wanted: &Builder) -> anyhow::Result<Self> {
        let mut added = Vec::new();
        if wanted.controllers {
            added.push(self.start_controller_manager(wanted.kwok)?);
            added.push(self.start_scheduler()?);
        }
        if wanted.kwok {
            added.push(self.start_kwok()?);
        }
        self.processes.splice(0..0, added);
        Ok(self)
    }

    fn start_controller_manager(&self, heartbeats: bool) -> anyhow::Result<Supervised> {
        let identity = Identity::user("system:kube-controller-manager");
        let token_key = self.root.join("pki/service-accounts-key.pem");
        let mut flags = vec![
            flag("--kubeconfig=", self.kubeconfig(&identity)?),
            flag("--service-account-private-key-file=", token_key),
            flag("--root-ca-file=", self.authority()),
            // Each controller acts under the name it has in a real cluster.
            "--use-service-account-credentials=true".into(),
            // With the default, a small cluster waits five seconds for its own politeness.
            "--kube-api-qps=500".into(),
            "--kube-api-burst=1000".into(),
            "--leader-elect=false".into(),
            "--secure-port=0".into(),
        ];
        if !heartbeats {
            // Nobody plays the kubelets: what a node said once stays true.
            flags.push("--node-monitor-grace-period=24h".into());
        }
        self.spawn("kube-controller-manager", Tool::KubeControllerManager(self.kubernetes), flags)
    }

    fn start_scheduler(&self) -> anyhow::Result<Supervised> {
        let kubeconfig = self.kubeconfig(&Identity::user("system:kube-scheduler"))?;
        let flags = [flag("--kubeconfig=", kubeconfig), "--leader-elect=false".into(), "--secure-port=0".into()];
        self.spawn("kube-scheduler", Tool::KubeScheduler(self.kubernetes), flags)
    }

    /// It speaks for all kubelets, so it is in their group; under a kubelet's name, though, the
    /// API server would let it write one node only.
    fn start_kwok(&self) -> anyhow::Result<Supervised> {
        let identity = Identity::user_in("system:kwok", "system:nodes");
        self.bind(&identity, "cluster-admin")?;
        let flags = [
            flag("--kubeconfig=", self.kubeconfig(&identity)?),
            flag("--config=", Path::new(MODULES).join("kwok/stages.yaml")),
            "--manage-all-nodes=true".into(),
            "--node-lease-duration-seconds=40".into(),
        ];
        self.spawn("kwok", Tool::Kwok, flags)
    }

    fn spawn(
        &self,
        name: &'static str,
        tool: Tool,
        flags: impl IntoIterator<Item = OsString>,
    ) -> anyhow::Result<Supervised> {
        Supervised::start(name, &tool.path()?, flags, self.root.join(format!("{name}.log")))
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        if failed || env::var_os("AKSARC_KEEP").is_some() {
            self.keep(failed);
        }
        self.processes.clear();
        if let Some(runtime) = self.runtime.take() {
            // Unlike its own drop, allowed on an async test's thread.
            runtime.shutdown_background();
        }
    }
}

impl ControlPlane {
    #[expect(clippy::print_stderr, reason = "part of the failing test's own output")]
    fn keep(&mut self, failed: bool) {
        if failed {
            for process in &self.processes {
                eprintln!("--- end of the log of {}\n{}", process.name(), process.log_tail());
            }
        }
        if let Some(directory) = self.directory.take() {
            eprintln!("--- kept the control plane's files: {}", directory.keep().display());
        }
    }
}

fn start_etcd(root: &Path) -> anyhow::Result<(Supervised, String)> {
    let program = Tool::Etcd.path()?;
    on_free_port("etcd", |port| {
        let address = format!("http://127.0.0.1:{port}");
        let flags = [
            flag("--data-dir=", root.join(format!("etcd-{port}"))),
            flag("--listen-client-urls=", &address),
            flag("--advertise-client-urls=", &address),
            // Nobody joins, so whatever port is free will do.
            "--listen-peer-urls=http://127.0.0.1:0".into(),
            "--unsafe-no-fsync".into(),
        ];
        let etcd = Supervised::start("etcd", &program, flags, root.join("etcd.log"))?;
        // Its own word, not an answer on the port: that could be another test's etcd.
        ready(&etcd, |log| {
            if log.contains("serving client traffic insecurely") {
                Ok(())
            } else {
                Err("it does not serve yet".to_owned())
            }
        })?;
        Ok((etcd, address))
    })
}

/// On a socket in `root`; ready when the socket is there.
fn start_key_provider(root: &Path) -> anyhow::Result<Supervised> {
    let socket = root.join(KEY_SOCKET);
    // Left by one that was stopped, it would look like the new one's.
    if socket.exists() {
        fs::remove_file(&socket)?;
    }
    let log = root.join("key-provider.log");
    let provider = Supervised::start("key-provider", &Tool::KeyProvider.path()?, [&socket], log)?;
    ready(&provider, |_| if socket.exists() { Ok(()) } else { Err("it does not listen yet".to_owned()) })?;
    Ok(provider)
}

/// The API server's configuration for it.
fn encryption(root: &Path) -> anyhow::Result<PathBuf> {
    let endpoint = format!("unix://{}", root.join(KEY_SOCKET).display());
    let provider = json!({"kms": {"apiVersion": "v2", "name": "test", "endpoint": endpoint}});
    let configuration = json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": [provider]}],
    });
    let path = root.join("encryption.json");
    fs::write(&path, configuration.to_string())?;
    Ok(path)
}

struct ApiServer {
    process: Supervised,
    server: String,
    admin: Http,
}

fn start_api_server(
    wanted: &Builder,
    root: &Path,
    pki: &Pki,
    store: &str,
    runtime: &Runtime,
) -> anyhow::Result<ApiServer> {
    let program = Tool::KubeApiserver(wanted.kubernetes).path()?;
    let serving = pki.server("kube-apiserver")?;
    let tokens = pki.token_key()?;
    let admin_user = certificate_user(&pki.client("harness", "kubernetes-admin", Some("system:masters"))?);
    let policy = root.join("audit-policy.json");
    fs::write(&policy, audit::POLICY)?;
    on_free_port("kube-apiserver", |port| {
        let server = format!("https://127.0.0.1:{port}");
        let mut flags = vec![
            "--bind-address=127.0.0.1".into(),
            "--advertise-address=127.0.0.1".into(),
            flag("--secure-port=", port.to_string()),
            flag("--etcd-servers=", store),
            flag("--cert-dir=", root.join("kube-apiserver")),
            flag("--tls-cert-file=", &serving.certificate),
            flag("--tls-private-key-file=", &serving.key),
            flag("--client-ca-file=", pki.authority()),
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local".into(),
            flag("--service-account-key-file=", &tokens.certificate),
            flag("--service-account-signing-key-file=", &tokens.key),
            "--service-cluster-ip-range=10.96.0.0/16".into(),
            "--authorization-mode=Node,RBAC".into(),
            "--enable-admission-plugins=NodeRestriction".into(),
            // It would mount tokens into pods, which waits for a controller we may not run.
            "--disable-admission-plugins=ServiceAccount".into(),
            "--endpoint-reconciler-type=none".into(),
            // A webhook's Service of type ExternalName leads to loopback: the name is resolved by
            // the API server itself, as long as it does not route to endpoints.
            "--enable-aggregator-routing=false".into(),
            "--allow-privileged=true".into(),
            flag("--audit-policy-file=", &policy),
            flag("--audit-log-path=", root.join("audit.log")),
        ];
        flags.extend(wanted.api_server_flags.iter().map(OsString::from));
        let log = root.join("kube-apiserver.log");
        let process = Supervised::start("kube-apiserver", &program, flags, log)?;
        let kubeconfig = write_kubeconfig(root, "harness", &server, &pki.authority(), &admin_user)?;
        let admin = Http::new(&kubeconfig, runtime.handle())?;
        ready(&process, |_| {
            // The system's namespaces come a moment after readiness.
            for path in ["/readyz", "/api/v1/namespaces/kube-system", "/api/v1/namespaces/default"] {
                let answer = admin.get(path).map_err(|error| format!("{error:#}"))?;
                if !answer.is_success() {
                    return Err(answer.body);
                }
            }
            Ok(())
        })?;
        Ok(ApiServer { process, server, admin })
    })
}

/// Between our look and the program's bind another process can take the port, so that one
/// failure is tried again on another port.
fn on_free_port<T>(name: &str, start: impl Fn(u16) -> anyhow::Result<T>) -> anyhow::Result<T> {
    for _ in 0..PORT_ATTEMPTS {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        match start(port) {
            Err(error) if error.to_string().contains("address already in use") => {}
            settled => return settled,
        }
    }
    bail!("{name} found each of {PORT_ATTEMPTS} free ports taken when it bound them")
}

fn ready(process: &Supervised, probe: impl Fn(&str) -> Result<(), String>) -> anyhow::Result<()> {
    let name = process.name();
    let answer = wait::until(&format!("{name} to be ready"), READY_LIMIT, || {
        if let Some(status) = process.exited() {
            return Ok(Err(status));
        }
        probe(&process.log()).map(Ok)
    });
    match answer {
        Ok(Ok(())) => Ok(()),
        Ok(Err(status)) => bail!("{name} ended with {status}:\n{}", process.log_tail()),
        Err(error) => bail!("{error}\n--- end of its log\n{}", process.log_tail()),
    }
}

fn flag(name: &str, value: impl AsRef<std::ffi::OsStr>) -> OsString {
    let mut flag = OsString::from(name);
    flag.push(value);
    flag
}

fn certificate_user(files: &KeyFiles) -> Value {
    json!({"client-certificate": files.certificate, "client-key": files.key})
}

fn write_kubeconfig(root: &Path, name: &str, server: &str, authority: &Path, user: &Value) -> anyhow::Result<PathBuf> {
    let kubeconfig = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": "control-plane",
            "cluster": {"server": server, "certificate-authority": authority},
        }],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": "control-plane", "user": name}}],
        "current-context": name,
    });
    let path = root.join(format!("{name}.kubeconfig"));
    // JSON is YAML.
    fs::write(&path, serde_json::to_vec_pretty(&kubeconfig)?)?;
    Ok(path)
}

/// What a person would call the binding: `alice`, `argocd-application-controller`.
fn short_name(identity: &Identity) -> String {
    let user = identity.username();
    let name = user.rsplit(':').next().unwrap_or(&user);
    name.split('@').next().unwrap_or(name).to_owned()
}

fn describe(event: &AuditEvent) -> String {
    let AuditEvent { user, verb, request_uri, response_status, .. } = event;
    format!("{} {verb} {request_uri} -> {}", user.username, response_status.code)
}

/// A text without its line breaks: whoever writes PEM anew may break lines elsewhere.
fn plain(pem: &str) -> String {
    pem.split_ascii_whitespace().collect()
}

/// Where the API server publishes by which authorities it knows clients.
const AUTHORITIES: &str = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";

const RBAC: &str = "rbac.authorization.k8s.io";

const CONFLICT: u16 = 409;

const PORT_ATTEMPTS: usize = 5;

/// Ten times what a cold start takes on a busy two-core machine.
const READY_LIMIT: Duration = Duration::from_mins(1);

/// Short: the kernel takes no more than 107 bytes of a socket's path.
const KEY_SOCKET: &str = "keys.sock";

/// The API server asks a provider that was well 20 s later again.
const KEYS_LIMIT: Duration = Duration::from_mins(1);

/// For what the API server does a moment after its answer.
const LAG_LIMIT: Duration = Duration::from_secs(5);
