//! Kept-alive connections that send reviews.

use std::net::SocketAddr;
use std::path::Path;
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

/// The connections to one server, as an API server keeps them open.
pub(crate) struct Clients<'s> {
    server: &'s Server,
    connections: Vec<SendRequest<Full<Bytes>>>,
}

impl<'s> Clients<'s> {
    /// Opens `count` connections. The server's certificate is in `directory`.
    pub(crate) async fn connect(server: &'s Server, directory: &Path, count: usize) -> anyhow::Result<Self> {
        let mut connections = Vec::new();
        for _ in 0..count {
            connections.push(connect(directory, server.address).await?);
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

async fn ask(connection: &mut SendRequest<Full<Bytes>>, body: &Bytes) -> anyhow::Result<Bytes> {
    connection.ready().await?;
    let request = Request::post("/validate").header("host", NAME).header("content-type", "application/json");
    let answer = connection.send_request(request.body(Full::new(body.clone()))?).await?;
    ensure!(answer.status() == 200, "answered {}", answer.status());
    Ok(answer.into_body().collect().await?.to_bytes())
}

async fn connect(directory: &Path, address: SocketAddr) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(directory.join("tls.crt"))?)?;
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let stream = TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(NAME)?, stream).await?;
    let (client, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The name in the certificate of both servers.
pub(crate) const NAME: &str = "guard.aksarc-system.svc";
