//! Known issues of AKS Arc and its parts, by the rules that find traces of them.

use std::fmt;

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
    /// The page that tells of it; empty where only issues do.
    #[serde(default)]
    pub source: String,
    /// Issues on GitHub that tell of it.
    #[serde(default)]
    pub issues: Vec<IssueRef>,
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
        let page = (!self.source.is_empty()).then(|| self.source.clone());
        let sources: Vec<String> = page.into_iter().chain(self.issues.iter().map(ToString::to_string)).collect();
        format!("{line} ({}, looked up {})", sources.join(", "), self.checked)
    }
}

/// An issue on GitHub, `Azure/aksArc#178`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct IssueRef {
    repository: String,
    number: u32,
}

impl IssueRef {
    /// The address of the issue.
    pub fn url(&self) -> String {
        format!("https://github.com/{}/issues/{}", self.repository, self.number)
    }
}

impl fmt::Display for IssueRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.repository, self.number)
    }
}

impl TryFrom<String> for IssueRef {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let parts = text.split_once('#').and_then(|(repository, number)| Some((repository, number.parse().ok()?)));
        match parts {
            Some((repository, number)) if repository.split('/').filter(|part| !part.is_empty()).count() == 2 => {
                Ok(IssueRef { repository: repository.to_owned(), number })
            }
            _ => Err(format!("{text:?} is no issue such as Azure/aksArc#178")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tables;
    use crate::rules::catalogue;

    #[test]
    fn every_known_issue_belongs_to_rules_that_there_are() {
        let issues = tables::known_issues();
        let mut ids: Vec<&str> = issues.iter().map(|issue| &*issue.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), issues.len(), "an id stands twice");
        for issue in issues {
            assert!(!issue.rules.is_empty(), "{}", issue.id);
            assert!(!issue.source.is_empty() || !issue.issues.is_empty(), "{}", issue.id);
            for code in &issue.rules {
                let rule = catalogue::find(code).unwrap_or_else(|| panic!("{} names {code}", issue.id));
                let somewhere =
                    issue.platforms.is_empty() || issue.platforms.iter().any(|p| rule.platforms.contains(p));
                assert!(somewhere, "{}: {code} does not apply where it happens", issue.id);
            }
        }
    }

    #[test]
    fn an_issue_has_an_address() {
        let issue = IssueRef::try_from("Azure/aksArc#178".to_owned()).unwrap();
        assert_eq!(
            (&*issue.to_string(), &*issue.url()),
            ("Azure/aksArc#178", "https://github.com/Azure/aksArc/issues/178")
        );
        for bad in ["Azure/aksArc", "aksArc#1", "Azure/aksArc#x", "a/b/c#1"] {
            IssueRef::try_from(bad.to_owned()).unwrap_err();
        }
    }
}
