//! The actor behind a request: the platform, a person or their automation, or an identity that could be either.

use crate::data::{Identities, Managers};
use crate::k8s::user::User;

/// The actor behind a request, as the guard distinguishes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Actor {
    /// The platform or a person: warned, and denied only where the configuration says so.
    Ambiguous,
    /// A person, their service account, or a tool of people.
    Person,
    /// The platform itself; its requests are never judged.
    Platform,
}

impl Actor {
    /// The name for metrics and audit annotations.
    pub fn as_str(self) -> &'static str {
        match self {
            Actor::Ambiguous => "ambiguous",
            Actor::Person => "person",
            Actor::Platform => "platform",
        }
    }
}

/// Identities from the configuration. They take precedence over the built-in ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Actors {
    /// Identities that are the platform in this cluster.
    pub platform: Matchers,
    /// Identities that are people or their automation in this cluster, even if the built-in list says otherwise.
    pub people: Matchers,
    /// The answer to a request that could be the platform's or a person's, where a person's would be denied.
    pub ambiguous: Ambiguous,
}

/// The answer to a request that could be the platform's or a person's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Ambiguous {
    /// The request is denied: for clusters in which every identity that acts for the platform is configured.
    Deny,
    /// The request is allowed with a warning. Deletes and `kubectl scale` do not name a tool, so an administrator's
    /// requests can be among these.
    #[default]
    Warn,
}

impl Ambiguous {
    /// The word used in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Ambiguous::Deny => "deny",
            Ambiguous::Warn => "warn",
        }
    }
}

/// Exact identities. Wildcards are left out on purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Matchers {
    /// Exact user names.
    pub users: Vec<String>,
    /// Exact groups.
    pub groups: Vec<String>,
    /// Exact values of `authentication.kubernetes.io/credential-id`, such as `X509SHA256=<hex>`.
    pub credential_ids: Vec<String>,
}

/// The reason why an entry of the configuration matches nobody, or everybody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMatcher {
    /// A pattern; wildcards are not supported.
    #[error("actors: {0:?} is compared as it stands, and no name has a star in it: write each name out")]
    Star(String),
    /// An empty entry.
    #[error("actors: a name is empty, and no user has an empty one")]
    Empty,
    /// A group that others than the platform belong to.
    #[error(
        "actors.platform.groups: everybody, or every service account, is in {0}, so the guard would judge nobody: name those who act for the platform"
    )]
    Everybody(String),
}

impl Actors {
    /// Checks that each entry can match somebody, and that no entry makes everybody the platform.
    ///
    /// # Errors
    /// [`NoMatcher`] for the first entry that fails.
    pub fn check(&self) -> Result<(), NoMatcher> {
        for matchers in [&self.platform, &self.people] {
            for name in matchers.users.iter().chain(&matchers.groups).chain(&matchers.credential_ids) {
                match &**name {
                    "" => return Err(NoMatcher::Empty),
                    star if star.contains('*') => return Err(NoMatcher::Star(star.to_owned())),
                    _ => {}
                }
            }
        }
        let everybody = self.platform.groups.iter().find(|group| EVERYBODY.contains(&group.as_str()));
        everybody.map_or(Ok(()), |group| Err(NoMatcher::Everybody(group.clone())))
    }
}

/// Groups that contain everybody, or every service account (kubernetes.io, Authenticating and Service accounts).
const EVERYBODY: [&str; 3] = ["system:authenticated", "system:serviceaccounts", "system:unauthenticated"];

impl Matchers {
    fn matches(&self, user: &User) -> bool {
        self.users.contains(&user.name)
            || user.groups.iter().any(|group| self.groups.contains(group))
            || self.matches_credential(user)
    }

    fn matches_credential(&self, user: &User) -> bool {
        user.credential_ids.iter().any(|id| self.credential_ids.contains(id))
    }
}

/// Whether a request comes from an agent: software that runs with a service account and does not call itself a people's
/// tool. An agent may keep metadata of its own where a person may not. A field manager alone makes nobody an agent,
/// since clients choose it freely.
pub fn is_agent(user: &User, managers: &Managers) -> bool {
    user.name.starts_with("system:serviceaccount:") && managers.is_agent(&user.field_manager)
}

/// The actor that a user is.
///
/// The order of precedence: configured credential ids (they distinguish users of the same name), configured people, the
/// configured platform, the built-in platform, ambiguous groups; everybody else is a person. Cluster API's kubeconfig
/// and an administrator's look the same, so a people's tool as field manager turns an ambiguous identity into a person.
/// Only configuration turns one into the platform.
pub fn classify(user: &User, extra: &Actors, identities: &Identities, managers: &Managers) -> Actor {
    if extra.people.matches_credential(user) {
        return Actor::Person;
    }
    if extra.platform.matches_credential(user) {
        return Actor::Platform;
    }
    if extra.people.matches(user) {
        return Actor::Person;
    }
    if extra.platform.matches(user) || identities.is_platform(user) {
        return Actor::Platform;
    }
    let anonymous = user.name.is_empty();
    let shared = user.groups.iter().any(|group| identities.ambiguous_groups.contains(group));
    if (anonymous || shared) && managers.person(&user.field_manager).is_none() {
        return Actor::Ambiguous;
    }
    Actor::Person
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::embedded;

    #[test]
    fn a_service_account_makes_an_agent_and_a_field_manager_does_not() {
        let is = |name: &str, field_manager: &str| {
            let user = User { name: name.to_owned(), field_manager: field_manager.to_owned(), ..User::default() };
            is_agent(&user, &embedded().managers)
        };
        let account = "system:serviceaccount:node-feature-discovery:nfd-master";
        assert!(is(account, "nfd-master") && is(account, "") && is(account, "rancher"));
        for tool in ["kubectl-label", "argocd-controller", "helm"] {
            assert!(!is(account, tool), "{tool}");
        }
        for person in ["alice@contoso.example", "kubernetes-admin", ""] {
            assert!(!is(person, "nfd-master"), "{person}");
        }
    }
}
