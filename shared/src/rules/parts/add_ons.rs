//! The effect of a user's add-on on the platform's parts in its namespace, and the consequence of that effect.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use crate::data::{AddOns, Component, Confidence, Data};
use crate::facts::origin;
use crate::finding::Consequence;
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::Object;
use crate::k8s::selector::Selector;
use crate::rules::parts::network_policy::NetworkPolicySpec;
use crate::rules::parts::{components, installed};

/// The consequence of an add-on, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) weight: Consequence,
    /// The effect on the platform's parts, as a predicate of the add-on's name: `can cut off pods of CoreDNS`.
    pub(crate) does: Option<String>,
}

impl Standing {
    /// The standing of an object in its namespace; `None` where it has no consequence at all.
    pub(crate) fn of(object: &Object<'_>, kind: &Kind, namespace: &str, data: &Data) -> Option<Self> {
        let place = data.namespaces.add_ons(namespace);
        if place == AddOns::Free {
            return None;
        }
        if kind.runs() {
            let weight = if place == AddOns::Voids { Consequence::Voids } else { Consequence::AtRisk };
            return Some(Standing { weight, does: None });
        }
        if place == AddOns::WorkloadsAtRisk {
            return None;
        }
        if place == AddOns::AtRisk && *kind == kinds::SERVICE_ACCOUNT {
            let does = Some("acts with the rights that the guard leaves to the platform".to_owned());
            return Some(Standing { weight: Consequence::AtRisk, does });
        }
        match reach(object, kind, namespace, data) {
            Some(does) => Some(Standing { weight: Consequence::AtRisk, does: Some(does) }),
            // The policy text names one namespace. Elsewhere an object that runs nothing and affects nothing is not
            // even noted.
            None => (place == AddOns::Voids).then_some(Standing { weight: Consequence::Info, does: None }),
        }
    }

    /// The message of the finding: `what` is the kind, name and place of the add-on.
    pub(crate) fn says(&self, what: &str, namespace: &str) -> String {
        match (&self.does, self.weight) {
            (Some(does), _) => format!("{what} in {namespace} {does}"),
            (None, Consequence::Info) => {
                format!("{what} in {namespace} is a user's own, and runs and changes nothing there")
            }
            (None, _) => format!("{what} in {namespace} is not the platform's"),
        }
    }
}

/// The effect of an object that runs nothing on the platform's parts in its namespace, if it has one.
fn reach(object: &Object<'_>, kind: &Kind, namespace: &str, data: &Data) -> Option<String> {
    match kind.kind {
        "LimitRange" => limits(object),
        // A rule of its own judges the egress of the Arc agents.
        "NetworkPolicy" if data.namespaces.is_add_on(namespace) => cuts_off(object, namespace, data),
        "PodDisruptionBudget" => holds_back(object, namespace, data),
        "ResourceQuota" => counts(object),
        "RoleBinding" => empowers(object, namespace, data, None),
        "Service" => reroutes(object, namespace, data),
        _ => None,
    }
}

/// The products whose pods a selector selects, for people.
pub(crate) fn selected(selector: &Selector, namespace: &str, data: &Data) -> Option<String> {
    let rows = data.managed_pods.iter().filter(|row| row.namespace == namespace);
    let pods = rows.filter(|row| selector.matches(|key| row.labels.get(key).map(String::as_str)));
    let products: BTreeSet<&str> = pods.map(|row| &*row.product).collect();
    let named: Vec<&str> = products.iter().take(MAX_PRODUCTS).copied().collect();
    let more = products.len().saturating_sub(MAX_PRODUCTS);
    (!named.is_empty())
        .then(|| format!("{}{}", named.join(", "), if more > 0 { format!(" and {more} more") } else { String::new() }))
}

/// The effect of a LimitRange. Small defaults stop pods as surely as a limit does; a LimitRange that sets nothing has
/// no effect.
fn limits(object: &Object<'_>) -> Option<String> {
    let spec: Value = object.field("spec")?;
    let any = spec.get("limits").and_then(Value::as_array).is_some_and(|limits| !limits.is_empty());
    any.then(|| "can starve pods of the platform, or block their start".to_owned())
}

fn counts(object: &Object<'_>) -> Option<String> {
    let spec: Value = object.field("spec")?;
    let any = spec.get("hard").and_then(Value::as_object).is_some_and(|hard| !hard.is_empty());
    any.then(|| "can block pods and other objects of the platform".to_owned())
}

fn cuts_off(object: &Object<'_>, namespace: &str, data: &Data) -> Option<String> {
    let policy: NetworkPolicySpec = object.field("spec").unwrap_or_default();
    let products = selected(&policy.pod_selector.clone().unwrap_or_default(), namespace, data)?;
    policy.closes_something().then(|| format!("can cut off pods of {products}"))
}

fn reroutes(object: &Object<'_>, namespace: &str, data: &Data) -> Option<String> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct ServiceSpec {
        #[serde(rename = "clusterIP")]
        cluster_ip: Option<String>,
        #[serde(rename = "type")]
        service_type: Option<String>,
        selector: Option<BTreeMap<String, String>>,
    }
    let spec: ServiceSpec = object.field("spec")?;
    // A Service without a cluster address only lists the pods, as scrapers want it.
    let listed = spec.cluster_ip.as_deref() == Some("None") || spec.service_type.as_deref() == Some("ExternalName");
    let selector = spec.selector.filter(|selector| !listed && !selector.is_empty())?;
    let products = selected(&Selector::of_labels(selector), namespace, data)?;
    Some(format!("leads traffic to pods of {products} past the platform's own Services"))
}

fn holds_back(object: &Object<'_>, namespace: &str, data: &Data) -> Option<String> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct DisruptionSpec {
        min_available: Option<Value>,
        max_unavailable: Option<Value>,
        selector: Option<Selector>,
    }
    let spec: DisruptionSpec = object.field("spec")?;
    let products = selected(spec.selector.as_ref()?, namespace, data)?;
    let status: Value = object.field("status").unwrap_or_default();
    let expected = status.get("expectedPods").and_then(Value::as_u64).filter(|pods| *pods > 0);
    let none = spec.max_unavailable.as_ref().is_some_and(|most| matches!(most.as_str(), Some("0%" | "0")) || most == 0);
    let all = spec.min_available.as_ref().is_some_and(|least| {
        least.as_str() == Some("100%") || least.as_u64().zip(expected).is_some_and(|(least, pods)| least >= pods)
    });
    (none || all).then(|| format!("allows no pod of {products} to be moved, so no node can be drained"))
}

/// The rights a RoleBinding gives to accounts that are not the platform's. `writes` is the right of its Role to write,
/// if known.
pub(crate) fn empowers(object: &Object<'_>, namespace: &str, data: &Data, writes: Option<&str>) -> Option<String> {
    let role: RoleRef = object.field("roleRef")?;
    let subjects: Vec<Subject> = object.field("subjects").unwrap_or_default();
    let strangers = || subjects.iter().filter(|subject| !subject.is_platforms(namespace, data));
    let who = strangers().next()?;
    let more = match strangers().count() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let role_name = match &*role.kind {
        "ClusterRole" if WRITING_ROLES.contains(&&*role.name) => format!("ClusterRole {}", role.name),
        "ClusterRole" if READING_ROLES.contains(&&*role.name) => return None,
        "ClusterRole" | "Role" => format!("{} {}: {}", role.kind, role.name, writes?),
        _ => return None,
    };
    Some(format!("lets {} {}{more} change the platform's parts there ({role_name})", who.kind, who.name))
}

/// The Role or ClusterRole of a RoleBinding, as [`role`] spells it, unless its rights are known by its name.
pub(crate) fn bound_role(object: &Object<'_>, namespace: &str) -> Option<String> {
    let bound: RoleRef = object.field("roleRef")?;
    let built_in = WRITING_ROLES.iter().chain(&READING_ROLES).any(|own| *own == bound.name);
    match &*bound.kind {
        "Role" => Some(role(namespace, &bound.name)),
        "ClusterRole" if !built_in => Some(role("", &bound.name)),
        _ => None,
    }
}

/// The key of a Role; a ClusterRole has no namespace.
pub(crate) fn role(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

/// The first right in a Role or ClusterRole to write parts of the platform in a namespace, for people.
pub(crate) fn writes(role: &Object<'_>, namespace: &str, data: &Data) -> Option<String> {
    let rules: Vec<PolicyRule> = role.field("rules").unwrap_or_default();
    rules.iter().find_map(|rule| {
        let verb = rule.verbs.iter().flatten().find(|verb| WRITING_VERBS.contains(&&***verb))?;
        let kind = MANAGED_KINDS.iter().find(|(group, resource, _)| {
            let any =
                |list: &Option<Vec<String>>, own: &str| list.iter().flatten().any(|word| word == "*" || word == own);
            any(&rule.api_groups, group) && any(&rule.resources, resource)
        })?;
        let (_, resource, kind) = kind;
        let names = rule.resource_names.as_ref().filter(|names| !names.is_empty());
        // A right limited to names affects the platform only where one of the names is a component's.
        let hit = names.is_none_or(|names| names.iter().any(|name| data.component(kind, namespace, name).is_some()));
        hit.then(|| format!("{verb} on {resource}"))
    })
}

#[derive(Debug, Deserialize)]
struct RoleRef {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    name: String,
}

#[derive(Debug, Deserialize)]
struct Subject {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: Option<String>,
}

impl Subject {
    fn is_platforms(&self, namespace: &str, data: &Data) -> bool {
        if self.kind == "ServiceAccount" {
            let own = self.namespace.as_deref().unwrap_or(namespace);
            return data.component("ServiceAccount", own, &self.name).is_some();
        }
        let rows = data.identities.users.iter().chain(&data.identities.groups);
        rows.into_iter().any(|row| row.name == self.name)
            || data.identities.ambiguous_groups.contains(&self.name)
            || self.name.starts_with("system:node:")
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PolicyRule {
    #[serde(default)]
    api_groups: Option<Vec<String>>,
    #[serde(default)]
    resources: Option<Vec<String>>,
    #[serde(default)]
    verbs: Option<Vec<String>>,
    #[serde(default)]
    resource_names: Option<Vec<String>>,
}

/// The level of Pod Security a namespace enforces, where pods of the platform may not start under it.
pub(crate) fn enforced(namespace: &Object<'_>) -> Option<String> {
    let level = namespace.meta.labels.get(ENFORCE)?;
    matches!(level, "baseline" | "restricted").then(|| level.to_owned())
}

/// Whether an object is managed, or lawful by Microsoft's own documents.
pub(crate) fn is_expected(object: &Object<'_>, kind: &Kind, namespace: &str, name: &str, data: &Data) -> bool {
    let component = data.component(kind.kind, namespace, name);
    let released = || is_foreign(object, data) && !installed::release(object).is_empty();
    // Objects that AA301 leaves to this rule are not expected here, or neither rule would report them.
    let theirs = |row: &Component| released() || components::is_theirs(object, row, data);
    component.is_some_and(|row| row.confidence == Confidence::Doc && !row.extension || !theirs(row))
        || data.allows(kind, namespace, name, object)
}

/// Whether an object runs no image of Microsoft's. A name that no document gives to a component of AKS Arc can be that
/// of the upstream chart as well, as with the drivers for SMB and NFS: the mark of a release tells them apart.
fn is_foreign(object: &Object<'_>, data: &Data) -> bool {
    let images = origin::images(object);
    !images.is_empty() && !images.iter().any(|image| data.provenance.is_microsofts(image))
}

/// The label by which a namespace enforces a level of Pod Security (Pod Security Admission, kubernetes.io).
pub(crate) const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

/// The built-in ClusterRoles that may write workloads (Using RBAC Authorization, kubernetes.io).
const WRITING_ROLES: [&str; 3] = ["admin", "cluster-admin", "edit"];

/// The built-in ClusterRole that may write nothing.
const READING_ROLES: [&str; 1] = ["view"];

const WRITING_VERBS: [&str; 6] = ["*", "create", "delete", "deletecollection", "patch", "update"];

/// The kinds of components, except those that leader election and an add-on's own records need.
const MANAGED_KINDS: [(&str, &str, &str); 7] = [
    ("apps", "daemonsets", "DaemonSet"),
    ("apps", "deployments", "Deployment"),
    ("apps", "replicasets", "ReplicaSet"),
    ("apps", "statefulsets", "StatefulSet"),
    ("", "pods", "Pod"),
    ("", "services", "Service"),
    ("rbac.authorization.k8s.io", "rolebindings", "RoleBinding"),
];

/// The most products one finding names.
const MAX_PRODUCTS: usize = 3;
