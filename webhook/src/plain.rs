//! Plain HTTP ports, for probes and scrapers. Each has a thread and a runtime of its own, so that it answers whatever
//! the reviews are doing.

use std::convert::Infallible;
use std::io;
use std::net;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::accept::next_connection;
use crate::slots::{ConnectionState, PortCounters, Slot, SlotLimits, Slots};

/// A plain port that is not served yet.
#[derive(Debug)]
pub(crate) struct PlainPort {
    pub(crate) listener: net::TcpListener,
    pub(crate) limits: PlainLimits,
    pub(crate) port: Arc<PortCounters>,
}

/// Limits on the clients of a plain port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlainLimits {
    pub(crate) slots: SlotLimits,
    /// From accepting a connection to its end. Each connection carries one request.
    pub(crate) deadline: Duration,
    /// The pause after a failure to accept.
    pub(crate) accept_backoff: Duration,
}

/// A plain port that is served until this value is dropped.
#[derive(Debug)]
pub(crate) struct ServedPort {
    _stop: oneshot::Sender<Infallible>,
}

impl PlainPort {
    /// Answers requests with `answer`, which must not wait for anything.
    ///
    /// # Errors
    /// There is no thread, or no runtime for it.
    pub(crate) fn serve<A>(self, answer: A) -> io::Result<ServedPort>
    where
        A: Fn(&Request<Incoming>) -> Response<Full<Bytes>> + Send + Sync + 'static,
    {
        let (stop, stopped) = oneshot::channel();
        let (tell, started) = mpsc::sync_channel(1);
        let name = self.port.name.to_owned();
        let run = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(tell.send(Err(error))),
            };
            runtime.block_on(async {
                let listener = match TcpListener::from_std(self.listener) {
                    Ok(listener) => listener,
                    Err(error) => return drop(tell.send(Err(error))),
                };
                // The starting thread waits for this.
                drop(tell.send(Ok(())));
                let slots = Slots::new(self.limits.slots, self.port);
                tokio::select! {
                    () = accept(listener, &slots, self.limits, Arc::new(answer)) => {}
                    _ = stopped => {}
                }
            });
        };
        thread::Builder::new().name(name).spawn(run)?;
        started.recv().unwrap_or_else(|_| Err(io::Error::other("the thread has ended")))?;
        Ok(ServedPort { _stop: stop })
    }
}

async fn accept<A>(listener: TcpListener, slots: &Arc<Slots>, limits: PlainLimits, answer: Arc<A>)
where
    A: Fn(&Request<Incoming>) -> Response<Full<Bytes>> + Send + Sync + 'static,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.deadline)
        .max_buf_size(MAX_HEADER)
        // A connection that is kept open holds a slot, and opening another costs these clients nothing.
        .keep_alive(false);
    loop {
        let (slot, tcp) = next_connection(&listener, slots, limits.accept_backoff).await;
        tokio::spawn(connection(slot, tcp, http.clone(), limits.deadline, Arc::clone(&answer)));
    }
}

async fn connection<A>(slot: Slot, tcp: TcpStream, http: http1::Builder, deadline: Duration, answer: Arc<A>)
where
    A: Fn(&Request<Incoming>) -> Response<Full<Bytes>> + Send + Sync + 'static,
{
    slot.enter(ConnectionState::Idle);
    let service = service_fn(|request: Request<Incoming>| {
        // Until the answer is sent, so that a client that does not read it can be evicted.
        slot.enter(ConnectionState::Receiving);
        let response = answer(&request);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http.serve_connection(TokioIo::new(tcp), service);
    tokio::select! {
        // The connection first, so that a request that has arrived is answered before the connection is closed.
        biased;
        result = timeout(deadline, connection) => {
            if let Ok(Err(error)) = result {
                tracing::debug!(%error, "plain connection ended early");
            }
        }
        () = slot.evicted() => {}
    }
}

/// These requests have a few hundred bytes of header; hyper takes no smaller limit.
const MAX_HEADER: usize = 8 << 10;
