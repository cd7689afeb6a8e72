//! Accepting connections, and waiting for them to end.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use prometheus_client::metrics::counter::Counter;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::connection::connection;
use super::{Phase, Shared};

/// Accepts until the phase changes, then waits for the connections there are.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Arc<ArcSwap<ServerConfig>>,
    shared: Arc<Shared>,
    mut phase: watch::Receiver<Phase>,
) {
    let limits = shared.limits;
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut http = http1::Builder::new();
    // Without a timer hyper's own default for headers is silently off.
    http.timer(TokioTimer::new()).header_read_timeout(limits.idle).max_buf_size(limits.header_bytes);
    let open = |slot: OwnedSemaphorePermit, tcp: TcpStream| {
        // Loaded for each connection: a renewed certificate counts from the next handshake on.
        let acceptor = TlsAcceptor::from(tls.load_full());
        // The handshake runs in the task: a client that never finishes it holds up nobody else.
        tokio::spawn(connection(slot, tcp, acceptor, http.clone(), Arc::clone(&shared), phase.clone()));
    };
    let mut stop = phase.clone();
    loop {
        tokio::select! {
            (slot, tcp) = next_connection(&listener, &slots, limits.accept_backoff, &shared.metrics.accept_errors) => {
                open(slot, tcp);
            }
            // An error is a server that was dropped; its connections end by themselves.
            _ = stop.wait_for(|phase| *phase > Phase::Serve) => break,
        }
    }
    // Closing the listener resets whoever is still in the kernel's queue; they may have sent a review already.
    while let Ok(slot) = Arc::clone(&slots).try_acquire_owned() {
        let Some(Ok((tcp, _))) = now(listener.accept()).await else { break };
        open(slot, tcp);
    }
    drop(listener);
    // Each connection holds one permit, so all of them are ours when all connections have ended.
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    tokio::select! {
        _ = slots.acquire_many(all) => {}
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
    fn accept(&self) -> Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send + '_>>;
}

impl Accept for TcpListener {
    fn accept(&self) -> Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send + '_>> {
        Box::pin(async { Ok(TcpListener::accept(self).await?.0) })
    }
}

/// Takes a slot, then accepts: above the cap clients wait in the kernel's queue and cost us nothing.
pub(crate) async fn next_connection(
    listener: &dyn Accept,
    slots: &Arc<Semaphore>,
    backoff: Duration,
    errors: &Counter,
) -> (OwnedSemaphorePermit, TcpStream) {
    loop {
        // The semaphore is never closed.
        let Ok(slot) = Arc::clone(slots).acquire_owned().await else { std::future::pending().await };
        match listener.accept().await {
            Ok(tcp) => return (slot, tcp),
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
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use tokio::time::Instant;

    /// Fails with the errors it was given, then accepts.
    struct Failing(Mutex<VecDeque<io::Error>>, TcpListener);

    impl Accept for Failing {
        fn accept(&self) -> Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send + '_>> {
            let error = self.0.lock().unwrap().pop_front();
            Box::pin(async {
                match error {
                    Some(error) => Err(error),
                    None => Ok(self.1.accept().await?.0),
                }
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn accepting_pauses_when_descriptors_run_out_and_not_for_a_peer_that_left() {
        const EMFILE: i32 = 24;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let errors = [
            io::Error::from_raw_os_error(EMFILE),
            io::ErrorKind::ConnectionAborted.into(),
            io::ErrorKind::ConnectionReset.into(),
            io::Error::from_raw_os_error(EMFILE),
        ];
        let failing = Failing(Mutex::new(errors.into()), listener);
        let (slots, counted) = (Arc::new(Semaphore::new(1)), Counter::default());
        let start = Instant::now();
        let (slot, _) = next_connection(&failing, &slots, Duration::from_millis(100), &counted).await;
        // The clock stands still but for sleeps: two pauses, none for the peers.
        assert_eq!(start.elapsed().as_millis() / 100, 2);
        assert_eq!(counted.get(), 4);
        assert_eq!(slots.available_permits(), 0);
        drop(slot);
        assert_eq!(slots.available_permits(), 1);
    }
}
