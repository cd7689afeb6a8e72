//! Accepting connections, and waiting for them to end.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use prometheus_client::metrics::counter::Counter;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::connection::connection;
use super::slots::{Slot, Slots};
use super::{Phase, Shared};

/// Accepts until the phase changes, then waits for the connections there are.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Arc<ArcSwap<ServerConfig>>,
    shared: Arc<Shared>,
    mut phase: watch::Receiver<Phase>,
) {
    let limits = shared.limits;
    let slots = Slots::new(limits.slots(), Arc::clone(&shared.metrics.ports.review));
    let mut http = http1::Builder::new();
    // Without a timer hyper's own default for headers is silently off.
    http.timer(TokioTimer::new()).header_read_timeout(limits.idle).max_buf_size(limits.header_bytes);
    // Each connection holds a sender, so the receiver is told when all of them have ended.
    let (open, mut ended) = mpsc::channel::<Infallible>(1);
    let begin = |slot: Slot, tcp: TcpStream| {
        // Loaded for each connection: a renewed certificate counts from the next handshake on.
        let acceptor = TlsAcceptor::from(tls.load_full());
        let connection = connection(slot, tcp, acceptor, http.clone(), Arc::clone(&shared), phase.clone());
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
            (slot, tcp) = next_connection(&listener, &slots, limits.accept_backoff, &shared.metrics.accept_errors) => {
                begin(slot, tcp);
            }
            // An error is a server that was dropped; its connections end by themselves.
            _ = stop.wait_for(|phase| *phase > Phase::Serve) => break,
        }
    }
    // Closing the listener resets whoever is still in the kernel's queue; they may have sent a review already.
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

/// The future's value if it has one without waiting.
async fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        value = future => Some(value),
        () = std::future::ready(()) => None,
    }
}

/// Where connections come from; a parameter so that a test can let it fail.
pub(crate) trait Accept: Send + Sync {
    fn accept(&self) -> Accepting<'_>;
}

type Accepting<'a> = Pin<Box<dyn Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send + 'a>>;

impl Accept for TcpListener {
    fn accept(&self) -> Accepting<'_> {
        Box::pin(TcpListener::accept(self))
    }
}

/// The next connection, with a slot for it.
pub(crate) async fn next_connection(
    listener: &dyn Accept,
    slots: &Arc<Slots>,
    backoff: Duration,
    errors: &Counter,
) -> (Slot, TcpStream) {
    loop {
        slots.room().await;
        match listener.accept().await {
            Ok((tcp, peer)) => return (slots.admit(peer.ip()), tcp),
            Err(error) => {
                errors.inc();
                if !is_of_the_peer(&error) {
                    // Out of descriptors or memory: to try again at once would take a whole core and change nothing.
                    tracing::warn!(%error, "cannot accept connections");
                    sleep(backoff).await;
                }
            }
        }
    }
}

/// The peer went away before it was accepted; the listener is well.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Port;
    use crate::server::slots::SlotLimits;
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use tokio::time::Instant;

    /// Fails with the errors it was given, then accepts.
    struct Failing(Mutex<VecDeque<io::Error>>, TcpListener);

    impl Accept for Failing {
        fn accept(&self) -> Accepting<'_> {
            let error = self.0.lock().unwrap().pop_front();
            Box::pin(async {
                match error {
                    Some(error) => Err(error),
                    None => self.1.accept().await,
                }
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn accepting_pauses_when_descriptors_run_out_and_not_for_a_peer_that_left() {
        const EMFILE: i32 = 24;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let errors = [
            io::Error::from_raw_os_error(EMFILE),
            io::ErrorKind::ConnectionAborted.into(),
            io::ErrorKind::ConnectionReset.into(),
            io::Error::from_raw_os_error(EMFILE),
        ];
        let failing = Failing(Mutex::new(errors.into()), listener);
        let limits = SlotLimits { connections: 1, share: 1, grace: Duration::ZERO };
        let (slots, counted) = (Slots::new(limits, Arc::new(Port::default())), Counter::default());
        let start = Instant::now();
        let (_slot, tcp) = next_connection(&failing, &slots, Duration::from_millis(100), &counted).await;
        assert_eq!(tcp.peer_addr().unwrap(), client.local_addr().unwrap());
        // The clock stands still but for sleeps: two pauses, none for the peers.
        assert_eq!(start.elapsed().as_millis() / 100, 2);
        assert_eq!(counted.get(), 4);
    }
}
