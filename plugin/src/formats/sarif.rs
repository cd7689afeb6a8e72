//! `-o sarif`: SARIF 2.1.0 for code scanning.
//!
//! Scanners' pages show every result as an open alert, whatever its `kind` or `suppressions` say, and drop alerts without
//! a file. So a result is a finding that fails, and waived, passed and unknown ones are counted elsewhere; an object of a
//! cluster has a made-up file, the same in every run. One that stands in several files has a result for each.

use aksarc_shared::k8s::kinds::escaped;
use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::{ConsequenceV1, FindingV1, OutcomeV1, PlaceV1, ReportV1, RuleV1};
use serde_json::{Value, json};

use super::{escape, gist};
use crate::screen::format;
use crate::screen::report::summary::headline;
use crate::screen::wording::{capitalised, pascal_case};

/// A log with one run: the rules that ran, and a result for each failing finding. `prefix` begins the made-up files of
/// objects.
pub(super) fn render(report: &ReportV1, prefix: &str) -> serde_json::Result<String> {
    let failing: Vec<&FindingV1> = gist::failing(report).collect();
    let printed: Vec<_> = gist::prints_by_place(report).collect();
    let listed = printed.iter().take(MAX_RESULTS);
    let results: Vec<Value> =
        listed.map(|(finding, place, print)| result(report, finding, *place, print, prefix)).collect();
    let cluster = gist::subject(report);
    let name = segment(&cluster);
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "kubectl-aksarc",
                "fullName": format!("kubectl-aksarc {}", text::clean(&report.tool.version)),
                "version": report.tool.version,
                "semanticVersion": report.tool.version,
                "rules": report.rules.iter().map(|rule| rule_of(report, rule, &failing)).collect::<Vec<_>>(),
            }},
            // What precedes the last slash is the category: a new run replaces the alerts of the one before.
            "automationDetails": {"id": format!("aksarc/{name}/{}", gist::moment(report))},
            "columnKind": "utf16CodeUnits",
            "invocations": [{
                "executionSuccessful": true,
                "exitCode": report.exit_code,
                "exitCodeDescription": escape::sarif(&headline(report)),
                "toolExecutionNotifications": notifications(report, failing.len(), printed.len()),
            }],
            "results": results,
            "properties": {
                "cluster": text::clean(&cluster),
                "platform": text::clean(&report.policy.platform),
                "asOf": text::clean(&report.policy.as_of),
                "verdict": report.verdict,
                "verdictBasis": report.verdict_basis,
                "partial": report.partial,
                "summary": report.summary,
                "passed": outcomes(report, OutcomeV1::Pass),
                "rulesRun": report.rules.len(),
                "rulesKnown": report.catalogue.rules,
            },
        }],
    });
    format::json_text(&log).map(|text| escape::json(&text))
}

fn rule_of(report: &ReportV1, rule: &RuleV1, failing: &[&FindingV1]) -> Value {
    let summary = escape::sarif(&rule.summary);
    let own = failing.iter().filter(|finding| finding.code == rule.code);
    // The rule's heaviest finding gives the level; without one it is `note`.
    let level = own.clone().map(|finding| finding.consequence).min().map_or("note", level);
    let code = escape::sarif(&rule.code);
    let mut help = format!("kubectl aksarc explain {code} tells what it checks, why, and what to do instead.");
    let mut value = json!({
        "id": rule.code,
        "name": pascal_case(&rule.slug),
        "shortDescription": {"text": sentence(&summary)},
        "fullDescription": {"text": sentence(&summary)},
        "defaultConfiguration": {"level": level},
        "properties": {"slug": rule.slug, "outcome": rule.outcome},
    });
    let sources: Vec<_> =
        own.flat_map(|finding| report.links(finding)).filter(|source| is_address(source.url)).collect();
    for source in &sources {
        let comma = if source.section.is_empty() { "" } else { ", " };
        let (title, section) = (escape::sarif(source.title), escape::sarif(source.section));
        let line = format!("\nSource: {title}{comma}{section}: {}", source.url);
        if !help.contains(&line) {
            help += &line;
        }
    }
    if let Some(source) = sources.first() {
        put(&mut value, "helpUri", json!(source.url));
    }
    put(&mut value, "help", json!({"text": help}));
    value
}

fn result(report: &ReportV1, finding: &FindingV1, place: Option<&PlaceV1>, print: &str, prefix: &str) -> Value {
    let object = &finding.object;
    let index = report.rules.iter().position(|rule| rule.code == finding.code);
    let name = escape::sarif(&object.short());
    let path = escape::sarif(&finding.path);
    let mut words = escape::sarif(&finding.message);
    if let Some(command) = finding.fix.iter().find(|command| command.clears) {
        words = format!("{words}. Fix: {}", escape::sarif(&command.printed));
    }
    let mut value = json!({
        "ruleId": finding.code,
        "level": level(finding.consequence),
        "message": {"text": sentence(&words)},
        "locations": [{
            "physicalLocation": match place.and_then(|place| Some((place, file_uri(&place.file)?))) {
                Some((place, file)) => location(&file, place.line, place.column),
                None => location(&uri(report, finding, prefix), 1, 1),
            },
            "logicalLocations": [{
                "name": text::clean(&object.name),
                "fullyQualifiedName": if path.is_empty() { name } else { format!("{name} {path}") },
                "kind": "resource",
            }],
        }],
        "partialFingerprints": {"primaryLocationLineHash": print},
        "properties": {
            "consequence": finding.consequence,
            "basis": finding.basis,
            "clauses": finding.clauses,
            "fingerprint": finding.fingerprint,
        },
    });
    if let Some(index) = index {
        put(&mut value, "ruleIndex", json!(index));
    }
    value
}

/// A character in a file.
fn location(uri: &str, line: usize, column: usize) -> Value {
    json!({
        "artifactLocation": {"uri": uri},
        "region": {"startLine": line, "startColumn": column, "endLine": line, "endColumn": column + 1},
    })
}

/// The parts of a report that are no results, as notifications: each unknown rule, and the numbers of the others.
fn notifications(report: &ReportV1, failing: usize, results: usize) -> Vec<Value> {
    let note = |level: &str, text: String| json!({"level": level, "message": {"text": sentence(&text)}});
    let mut notes = Vec::new();
    for rule in report.rules.iter().filter(|rule| rule.outcome == OutcomeV1::Unknown) {
        let level = if rule.could_void { "error" } else { "warning" };
        let words = escape::sarif(&format!("{} {} is unknown: {}", rule.code, rule.slug, rule.reason));
        let mut one = note(level, words);
        put(&mut one, "associatedRule", json!({"id": rule.code}));
        notes.push(one);
    }
    let waived = report.findings.iter().filter(|finding| finding.waiver.is_some()).count();
    let counts = [
        (waived, "findings are waived"),
        (report.findings.len().saturating_sub(failing + waived), "findings are information only"),
        (outcomes(report, OutcomeV1::Pass), "rules passed"),
        (outcomes(report, OutcomeV1::NotObservable), "rules ask what Kubernetes does not show"),
        (outcomes(report, OutcomeV1::NotApplicable), "rules do not apply"),
        (report.catalogue.left_out, "rules were left out by --only or --skip"),
        (results.saturating_sub(MAX_RESULTS), "more results than one upload holds are not listed"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    notes.extend(counts.map(|(count, what)| note("note", format!("{count} {what}"))));
    notes
}

fn outcomes(report: &ReportV1, outcome: OutcomeV1) -> usize {
    report.rules.iter().filter(|rule| rule.outcome == outcome).count()
}

fn level(consequence: ConsequenceV1) -> &'static str {
    match consequence {
        ConsequenceV1::Voids => "error",
        ConsequenceV1::AtRisk => "warning",
        ConsequenceV1::NotCovered | ConsequenceV1::Info => "note",
    }
}

/// A file for an object, relative as code scanning wants it: schemes of our own are refused.
fn uri(report: &ReportV1, finding: &FindingV1, prefix: &str) -> String {
    let object = &finding.object;
    let group = object.api_version.split_once('/').map_or("core", |(group, _)| group);
    let (kind, file) = (object.kind.to_lowercase(), format!("{}.yaml", gist::steady_name(finding)));
    let cluster = gist::subject(report);
    let own = [&*cluster, group, &kind, &object.namespace, &file];
    let parts = prefix.split('/').chain(own).filter(|part| !part.is_empty()).map(segment);
    parts.collect::<Vec<_>>().join("/")
}

/// The address of a file that was judged, if it is below the directory of the check: code scanning drops any other.
fn file_uri(file: &str) -> Option<String> {
    let leads_on = |part: &str| !part.is_empty() && part.chars().any(|c| c != '.');
    let is_below = file.split('/').all(leads_on);
    is_below.then(|| file.split('/').map(segment).collect::<Vec<_>>().join("/"))
}

/// A part of a path: percent-encoded, none that leads up, and none that looks like a scheme.
fn segment(part: &str) -> String {
    let is_dots = part.chars().all(|c| c == '.');
    if is_dots { "-".to_owned() } else { escaped(part).replace(':', "%3A") }
}

/// Adds a field to an object.
fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(key.to_owned(), value);
    }
}

/// A text that ends as a sentence.
fn sentence(text: &str) -> String {
    let text = capitalised(text.trim_end());
    if text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") }
}

fn is_address(url: &str) -> bool {
    url.starts_with("https://") && url.chars().all(|c| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c))
}

/// The most results: code scanning refuses an upload with 25,000, and shows 5,000.
const MAX_RESULTS: usize = 5_000;
