//! The command's course: discover, identify, read, rehearse, judge.

use std::borrow::Cow;
use std::collections::HashMap;

use aksarc_shared::actor::User;
use aksarc_shared::change::Operation as Op;
use aksarc_shared::data::Platform;
use aksarc_shared::finding::{Consequence, ObjectRef};
use aksarc_shared::guard::{Decision, Guard, Judged, Settings};
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::report::Tool;
use aksarc_shared::text;
use anyhow::anyhow;
use serde_json::{Value, json};

use super::call::{self, Method, Read, Write};
use super::diff;
use super::discover::{self, Discovery, Resource};
use super::judge::{self, Sides, Support, is_void};
use super::manifest::Manifest;
use super::refusal::{Refusal, Refuser};
use super::report::{
    self, Answer, Change, ClusterNote, GuardNote, Instead, Operation, Report, Source, SupportChange, UserNote,
};
use super::request::{Address, Request, Verb, request};
use super::session::Session;
use super::strategic::Document;
use super::target::{self, Choice, Target};
use crate::exit::Failure;
use crate::render;

/// Everything a dry run is told.
#[derive(Clone, Debug)]
pub struct Task {
    /// What to rehearse.
    pub verb: Verb,
    /// The arguments that name objects.
    pub words: Vec<String>,
    /// How else objects are chosen.
    pub choice: Choice,
    /// Objects from files.
    pub manifests: Vec<Manifest>,
    /// The namespace in force.
    pub namespace: String,
    /// Where it is from, or whether it counts at all.
    pub scope: Scope,
    /// Whether objects that are not there are passed over.
    pub ignore_not_found: bool,
    /// The guard's settings, waivers and platform included.
    pub settings: Settings,
    /// Whether the settings are those of a real guard.
    pub guard_config: bool,
    /// The moment judged.
    pub now: Timestamp,
    /// Findings this heavy, or heavier, fail with exit code 4 when nothing fails heavier.
    pub fail_on: Consequence,
    /// Who we are, if the server does not tell.
    pub fallback: User,
    /// Which cluster is asked.
    pub cluster: ClusterNote,
    /// What makes the report.
    pub tool: Tool,
}

/// Which namespace is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of them, for lists.
    All,
    /// The context's.
    Context,
    /// The one given on the command line.
    Given,
}

/// Runs a task. What becomes of single objects is in the report; what keeps all from being looked at is a failure.
///
/// # Errors
/// [`Failure`] when arguments mean nothing here, or the server cannot be asked at all.
pub async fn run(session: &Session, task: &Task) -> Result<Report, Failure> {
    let discovery = discover(session).await?;
    let (mut user, confirmed) = identify(session, &task.fallback).await;
    task.verb.manager().clone_into(&mut user.field_manager);
    let guard = Guard::new(aksarc_shared::data::embedded(), task.settings.clone()).map_err(Failure::input)?;
    let mut items = items(session, task, &discovery).await?;
    if task.ignore_not_found {
        items.retain(|item| !matches!(item.state, State::Absent(_)));
    }
    let single = items.len() == 1;
    let mut runner = Runner { session, task, user: &user, documents: HashMap::new(), single };
    let mut changes = Vec::with_capacity(items.len());
    for item in items {
        changes.push(runner.rehearse(item).await?);
    }
    Ok(Report {
        api_version: "aksarc.dev/v1alpha1",
        kind: "DryRunReport",
        tool: task.tool.clone(),
        verb: task.verb.word(),
        mode: "server",
        user: UserNote {
            name: user.name.clone(),
            groups: user.groups.clone(),
            actor: guard.actor(&user).as_str(),
            confirmed,
        },
        cluster: task.cluster.clone(),
        platform: task.settings.platform.map(Platform::as_str).unwrap_or_default().to_owned(),
        as_of: task.now.to_zoned(aksarc_shared::jiff::tz::TimeZone::UTC).date().to_string(),
        requests: session.rehearsed(),
        guard: guard_note(task, &changes),
        plan: report::plan(&changes),
        support: report::support(&changes),
        exit_code: report::exit_code(&changes, task.fail_on),
        changes,
    })
}

fn guard_note(task: &Task, changes: &[Change]) -> GuardNote {
    let observed = changes.iter().filter_map(|change| change.refusal.as_ref()).any(Refusal::is_guard);
    let source = match (observed, task.guard_config) {
        (true, _) => Source::Observed,
        (false, true) => Source::GuardConfig,
        (false, false) => Source::Assumed,
    };
    let decision = changes.iter().map(|change| change.guard).max().unwrap_or(Answer::Allow);
    GuardNote { decision, source, preset: task.settings.mode.as_str() }
}

/// Asks what the server serves: in two requests from Kubernetes 1.26 on, group by group before.
async fn discover(session: &Session) -> Result<Discovery, Failure> {
    let mut discovery = Discovery::default();
    for root in ["/api", "/apis"] {
        let answer = ask(session, &Read { accept: discover::ACCEPT, ..Read::of(root) }).await?;
        if discovery.add_aggregated(&answer) {
            continue;
        }
        for path in older_paths(root, &answer) {
            // A group whose server is down must not hide the others.
            if let Ok(list) = ask(session, &Read::of(path)).await {
                discovery.add_list(&list);
            }
        }
    }
    if discovery.is_empty() {
        return Err(Failure::run(anyhow!("the server serves no resources; nothing was rehearsed")));
    }
    Ok(discovery)
}

fn older_paths(root: &str, answer: &Value) -> Vec<String> {
    let strings = |value: Option<&Value>| -> Vec<String> {
        value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    if root == "/api" {
        return strings(answer.get("versions"))
            .iter()
            .map(|version| format!("/api/{}", call::escape(version)))
            .collect();
    }
    let mut paths = Vec::new();
    for group in answer.get("groups").and_then(Value::as_array).into_iter().flatten() {
        let preferred = group.pointer("/preferredVersion/groupVersion").and_then(Value::as_str);
        let versions = group.get("versions").and_then(Value::as_array).into_iter().flatten();
        let others = versions.filter_map(|version| version.get("groupVersion").and_then(Value::as_str));
        for version in preferred.into_iter().chain(others.filter(|version| Some(*version) != preferred)) {
            let (group, version) = discover::split_api_version(version);
            paths.push(format!("/apis/{}/{}", call::escape(group), call::escape(version)));
        }
    }
    paths
}

/// A read without which nothing can go on.
async fn ask(session: &Session, read: &Read) -> Result<Value, Failure> {
    let answer = session.read(read).await.map_err(|error| Failure::run(anyhow!("{error}; nothing was rehearsed")))?;
    if answer.is_success() {
        return Ok(answer.body);
    }
    let refusal = Refusal::of(&answer);
    Err(Failure::run(anyhow!("GET {}: {} ({}); nothing was rehearsed", read.path, refusal.message, answer.status)))
}

/// Asks the server who we are; `false` when it does not say and the kubeconfig's word has to do.
async fn identify(session: &Session, fallback: &User) -> (User, bool) {
    for version in ["v1", "v1beta1"] {
        let api_version = format!("authentication.k8s.io/{version}");
        let path = format!("/apis/{api_version}/selfsubjectreviews");
        let body = json!({"apiVersion": api_version, "kind": "SelfSubjectReview"});
        let Ok(answer) = session.review(&Write::new(Method::Post, path, body)).await else { break };
        if let Some(info) = answer.body.pointer("/status/userInfo").filter(|_| answer.is_success()) {
            return (user_of(info), true);
        }
        if answer.status != 404 {
            break;
        }
    }
    (fallback.clone(), false)
}

fn user_of(info: &Value) -> User {
    let texts = |value: Option<&Value>| -> Vec<String> {
        value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    User {
        name: info.get("username").and_then(Value::as_str).unwrap_or_default().to_owned(),
        groups: texts(info.get("groups")),
        credential_ids: texts(info.pointer("/extra/authentication.kubernetes.io~1credential-id")),
        field_manager: String::new(),
    }
}

/// One object to rehearse a write on.
struct Item {
    resource: Resource,
    namespace: String,
    name: String,
    state: State,
    manifest: Option<Value>,
}

/// The object, or its subresource, as it is.
enum State {
    Absent(Refusal),
    Present(Value),
    Unreadable(Refusal),
}

impl Item {
    fn address(&self) -> Address<'_> {
        Address { resource: &self.resource, namespace: &self.namespace, name: &self.name }
    }
}

async fn items(session: &Session, task: &Task, discovery: &Discovery) -> Result<Vec<Item>, Failure> {
    let input = |error: anyhow::Error| Failure::input(error);
    task.choice.check().map_err(|message| input(anyhow!(message)))?;
    if !task.manifests.is_empty() {
        if !task.words.is_empty() {
            return Err(input(anyhow!("objects are given by name or with -f, not both")));
        }
        return from_manifests(session, task, discovery).await;
    }
    let mut items = Vec::new();
    for target in target::targets(&task.words, &task.choice, discovery).map_err(Failure::input)? {
        let (Target::Named { resource, .. } | Target::List { resource }) = &target;
        if matches!(task.verb, Verb::Taint { .. }) && resource.qualified() != "nodes" {
            return Err(input(anyhow!("only nodes can be tainted, not {}", resource.qualified())));
        }
        match target {
            Target::Named { resource, name } => {
                if task.scope == Scope::All && resource.namespaced {
                    return Err(input(anyhow!("a resource cannot be retrieved by name across all namespaces")));
                }
                let namespace = if resource.namespaced { task.namespace.clone() } else { String::new() };
                items.push(one(session, task, resource, namespace, name, None).await);
            }
            Target::List { resource } => items.extend(listed(session, task, &resource).await?),
        }
    }
    Ok(items)
}

async fn from_manifests(session: &Session, task: &Task, discovery: &Discovery) -> Result<Vec<Item>, Failure> {
    let mut items = Vec::new();
    for manifest in &task.manifests {
        let fail = |message: String| Failure::input(anyhow!("{}: {message}", manifest.source));
        let resource = discovery.of_manifest(&manifest.object).map_err(|error| fail(error.to_string()))?;
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
        if resource.namespaced && task.scope == Scope::Given && !own.is_empty() && own != task.namespace {
            return Err(fail(format!("the object's namespace {own} is not the given one, {}", task.namespace)));
        }
        let namespace = match (resource.namespaced, own.is_empty()) {
            (false, _) => String::new(),
            (true, true) => task.namespace.clone(),
            (true, false) => own,
        };
        let mut object = manifest.object.clone();
        if resource.namespaced
            && let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut)
        {
            meta.insert("namespace".to_owned(), json!(namespace));
        }
        items.push(one(session, task, resource.clone(), namespace, name, Some(object)).await);
    }
    Ok(items)
}

async fn one(
    session: &Session,
    task: &Task,
    resource: Resource,
    namespace: String,
    name: String,
    manifest: Option<Value>,
) -> Item {
    let state = read_state(session, &resource.path(&namespace, &name, task.verb.subresource())).await;
    Item { resource, namespace, name, state, manifest }
}

async fn read_state(session: &Session, path: &str) -> State {
    match session.read(&Read::of(path)).await {
        Ok(answer) if answer.is_success() => State::Present(answer.body),
        Ok(answer) if answer.status == 404 => State::Absent(Refusal::of(&answer)),
        Ok(answer) => State::Unreadable(Refusal::of(&answer)),
        Err(error) => State::Unreadable(Refusal::no_answer(error.to_string())),
    }
}

async fn listed(session: &Session, task: &Task, resource: &Resource) -> Result<Vec<Item>, Failure> {
    let namespace = if task.scope == Scope::All { "" } else { &task.namespace };
    let (mut items, mut next) = (Vec::new(), String::new());
    loop {
        let read = Read::of(resource.list_path(namespace))
            .with("labelSelector", &task.choice.selector)
            .with("fieldSelector", &task.choice.field_selector)
            .with("limit", PAGE)
            .with("continue", &next);
        let mut page = ask(session, &read).await?;
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
            // Lists leave these out of their items.
            if let Some(map) = object.as_object_mut() {
                map.entry("apiVersion").or_insert_with(|| json!(resource.api_version()));
                map.entry("kind").or_insert_with(|| json!(resource.kind));
            }
            let state = match task.verb.subresource() {
                "" => State::Present(object),
                subresource => read_state(session, &resource.path(&namespace, &name, subresource)).await,
            };
            items.push(Item { resource: resource.clone(), namespace, name, state, manifest: None });
        }
        next = page.pointer("/metadata/continue").and_then(Value::as_str).unwrap_or_default().to_owned();
        if next.is_empty() {
            return Ok(items);
        }
    }
}

struct Runner<'r> {
    session: &'r Session,
    task: &'r Task,
    user: &'r User,
    documents: HashMap<String, Option<Document>>,
    single: bool,
}

/// What is known once the server has answered.
struct Outcome {
    sides: Sides,
    refusal: Option<Refusal>,
    warnings: Vec<String>,
    notes: Vec<String>,
    unsent: bool,
}

impl Runner<'_> {
    async fn rehearse(&mut self, item: Item) -> Result<Change, Failure> {
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

    async fn change(&self, item: &Item, outcome: Outcome) -> Result<Change, Failure> {
        let Outcome { sides, refusal, warnings, mut notes, unsent } = outcome;
        let task = self.task;
        let complete = match sides.operation {
            Op::Create => sides.after.is_some(),
            Op::Delete => sides.before.is_some(),
            Op::Update => sides.before.is_some() && sides.after.is_some(),
        };
        let judgement = if complete && !unsent {
            sides.judge(self.user, &task.settings, task.now).map_err(Failure::input)?
        } else {
            None
        };
        let mut judged: Vec<Judged> = judgement.map(|judgement| judgement.judged).unwrap_or_default();
        let denied = refusal.as_ref().filter(|refusal| refusal.is_guard());
        if let Some(refusal) = denied {
            let more = judge::from_causes(&refusal.causes, &sides, &judged, &task.settings, task.now);
            judged.extend(more);
        }
        let guard = match (denied, judged.iter().map(|own| own.decision).max()) {
            (Some(_), _) | (None, Some(Decision::Deny)) => Answer::Deny,
            (None, Some(Decision::Warn)) => Answer::Warn,
            (None, None) if !complete && sides.kind().is_some() => Answer::Unknown,
            (None, Some(Decision::Allow) | None) => Answer::Allow,
        };
        if guard == Answer::Deny && refusal.is_none() {
            notes.push(
                "the server accepted it: the guard is not installed there, set otherwise, or could not be reached"
                    .to_owned(),
            );
        }
        let not_judged = not_judged(item, &sides, complete, refusal.as_ref());
        let support = self.support(item, &sides, &judged).await;
        let none = Value::Null;
        let status = sides.subresource == "status";
        let fields = match (&sides.before, &sides.after, sides.operation) {
            (Some(before), after, Op::Update) => {
                diff::fields(&spelled_out(before), &spelled_out(after.as_ref().unwrap_or(&none)), status)
            }
            _ => Vec::new(),
        };
        let fields = if sides.after.is_none() { Vec::new() } else { fields };
        let operation = match sides.operation {
            _ if unsent => Operation::None,
            Op::Update if sides.before.is_none() || sides.after.is_none() || fields.is_empty() && refusal.is_none() => {
                if complete || refusal.is_some() {
                    Operation::None
                } else {
                    Operation::Update
                }
            }
            Op::Create => Operation::Create,
            Op::Delete if sides.before.is_none() && refusal.is_some() => Operation::None,
            Op::Delete => Operation::Delete,
            Op::Update => Operation::Update,
        };
        Ok(Change {
            object: reference(item, &sides),
            operation,
            subresource: sides.subresource.clone(),
            fields,
            instead: instead(&judged),
            findings: judged.into_iter().map(|own| own.finding).collect(),
            guard,
            not_judged,
            refusal,
            warnings,
            notes,
            support,
        })
    }

    async fn support(&self, item: &Item, sides: &Sides, judged: &[Judged]) -> SupportChange {
        let task = self.task;
        let voids = judged.iter().any(|own| is_void(&own.finding));
        let whole = Sides { subresource: String::new(), ..sides.clone() };
        // A scale says nothing about its object, so that is looked at instead.
        let (before, after) = if sides.subresource == "scale" {
            let parent = match read_state(self.session, &item.resource.path(&item.namespace, &item.name, "")).await {
                State::Present(parent) => Some(parent),
                _ => None,
            };
            let replicas = sides.after.as_ref().and_then(|after| spelled_out(after).pointer("/spec/replicas").cloned());
            let scaled = parent
                .as_ref()
                .zip(replicas)
                .map(|(parent, replicas)| super::patch::merged(parent, &json!({"spec": {"replicas": replicas}})));
            (parent, scaled)
        } else {
            (sides.before.clone(), sides.after.clone())
        };
        let of = |side: Option<&Value>| side.map(|side| judge::support_of(side, &whole, &task.settings, task.now));
        let nothing = if sides.kind().is_some() { Support::Within } else { Support::NotJudged };
        SupportChange {
            before: match sides.operation {
                Op::Create => nothing,
                _ => of(before.as_ref()).unwrap_or(Support::NotJudged),
            },
            after: match sides.operation {
                _ if voids => Support::Outside,
                Op::Delete if before.is_some() => nothing,
                _ => of(after.as_ref()).unwrap_or(Support::NotJudged),
            },
        }
    }
}

/// A Scale of nothing leaves its number out; people want to read the 0.
fn spelled_out(object: &Value) -> Cow<'_, Value> {
    let scale = object.get("kind").and_then(Value::as_str) == Some("Scale");
    if !scale || object.pointer("/spec/replicas").is_some() {
        return Cow::Borrowed(object);
    }
    Cow::Owned(super::patch::merged(object, &json!({"spec": {"replicas": 0}})))
}

/// Why the rules could not look, where one of them may have had something to say.
fn not_judged(item: &Item, sides: &Sides, complete: bool, refusal: Option<&Refusal>) -> String {
    if complete || sides.kind().is_none() {
        return String::new();
    }
    match (&item.state, refusal) {
        // What is not there, and what kubectl does not send, changes nothing.
        (State::Absent(_), _) => String::new(),
        (_, Some(refusal)) if refusal.who == Refuser::Kubectl => String::new(),
        (State::Unreadable(refusal), _) if refusal.who == Refuser::Rbac => {
            format!("needs get {}, which is forbidden", what(item, &sides.subresource))
        }
        _ => "the object as it would be is not known".to_owned(),
    }
}

fn what(item: &Item, subresource: &str) -> String {
    let slash = if subresource.is_empty() { String::new() } else { format!("/{subresource}") };
    let place = if item.namespace.is_empty() { String::new() } else { format!(" in namespace {}", item.namespace) };
    format!("{}{slash}{place}", item.resource.qualified())
}

fn reference(item: &Item, sides: &Sides) -> ObjectRef {
    let uid =
        [&sides.before, &sides.after].into_iter().flatten().find_map(|side| side.pointer("/metadata/uid")?.as_str());
    // What a rehearsed creation says as uid belongs to nothing.
    let uid = if sides.operation == Op::Create { None } else { uid };
    ObjectRef {
        api_version: item.resource.api_version(),
        kind: item.resource.kind.clone(),
        namespace: item.namespace.clone(),
        name: item.name.clone(),
        uid: uid.unwrap_or_default().to_owned(),
    }
}

fn instead(judged: &[Judged]) -> Vec<Instead> {
    let mut ways: Vec<Instead> = Vec::new();
    for own in judged.iter().filter(|own| own.finding.consequence != Consequence::Info && own.finding.waiver.is_none())
    {
        let commands: Vec<String> =
            own.finding.fix.iter().filter_map(|fix| render::command(fix, &own.finding)).collect();
        match ways.iter_mut().find(|way| way.code == own.finding.code) {
            Some(way) => {
                let more: Vec<String> = commands.into_iter().filter(|c| !way.commands.contains(c)).collect();
                way.commands.extend(more);
            }
            None => ways.push(Instead { code: own.finding.code, text: own.instead, commands }),
        }
    }
    ways
}

const OPENAPI: &str = "/openapi/v3";

/// As many as kubectl lists at a time.
const PAGE: &str = "500";

/// The API server cuts warnings to 256 bytes when there are many, and shows longer ones otherwise.
const MAX_WARNING: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_word_on_who_we_are_is_read_whole() {
        let info = json!({"username": "alice", "groups": ["a", "b"], "extra": {"authentication.kubernetes.io/credential-id": ["X509SHA256=1"]}});
        let user = user_of(&info);
        assert_eq!(
            (user.name.as_str(), user.groups.len(), user.credential_ids),
            ("alice", 2, vec!["X509SHA256=1".to_owned()])
        );
    }

    #[test]
    fn a_scale_of_nothing_says_0() {
        let scale = |spec: Value| json!({"kind": "Scale", "spec": spec});
        assert_eq!(spelled_out(&scale(json!({})))["spec"]["replicas"], 0);
        assert_eq!(spelled_out(&scale(json!({"replicas": 2})))["spec"]["replicas"], 2);
        assert_eq!(*spelled_out(&json!({"kind": "Node"})), json!({"kind": "Node"}));
    }

    #[test]
    fn older_servers_are_asked_group_by_group_preferred_version_first() {
        assert_eq!(older_paths("/api", &json!({"versions": ["v1"]})), ["/api/v1"]);
        let groups = json!({"groups": [{"preferredVersion": {"groupVersion": "apps/v1"}, "versions": [{"groupVersion": "apps/v1beta1"}, {"groupVersion": "apps/v1"}]}]});
        assert_eq!(older_paths("/apis", &groups), ["/apis/apps/v1", "/apis/apps/v1beta1"]);
    }
}
