//! The sender, which all commands share: a server that is busy, sends too much, or stops in the middle.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

mod fake;

use std::time::{Duration, Instant};

use fake::{Cluster, Program, Ran, Reply, Request, SOON, Server, plain, status};
use kubectl_aksarc::api::{ApiRequest, Connection, RequestFault, SendLimits, Sender};
use kubectl_aksarc::screen::progress::Progress;
use serde_json::json;

/// A command, and a request that it cannot do without.
struct Case {
    arguments: &'static [&'static str],
    path: &'static str,
}

const CASES: [Case; 5] = [
    Case { arguments: &["support-check", "--platform", "azure-local", "--only", "AA201"], path: "/api/v1/nodes" },
    Case { arguments: &["snapshot", "-o", "snapshot"], path: "/api/v1/nodes" },
    Case { arguments: &["waivers", "list", "--waivers", "cluster"], path: WAIVERS },
    Case { arguments: &["doctor"], path: "/version" },
    Case { arguments: &["dry-run", "label", "configmap", "settings", "a=b"], path: "/api" },
];

/// A cluster with the objects that the commands above need, except where `disturb` replies.
fn server(disturb: impl Fn(&Request, usize) -> Option<Reply> + Send + Sync + 'static) -> Server {
    let mut cluster = Cluster::healthy();
    cluster.serve(WAIVERS, "SupportWaiver");
    Server::start(move |request, number| {
        disturb(request, number).unwrap_or_else(|| match (&*request.method, &*request.path) {
            ("GET", "/api") => Reply::Json(200, discovery(true)),
            ("GET", "/apis") if request.headers["accept"].contains("APIGroupDiscoveryList") => {
                Reply::Json(200, discovery(false))
            }
            ("GET", API_SERVICES) => Reply::Json(200, json!({"items": [{"spec": {"version": "v1"}}]})),
            ("POST", path) if path.ends_with("/selfsubjectaccessreviews") => {
                Reply::Json(201, json!({"status": {"allowed": true}}))
            }
            ("POST", _) => Reply::Json(201, json!({"status": {"userInfo": {"username": "alice"}}})),
            (_, SETTINGS) => {
                Reply::Json(200, json!({"metadata": {"name": "settings", "uid": "u", "resourceVersion": "7"}}))
            }
            _ => cluster.answer(request),
        })
    })
}

fn discovery(core: bool) -> serde_json::Value {
    let resources = json!([{"resource": "configmaps", "singularResource": "configmap", "scope": "Namespaced",
        "responseKind": {"kind": "ConfigMap"}}]);
    let items = if core { json!([{"versions": [{"version": "v1", "resources": resources}]}]) } else { json!([]) };
    json!({"kind": "APIGroupDiscoveryList", "items": items})
}

/// Runs a command, which has to end soon, and returns the time that it took.
#[track_caller]
fn run(server: &Server, arguments: &[&str], more: &[&str]) -> (Ran, Duration) {
    let program = Program::at(&server.url());
    let begun = Instant::now();
    let ran = program.run(&[arguments, more].concat());
    assert!(begun.elapsed() < SOON, "{arguments:?} took {:?}", begun.elapsed());
    (ran, begun.elapsed())
}

/// A reply that begins and does not end while anybody listens.
fn begun(length: usize) -> Reply {
    Reply::Hang(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{{\"kind\":").into_bytes())
}

#[test]
fn every_command_waits_for_a_server_that_is_busy() {
    for (code, headers, wait) in [(429, "Retry-After: 1\r\n", 1000), (503, "Retry-After: 1\r\n", 1000), (503, "", 500)]
    {
        for Case { arguments, path } in CASES {
            let server = server(move |request, number| {
                (request.path == path && number == 0).then(|| Reply::With(code, headers, status(code, "Busy", "later")))
            });
            let (ran, took) = run(&server, arguments, &[]);
            ran.exits(0);
            assert!(took >= Duration::from_millis(wait), "{arguments:?} took {took:?} with {code} {headers:?}");
        }
    }
}

#[test]
fn no_command_takes_in_a_reply_without_bounds() {
    for Case { arguments, path } in CASES {
        let server = server(move |request, _| (request.path == path).then(|| begun(300 << 20)));
        let (ran, _) = run(&server, arguments, &[]);
        let ran = ran.exits(1);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains("an answer of more than 256 MiB"), "{arguments:?}: {said}");
    }
}

#[test]
fn no_command_waits_for_the_rest_of_a_reply_beyond_its_limit() {
    for Case { arguments, path } in CASES {
        let server = server(move |request, _| (request.path == path).then(|| begun(999)));
        let (ran, _) = run(&server, arguments, &["--request-timeout", "1s"]);
        let ran = ran.exits(1);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains("no complete answer within 1s"), "{arguments:?}: {said}");
        assert!(said.contains("allow more time with --request-timeout"), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn a_reply_that_announces_no_size_is_bounded_too() {
    let server = Server::start(|_, _| {
        Reply::Raw([&b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"[..], &vec![b' '; 2 << 20]].concat())
    });
    let config = kube::Config::new(server.url().parse().unwrap());
    let connection = Connection::open(config, String::new(), String::new()).unwrap();
    let sender = |reply: usize| {
        let limits = SendLimits { reply, ..SendLimits::per_request(SOON) };
        Sender::new(connection.clone(), limits, Progress::silent())
    };
    let request = ApiRequest::get("/version");
    assert_eq!(sender(2 << 20).send(&request).await.unwrap().body.len(), 2 << 20);
    let error = sender(1 << 20).send(&request).await.unwrap_err();
    assert_eq!(error.fault(), &RequestFault::Garbage("an answer of more than 1 MiB".to_owned()));
}

const LABEL: [&str; 6] = ["dry-run", "label", "configmap", "settings", "a=b", "--output=json"];

#[test]
fn a_rehearsal_that_a_busy_server_puts_off_is_sent_again() {
    for code in [429, 503] {
        let server = server(move |request, number| {
            // The object is read first.
            (request.method == "PATCH" && number == 1)
                .then(|| Reply::With(code, "Retry-After: 1\r\n", status(code, "Busy", "later")))
        });
        let (ran, took) = run(&server, &LABEL, &[]);
        let report = ran.exits(0).json();
        assert_eq!((&report["requests"], &report["changes"][0]["refusal"]), (&json!(1), &json!(null)));
        assert!(took >= Duration::from_secs(1), "{took:?}");
        let sent: Vec<Request> = server.requests().into_iter().filter(|request| request.method == "PATCH").collect();
        assert_eq!(sent.len(), 2);
        for request in sent {
            assert_eq!(request.query["dryRun"], "All");
        }
    }
}

#[test]
fn a_rehearsal_is_sent_once_where_nobody_knows_how_far_it_got() {
    for reply in [
        || plain(503, "", &status(503, "ServiceUnavailable", "a proxy lost it")),
        || plain(500, "Retry-After: 1\r\n", &status(500, "InternalError", "a proxy lost it")),
        // A time beyond any wait.
        || plain(429, "Retry-After: 3600\r\n", &status(429, "TooManyRequests", "a proxy lost it")),
        || b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{\"kind\":".to_vec(),
    ] {
        let server = server(move |request, _| (request.method == "PATCH").then(|| Reply::Raw(reply())));
        let (ran, _) = run(&server, &LABEL, &["--request-timeout", "5s"]);
        let report = ran.exits(1).json();
        assert_eq!(report["changes"][0]["refusal"]["by"], "no-answer", "{report}");
        let sent = server.requests().iter().filter(|request| request.method == "PATCH").count();
        assert_eq!(sent, 1, "{report}");
    }
}

#[test]
fn a_rehearsal_is_bounded_in_size_and_time() {
    for (length, words) in [(300 << 20, "an answer of more than 256 MiB"), (999, "no complete answer within 1s")] {
        let server = server(move |request, _| (request.method == "PATCH").then(|| begun(length)));
        let (ran, _) = run(&server, &LABEL, &["--request-timeout", "1s"]);
        let report = ran.exits(1).json();
        let message = report["changes"][0]["refusal"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("cannot rehearse PATCH /api/v1/namespaces/default/configmaps/settings at http://"));
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_dry_run_says_what_it_could_not_ask_and_what_to_do() {
    let refused = server(|request, _| {
        (request.path == "/api").then(|| Reply::Json(401, status(401, "Unauthorized", "Unauthorized")))
    });
    let (ran, _) = run(&refused, &LABEL, &[]);
    let expected = format!(
        "error: cannot read which kinds the server serves at {}: the server does not accept the credentials (401 \
         Unauthorized); log in again, or choose others with --context, --user or --token. Nothing was rehearsed\n",
        refused.url()
    );
    assert_eq!(ran.exits(1).stderr, expected);
}

const API_SERVICES: &str = "/apis/apiregistration.k8s.io/v1/apiservices";

const SETTINGS: &str = "/api/v1/namespaces/default/configmaps/settings";

const WAIVERS: &str = "/apis/aksarc.dev/v1alpha1/supportwaivers";
