//! One connection, from handshake to end.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::phase::Phase;
use super::request::SMALL_BODY;
use super::service::ReviewService;
use crate::presented::PresentedCertificate;
use crate::slots::{ConnectionState, Slot};

/// Serves one connection until it ends or is evicted.
pub(super) async fn connection(
    slot: Slot,
    tcp: TcpStream,
    presented: Arc<PresentedCertificate>,
    http: http1::Builder,
    service: Arc<ReviewService>,
    mut phase: watch::Receiver<Phase>,
) {
    let Some(stream) = handshake(&slot, tcp, &presented, &service).await else { return };
    let seen = AtomicBool::new(false);
    let (seen, reviews, slot) = (&seen, &*service, &slot);
    let handler = service_fn(move |request| {
        seen.store(true, Ordering::Relaxed);
        async move { Ok::<_, Infallible>(reviews.respond(request, slot).await) }
    });
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), handler));
    // hyper's one timer cannot tell a slow first header from an idle wait, so a new connection has a deadline of its
    // own.
    let mut first_header = pin!(sleep(service.limits.first_header));
    let (mut waiting, mut draining) = (true, false);
    loop {
        let next = if draining { Phase::Abort } else { Phase::Drain };
        tokio::select! {
            // The connection first, so that a request that has arrived is served before the connection is closed.
            biased;
            result = &mut connection => {
                if let Err(error) = result {
                    tracing::debug!(%error, "connection ended early");
                }
                return;
            }
            () = slot.evicted() => return,
            () = &mut first_header, if waiting => {
                waiting = false;
                if !seen.load(Ordering::Relaxed) {
                    service.counters.headers_slow.inc();
                    return;
                }
            }
            reached = phase.wait_for(|phase| *phase >= next) => {
                let aborted = reached.map_or(true, |phase| *phase == Phase::Abort);
                if aborted {
                    return;
                }
                draining = true;
                // A connection without a request yet stays until its first one, whose answer closes it.
                if seen.load(Ordering::Relaxed) {
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// The TLS stream of a client that finishes its handshake in time; `None` for any other.
async fn handshake(
    slot: &Slot,
    tcp: TcpStream,
    presented: &PresentedCertificate,
    service: &ReviewService,
) -> Option<TlsStream<BufReader<TcpStream>>> {
    // An answer is one small write; waiting to fill a packet would only delay it.
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let accept = async {
        // Loaded for each connection, so that a renewed certificate is used from the next handshake on.
        let config = presented.config().await.ok_or_else(|| io::Error::other("no certificate yet"))?;
        // rustls reads 4 KiB at a time: without a buffer a review would take one system call for each.
        TlsAcceptor::from(config).accept(BufReader::with_capacity(SMALL_BODY, tcp)).await
    };
    let accepted = tokio::select! {
        biased;
        accepted = timeout(service.limits.handshake, accept) => accepted,
        () = slot.evicted() => return None,
    };
    match accepted {
        Ok(Ok(stream)) => {
            slot.enter(ConnectionState::Idle);
            Some(stream)
        }
        Ok(Err(error)) => {
            service.counters.handshakes_failed.inc();
            tracing::debug!(%error, "TLS handshake failed");
            None
        }
        Err(_) => {
            service.counters.handshakes_slow.inc();
            None
        }
    }
}
