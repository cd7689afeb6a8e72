//! The server: HTTP/1.1 over TLS, with a limit for everything a client can do slowly, often or at length.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::metrics::counter::Counter;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::admin;
use crate::heartbeat;
use crate::metrics::Metrics;
use crate::reload::{Certificates, Config, Poll};
use crate::respond::{Judge, Refusal, Reviewer};
use crate::waivers;

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where reviews come in; port 0 takes any.
    pub listen: SocketAddr,
    /// Where probes and scrapers come in; port 0 takes any.
    pub admin_listen: SocketAddr,
    /// Holds `tls.crt` and `tls.key`.
    pub tls_dir: PathBuf,
    /// The configuration; observe without one.
    pub config: Option<PathBuf>,
    /// How often both are looked at; `None` leaves it to [`Server::reload`].
    pub poll: Option<Duration>,
    /// Keeps the heartbeat record; nobody does without it.
    pub heartbeat: Option<heartbeat::Options>,
    /// Reads the waivers that the cluster keeps; only those of the configuration count without it.
    pub waivers: Option<waivers::Options>,
    /// The limits.
    pub limits: Limits,
    /// Judges changes by something else than the engine.
    pub judge: Option<Judge>,
}

impl Options {
    /// On free ports of the loopback interface, with certificates from `tls_dir`, reloading by hand: for tests.
    pub fn loopback(tls_dir: impl Into<PathBuf>) -> Self {
        Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls_dir: tls_dir.into(),
            config: None,
            poll: None,
            heartbeat: None,
            waivers: None,
            limits: Limits { linger: Duration::ZERO, ..Limits::default() },
            judge: None,
        }
    }
}

/// How much a client may ask for. The values have their reasons at the constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The pause after a failure to accept.
    pub accept_backoff: Duration,
    /// For a body to arrive.
    pub body: Duration,
    /// Bytes of one body.
    pub body_bytes: usize,
    /// Bytes of all large bodies that are being read.
    pub body_budget: usize,
    /// Open connections.
    pub connections: usize,
    /// For requests in flight to end, once no more are accepted.
    pub drain: Duration,
    /// For the first request of a connection to begin.
    pub first_header: Duration,
    /// For a TLS handshake.
    pub handshake: Duration,
    /// Bytes of a request's header.
    pub header_bytes: usize,
    /// For the next request of a connection.
    pub idle: Duration,
    /// How long a stopping server goes on accepting.
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            accept_backoff: ACCEPT_BACKOFF,
            body: BODY_TIMEOUT,
            body_bytes: MAX_BODY,
            body_budget: BODY_BUDGET,
            connections: MAX_CONNECTIONS,
            drain: DRAIN_TIMEOUT,
            first_header: FIRST_HEADER_TIMEOUT,
            handshake: HANDSHAKE_TIMEOUT,
            header_bytes: MAX_HEADER,
            idle: IDLE_TIMEOUT,
            linger: LINGER,
        }
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// No usable certificate.
    #[error("no certificate to serve with: {0}")]
    Certificate(String),
    /// A configuration that cannot be used.
    #[error("the configuration cannot be used: {0}")]
    Config(String),
    /// No way to be told to stop.
    #[error("cannot listen for signals")]
    Signals(#[source] io::Error),
    /// No thread for polling.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

/// A running server. Dropping it without [`Server::stop`] ends it abruptly.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    admin_address: SocketAddr,
    shared: Arc<Shared>,
    files: Arc<Mutex<Files>>,
    phase: watch::Sender<Phase>,
    serving: JoinHandle<()>,
    _admin: AbortOnDrop,
    _heartbeat: Option<AbortOnDrop>,
    _waivers: Option<AbortOnDrop>,
    _poller: Option<mpsc::Sender<Infallible>>,
}

impl Server {
    /// Reads configuration and certificates, binds both ports and serves, on the current runtime.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::new());
        let config = Config::start(options.config, Arc::clone(&metrics)).map_err(StartError::Config)?;
        let certificates =
            Certificates::start(options.tls_dir, Arc::clone(&metrics)).map_err(StartError::Certificate)?;
        let (listener, address) = bind(options.listen).await?;
        let (admin_listener, admin_address) = bind(options.admin_listen).await?;

        let reviewer = Reviewer::new(config.guards.in_use(), Arc::clone(&metrics));
        let reviewer = match options.judge {
            Some(judge) => reviewer.with_judge(judge),
            None => reviewer,
        };
        let limits = options.limits;
        let shared = Arc::new(Shared {
            reviewer,
            metrics: Arc::clone(&metrics),
            limits,
            ready: Arc::new(AtomicBool::new(true)),
            closing: AtomicBool::new(false),
            large_bodies: Semaphore::new(limits.body_budget >> KIB),
        });
        let guards = Arc::clone(&config.guards);
        let tls = Arc::clone(&certificates.tls);
        let files = Arc::new(Mutex::new(Files { config, certificates }));
        let poller = options.poll.map(|interval| poll(Arc::clone(&files), interval)).transpose()?;

        let (phase, _) = watch::channel(Phase::Serve);
        let serving = tokio::spawn(serve(listener, tls, Arc::clone(&shared), phase.subscribe()));
        let ready = Arc::clone(&shared.ready);
        let heartbeat =
            options.heartbeat.map(|options| AbortOnDrop(tokio::spawn(heartbeat::run(options, Arc::clone(&metrics)))));
        let waivers = options
            .waivers
            .map(|options| AbortOnDrop(tokio::spawn(waivers::run(options, guards, Arc::clone(&metrics)))));
        let admin = AbortOnDrop(tokio::spawn(admin::serve(admin_listener, ready, metrics, limits.accept_backoff)));
        tracing::info!(%address, %admin_address, "serving");
        Ok(Server {
            address,
            admin_address,
            shared,
            files,
            phase,
            serving,
            _admin: admin,
            _heartbeat: heartbeat,
            _waivers: waivers,
            _poller: poller,
        })
    }

    /// Where reviews come in.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where probes and scrapers come in.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// What was counted so far, in the OpenMetrics text format.
    pub fn metrics(&self) -> String {
        self.shared.metrics.text()
    }

    /// Looks at the configuration and at the certificate now.
    pub fn reload(&self) -> (Poll, Poll) {
        lock(&self.files).poll()
    }

    /// Stops without losing a request: no longer ready, then no longer accepting, then done with what is in flight.
    ///
    /// Returns whether all ended before the deadline.
    pub async fn stop(self) -> bool {
        // Endpoints follow readiness with a delay, so we go on serving, and send connections elsewhere as they are used.
        self.shared.ready.store(false, Ordering::Relaxed);
        self.shared.closing.store(true, Ordering::Relaxed);
        tracing::info!("stopping");
        sleep(self.shared.limits.linger).await;
        self.phase.send_replace(Phase::Drain);
        let mut serving = self.serving;
        let drained = timeout(self.shared.limits.drain, &mut serving).await.is_ok();
        if drained {
            tracing::info!("stopped");
        } else {
            tracing::warn!("the drain deadline passed with requests in flight");
            self.phase.send_replace(Phase::Abort);
        }
        drained
    }
}

/// Probes and scrapers hold nothing worth waiting for, and a heartbeat that was missed is made up for by the next.
#[derive(Debug)]
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    reviewer: Reviewer,
    metrics: Arc<Metrics>,
    limits: Limits,
    ready: Arc<AtomicBool>,
    closing: AtomicBool,
    large_bodies: Semaphore,
}

#[derive(Debug)]
struct Files {
    config: Config,
    certificates: Certificates,
}

impl Files {
    fn poll(&mut self) -> (Poll, Poll) {
        (self.config.poll(), self.certificates.poll())
    }
}

/// A poisoned lock means a poll panicked; what is in use was swapped as a whole, so the next poll can go on.
fn lock(files: &Mutex<Files>) -> std::sync::MutexGuard<'_, Files> {
    files.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Polls on a thread of its own, so that a volume that hangs holds up no review. Ends when the sender is dropped.
fn poll(files: Arc<Mutex<Files>>, interval: Duration) -> Result<mpsc::Sender<Infallible>, StartError> {
    let (sender, receiver) = mpsc::channel::<Infallible>();
    let run = move || {
        while let Err(RecvTimeoutError::Timeout) = receiver.recv_timeout(interval) {
            lock(&files).poll();
        }
    };
    thread::Builder::new().name("reload".to_owned()).spawn(run).map_err(StartError::Thread)?;
    Ok(sender)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serve,
    Drain,
    Abort,
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Accepts until the phase changes, then waits for the connections there are.
async fn serve(
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

/// One connection, from handshake to end.
async fn connection(
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

impl Shared {
    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let mut response = match self.review(request).await {
            Ok(answer) => {
                let mut response = Response::new(Full::new(Bytes::from(answer)));
                response.headers_mut().insert(CONTENT_TYPE, JSON);
                response
            }
            Err(refusal) => {
                self.metrics.refused(&refusal);
                tracing::debug!(reason = refusal.word, message = refusal.message, "request refused");
                refuse(refusal)
            }
        };
        // What is refused is not from an API server, or would only be refused again: its slot goes to somebody else.
        if response.status() != StatusCode::OK || self.closing.load(Ordering::Relaxed) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    async fn review(&self, request: Request<Incoming>) -> Result<Vec<u8>, Refusal> {
        if request.uri().path() != PATH {
            return Err(Refusal::new(StatusCode::NOT_FOUND, "path", format!("reviews go to {PATH}")));
        }
        if request.method() != Method::POST {
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method", "reviews are sent with POST"));
        }
        if !is_json(request.headers().get(CONTENT_TYPE)) {
            let message = "reviews are application/json";
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type", message));
        }
        let deadline = self.limits.body;
        let body = timeout(deadline, self.read(request.into_body())).await.unwrap_or_else(|_| {
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "timeout", format!("no whole body within {deadline:?}")))
        })?;
        self.reviewer.answer(&body)
    }

    /// Reads a body within the limits on its size and on the memory of all.
    async fn read(&self, mut body: Incoming) -> Result<Bytes, Refusal> {
        let limit = self.limits.body_bytes;
        let hint = body.size_hint();
        let announced = hint.exact().map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        if announced.is_some_and(|size| size > limit) {
            return Err(self.discard(body).await);
        }
        let _budget = match announced {
            Some(size) if size <= SMALL_BODY => None,
            size => Some(self.budget(size.unwrap_or(limit)).await?),
        };
        let mut whole: Option<Vec<u8>> = None;
        let mut size = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, "aborted", error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            size += data.len();
            if size > limit {
                return Err(self.discard(body).await);
            }
            // A small review arrives in one piece and is judged where it lies.
            if whole.is_none() && body.is_end_stream() {
                return Ok(data);
            }
            whole.get_or_insert_with(|| Vec::with_capacity(announced.unwrap_or(SMALL_BODY))).extend_from_slice(&data);
        }
        Ok(Bytes::from(whole.unwrap_or_default()))
    }

    /// Waits for memory; when none is free in time, says so instead of being killed for taking it.
    async fn budget(&self, size: usize) -> Result<tokio::sync::SemaphorePermit<'_>, Refusal> {
        let permits = u32::try_from((size >> KIB) + 1).unwrap_or(u32::MAX);
        let wait = timeout(self.limits.body / 2, self.large_bodies.acquire_many(permits)).await;
        wait.ok().and_then(Result::ok).ok_or_else(|| {
            let message = "too many large reviews at once";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "overload", message)
        })
    }

    /// Reads the rest of a body that is too large without keeping it: a client that is still writing when the connection
    /// closes sees a reset instead of our answer.
    async fn discard(&self, mut body: Incoming) -> Refusal {
        let rest = async { while let Some(Ok(_)) = body.frame().await {} };
        // Past the deadline the answer goes out anyway, and may get lost.
        let _ = timeout(self.limits.body / 2, rest).await;
        let message = format!("the body is larger than {} bytes", self.limits.body_bytes);
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", message)
    }
}

fn refuse(refusal: Refusal) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(refusal.message + "\n")));
    *response.status_mut() = refusal.status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if refusal.status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

fn is_json(content_type: Option<&HeaderValue>) -> bool {
    let Some(text) = content_type.and_then(|value| value.to_str().ok()) else { return false };
    let essence = text.split_once(';').map_or(text, |(essence, _)| essence);
    essence.trim().eq_ignore_ascii_case("application/json")
}

const PATH: &str = "/validate";
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const KIB: u32 = 10;

/// Long enough not to spin, short enough that a descriptor that becomes free is used at once.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Below the three seconds after which the API server goes on without us, so that a slow body is answered and counted.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// etcd takes objects of 1.5 MiB, an update carries the old and the new one, and the API server writes `<`, `>`, `&` and
/// control characters as six bytes each. Refusing a review that the API server can send would be a way past the guard.
const MAX_BODY: usize = 20 << 20;

/// Large bodies are rare; two of the largest at once fit into the container's memory limit.
const BODY_BUDGET: usize = 2 * MAX_BODY + (1 << 20);

/// Not worth a look at the budget: connections times this is what small bodies can take.
const SMALL_BODY: usize = 64 << 10;

/// An API server opens as many as it has reviews in flight, some tens; above the cap clients wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 256;

/// Below the pod's 30 seconds of grace, together with the linger.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// API servers send a request as soon as they are connected.
const FIRST_HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// A handshake takes milliseconds, and the API server waits three seconds for all of it.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// The API server's headers are some hundred bytes. It also bounds what is buffered of a body at a time.
const MAX_HEADER: usize = 64 << 10;

/// Go's clients keep idle connections for 90 s. Were ours shorter, we could close one just as a review is sent on it.
const IDLE_TIMEOUT: Duration = Duration::from_mins(2);

/// What it takes until no API server sends us new connections any more.
const LINGER: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
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

    #[test]
    fn the_largest_review_an_api_server_sends_fits_and_two_of_them_at_once() {
        let (etcd, escaped, sides) = (3 << 19, r"\u003c".len(), 2);
        let limits = Limits::default();
        assert!(limits.body_bytes > etcd * escaped * sides && limits.body_budget > 2 * limits.body_bytes);
    }

    #[test]
    fn only_json_is_json() {
        let is = |text: &'static str| is_json(Some(&HeaderValue::from_static(text)));
        assert!(is("application/json") && is("application/JSON; charset=utf-8"));
        assert!(!is("text/json") && !is("application/json-patch+json") && !is_json(None));
    }
}
