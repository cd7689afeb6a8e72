//! The guard's own certificates on a real API server, with two replicas behind one Service and changes coming in all the
//! time: certificates are renewed, authorities change, replicas are killed and stopped, the record is lost, and every
//! change is denied that the guard has to deny.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "helpers of tests are tests")]

mod under_load {
    pub(crate) mod certificates;
    #[allow(dead_code, reason = "admit_fire uses the rest")]
    pub(crate) mod site;
}

use std::time::Duration;

use aksarc_tests::replicas::configuration_path;
use aksarc_tests::{ControlPlane, Identity, Kubernetes, PatchKind, wait};
use aksarc_webhook::certificates::record::TrustStep;
use serde_json::json;
use under_load::certificates::{certificates_and_authorities_change, in_step};
use under_load::site::Site;

#[test]
fn certificates_and_authorities_change_under_load_and_no_change_goes_unasked() {
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    certificates_and_authorities_change(&cluster, LEAST);
}

/// An installation whose certificate and `caBundle` somebody made by hand, with a guard that serves it, changes over to
/// guards that make their own.
#[test]
fn coming_from_a_certificate_made_by_hand_costs_no_review() {
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    let mut site =
        Site::by_hand(&cluster, &["--poll", "500ms", "--certificate-times", "dwell=3s,settle=1s,keep=15s,report=1s"]);
    site.roll_out();
    let record = site.replicas.record().unwrap();
    // The one made by hand stays trusted as long as the other does, and is forgotten afterwards.
    assert!(!matches!(record.step, TrustStep::Steady { .. }), "{record:?}");
    site.end_the_former();
    site.await_step("steady", 1);
    wait::until("the former authority to be forgotten", LIMIT, || {
        let bundles = site.replicas.bundles().map_err(|error| format!("{error:#}"))?;
        let own = site.replicas.record().map_err(|error| format!("{error:#}"))?.step.bundle();
        if bundles == [own] { Ok(()) } else { Err(format!("{bundles:?}")) }
    })
    .unwrap();
    assert_eq!(site.let_through(), 0);
    site.ends(LEAST);
}

/// The rights of the guard's account, and what the policies leave of them.
#[test]
fn the_guards_account_may_keep_its_certificate_and_nothing_else() {
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    let site = Site::new(&cluster, &["--poll", "500ms"]);
    let account = cluster.http(&Identity::service_account("aksarc-system", "guard")).unwrap();
    let secrets = "/api/v1/namespaces/aksarc-system/secrets";
    let secret =
        |name: &str| json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": name}});
    let own = configuration_path();
    let refused_by = |answer: aksarc_tests::Answer, who: &str| {
        assert!(answer.code == 403 && answer.body.contains(who), "{} {}", answer.code, answer.body);
    };
    // By policy: another Secret, and anything in its configuration but caBundle.
    let policy = "certificates.guard.aksarc.dev";
    wait::until("the policy to count", LIMIT, || {
        let answer = account.post(&format!("{secrets}?dryRun=All"), &secret("other")).unwrap();
        if answer.code == 403 { Ok(()) } else { Err(answer.body) }
    })
    .unwrap();
    refused_by(account.post(secrets, &secret("other")).unwrap(), policy);
    let mut generated = secret("");
    generated["metadata"] = json!({"generateName": "guard-certificates"});
    refused_by(account.post(secrets, &generated).unwrap(), policy);
    let change = |operations: serde_json::Value| account.patch(&own, PatchKind::Json, &operations).unwrap();
    let webhook = "/webhooks/0";
    for operations in [
        json!([{"op": "replace", "path": format!("{webhook}/failurePolicy"), "value": "Fail"}]),
        json!([{"op": "replace", "path": format!("{webhook}/timeoutSeconds"), "value": 1}]),
        json!([{"op": "replace", "path": format!("{webhook}/rules"), "value": []}]),
        json!([{"op": "remove", "path": format!("{webhook}/matchConditions/0")}]),
        json!([{"op": "add", "path": format!("{webhook}/namespaceSelector"), "value": {"matchLabels": {"a": "b"}}}]),
        json!([{"op": "add", "path": format!("{webhook}/objectSelector"), "value": {"matchLabels": {"a": "b"}}}]),
        json!([{"op": "replace", "path": format!("{webhook}/clientConfig/service/name"), "value": "other"}]),
        json!([{"op": "replace", "path": format!("{webhook}/clientConfig/service/port"), "value": 1}]),
        json!([{"op": "replace", "path": format!("{webhook}/name"), "value": "other.guard.aksarc.dev"}]),
        json!([{"op": "remove", "path": webhook}]),
        json!([{"op": "add", "path": "/metadata/labels/a", "value": "b"}]),
        json!([{"op": "add", "path": "/metadata/annotations/a", "value": "b"}]),
        json!([{"op": "add", "path": "/metadata/finalizers", "value": ["contoso.example/stay"]}]),
        json!([{"op": "replace", "path": format!("{webhook}/clientConfig/caBundle"), "value": ""},
            {"op": "replace", "path": format!("{webhook}/failurePolicy"), "value": "Fail"}]),
    ] {
        refused_by(change(operations), "protection.guard.aksarc.dev");
    }
    let bundle = json!([{"op": "add", "path": format!("{webhook}/clientConfig/caBundle"), "value": "Zm9v"}]);
    let dry = account.patch(&format!("{own}?dryRun=All"), PatchKind::Json, &bundle).unwrap();
    assert!(dry.is_success(), "{}", dry.body);
    // By its rights: every other object.
    for path in
        [secrets, "/api/v1/namespaces/aksarc-system/secrets/guard-tls", "/api/v1/namespaces/kube-system/secrets"]
    {
        assert_eq!(account.get(path).unwrap().code, 403, "{path}");
    }
    assert_eq!(account.delete(&own).unwrap().code, 403);
    assert_eq!(account.delete(&format!("{secrets}/guard-certificates")).unwrap().code, 403);
    let other = own.replace("guard.aksarc.dev", "other.example.com");
    assert_eq!(account.get(&other).unwrap().code, 403);
    assert_eq!(in_step(&site.replicas.record().unwrap().step), ("steady", 1));
    site.ends(LEAST);
}

const LIMIT: Duration = Duration::from_mins(1);
/// Changes a second, while other tests run on the same two cores. `long_certificates` wants as many as the guard has to take.
const LEAST: f64 = 40.0;
