//! The server: HTTP/1.1 over TLS, with a limit on everything that a client can do slowly, often or at length.

mod connection;
mod counters;
mod judging;
mod limits;
mod phase;
mod request;
mod serve;
mod service;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{io, thread};

use prometheus_client::metrics::counter::Counter;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::certificates::{self, CertificateCounters, CertificateOptions};
use crate::health::Health;
use crate::heartbeat::{self, HeartbeatCounters, HeartbeatOptions};
use crate::metrics::Metrics;
use crate::observed::{self, ObservedCounters, ObservedOptions};
use crate::plain::{PlainLimits, PlainPort, ServedPort};
use crate::presented::PresentedCertificate;
use crate::protection::{self, ProtectionCounters, ProtectionOptions};
use crate::published::{self, PublishedOptions, PublishedSeries};
use crate::reload::{self, CertificateFiles, ConfigFile, Poll};
use crate::review::{JudgeFn, ReviewCounters, Reviewer};
use crate::slots::{PortCounters, Ports};
use crate::waivers::{self, WaiverReadCounters, WaiverReadOptions};
use crate::{admin, log};

pub use limits::ServerLimits;

use counters::ServerCounters;
use phase::Phase;
use request::KIB;
use serve::serve;
use service::ReviewService;

/// The options of a server.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The address for reviews; port 0 takes any.
    pub listen: SocketAddr,
    /// The address for scrapers; port 0 takes any.
    pub admin_listen: SocketAddr,
    /// The address for probes; port 0 takes any.
    pub probe_listen: SocketAddr,
    /// Where the certificate comes from.
    pub certificates: CertificateSource,
    /// The configuration file; the guard observes without one.
    pub config: Option<PathBuf>,
    /// How often certificate and configuration are polled; `None` leaves that to [`GuardServer::reload`].
    pub poll: Option<Duration>,
    /// How the heartbeat is kept; `None` keeps none.
    pub heartbeat: Option<HeartbeatOptions>,
    /// How it is written down who would have been denied or warned of; `None` writes nothing.
    pub observed: Option<ObservedOptions>,
    /// How the cluster's waivers are read; with `None` only those of the configuration count.
    pub waivers: Option<WaiverReadOptions>,
    /// How the protection of the guard's own objects is looked after; `None` leaves it alone.
    pub protection: Option<ProtectionOptions>,
    /// How the published result of `support-check` is read; `None` leaves its metrics at 0.
    pub published: Option<PublishedOptions>,
    /// Limits on clients.
    pub limits: ServerLimits,
    /// A function that judges changes in place of the engine, for tests.
    pub judge: Option<JudgeFn>,
    /// The log's count of dropped lines, for the metrics.
    pub log_lines_dropped: Counter,
}

/// Where the certificate comes from.
#[derive(Clone, Debug)]
pub enum CertificateSource {
    /// A directory with `tls.crt` and `tls.key`, which others renew.
    Directory(PathBuf),
    /// The guard itself makes and renews it.
    Own(Box<CertificateOptions>),
}

impl ServerOptions {
    /// Options for tests: free ports of the loopback interface, certificates from `tls_dir`, and no polling.
    pub fn loopback(tls_dir: impl Into<PathBuf>) -> Self {
        ServerOptions {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            probe_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            certificates: CertificateSource::Directory(tls_dir.into()),
            config: None,
            poll: None,
            heartbeat: None,
            observed: None,
            waivers: None,
            protection: None,
            published: None,
            limits: ServerLimits { linger: Duration::ZERO, ..ServerLimits::default() },
            judge: None,
            log_lines_dropped: Counter::default(),
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
    /// Signals to stop cannot be received.
    #[error("cannot listen for signals")]
    Signals(#[source] io::Error),
    /// No thread for polling, or for a port.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

/// A running server. Dropping it without [`GuardServer::stop`] ends it abruptly.
#[derive(Debug)]
pub struct GuardServer {
    address: SocketAddr,
    admin_address: SocketAddr,
    probe_address: SocketAddr,
    service: Arc<ReviewService>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    files: Arc<Mutex<WatchedFiles>>,
    phase: watch::Sender<Phase>,
    serving: JoinHandle<()>,
    _admin: ServedPort,
    _probe: ServedPort,
    _beat: AbortOnDrop,
    _certificates: Option<AbortOnDrop>,
    _protection: Option<AbortOnDrop>,
    _heartbeat: Option<AbortOnDrop>,
    _observed: Option<AbortOnDrop>,
    _published: Option<AbortOnDrop>,
    _waivers: Option<AbortOnDrop>,
    _poller: Option<mpsc::Sender<Infallible>>,
}

impl GuardServer {
    /// Reads configuration and certificates, binds the ports and serves: reviews on the current runtime, the others on
    /// their own.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub async fn start(options: ServerOptions) -> Result<Self, StartError> {
        let mut metrics = Metrics::new();
        let config = ConfigFile::start(options.config, &mut metrics).map_err(StartError::Config)?;
        let certificates = Certificates::start(options.certificates, &mut metrics)?;
        let (listener, address) = bind(options.listen).await?;
        let (admin_listener, admin_address) = bind(options.admin_listen).await?;
        let (probe_listener, probe_address) = bind(options.probe_listen).await?;

        let reviewer = Reviewer::new(config.guards.in_use(), ReviewCounters::register(&mut metrics));
        let reviewer = match options.judge {
            Some(judge) => reviewer.with_judge(judge),
            None => reviewer,
        };
        // Registered even where the task does not run: every series exists from the start.
        let observed_counters = ObservedCounters::register(&mut metrics);
        let observed = options.observed.map(|options| (options, observed::queue(&observed_counters)));
        let reviewer = match &observed {
            Some((_, (noting, _))) => reviewer.with_observer(noting.clone()),
            None => reviewer,
        };
        let limits = options.limits;
        let presented = certificates.presented();
        let health = Arc::new(Health::new(limits.stalled, limits.dead, Arc::clone(&presented)));
        let service = Arc::new(ReviewService {
            reviewer: Arc::new(reviewer),
            counters: ServerCounters::register(&mut metrics),
            limits,
            closing: AtomicBool::new(false),
            large_bodies: Arc::new(Semaphore::new(limits.body_budget >> KIB)),
            workers: Arc::new(Semaphore::new(limits.workers)),
        });
        let ports = Ports::register(&mut metrics);
        log::register(&mut metrics, options.log_lines_dropped);
        let heartbeat_counters = HeartbeatCounters::register(&mut metrics);
        let waiver_counters = WaiverReadCounters::register(&mut metrics);
        let protection_counters = ProtectionCounters::register(&mut metrics);
        let published_series = PublishedSeries::register(&mut metrics);
        let metrics = Arc::new(metrics);
        let guards = Arc::clone(&config.guards);
        let (certificates, own) = match certificates {
            Certificates::Files(files) => (Some(files), None),
            Certificates::Own(options, presented, counters) => (None, Some((options, presented, counters))),
        };
        let files = Arc::new(Mutex::new(WatchedFiles { config, certificates }));
        let poller = options.poll.map(|interval| poll(Arc::clone(&files), interval)).transpose()?;

        let plain = |listener: TcpListener, limits: PlainLimits, port: &Arc<PortCounters>| {
            Ok(PlainPort { listener: listener.into_std()?, limits, port: Arc::clone(port) })
        };
        let probe = {
            let health = Arc::clone(&health);
            plain(probe_listener, admin::PROBE, &ports.probe)
                .and_then(|plain| plain.serve(move |request| admin::probe(request, &health)))
                .map_err(StartError::Thread)?
        };
        let admin = {
            let (health, scraped) = (Arc::clone(&health), Arc::clone(&metrics));
            plain(admin_listener, admin::METRICS, &ports.metrics)
                .and_then(|plain| plain.serve(move |request| admin::admin(request, &health, &scraped)))
                .map_err(StartError::Thread)?
        };
        let beat = AbortOnDrop(tokio::spawn(Arc::clone(&health).keep_beating()));
        let (phase, _) = watch::channel(Phase::Serve);
        let serving = tokio::spawn(serve(listener, presented, ports.review, Arc::clone(&service), phase.subscribe()));
        let certificates = own.map(|(options, presented, counters)| {
            AbortOnDrop(tokio::spawn(certificates::run(options, presented, counters)))
        });
        let heartbeat =
            options.heartbeat.map(|options| AbortOnDrop(tokio::spawn(heartbeat::run(options, heartbeat_counters))));
        let observed = observed
            .map(|(options, (_, queue))| AbortOnDrop(tokio::spawn(observed::run(options, queue, observed_counters))));
        let waivers =
            options.waivers.map(|options| AbortOnDrop(tokio::spawn(waivers::run(options, guards, waiver_counters))));
        let protection =
            options.protection.map(|options| AbortOnDrop(tokio::spawn(protection::run(options, protection_counters))));
        let published =
            options.published.map(|options| AbortOnDrop(tokio::spawn(published::run(options, published_series))));
        tracing::info!(%address, %admin_address, %probe_address, "serving");
        Ok(GuardServer {
            address,
            admin_address,
            probe_address,
            service,
            metrics,
            health,
            files,
            phase,
            serving,
            _admin: admin,
            _probe: probe,
            _beat: beat,
            _certificates: certificates,
            _protection: protection,
            _heartbeat: heartbeat,
            _observed: observed,
            _published: published,
            _waivers: waivers,
            _poller: poller,
        })
    }

    /// The address for reviews.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address for scrapers.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// The address for probes.
    pub fn probe_address(&self) -> SocketAddr {
        self.probe_address
    }

    /// The metrics in the OpenMetrics text format.
    pub fn metrics(&self) -> String {
        self.metrics.text()
    }

    /// Polls the configuration and the certificate now.
    pub fn reload(&self) -> (Poll, Poll) {
        lock(&self.files).poll()
    }

    /// Stops without losing a request: no longer ready, then no longer accepting, then done with what is in flight.
    ///
    /// Returns whether all requests ended before the deadline.
    pub async fn stop(self) -> bool {
        // Endpoints follow readiness with a delay, so the guard goes on serving, and closes each connection after its
        // next answer.
        self.health.stop();
        self.service.closing.store(true, Ordering::Relaxed);
        tracing::info!("stopping");
        sleep(self.service.limits.linger).await;
        self.phase.send_replace(Phase::Drain);
        let mut serving = self.serving;
        let drained = timeout(self.service.limits.drain, &mut serving).await.is_ok();
        if drained {
            tracing::info!("stopped");
        } else {
            tracing::warn!("the drain deadline passed with requests in flight");
            self.phase.send_replace(Phase::Abort);
        }
        drained
    }
}

/// A task that is aborted when this value is dropped. No task of the guard has to end in order.
#[derive(Debug)]
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug)]
struct WatchedFiles {
    config: ConfigFile,
    /// `None` where the guard makes its own.
    certificates: Option<CertificateFiles>,
}

impl WatchedFiles {
    fn poll(&mut self) -> (Poll, Poll) {
        (self.config.poll(), self.certificates.as_mut().map_or(Poll::Unchanged, CertificateFiles::poll))
    }
}

/// The certificate and what keeps it in order.
enum Certificates {
    Files(CertificateFiles),
    Own(CertificateOptions, Arc<PresentedCertificate>, CertificateCounters),
}

impl Certificates {
    fn start(source: CertificateSource, metrics: &mut Metrics) -> Result<Self, StartError> {
        match source {
            CertificateSource::Directory(directory) => {
                CertificateFiles::start(directory, metrics).map(Certificates::Files).map_err(StartError::Certificate)
            }
            CertificateSource::Own(options) => {
                let expiry = reload::expiry(metrics);
                let counters = CertificateCounters::register(metrics, expiry);
                // A task that missed three looks was not run: the machine was paused.
                let presented = Arc::new(PresentedCertificate::awaited(options.every * 3));
                Ok(Certificates::Own(*options, presented, counters))
            }
        }
    }

    fn presented(&self) -> Arc<PresentedCertificate> {
        match self {
            Certificates::Files(files) => Arc::clone(&files.presented),
            Certificates::Own(_, presented, _) => Arc::clone(presented),
        }
    }
}

/// A poisoned lock means that a poll panicked. Everything in use was swapped as a whole, so the next poll can go on.
fn lock(files: &Mutex<WatchedFiles>) -> std::sync::MutexGuard<'_, WatchedFiles> {
    files.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Polls the files on a thread of its own, so that a volume that hangs delays no review. The thread ends when the
/// returned sender is dropped.
fn poll(files: Arc<Mutex<WatchedFiles>>, interval: Duration) -> Result<mpsc::Sender<Infallible>, StartError> {
    let (sender, receiver) = mpsc::channel::<Infallible>();
    let run = move || {
        while let Err(RecvTimeoutError::Timeout) = receiver.recv_timeout(interval) {
            lock(&files).poll();
        }
    };
    thread::Builder::new().name("reload".to_owned()).spawn(run).map_err(StartError::Thread)?;
    Ok(sender)
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
