//! A recorded object that is not seen now counts as gone only where its list was read.

use aksarc_shared::data::{Platform, embedded};
use aksarc_shared::facts::baseline::Baseline;
use aksarc_shared::facts::inventory::ReadState;
use aksarc_shared::k8s::kinds::{self, Kind};
use aksarc_shared::k8s::read::json;
use aksarc_shared::verdict::check::{Check, Params};
use aksarc_shared::verdict::report::ToolVersion;

const OBJECTS: [&str; 4] = [
    r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"kube-system","uid":"k1"}}"#,
    r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"moc-l1","uid":"n1"},"spec":{"providerID":"moc://edge-pool1-md-x7k2p-9q8zt"}}"#,
    r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"azure-policy","namespace":"kube-system","uid":"d1"}}"#,
    r#"{"apiVersion":"admissionregistration.k8s.io/v1","kind":"MutatingWebhookConfiguration","metadata":{"name":"gatekeeper-mutating-webhook-configuration","uid":"w1"}}"#,
];

#[derive(Clone, Copy)]
enum Lost<'k> {
    Nothing,
    Objects(&'k Kind),
    List(&'k Kind),
}

fn check(baseline: Option<Baseline>, lost: Lost<'_>) -> Check<'static> {
    let params = Params {
        platform: Some(Platform::AzureLocal),
        baseline,
        record: true,
        ..Params::at("2026-06-01T00:00:00Z".parse().expect("a moment"))
    };
    let mut check = Check::new(embedded(), params);
    for plan in [Check::plan_first, Check::plan_then] {
        for key in plan(&check) {
            if matches!(lost, Lost::List(kind) if kind == key.kind) {
                check.not_read(key, ReadState::Forbidden);
                continue;
            }
            let mut segment = check.segment(&key);
            for text in OBJECTS {
                let object = json::object(text.as_bytes()).expect("an object");
                let kind = kinds::of(&object.api_version, &object.kind).expect("a kind");
                if kind == key.kind && !matches!(lost, Lost::Objects(gone) if gone == kind) {
                    segment.object(&object);
                }
            }
            check.complete(segment);
        }
    }
    check
}

/// The findings of a rule against a baseline of all objects, and its outcome.
fn since(code: &str, lost: Lost<'_>) -> (Vec<String>, &'static str) {
    let baseline = check(None, Lost::Nothing).recorded().baseline();
    let report = check(Some(baseline), lost).finish(ToolVersion::default(), "", "").expect("an AKS Arc cluster");
    let outcome = report.rules.iter().find(|rule| rule.code == code).expect("the rule").outcome.as_str();
    let own = report.findings.into_iter().filter(|finding| finding.code == code);
    (own.map(|finding| format!("{} {}", finding.object.name, finding.path)).collect(), outcome)
}

#[test]
fn nodes_that_were_not_read_are_not_gone_from_their_pool() {
    let gone = "edge-pool1 nodeCount".to_owned();
    assert_eq!(since("AA408", Lost::Objects(&kinds::NODE)), (vec![gone], "pass"));
    assert_eq!(since("AA408", Lost::List(&kinds::NODE)), (Vec::new(), "unknown"));
}

#[test]
fn a_webhook_configuration_that_was_not_read_is_not_gone() {
    let name = "gatekeeper-mutating-webhook-configuration metadata.name".to_owned();
    let (found, _) = since("AA309", Lost::Objects(&kinds::MUTATING_WEBHOOKS));
    assert!(found.contains(&name), "{found:?}");
    let (found, _) = since("AA309", Lost::List(&kinds::MUTATING_WEBHOOKS));
    assert!(!found.contains(&name), "{found:?}");
}
