//! `check.enabled` of the Helm chart on a real API server: the CronJob makes a Job by itself, the plugin of the image checks the
//! cluster and publishes the result, and the guard's metrics show it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::collections::BTreeSet;
use std::time::Duration;

use aksarc_shared::verdict::published;
use aksarc_shared::verdict::report::v1::ReportV1;
use aksarc_tests::chart::release::{CHART, helm};
use aksarc_tests::kubelet::Kubelet;
use aksarc_tests::{ControlPlane, Identity, Kubernetes, PatchKind, guard, open_reports, wait};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

#[test]
fn the_cronjob_checks_and_publishes_and_the_guards_metrics_show_it() {
    let cluster = ControlPlane::builder(Kubernetes::NEWEST).controller_manager().pods().start().unwrap();
    let kubelet = Kubelet::start(&cluster, NAMESPACE).unwrap();
    // It voids support.
    let web = ["create", "deployment", "web", "--image=web", "--namespace=kube-system"];
    cluster.kubectl(&Identity::Person, web).unwrap().succeeded().unwrap();
    let set = ["--set=check.enabled=true", "--set=check.schedule=* * * * *", "--set=config.platform=azure-local"];
    let installed = helm(&cluster, &[&["install", "guard", CHART, "--wait"][..], &set].concat()).unwrap();
    let notes = installed.succeeded().unwrap();
    assert!(notes.contains("create job --from=cronjob/support-check"), "{notes}");

    // At its time, without the definitions of OpenReports.
    let log = log_of(&cluster, &kubelet, &scheduled(&cluster), "Succeeded");
    assert!(log.contains("note: there is no ClusterReport") && log.contains("verdict: outside ("), "{log}");
    assert!(log.ends_with("published: configmap/aksarc-result in aksarc-system\n"), "{log}");
    let suspend = json!({"spec": {"suspend": true}});
    cluster.http(&Identity::Admin).unwrap().patch(CRON_JOB, PatchKind::Merge, &suspend).unwrap().object().unwrap();

    // At once, with them.
    let definitions = open_reports::chart().unwrap();
    helm(&cluster, &["install", "openreports", definitions.to_str().unwrap()]).unwrap().succeeded().unwrap();
    let served = "/apis/openreports.io/v1alpha1/clusterreports";
    cluster.object_when(served, LIMIT, |list| list["items"].is_array()).unwrap();
    create_job(&cluster, "now", |_| {});
    let log = log_of(&cluster, &kubelet, "now", "Succeeded");
    assert!(log.contains("aksarc-system, and clusterreport.openreports.io/aksarc\n"), "{log}");
    let report = cluster.object_when(&format!("{served}/aksarc"), LIMIT, |_| true).unwrap();
    assert_eq!(report["metadata"]["annotations"]["aksarc.dev/verdict"], "outside", "{report}");
    let map = cluster.object_when(RESULT, LIMIT, |_| true).unwrap();
    let result = ReportV1::parse(map["data"]["result.json"].as_str().unwrap()).unwrap();
    assert_eq!(result.policy.platform, "azure-local");
    let of_our_own: Vec<_> = result.findings.iter().filter(|own| own.object.namespace == NAMESPACE).collect();
    assert!(of_our_own.is_empty(), "{of_our_own:?}");

    it_read_what_it_may_and_wrote_its_two_objects(&cluster);
    metrics_show(&cluster, &kubelet, &result);

    // Without a right a Job fails, and says which one.
    let binding = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/rolebindings/support-check");
    assert!(cluster.http(&Identity::Admin).unwrap().delete(&binding).unwrap().is_success());
    create_job(&cluster, "refused", |job| job["spec"]["backoffLimit"] = json!(0));
    let log = log_of(&cluster, &kubelet, "refused", "Failed");
    for words in ["cannot patch resource \\\"configmaps\\\"", "403 Forbidden", "Published was nothing"] {
        assert!(log.replace('"', "\\\"").contains(words), "{words} in {log}");
    }
    let failed = |job: &Value| job["status"]["conditions"].to_string().contains("\"Failed\"");
    cluster.object_when(&format!("{JOBS}/refused"), LIMIT, failed).unwrap();
}

/// The name of a Job that the controllers made at the time of the schedule.
fn scheduled(cluster: &ControlPlane) -> String {
    // As after a stop of the control plane: the controllers make up for what was missed, and nobody has to wait for a minute.
    let missed = (Timestamp::now() - SignedDuration::from_secs(150)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let status = json!({"status": {"lastScheduleTime": missed}});
    let admin = cluster.http(&Identity::Admin).unwrap();
    admin.patch(&format!("{CRON_JOB}/status"), PatchKind::Merge, &status).unwrap().object().unwrap();
    let jobs = cluster.object_when(JOBS, LIMIT, |jobs| !jobs["items"].as_array().unwrap().is_empty()).unwrap();
    let job = &jobs["items"][0]["metadata"];
    assert_eq!(job["ownerReferences"][0]["name"], "support-check", "{job}");
    assert!(job["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"].is_string(), "{job}");
    job["name"].as_str().unwrap().to_owned()
}

/// Makes a Job of the CronJob, as the documentation says, with a change.
fn create_job(cluster: &ControlPlane, name: &str, change: impl Fn(&mut Value)) {
    let words = ["-n", NAMESPACE, "create", "job", "--from=cronjob/support-check", name, "--dry-run=client", "-ojson"];
    let printed = cluster.kubectl(&Identity::Admin, words).unwrap();
    let mut job: Value = serde_json::from_str(printed.succeeded().unwrap()).unwrap();
    change(&mut job);
    let admin = cluster.http(&Identity::Admin).unwrap();
    admin.post(JOBS, &job).unwrap().object().unwrap();
}

/// The log of the pod of a Job, once that ended in this phase.
fn log_of(cluster: &ControlPlane, kubelet: &Kubelet, job: &str, phase: &str) -> String {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=job-name={job}");
    let ended = |pods: &Value| matches!(pods["items"][0]["status"]["phase"].as_str(), Some("Failed" | "Succeeded"));
    let pods = cluster.object_when(&path, LIMIT, ended).unwrap();
    let pod = &pods["items"][0];
    let log = kubelet.log(pod["metadata"]["name"].as_str().unwrap()).unwrap();
    assert_eq!(pod["status"]["phase"], phase, "{log}");
    log
}

/// Nothing that the rules want to read was refused, no Secret was read, and nothing else was written.
fn it_read_what_it_may_and_wrote_its_two_objects(cluster: &ControlPlane) {
    let account = format!("system:serviceaccount:{NAMESPACE}:support-check");
    let reports = |event: &aksarc_tests::AuditEvent| event.object_ref.resource == "clusterreports";
    cluster
        .audit_event("the ClusterReport", |event| {
            event.user.username == account && event.response_status.code < 300 && reports(event)
        })
        .unwrap();
    let events = cluster.audit_events().unwrap();
    let own: Vec<_> = events.iter().filter(|event| event.user.username == account).collect();
    let mut written = BTreeSet::new();
    for event in &own {
        assert_ne!(event.response_status.code, 403, "{event:?}");
        assert_ne!(event.object_ref.resource, "secrets", "{event:?}");
        if !matches!(&*event.verb, "get" | "list") {
            let of = &event.object_ref;
            written.insert(format!("{} {} {}/{}", event.verb, of.resource, of.namespace, of.name));
        }
    }
    let expected = ["patch clusterreports /aksarc", "patch configmaps aksarc-system/aksarc-result"];
    assert_eq!(written.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    assert!(own.len() > 50, "{}", own.len());
}

/// Every replica of the guard shows the result that was published last.
fn metrics_show(cluster: &ControlPlane, kubelet: &Kubelet, result: &ReportV1) {
    let taken: Timestamp = result.input.taken_at.as_ref().unwrap().parse().unwrap();
    let intruders = result.findings.iter().filter(|own| own.code == "AA303" && own.consequence.as_str() == "voids");
    let expected = [
        format!("aksarc_check_timestamp_seconds {}", taken.as_second()),
        "aksarc_check_verdict_info{verdict=\"outside\"} 1".to_owned(),
        "aksarc_check_verdict_info{verdict=\"within\"} 0".to_owned(),
        format!("aksarc_check_findings{{rule=\"AA303\",consequence=\"voids\"}} {}", intruders.count()),
        "aksarc_check_findings{rule=\"AA201\",consequence=\"voids\"} 0".to_owned(),
        format!("aksarc_check_rules{{outcome=\"unknown\"}} {}", result.coverage.unknown.len()),
    ];
    let replicas: Vec<_> = kubelet.running().into_iter().filter(|pod| pod.name.starts_with("guard-")).collect();
    assert_eq!(replicas.len(), 2, "{replicas:?}");
    for replica in replicas {
        wait::until("the result in the metrics", LIMIT, || {
            let text = guard::get((replica.address, 8080).into(), "/metrics").map_err(|error| format!("{error:#}"))?;
            let missing: Vec<_> = expected.iter().filter(|line| !text.lines().any(|own| own == **line)).collect();
            if missing.is_empty() { Ok(()) } else { Err(format!("{missing:?}")) }
        })
        .unwrap();
    }
    let name = format!("guard-result of {}", published::NAME);
    let reader = format!("system:serviceaccount:{NAMESPACE}:guard");
    let read = cluster.audit_event(&name, |event| event.user.username == reader && event.request_uri == RESULT);
    assert_eq!(read.unwrap().verb, "get");
}

const NAMESPACE: &str = aksarc_webhook::manifest::NAMESPACE;
const CRON_JOB: &str = "/apis/batch/v1/namespaces/aksarc-system/cronjobs/support-check";
const JOBS: &str = "/apis/batch/v1/namespaces/aksarc-system/jobs";
const RESULT: &str = "/api/v1/namespaces/aksarc-system/configmaps/aksarc-result";
const LIMIT: Duration = Duration::from_mins(1);
