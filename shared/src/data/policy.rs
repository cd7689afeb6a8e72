//! The policy texts, and their clauses in our words.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::platform::Platform;

/// A policy text, or another page that findings cite.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Our id for it.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its date; some pages are undated.
    pub date: Option<Date>,
    /// The platforms whose policy text it is; empty for any other page.
    #[serde(default, skip_serializing)]
    pub platforms: Vec<Platform>,
    /// The address of the edition that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A remark on its editions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Its own headings of sections that the clauses name otherwise.
    #[serde(default, skip_serializing)]
    pub headings: BTreeMap<String, String>,
}

impl Document {
    /// The address of a section, by the name that the clauses have for it.
    pub fn section_url(&self, section: &str) -> Option<String> {
        let url = self.url.as_ref()?;
        let heading = self.headings.get(section).map_or(section, String::as_str);
        Some(if heading.is_empty() { url.clone() } else { format!("{url}#{}", anchor(heading)) })
    }
}

/// The anchor that GitHub and Microsoft Learn make of a heading.
fn anchor(heading: &str) -> String {
    let words = heading.to_lowercase();
    let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// A clause, in our words.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClauseText {
    /// `C13`.
    pub id: String,
    /// The section of the policy text that it comes from.
    pub section: String,
    /// The clause, in our words.
    pub says: String,
    /// The consequence.
    pub consequence: String,
    /// The means that can decide it.
    pub sees: Vec<Sees>,
    /// Differences of a platform's text, by platform.
    #[serde(default)]
    pub differs: BTreeMap<String, String>,
    /// The means that settle it besides rules and questions, or the reason why nothing in a cluster does.
    #[serde(default)]
    pub settled_by: Option<String>,
    /// For a clause that Kubernetes cannot show: the person to ask, and how they find out.
    #[serde(default)]
    pub ask: Option<String>,
    /// The subject of the question, in a few words.
    #[serde(default)]
    pub topic: Option<String>,
    /// For how many days an answer holds.
    #[serde(default, skip_serializing)]
    pub holds_days: Option<i64>,
    /// The clause whose question stands for this clause too.
    #[serde(default, skip_serializing)]
    pub asked_with: Option<String>,
    /// The platforms whose text lacks the clause, so that nobody is asked there.
    #[serde(default, skip_serializing)]
    pub no_text_on: Vec<Platform>,
    /// Whether the release of the host answers it.
    #[serde(default, skip_serializing)]
    pub settled_by_release: bool,
}

/// A means of deciding a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sees {
    /// Somebody's dated answer; Kubernetes does not show it.
    Attest,
    /// The guard and the dry run, at the time of the change.
    Change,
    /// The Kubernetes API.
    Cluster,
    /// The Kubernetes API, but by traces only.
    Evidence,
    /// Nothing: the clause only informs.
    Information,
    /// The platform alone.
    Profile,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::embedded;

    #[test]
    fn a_section_has_an_address_in_each_policy_text() {
        let url = |id: &str, section: &str| {
            let text = embedded().documents.iter().find(|document| document.id == id).unwrap();
            text.section_url(section).unwrap()
        };
        assert!(url("P-WS", "Network ports, IP pools, and access").ends_with(".md#network-ports-ip-pools-and-access"));
        assert!(url("P-AL", "Network ports, IP pools, and access").ends_with(".md#node-maintenance-and-access"));
        assert!(url("P-HCI", "").ends_with("/support-policies"));
        let sections: Vec<&String> = embedded().clauses.iter().map(|clause| &clause.section).collect();
        for document in embedded().documents.iter() {
            assert!(document.url.is_some(), "{} has no address", document.id);
            assert!(document.headings.keys().all(|own| sections.contains(&own)), "{}", document.id);
        }
    }

    #[test]
    fn clauses_that_need_an_answer_say_whom_to_ask() {
        for clause in embedded().clauses.iter() {
            assert_eq!(clause.sees.contains(&Sees::Attest), clause.ask.is_some(), "{}", clause.id);
        }
    }
}
