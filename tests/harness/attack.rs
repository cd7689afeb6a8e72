//! Attacks on the guard's ports, by anybody who reaches them without credentials.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aksarc_webhook::manifest;
use anyhow::{Context, bail};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsConnector;

/// The act that each connection of an attack repeats.
#[derive(Clone, Debug)]
pub enum Attack {
    /// It connects and sends nothing.
    Silent,
    /// It begins a TLS handshake and leaves it to the server.
    HalfOpen,
    /// It has a review answered and stays.
    Idle(Bytes),
    /// It sends a review, and when that is answered the next.
    Post(Bytes),
    /// It sends this and then one byte after the other, slowly, until it is closed.
    Slow(Bytes),
}

/// Clients that attack the guard, from an address of their own. They end with the value.
#[derive(Debug)]
pub struct Attackers {
    runtime: Option<Runtime>,
    tls: Arc<ClientConfig>,
    struck: Arc<AtomicUsize>,
}

impl Attackers {
    /// Clients that know `authority`, the file of the guard's certificate authority.
    ///
    /// # Errors
    /// The file holds none, or there is no thread for them.
    pub fn new(authority: &Path) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(authority)?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        Ok(Attackers { runtime: Some(runtime), tls: Arc::new(tls), struck: Arc::default() })
    }

    /// Opens `count` connections to `guard`, and opens those anew that it closes.
    ///
    /// # Errors
    /// The attackers have ended.
    pub fn strike(&self, guard: SocketAddr, count: usize, attack: &Attack) -> anyhow::Result<()> {
        let runtime = self.runtime.as_ref().context("the attackers have ended")?;
        for _ in 0..count {
            let (tls, struck, attack) = (Arc::clone(&self.tls), Arc::clone(&self.struck), attack.clone());
            runtime.spawn(async move {
                loop {
                    // However it ends, the next one follows; after a pause, since attackers share this machine with the
                    // guard.
                    let _ = once(guard, &tls, &struck, &attack).await;
                    tokio::time::sleep(PAUSE).await;
                }
            });
        }
        Ok(())
    }

    /// The number of connections that have reached their goal so far.
    pub fn struck(&self) -> usize {
        self.struck.load(Ordering::Relaxed)
    }
}

impl Drop for Attackers {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn once(guard: SocketAddr, tls: &Arc<ClientConfig>, struck: &AtomicUsize, attack: &Attack) -> anyhow::Result<()> {
    let tcp = connect(guard).await?;
    let strike = || struck.fetch_add(1, Ordering::Relaxed);
    match attack {
        Attack::Silent => {
            strike();
            to_end(&tcp).await?;
        }
        Attack::HalfOpen => {
            let mut hello = Vec::new();
            ClientConnection::new(Arc::clone(tls), name()?)?.write_tls(&mut hello)?;
            tcp.writable().await?;
            if tcp.try_write(&hello)? < hello.len() {
                bail!("half a ClientHello");
            }
            strike();
            to_end(&tcp).await?;
        }
        Attack::Slow(begin) => {
            let mut stream = TlsConnector::from(Arc::clone(tls)).connect(name()?, tcp).await?;
            stream.write_all(begin).await?;
            strike();
            let mut unread = [0; 1024];
            loop {
                tokio::select! {
                    read = stream.read(&mut unread) => if read? == 0 { return Ok(()) },
                    () = tokio::time::sleep(PAUSE) => stream.write_all(b"x").await?,
                }
            }
        }
        Attack::Idle(review) | Attack::Post(review) => {
            let stays = matches!(attack, Attack::Idle(_));
            let stream = TlsConnector::from(Arc::clone(tls)).connect(name()?, tcp).await?;
            let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await?;
            let connection = tokio::spawn(connection);
            let request = Request::post("/validate").header("host", host()).header("content-type", "application/json");
            let answer = client.send_request(request.body(Full::new(review.clone()))?);
            if !stays {
                strike();
            }
            answer.await?.into_body().collect().await?;
            if stays {
                strike();
                connection.await??;
            }
        }
    }
    Ok(())
}

async fn connect(guard: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((ADDRESS, 0)))?;
    socket.connect(guard).await
}

/// Reads until the other side closes.
async fn to_end(tcp: &TcpStream) -> io::Result<()> {
    let mut unread = [0; 1024];
    loop {
        tcp.readable().await?;
        match tcp.try_read(&mut unread) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
}

fn name() -> anyhow::Result<ServerName<'static>> {
    Ok(ServerName::try_from(host())?)
}

fn host() -> String {
    format!("{}.{}.svc", manifest::SERVICE, manifest::NAMESPACE)
}

/// All of 127.0.0.0/8 is loopback; the API server's connections come from 127.0.0.1.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

const PAUSE: Duration = Duration::from_millis(250);
