//! A small API server on loopback that can also misbehave, and the built program connected to it.
//!
//! Every connection carries one request, so that a reply can be any bytes at all.
#![allow(dead_code, reason = "each test file uses another part")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests: a panic is a failure"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// A reply.
pub(crate) enum Reply {
    /// A status and a JSON body.
    Json(u16, Value),
    /// As above, with more header lines.
    With(u16, &'static str, Value),
    /// These bytes, then the connection ends.
    Raw(Vec<u8>),
    /// These bytes, then nothing while the server runs.
    Hang(Vec<u8>),
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers with the reply of `handler`; its number counts the requests to the same path from 0.
    pub(crate) fn start(handler: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, handler) = (Arc::clone(&requests), Arc::new(handler));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, handler) = (Arc::clone(&seen), Arc::clone(&handler));
                std::thread::spawn(move || serve(stream, &seen, &*handler));
            }
        });
        Server { address, requests }
    }

    /// Answers with the objects of a cluster.
    pub(crate) fn of(cluster: Cluster) -> Server {
        Server::start(move |request, _| cluster.answer(request))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Request>>, handler: &dyn Fn(&Request, usize) -> Reply) {
    let Some(request) = receive(&mut stream) else {
        // Go's servers answer a TLS handshake on a plain port with this text.
        let _gone =
            stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request to an HTTP server.\n");
        return;
    };
    let number = {
        let mut seen = seen.lock().unwrap();
        let before = seen.iter().filter(|other| other.path == request.path).count();
        seen.push(request.clone());
        before
    };
    let (bytes, hang) = match handler(&request, number) {
        Reply::Json(status, body) => (plain(status, "", &body), false),
        Reply::With(status, headers, body) => (plain(status, headers, &body), false),
        Reply::Raw(bytes) => (bytes, false),
        Reply::Hang(bytes) => (bytes, true),
    };
    let _gone = stream.write_all(&bytes);
    if hang {
        // Ends when the client hangs up.
        let _gone = stream.read(&mut [0; 1]);
    }
}

fn receive(stream: &mut TcpStream) -> Option<Request> {
    let mut head = Vec::new();
    let mut byte = [0; 1];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
        if !head[0].is_ascii_uppercase() {
            return None;
        }
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let pair = |text: &str, by: char| text.split_once(by).map(|(a, b)| (a.trim().to_owned(), b.trim().to_owned()));
    let headers: BTreeMap<String, String> =
        lines.filter_map(|line| pair(line, ':')).map(|(name, value)| (name.to_lowercase(), value)).collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        path: path.to_owned(),
        query: query.split('&').filter_map(|part| pair(part, '=')).collect(),
        headers,
        body: String::from_utf8(body).ok()?,
    })
}

pub(crate) fn plain(status: u16, headers: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!("HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}")
        .into_bytes()
}

/// A Status as API servers send it.
pub(crate) fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message, "metadata": {}})
}

/// A cluster's lists, by request path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cluster {
    pub(crate) version: String,
    pub(crate) lists: BTreeMap<String, (String, Vec<Value>)>,
    pub(crate) forbidden: Vec<String>,
    pub(crate) absent: Vec<String>,
    /// The answers to `/metrics` and `/readyz`, each with its status.
    pub(crate) texts: BTreeMap<String, (u16, String)>,
}

impl Cluster {
    /// Three virtual machines of one pool, without any finding.
    pub(crate) fn healthy() -> Cluster {
        let mut cluster = Cluster {
            version: "v1.33.5".to_owned(),
            absent: vec!["/apis/cluster.x-k8s.io".to_owned()],
            texts: BTreeMap::from([
                ("/metrics".to_owned(), (200, METRICS.to_owned())),
                ("/readyz".to_owned(), (200, "[+]ping ok\n[+]kms-providers ok\nreadyz check passed\n".to_owned())),
            ]),
            ..Cluster::default()
        };
        for name in ["moc-l1", "moc-l2", "moc-l3"] {
            cluster.add("/api/v1/nodes", "Node", node(name));
        }
        for name in ["azure-arc", "kube-system", "kube-public", "kube-node-lease", "default"] {
            let namespace = json!({"metadata": {"name": name, "uid": format!("uid-{name}"), "creationTimestamp": "2026-01-05T08:00:00Z",
                "labels": {"kubernetes.io/metadata.name": name}, "managedFields": [by("kube-apiserver")]},
                "spec": {"finalizers": ["kubernetes"]}});
            cluster.add("/api/v1/namespaces", "Namespace", namespace);
        }
        for name in AGENTS {
            let agent = json!({"metadata": {"name": name, "namespace": "azure-arc", "uid": format!("uid-{name}"),
                "creationTimestamp": "2026-01-05T08:00:00Z", "managedFields": [by("helm")],
                "annotations": {"meta.helm.sh/release-name": "azure-arc", "meta.helm.sh/release-namespace": "azure-arc-release"}},
                "spec": {"replicas": 1}});
            cluster.add("/apis/apps/v1/deployments", "Deployment", agent);
        }
        cluster
    }

    /// The same cluster, with the architecture label of one node changed by hand.
    pub(crate) fn outside() -> Cluster {
        let mut cluster = Cluster::healthy();
        let (_, nodes) = cluster.lists.get_mut("/api/v1/nodes").unwrap();
        nodes[1]["metadata"]["labels"]["kubernetes.io/hostname"] = json!("edge-7");
        nodes[1]["metadata"]["managedFields"] = json!([by("kubelet"), {"manager": "kubectl-label", "operation": "Update", "apiVersion": "v1",
            "time": "2026-11-18T09:14:00Z", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:metadata": {"f:labels": {"f:kubernetes.io/hostname": {}}}}}]);
        cluster
    }

    /// The healthy cluster, with a finding that does not void support.
    pub(crate) fn at_risk() -> Cluster {
        let mut cluster = Cluster::healthy();
        let (_, nodes) = cluster.lists.get_mut("/api/v1/nodes").unwrap();
        nodes[0]["metadata"]["labels"]["kubernetes.azure.com/own"] = json!("x");
        nodes[0]["metadata"]["managedFields"] = json!([by("kubelet"), {"manager": "kubectl-label", "operation": "Update", "apiVersion": "v1",
            "time": "2026-11-18T09:14:00Z", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:metadata": {"f:labels": {"f:kubernetes.azure.com/own": {}}}}}]);
        cluster
    }

    pub(crate) fn add(&mut self, path: &str, kind: &str, item: Value) {
        self.lists.entry(path.to_owned()).or_insert_with(|| (kind.to_owned(), Vec::new())).1.push(item);
    }

    /// The groups and versions that are served, with their resources: those of the lists, and `apps`.
    fn groups(&self) -> BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
        let mut groups = BTreeMap::from([("apps".to_owned(), BTreeMap::from([("v1".to_owned(), BTreeSet::new())]))]);
        for path in self.lists.keys() {
            let parts: Vec<&str> = path.strip_prefix("/apis/").unwrap_or_default().split('/').collect();
            if let [group, version, .., resource] = parts[..] {
                let versions: &mut BTreeMap<_, BTreeSet<_>> = groups.entry(group.to_owned()).or_default();
                versions.entry(version.to_owned()).or_default().insert(resource.to_owned());
            }
        }
        groups
    }

    /// Whether a list is served: the kinds of every Kubernetes are, and those with a list here.
    fn has(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.strip_prefix("/apis/").unwrap_or_default().split('/').collect();
        let [group, version, .., resource] = parts[..] else { return true };
        let known = aksarc_shared::k8s::kinds::by_resource(group, resource);
        known.is_some_and(|kind| kind.builtin)
            || self.groups().get(group).and_then(|versions| versions.get(version)?.get(resource)).is_some()
    }

    /// Serves a list without objects.
    pub(crate) fn serve(&mut self, path: &str, kind: &str) {
        self.lists.insert(path.to_owned(), (kind.to_owned(), Vec::new()));
    }

    pub(crate) fn answer(&self, request: &Request) -> Reply {
        if request.path == "/version" {
            return Reply::Json(200, json!({"major": "1", "gitVersion": self.version}));
        }
        if self.forbidden.iter().any(|path| request.path.starts_with(path)) {
            return Reply::Json(403, status(403, "Forbidden", "no"));
        }
        if self.absent.iter().any(|path| request.path.starts_with(path)) {
            return Reply::Json(404, status(404, "NotFound", "the server could not find the requested resource"));
        }
        if let Some((code, text)) = self.texts.get(&request.path) {
            let length = text.len();
            let head = format!(
                "HTTP/1.1 {code} x\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            return Reply::Raw((head + text).into_bytes());
        }
        if request.path == "/apis" {
            let groups: Vec<Value> = self
                .groups()
                .into_iter()
                .map(|(name, versions)| {
                    let versions: Vec<Value> = versions
                        .keys()
                        .map(|version| json!({"groupVersion": format!("{name}/{version}"), "version": version}))
                        .collect();
                    json!({"name": name, "versions": versions})
                })
                .collect();
            return Reply::Json(200, json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}));
        }
        if let [group, version] =
            request.path.strip_prefix("/apis/").unwrap_or_default().split('/').collect::<Vec<_>>()[..]
        {
            let groups = self.groups();
            let Some(names) = groups.get(group).and_then(|versions| versions.get(version)) else {
                return Reply::Json(404, status(404, "NotFound", "the server could not find the requested resource"));
            };
            let resources: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
            return Reply::Json(
                200,
                json!({"kind": "APIResourceList", "groupVersion": format!("{group}/{version}"), "resources": resources}),
            );
        }
        if !self.has(&request.path) {
            return Reply::Json(404, status(404, "NotFound", "the server could not find the requested resource"));
        }
        let (kind, items) =
            self.lists.get(&request.path).cloned().unwrap_or_else(|| (kind_of(&request.path), Vec::new()));
        let limit: usize = request.query.get("limit").map_or(usize::MAX, |limit| limit.parse().unwrap());
        let from: usize = request.query.get("continue").map_or(0, |token| token.parse().unwrap());
        let page: Vec<_> = items.iter().skip(from).take(limit).cloned().collect();
        let next = from + page.len();
        let token = if next < items.len() { next.to_string() } else { String::new() };
        let version = request
            .path
            .strip_prefix("/apis/")
            .map_or("v1".to_owned(), |rest| rest.splitn(3, '/').take(2).collect::<Vec<_>>().join("/"));
        Reply::Json(
            200,
            json!({"kind": format!("{kind}List"), "apiVersion": version, "metadata": {"resourceVersion": "7", "continue": token}, "items": page}),
        )
    }
}

fn kind_of(path: &str) -> String {
    let resource = path.rsplit('/').next().unwrap();
    let known = aksarc_shared::k8s::kinds::ALL.iter().find(|kind| kind.resource == resource);
    known.unwrap_or_else(|| panic!("what is the kind of {resource}?")).kind.to_owned()
}

/// The agents of Azure Arc that every cluster has.
const AGENTS: [&str; 7] = [
    "cluster-metadata-operator",
    "clusteridentityoperator",
    "config-agent",
    "controller-manager",
    "extension-manager",
    "metrics-agent",
    "resource-sync-agent",
];

/// An entry of managedFields of the maker of an object, without any field.
pub(crate) fn by(manager: &str) -> Value {
    json!({"manager": manager, "operation": "Update", "apiVersion": "v1", "time": "2026-01-05T08:00:00Z",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}})
}

pub(crate) fn node(name: &str) -> Value {
    json!({"metadata": {"name": name, "uid": format!("uid-{name}"), "creationTimestamp": "2026-02-01T08:00:00Z", "labels": {
            "kubernetes.io/hostname": name, "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux",
            "msft.microsoft/nodepool-name": "pool1"}, "managedFields": [by("kubelet")]},
        "spec": {"providerID": "moc://pool1-md-abcde-x1"},
        "status": {"nodeInfo": {"kubeletVersion": "v1.33.5", "osImage": "Azure Linux 3.0", "architecture": "amd64", "operatingSystem": "linux"},
            "images": [{"names": ["example.com/a"], "sizeBytes": 1}]}})
}

/// The program in a directory of its own, with nothing of the caller's environment.
pub(crate) struct Program {
    pub(crate) dir: tempfile::TempDir,
}

impl Program {
    pub(crate) fn new() -> Program {
        Program { dir: tempfile::tempdir().unwrap() }
    }

    /// With a kubeconfig that leads to `url`.
    pub(crate) fn at(url: &str) -> Program {
        let program = Program::new();
        program.kubeconfig(url, &json!({"token": "secret"}));
        program
    }

    pub(crate) fn kubeconfig(&self, url: &str, user: &Value) -> PathBuf {
        self.write(
            "kubeconfig",
            &json!({
                "apiVersion": "v1", "kind": "Config", "current-context": "test",
                "clusters": [{"name": "c", "cluster": {"server": url}}],
                "users": [{"name": "u", "user": user}],
                "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
            })
            .to_string(),
        )
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-aksarc"));
        command
            .env_clear()
            .env("HOME", self.dir.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LC_ALL", "C.UTF-8")
            .env("KUBECONFIG", self.path("kubeconfig"))
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&self.command().args(args).output().unwrap())
    }

    /// `support-check` on a settled day and platform.
    pub(crate) fn check(&self, args: &[&str]) -> Ran {
        let mut all = vec!["support-check", "--platform", "azure-local", "--as-of", "2026-06-01"];
        all.extend(args);
        self.run(&all)
    }
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Ran {
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout.clone()).unwrap(),
            stderr: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// The output with N for numbers that differ from run to run or that grow with the rules, so that a new rule
    /// changes no compared screen.
    pub(crate) fn screen(&self) -> String {
        let count = |line: &str| {
            let mut words: Vec<&str> = line.split(' ').collect();
            for at in 1..words.len() {
                // A label has no number.
                if !words[at - 1].is_empty() && SCRUBBED.iter().any(|unit| words[at..].starts_with(unit)) {
                    assert!(words[at - 1].parse::<f64>().is_ok(), "no number before {:?}: {line}", words[at]);
                    words[at - 1] = "N";
                }
            }
            words.join(" ").trim_end().to_owned()
        };
        self.stdout.lines().map(count).collect::<Vec<_>>().join("\n")
    }

    /// The block of the screen that begins with this word. Blocks are parted by empty lines.
    #[track_caller]
    pub(crate) fn block(&self, word: &str) -> String {
        let screen = self.screen();
        let mut blocks = screen.split("\n\n").filter(|block| block.split_whitespace().next() == Some(word));
        let (block, another) = (blocks.next(), blocks.next());
        assert!(another.is_none(), "more than one block begins with {word:?}:\n{screen}");
        block.unwrap_or_else(|| panic!("no block begins with {word:?}:\n{screen}")).to_owned()
    }

    /// The first block of the screen: the verdict with its counts.
    pub(crate) fn verdict(&self) -> String {
        self.screen().split("\n\n").next().unwrap_or_default().to_owned()
    }

    /// The last line of the screen: the exit code, and the next step.
    pub(crate) fn last(&self) -> String {
        self.screen().trim_end().lines().last().unwrap_or_default().trim_start().to_owned()
    }

    /// The words that the blocks of the screen begin with.
    pub(crate) fn blocks(&self) -> Vec<String> {
        self.screen().split("\n\n").filter_map(|block| Some(block.split_whitespace().next()?.to_owned())).collect()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The words behind a number that grows with the rules, or that differs from run to run.
const SCRUBBED: [&[&str]; 4] = [&["requests,"], &["ok", "·"], &["not", "observable"], &["that", "only", "people"]];

/// The metrics of a healthy API server on feature gates.
pub(crate) const METRICS: &str = "# HELP kubernetes_feature_enabled x\nkubernetes_feature_enabled{name=\"Old\",stage=\"\"} 1\n\
    kubernetes_feature_enabled{name=\"New\",stage=\"ALPHA\"} 0\nrest_client_requests_total{code=\"200\"} 5\n";

/// Longer than any healthy run takes, shorter than a hang that a test should notice.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Whether a directory holds nothing but `names`, and thus no half-written file.
#[track_caller]
pub(crate) fn assert_holds(directory: &Path, names: &[&str]) {
    let mut found: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    assert_eq!(found, names);
}
