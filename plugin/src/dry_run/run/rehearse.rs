//! The write of one object, sent to be rehearsed.

use std::collections::HashMap;

use aksarc_shared::actor::User;
use aksarc_shared::change::Operation as Op;
use aksarc_shared::text;

use super::Task;
use super::items::{Item, State, what};
use super::server::ask;
use crate::dry_run::call::{Method, Read};
use crate::dry_run::discover::Resource;
use crate::dry_run::judge::Sides;
use crate::dry_run::refusal::{Refusal, Refuser};
use crate::dry_run::report::Change;
use crate::dry_run::request::{Request, Verb, request};
use crate::dry_run::session::Session;
use crate::dry_run::strategic::Document;
use crate::exit::Failure;

pub(super) struct Runner<'r> {
    pub(super) session: &'r Session,
    pub(super) task: &'r Task,
    pub(super) user: &'r User,
    pub(super) documents: HashMap<String, Option<Document>>,
    pub(super) single: bool,
}

/// What is known once the server has answered.
pub(super) struct Outcome {
    pub(super) sides: Sides,
    pub(super) refusal: Option<Refusal>,
    pub(super) warnings: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) unsent: bool,
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
        };
        let is_apply = matches!(verb, Verb::Apply { .. });
        let refused = |sides, refusal| Outcome {
            sides,
            refusal: Some(refusal),
            warnings: Vec::new(),
            notes: Vec::new(),
            unsent: false,
        };
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
            return Outcome { sides, refusal: None, warnings: Vec::new(), notes, unsent: true };
        };
        let deletes = sides.operation == Op::Delete;
        let answer = match self.session.rehearse(&write).await {
            Ok(answer) => answer,
            Err(error) => {
                sides.after = after;
                let refusal = Some(Refusal::no_answer(error.to_string()));
                return Outcome { sides, refusal, warnings: Vec::new(), notes, unsent: false };
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
            return Outcome { sides, refusal: None, warnings, notes, unsent: false };
        }
        let refusal = Refusal::of(&answer);
        sides.after = after;
        if matches!(verb, Verb::Patch { method: Method::PatchStrategic, .. }) {
            // Only now is it worth the schema: the server has not shown the object after the patch.
            let document = self.document(&item.resource).await;
            if let Ok(again) = request(verb, item.address(), sides.before.as_ref(), None, document.as_ref()) {
                (sides.after, notes) = (again.after, again.notes);
            }
        }
        if refusal.who == Refuser::Rbac {
            notes.push(format!(
                "a rehearsal by the server needs the right to {} {}; a local mode does not exist yet",
                write.method.rbac_verb(),
                what(item, verb.subresource())
            ));
        }
        if matches!(refusal.who, Refuser::NoDryRun(_)) {
            notes.push(
                "the request itself was not judged by the server: that webhook says nothing about its side effects"
                    .to_owned(),
            );
        }
        Outcome { sides, refusal: Some(refusal), warnings, notes, unsent: false }
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
