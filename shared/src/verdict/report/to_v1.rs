//! The way from the engine's result to the contract: the one place where names, sections and summaries are looked up.

use super::clauses::{self, texts_with};
use super::v1::{
    AnswerV1, AzureResourceV1, BasisV1, CatalogueV1, ClockV1, ClusterV1, CommandV1, ConsequenceV1, CoverageV1,
    DocumentV1, EvidenceV1, FindingV1, InputV1, IssueV1, NodeVersionV1, ObjectV1, OutcomeV1, PolicyV1, QuestionV1,
    ReportKindV1, ReportV1, ReportVersionV1, RuleV1, SectionV1, SkippedRuleV1, ToolV1, VerdictV1, WaiverV1,
};
use super::{
    Clock, Cluster, Coverage, NEEDS_CLUSTER, NodeVersion, Policy, Report, RuleOutcome, RuleResult, ToolVersion,
    VerdictWord,
};
use crate::command::{Command, Shell};
use crate::data::known_issues::KnownIssue;
use crate::data::tables;
use crate::data::{Document, Platform, embedded};
use crate::finding::{Basis, Clause, Code, Condition, Consequence, Evidence, Expected, Finding, ObjectRef, WaiverNote};
use crate::people::questions::{AnswerNote, Question};
use crate::rules::catalogue;

impl ReportV1 {
    /// The report of a check, from the engine's result and the source of what was judged.
    pub fn new(report: Report, input: InputV1) -> Self {
        let Report {
            tool,
            policy,
            cluster,
            verdict,
            verdict_basis,
            exit_code,
            fail_on,
            summary,
            rules,
            findings,
            clocks,
            questions,
            coverage,
        } = report;
        let all = catalogue::ALL.len();
        let clauses = clauses::of(&policy.platforms, &rules, &findings, &questions);
        let skipped = catalogue::ALL.iter().filter(|rule| rules.iter().all(|own| own.code != rule.code));
        let skipped =
            skipped.map(|rule| SkippedRuleV1 { code: rule.code.as_str().to_owned(), slug: rule.slug.to_owned() });
        ReportV1 {
            api_version: ReportVersionV1::V1Alpha1,
            kind: ReportKindV1::SupportReport,
            tool: tool.into(),
            findings: findings.into_iter().map(|finding| FindingV1::new(finding, &policy.platforms)).collect(),
            policy: policy.into(),
            cluster: cluster.into(),
            input,
            verdict: verdict.into(),
            verdict_basis: verdict_basis.map(Into::into),
            partial: rules.len() < all,
            exit_code,
            fail_on: fail_on.into(),
            summary: summary.into_iter().map(|(word, count)| (word.to_owned(), count)).collect(),
            catalogue: CatalogueV1 {
                rules: all,
                left_out: all.saturating_sub(rules.len()),
                skipped: skipped.collect(),
            },
            rules: rules.into_iter().map(Into::into).collect(),
            clocks: clocks.into_iter().map(Into::into).collect(),
            questions: questions.into_iter().map(Into::into).collect(),
            clauses,
            coverage: coverage.into(),
        }
    }
}

impl FindingV1 {
    /// The finding, for a cluster that may be on these platforms.
    pub fn new(finding: Finding, platforms: &[Platform]) -> Self {
        let print = finding.fingerprint();
        FindingV1 {
            code: finding.code.as_str().to_owned(),
            slug: finding.slug.to_owned(),
            consequence: finding.consequence.into(),
            basis: finding.basis.into(),
            documents: finding.documents.into_iter().map(Into::into).collect(),
            clauses: finding.clauses.iter().map(|clause| clause.as_str().to_owned()).collect(),
            sections: sections(finding.clauses, platforms),
            object: finding.object.into(),
            // Whoever read the files knows them.
            places: Vec::new(),
            members: finding.members,
            path: finding.path.as_str().to_owned(),
            before: finding.before,
            after: finding.after,
            surplus: finding.expected == Expected::Nothing,
            broken: finding.condition == Condition::Broken,
            message: finding.message,
            evidence: finding.evidence.into_iter().map(Into::into).collect(),
            fix: finding.fix.into_iter().map(Into::into).collect(),
            fingerprint: print,
            waiver: finding.waiver.map(Into::into),
            issues: issues(finding.code, platforms),
        }
    }
}

/// The sections of clauses, each once, in the order of the clauses.
fn sections(clauses: &[Clause], platforms: &[Platform]) -> Vec<SectionV1> {
    let data = embedded();
    let mut sections: Vec<SectionV1> = Vec::new();
    for clause in clauses {
        let row = data.clauses.iter().find(|row| row.id == clause.as_str());
        let heading = row.map_or("", |row| &*row.section);
        let texts = row.map(|row| texts_with(row, platforms)).unwrap_or_default();
        let at = sections.iter().position(|known| known.section == heading).unwrap_or(sections.len());
        if at == sections.len() {
            let (clauses, documents, urls) = (Vec::new(), Vec::new(), Vec::new());
            sections.push(SectionV1 { section: heading.to_owned(), clauses, documents, urls });
        }
        let Some(section) = sections.get_mut(at) else { continue };
        section.clauses.push(clause.as_str().to_owned());
        for text in texts {
            if !section.documents.contains(&text) {
                let document = data.documents.iter().find(|document| document.id == text);
                section.urls.push(document.and_then(|document| document.section_url(heading)).unwrap_or_default());
                section.documents.push(text);
            }
        }
    }
    sections
}

/// Known issues on GitHub that findings of a rule can have as their cause, on platforms.
fn issues(code: Code, platforms: &[Platform]) -> Vec<IssueV1> {
    let own = |issue: &&KnownIssue| {
        let there = issue.platforms.is_empty() || issue.platforms.iter().any(|own| platforms.contains(own));
        there && issue.rules.iter().any(|rule| code == *rule)
    };
    let told = tables::known_issues().iter().filter(own).flat_map(|known| {
        known.issues.iter().map(|issue| IssueV1 {
            name: issue.to_string(),
            title: known.title.clone(),
            url: issue.url(),
        })
    });
    told.collect()
}

impl From<ToolVersion> for ToolV1 {
    fn from(tool: ToolVersion) -> Self {
        ToolV1 { version: tool.version, commit: tool.commit }
    }
}

impl From<Policy> for PolicyV1 {
    fn from(policy: Policy) -> Self {
        let platforms = words(&policy.platforms);
        PolicyV1 {
            platform: platforms.join("|"),
            platforms,
            preview: !policy.platforms.is_empty()
                && policy.platforms.iter().all(|platform| !platform.has_policy_text()),
            platform_evidence: policy.platform_evidence,
            documents: policy.documents.iter().map(Into::into).collect(),
            as_of: policy.as_of,
            version_table_as_of: policy.version_table_as_of,
            release: policy.release,
        }
    }
}

impl From<&Document> for DocumentV1 {
    fn from(document: &Document) -> Self {
        DocumentV1 {
            id: document.id.clone(),
            title: document.title.clone(),
            date: document.date.map(|date| date.to_string()),
            url: document.url.clone(),
            note: document.note.clone(),
        }
    }
}

impl From<Cluster> for ClusterV1 {
    fn from(cluster: Cluster) -> Self {
        ClusterV1 {
            context: cluster.context,
            server: cluster.server,
            kubernetes_version: cluster.kubernetes_version,
            nodes: cluster.nodes,
            uid: cluster.uid,
            node_versions: cluster.node_versions.into_iter().map(Into::into).collect(),
            created: cluster.created,
            arc_agent_version: cluster.arc_agent_version,
            azure_resource: cluster.azure_resource.map(|own| AzureResourceV1 { id: own.id, source: own.source }),
        }
    }
}

impl From<NodeVersion> for NodeVersionV1 {
    fn from(own: NodeVersion) -> Self {
        let NodeVersion { version, nodes, first_created, last_created } = own;
        NodeVersionV1 { version, nodes, first_created, last_created }
    }
}

impl From<RuleOutcome> for RuleV1 {
    fn from(rule: RuleOutcome) -> Self {
        let known = catalogue::find(rule.code.as_str());
        let (summary, instead) = known.map(|known| (known.summary, known.instead)).unwrap_or_default();
        RuleV1 {
            code: rule.code.as_str().to_owned(),
            slug: rule.slug.to_owned(),
            summary: summary.to_owned(),
            instead: instead.to_owned(),
            outcome: rule.outcome.into(),
            needs_cluster: rule.outcome == RuleResult::NotApplicable && rule.reason == NEEDS_CLUSTER,
            reason: rule.reason,
            could_void: rule.could_void,
        }
    }
}

impl From<Clock> for ClockV1 {
    fn from(clock: Clock) -> Self {
        let Clock { due, days_left, code, what, platforms, subject } = clock;
        ClockV1 { due, days_left, code, what, platforms: words(&platforms), subject }
    }
}

impl From<Question> for QuestionV1 {
    fn from(question: Question) -> Self {
        let Question { clauses, rules, topic, says, ask, answer, refused } = question;
        let rules = rules.into_iter().map(|code| code.as_str().to_owned()).collect();
        QuestionV1 { clauses, rules, topic, says, ask, answer: answer.map(Into::into), refused }
    }
}

impl From<AnswerNote> for AnswerV1 {
    fn from(note: AnswerNote) -> Self {
        let AnswerNote { answer, by, on, expires, note } = note;
        AnswerV1 { answer: answer.to_owned(), by, on, expires, note }
    }
}

impl From<Coverage> for CoverageV1 {
    fn from(coverage: Coverage) -> Self {
        CoverageV1 {
            evaluated: coverage.evaluated,
            objects: coverage.objects,
            without_managed_fields: coverage.without_managed_fields,
            requests: coverage.requests,
            unknown: coverage.unknown,
            not_observable: coverage.not_observable,
        }
    }
}

impl From<ObjectRef> for ObjectV1 {
    fn from(object: ObjectRef) -> Self {
        let ObjectRef { api_version, kind, namespace, name, uid } = object;
        ObjectV1 { api_version, kind, namespace, name, uid }
    }
}

impl From<Evidence> for EvidenceV1 {
    fn from(evidence: Evidence) -> Self {
        let Evidence { what, manager, operation, time, detail } = evidence;
        EvidenceV1 { what, manager, operation, time, detail }
    }
}

impl From<Command> for CommandV1 {
    fn from(command: Command) -> Self {
        let (shells, other_line) = in_both_shells(&command);
        CommandV1 {
            line: command.line(),
            printed: command.printed(),
            shell: command.shell.as_str().to_owned(),
            shells,
            other_line,
            clears: command.clears(),
            platforms: words(&command.platforms),
            name_at: command.name_at,
            argv: command.argv,
            caution: command.caution,
            note: command.only,
            fill_in: command.blanks.into_iter().map(str::to_owned).collect(),
        }
    }
}

/// The shells that take the command's line as it is, and the line for the other shell where that takes another one.
fn in_both_shells(command: &Command) -> (Vec<String>, Option<String>) {
    let own = command.shell;
    let other = if own == Shell::Bash { Shell::PowerShell } else { Shell::Bash };
    let mut there = command.clone();
    there.shell(other);
    let line = there.line();
    // A cmdlet stays PowerShell's.
    if there.shell == own {
        return (vec![own.as_str().to_owned()], None);
    }
    if line == command.line() {
        let mut both = [own, other].map(|shell| shell.as_str().to_owned());
        both.sort();
        return (both.to_vec(), None);
    }
    (vec![own.as_str().to_owned()], Some(line))
}

impl From<WaiverNote> for WaiverV1 {
    fn from(note: WaiverNote) -> Self {
        let WaiverNote { name, reason, expires, ticket, support_case } = note;
        WaiverV1 { name, reason, expires, ticket, support_case }
    }
}

impl From<VerdictWord> for VerdictV1 {
    fn from(verdict: VerdictWord) -> Self {
        match verdict {
            VerdictWord::Inconclusive => VerdictV1::Inconclusive,
            VerdictWord::Outside => VerdictV1::Outside,
            VerdictWord::Within => VerdictV1::Within,
        }
    }
}

impl From<Basis> for BasisV1 {
    fn from(basis: Basis) -> Self {
        match basis {
            Basis::Explicit => BasisV1::Explicit,
            Basis::Documented(_) => BasisV1::Documented,
            Basis::Derived => BasisV1::Derived,
            Basis::Operational => BasisV1::Operational,
        }
    }
}

impl From<Consequence> for ConsequenceV1 {
    fn from(consequence: Consequence) -> Self {
        match consequence {
            Consequence::Voids => ConsequenceV1::Voids,
            Consequence::AtRisk => ConsequenceV1::AtRisk,
            Consequence::NotCovered => ConsequenceV1::NotCovered,
            Consequence::Info => ConsequenceV1::Info,
        }
    }
}

impl From<RuleResult> for OutcomeV1 {
    fn from(outcome: RuleResult) -> Self {
        match outcome {
            RuleResult::NotApplicable => OutcomeV1::NotApplicable,
            RuleResult::NotObservable => OutcomeV1::NotObservable,
            RuleResult::Pass => OutcomeV1::Pass,
            RuleResult::Unknown => OutcomeV1::Unknown,
            RuleResult::Violated => OutcomeV1::Violated,
            RuleResult::Waived => OutcomeV1::Waived,
        }
    }
}

fn words(platforms: &[Platform]) -> Vec<String> {
    platforms.iter().map(|platform| platform.as_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::own::API_VERSION;

    /// The words of the contract are the engine's own, and so are the phrases for people.
    #[test]
    fn words_are_the_engines() {
        let wire = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        for own in Consequence::ALL {
            let word = ConsequenceV1::from(own);
            assert_eq!((word.as_str(), wire(serde_json::json!(word))), (own.as_str(), own.as_str().to_owned()));
        }
        for own in [Basis::Explicit, Basis::Documented(&[]), Basis::Derived, Basis::Operational] {
            let word = BasisV1::from(own);
            assert_eq!((word.as_str(), word.phrase()), (own.as_str(), own.phrase()));
            assert_eq!(wire(serde_json::json!(word)), own.as_str());
        }
        for own in [VerdictWord::Inconclusive, VerdictWord::Outside, VerdictWord::Within] {
            let word = VerdictV1::from(own);
            assert_eq!((word.as_str(), wire(serde_json::json!(word))), (own.as_str(), own.as_str().to_owned()));
        }
        for own in [
            RuleResult::NotApplicable,
            RuleResult::NotObservable,
            RuleResult::Pass,
            RuleResult::Unknown,
            RuleResult::Violated,
            RuleResult::Waived,
        ] {
            let word = OutcomeV1::from(own);
            assert_eq!((word.as_str(), wire(serde_json::json!(word))), (own.as_str(), own.as_str().to_owned()));
        }
        assert_eq!(wire(serde_json::json!(ReportVersionV1::V1Alpha1)), API_VERSION);
    }

    #[test]
    fn a_section_names_its_clauses_and_the_texts_that_have_one_of_them() {
        let of = |platforms: &[Platform]| sections(Finding::example().clauses, platforms);
        let [one] = &*of(&[Platform::AzureLocal]) else { panic!("C13 stands in one section") };
        assert_eq!(
            (&*one.section, &*one.clauses, &*one.documents),
            ("Shared responsibility", &["C13".to_owned()][..], &["P-AL".to_owned()][..])
        );
        assert_eq!(of(&Platform::WITH_POLICY_TEXT).first().map(|one| one.documents.len()), Some(3));
        assert_eq!(of(&[Platform::BareMetal]).first().map(|one| one.documents.len()), Some(0));
    }

    #[test]
    fn a_command_carries_its_words_beside_its_line() {
        let command = Command::kubectl(["get", "nodes"]).only("shows them").on(&[Platform::AzureLocal]).caution("slow");
        let json = serde_json::to_string(&CommandV1::from(command)).ok();
        let expected = concat!(
            r#"{"argv":["kubectl","get","nodes"],"line":"kubectl get nodes","printed":"kubectl get nodes  # slow; shows them","#,
            r#""shell":"bash","shells":["bash","powershell"],"clears":false,"platforms":["azure-local"],"caution":"slow","note":"shows them"}"#
        );
        assert_eq!(json.as_deref(), Some(expected));
    }

    #[test]
    fn a_command_has_a_line_for_the_other_shell_where_that_takes_another_one() {
        let of = |command: Command| {
            let CommandV1 { shells, other_line, .. } = command.into();
            (shells.join(" "), other_line)
        };
        let plain = Command::kubectl(["get", "nodes"]);
        assert_eq!(of(plain.clone()), ("bash powershell".to_owned(), None));
        let quoted = plain.name("it's");
        assert_eq!(of(quoted.clone()), ("bash".to_owned(), Some("kubectl get nodes 'it''s'".to_owned())));
        let mut there = quoted;
        there.shell(Shell::PowerShell);
        assert_eq!(of(there), ("powershell".to_owned(), Some(r"kubectl get nodes 'it'\''s'".to_owned())));
        assert_eq!(of(Command::cmdlet("Get-AksHciLogs", [])), ("powershell".to_owned(), None));
    }
}
