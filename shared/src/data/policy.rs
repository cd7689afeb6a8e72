//! The policy texts, and what they say clause by clause.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::platform::Platform;

/// A policy text, or another page that findings rest on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Our id for it.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its date; some are undated.
    pub date: Option<Date>,
    /// Platforms whose policy text it is; none for any other page.
    #[serde(default, skip_serializing)]
    pub platforms: Vec<Platform>,
    /// Where the edition that was read is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Anything to know about its editions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A clause, in our words.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClauseText {
    /// `C13`.
    pub id: String,
    /// The section of the policy text it stands in.
    pub section: String,
    /// What it says.
    pub says: String,
    /// What follows.
    pub consequence: String,
    /// What can decide it.
    pub sees: Vec<Sees>,
    /// How the text of a platform differs.
    #[serde(default)]
    pub differs: BTreeMap<String, String>,
    /// What settles it besides rules and questions, or why nothing in a cluster does.
    #[serde(default)]
    pub settled_by: Option<String>,
    /// Who can answer what Kubernetes cannot show, and how.
    #[serde(default)]
    pub ask: Option<String>,
    /// What the question is about, in a few words.
    #[serde(default)]
    pub topic: Option<String>,
    /// How many days somebody's answer holds.
    #[serde(default, skip_serializing)]
    pub holds_days: Option<i64>,
    /// The clause whose question is asked instead of one of its own.
    #[serde(default, skip_serializing)]
    pub asked_with: Option<String>,
    /// Platforms whose text has no such clause, so that nobody is asked there.
    #[serde(default, skip_serializing)]
    pub no_text_on: Vec<Platform>,
    /// The release of the host answers it.
    #[serde(default, skip_serializing)]
    pub settled_by_release: bool,
}

/// What can decide a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sees {
    /// Somebody's dated answer; not observable from Kubernetes.
    Attest,
    /// The guard and the dry run, when it is attempted.
    Change,
    /// The Kubernetes API.
    Cluster,
    /// Traces, not the fact.
    Evidence,
    /// Nothing to decide.
    Information,
    /// The platform alone.
    Profile,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::embedded;

    #[test]
    fn clauses_that_need_an_answer_say_whom_to_ask() {
        for clause in embedded().clauses.iter() {
            assert_eq!(clause.sees.contains(&Sees::Attest), clause.ask.is_some(), "{}", clause.id);
        }
    }
}
