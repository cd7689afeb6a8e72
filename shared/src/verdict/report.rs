//! The result of a check: versioned, and the same for every format. Field names and order are the JSON contract,
//! `aksarc.dev/v1alpha1`.

use crate::finding::Code;
use crate::people::questions::Question;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::data::{Document, Platform};
use crate::finding::{Basis, Consequence, Finding};

/// What a check found.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// `aksarc.dev/v1alpha1`.
    pub api_version: &'static str,
    /// `SupportReport`.
    pub kind: &'static str,
    /// What made it.
    pub tool: ToolVersion,
    /// What was judged against.
    pub policy: Policy,
    /// What was judged.
    pub cluster: Cluster,
    /// The verdict.
    pub verdict: VerdictWord,
    /// The strongest basis of what voids support; nothing unless the verdict is `outside`.
    pub verdict_basis: Option<Basis>,
    /// Whether the verdict is by some of the rules alone; [`Report::rules`] has which.
    pub partial: bool,
    /// The exit code, whatever the format.
    pub exit_code: u8,
    /// How many of what. `waived`, `unknown` and `not-observable` beside the consequences.
    pub summary: BTreeMap<&'static str, usize>,
    /// Every rule that was selected.
    pub rules: Vec<RuleOutcome>,
    /// Every finding, heaviest first, waived ones too.
    pub findings: Vec<Finding>,
    /// What becomes due, soonest first.
    pub clocks: Vec<Clock>,
    /// What Kubernetes cannot show, whom to ask, and what they answered.
    pub questions: Vec<Question>,
    /// What was and was not looked at.
    pub coverage: Coverage,
}

/// What made a report.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolVersion {
    /// Version.
    pub version: String,
    /// Commit, where known.
    pub commit: String,
}

/// What was judged against.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// The platform, or the candidates joined by `|`.
    pub platform: String,
    /// How we know.
    pub platform_evidence: Vec<String>,
    /// The policy texts of those platforms.
    pub documents: Vec<Document>,
    /// The day judged.
    pub as_of: String,
    /// The day of the version table.
    pub version_table_as_of: String,
}

/// What was judged.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// The kubeconfig context, or the snapshot.
    pub context: String,
    /// The server's URL; empty for snapshots.
    pub server: String,
    /// `v1.33.5`; empty if unknown.
    pub kubernetes_version: String,
    /// How many nodes.
    pub nodes: usize,
}

/// Why a rule that judges states alone says nothing of manifests.
pub const NEEDS_CLUSTER: &str = "needs a cluster; these are manifests";

/// The verdict, in the policy's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VerdictWord {
    /// Nothing voids support, but something that could is unknown.
    Inconclusive,
    /// Something voids support and is not waived.
    Outside,
    /// Nothing voids support, and all that could was looked at.
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

/// What became of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleOutcome {
    /// `AA201`.
    pub code: Code,
    /// `system-label-changed`.
    pub slug: &'static str,
    /// The outcome.
    pub outcome: RuleResult,
    /// Why, for anything but a plain pass or violation.
    pub reason: String,
    /// What is not decided here could void support, so the verdict hangs on it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub could_void: bool,
}

/// The outcome of a rule. Unknown is never a pass.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleResult {
    /// It does not apply on this platform, or to this input.
    NotApplicable,
    /// Kubernetes cannot show it.
    NotObservable,
    /// Nothing found, or nothing heavier than `info`, and all it needs was read.
    Pass,
    /// Not decided.
    Unknown,
    /// Found.
    Violated,
    /// All that was found is waived.
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

/// Something that becomes due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Clock {
    /// The day it is due.
    pub due: String,
    /// Days from the day judged; negative when past.
    pub days_left: i64,
    /// The rule, or the rule a waiver is for.
    pub code: String,
    /// What becomes due.
    pub what: String,
    /// Where the platform is not known, those on which this holds; empty when it holds on all that it may be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<Platform>,
}

/// What was and was not looked at, and at what cost.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// Rules that came to an outcome other than unknown.
    pub evaluated: usize,
    /// Objects read.
    pub objects: usize,
    /// Objects that came without managedFields, although some rule rests on them.
    pub without_managed_fields: usize,
    /// Requests made.
    pub requests: usize,
    /// Wall-clock time.
    pub seconds: f64,
    /// Peak resident memory; 0 where the system does not tell.
    pub peak_memory_bytes: u64,
    /// What is unknown, and why.
    pub unknown: Vec<String>,
    /// What Kubernetes cannot show, and why.
    pub not_observable: Vec<String>,
}

/// Exit codes: independent of the output format. Precedence 3 > 6 > 5 > 4 > 0.
pub mod exit {
    /// Within.
    pub const WITHIN: u8 = 0;
    /// Could not run: cluster, network, or ourselves.
    pub const FAILED: u8 = 1;
    /// Wrong flags or bad input.
    pub const USAGE: u8 = 2;
    /// Something voids support.
    pub const OUTSIDE: u8 = 3;
    /// Something lighter that `--fail-on` includes.
    pub const FAIL_ON: u8 = 4;
    /// Something that could void support is unknown.
    pub const INCONCLUSIVE: u8 = 5;
    /// Dry run: something else would refuse the request.
    pub const REFUSED: u8 = 6;
    /// Interrupted.
    pub const INTERRUPTED: u8 = 130;
}

impl Report {
    /// How many unwaived findings weigh this much.
    pub fn count(&self, consequence: Consequence) -> usize {
        self.findings.iter().filter(|f| f.consequence == consequence && f.waiver.is_none()).count()
    }
}
