//! The rehearsal of the write of one object.

use aksarc_shared::facts::change::{Beside, Operation};
use aksarc_shared::text;
use serde_json::Value;

use super::items::{Item, ItemState, what};
use super::runner::{Aftermath, Runner};
use super::server::ask;
use crate::api::ApiRequest;
use crate::cli::exit::Failure;
use crate::dry_run::discover::Resource;
use crate::dry_run::judge::Sides;
use crate::dry_run::plan::PlannedChange;
use crate::dry_run::refusal::{Refusal, Refuser};
use crate::dry_run::rehearsal;
use crate::dry_run::request::{Request, Verb, request};
use crate::dry_run::strategic::OpenApiDocument;
use crate::dry_run::write::Method;

impl Runner<'_> {
    pub(super) async fn rehearse(&mut self, item: Item) -> Result<PlannedChange, Failure> {
        let verb = &self.rehearsal.verb;
        let mut sides = Sides {
            operation: if matches!(verb, Verb::Delete { .. }) { Operation::Delete } else { Operation::Update },
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
        let refused = |sides, refusal| Aftermath { refusal: Some(refusal), ..Aftermath::of(sides) };
        match &item.state {
            ItemState::Present(object) => sides.before = Some(object.clone()),
            ItemState::Absent(_) if is_apply => sides.operation = Operation::Create,
            ItemState::Unreadable(refusal) if verb.is_blind() && refusal.who == Refuser::Rbac => {}
            ItemState::Absent(refusal) | ItemState::Unreadable(refusal) => {
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

    async fn send(&mut self, item: &Item, mut sides: Sides, planned: Request) -> Aftermath {
        let verb = &self.rehearsal.verb;
        let Request { write, after, mut notes } = planned;
        let Some(write) = write else {
            sides.after.clone_from(&sides.before);
            return Aftermath { notes, unsent: true, ..Aftermath::of(sides) };
        };
        let deletes = sides.operation == Operation::Delete;
        let right = write.method.rbac_verb();
        let result = match rehearsal::rehearse(&mut self.gate, self.session, &write).await {
            Ok(result) => result,
            Err(barred) => {
                (sides.after, notes) = self.reckon(item, &sides, after, notes).await;
                let not_rehearsed = text::line(&barred.to_string(), MAX_REASON);
                return Aftermath { notes, not_rehearsed, ..Aftermath::of(sides) };
            }
        };
        self.rehearsed += 1;
        let reply = match result {
            Ok(reply) => reply,
            Err(error) => {
                sides.after = after;
                let refusal = Some(Refusal::no_answer(error.to_string()));
                return Aftermath { refusal, notes, ..Aftermath::of(sides) };
            }
        };
        let warnings = reply.warnings().iter().map(|warning| text::line(warning, MAX_WARNING)).collect();
        if reply.status.is_success() {
            if verb.is_blind() && sides.before.is_none() {
                let created = !deletes && reply.status == 201;
                // A delete may return the deleted object.
                let whole = deletes && reply.body.pointer("/metadata/uid").is_some();
                if created {
                    sides.operation = Operation::Create;
                } else if whole {
                    sides.before = Some(reply.body.clone());
                }
            }
            sides.after = (!deletes).then_some(reply.body);
            // The server's result takes precedence over our own computation.
            notes.retain(|note| !note.contains("taken as replaced"));
            return Aftermath { warnings, notes, ..Aftermath::of(sides) };
        }
        let refusal = Refusal::of(&reply);
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
        Aftermath { refusal: Some(refusal), warnings, notes, ..Aftermath::of(sides) }
    }

    /// The object after a write whose result the server has not shown, with remarks. For a strategic merge patch the
    /// schema is fetched now; for all others the request's own computation stays.
    async fn reckon(
        &mut self,
        item: &Item,
        sides: &Sides,
        after: Option<Value>,
        notes: Vec<String>,
    ) -> (Option<Value>, Vec<String>) {
        let verb = &self.rehearsal.verb;
        if matches!(verb, Verb::Patch { method: Method::PatchStrategic, .. }) {
            let document = self.document(&item.resource).await;
            if let Ok(again) = request(verb, item.address(), sides.before.as_ref(), None, document.as_ref()) {
                return (again.after, again.notes);
            }
        }
        (after, notes)
    }

    /// The OpenAPI document of a group and version, requested once.
    async fn document(&mut self, resource: &Resource) -> Option<OpenApiDocument> {
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

    async fn fetch(&self, key: &str) -> Option<OpenApiDocument> {
        let index = ask(self.session, &ApiRequest::get(OPENAPI)).await.ok()?;
        let url = index.get("paths")?.get(key)?.get("serverRelativeURL")?.as_str()?.to_owned();
        // The path comes from the server, but is only used for a read.
        if !url.starts_with(OPENAPI) {
            return None;
        }
        ask(self.session, &ApiRequest::get(url)).await.ok().map(OpenApiDocument::new)
    }
}

const OPENAPI: &str = "/openapi/v3";

/// The longest warning. The API server cuts warnings to 256 bytes when there are many, and sends longer ones otherwise.
const MAX_WARNING: usize = 1024;

/// The longest reason. It contains a group, a Service and perhaps a server's message.
const MAX_REASON: usize = 2048;
