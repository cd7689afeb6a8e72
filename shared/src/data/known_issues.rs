//! Known issues of AKS Arc and its parts, by the rules that find traces of them.

use jiff::civil::Date;
use serde::Deserialize;

use super::confidence::Confidence;
use super::platform::Platform;

/// A known issue.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownIssue {
    /// A short id.
    pub id: String,
    /// The problem, in our words.
    pub title: String,
    /// The platforms it is known on; empty for all.
    #[serde(default)]
    pub platforms: Vec<Platform>,
    /// The affected versions, where the source names them.
    #[serde(default)]
    pub versions: Option<String>,
    /// The codes of the rules whose findings it can explain.
    pub rules: Vec<String>,
    /// How well it is known.
    pub confidence: Confidence,
    /// The source.
    pub source: String,
    /// The day on which the source was last read.
    pub checked: Date,
}

impl KnownIssue {
    /// A line for people: the problem, where and since when it occurs, and the source.
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
