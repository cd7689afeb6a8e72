//! The programs: the start of each, and its readiness.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;
use serde_json::json;
use tokio::runtime::Runtime;

use super::access::{certificate_user, write_kubeconfig};
use super::{Builder, ControlPlane, Pods};
use crate::audit;
use crate::binaries::{MODULES, Tool};
use crate::client::Http;
use crate::identity::Identity;
use crate::pki::Pki;
use crate::process::Supervised;
use crate::wait;

impl ControlPlane {
    pub(super) fn with_controllers(self, wanted: &Builder) -> anyhow::Result<Self> {
        let mut added = Vec::new();
        if wanted.controllers {
            added.push(self.start_controller_manager(wanted)?);
            added.push(self.start_scheduler()?);
        }
        if wanted.pods == Pods::Played {
            added.push(self.start_kwok("--manage-all-nodes=true".into(), LEASE, "kwok.log")?);
        }
        self.running().splice(0..0, added);
        Ok(self)
    }

    /// Starts kwok for as long as the answer lives: nodes with the label that `selector` names become ready and hold leases
    /// of this length, pods bound to them run.
    ///
    /// # Errors
    /// It did not start.
    pub fn play_kubelets(&self, selector: &str, lease: Duration) -> anyhow::Result<PlayedKubelets> {
        let nodes = flag("--manage-nodes-with-label-selector=", selector);
        let log: String = selector.chars().filter(char::is_ascii_alphanumeric).collect();
        self.start_kwok(nodes, lease, &format!("kwok-{log}.log")).map(PlayedKubelets)
    }

    fn start_controller_manager(&self, wanted: &Builder) -> anyhow::Result<Supervised> {
        let identity = Identity::user("system:kube-controller-manager");
        let token_key = self.root.join("pki/service-accounts-key.pem");
        let mut flags = vec![
            flag("--kubeconfig=", self.kubeconfig(&identity)?),
            flag("--service-account-private-key-file=", token_key),
            flag("--root-ca-file=", self.authority()),
            // It signs the certificates of kubelets that join.
            flag("--cluster-signing-cert-file=", self.authority()),
            flag("--cluster-signing-key-file=", self.pki.authority_key()),
            // Each controller acts under the name it has in a real cluster.
            "--use-service-account-credentials=true".into(),
            // With the default, a small cluster waits five seconds for its own rate limit.
            "--kube-api-qps=500".into(),
            "--kube-api-burst=1000".into(),
            "--leader-elect=false".into(),
            "--secure-port=0".into(),
        ];
        if let Some(grace) = wanted.node_grace {
            flags.push(flag("--node-monitor-grace-period=", format!("{}s", grace.as_secs())));
            flags.push("--node-monitor-period=1s".into());
        } else if wanted.pods != Pods::Played {
            // Nobody plays the kubelets, so a node's status stays as it was written.
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
    fn start_kwok(&self, nodes: OsString, lease: Duration, log: &str) -> anyhow::Result<Supervised> {
        let identity = Identity::user_in("system:kwok", "system:nodes");
        self.bind(&identity, "cluster-admin")?;
        let flags = [
            flag("--kubeconfig=", self.kubeconfig(&identity)?),
            flag("--config=", Path::new(MODULES).join("kwok/stages.yaml")),
            nodes,
            flag("--node-lease-duration-seconds=", lease.as_secs().to_string()),
        ];
        Supervised::start("kwok", &Tool::Kwok.path()?, flags, self.root.join(log))
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

/// Kubelets that kwok plays. They fall silent with the value.
#[derive(Debug)]
pub struct PlayedKubelets(#[expect(dead_code, reason = "held for its end")] Supervised);

pub(super) fn start_etcd(root: &Path) -> anyhow::Result<(Supervised, String)> {
    let program = Tool::Etcd.path()?;
    on_free_port("etcd", |port| {
        let address = format!("http://127.0.0.1:{port}");
        let flags = [
            flag("--data-dir=", root.join(format!("etcd-{port}"))),
            flag("--listen-client-urls=", &address),
            flag("--advertise-client-urls=", &address),
            // Nobody joins, so any free port will do.
            "--listen-peer-urls=http://127.0.0.1:0".into(),
            "--unsafe-no-fsync".into(),
        ];
        let etcd = Supervised::start("etcd", &program, flags, root.join("etcd.log"))?;
        // Its own message, not an answer on the port, which could be another test's etcd.
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
pub(super) fn start_key_provider(root: &Path) -> anyhow::Result<Supervised> {
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
pub(super) fn encryption(root: &Path) -> anyhow::Result<PathBuf> {
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

pub(super) struct ApiServer {
    pub(super) process: Supervised,
    pub(super) server: String,
    pub(super) admin: Http,
}

pub(super) fn start_api_server(
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
            "--endpoint-reconciler-type=none".into(),
            // A webhook's Service of type ExternalName leads to loopback: the name is resolved by
            // the API server itself, as long as it does not route to endpoints.
            "--enable-aggregator-routing=false".into(),
            "--allow-privileged=true".into(),
            flag("--audit-policy-file=", &policy),
            flag("--audit-log-path=", root.join("audit.log")),
        ];
        if wanted.pods != Pods::Run {
            // It would mount tokens into pods, which waits for a controller we may not run.
            flags.push("--disable-admission-plugins=ServiceAccount".into());
        }
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

fn flag(name: &str, value: impl AsRef<OsStr>) -> OsString {
    let mut flag = OsString::from(name);
    flag.push(value);
    flag
}

const PORT_ATTEMPTS: usize = 5;

/// The lease of a node, as long as a kubelet's own.
const LEASE: Duration = Duration::from_secs(40);

/// The proofs start four at once: on a two-core machine that others kept busy, a minute was too short for them.
const READY_LIMIT: Duration = Duration::from_mins(2);

/// Short: the kernel takes no more than 107 bytes of a socket's path.
const KEY_SOCKET: &str = "keys.sock";
