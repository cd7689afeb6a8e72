//! `guard status`: what does not fit together, and what cannot be seen. `tests/e2e_chart.rs` shows a guard that is as it should be.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

mod fake;

use fake::{Program, Reply, Request, Server, plain, status};
use serde_json::{Value, json};

/// A cluster with two replicas; `change` may answer first.
fn server(change: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Server {
    Server::start(move |request, _| change(request).unwrap_or_else(|| answer(request)))
}

fn answer(request: &Request) -> Reply {
    let own = "/api/v1/namespaces/aksarc-system";
    match request.path.strip_prefix(own).unwrap_or(&request.path) {
        "/configmaps/guard" => Reply::Json(
            200,
            json!({"metadata": {"name": "guard"}, "data": {"guard.yaml":
            "apiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\nmode: enforce\nplatform: azure-local\ncontact: ops on chat\n"}}),
        ),
        "/pods" => {
            assert_eq!(request.query["labelSelector"], "app.kubernetes.io%2Fname%3Daksarc-guard");
            let pod = |name: &str| json!({"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
            Reply::Json(200, json!({"kind": "PodList", "items": [pod("guard-a"), pod("guard-b")]}))
        }
        "/pods/guard-a:8080/proxy/metrics" | "/pods/guard-b:8080/proxy/metrics" => text(&scrape("0.1.0", "enforce", 7)),
        "/apis/apps/v1/namespaces/aksarc-system/deployments/guard" => Reply::Json(
            200,
            json!({"spec": {"replicas": 2,
            "template": {"spec": {"containers": [{"image": "registry.example/guard:1"}]}}}, "status": {"readyReplicas": 2}}),
        ),
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/guard.aksarc.dev" => {
            let webhooks = json!([{"name": "cluster.guard.aksarc.dev"}]);
            let digest = aksarc_shared::facts::digest::digest(&webhooks);
            Reply::Json(
                200,
                json!({"metadata": {"annotations": {"aksarc.dev/generated": digest}}, "webhooks": webhooks}),
            )
        }
        "/metrics" => text(
            "apiserver_admission_webhook_fail_open_count{name=\"cluster.guard.aksarc.dev\",type=\"validating\"} 0\n\
            apiserver_admission_webhook_fail_open_count{name=\"other.example.com\",type=\"validating\"} 9\n",
        ),
        "/apis/apps/v1/namespaces/kube-system/deployments" => {
            assert_eq!((&*request.method, &*request.query["dryRun"]), ("POST", "All"));
            let mut denial = status(
                403,
                "Forbidden",
                "admission webhook \"system.guard.aksarc.dev\" denied the request: AA303 (our reading C12): x",
            );
            denial["details"] = json!({"causes": [{"reason": "AA303", "message": "x", "field": "metadata.namespace"}]});
            Reply::Json(403, denial)
        }
        _ => Reply::Json(403, status(403, "Forbidden", "no")),
    }
}

fn text(body: &str) -> Reply {
    let head = format!(
        "HTTP/1.1 200 x\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    Reply::Raw((head + body).into_bytes())
}

fn scrape(version: &str, mode: &str, hash: u32) -> String {
    format!(
        "aksarc_build_info{{version=\"{version}\"}} 1\naksarc_mode_info{{mode=\"{mode}\"}} 1\naksarc_config_hash {hash}\n\
         aksarc_config_last_reload_successful 1\naksarc_certificate_expiry_timestamp_seconds 1800000000\n\
         aksarc_certificate_trusted 1\naksarc_reviews_total{{decision=\"deny\"}} 3\naksarc_reviews_total{{decision=\"allow\"}} 90\n\
         aksarc_reviews_not_evaluated_total{{reason=\"time\"}} 0\naksarc_cluster_waivers{{state=\"taken\"}} 2\n\
         aksarc_cluster_waivers{{state=\"ignored\"}} 0\n"
    )
}

fn shown(server: &Server, code: i32) -> Value {
    Program::at(&server.url()).run(&["guard", "status", "-o", "json"]).exits(code).json()
}

#[test]
fn replicas_that_differ_or_cannot_be_asked_are_named() {
    let server = server(|request| match request.path.rsplit('/').nth(2)? {
        "guard-a:8080" => Some(text(&scrape("0.2.0", "observe", 8))),
        "guard-b:8080" => Some(Reply::Json(403, status(403, "Forbidden", "pods/proxy"))),
        _ => None,
    });
    let told = shown(&server, 0);
    assert_eq!(told["replicas"][1]["unseen"], "you may not read the metrics of guard-b");
    assert!(told["trouble"][0].as_str().unwrap().starts_with("guard-a goes by the mode observe"), "{told}");
    let differ = self::server(|request| {
        let is_other = request.path.contains("guard-b:8080");
        is_other.then(|| text(&scrape("0.2.0", "enforce", 8)))
    });
    let told = shown(&differ, 0);
    assert_eq!(told["trouble"], json!(["replicas have different versions", "replicas go by different configurations"]));
}

#[test]
fn a_guard_that_is_not_there_or_not_registered_is_no_guard() {
    for (end, words) in [
        ("/deployments/guard", "there is no Deployment guard in aksarc-system"),
        ("/guard.aksarc.dev", "there is no webhook configuration guard.aksarc.dev, so nothing is guarded"),
    ] {
        let server =
            server(move |request| request.path.ends_with(end).then(|| Reply::Json(404, status(404, "NotFound", "no"))));
        let told = shown(&server, 1);
        assert!(told["trouble"].to_string().contains(words), "{told}");
    }
    let changed = server(|request| {
        let body = json!({"metadata": {"annotations": {"aksarc.dev/generated": "0", "aksarc.dev/open": "upgrade"}}, "webhooks": [{"name": "a"}]});
        request.path.ends_with("/guard.aksarc.dev").then(|| Reply::Raw(plain(200, "", &body)))
    });
    let told = shown(&changed, 0);
    assert!(told["webhooks"].as_str().unwrap().contains("CHANGED"), "{told}");
    assert!(told["trouble"].to_string().contains("open for changes: upgrade"), "{told}");
}
