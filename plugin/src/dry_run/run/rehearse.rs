//! The write of one object, sent to be rehearsed.

use std::collections::HashMap;

use aksarc_shared::actor::User;
use aksarc_shared::change::{Beside, Operation as Op};
use aksarc_shared::guard::Guard;
use aksarc_shared::text;
use serde_json::Value;

use super::Task;
use super::beside::Extensions;
use super::items::{Item, State, what};
use super::server::ask;
use crate::cli::exit::Failure;
use crate::dry_run::call::{Method, Read};
use crate::dry_run::discover::{Discovery, Resource};
use crate::dry_run::gate::Gate;
use crate::dry_run::judge::Sides;
use crate::dry_run::refusal::{Refusal, Refuser};
use crate::dry_run::report::Change;
use crate::dry_run::request::{Request, Verb, request};
use crate::dry_run::session::Session;
use crate::dry_run::strategic::Document;

pub(super) struct Runner<'r> {
    pub(super) session: &'r Session,
    pub(super) gate: Gate<'r>,
    pub(super) task: &'r Task,
    /// What would be asked, with the settings of the task.
    pub(super) guard: &'r Guard,
    pub(super) user: &'r User,
    pub(super) documents: HashMap<String, Option<Document>>,
    pub(super) discovery: &'r Discovery,
    /// Asked for once, where they matter.
    pub(super) extensions: Option<Extensions>,
    pub(super) single: bool,
}

/// What is known once the server has answered, or was not asked.
pub(super) struct Outcome {
    pub(super) sides: Sides,
    pub(super) refusal: Option<Refusal>,
    pub(super) warnings: Vec<String>,
    pub(super) notes: Vec<String>,
    /// Whether kubectl would send nothing.
    pub(super) unsent: bool,
    /// Why the gate did not let the write through; empty when it did, or was not asked to.
    pub(super) not_rehearsed: String,
}

impl Outcome {
    fn of(sides: Sides) -> Self {
        let (warnings, notes) = (Vec::new(), Vec::new());
        Outcome { sides, refusal: None, warnings, notes, unsent: false, not_rehearsed: String::new() }
    }
}

impl Runner<'_> {
    pub(super) async fn rehearse(&mut self, item: Item) -> Result<Change, Failure> {
        let verb = &self.task.verb;
        let mut sides = Sides {
            operation: if matches!(verb, Verb::Delete { .. }) { Op::Delete } else { Op::Update },
            group: item.resource.group.clone(),
            plural: item.resource.plural.clone(),
            subresource: verb.subresource().to_owned(),
            namespace: item.namespace.clone(),
            name: item.name.clone(),
            before: None,
            after: None,
            beside: Beside::default(),
        };
        let is_apply = matches!(verb, Verb::Apply { .. });
        let refused = |sides, refusal| Outcome { refusal: Some(refusal), ..Outcome::of(sides) };
        match &item.state {
            State::Present(object) => sides.before = Some(object.clone()),
            State::Absent(_) if is_apply => sides.operation = Op::Create,
            State::Unreadable(refusal) if verb.is_blind() && refusal.who == Refuser::Rbac => {}
            State::Absent(refusal) | State::Unreadable(refusal) => {
                let mut outcome = refused(sides, refusal.clone());
                if refusal.who == Refuser::Rbac {
                    outcome.notes.push(format!(
                        "kubectl {} reads the object first, which needs the right to get {}",
                        verb.word(),
                        what(&item, verb.subresource())
                    ));
                }
                return self.change(&item, outcome).await;
            }
        }
        let document = if verb.needs_schema() && is_apply { self.document(&item.resource).await } else { None };
        let asked = match self.single_version(verb) {
            Some(message) => Err(message),
            None => request(verb, item.address(), sides.before.as_ref(), item.manifest.as_ref(), document.as_ref()),
        };
        let planned = match asked {
            Ok(planned) => planned,
            Err(message) => return self.change(&item, refused(sides, Refusal::by_kubectl(message))).await,
        };
        let outcome = self.send(&item, sides, planned).await;
        self.change(&item, outcome).await
    }

    fn single_version(&self, verb: &Verb) -> Option<String> {
        let (Verb::Metadata { resource_version: version, .. } | Verb::Scale { resource_version: version, .. }) = verb
        else {
            return None;
        };
        (!version.is_empty() && !self.single)
            .then(|| "--resource-version may only be used with a single resource".to_owned())
    }

    async fn send(&mut self, item: &Item, mut sides: Sides, planned: Request) -> Outcome {
        let verb = &self.task.verb;
        let Request { write, after, mut notes } = planned;
        let Some(write) = write else {
            sides.after.clone_from(&sides.before);
            return Outcome { notes, unsent: true, ..Outcome::of(sides) };
        };
        let deletes = sides.operation == Op::Delete;
        let right = write.method.rbac_verb();
        let cleared = match self.gate.clear(write).await {
            Ok(cleared) => cleared,
            Err(barred) => {
                (sides.after, notes) = self.reckon(item, &sides, after, notes).await;
                let not_rehearsed = text::line(&barred.to_string(), MAX_REASON);
                return Outcome { notes, not_rehearsed, ..Outcome::of(sides) };
            }
        };
        let answer = match self.session.rehearse(cleared).await {
            Ok(answer) => answer,
            Err(error) => {
                sides.after = after;
                let refusal = Some(Refusal::no_answer(error.to_string()));
                return Outcome { refusal, notes, ..Outcome::of(sides) };
            }
        };
        let warnings = answer.warnings.iter().map(|warning| text::line(warning, MAX_WARNING)).collect();
        if answer.is_success() {
            if verb.is_blind() && sides.before.is_none() {
                let created = !deletes && answer.status == 201;
                // A delete may answer with the object it would delete.
                let whole = deletes && answer.body.pointer("/metadata/uid").is_some();
                if created {
                    sides.operation = Op::Create;
                } else if whole {
                    sides.before = Some(answer.body.clone());
                }
            }
            sides.after = (!deletes).then_some(answer.body);
            // What was reckoned here does not matter once the server has told.
            notes.retain(|note| !note.contains("taken as replaced"));
            return Outcome { warnings, notes, ..Outcome::of(sides) };
        }
        let refusal = Refusal::of(&answer);
        (sides.after, notes) = self.reckon(item, &sides, after, notes).await;
        if refusal.who == Refuser::Rbac {
            notes.push(format!(
                "a rehearsal by the server needs the right to {} {}; a local mode does not exist yet",
                right,
                what(item, verb.subresource())
            ));
        }
        if matches!(refusal.who, Refuser::NoDryRun(_)) {
            notes.push(
                "the request itself was not judged by the server: that webhook says nothing about its side effects"
                    .to_owned(),
            );
        }
        Outcome { refusal: Some(refusal), warnings, notes, ..Outcome::of(sides) }
    }

    /// The object after a write that the server has not shown, with remarks. A strategic merge patch is worth the schema only
    /// now; of all others the request's own reckoning stays.
    async fn reckon(
        &mut self,
        item: &Item,
        sides: &Sides,
        after: Option<Value>,
        notes: Vec<String>,
    ) -> (Option<Value>, Vec<String>) {
        let verb = &self.task.verb;
        if matches!(verb, Verb::Patch { method: Method::PatchStrategic, .. }) {
            let document = self.document(&item.resource).await;
            if let Ok(again) = request(verb, item.address(), sides.before.as_ref(), None, document.as_ref()) {
                return (again.after, again.notes);
            }
        }
        (after, notes)
    }

    /// The OpenAPI document of a group and version, asked for once.
    async fn document(&mut self, resource: &Resource) -> Option<Document> {
        let key = if resource.group.is_empty() {
            format!("api/{}", resource.version)
        } else {
            format!("apis/{}", resource.api_version())
        };
        if let Some(known) = self.documents.get(&key) {
            return known.clone();
        }
        let document = self.fetch(&key).await;
        self.documents.insert(key, document.clone());
        document
    }

    async fn fetch(&self, key: &str) -> Option<Document> {
        let index = ask(self.session, &Read::of(OPENAPI)).await.ok()?;
        let url = index.get("paths")?.get(key)?.get("serverRelativeURL")?.as_str()?.to_owned();
        // It is the server's own word, but it is a path to read and nothing else.
        if !url.starts_with(OPENAPI) {
            return None;
        }
        ask(self.session, &Read::of(url)).await.ok().map(Document::new)
    }
}

const OPENAPI: &str = "/openapi/v3";

/// The API server cuts warnings to 256 bytes when there are many, and shows longer ones otherwise.
const MAX_WARNING: usize = 1024;

/// A reason names a group, a Service and perhaps what a server said to a list.
const MAX_REASON: usize = 2048;
