//! An aggregated API server: HTTPS of its own, registered by APIServices.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use k8s_openapi::ByteString;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::{self, Runtime};
use tokio_rustls::TlsAcceptor;

use crate::control_plane::ControlPlane;
use crate::identity::Identity;
use crate::pki::KeyFiles;
use crate::wait;

/// A resource of cluster scope that an [`Extension`] serves.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    pub group: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
    pub dry_run: DryRun,
}

/// The ways in which a server treats `dryRun=All`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DryRun {
    /// It answers, and stores nothing.
    Kept,
    /// It ignores the parameter.
    Ignored,
}

/// The server. It ends with the value.
#[derive(Debug)]
pub struct Extension {
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

#[derive(Debug)]
struct Shared {
    served: Vec<Served>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By path.
    objects: BTreeMap<String, Value>,
    /// Method, path and query of all requests that are no reads.
    writes: Vec<String>,
}

impl Served {
    /// The path of all its objects.
    pub fn path(&self) -> String {
        format!("/apis/{}/{}/{}", self.group, self.version, self.plural)
    }

    fn api_service(&self) -> String {
        format!("{}.{}", self.version, self.group)
    }
}

impl Extension {
    /// Starts it, and waits until the API server hands each group and version to it and says so in its discovery.
    ///
    /// The Service names `localhost`, and so the API server of a test reaches it without a pod network.
    ///
    /// # Errors
    /// It does not start, or the API server does not take it.
    pub fn start(cluster: &ControlPlane, served: &[Served]) -> anyhow::Result<Self> {
        let tls = cluster.pki.server_of("extension", &[&format!("{NAME}.{NAMESPACE}.svc")])?;
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let shared = Arc::new(Shared { served: served.to_vec(), state: Mutex::default() });
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let port = listener.local_addr()?.port();
        runtime.spawn(serve(listener, acceptor(&tls)?, Arc::clone(&shared)));
        register(cluster, served, port)?;
        Ok(Self { shared, runtime: Some(runtime) })
    }

    /// The paths of all objects that it has stored.
    pub fn stored(&self) -> Vec<String> {
        self.shared.state().objects.keys().cloned().collect()
    }

    /// The object that it has stored at a path.
    pub fn object(&self, path: &str) -> Option<Value> {
        self.shared.state().objects.get(path).cloned()
    }

    /// Method, path and query of every request so far that is no read.
    pub fn writes(&self) -> Vec<String> {
        self.shared.state().writes.clone()
    }
}

impl Drop for Extension {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Unlike its own drop, allowed on an async test's thread.
            runtime.shutdown_background();
        }
    }
}

fn register(cluster: &ControlPlane, served: &[Served], port: u16) -> anyhow::Result<()> {
    let admin = cluster.http(&Identity::Admin)?;
    let space = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    admin.post("/api/v1/namespaces", &space)?.object()?;
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME},
        "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]}});
    admin.post(&format!("/api/v1/namespaces/{NAMESPACE}/services"), &service)?.object()?;
    let authority = ByteString(fs::read(cluster.authority())?);
    for own in served {
        let name = own.api_service();
        let registration = json!({
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": name},
            "spec": {
                "group": own.group, "version": own.version, "groupPriorityMinimum": 1000, "versionPriority": 15,
                "service": {"namespace": NAMESPACE, "name": NAME, "port": port}, "caBundle": authority,
            },
        });
        admin.post(API_SERVICES, &registration)?.object()?;
        cluster.object_when(&format!("{API_SERVICES}/{name}"), LIMIT, |object| {
            let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
            let is =
                |condition: &Value, key: &str, word: &str| condition.get(key).and_then(Value::as_str) == Some(word);
            conditions.into_iter().flatten().any(|own| is(own, "type", "Available") && is(own, "status", "True"))
        })?;
        wait::until(&format!("{} in the API server's discovery", own.group), LIMIT, || {
            let group = format!("--api-group={}", own.group);
            let listed = cluster.kubectl(&Identity::Admin, ["api-resources", "--cached=false", &group]);
            let listed = listed.map_err(|error| format!("{error:#}"))?;
            if listed.stdout.contains(own.plural) { Ok(()) } else { Err(listed.stdout + &listed.stderr) }
        })?;
    }
    Ok(())
}

fn acceptor(files: &KeyFiles) -> anyhow::Result<TlsAcceptor> {
    let chain = vec![CertificateDer::from_pem_file(&files.certificate)?];
    let key = PrivateKeyDer::from_pem_file(&files.key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("the extension's certificate does not fit its key")?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |request: Request<Incoming>| {
                let shared = Arc::clone(&shared);
                async move { Ok::<_, Infallible>(respond(&shared, request).await) }
            });
            // An ended connection is the client's business.
            let _ =
                http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn respond(shared: &Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let (status, answer) = match body.collect().await {
        Ok(body) => {
            let body = serde_json::from_slice(&body.to_bytes()).unwrap_or(Value::Null);
            shared.answer(&head.method, head.uri.path(), head.uri.query().unwrap_or_default(), &body)
        }
        Err(error) => failure(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let mut response = Response::new(Full::new(Bytes::from(answer.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, method: &Method, path: &str, query: &str, body: &Value) -> (StatusCode, Value) {
        let not_found = || failure(StatusCode::NOT_FOUND, &format!("{path} is not here"));
        let here = |own: &&Served| path.starts_with(&own.path());
        let discovery = |own: &&Served| own.path().rsplit_once('/').is_some_and(|(root, _)| path == root);
        if let Some(own) = self.served.iter().find(discovery) {
            return (StatusCode::OK, resources(own));
        }
        let Some(own) = self.served.iter().find(here) else { return not_found() };
        let name = path.strip_prefix(&own.path()).and_then(|rest| rest.strip_prefix('/'));
        let mut state = self.state();
        if method != Method::GET {
            state.writes.push(format!("{method} {path}?{query}"));
        }
        let told = query.contains("dryRun=All") || body.pointer("/dryRun/0").is_some_and(|word| word == "All");
        let stores = !(told && own.dry_run == DryRun::Kept);
        match (method, name) {
            (&Method::GET, None) => {
                let items: Vec<&Value> =
                    state.objects.iter().filter(|(at, _)| at.starts_with(path)).map(|(_, object)| object).collect();
                let (api_version, kind) = (format!("{}/{}", own.group, own.version), format!("{}List", own.kind));
                (StatusCode::OK, json!({"apiVersion": api_version, "kind": kind, "metadata": {}, "items": items}))
            }
            (&Method::POST, None) => {
                let name = body.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
                state.put(&format!("{path}/{name}"), body.clone(), stores, StatusCode::CREATED)
            }
            (&Method::GET, Some(_)) => {
                state.objects.get(path).map_or_else(not_found, |own| (StatusCode::OK, own.clone()))
            }
            (&Method::PUT, Some(_)) => state.put(path, body.clone(), stores, StatusCode::OK),
            (&Method::PATCH, Some(_)) => {
                let mut object = state.objects.get(path).cloned().unwrap_or_default();
                match serde_json::from_value::<json_patch::Patch>(body.clone()) {
                    Ok(operations) => match json_patch::patch(&mut object, &operations) {
                        Ok(()) => {}
                        Err(error) => return failure(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()),
                    },
                    Err(_) => json_patch::merge(&mut object, body),
                }
                state.put(path, object, stores, StatusCode::OK)
            }
            (&Method::DELETE, Some(_)) => {
                let Some(object) = state.objects.get(path).cloned() else { return not_found() };
                if stores {
                    state.objects.remove(path);
                }
                (StatusCode::OK, object)
            }
            _ => failure(StatusCode::METHOD_NOT_ALLOWED, "this is not served"),
        }
    }
}

impl State {
    fn put(&mut self, path: &str, mut object: Value, stores: bool, status: StatusCode) -> (StatusCode, Value) {
        if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            meta.entry("uid").or_insert_with(|| json!(format!("uid of {path}")));
        }
        if stores {
            self.objects.insert(path.to_owned(), object.clone());
        }
        (status, object)
    }
}

fn resources(own: &Served) -> Value {
    let verbs = ["create", "delete", "get", "list", "patch", "update"];
    let singular = own.kind.to_lowercase();
    json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": format!("{}/{}", own.group, own.version),
        "resources": [{"name": own.plural, "singularName": singular, "namespaced": false, "kind": own.kind, "verbs": verbs}],
    })
}

fn failure(status: StatusCode, message: &str) -> (StatusCode, Value) {
    let reason = if status == StatusCode::NOT_FOUND { "NotFound" } else { "BadRequest" };
    let code = status.as_u16();
    let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": reason,
        "message": message, "code": code});
    (status, body)
}

const NAMESPACE: &str = "extension";
const NAME: &str = "api";
const API_SERVICES: &str = "/apis/apiregistration.k8s.io/v1/apiservices";

/// The API server looks at a new APIService at once, and again after seconds when it was not yet there.
const LIMIT: Duration = Duration::from_mins(1);
