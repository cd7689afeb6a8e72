//! Common software, as people install it: each product's objects, of the kinds that the webhooks are registered for, in a
//! short form.

use std::collections::BTreeMap;

use aksarc_tests::{Answer, Http, PatchKind, seen};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::path::Paths;

/// One product.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Product {
    #[serde(rename = "product")]
    pub(crate) name: String,
    /// Its identity, if it is not a person.
    #[serde(default)]
    pub(crate) who: Option<String>,
    pub(crate) version: String,
    pub(crate) source: String,
    pub(crate) date: String,
    /// The namespace that its documentation installs it in.
    pub(crate) namespace: String,
    /// The program that applies its objects: helm or kubectl.
    pub(crate) by: String,
    /// Objects that are denied there, by rule.
    #[serde(default)]
    pub(crate) denied: ByRule,
    /// Objects of which some request is warned of.
    #[serde(default)]
    pub(crate) warned: ByRule,
    /// The same in a namespace of its own.
    #[serde(default)]
    warned_elsewhere: ByRule,
    /// It is found in every namespace, by what it does to the network of nodes.
    #[serde(default)]
    pub(crate) stays: bool,
    objects: Vec<Short>,
}

/// Names of objects by the code of a rule.
pub(crate) type ByRule = BTreeMap<String, Vec<String>>;

/// The rule that has an object among its names.
pub(crate) fn rule_of<'r>(rules: &'r ByRule, name: &str) -> Option<&'r str> {
    rules.iter().find(|(_, names)| names.iter().any(|one| one == name)).map(|(code, _)| &**code)
}

/// An object in short form. What is not named here is a field of the object's own.
#[derive(Clone, Deserialize)]
struct Short {
    kind: String,
    name: String,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    labels: Map<String, Value>,
    #[serde(default, rename = "apiVersion")]
    api_version: Option<String>,
    /// Of a workload.
    #[serde(flatten)]
    pod: Pod,
    /// Of a definition: the kind, its version and scope.
    #[serde(default)]
    defines: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    scope: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// What a pod may do to its node.
#[derive(Clone, Default, Deserialize)]
struct Pod {
    #[serde(default)]
    image: String,
    /// Paths of the host; two stand for all.
    #[serde(default)]
    paths: Vec<String>,
    /// Which of the host's `network`, `pid` and `ipc` it uses.
    #[serde(default)]
    host: Vec<String>,
    #[serde(default)]
    privileged: bool,
    #[serde(default)]
    init_privileged: bool,
    /// Capabilities that it adds.
    #[serde(default)]
    add: Vec<String>,
    #[serde(default)]
    script: String,
    /// It is a process of a Windows host.
    #[serde(default)]
    windows: bool,
}

/// An object with the answer to its request.
pub(crate) struct Applied {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) answer: Answer,
}

impl Product {
    /// The same product in another namespace.
    pub(crate) fn moved(&self) -> Self {
        let mut moved = self.clone();
        moved.namespace.clone_from(&self.name);
        moved.denied.clear();
        moved.warned.clone_from(&self.warned_elsewhere);
        for object in &mut moved.objects {
            if object.namespace.as_deref() == Some(&self.namespace) {
                object.namespace = None;
            }
            // The roles and the definition of the first time are gone, and their names are free; a definition takes a
            // moment.
            object.name = object.name.replace(':', "-");
        }
        moved.objects.retain(|object| object.kind != "CustomResourceDefinition");
        moved
    }

    /// Its objects, with their paths, namespaces and definitions first.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let rank = |short: &&Short| match &*short.kind {
            "Namespace" => 0,
            "CustomResourceDefinition" => 1,
            _ => 2,
        };
        let mut shorts: Vec<&Short> = self.objects.iter().collect();
        shorts.sort_by_key(rank);
        shorts.into_iter().map(|short| short.object(&self.namespace)).collect()
    }

    /// Creates an object.
    pub(crate) fn install(&self, client: &Http, object: &Value, paths: &Paths) -> Applied {
        let path = paths.collection(object);
        let answer = client.post(&format!("{path}?fieldManager={}", self.manager()), object).unwrap();
        Applied { name: seen::name(object), path, answer }
    }

    /// Changes an object as the next version does.
    pub(crate) fn upgrade(&self, client: &Http, object: &Value, paths: &Paths) -> Applied {
        let path = paths.object(object);
        let mut change = json!({"metadata": {"labels": {"app.kubernetes.io/version": "next"}}});
        let next = |template: &str| {
            let mut containers = object.pointer(&format!("{template}/spec/containers"))?.clone();
            containers[0]["image"] = json!(containers[0]["image"].as_str()?.replace(":1", ":2"));
            Some(json!({"spec": {"containers": containers}}))
        };
        // What a Job runs cannot be changed.
        if let Some(template) = next("/spec/template").filter(|_| object["kind"] != "Job") {
            change["spec"] = json!({"template": template});
        }
        if let Some(template) = next("/spec/jobTemplate/spec/template") {
            change["spec"] = json!({"jobTemplate": {"spec": {"template": template}}});
        }
        let query = format!("{path}?fieldManager={}", self.manager());
        let answer = client.patch(&query, PatchKind::Merge, &change).unwrap();
        Applied { name: seen::name(object), path, answer }
    }

    fn manager(&self) -> &str {
        if self.by == "helm" { "helm" } else { "kubectl-client-side-apply" }
    }
}

/// Deletes an object.
pub(crate) fn remove(client: &Http, object: &Value, paths: &Paths) -> Applied {
    let path = paths.object(object);
    let answer = client.delete(&format!("{path}?propagationPolicy=Background")).unwrap();
    Applied { name: seen::name(object), path, answer }
}

impl Short {
    fn object(&self, namespace: &str) -> Value {
        let (version, namespaced) = place(&self.kind);
        let version = self.api_version.as_deref().unwrap_or(version);
        let mut object =
            json!({"apiVersion": version, "kind": self.kind, "metadata": {"name": self.name, "labels": self.labels}});
        if namespaced {
            object["metadata"]["namespace"] = json!(self.namespace.as_deref().unwrap_or(namespace));
        }
        for (field, value) in &self.rest {
            object[field] = value.clone();
        }
        match &*self.kind {
            "CustomResourceDefinition" => {
                // Without it the API server refuses definitions in Kubernetes' own groups.
                object["metadata"]["annotations"] = json!({"api-approved.kubernetes.io": "unapproved, for a test"});
                object["spec"] = self.definition();
            }
            "ClusterRoleBinding" => {
                object["roleRef"] =
                    json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": self.name});
            }
            "CSIDriver" => object["spec"] = json!({"attachRequired": false}),
            _ => {}
        }
        if let Some(spec) = self.workload() {
            object["spec"] = spec;
        }
        object
    }

    fn definition(&self) -> Value {
        let (plural, group) = self.name.split_once('.').unwrap();
        let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let version =
            json!({"name": self.version, "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}});
        json!({"group": group, "scope": self.scope.as_deref().unwrap_or("Namespaced"), "versions": [version],
            "names": {"kind": self.defines, "plural": plural, "singular": self.defines.to_lowercase()}})
    }

    /// The spec of a workload, of which no pod comes to be: the controllers' work is not these rows'.
    fn workload(&self) -> Option<Value> {
        let labels = json!({"app": self.name});
        let template = || json!({"metadata": {"labels": labels}, "spec": self.pod.spec(&self.kind)});
        Some(match &*self.kind {
            "CronJob" => {
                json!({"schedule": "0 0 1 1 *", "suspend": true, "jobTemplate": {"spec": {"template": template()}}})
            }
            "DaemonSet" => json!({"selector": {"matchLabels": labels}, "template": template()}),
            "Deployment" => json!({"replicas": 0, "selector": {"matchLabels": labels}, "template": template()}),
            "Job" => json!({"suspend": true, "template": template()}),
            "StatefulSet" => {
                json!({"replicas": 0, "serviceName": self.name, "selector": {"matchLabels": labels}, "template": template()})
            }
            _ => return None,
        })
    }
}

impl Pod {
    fn spec(&self, kind: &str) -> Value {
        let mut context = json!({"privileged": self.privileged});
        if !self.add.is_empty() {
            context["capabilities"] = json!({"add": self.add});
        }
        let image = format!("{}:1", self.image);
        let mut container = json!({"name": "main", "image": image, "securityContext": context});
        if !self.script.is_empty() {
            container["command"] = json!(["/bin/sh", "-c", self.script]);
        }
        let volume = |(at, path): (usize, &String)| json!({"name": format!("host-{at}"), "hostPath": {"path": path}});
        let volumes: Vec<Value> = self.paths.iter().enumerate().map(volume).collect();
        let mut spec = json!({"containers": [container], "volumes": volumes});
        for (word, field) in [("network", "hostNetwork"), ("pid", "hostPID"), ("ipc", "hostIPC")] {
            if self.host.iter().any(|one| one == word) {
                spec[field] = json!(true);
            }
        }
        if self.windows {
            spec["hostNetwork"] = json!(true);
            spec["securityContext"] =
                json!({"windowsOptions": {"hostProcess": true, "runAsUserName": "NT AUTHORITY\\SYSTEM"}});
        }
        if self.init_privileged {
            spec["initContainers"] =
                json!([{"name": "first", "image": image, "securityContext": {"privileged": true}}]);
        }
        match kind {
            "DaemonSet" => spec["nodeSelector"] = json!({"contoso.example/no-node": "true"}),
            "CronJob" | "Job" => spec["restartPolicy"] = json!("Never"),
            _ => {}
        }
        spec
    }
}

/// The version of a kind, and whether its objects lie in namespaces.
fn place(kind: &str) -> (&'static str, bool) {
    match kind {
        "APIService" => ("apiregistration.k8s.io/v1", false),
        "CSIDriver" | "StorageClass" => ("storage.k8s.io/v1", false),
        "ClusterRole" | "ClusterRoleBinding" => ("rbac.authorization.k8s.io/v1", false),
        "ConfigMap" | "LimitRange" | "Secret" | "Service" | "ServiceAccount" => ("v1", true),
        "CronJob" | "Job" => ("batch/v1", true),
        "CustomResourceDefinition" => ("apiextensions.k8s.io/v1", false),
        "DaemonSet" | "Deployment" | "StatefulSet" => ("apps/v1", true),
        "HorizontalPodAutoscaler" => ("autoscaling/v2", true),
        "Namespace" => ("v1", false),
        "NodeNetworkConfigurationPolicy" => ("nmstate.io/v1", false),
        "PodDisruptionBudget" => ("policy/v1", true),
        "PriorityClass" => ("scheduling.k8s.io/v1", false),
        "Role" | "RoleBinding" => ("rbac.authorization.k8s.io/v1", true),
        // Of a definition, with a version of its own.
        _ => ("", true),
    }
}
