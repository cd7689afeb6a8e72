//! Requests of the guard to the API server, for tasks in the background. Answering a review never needs one: a guard
//! whose API server is slow, gone or refuses it judges all the same.
//!
//! Requests are plain, one at a time, each with a time and size limit. Nothing is retried here: the caller knows
//! whether and when to ask again.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::time::Duration;

use aksarc_shared::chain::Chain;
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::jiff::fmt::rfc2822;
use http::header::{CONTENT_TYPE, DATE};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Bytes;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// A way to reach the API server.
#[derive(Clone)]
pub enum Access {
    /// The pod's service account.
    InCluster,
    /// A kubeconfig, for a guard outside the cluster.
    Kubeconfig(PathBuf),
    /// A client that exists already.
    Given(Client),
}

impl Access {
    /// Makes a client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`]: no service account, no readable kubeconfig, or nothing usable in them.
    pub async fn connect(&self) -> Result<Api, ApiError> {
        let mut config = match self {
            Access::Given(client) => return Ok(Api { client: client.clone() }),
            // Both read files, which must not hold up the reviews.
            Access::InCluster => blocking(|| Config::incluster().map_err(|error| Chain(&error).to_string())).await?,
            Access::Kubeconfig(path) => {
                let path = path.clone();
                let kubeconfig =
                    blocking(|| Kubeconfig::read_from(path).map_err(|error| Chain(&error).to_string())).await?;
                let options = KubeConfigOptions::default();
                Config::from_custom_kubeconfig(kubeconfig, &options)
                    .await
                    .map_err(|error| ApiError::NoAccess(Chain(&error).to_string()))?
            }
        };
        config.connect_timeout = Some(REQUEST_TIMEOUT);
        config.read_timeout = Some(REQUEST_TIMEOUT);
        config.write_timeout = Some(REQUEST_TIMEOUT);
        config.default_retry = false;
        // The client needs the runtime it is made on, and certificates were read with the configuration.
        Client::try_from(config)
            .map(|client| Api { client })
            .map_err(|error| ApiError::NoAccess(Chain(&error).to_string()))
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Access::InCluster => f.write_str("InCluster"),
            Access::Kubeconfig(path) => f.debug_tuple("Kubeconfig").field(path).finish(),
            Access::Given(_) => f.write_str("Given"),
        }
    }
}

/// A client of the API server that is made when it is first needed.
#[derive(Debug)]
pub(crate) struct ApiConnection {
    access: Access,
    api: Option<Api>,
}

impl ApiConnection {
    pub(crate) fn new(access: Access) -> Self {
        ApiConnection { access, api: None }
    }

    /// The API server. A client that could not be made is tried again at the next call.
    pub(crate) async fn api(&mut self) -> Result<Api, ApiError> {
        match &self.api {
            Some(api) => Ok(api.clone()),
            None => Ok(self.api.insert(self.access.connect().await?).clone()),
        }
    }
}

/// The API server, as a client reaches it.
#[derive(Clone)]
pub struct Api {
    client: Client,
}

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
    /// No client could be made.
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
    /// Reads an object by its path.
    ///
    /// # Errors
    /// [`ApiError`] when no whole answer comes; a refusal is an answer.
    pub async fn get(&self, path: &str) -> Result<ApiAnswer, ApiError> {
        self.send(Request::builder().method(Method::GET).uri(path), Body::empty()).await
    }

    /// Replaces an object by its path.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub async fn put(&self, path: &str, object: &Value) -> Result<ApiAnswer, ApiError> {
        let request = Request::builder().method(Method::PUT).uri(path).header(CONTENT_TYPE, "application/json");
        self.send(request, Body::from(object.to_string().into_bytes())).await
    }

    /// Creates an object in the collection of a path.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub async fn post(&self, path: &str, object: &Value) -> Result<ApiAnswer, ApiError> {
        let request = Request::builder().method(Method::POST).uri(path).header(CONTENT_TYPE, "application/json");
        self.send(request, Body::from(object.to_string().into_bytes())).await
    }

    /// Changes an object by its path, with the operations of a JSON patch.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub async fn json_patch(&self, path: &str, operations: &Value) -> Result<ApiAnswer, ApiError> {
        let kind = "application/json-patch+json";
        let request = Request::builder().method(Method::PATCH).uri(path).header(CONTENT_TYPE, kind);
        self.send(request, Body::from(operations.to_string().into_bytes())).await
    }

    /// Changes an object by its path, with the fields of a merge patch.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub async fn merge_patch(&self, path: &str, fields: &Value) -> Result<ApiAnswer, ApiError> {
        let kind = "application/merge-patch+json";
        let request = Request::builder().method(Method::PATCH).uri(path).header(CONTENT_TYPE, kind);
        self.send(request, Body::from(fields.to_string().into_bytes())).await
    }

    async fn send(&self, request: http::request::Builder, body: Body) -> Result<ApiAnswer, ApiError> {
        let request = request.body(body).map_err(|error| ApiError::Unreachable(Chain(&error).to_string()))?;
        let answer = async {
            let response =
                self.client.send(request).await.map_err(|error| ApiError::Unreachable(Chain(&error).to_string()))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await;
            let body = body.map_err(|error| match error.downcast::<LengthLimitError>() {
                Ok(_) => ApiError::TooLarge,
                Err(error) => ApiError::Unreachable(error.to_string()),
            })?;
            let body = body.to_bytes();
            Ok(ApiAnswer { status: head.status, date: date(&head.headers), body })
        };
        timeout(REQUEST_TIMEOUT, answer).await.unwrap_or(Err(ApiError::TimedOut))
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}

async fn blocking<T: Send + 'static>(read: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, ApiError> {
    match spawn_blocking(read).await {
        Ok(read) => read.map_err(ApiError::NoAccess),
        Err(error) => Err(ApiError::NoAccess(error.to_string())),
    }
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
    use http::HeaderValue;

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
        let error = Access::Kubeconfig("/nonexistent/kubeconfig".into()).connect().await.unwrap_err();
        assert!(matches!(&error, ApiError::NoAccess(why) if why.contains("kubeconfig")), "{error}");
    }
}
