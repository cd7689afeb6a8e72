//! The JSON contract of a report, `aksarc.dev/v1alpha1`: all that a renderer needs, in types of its own.
//!
//! [`ReportV1`] is made from the engine's [`Report`](super::Report) and an [`InputV1`], or read from its own JSON. Names
//! and order of the fields are the contract: a field may be added, and none is renamed or taken away under this version.
//! A reader ignores fields that it does not know. Rules, clauses and policy data stay behind: whatever a renderer says of
//! them is in the report.

mod clause;
mod finding;
mod links;
mod urgency;
mod words;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::data::own::API_VERSION;
use crate::text;

pub use clause::ClauseV1;
pub use finding::{CommandV1, DocumentV1, EvidenceV1, FindingV1, IssueV1, ObjectV1, PlaceV1, SectionV1, WaiverV1};
pub use links::Link;
pub use urgency::Urgency;
pub use words::{
    BasisV1, ClauseStateV1, ConsequenceV1, InputKindV1, OutcomeV1, ReportKindV1, ReportVersionV1, VerdictV1,
};

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportV1 {
    /// `aksarc.dev/v1alpha1`.
    pub api_version: ReportVersionV1,
    /// `SupportReport`.
    pub kind: ReportKindV1,
    /// The program that made it.
    pub tool: ToolV1,
    /// The policy that was judged against.
    pub policy: PolicyV1,
    /// The cluster that was judged.
    pub cluster: ClusterV1,
    /// The source of the objects that were judged.
    pub input: InputV1,
    /// The verdict.
    pub verdict: VerdictV1,
    /// The strongest basis of what voids support; nothing unless the verdict is `outside`.
    pub verdict_basis: Option<BasisV1>,
    /// Whether the verdict rests on some of the rules alone, because `--only` or `--skip` left others out.
    #[serde(default)]
    pub partial: bool,
    /// The exit code, whatever the format.
    pub exit_code: u8,
    /// The lightest consequence that fails the check, by `--fail-on`.
    #[serde(default = "voids")]
    pub fail_on: ConsequenceV1,
    /// Counts by word: the consequences, `waived`, `unknown` and `not-observable`.
    pub summary: BTreeMap<String, usize>,
    /// The number of rules that this program knows, and of those that were left out.
    pub catalogue: CatalogueV1,
    /// Every rule that was selected.
    pub rules: Vec<RuleV1>,
    /// Every finding, heaviest first, waived ones too.
    pub findings: Vec<FindingV1>,
    /// Deadlines, soonest first.
    pub clocks: Vec<ClockV1>,
    /// Questions about what Kubernetes cannot show, with whom to ask and the answers.
    pub questions: Vec<QuestionV1>,
    /// The clauses of the policy, each with its state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clauses: Vec<ClauseV1>,
    /// The extent of reading.
    pub coverage: CoverageV1,
}

/// The program that made a report.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolV1 {
    /// Version.
    pub version: String,
    /// Commit, where known.
    pub commit: String,
}

/// The policy that was judged against.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyV1 {
    /// The platform, or the candidates joined by `|`.
    pub platform: String,
    /// The platform, or the candidates.
    pub platforms: Vec<String>,
    /// Whether the platform is a preview without a support policy text.
    pub preview: bool,
    /// The evidence for the platform.
    pub platform_evidence: Vec<String>,
    /// The policy texts of those platforms.
    pub documents: Vec<DocumentV1>,
    /// The day judged.
    pub as_of: String,
    /// The day of the version table.
    pub version_table_as_of: String,
    /// The release of the host, where `--platform-release` told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
}

/// The cluster that was judged.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterV1 {
    /// The kubeconfig context, the snapshot, or the number of manifests.
    pub context: String,
    /// The server's URL; empty for snapshots and manifests.
    pub server: String,
    /// `v1.33.5`; empty if unknown.
    pub kubernetes_version: String,
    /// The number of nodes.
    pub nodes: usize,
    /// The uid of its namespace kube-system, which stays as long as the cluster does; empty if unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// The nodes by the version of their kubelet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_versions: Vec<NodeVersionV1>,
    /// The creation of the oldest system namespace, RFC 3339, which is the birth of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The version of the Azure Arc agents, in their own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arc_agent_version: Option<String>,
    /// The cluster's resource in Azure, where an object of the agents names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_resource: Option<AzureResourceV1>,
}

/// The resource in Azure that stands for a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AzureResourceV1 {
    /// `/subscriptions/…/providers/Microsoft.Kubernetes/connectedClusters/…`.
    pub id: String,
    /// The object that names it: `ConfigMap azure-arc/azure-clusterconfig`.
    pub source: String,
}

/// The nodes with one version of the kubelet. An upgrade makes nodes anew, so their ages show when it was.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeVersionV1 {
    /// `v1.33.5`.
    pub version: String,
    /// The number of nodes.
    pub nodes: usize,
    /// The creation of the oldest of them, RFC 3339; left out where no node tells.
    pub first_created: Option<String>,
    /// The creation of the newest of them, RFC 3339.
    pub last_created: Option<String>,
}

/// The source of the objects that were judged, and what is known of it beside the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InputV1 {
    /// A cluster, a snapshot, or manifests.
    pub kind: InputKindV1,
    /// The moment at which the snapshot was taken, as the snapshot spells it; left out for other sources.
    pub taken: Option<String>,
    /// The moment of the judged state, RFC 3339: of a snapshot the one at which it was taken, where it tells; of a
    /// cluster that of the check, unless another one was asked for; left out for manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<String>,
    /// The moment that was asked for, RFC 3339; left out where the check judged as of now or of the snapshot.
    pub as_of: Option<String>,
    /// Whether the nodes were read, so that their number says something.
    pub nodes_read: bool,
    /// Objects among the manifests that no rule looks at.
    pub unjudged: usize,
    /// Objects among the manifests that were recorded from a cluster.
    pub recorded: usize,
    /// The SHA-256 of the snapshot, in hexadecimal digits: of a file its own; of a directory that of the lines which
    /// `sha256sum` prints of the files in it that were read, by the order of their names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// The rules that a program knows, in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogueV1 {
    /// All rules.
    pub rules: usize,
    /// Those that were left out: a verdict of a few is not one of all.
    pub left_out: usize,
    /// The same by name, for formats that have a place for every rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<SkippedRuleV1>,
}

/// A rule that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SkippedRuleV1 {
    /// `AA201`.
    pub code: String,
    /// `system-label-changed`.
    pub slug: String,
}

/// The outcome of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleV1 {
    /// `AA201`.
    pub code: String,
    /// `system-label-changed`.
    pub slug: String,
    /// The problem that the rule finds, in a sentence.
    pub summary: String,
    /// The supported way, in a few words.
    #[serde(default)]
    pub instead: String,
    /// The outcome.
    pub outcome: OutcomeV1,
    /// The reason, for anything but a plain pass or violation.
    pub reason: String,
    /// Whether the undecided part of it could void support, so that the verdict hangs on it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub could_void: bool,
    /// Whether it was not run because it needs a cluster and manifests were given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_cluster: bool,
}

/// A deadline.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClockV1 {
    /// The day it is due.
    pub due: String,
    /// Days from the day judged; negative when past.
    pub days_left: i64,
    /// The rule, or the rule a waiver is for.
    pub code: String,
    /// The event that becomes due.
    pub what: String,
    /// Where the platform is not known, those on which this holds; empty when it holds on all that it may be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<String>,
    /// What becomes due: deadlines of one rule on one thing are alternatives, of which one will come true.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
}

/// A question that only people can answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QuestionV1 {
    /// The clauses it is about; the first is the one to answer.
    pub clauses: Vec<String>,
    /// The rules that cannot see all of it.
    pub rules: Vec<String>,
    /// Its subject, in a few words.
    pub topic: String,
    /// The clause, in our words, as on this platform.
    pub says: String,
    /// The person who can answer, and how they find out; commands stand in backticks.
    pub ask: String,
    /// The answer that counts.
    pub answer: Option<AnswerV1>,
    /// The reason why a given answer does not count.
    pub refused: Option<String>,
}

/// An answer to a question.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AnswerV1 {
    /// `fulfilled` or `not-fulfilled`.
    pub answer: String,
    /// The person who answered.
    pub by: String,
    /// The moment for which it is true, RFC 3339.
    pub on: String,
    /// The end, RFC 3339: the question is open again then.
    pub expires: String,
    /// A note of the person who answered.
    pub note: String,
}

/// The extent and the cost of reading.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CoverageV1 {
    /// Rules that came to an outcome other than unknown.
    pub evaluated: usize,
    /// Objects read.
    pub objects: usize,
    /// Objects that came without managedFields, although some rule rests on them.
    pub without_managed_fields: usize,
    /// Requests made.
    pub requests: usize,
    /// The rules that are unknown, each with the reason.
    pub unknown: Vec<String>,
    /// The rules that Kubernetes cannot show, each with the reason.
    pub not_observable: Vec<String>,
}

/// An error of reading a report from its JSON.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotReadableV1 {
    /// A document of another version.
    #[error("a report of apiVersion {0} cannot be read: this version reads {API_VERSION}")]
    Version(String),
    /// A document of another kind.
    #[error("the document is a {0} and no {KIND}")]
    Kind(String),
    /// JSON that is no report.
    #[error("the document is no {KIND} of {API_VERSION}: {0}")]
    Json(#[from] serde_json::Error),
}

impl InputV1 {
    /// The source of a check of this kind, whose nodes were read. `taken` is when a snapshot was taken, in its own words.
    pub fn of(kind: InputKindV1, taken: Option<String>) -> Self {
        let moment = taken.as_deref().and_then(|taken| taken.parse().ok());
        let taken_at = moment.map(Self::to_the_second);
        InputV1 { kind, taken, taken_at, as_of: None, nodes_read: true, unjudged: 0, recorded: 0, digest: None }
    }

    /// A moment as `taken_at` has it.
    pub fn to_the_second(moment: Timestamp) -> String {
        format!("{moment:.0}")
    }
}

impl ReportV1 {
    /// Reads a report from its JSON.
    ///
    /// # Errors
    /// [`NotReadableV1`] for another version or kind, and for JSON that is no report.
    pub fn parse(json: &str) -> Result<Self, NotReadableV1> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct ContractHead {
            api_version: String,
            kind: String,
        }
        // Another version may differ anywhere, so that its other fields say nothing.
        let head: ContractHead = serde_json::from_str(json)?;
        if head.kind != KIND {
            return Err(NotReadableV1::Kind(text::line(&head.kind, MAX_WORD)));
        }
        if head.api_version != API_VERSION {
            return Err(NotReadableV1::Version(text::line(&head.api_version, MAX_WORD)));
        }
        Ok(serde_json::from_str(json)?)
    }

    /// The unwaived findings of a consequence.
    pub fn unwaived(&self, consequence: ConsequenceV1) -> impl Iterator<Item = &FindingV1> {
        self.findings.iter().filter(move |finding| finding.consequence == consequence && finding.waiver.is_none())
    }

    /// The outcome of a rule, by its code.
    pub fn rule(&self, code: &str) -> Option<&RuleV1> {
        self.rules.iter().find(|rule| rule.code == code)
    }
}

/// The consequence that fails a check unless `--fail-on` names a lighter one.
fn voids() -> ConsequenceV1 {
    ConsequenceV1::Voids
}

const KIND: &str = "SupportReport";

/// A word of a document that is shown in an error, cleaned for printing: anybody may have written it.
const MAX_WORD: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> String {
        ReportV1::parse(json).map_or_else(|error| error.to_string(), |_| "it was read".to_owned())
    }

    #[test]
    fn another_version_or_kind_is_told_apart_from_damage() {
        let later = r#"{"apiVersion": "aksarc.dev/v2", "kind": "SupportReport", "verdict": 7}"#;
        let expected = "a report of apiVersion aksarc.dev/v2 cannot be read: this version reads aksarc.dev/v1alpha1";
        assert_eq!(refusal(later), expected);
        let plan = r#"{"apiVersion": "aksarc.dev/v1alpha1", "kind": "DryRunReport"}"#;
        assert_eq!(refusal(plan), "the document is a DryRunReport and no SupportReport");
        let damaged = r#"{"apiVersion": "aksarc.dev/v1alpha1", "kind": "SupportReport"}"#;
        assert!(refusal(damaged).starts_with("the document is no SupportReport of aksarc.dev/v1alpha1: missing field"));
        assert!(refusal("verdict: within").starts_with("the document is no SupportReport of aksarc.dev/v1alpha1: "));
        let steering = r#"{"apiVersion": "\u001b[2J", "kind": "SupportReport"}"#;
        assert!(!refusal(steering).contains('\u{1b}'));
    }
}
