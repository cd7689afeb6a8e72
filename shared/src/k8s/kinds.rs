//! The kinds of object that rules read or guard: group, versions, kind, resource and scope.
//!
//! The facts come from the Kubernetes API reference (kubernetes.io), for stable versions, which every server from 1.25
//! on serves. Where a kind has several versions, the fields that rules read are the same in all of them.

use std::hash::{Hash, Hasher};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A kind of object, as the API names it.
#[derive(Debug, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// The version that is read where it is served.
    pub version: &'static str,
    /// `Node`.
    pub kind: &'static str,
    /// `nodes`.
    pub resource: &'static str,
    /// Whether objects of the kind are namespaced.
    pub namespaced: bool,
    /// Whether every conformant cluster serves it. The absence of other kinds is no gap.
    pub builtin: bool,
    /// The versions to read where [`Kind::version`] is not served, in order of preference.
    pub others: &'static [&'static str],
}

/// Kinds are mostly statics, so that one address says more quickly than seven fields that two are the same.
impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || (self.kind, self.group, self.version) == (other.kind, other.group, other.version)
    }
}

impl Hash for Kind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.kind, self.group, self.version).hash(state);
    }
}

impl Kind {
    /// `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Whether it is an alpha version of a kind of Kubernetes itself.
    pub fn is_alpha(&self) -> bool {
        self.version.contains("alpha") && self.group.ends_with(".k8s.io")
    }

    /// Whether its objects run, or create objects that run.
    pub fn runs(&self) -> bool {
        matches!(
            self.kind,
            "CronJob"
                | "DaemonSet"
                | "Deployment"
                | "Job"
                | "Pod"
                | "ReplicaSet"
                | "ReplicationController"
                | "StatefulSet"
        )
    }

    /// `nodes` or `deployments.apps`, as kubectl and RBAC errors print it.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.resource.to_owned() } else { format!("{}.{}", self.resource, self.group) }
    }

    /// All versions that can be read, the preferred one first.
    pub fn versions(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.version).chain(self.others.iter().copied())
    }

    /// The request path of a list, `/apis/apps/v1/namespaces/kube-system/deployments`.
    pub fn list_path(&self, namespace: Option<&str>) -> String {
        self.list_path_at(self.version, namespace)
    }

    /// The request path of a list at one of the kind's versions, as [`Kind::list_path`].
    pub fn list_path_at(&self, version: &str, namespace: Option<&str>) -> String {
        let root =
            if self.group.is_empty() { format!("/api/{version}") } else { format!("/apis/{}/{version}", self.group) };
        match namespace {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{}", self.resource),
            None => format!("{root}/{}", self.resource),
        }
    }

    /// Path and query of one page of a list: the page that begins at `token`, or the first.
    pub fn page_path(&self, namespace: Option<&str>, limit: usize, token: Option<&str>) -> String {
        self.page_path_at(self.version, namespace, limit, token)
    }

    /// Path and query of one page at one of the kind's versions, as [`Kind::page_path`].
    pub fn page_path_at(&self, version: &str, namespace: Option<&str>, limit: usize, token: Option<&str>) -> String {
        let mut path = format!("{}?limit={limit}", self.list_path_at(version, namespace));
        if let Some(token) = token {
            path.push_str("&continue=");
            path.push_str(&escaped(token));
        }
        path
    }
}

/// A text escaped for a segment of a request path, or a part of a query.
pub fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// The characters to escape: all but those that RFC 3986 calls unreserved (section 2.3), and the colon, which stands in
/// names such as `system:node` and has no meaning within a segment.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

/// The known kind with this name, at any version.
pub fn by_kind(group: &str, kind: &str) -> Option<&'static Kind> {
    ALL.iter().copied().find(|k| k.kind == kind && k.group == group)
}

/// The workloads with a pod template whose earlier revisions Kubernetes keeps.
pub(crate) static ROLLED_OUT: [&Kind; 3] = [&DAEMON_SET, &DEPLOYMENT, &STATEFUL_SET];

/// The known kind with this resource, at any version.
pub fn by_resource(group: &str, resource: &str) -> Option<&'static Kind> {
    ALL.iter().copied().find(|k| k.resource == resource && k.group == group)
}

/// The known kind with this `apiVersion` and `kind`.
pub fn of(api_version: &str, kind: &str) -> Option<&'static Kind> {
    by_kind(api_version.split_once('/').map_or("", |(group, _)| group), kind)
}

/// A namespaced kind of the core group.
const fn core(kind: &'static str, resource: &'static str) -> Kind {
    Kind { group: "", version: "v1", kind, resource, namespaced: true, builtin: true, others: &[] }
}

/// A namespaced kind of Kubernetes itself.
const fn grouped(group: &'static str, kind: &'static str, resource: &'static str) -> Kind {
    Kind { group, ..core(kind, resource) }
}

/// A cluster-scoped kind of Kubernetes itself.
const fn global(group: &'static str, kind: &'static str, resource: &'static str) -> Kind {
    Kind { namespaced: false, ..grouped(group, kind, resource) }
}

/// A kind of a custom resource, in a namespace.
const fn custom(group: &'static str, version: &'static str, kind: &'static str, resource: &'static str) -> Kind {
    Kind { version, builtin: false, ..grouped(group, kind, resource) }
}

/// A kind of Cluster API or of one of its providers. v1beta2 came in 2025 beside v1beta1, without moving the fields
/// that rules read.
const fn capi(group: &'static str, kind: &'static str, resource: &'static str) -> Kind {
    Kind { others: &["v1beta2"], ..custom(group, "v1beta1", kind, resource) }
}

/// A kind of the Azure Stack HCI provider of Cluster API, which stores v1beta2 (microsoft/cluster-api-provider-azurestackhci, 2026-08).
const fn hci(kind: &'static str, resource: &'static str) -> Kind {
    Kind { others: &["v1beta1"], ..custom("infrastructure.cluster.x-k8s.io", "v1beta2", kind, resource) }
}

/// A kind of API Priority and Fairness: v1 since Kubernetes 1.29, v1beta3 since 1.26, v1beta2 before.
const fn fairness(kind: &'static str, resource: &'static str) -> Kind {
    Kind { others: &["v1beta3", "v1beta2"], builtin: false, ..global("flowcontrol.apiserver.k8s.io", kind, resource) }
}

/// A kind of admission policies: v1 since Kubernetes 1.30.
const fn policies(kind: &'static str, resource: &'static str) -> Kind {
    Kind { builtin: false, ..global("admissionregistration.k8s.io", kind, resource) }
}

/// A kind of Calico's configuration, as Calico stores it.
const fn calico(kind: &'static str, resource: &'static str) -> Kind {
    custom_global("crd.projectcalico.org", "v1", kind, resource)
}

/// A kind of Calico's configuration as people see it: served by an API server of Calico's own, or stored in this form
/// in newer versions.
const fn calico_v3(kind: &'static str, resource: &'static str) -> Kind {
    custom_global("projectcalico.org", "v3", kind, resource)
}

/// A kind of a custom resource, cluster-scoped.
const fn custom_global(group: &'static str, version: &'static str, kind: &'static str, resource: &'static str) -> Kind {
    Kind { namespaced: false, ..custom(group, version, kind, resource) }
}

/// A cluster-scoped kind of Kubernetes itself without a stable version on the servers that serve this one.
const fn alpha(group: &'static str, version: &'static str, kind: &'static str, resource: &'static str) -> Kind {
    custom_global(group, version, kind, resource)
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
    NAMESPACE = global("", "Namespace", "namespaces");
    /// Nodes.
    NODE = global("", "Node", "nodes");
    /// ConfigMaps.
    CONFIG_MAP = core("ConfigMap", "configmaps");
    /// Endpoints, the older form of EndpointSlices.
    ENDPOINTS = core("Endpoints", "endpoints");
    /// LimitRanges.
    LIMIT_RANGE = core("LimitRange", "limitranges");
    /// Pods.
    POD = core("Pod", "pods");
    /// ResourceQuotas.
    RESOURCE_QUOTA = core("ResourceQuota", "resourcequotas");
    /// ReplicationControllers.
    REPLICATION_CONTROLLER = core("ReplicationController", "replicationcontrollers");
    /// ServiceAccounts.
    SERVICE_ACCOUNT = core("ServiceAccount", "serviceaccounts");
    /// Services.
    SERVICE = core("Service", "services");
    /// ControllerRevisions: the earlier revisions of DaemonSets and StatefulSets.
    CONTROLLER_REVISION = grouped("apps", "ControllerRevision", "controllerrevisions");
    /// DaemonSets.
    DAEMON_SET = grouped("apps", "DaemonSet", "daemonsets");
    /// Deployments.
    DEPLOYMENT = grouped("apps", "Deployment", "deployments");
    /// ReplicaSets.
    REPLICA_SET = grouped("apps", "ReplicaSet", "replicasets");
    /// StatefulSets.
    STATEFUL_SET = grouped("apps", "StatefulSet", "statefulsets");
    /// HorizontalPodAutoscalers. Most clients no longer write v1.
    HORIZONTAL_POD_AUTOSCALER = Kind { version: "v2", ..grouped("autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers") };
    /// CronJobs.
    CRON_JOB = grouped("batch", "CronJob", "cronjobs");
    /// Jobs.
    JOB = grouped("batch", "Job", "jobs");
    /// Cluster API Machines: on management clusters and on clusters that manage themselves.
    MACHINE = capi("cluster.x-k8s.io", "Machine", "machines");
    /// Ingresses.
    INGRESS = grouped("networking.k8s.io", "Ingress", "ingresses");
    /// PodDisruptionBudgets.
    POD_DISRUPTION_BUDGET = grouped("policy", "PodDisruptionBudget", "poddisruptionbudgets");
    /// Roles.
    ROLE = grouped("rbac.authorization.k8s.io", "Role", "roles");
    /// RoleBindings.
    ROLE_BINDING = grouped("rbac.authorization.k8s.io", "RoleBinding", "rolebindings");
    /// ClusterRoles.
    CLUSTER_ROLE = global("rbac.authorization.k8s.io", "ClusterRole", "clusterroles");
    /// ClusterRoleBindings.
    CLUSTER_ROLE_BINDING = global("rbac.authorization.k8s.io", "ClusterRoleBinding", "clusterrolebindings");
    /// MutatingWebhookConfigurations.
    MUTATING_WEBHOOKS = global("admissionregistration.k8s.io", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations");
    /// ValidatingWebhookConfigurations.
    VALIDATING_WEBHOOKS = global("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations");
    /// ValidatingAdmissionPolicies.
    VALIDATING_POLICIES = policies("ValidatingAdmissionPolicy", "validatingadmissionpolicies");
    /// ValidatingAdmissionPolicyBindings.
    VALIDATING_POLICY_BINDINGS = policies("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings");
    /// CustomResourceDefinitions.
    CUSTOM_RESOURCE_DEFINITION = global("apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions");
    /// APIServices.
    API_SERVICE = global("apiregistration.k8s.io", "APIService", "apiservices");
    /// EndpointSlices.
    ENDPOINT_SLICE = grouped("discovery.k8s.io", "EndpointSlice", "endpointslices");
    /// FlowSchemas.
    FLOW_SCHEMA = fairness("FlowSchema", "flowschemas");
    /// PriorityLevelConfigurations.
    PRIORITY_LEVEL = fairness("PriorityLevelConfiguration", "prioritylevelconfigurations");
    /// IngressClasses.
    INGRESS_CLASS = global("networking.k8s.io", "IngressClass", "ingressclasses");
    /// NetworkPolicies.
    NETWORK_POLICY = grouped("networking.k8s.io", "NetworkPolicy", "networkpolicies");
    /// PriorityClasses.
    PRIORITY_CLASS = global("scheduling.k8s.io", "PriorityClass", "priorityclasses");
    /// CSIDrivers.
    CSI_DRIVER = global("storage.k8s.io", "CSIDriver", "csidrivers");
    /// StorageClasses.
    STORAGE_CLASS = global("storage.k8s.io", "StorageClass", "storageclasses");
    /// Cluster API Clusters.
    CAPI_CLUSTER = capi("cluster.x-k8s.io", "Cluster", "clusters");
    /// Cluster API MachineDeployments.
    MACHINE_DEPLOYMENT = capi("cluster.x-k8s.io", "MachineDeployment", "machinedeployments");
    /// Cluster API MachineSets.
    MACHINE_SET = capi("cluster.x-k8s.io", "MachineSet", "machinesets");
    /// Cluster API control planes.
    KUBEADM_CONTROL_PLANE = capi("controlplane.cluster.x-k8s.io", "KubeadmControlPlane", "kubeadmcontrolplanes");
    /// Cluster API bootstrap configurations.
    KUBEADM_CONFIG = capi("bootstrap.cluster.x-k8s.io", "KubeadmConfig", "kubeadmconfigs");
    /// Cluster API bootstrap templates.
    KUBEADM_CONFIG_TEMPLATE = capi("bootstrap.cluster.x-k8s.io", "KubeadmConfigTemplate", "kubeadmconfigtemplates");
    /// Clusters of the Azure Stack HCI provider of Cluster API.
    HCI_CLUSTER = hci("AzureStackHCICluster", "azurestackhciclusters");
    /// Load balancers of that provider.
    HCI_LOAD_BALANCER = hci("AzureStackHCILoadBalancer", "azurestackhciloadbalancers");
    /// Machines of that provider.
    HCI_MACHINE = hci("AzureStackHCIMachine", "azurestackhcimachines");
    /// Machine templates of that provider.
    HCI_MACHINE_TEMPLATE = hci("AzureStackHCIMachineTemplate", "azurestackhcimachinetemplates");
    /// Virtual machines of that provider.
    HCI_VIRTUAL_MACHINE = hci("AzureStackHCIVirtualMachine", "azurestackhcivirtualmachines");
    /// Calico BGP configurations.
    CALICO_BGP_CONFIGURATION = calico("BGPConfiguration", "bgpconfigurations");
    /// Calico BGP peers.
    CALICO_BGP_PEER = calico("BGPPeer", "bgppeers");
    /// Calico's Felix settings.
    CALICO_FELIX_CONFIGURATION = calico("FelixConfiguration", "felixconfigurations");
    /// Calico IP pools.
    CALICO_IP_POOL = calico("IPPool", "ippools");
    /// Settings of Calico's controllers.
    CALICO_KUBE_CONTROLLERS = calico("KubeControllersConfiguration", "kubecontrollersconfigurations");
    /// Calico BGP configurations, as shown to people.
    CALICO_V3_BGP_CONFIGURATION = calico_v3("BGPConfiguration", "bgpconfigurations");
    /// Calico BGP peers, as shown to people.
    CALICO_V3_BGP_PEER = calico_v3("BGPPeer", "bgppeers");
    /// Calico's Felix settings, as shown to people.
    CALICO_V3_FELIX_CONFIGURATION = calico_v3("FelixConfiguration", "felixconfigurations");
    /// Calico IP pools, as shown to people.
    CALICO_V3_IP_POOL = calico_v3("IPPool", "ippools");
    /// Settings of Calico's controllers, as shown to people.
    CALICO_V3_KUBE_CONTROLLERS = calico_v3("KubeControllersConfiguration", "kubecontrollersconfigurations");
    /// The Tigera operator's installation of Calico.
    CALICO_INSTALLATION = custom_global("operator.tigera.io", "v1", "Installation", "installations");
    /// NMState's policies for the network of nodes.
    NMSTATE_POLICY = custom_global("nmstate.io", "v1", "NodeNetworkConfigurationPolicy", "nodenetworkconfigurationpolicies");
    /// SR-IOV policies for the network cards of nodes.
    SRIOV_NODE_POLICY = custom("sriovnetwork.openshift.io", "v1", "SriovNetworkNodePolicy", "sriovnetworknodepolicies");
    /// Multus' attachments of pods to further networks.
    NETWORK_ATTACHMENT = custom("k8s.cni.cncf.io", "v1", "NetworkAttachmentDefinition", "network-attachment-definitions");
    /// The Arc agents' report on their cluster (Azure/azure-cli-extensions, connectedk8s).
    CONNECTED_CLUSTER = custom("arc.azure.com", "v1beta1", "ConnectedCluster", "connectedclusters");
    /// Identities that the Arc agents request from Azure.
    ARC_IDENTITY_REQUEST = custom("clusterconfig.azure.com", "v1beta1", "AzureClusterIdentityRequest", "azureclusteridentityrequests");
    /// Identities of Arc extensions.
    ARC_EXTENSION_IDENTITY = custom("clusterconfig.azure.com", "v1beta1", "AzureExtensionIdentity", "azureextensionidentities");
    /// Arc extensions.
    ARC_EXTENSION_CONFIG = custom("clusterconfig.azure.com", "v1beta1", "ExtensionConfig", "extensionconfigs");
    /// Ranges of pods' addresses (Kubernetes 1.25 to 1.28).
    CLUSTER_CIDR = alpha("networking.k8s.io", "v1alpha1", "ClusterCIDR", "clustercidrs");
    /// Bundles of trusted certificates (alpha from 1.27 on, beta from 1.33 on).
    CLUSTER_TRUST_BUNDLE = alpha("certificates.k8s.io", "v1alpha1", "ClusterTrustBundle", "clustertrustbundles");
    /// Taints of devices (alpha from 1.33 on).
    DEVICE_TAINT_RULE = alpha("resource.k8s.io", "v1alpha3", "DeviceTaintRule", "devicetaintrules");
    /// Policies that change objects at admission (alpha from 1.32 on, beta from 1.34 on).
    MUTATING_ADMISSION_POLICY = alpha("admissionregistration.k8s.io", "v1alpha1", "MutatingAdmissionPolicy", "mutatingadmissionpolicies");
    /// Classes of dynamically allocated resources (alpha from 1.26 to 1.30).
    RESOURCE_CLASS = alpha("resource.k8s.io", "v1alpha2", "ResourceClass", "resourceclasses");
    /// Requests to store objects at another version (alpha from 1.30 on).
    STORAGE_VERSION_MIGRATION = alpha("storagemigration.k8s.io", "v1alpha1", "StorageVersionMigration", "storageversionmigrations");
    /// Classes of volume attributes that can be changed later (alpha from 1.29 on, beta from 1.31 on).
    VOLUME_ATTRIBUTES_CLASS = alpha("storage.k8s.io", "v1alpha1", "VolumeAttributesClass", "volumeattributesclasses");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_names_are_the_apis_own() {
        assert_eq!(DEPLOYMENT.list_path(Some("kube-system")), "/apis/apps/v1/namespaces/kube-system/deployments");
        assert_eq!(NODE.list_path(None), "/api/v1/nodes");
        assert_eq!(NODE.page_path(None, 500, None), "/api/v1/nodes?limit=500");
        assert_eq!(NODE.page_path(None, 5, Some("aB-9_.~=&/")), "/api/v1/nodes?limit=5&continue=aB-9_.~%3D%26%2F");
        assert_eq!(DEPLOYMENT.qualified(), "deployments.apps");
        assert_eq!(of("apps/v1", "Deployment"), Some(&DEPLOYMENT));
        assert_eq!(of("v1", "Deployment"), None);
        assert_eq!(MACHINE.list_path_at("v1beta2", None), "/apis/cluster.x-k8s.io/v1beta2/machines");
        assert_eq!(of("cluster.x-k8s.io/v1beta2", "Machine"), Some(&MACHINE));
    }

    #[test]
    fn versions_are_asked_for_once_and_an_alpha_version_stands_alone() {
        for kind in ALL {
            let versions: Vec<&str> = kind.versions().collect();
            let distinct: std::collections::BTreeSet<&str> = kind.versions().collect();
            assert_eq!(versions.len(), distinct.len(), "{versions:?} of {}", kind.qualified());
            assert!(
                !kind.is_alpha() || versions.len() == 1,
                "{}: which version it is written at matters",
                kind.qualified()
            );
        }
    }
}
