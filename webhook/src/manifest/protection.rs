//! Policies for objects that no webhook is asked about, as ValidatingAdmissionPolicies (Kubernetes 1.30 or newer):
//! webhook configurations, the guard's own and the platform's, the guard's namespace and what it consists of, the
//! endpoints of managed Services, and the Secrets that the guard's own account makes.
//!
//! The policies for the guard's own objects fail closed, so they match a few kinds, by name or in one namespace, and
//! nothing else. The way out is an annotation on the object itself or on the namespace, and not a group to impersonate:
//! a user who impersonates loses the rights of their own groups, and an administrator's rights usually come from groups.

use std::collections::BTreeSet;

use aksarc_shared::data::own::{
    CERTIFICATES, CONFIGURATION, GENERATED, HOOK_ACCOUNT, NAMESPACE, OPEN, SERVICE, TLS_SECRET,
};
use aksarc_shared::data::{self, Component, Data};
use aksarc_shared::facts::{digest, heartbeat};
use aksarc_shared::k8s::kinds;
use aksarc_shared::k8s::read::yaml;
use aksarc_shared::verdict::guard::Settings;

use super::template::{fill, list, quoted};

/// The policy for webhook configurations, and its binding.
pub const POLICY: &str = "protection.guard.aksarc.dev";

/// The policy for the guard's namespace, and its binding.
pub const NAMESPACE_POLICY: &str = "namespace.guard.aksarc.dev";

/// The policy for the objects in it, and its binding.
pub const OBJECTS_POLICY: &str = "objects.guard.aksarc.dev";

/// The policy for the endpoints of managed Services, and its binding.
pub const ENDPOINTS_POLICY: &str = "endpoints.guard.aksarc.dev";

/// The policy for the Secrets that the guard's account makes, and its binding.
pub const CERTIFICATES_POLICY: &str = "certificates.guard.aksarc.dev";

/// The manifest as YAML. `settings` may name further identities of the platform.
pub fn render(settings: &Settings) -> String {
    let data = data::embedded();
    let platform = &settings.actors.platform;
    let users = data.identities.users.iter().map(|row| &*row.name).chain(platform.users.iter().map(String::as_str));
    let groups = data.identities.groups.iter().map(|row| &*row.name).chain(platform.groups.iter().map(String::as_str));
    let names = data.cluster_objects.webhooks.iter().filter(|row| row.always).map(|row| &*row.name);
    // The name of a service account, and of the Service: both are the guard's.
    let account = quoted(&format!("system:serviceaccount:{NAMESPACE}:{SERVICE}"));
    let hook_account = quoted(&format!("system:serviceaccount:{NAMESPACE}:{HOOK_ACCOUNT}"));
    let values = [
        ("policy", POLICY),
        ("account", &account),
        ("hook-account", &hook_account),
        ("configuration", CONFIGURATION),
        ("open", OPEN),
        ("names", &list([CONFIGURATION].into_iter().chain(names))),
        ("users", &list(users)),
        ("groups", &list(groups)),
        ("credentials", &list(platform.credential_ids.iter().map(String::as_str))),
    ];
    let certificates = [
        ("policy", CERTIFICATES_POLICY),
        ("account", &account),
        ("namespace", NAMESPACE),
        ("secret", &quoted(CERTIFICATES)),
    ];
    let text = fill(include_str!("../../manifest/protection.yaml"), &values)
        + &own_namespace(&values)
        + &fill(include_str!("../../manifest/certificates-policy.yaml"), &certificates)
        + &endpoints(&values);
    sealed(&text)
}

/// The policies with the digest of each in its annotation, with which a check compares the one in the cluster.
pub(super) fn sealed(text: &str) -> String {
    let text = fill(text, &[("generated", GENERATED)]);
    let documents = yaml::documents(&text).unwrap_or_default();
    let policies = documents.iter().filter(|document| document["kind"] == kinds::VALIDATING_POLICIES.kind);
    let digests = policies.map(|policy| digest::of_policy(&policy["spec"]));
    digests.fold(text, |text, digest| text.replacen("{{digest}}", &digest, 1))
}

/// The manifest of the policies for the guard's namespace and what it consists of.
fn own_namespace(values: &[(&str, &str)]) -> String {
    let names = [SERVICE, heartbeat::NAME, CERTIFICATES, TLS_SECRET];
    let own = [
        ("policy", NAMESPACE_POLICY),
        ("objects-policy", OBJECTS_POLICY),
        ("namespace", NAMESPACE),
        ("own", &quoted(SERVICE)),
        ("names", &list(names)),
    ];
    fill(include_str!("../../manifest/namespace.yaml"), &overlaid(&own, values))
}

/// Values with those of `own` in place of others of the same name.
fn overlaid<'v>(own: &[(&'v str, &'v str)], values: &[(&'v str, &'v str)]) -> Vec<(&'v str, &'v str)> {
    let others = values.iter().filter(|(name, _)| own.iter().all(|(own, _)| own != name));
    own.iter().chain(others).copied().collect()
}

/// The manifest of the policy that keeps people from answering for managed Services. It lets the identities of the
/// other policy pass.
fn endpoints(values: &[(&str, &str)]) -> String {
    let services = managed_services(data::embedded());
    let namespaces: BTreeSet<&str> = services.iter().map(|(namespace, _)| *namespace).collect();
    let names: Vec<String> = services.iter().map(|(namespace, name)| format!("{namespace}/{name}")).collect();
    let own = [
        ("policy", ENDPOINTS_POLICY),
        ("namespaces", &list(namespaces)),
        ("services", &list(names.iter().map(String::as_str))),
    ];
    fill(include_str!("../../manifest/endpoints.yaml"), &overlaid(&own, values))
}

/// The managed Services whose names the catalogue knows, as namespace and name.
fn managed_services(data: &Data) -> BTreeSet<(&str, &str)> {
    let is_service = |row: &&Component| row.kinds.iter().any(|kind| kind == kinds::SERVICE.kind);
    let rows = data.components.iter().filter(is_service).filter_map(|row| Some((row, row.name.as_deref()?)));
    let protected = || data.namespaces.namespaces.iter().map(|row| &*row.name);
    let mut services = BTreeSet::new();
    for (row, name) in rows {
        services.extend(row.namespaces.iter().map(|namespace| (&**namespace, name)));
        let any = protected().filter(|namespace| row.is(kinds::SERVICE.kind, namespace, name, &data.namespaces));
        services.extend(any.map(|namespace| (namespace, name)));
    }
    services
}

#[cfg(test)]
mod tests {
    use super::*;
    use aksarc_shared::data::own::PROTECTION;

    #[test]
    fn the_policy_names_what_it_protects_and_who_may_pass() {
        let mut settings = Settings::default();
        settings.actors.platform.users.push("system:serviceaccount:cert-manager:cainjector".to_owned());
        let text = render(&settings);
        for name in [CONFIGURATION, "azure-wi-webhook-mutating-webhook-configuration", OPEN, "system:apiserver"] {
            assert!(text.contains(&format!("{name:?}")), "{name}");
        }
        assert!(text.contains("\"system:serviceaccount:cert-manager:cainjector\""));
        assert!(!text.contains("system:masters") && !text.contains("{{"));
        // A user may run a Gatekeeper of their own under this name.
        assert!(!text.contains("gatekeeper-"));
        assert!(text.contains("\"kube-system/kube-dns\"") && !text.contains("\"default/"));
        let documents = yaml::documents(&text).unwrap();
        let policies = documents.iter().filter(|document| document["kind"] == kinds::VALIDATING_POLICIES.kind);
        let mut names: Vec<&str> = policies.map(|policy| policy["metadata"]["name"].as_str().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, PROTECTION);
    }
}
