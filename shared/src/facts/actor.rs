//! Who acts: the platform, a person or their automation, or an identity that could be either.

use crate::data::{Identities, Managers};
use crate::k8s::user::User;

/// Who acts, for what the guard may do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// Could be the platform or a person: warned, and denied only where the configuration says so.
    Ambiguous,
    /// A named user, a service account of theirs, or a human tool.
    Person,
    /// The platform itself: never judged.
    Platform,
}

impl Actor {
    /// A word for metrics and audit annotations.
    pub fn as_str(self) -> &'static str {
        match self {
            Actor::Ambiguous => "ambiguous",
            Actor::Person => "person",
            Actor::Platform => "platform",
        }
    }
}

/// Extra identities from the configuration; they decide before the built-in ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Actors {
    /// Identities that are the platform's here.
    pub platform: Matchers,
    /// Identities that are people's or their automation's here, also against the built-in list.
    pub people: Matchers,
    /// What is done about a request that could be the platform's or a person's, where a person's would be denied.
    pub ambiguous: Ambiguous,
}

/// What is done about what an identity does that could be the platform or a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Ambiguous {
    /// It is denied: for clusters where everybody who acts for the platform is configured.
    Deny,
    /// It is allowed with a warning. Deletes, and `kubectl scale`, tell of no tool: an administrator's are among these.
    #[default]
    Warn,
}

impl Ambiguous {
    /// The word of the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Ambiguous::Deny => "deny",
            Ambiguous::Warn => "warn",
        }
    }
}

/// Exact identities; there are no wildcards on purpose.
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

/// Why an entry of the configuration names nobody, or everybody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMatcher {
    /// A pattern, of which there are none.
    #[error("actors: {0:?} is compared as it stands, and no name has a star in it: write each name out")]
    Star(String),
    /// Nothing.
    #[error("actors: a name is empty, and nobody has none")]
    Empty,
    /// A group that is not the platform's alone.
    #[error(
        "actors.platform.groups: everybody, or every service account, is in {0}, so the guard would judge nobody: name those who act for the platform"
    )]
    Everybody(String),
}

impl Actors {
    /// Whether each entry can name somebody, and none the platform together with everybody.
    ///
    /// # Errors
    /// [`NoMatcher`] for the first entry that cannot.
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

/// Groups that the API server puts everybody in, or every service account (kubernetes.io, Authenticating and Service accounts).
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

/// Whether a request is an agent's: software that runs with a service account and calls itself by no tool of people's. It may
/// keep metadata of its own where a person may not. A name alone makes nobody an agent: everybody can choose a fieldManager.
pub fn is_agent(user: &User, managers: &Managers) -> bool {
    user.name.starts_with("system:serviceaccount:") && managers.is_agent(&user.field_manager)
}

/// Classifies a user.
///
/// The order: configured credential ids (they tell apart what names cannot), configured people, configured platform,
/// built-in platform, ambiguous groups, and everyone else is a person. Cluster API's kubeconfig and an administrator's
/// look the same, so a human tool's fieldManager turns an ambiguous identity into a person and nothing turns it into
/// the platform but configuration.
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
