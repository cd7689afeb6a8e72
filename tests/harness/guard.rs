//! The guard as it is installed: the real program behind the shipped webhook configuration.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use aksarc_webhook::manifest;
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use crate::client::Http;
use crate::control_plane::ControlPlane;
use crate::identity::Identity;
use crate::kubectl::Finished;
use crate::process::Supervised;
use crate::{product, wait};

/// A guard in front of a control plane. It ends with the value.
#[derive(Debug)]
pub struct Guard {
    process: Option<Supervised>,
    /// The address for reviews.
    pub review: SocketAddr,
    /// The address for metrics.
    pub admin: SocketAddr,
    /// The address for probes.
    pub probe: SocketAddr,
    config: PathBuf,
    /// Names of the webhooks, `nodes.guard.aksarc.dev` for one.
    pub webhooks: Vec<String>,
}

impl Guard {
    /// Starts the guard with `config`, the fields of a `GuardConfig`, and registers it as the shipped manifest does.
    ///
    /// The manifest is the product's own; only the Service is another: it names `localhost`, and so the API server of a
    /// test reaches the guard without a pod network.
    ///
    /// # Errors
    /// It does not build or start, or the API server refuses a part of the manifest.
    pub fn install(cluster: &ControlPlane, config: &Value) -> anyhow::Result<Self> {
        Self::install_with(cluster, config, Vec::new())
    }

    /// As [`Guard::install`], with further arguments of the program.
    ///
    /// # Errors
    /// As [`Guard::install`].
    pub fn install_with(cluster: &ControlPlane, config: &Value, further: Vec<String>) -> anyhow::Result<Self> {
        let mut guard = Self::mounted(cluster, &[], "guard", config, further)?;
        guard.register(cluster)?;
        Ok(guard)
    }

    /// Starts the guard as [`Guard::install`] does, but leaves it to [`Guard::register`] to tell the API server of it.
    ///
    /// # Errors
    /// It does not build or start.
    pub fn unregistered(cluster: &ControlPlane, config: &Value) -> anyhow::Result<Self> {
        Self::mounted(cluster, &[], "guard", config, Vec::new())
    }

    /// As [`Guard::unregistered`], as a process that may have so many files and connections open.
    ///
    /// # Errors
    /// As [`Guard::unregistered`].
    pub fn with_descriptors(cluster: &ControlPlane, config: &Value, most: usize) -> anyhow::Result<Self> {
        let limit = format!("ulimit -n {most}; exec \"$@\"");
        let under = ["/bin/sh", "-c", &limit, "sh"].map(str::to_owned);
        Self::mounted(cluster, &under, "guard", config, Vec::new())
    }

    /// Starts the program without telling the API server of it: a further replica, in the directory `name`.
    ///
    /// # Errors
    /// It does not build or start.
    pub fn replica(cluster: &ControlPlane, name: &str, further: Vec<String>) -> anyhow::Result<Self> {
        Self::mounted(cluster, &[], name, &json!({"mode": "observe"}), further)
    }

    /// A guard with `config`, in the directory `name`, which makes its own certificate unless `further` names one. It is
    /// started by the words of `under`, such as those of `env`. It is not ready yet.
    ///
    /// # Errors
    /// It does not build or start.
    pub(crate) fn start(
        cluster: &ControlPlane,
        under: &[String],
        name: &str,
        config: &Value,
        further: Vec<String>,
    ) -> anyhow::Result<Self> {
        let directory = cluster.directory().join(name);
        fs::create_dir_all(&directory)?;
        let path = directory.join("config.yaml");
        write_config(&path, config)?;
        let (review, admin, probe) = (free_address()?, free_address()?, free_address()?);
        let mut arguments = vec![
            "--listen".to_owned(),
            review.to_string(),
            "--admin-listen".to_owned(),
            admin.to_string(),
            "--probe-listen".to_owned(),
            probe.to_string(),
            "--config".to_owned(),
            path.display().to_string(),
        ];
        arguments.extend(further);
        let own = product::webhook()?;
        let mut words = under.iter().cloned().chain([own.display().to_string()]).chain(arguments);
        let program = PathBuf::from(words.next().context("no program")?);
        let process = Supervised::start("aksarc-webhook", &program, words, directory.join("guard.log"))?;
        Ok(Guard { process: Some(process), review, admin, probe, config: path, webhooks: Vec::new() })
    }

    fn mounted(
        cluster: &ControlPlane,
        under: &[String],
        name: &str,
        config: &Value,
        further: Vec<String>,
    ) -> anyhow::Result<Self> {
        let tls = certificates(cluster, name)?.display().to_string();
        let own = ["--tls-dir".to_owned(), tls, "--poll".to_owned(), "100ms".to_owned()];
        let guard = Self::start(cluster, under, name, config, own.into_iter().chain(further).collect())?;
        guard.await_ready()?;
        Ok(guard)
    }

    /// Replaces the configuration and waits until it is in use.
    ///
    /// # Errors
    /// It was not taken up in time.
    pub fn reconfigure(&self, config: &Value) -> anyhow::Result<()> {
        let hash = |guard: &Self| guard.metric("aksarc_config_hash");
        let before = hash(self)?;
        write_config(&self.config, config)?;
        wait::until("a reload of the configuration", LIMIT, || {
            let now = hash(self).map_err(|error| format!("{error:#}"))?;
            if (now - before).abs() > 0.5 { Ok(()) } else { Err(self.log()) }
        })
    }

    /// Registers it anew as a manifest for its present configuration does, which may switch rules on. The API server
    /// takes a moment to go by it.
    ///
    /// # Errors
    /// The program makes no manifest of it, or the API server refuses that.
    pub fn register_anew(&self, cluster: &ControlPlane) -> anyhow::Result<()> {
        let config = self.config.display().to_string();
        let manifest = shipped(cluster, &product::webhook()?, &["--config", &config])?;
        let made = part(&manifest, "ValidatingWebhookConfiguration")?;
        let admin = cluster.http(&Identity::Admin)?;
        let path = format!("{WEBHOOKS}/{}", manifest::CONFIGURATION);
        let mut current = admin.get(&path)?.object()?;
        let port =
            current.pointer("/webhooks/0/clientConfig/service/port").cloned().context("a webhook without a port")?;
        let mut webhooks = made.get("webhooks").cloned().unwrap_or_default();
        set_port(&mut webhooks, &port);
        current.as_object_mut().context("no object")?.insert("webhooks".to_owned(), webhooks);
        let generated = made.pointer("/metadata/annotations").cloned().unwrap_or_default();
        let meta = current.get_mut("metadata").and_then(Value::as_object_mut).context("no metadata")?;
        meta.insert("annotations".to_owned(), generated);
        admin.put(&path, &current)?.object().map(drop)
    }

    /// Replaces the file of its configuration by any text, as a kubelet would, and does not wait.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_configuration(&self, text: &str) -> anyhow::Result<()> {
        let draft = self.config.with_extension("new");
        fs::write(&draft, text)?;
        Ok(fs::rename(draft, &self.config)?)
    }

    /// Waits until it has ended by itself, after a signal for one.
    ///
    /// # Errors
    /// It goes on for longer than `limit`, or was killed before.
    pub fn await_end(&self, limit: Duration) -> anyhow::Result<ExitStatus> {
        let process = self.process.as_ref().context("it was killed")?;
        wait::until("the end of the guard", limit, || process.exited().ok_or_else(|| process.log_tail()))
    }

    /// The bytes of memory that it has in use.
    ///
    /// # Errors
    /// It does not run, or the system does not say.
    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
        self.memory("VmRSS:")
    }

    /// The bytes of memory that it has had in use at most.
    ///
    /// # Errors
    /// As [`Guard::resident_bytes`].
    pub fn peak_bytes(&self) -> anyhow::Result<u64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, row: &str) -> anyhow::Result<u64> {
        let pid = self.pid().context("it does not run")?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(row)).with_context(|| format!("no {row}"))?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib << 10)
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// All it has logged.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Supervised::log).unwrap_or_default()
    }

    /// Its process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Supervised::pid)
    }

    /// Everything it counts, in Prometheus' notation.
    ///
    /// # Errors
    /// The guard does not answer.
    pub fn metrics(&self) -> anyhow::Result<String> {
        get(self.admin, "/metrics")
    }

    /// The sum of a metric over all its labels.
    ///
    /// # Errors
    /// The guard does not answer, or has no such metric.
    pub fn metric(&self, name: &str) -> anyhow::Result<f64> {
        self.sum(name, &[])
    }

    /// The sum of a metric over the labels that have all of `values`.
    ///
    /// # Errors
    /// The guard does not answer, or has no such metric.
    pub fn sum(&self, name: &str, values: &[&str]) -> anyhow::Result<f64> {
        let body = self.metrics()?;
        let rows = body.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
        let rows = rows.filter(|line| values.iter().all(|value| line.contains(&format!("=\"{value}\""))));
        let values: Vec<f64> = rows.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
        ensure!(!values.is_empty() || body.contains(name.trim_end_matches("_total")), "no metric {name} in\n{body}");
        Ok(values.iter().sum())
    }

    /// Waits until it is ready for reviews.
    ///
    /// # Errors
    /// It is not in time.
    pub fn await_ready(&self) -> anyhow::Result<()> {
        wait::until("the guard", LIMIT, || match get(self.probe, "/readyz") {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("{error:#}\n{}", self.log())),
        })
    }

    /// Registers it as the shipped manifest does, and waits until it is asked.
    ///
    /// # Errors
    /// The API server refuses a part of the manifest, or does not ask the guard.
    pub fn register(&mut self, cluster: &ControlPlane) -> anyhow::Result<()> {
        let manifest = shipped(cluster, &product::webhook()?, &[])?;
        self.webhooks = register_documents(cluster, &manifest, self.review.port())?;
        self.await_asked(cluster)
    }

    /// The registration takes a moment to reach the admission chain: a harmless attempt tells when it has.
    fn await_asked(&self, cluster: &ControlPlane) -> anyhow::Result<()> {
        let person = cluster.http(&Identity::Person)?;
        let reviews = |guard: &Self| guard.metric("aksarc_reviews_total").unwrap_or_default();
        let before = reviews(self);
        let probe = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "aksarc-probe"}});
        wait::until("the guard to be asked", LIMIT, || {
            let path = "/api/v1/namespaces/kube-system/configmaps?dryRun=All";
            let answer = person.post(path, &probe).map_err(|error| format!("{error:#}"))?;
            if reviews(self) > before { Ok(()) } else { Err(format!("{}\n{}", answer.body, self.log())) }
        })
    }
}

/// What a guard answers at a path of its ports without TLS.
///
/// # Errors
/// It does not answer, or not with 200.
pub fn get(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: guard\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a head")?;
    if !head.starts_with("HTTP/1.1 200") {
        bail!("{path}: {head}");
    }
    Ok(body.to_owned())
}

/// A directory `name` in the control plane's own, with a certificate in it as the shipped Service needs it.
///
/// # Errors
/// It can't be written.
pub fn certificates(cluster: &ControlPlane, name: &str) -> anyhow::Result<PathBuf> {
    let tls = cluster.directory().join(name).join("tls");
    fs::create_dir_all(&tls)?;
    let host = format!("{}.{}.svc", manifest::SERVICE, manifest::NAMESPACE);
    let files = cluster.pki.server_of(name, &[&host])?;
    fs::copy(files.certificate, tls.join("tls.crt"))?;
    fs::copy(files.key, tls.join("tls.key"))?;
    Ok(tls)
}

/// The guard's service account, with the objects and rights that the shipped manifest gives it.
///
/// # Errors
/// The API server refuses a part of the manifest.
pub fn account(cluster: &ControlPlane) -> anyhow::Result<Identity> {
    let guard = cluster.service_account(manifest::NAMESPACE, "guard")?;
    grant(cluster, &shipped(cluster, &product::webhook()?, &[])?)?;
    for name in [aksarc_shared::facts::heartbeat::NAME, aksarc_shared::verdict::observed::NAME] {
        let right = json!({"verb": "update", "group": "", "resource": "configmaps",
            "namespace": manifest::NAMESPACE, "name": name});
        cluster.await_right(&guard, &right)?;
    }
    cluster.await_right(&guard, &json!({"verb": "list", "group": "aksarc.dev", "resource": "supportwaivers"}))?;
    Ok(guard)
}

/// Registers the webhooks of a manifest, with a Service that leads to this port of loopback. The names of the webhooks.
pub(crate) fn register_documents(cluster: &ControlPlane, manifest: &[Value], port: u16) -> anyhow::Result<Vec<String>> {
    let mut configuration = part(manifest, "ValidatingWebhookConfiguration")?.clone();
    let service = configuration.pointer("/webhooks/0/clientConfig/service").context("a webhook without a service")?;
    let (service, namespace) = (text(service, "name"), text(service, "namespace"));
    let admin = cluster.http(&Identity::Admin)?;
    let space = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    create(&admin, "/api/v1/namespaces", &space)?;
    let stand_in = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": service},
        "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]}});
    admin.post(&format!("/api/v1/namespaces/{namespace}/services"), &stand_in)?.object()?;
    let webhooks = configuration.get_mut("webhooks").context("no webhooks")?;
    set_port(webhooks, &json!(port));
    let names = webhooks.as_array().into_iter().flatten().map(|webhook| text(webhook, "name")).collect();
    admin.post(WEBHOOKS, &configuration)?.object()?;
    Ok(names)
}

/// Creates the objects of a manifest that give the guard its rights. How many roles and bindings there are.
pub(crate) fn grant(cluster: &ControlPlane, documents: &[Value]) -> anyhow::Result<usize> {
    let admin = cluster.http(&Identity::Admin)?;
    let mut roles = 0;
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let own = format!("namespaces/{}/", manifest::NAMESPACE);
    for (kind, collection) in [
        ("ConfigMap", format!("/api/v1/{own}configmaps")),
        ("Role", format!("{rbac}/{own}roles")),
        ("RoleBinding", format!("{rbac}/{own}rolebindings")),
        ("ClusterRole", format!("{rbac}/clusterroles")),
        ("ClusterRoleBinding", format!("{rbac}/clusterrolebindings")),
    ] {
        for document in documents.iter().filter(|document| text(document, "kind") == kind) {
            create(&admin, &collection, document)?;
            roles += usize::from(kind.contains("Role"));
        }
    }
    Ok(roles)
}

/// Creates an object; one that is there already stays.
fn create(admin: &Http, path: &str, object: &Value) -> anyhow::Result<()> {
    let answer = admin.post(path, object)?;
    if answer.code == 409 { Ok(()) } else { answer.object().map(drop) }
}

/// The documents of the shipped manifest, with the control plane's authority in it.
fn shipped(cluster: &ControlPlane, program: &Path, further: &[&str]) -> anyhow::Result<Vec<Value>> {
    let authority = cluster.authority().display().to_string();
    let arguments: Vec<&str> =
        ["manifest", "--ca-file", &authority].into_iter().chain(further.iter().copied()).collect();
    documents(cluster, program, &arguments)
}

/// The documents of the manifest that the program prints with these arguments.
pub(crate) fn documents(cluster: &ControlPlane, program: &Path, arguments: &[&str]) -> anyhow::Result<Vec<Value>> {
    let mut command = cluster.command(&Identity::Admin, program)?;
    command.args(arguments);
    let printed = Finished::run(&mut command, None)?;
    serde_saphyr::from_multiple(printed.succeeded()?)
        .map_err(|error| anyhow::anyhow!("the manifest is no YAML: {error}"))
}

/// The Service that stands in for the guard's has the port of its process.
fn set_port(webhooks: &mut Value, port: &Value) {
    for webhook in webhooks.as_array_mut().into_iter().flatten() {
        if let Some(service) = webhook.pointer_mut("/clientConfig/service").and_then(Value::as_object_mut) {
            service.insert("port".to_owned(), port.clone());
        }
    }
}

fn part<'m>(manifest: &'m [Value], kind: &str) -> anyhow::Result<&'m Value> {
    manifest.iter().find(|part| text(part, "kind") == kind).with_context(|| format!("the manifest has no {kind}"))
}

fn text(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Written as kubelet would: whole, then put in place.
fn write_config(path: &Path, config: &Value) -> anyhow::Result<()> {
    let mut whole = json!({"apiVersion": "aksarc.dev/v1alpha1", "kind": "GuardConfig"});
    if let (Some(whole), Some(fields)) = (whole.as_object_mut(), config.as_object()) {
        whole.extend(fields.clone());
    }
    let draft = path.with_extension("new");
    fs::write(&draft, whole.to_string())?;
    Ok(fs::rename(draft, path)?)
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

pub(crate) const WEBHOOKS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const LIMIT: Duration = Duration::from_secs(30);
