//! Paths of API requests, with the resource that they lead to.

use aksarc_shared::k8s::kinds::escaped;

use super::discover::Resource;

/// The path of a request for a resource, with the parts that decide which server answers it. It is made from a
/// [`Resource`] alone, so that a decision about the group is one about the path that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiPath {
    group: String,
    version: String,
    plural: String,
    subresource: String,
    text: String,
}

impl ApiPath {
    /// API group; empty for the core group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// `deployments`.
    pub fn plural(&self) -> &str {
        &self.plural
    }

    /// `status`; empty for the object itself, and for all objects.
    pub fn subresource(&self) -> &str {
        &self.subresource
    }

    /// The path itself, escaped.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl From<ApiPath> for String {
    fn from(path: ApiPath) -> String {
        path.text
    }
}

impl Resource {
    /// The path of the list in a namespace, or in the whole cluster when `namespace` is empty.
    pub fn list_path(&self, namespace: &str) -> ApiPath {
        let root = if self.group.is_empty() {
            format!("/api/{}", escaped(&self.version))
        } else {
            format!("/apis/{}/{}", escaped(&self.group), escaped(&self.version))
        };
        let text = if self.namespaced && !namespace.is_empty() {
            format!("{root}/namespaces/{}/{}", escaped(namespace), escaped(&self.plural))
        } else {
            format!("{root}/{}", escaped(&self.plural))
        };
        let (group, version, plural) = (self.group.clone(), self.version.clone(), self.plural.clone());
        ApiPath { group, version, plural, subresource: String::new(), text }
    }

    /// The path of one object or of its subresource.
    pub fn path(&self, namespace: &str, name: &str, subresource: &str) -> ApiPath {
        let mut path = self.list_path(namespace);
        // The slash stays before an empty name: without it the path would be that of all objects.
        path.text = format!("{}/{}", path.text, escaped(name));
        if !subresource.is_empty() {
            path.text = format!("{}/{}", path.text, escaped(subresource));
            subresource.clone_into(&mut path.subresource);
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_what_it_leads_to_and_names_cannot_lead_elsewhere() {
        let resource = |group: &str, namespaced: bool| Resource {
            group: group.to_owned(),
            version: "v1".to_owned(),
            plural: "widgets".to_owned(),
            namespaced,
            ..Resource::default()
        };
        let path = resource("example.com", true).path("ns", "../a", "status");
        assert_eq!((path.group(), path.version(), path.plural()), ("example.com", "v1", "widgets"));
        assert_eq!(path.subresource(), "status");
        assert_eq!(path.as_str(), "/apis/example.com/v1/namespaces/ns/widgets/..%2Fa/status");
        assert_eq!(resource("", true).path("ns", "", "").as_str(), "/api/v1/namespaces/ns/widgets/");
        assert_eq!(resource("", false).list_path("ns").as_str(), "/api/v1/widgets");
    }
}
