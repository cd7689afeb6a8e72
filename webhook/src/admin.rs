//! Probes and metrics, in the clear on a port of their own, so that neither a certificate nor a full review port can
//! make the kubelet restart a guard that works.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::metrics::Metrics;
use crate::server::{Accept, next_connection};

/// Serves `/livez`, `/readyz` and `/metrics` until it is dropped.
pub(crate) async fn serve(listener: TcpListener, ready: Arc<AtomicBool>, metrics: Arc<Metrics>, backoff: Duration) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(IDLE).max_buf_size(MAX_HEADER);
    let accept: &dyn Accept = &listener;
    loop {
        let (slot, tcp) = next_connection(accept, &slots, backoff, &metrics.accept_errors).await;
        let (ready, metrics) = (Arc::clone(&ready), Arc::clone(&metrics));
        let answer = move |request: Request<Incoming>| {
            let response = answer(&request, &ready, &metrics);
            async move { Ok::<_, Infallible>(response) }
        };
        let connection = http.serve_connection(TokioIo::new(tcp), service_fn(answer));
        tokio::spawn(async move {
            let _slot = slot;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "admin connection ended early");
            }
        });
    }
}

fn answer(request: &Request<Incoming>, ready: &AtomicBool, metrics: &Metrics) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "GET only\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/livez" => text(StatusCode::OK, "ok\n"),
        "/metrics" => {
            let mut response = text(StatusCode::OK, metrics.text());
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(OPEN_METRICS));
            response
        }
        "/readyz" if ready.load(Ordering::Relaxed) => text(StatusCode::OK, "ok\n"),
        "/readyz" => text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
        _ => text(StatusCode::NOT_FOUND, "/livez, /readyz and /metrics only\n"),
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The kubelet and a few scrapers.
const MAX_CONNECTIONS: usize = 32;
/// Scrapers that keep their connection come every minute at most, and open a new one without harm.
const IDLE: Duration = Duration::from_secs(30);
const MAX_HEADER: usize = 16 << 10;
