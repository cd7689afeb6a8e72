//! Accepting connections, for every port.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::slots::{Slot, Slots};

/// A source of connections. It is a parameter so that a test can let it fail.
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
pub(crate) async fn next_connection(listener: &dyn Accept, slots: &Arc<Slots>, backoff: Duration) -> (Slot, TcpStream) {
    loop {
        slots.room().await;
        match listener.accept().await {
            Ok((tcp, peer)) => return (slots.admit(peer.ip()), tcp),
            Err(error) => {
                slots.port().accept_failed();
                if !is_of_the_peer(&error) {
                    // Descriptors or memory ran out: trying again at once would take a whole core and change nothing.
                    tracing::warn!(%error, "cannot accept connections");
                    sleep(backoff).await;
                }
            }
        }
    }
}

/// Whether an error means that the peer went away before it was accepted; the listener is well then.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slots::{PortCounters, SlotLimits};
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use tokio::time::Instant;

    /// A listener that fails with each of the given errors, then accepts.
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
        let slots = Slots::new(limits, Arc::new(PortCounters::default()));
        let start = Instant::now();
        let (_slot, tcp) = next_connection(&failing, &slots, Duration::from_millis(100)).await;
        assert_eq!(tcp.peer_addr().unwrap(), client.local_addr().unwrap());
        // The clock stands still but for sleeps: two pauses, none for the peers.
        assert_eq!(start.elapsed().as_millis() / 100, 2);
        assert_eq!(slots.port().accept_failures(), 4);
    }
}
