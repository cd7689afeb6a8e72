//! Accepting the connections of API servers, and waiting for them to end.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use super::connection::connection;
use super::phase::Phase;
use super::service::ReviewService;
use crate::accept::next_connection;
use crate::presented::PresentedCertificate;
use crate::slots::{PortCounters, Slot, Slots};

/// Accepts connections until the phase changes, then waits until the open ones have ended.
pub(super) async fn serve(
    listener: TcpListener,
    presented: Arc<PresentedCertificate>,
    port: Arc<PortCounters>,
    service: Arc<ReviewService>,
    mut phase: watch::Receiver<Phase>,
) {
    let limits = service.limits;
    let slots = Slots::new(limits.slots(), port);
    let mut http = http1::Builder::new();
    // Without a timer hyper's own default for headers is silently off.
    http.timer(TokioTimer::new()).header_read_timeout(limits.idle).max_buf_size(limits.header_bytes);
    // Each connection holds a sender, so the receiver is told when all of them have ended.
    let (open, mut ended) = mpsc::channel::<Infallible>(1);
    let begin = |slot: Slot, tcp: TcpStream| {
        let presented = Arc::clone(&presented);
        let connection = connection(slot, tcp, presented, http.clone(), Arc::clone(&service), phase.clone());
        let open = open.clone();
        // The handshake runs in the task: a client that never finishes it holds up nobody else.
        tokio::spawn(async move {
            let _open = open;
            connection.await;
        });
    };
    let mut stop = phase.clone();
    loop {
        tokio::select! {
            (slot, tcp) = next_connection(&listener, &slots, limits.accept_backoff) => {
                begin(slot, tcp);
            }
            // An error is a server that was dropped; its connections end by themselves.
            _ = stop.wait_for(|phase| *phase > Phase::Serve) => break,
        }
    }
    // Closing the listener resets the connections that are still in the kernel's queue, and those may carry a review
    // already.
    for _ in 0..limits.connections {
        let Some(Ok((tcp, peer))) = now(listener.accept()).await else { break };
        begin(slots.admit(peer.ip()), tcp);
    }
    drop(listener);
    drop(open);
    tokio::select! {
        _ = ended.recv() => {}
        _ = phase.wait_for(|phase| *phase == Phase::Abort) => {}
    }
}

/// The future's value, if it is ready.
async fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        value = future => Some(value),
        () = std::future::ready(()) => None,
    }
}
