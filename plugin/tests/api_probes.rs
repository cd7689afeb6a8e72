//! Requests besides lists: metrics, readiness, served groups, the server's certificate; live and from snapshots.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

mod fake;

use std::fmt::Write as _;

use fake::{Cluster, METRICS, Program, Reply, Server, status};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde_json::{Value, json};

/// The outcome and reason of a rule.
fn rule(report: &Value, code: &str) -> (String, String) {
    let rules = report["rules"].as_array().unwrap();
    let rule = rules.iter().find(|rule| rule["code"] == code).unwrap();
    (rule["outcome"].as_str().unwrap().to_owned(), rule["reason"].as_str().unwrap().to_owned())
}

#[track_caller]
fn assert_unknown(report: &Value, code: &str, word: &str) {
    let (outcome, reason) = rule(report, code);
    assert_eq!(outcome, "unknown", "{code} {reason}");
    assert!(reason.contains(word), "{code}: {word:?} is missing: {reason}");
}

fn with(path: &str, code: u16, text: &str) -> Cluster {
    let mut cluster = Cluster::healthy();
    cluster.texts.insert(path.to_owned(), (code, text.to_owned()));
    cluster
}

/// An answer of the wrong kind.
type Misbehave = fn() -> Reply;

const JSON: [&str; 4] = ["-o", "json", "--only", "AA606,AA607,AA701,AA702,AA906"];

#[test]
fn every_probe_is_asked_once_and_by_get() {
    let server = Server::of(Cluster::healthy());
    let report = Program::at(&server.url()).check(&JSON).exits(0).json();
    for code in ["AA607", "AA701", "AA702", "AA906"] {
        assert_eq!(rule(&report, code).0, "pass", "{code}");
    }
    assert_unknown(&report, "AA606", "not https");
    for path in ["/apis", "/metrics", "/readyz"] {
        let asked: Vec<_> = server.requests().into_iter().filter(|request| request.path == path).collect();
        assert_eq!(asked.len(), 1, "{path}");
        assert_eq!(asked[0].method, "GET");
    }
    assert_eq!(report["coverage"]["requests"].as_u64().unwrap(), server.requests().len() as u64);
}

#[test]
fn probes_that_no_rule_reads_are_not_sent() {
    let server = Server::of(Cluster::healthy());
    Program::at(&server.url()).check(&["--only", "AA101"]).exits(0);
    assert!(!server.requests().iter().any(|request| ["/apis", "/metrics", "/readyz"].contains(&&*request.path)));
}

#[test]
fn a_server_that_is_not_ready_has_answered() {
    let text = "[+]ping ok\n[-]kms-provider-0 failed: reason withheld\nreadyz check failed\n";
    let server = Server::of(with("/readyz", 500, text));
    let report = Program::at(&server.url()).check(&JSON).exits(0).json();
    assert_eq!(rule(&report, "AA607").0, "violated");
    assert_eq!(report["findings"][0]["path"], "readyz[kms-provider-0]");
}

#[test]
fn the_result_of_a_probe_never_fails_the_check() {
    let mut cluster = Cluster::healthy();
    cluster.forbidden.push("/metrics".to_owned());
    cluster.texts.remove("/metrics");
    let report = Program::at(&Server::of(cluster).url()).check(&JSON).exits(0).json();
    assert_unknown(&report, "AA701", "needs get /metrics, which is forbidden");
    assert_unknown(&report, "AA906", "needs get /metrics, which is forbidden");
    let answers: [(Misbehave, &str); 4] = [
        (|| Reply::Json(500, status(500, "InternalError", "out of order")), "500 out of order"),
        (|| Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\nkubernetes".to_vec()), "broke off"),
        (|| Reply::Raw(b"nonsense".to_vec()), "could not read /metrics"),
        (|| Reply::Hang(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\nkubernetes".to_vec()), "no complete answer"),
    ];
    for (answer, word) in answers {
        let healthy = Cluster::healthy();
        let server = Server::start(
            move |request, _| {
                if request.path == "/metrics" { answer() } else { healthy.answer(request) }
            },
        );
        let program = Program::at(&server.url());
        let report = program.check(&[&JSON[..], &["--request-timeout", "2s"]].concat()).exits(0).json();
        assert_unknown(&report, "AA701", word);
        assert_eq!(rule(&report, "AA607").0, "pass");
    }
}

#[test]
fn metrics_of_fifty_megabytes_take_little_memory() {
    let peak = |cluster: Cluster| {
        let server = Server::of(cluster);
        let program = Program::at(&server.url());
        let report = program.check(&[&JSON[..], &["--stats=stats.json"]].concat()).exits(0).json();
        assert_eq!(rule(&report, "AA701").0, "pass");
        let stats: Value = serde_json::from_str(&program.read("stats.json")).unwrap();
        stats["peakMemoryBytes"].as_u64().unwrap()
    };
    let small = peak(Cluster::healthy());
    let mut text = METRICS.to_owned();
    while text.len() < 50 << 20 {
        writeln!(text, "apiserver_request_duration_seconds_bucket{{verb=\"LIST\",le=\"{}\"}} 7", text.len()).unwrap();
    }
    let large = peak(with("/metrics", 200, &text));
    assert!(large < small + (8 << 20), "{large} instead of {small} bytes");
}

#[test]
fn a_snapshot_holds_the_answers_in_every_form() {
    let mut cluster = with("/readyz", 500, "[+]ping ok\n[-]kms-provider-0 failed: reason withheld\n");
    cluster.texts.insert("/metrics".to_owned(), (200, METRICS.replace("} 0", "} 1")));
    let server = Server::of(cluster);
    let program = Program::at(&server.url());
    let live = program.check(&JSON).exits(0).json();
    for path in ["dir", "snap.tar.gz", "snap.json"] {
        program.run(&["snapshot", "-o", path]).exits(0);
        let offline = program.check(&[&JSON[..], &["--snapshot", path]].concat()).exits(0).json();
        assert_eq!(offline["rules"], live["rules"], "{path}");
        assert_eq!(offline["findings"], live["findings"], "{path}");
    }
    assert_eq!(rule(&live, "AA701").0, "violated");
    assert_eq!(rule(&live, "AA607").0, "violated");
    let index: Value = serde_json::from_str(&program.read("dir/index.json")).unwrap();
    let probes: Vec<_> =
        index["probes"].as_array().unwrap().iter().map(|p| (p["probe"].as_str(), p["state"].as_str())).collect();
    let state = |word, state| (Some(word), Some(state));
    assert_eq!(
        probes,
        [
            state("apis", "complete"),
            state("certificate", "failed"),
            state("metrics", "complete"),
            state("readyz", "complete")
        ]
    );
    assert!(!program.read("dir/metrics.txt").contains("rest_client"), "only what rules read is kept");
}

/// An authority whose certificate ends on a day of June 2026.
fn authority(day: u8) -> String {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = rcgen::date_time_ymd(2016, 6, 10);
    params.not_after = rcgen::date_time_ymd(2026, 6, day);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

#[test]
fn published_authorities_are_judged_the_same_in_a_cluster_and_in_every_form_of_its_snapshot() {
    const MAPS: &str = "/api/v1/namespaces/kube-system/configmaps";
    let clients = format!("{}# the next one\n{}", authority(5), authority(13));
    let torn = authority(20).replace("-----END", "!!\n-----END");
    let data = [
        (
            "extension-apiserver-authentication",
            json!({"client-ca-file": clients, "requestheader-client-ca-file": torn}),
        ),
        ("kube-root-ca.crt", json!({"ca.crt": "soon"})),
        ("coredns", json!({"ca.crt": "hunter2"})),
    ];
    let mut cluster = Cluster::healthy();
    for (name, data) in data {
        let map = json!({"metadata": {"name": name, "namespace": "kube-system"}, "data": data});
        cluster.add(MAPS, "ConfigMap", map);
    }
    let server = Server::of(cluster);
    let program = Program::at(&server.url());
    let live = program.check(&JSON).exits(0).json();
    assert_eq!(live["findings"].as_array().unwrap().len(), 1, "{}", live["findings"]);
    let finding = &live["findings"][0];
    assert_eq!((&finding["path"], &finding["after"]), (&json!("data.client-ca-file"), &json!("2026-06-13T00:00:00Z")));
    assert_eq!(finding["object"]["name"], "extension-apiserver-authentication");
    assert_eq!(finding["evidence"][0]["detail"], "the last to end of 2 certificates");
    // A text that is no certificate, and a torn one.
    let reason = rule(&live, "AA606").1;
    assert!(reason.ends_with("kube-root-ca.crt: it holds no certificate; and 1 more"), "{reason}");
    let dues: Vec<_> = live["clocks"].as_array().unwrap().iter().map(|clock| (&clock["due"], &clock["what"])).collect();
    assert_eq!(dues, [(&json!("2026-06-13"), &json!("the authority of client certificates ends"))]);
    for path in ["dir", "snap.tar.gz", "snap.json"] {
        program.run(&["snapshot", "-o", path]).exits(0);
        let offline = program.check(&[&JSON[..], &["--snapshot", path]].concat()).exits(0).json();
        for field in ["rules", "findings", "clocks"] {
            assert_eq!(offline[field], live[field], "{path} {field}");
        }
    }
    assert_eq!(server.requests().iter().filter(|request| request.path == MAPS).count(), 4, "one list for each run");

    let recorded = "dir/kube-system/configmaps.json";
    let text = program.read(recorded);
    assert!(!text.contains("hunter2") && !text.contains("the next one"), "{text}");
    // A snapshot of a version that recorded no certificates.
    let mut list: Value = serde_json::from_str(&text).unwrap();
    for map in list["items"].as_array_mut().unwrap() {
        map.as_object_mut().unwrap().remove("data");
    }
    program.write(recorded, &list.to_string());
    program.write("dir/certificate.txt", "2027-01-01T00:00:00Z\n");
    let old = program.check(&[&JSON[..], &["--snapshot", "dir"]].concat()).exits(0).json();
    assert_eq!(old["findings"], json!([]));
    assert_unknown(&old, "AA606", "extension-apiserver-authentication: its certificates are not recorded");
}

#[test]
fn a_snapshot_made_by_hand_may_hold_answers_and_an_old_one_holds_none() {
    let program = Program::at(&Server::of(Cluster::healthy()).url());
    program.run(&["snapshot", "-o", "old"]).exits(0);
    let mut index: Value = serde_json::from_str(&program.read("old/index.json")).unwrap();
    index.as_object_mut().unwrap().remove("probes");
    program.write("old/index.json", &index.to_string());
    for file in ["apis.json", "metrics.txt", "readyz.txt"] {
        std::fs::remove_file(program.path("old").join(file)).unwrap();
    }
    let check = |path: &str| program.check(&[&JSON[..], &["--snapshot", path]].concat());
    assert_unknown(&check("old").exits(0).json(), "AA701", "the snapshot does not hold /metrics");
    program.write("old/metrics.txt", METRICS);
    program.write("old/certificate.txt", "2027-01-01T00:00:00Z\n");
    let report = check("old").exits(0).json();
    assert_eq!((rule(&report, "AA701").0, rule(&report, "AA606").0), ("pass".to_owned(), "pass".to_owned()));
    assert_unknown(&report, "AA607", "the snapshot does not hold /readyz");

    program.write("hand/version.json", &json!({"serverVersion": {"gitVersion": "v1.33.5"}}).to_string());
    program.write("hand/metrics.txt", METRICS);
    assert_eq!(rule(&check("hand").exits(0).json(), "AA906").0, "pass");
    program.write("hand/more/metrics.txt", METRICS);
    let ran = check("hand").exits(2);
    assert!(ran.stderr.contains("metrics.txt twice"), "{}", ran.stderr);
}

#[test]
fn an_answer_that_is_gone_is_damage_and_one_of_a_newer_version_is_none() {
    let program = Program::at(&Server::of(Cluster::healthy()).url());
    program.run(&["snapshot", "-o", "snap"]).exits(0);
    let mut index: Value = serde_json::from_str(&program.read("snap/index.json")).unwrap();
    index["probes"].as_array_mut().unwrap().push(json!({"probe": "horoscope", "state": "complete", "file": "h.txt"}));
    program.write("snap/index.json", &index.to_string());
    let check = || program.check(&[&JSON[..], &["--snapshot", "snap"]].concat());
    check().exits(0);
    std::fs::remove_file(program.path("snap/readyz.txt")).unwrap();
    let ran = check().exits(2);
    assert!(ran.stderr.contains("damaged") && ran.stderr.contains("readyz.txt"), "{}", ran.stderr);
}

#[test]
fn a_release_of_the_host_is_a_word_of_its_maker() {
    let program = Program::at(&Server::of(Cluster::healthy()).url());
    for good in ["2602", "2503.0.13"] {
        program.check(&["--platform-release", good]).exits(0);
    }
    // The error on a release of another platform says so.
    for other in ["2019", "22H2", "22h2"] {
        let ran = program.check(&["--platform-release", other]).exits(2);
        assert!(ran.stderr.contains("and --platform is azure-local"), "{}", ran.stderr);
    }
    for bad in ["", "latest", "22 H2", "2602; rm", "123456789012345678901"] {
        let ran = program.check(&["--platform-release", bad]).exits(2);
        assert!(ran.stderr.contains("--platform-release"), "{}", ran.stderr);
    }
}
