//! Answers to probes and scrapers, and limits on what they may ask for.

use std::time::Duration;

use http::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;

use crate::health::Health;
use crate::metrics::Metrics;
use crate::plain::PlainLimits;
use crate::slots::SlotLimits;

/// The answer of the port for probes: `/livez` and `/readyz`.
pub(crate) fn probe<B>(request: &Request<B>, health: &Health) -> Response<Full<Bytes>> {
    if let Some(refusal) = not_read(request) {
        return refusal;
    }
    match request.uri().path() {
        "/livez" => state(health.live()),
        "/readyz" => state(health.ready()),
        _ => text(StatusCode::NOT_FOUND, "/livez and /readyz only\n"),
    }
}

/// The answer of the port for scrapers: `/metrics`, and the paths of probes, for manifests that send probes here.
pub(crate) fn admin<B>(request: &Request<B>, health: &Health, metrics: &Metrics) -> Response<Full<Bytes>> {
    if request.uri().path() != "/metrics" {
        return probe(request, health);
    }
    if let Some(refusal) = not_read(request) {
        return refusal;
    }
    // Prometheus asks for OpenMetrics by name; what does not may read its older format only.
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let (body, format) = match accept {
        Some(accept) if accept.contains("application/openmetrics-text") => (metrics.text(), OPEN_METRICS),
        _ => (metrics.plain_text(), PLAIN),
    };
    let mut response = text(StatusCode::OK, body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format));
    response
}

/// The refusal of a request that does not read, or `None` for one that does.
fn not_read<B>(request: &Request<B>) -> Option<Response<Full<Bytes>>> {
    if request.method() == Method::GET || request.method() == Method::HEAD {
        return None;
    }
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "GET only\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    Some(response)
}

fn state(state: Result<(), String>) -> Response<Full<Bytes>> {
    match state {
        Ok(()) => text(StatusCode::OK, "ok\n"),
        Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, why + "\n"),
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// A kubelet asks in milliseconds, on a connection that is used once.
pub(crate) const PROBE: PlainLimits = PlainLimits {
    slots: SlotLimits { connections: 64, share: 16, grace: GRACE },
    deadline: Duration::from_secs(2),
    accept_backoff: BACKOFF,
};

/// A few scrapers, which may be slow to read some tens of kilobytes.
pub(crate) const METRICS: PlainLimits = PlainLimits {
    slots: SlotLimits { connections: 32, share: 8, grace: GRACE },
    deadline: Duration::from_secs(10),
    accept_backoff: BACKOFF,
};

const GRACE: Duration = Duration::from_millis(500);
const BACKOFF: Duration = Duration::from_millis(100);
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
