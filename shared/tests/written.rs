//! Rules that rest on managedFields decide nothing about objects that come without them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use aksarc_shared::data::{Platform, embedded};
use aksarc_shared::finding::Consequence;
use aksarc_shared::k8s::kinds;
use aksarc_shared::k8s::read::json;
use aksarc_shared::verdict::check::{Check, Params};
use aksarc_shared::verdict::report::{Report, RuleResult, ToolVersion, VerdictWord};
use serde_json::{Value, json};

const NOW: &str = "2026-06-01T00:00:00Z";

fn check(objects: &[Value], as_written: bool) -> Report {
    let params = Params { platform: Some(Platform::AzureLocal), as_written, ..Params::at(NOW.parse().unwrap()) };
    let mut check = Check::new(embedded(), params);
    let texts: Vec<String> = objects.iter().map(Value::to_string).collect();
    for plan in [Check::plan_first, Check::plan_then] {
        for key in plan(&check) {
            let mut segment = check.segment(&key);
            for text in &texts {
                let object = json::object(text.as_bytes()).unwrap();
                let is_here = key.namespace.as_ref().is_none_or(|own| **own == *object.meta.namespace);
                if kinds::of(&object.api_version, &object.kind) == Some(key.kind) && is_here {
                    segment.object(&object);
                }
            }
            check.complete(segment);
        }
    }
    check.finish(ToolVersion::default(), "", "").unwrap()
}

fn outcome(report: &Report, code: &str) -> (RuleResult, String) {
    let rule = report.rules.iter().find(|rule| rule.code == code).unwrap();
    (rule.outcome, rule.reason.clone())
}

fn node(name: &str, written: bool) -> Value {
    let fields = if written {
        json!([{"manager": "kubelet", "operation": "Update", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:metadata": {}}}])
    } else {
        Value::Null
    };
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"kubernetes.io/hostname": name}, "managedFields": fields},
        "spec": {"providerID": format!("moc://edge-1a2b3c4d-pool1-md-x7k2p-{name}")}})
}

#[test]
fn a_list_without_them_leaves_rules_on_them_unknown_and_says_how_to_record_them() {
    let bare = check(&[node("a", false), node("b", false)], false);
    for code in ["AA201", "AA202"] {
        let (outcome, reason) = outcome(&bare, code);
        assert_eq!(outcome, RuleResult::Unknown, "{code}");
        assert!(reason.starts_with("2 objects") && reason.contains("--show-managed-fields"), "{reason}");
    }
    assert_eq!((bare.verdict, bare.coverage.without_managed_fields), (VerdictWord::Inconclusive, 2));
    // Rules that do not rest on them are decided all the same.
    assert_eq!(outcome(&bare, "AA401").0, RuleResult::Pass);
    let whole = check(&[node("a", true), node("b", true)], false);
    assert_eq!(outcome(&whole, "AA201"), (RuleResult::Pass, String::new()));
    assert_eq!(whole.coverage.without_managed_fields, 0);
    assert_eq!(outcome(&check(&[node("a", false)], true), "AA201").0, RuleResult::Pass, "an example is all there is");
}

#[test]
fn a_finding_stands_without_them() {
    let mut odd = node("a", false);
    odd["metadata"]["labels"]["kubernetes.io/hostname"] = json!("edge-7");
    let report = check(&[odd, node("b", false)], false);
    assert_eq!(report.verdict, VerdictWord::Outside);
    let (outcome, reason) = outcome(&report, "AA201");
    assert!(outcome == RuleResult::Violated && reason.contains("managedFields"), "{reason}");
}

#[test]
fn one_object_without_them_among_others_was_cleared_of_them() {
    let report = check(&[node("a", true), node("b", false)], false);
    assert_eq!(outcome(&report, "AA201"), (RuleResult::Pass, String::new()));
    let cleared: Vec<_> = report.findings.iter().filter(|found| found.path == "metadata.managedFields").collect();
    let [cleared] = &*cleared else { panic!("{cleared:?}") };
    assert_eq!((cleared.consequence, &*cleared.object.name), (Consequence::Info, "b"));
}

#[test]
fn an_object_without_content_never_had_them() {
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "x", "namespace": "kube-system"}});
    let space = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system",
        "labels": {"kubernetes.io/metadata.name": "kube-system"},
        "managedFields": [{"manager": "kube-apiserver", "operation": "Update", "fieldsV1": {"f:metadata": {}}}]}});
    let report = check(&[space, account], false);
    assert_eq!(outcome(&report, "AA303").0, RuleResult::Pass);
    assert_eq!(report.coverage.without_managed_fields, 0);
}
