//! Talking to the API server: reads as they are, writes only as rehearsals that the gate has let through.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aksarc_shared::chain::Chain;
use http::Request;
use http_body_util::{BodyExt as _, Limited};
use kube::Client;
use kube::client::Body;
use serde_json::Value;

use super::call::{self, Answer, Read, Wire};
use super::gate::Cleared;

/// A server to ask, with a limit per request.
pub struct Session {
    client: Client,
    limit: Duration,
    rehearsed: AtomicUsize,
}

/// No answer that could be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// It took too long.
    #[error("no answer to {what} within {} s (--request-timeout)", limit.as_secs_f32())]
    Timeout {
        /// The request.
        what: String,
        /// The limit.
        limit: Duration,
    },
    /// The connection or the credentials failed.
    #[error("cannot send {what}: {why}")]
    Transport {
        /// The request.
        what: String,
        /// The chain of causes.
        why: String,
    },
    /// The answer broke off, is too large or no JSON.
    #[error("cannot read the answer to {what}: {why}")]
    Body {
        /// The request.
        what: String,
        /// The chain of causes.
        why: String,
    },
}

impl Session {
    /// A session with a limit per request.
    pub fn new(client: Client, limit: Duration) -> Self {
        Session { client, limit, rehearsed: AtomicUsize::new(0) }
    }

    /// Reads.
    ///
    /// # Errors
    /// [`NoAnswer`]; an HTTP error is an answer.
    pub async fn read(&self, read: &Read) -> Result<Answer, NoAnswer> {
        self.send(call::plain(read)).await
    }

    /// Rehearses a write that the gate has let through; nothing is stored.
    ///
    /// # Errors
    /// [`NoAnswer`]; an HTTP error is an answer.
    pub async fn rehearse(&self, cleared: Cleared) -> Result<Answer, NoAnswer> {
        self.rehearsed.fetch_add(1, Ordering::Relaxed);
        self.send(call::rehearse(&cleared)).await
    }

    /// Asks who we are. That is a POST that stores nothing, and it is let through and sent as a rehearsal all the same.
    ///
    /// # Errors
    /// [`NoAnswer`]; an HTTP error is an answer.
    pub async fn review(&self, cleared: Cleared) -> Result<Answer, NoAnswer> {
        self.send(call::rehearse(&cleared)).await
    }

    /// How many writes were rehearsed.
    pub fn rehearsed(&self) -> usize {
        self.rehearsed.load(Ordering::Relaxed)
    }

    async fn send(&self, wire: Wire) -> Result<Answer, NoAnswer> {
        let what = format!("{} {}", wire.method(), wire.target().split('?').next().unwrap_or_default());
        match tokio::time::timeout(self.limit, self.exchange(wire, &what)).await {
            Ok(answer) => answer,
            Err(_) => Err(NoAnswer::Timeout { what, limit: self.limit }),
        }
    }

    async fn exchange(&self, wire: Wire, what: &str) -> Result<Answer, NoAnswer> {
        let failed = |why: String| NoAnswer::Transport { what: what.to_owned(), why };
        let mut request = Request::builder()
            .method(wire.method())
            .uri(wire.target())
            .header(http::header::ACCEPT, wire.accept())
            .header(http::header::USER_AGENT, crate::cli::tool::USER_AGENT);
        if let Some(content_type) = wire.content_type() {
            request = request.header(http::header::CONTENT_TYPE, content_type);
        }
        let request = request.body(Body::from(wire.into_body())).map_err(|error| failed(error.to_string()))?;
        let response = self.client.send(request).await.map_err(|error| failed(Chain(&error).to_string()))?;
        let (parts, body) = response.into_parts();
        let unreadable = |why: String| NoAnswer::Body { what: what.to_owned(), why };
        let bytes =
            Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| unreadable(error.to_string()))?.to_bytes();
        let body = match serde_json::from_slice(&bytes) {
            Ok(body) => body,
            // A proxy's error page is no reason to hide its status.
            Err(_) if !parts.status.is_success() => Value::Null,
            Err(error) => return Err(unreadable(error.to_string())),
        };
        let headers = parts.headers.get_all(http::header::WARNING).iter();
        let warnings =
            headers.filter_map(|value| std::str::from_utf8(value.as_bytes()).ok()).flat_map(call::warnings).collect();
        Ok(Answer { status: parts.status.as_u16(), warnings, body })
    }
}

/// The largest documents are OpenAPI schemas and lists of 500 objects; more than this is no API server's answer.
const MAX_ANSWER: usize = 256 * 1024 * 1024;
