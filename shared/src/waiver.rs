//! Waivers: a finding accepted for a time. They never turn a verdict into "supported".

use jiff::{Timestamp, ToSpan};
use serde::Deserialize;

use crate::finding::{Consequence, Finding, WaiverNote};
use crate::read::json::ReadError;
use crate::read::yaml;

/// A waiver, from a file or from the guard's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Waiver {
    /// Its name, for reports.
    pub name: String,
    /// Codes it is for; no wildcards.
    pub rules: Vec<String>,
    /// The object it is for, exactly.
    #[serde(rename = "match")]
    pub matches: Match,
    /// Why.
    pub reason: String,
    /// A ticket; required for findings that void support.
    #[serde(default)]
    pub ticket: Option<String>,
    /// Who asked.
    pub requested_by: String,
    /// Who agreed; somebody else.
    pub approved_by: String,
    /// From when; always, if left out.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub not_before: Option<Timestamp>,
    /// Until when; the finding returns at this second.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub expires: Timestamp,
    /// On whose word.
    #[serde(default)]
    pub kind: WaiverKind,
    /// Microsoft's support case; required for `microsoft-directed`.
    #[serde(default)]
    pub support_case: Option<String>,
}

/// On whose word something is waived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum WaiverKind {
    /// The operator accepts the risk.
    #[default]
    Accepted,
    /// Microsoft Support directed the change (clause C23).
    MicrosoftDirected,
}

/// The object a waiver is for. What is left out matches any; what is given matches exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Match {
    /// Kind.
    pub kind: String,
    /// Namespace; left out for cluster-scoped objects.
    #[serde(default)]
    pub namespace: String,
    /// Name.
    pub name: String,
    /// The field; any, if left out.
    #[serde(default)]
    pub path: Option<String>,
}

/// Why a waiver does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Nobody accepts their own risk.
    #[error("requestedBy and approvedBy are the same")]
    SelfApproved,
    /// A rule that does not exist.
    #[error("no rule has the code {0}")]
    UnknownRule(String),
    /// No rules.
    #[error("it names no rule")]
    NoRules,
    /// Empty reason, or empty people.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// Ends before it begins.
    #[error("expires is not after notBefore")]
    Backwards,
    /// A void finding without a ticket.
    #[error("{0} voids support, so a ticket is required")]
    NoTicket(String),
    /// A void finding for longer than 90 days.
    #[error("{0} voids support, so a waiver may run 90 days at most")]
    TooLong(String),
    /// A directed change without a case.
    #[error("kind microsoft-directed needs supportCase")]
    NoSupportCase,
}

/// A file of waivers: YAML documents, each one waiver or a `SupportWaiverList` with `items`.
///
/// # Errors
/// [`ReadError`] when the file is no such file; a single waiver that breaks a term is in the list and does not count.
pub fn parse(text: &str) -> Result<Vec<Waiver>, ReadError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct WaiverFile {
        api_version: String,
        kind: String,
        #[serde(default)]
        items: Vec<Waiver>,
    }
    let mut waivers = Vec::new();
    for file in yaml::parse_all::<WaiverFile>(text)? {
        if (&*file.api_version, &*file.kind) != ("aksarc.dev/v1alpha1", "SupportWaiverList") {
            return Err(ReadError::Yaml(format!(
                "expected apiVersion aksarc.dev/v1alpha1, kind SupportWaiverList, found {} {}",
                file.api_version, file.kind
            )));
        }
        waivers.extend(file.items);
    }
    Ok(waivers)
}

impl Waiver {
    /// Every term the waiver breaks; it counts only when there is none.
    pub fn problems(&self) -> Vec<Invalid> {
        let mut problems = Vec::new();
        for (field, text) in
            [("reason", &self.reason), ("requestedBy", &self.requested_by), ("approvedBy", &self.approved_by)]
        {
            if text.trim().is_empty() {
                problems.push(Invalid::Empty(field));
            }
        }
        if self.requested_by.trim().eq_ignore_ascii_case(self.approved_by.trim()) {
            problems.push(Invalid::SelfApproved);
        }
        if self.not_before.is_some_and(|start| self.expires <= start) {
            problems.push(Invalid::Backwards);
        }
        let blank = |text: &Option<String>| text.as_deref().is_none_or(|text| text.trim().is_empty());
        if self.kind == WaiverKind::MicrosoftDirected && blank(&self.support_case) {
            problems.push(Invalid::NoSupportCase);
        }
        if self.rules.is_empty() {
            problems.push(Invalid::NoRules);
        }
        for code in &self.rules {
            let Some(rule) = crate::catalogue::find(code).filter(|rule| rule.code.as_str() == code) else {
                problems.push(Invalid::UnknownRule(code.clone()));
                continue;
            };
            if rule.heaviest(&crate::data::Platform::ALL) != Consequence::Voids {
                continue;
            }
            if blank(&self.ticket) {
                problems.push(Invalid::NoTicket(code.clone()));
            }
            // Without a start its length is unknown, so it cannot be shown to be short enough.
            let longest = self.not_before.and_then(|start| start.checked_add((MAX_DAYS * 24).hours()).ok());
            if longest.is_none_or(|longest| self.expires > longest) {
                problems.push(Invalid::TooLong(code.clone()));
            }
        }
        problems
    }

    /// Whether `now` lies in its time: from `notBefore` on, up to but not at `expires`.
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.not_before.is_none_or(|start| start <= now) && now < self.expires
    }

    fn covers(&self, finding: &Finding) -> bool {
        self.rules.iter().any(|code| code == finding.code)
            && self.matches.kind == finding.object.kind
            && self.matches.namespace == finding.object.namespace
            && self.matches.name == finding.object.name
            && self.matches.path.as_ref().is_none_or(|path| *path == finding.path)
    }
}

/// Puts a note on every finding that a valid, current waiver covers. The same evaluator for check, dry run and guard.
pub fn apply(findings: &mut [Finding], waivers: &[Waiver], now: Timestamp) {
    if waivers.is_empty() {
        return;
    }
    for finding in findings {
        let waiver = waivers.iter().find(|w| w.covers(finding) && w.is_current(now) && w.problems().is_empty());
        finding.waiver = waiver.map(|waiver| WaiverNote {
            name: waiver.name.clone(),
            reason: waiver.reason.clone(),
            expires: waiver.expires.to_string(),
        });
    }
}

/// The longest a finding that voids support can be waived, in days.
const MAX_DAYS: i64 = 90;

#[cfg(test)]
mod tests {
    use super::*;

    const WAIVER: &str = "
apiVersion: aksarc.dev/v1alpha1
kind: SupportWaiverList
items:
- name: W-7
  rules: [AA303]
  match: {kind: Deployment, namespace: kube-system, name: log-agent}
  reason: moves next month
  ticket: OPS-1
  requestedBy: alice
  approvedBy: bob
  notBefore: 2026-11-01T00:00:00Z
  expires: 2026-11-29T00:00:00Z
";

    fn waiver() -> Waiver {
        parse(WAIVER).unwrap().remove(0)
    }

    #[test]
    fn a_complete_waiver_has_no_problem() {
        assert_eq!(waiver().problems(), []);
    }

    #[test]
    fn it_counts_from_its_first_second_to_the_one_before_it_expires() {
        let at = |text: &str| waiver().is_current(text.parse().unwrap());
        assert!(!at("2026-10-31T23:59:59Z"));
        assert!(at("2026-11-01T00:00:00Z"));
        assert!(at("2026-11-28T23:59:59Z"));
        assert!(!at("2026-11-29T00:00:00Z"));
    }

    #[test]
    fn each_broken_term_is_named() {
        let broken = |change: fn(&mut Waiver)| {
            let mut waiver = waiver();
            change(&mut waiver);
            waiver.problems()
        };
        assert_eq!(broken(|w| w.approved_by = "Alice ".to_owned()), [Invalid::SelfApproved]);
        assert_eq!(broken(|w| w.ticket = None), [Invalid::NoTicket("AA303".to_owned())]);
        assert_eq!(broken(|w| w.rules = vec!["AA999".to_owned()]), [Invalid::UnknownRule("AA999".to_owned())]);
        assert_eq!(broken(|w| w.kind = WaiverKind::MicrosoftDirected), [Invalid::NoSupportCase]);
        assert_eq!(broken(|w| w.not_before = None), [Invalid::TooLong("AA303".to_owned())]);
        assert_eq!(broken(|w| w.expires = "2026-10-01T00:00:00Z".parse().unwrap()), [Invalid::Backwards]);
        let ninety: fn(&mut Waiver) = |w| w.expires = "2027-01-30T00:00:00Z".parse().unwrap();
        assert_eq!(broken(ninety), []);
        let one_second_more: fn(&mut Waiver) = |w| w.expires = "2027-01-30T00:00:01Z".parse().unwrap();
        assert_eq!(broken(one_second_more), [Invalid::TooLong("AA303".to_owned())]);
    }

    #[test]
    fn a_file_of_something_else_is_an_error() {
        assert!(parse("apiVersion: v1\nkind: ConfigMap\n").is_err());
        assert!(parse(&WAIVER.replace("reason:", "raeson:")).is_err());
    }
}
