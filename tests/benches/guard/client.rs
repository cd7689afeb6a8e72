//! Kept-alive connections that send reviews.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::ensure;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::server::Server;

/// What an API server has to know of a webhook besides its address.
pub(crate) struct Webhook {
    /// The name in its certificate.
    pub(crate) name: String,
    pub(crate) path: String,
    /// The file with the certificate by which it is trusted.
    pub(crate) authority: PathBuf,
}

impl Webhook {
    /// The guard's, with a new certificate in `directory`.
    pub(crate) fn of_guard(directory: &Path) -> anyhow::Result<Arc<Self>> {
        Self::certified(directory, "guard.aksarc-system.svc", "/validate")
    }

    /// A webhook with a new certificate, which is left in `directory` with its key.
    pub(crate) fn certified(directory: &Path, name: &str, path: &str) -> anyhow::Result<Arc<Self>> {
        let pair = rcgen::KeyPair::generate()?;
        // An API server outside of a cluster reaches it by its address.
        let names = vec![name.to_owned(), "127.0.0.1".to_owned()];
        let certificate = rcgen::CertificateParams::new(names)?.self_signed(&pair)?;
        let authority = directory.join("tls.crt");
        fs::write(&authority, certificate.pem())?;
        fs::write(directory.join("tls.key"), pair.serialize_pem())?;
        Ok(Arc::new(Webhook { name: name.to_owned(), path: path.to_owned(), authority }))
    }
}

/// The connections to one server, as an API server keeps them open.
pub(crate) struct Clients<'s> {
    server: &'s Server,
    connections: Vec<Connection>,
}

struct Connection {
    webhook: Arc<Webhook>,
    sender: SendRequest<Full<Bytes>>,
}

impl<'s> Clients<'s> {
    /// Opens `count` connections.
    pub(crate) async fn connect(server: &'s Server, webhook: &Arc<Webhook>, count: usize) -> anyhow::Result<Self> {
        let mut connections = Vec::new();
        for _ in 0..count {
            connections.push(connect(webhook, server.address).await?);
        }
        Ok(Clients { server, connections })
    }

    /// The answer to one review.
    pub(crate) async fn answer(&mut self, body: &Bytes) -> anyhow::Result<Bytes> {
        let connection = self.connections.first_mut().ok_or_else(|| anyhow::anyhow!("no connection"))?;
        ask(connection, body).await
    }

    /// The server's CPU for each review, in microseconds, when all connections send `reviews` in all, each as soon as its
    /// last one is answered.
    pub(crate) async fn cost(&mut self, body: &Bytes, reviews: usize) -> anyhow::Result<f64> {
        let each = reviews / self.connections.len();
        let asked = each * self.connections.len();
        let before = self.server.cpu()?;
        if let [only] = &mut *self.connections {
            for _ in 0..each {
                ask(only, body).await?;
            }
        } else {
            let mut sending = JoinSet::new();
            for mut connection in self.connections.drain(..) {
                let body = body.clone();
                sending.spawn(async move {
                    for _ in 0..each {
                        ask(&mut connection, &body).await?;
                    }
                    anyhow::Ok(connection)
                });
            }
            while let Some(sent) = sending.join_next().await {
                self.connections.push(sent??);
            }
        }
        let asked = f64::from(u32::try_from(asked)?);
        Ok((self.server.cpu()? - before) / 1_000.0 / asked)
    }
}

async fn ask(Connection { webhook, sender }: &mut Connection, body: &Bytes) -> anyhow::Result<Bytes> {
    sender.ready().await?;
    let request = Request::post(&webhook.path).header("host", &webhook.name).header("content-type", "application/json");
    let answer = sender.send_request(request.body(Full::new(body.clone()))?).await?;
    ensure!(answer.status() == 200, "answered {}", answer.status());
    Ok(answer.into_body().collect().await?.to_bytes())
}

async fn connect(webhook: &Arc<Webhook>, address: SocketAddr) -> anyhow::Result<Connection> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&webhook.authority)?)?;
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from(webhook.name.clone())?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(Connection { webhook: Arc::clone(webhook), sender })
}
