//! `-o openreports`: a ClusterReport of openreports.io/v1alpha1, which dashboards for policy reports read.

use std::collections::BTreeMap;

use aksarc_shared::data::own::API_VERSION;
use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::{ConsequenceV1, FindingV1, ObjectV1, OutcomeV1, ReportV1, RuleV1};
use serde::Serialize;
use serde_json::{Value, json};

use super::{escape, gist};
use crate::screen::format;

/// The name of the object.
pub(crate) const NAME: &str = "aksarc";

/// The group and version of the object.
pub(crate) const OPEN_REPORTS: &str = "openreports.io/v1alpha1";

/// The report as JSON, which `kubectl apply -f -` takes.
pub(super) fn render(report: &ReportV1) -> serde_json::Result<String> {
    format::json_text(&object(report)).map(|text| escape::json(&text))
}

/// A ClusterReport: failing findings and undecided rules as results, and everything in the summary.
pub(crate) fn object(report: &ReportV1) -> Value {
    let seconds = gist::moment(report).as_second();
    let failing = gist::prints(report).map(|(finding, print)| finding_result(finding, &print, seconds));
    let unknown = report.rules.iter().filter(|rule| rule.outcome == OutcomeV1::Unknown);
    let unknown = unknown.map(|rule| rule_result(rule, seconds));
    let results: Vec<PolicyResult> = failing.chain(unknown).collect();
    let word = |word: &str| results.iter().filter(|result| result.result == word).count();
    let rules = |outcomes: &[OutcomeV1]| report.rules.iter().filter(|rule| outcomes.contains(&rule.outcome)).count();
    let skipped = [OutcomeV1::NotApplicable, OutcomeV1::NotObservable, OutcomeV1::Waived];
    let summary = json!({
        "pass": rules(&[OutcomeV1::Pass]), "fail": word("fail"), "warn": word("warn"), "error": word("error"),
        "skip": rules(&skipped) + report.catalogue.left_out,
    });
    let left_out = results.len().saturating_sub(MAX_RESULTS);
    json!({
        "apiVersion": OPEN_REPORTS,
        "kind": "ClusterReport",
        "metadata": {
            "name": NAME,
            "labels": {"app.kubernetes.io/managed-by": SOURCE},
            "annotations": {
                "aksarc.dev/verdict": report.verdict.as_str(),
                "aksarc.dev/as-of": text::line(&report.policy.as_of, MAX_TEXT),
                "aksarc.dev/version": text::line(&report.tool.version, MAX_TEXT),
                "aksarc.dev/results-left-out": left_out.to_string(),
            },
        },
        "source": SOURCE,
        "summary": summary,
        "results": results.into_iter().take(MAX_RESULTS).collect::<Vec<_>>(),
    })
}

/// A result of a report, as the definition of ClusterReport has it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PolicyResult {
    category: &'static str,
    message: String,
    policy: String,
    properties: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resources: Vec<Value>,
    result: &'static str,
    rule: String,
    scored: bool,
    severity: &'static str,
    source: &'static str,
    timestamp: Value,
}

fn finding_result(finding: &FindingV1, print: &str, seconds: i64) -> PolicyResult {
    let (result, severity) = match finding.consequence {
        ConsequenceV1::Voids => ("fail", "high"),
        ConsequenceV1::AtRisk => ("warn", "medium"),
        ConsequenceV1::NotCovered => ("warn", "low"),
        ConsequenceV1::Info => ("warn", "info"),
    };
    let properties = [
        ("consequence", finding.consequence.as_str().to_owned()),
        ("basis", finding.basis.as_str().to_owned()),
        ("clauses", finding.clauses.join(" ")),
        ("path", finding.path.clone()),
        ("fingerprint", finding.fingerprint.clone()),
        // Dashboards tell results apart by this property.
        ("resultID", print.replace(':', "-")),
    ];
    let properties = properties.into_iter().filter(|(_, value)| !value.is_empty());
    PolicyResult {
        message: text::line(&finding.message, MAX_TEXT),
        policy: text::line(&finding.code, MAX_TEXT),
        properties: properties.map(|(key, value)| (key, text::line(&value, MAX_TEXT))).collect(),
        resources: resource(&finding.object).into_iter().collect(),
        result,
        severity,
        ..common(&finding.slug, seconds)
    }
}

fn rule_result(rule: &RuleV1, seconds: i64) -> PolicyResult {
    PolicyResult {
        message: text::line(&format!("unknown: {}", rule.reason), MAX_TEXT),
        policy: text::line(&rule.code, MAX_TEXT),
        properties: BTreeMap::from([("resultID", format!("unknown-{}", text::line(&rule.code, MAX_TEXT)))]),
        severity: if rule.could_void { "high" } else { "medium" },
        ..common(&rule.slug, seconds)
    }
}

fn common(slug: &str, seconds: i64) -> PolicyResult {
    PolicyResult {
        category: "AKS Arc support policy",
        message: String::new(),
        policy: String::new(),
        properties: BTreeMap::new(),
        resources: Vec::new(),
        result: "error",
        rule: text::line(slug, MAX_TEXT),
        scored: true,
        severity: "info",
        source: SOURCE,
        timestamp: json!({"seconds": seconds, "nanos": 0}),
    }
}

/// A reference to an object of the cluster; node pools and the cluster as a whole are none.
fn resource(object: &ObjectV1) -> Option<Value> {
    if object.api_version == API_VERSION {
        return None;
    }
    let fields = [
        ("apiVersion", &object.api_version),
        ("kind", &object.kind),
        ("namespace", &object.namespace),
        ("name", &object.name),
        ("uid", &object.uid),
    ];
    let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
    Some(fields.map(|(key, value)| (key.to_owned(), Value::from(text::line(value, MAX_TEXT)))).collect())
}

/// The name of this program in the object.
pub(crate) const SOURCE: &str = "kubectl-aksarc";

/// The most results: an object has 1.5 MiB at most.
const MAX_RESULTS: usize = 500;

/// The longest text, in bytes.
const MAX_TEXT: usize = 1_000;
