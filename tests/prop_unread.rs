//! A review that cannot be read as its kind is never denied, and never passes without a mark: it is allowed, counted
//! and noted in the audit annotations.
//!
//! Reviews are drawn from objects of every kind that rules judge, with parts of them replaced. Whether an object can be
//! read as its kind is decided by the types of Kubernetes' own API, which the guard does not use.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

use std::collections::BTreeMap;

use aksarc_shared::k8s::kinds::{self, Kind};
use aksarc_shared::rules::derive;
use aksarc_tests::reviews::{self, review};
use aksarc_webhook::metrics::Metrics;
use aksarc_webhook::review::Reviewer;
use k8s_openapi::api::{
    apps::v1 as apps, autoscaling::v2 as autoscaling, batch::v1 as batch, core::v1 as core,
    flowcontrol::v1 as fairness, networking::v1 as networking, policy::v1 as policy, rbac::v1 as rbac,
    scheduling::v1 as scheduling, storage::v1 as storage,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1 as extensions;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1 as registration;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

#[test]
fn an_object_that_kubernetes_itself_cannot_read_is_allowed_counted_and_marked() {
    let mut guard = Asked::new();
    let mut broken = 0;
    let mut wrong = Vec::new();
    for good in reviews::objects().unwrap() {
        let kind = kinds::of(good["apiVersion"].as_str().unwrap(), good["kind"].as_str().unwrap()).unwrap();
        assert!(decodes(kind, &good), "{good}");
        assert_eq!(guard.ask(kind, "UPDATE", &good, &good), Answer::Allowed, "{good}");
        // The list of a node's images is passed over: it is most of what a node is, and no rule reads it.
        for path in paths(&good).into_iter().filter(|path| !path.starts_with("/status/images/")) {
            for other in others() {
                let mut bad = good.clone();
                *bad.pointer_mut(&path).unwrap() = other;
                if decodes(kind, &bad) {
                    continue;
                }
                broken += 1;
                for (operation, before, after) in [
                    ("CREATE", &Value::Null, &bad),
                    ("UPDATE", &good, &bad),
                    ("UPDATE", &bad, &good),
                    ("UPDATE", &bad, &bad),
                    ("DELETE", &bad, &Value::Null),
                ] {
                    let answer = guard.ask(kind, operation, before, after);
                    if !matches!(answer, Answer::NotEvaluated(_)) {
                        let value = bad.pointer(&path).unwrap();
                        wrong.push(format!("{operation} {}{path} = {value}: {answer:?}", kind.qualified()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {broken}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(broken > 2_000, "only {broken} objects were broken");
    guard.counts_agree();
}

#[test]
fn the_objects_are_of_every_kind_of_kubernetes_itself_that_rules_judge_and_denied_when_whole() {
    let all_on = BTreeMap::new();
    let mut missing: Vec<String> =
        derive::watched(&all_on).into_iter().filter(|own| own.kind.builtin).map(|own| own.kind.qualified()).collect();
    let mut guard = Asked::new();
    let mut denied = 0;
    for good in reviews::objects().unwrap() {
        let kind = kinds::of(good["apiVersion"].as_str().unwrap(), good["kind"].as_str().unwrap()).unwrap();
        missing.retain(|own| *own != kind.qualified());
        let mut other = good.clone();
        other["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "n", "uid": "new"}]);
        let answers = [
            guard.ask(kind, "CREATE", &Value::Null, &good),
            guard.ask(kind, "UPDATE", &good, &other),
            guard.ask(kind, "DELETE", &good, &Value::Null),
        ];
        denied += usize::from(answers.contains(&Answer::Denied));
    }
    assert_eq!(missing, Vec::<String>::new());
    assert!(denied > 12, "only {denied} are minded at all, so not to be denied proves nothing");
}

#[test]
fn no_mutation_of_a_review_is_denied_and_unread_at_once_and_every_count_agrees() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &SEED.to_le_bytes().repeat(4));
    let mut drawn = TestRunner::new_with_rng(Config::default(), rng);
    let objects = reviews::objects().unwrap();
    let pick =
        (0..objects.len(), 0..3_usize, prop::collection::vec((any::<prop::sample::Index>(), 0..MUTATIONS), 1..4));
    let mut guard = Asked::new();
    let mut unread = 0;
    for _ in 0..CASES {
        let (at, operation, mutations) = pick.new_tree(&mut drawn).unwrap().current();
        let good = objects.get(at).unwrap();
        let kind = kinds::of(good["apiVersion"].as_str().unwrap(), good["kind"].as_str().unwrap()).unwrap();
        let (operation, before, after) = match operation {
            0 => ("CREATE", &Value::Null, good),
            1 => ("UPDATE", good, good),
            _ => ("DELETE", good, &Value::Null),
        };
        let mut review = review(kind, operation, before, after);
        for (place, how) in mutations {
            let paths = paths(&review);
            let path: &String = place.get(&paths);
            mutate(&mut review, path, how);
        }
        // What is no review at all has no answer.
        if let Some(answer) = guard.ask_review(&review) {
            unread += usize::from(matches!(answer, Answer::NotEvaluated(_)));
            assert_ne!(answer, Answer::NotEvaluated("panic".to_owned()), "{review}");
        }
    }
    guard.counts_agree();
    assert!(unread > CASES / 10, "only {unread} could not be read");
}

/// A guard that denies, and what it answered.
struct Asked {
    reviewer: Reviewer,
    metrics: Metrics,
    answered: BTreeMap<String, i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Allowed,
    Denied,
    NotEvaluated(String),
}

impl Asked {
    fn new() -> Self {
        let (reviewer, metrics) = reviews::enforcing().unwrap();
        Asked { reviewer, metrics, answered: BTreeMap::new() }
    }

    fn ask(&mut self, kind: &Kind, operation: &str, before: &Value, after: &Value) -> Answer {
        self.ask_review(&review(kind, operation, before, after)).unwrap()
    }

    fn ask_review(&mut self, review: &Value) -> Option<Answer> {
        let body = review.to_string();
        let answer: Value = serde_json::from_slice(&self.reviewer.answer(body.as_bytes()).ok()?).unwrap();
        let response = &answer["response"];
        let allowed = response["allowed"].as_bool().unwrap();
        let Some(reason) = response["auditAnnotations"]["not-evaluated"].as_str() else {
            return Some(if allowed { Answer::Allowed } else { Answer::Denied });
        };
        assert!(allowed, "denied, although not evaluated: {review}");
        *self.answered.entry(reason.to_owned()).or_default() += 1;
        Some(Answer::NotEvaluated(reason.to_owned()))
    }

    /// Whether each answer that was marked has been counted too, by its reason.
    fn counts_agree(&self) {
        let text = self.metrics.text();
        for (reason, answered) in &self.answered {
            let line = format!("aksarc_reviews_not_evaluated_total{{reason=\"{reason}\"}} {answered}");
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}

/// The paths of all values below an object, as JSON pointers; not of what is free to hold anything.
fn paths(value: &Value) -> Vec<String> {
    let below = |key: &str, value: &Value| -> Vec<String> {
        let key = key.replace('~', "~0").replace('/', "~1");
        let own = std::iter::once(String::new()).chain(paths(value));
        own.map(|rest| format!("/{key}{rest}")).collect()
    };
    match value {
        Value::Object(fields) => {
            fields.iter().filter(|(key, _)| *key != "fieldsV1").flat_map(|(k, v)| below(k, v)).collect()
        }
        Value::Array(items) => items.iter().enumerate().flat_map(|(at, item)| below(&at.to_string(), item)).collect(),
        _ => Vec::new(),
    }
}

/// Something else than what stands there.
fn others() -> [Value; 5] {
    [json!(true), json!(7), json!("x"), json!([["x"]]), json!({"a": {"b": [1]}})]
}

fn mutate(review: &mut Value, path: &str, how: usize) {
    let Some(place) = review.pointer_mut(path) else { return };
    match how {
        0 => *place = Value::Null,
        1 => *place = json!([place.clone()]),
        2 => *place = json!({"a": place.clone()}),
        3 => {
            if let Some(list) = place.as_array_mut() {
                list.extend(list.clone());
                list.push(Value::Null);
            }
        }
        4 => {
            if let Some(map) = place.as_object_mut() {
                map.retain(|key, _| key.len() % 2 == 0);
            }
        }
        how => *place = others().get(how % 5).unwrap().clone(),
    }
}

/// A value with numbers for strings where Kubernetes takes either: it reads quantities more freely than these types.
fn with_quantities(value: &mut Value) {
    const MAPS: [&str; 10] =
        ["limits", "requests", "capacity", "allocatable", "default", "defaultRequest", "max", "min", "hard", "used"];
    match value {
        Value::Array(list) => list.iter_mut().for_each(with_quantities),
        Value::Object(fields) => {
            for (key, own) in fields {
                if let (true, Value::Object(quantities)) = (MAPS.contains(&&**key), &mut *own) {
                    let numbers = quantities.values_mut().filter(|value| value.is_number());
                    numbers.for_each(|number| *number = json!(number.to_string()));
                }
                with_quantities(own);
            }
        }
        _ => {}
    }
}

/// Whether Kubernetes' own types can read an object.
fn decodes(kind: &Kind, object: &Value) -> bool {
    fn as_type<T: DeserializeOwned>(object: &Value) -> bool {
        T::deserialize(object).is_ok()
    }
    let mut object = object.clone();
    with_quantities(&mut object);
    let object = &object;
    match kind.kind {
        "Node" => as_type::<core::Node>(object),
        "Namespace" => as_type::<core::Namespace>(object),
        "Pod" => as_type::<core::Pod>(object),
        "ConfigMap" => as_type::<core::ConfigMap>(object),
        "Service" => as_type::<core::Service>(object),
        "ServiceAccount" => as_type::<core::ServiceAccount>(object),
        "LimitRange" => as_type::<core::LimitRange>(object),
        "ResourceQuota" => as_type::<core::ResourceQuota>(object),
        "ReplicationController" => as_type::<core::ReplicationController>(object),
        "DaemonSet" => as_type::<apps::DaemonSet>(object),
        "Deployment" => as_type::<apps::Deployment>(object),
        "ReplicaSet" => as_type::<apps::ReplicaSet>(object),
        "StatefulSet" => as_type::<apps::StatefulSet>(object),
        "HorizontalPodAutoscaler" => as_type::<autoscaling::HorizontalPodAutoscaler>(object),
        "CronJob" => as_type::<batch::CronJob>(object),
        "Job" => as_type::<batch::Job>(object),
        "NetworkPolicy" => as_type::<networking::NetworkPolicy>(object),
        "Ingress" => as_type::<networking::Ingress>(object),
        "PodDisruptionBudget" => as_type::<policy::PodDisruptionBudget>(object),
        "Role" => as_type::<rbac::Role>(object),
        "RoleBinding" => as_type::<rbac::RoleBinding>(object),
        "ClusterRole" => as_type::<rbac::ClusterRole>(object),
        "ClusterRoleBinding" => as_type::<rbac::ClusterRoleBinding>(object),
        "CustomResourceDefinition" => as_type::<extensions::CustomResourceDefinition>(object),
        "APIService" => as_type::<registration::APIService>(object),
        "FlowSchema" => as_type::<fairness::FlowSchema>(object),
        "PriorityLevelConfiguration" => as_type::<fairness::PriorityLevelConfiguration>(object),
        "PriorityClass" => as_type::<scheduling::PriorityClass>(object),
        "CSIDriver" => as_type::<storage::CSIDriver>(object),
        "StorageClass" => as_type::<storage::StorageClass>(object),
        other => panic!("nothing reads a {other}"),
    }
}

const CASES: usize = 4_000;
const MUTATIONS: usize = 10;
const SEED: u64 = 20_261_129;
