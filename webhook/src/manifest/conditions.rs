//! The match conditions of the guard's webhooks, by which the API server decides whether to ask the guard.

use std::fmt::Write;

use aksarc_shared::data::{Data, Identity, Pattern};
use aksarc_shared::facts::actor::{Ambiguous, Matchers};
use aksarc_shared::verdict::guard::{Guard, Settings};
use serde::Serialize;
use serde_json::{Value, json};

use super::namespaces::protected;
use super::template::{indent, quoted};

/// The condition for workloads that gain power over nodes. Pods are made all the time, so only these are asked about;
/// the table of what gives such power is the engine's own.
pub(super) fn power_over_nodes(data: &Data) -> MatchCondition {
    let kinds: [(&str, &[&str]); 3] = [
        ("object.spec", &["pods"]),
        (
            "object.spec.template.spec",
            &["daemonsets", "deployments", "jobs", "replicasets", "replicationcontrollers", "statefulsets"],
        ),
        ("object.spec.jobTemplate.spec.template.spec", &["cronjobs"]),
    ];
    let all: Vec<String> = kinds.iter().flat_map(|(_, names)| names.iter().map(|name| (*name).to_owned())).collect();
    let mut expression = format!("!(request.resource.resource in {}) || object == null", list(&all));
    for (pod, names) in kinds {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut terms = unusual(pod);
        terms.extend([
            format!("(has({pod}.volumes) && {pod}.volumes.exists(v, has(v.hostPath)))"),
            host_process(&format!("{pod}.securityContext"), pod),
        ]);
        for containers in ["containers", "initContainers", "ephemeralContainers"] {
            // Only a pod has ephemeral containers: where a kind has no such field, asking for it would be an error.
            if containers != "ephemeralContainers" || pod == "object.spec" {
                terms.push(strong_container(&format!("{pod}.{containers}"), pod, data));
            }
        }
        if pod == "object.spec" {
            terms.push(debug_pod(data));
        }
        // Writing to a string does not fail.
        let _ = write!(
            expression,
            " ||\n(request.resource.resource in {} &&\n (\n  {}))",
            list(&names),
            terms.join(" ||\n  ")
        );
    }
    MatchCondition {
        name: "power-over-nodes",
        why: "Of workloads, only those that mount the host's paths, are privileged, or are given what reaches beyond a pod.",
        expression,
    }
}

/// The terms for pods with more containers, or more capabilities of one, than anybody needs. They come first: the API server
/// gives up a condition that costs too much, and goes on without the guard.
fn unusual(pod: &str) -> Vec<String> {
    let lists = ["containers", "initContainers"].map(|list| format!("{pod}.{list}"));
    let long = lists.iter().map(|list| format!("(has({list}) && {list}.size() > {USUAL})"));
    let strong = lists.iter().map(|list| {
        format!(
            "(has({list}) && {list}.exists(c, has(c.securityContext) && has(c.securityContext.capabilities) &&\n    \
             has(c.securityContext.capabilities.add) && c.securityContext.capabilities.add.size() > {USUAL}))"
        )
    });
    long.chain(strong).collect()
}

/// More than the capabilities of Linux (41, capabilities(7)) with room, and more than the containers of any pod of ours.
const USUAL: usize = 50;

/// The term for the pods of `kubectl debug node/...`, which reach for the node by the host's namespaces alone.
fn debug_pod(data: &Data) -> String {
    let shares: Vec<String> = ["hostNetwork", "hostPID", "hostIPC"]
        .iter()
        .map(|field| format!("(has(object.spec.{field}) && object.spec.{field})"))
        .collect();
    let prefix = quoted(&data.node_power.debug_pods.prefix);
    let named = |field: &str| format!("(has(object.metadata.{field}) && object.metadata.{field}.startsWith({prefix}))");
    format!("(({} || {}) &&\n   ({}))", named("name"), named("generateName"), shares.join(" || "))
}

/// The term that is true when one of a list of containers is privileged, or has a capability that reaches beyond the
/// pod.
fn strong_container(containers: &str, pod: &str, data: &Data) -> String {
    let rows = &data.node_power.capabilities;
    let mut needs: Vec<_> = rows.iter().map(|row| row.needs).collect();
    needs.dedup();
    let capabilities = needs.into_iter().map(|need| {
        let own = rows.iter().filter(|row| row.needs == need);
        let names = own.flat_map(|row| [row.name.clone(), format!("CAP_{}", row.name)]).collect::<Vec<_>>();
        let given = format!("c.securityContext.capabilities.add.exists(a, a in {})", list(&names));
        match need {
            Some(need) => format!("(has({pod}.{field}) && {pod}.{field} && {given})", field = need.field()),
            None => given,
        }
    });
    format!(
        "(has({containers}) && {containers}.exists(c, has(c.securityContext) &&\n   \
         ((has(c.securityContext.privileged) && c.securityContext.privileged) ||\n    \
         {} ||\n    \
         (has(c.securityContext.capabilities) && has(c.securityContext.capabilities.add) &&\n     \
         ({})))))",
        host_process("c.securityContext", "c"),
        capabilities.collect::<Vec<_>>().join(" ||\n      "),
    )
}

fn host_process(context: &str, of: &str) -> String {
    format!(
        "(has({of}.securityContext) && has({context}.windowsOptions) &&\n    \
         has({context}.windowsOptions.hostProcess) && {context}.windowsOptions.hostProcess)"
    )
}

/// A match condition: true when the guard must be asked. An error skips the guard under `failurePolicy: Ignore`, so
/// each looks before it reads. Only the language of Kubernetes 1.28 is used.
#[derive(Clone, Debug)]
pub(super) struct MatchCondition {
    name: &'static str,
    why: &'static str,
    expression: String,
}

impl MatchCondition {
    pub(super) fn expression(&self) -> &str {
        &self.expression
    }

    /// Its object, as a webhook has it.
    pub(super) fn to_json(&self) -> Value {
        json!({"name": self.name, "expression": self.expression})
    }

    pub(super) fn render(&self) -> String {
        let expression = indent(&self.expression, 4);
        indent(&format!("# {}\n- name: {}\n  expression: |-\n{expression}", self.why, self.name), 2)
    }
}

/// The condition that leaves the platform's requests out. It has the engine's order: configured people are judged
/// whatever else they are, then the platform is let through.
pub(super) fn not_the_platform(data: &Data, settings: &Settings) -> MatchCondition {
    let people = &settings.actors.people;
    let mut terms = Vec::new();
    if !people.credential_ids.is_empty() {
        terms.push(credential_in(&people.credential_ids));
    }
    if !people.users.is_empty() {
        terms.push(user_in(&people.users));
    }
    if !people.groups.is_empty() {
        terms.push(group_in(&people.groups));
    }
    terms.push(format!("!({})", built_in(data)));
    MatchCondition {
        name: "not-the-platform",
        why: "Kubelets and the platform's own controllers, by exact name, are not asked about.",
        expression: terms.join(" ||\n"),
    }
}

/// The expression that is true for a request that the guard may refuse, of policies from Kubernetes 1.30 on: a person's. It
/// has the engine's order: credential ids distinguish users of the same name, then people are told from the platform.
pub(super) fn a_person(data: &Data, terms: &PersonTerms) -> String {
    let PersonTerms { people, platform, ambiguous } = terms;
    format!(
        "{} ||\n(!{} &&\n ({} ||\n {} ||\n !({} ||\n  {} ||\n  {}{ambiguous})))",
        people.credential_ids,
        platform.credential_ids,
        people.users,
        people.groups,
        platform.users,
        platform.groups,
        built_in(data),
    )
}

/// The terms of [`a_person`] that depend on a configuration.
pub(super) struct PersonTerms {
    pub(super) people: IdentityTerms,
    pub(super) platform: IdentityTerms,
    /// Begins with the operator that adds it to the platform's identities; empty where nothing is added.
    pub(super) ambiguous: String,
}

impl PersonTerms {
    pub(super) fn of(guard: &Guard) -> Self {
        let actors = &guard.settings().actors;
        PersonTerms {
            people: IdentityTerms::of(&actors.people),
            platform: IdentityTerms::of(&actors.platform),
            ambiguous: match actors.ambiguous {
                Ambiguous::Deny => String::new(),
                Ambiguous::Warn => shared_with_people(guard.data()),
            },
        }
    }
}

/// The terms that are true for a request of one of these identities.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IdentityTerms {
    pub(super) credential_ids: String,
    pub(super) groups: String,
    pub(super) users: String,
}

impl IdentityTerms {
    pub(super) fn of(identities: &Matchers) -> Self {
        IdentityTerms {
            credential_ids: credential_in(&identities.credential_ids),
            groups: group_in(&identities.groups),
            users: user_in(&identities.users),
        }
    }
}

/// The term for identities that could be the platform's or a person's, where no people's tool shows in the request.
pub(super) fn shared_with_people(data: &Data) -> String {
    let shared = group_in(&data.identities.ambiguous_groups);
    format!(
        " ||\n  ((!has(request.userInfo.username) || request.userInfo.username == \"\" || {shared}) &&\n   \
         !request.?options.?fieldManager.orValue(\"\").lowerAscii().matches({}))",
        tools(data)
    )
}

/// A regular expression in CEL for the field managers of people's tools, in small letters.
pub(super) fn tools(data: &Data) -> String {
    let people = || data.managers.people.iter().map(|tool| &tool.manager);
    let prefixes = alternatives(people().filter_map(Pattern::prefix));
    quoted(&format!("^(({})(\\.exe)?|({prefixes}).*)$", alternatives(people().filter_map(Pattern::exact))))
}

/// A regular expression in CEL for the field managers of these programs, in small letters.
pub(super) fn programs<'n>(names: impl Iterator<Item = &'n str>) -> String {
    quoted(&format!("^({})(\\.exe)?$", alternatives(names)))
}

fn alternatives<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.map(|name| name.to_ascii_lowercase().replace('.', "\\.")).collect::<Vec<_>>().join("|")
}

/// The term for the platform's own identities.
fn built_in(data: &Data) -> String {
    let users: Vec<String> = data.identities.users.iter().map(|row| row.name.clone()).collect();
    let (accounts, groups): (Vec<&Identity>, Vec<&Identity>) =
        data.identities.groups.iter().partition(|row| row.account_prefix().is_some());
    let groups: Vec<String> = groups.iter().map(|row| row.name.clone()).collect();
    let mut platform = vec![user_in(&users), group_in(&groups)];
    platform.extend(accounts.into_iter().filter_map(account));
    platform.join(" ||\n  ")
}

fn credential_in(ids: &[String]) -> String {
    if ids.is_empty() {
        return "false".to_owned();
    }
    format!(
        "(has(request.userInfo.extra) && {key} in request.userInfo.extra &&\n \
         request.userInfo.extra[{key}].exists(id, id in {}))",
        list(ids),
        key = quoted("authentication.kubernetes.io/credential-id"),
    )
}

/// The term for the service accounts of a namespace, by group and by name.
fn account(row: &Identity) -> Option<String> {
    let (group, prefix) = (quoted(&row.name), quoted(&row.account_prefix()?));
    Some(format!(
        "(has(request.userInfo.groups) && {group} in request.userInfo.groups &&\n   \
         has(request.userInfo.username) && request.userInfo.username.startsWith({prefix}))"
    ))
}

fn user_in(users: &[String]) -> String {
    if users.is_empty() {
        return "false".to_owned();
    }
    format!("(has(request.userInfo.username) && request.userInfo.username in {})", list(users))
}

fn group_in(groups: &[String]) -> String {
    if groups.is_empty() {
        return "false".to_owned();
    }
    format!("(has(request.userInfo.groups) && request.userInfo.groups.exists(group, group in {}))", list(groups))
}

/// The condition for writes of a node's status: only those that change metadata or spec along with it are asked about,
/// since kubelets write status every few seconds.
pub(super) fn node_status_with_a_change() -> MatchCondition {
    let mut expression = "request.resource.resource != \"nodes\" || request.operation != \"UPDATE\" ||\n\
         !has(request.subResource) || request.subResource != \"status\" ||\nobject == null || oldObject == null"
        .to_owned();
    for field in ["metadata.labels", "metadata.annotations", "metadata.ownerReferences", "spec"] {
        let (new, old) = (format!("object.{field}"), format!("oldObject.{field}"));
        // Writing to a string does not fail.
        let _ = write!(expression, " ||\nhas({new}) != has({old}) ||\n(has({new}) && {new} != {old})");
    }
    MatchCondition {
        name: "node-status-with-a-change",
        why: "Status of nodes is written all the time; only labels, annotations, owners and spec are looked at.",
        expression,
    }
}

pub(super) fn protected_namespace(data: &Data) -> MatchCondition {
    let names: Vec<String> = protected(data).into_iter().map(str::to_owned).collect();
    MatchCondition {
        name: "protected-namespace",
        why: "Of namespaces, only the system's are asked about.",
        expression: format!(
            "request.resource.resource != \"namespaces\" || !has(request.name) ||\nrequest.name in {}",
            list(&names)
        ),
    }
}

/// A list of string literals in CEL, one on each line.
fn list(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("  {}", quoted(name))).collect();
    format!("[\n{}\n  ]", names.join(",\n"))
}
