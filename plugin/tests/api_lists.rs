//! Lists: pages, refusals, expiry, throttling, and misbehaving servers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

mod fake;

use std::time::Instant;

use fake::{Cluster, Program, Ran, Reply, Request, SOON, Server, plain, status};
use serde_json::{Value, json};

/// A cluster whose answers `handler` may replace.
fn server(cluster: Cluster, handler: impl Fn(&Request, usize) -> Option<Reply> + Send + Sync + 'static) -> Server {
    Server::start(move |request, number| handler(request, number).unwrap_or_else(|| cluster.answer(request)))
}

fn nodes(request: &Request) -> bool {
    request.path == "/api/v1/nodes"
}

/// Runs a command, and fails if it takes longer than any healthy run.
#[track_caller]
fn soon(run: impl FnOnce() -> Ran) -> Ran {
    let begun = Instant::now();
    let ran = run();
    assert!(begun.elapsed() < SOON, "took {:?}: {ran:?}", begun.elapsed());
    ran
}

#[track_caller]
fn assert_failed(ran: Ran, words: &[&str]) {
    let ran = ran.exits(1);
    assert_eq!(ran.stdout, "");
    for word in words.iter().chain(&["Nothing was checked"]) {
        assert!(ran.stderr.contains(word), "{word:?} is missing: {}", ran.stderr);
    }
    assert!(ran.stderr.starts_with("error: ") && ran.stderr.lines().count() == 1, "{}", ran.stderr);
}

#[test]
fn pages_are_read_to_the_end_whatever_their_size() {
    for size in ["1", "2", "3", "4", "500"] {
        let server = Server::of(Cluster::outside());
        let report = Program::at(&server.url()).check(&["-o", "json", "--chunk-size", size]).exits(3).json();
        assert_eq!(report["cluster"]["nodes"], 3, "--chunk-size {size}");
        assert_eq!(report["coverage"]["requests"].as_u64().unwrap(), server.requests().len() as u64);
        let pages = server.requests().iter().filter(|request| nodes(request)).count();
        assert_eq!(pages, 3_usize.div_ceil(size.parse().unwrap()), "--chunk-size {size}");
    }
}

#[test]
fn only_get_requests_are_sent_and_secrets_are_never_asked_for() {
    let server = Server::of(Cluster::healthy());
    Program::at(&server.url()).check(&[]).exits(0);
    for request in server.requests() {
        assert_eq!(request.method, "GET");
        assert!(!request.path.contains("secrets"), "{}", request.path);
        assert_eq!(request.headers["authorization"], "Bearer secret");
    }
}

#[test]
fn a_forbidden_list_is_unknown_by_name_and_never_a_pass() {
    let mut cluster = Cluster::healthy();
    cluster.forbidden = vec!["/api/v1/nodes".to_owned()];
    let server = Server::of(cluster);
    let program = Program::at(&server.url());
    let ran = program.check(&[]).exits(5);
    assert!(ran.stdout.contains("needs list nodes, which is forbidden"), "{}", ran.stdout);
    let report = program.check(&["-o", "json"]).exits(5).json();
    assert_eq!(report["verdict"], "inconclusive");
}

#[test]
fn a_forbidden_version_is_unknown_too() {
    let server = server(Cluster::healthy(), |request, _| {
        (request.path == "/version").then(|| Reply::Json(403, status(403, "Forbidden", "no")))
    });
    Program::at(&server.url()).check(&[]).exits(5);
}

#[test]
fn a_kind_that_is_not_part_of_kubernetes_may_be_absent() {
    // The healthy cluster answers 404 for Cluster API machines.
    let server = Server::of(Cluster::healthy());
    Program::at(&server.url()).check(&[]).exits(0);
}

#[test]
fn a_builtin_kind_that_is_absent_is_unknown() {
    let mut cluster = Cluster::healthy();
    cluster.absent.push("/api/v1/nodes".to_owned());
    let server = Server::of(cluster);
    let ran = Program::at(&server.url()).check(&[]).exits(5);
    assert!(ran.stdout.contains("does not serve nodes"), "{}", ran.stdout);
}

const CAPI: &str = "/apis/cluster.x-k8s.io";

/// A machine of AKS Arc that clusterctl paused, whatever version it is shown at.
fn paused_machine() -> Value {
    let wrote = |manager: &str, time: &str, fields: Value| {
        json!({"manager": manager, "operation": "Update", "apiVersion": "cluster.x-k8s.io/v1beta1", "time": time,
            "fieldsType": "FieldsV1", "fieldsV1": fields})
    };
    let managed = [
        wrote("manager", "2026-02-01T08:00:00Z", json!({"f:spec": {"f:infrastructureRef": {}}})),
        wrote(
            "clusterctl",
            "2026-05-18T09:14:00Z",
            json!({"f:metadata": {"f:annotations": {"f:cluster.x-k8s.io/paused": {}}}}),
        ),
    ];
    json!({"metadata": {"name": "edge-1", "namespace": "default", "creationTimestamp": "2026-02-01T08:00:00Z",
            "annotations": {"cluster.x-k8s.io/paused": "true"}, "managedFields": managed},
        "spec": {"infrastructureRef": {"kind": "AzureStackHCIMachine", "name": "edge-1"}}})
}

/// A management cluster that serves Cluster API's machines at some versions, and no other kind of its group.
fn managing(versions: &[&str]) -> Cluster {
    let mut cluster = Cluster::healthy();
    cluster.absent.clear();
    for version in versions {
        cluster.add(&format!("{CAPI}/{version}/machines"), "Machine", paused_machine());
    }
    cluster
}

/// The outcome and the reason of a rule, and the objects of its findings.
fn of_rule(ran: &Ran, code: &str) -> (String, String, Vec<String>) {
    let report = ran.json();
    let rule = report["rules"].as_array().unwrap().iter().find(|rule| rule["code"] == code).unwrap().clone();
    let findings = report["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == code);
    let object = |finding: &Value| {
        let (object, path) = (&finding["object"], &finding["path"]);
        format!(
            "{}/{} {}",
            object["apiVersion"].as_str().unwrap(),
            object["kind"].as_str().unwrap(),
            path.as_str().unwrap()
        )
    };
    let text = |field: &str| rule[field].as_str().unwrap().to_owned();
    (text("outcome"), text("reason"), findings.map(object).collect())
}

/// Runs live and from a snapshot of the same server, with the same result.
#[track_caller]
fn live_and_recorded(server: &Server, only: &str, code: i32) -> Ran {
    let program = Program::at(&server.url());
    let flags = ["-o", "json", "--only", only];
    let live = program.check(&flags).exits(code);
    for path in ["dir", "snap.json"] {
        program.run(&["snapshot", "-o", path, "--allow-incomplete"]).exits(0);
        let recorded = program.check(&[&flags[..], &["--snapshot", path]].concat()).exits(code);
        for field in ["rules", "findings"] {
            assert_eq!(recorded.json()[field], live.json()[field], "{path} {field}");
        }
    }
    live
}

#[test]
fn a_kind_is_read_at_the_version_that_is_served() {
    for (versions, asked) in
        [(&["v1beta1"][..], "v1beta1"), (&["v1beta2"], "v1beta2"), (&["v1alpha4", "v1beta1", "v1beta2"], "v1beta1")]
    {
        let server = Server::of(managing(versions));
        let ran = live_and_recorded(&server, "AA209", 3);
        // The finding is the same at every version, so that waivers still match.
        let (outcome, reason, findings) = of_rule(&ran, "AA209");
        assert_eq!((&*outcome, &*reason), ("violated", ""), "{versions:?}");
        let expected = "cluster.x-k8s.io/v1beta1/Machine metadata.annotations[cluster.x-k8s.io/paused]";
        assert_eq!(findings, [expected], "{versions:?}");
        let machines = |request: &&Request| request.path.ends_with("/machines");
        let wanted = format!("{CAPI}/{asked}/machines");
        assert!(server.requests().iter().filter(machines).all(|request| request.path == wanted), "{versions:?}");
    }
}

#[test]
fn a_snapshot_tells_at_which_version_a_list_was_read() {
    let server = Server::of(managing(&["v1beta2"]));
    let program = Program::at(&server.url());
    program.run(&["snapshot", "-o", "dir"]).exits(0);
    let index: Value = serde_json::from_str(&program.read("dir/index.json")).unwrap();
    let machines = index["lists"].as_array().unwrap().iter().find(|list| list["kind"] == "Machine").unwrap();
    assert_eq!((&machines["apiVersion"], &machines["state"]), (&json!("cluster.x-k8s.io/v1beta2"), &json!("complete")));
    let list: Value = serde_json::from_str(&program.read("dir/machines.json")).unwrap();
    assert_eq!(list["apiVersion"], "cluster.x-k8s.io/v1beta2");
}

#[test]
fn a_kind_that_is_served_at_unknown_versions_alone_is_unknown_and_named() {
    let server = Server::of(managing(&["v1beta3", "v1"]));
    let (outcome, reason, findings) = of_rule(&live_and_recorded(&server, "AA209", 5), "AA209");
    assert_eq!((&*outcome, findings), ("unknown", Vec::new()));
    let expected = "could not read machines.cluster.x-k8s.io: the server serves it as cluster.x-k8s.io/v1 and cluster.x-k8s.io/v1beta3, \
                    which this program does not know";
    assert_eq!(reason, expected);
}

#[test]
fn a_group_that_is_served_without_the_kind_holds_none_of_it() {
    // Kinds of another provider in the same group, also at a version that is none of ours.
    let mut cluster = Cluster::healthy();
    cluster.serve("/apis/infrastructure.cluster.x-k8s.io/v1alpha1/dockermachines", "DockerMachine");
    cluster.serve("/apis/infrastructure.cluster.x-k8s.io/v1beta1/dockermachines", "DockerMachine");
    let server = Server::of(cluster);
    assert_eq!(
        of_rule(&live_and_recorded(&server, "AA209", 0), "AA209"),
        ("pass".to_owned(), String::new(), Vec::new())
    );
    // An alpha API of Kubernetes holds the objects that were made by it, and none of the group's other versions.
    let mut cluster = Cluster::healthy();
    cluster.serve("/apis/certificates.k8s.io/v1beta1/clustertrustbundles", "ClusterTrustBundle");
    let server = Server::of(cluster);
    assert_eq!(of_rule(&live_and_recorded(&server, "AA702", 0), "AA702").0, "pass");
}

#[test]
fn a_server_that_does_not_tell_what_it_serves_is_asked_for_every_version() {
    let silent = |versions: &[&str]| {
        server(managing(versions), |request, _| {
            (request.path == "/apis").then(|| Reply::Json(403, status(403, "Forbidden", "no")))
        })
    };
    let known = silent(&["v1beta2"]);
    let (outcome, reason, findings) = of_rule(&live_and_recorded(&known, "AA209", 3), "AA209");
    assert_eq!((&*outcome, findings.len()), ("violated", 1), "{reason}");
    let none = silent(&[]);
    let (outcome, reason, _) = of_rule(&live_and_recorded(&none, "AA208", 0), "AA208");
    assert_eq!(outcome, "unknown");
    assert!(reason.contains("machines.cluster.x-k8s.io") && reason.contains("v1beta1 or v1beta2"), "{reason}");
}

#[test]
fn a_version_that_cannot_be_converted_is_left_for_another_one() {
    let broken = server(managing(&["v1beta1", "v1beta2"]), |request, _| {
        let fails = request.path.starts_with(&format!("{CAPI}/v1beta1/"));
        fails.then(|| Reply::Json(500, status(500, "InternalError", "conversion webhook failed")))
    });
    let ran = Program::at(&broken.url()).check(&["-o", "json", "--only", "AA209"]).exits(3);
    assert_eq!(of_rule(&ran, "AA209").2.len(), 1);
}

#[test]
fn a_list_that_breaks_off_counts_no_object_twice_and_is_no_whole_one() {
    let two = |versions: &[&str]| {
        let mut cluster = managing(versions);
        for version in versions {
            let mut other = paused_machine();
            other["metadata"]["name"] = json!("edge-2");
            cluster.add(&format!("{CAPI}/{version}/machines"), "Machine", other);
        }
        cluster
    };
    let breaks = |code: u16| {
        move |request: &Request, _| {
            let second = request.path == format!("{CAPI}/v1beta1/machines") && request.query.contains_key("continue");
            second.then(|| Reply::Json(code, status(code, "Broken", "gone")))
        }
    };
    let run =
        |server: &Server| Program::at(&server.url()).check(&["-o", "json", "--only", "AA209", "--chunk-size", "1"]);
    let (_, reason, findings) = of_rule(&run(&server(two(&["v1beta1", "v1beta2"]), breaks(500))).exits(3), "AA209");
    assert_eq!((&*reason, findings.len()), ("", 2));
    let (_, reason, findings) = of_rule(&run(&server(two(&["v1beta1"]), breaks(404))).exits(3), "AA209");
    assert_eq!(findings.len(), 1, "what was read counts");
    assert!(reason.contains("machines.cluster.x-k8s.io: the server ceased to serve it in the middle"), "{reason}");
}

#[test]
fn an_aggregated_api_server_that_is_down_does_not_end_a_check() {
    let path = "/apis/projectcalico.org/v3/ippools";
    let mut cluster = Cluster::outside();
    cluster.serve(path, "IPPool");
    let down = server(cluster, move |request, _| {
        (request.path == path).then(|| Reply::Json(503, status(503, "ServiceUnavailable", "no endpoints")))
    });
    let program = Program::at(&down.url());
    let flags = ["-o", "json", "--only", "AA201,AA506"];
    let live = soon(|| program.check(&flags)).exits(3);
    let ran = program.run(&["snapshot", "-o", "dir"]).exits(5);
    assert!(ran.stderr.contains("1 list not recorded: the server answered 503 no endpoints: IPPool"), "{}", ran.stderr);
    let recorded = program.check(&[&flags[..], &["--snapshot", "dir"]].concat()).exits(3);
    for ran in [live, recorded] {
        let (outcome, reason, _) = of_rule(&ran, "AA506");
        assert_eq!(outcome, "unknown");
        assert!(reason.contains("ippools.projectcalico.org") && reason.contains("503 no endpoints"), "{reason}");
        assert_eq!(of_rule(&ran, "AA201").0, "violated");
    }
}

#[test]
fn calicos_configuration_is_read_as_it_is_stored_and_as_it_is_shown() {
    let pool = |api_version: &str, manager: &str| {
        json!({"metadata": {"name": "default-ipv4-ippool", "creationTimestamp": "2026-03-02T08:00:00Z", "managedFields": [
            {"manager": manager, "operation": "Update", "apiVersion": api_version, "time": "2026-05-18T09:14:00Z",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:ipipMode": {}}}},
            {"manager": "calico-node", "operation": "Update", "apiVersion": api_version, "time": "2026-03-02T08:00:00Z",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:cidr": {}}}}]},
            "spec": {"cidr": "10.244.0.0/16", "ipipMode": "Never"}})
    };
    let (stored, shown) = ("/apis/crd.projectcalico.org/v1/ippools", "/apis/projectcalico.org/v3/ippools");
    let mut cluster = Cluster::healthy();
    cluster.add(stored, "IPPool", pool("crd.projectcalico.org/v1", "apiserver"));
    cluster.add(shown, "IPPool", pool("projectcalico.org/v3", "kubectl-edit"));
    let server = Server::of(cluster);
    let (outcome, _, findings) = of_rule(&live_and_recorded(&server, "AA506", 0), "AA506");
    assert_eq!((&*outcome, findings), ("violated", vec!["projectcalico.org/v3/IPPool spec.ipipMode".to_owned()]));
    let program = Program::at(&server.url());
    program.run(&["snapshot", "-o", "dir"]).exits(0);
    for file in ["dir/ippools.crd.projectcalico.org.json", "dir/ippools.projectcalico.org.json"] {
        assert!(program.read(file).contains("default-ipv4-ippool"), "{file}");
    }
}

#[test]
fn a_snapshot_of_a_version_that_knew_fewer_kinds_tells_what_was_not_served() {
    let program = Program::at(&Server::of(Cluster::healthy()).url());
    program.run(&["snapshot", "-o", "old"]).exits(0);
    let mut index: Value = serde_json::from_str(&program.read("old/index.json")).unwrap();
    let lists = index["lists"].as_array_mut().unwrap();
    lists.retain(|list| list["apiVersion"] != "projectcalico.org/v3");
    program.write("old/index.json", &index.to_string());
    let check = || program.check(&["-o", "json", "--only", "AA506", "--snapshot", "old"]).exits(0);
    assert_eq!(of_rule(&check(), "AA506").0, "pass");
    let groups =
        json!({"kind": "APIGroupList", "groups": [{"name": "projectcalico.org", "versions": [{"version": "v3"}]}]});
    program.write("old/apis.json", &groups.to_string());
    let (outcome, reason, _) = of_rule(&check(), "AA506");
    assert_eq!(outcome, "unknown");
    assert!(reason.contains("the snapshot does not hold bgpconfigurations.projectcalico.org"), "{reason}");
}

#[test]
fn an_empty_cluster_is_judged() {
    let mut cluster = Cluster::healthy();
    cluster.lists.clear();
    let server = Server::of(cluster);
    let report = Program::at(&server.url()).check(&["-o", "json"]).json();
    assert_eq!(report["cluster"]["nodes"], 0);
}

#[test]
fn refused_credentials_end_the_run() {
    let server = Server::start(|_, _| Reply::Json(401, status(401, "Unauthorized", "Unauthorized")));
    assert_failed(Program::at(&server.url()).check(&[]), &["does not accept the credentials", "401", "log in again"]);
}

#[test]
fn an_expired_token_with_a_new_one_goes_on_and_counts_each_object_once() {
    let server = server(Cluster::outside(), |request, number| {
        (nodes(request) && number == 1).then(|| {
            let mut gone = status(410, "Expired", "too old");
            gone["metadata"]["continue"] = json!("1");
            Reply::Json(410, gone)
        })
    });
    let report = Program::at(&server.url()).check(&["-o", "json", "--chunk-size", "1"]).exits(3).json();
    assert_eq!(report["cluster"]["nodes"], 3);
}

#[test]
fn an_expired_token_without_a_new_one_starts_the_list_over() {
    let server = server(Cluster::outside(), |request, number| {
        (nodes(request) && number == 2).then(|| Reply::Json(410, status(410, "Expired", "too old")))
    });
    let report = Program::at(&server.url()).check(&["-o", "json", "--chunk-size", "1"]).exits(3).json();
    assert_eq!(report["cluster"]["nodes"], 3, "objects read before the restart are not counted twice");
    assert_eq!(report["summary"]["voids"], 1);
}

#[test]
fn a_list_that_expires_every_time_ends_the_run() {
    let server = server(Cluster::outside(), |request, _| {
        (nodes(request) && request.query.contains_key("continue"))
            .then(|| Reply::Json(410, status(410, "Expired", "too old")))
    });
    let program = Program::at(&server.url());
    assert_failed(soon(|| program.check(&["--chunk-size", "1"])), &["list nodes", "expired"]);
}

#[test]
fn throttling_is_waited_out() {
    let server = server(Cluster::outside(), |request, number| {
        (nodes(request) && number < 2)
            .then(|| Reply::With(429, "Retry-After: 1\r\n", status(429, "TooManyRequests", "slow down")))
    });
    let begun = Instant::now();
    Program::at(&server.url()).check(&[]).exits(3);
    assert!(begun.elapsed().as_secs() >= 2);
}

#[test]
fn waiting_never_goes_beyond_the_deadline() {
    let server = server(Cluster::outside(), |request, _| {
        nodes(request).then(|| Reply::With(503, "Retry-After: 3600\r\n", status(503, "ServiceUnavailable", "later")))
    });
    let program = Program::at(&server.url());
    assert_failed(soon(|| program.check(&["--timeout", "5s"])), &["list nodes", "503", "later"]);
}

#[test]
fn a_server_that_never_answers_is_given_up_on() {
    let server = server(Cluster::healthy(), |request, _| nodes(request).then(|| Reply::Hang(Vec::new())));
    let program = Program::at(&server.url());
    assert_failed(
        soon(|| program.check(&["--request-timeout", "1s"])),
        &["list nodes", "within 1s", "--request-timeout"],
    );
    assert_failed(soon(|| program.check(&["--timeout", "1s"])), &["within 1s", "--timeout"]);
}

#[test]
fn a_body_that_stops_in_the_middle_is_given_up_on() {
    let server = server(Cluster::healthy(), |request, _| {
        nodes(request).then(|| {
            Reply::Hang(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{\"kind\":\"NodeList\",\"items\":[".to_vec())
        })
    });
    let program = Program::at(&server.url());
    assert_failed(soon(|| program.check(&["--request-timeout", "1s"])), &["list nodes", "--request-timeout"]);
}

#[test]
fn a_body_that_is_cut_is_asked_for_once_more() {
    let cut =
        || Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{\"kind\":\"NodeList\",\"items\":[".to_vec());
    let once = server(Cluster::outside(), move |request, number| (nodes(request) && number == 0).then(cut));
    Program::at(&once.url()).check(&[]).exits(3);
    let always = server(Cluster::outside(), move |request, _| nodes(request).then(cut));
    assert_failed(Program::at(&always.url()).check(&[]), &["list nodes", "broke off"]);
}

#[test]
fn json_that_ends_early_is_no_list() {
    let server = server(Cluster::healthy(), |request, _| {
        nodes(request).then(|| {
            Reply::Raw(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"kind\":\"NodeList\",\"items\":[{".to_vec())
        })
    });
    assert_failed(Program::at(&server.url()).check(&[]), &["list nodes", "ends early"]);
}

#[test]
fn a_server_of_another_kind_is_recognised_by_its_answer() {
    let html = || Reply::Raw(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>log in\x1b[31m</html>".to_vec());
    let portal = Server::start(move |_, _| html());
    assert_failed(Program::at(&portal.url()).check(&[]), &["not from a Kubernetes API server", "<html>log in"]);
    let halfway = server(Cluster::healthy(), move |request, _| nodes(request).then(html));
    assert_failed(Program::at(&halfway.url()).check(&[]), &["list nodes", "not from a Kubernetes API server"]);
    let other = server(Cluster::healthy(), |request, _| {
        nodes(request)
            .then(|| Reply::Json(200, json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": []})))
    });
    assert_failed(Program::at(&other.url()).check(&[]), &["a PodList instead of a NodeList"]);
    let none = Server::start(|_, _| Reply::Json(404, json!({})));
    assert_failed(Program::at(&none.url()).check(&[]), &["does not serve /version"]);
}

#[test]
fn redirects_are_not_followed() {
    let elsewhere = Server::of(Cluster::healthy());
    let to: &'static str = format!("Location: {}/version\r\n", elsewhere.url()).leak();
    let server = Server::start(move |_, _| Reply::With(302, to, json!({})));
    assert_failed(Program::at(&server.url()).check(&[]), &["redirects to"]);
    assert!(elsewhere.requests().is_empty(), "credentials went elsewhere");
}

#[test]
fn a_connection_that_is_refused_says_where_and_what_to_do() {
    let program = Program::at("http://127.0.0.1:1");
    assert_failed(soon(|| program.check(&[])), &["http://127.0.0.1:1", "refused", "is the API server running"]);
}

#[test]
fn a_host_that_does_not_exist_says_so() {
    let program = Program::at("http://no-such-host.invalid:6443");
    assert_failed(soon(|| program.check(&["--timeout", "10s"])), &["no-such-host.invalid", "DNS"]);
}

#[test]
fn tls_with_a_server_that_speaks_none_says_so() {
    let server = Server::of(Cluster::healthy());
    let program = Program::at(&format!("https://{}", server.address));
    assert_failed(soon(|| program.check(&[])), &["--certificate-authority"]);
}

#[test]
fn compressed_pages_are_read() {
    use std::io::Write;
    let cluster = Cluster::outside();
    let server = Server::start(move |request, _| {
        let wanted = request.headers.get("accept-encoding").is_some_and(|value| value.contains("gzip"));
        if !nodes(request) || !wanted {
            return cluster.answer(request);
        }
        let Reply::Json(_, body) = cluster.answer(request) else { panic!("a list") };
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(body.to_string().as_bytes()).unwrap();
        let body = gzip.finish().unwrap();
        let mut bytes = format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        )
        .into_bytes();
        bytes.extend(body);
        Reply::Raw(bytes)
    });
    // On loopback the client asks for no compression, so the server has to be called by this name.
    let program = Program::at(&format!("http://0.0.0.0:{}", server.address.port()));
    assert_eq!(program.check(&["-o", "json"]).exits(3).json()["cluster"]["nodes"], 3);
    assert!(
        server
            .requests()
            .iter()
            .any(|request| request.headers.get("accept-encoding").is_some_and(|value| value.contains("gzip")))
    );
    program.check(&["--disable-compression", "-o", "name", "--only", "AA101"]).exits(0);
    assert!(!server.requests().last().unwrap().headers.contains_key("accept-encoding"));
}

#[test]
fn a_server_error_is_tried_again_and_then_told() {
    let once = server(Cluster::outside(), |request, number| {
        (nodes(request) && number == 0)
            .then(|| Reply::Raw(plain(500, "", &status(500, "InternalError", "etcd is away"))))
    });
    Program::at(&once.url()).check(&[]).exits(3);
    let always = server(Cluster::outside(), |request, _| {
        nodes(request).then(|| Reply::Json(500, status(500, "InternalError", "etcd is away")))
    });
    assert_failed(soon(|| Program::at(&always.url()).check(&["--timeout", "3s"])), &["500", "etcd is away"]);
}
