//! Requests that get an HTTP error instead of an answer.

use aksarc_shared::text;
use aksarc_shared::verdict::review::ReviewError;
use http::StatusCode;
use prometheus_client::metrics::counter::Counter;

use crate::metrics::{Metrics, by};

/// The HTTP error that a request gets instead of an answer. Under `failurePolicy: Ignore` the API server goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRefusal {
    /// The status code.
    pub status: StatusCode,
    /// The word for the reason in metrics.
    pub word: &'static str,
    /// The body, for readers of the API server's log.
    pub message: String,
}

impl HttpRefusal {
    /// Every word that a refusal can have.
    pub const WORDS: [&'static str; 9] =
        ["aborted", "content-type", "malformed", "method", "overload", "path", "timeout", "too-large", "version"];

    pub(crate) fn new(status: StatusCode, word: &'static str, message: impl Into<String>) -> Self {
        HttpRefusal { status, word, message: message.into() }
    }

    pub(crate) fn malformed(message: &str) -> Self {
        // A parser's message repeats parts of the body, which the client chose.
        HttpRefusal::new(StatusCode::BAD_REQUEST, "malformed", text::line(message, MAX_MESSAGE))
    }

    fn place(&self) -> usize {
        HttpRefusal::WORDS.iter().position(|word| *word == self.word).unwrap_or_default()
    }
}

impl From<ReviewError> for HttpRefusal {
    fn from(error: ReviewError) -> Self {
        let word = if matches!(error, ReviewError::Version { .. }) { "version" } else { "malformed" };
        HttpRefusal { word, ..HttpRefusal::malformed(&error.to_string()) }
    }
}

/// Counters of refused requests.
#[derive(Debug)]
pub(crate) struct RefusalCounters(Vec<Counter>);

impl RefusalCounters {
    pub(crate) fn register(metrics: &mut Metrics) -> Self {
        RefusalCounters(metrics.counters(
            "requests_refused",
            "Requests answered with an HTTP error, by reason; the API server goes on without us",
            &by("reason", &HttpRefusal::WORDS),
        ))
    }

    pub(crate) fn count(&self, refusal: &HttpRefusal) {
        if let Some(counter) = self.0.get(refusal.place()) {
            counter.inc();
        }
    }
}

/// Bytes of a parser's message; its start says what is wrong.
const MAX_MESSAGE: usize = 512;
