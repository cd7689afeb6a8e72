//! The plan, which is the result of a dry run: versioned, and the same for every format. Field names and order are the JSON contract,
//! `aksarc.dev/v1alpha1`.

use aksarc_shared::command::Command;
use aksarc_shared::finding::{Code, Consequence, Finding, ObjectRef};
use aksarc_shared::verdict::report::v1::{CommandV1, FindingV1};
use aksarc_shared::verdict::report::{ToolVersion, exit};
use serde::{Serialize, Serializer};

use super::diff::Field;
use super::judge::{Support, is_void};
use super::refusal::{Refusal, Refuser};

/// What a dry run came to.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// `aksarc.dev/v1alpha1`.
    pub api_version: &'static str,
    /// `DryRunReport`.
    pub kind: &'static str,
    /// What made it.
    pub tool: ToolVersion,
    /// kubectl's word for what was rehearsed.
    pub verb: &'static str,
    /// Who was asked: `server` with `dryRun=All`.
    pub mode: &'static str,
    /// As whom.
    pub user: UserNote,
    /// Where.
    pub cluster: ClusterNote,
    /// The platform judged for; empty when it was not given.
    pub platform: String,
    /// The day judged.
    pub as_of: String,
    /// How many writes were rehearsed.
    pub requests: usize,
    /// What the guard says on the whole.
    pub guard: GuardNote,
    /// What would be added, changed and deleted.
    #[serde(rename = "plan")]
    pub counts: PlanCounts,
    /// Inside the policy before and after, as far as these objects show.
    pub support: SupportChange,
    /// Every object.
    pub changes: Vec<PlannedChange>,
    /// The exit code, whatever the format.
    pub exit_code: u8,
}

/// As whom the server was asked.
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

/// Which cluster was asked.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ClusterNote {
    /// The kubeconfig context.
    pub context: String,
    /// The API server.
    pub server: String,
}

/// What the guard says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GuardAnswer {
    /// Allowed.
    Allow,
    /// Not known: the rules had nothing to judge.
    Unknown,
    /// Allowed, with a warning.
    Warn,
    /// Refused.
    Deny,
}

/// How it is known what the guard says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuardSource {
    /// The enforce preset without further configuration.
    Assumed,
    /// A configuration given with `--guard-config`.
    GuardConfig,
    /// It answered.
    Observed,
}

/// What the guard says on the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct GuardNote {
    /// The heaviest answer.
    pub decision: GuardAnswer,
    /// How it is known.
    pub source: GuardSource,
    /// The preset that was asked: `enforce`, `warn`, `observe`.
    pub preset: &'static str,
}

/// How many objects would be added, changed and deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PlanCounts {
    /// Added.
    pub add: usize,
    /// Changed.
    pub change: usize,
    /// Deleted.
    pub delete: usize,
}

/// Inside the policy before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SupportChange {
    /// As it is.
    pub before: Support,
    /// As it would be.
    pub after: Support,
}

/// What a request would do to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PlannedEffect {
    /// Make it.
    Create,
    /// Remove it.
    Delete,
    /// Nothing.
    None,
    /// Change it.
    Update,
}

/// One object, and what would become of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedChange {
    /// The object.
    pub object: ObjectRef,
    /// What the request would do.
    pub operation: PlannedEffect,
    /// `scale`, `status` …; empty for the object itself.
    pub subresource: String,
    /// Field by field.
    pub fields: Vec<Field>,
    /// What the policy says, heaviest first.
    #[serde(serialize_with = "findings")]
    pub findings: Vec<Finding>,
    /// The supported way, per rule found.
    pub instead: Vec<Instead>,
    /// What the guard says.
    pub guard: GuardAnswer,
    /// Why the rules could not judge; empty when they could, or when none is about this kind.
    pub not_judged: String,
    /// Why the write was not sent, though kubectl would send it; empty when it was. Then all else is about the change as given.
    pub not_rehearsed: String,
    /// Who refused, if somebody did.
    pub refusal: Option<Refusal>,
    /// What the server warned of.
    pub warnings: Vec<String>,
    /// Remarks.
    pub notes: Vec<String>,
    /// Inside the policy before and after.
    pub support: SupportChange,
}

/// The supported way around a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Instead {
    /// The rule.
    pub code: Code,
    /// In a few words.
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
    /// Whether it counts in the plan: what is refused does not happen, unless our guard only would refuse it.
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

/// What would be added, changed and deleted on the whole.
pub fn counts(changes: &[PlannedChange]) -> PlanCounts {
    changes.iter().map(PlannedChange::counts).fold(PlanCounts::default(), |sum, own| PlanCounts {
        add: sum.add + own.add,
        change: sum.change + own.change,
        delete: sum.delete + own.delete,
    })
}

/// Inside the policy before and after on the whole: one object outside is enough.
pub fn support(changes: &[PlannedChange]) -> SupportChange {
    let heaviest = |pick: fn(&SupportChange) -> Support| {
        changes.iter().map(|change| pick(&change.support())).max().unwrap_or(Support::NotJudged)
    };
    SupportChange { before: heaviest(|own| own.before), after: heaviest(|own| own.after) }
}

/// The exit code. Something that voids support outweighs a refusal by something else (6), that a server without an
/// answer (1), that a refusal by kubectl itself (2), that a change which could not be rehearsed or judged (5), that what
/// `--fail-on` includes (4).
pub fn exit_code(changes: &[PlannedChange], fail_on: Consequence) -> u8 {
    let refused =
        |is: fn(&Refuser) -> bool| changes.iter().filter_map(|change| change.refusal.as_ref()).any(|r| is(&r.who));
    let findings = || changes.iter().flat_map(|change| &change.findings);
    if findings().any(is_void) {
        exit::OUTSIDE
    } else if refused(|who| !matches!(who, Refuser::Guard(_) | Refuser::Kubectl | Refuser::NoAnswer)) {
        exit::REFUSED
    } else if refused(|who| matches!(who, Refuser::NoAnswer)) {
        exit::FAILED
    } else if refused(|who| matches!(who, Refuser::Kubectl)) {
        exit::USAGE
    } else if changes.iter().any(|change| !change.not_judged.is_empty() || !change.not_rehearsed.is_empty()) {
        exit::INCONCLUSIVE
    } else if findings().any(|finding| finding.waiver.is_none() && finding.consequence <= fail_on) {
        exit::FAIL_ON
    } else if refused(|who| matches!(who, Refuser::Guard(_))) {
        // Our guard refuses, and for nothing that voids support: the request does not pass all the same.
        exit::REFUSED
    } else {
        exit::WITHIN
    }
}
