//! A clause of the policy in the contract.

use serde::{Deserialize, Serialize};

use super::words::ClauseStateV1;

/// A clause of the policy, with its state.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClauseV1 {
    /// `C13`.
    pub id: String,
    /// The heading that it stands under.
    pub section: String,
    /// The clause, in our words, as on this platform.
    pub says: String,
    /// The policy texts of the platform that have it, by the ids of the report's `policy.documents`.
    pub documents: Vec<String>,
    /// The selected rules that judge it.
    pub rules: Vec<String>,
    /// The heaviest state that holds.
    pub state: ClauseStateV1,
}
