//! Known issues of AKS Arc and of what it is made of, by the rules that find their traces.

use jiff::civil::Date;
use serde::Deserialize;

use super::confidence::Confidence;
use super::platform::Platform;

/// A known issue.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownIssue {
    /// A word for it.
    pub id: String,
    /// What happens, in our words.
    pub title: String,
    /// Where it is known from; empty for all.
    #[serde(default)]
    pub platforms: Vec<Platform>,
    /// The versions it is known of, where they are told.
    #[serde(default)]
    pub versions: Option<String>,
    /// Codes of the rules whose findings it can explain.
    pub rules: Vec<String>,
    /// How well it is known.
    pub confidence: Confidence,
    /// Where it is written.
    pub source: String,
    /// When somebody last looked.
    pub checked: Date,
}

impl KnownIssue {
    /// One line for people: what happens, where and since when, and who says so.
    pub fn line(&self) -> String {
        let platforms: Vec<&str> = self.platforms.iter().map(|platform| platform.as_str()).collect();
        let mut line = self.title.clone();
        if !platforms.is_empty() {
            line = format!("{line} On {}.", platforms.join(", "));
        }
        if let Some(versions) = &self.versions {
            line = format!("{line} Versions: {versions}.");
        }
        format!("{line} ({}, looked up {})", self.source, self.checked)
    }
}

#[cfg(test)]
mod tests {
    use crate::data::embedded;
    use crate::rules::catalogue;

    #[test]
    fn every_known_issue_belongs_to_rules_that_there_are() {
        let issues = &embedded().known_issues;
        let mut ids: Vec<&str> = issues.iter().map(|issue| &*issue.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), issues.len(), "an id stands twice");
        for issue in issues.iter() {
            assert!(!issue.rules.is_empty() && !issue.source.is_empty(), "{}", issue.id);
            for code in &issue.rules {
                let rule = catalogue::find(code).unwrap_or_else(|| panic!("{} names {code}", issue.id));
                let somewhere =
                    issue.platforms.is_empty() || issue.platforms.iter().any(|p| rule.platforms.contains(p));
                assert!(somewhere, "{}: {code} does not apply where it happens", issue.id);
            }
        }
    }
}
