//! The generated parts of the Helm chart: what [`render`](super::render) makes of the rules, in a form that the chart's
//! templates complete with an installer's values. None of it is used when the guard runs.

mod pods;
pub mod rules;
pub mod values;

use std::collections::{BTreeMap, BTreeSet};

use aksarc_shared::data::{self, Data};
use aksarc_shared::k8s::read::yaml;
use aksarc_shared::rules::catalogue;
use aksarc_shared::rules::derive;
use aksarc_shared::rules::rule::{Mode, Watched};
use aksarc_shared::verdict::guard::Settings;
use serde_json::{Map, Value, json};

use super::conditions::not_the_platform;
use super::namespaces::protected;
use super::{ManifestOptions, fill, protection, render, shapes};

/// What the API server asks the guard about, as JSON: webhooks with the rules that need each of their parts, so that the
/// chart leaves out or adds what a configuration does.
pub fn webhooks() -> String {
    let data = data::embedded();
    let everything = modes(|_| Mode::Deny);
    let asked = rows(derive::watched(&everything), derive::watched);
    let everywhere = rows(derive::watched_everywhere(&everything), derive::watched_everywhere);
    let webhooks: Vec<Value> = shapes(data)
        .iter()
        .map(|shape| {
            let rows = shape.namespaces.of(&asked, &everywhere);
            let own = rows.iter().filter(|(watched, _)| shape.namespaces.asks(watched.kind));
            json!({
                "name": shape.name,
                "matchPolicy": shape.match_policy,
                "namespaces": shape.namespaces,
                "conditions": shape.conditions.iter().map(super::MatchCondition::to_json).collect::<Vec<_>>(),
                "asked": own.map(|(_, row)| row.clone()).collect::<Vec<_>>(),
            })
        })
        .collect();
    let guarding = catalogue::ALL.iter().filter(|rule| !rule.guards.is_empty());
    let rules: Map<String, Value> = guarding
        .map(|rule| (rule.code.as_str().to_owned(), json!({"slug": rule.slug, "off": rule.mode == Mode::Off})))
        .collect();
    pretty(&json!({
        "head": head(),
        "identity": identity(data),
        "namespaces": {"always": protected(data), "withKind": namespaces_with(data)},
        "rules": rules,
        "webhooks": webhooks,
    }))
}

/// The objects that give the guard its rights and records, as the manifest has them.
pub fn rights() -> String {
    let text = render(&ManifestOptions::default());
    let own = text.split("---\n").filter(|text| {
        let documents = yaml::documents(text).unwrap_or_default();
        let kind = documents.first().and_then(|document| document.get("kind")?.as_str().map(str::to_owned));
        kind.is_some_and(|kind| RIGHTS.contains(&&*kind))
    });
    format!("{NOTE}{}", own.collect::<Vec<_>>().join("---\n"))
}

/// The policies that protect the guard, with places for further identities of the platform.
pub fn policies() -> String {
    let mut settings = Settings::default();
    settings.actors.platform.users.push("{more-users}".to_owned());
    settings.actors.platform.groups.push("{more-groups}".to_owned());
    settings.actors.platform.credential_ids.push("{credentials}".to_owned());
    format!("{NOTE}{}", protection::render(&settings))
}

/// The kinds of objects that give the guard its rights and records.
const RIGHTS: [&str; 6] = ["ClusterRole", "ClusterRoleBinding", "ConfigMap", "Role", "RoleBinding", "ServiceAccount"];

const NOTE: &str = "# Generated from the rules by `cargo xtask generate`.\n";

/// A webhook's fields that are the same for all of them and for all installers.
fn head() -> Value {
    let empty = ["name", "policy", "authority", "selector", "rules", "conditions"].map(|name| (name, ""));
    let own = [("namespace", super::NAMESPACE), ("service", super::SERVICE)];
    let text = fill(include_str!("../../manifest/webhook.yaml"), &[&empty[..], &own].concat());
    let webhook = yaml::documents(&text).unwrap_or_default().pop().unwrap_or_default();
    let fields = webhook.get(0).and_then(Value::as_object).cloned().unwrap_or_default();
    fields.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<String, Value>>().into()
}

/// The condition that leaves the platform out, and the terms before it for each sort of people, with a place for names.
fn identity(data: &Data) -> Value {
    let plain = not_the_platform(data, &Settings::default());
    let term = |give: fn(&mut Settings) -> &mut Vec<String>| {
        let mut settings = Settings::default();
        give(&mut settings).push("{names}".to_owned());
        let with = not_the_platform(data, &settings).to_json();
        let text = with.get("expression").and_then(Value::as_str).unwrap_or_default().to_owned();
        text.strip_suffix(plain.expression()).map(str::to_owned)
    };
    json!({
        "condition": plain.to_json(),
        "people": {
            "credentialIds": term(|settings| &mut settings.actors.people.credential_ids),
            "users": term(|settings| &mut settings.actors.people.users),
            "groups": term(|settings| &mut settings.actors.people.groups),
        },
    })
}

/// By kind, the namespaces of components of it.
fn namespaces_with(data: &Data) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for component in data.components.iter().filter(|component| !component.namespaces.is_empty()) {
        for kind in &component.kinds {
            found.entry(kind).or_default().extend(component.namespaces.iter().map(String::as_str));
        }
    }
    found
}

/// The watched kinds, each with its row of the chart: the operations that each rule needs.
fn rows(watched: Vec<Watched>, of: impl Fn(&BTreeMap<String, Mode>) -> Vec<Watched>) -> Vec<(Watched, Value)> {
    let alone: BTreeMap<&str, Vec<Watched>> = catalogue::ALL
        .iter()
        .map(|rule| {
            let code = rule.code.as_str();
            (code, of(&modes(|other| if other == code { Mode::Deny } else { Mode::Off })))
        })
        .collect();
    let row = |watched: &Watched| {
        let operations: Map<String, Value> = watched
            .codes
            .iter()
            .filter_map(|code| {
                let own = alone
                    .get(code)?
                    .iter()
                    .find(|own| (own.kind, own.subresource) == (watched.kind, watched.subresource))?;
                let operations: Vec<&str> = own.operations.iter().map(|operation| operation.as_str()).collect();
                Some(((*code).to_owned(), json!(operations)))
            })
            .collect();
        json!({
            "group": watched.kind.group,
            "versions": watched.kind.versions().collect::<Vec<_>>(),
            "resource": watched.resource(),
            "kind": watched.kind.kind,
            "scope": if watched.kind.namespaced { "Namespaced" } else { "Cluster" },
            "operations": operations,
        })
    };
    let rows: Vec<Value> = watched.iter().map(row).collect();
    watched.into_iter().zip(rows).collect()
}

/// A mode for each rule.
fn modes(of: impl Fn(&str) -> Mode) -> BTreeMap<String, Mode> {
    catalogue::ALL.iter().map(|rule| (rule.code.as_str().to_owned(), of(rule.code.as_str()))).collect()
}

fn pretty(value: &Value) -> String {
    // Maps and strings only, which always serialise.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}
