//! A guard in this process, with certificates of its own, and a client for it.

pub(crate) mod api_server;
pub(crate) mod gate;
pub(crate) mod program;

use std::fmt::Debug;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aksarc_webhook::server::{GuardServer, ServerOptions};
use aksarc_webhook::tls;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The name by which an API server calls the guard.
pub(crate) const NAME: &str = "guard.aksarc-system.svc";

/// A certificate authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        Authority(CertifiedIssuer::self_signed(Self::params("root"), KeyPair::generate().unwrap()).unwrap())
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    pub(crate) fn intermediate(&self) -> Authority {
        let key = KeyPair::generate().unwrap();
        Authority(CertifiedIssuer::signed_by(Self::params("intermediate"), key, &self.0).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for the guard and its key.
    pub(crate) fn issue(&self) -> (String, String) {
        self.issue_until(4096)
    }

    /// The same, with the year in which it ends.
    pub(crate) fn issue_until(&self, year: i32) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    /// A TLS client that trusts this authority.
    pub(crate) fn connector(&self) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config))
    }
}

/// A volume as the kubelet makes it for a ConfigMap or a Secret: each file is a link through `..data`, and `..data`
/// is swapped to a new directory with one rename.
pub(crate) struct Volume(TempDir, AtomicU32);

impl Volume {
    pub(crate) fn new(files: &[(&str, &[u8])]) -> Self {
        let volume = Volume(TempDir::new().unwrap(), AtomicU32::new(0));
        volume.hold(files);
        volume
    }

    /// Swaps the content, and keeps links to these files and no others, as the kubelet does when keys come and go.
    pub(crate) fn hold(&self, files: &[(&str, &[u8])]) {
        self.swap(files);
        for entry in fs::read_dir(self.directory()).unwrap() {
            let name = entry.unwrap().file_name();
            if !name.to_str().unwrap().starts_with("..") {
                fs::remove_file(self.directory().join(name)).unwrap();
            }
        }
        for (name, _) in files {
            symlink(Path::new("..data").join(name), self.path(name)).unwrap();
        }
    }

    pub(crate) fn of_pair((chain, key): &(String, String)) -> Self {
        Volume::new(&[("tls.crt", chain.as_bytes()), ("tls.key", key.as_bytes())])
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn directory(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn swap(&self, files: &[(&str, &[u8])]) {
        let generation = self.1.fetch_add(1, Ordering::Relaxed);
        let (next, link) = (self.path(&format!("..{generation}")), self.path("..data_tmp"));
        fs::create_dir(&next).unwrap();
        for (name, content) in files {
            fs::write(next.join(name), content).unwrap();
        }
        let old = fs::read_link(self.path("..data")).ok();
        symlink(next.file_name().unwrap(), &link).unwrap();
        fs::rename(&link, self.path("..data")).unwrap();
        // The kubelet removes the old generation, so a reader that holds on to it reads nothing.
        if let Some(old) = old {
            fs::remove_dir_all(self.path(old.to_str().unwrap())).unwrap();
        }
    }

    pub(crate) fn swap_pair(&self, (chain, key): &(String, String)) {
        self.swap(&[("tls.crt", chain.as_bytes()), ("tls.key", key.as_bytes())]);
    }
}

/// A running server, with the certificates that a client needs to talk to it.
pub(crate) struct Guard {
    pub(crate) server: GuardServer,
    pub(crate) authority: Authority,
    pub(crate) certificates: Volume,
    pub(crate) config: Volume,
}

impl Guard {
    /// Starts a server with a mode, and with the options that `change` sets.
    pub(crate) async fn start(mode: &str, change: impl FnOnce(&mut ServerOptions)) -> Self {
        let authority = Authority::new();
        let certificates = Volume::of_pair(&authority.issue());
        let config = Volume::new(&[("guard.yaml", config(mode).as_bytes())]);
        let mut options = ServerOptions::loopback(certificates.directory());
        options.config = Some(config.path("guard.yaml"));
        // On a busy machine reviews take long. A test of the limit sets its own.
        options.limits.review = DEADLINE;
        change(&mut options);
        let server = GuardServer::start(options).await.unwrap();
        Guard { server, authority, certificates, config }
    }

    /// Starts a server whose configuration volume is still empty.
    pub(crate) async fn unconfigured() -> Self {
        Self::start("observe", |options| {
            let config = options.config.as_deref().unwrap();
            fs::remove_file(config).unwrap();
        })
        .await
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.server.address(), &self.authority.connector()).await.unwrap()
    }

    pub(crate) async fn tls(&self) -> TlsStream<TcpStream> {
        tls_connect(self.server.address(), &self.authority.connector()).await.unwrap()
    }

    /// The value of a metric, summed over the series that carry all of `labels`.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> i64 {
        metric(&self.server.metrics(), name, labels)
    }
}

/// A second server that starts with a given configuration volume, as a restarted pod does.
pub(crate) async fn restarted(config: &Volume) -> GuardServer {
    let certificates = Volume::of_pair(&Authority::new().issue());
    let options = ServerOptions::loopback(certificates.directory());
    GuardServer::start(ServerOptions { config: Some(config.path("guard.yaml")), ..options }).await.unwrap()
}

pub(crate) fn metric(text: &str, name: &str, labels: &[&str]) -> i64 {
    let mut found: Vec<i64> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let own = series.split_once('{').map_or(series, |(own, _)| own);
        if own == name && labels.iter().all(|label| series.contains(label)) {
            found.push(value.parse().unwrap());
        }
    }
    assert!(!found.is_empty(), "no metric {name} {labels:?} in\n{text}");
    found.iter().sum()
}

pub(crate) fn config(mode: &str) -> String {
    format!("apiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\nplatform: azure-local\nmode: {mode}\n")
}

pub(crate) async fn tls_connect(address: SocketAddr, connector: &TlsConnector) -> io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(address).await?;
    connector.connect(ServerName::try_from(NAME).unwrap(), tcp).await
}

/// A client with one connection that it keeps.
pub(crate) struct Client(SendRequest<Full<Bytes>>);

impl Client {
    pub(crate) async fn connect(address: SocketAddr, connector: &TlsConnector) -> io::Result<Self> {
        Self::over(tls_connect(address, connector).await?).await
    }

    pub(crate) async fn over(stream: TlsStream<TcpStream>) -> io::Result<Self> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        tokio::spawn(connection);
        Ok(Client(sender))
    }

    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Answer> {
        let response = self.0.send_request(request).await?;
        Answer::read(response).await
    }

    /// Sends a body to the path of reviews.
    pub(crate) async fn post(&mut self, body: impl Into<Bytes>) -> Answer {
        self.try_post(body).await.unwrap()
    }

    pub(crate) async fn try_post(&mut self, body: impl Into<Bytes>) -> hyper::Result<Answer> {
        self.send(post(body)).await
    }

    /// Sends a review and returns the response in the answer.
    pub(crate) async fn review(&mut self, review: &Value) -> Value {
        let answer = self.post(review.to_string()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.response()
    }
}

pub(crate) fn post(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post("/validate?timeout=3s")
        .header("host", NAME)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(body.into()))
        .unwrap()
}

/// A whole HTTP response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) closes: bool,
    pub(crate) body: Bytes,
}

impl Answer {
    async fn read(response: Response<hyper::body::Incoming>) -> hyper::Result<Self> {
        let (head, body) = response.into_parts();
        let closes = head.headers.get(CONNECTION).is_some_and(|value| value == "close");
        Ok(Answer { status: head.status, closes, body: body.collect().await?.to_bytes() })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    /// The response in the review. The test fails where the envelope is wrong.
    pub(crate) fn response(&self) -> Value {
        let review: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(review["apiVersion"], "admission.k8s.io/v1");
        assert_eq!(review["kind"], "AdmissionReview");
        review["response"].clone()
    }
}

/// The answer of a plain port.
pub(crate) async fn admin(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let mut tcp = TcpStream::connect(address).await?;
    tcp.write_all(format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    let mut text = String::new();
    tcp.read_to_string(&mut text).await?;
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    let body = text.split_once("\r\n\r\n").unwrap().1.to_owned();
    Ok((status, body))
}

/// Reads until the other side closes, with or without an error.
pub(crate) async fn read_to_close(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let read = timeout(DEADLINE, stream.read_to_end(&mut bytes)).await.expect("the server must close in time");
    // A close without a TLS goodbye is an error to rustls, and a close to us.
    let _ = read;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits until `value` is as `wanted`, or fails with the last one.
pub(crate) async fn until<T: Debug>(mut value: impl FnMut() -> T, wanted: impl Fn(&T) -> bool) -> T {
    let mut ticks = interval(Duration::from_millis(2));
    let mut last = value();
    let wait = async {
        while !wanted(&last) {
            ticks.tick().await;
            last = value();
        }
    };
    let in_time = timeout(DEADLINE, wait).await.is_ok();
    assert!(in_time, "still {last:?} after {DEADLINE:?}");
    last
}

/// The deadline of every wait: far more than anything here takes, so that only a failure reaches it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// An update of a node's labels, by a person.
pub(crate) fn node_update(user: &str, old_labels: &Value, new_labels: &Value) -> Value {
    let node = |labels: &Value| {
        json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": "moc-l1", "uid": "6f1c", "labels": labels},
            "spec": {"providerID": "moc://moc-l1"},
        })
    };
    review(user, "UPDATE", ("", "v1", "Node", "nodes"), "", &node(old_labels), &node(new_labels))
}

/// A review of any kind.
pub(crate) fn review(
    user: &str,
    operation: &str,
    (group, version, kind, resource): (&str, &str, &str, &str),
    namespace: &str,
    old: &Value,
    new: &Value,
) -> Value {
    let name = [new, old].iter().find_map(|object| object["metadata"]["name"].as_str()).unwrap_or_default();
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": UID,
            "kind": {"group": group, "version": version, "kind": kind},
            "resource": {"group": group, "version": version, "resource": resource},
            "name": name,
            "namespace": namespace,
            "operation": operation,
            "userInfo": {"username": user, "groups": ["system:authenticated"]},
            "object": new,
            "oldObject": old,
            "dryRun": false,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "UpdateOptions", "fieldManager": "kubectl-label"},
        },
    })
}

/// The uid of every review.
pub(crate) const UID: &str = "0df28fbd-5f5f-11e8-bc74-36e6bb280816";

/// The audit annotations of a review that was not judged.
pub(crate) fn unjudged(reason: &str) -> Value {
    json!({"not-evaluated": reason, "review-uid": UID})
}

/// Alice relabels the host name of a node: AA201.
pub(crate) fn denied_review() -> Value {
    let old = json!({"kubernetes.io/hostname": "moc-l1", "kubernetes.io/os": "linux"});
    let new = json!({"kubernetes.io/hostname": "edge-7", "kubernetes.io/os": "linux"});
    node_update("alice@contoso.example", &old, &new)
}
