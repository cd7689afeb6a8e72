//! The users and groups that act for the platform.

use serde::Deserialize;

use super::confidence::Confidence;
use crate::k8s::user::User;

/// The users and groups that act for the platform. Names are exact: a prefix would exempt every service account.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identities {
    /// Users.
    pub users: Vec<Identity>,
    /// Groups.
    pub groups: Vec<Identity>,
    /// Groups that both the platform and people use.
    pub ambiguous_groups: Vec<String>,
}

/// A user or a group.
#[derive(Clone, Debug, Deserialize)]
pub struct Identity {
    /// Exact name.
    pub name: String,
    /// A description for people.
    pub what: String,
    /// How well it is known.
    pub confidence: Confidence,
    /// The source.
    #[serde(default)]
    pub source: String,
}

impl Identities {
    /// Whether a user is the platform, by exact name or group. A service account needs its name to match as well, since
    /// groups can be impersonated without it.
    pub fn is_platform(&self, user: &User) -> bool {
        self.users.iter().any(|row| row.name == user.name)
            || self.groups.iter().any(|row| {
                let named = || row.account_prefix().is_none_or(|prefix| user.name.starts_with(&prefix));
                user.groups.contains(&row.name) && named()
            })
    }

    /// Whether the service accounts of a namespace count as the platform.
    pub fn trusts(&self, namespace: &str) -> bool {
        self.groups.iter().any(|row| row.namespace() == Some(namespace))
    }
}

impl Identity {
    /// The namespace, for the group of all service accounts of one namespace.
    fn namespace(&self) -> Option<&str> {
        self.name.strip_prefix("system:serviceaccounts:")
    }

    /// The prefix of the members' names, for the group of all service accounts of one namespace.
    pub fn account_prefix(&self) -> Option<String> {
        let namespace = self.namespace()?;
        Some(format!("system:serviceaccount:{namespace}:"))
    }
}

#[cfg(test)]
mod tests {
    use crate::data::Confidence;
    use crate::data::embedded;
    use crate::k8s::user::User;

    #[test]
    fn a_service_account_is_the_platforms_by_group_and_name() {
        let is = |name: &str, group: &str| {
            let user = User { name: name.to_owned(), groups: vec![group.to_owned()], ..User::default() };
            embedded().identities.is_platform(&user)
        };
        let group = "system:serviceaccounts:kube-system";
        assert!(is("system:serviceaccount:kube-system:coredns", group));
        for name in ["alice@contoso.example", "system:serviceaccount:shop:coredns", "system:serviceaccount:kube-system"]
        {
            assert!(!is(name, group), "{name}");
        }
        assert!(!is("system:serviceaccount:kube-system:coredns", "system:authenticated"));
        assert!(is("system:node:moc-l1", "system:nodes"));
    }

    #[test]
    fn accounts_count_only_in_namespaces_that_a_document_names() {
        let data = embedded();
        for row in &data.identities.groups {
            let Some(namespace) = row.name.strip_prefix("system:serviceaccounts:") else { continue };
            let known = data.namespaces.protected(namespace).unwrap();
            assert_eq!(known.confidence, Confidence::Doc, "{namespace}");
        }
    }
}
