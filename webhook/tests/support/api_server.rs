//! A made-up API server on loopback, whose answers a test chooses.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aksarc_webhook::api::Access;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::net::TcpListener;

type Handler = dyn Fn(&str) -> Option<(StatusCode, String)> + Send;

/// A made-up API server. It ends with the runtime of its test.
pub(crate) struct ApiServer {
    kubeconfig: NamedTempFile,
    handler: Arc<Mutex<Box<Handler>>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl ApiServer {
    /// Starts a server that answers with what `handler` makes of method, path and query. With `None` the request is
    /// left hanging.
    pub(crate) async fn start(handler: impl Fn(&str) -> Option<(StatusCode, String)> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let kubeconfig = kubeconfig(listener.local_addr().unwrap());
        let handler: Arc<Mutex<Box<Handler>>> = Arc::new(Mutex::new(Box::new(handler)));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let server = ApiServer { kubeconfig, handler: Arc::clone(&handler), requests: Arc::clone(&requests) };
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (handler, requests) = (Arc::clone(&handler), Arc::clone(&requests));
                let service = service_fn(move |request: Request<Incoming>| {
                    let asked = format!("{} {}", request.method(), request.uri());
                    requests.lock().unwrap().push(asked.clone());
                    let answer = (handler.lock().unwrap())(&asked);
                    async move {
                        let Some((status, body)) = answer else { std::future::pending().await };
                        let response = Response::builder().status(status).header("content-type", "application/json");
                        Ok::<_, Infallible>(response.body(Full::new(Bytes::from(body))).unwrap())
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(tcp), service));
            }
        });
        server
    }

    /// Answers with another handler from now on.
    pub(crate) fn answer(&self, handler: impl Fn(&str) -> Option<(StatusCode, String)> + Send + 'static) {
        *self.handler.lock().unwrap() = Box::new(handler);
    }

    /// The methods, paths and queries of the requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn access(&self) -> Access {
        Access::Kubeconfig(self.kubeconfig.path().to_owned())
    }
}

/// A kubeconfig for a server without TLS and credentials.
pub(crate) fn kubeconfig(address: SocketAddr) -> NamedTempFile {
    let kubeconfig = json!({
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": format!("http://{address}")}}],
        "users": [{"name": "test", "user": {}}],
    });
    let file = NamedTempFile::new().unwrap();
    serde_json::to_writer(&file, &kubeconfig).unwrap();
    file
}

/// The answer of a server that refuses.
pub(crate) fn status(code: StatusCode, message: &str) -> Option<(StatusCode, String)> {
    let status =
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code.as_u16()});
    Some((code, status.to_string()))
}

/// The answer to a list of a kind that is not served.
pub(crate) fn not_served() -> Option<(StatusCode, String)> {
    Some((StatusCode::NOT_FOUND, "404 page not found\n".to_owned()))
}

/// One page of `SupportWaiver` objects, with the token of the next one.
pub(crate) fn page(items: &[Value], next: &str) -> Option<(StatusCode, String)> {
    let list = json!({"apiVersion": "aksarc.dev/v1alpha1", "kind": "SupportWaiverList",
        "metadata": {"resourceVersion": "1", "continue": next}, "items": items});
    Some((StatusCode::OK, list.to_string()))
}
