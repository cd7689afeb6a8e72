//! The sender of all requests, with limits in time and size and with waits for a busy server.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, USER_AGENT};
use http::response::Parts;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use kube::client::Body;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::connect::Connection;
use super::error::{RequestError, RequestFault, innermost, no_reply};
use super::reply::Reply;
use super::request::{ApiRequest, Repeats};
use crate::screen::progress::Progress;

/// A sender of requests to one cluster. It counts them.
pub struct Sender {
    connection: Connection,
    limits: SendLimits,
    deadline: Instant,
    requests: AtomicUsize,
    progress: Progress,
}

/// The limits of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendLimits {
    /// The time for one exchange, `--request-timeout`.
    pub request: Duration,
    /// The time in which one request may be repeated, waits included.
    pub repeats: Duration,
    /// The time for all requests together, `--timeout`.
    pub overall: Duration,
    /// The size of a reply in bytes.
    pub reply: usize,
}

impl SendLimits {
    /// The limits of a command with an overall deadline: it may wait for a busy server until then.
    pub fn new(request: Duration, overall: Duration) -> Self {
        SendLimits { request, repeats: overall, overall, reply: MAX_REPLY }
    }

    /// The limits of a command without an overall deadline: it waits for a busy server as long as for a slow one.
    pub fn per_request(request: Duration) -> Self {
        SendLimits { repeats: request, ..SendLimits::new(request, A_YEAR) }
    }
}

impl Sender {
    /// A sender on a connection. The clock of the overall limit starts now.
    pub fn new(connection: Connection, limits: SendLimits, progress: Progress) -> Self {
        let deadline = later(Instant::now(), limits.overall);
        Sender { connection, limits, deadline, requests: AtomicUsize::new(0), progress }
    }

    /// The number of requests sent so far.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// The connection to the cluster.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The display of progress.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The limits.
    pub fn limits(&self) -> SendLimits {
        self.limits
    }

    /// The overall deadline.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The result of work that sends requests, within the overall deadline. `what` names the work for messages.
    ///
    /// # Errors
    /// [`RequestError`] of the work, or when it is not done in time.
    pub async fn in_time<T>(
        &self,
        what: &str,
        work: impl Future<Output = Result<T, RequestError>>,
    ) -> Result<T, RequestError> {
        let done = timeout_at(self.deadline, work).await;
        self.progress.clear();
        let late = RequestFault::Deadline(self.limits.overall);
        done.unwrap_or_else(|_| Err(RequestError::new(what, &self.connection.server, late)))
    }

    /// An error of a request to this server.
    pub fn error(&self, request: &ApiRequest, fault: RequestFault) -> RequestError {
        RequestError::new(request.what(), &self.connection.server, fault)
    }

    /// The error of a request whose reply the caller cannot use.
    pub fn refused(&self, request: &ApiRequest, reply: &Reply) -> RequestError {
        let fault = match reply.status {
            StatusCode::UNAUTHORIZED => RequestFault::Unauthorized(reply.status_object().message),
            status if status.is_redirection() => {
                let to = reply.headers.get(LOCATION);
                RequestFault::Redirect(
                    to.map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned()).unwrap_or_default(),
                )
            }
            status => RequestFault::Status(status.as_u16(), reply.message()),
        };
        self.error(request, fault)
    }

    /// Sends a request as [`Sender::send`] does, and returns only replies that answer it.
    ///
    /// # Errors
    /// [`RequestError`] when there is no reply, when it refuses the credentials or redirects, and when the server
    /// cannot answer now.
    pub async fn ask(&self, request: &ApiRequest) -> Result<Reply, RequestError> {
        let reply = self.send(request).await?;
        match reply.status {
            StatusCode::UNAUTHORIZED
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Err(self.refused(request, &reply)),
            status if status.is_redirection() => Err(self.refused(request, &reply)),
            _ => Ok(reply),
        }
    }

    /// Sends a request and receives the whole reply, whatever its status. A read is repeated where that may help: after
    /// the wait that a busy server asks for, after a few growing waits where the server failed, and once when the reply
    /// broke off. A rehearsal is sent once; see [`Sender::pause`].
    ///
    /// # Errors
    /// [`RequestError`] when there is no whole reply.
    pub async fn send(&self, request: &ApiRequest) -> Result<Reply, RequestError> {
        let begun = Instant::now();
        let mut attempt = 0;
        loop {
            attempt += 1;
            let result = self.once(request).await;
            let wait = match (request.repeats(), &result) {
                (Repeats::ByCaller, _) => None,
                (Repeats::BySender, Ok(reply)) => wait(reply, attempt),
                // A restarting server cuts off its replies.
                (Repeats::BySender, Err(fault)) => {
                    (matches!(fault, RequestFault::Cut(_)) && attempt == 1).then_some(FIRST_WAIT)
                }
            };
            let again = match wait {
                Some(wait) => self.pause(wait, begun).await,
                None => false,
            };
            if !again {
                return result.map_err(|fault| self.error(request, fault));
            }
        }
    }

    /// Waits before a request that was first sent at `begun` is repeated. Returns `false` at once if that would take
    /// longer than allowed.
    pub async fn pause(&self, wait: Duration, begun: Instant) -> bool {
        let end = later(begun, self.limits.repeats).min(self.deadline);
        if later(Instant::now(), wait) >= end {
            return false;
        }
        self.progress.waiting(wait);
        sleep(wait).await;
        true
    }

    /// Sends a request once and receives the whole reply.
    async fn once(&self, request: &ApiRequest) -> Result<Reply, RequestFault> {
        let mut bytes = Vec::new();
        let most = self.limits.reply;
        let reply = self
            .stream(request, |parts, data| {
                let mut size = bytes.len() + data.len();
                if bytes.is_empty() {
                    let length =
                        parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
                    size = size.max(length.unwrap_or(0));
                    bytes.reserve(size.min(MAX_PREPARED));
                }
                if size > most {
                    return Err(RequestFault::Garbage(format!("an answer of more than {} MiB", most >> 20)));
                }
                bytes.extend_from_slice(data);
                Ok(())
            })
            .await?;
        Ok(reply.with(bytes))
    }

    /// Sends a request once and passes the body of the reply to `take` as it arrives, for callers that do not need all
    /// of it at once.
    ///
    /// # Errors
    /// [`RequestFault`] when there is no whole reply, or that of `take`.
    pub async fn stream(
        &self,
        request: &ApiRequest,
        mut take: impl FnMut(&Parts, &[u8]) -> Result<(), RequestFault>,
    ) -> Result<Reply<()>, RequestFault> {
        let mut builder = Request::builder()
            .method(request.method())
            .uri(request.target())
            .header(ACCEPT, request.accept())
            .header(USER_AGENT, crate::cli::tool::USER_AGENT);
        if let Some(content_type) = request.content_type() {
            builder = builder.header(CONTENT_TYPE, content_type);
        }
        let message =
            builder.body(Body::from(request.body().to_vec())).map_err(|error| RequestFault::Ours(error.to_string()))?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (sent, begun) = (Timestamp::now(), Instant::now());
        let exchange = async {
            let response = self.connection.client().send(message).await.map_err(|error| no_reply(&error))?;
            let took = begun.elapsed();
            let (parts, mut body) = response.into_parts();
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| RequestFault::Cut(innermost(&error)))?;
                if let Some(data) = frame.data_ref() {
                    take(&parts, data)?;
                }
            }
            Ok(Reply::new(parts, sent, took))
        };
        let result = timeout(self.limits.request, exchange).await;
        let result = result.unwrap_or(Err(RequestFault::Timeout(self.limits.request)));
        // Headers and bodies are not logged: they hold tokens and the contents of the cluster.
        self.progress.detail(|| {
            let (method, target, took) = (request.method(), request.target(), begun.elapsed().as_millis());
            match &result {
                Ok(reply) => format!("{method} {target} {} in {took} milliseconds", reply.status.as_u16()),
                Err(fault) => format!("{method} {target} {fault:?} in {took} milliseconds"),
            }
        });
        result
    }
}

/// The wait before a read is repeated; `None` where its reply is final.
fn wait(reply: &Reply, attempt: u32) -> Option<Duration> {
    match reply.status {
        // The server may ask for a wait as often as it likes within the deadline.
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            reply.retry_after().or_else(|| backoff(attempt))
        }
        StatusCode::INTERNAL_SERVER_ERROR | StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => backoff(attempt),
        _ => None,
    }
}

/// Half a second, then one, two and four; then `None`.
fn backoff(attempt: u32) -> Option<Duration> {
    (attempt <= 4).then(|| FIRST_WAIT * 2_u32.pow(attempt))
}

/// The moment `by` after another. Instants have an end; a limit beyond it is none.
fn later(moment: Instant, by: Duration) -> Instant {
    moment.checked_add(by).unwrap_or_else(|| moment + A_YEAR)
}

const FIRST_WAIT: Duration = Duration::from_millis(250);

const A_YEAR: Duration = Duration::from_hours(24 * 365);

/// The largest reply, so that an endless one does not fill the memory. A page of 500 nodes has about 4 MiB, and OpenAPI
/// schemas are not larger.
const MAX_REPLY: usize = 256 << 20;

/// The most memory that is reserved on the word of a Content-Length header.
const MAX_PREPARED: usize = 16 << 20;
