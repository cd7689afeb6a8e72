//! The policy that protects webhook configurations, the guard's own and the platform's: no webhook is ever asked about them, a
//! ValidatingAdmissionPolicy is (Kubernetes 1.30 on).
//!
//! It fails closed, so it matches two kinds, by name, and nothing else. Its way out is an annotation on the object itself,
//! and not a group to impersonate: whoever impersonates has no rights of their own groups, which is where an
//! administrator's rights usually come from.

use aksarc_shared::data;
use aksarc_shared::guard::{OPEN, Settings};

use crate::manifest::{CONFIGURATION, fill};

/// The policy and its binding.
pub const POLICY: &str = "protection.guard.aksarc.dev";

/// The manifest as YAML. `settings` may name further identities of the platform.
pub fn render(settings: &Settings) -> String {
    let data = data::embedded();
    let platform = &settings.actors.platform;
    let users = data.identities.users.iter().map(|row| &*row.name).chain(platform.users.iter().map(String::as_str));
    let groups = data.identities.groups.iter().map(|row| &*row.name).chain(platform.groups.iter().map(String::as_str));
    let names = data.cluster_objects.webhooks.iter().filter(|row| row.always).map(|row| &*row.name);
    let values = [
        ("policy", POLICY),
        ("configuration", CONFIGURATION),
        ("open", OPEN),
        ("names", &list([CONFIGURATION].into_iter().chain(names))),
        ("users", &list(users)),
        ("groups", &list(groups)),
        ("credentials", &list(platform.credential_ids.iter().map(String::as_str))),
    ];
    fill(include_str!("../manifest/protection.yaml"), &values)
}

/// A list in CEL; strings of both languages escape alike here.
fn list<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<String> = names.map(|name| format!("{name:?}")).collect();
    format!("[{}]", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(!text.contains("gatekeeper"));
    }
}
