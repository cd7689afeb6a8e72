//! One connection, from handshake to end.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::{Phase, Shared};
use crate::metrics::Metrics;

/// One connection, from handshake to end.
pub(super) async fn connection(
    _slot: OwnedSemaphorePermit,
    tcp: TcpStream,
    acceptor: TlsAcceptor,
    http: http1::Builder,
    shared: Arc<Shared>,
    mut phase: watch::Receiver<Phase>,
) {
    let metrics = &shared.metrics;
    let _open = Open::new(metrics);
    // An answer is one small write; waiting to fill a packet would only delay it.
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let stream = match timeout(shared.limits.handshake, acceptor.accept(tcp)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            metrics.handshakes_failed.inc();
            tracing::debug!(%error, "TLS handshake failed");
            return;
        }
        Err(_) => {
            metrics.handshakes_slow.inc();
            return;
        }
    };
    let seen = Arc::new(AtomicBool::new(false));
    let service = {
        let (seen, shared) = (Arc::clone(&seen), Arc::clone(&shared));
        service_fn(move |request| {
            seen.store(true, Ordering::Relaxed);
            let shared = Arc::clone(&shared);
            async move { Ok::<_, Infallible>(shared.respond(request).await) }
        })
    };
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    // hyper's one timer cannot tell a slow first header from an idle wait, so new connections get a deadline of ours.
    let mut first_header = pin!(sleep(shared.limits.first_header));
    let (mut waiting, mut draining) = (true, false);
    loop {
        let next = if draining { Phase::Abort } else { Phase::Drain };
        tokio::select! {
            // The connection first: what has arrived already is served before anything is shut.
            biased;
            result = &mut connection => {
                if let Err(error) = result {
                    tracing::debug!(%error, "connection ended early");
                }
                return;
            }
            () = &mut first_header, if waiting => {
                waiting = false;
                if !seen.load(Ordering::Relaxed) {
                    metrics.headers_slow.inc();
                    return;
                }
            }
            reached = phase.wait_for(|phase| *phase >= next) => {
                let aborted = reached.map_or(true, |phase| *phase == Phase::Abort);
                if aborted {
                    return;
                }
                draining = true;
                // A new connection stays until its first request, whose answer closes it.
                if seen.load(Ordering::Relaxed) {
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// Counts a connection while it is open.
struct Open<'m>(&'m Metrics);

impl<'m> Open<'m> {
    fn new(metrics: &'m Metrics) -> Self {
        metrics.accepted.inc();
        metrics.connections.inc();
        Open(metrics)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}
