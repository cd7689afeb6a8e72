//! The servers of groups and versions, as listed by the API server.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use aksarc_shared::k8s::kinds;
use aksarc_shared::text;
use serde_json::Value;

use crate::dry_run::api_path::ApiPath;
use crate::dry_run::listing;
use crate::dry_run::session::Session;

/// The known servers of groups and versions.
pub(super) enum Registry {
    /// All APIServices, by group and version.
    ApiServices(BTreeMap<(String, String), Server>),
    /// APIServices could not be listed.
    Unlisted {
        /// The reason.
        why: String,
        /// The CustomResourceDefinitions that were read instead.
        definitions: Definitions,
    },
}

/// The server of a group and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// The API server itself.
    Kubernetes,
    /// The server behind a Service, by its namespace and name.
    Service(String),
}

/// The definitions that were read, by name: the versions that each serves, or the reason why they are not known.
#[derive(Default)]
pub(super) struct Definitions(BTreeMap<String, Result<Vec<String>, String>>);

impl Registry {
    pub(super) async fn read(session: &Session) -> Self {
        let listed = listing::all(session, &kinds::API_SERVICE, &kinds::API_SERVICE.list_path(None), "").await;
        match listed.and_then(|items| api_services(&items)) {
            Ok(services) => Registry::ApiServices(services),
            Err(why) => Registry::Unlisted { why, definitions: Definitions::default() },
        }
    }
}

/// The key of the APIService of a path.
pub(super) fn key(path: &ApiPath) -> (String, String) {
    (path.group().to_owned(), path.version().to_owned())
}

impl Definitions {
    /// Checks that a CustomResourceDefinition serves a resource at the path's version; `Err` says why that is not
    /// known.
    pub(super) async fn ask(&mut self, session: &Session, path: &ApiPath) -> Result<(), String> {
        let name = format!("{}.{}", path.plural(), path.group());
        let versions = match self.0.entry(name.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                // A list of one: the right to list is enough for it.
                let definitions = &kinds::CUSTOM_RESOURCE_DEFINITION;
                let selector = format!("metadata.name={name}");
                let items = listing::all(session, definitions, &definitions.list_path(None), &selector).await;
                new.insert(items.map(|items| served_versions(&items, path)))
            }
        };
        let versions = versions.as_ref().map_err(String::clone)?;
        if versions.iter().any(|own| own == path.version()) {
            return Ok(());
        }
        Err(format!("no CustomResourceDefinition serves {name} at {}", path.version()))
    }
}

/// The server of each group and version. One APIService that cannot be parsed leaves all of them unknown.
fn api_services(items: &[Value]) -> Result<BTreeMap<(String, String), Server>, String> {
    let mut services = BTreeMap::new();
    for item in items {
        let word = |pointer: &str| item.pointer(pointer).and_then(Value::as_str);
        let Some(version) = word("/spec/version") else {
            let name = text::line(word("/metadata/name").unwrap_or_default(), MAX_NAME);
            return Err(format!("cannot parse the APIService {name}: it has no spec.version"));
        };
        let group = word("/spec/group").unwrap_or_default();
        let server = match item.pointer("/spec/service") {
            None | Some(Value::Null) => Server::Kubernetes,
            Some(_) => {
                let part = |pointer: &str| word(pointer).unwrap_or("?");
                let name = format!("{}/{}", part("/spec/service/namespace"), part("/spec/service/name"));
                Server::Service(text::line(&name, MAX_NAME))
            }
        };
        services.insert((group.to_owned(), version.to_owned()), server);
    }
    Ok(services)
}

/// The versions at which definitions serve the path's resource.
fn served_versions(items: &[Value], path: &ApiPath) -> Vec<String> {
    let is_own = |item: &&Value| {
        let word = |pointer: &str| item.pointer(pointer).and_then(Value::as_str);
        word("/spec/group") == Some(path.group()) && word("/spec/names/plural") == Some(path.plural())
    };
    let versions = items.iter().filter(is_own).filter_map(|item| item.pointer("/spec/versions")?.as_array()).flatten();
    let served = versions.filter(|version| version.get("served").and_then(Value::as_bool) == Some(true));
    served.filter_map(|version| version.get("name")?.as_str()).map(str::to_owned).collect()
}

/// The longest name that is shown. Names of namespaces and Services are shorter.
const MAX_NAME: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dry_run::discover::Resource;
    use serde_json::json;

    #[test]
    fn an_api_service_without_a_service_is_kubernetes_own() {
        let items = [
            json!({"metadata": {"name": "v1."}, "spec": {"version": "v1"}}),
            json!({"metadata": {"name": "v1.apps"}, "spec": {"group": "apps", "version": "v1", "service": null}}),
            json!({"spec": {"group": "a.example", "version": "v1", "service": {"namespace": "shop", "name": "api", "port": 443}}}),
            json!({"spec": {"group": "b.example", "version": "v1", "service": {}}}),
        ];
        let services = api_services(&items).unwrap();
        let of = |group: &str| services[&(group.to_owned(), "v1".to_owned())].clone();
        assert_eq!((of(""), of("apps")), (Server::Kubernetes, Server::Kubernetes));
        assert_eq!(of("a.example"), Server::Service("shop/api".to_owned()));
        assert_eq!(of("b.example"), Server::Service("?/?".to_owned()), "what it is handed to does not matter");
    }

    #[test]
    fn one_api_service_that_is_not_understood_leaves_all_unknown() {
        let items = [json!({"spec": {"version": "v1"}}), json!({"metadata": {"name": "odd"}, "spec": {}})];
        let why = "cannot parse the APIService odd: it has no spec.version";
        assert_eq!(api_services(&items).unwrap_err(), why);
    }

    #[test]
    fn a_definition_counts_for_its_own_resource_at_the_versions_it_serves() {
        let resource = Resource {
            group: "shop.example".to_owned(),
            version: "v1".to_owned(),
            plural: "widgets".to_owned(),
            ..Resource::default()
        };
        let path = resource.list_path("");
        let versions = json!([{"name": "v1", "served": true}, {"name": "v1beta1", "served": false}, {"name": "v2"}]);
        let of = |group: &str, plural: &str| {
            let item = json!({"spec": {"group": group, "names": {"plural": plural}, "versions": versions}});
            served_versions(&[item], &path)
        };
        assert_eq!(of("shop.example", "widgets"), ["v1"]);
        assert!(of("shop.example", "gadgets").is_empty() && of("other.example", "widgets").is_empty());
    }
}
