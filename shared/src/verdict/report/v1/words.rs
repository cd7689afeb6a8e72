//! The closed sets of words of the contract.

use serde::{Deserialize, Serialize};

/// The version of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum ReportVersionV1 {
    /// The one version there is.
    #[serde(rename = "aksarc.dev/v1alpha1")]
    V1Alpha1,
}

/// The kind of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum ReportKindV1 {
    /// The one kind there is.
    SupportReport,
}

/// The source of the objects that were judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputKindV1 {
    /// A cluster, over its API server.
    Cluster,
    /// Manifests, as if somebody were about to create them.
    Manifests,
    /// A snapshot of a cluster.
    Snapshot,
}

/// The verdict, in the policy's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictV1 {
    /// Nothing voids support, but a rule that could find that is unknown.
    Inconclusive,
    /// Something voids support and is not waived.
    Outside,
    /// Nothing voids support, and every rule that could find that was evaluated.
    Within,
}

impl VerdictV1 {
    /// The word JSON carries.
    pub fn as_str(self) -> &'static str {
        match self {
            VerdictV1::Inconclusive => "inconclusive",
            VerdictV1::Outside => "outside",
            VerdictV1::Within => "within",
        }
    }
}

/// The source that a finding rests on, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BasisV1 {
    /// The support policy text of the platform says so.
    Explicit,
    /// Other pages say so: the documents of the finding.
    Documented,
    /// Our reading.
    Derived,
    /// Not policy: experience says it blocks support or upgrades.
    Operational,
}

impl BasisV1 {
    /// The word JSON carries.
    pub fn as_str(self) -> &'static str {
        match self {
            BasisV1::Explicit => "explicit",
            BasisV1::Documented => "documented",
            BasisV1::Derived => "derived",
            BasisV1::Operational => "operational",
        }
    }

    /// A few words for people.
    pub fn phrase(self) -> &'static str {
        match self {
            BasisV1::Explicit => "policy says so",
            BasisV1::Documented => "another page says so",
            BasisV1::Derived => "our reading",
            BasisV1::Operational => "not policy, experience",
        }
    }
}

/// The state of a clause, heaviest first: where several hold, the first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClauseStateV1 {
    /// A finding on it voids support.
    Violated,
    /// A finding on it endangers support, updates or repair.
    AtRisk,
    /// A finding on it names a part that Microsoft does not cover.
    NotCovered,
    /// A rule on it is not decided.
    Unknown,
    /// Only people can answer it, and nobody has.
    Question,
    /// Every finding on it is waived.
    Waived,
    /// People have answered that it is fulfilled.
    Answered,
    /// A rule looked at it and found nothing heavier than `info`.
    Pass,
    /// Kubernetes cannot show it.
    NotObservable,
    /// No selected rule judges it, on this platform or at all.
    NotJudged,
}

impl ClauseStateV1 {
    /// The word JSON carries.
    pub fn as_str(self) -> &'static str {
        match self {
            ClauseStateV1::Violated => "violated",
            ClauseStateV1::AtRisk => "at-risk",
            ClauseStateV1::NotCovered => "not-covered",
            ClauseStateV1::Unknown => "unknown",
            ClauseStateV1::Question => "question",
            ClauseStateV1::Waived => "waived",
            ClauseStateV1::Answered => "answered",
            ClauseStateV1::Pass => "pass",
            ClauseStateV1::NotObservable => "not-observable",
            ClauseStateV1::NotJudged => "not-judged",
        }
    }
}

/// The consequence of a finding, heaviest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsequenceV1 {
    /// The published text calls such a cluster unsupported, unsupportable or out of support.
    Voids,
    /// Support, updates or repair are endangered.
    AtRisk,
    /// Microsoft does not cover this part.
    NotCovered,
    /// Good to know; neither warned about nor denied.
    Info,
}

impl ConsequenceV1 {
    /// All consequences, heaviest first.
    pub const ALL: [ConsequenceV1; 4] =
        [ConsequenceV1::Voids, ConsequenceV1::AtRisk, ConsequenceV1::NotCovered, ConsequenceV1::Info];

    /// The word JSON carries.
    pub fn as_str(self) -> &'static str {
        match self {
            ConsequenceV1::Voids => "voids",
            ConsequenceV1::AtRisk => "at-risk",
            ConsequenceV1::NotCovered => "not-covered",
            ConsequenceV1::Info => "info",
        }
    }
}

/// The outcome of a rule. Unknown is never a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeV1 {
    /// It does not apply on this platform, or to this input.
    NotApplicable,
    /// Kubernetes cannot show it.
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

impl OutcomeV1 {
    /// The word JSON carries.
    pub fn as_str(self) -> &'static str {
        match self {
            OutcomeV1::NotApplicable => "not-applicable",
            OutcomeV1::NotObservable => "not-observable",
            OutcomeV1::Pass => "pass",
            OutcomeV1::Unknown => "unknown",
            OutcomeV1::Violated => "violated",
            OutcomeV1::Waived => "waived",
        }
    }
}
