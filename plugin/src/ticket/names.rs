//! The names in a result or a snapshot that tell whose cluster it is: of nodes, users' namespaces, people, hosts and the cluster.

use std::collections::BTreeMap;
use std::net::IpAddr;

use aksarc_shared::data::{embedded, own};
use aksarc_shared::facts::azure_resource;
use aksarc_shared::verdict::report::v1::{InputKindV1, ReportV1};
use serde_json::Value;

use super::pseudonyms::NameClass;

/// Names that tell whose cluster it is, each with its class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TellingNames(BTreeMap<String, NameClass>);

impl TellingNames {
    /// The names, and their classes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, NameClass)> {
        self.0.iter().map(|(name, class)| (name.as_str(), *class))
    }

    /// Adds the names that a report holds.
    pub(crate) fn add_report(&mut self, report: &ReportV1) {
        if report.input.kind == InputKindV1::Cluster {
            self.add(NameClass::Cluster, &report.cluster.context);
        }
        self.add_address(&report.cluster.server);
        for finding in &report.findings {
            let object = &finding.object;
            match &*object.kind {
                "Node" => self.add(NameClass::Node, &object.name),
                "Namespace" => self.add_namespace(&object.name),
                _ => {}
            }
            self.add_namespace(&object.namespace);
            for member in &finding.members {
                match *member.split('/').collect::<Vec<_>>() {
                    [namespace, _, _] => self.add_namespace(namespace),
                    [alone] if object.kind != "Product" => self.add(NameClass::Node, alone),
                    _ => {}
                }
            }
        }
        for answer in report.questions.iter().filter_map(|question| question.answer.as_ref()) {
            self.add(NameClass::User, &answer.by);
        }
        if let Ok(value) = serde_json::to_value(report) {
            self.add_people(&value);
        }
    }

    /// Adds the names of the context that a snapshot was taken from.
    pub(crate) fn add_context(&mut self, context: &str) {
        self.add(NameClass::Cluster, context);
    }

    /// Adds the names that an object of a snapshot holds.
    pub(crate) fn add_object(&mut self, kind: &str, object: &Value) {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
        match kind {
            "Node" => {
                self.add(NameClass::Node, text("/metadata/name"));
                for place in ["/metadata/annotations", "/metadata/labels"] {
                    let cluster = object.pointer(place).and_then(|own| own.get(CLUSTER_NAME)).and_then(Value::as_str);
                    self.add(NameClass::Cluster, cluster.unwrap_or_default());
                }
                let addresses = object.pointer("/status/addresses").and_then(Value::as_array);
                for address in addresses.into_iter().flatten() {
                    self.add(NameClass::Node, address.get("address").and_then(Value::as_str).unwrap_or_default());
                }
            }
            "Namespace" => self.add_namespace(text("/metadata/name")),
            "ConfigMap" if text("/metadata/name") == azure_resource::SETTINGS => {
                for key in azure_resource::NAMING {
                    self.add_azure(text(&format!("/data/{key}")));
                }
            }
            "RoleBinding" | "ClusterRoleBinding" => {
                let subjects = object.get("subjects").and_then(Value::as_array);
                for subject in subjects.into_iter().flatten() {
                    if subject.get("kind").and_then(Value::as_str) != Some("ServiceAccount") {
                        self.add(NameClass::User, subject.get("name").and_then(Value::as_str).unwrap_or_default());
                    }
                }
            }
            _ => {}
        }
        self.add_namespace(text("/metadata/namespace"));
        self.add_people(object);
        self.add_hosts(object);
    }

    /// Adds a name out of the id of a resource in Azure, unless it is a word that tells nothing: that stands in other texts
    /// too, and would be replaced there.
    fn add_azure(&mut self, name: &str) {
        if name.len() > 3 && !GENERIC.contains(&&*name.to_lowercase()) {
            self.add(NameClass::Cluster, name);
        }
    }

    /// Adds texts that look like a person's mail address, and the names in ids of resources in Azure, wherever they stand.
    fn add_people(&mut self, value: &Value) {
        each_text(value, &mut |text| {
            let parts: Vec<&str> =
                text.split(|letter: char| letter.is_whitespace() || "/\"'(),;".contains(letter)).collect();
            for pair in parts.windows(2) {
                if let [of, name] = pair
                    && AZURE_PARTS.contains(&&*of.to_lowercase())
                {
                    self.add_azure(name);
                }
            }
            for word in text.split(|letter: char| letter.is_whitespace() || "\"'(),;<>[]{}=".contains(letter)) {
                let word = word.trim_matches(|letter: char| ".:".contains(letter));
                let is_address = word.split_once('@').is_some_and(|(name, host)| {
                    let plain = |letter: char| letter.is_alphanumeric() || ".-_+".contains(letter);
                    !name.is_empty() && host.contains('.') && name.chars().all(plain) && host.chars().all(plain)
                });
                if is_address {
                    self.add(NameClass::User, word);
                    self.add_host(word.split_once('@').map_or("", |(_, host)| host));
                }
            }
        });
    }

    /// Adds the hosts of container images, of addresses, and of fields that are named so.
    fn add_hosts(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (key, own) in fields {
                    match (&**key, own) {
                        ("image", Value::String(image)) => self.add_registry(image),
                        ("externalName" | "host" | "hostname" | "server" | "url", Value::String(text)) => {
                            self.add_address(text);
                        }
                        (_, other) => self.add_hosts(other),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.add_hosts(item)),
            _ => {}
        }
    }

    fn add_registry(&mut self, image: &str) {
        let Some((host, _)) = image.split_once('/').filter(|(host, _)| host.contains('.') || host.contains(':')) else {
            return;
        };
        let host = host.split(':').next().unwrap_or_default();
        if !embedded().provenance.is_microsofts(image) && !PUBLIC.iter().any(|own| is_within(host, own)) {
            self.add_host(host);
        }
    }

    /// Adds the host of an address, with or without a scheme.
    fn add_address(&mut self, address: &str) {
        let host = address.split_once("://").map_or(address, |(_, rest)| rest);
        let host = host.split('/').next().unwrap_or_default();
        let host = match host.strip_prefix('[') {
            Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
            None => host.rsplit_once(':').map_or(host, |(host, _)| host),
        };
        self.add_host(host);
    }

    /// Adds a host and its domain, unless the domain is a public one. A domain of the owner's stands in keys of labels
    /// too.
    fn add_host(&mut self, host: &str) {
        if let Ok(address) = host.parse::<IpAddr>() {
            if !address.is_loopback() && !address.is_unspecified() {
                self.add(NameClass::Host, host);
            }
            return;
        }
        if !host.contains('.') || COMMON.iter().any(|own| is_within(host, own)) {
            return;
        }
        self.add(NameClass::Host, host);
        let labels: Vec<&str> = host.rsplit('.').collect();
        if let [top, second, _, ..] = *labels {
            let domain = format!("{second}.{top}");
            if !PROVIDERS.contains(&&*domain) {
                self.add(NameClass::Host, &domain);
            }
        }
    }

    fn add_namespace(&mut self, name: &str) {
        let known = &embedded().namespaces.namespaces;
        if !PLAIN.contains(&name) && name != own::NAMESPACE && known.iter().all(|own| own.name != name) {
            self.add(NameClass::Namespace, name);
        }
    }

    fn add(&mut self, class: NameClass, name: &str) {
        // The system's own accounts and groups tell nothing.
        let is_system = class == NameClass::User && (name.starts_with("system:") || name == "kubernetes-admin");
        if !name.is_empty() && !is_system {
            self.0.entry(name.to_owned()).or_insert(class);
        }
    }
}

fn each_text(value: &Value, look: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => look(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, look)),
        Value::Object(fields) => {
            for (key, own) in fields {
                look(key);
                each_text(own, look);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Namespaces besides the platform's that tell nothing: those of every cluster, and those into which public software
/// installs itself.
const PLAIN: [&str; 14] = [
    "argocd",
    "cert-manager",
    "default",
    "flux-system",
    "gatekeeper-system",
    "gpu-operator",
    "ingress-nginx",
    "istio-system",
    "keda",
    "kyverno",
    "linkerd",
    "longhorn-system",
    "monitoring",
    "velero",
];

/// The parts of ids of resources in Azure that names stand behind.
const AZURE_PARTS: [&str; 4] = ["connectedclusters", "customlocations", "resourcegroups", "subscriptions"];

/// Names of resource groups and clusters that tell nothing.
const GENERIC: [&str; 13] = [
    "aksarc",
    "arc-enabled",
    "azure",
    "azure-arc",
    "azure-local",
    "cluster",
    "default",
    "edge",
    "kubernetes",
    "production",
    "resourcegroup",
    "staging",
    "test",
];

/// Whether a host is a domain or below it.
fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// The labels and annotations in which Cluster API writes the name of a node's cluster.
const CLUSTER_NAME: &str = "cluster.x-k8s.io/cluster-name";

/// Domains within a cluster, and of Microsoft and Kubernetes, whose hosts tell nothing.
const COMMON: [&str; 6] = ["azure.com", "cluster.local", "k8s.io", "kubernetes.io", "microsoft.com", "svc"];

/// Domains below which each customer has hosts.
const PROVIDERS: [&str; 8] = [
    "amazonaws.com",
    "azmk8s.io",
    "azurecr.io",
    "azurewebsites.net",
    "cloudapp.net",
    "github.io",
    "googleapis.com",
    "windows.net",
];

/// Registries that anybody pulls from.
const PUBLIC: [&str; 9] =
    ["docker.io", "ecr.aws", "gcr.io", "ghcr.io", "k8s.io", "nvcr.io", "pkg.dev", "quay.io", "gke.io"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(kind: &str, object: &Value) -> Vec<(String, NameClass)> {
        let mut names = TellingNames::default();
        names.add_object(kind, object);
        names.iter().map(|(name, class)| (name.to_owned(), class)).collect()
    }

    #[test]
    fn names_of_nodes_namespaces_people_and_hosts_are_found() {
        let node = json!({"metadata": {"name": "moc-l1"}, "status": {"addresses": [{"type": "InternalIP", "address": "10.1.2.3"}]}});
        assert_eq!(
            names("Node", &node),
            [("10.1.2.3".to_owned(), NameClass::Node), ("moc-l1".to_owned(), NameClass::Node)]
        );
        let pod = json!({"metadata": {"name": "p", "namespace": "shop", "annotations": {"owner": "Mail bob@contoso.example."}},
            "spec": {"containers": [{"image": "registry.contoso.example:5000/a:1"}, {"image": "mcr.microsoft.com/b"}, {"image": "busybox"}]}});
        assert_eq!(
            names("Pod", &pod),
            [
                ("bob@contoso.example".to_owned(), NameClass::User),
                ("contoso.example".to_owned(), NameClass::Host),
                ("registry.contoso.example".to_owned(), NameClass::Host),
                ("shop".to_owned(), NameClass::Namespace)
            ]
        );
        let binding = json!({"metadata": {"name": "b", "namespace": "kube-system"}, "subjects": [
            {"kind": "User", "name": "alice"}, {"kind": "Group", "name": "system:masters"}, {"kind": "ServiceAccount", "name": "x"}]});
        assert_eq!(names("RoleBinding", &binding), [("alice".to_owned(), NameClass::User)]);
        for system in ["default", "kube-system", "azure-arc", own::NAMESPACE] {
            assert!(names("Namespace", &json!({"metadata": {"name": system}})).is_empty(), "{system}");
        }
    }

    #[test]
    fn the_names_in_ids_of_azure_are_found() {
        let class = NameClass::Cluster;
        let id =
            "/subscriptions/1b2c3d4e/resourceGroups/contoso-rg/providers/Microsoft.Kubernetes/connectedClusters/edge";
        let object = json!({"metadata": {"name": "clustermetadata"}, "spec": {"azureResourceId": id}});
        let expected = ["1b2c3d4e", "contoso-rg"].map(|name| (name.to_owned(), class));
        assert_eq!(names("ConnectedCluster", &object), expected);
        let data = json!({"AZURE_RESOURCE_NAME": "contoso-edge", "AZURE_RESOURCE_GROUP": "aks"});
        let object = json!({"metadata": {"name": "azure-clusterconfig"}, "data": data});
        assert_eq!(names("ConfigMap", &object), [("contoso-edge".to_owned(), class)]);
    }

    #[test]
    fn the_host_of_a_servers_address_is_a_name() {
        for (server, host) in [
            ("https://edge.contoso.example:6443", Some("contoso.example")),
            ("https://edge.azurecr.io", Some("edge.azurecr.io")),
            ("kubernetes.default.svc", None),
            ("https://gbl.his.arc.azure.com", None),
            ("https://10.0.0.9:6443", Some("10.0.0.9")),
            ("https://[fd00::9]:6443/path", Some("fd00::9")),
            ("http://127.0.0.1:8080", None),
            ("", None),
        ] {
            let mut names = TellingNames::default();
            names.add_address(server);
            assert_eq!(names.iter().next().map(|(name, _)| name), host, "{server}");
        }
    }
}
