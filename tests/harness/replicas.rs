//! Replicas of the guard that make their own certificates, behind one Service: the right ones, the real rights, and the
//! policies that limit them.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use aksarc_shared::data::own;
use aksarc_webhook::certificates::record::CertificateRecord;
use aksarc_webhook::manifest::{self, protection};
use aksarc_webhook::tls;
use anyhow::{Context, ensure};
use k8s_openapi::ByteString;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use serde_json::{Value, json};

use crate::balancer::Balancer;
use crate::client::Http;
use crate::control_plane::ControlPlane;
use crate::guard::{self, Guard};
use crate::identity::Identity;
use crate::kubectl::Finished;
use crate::product;

/// Replicas of the guard behind one Service.
#[derive(Debug)]
pub struct Replicas<'c> {
    cluster: &'c ControlPlane,
    /// What stands in for the Service.
    pub balancer: Balancer,
    /// Names of the webhooks.
    pub webhooks: Vec<String>,
    kubeconfig: PathBuf,
    arguments: Vec<String>,
    admin: Http,
    started: usize,
}

impl<'c> Replicas<'c> {
    /// Installs what the shipped manifest has besides pods, as `kubectl apply` does, and the shipped policies. `arguments`
    /// are those of every replica.
    ///
    /// # Errors
    /// The API server refuses a part of either.
    pub fn install(cluster: &'c ControlPlane, arguments: &[&str]) -> anyhow::Result<Self> {
        let account = cluster.service_account(manifest::NAMESPACE, "guard")?;
        let documents = guard::documents(cluster, &product::webhook()?, &["manifest"])?;
        let rights = guard::grant(cluster, &documents)?;
        ensure!(rights == 14, "{rights} roles and bindings");
        let policies = protection::render(&aksarc_shared::verdict::guard::Settings::default());
        cluster.kubectl_with(&Identity::Admin, ["apply", "-f", "-"], &policies)?.succeeded()?;
        for right in [
            json!({"verb": "create", "group": "", "resource": "secrets", "namespace": manifest::NAMESPACE}),
            json!({"verb": "patch", "group": "admissionregistration.k8s.io", "name": manifest::CONFIGURATION,
                "resource": "validatingwebhookconfigurations"}),
            json!({"verb": "patch", "group": "", "resource": "namespaces", "name": manifest::NAMESPACE,
                "namespace": manifest::NAMESPACE}),
        ] {
            cluster.await_right(&account, &right)?;
        }
        let balancer = Balancer::start()?;
        let webhooks = guard::register_documents(cluster, &documents, balancer.address().port())?;
        let kubeconfig = cluster.kubeconfig(&account)?;
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let admin = cluster.http(&Identity::Admin)?;
        Ok(Replicas { cluster, balancer, webhooks, kubeconfig, arguments, admin, started: 0 })
    }

    /// Starts a replica with `config`, the fields of a `GuardConfig`, waits until it is ready, and routes reviews to it.
    ///
    /// # Errors
    /// It does not build, start or become ready.
    pub fn start(&mut self, config: &Value) -> anyhow::Result<Guard> {
        self.start_under(&[], config)
    }

    /// As [`Replicas::start`], started by the words of `under`, such as those of `env`.
    ///
    /// # Errors
    /// As [`Replicas::start`].
    pub fn start_under(&mut self, under: &[String], config: &Value) -> anyhow::Result<Guard> {
        let guard = self.start_unready(under, config)?;
        guard.await_ready()?;
        self.balancer.add(guard.review);
        Ok(guard)
    }

    /// As [`Replicas::start_under`], without waiting until it is ready and without reviews for it.
    ///
    /// # Errors
    /// It does not build or start.
    pub fn start_unready(&mut self, under: &[String], config: &Value) -> anyhow::Result<Guard> {
        self.started += 1;
        let name = format!("guard-{}", self.started);
        let mut arguments = self.arguments.clone();
        let kubeconfig = self.kubeconfig.display().to_string();
        arguments.extend(["--kubeconfig".to_owned(), kubeconfig, "--replica".to_owned(), name.clone()]);
        Guard::start(self.cluster, under, &name, config, arguments)
    }

    /// The record that they share.
    ///
    /// # Errors
    /// There is none, or one that cannot be read.
    pub fn record(&self) -> anyhow::Result<CertificateRecord> {
        let secret = self.admin.get(&secret_path())?.object()?;
        let text = decoded(secret.pointer("/data/record.json").context("no record")?)?;
        CertificateRecord::parse(&text).context("a record that cannot be read")
    }

    /// What every webhook trusts, each once.
    ///
    /// # Errors
    /// There is no webhook configuration.
    pub fn bundles(&self) -> anyhow::Result<Vec<String>> {
        let configuration = self.admin.get(&configuration_path())?.object()?;
        let webhooks = configuration.get("webhooks").and_then(Value::as_array).context("no webhooks")?;
        let bundles =
            webhooks.iter().map(|webhook| webhook.pointer("/clientConfig/caBundle").map_or(Ok(String::new()), decoded));
        let mut bundles = bundles.collect::<anyhow::Result<Vec<String>>>()?;
        bundles.sort();
        bundles.dedup();
        Ok(bundles)
    }
}

/// Sends a signal to a process, `STOP` for one.
///
/// # Errors
/// There is no such process.
pub fn signal(pid: u32, name: &str) -> anyhow::Result<()> {
    let mut kill = Command::new("kill");
    Finished::run(kill.args([format!("-{name}"), pid.to_string()]), None)?.succeeded().map(drop)
}

/// Makes a handshake as an API server does that trusts `bundle`.
///
/// # Errors
/// The guard presents no certificate that the API server would take, or none within three seconds.
pub fn handshake(address: SocketAddr, bundle: &str) -> anyhow::Result<()> {
    presented(address, bundle).map(drop)
}

/// The certificate that the guard presents to an API server that trusts `bundle`, in DER.
///
/// # Errors
/// As [`handshake`].
pub fn presented(address: SocketAddr, bundle: &str) -> anyhow::Result<Vec<u8>> {
    let mut roots = RootCertStore::empty();
    for der in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(der?)?;
    }
    let config = ClientConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("guard.aksarc-system.svc")?;
    let mut client = ClientConnection::new(Arc::new(config), name)?;
    let mut tcp = TcpStream::connect(address)?;
    tcp.set_read_timeout(Some(Duration::from_secs(3)))?;
    while client.is_handshaking() {
        client.complete_io(&mut tcp)?;
    }
    let chain = client.peer_certificates().context("a handshake without a certificate")?;
    Ok(chain.first().context("an empty chain")?.to_vec())
}

/// The text in base64 of a Secret's data or of a `caBundle`.
///
/// # Errors
/// It is not base64, or no text.
pub fn decoded(base64: &Value) -> anyhow::Result<String> {
    let ByteString(bytes) = serde_json::from_value(base64.clone())?;
    Ok(String::from_utf8(bytes)?)
}

/// The path of the Secret that holds the record.
pub fn secret_path() -> String {
    format!("/api/v1/namespaces/{}/secrets/{}", manifest::NAMESPACE, own::CERTIFICATES)
}

/// The path of the guard's webhook configuration.
pub fn configuration_path() -> String {
    format!("{}/{}", guard::WEBHOOKS, manifest::CONFIGURATION)
}
