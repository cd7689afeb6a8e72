//! Plain requests to the API server as one identity, without a client library.

use std::fmt;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, bail};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;
use tokio::runtime::Handle;

/// Requests as one identity. Blocking, and safe to call inside an async test as well.
#[derive(Clone)]
pub struct Http {
    client: kube::Client,
    runtime: Handle,
    /// What every request carries besides its own.
    headers: HeaderMap,
}

/// The four types of a patch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PatchKind {
    Apply,
    Json,
    Merge,
    Strategic,
}

/// The API server's answer, which may be a refusal.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub code: u16,
    pub body: String,
    /// The `Warning` headers, as they came.
    pub warnings: Vec<String>,
}

impl Http {
    pub(crate) fn new(kubeconfig: &Path, runtime: &Handle) -> anyhow::Result<Self> {
        let client = client(kubeconfig, runtime)?;
        Ok(Self { client, runtime: runtime.clone(), headers: HeaderMap::new() })
    }

    /// The same identity, with these headers in every request: `User-Agent`, or those by which an administrator
    /// impersonates somebody. A name can stand several times.
    ///
    /// # Errors
    /// HTTP knows no such header.
    pub fn with_headers(&self, headers: &[(&str, &str)]) -> anyhow::Result<Self> {
        let mut more = self.clone();
        for (name, value) in headers {
            more.headers.append(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
        }
        Ok(more)
    }

    /// # Errors
    /// No answer came; an answer that refuses is an [`Answer`].
    pub fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::GET, path, None, None)
    }

    /// # Errors
    /// No answer came.
    pub fn post(&self, path: &str, object: &Value) -> anyhow::Result<Answer> {
        self.send(Method::POST, path, Some(JSON), Some(object))
    }

    /// # Errors
    /// No answer came.
    pub fn put(&self, path: &str, object: &Value) -> anyhow::Result<Answer> {
        self.send(Method::PUT, path, Some(JSON), Some(object))
    }

    /// # Errors
    /// No answer came.
    pub fn patch(&self, path: &str, kind: PatchKind, change: &Value) -> anyhow::Result<Answer> {
        self.send(Method::PATCH, path, Some(kind.content_type()), Some(change))
    }

    /// # Errors
    /// No answer came.
    pub fn delete(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::DELETE, path, None, None)
    }

    /// A deletion with options, such as its grace period.
    ///
    /// # Errors
    /// No answer came.
    pub fn delete_with(&self, path: &str, options: &Value) -> anyhow::Result<Answer> {
        self.send(Method::DELETE, path, Some(JSON), Some(options))
    }

    fn send(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Option<&Value>,
    ) -> anyhow::Result<Answer> {
        let what = format!("{method} {path}");
        let mut request = Request::builder().method(method).uri(path);
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let bytes = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        let mut request = request.body(Body::from(bytes)).with_context(|| what.clone())?;
        for (name, value) in &self.headers {
            request.headers_mut().append(name.clone(), value.clone());
        }
        let client = self.client.clone();
        let answer = block_on(&self.runtime, async move {
            let response = client.send(request).await?;
            let code = response.status().as_u16();
            let warnings = response
                .headers()
                .get_all(header::WARNING)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .collect();
            let body = response.into_body().collect_bytes().await?;
            let body = String::from_utf8_lossy(&body).into_owned();
            anyhow::Ok(Answer { code, body, warnings })
        });
        answer?.with_context(|| what)
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Http").finish_non_exhaustive()
    }
}

impl PatchKind {
    fn content_type(self) -> &'static str {
        match self {
            Self::Apply => "application/apply-patch+yaml",
            Self::Json => "application/json-patch+json",
            Self::Merge => "application/merge-patch+json",
            Self::Strategic => "application/strategic-merge-patch+json",
        }
    }
}

impl Answer {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// The object of an answer that granted the request.
    ///
    /// # Errors
    /// The request was refused; the message holds what the server said.
    pub fn object(&self) -> anyhow::Result<Value> {
        if !self.is_success() {
            bail!("the API server answered {}: {}", self.code, self.body.trim());
        }
        serde_json::from_str(&self.body).context("the answer is not JSON")
    }
}

/// A client of kube's, with its background work on `runtime`.
pub(crate) fn client(kubeconfig: &Path, runtime: &Handle) -> anyhow::Result<kube::Client> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let options = KubeConfigOptions::default();
    let config = block_on(runtime, async move { kube::Config::from_custom_kubeconfig(kubeconfig, &options).await })?;
    let mut config = config?;
    config.read_timeout = Some(ANSWER_LIMIT);
    config.reset_reader_on_write = true;
    // A test has to see a 429 or 503.
    config.default_retry = false;
    config.proxy_url = None;
    let _guard = runtime.enter();
    Ok(kube::Client::try_from(config)?)
}

/// Unlike the runtime's own method of that name, it works on an async test's thread too.
fn block_on<T: Send + 'static>(runtime: &Handle, work: impl Future<Output = T> + Send + 'static) -> anyhow::Result<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    runtime.spawn(async move {
        // Nobody listens any more when the caller has panicked.
        let _ = sender.send(work.await);
    });
    receiver.recv().context("the control plane's runtime has ended")
}

const JSON: &str = "application/json";

/// Above the API server's own limit for one request, 60 s.
const ANSWER_LIMIT: Duration = Duration::from_secs(70);
