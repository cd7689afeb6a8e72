//! Replies of the API server.

use std::time::Duration;

use http::header::{HeaderMap, RETRY_AFTER, WARNING};
use http::{StatusCode, response};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::error::RequestFault;

/// A reply with any status, which the caller judges. The body is bytes, JSON, or nothing where it was streamed.
#[derive(Clone, Debug)]
pub struct Reply<B = Vec<u8>> {
    /// HTTP status.
    pub status: StatusCode,
    /// HTTP headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: B,
    /// This machine's clock when the request was sent.
    pub sent: Timestamp,
    /// The time from the request to the headers of the reply.
    pub took: Duration,
}

/// The fields of the API server's `Status` that are used here.
#[derive(Debug, Default, Deserialize)]
pub struct StatusObject {
    /// A sentence; empty where there is none.
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    metadata: StatusMeta,
}

#[derive(Debug, Default, Deserialize)]
struct StatusMeta {
    #[serde(default, rename = "continue")]
    next: String,
}

impl StatusObject {
    /// The `Status` in a body; an empty one where there is none.
    pub fn of(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// The token with which an expired list can continue; empty where it cannot.
    pub fn into_token(self) -> String {
        self.metadata.next
    }
}

impl Reply<()> {
    pub(super) fn new(parts: response::Parts, sent: Timestamp, took: Duration) -> Self {
        Reply { status: parts.status, headers: parts.headers, body: (), sent, took }
    }
}

impl<B> Reply<B> {
    /// A reply made of a status and a body, received just now and without headers.
    pub fn of(status: StatusCode, body: B) -> Self {
        Reply { status, headers: HeaderMap::new(), body, sent: Timestamp::now(), took: Duration::ZERO }
    }

    /// The same reply with another body.
    #[must_use]
    pub fn with<C>(self, body: C) -> Reply<C> {
        let Reply { status, headers, sent, took, .. } = self;
        Reply { status, headers, body, sent, took }
    }

    /// The texts of the `Warning` headers.
    pub fn warnings(&self) -> Vec<String> {
        let headers = self.headers.get_all(WARNING).iter();
        headers.filter_map(|value| std::str::from_utf8(value.as_bytes()).ok()).flat_map(warnings).collect()
    }

    /// The wait that a server asks for when it is busy (429) or unavailable (503); `None` where it asks for none.
    pub fn retry_after(&self) -> Option<Duration> {
        if !matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            return None;
        }
        // Seconds only: API servers send no dates.
        let seconds = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
        // The clock ends before the largest number of seconds does, and a day is beyond any deadline.
        Some(Duration::from_secs(seconds).clamp(SHORTEST_WAIT, A_YEAR))
    }
}

impl Reply {
    /// The `Status` object in the body; an empty one where there is none.
    pub fn status_object(&self) -> StatusObject {
        StatusObject::of(&self.body)
    }

    /// The server's message: that of its `Status`, else the beginning of the body.
    pub fn message(&self) -> String {
        let message = self.status_object().message;
        if message.is_empty() { excerpt(&self.body) } else { message }
    }

    /// The reply with its body as JSON. The body of an error may be anything, such as a proxy's page, and is then null.
    ///
    /// # Errors
    /// [`RequestFault::Garbage`] for a success that is not JSON.
    pub fn json(self) -> Result<Reply<Value>, RequestFault> {
        let value = serde_json::from_slice(&self.body);
        match value {
            Err(error) if self.status.is_success() => {
                Err(RequestFault::Garbage(format!("{error}; it begins with {}", excerpt(&self.body))))
            }
            value => Ok(self.with(value.unwrap_or_default())),
        }
    }

    /// The reply with its body as JSON, or null where it is not JSON.
    #[must_use]
    pub fn json_or_null(self) -> Reply<Value> {
        let value = serde_json::from_slice(&self.body).unwrap_or_default();
        self.with(value)
    }
}

/// The first bytes of an unexpected body, quoted, for messages.
pub(crate) fn excerpt(body: &[u8]) -> String {
    let head = body.get(..EXCERPT).unwrap_or(body);
    format!("{:?}", String::from_utf8_lossy(head))
}

/// The texts of one `Warning` header (RFC 7234, section 5.5): `299 - "text"`, several separated by commas.
fn warnings(header: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = header;
    while let Some((_, quoted)) = rest.split_once('"') {
        let (mut text, mut escaped, mut end) = (String::new(), false, None);
        for (at, c) in quoted.char_indices() {
            match c {
                _ if escaped => {
                    text.push(c);
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    end = Some(at + 1);
                    break;
                }
                _ => text.push(c),
            }
        }
        texts.push(text);
        let Some(after) = end.and_then(|end| quoted.get(end..)) else { break };
        rest = after;
    }
    texts
}

/// The shortest wait before a request is sent again, whatever the server asks for.
const SHORTEST_WAIT: Duration = Duration::from_millis(250);

const A_YEAR: Duration = Duration::from_hours(24 * 365);

/// The longest excerpt, enough to tell a login page from JSON.
const EXCERPT: usize = 120;

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_wait_beyond_the_end_of_the_clock_does_not_overflow() {
        let asks = |status: u16, text: &'static str| {
            let mut reply = Reply::of(StatusCode::from_u16(status).unwrap(), ());
            reply.headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            reply.retry_after()
        };
        assert_eq!(asks(429, "18446744073709551615"), Some(A_YEAR));
        assert_eq!((asks(503, "0"), asks(429, "7")), (Some(SHORTEST_WAIT), Some(Duration::from_secs(7))));
        assert_eq!((asks(429, "soon"), asks(500, "1"), asks(200, "1")), (None, None, None));
    }

    #[test]
    fn warning_headers_are_read_with_their_escapes() {
        assert_eq!(warnings(r#"299 - "AA205: a \"quoted\" word""#), [r#"AA205: a "quoted" word"#]);
        assert_eq!(warnings(r#"299 - "one", 299 - "two, and""#), ["one", "two, and"]);
        assert_eq!(warnings("299 - nothing quoted"), Vec::<String>::new());
        assert_eq!(warnings("299 - \"cut"), ["cut"]);
    }

    #[test]
    fn a_success_has_to_be_json_and_an_error_may_be_a_page() {
        let reply = |status: StatusCode, body: &[u8]| Reply::of(status, body.to_vec()).json();
        assert_eq!(reply(StatusCode::OK, b"{}").unwrap().body, serde_json::json!({}));
        assert_eq!(reply(StatusCode::BAD_GATEWAY, b"<html>").unwrap().body, Value::Null);
        let Err(RequestFault::Garbage(why)) = reply(StatusCode::OK, b"<html>") else { panic!("a page is no object") };
        assert!(why.contains("\"<html>\""), "{why}");
    }
}
