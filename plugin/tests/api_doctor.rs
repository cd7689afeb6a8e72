//! `doctor`: rights, the server and its clock, other webhooks, the guard.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

mod fake;

use fake::{Cluster, Program, Ran, Reply, Request, Server, status};
use serde_json::{Value, json};

/// A cluster that lets the caller do what `may` says of a review's attributes, and whose clock shows `date`.
fn server(cluster: Cluster, date: &'static str, may: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Server {
    Server::start(move |request: &Request, _| {
        if request.path == "/version" {
            return Reply::With(200, date, json!({"gitVersion": "v1.33.5"}));
        }
        if request.method == "POST" {
            assert_eq!(request.path, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
            let review: Value = serde_json::from_str(&request.body).unwrap();
            return Reply::Json(
                201,
                json!({"kind": "SelfSubjectAccessReview", "status": {"allowed": may(&review["spec"])}}),
            );
        }
        cluster.answer(request)
    })
}

fn doctor(server: &Server) -> Ran {
    Program::at(&server.url()).run(&["doctor", "-o", "json"])
}

#[track_caller]
fn check(report: &Value, name: &str) -> (String, String, String) {
    let check = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&check["state"]), text(&check["summary"]), check["details"].to_string())
}

fn now() -> &'static str {
    // Tests run within a moment of this; the header counts whole seconds.
    let now = jiff::Timestamp::now();
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap();
    Box::leak(format!("Date: {date}\r\n").into_boxed_str())
}

const HOOKS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";

#[test]
fn all_is_well_where_all_is_well() {
    let server = server(Cluster::healthy(), now(), |_| true);
    let report = doctor(&server).exits(0).json();
    for name in ["server", "clock", "rights", "dry-run", "webhooks", "guard", "program"] {
        assert_eq!(check(&report, name).0, "ok", "{name}: {report}");
    }
    assert!(check(&report, "guard").1.contains("not installed"));
    assert_eq!(report["exitCode"], 0);
    for request in server.requests() {
        assert!(request.method == "GET" || request.path.ends_with("/selfsubjectaccessreviews"), "{request:?}");
        assert!(!request.path.contains("secrets") && !request.body.contains("\"secrets\""), "{request:?}");
    }
    let ran = Program::at(&server.url()).run(&["doctor"]).exits(0);
    assert!(ran.stdout.contains("enough for all") && ran.stdout.ends_with("support-check\n"), "{}", ran.stdout);
}

#[test]
fn missing_rights_are_named_with_the_rules_that_need_them() {
    let may = |spec: &Value| {
        spec["resourceAttributes"]["resource"] != "nodes" && spec["nonResourceAttributes"]["path"] != "/metrics"
    };
    let report = doctor(&server(Cluster::healthy(), now(), may)).exits(5).json();
    let (state, summary, details) = check(&report, "rights");
    assert_eq!(state, "incomplete", "{summary}");
    assert!(details.contains("list nodes: no") && details.contains("AA201"), "{details}");
    assert!(details.contains("get /metrics: no") && details.contains("AA701"), "{details}");
    assert!(!details.contains("list pods"), "{details}");
    assert_eq!(report["exitCode"], 5);
}

#[test]
fn the_rights_are_printed_without_a_cluster_and_named_where_they_are_missing() {
    let ran = Program::new().run(&["doctor", "--print-role"]).exits(0);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/reader.yaml");
    assert_eq!(ran.stdout, std::fs::read_to_string(file).unwrap());
    let blind = server(Cluster::healthy(), now(), |spec| spec["resourceAttributes"]["resource"] != "nodes");
    let ran = Program::at(&blind.url()).run(&["doctor"]).exits(5);
    assert!(ran.stdout.contains("doctor --print-role | kubectl apply -f -"), "{}", ran.stdout);
    let mut cluster = Cluster::healthy();
    cluster.forbidden = vec!["/api/v1/nodes".to_owned()];
    let ran = Program::at(&Server::of(cluster).url()).check(&[]).exits(5);
    assert_eq!(ran.stdout.matches("doctor --print-role").count(), 1, "{}", ran.stdout);
}

#[test]
fn lists_for_dry_runs_are_named_and_no_check_needs_them() {
    let without = |lacking: &'static [&'static str]| {
        let may = move |spec: &Value| {
            let resource = spec["resourceAttributes"]["resource"].as_str().unwrap_or_default();
            !lacking.contains(&resource)
        };
        check(&doctor(&server(Cluster::healthy(), now(), may)).exits(5).json(), "dry-run")
    };
    let (state, summary, details) = without(&["apiservices"]);
    assert_eq!(state, "warning");
    assert!(summary.contains("only Kubernetes' own API groups and those of CustomResourceDefinitions:"), "{summary}");
    assert_eq!(details, "[\"list apiservices.apiregistration.k8s.io: no\"]");
    let (state, summary, details) = without(&["apiservices", "customresourcedefinitions"]);
    assert!(state == "warning" && summary.contains("only Kubernetes' own API groups:"), "{state} {summary}");
    assert!(details.contains("list customresourcedefinitions.apiextensions.k8s.io: no"), "{details}");
    assert_eq!(without(&["customresourcedefinitions"]).0, "ok", "APIServices decide");
}

#[test]
fn rights_in_the_namespaces_that_are_read_are_enough() {
    let may = |spec: &Value| {
        let asked = &spec["resourceAttributes"];
        asked["resource"] != "ingresses" || asked["namespace"] == "kube-system"
    };
    let report = doctor(&server(Cluster::healthy(), now(), may)).exits(0).json();
    assert_eq!(check(&report, "rights").0, "ok");
}

#[test]
fn a_list_that_is_missing_counts_against_those_who_read_that_namespace() {
    let may = |spec: &Value| {
        let asked = &spec["resourceAttributes"];
        asked["resource"] != "configmaps" || asked["namespace"] == "kube-system"
    };
    let report = doctor(&server(Cluster::healthy(), now(), may)).exits(5).json();
    let details = check(&report, "rights").2;
    assert!(details.contains("configmaps in azure-arc: no") && details.contains("AA306"), "{details}");
    // The rule reads those of kube-system alone.
    assert!(!details.contains("AA606"), "{details}");
}

#[test]
fn a_server_that_answers_no_reviews_leaves_rights_unknown() {
    let cluster = Cluster::healthy();
    let server = Server::start(move |request, _| match &*request.method {
        "POST" => Reply::Json(403, status(403, "Forbidden", "no reviews here")),
        _ => cluster.answer(request),
    });
    let report = doctor(&server).exits(5).json();
    assert_eq!(report["exitCode"], 5, "nobody knows whether a check would be complete");
    let (state, summary, _) = check(&report, "rights");
    assert!(state == "unknown" && summary.contains("no reviews here"), "{state} {summary}");
    assert_eq!(check(&report, "dry-run").0, "unknown");
    assert_eq!(check(&report, "clock").0, "unknown", "this server tells no time");
}

#[test]
fn a_table_that_versions_calls_old_is_old_for_doctor_too() {
    let server = server(Cluster::healthy(), now(), |_| true);
    let (state, summary, details) = check(&doctor(&server).exits(0).json(), "data");
    // The table of Windows Server is of 2024.
    assert!(state == "warning" && !summary.contains(" 0 of them"), "{state} {summary}");
    assert!(details.contains("windows-server as of 2024-06-11") && details.contains("days ago: OLD"), "{details}");
    let program = Program::at(&server.url());
    for platform in ["windows-server", "azure-local"] {
        let shown = program.run(&["versions", "--platform", platform, "-o", "json"]).exits(0).json();
        let (old, of) = (&shown["tables"][0]["old"], shown["tables"][0]["asOf"].as_str().unwrap());
        let line = details.split("\",\"").find(|line| line.contains(&format!("of {platform} as of {of}"))).unwrap();
        assert_eq!(line.contains(": OLD"), old.as_bool().unwrap(), "{line}");
    }
}

#[test]
fn a_clock_that_is_wrong_is_a_warning() {
    let server = server(Cluster::healthy(), "Date: Tue, 01 Jan 2030 00:00:00 GMT\r\n", |_| true);
    let report = doctor(&server).exits(0).json();
    let (state, summary, _) = check(&report, "clock");
    assert!(state == "warning" && summary.contains("behind the server's"), "{state} {summary}");
}

#[test]
fn a_server_that_cannot_be_asked_fails() {
    let refuses = Server::start(|_, _| Reply::Json(401, status(401, "Unauthorized", "who are you")));
    let elsewhere = Server::start(|_, _| Reply::Json(404, json!({"welcome": true})));
    for (server, word) in [(&refuses, "does not accept the credentials"), (&elsewhere, "not a Kubernetes API server")] {
        let report = doctor(server).exits(1).json();
        let (state, summary, _) = check(&report, "server");
        assert!(state == "failed" && summary.contains(word), "{state} {summary}");
        assert!(server.requests().iter().all(|request| request.path == "/version"));
    }
    let ran = Program::at("http://127.0.0.1:1").run(&["doctor"]).exits(1);
    assert!(ran.stdout.contains("cannot be reached"), "{}", ran.stdout);
    Program::new().run(&["doctor"]).exits(2);
}

#[test]
fn webhooks_that_break_dry_runs_or_are_not_there_are_named() {
    let mut cluster = Cluster::healthy();
    let hook = |name: &str, effects: &str, policy: &str, service: Value| {
        json!({"name": name, "sideEffects": effects, "failurePolicy": policy, "clientConfig": {"service": service},
            "namespaceSelector": {"matchLabels": {"shop": "yes"}},
            "rules": [{"operations": ["CREATE", "UPDATE"], "apiGroups": ["apps"], "resources": ["deployments", "deployments/scale"]}]})
    };
    let service = |name: &str| json!({"namespace": "shop", "name": name});
    let mut outside = hook("far.shop.example", "None", "Fail", json!({}));
    outside["clientConfig"] = json!({"url": "https://far.example:8443/check"});
    outside["rules"] = json!([{"operations": ["*"], "apiGroups": [""], "resources": ["nodes"]}]);
    outside["namespaceSelector"] = json!({});
    let hooks = [
        hook("good.shop.example", "None", "Fail", service("there")),
        hook("side.shop.example", "Some", "Fail", service("there")),
        hook("idle.shop.example", "NoneOnDryRun", "Fail", service("idle")),
        hook("gone.shop.example", "None", "Fail", service("gone")),
        hook("open.shop.example", "None", "Ignore", service("gone")),
        hook("port.shop.example", "None", "Fail", json!({"namespace": "shop", "name": "there", "port": 8443})),
        hook("dark.shop.example", "None", "Fail", json!({"namespace": "dark", "name": "there"})),
        outside,
    ];
    cluster.add(HOOKS, "ValidatingWebhookConfiguration", json!({"metadata": {"name": "shop"}, "webhooks": hooks}));
    let own = json!([{"name": "cluster.guard.aksarc.dev", "sideEffects": "None", "failurePolicy": "Ignore"}]);
    cluster.add(
        HOOKS,
        "ValidatingWebhookConfiguration",
        json!({"metadata": {"name": "guard.aksarc.dev"}, "webhooks": own}),
    );
    let server = Server::start(move |request, _| {
        let services = |names: &[&str]| {
            let items: Vec<Value> = names
                .iter()
                .map(|name| json!({"metadata": {"name": name}, "spec": {"selector": {"app": name}, "ports": [{"port": 443}]}}))
                .collect();
            json!({"kind": "ServiceList", "items": items})
        };
        let slices = |ready: bool| json!({"kind": "EndpointSliceList", "items": [{"endpoints": [{"conditions": {"ready": ready}}]}]});
        match &*request.path {
            // A reader may have the right to list and not the right to get.
            "/api/v1/namespaces/shop/services" => match &*request.query["fieldSelector"] {
                "metadata.name%3Dthere" => Reply::Json(200, services(&["there"])),
                "metadata.name%3Didle" => Reply::Json(200, services(&["idle"])),
                _ => Reply::Json(200, services(&[])),
            },
            "/api/v1/namespaces/dark/services" => Reply::Json(403, status(403, "Forbidden", "no")),
            "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices" => {
                Reply::Json(200, slices(request.query["labelSelector"].ends_with("there")))
            }
            "/apis/apps/v1/namespaces/aksarc-system/deployments/guard" => Reply::Json(
                200,
                json!({
                "spec": {"template": {"spec": {"containers": [{"image": "registry.example/aksarc-webhook:0.1.0"}]}}},
                "status": {"readyReplicas": 2}}),
            ),
            "/api/v1/namespaces/aksarc-system/configmaps/guard" => {
                Reply::Json(200, json!({"data": {"config.yaml": "# own\nmode: warn\nplatform: azure-local\n"}}))
            }
            _ if request.method == "POST" => Reply::Json(201, json!({"status": {"allowed": true}})),
            _ => cluster.answer(request),
        }
    });
    let report = doctor(&server).exits(0).json();
    let (state, _, details) = check(&report, "webhooks");
    assert_eq!(state, "warning");
    assert!(details.contains("side.shop.example") && details.contains("sideEffects Some"), "{details}");
    for told in [
        "service shop/gone does not exist; it fails closed and stops CREATE|UPDATE deployments.apps, deployments.apps/scale (those that its selectors or conditions match)",
        "service shop/idle has no endpoint that is ready; it fails closed",
        "service shop/gone does not exist; matching requests wait for it until they time out",
        "service shop/there has no port 8443; it fails closed",
        "service dark/there or its endpoints cannot be read; while it does not answer, it stops CREATE",
        "it is at https://far.example:8443/check, which cannot be tried from here; while it does not answer, it stops * nodes",
    ] {
        assert!(details.contains(told), "{told}: {details}");
    }
    assert!(!details.contains("good.shop.example") && !details.contains("guard.aksarc.dev"), "{details}");
    let (state, summary, _) = check(&report, "guard");
    assert_eq!(state, "ok", "{summary}");
    for word in ["aksarc-webhook:0.1.0", "mode warn", "ready replicas 2"] {
        assert!(summary.contains(word), "{word} is missing: {summary}");
    }
}
