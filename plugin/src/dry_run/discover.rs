//! The resources that the server serves, and the resolution of a user's word to one of them.

use serde_json::Value;

/// A resource as the server's discovery describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: String,
    /// Version.
    pub version: String,
    /// `Deployment`.
    pub kind: String,
    /// `deployments`.
    pub plural: String,
    /// `deployment`.
    pub singular: String,
    /// `deploy`.
    pub short_names: Vec<String>,
    /// `all` and others.
    pub categories: Vec<String>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// `get`, `patch` …
    pub verbs: Vec<String>,
    /// `status`, `scale` …
    pub subresources: Vec<String>,
}

impl Resource {
    /// `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `nodes` or `deployments.apps`.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }
}

/// The resources that the server serves, in its order of preference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    resources: Vec<Resource>,
}

/// The reason why a word or manifest names no resource of this server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// No resource has this name.
    #[error("the server doesn't have a resource type \"{given}\"{}", nearest.as_ref().map(|word| format!(", did you mean \"{word}\"?")).unwrap_or_default())]
    Unknown {
        /// The word given.
        given: String,
        /// The nearest name the server has.
        nearest: Option<String>,
    },
    /// No such kind exists at this version.
    #[error(
        "no matches for kind \"{kind}\" in version \"{api_version}\": install its CustomResourceDefinition first, or correct apiVersion and kind"
    )]
    NoKind {
        /// The kind.
        kind: String,
        /// The apiVersion.
        api_version: String,
    },
    /// The object has no type.
    #[error("{0} is not set in the manifest")]
    NoType(&'static str),
}

impl Discovery {
    /// A fixed set of resources, in order of preference.
    pub fn new(resources: Vec<Resource>) -> Self {
        Discovery { resources }
    }

    /// Whether there are no resources.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// Adds an `APIGroupDiscoveryList` (Kubernetes 1.26 on). Returns whether the document was one.
    pub fn add_aggregated(&mut self, list: &Value) -> bool {
        if list.get("kind").and_then(Value::as_str) != Some("APIGroupDiscoveryList") {
            return false;
        }
        for item in array(list, "items") {
            let group = text(item.get("metadata").unwrap_or(&Value::Null), "name");
            for version in array(item, "versions") {
                let name = text(version, "version");
                for resource in array(version, "resources") {
                    self.resources.push(Resource {
                        group: group.clone(),
                        version: name.clone(),
                        kind: resource.get("responseKind").map(|kind| text(kind, "kind")).unwrap_or_default(),
                        plural: text(resource, "resource"),
                        singular: text(resource, "singularResource"),
                        short_names: texts(resource, "shortNames"),
                        categories: texts(resource, "categories"),
                        namespaced: text(resource, "scope") == "Namespaced",
                        verbs: texts(resource, "verbs"),
                        subresources: array(resource, "subresources")
                            .iter()
                            .map(|sub| text(sub, "subresource"))
                            .collect(),
                    });
                }
            }
        }
        true
    }

    /// Adds an `APIResourceList` of one group and version, as older servers send it.
    pub fn add_list(&mut self, list: &Value) {
        let group_version = text(list, "groupVersion");
        let (group, version) = split_api_version(&group_version);
        let start = self.resources.len();
        for row in array(list, "resources") {
            let name = text(row, "name");
            if let Some((parent, subresource)) = name.split_once('/') {
                let own = self.resources.iter_mut().skip(start).find(|resource| resource.plural == parent);
                if let Some(own) = own {
                    own.subresources.push(subresource.to_owned());
                }
                continue;
            }
            self.resources.push(Resource {
                group: group.to_owned(),
                version: version.to_owned(),
                kind: text(row, "kind"),
                plural: name,
                singular: text(row, "singularName"),
                short_names: texts(row, "shortNames"),
                categories: texts(row, "categories"),
                namespaced: row.get("namespaced").and_then(Value::as_bool).unwrap_or_default(),
                verbs: texts(row, "verbs"),
                subresources: Vec::new(),
            });
        }
    }

    /// The resource that a word names: by plural, singular, kind or short name, alone or with `.group` or
    /// `.version.group`.
    ///
    /// # Errors
    /// [`ResolveError::Unknown`] with the nearest name.
    pub fn resolve(&self, word: &str) -> Result<&Resource, ResolveError> {
        let (name, qualifier) = word.split_once('.').unwrap_or((word, ""));
        // As in kubectl: plural and singular in any case, kinds and short names as they are spelled.
        let lower = name.to_lowercase();
        let named = |resource: &Resource| {
            let is_singular = match &*resource.singular {
                "" => resource.kind.to_lowercase() == lower,
                singular => singular == lower,
            };
            resource.plural == lower || is_singular || resource.kind == name
        };
        let fits = |resource: &&Resource| {
            qualifier.is_empty()
                || resource.group == qualifier
                || format!("{}.{}", resource.version, resource.group) == qualifier
        };
        let by_name = self.resources.iter().filter(fits).find(|resource| named(resource));
        let found = by_name.or_else(|| {
            self.resources.iter().filter(fits).find(|resource| resource.short_names.iter().any(|short| short == name))
        });
        found.ok_or_else(|| {
            let known = self.resources.iter().map(|resource| resource.plural.as_str());
            let nearest = aksarc_shared::text::nearest(word, known).map(str::to_owned);
            ResolveError::Unknown { given: word.to_owned(), nearest }
        })
    }

    /// The resources that a word names: those of a category, such as `all`, or else the one of [`Discovery::resolve`].
    ///
    /// # Errors
    /// As [`Discovery::resolve`].
    pub fn resolve_all(&self, word: &str) -> Result<Vec<&Resource>, ResolveError> {
        let mut members: Vec<&Resource> = Vec::new();
        for resource in self.resources.iter().filter(|resource| resource.categories.iter().any(|own| own == word)) {
            // One version of each, the preferred one.
            if !members.iter().any(|own| own.group == resource.group && own.plural == resource.plural) {
                members.push(resource);
            }
        }
        if members.is_empty() { Ok(vec![self.resolve(word)?]) } else { Ok(members) }
    }

    /// The resource of a kind, at the version that the server prefers.
    pub fn of_kind(&self, group: &str, kind: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.group == group && resource.kind == kind)
    }

    /// The resource of a manifest, by its `apiVersion` and `kind`.
    ///
    /// # Errors
    /// [`ResolveError::NoKind`] and [`ResolveError::NoType`].
    pub fn of_manifest(&self, manifest: &Value) -> Result<&Resource, ResolveError> {
        let (api_version, kind) = (text(manifest, "apiVersion"), text(manifest, "kind"));
        if kind.is_empty() {
            return Err(ResolveError::NoType("kind"));
        }
        if api_version.is_empty() {
            return Err(ResolveError::NoType("apiVersion"));
        }
        let (group, version) = split_api_version(&api_version);
        let found = self.resources.iter().find(|r| r.group == group && r.version == version && r.kind == kind);
        found.ok_or(ResolveError::NoKind { kind, api_version })
    }
}

/// Group and version of an `apiVersion`: `("apps", "v1")` for `apps/v1`, `("", "v1")` for `v1`.
pub fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

fn array<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn texts(value: &Value, key: &str) -> Vec<String> {
    array(value, key).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Both versions of aggregated discovery, and the format of older servers.
pub const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// A small server: nodes, pods, deployments in two versions, and a resource whose plural is another's short name.
    pub(crate) fn served() -> Discovery {
        let mut discovery = Discovery::default();
        let resource = |plural: &str,
                        kind: &str,
                        short: &[&str],
                        scope: &str,
                        subresources: &[&str],
                        categories: &[&str]| {
            let subresources: Vec<Value> = subresources.iter().map(|name| json!({"subresource": name})).collect();
            json!({
                "resource": plural, "singularResource": kind.to_lowercase(), "responseKind": {"kind": kind}, "scope": scope,
                "shortNames": short, "categories": categories, "verbs": ["get", "list", "patch", "delete", "create"],
                "subresources": subresources,
            })
        };
        assert!(discovery.add_aggregated(
            &json!({"kind": "APIGroupDiscoveryList", "items": [{"metadata": {}, "versions": [
                {"version": "v1", "resources": [
                    resource("nodes", "Node", &["no"], "Cluster", &["status"], &[]),
                    resource("pods", "Pod", &["po"], "Namespaced", &["status", "ephemeralcontainers"], &["all"]),
                    resource("configmaps", "ConfigMap", &["cm"], "Namespaced", &[], &[]),
                    resource("events", "Event", &["ev"], "Namespaced", &[], &[]),
                ]},
            ]}]})
        ));
        assert!(discovery.add_aggregated(&json!({"kind": "APIGroupDiscoveryList", "items": [
            {"metadata": {"name": "apps"}, "versions": [
                {"version": "v1", "resources": [resource("deployments", "Deployment", &["deploy"], "Namespaced", &["status", "scale"], &["all"])]},
                {"version": "v1beta1", "resources": [resource("deployments", "Deployment", &["deploy"], "Namespaced", &["scale"], &["all"])]},
            ]},
            {"metadata": {"name": "events.k8s.io"}, "versions": [
                {"version": "v1", "resources": [resource("events", "Event", &["ev"], "Namespaced", &[], &[])]},
            ]},
            {"metadata": {"name": "example.com"}, "versions": [
                {"version": "v1", "resources": [resource("widgets", "Widget", &[], "Namespaced", &[], &[])]},
            ]},
        ]})));
        discovery
    }

    #[test]
    fn every_spelling_kubectl_takes_is_understood() {
        let served = served();
        for word in [
            "deployments",
            "deployment",
            "Deployment",
            "deploy",
            "deployments.apps",
            "deploy.apps",
            "deployments.v1.apps",
            "DEPLOYMENTS.apps",
        ] {
            let found = served.resolve(word).unwrap();
            assert_eq!((found.qualified().as_str(), found.version.as_str()), ("deployments.apps", "v1"), "{word}");
        }
        let capitals = served.resolve("DEPLOY").unwrap_err();
        assert!(matches!(capitals, ResolveError::Unknown { .. }), "kubectl takes short names as they are spelled");
        assert_eq!(served.resolve("deployments.v1beta1.apps").unwrap().version, "v1beta1");
        assert_eq!(served.resolve("events").unwrap().group, "");
        assert_eq!(served.resolve("events.events.k8s.io").unwrap().group, "events.k8s.io");
    }

    #[test]
    fn unknown_words_get_a_suggestion() {
        let error = served().resolve("node.apps").unwrap_err();
        assert_eq!(error.to_string(), "the server doesn't have a resource type \"node.apps\"");
        let error = served().resolve("deploymens").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the server doesn't have a resource type \"deploymens\", did you mean \"deployments\"?"
        );
    }

    #[test]
    fn a_category_means_each_member_once() {
        let served = served();
        let all: Vec<String> = served.resolve_all("all").unwrap().iter().map(|r| r.qualified()).collect();
        assert_eq!(all, ["pods", "deployments.apps"]);
        assert_eq!(served.resolve_all("po").unwrap().len(), 1);
    }

    #[test]
    fn manifests_are_matched_by_exact_version() {
        let served = served();
        assert_eq!(
            served.of_manifest(&json!({"apiVersion": "apps/v1", "kind": "Deployment"})).unwrap().plural,
            "deployments"
        );
        let other = served.of_manifest(&json!({"apiVersion": "apps/v9", "kind": "Deployment"})).unwrap_err();
        assert!(other.to_string().contains("apps/v9"), "{other}");
        assert_eq!(served.of_manifest(&json!({"kind": "Node"})), Err(ResolveError::NoType("apiVersion")));
    }

    #[test]
    fn older_servers_lists_are_read_too() {
        let mut discovery = Discovery::default();
        assert!(!discovery.add_aggregated(&json!({"kind": "APIGroupList"})));
        discovery.add_list(&json!({"groupVersion": "apps/v1", "resources": [
            {"name": "deployments", "singularName": "", "kind": "Deployment", "namespaced": true, "shortNames": ["deploy"]},
            {"name": "deployments/scale", "kind": "Scale", "namespaced": true},
        ]}));
        let found = discovery.resolve("deploy").unwrap();
        assert_eq!(found.subresources, ["scale"]);
        assert_eq!(
            found.path("kube-system", "core dns", "scale").as_str(),
            "/apis/apps/v1/namespaces/kube-system/deployments/core%20dns/scale"
        );
    }
}
