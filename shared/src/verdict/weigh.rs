//! The step from drafts to findings: it adds code and consequence, and joins drafts at the same object and path.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::data::remediations::Remediation;
use crate::data::{Platform, embedded};
use crate::finding::{Draft, Evidence, Expected, Finding, WaiverNote, place};
use crate::rules::rule::Rule;

/// A finding, with the part of its drafts that only the guard uses.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighed {
    /// The finding.
    pub finding: Finding,
    /// Whether one of the drafts limits the guard to a warning.
    pub warn_at_most: bool,
}

/// The findings of a rule for a check of a state, made from its drafts as [`weigh`] does.
pub fn merge(rule: &'static Rule, platform: Platform, drafts: Vec<Draft>) -> Vec<Finding> {
    weigh(rule, platform, drafts).into_iter().map(|weighed| weighed.finding).collect()
}

/// Turns the drafts of a rule into findings, sorted by object and path: adds what the rule declares, and joins drafts
/// at the same object and path.
pub fn weigh(rule: &'static Rule, platform: Platform, mut drafts: Vec<Draft>) -> Vec<Weighed> {
    // The sort is stable, so drafts at one place stay in their order.
    drafts.sort_by(|a, b| place(&a.object, &a.path).cmp(&place(&b.object, &b.path)));
    let mut all: Vec<Weighed> = Vec::with_capacity(drafts.len());
    for mut draft in drafts {
        draft.fix.retain(|command| command.is_for(platform));
        let weight = rule.consequence_on(platform);
        let consequence = draft.lighter.map_or(weight, |lighter| lighter.max(weight));
        let basis = draft.basis.map_or_else(|| rule.basis_on(platform), |basis| basis.on(platform));
        let clauses = draft.clauses.unwrap_or(rule.clauses);
        let is_here = |last: &&mut Weighed| last.finding.place() == place(&draft.object, &draft.path);
        if let Some(Weighed { finding, warn_at_most }) = all.last_mut().filter(is_here) {
            *warn_at_most |= draft.warn_at_most;
            // The heaviest consequence counts, with the best basis it has.
            if (consequence, basis) < (finding.consequence, finding.basis) {
                (finding.consequence, finding.basis, finding.clauses) = (consequence, basis, clauses);
                finding.documents = basis.documents();
            }
            // The draft with less information has less to say: a baseline may know a value that managedFields do not.
            finding.before = finding.before.take().or(draft.before);
            finding.after = finding.after.take().or(draft.after);
            finding.condition = finding.condition.max(draft.condition);
            if draft.expected != Expected::Unknown {
                finding.expected = draft.expected;
            }
            finding.members.extend(draft.members);
            finding.evidence.extend(draft.evidence);
            finding.evidence.sort();
            finding.evidence.dedup();
            finding.evidence.truncate(MAX_EVIDENCE);
            for command in draft.fix {
                if finding.fix.len() < MAX_FIXES && !finding.fix.contains(&command) {
                    finding.fix.push(command);
                }
            }
            continue;
        }
        let finding = Finding {
            code: rule.code,
            slug: rule.slug,
            consequence,
            basis,
            documents: basis.documents(),
            clauses,
            object: draft.object,
            members: draft.members,
            path: draft.path,
            before: draft.before,
            after: draft.after,
            expected: draft.expected,
            condition: draft.condition,
            message: draft.message,
            evidence: draft.evidence,
            fix: draft.fix,
            waiver: None::<WaiverNote>,
        };
        all.push(Weighed { finding, warn_at_most: draft.warn_at_most });
    }
    let remediations = remediations_of(rule.code.as_str());
    for Weighed { finding, .. } in &mut all {
        finding.members.sort();
        finding.members.dedup();
        let alike = remediations.iter().filter(|remediation| finding.is_like(remediation));
        let alike: Vec<Evidence> =
            alike.map(|remediation| Evidence::seen("remediation", remediation.likeness())).collect();
        finding.evidence.extend(alike);
    }
    all.sort_by(|Weighed { finding: a, .. }, Weighed { finding: b, .. }| {
        a.object.cmp(&b.object).then_with(|| a.path.cmp(&b.path))
    });
    all
}

/// The remediations that change what the rule with this code finds.
pub(crate) fn remediations_of(code: &str) -> &'static [&'static Remediation] {
    static BY_RULE: LazyLock<HashMap<&str, Vec<&Remediation>>> = LazyLock::new(|| {
        let mut by_rule: HashMap<&str, Vec<&Remediation>> = HashMap::new();
        for remediation in embedded().remediations.iter() {
            for code in remediation.objects.iter().flat_map(|touched| &touched.rules) {
                let own = by_rule.entry(code).or_default();
                if own.last().is_none_or(|last| !std::ptr::eq(*last, remediation)) {
                    own.push(remediation);
                }
            }
        }
        by_rule
    });
    BY_RULE.get(code).map(Vec::as_slice).unwrap_or_default()
}

/// The platform among several possible ones on which a rule weighs least, with the weakest basis, so that nobody is
/// accused of more than is certain.
pub fn lightest(rule: &Rule, candidates: &[Platform]) -> Platform {
    let weight = |platform: &&Platform| (rule.consequence_on(**platform), rule.basis_on(**platform));
    candidates.iter().max_by_key(weight).copied().unwrap_or(Platform::AzureLocal)
}

/// The most pieces of evidence on one finding: a pool of 200 nodes needs no 200 lines.
const MAX_EVIDENCE: usize = 8;

/// The most commands on one finding.
const MAX_FIXES: usize = 16;
