//! Proof that the API server asks the guard about every request that a rule judges. Each is sent once, harmlessly, and
//! the guard's own count tells whether it was asked: a webhook rule with a wrong group or plural admits everything.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;
use std::time::Duration;

use aksarc_shared::facts::change::Operation;
use aksarc_shared::k8s::kinds::{self, Kind};
use aksarc_shared::rules::catalogue;
use aksarc_shared::rules::derive::UNASKED;
use aksarc_shared::rules::rule::{Mode, Rule};
use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::case::Stage;
use super::file::FOLDER;
use super::table::Proved;
use crate::binaries::Kubernetes;
use crate::client::{Answer, Http, PatchKind};
use crate::identity::Identity;
use crate::wait;

/// The requests that are sent to a place.
#[derive(Clone, Copy)]
pub(super) struct Asking {
    /// Those of all kinds that are not alpha.
    pub(super) plain: bool,
    /// Those of the alpha kinds that its control plane serves.
    pub(super) alpha: bool,
}

/// A kind with the guarded requests for it.
pub(super) type OfKind = (&'static Kind, BTreeSet<Row>);

/// The guarded requests of the rules, by kind.
pub(super) fn wanted(asking: Asking, only: &[String]) -> VecDeque<OfKind> {
    let mut by_kind: BTreeMap<&'static Kind, BTreeSet<Row>> = BTreeMap::new();
    for guard in judging(only).flat_map(|rule| rule.guards).filter(|guard| !UNASKED.contains(&guard.kind)) {
        if if guard.kind.is_alpha() { asking.alpha } else { asking.plain } {
            let rows = by_kind.entry(guard.kind).or_default();
            rows.extend(guard.operations.iter().map(|operation| (*operation, guard.subresource)));
        }
    }
    by_kind.into_iter().collect()
}

/// The guarded requests of a rule on this Kubernetes, in words: the newest is asked about all that it serves, an older
/// one has to be asked about what it alone serves. A rule that is off by default is not in the shipped configuration.
pub(super) fn of(rule: &Rule, kubernetes: Kubernetes) -> BTreeSet<String> {
    if rule.mode == Mode::Off {
        return BTreeSet::new();
    }
    let gone = |kind: &Kind| GONE.contains(&kind);
    let asked = rule.guards.iter().filter(|guard| !UNASKED.contains(&guard.kind));
    let here = asked.filter(|guard| gone(guard.kind) != (kubernetes == Kubernetes::NEWEST));
    here.flat_map(|guard| guard.operations.iter().map(|operation| words(guard.kind, (*operation, guard.subresource))))
        .collect()
}

fn words(kind: &Kind, (operation, subresource): Row) -> String {
    format!("{} {}/{subresource}", operation.as_str(), kind.qualified())
}

fn judging(only: &[String]) -> impl Iterator<Item = &'static Rule> {
    let wanted = |rule: &&&'static Rule| {
        rule.mode != Mode::Off && (only.is_empty() || only.iter().any(|code| code == rule.code.as_str()))
    };
    catalogue::ALL.iter().filter(wanted).copied()
}

/// The requests about which one control plane has asked the guard.
pub(super) struct Asked {
    samples: BTreeMap<String, Sample>,
    rows: BTreeSet<(&'static Kind, Row)>,
}

impl Asked {
    pub(super) fn new() -> anyhow::Result<Self> {
        let path = Path::new(FOLDER).join("objects.yaml");
        let samples =
            serde_saphyr::from_str(&fs::read_to_string(&path)?).with_context(|| path.display().to_string())?;
        Ok(Self { samples, rows: BTreeSet::new() })
    }

    /// Sends each request of a kind, with the guard installed and observing.
    pub(super) fn ask(
        &mut self,
        stage: &mut Stage<'_>,
        (kind, rows): &OfKind,
        failed: &mut Vec<String>,
    ) -> anyhow::Result<()> {
        let name = kind.qualified();
        // Each version serves alpha kinds of its own; the table tells which were asked about nowhere.
        if kind.is_alpha() && !stage.cluster.http(&Identity::Admin)?.get(&kind.list_path(None))?.is_success() {
            return Ok(());
        }
        let about = self.samples.get(&name).cloned().unwrap_or_default();
        let subject = match Subject::ready(stage, kind, about) {
            Ok(subject) => subject,
            Err(error) => {
                failed.push(format!("guard rows: {name}: {error:#} (see tests/proofs/objects.yaml)"));
                return Ok(());
            }
        };
        for row in rows {
            match subject.ask(stage, *row) {
                Ok(()) => drop(self.rows.insert((kind, *row))),
                Err(error) => failed.push(format!("guard rows: {} {name}/{}: {error:#}", row.0.as_str(), row.1)),
            }
        }
        subject.done(stage).with_context(|| format!("{name} stays behind"))
    }

    /// Counts them for the rules that judge them.
    pub(super) fn credit(&self, only: &[String], proved: &mut BTreeMap<&'static str, Proved>) {
        for rule in judging(only) {
            let rows = rule.guards.iter().flat_map(|guard| {
                guard.operations.iter().map(|operation| (guard.kind, (*operation, guard.subresource)))
            });
            let hit = rows.filter(|row| self.rows.contains(row)).map(|(kind, row)| words(kind, row));
            proved.entry(rule.code.as_str()).or_default().rows.extend(hit);
        }
    }
}

/// An operation and the subresource it is done to.
pub(super) type Row = (Operation, &'static str);

/// The recipe for objects of a kind, by `objects.yaml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    /// One that the sample cluster has, `namespace/name` or `name`, to try updates and deletes on.
    existing: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    /// The object's fields besides its name.
    #[serde(default)]
    body: Value,
}

/// An object to try things on.
struct Subject {
    kind: &'static Kind,
    person: Http,
    /// The lists it is in, by the version they are served at; the preferred one first.
    collections: Vec<(&'static str, String)>,
    name: String,
    object: Value,
    /// It was made for this, and goes afterwards.
    made: bool,
}

impl Subject {
    fn ready(stage: &mut Stage<'_>, kind: &'static Kind, about: Sample) -> anyhow::Result<Self> {
        let person = stage.cluster.http(&Identity::Person)?;
        serve(stage, kind)?;
        let (namespace, existing) =
            match about.existing.as_deref().map(|path| path.split_once('/').unwrap_or(("", path))) {
                Some((namespace, name)) => (namespace.to_owned(), Some(name.to_owned())),
                None => (about.namespace.unwrap_or_else(|| "kube-system".to_owned()), None),
            };
        let namespace = kind.namespaced.then_some(&*namespace);
        let mut collections = Vec::new();
        for version in kind.versions() {
            let collection = kind.list_path_at(version, namespace);
            if person.get(&collection)?.is_success() {
                collections.push((version, collection));
            }
        }
        let (version, collection) = collections.first().context("no version of it is served")?;
        let fresh = about.name.unwrap_or_else(|| "aksarc-proof".to_owned());
        let mut object =
            json!({"apiVersion": api_version(kind, version), "kind": kind.kind, "metadata": {"name": fresh}});
        if let (Some(object), Value::Object(body)) = (object.as_object_mut(), about.body) {
            object.extend(body);
        }
        let made = existing.is_none();
        if made {
            person.post(collection, &object)?.object().context("cannot make one")?;
        }
        Ok(Subject { kind, person, name: existing.unwrap_or(fresh), object, made, collections })
    }

    fn path(&self) -> String {
        self.collections.first().map(|(_, collection)| format!("{collection}/{}", self.name)).unwrap_or_default()
    }

    /// At every version that is served: a client may write at any of them.
    fn ask(&self, stage: &Stage<'_>, row: Row) -> anyhow::Result<()> {
        for (version, collection) in &self.collections {
            self.ask_at(stage, row, version, collection).with_context(|| format!("at {version}"))?;
        }
        Ok(())
    }

    fn ask_at(
        &self,
        stage: &Stage<'_>,
        (operation, subresource): Row,
        version: &str,
        collection: &str,
    ) -> anyhow::Result<()> {
        let (guard, _) = stage.guard.as_ref().context("no guard is installed")?;
        let reviews = || guard.metric("aksarc_reviews_total");
        let before = reviews()?;
        let answer = match operation {
            Operation::Create => {
                let mut another = self.object.clone();
                if let Some(own) = another.pointer_mut("/apiVersion") {
                    *own = json!(api_version(self.kind, version));
                }
                // A name that must be this one is free only when something else was updated.
                if self.made
                    && let Some(name) = another.pointer_mut("/metadata/name")
                {
                    *name = json!(format!("{}-2", self.name));
                }
                self.person.post(&format!("{collection}?dryRun=All"), &another)?
            }
            Operation::Delete => self.person.delete(&format!("{collection}/{}?dryRun=All", self.name))?,
            Operation::Update => self.update(&format!("{collection}/{}", self.name), subresource)?,
        };
        ensure!(answer.is_success(), "{} {}", answer.code, answer.body);
        ensure!(reviews()? > before, "the guard was not asked");
        Ok(())
    }

    fn update(&self, object: &str, subresource: &str) -> anyhow::Result<Answer> {
        let path = if subresource.is_empty() { object.to_owned() } else { format!("{object}/{subresource}") };
        let path = format!("{path}?dryRun=All");
        let send = |kind, body: Value| self.person.patch(&path, kind, &body);
        match (self.kind.kind, subresource) {
            (_, "scale") => send(PatchKind::Merge, json!({"spec": {"replicas": 1}})),
            ("Pod", "ephemeralcontainers") => {
                let container = json!({"name": "look", "image": "registry.contoso.example/look:1"});
                send(PatchKind::Strategic, json!({"spec": {"ephemeralContainers": [container]}}))
            }
            ("Pod", "resize") => send(PatchKind::Merge, json!({})),
            ("Namespace", "finalize") => {
                let object = self.person.get(object)?.object()?;
                self.person.put(&path, &object)
            }
            _ => send(PatchKind::Merge, json!({"metadata": {"annotations": {"contoso.example/proof": "1"}}})),
        }
    }

    fn done(&self, stage: &mut Stage<'_>) -> anyhow::Result<()> {
        if !self.made {
            return Ok(());
        }
        self.person.delete(&format!("{}?gracePeriodSeconds=0&propagationPolicy=Background", self.path()))?.object()?;
        wait::until(&format!("{} to be gone", self.path()), LIMIT, || {
            stage.player.look().map_err(|error| format!("{error:#}"))?;
            match self.person.get(&self.path()) {
                Ok(answer) if answer.code == 404 => Ok(()),
                Ok(answer) => Err(answer.body),
                Err(error) => Err(format!("{error:#}")),
            }
        })
    }
}

fn api_version(kind: &Kind, version: &str) -> String {
    if kind.group.is_empty() { version.to_owned() } else { format!("{}/{version}", kind.group) }
}

/// Kinds that no API server has built in are made known to it.
fn serve(stage: &Stage<'_>, kind: &Kind) -> anyhow::Result<()> {
    let admin = stage.cluster.http(&Identity::Admin)?;
    for version in kind.versions() {
        if admin.get(&kind.list_path_at(version, None))?.is_success() {
            return Ok(());
        }
    }
    ensure!(!kind.builtin, "the API server does not serve it, although it is built in");
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let version = |name: &str| {
        json!({
            "name": name, "served": true, "storage": name == kind.version, "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": open},
        })
    };
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.qualified(), "annotations": {"api-approved.kubernetes.io": "unapproved, a test"}},
        "spec": {
            "group": kind.group,
            "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
            "names": {"kind": kind.kind, "plural": kind.resource, "singular": kind.kind.to_lowercase()},
            "versions": kind.versions().map(version).collect::<Vec<_>>(),
        },
    });
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    admin.post(&format!("{path}?fieldManager=manager"), &definition)?.object()?;
    for version in kind.versions() {
        let list = kind.list_path_at(version, None);
        wait::until(&format!("{list} to be served"), LIMIT, || match admin.get(&list) {
            Ok(answer) if answer.is_success() => Ok(()),
            Ok(answer) => Err(answer.body),
            Err(error) => Err(format!("{error:#}")),
        })?;
    }
    Ok(())
}

const LIMIT: Duration = Duration::from_secs(30);

/// Kinds that a later Kubernetes removed: 1.28 serves them, and the newest does not.
const GONE: [&Kind; 2] = [&kinds::CLUSTER_CIDR, &kinds::RESOURCE_CLASS];
