//! A node and checks of it for the tests.

use super::Baseline;
use crate::data::{Platform, embedded};
use crate::k8s::kinds;
use crate::k8s::read::json;
use crate::verdict::check::{Check, Params};

const NODE: &str = r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"moc-l1","uid":"n1","creationTimestamp":"2026-03-02T08:00:00Z",
    "labels":{"kubernetes.io/hostname":"moc-l1","kubernetes.io/os":"linux","node.kubernetes.io/instance-type":"TYPE"OWN},
    "managedFields":[{"manager":"kubelet","operation":"Update","time":"2026-03-02T08:00:00Z","fieldsV1":{"f:metadata":{"f:labels":{"f:kubernetes.io/os":{}KUBELET}}}}PERSON]},
    "spec":{"providerID":"moc://a-md-b-c"},"status":{"nodeInfo":{"operatingSystem":"linux"},"capacity":{"cpu":"CPU","memory":"8138224Ki","ephemeral-storage":"203056560Ki"}}}"#;
pub(super) const KUBELET: &str = r#","f:node.kubernetes.io/instance-type":{}"#;
const PERSON: &str = r#",{"manager":"kubectl-label","operation":"Update","time":"2026-05-18T09:14:00Z","fieldsV1":{"f:metadata":{"f:labels":{"f:node.kubernetes.io/instance-type":{}}}}}"#;

pub(super) const SPACE: &str = r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"kube-system","uid":"UID"},"spec":{"finalizers":["kubernetes"]}}"#;

pub(super) fn clean(size: &str) -> String {
    NODE.replace("TYPE", size).replace("KUBELET", KUBELET).replace("PERSON", "").replace("OWN", "").replace("CPU", "4")
}

pub(super) fn touched(size: &str) -> String {
    NODE.replace("TYPE", size).replace("KUBELET", "").replace("PERSON", PERSON).replace("OWN", "").replace("CPU", "4")
}

pub(super) fn check(objects: &[String], baseline: Option<Baseline>) -> Check<'static> {
    let params = Params {
        platform: Some(Platform::AzureLocal),
        baseline,
        record: true,
        ..Params::at("2026-06-01T00:00:00Z".parse().unwrap())
    };
    let mut check = Check::new(embedded(), params);
    for plan in [Check::plan_first, Check::plan_then] {
        for key in plan(&check) {
            let mut segment = check.segment(&key);
            for text in objects {
                let object = json::object(text.as_bytes()).unwrap();
                if kinds::of(&object.api_version, &object.kind) == Some(key.kind) {
                    segment.object(&object);
                }
            }
            check.complete(segment);
        }
    }
    check
}

pub(super) fn recorded() -> Baseline {
    check(&[clean("A4"), SPACE.replace("UID", "k1")], None).recorded().baseline()
}
