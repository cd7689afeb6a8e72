//! The objects of a rehearsal, before the change.

use anyhow::anyhow;
use http::StatusCode;
use serde_json::{Value, json};

use super::rehearsal::{NamespaceChoice, Rehearsal, Targets};
use super::server::ask;
use crate::api::ApiRequest;
use crate::cli::exit::Failure;
use crate::dry_run::api_path::ApiPath;
use crate::dry_run::discover::{Discovery, Resource};
use crate::dry_run::refusal::Refusal;
use crate::dry_run::request::{Address, Verb};
use crate::dry_run::session::Session;
use crate::dry_run::target::{self, Choice, Target};
use crate::input::manifests::Manifest;

/// One object to rehearse a write on.
pub(super) struct Item {
    pub(super) resource: Resource,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) state: ItemState,
    pub(super) manifest: Option<Value>,
}

/// The object or its subresource before the change.
pub(super) enum ItemState {
    Absent(Refusal),
    Present(Value),
    Unreadable(Refusal),
}

impl Item {
    pub(super) fn address(&self) -> Address<'_> {
        Address { resource: &self.resource, namespace: &self.namespace, name: &self.name }
    }
}

/// Reads the objects of a rehearsal. `namespace` is that of objects that name none.
///
/// # Errors
/// [`Failure`] when the arguments make no sense here, or a list cannot be read.
pub(super) async fn items(
    session: &Session,
    rehearsal: &Rehearsal,
    namespace: &str,
    discovery: &Discovery,
) -> Result<Vec<Item>, Failure> {
    let (words, choice) = match &rehearsal.targets {
        Targets::Manifests(manifests) => {
            return from_manifests(session, rehearsal, manifests, namespace, discovery).await;
        }
        Targets::Arguments { words, choice } => (words, choice),
    };
    let all = matches!(rehearsal.namespace, NamespaceChoice::All { .. });
    let mut items = Vec::new();
    for target in target::targets(words, choice, discovery).map_err(Failure::input)? {
        let (Target::Named { resource, .. } | Target::List { resource }) = &target;
        rehearsal.verb.accepts(resource).map_err(|message| Failure::input(anyhow!(message)))?;
        match target {
            Target::Named { resource, name } => {
                if all && resource.namespaced {
                    let message = "a resource cannot be retrieved by name across all namespaces";
                    return Err(Failure::input(anyhow!(message)));
                }
                let namespace = if resource.namespaced { namespace } else { "" };
                items.push(one(session, &rehearsal.verb, resource, namespace.to_owned(), name, None).await);
            }
            Target::List { resource } => {
                let namespace = if all { "" } else { namespace };
                items.extend(listed(session, &rehearsal.verb, &resource, namespace, choice).await?);
            }
        }
    }
    Ok(items)
}

async fn from_manifests(
    session: &Session,
    rehearsal: &Rehearsal,
    manifests: &[Manifest],
    default: &str,
    discovery: &Discovery,
) -> Result<Vec<Item>, Failure> {
    let mut items = Vec::new();
    for manifest in manifests {
        let fail = |message: String| Failure::input(anyhow!("{}: {message}", manifest.source));
        let resource = discovery.of_manifest(&manifest.object).map_err(|error| fail(error.to_string()))?;
        rehearsal.verb.accepts(resource).map_err(fail)?;
        let meta = |key: &str| {
            let value = manifest.object.get("metadata").and_then(|meta| meta.get(key));
            value.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let name = meta("name");
        if name.is_empty() {
            let generated = meta("generateName");
            let what = if generated.is_empty() {
                "metadata.name is not set".to_owned()
            } else {
                format!("{generated}: an object with generateName has no name to act on")
            };
            return Err(fail(what));
        }
        let own = meta("namespace");
        if let NamespaceChoice::Given(given) = &rehearsal.namespace
            && resource.namespaced
            && !own.is_empty()
            && own != *given
        {
            return Err(fail(format!("the object's namespace {own} is not the given one, {given}")));
        }
        let namespace = match (resource.namespaced, own.is_empty()) {
            (false, _) => String::new(),
            (true, true) => default.to_owned(),
            (true, false) => own,
        };
        let mut object = manifest.object.clone();
        if resource.namespaced
            && let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut)
        {
            meta.insert("namespace".to_owned(), json!(namespace));
        }
        items.push(one(session, &rehearsal.verb, resource.clone(), namespace, name, Some(object)).await);
    }
    Ok(items)
}

async fn one(
    session: &Session,
    verb: &Verb,
    resource: Resource,
    namespace: String,
    name: String,
    manifest: Option<Value>,
) -> Item {
    let state = read_state(session, resource.path(&namespace, &name, verb.subresource())).await;
    Item { resource, namespace, name, state, manifest }
}

pub(super) async fn read_state(session: &Session, path: ApiPath) -> ItemState {
    match session.read(&ApiRequest::get(path)).await {
        Ok(reply) if reply.status.is_success() => ItemState::Present(reply.body),
        Ok(reply) if reply.status == StatusCode::NOT_FOUND => ItemState::Absent(Refusal::of(&reply)),
        Ok(reply) => ItemState::Unreadable(Refusal::of(&reply)),
        Err(error) => ItemState::Unreadable(Refusal::no_answer(error.to_string())),
    }
}

async fn listed(
    session: &Session,
    verb: &Verb,
    resource: &Resource,
    namespace: &str,
    choice: &Choice,
) -> Result<Vec<Item>, Failure> {
    let (mut items, mut next) = (Vec::new(), String::new());
    loop {
        let query = [
            ("labelSelector", &*choice.selector),
            ("fieldSelector", &*choice.field_selector),
            ("limit", PAGE),
            ("continue", &*next),
        ];
        let request = ApiRequest::get_where(resource.list_path(namespace), &query)
            .named(format!("list {}", resource.qualified()));
        let mut page = ask(session, &request).await?;
        let rows = page.get_mut("items").map(Value::take).and_then(|items| match items {
            Value::Array(rows) => Some(rows),
            _ => None,
        });
        for mut object in rows.unwrap_or_default() {
            let meta = |key: &str| {
                let value = object.get("metadata").and_then(|meta| meta.get(key));
                value.and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            let (name, namespace) = (meta("name"), meta("namespace"));
            // Items of lists lack these fields.
            if let Some(map) = object.as_object_mut() {
                map.entry("apiVersion").or_insert_with(|| json!(resource.api_version()));
                map.entry("kind").or_insert_with(|| json!(resource.kind));
            }
            let state = match verb.subresource() {
                "" => ItemState::Present(object),
                subresource => read_state(session, resource.path(&namespace, &name, subresource)).await,
            };
            items.push(Item { resource: resource.clone(), namespace, name, state, manifest: None });
        }
        next = page.pointer("/metadata/continue").and_then(Value::as_str).unwrap_or_default().to_owned();
        if next.is_empty() {
            return Ok(items);
        }
    }
}

pub(super) fn what(item: &Item, subresource: &str) -> String {
    let slash = if subresource.is_empty() { String::new() } else { format!("/{subresource}") };
    let place = if item.namespace.is_empty() { String::new() } else { format!(" in namespace {}", item.namespace) };
    format!("{}{slash}{place}", item.resource.qualified())
}

/// The page size of kubectl.
const PAGE: &str = "500";
