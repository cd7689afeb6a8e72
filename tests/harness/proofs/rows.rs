//! That the API server asks the guard about every request that a rule judges. Each is sent once, harmlessly, and the
//! guard's own count tells whether it was asked: a webhook rule with a wrong group or plural admits everything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use aksarc_shared::catalogue;
use aksarc_shared::change::Operation;
use aksarc_shared::kinds::Kind;
use aksarc_shared::rule::{Mode, Rule};
use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::case::Stage;
use super::file::FOLDER;
use super::table::Proved;
use crate::client::{Answer, Http, PatchKind};
use crate::identity::Identity;
use crate::wait;

/// Which requests a control plane is asked about.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    /// Those of all kinds that are not alpha.
    pub(super) plain: bool,
    /// Those of the alpha kinds that this one serves.
    pub(super) alpha: bool,
}

/// Asks about guarded requests of the rules, with the guard installed and observing.
pub(super) fn ask(
    stage: &mut Stage<'_>,
    wanted: Wanted,
    only: &[String],
    proved: &mut BTreeMap<&'static str, Proved>,
    failed: &mut Vec<String>,
) -> anyhow::Result<()> {
    let path = Path::new(FOLDER).join("objects.yaml");
    let objects: BTreeMap<String, Sample> =
        serde_saphyr::from_str(&fs::read_to_string(&path)?).with_context(|| path.display().to_string())?;
    let mut by_kind: BTreeMap<&'static Kind, BTreeSet<Row>> = BTreeMap::new();
    let judging = |rule: &&&'static Rule| {
        rule.mode != Mode::Off && (only.is_empty() || only.iter().any(|code| code == rule.code.as_str()))
    };
    for guard in catalogue::ALL.iter().filter(judging).flat_map(|rule| rule.guards) {
        if !(if guard.kind.is_alpha() { wanted.alpha } else { wanted.plain }) {
            continue;
        }
        let rows = by_kind.entry(guard.kind).or_default();
        rows.extend(guard.operations.iter().map(|operation| (*operation, guard.subresource)));
    }
    let mut asked = BTreeSet::new();
    for (kind, rows) in by_kind {
        let name = kind.qualified();
        // Each version serves alpha kinds of its own; the table tells which were asked about nowhere.
        if kind.is_alpha() && !stage.cluster.http(&Identity::Admin)?.get(&kind.list_path(None))?.is_success() {
            continue;
        }
        let about = objects.get(&name).cloned().unwrap_or_default();
        match Subject::ready(stage, kind, about) {
            Ok(subject) => {
                for row in &rows {
                    match subject.ask(stage, *row) {
                        Ok(()) => drop(asked.insert((kind, *row))),
                        Err(error) => {
                            failed.push(format!("guard rows: {} {name}/{}: {error:#}", row.0.as_str(), row.1));
                        }
                    }
                }
                subject.done(stage).with_context(|| format!("{name} stays behind"))?;
            }
            Err(error) => failed.push(format!("guard rows: {name}: {error:#} (see tests/proofs/objects.yaml)")),
        }
    }
    for rule in catalogue::ALL.iter().filter(judging) {
        let rows = rule
            .guards
            .iter()
            .flat_map(|guard| guard.operations.iter().map(|operation| (guard.kind, (*operation, guard.subresource))));
        let hit = rows.filter(|row| asked.contains(row)).map(|(kind, (operation, subresource))| {
            format!("{} {}/{subresource}", operation.as_str(), kind.qualified())
        });
        proved.entry(rule.code.as_str()).or_default().rows.extend(hit);
    }
    Ok(())
}

/// An operation and the subresource it is done to.
type Row = (Operation, &'static str);

/// How objects of a kind are made here, by `objects.yaml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    /// One that the sample cluster has, `namespace/name` or `name`, to try updates and deletes on.
    existing: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    /// What the object has besides its name.
    #[serde(default)]
    body: Value,
}

/// An object to try things on.
struct Subject {
    kind: &'static Kind,
    person: Http,
    collection: String,
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
        let collection = kind.list_path(kind.namespaced.then_some(&*namespace));
        let fresh = about.name.unwrap_or_else(|| "aksarc-proof".to_owned());
        let mut object = json!({"apiVersion": kind.api_version(), "kind": kind.kind, "metadata": {"name": fresh}});
        if let (Some(object), Value::Object(body)) = (object.as_object_mut(), about.body) {
            object.extend(body);
        }
        let made = existing.is_none();
        if made {
            person.post(&collection, &object)?.object().context("cannot make one")?;
        }
        Ok(Subject { kind, person, collection, name: existing.unwrap_or(fresh), object, made })
    }

    fn path(&self) -> String {
        format!("{}/{}", self.collection, self.name)
    }

    fn ask(&self, stage: &Stage<'_>, (operation, subresource): Row) -> anyhow::Result<()> {
        let (guard, _) = stage.guard.as_ref().context("no guard is installed")?;
        let reviews = || guard.metric("aksarc_reviews_total");
        let before = reviews()?;
        let answer = match operation {
            Operation::Create => {
                let mut another = self.object.clone();
                // A name that must be this one is free only when something else was updated.
                if self.made
                    && let Some(name) = another.pointer_mut("/metadata/name")
                {
                    *name = json!(format!("{}-2", self.name));
                }
                self.person.post(&format!("{}?dryRun=All", self.collection), &another)?
            }
            Operation::Delete => self.person.delete(&format!("{}?dryRun=All", self.path()))?,
            Operation::Update => self.update(subresource)?,
        };
        ensure!(answer.is_success(), "{} {}", answer.code, answer.body);
        ensure!(reviews()? > before, "the guard was not asked");
        Ok(())
    }

    fn update(&self, subresource: &str) -> anyhow::Result<Answer> {
        let path = if subresource.is_empty() { self.path() } else { format!("{}/{subresource}", self.path()) };
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
                let object = self.person.get(&self.path())?.object()?;
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

/// Kinds that no API server has built in are made known to it.
fn serve(stage: &Stage<'_>, kind: &Kind) -> anyhow::Result<()> {
    let admin = stage.cluster.http(&Identity::Admin)?;
    let list = kind.list_path(None);
    if admin.get(&list)?.is_success() {
        return Ok(());
    }
    ensure!(!kind.builtin, "the API server does not serve it, although it is built in");
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.qualified(), "annotations": {"api-approved.kubernetes.io": "unapproved, a test"}},
        "spec": {
            "group": kind.group,
            "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
            "names": {"kind": kind.kind, "plural": kind.resource, "singular": kind.kind.to_lowercase()},
            "versions": [{
                "name": kind.version, "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": open},
            }],
        },
    });
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    admin.post(&format!("{path}?fieldManager=manager"), &definition)?.object()?;
    wait::until(&format!("{} to be served", kind.qualified()), LIMIT, || match admin.get(&list) {
        Ok(answer) if answer.is_success() => Ok(()),
        Ok(answer) => Err(answer.body),
        Err(error) => Err(format!("{error:#}")),
    })
}

const LIMIT: Duration = Duration::from_secs(30);
