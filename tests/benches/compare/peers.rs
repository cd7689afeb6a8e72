//! Gatekeeper and Kyverno, started as their own manifests have them.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use aksarc_tests::binaries::Tool;
use aksarc_tests::go_module::GoModule;
use aksarc_tests::guard::get;
use aksarc_tests::{ControlPlane, Identity, wait};
use anyhow::{Context, ensure};
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use crate::client::Webhook;
use crate::server::Server;

/// A running one.
pub(crate) struct Peer {
    pub(crate) server: Server,
    pub(crate) version: String,
    /// Its certificate; the path of Kyverno's depends on the policy.
    pub(crate) webhook: Arc<Webhook>,
    log: PathBuf,
}

impl Peer {
    /// The end of its log, for messages.
    pub(crate) fn log_tail(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let skip = log.lines().count().saturating_sub(LINES);
        log.lines().skip(skip).collect::<Vec<_>>().join("\n")
    }
}

/// Starts Gatekeeper's webhook. The audit is a pod of its own there, and is not started.
pub(crate) fn gatekeeper(cluster: &ControlPlane) -> anyhow::Result<Peer> {
    let module = GoModule::download("gatekeeper", "github.com/open-policy-agent/gatekeeper/v3")?;
    let manifest = fs::read_to_string(module.directory.join("deploy/gatekeeper.yaml"))?;
    install(cluster, "gatekeeper", &manifest)?;
    // Status objects belong to the pod. Its namespace takes only restricted ones.
    let context = json!({
        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": true,
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "gatekeeper-controller-manager"},
        "spec": {"containers": [{"name": "manager", "image": "gatekeeper", "securityContext": context}]},
    });
    cluster.http(&Identity::Admin)?.post("/api/v1/namespaces/gatekeeper-system/pods", &pod)?.object()?;
    let directory = cluster.directory().join("gatekeeper");
    let webhook = Webhook::certified(&directory, "gatekeeper-webhook-service.gatekeeper-system.svc", "/v1/admit")?;
    let (address, health, metrics) = (free_address()?, free_address()?, free_address()?);
    let further = vec![
        "--host=127.0.0.1".to_owned(),
        format!("--port={}", address.port()),
        format!("--health-addr={health}"),
        format!("--prometheus-port={}", metrics.port()),
        format!("--cert-dir={}", directory.display()),
        "--disable-cert-rotation".to_owned(),
        // Otherwise the audit's: makes the definitions of constraints.
        "--operation=generate".to_owned(),
    ];
    let deployment = Deployment::read(&manifest, "gatekeeper-controller-manager", "gatekeeper-admin")?;
    let (server, log) = deployment.start(cluster, Tool::Gatekeeper, address, further)?;
    let peer = Peer { server, version: module.version, webhook, log };
    wait::until("Gatekeeper to be ready", LIMIT, || {
        get(health, "/readyz").map_err(|error| format!("{error:#}\n{}", peer.log_tail()))
    })?;
    Ok(peer)
}

/// Starts Kyverno's admission controller. Its other controllers are programs of their own, and are not started.
pub(crate) fn kyverno(cluster: &ControlPlane) -> anyhow::Result<Peer> {
    let module = GoModule::download("kyverno", "github.com/kyverno/kyverno")?;
    let manifest = fs::read_to_string(module.directory.join("config/install-latest-testing.yaml"))?;
    // By default Kyverno judges no nodes; its documentation has users take these lines out.
    let nodes = ["    [Node,*,*]\n", "    [Node/?*,*,*]\n"];
    ensure!(nodes.iter().all(|line| manifest.contains(line)), "Kyverno's manifest has another filter of nodes");
    let manifest = nodes.iter().fold(manifest, |text, line| text.replace(line, ""));
    install(cluster, "kyverno", &manifest)?;
    let (address, metrics) = (free_address()?, free_address()?);
    let further = vec![
        // Registers itself by its address, for API servers that know no Services.
        format!("--serverIP={address}"),
        "--webhookServerHost=127.0.0.1".to_owned(),
        format!("--webhookServerPort={}", address.port()),
        format!("--metricsPort={}", metrics.port()),
        "--controllerRuntimeMetricsAddress=127.0.0.1:0".to_owned(),
        // Written for the reports controller, which would read and delete them.
        "--admissionReports=false".to_owned(),
    ];
    let deployment = Deployment::read(&manifest, "kyverno-admission-controller", "kyverno-admission-controller")?;
    let (server, log) = deployment.start(cluster, Tool::Kyverno, address, further)?;
    let admin = cluster.http(&Identity::Admin)?;
    let name = "kyverno-svc.kyverno.svc";
    let certificate = wait::until("Kyverno's certificate", LIMIT, || {
        let path = format!("/api/v1/namespaces/kyverno/secrets/{name}.kyverno-tls-ca");
        let secret = admin.get(&path).and_then(|answer| answer.object()).map_err(|error| format!("{error:#}"))?;
        let certificate = secret.pointer("/data/tls.crt").cloned().ok_or("no certificate")?;
        serde_json::from_value::<ByteString>(certificate).map_err(|error| error.to_string())
    });
    let authority = cluster.directory().join("kyverno/authority.pem");
    let webhook = Arc::new(Webhook { name: name.to_owned(), path: String::new(), authority });
    let peer = Peer { server, version: module.version, webhook, log };
    let certificate = certificate.with_context(|| peer.log_tail())?;
    fs::write(&peer.webhook.authority, certificate.0)?;
    // It judges policies, so none could be made before.
    registered(cluster, "kyverno-policy-validating-webhook-cfg", "clusterpolicies").with_context(|| peer.log_tail())?;
    Ok(peer)
}

/// The path at which Kyverno has registered itself for nodes, once it has. One policy for nodes may be there.
pub(crate) fn kyverno_path(cluster: &ControlPlane) -> anyhow::Result<String> {
    let url = registered(cluster, "kyverno-resource-validating-webhook-cfg", "nodes")?;
    let rest = url.strip_prefix("https://").with_context(|| url.clone())?;
    let (_, path) = rest.split_once('/').with_context(|| url.clone())?;
    Ok(format!("/{path}"))
}

/// The address at which a configuration sends reviews of a resource.
fn registered(cluster: &ControlPlane, configuration: &str, resource: &str) -> anyhow::Result<String> {
    let admin = cluster.http(&Identity::Admin)?;
    wait::until(&format!("{configuration} to name {resource}"), LIMIT, || {
        let path = format!("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{configuration}");
        let object = admin.get(&path).and_then(|answer| answer.object()).map_err(|error| format!("{error:#}"))?;
        let webhooks = object.get("webhooks").and_then(Value::as_array).cloned().unwrap_or_default();
        let named = webhooks.iter().find(|webhook| {
            let rules = webhook.get("rules").and_then(Value::as_array).into_iter().flatten();
            let mut resources = rules.filter_map(|rule| rule.get("resources")?.as_array()).flatten();
            resources.any(|name| name == resource)
        });
        let url = named.and_then(|webhook| webhook.pointer("/clientConfig/url")?.as_str());
        url.map(str::to_owned).ok_or_else(|| object.to_string())
    })
}

/// Creates what a manifest has besides workloads and registrations: definitions, configuration, rights.
fn install(cluster: &ControlPlane, name: &str, manifest: &str) -> anyhow::Result<()> {
    let directory = cluster.directory().join(name);
    fs::create_dir_all(&directory)?;
    let documents = manifest.split("\n---\n").filter(|document| {
        let mut lines = document.lines();
        lines.any(|line| line.strip_prefix("kind: ").is_some_and(|kind| INSTALLED.contains(&kind.trim())))
    });
    let file = directory.join("manifest.yaml");
    fs::write(&file, documents.collect::<Vec<_>>().join("\n---\n"))?;
    let file = file.display().to_string();
    cluster.kubectl(&Identity::Admin, ["create", "-f", &file])?.succeeded()?;
    let wait = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=2m"];
    cluster.kubectl(&Identity::Admin, wait)?.succeeded().map(drop)
}

/// A Deployment of a manifest: the arguments and the environment of its program.
struct Deployment {
    name: String,
    namespace: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    account: &'static str,
}

impl Deployment {
    fn read(manifest: &str, name: &str, account: &'static str) -> anyhow::Result<Self> {
        let wanted = [format!("\n  name: {name}\n"), "\nkind: Deployment\n".to_owned()];
        let document = manifest.split("\n---\n").map(|document| format!("\n{document}\n"));
        let mut document = document.filter(|document| wanted.iter().all(|part| document.contains(part)));
        let document = document.next().with_context(|| format!("no Deployment {name}"))?;
        let object: Value = serde_saphyr::from_str(&document)?;
        let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str).context("no namespace")?;
        let container = object.pointer("/spec/template/spec/containers/0").context("no container")?;
        let list = |field: &str| container.get(field).and_then(Value::as_array).into_iter().flatten();
        let arguments = list("args").filter_map(Value::as_str).map(str::to_owned).collect();
        let environment = list("env").filter_map(|variable| {
            let value = match variable.pointer("/valueFrom/fieldRef/fieldPath").and_then(Value::as_str) {
                Some("metadata.name") => name,
                Some("metadata.namespace") => namespace,
                _ => variable.get("value")?.as_str()?,
            };
            Some((variable.get("name")?.as_str()?.to_owned(), value.to_owned()))
        });
        let environment = environment.collect();
        Ok(Self { name: name.to_owned(), namespace: namespace.to_owned(), arguments, environment, account })
    }

    /// Starts its program, with arguments that count instead of earlier ones of the same name. The server and its log.
    fn start(
        self,
        cluster: &ControlPlane,
        tool: Tool,
        address: SocketAddr,
        further: Vec<String>,
    ) -> anyhow::Result<(Server, PathBuf)> {
        let account = cluster.service_account(&self.namespace, self.account)?;
        // Rights cost the API server alone, and no controller is there that would put Kyverno's roles together.
        cluster.bind(&account, "cluster-admin")?;
        let log = cluster.directory().join(Path::new(&self.name).with_extension("log"));
        let mut command = cluster.command(&account, &tool.path()?)?;
        let process = command
            .args(self.arguments)
            .args(further)
            .arg(format!("--kubeconfig={}", cluster.kubeconfig(&account)?.display()))
            .envs(self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| format!("cannot start {tool}"))?;
        Ok((Server::new(process, address), log))
    }
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

const INSTALLED: [&str; 8] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "ConfigMap",
    "CustomResourceDefinition",
    "Namespace",
    "Role",
    "RoleBinding",
    "ServiceAccount",
];
/// Lines of a log in a message.
const LINES: usize = 40;
/// They read every definition and make a key first, on two busy cores.
const LIMIT: Duration = Duration::from_mins(3);
