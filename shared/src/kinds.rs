//! The kinds of object the rules read or guard: group, version, kind, resource and scope.
//!
//! Kubernetes API facts, kubernetes.io API reference, stable versions (served by every server from 1.25 on).

/// One kind of object, as the API names it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Version we read it at.
    pub version: &'static str,
    /// `Node`.
    pub kind: &'static str,
    /// `nodes`.
    pub resource: &'static str,
    /// Whether objects of this kind live in namespaces.
    pub namespaced: bool,
    /// Whether every conformant cluster serves it; others are absent without that being a gap.
    pub builtin: bool,
}

impl Kind {
    /// `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `nodes` or `deployments.apps`, as kubectl and RBAC errors print it.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.resource.to_owned() } else { format!("{}.{}", self.resource, self.group) }
    }

    /// The request path of a list, `/apis/apps/v1/namespaces/kube-system/deployments`.
    pub fn list_path(&self, namespace: Option<&str>) -> String {
        let root = if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        };
        match namespace {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{}", self.resource),
            None => format!("{root}/{}", self.resource),
        }
    }
}

/// The known kind of this name, whatever its version.
pub fn by_kind(group: &str, kind: &str) -> Option<&'static Kind> {
    ALL.iter().copied().find(|k| k.kind == kind && k.group == group)
}

/// The known kind of this resource, whatever its version.
pub fn by_resource(group: &str, resource: &str) -> Option<&'static Kind> {
    ALL.iter().copied().find(|k| k.resource == resource && k.group == group)
}

/// The known kind of an object's `apiVersion` and `kind`.
pub fn of(api_version: &str, kind: &str) -> Option<&'static Kind> {
    by_kind(api_version.split_once('/').map_or("", |(group, _)| group), kind)
}

const fn core(kind: &'static str, resource: &'static str, namespaced: bool) -> Kind {
    Kind { group: "", version: "v1", kind, resource, namespaced, builtin: true }
}

const fn grouped(group: &'static str, kind: &'static str, resource: &'static str) -> Kind {
    Kind { group, version: "v1", kind, resource, namespaced: true, builtin: true }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $value:expr;)*) => {
        $($(#[$doc])* pub static $name: Kind = $value;)*
        /// Every kind the product knows.
        pub static ALL: &[&Kind] = &[$(&$name),*];
    };
}

kinds! {
    /// Namespaces.
    NAMESPACE = core("Namespace", "namespaces", false);
    /// Nodes.
    NODE = core("Node", "nodes", false);
    /// ConfigMaps.
    CONFIG_MAP = core("ConfigMap", "configmaps", true);
    /// LimitRanges.
    LIMIT_RANGE = core("LimitRange", "limitranges", true);
    /// Pods.
    POD = core("Pod", "pods", true);
    /// ReplicationControllers.
    REPLICATION_CONTROLLER = core("ReplicationController", "replicationcontrollers", true);
    /// ServiceAccounts.
    SERVICE_ACCOUNT = core("ServiceAccount", "serviceaccounts", true);
    /// Services.
    SERVICE = core("Service", "services", true);
    /// DaemonSets.
    DAEMON_SET = grouped("apps", "DaemonSet", "daemonsets");
    /// Deployments.
    DEPLOYMENT = grouped("apps", "Deployment", "deployments");
    /// ReplicaSets.
    REPLICA_SET = grouped("apps", "ReplicaSet", "replicasets");
    /// StatefulSets.
    STATEFUL_SET = grouped("apps", "StatefulSet", "statefulsets");
    /// HorizontalPodAutoscalers; their v1 is not what most clients write any more.
    HORIZONTAL_POD_AUTOSCALER = Kind { version: "v2", ..grouped("autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers") };
    /// CronJobs.
    CRON_JOB = grouped("batch", "CronJob", "cronjobs");
    /// Jobs.
    JOB = grouped("batch", "Job", "jobs");
    /// Cluster API Machines: on management clusters and on clusters that manage themselves.
    MACHINE = Kind { group: "cluster.x-k8s.io", version: "v1beta1", kind: "Machine", resource: "machines", namespaced: true, builtin: false };
    /// Ingresses.
    INGRESS = grouped("networking.k8s.io", "Ingress", "ingresses");
    /// PodDisruptionBudgets.
    POD_DISRUPTION_BUDGET = grouped("policy", "PodDisruptionBudget", "poddisruptionbudgets");
    /// Roles.
    ROLE = grouped("rbac.authorization.k8s.io", "Role", "roles");
    /// RoleBindings.
    ROLE_BINDING = grouped("rbac.authorization.k8s.io", "RoleBinding", "rolebindings");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_names_are_the_apis_own() {
        assert_eq!(DEPLOYMENT.list_path(Some("kube-system")), "/apis/apps/v1/namespaces/kube-system/deployments");
        assert_eq!(NODE.list_path(None), "/api/v1/nodes");
        assert_eq!(DEPLOYMENT.qualified(), "deployments.apps");
        assert_eq!(of("apps/v1", "Deployment"), Some(&DEPLOYMENT));
        assert_eq!(of("v1", "Deployment"), None);
    }
}
