//! One GET: limits in time and size, and waiting when the server asks for it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aksarc_shared::chain::Chain;
use aksarc_shared::probe::{Probe, ProbeState};
use http::header::{ACCEPT, CONTENT_LENGTH, HeaderMap, LOCATION, RETRY_AFTER, USER_AGENT};
use http::response::Parts;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use kube::client::Body;
use serde::Deserialize;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, timeout};

use super::error::{Cause, RequestError};
use super::probe;
use crate::client::Connection;
use crate::screen::progress::Progress;

/// Sends requests to one cluster and counts them.
pub struct Reader {
    connection: Connection,
    /// Objects per page.
    pub(super) chunk_size: usize,
    request_timeout: Duration,
    timeout: Duration,
    deadline: Instant,
    requests: AtomicUsize,
    groups: OnceCell<ProbeState>,
    pub(super) progress: Progress,
}

/// An answer whose status the caller judges.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// What a `Status` object in the body says; empty where there is none.
    pub(super) fn status_object(&self) -> StatusObject {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// The API server's `Status`, as far as it matters here.
#[derive(Debug, Default, Deserialize)]
pub(super) struct StatusObject {
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) metadata: StatusMeta,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct StatusMeta {
    #[serde(default, rename = "continue")]
    pub(super) next: String,
}

impl Reader {
    /// Starts the clock of `timeout`.
    pub fn new(
        connection: Connection,
        chunk_size: usize,
        request_timeout: Duration,
        timeout: Duration,
        progress: Progress,
    ) -> Self {
        // Instants end somewhere; a limit beyond that is none.
        let deadline = Instant::now().checked_add(timeout).unwrap_or_else(|| Instant::now() + A_YEAR);
        Reader {
            connection,
            chunk_size,
            request_timeout,
            timeout,
            deadline,
            requests: AtomicUsize::new(0),
            groups: OnceCell::new(),
            progress,
        }
    }

    /// Requests sent so far.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// The cluster asked.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Where progress is shown.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// How long one request may take.
    pub(super) fn request_timeout(&self) -> Duration {
        self.request_timeout
    }

    /// The deadline, and the time it gave.
    pub fn deadline(&self) -> (Instant, Duration) {
        (self.deadline, self.timeout)
    }

    /// What the server says of the groups it serves: asked once, whoever wants to know.
    pub(super) async fn groups(&self) -> &ProbeState {
        self.groups.get_or_init(|| probe::get(self, Probe::ApiGroups, "/apis")).await
    }

    /// What `/version` says; `None` when we may not ask.
    pub(super) async fn version(&self) -> Result<Option<String>, RequestError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Version {
            git_version: String,
        }
        let what = "read the version of the server";
        let answer = self.get(what, "/version").await?;
        match answer.status {
            StatusCode::OK => match serde_json::from_slice::<Version>(&answer.body) {
                Ok(version) => Ok(Some(version.git_version)),
                Err(_) => Err(self.error(what, Cause::Garbage(excerpt(&answer.body)))),
            },
            StatusCode::FORBIDDEN => Ok(None),
            StatusCode::NOT_FOUND => Err(self.error(what, Cause::Garbage("it does not know /version".to_owned()))),
            status => Err(self.refused(what, status, &answer)),
        }
    }

    pub(super) fn error(&self, what: &str, cause: Cause) -> RequestError {
        RequestError::new(what, &self.connection.server, cause)
    }

    pub(super) fn refused(&self, what: &str, status: StatusCode, answer: &Answer) -> RequestError {
        let message = answer.status_object().message;
        let message = if message.is_empty() { excerpt(&answer.body) } else { message };
        self.error(what, Cause::Status(status.as_u16(), message))
    }

    /// Gets `path`, waiting and asking again where that may help. Statuses that mean something to the caller are answers.
    pub(super) async fn get(&self, what: &str, path: &str) -> Result<Answer, RequestError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let (wait, error) = match self.once(path).await {
                Ok((answer, headers)) => {
                    self.progress
                        .detail(|| format!("GET {path} {} {} bytes", answer.status.as_u16(), answer.body.len()));
                    let retry = match answer.status {
                        StatusCode::UNAUTHORIZED => {
                            return Err(self.error(what, Cause::Unauthorized(answer.status_object().message)));
                        }
                        status if status.is_redirection() => {
                            let to =
                                headers.get(LOCATION).map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
                            return Err(self.error(what, Cause::Redirect(to.unwrap_or_default())));
                        }
                        // The server says when to come back, as often as it likes within the deadline.
                        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                            retry_after(&headers).or_else(|| backoff(attempt))
                        }
                        StatusCode::INTERNAL_SERVER_ERROR | StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => {
                            backoff(attempt)
                        }
                        _ => return Ok(answer),
                    };
                    (retry, self.refused(what, answer.status, &answer))
                }
                Err(cause) => {
                    self.progress.detail(|| format!("GET {path} {cause:?}"));
                    // An answer that broke off is asked for once more: a server that restarts cuts what it was sending.
                    let again = matches!(cause, Cause::Cut(_)) && attempt == 1;
                    (again.then_some(FIRST_WAIT), self.error(what, cause))
                }
            };
            let Some(wait) = wait.filter(|wait| Instant::now() + *wait < self.deadline) else { return Err(error) };
            self.progress.waiting(wait);
            sleep(wait).await;
        }
    }

    async fn once(&self, path: &str) -> Result<(Answer, HeaderMap), Cause> {
        let mut bytes = Vec::new();
        let (status, headers) = self
            .stream(path, "application/json", |parts, data| {
                if bytes.is_empty() {
                    let size = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
                    bytes.reserve(size.unwrap_or(0).min(MAX_PREPARED));
                }
                if bytes.len() + data.len() > MAX_PAGE {
                    return Err(Cause::Garbage(format!("an answer of more than {} MiB", MAX_PAGE >> 20)));
                }
                bytes.extend_from_slice(data);
                Ok(())
            })
            .await?;
        Ok((Answer { status, body: bytes }, headers))
    }

    /// Gets `path` once and hands on the answer as it comes, for those who need not have all of it at once.
    pub(super) async fn stream(
        &self,
        path: &str,
        accept: &str,
        mut take: impl FnMut(&Parts, &[u8]) -> Result<(), Cause>,
    ) -> Result<(StatusCode, HeaderMap), Cause> {
        let request = Request::get(path)
            .header(ACCEPT, accept)
            .header(USER_AGENT, crate::cli::tool::USER_AGENT)
            .body(Body::empty())
            .map_err(|error| Cause::Ours(error.to_string()))?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let exchange = async {
            let response = self.connection.client.send(request).await.map_err(|error| no_answer(&error))?;
            let (parts, mut body) = response.into_parts();
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| Cause::Cut(innermost(&error)))?;
                if let Some(data) = frame.data_ref() {
                    take(&parts, data)?;
                }
            }
            Ok((parts.status, parts.headers))
        };
        timeout(self.request_timeout, exchange).await.unwrap_or(Err(Cause::Timeout(self.request_timeout)))
    }
}

/// Tells a connection that never was from one that broke.
fn no_answer(error: &kube::Error) -> Cause {
    let text = Chain(error).to_string();
    let text =
        text.strip_prefix("ServiceError: ").unwrap_or(&text).trim_start_matches("client error (Connect): ").to_owned();
    let lower = text.to_lowercase();
    if lower.contains("connection closed") || lower.contains("connection reset") || lower.contains("sendrequest") {
        return Cause::Cut(innermost(error));
    }
    if lower == "deadline has elapsed" {
        return Cause::Connect("the connection timed out".to_owned());
    }
    Cause::Connect(text)
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = cause.to_string();
        next = cause.source();
    }
    text
}

/// The beginning of what is not what was expected.
pub(super) fn excerpt(body: &[u8]) -> String {
    let head = body.get(..EXCERPT).unwrap_or(body);
    format!("{:?}", String::from_utf8_lossy(head))
}

/// Seconds only: API servers send no dates.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    // Later than any deadline is late enough; the clock ends before the largest number does.
    Some(Duration::from_secs(seconds).clamp(FIRST_WAIT, A_YEAR))
}

/// Half a second, one, two, four; then no more.
fn backoff(attempt: u32) -> Option<Duration> {
    (attempt <= 4).then(|| FIRST_WAIT * 2_u32.pow(attempt))
}

const FIRST_WAIT: Duration = Duration::from_millis(250);

const A_YEAR: Duration = Duration::from_hours(24 * 365);

/// A page of 500 nodes has about 4 MiB; an answer that never ends must not fill the memory.
const MAX_PAGE: usize = 256 << 20;

/// Believed of a Content-Length before the bytes are there.
const MAX_PREPARED: usize = 16 << 20;

const EXCERPT: usize = 120;

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_server_that_wants_to_be_asked_after_the_end_of_time_is_no_overflow() {
        let asks =
            |text: &'static str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]));
        assert_eq!(asks("18446744073709551615"), Some(A_YEAR));
        assert_eq!((asks("0"), asks("7")), (Some(FIRST_WAIT), Some(Duration::from_secs(7))));
        assert!(asks("soon").is_none());
    }
}
