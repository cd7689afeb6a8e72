//! The cost of support-check, against bare requests for the lists that it reads, on 5,000 nodes and 30,000 pods in a
//! real API server.
//!
//! ```sh
//! cargo run --profile dist -p aksarc-tests --bin bench-support-check [-- --json FILE]
//! ```
//!
//! The lists are taken from the API server's audit log, so that a rule that reads more makes both sides dearer. Both
//! run as processes of their own and in turn; the ratio is taken pair by pair, and the median pair counts. Memory is
//! the kernel's own record of the most the process ever held.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aksarc_shared::k8s::read::json as read;
use aksarc_tests::figures::{self, median};
use aksarc_tests::{ControlPlane, Finished, Identity, Kubernetes, product, wait};
use anyhow::{Context, ensure};
use http::Request;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::task::JoinSet;

const NODES: usize = 5_000;
const FEW_PODS: usize = 3_000;
const MANY_PODS: usize = 30_000;
/// The bars: time against the bare lists, memory at most, and memory against a tenth of the pods.
const MOST_TIME: f64 = 1.3;
const MOST_MEMORY: u64 = 64 << 20;
const MOST_GROWTH: f64 = 1.2;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if let [word, file] = &*arguments
        && word == "--bare"
    {
        return runtime.block_on(bare(&fs::read_to_string(file)?));
    }
    let cluster = ControlPlane::start(Kubernetes::V1_33)?;
    let mut out = io::stdout();
    let client = cluster.client(&Identity::Admin)?;
    fill_nodes(&runtime, &client)?;
    fill_pods(&runtime, &client, 0, FEW_PODS)?;
    writeln!(out, "{NODES} nodes and {FEW_PODS} pods are there")?;
    let reads = record(&cluster)?;
    writeln!(out, "the check reads {}", fs::read_to_string(&reads)?.lines().collect::<Vec<_>>().join(" "))?;
    let few = measure(&cluster, &reads)?;
    fill_pods(&runtime, &client, FEW_PODS, MANY_PODS)?;
    writeln!(out, "{NODES} nodes and {MANY_PODS} pods are there")?;
    let many = measure(&cluster, &reads)?;

    let mib = |bytes: u64| format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20);
    writeln!(out, "{:>7}  {:>10}  {:>13}  {:>6}  {:>10}", "pods", "bare lists", "support-check", "ratio", "memory")?;
    for (pods, row) in [(FEW_PODS, &few), (MANY_PODS, &many)] {
        writeln!(
            out,
            "{pods:>7}  {:>8.2} s  {:>11.2} s  {:>6.2}  {:>10}",
            row.bare,
            row.check,
            row.ratio,
            mib(row.memory)
        )?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a ratio of megabytes")]
    let growth = many.memory as f64 / few.memory as f64;
    writeln!(out, "time {:.2} of the bare lists (at most {MOST_TIME})", many.ratio)?;
    writeln!(
        out,
        "memory {} (at most {}), {growth:.2} of that with {FEW_PODS} pods (at most {MOST_GROWTH})",
        mib(many.memory),
        mib(MOST_MEMORY)
    )?;
    let within = many.ratio <= MOST_TIME && many.memory <= MOST_MEMORY && growth <= MOST_GROWTH;
    let row = |pods: usize, row: &Row| json!({"nodes": NODES, "pods": pods, "bareSeconds": row.bare, "checkSeconds": row.check, "ratio": row.ratio, "memoryBytes": row.memory});
    let result =
        json!({"rows": [row(FEW_PODS, &few), row(MANY_PODS, &many)], "memoryGrowth": growth, "within": within});
    fs::write(figures::file(&arguments)?, serde_json::to_string_pretty(&result)?)?;
    ensure!(within, "support-check is past a bar");
    Ok(())
}

struct Row {
    bare: f64,
    check: f64,
    ratio: f64,
    memory: u64,
}

/// Records the requests of one check to the API server, one path a line, and returns the file.
fn record(cluster: &ControlPlane) -> anyhow::Result<PathBuf> {
    let mut command = cluster.command(&Identity::Admin, &product::plugin()?)?;
    let finished = Finished::run(command.args(CHECK).args(["-o", "json"]), None)?;
    let report: Value = serde_json::from_str(finished.succeeded()?)?;
    let sent = report.pointer("/coverage/requests").and_then(Value::as_u64).context("a report without requests")?;
    let log = cluster.directory().join("audit.log");
    let paths = wait::until("the audit log", LAG, || {
        let log = fs::read_to_string(&log).map_err(|error| error.to_string())?;
        // The log holds every object that was made for this, so only our own lines are parsed.
        let own = log.lines().filter(|line| line.contains("\"userAgent\":\"kubectl-aksarc"));
        let uris: Vec<String> = own.filter_map(uri).collect();
        if uris.len() as u64 >= sent { Ok(uris) } else { Err(format!("{} of {sent} requests", uris.len())) }
    })?;
    let mut lists: Vec<&str> = Vec::new();
    for uri in &paths {
        // Further pages of a list that is there already.
        let path = uri.split_once("?limit=").map_or(&**uri, |(path, _)| path);
        if !lists.contains(&path) {
            lists.push(path);
        }
    }
    ensure!(lists.contains(&"/api/v1/nodes"), "the check reads no nodes: {lists:?}");
    let file = cluster.directory().join("reads");
    fs::write(&file, lists.join("\n"))?;
    Ok(file)
}

fn uri(line: &str) -> Option<String> {
    let event: Value = serde_json::from_str(line).ok()?;
    Some(event.get("requestURI")?.as_str()?.to_owned())
}

fn measure(cluster: &ControlPlane, reads: &Path) -> anyhow::Result<Row> {
    let plugin = product::plugin()?;
    let own = env::current_exe()?;
    let reads = reads.to_str().context("a path that is no text")?;
    let mut pairs = Vec::new();
    let mut memory = 0;
    for round in 0..=ROUNDS {
        let (bare, _) = timed(cluster, &own, &["--bare", reads])?;
        let (check, most) = timed(cluster, &plugin, &[&CHECK[..], &["-o", "short"]].concat())?;
        // The first round warms the API server's caches.
        if round > 0 {
            pairs.push((bare, check));
            memory = memory.max(most);
        }
    }
    Ok(Row {
        bare: median(pairs.iter().map(|pair| pair.0).collect()),
        check: median(pairs.iter().map(|pair| pair.1).collect()),
        ratio: median(pairs.iter().map(|pair| pair.1 / pair.0).collect()),
        memory,
    })
}

/// Wall-clock seconds of a process, and the most memory the kernel saw it hold.
fn timed(cluster: &ControlPlane, program: &Path, arguments: &[&str]) -> anyhow::Result<(f64, u64)> {
    let mut command: Command = cluster.command(&Identity::Admin, program)?;
    let start = Instant::now();
    let mut child = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let mut most = 0;
    let status = loop {
        // VmHWM only rises; the last look before the end misses at most what the last milliseconds added.
        if let Ok(text) = fs::read_to_string(format!("/proc/{}/status", child.id()))
            && let Some(line) = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))
        {
            most = most.max(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10);
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(LOOK);
    };
    ensure!(status.success(), "{} {arguments:?} ended with {status}", program.display());
    Ok((start.elapsed().as_secs_f64(), most))
}

/// The smallest program that reads the same: page by page, as many lists at once, looking only at the token. Unlike the
/// check, it reads all lists at once, since none depends on another.
async fn bare(reads: &str) -> anyhow::Result<()> {
    let config = kube::Config::infer().await?;
    let client = kube::Client::try_from(config)?;
    all(&client, reads.lines().map(str::to_owned).collect()).await
}

async fn all(client: &kube::Client, paths: Vec<String>) -> anyhow::Result<()> {
    let mut lists = JoinSet::new();
    for path in paths {
        if lists.len() >= AT_ONCE {
            lists.join_next().await.context("a list")???;
        }
        let client = client.clone();
        lists.spawn(async move {
            let mut next = String::new();
            loop {
                let page = if is_list(&path) { format!("{path}?limit=500&continue={next}") } else { path.clone() };
                let response = client.send(Request::get(page).body(Body::empty())?).await?;
                let found = response.status().is_success();
                let bytes = response.into_body().collect_bytes().await?;
                // A list that is not served has no pages.
                if !found || !is_list(&path) {
                    return anyhow::Ok(());
                }
                match token(&bytes)? {
                    Some(token) => next = token,
                    None => return Ok(()),
                }
            }
        });
    }
    while let Some(list) = lists.join_next().await {
        list??;
    }
    Ok(())
}

/// Version, metrics and health checks are not.
fn is_list(path: &str) -> bool {
    path.starts_with("/api/") || path.starts_with("/apis/")
}

/// The continue token; everything else is skipped.
fn token(bytes: &[u8]) -> anyhow::Result<Option<String>> {
    #[derive(serde::Deserialize)]
    struct List {
        metadata: Meta,
    }
    #[derive(serde::Deserialize)]
    struct Meta {
        #[serde(default, rename = "continue")]
        next: String,
    }
    let list: List = serde_json::from_slice(bytes).map_err(read::ReadError::from)?;
    Ok(Some(list.metadata.next).filter(|next| !next.is_empty()))
}

fn fill_nodes(runtime: &tokio::runtime::Runtime, client: &kube::Client) -> anyhow::Result<()> {
    let image =
        |n: usize| json!({"names": [format!("ecpacr.azurecr.io/part-{n}@sha256:{n:064x}")], "sizeBytes": 91_234_567});
    let images: Vec<Value> = (0..30).map(image).collect();
    let node = |n: usize| {
        let pool = format!("edge-1a2b3c4d-pool{}", n % 16);
        let name = format!("moc-l{n:05}");
        let node = json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": {
                "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux", "kubernetes.io/hostname": name,
                "node.kubernetes.io/instance-type": "Standard_A4_v2", "msft.microsoft/nodepool-name": pool}},
            "spec": {"providerID": format!("moc://{pool}-md-x7k2p-{n:05}")},
            "status": {"nodeInfo": {"kubeletVersion": "v1.33.5", "osImage": "Microsoft Azure Linux 3.0", "architecture": "amd64",
                "operatingSystem": "linux", "bootID": "", "containerRuntimeVersion": "containerd://2.0.0", "kernelVersion": "6.6",
                "kubeProxyVersion": "", "machineID": "", "systemUUID": ""}, "images": images}});
        ("/api/v1/nodes?fieldManager=kubelet".to_owned(), node)
    };
    runtime.block_on(create(client, (0..NODES).map(node).collect()))
}

/// Half of them in kube-system, as members of DaemonSets, as on a real cluster.
fn fill_pods(runtime: &tokio::runtime::Runtime, client: &kube::Client, from: usize, to: usize) -> anyhow::Result<()> {
    let pod = |n: usize| {
        let namespace = if n.is_multiple_of(2) { "kube-system" } else { "default" };
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("agent-{n:05}"), "labels": {"app": "agent", "controller-revision-hash": "5d8f7c"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "calico-node", "uid": "1d2c2a52-90de-4b3b-8d0e-6c2f1b7fd001", "controller": true}]},
            "spec": {"nodeName": format!("moc-l{:05}", n % NODES), "containers": [{"name": "main", "image": "ecpacr.azurecr.io/agent:1",
                "env": [{"name": "NODE", "value": "x"}], "resources": {"requests": {"cpu": "10m", "memory": "20Mi"}}}]}});
        (format!("/api/v1/namespaces/{namespace}/pods?fieldManager=kube-controller-manager"), pod)
    };
    runtime.block_on(create(client, (from..to).map(pod).collect()))
}

async fn create(client: &kube::Client, objects: Vec<(String, Value)>) -> anyhow::Result<()> {
    let mut writes = JoinSet::new();
    for (path, object) in objects {
        if writes.len() >= 32 {
            writes.join_next().await.context("a write")???;
        }
        let client = client.clone();
        writes.spawn(async move {
            let request = Request::post(path)
                .header("content-type", "application/json")
                .body(Body::from(serde_json::to_vec(&object)?))?;
            let response = client.send(request).await?;
            let status = response.status();
            let bytes = response.into_body().collect_bytes().await?;
            ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&bytes));
            anyhow::Ok(())
        });
    }
    while let Some(write) = writes.join_next().await {
        write??;
    }
    Ok(())
}

const CHECK: [&str; 6] = ["support-check", "--platform", "azure-local", "--as-of", "2026-06-01", "--exit-zero"];
const ROUNDS: usize = 5;
/// The time for answered requests to reach the audit log.
const LAG: Duration = Duration::from_secs(10);
/// The number of lists at once, as the plugin takes them by default.
const AT_ONCE: usize = 4;
const LOOK: Duration = Duration::from_millis(5);
