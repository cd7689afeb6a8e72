//! The policy that protects webhook configurations, the guard's own and the platform's: no webhook is ever asked about them, a
//! ValidatingAdmissionPolicy is (Kubernetes 1.30 on).
//!
//! It fails closed, so it matches two kinds, by name, and nothing else, and it names its way out.

use aksarc_shared::data;
use aksarc_shared::guard::Settings;

use crate::manifest::CONFIGURATION;

/// The policy and its binding.
pub const POLICY: &str = "protection.guard.aksarc.dev";

/// Who is in this group may do what the policy otherwise denies: `kubectl --as-group`, for those who may impersonate it.
pub const BREAK_GLASS: &str = "aksarc:break-glass";

/// The manifest as YAML. `settings` may name further identities of the platform.
pub fn render(settings: &Settings) -> String {
    let data = data::embedded();
    let platform = &settings.actors.platform;
    let users = data.identities.users.iter().map(|row| &*row.name).chain(platform.users.iter().map(String::as_str));
    let groups = data.identities.groups.iter().map(|row| &*row.name).chain(platform.groups.iter().map(String::as_str));
    let names = data.cluster_objects.webhooks.iter().filter(|row| row.always).map(|row| &*row.name);
    let values = [
        ("policy", POLICY.to_owned()),
        ("configuration", CONFIGURATION.to_owned()),
        ("break-glass", BREAK_GLASS.to_owned()),
        ("names", list([CONFIGURATION].into_iter().chain(names))),
        ("users", list(users)),
        ("groups", list([BREAK_GLASS].into_iter().chain(groups))),
        ("credentials", list(platform.credential_ids.iter().map(String::as_str))),
    ];
    values.iter().fold(include_str!("../manifest/protection.yaml").to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{{{name}}}}}"), value)
    })
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
        for name in [CONFIGURATION, "azure-wi-webhook-mutating-webhook-configuration", BREAK_GLASS, "system:apiserver"]
        {
            assert!(text.contains(&format!("{name:?}")), "{name}");
        }
        assert!(text.contains("cert-manager:cainjector") && !text.contains("system:masters") && !text.contains("{{"));
        // A user may run a Gatekeeper of their own under this name.
        assert!(!text.contains("gatekeeper"));
    }
}
