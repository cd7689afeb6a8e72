//! A waiver and findings for the tests.

use jiff::Timestamp;

use super::{Waiver, apply, parse};
use crate::data::Platform;
use crate::finding::{Draft, Finding, ObjectRef};
use crate::verdict::weigh::merge;

pub(crate) const WAIVER: &str = "
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

pub(crate) fn waiver() -> Waiver {
    parse(WAIVER).unwrap().remove(0)
}

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn finding(name: &str, uid: &str, after: Option<&str>) -> Finding {
    let rule = crate::rules::catalogue::find("AA303").unwrap();
    let object = ObjectRef {
        api_version: "apps/v1".to_owned(),
        kind: "Deployment".to_owned(),
        namespace: "kube-system".to_owned(),
        name: name.to_owned(),
        uid: uid.to_owned(),
    };
    let draft = Draft::at(object, "metadata.namespace").values(None, after);
    merge(rule, Platform::AzureLocal, vec![draft]).remove(0)
}

pub(crate) const NOVEMBER: &str = "2026-11-10T00:00:00Z";

/// The name of the waiver shown on a finding, as of a moment.
pub(crate) fn shown_on(finding: &Finding, waivers: &[Waiver], now: &str) -> Option<String> {
    let mut findings = [finding.clone()];
    apply(&mut findings, waivers, time(now));
    findings[0].waiver.take().map(|note| note.name)
}
