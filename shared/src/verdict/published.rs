//! The published result: the ConfigMap that holds a result in its cluster, and the summary in one of its annotations.
//!
//! `report publish` writes both. The guard reads the summary alone and makes metrics of it, so the summary is small whatever
//! the result holds.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::verdict::report::v1::{ConsequenceV1, ReportV1, VerdictV1};

/// The name of the ConfigMap.
pub const NAME: &str = "aksarc-result";

/// The annotation of the ConfigMap that holds the summary as JSON.
pub const SUMMARY: &str = "aksarc.dev/summary";

/// A result in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResultSummary {
    /// The moment of the judged state; none where the result does not tell.
    #[serde(default)]
    pub taken_at: Option<Timestamp>,
    /// The verdict.
    pub verdict: VerdictV1,
    /// The number of findings that no waiver accepts, by rule and consequence.
    pub findings: BTreeMap<String, BTreeMap<ConsequenceV1, u32>>,
    /// The number of findings that a waiver accepts.
    pub waived: u32,
    /// The number of rules by outcome, and of those that were not asked ([`LEFT_OUT`]).
    pub rules: BTreeMap<String, u32>,
}

/// The word for rules that were not asked, among the outcomes.
pub const LEFT_OUT: &str = "left-out";

impl ResultSummary {
    /// The summary of a report.
    pub fn of(report: &ReportV1) -> Self {
        let mut findings: BTreeMap<String, BTreeMap<ConsequenceV1, u32>> = BTreeMap::new();
        for finding in report.findings.iter().filter(|finding| finding.waiver.is_none()) {
            *findings.entry(finding.code.clone()).or_default().entry(finding.consequence).or_default() += 1;
        }
        let mut rules = BTreeMap::from([(LEFT_OUT.to_owned(), count(report.catalogue.left_out))]);
        for rule in &report.rules {
            *rules.entry(rule.outcome.as_str().to_owned()).or_default() += 1;
        }
        ResultSummary {
            taken_at: report.input.taken_at.as_deref().and_then(|moment| moment.parse().ok()),
            verdict: report.verdict,
            findings,
            waived: count(report.findings.iter().filter(|finding| finding.waiver.is_some()).count()),
            rules,
        }
    }

    /// Reads the text of a summary.
    ///
    /// # Errors
    /// A line for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// The text of the summary.
    pub fn text(&self) -> String {
        // Strings, numbers and times always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
