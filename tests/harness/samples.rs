//! Sample clusters, written down in `samples/` as who did what, and done again through the API:
//! field managers, times and owners are real ones.
//!
//! The format is explained in `samples/README.md`.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::binaries::{Kubernetes, Tool};
use crate::client::{Answer, Http, PatchKind};
use crate::control_plane::{Builder, ControlPlane};
use crate::identity::Identity;
use crate::kubectl::Finished;
use crate::wait;

/// The samples there are.
pub const NAMES: [&str; 4] = ["healthy-azure-local", "healthy-windows-server", "lawful-oddities", "drifted"];

/// A control plane of the sample's version, with the sample in it.
///
/// # Errors
/// The control plane did not start, or the API server refused a step.
pub fn start(name: &str) -> anyhow::Result<ControlPlane> {
    start_with(name, |builder| builder)
}

/// As [`start`], with `more` for the control plane.
///
/// # Errors
/// As [`start`].
pub fn start_with(name: &str, more: impl FnOnce(Builder) -> Builder) -> anyhow::Result<ControlPlane> {
    let kubernetes = match read(name)?.0.kubernetes.as_str() {
        "1.28" => Kubernetes::V1_28,
        "1.33" => Kubernetes::V1_33,
        other => bail!("samples/{name}.yaml wants Kubernetes {other}, which we do not build"),
    };
    let cluster = more(ControlPlane::builder(kubernetes).controller_manager()).start()?;
    load(&cluster, name)?;
    Ok(cluster)
}

/// Does what the sample says, and waits until its workloads run.
///
/// The cluster needs its controllers, and no kwok: what nodes say comes from the sample.
///
/// # Errors
/// The API server refused a step; the message names it.
pub fn load(cluster: &ControlPlane, name: &str) -> anyhow::Result<()> {
    Player::new(cluster).sample(name)
}

/// Does steps one after another, on a cluster that holds a sample.
pub struct Player<'a> {
    cluster: &'a ControlPlane,
    clients: HashMap<Identity, Http>,
    /// Plural and whether namespaced, by `apiVersion` and kind.
    kinds: HashMap<(String, String), (String, bool)>,
    /// Of the sample whose values and lists the steps may use.
    header: Header,
}

/// The first document of a sample's file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    kubernetes: String,
    starts_as: Option<String>,
    #[serde(default)]
    values: BTreeMap<String, String>,
    #[serde(default)]
    lists: BTreeMap<String, Vec<BTreeMap<String, String>>>,
    /// Parts to load before the sample's own steps, and after them.
    #[serde(default)]
    before: Vec<String>,
    #[serde(default)]
    after: Vec<String>,
}

/// Every other document: somebody does one thing, perhaps to each of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(default)]
    who: String,
    manager: Option<String>,
    /// A file of `parts/`, whose steps come here.
    part: Option<String>,
    #[serde(default, rename = "for")]
    each: Each,
    #[serde(default)]
    create: Vec<Value>,
    patch: Option<Patch>,
    delete: Option<String>,
    /// A time of its own in managedFields, which count seconds.
    #[serde(default)]
    later: bool,
    /// What the API server presents from now on.
    certificate: Option<Days>,
    /// Whether what encrypts Secrets runs, on a control plane that has it.
    keys: Option<bool>,
    /// By what it knows its clients from now on.
    authority: Option<Days>,
    #[serde(default)]
    kubectl: Vec<String>,
    #[serde(default)]
    stdin: Vec<Value>,
    editor: Option<String>,
}

/// From when to when a certificate holds, in days from now.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Days {
    from: i64,
    to: i64,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Each {
    Listed(String),
    Rows(Vec<BTreeMap<String, String>>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch {
    path: String,
    #[serde(default)]
    kind: PatchWord,
    body: Value,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PatchWord {
    Apply,
    Json,
    Merge,
    #[default]
    Strategic,
}

type Values = BTreeMap<String, String>;

impl<'a> Player<'a> {
    /// Steps without values or lists.
    pub fn new(cluster: &'a ControlPlane) -> Self {
        Player { cluster, clients: HashMap::new(), kinds: HashMap::new(), header: Header::default() }
    }

    /// Steps that may use the values and lists of a sample, which the cluster holds already.
    ///
    /// # Errors
    /// There is no such sample.
    pub fn after(cluster: &'a ControlPlane, sample: &str) -> anyhow::Result<Self> {
        let mut header = read(sample)?.0;
        if let Some(earlier) = header.starts_as.clone() {
            let earlier = Self::after(cluster, &earlier)?.header;
            for (name, value) in earlier.values {
                header.values.entry(name).or_insert(value);
            }
            for (name, rows) in earlier.lists {
                header.lists.entry(name).or_insert(rows);
            }
        }
        Ok(Player { header, ..Self::new(cluster) })
    }

    /// Does each step.
    ///
    /// # Errors
    /// Something is no step, or the API server refused one; the message names it.
    pub fn steps(&mut self, steps: &[Value]) -> anyhow::Result<()> {
        let header = std::mem::take(&mut self.header);
        let done = steps.iter().try_for_each(|step| self.step(step, &header));
        self.header = header;
        done
    }

    /// Waits until every workload runs, and plays the kubelets for that long. Costs one look when nothing is to be done.
    ///
    /// # Errors
    /// The workloads don't settle.
    pub fn settle(&mut self) -> anyhow::Result<()> {
        let http = self.client(&Identity::Admin)?;
        if self.play(&http)?.is_empty() { Ok(()) } else { self.run_pods() }
    }

    /// Plays the kubelets once.
    ///
    /// # Errors
    /// The API server refused what they say.
    pub fn look(&mut self) -> anyhow::Result<()> {
        let http = self.client(&Identity::Admin)?;
        self.play(&http).map(drop)
    }

    /// Lets two seconds pass: managedFields count seconds, and what comes later has to look later.
    ///
    /// # Errors
    /// The clock stands still.
    pub fn later(&self) -> anyhow::Result<()> {
        let now = Instant::now();
        wait::until("the clock to move on", LIMIT, || {
            let passed = now.elapsed();
            if passed >= GAP { Ok(()) } else { Err(format!("{passed:?}")) }
        })
    }

    /// Replaces what a step's texts may hold.
    ///
    /// # Errors
    /// There is no such value.
    pub fn filled(&mut self, value: &Value) -> anyhow::Result<Value> {
        let values = self.header.values.clone();
        self.fill(value, &values)
    }

    fn sample(&mut self, name: &str) -> anyhow::Result<()> {
        let (header, own) = read(name)?;
        if let Some(earlier) = &header.starts_as {
            self.sample(earlier)?;
            self.later()?;
        }
        self.parts(&header.before, &header)?;
        for document in own {
            self.step(&document, &header)?;
        }
        self.parts(&header.after, &header)?;
        self.run_pods().with_context(|| format!("the workloads of {name} do not settle"))
    }

    fn parts(&mut self, names: &[String], header: &Header) -> anyhow::Result<()> {
        for name in names {
            for document in documents(&Path::new(SAMPLES).join(format!("parts/{name}.yaml")))? {
                self.step(&document, header)?;
            }
        }
        Ok(())
    }

    fn step(&mut self, document: &Value, header: &Header) -> anyhow::Result<()> {
        let step: Step = serde_json::from_value(document.clone()).with_context(|| format!("not a step: {document}"))?;
        if let Some(part) = step.part {
            return self.parts(&[part], header);
        }
        let once = vec![Values::new()];
        let rows = match &step.each {
            Each::Listed(name) => header.lists.get(name).with_context(|| format!("no list {name}"))?,
            Each::Rows(rows) if rows.is_empty() => &once,
            Each::Rows(rows) => rows,
        };
        for row in rows {
            let mut values = header.values.clone();
            values.extend(row.clone());
            self.once(&step, &values).with_context(|| format!("{} as {} with {row:?}", step.summary(), step.who))?;
        }
        Ok(())
    }

    fn once(&mut self, step: &Step, values: &Values) -> anyhow::Result<()> {
        let identity = identity(&self.text(&step.who, values)?)?;
        if step.later {
            self.later()?;
        }
        if !step.kubectl.is_empty() {
            return self.kubectl(&identity, step, values);
        }
        if let Some(Days { from, to }) = step.certificate {
            return self.cluster.present(from, to);
        }
        if let Some(available) = step.keys {
            return self.cluster.keys(available);
        }
        if let Some(Days { from, to }) = step.authority {
            return self.cluster.trust(from, to);
        }
        if let Some(path) = &step.delete {
            let path = self.text(path, values)?;
            return self.delete(&identity, &path);
        }
        let manager = step.manager.as_deref().context("a step without kubectl needs a manager")?;
        for object in &step.create {
            let object = self.fill(object, values)?;
            self.create(&identity, manager, &object)?;
        }
        if let Some(patch) = &step.patch {
            let path = self.text(&patch.path, values)?;
            let body = self.fill(&patch.body, values)?;
            let (kind, force) = match patch.kind {
                PatchWord::Apply => (PatchKind::Apply, "&force=true"),
                PatchWord::Json => (PatchKind::Json, ""),
                PatchWord::Merge => (PatchKind::Merge, ""),
                PatchWord::Strategic => (PatchKind::Strategic, ""),
            };
            let http = self.client(&identity)?;
            let path = format!("{path}?fieldManager={manager}{force}");
            granted(&path, || http.patch(&path, kind, &body))?;
        }
        Ok(())
    }

    fn kubectl(&mut self, identity: &Identity, step: &Step, values: &Values) -> anyhow::Result<()> {
        let mut command = self.cluster.command(identity, &Tool::Kubectl.path()?)?;
        for argument in &step.kubectl {
            command.arg(self.text(argument, values)?);
        }
        if let Some(editor) = &step.editor {
            command.env("KUBE_EDITOR", editor);
        }
        let mut items = Vec::new();
        for object in &step.stdin {
            items.push(self.fill(object, values)?);
        }
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
        let input = (!items.is_empty()).then_some(list.as_str());
        Finished::run(&mut command, input)?.succeeded().map(drop)
    }

    /// Waits until it is gone; kubelets end pods.
    fn delete(&mut self, identity: &Identity, path: &str) -> anyhow::Result<()> {
        let http = self.client(identity)?;
        granted(path, || http.delete(path))?;
        let admin = self.client(&Identity::Admin)?;
        let object = path.split_once('?').map_or(path, |(object, _)| object);
        wait::until(&format!("{object} to be gone"), LIMIT, || {
            self.play(&admin).map_err(|error| format!("{error:#}"))?;
            match admin.get(object) {
                Ok(answer) if answer.code == 404 => Ok(()),
                Ok(answer) => Err(answer.body),
                Err(error) => Err(format!("{error:#}")),
            }
        })
    }

    /// With its status, where it has one: that takes a second request.
    fn create(&mut self, identity: &Identity, manager: &str, object: &Value) -> anyhow::Result<()> {
        let word = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (plural, namespaced) = self.kind(word("/apiVersion"), word("/kind"))?;
        let group = root(word("/apiVersion"));
        let path = if namespaced {
            format!("{group}/namespaces/{}/{plural}", word("/metadata/namespace"))
        } else {
            format!("{group}/{plural}")
        };
        let http = self.client(identity)?;
        let query = format!("fieldManager={manager}");
        granted(&path, || http.post(&format!("{path}?{query}"), object))?;
        if let Some(status) = object.get("status") {
            let path = format!("{path}/{}/status", word("/metadata/name"));
            let body = json!({"status": status});
            granted(&path, || http.patch(&format!("{path}?{query}"), PatchKind::Merge, &body))?;
        }
        Ok(())
    }

    fn kind(&mut self, version: &str, kind: &str) -> anyhow::Result<(String, bool)> {
        let key = (version.to_owned(), kind.to_owned());
        if let Some(known) = self.kinds.get(&key) {
            return Ok(known.clone());
        }
        let http = self.client(&Identity::Admin)?;
        let found = wait::until(&format!("{version} {kind} to be served"), LIMIT, || {
            let answer = http.get(&root(version)).map_err(|error| format!("{error:#}"))?;
            let list = answer.object().map_err(|error| format!("{error:#}"))?;
            let resources = list.get("resources").and_then(Value::as_array).cloned();
            resources
                .unwrap_or_default()
                .iter()
                .find_map(|resource| {
                    let name = resource.get("name")?.as_str()?;
                    let fits = resource.get("kind")? == kind && !name.contains('/');
                    fits.then_some((name.to_owned(), resource.get("namespaced")?.as_bool()?))
                })
                .ok_or(answer.body)
        })?;
        self.kinds.insert(key, found.clone());
        Ok(found)
    }

    fn client(&mut self, identity: &Identity) -> anyhow::Result<Http> {
        if let Some(known) = self.clients.get(identity) {
            return Ok(known.clone());
        }
        let http = self.cluster.http(identity)?;
        self.clients.insert(identity.clone(), http.clone());
        Ok(http)
    }

    fn fill(&mut self, value: &Value, values: &Values) -> anyhow::Result<Value> {
        Ok(match value {
            Value::String(text) => Value::String(self.text(text, values)?),
            Value::Array(items) => {
                let filled = items.iter().map(|item| self.fill(item, values));
                Value::Array(filled.collect::<anyhow::Result<_>>()?)
            }
            Value::Object(fields) => {
                let mut filled = serde_json::Map::new();
                for (key, value) in fields {
                    filled.insert(self.text(key, values)?, self.fill(value, values)?);
                }
                Value::Object(filled)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        })
    }

    /// Replaces `${name}`, `${days:N}`, `${date:N}`, `${uid:path}` and `${first:path}`.
    fn text(&mut self, text: &str, values: &Values) -> anyhow::Result<String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (key, tail) = after.split_once('}').with_context(|| format!("no }} in {text}"))?;
            filled.push_str(before);
            match key.split_once(':') {
                Some(("days", days)) => filled.push_str(&in_days(days.parse()?)?),
                Some(("date", days)) => {
                    filled.push_str(in_days(days.parse()?)?.split('T').next().unwrap_or_default());
                }
                Some(("uid", path)) => {
                    let object = self.client(&Identity::Admin)?.get(path)?.object()?;
                    let uid = object.pointer("/metadata/uid").and_then(Value::as_str);
                    filled.push_str(uid.with_context(|| format!("{path} has no uid"))?);
                }
                Some(("first", path)) => {
                    let list = self.client(&Identity::Admin)?.get(path)?.object()?;
                    let name = list.pointer("/items/0/metadata/name").and_then(Value::as_str);
                    filled.push_str(name.with_context(|| format!("{path} lists nothing"))?);
                }
                _ => filled.push_str(values.get(key).with_context(|| format!("no value {key}"))?),
            }
            rest = tail;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// Plays the kubelets, under their names, until all workloads have what they want for a while.
    fn run_pods(&mut self) -> anyhow::Result<()> {
        let http = self.client(&Identity::Admin)?;
        let mut steady_since = None;
        wait::until("all workloads to run", LIMIT, || {
            let unfinished = self.play(&http).map_err(|error| format!("{error:#}"))?;
            if !unfinished.is_empty() {
                steady_since = None;
                return Err(unfinished.join(", "));
            }
            if steady_since.get_or_insert_with(Instant::now).elapsed() >= STEADY {
                Ok(())
            } else {
                Err("all run, but not for long yet".to_owned())
            }
        })
    }

    /// One look at all pods and workloads; what is not as it should be.
    fn play(&mut self, http: &Http) -> anyhow::Result<Vec<String>> {
        let mut unfinished = Vec::new();
        for pod in items(http, "/api/v1/pods")? {
            let word = |pointer| pod.pointer(pointer).and_then(Value::as_str);
            let (Some(namespace), Some(name)) = (word("/metadata/namespace"), word("/metadata/name")) else {
                continue;
            };
            let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
            let gone = word("/metadata/deletionTimestamp").is_some();
            if !gone && matches!(word("/status/phase"), Some("Failed" | "Running" | "Succeeded")) {
                continue;
            }
            unfinished.push(format!("pod {namespace}/{name}"));
            // A DaemonSet's pod is meant for one node before it is bound to it.
            let Some(node) = word("/spec/nodeName").or(word(MEANT_FOR)) else {
                continue;
            };
            if http.get(&format!("/api/v1/nodes/{node}"))?.code == 404 {
                // As the garbage collector of pods does, which takes its time.
                http.delete(&format!("{path}?gracePeriodSeconds=0"))?;
                continue;
            }
            if word("/spec/nodeName").is_none() {
                continue;
            }
            let kubelet = self.client(&Identity::kubelet(node))?;
            if gone {
                kubelet.delete(&format!("{path}?gracePeriodSeconds=0"))?;
            } else {
                let status = json!({"status": running(&pod)});
                let path = format!("{path}/status?fieldManager=kubelet");
                kubelet.patch(&path, PatchKind::Strategic, &status)?;
            }
        }
        for (kind, wanted, ready) in [
            ("deployments", "/spec/replicas", "/status/readyReplicas"),
            ("deployments", "/spec/replicas", "/status/updatedReplicas"),
            ("daemonsets", "/status/desiredNumberScheduled", "/status/numberReady"),
        ] {
            for workload in items(http, &format!("/apis/apps/v1/{kind}"))? {
                let number = |pointer| workload.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
                let seen = number("/metadata/generation") == number("/status/observedGeneration");
                if !seen || number(wanted) != number(ready) {
                    let name = workload.pointer("/metadata/name").cloned().unwrap_or_default();
                    unfinished.push(format!("{kind} {name}"));
                }
            }
        }
        Ok(unfinished)
    }
}

impl Default for Each {
    fn default() -> Self {
        Self::Rows(Vec::new())
    }
}

impl Step {
    fn summary(&self) -> String {
        if let Some(patch) = &self.patch {
            return format!("patch {}", patch.path);
        }
        if let Some(path) = &self.delete {
            return format!("delete {path}");
        }
        if self.certificate.is_some() {
            return "a certificate".to_owned();
        }
        if self.keys.is_some() {
            return "the key provider".to_owned();
        }
        if self.authority.is_some() {
            return "an authority".to_owned();
        }
        if self.kubectl.is_empty() {
            format!("create {} objects", self.create.len())
        } else {
            format!("kubectl {}", self.kubectl.join(" "))
        }
    }
}

fn read(name: &str) -> anyhow::Result<(Header, Vec<Value>)> {
    let mut documents = documents(&Path::new(SAMPLES).join(format!("{name}.yaml")))?.into_iter();
    let header = documents.next().with_context(|| format!("the sample {name} is empty"))?;
    let header = serde_json::from_value(header).with_context(|| format!("the header of {name}"))?;
    Ok((header, documents.collect()))
}

fn documents(path: &Path) -> anyhow::Result<Vec<Value>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_saphyr::from_multiple(&text).with_context(|| format!("cannot parse {}", path.display()))
}

/// Who a word of a step names.
///
/// # Errors
/// Nobody is called so.
pub fn identity(word: &str) -> anyhow::Result<Identity> {
    Ok(match word.split_once(':') {
        None if word == "admin" => Identity::Admin,
        None if word == "gitops" => Identity::GitOps,
        None if word == "node-controller" => Identity::NodeController,
        None if word == "person" => Identity::Person,
        None if word == "second-admin" => Identity::SecondAdmin,
        Some(("kubelet", node)) => Identity::kubelet(node),
        Some(("service-account", account)) => {
            let (namespace, name) = account.split_once('/').context("want <namespace>/<name>")?;
            Identity::service_account(namespace, name)
        }
        Some(("user", name)) => Identity::user(name),
        _ => bail!("nobody is called {word}"),
    })
}

/// The authorizer and new kinds lag behind what was written, so that these two refusals may pass.
fn granted(what: &str, request: impl Fn() -> anyhow::Result<Answer>) -> anyhow::Result<()> {
    let answer = wait::until(what, LAG_LIMIT, || match request() {
        Ok(answer) if answer.code == 403 || answer.code == 404 => Err(answer.body),
        settled => Ok(settled),
    });
    answer??.object().map(drop).with_context(|| what.to_owned())
}

fn items(http: &Http, path: &str) -> anyhow::Result<Vec<Value>> {
    let mut list = http.get(path)?.object()?;
    match list.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => Ok(items),
        _ => bail!("{path} is not a list"),
    }
}

fn running(pod: &Value) -> Value {
    let now = in_days(0).unwrap_or_default();
    let conditions: Vec<_> = ["PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"]
        .iter()
        .map(|kind| json!({"type": kind, "status": "True", "lastTransitionTime": now}))
        .collect();
    let statuses = |list: &str, state: &Value| -> Vec<Value> {
        let containers = pod.pointer(list).and_then(Value::as_array).cloned().unwrap_or_default();
        let status = |container: &Value| {
            json!({
                "name": container.get("name"),
                "image": container.get("image"),
                "imageID": "",
                "ready": true,
                "restartCount": 0,
                "state": state,
            })
        };
        containers.iter().map(status).collect()
    };
    let done = json!({"terminated": {
        "exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now,
    }});
    let address = address(pod);
    json!({
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": now,
        "conditions": conditions,
        "containerStatuses": statuses("/spec/containers", &json!({"running": {"startedAt": now}})),
        "initContainerStatuses": statuses("/spec/initContainers", &done),
    })
}

/// Without an address no Service leads to a pod. Nobody connects to it, so two that are alike by chance do no harm.
fn address(pod: &Value) -> String {
    let uid = pod.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
    let end = uid.get(uid.len().saturating_sub(4)..).and_then(|end| u16::from_str_radix(end, 16).ok()).unwrap_or(1);
    let [high, low] = end.to_be_bytes();
    format!("10.244.{high}.{low}")
}

fn in_days(days: i64) -> anyhow::Result<String> {
    let now = Timestamp::now().to_zoned(TimeZone::UTC);
    Ok(now.checked_add(days.days())?.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn root(version: &str) -> String {
    let folder = if version.contains('/') { "apis" } else { "api" };
    format!("/{folder}/{version}")
}

const MEANT_FOR: &str = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/matchFields/0/values/0";

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/samples");

/// Two seconds differ in managedFields whatever the fraction they began at.
const GAP: Duration = Duration::from_secs(2);

/// Longer than a controller needs to notice a new node.
const STEADY: Duration = Duration::from_secs(1);

const LIMIT: Duration = Duration::from_mins(1);

const LAG_LIMIT: Duration = Duration::from_secs(5);
