//! Requests of the guard to the API server, for tasks in the background. Answering a review never needs one: a guard
//! whose API server is slow, gone or refuses it judges all the same.
//!
//! Requests are plain, one at a time, each with a time and size limit. Nothing is retried here: the caller knows
//! whether and when to ask again.

mod access;

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use aksarc_shared::chain::Chain;
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::jiff::fmt::rfc2822;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HOST};
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use self::access::Credentials;

pub use self::access::Access;

/// The API server, as the tasks of the guard reach it.
///
/// Each request reads the credentials and has a connection of its own. Tasks ask a few times a minute, so that kept
/// connections would save little, and each would have to be given up when tokens and authorities are renewed, or the API
/// server behind it goes away.
#[derive(Clone, Debug)]
pub struct Api(Access);

/// An answer of the API server, whether or not it granted the request.
#[derive(Clone, Debug)]
pub struct ApiAnswer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The server's time, by its `Date` header; whole seconds.
    pub date: Option<Timestamp>,
    /// The body.
    pub body: Bytes,
}

impl ApiAnswer {
    /// The status and the message of a refusal, for people.
    pub(crate) fn refusal(&self) -> String {
        let status: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let message = status.get("message").and_then(Value::as_str).unwrap_or_default();
        format!("{} {}", self.status, message.chars().take(MAX_MESSAGE).collect::<String>())
    }
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// There is no service account, no readable kubeconfig, or nothing usable in them.
    #[error("no access to the API server: {0}")]
    NoAccess(String),
    /// The API server could not be reached, or hung up.
    #[error("the API server cannot be reached: {0}")]
    Unreachable(String),
    /// The API server took too long.
    #[error("the API server did not answer within {REQUEST_TIMEOUT:?}")]
    TimedOut,
    /// The answer is larger than any that is expected.
    #[error("the API server's answer has more than {MAX_ANSWER} bytes")]
    TooLarge,
}

impl Api {
    /// The API server at the end of this way. Nothing is read or sent yet.
    pub fn new(access: Access) -> Self {
        Api(access)
    }

    /// Reads an object by its path.
    ///
    /// # Errors
    /// [`ApiError`] when no whole answer comes; a refusal is an answer.
    pub async fn get(&self, path: &str) -> Result<ApiAnswer, ApiError> {
        self.send(Method::GET, path, None).await
    }

    /// Reads the metadata of an object by the object's path, and nothing else of it.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub async fn get_metadata(&self, path: &str) -> Result<ApiAnswer, ApiError> {
        let mut request = Request::new(Full::default());
        request.headers_mut().insert(ACCEPT, METADATA);
        self.in_time(request, path).await
    }

    /// Replaces an object by its path.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub async fn put(&self, path: &str, object: &Value) -> Result<ApiAnswer, ApiError> {
        self.send(Method::PUT, path, Some((JSON, object))).await
    }

    /// Creates an object in the collection of a path.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub async fn post(&self, path: &str, object: &Value) -> Result<ApiAnswer, ApiError> {
        self.send(Method::POST, path, Some((JSON, object))).await
    }

    /// Changes an object by its path, with the operations of a JSON patch.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub async fn json_patch(&self, path: &str, operations: &Value) -> Result<ApiAnswer, ApiError> {
        self.send(Method::PATCH, path, Some((JSON_PATCH, operations))).await
    }

    /// Changes an object by its path, with the fields of a merge patch.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub async fn merge_patch(&self, path: &str, fields: &Value) -> Result<ApiAnswer, ApiError> {
        self.send(Method::PATCH, path, Some((MERGE_PATCH, fields))).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        content: Option<(HeaderValue, &Value)>,
    ) -> Result<ApiAnswer, ApiError> {
        let mut request = Request::new(Full::default());
        *request.method_mut() = method;
        if let Some((kind, value)) = content {
            request.headers_mut().insert(CONTENT_TYPE, kind);
            *request.body_mut() = Full::from(value.to_string());
        }
        self.in_time(request, path).await
    }

    async fn in_time(&self, request: Request<Full<Bytes>>, path: &str) -> Result<ApiAnswer, ApiError> {
        timeout(REQUEST_TIMEOUT, self.exchange(request, path)).await.unwrap_or(Err(ApiError::TimedOut))
    }

    async fn exchange(&self, mut request: Request<Full<Bytes>>, path: &str) -> Result<ApiAnswer, ApiError> {
        let access = self.0.clone();
        // On another thread: a file that cannot be read at once must not hold up the reviews.
        let credentials = spawn_blocking(move || access.read()).await;
        let credentials = credentials.map_err(|error| error.to_string()).flatten().map_err(ApiError::NoAccess)?;
        let beginning = credentials.server.path().trim_end_matches('/');
        *request.uri_mut() = format!("{beginning}{path}").parse().map_err(|error| unreachable(&error))?;
        let host = credentials.server.authority().map_or("", |authority| authority.as_str());
        request.headers_mut().insert(HOST, HeaderValue::from_str(host).map_err(|error| unreachable(&error))?);
        if let Some(token) = &credentials.token {
            let mut token = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|error| unreachable(&error))?;
            token.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, token);
        }
        let stream = connect(credentials).await.map_err(|error| unreachable(&error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(&error))?;
        // The connection ends with this request, however that ends.
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let (head, body) = sender.send_request(request).await.map_err(|error| unreachable(&error))?.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await;
        let body = body.map_err(|error| match error.downcast::<LengthLimitError>() {
            Ok(_) => ApiError::TooLarge,
            Err(error) => unreachable(&*error),
        })?;
        Ok(ApiAnswer { status: head.status, date: date(&head.headers), body: body.to_bytes() })
    }
}

/// A connection to the API server, over TLS unless its address says otherwise.
async fn connect(credentials: Credentials) -> io::Result<Box<dyn ApiStream>> {
    let Credentials { server, server_name, tls, .. } = credentials;
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_plain = server.scheme() == Some(&Scheme::HTTP);
    let port = server.port_u16().unwrap_or(if is_plain { 80 } else { 443 });
    let tcp = TcpStream::connect((host, port)).await?;
    if is_plain {
        return Ok(Box::new(tcp));
    }
    let name = ServerName::try_from(server_name.unwrap_or_else(|| host.to_owned())).map_err(io::Error::other)?;
    Ok(Box::new(TlsConnector::from(Arc::new(tls)).connect(name, tcp).await?))
}

trait ApiStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> ApiStream for T {}

fn unreachable(error: &(dyn Error + 'static)) -> ApiError {
    ApiError::Unreachable(Chain(error).to_string())
}

/// A random duration up to `most`, evenly distributed. Each hasher of the standard library has keys of its own, which
/// is random enough for this.
pub(crate) fn jitter(most: Duration) -> Duration {
    let dice = u32::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or_default();
    most.mul_f64(f64::from(dice) / f64::from(u32::MAX))
}

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(DATE)?.to_str().ok()?;
    Some(rfc2822::parse(text).ok()?.timestamp())
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const JSON_PATCH: HeaderValue = HeaderValue::from_static("application/json-patch+json");
const METADATA: HeaderValue = HeaderValue::from_static("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");
const MERGE_PATCH: HeaderValue = HeaderValue::from_static("application/merge-patch+json");

/// An API server answers a get of one object, or of one page, in milliseconds; a minute's wait for one that hangs would
/// help nobody.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// An object has at most 1.5 MiB, in etcd's own limit.
const MAX_ANSWER: usize = 2 << 20;

/// Characters of a status message; its start says what is wrong.
const MAX_MESSAGE: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_time_is_read_or_missing() {
        let of = |text: &'static str| date(&HeaderMap::from_iter([(DATE, HeaderValue::from_static(text))]));
        assert_eq!(of("Sat, 21 Nov 2026 00:12:07 GMT"), Some("2026-11-21T00:12:07Z".parse().unwrap()));
        for bad in ["", "now", "Sat, 21 Nov 2026", "Sat, 41 Nov 2026 00:12:07 GMT"] {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert_eq!(date(&HeaderMap::new()), None);
    }

    #[test]
    fn jitter_stays_below_its_bound() {
        for _ in 0..1000 {
            assert!(jitter(Duration::from_secs(6)) <= Duration::from_secs(6));
        }
    }

    #[tokio::test]
    async fn a_kubeconfig_that_cannot_be_read_is_named() {
        let api = Api::new(Access::Kubeconfig("/nonexistent/kubeconfig".into()));
        let error = api.get("/version").await.unwrap_err();
        assert!(matches!(&error, ApiError::NoAccess(why) if why.contains("/nonexistent/kubeconfig")), "{error}");
    }
}
