//! The cost of the guard, against a bare responder on the same TLS and HTTP that reads the body and answers a constant.
//!
//! ```sh
//! cargo run --profile dist -p aksarc-tests --bin bench-guard [-- --json FILE]
//! ```
//!
//! Both run as processes of their own; CPU is what the kernel counted for each of their threads, so only the ratio
//! within one run says something. Rounds of both alternate, and the median round counts.

use std::convert::Infallible;
use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use aksarc_shared::rules::catalogue;
use aksarc_shared::rules::rule::Mode;
use aksarc_tests::figures::{self, median};
use aksarc_tests::product;
use anyhow::{Context, ensure};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// The bar for a 23 KB review.
const MOST_CPU: f64 = 1.8;
/// Resident memory before any review, and after all of them.
const MOST_IDLE: u64 = 12 << 20;
const MOST_AFTER: u64 = 24 << 20;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [word, directory] = arguments.as_slice()
        && word == "--bare"
    {
        return bare(Path::new(directory));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(measure())?;
    fs::write(figures::file(&arguments)?, serde_json::to_string_pretty(&result)?)?;
    ensure!(result.get("within") == Some(&Value::Bool(true)), "the guard is past a bar");
    Ok(())
}

async fn measure() -> anyhow::Result<Value> {
    let directory = tempfile::tempdir()?;
    certificates(directory.path())?;
    let own = env::current_exe()?;
    let bare = Server::start(Command::new(own).arg("--bare").arg(directory.path()))?;
    // All rules that judge changes are on, also those that are off by default.
    let off = catalogue::ALL.iter().filter(|rule| rule.change.is_some() && rule.mode == Mode::Off);
    let on: serde_json::Map<String, Value> = off.map(|rule| (rule.code.to_string(), json!("warn"))).collect();
    let config = json!({
        "apiVersion": "aksarc.dev/v1alpha1", "kind": "GuardConfig", "mode": "enforce", "platform": "azure-local", "rules": on,
    });
    fs::write(directory.path().join("config.yaml"), config.to_string())?;
    let guard = Server::start_guard(directory.path()).await?;
    let idle = guard.resident()?;

    let mut out = io::stdout();
    writeln!(out, "{:>12}  {:>10}  {:>12}  {:>12}  {:>6}", "review", "reviews", "bare CPU", "guard CPU", "ratio")?;
    let mut rows = Vec::new();
    let mut at_23_kb = 0.0;
    // Most requests that the API server sends are lawful, and the bar is for those. The cost of a finding stands beside
    // it.
    let cases = [
        ("5 KB", Edit::Lawful, 5 << 10, 6_000),
        ("23 KB", Edit::Lawful, 23 << 10, 6_000),
        ("23 KB warned", Edit::Warned, 23 << 10, 6_000),
        ("23 KB denied", Edit::Denied, 23 << 10, 6_000),
        ("1 MB", Edit::Lawful, 1 << 20, 200),
    ];
    for (name, edit, size, reviews) in cases {
        let body = Bytes::from(review(edit, size));
        let mut pairs = Vec::new();
        for round in 0..=ROUNDS {
            let pair = (
                bare.cost(directory.path(), &body, reviews).await?,
                guard.cost(directory.path(), &body, reviews).await?,
            );
            // The first round warms caches and allocators of both.
            if round > 0 {
                pairs.push(pair);
            }
        }
        let bare = median(pairs.iter().map(|pair| pair.0).collect());
        let guard = median(pairs.iter().map(|pair| pair.1).collect());
        let ratio = median(pairs.iter().map(|pair| pair.1 / pair.0).collect());
        if name == "23 KB" {
            at_23_kb = ratio;
        }
        writeln!(out, "{name:>12}  {reviews:>10}  {bare:>9.1} µs  {guard:>9.1} µs  {ratio:>6.2}")?;
        rows.push(json!({"review": name, "bytes": body.len(), "bareMicroseconds": bare, "guardMicroseconds": guard, "ratio": ratio}));
    }
    let after = guard.resident()?;
    let mib = |bytes: u64| format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20);
    writeln!(
        out,
        "resident memory: {} idle (at most {}), {} after (at most {})",
        mib(idle),
        mib(MOST_IDLE),
        mib(after),
        mib(MOST_AFTER)
    )?;
    writeln!(out, "CPU at 23 KB: {at_23_kb:.2} of the bare responder (at most {MOST_CPU})")?;
    let within = at_23_kb <= MOST_CPU && idle <= MOST_IDLE && after <= MOST_AFTER;
    Ok(json!({"reviews": rows, "idleBytes": idle, "afterBytes": after, "within": within}))
}

/// A person's change of the node: a cordon alone; with it a system label that the node had not, which is warned of; or
/// another value of a system label, which is denied.
#[derive(Clone, Copy, PartialEq)]
enum Edit {
    Denied,
    Lawful,
    Warned,
}

/// A server under test, ended with the value.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts a program that prints the address it listens on as its first line.
    fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("no output")?).read_line(&mut line)?;
        let address = line.trim().parse().with_context(|| format!("{line:?} is no address"))?;
        Ok(Server { process, address })
    }

    async fn start_guard(directory: &Path) -> anyhow::Result<Self> {
        let address = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let process = Command::new(product::webhook()?)
            .args([
                "--listen",
                &address.to_string(),
                "--admin-listen",
                "127.0.0.1:0",
                "--probe-listen",
                "127.0.0.1:0",
                "--log-level",
                "error",
            ])
            .arg("--tls-dir")
            .arg(directory)
            .arg("--config")
            .arg(directory.join("config.yaml"))
            .stdin(Stdio::null())
            .spawn()?;
        let deadline = Instant::now() + std::time::Duration::from_secs(20);
        while TcpStream::connect(address).await.is_err() {
            ensure!(Instant::now() < deadline, "the guard does not listen");
            tokio::task::yield_now().await;
        }
        Ok(Server { process, address })
    }

    /// CPU per review in microseconds, over one kept-alive connection per client.
    async fn cost(&self, directory: &Path, body: &Bytes, reviews: u32) -> anyhow::Result<f64> {
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            clients.push(connect(directory, self.address).await?);
        }
        let before = self.cpu()?;
        for _ in 0..reviews / CLIENTS {
            for client in &mut clients {
                client.ready().await?;
                let request =
                    Request::post("/validate").header("host", NAME).header("content-type", "application/json");
                let answer = client.send_request(request.body(Full::new(body.clone()))?).await?;
                ensure!(answer.status() == 200, "answered {}", answer.status());
                answer.into_body().collect().await?;
            }
        }
        Ok((self.cpu()? - before) / 1_000.0 / f64::from(reviews / CLIENTS * CLIENTS))
    }

    /// CPU of all its threads, in nanoseconds, as the scheduler counts it.
    fn cpu(&self) -> anyhow::Result<f64> {
        let mut total = 0.0;
        for task in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            total += text.split_whitespace().next().context("an empty schedstat")?.parse::<f64>()?;
        }
        Ok(total)
    }

    fn resident(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already, which is all we want.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn connect(
    directory: &Path,
    address: SocketAddr,
) -> anyhow::Result<hyper::client::conn::http1::SendRequest<Full<Bytes>>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(directory.join("tls.crt"))?)?;
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let stream = TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(NAME)?, stream).await?;
    let (client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The smallest program that could answer: the same libraries and runtime, without judging.
fn bare(directory: &Path) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let chain = vec![CertificateDer::from_pem_file(directory.join("tls.crt"))?];
        let key = PrivateKeyDer::from_pem_file(directory.join("tls.key"))?;
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        writeln!(io::stdout(), "{}", listener.local_addr()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(|request: Request<hyper::body::Incoming>| async move {
                    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes);
                    let answer = if body.is_ok() { CONSTANT } else { "" };
                    Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from_static(answer.as_bytes()))))
                });
                let mut http = hyper::server::conn::http1::Builder::new();
                // The client decides when a connection ends.
                let _ = http.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}

fn certificates(directory: &Path) -> anyhow::Result<()> {
    let pair = rcgen::KeyPair::generate()?;
    let certificate = rcgen::CertificateParams::new(vec![NAME.to_owned()])?.self_signed(&pair)?;
    fs::write(directory.join("tls.crt"), certificate.pem())?;
    Ok(fs::write(directory.join("tls.key"), pair.serialize_pem())?)
}

/// A person's edit of a node, as the API server sends it: both sides of the object, filled up with the list of images
/// that makes nodes large.
fn review(edit: Edit, bytes: usize) -> String {
    let node = |after: bool, images: &[Value]| {
        let instance_type = if after && edit == Edit::Denied { "edge-big" } else { "Standard_A4_v2" };
        let mut labels = json!({
            "beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
            "kubernetes.io/os": "linux", "kubernetes.io/hostname": "moc-l7x2", "node.kubernetes.io/instance-type": instance_type,
            "msft.microsoft/nodepool-name": "edge-1a2b3c4d-pool1", "contoso.example/site": "ams",
        });
        if let (true, Edit::Warned, Value::Object(labels)) = (after, edit, &mut labels) {
            labels.insert("topology.kubernetes.io/zone".to_owned(), json!("west-1"));
        }
        json!({
            "kind": "Node", "apiVersion": "v1",
            "metadata": {
                "name": "moc-l7x2", "uid": "7d2c2a52-90de-4b3b-8d0e-6c2f1b7fd001", "resourceVersion": "81234", "creationTimestamp": "2026-06-01T08:00:00Z",
                "labels": labels,
                "annotations": {
                    "cluster.x-k8s.io/machine": "edge-md-1", "cluster.x-k8s.io/owner-kind": "MachineSet",
                    "volumes.kubernetes.io/controller-managed-attach-detach": "true", "projectcalico.org/IPv4Address": "10.0.0.7/24",
                },
                "managedFields": [
                    {"manager": "kubelet", "operation": "Update", "apiVersion": "v1", "time": "2026-06-01T08:00:00Z", "fieldsType": "FieldsV1",
                     "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:kubernetes.io/arch": {}, "f:kubernetes.io/hostname": {}, "f:kubernetes.io/os": {}}}, "f:spec": {"f:providerID": {}}}},
                    {"manager": "kubectl-label", "operation": "Update", "apiVersion": "v1", "time": "2026-06-02T08:00:00Z", "fieldsType": "FieldsV1",
                     "fieldsV1": {"f:metadata": {"f:labels": {"f:contoso.example/site": {}}}}},
                ],
            },
            "spec": {"providerID": "moc://edge-1a2b3c4d-pool1-md-x7k2p-9q8zt", "podCIDR": "10.244.3.0/24", "podCIDRs": ["10.244.3.0/24"], "unschedulable": after},
            "status": {
                "capacity": {"cpu": "4", "memory": "8138224Ki", "pods": "110"},
                "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}],
                "nodeInfo": {"kubeletVersion": "v1.33.5", "osImage": "Microsoft Azure Linux 3.0", "architecture": "amd64", "operatingSystem": "linux"},
                "images": images,
            },
        })
    };
    let whole = |images: &[Value]| {
        json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {
            "uid": "0f5c1c1c-0000-4000-8000-000000000001",
            "kind": {"group": "", "version": "v1", "kind": "Node"}, "resource": {"group": "", "version": "v1", "resource": "nodes"},
            "requestKind": {"group": "", "version": "v1", "kind": "Node"}, "requestResource": {"group": "", "version": "v1", "resource": "nodes"},
            "name": "moc-l7x2", "operation": "UPDATE",
            "userInfo": {"username": "alice@contoso.example", "groups": ["operators", "system:authenticated"],
                         "extra": {"authentication.kubernetes.io/credential-id": ["X509SHA256=5d41402abc4b2a76b9719d911017c592"]}},
            "object": node(true, images), "oldObject": node(false, images), "dryRun": false,
            "options": {"kind": "PatchOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "kubectl-label"},
        }})
        .to_string()
    };
    let image = |n: usize| json!({"names": [format!("ecpacr.azurecr.io/part-{n}@sha256:{n:064x}"), format!("ecpacr.azurecr.io/part-{n}:v1.{n}")], "sizeBytes": 91_234_567 + n});
    let mut images = Vec::new();
    let one = 2 * image(0).to_string().len() + 2;
    let room = bytes.saturating_sub(whole(&[]).len());
    images.extend((0..room / one).map(image));
    whole(&images)
}

const NAME: &str = "guard.aksarc-system.svc";
const CLIENTS: u32 = 4;
const ROUNDS: usize = 5;
const CONSTANT: &str = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"0f5c1c1c-0000-4000-8000-000000000001","allowed":true}}"#;
