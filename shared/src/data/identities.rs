//! Who acts for the platform, by user and groups.

use serde::Deserialize;

use super::Confidence;
use crate::actor::User;

/// Who acts for the platform. Exact names only: a prefix would free every service account there is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identities {
    /// Users.
    pub users: Vec<Identity>,
    /// Groups.
    pub groups: Vec<Identity>,
    /// Groups that the platform and people share.
    pub ambiguous_groups: Vec<String>,
}

/// A user or a group.
#[derive(Clone, Debug, Deserialize)]
pub struct Identity {
    /// Exact name.
    pub name: String,
    /// What it is.
    pub what: String,
    /// How well it is known.
    pub confidence: Confidence,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
}

impl Identities {
    /// Whether a user is the platform, by exact name or group.
    pub fn is_platform(&self, user: &User) -> bool {
        self.users.iter().any(|row| row.name == user.name)
            || self.groups.iter().any(|row| user.groups.contains(&row.name))
    }
}
