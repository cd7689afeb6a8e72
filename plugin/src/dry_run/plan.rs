//! The plan, which is the result of a dry run, versioned and the same for every format. Names and order of the fields
//! are the JSON contract, `aksarc.dev/v1alpha1`.

use aksarc_shared::command::Command;
use aksarc_shared::finding::{Code, Consequence, Finding, ObjectRef};
use aksarc_shared::verdict::report::v1::{CommandV1, FindingV1};
use aksarc_shared::verdict::report::{ToolVersion, exit};
use serde::{Serialize, Serializer};

use super::diff::FieldDifference;
use super::judge::{Support, is_void};
use super::refusal::{Refusal, Refuser};

/// The result of a dry run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// `aksarc.dev/v1alpha1`.
    pub api_version: &'static str,
    /// `DryRunReport`.
    pub kind: &'static str,
    /// The tool that made it.
    pub tool: ToolVersion,
    /// kubectl's name of the verb.
    pub verb: &'static str,
    /// The judge: `server` with `dryRun=All`.
    pub mode: &'static str,
    /// The user.
    pub user: UserNote,
    /// The cluster.
    pub cluster: ClusterNote,
    /// The platform judged for; empty when it was not given.
    pub platform: String,
    /// The day as of which the change was judged.
    pub as_of: String,
    /// The number of rehearsed writes.
    pub requests: usize,
    /// The guard's answer to all changes together.
    pub guard: GuardNote,
    /// The numbers of objects added, changed and deleted.
    #[serde(rename = "plan")]
    pub counts: PlanCounts,
    /// Whether the objects are inside the policy before and after, as far as they show.
    pub support: SupportChange,
    /// The objects.
    pub changes: Vec<PlannedChange>,
    /// The exit code, whatever the format.
    pub exit_code: u8,
}

/// The user as whom the server was asked.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserNote {
    /// The name, as the server knows it.
    pub name: String,
    /// Groups; empty when the server does not tell.
    pub groups: Vec<String>,
    /// `person`, `platform` or `ambiguous`.
    pub actor: &'static str,
    /// Whether the server confirmed it; otherwise the name is the kubeconfig's.
    pub confirmed: bool,
}

/// The cluster that was asked.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ClusterNote {
    /// The kubeconfig context.
    pub context: String,
    /// The API server.
    pub server: String,
}

/// The guard's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GuardAnswer {
    /// Allowed.
    Allow,
    /// Unknown, because the rules had nothing to judge.
    Unknown,
    /// Allowed, with a warning.
    Warn,
    /// Refused.
    Deny,
}

/// The source of the guard's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuardSource {
    /// The enforce preset without further configuration.
    Assumed,
    /// A configuration given with `--guard-config`.
    GuardConfig,
    /// The guard itself, which answered.
    Observed,
}

/// The guard's answer to all changes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct GuardNote {
    /// The heaviest answer.
    pub decision: GuardAnswer,
    /// The source of the answer.
    pub source: GuardSource,
    /// The preset used: `enforce`, `warn`, `observe`.
    pub preset: &'static str,
}

/// The numbers of objects that would be added, changed and deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PlanCounts {
    /// Added.
    pub add: usize,
    /// Changed.
    pub change: usize,
    /// Deleted.
    pub delete: usize,
}

/// Whether objects are inside the policy before and after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SupportChange {
    /// Before the change.
    pub before: Support,
    /// After the change.
    pub after: Support,
}

/// The effect of a request on an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PlannedEffect {
    /// The object is created.
    Create,
    /// The object is removed.
    Delete,
    /// The object stays as it is.
    None,
    /// The object is changed.
    Update,
}

/// An object, and the effect of the change on it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedChange {
    /// The object.
    pub object: ObjectRef,
    /// The effect.
    pub operation: PlannedEffect,
    /// `scale`, `status` …; empty for the object itself.
    pub subresource: String,
    /// The fields that differ.
    pub fields: Vec<FieldDifference>,
    /// The findings, heaviest first.
    #[serde(serialize_with = "findings")]
    pub findings: Vec<Finding>,
    /// The supported way, for each rule with a finding.
    pub instead: Vec<Instead>,
    /// The guard's answer.
    pub guard: GuardAnswer,
    /// The reason why the rules could not judge; empty when they could, or when no rule is about this kind.
    pub not_judged: String,
    /// The reason why the write was not sent, though kubectl would send it; empty when it was. All other fields are
    /// then about the change as given.
    pub not_rehearsed: String,
    /// The refusal, if there is one.
    pub refusal: Option<Refusal>,
    /// The warnings of the server.
    pub warnings: Vec<String>,
    /// Remarks.
    pub notes: Vec<String>,
    /// Whether the object is inside the policy before and after.
    pub support: SupportChange,
}

/// The supported way to the goal of a change with a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Instead {
    /// The rule.
    pub code: Code,
    /// A description in a few words.
    pub text: &'static str,
    /// Commands, ready to run.
    #[serde(serialize_with = "commands")]
    pub commands: Vec<Command>,
}

/// Findings as a report's contract has them. A plan names no policy texts, so that the sections are of no platform.
fn findings<S: Serializer>(findings: &[Finding], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(findings.iter().map(|finding| FindingV1::new(finding.clone(), &[])))
}

/// Commands as a report's contract has them.
fn commands<S: Serializer>(commands: &[Command], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(commands.iter().cloned().map(CommandV1::from))
}

impl PlannedChange {
    /// The counts of this object in the plan. A refused change does not happen, unless only our guard would refuse it.
    fn counts(&self) -> PlanCounts {
        let own = |wanted| usize::from(self.operation == wanted);
        PlanCounts {
            add: own(PlannedEffect::Create),
            change: own(PlannedEffect::Update),
            delete: own(PlannedEffect::Delete),
        }
    }

    fn support(&self) -> SupportChange {
        self.support
    }
}

/// The numbers of objects that would be added, changed and deleted by all changes.
pub fn counts(changes: &[PlannedChange]) -> PlanCounts {
    changes.iter().map(PlannedChange::counts).fold(PlanCounts::default(), |sum, own| PlanCounts {
        add: sum.add + own.add,
        change: sum.change + own.change,
        delete: sum.delete + own.delete,
    })
}

/// Whether all objects are inside the policy before and after. One object outside is enough for a no.
pub fn support(changes: &[PlannedChange]) -> SupportChange {
    let heaviest = |pick: fn(&SupportChange) -> Support| {
        changes.iter().map(|change| pick(&change.support())).max().unwrap_or(Support::NotJudged)
    };
    SupportChange { before: heaviest(|own| own.before), after: heaviest(|own| own.after) }
}

/// The exit code. A finding that voids support outweighs a refusal by something else, kubectl itself among it (6), which
/// outweighs a server without an answer (1), a change that could not be rehearsed or judged (5), and findings that
/// `--fail-on` includes (4), in this order.
pub fn exit_code(changes: &[PlannedChange], fail_on: Consequence) -> u8 {
    let refused =
        |is: fn(&Refuser) -> bool| changes.iter().filter_map(|change| change.refusal.as_ref()).any(|r| is(&r.who));
    let findings = || changes.iter().flat_map(|change| &change.findings);
    if findings().any(is_void) {
        exit::OUTSIDE
    } else if refused(|who| !matches!(who, Refuser::Guard(_) | Refuser::NoAnswer)) {
        exit::REFUSED
    } else if refused(|who| matches!(who, Refuser::NoAnswer)) {
        exit::FAILED
    } else if changes.iter().any(|change| !change.not_judged.is_empty() || !change.not_rehearsed.is_empty()) {
        exit::INCONCLUSIVE
    } else if findings().any(|finding| finding.waiver.is_none() && finding.consequence <= fail_on) {
        exit::FAIL_ON
    } else if refused(|who| matches!(who, Refuser::Guard(_))) {
        // Our guard refuses for a finding that does not void support: the request fails all the same.
        exit::REFUSED
    } else {
        exit::WITHIN
    }
}
