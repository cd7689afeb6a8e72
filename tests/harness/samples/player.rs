//! The player of steps, which sends them to the API.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};

use super::step::{Days, Each, Header, PatchWord, Step, Values, identity};
use super::{SAMPLES, documents, read};
use crate::binaries::Tool;
use crate::client::{Answer, Http, PatchKind};
use crate::control_plane::ControlPlane;
use crate::identity::Identity;
use crate::kubectl::Finished;
use crate::wait;

/// Does steps one after another, on a cluster that holds a sample.
pub struct Player<'a> {
    cluster: &'a ControlPlane,
    clients: HashMap<Identity, Http>,
    /// Plural and whether namespaced, by `apiVersion` and kind.
    kinds: HashMap<(String, String), (String, bool)>,
    /// The head of the sample, whose values and lists the steps may use.
    pub(super) header: Header,
}

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

    pub(super) fn sample(&mut self, name: &str) -> anyhow::Result<()> {
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

    /// Waits until the object is gone; kubelets end pods.
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

    pub(super) fn client(&mut self, identity: &Identity) -> anyhow::Result<Http> {
        if let Some(known) = self.clients.get(identity) {
            return Ok(known.clone());
        }
        let http = self.cluster.http(identity)?;
        self.clients.insert(identity.clone(), http.clone());
        Ok(http)
    }
}

/// The authorizer and the discovery of new kinds lag behind writes, so these two refusals may pass.
fn granted(what: &str, request: impl Fn() -> anyhow::Result<Answer>) -> anyhow::Result<()> {
    let answer = wait::until(what, LAG_LIMIT, || match request() {
        Ok(answer) if answer.code == 403 || answer.code == 404 => Err(answer.body),
        settled => Ok(settled),
    });
    answer??.object().map(drop).with_context(|| what.to_owned())
}

fn root(version: &str) -> String {
    let folder = if version.contains('/') { "apis" } else { "api" };
    format!("/{folder}/{version}")
}

/// Two seconds differ in managedFields whatever the fraction they began at.
const GAP: Duration = Duration::from_secs(2);

pub(super) const LIMIT: Duration = Duration::from_mins(1);

const LAG_LIMIT: Duration = Duration::from_secs(5);
