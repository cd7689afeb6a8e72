//! The smallest program that could answer: the libraries and the runtime of the guard, without judging.

use std::convert::Infallible;
use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::Context;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::server::Server;

/// Starts one as a process of its own, with the certificate in `directory`.
pub(crate) fn start(directory: &Path) -> anyhow::Result<Server> {
    let mut command = Command::new(env::current_exe()?);
    let mut process = command.arg("--bare").arg(directory).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(process.stdout.take().context("no output")?).read_line(&mut line)?;
    let address = line.trim().parse().with_context(|| format!("{line:?} is no address"))?;
    Ok(Server::new(process, address))
}

/// Serves with the certificate in `directory`, and prints the address.
pub(crate) fn serve(directory: &Path) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let chain = vec![CertificateDer::from_pem_file(directory.join("tls.crt"))?];
        let key = PrivateKeyDer::from_pem_file(directory.join("tls.key"))?;
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        writeln!(io::stdout(), "{}", listener.local_addr()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(|request: Request<Incoming>| async move {
                    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes);
                    let answer = body.ok().and_then(|body| answer(&body)).unwrap_or_default();
                    Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from(answer))))
                });
                let mut http = hyper::server::conn::http1::Builder::new();
                // The client decides when a connection ends.
                let _ = http.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}

/// The answer that allows a review. An API server takes it only with the uid of the review, which stands at its
/// beginning.
fn answer(body: &[u8]) -> Option<String> {
    let head = std::str::from_utf8(body.get(..body.len().min(HEAD))?).ok()?;
    let (uid, _) = head.split_once(r#""uid":""#)?.1.split_once('"')?;
    Some(format!(
        r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{{"uid":"{uid}","allowed":true}}}}"#
    ))
}

/// Bytes in which the uid of a review stands: nothing but the type of the review comes before it.
const HEAD: usize = 160;
