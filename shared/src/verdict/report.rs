//! The engine's result of a check. Programs and renderers get it as [`v1::ReportV1`], which is the contract.

mod clauses;
mod to_v1;
pub mod v1;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::data::{Document, Platform};
use crate::facts::azure_resource::AzureResource;
use crate::finding::{Basis, Code, Consequence, Finding};
use crate::people::questions::Question;

/// The result of a check.
#[derive(Clone, Debug)]
pub struct Report {
    /// The tool that made the report.
    pub tool: ToolVersion,
    /// The policy that the cluster was compared with.
    pub policy: Policy,
    /// The cluster.
    pub cluster: Cluster,
    /// The verdict.
    pub verdict: VerdictWord,
    /// The strongest basis of what voids support; nothing unless the verdict is `outside`.
    pub verdict_basis: Option<Basis>,
    /// The exit code, whatever the format.
    pub exit_code: u8,
    /// The lightest consequence that fails the check.
    pub fail_on: Consequence,
    /// Counts by consequence, and of `waived`, `unknown` and `not-observable`.
    pub summary: BTreeMap<&'static str, usize>,
    /// Every rule that was selected.
    pub rules: Vec<RuleOutcome>,
    /// All findings, heaviest first, waived ones included.
    pub findings: Vec<Finding>,
    /// Deadlines, soonest first.
    pub clocks: Vec<Clock>,
    /// The questions that Kubernetes cannot answer, with the person to ask and their answer.
    pub questions: Vec<Question>,
    /// The extent of the check.
    pub coverage: Coverage,
}

/// The tool that made a report.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolVersion {
    /// Version.
    pub version: String,
    /// Commit, where known.
    pub commit: String,
}

/// The policy that a cluster was compared with.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The platform, or the candidates.
    pub platforms: Vec<Platform>,
    /// The evidence for the platform.
    pub platform_evidence: Vec<String>,
    /// The policy texts of those platforms.
    pub documents: Vec<Document>,
    /// The day as of which the cluster was judged.
    pub as_of: String,
    /// The day of the version table.
    pub version_table_as_of: String,
    /// The release of the host, where the user gave it.
    pub release: Option<String>,
}

/// The cluster that was judged.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    /// The kubeconfig context, or the snapshot.
    pub context: String,
    /// The server's URL; empty for snapshots.
    pub server: String,
    /// `v1.33.5`; empty if unknown.
    pub kubernetes_version: String,
    /// The number of nodes.
    pub nodes: usize,
    /// The uid of the namespace kube-system; empty if unknown.
    pub uid: String,
    /// The nodes by the version of their kubelet.
    pub node_versions: Vec<NodeVersion>,
    /// The creation of the oldest system namespace, RFC 3339.
    pub created: Option<String>,
    /// The version of the Azure Arc agents, as they report it.
    pub arc_agent_version: Option<String>,
    /// The resource in Azure, where an object of the agents names it.
    pub azure_resource: Option<AzureResource>,
}

/// The nodes with one version of the kubelet.
#[derive(Clone, Debug, Default)]
pub struct NodeVersion {
    /// `v1.33.5`.
    pub version: String,
    /// The number of nodes.
    pub nodes: usize,
    /// The creation of the oldest of them, RFC 3339.
    pub first_created: Option<String>,
    /// The creation of the newest of them, RFC 3339.
    pub last_created: Option<String>,
}

/// The reason why a rule that only judges states does not evaluate manifests.
pub const NEEDS_CLUSTER: &str = "needs a cluster; these are manifests";

/// The verdict, in the policy's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerdictWord {
    /// Nothing voids support, but a rule that could find that is unknown.
    Inconclusive,
    /// Something voids support and is not waived.
    Outside,
    /// Nothing voids support, and every rule that could find that was evaluated.
    Within,
}

impl VerdictWord {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            VerdictWord::Inconclusive => "inconclusive",
            VerdictWord::Outside => "outside",
            VerdictWord::Within => "within",
        }
    }
}

/// The outcome of a rule, with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleOutcome {
    /// `AA201`.
    pub code: Code,
    /// `system-label-changed`.
    pub slug: &'static str,
    /// The outcome.
    pub outcome: RuleResult,
    /// The reason, unless the outcome is a plain pass or violation.
    pub reason: String,
    /// Whether an undecided part could void support, so that the verdict depends on it.
    pub could_void: bool,
}

/// The outcome of a rule. Unknown is never a pass.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleResult {
    /// The rule does not apply on this platform or to this input.
    NotApplicable,
    /// Kubernetes does not show it.
    NotObservable,
    /// No finding, or none heavier than `info`, and all that the rule needs was read.
    Pass,
    /// Not decided.
    Unknown,
    /// There are findings.
    Violated,
    /// All findings are waived.
    Waived,
}

impl RuleResult {
    /// The word JSON carries.
    pub fn as_str(self) -> &'static str {
        match self {
            RuleResult::NotApplicable => "not-applicable",
            RuleResult::NotObservable => "not-observable",
            RuleResult::Pass => "pass",
            RuleResult::Unknown => "unknown",
            RuleResult::Violated => "violated",
            RuleResult::Waived => "waived",
        }
    }
}

/// A deadline.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clock {
    /// The day.
    pub due: String,
    /// Days from the day judged; negative when past.
    pub days_left: i64,
    /// The rule, or the rule that a waiver is for.
    pub code: String,
    /// A description of the deadline.
    pub what: String,
    /// Where the platform is not known: the platforms on which the deadline holds. Empty when it holds on all
    /// candidates.
    pub platforms: Vec<Platform>,
    /// What becomes due. Deadlines of a rule on one subject are alternatives, of which one will come true.
    pub subject: String,
}

/// The extent and cost of a check.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// The number of rules with an outcome other than unknown.
    pub evaluated: usize,
    /// The number of objects read.
    pub objects: usize,
    /// The number of objects without managedFields, although a rule rests on them.
    pub without_managed_fields: usize,
    /// The number of requests made.
    pub requests: usize,
    /// Unknown outcomes, with their reasons.
    pub unknown: Vec<String>,
    /// Questions that Kubernetes cannot answer, with the reasons.
    pub not_observable: Vec<String>,
}

/// Exit codes, independent of the output format. Precedence: 3 > 6 > 5 > 4 > 0.
pub mod exit {
    /// The verdict is `within`.
    pub const WITHIN: u8 = 0;
    /// The run failed: cluster, network, or the tool itself.
    pub const FAILED: u8 = 1;
    /// Wrong flags or bad input.
    pub const USAGE: u8 = 2;
    /// A finding voids support.
    pub const OUTSIDE: u8 = 3;
    /// A lighter finding that `--fail-on` includes.
    pub const FAIL_ON: u8 = 4;
    /// A rule that could find something that voids support is unknown.
    pub const INCONCLUSIVE: u8 = 5;
    /// Dry run: the request would be refused by something other than the guard.
    pub const REFUSED: u8 = 6;
    /// Interrupted.
    pub const INTERRUPTED: u8 = 130;
    /// Asked to end, by SIGTERM.
    pub const TERMINATED: u8 = 143;
}
