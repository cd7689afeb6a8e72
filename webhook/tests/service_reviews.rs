//! Answers to good, bad and hostile reviews.

use crate::support::{Guard, UID, denied_review, node_update, review, unjudged};
use aksarc_shared::facts::change::Change;
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::k8s::user::User;
use aksarc_shared::verdict::guard::Judgement;
use http::StatusCode;
use serde_json::{Value, json};

const PERSON: &str = "alice@contoso.example";

#[tokio::test]
async fn a_denial_has_code_reason_one_line_and_a_cause() {
    let guard = Guard::start("enforce", |_| ()).await;
    let response = guard.client().await.review(&denied_review()).await;
    assert_eq!(response["uid"], "0df28fbd-5f5f-11e8-bc74-36e6bb280816");
    assert_eq!(response["allowed"], false);
    let status = &response["status"];
    assert_eq!(status["code"], 403);
    assert_eq!(status["reason"], "Forbidden");
    let message = status["message"].as_str().unwrap();
    assert!(message.starts_with("AA201 (policy C13): ") && message.len() <= 120, "{message}");
    let causes = status["details"]["causes"].as_array().unwrap();
    assert_eq!(causes.len(), 1);
    assert_eq!(causes[0]["reason"], "AA201");
    assert_eq!(causes[0]["field"], "metadata.labels[kubernetes.io/hostname]");
    let message = causes[0]["message"].as_str().unwrap();
    assert!(message.contains(" (policy says so) - ") && message.contains("kubectl aksarc explain AA201"), "{message}");
    assert!(response["warnings"].is_null());
    let annotations = json!({"actor": "person", "findings": "AA201=deny", "mode": "enforce", "review-uid": UID});
    assert_eq!(response["auditAnnotations"], annotations);
    assert_eq!(guard.metric("aksarc_reviews_total", &["deny", "person", "enforce"]), 1);
    assert_eq!(guard.metric("aksarc_findings_total", &["AA201", "deny", "person"]), 1);
}

#[tokio::test]
async fn warn_allows_with_a_warning_and_observe_only_records() {
    let guard = Guard::start("warn", |_| ()).await;
    let response = guard.client().await.review(&denied_review()).await;
    assert_eq!(response["allowed"], true);
    assert!(response["status"].is_null());
    let warnings = response["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].as_str().unwrap().starts_with("AA201 (policy C13): "));
    assert_eq!(response["auditAnnotations"]["findings"], "AA201=warn");

    let guard = Guard::start("observe", |_| ()).await;
    let response = guard.client().await.review(&denied_review()).await;
    assert_eq!(response["allowed"], true);
    assert!(response["warnings"].is_null());
    assert_eq!(response["auditAnnotations"]["findings"], "AA201=allow");
    assert_eq!(response["auditAnnotations"]["mode"], "observe");
}

#[tokio::test]
async fn a_review_without_findings_gets_a_bare_answer() {
    let guard = Guard::start("enforce", |_| ()).await;
    let mut review = denied_review();
    let allowed = json!({"uid": review["request"]["uid"], "allowed": true});
    review["request"]["userInfo"] = json!({"username": "system:node:moc-l1", "groups": ["system:nodes"]});
    assert_eq!(guard.client().await.review(&review).await, allowed);
    let same = json!({"kubernetes.io/hostname": "moc-l1"});
    assert_eq!(guard.client().await.review(&node_update(PERSON, &same, &same)).await, allowed);
    assert_eq!(guard.metric("aksarc_reviews_total", &["allow", "platform"]), 1);
    assert_eq!(guard.metric("aksarc_reviews_total", &["allow", "person"]), 1);
}

#[tokio::test]
async fn a_body_without_anything_to_answer_to_gets_a_400() {
    let guard = Guard::start("enforce", |_| ()).await;
    let whole = denied_review().to_string();
    let mut no_uid = denied_review();
    no_uid["request"].as_object_mut().unwrap().remove("uid");
    let mut empty_uid = denied_review();
    empty_uid["request"]["uid"] = json!("");
    let mut no_request = denied_review();
    no_request.as_object_mut().unwrap().remove("request");
    let bodies = [
        String::new(),
        "{}".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        "not json".to_owned(),
        whole[..whole.len() / 2].to_owned(),
        whole[..whole.len() - 1].to_owned(),
        format!("{whole}x"),
        no_uid.to_string(),
        empty_uid.to_string(),
        no_request.to_string(),
        "[".repeat(100_000),
        format!("{{\"request\":{}", "{\"a\":".repeat(50_000)),
    ];
    for body in bodies {
        let answer = guard.client().await.post(body.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body:.200}");
        assert!(!answer.text().is_empty() && answer.text().len() < 1024);
    }
    let mut client = guard.client().await;
    let answer = client.post(&b"\xff\xfe{\"request\":{\"uid\":\"1\"}}"[..]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_review_of_another_version_is_refused_by_name() {
    let guard = Guard::start("enforce", |_| ()).await;
    let mut review = denied_review();
    review["apiVersion"] = json!("admission.k8s.io/v1beta1");
    let answer = guard.client().await.post(review.to_string()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text().contains("admission.k8s.io/v1beta1"), "{}", answer.text());
    assert_eq!(guard.metric("aksarc_requests_refused_total", &["version"]), 1);
}

#[tokio::test]
async fn a_review_that_cannot_be_judged_is_allowed_and_counted() {
    let guard = Guard::start("enforce", |_| ()).await;
    let change = |pointer: &str, value: Value| {
        let mut review = denied_review();
        *review.pointer_mut(pointer).unwrap() = value;
        review
    };
    let cases = [
        ("unreadable", change("/request/object", json!("a string"))),
        ("unreadable", change("/request/object/metadata", json!([1, 2]))),
        ("unreadable", change("/request/oldObject/metadata/labels", json!({"a": {"b": 1}}))),
        ("unreadable", change("/request/userInfo", json!(7))),
        ("unreadable", change("/request/object/spec", json!(["a"]))),
        ("unreadable", change("/request/oldObject/spec/providerID", json!({"a": 1}))),
        ("unreadable", change("/request/object/kind", json!("Pod"))),
        ("unreadable", change("/request/object/apiVersion", json!("apps/v1"))),
        ("version", change("/request/object/apiVersion", json!("v9"))),
        ("version", change("/request/kind/version", json!("v9"))),
        ("version", change("/request/resource/version", json!("v1beta1"))),
        ("resource", change("/request/resource", json!({"group": "", "version": "v1", "resource": "gadgets"}))),
        // The state check knows this kind, and no rule judges changes of it.
        (
            "resource",
            change(
                "/request/resource",
                json!({"group": "networking.k8s.io", "version": "v1", "resource": "ingressclasses"}),
            ),
        ),
        ("operation", change("/request/operation", json!("CONNECT"))),
        ("operation", change("/request/operation", json!("BORROW"))),
        ("missing-object", change("/request/object", Value::Null)),
        ("missing-object", change("/request/oldObject", Value::Null)),
    ];
    for (reason, review) in cases {
        let before = guard.metric("aksarc_reviews_not_evaluated_total", &[reason]);
        let response = guard.client().await.review(&review).await;
        assert_eq!(response["allowed"], true, "{review}");
        assert_eq!(response["uid"], review["request"]["uid"]);
        assert_eq!(response["auditAnnotations"], unjudged(reason), "{review}");
        assert_eq!(guard.metric("aksarc_reviews_not_evaluated_total", &[reason]), before + 1);
    }
}

#[tokio::test]
async fn an_unknown_subresource_is_allowed_and_counted() {
    let guard = Guard::start("enforce", |_| ()).await;
    for subresource in ["proxy", "scale", "STATUS", "\u{1b}[31m"] {
        let mut review = denied_review();
        review["request"]["subResource"] = json!(subresource);
        let before = guard.metric("aksarc_reviews_not_evaluated_total", &["subresource"]);
        let response = guard.client().await.review(&review).await;
        assert_eq!(response["allowed"], true);
        assert_eq!(response["auditAnnotations"], unjudged("subresource"), "{subresource}");
        assert_eq!(guard.metric("aksarc_reviews_not_evaluated_total", &["subresource"]), before + 1);
    }
    assert_eq!(guard.metric("aksarc_reviews_total", &[]), 0);
}

#[tokio::test]
async fn an_object_that_is_no_proper_pod_is_not_denied() {
    let guard = Guard::start("enforce", |_| ()).await;
    let pod = |spec: Value| {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "kube-system"}, "spec": spec});
        review(PERSON, "CREATE", ("", "v1", "Pod", "pods"), "kube-system", &Value::Null, &pod)
    };
    let lawful = pod(json!({"containers": [{"name": "c", "image": "x"}]}));
    let denied = guard.client().await.review(&lawful).await;
    assert_eq!(denied["status"]["details"]["causes"][0]["reason"], "AA303", "{denied}");
    let mut labels = lawful.clone();
    labels["request"]["object"]["metadata"]["labels"] = json!(["a"]);
    let mut owners = lawful.clone();
    owners["request"]["object"]["metadata"]["ownerReferences"] = json!([{"kind": "Node"}]);
    for (count, bad) in [
        pod(json!([1])),
        pod(json!("x")),
        pod(json!({"containers": "c"})),
        pod(json!({"containers": [{"name": 1}]})),
        pod(json!({"containers": [null]})),
        pod(json!({"hostPID": "true"})),
        labels,
        owners,
    ]
    .iter()
    .enumerate()
    {
        let response = guard.client().await.review(bad).await;
        assert_eq!(response["allowed"], true, "{bad}");
        assert_eq!(response["auditAnnotations"], unjudged("unreadable"), "{bad}");
        let counted = guard.metric("aksarc_reviews_not_evaluated_total", &["unreadable"]);
        assert_eq!(counted, i64::try_from(count + 1).unwrap(), "{bad}");
    }
}

#[tokio::test]
async fn a_part_of_too_many_managed_fields_is_judged_and_denies_nothing() {
    let guard = Guard::start("enforce", |_| ()).await;
    let entries = |count: usize| -> Value {
        let entry = |n| json!({"manager": format!("m{n}"), "operation": "Apply", "fieldsV1": {"f:metadata": {}}});
        (0..count).map(entry).collect()
    };
    let with = |mut review: Value, count: usize| {
        review["request"]["oldObject"]["metadata"]["managedFields"] = entries(count);
        review
    };
    let allowed_with_a_warning = |response: &Value| response["allowed"] == true && !response["warnings"].is_null();
    let response = guard.client().await.review(&with(denied_review(), 256)).await;
    assert_eq!(response["allowed"], false, "{response}");
    let response = guard.client().await.review(&with(denied_review(), 257)).await;
    assert!(allowed_with_a_warning(&response), "{response}");
    let annotations = json!({"actor": "person", "findings": "AA201=warn", "mode": "enforce",
        "not-evaluated": "managed-fields", "review-uid": UID});
    assert_eq!(response["auditAnnotations"], annotations);
    assert_eq!(guard.metric("aksarc_reviews_not_evaluated_total", &["managed-fields"]), 1);
    assert_eq!(guard.metric("aksarc_findings_total", &["AA201", "warn", "person"]), 1);

    // Writing so many is marked in the audit log, although no rule minds.
    let same = json!({"kubernetes.io/hostname": "moc-l1"});
    let mut flood = node_update(PERSON, &same, &same);
    flood["request"]["object"]["metadata"]["managedFields"] = entries(800);
    let response = guard.client().await.review(&flood).await;
    assert_eq!(response["allowed"], true);
    assert_eq!(response["auditAnnotations"], unjudged("managed-fields"));
    assert_eq!(guard.metric("aksarc_reviews_not_evaluated_total", &["managed-fields"]), 2);

    // A finding that does not depend on them is denied all the same.
    let system = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system", "managedFields": entries(800)}});
    let delete = review(PERSON, "DELETE", ("", "v1", "Namespace", "namespaces"), "", &system, &Value::Null);
    let response = guard.client().await.review(&delete).await;
    assert_eq!(response["status"]["details"]["causes"][0]["reason"], "AA307", "{response}");
    assert_eq!(response["auditAnnotations"]["not-evaluated"], "managed-fields");
}

#[tokio::test]
async fn hostile_names_and_values_reach_nobodys_terminal() {
    let hostile = "\u{1b}[31m\u{202e}\r\nWarning: all is well\u{0}".repeat(200);
    for mode in ["enforce", "warn"] {
        let guard = Guard::start(mode, |_| ()).await;
        let old = json!({"kubernetes.io/hostname": "moc-l1"});
        let mut new = json!({"kubernetes.io/hostname": hostile});
        for n in 0..100 {
            new[format!("kubernetes.azure.com/{n}{hostile}")] = json!(hostile);
            new[format!("example.com/{n}{hostile}")] = json!(hostile);
        }
        let mut review = node_update(&hostile, &old, &new);
        review["request"]["name"] = json!(hostile);
        review["request"]["options"]["fieldManager"] = json!(hostile);
        let response = guard.client().await.review(&review).await;
        assert_eq!(response["allowed"], mode == "warn");
        let strings = strings(&response);
        assert!(!strings.is_empty());
        for text in strings {
            assert!(!text.contains(|c: char| c.is_control() || c == '\u{202e}'), "{text:?}");
            assert!(text.len() <= 1024);
        }
        let message = response["status"]["message"].as_str().unwrap_or_default();
        assert!(message.len() <= 120);
        let warnings: Vec<&str> =
            response["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        assert_eq!(warnings.is_empty(), mode == "enforce");
        assert!(warnings.iter().all(|warning| warning.len() <= 256));
        assert!(warnings.iter().map(|warning| warning.len()).sum::<usize>() < 4096);
        assert!(!guard.server.metrics().contains("all is well"));
    }
}

#[tokio::test]
async fn several_denied_findings_are_several_causes_and_one_line() {
    let guard = Guard::start("enforce", |_| ()).await;
    let old = json!({"kubernetes.io/hostname": "moc-l1", "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"});
    let response = guard.client().await.review(&node_update(PERSON, &old, &json!({}))).await;
    assert_eq!(response["status"]["details"]["causes"].as_array().unwrap().len(), 3);
    let message = response["status"]["message"].as_str().unwrap();
    assert!(message.ends_with("(+2 more)") && message.len() <= 120, "{message}");
    assert_eq!(response["auditAnnotations"]["findings"], "AA201=deny*3");
}

#[tokio::test]
async fn deletions_and_creations_are_judged() {
    let guard = Guard::start("enforce", |_| ()).await;
    let driver =
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": "disk.csi.akshci.com"}});
    let kind = ("storage.k8s.io", "v1", "CSIDriver", "csidrivers");
    let mut delete = review(PERSON, "DELETE", kind, "", &driver, &Value::Null);
    assert_eq!(guard.client().await.review(&delete).await["status"]["details"]["causes"][0]["reason"], "AA308");
    // A deletecollection carries the name only in the old object.
    delete["request"]["name"] = json!("");
    assert_eq!(guard.client().await.review(&delete).await["allowed"], false);
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "ours", "namespace": "kube-system"}, "spec": {"replicas": 1}});
    let kind = ("apps", "v1", "Deployment", "deployments");
    let create = review(PERSON, "CREATE", kind, "kube-system", &Value::Null, &deployment);
    assert_eq!(guard.client().await.review(&create).await["status"]["details"]["causes"][0]["reason"], "AA303");
}

#[tokio::test]
async fn the_weight_of_a_finding_decides_between_denial_warning_and_record() {
    let guard = Guard::start("enforce", |_| ()).await;
    let mut client = guard.client().await;
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "moc-l1"}});
    let delete = review(PERSON, "DELETE", ("", "v1", "Node", "nodes"), "", &node, &Value::Null);
    let response = client.review(&delete).await;
    assert_eq!((&response["allowed"], &response["auditAnnotations"]["findings"]), (&json!(true), &json!("AA208=warn")));
    assert!(response["warnings"][0].as_str().unwrap().starts_with("AA208 (our reading of C"));
    let response = client.review(&node_update(PERSON, &json!({}), &json!({"example.com/site": "ams"}))).await;
    assert_eq!((&response["allowed"], &response["warnings"]), (&json!(true), &Value::Null));
    assert_eq!(response["auditAnnotations"]["findings"], "AA205=allow");
    assert_eq!(guard.metric("aksarc_findings_total", &["AA205", "allow", "person"]), 1);
}

#[tokio::test]
async fn a_panic_while_judging_is_allowed_and_the_next_review_is_answered() {
    fn panics(_: &aksarc_shared::verdict::guard::Guard, change: &Change<'_>, _: &User, _: Timestamp) -> Judgement {
        panic!("a rule met {}", change.name)
    }
    let guard = Guard::start("enforce", |options| options.judge = Some(panics)).await;
    let mut client = guard.client().await;
    for count in [1, 2] {
        let response = client.review(&denied_review()).await;
        assert_eq!(response["allowed"], true);
        assert_eq!(response["auditAnnotations"], unjudged("panic"));
        assert_eq!(guard.metric("aksarc_reviews_not_evaluated_total", &["panic"]), count);
    }
}

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(fields) => fields.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}
