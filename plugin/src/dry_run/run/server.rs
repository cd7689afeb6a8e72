//! The first requests to a server: its resources, and the identity of the caller.

use aksarc_shared::k8s::kinds::escaped;
use aksarc_shared::k8s::user::User;
use anyhow::anyhow;
use http::StatusCode;
use serde_json::{Value, json};

use crate::api::ApiRequest;
use crate::cli::exit::Failure;
use crate::dry_run::discover::{self, Discovery, Resource};
use crate::dry_run::gate::Gate;
use crate::dry_run::rehearsal;
use crate::dry_run::session::Session;
use crate::dry_run::write::{Method, Write};

/// Reads the resources that the server serves: in two requests from Kubernetes 1.26 on, group by group before.
pub(super) async fn discover(session: &Session) -> Result<Discovery, Failure> {
    let mut discovery = Discovery::default();
    for root in ["/api", "/apis"] {
        let answer = ask(session, &discovery_of(root)).await?;
        if discovery.add_aggregated(&answer) {
            continue;
        }
        for path in older_paths(root, &answer) {
            // A group whose server is down must not hide the others.
            if let Ok(list) = ask(session, &ApiRequest::get(path)).await {
                discovery.add_list(&list);
            }
        }
    }
    if discovery.is_empty() {
        return Err(Failure::run(anyhow!("the server serves no resources. Nothing was rehearsed")));
    }
    Ok(discovery)
}

fn discovery_of(root: &str) -> ApiRequest {
    ApiRequest::get(root).accepting(discover::ACCEPT).named("read which kinds the server serves")
}

fn older_paths(root: &str, answer: &Value) -> Vec<String> {
    let strings = |value: Option<&Value>| -> Vec<String> {
        value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    if root == "/api" {
        return strings(answer.get("versions")).iter().map(|version| format!("/api/{}", escaped(version))).collect();
    }
    let mut paths = Vec::new();
    for group in answer.get("groups").and_then(Value::as_array).into_iter().flatten() {
        let preferred = group.pointer("/preferredVersion/groupVersion").and_then(Value::as_str);
        let versions = group.get("versions").and_then(Value::as_array).into_iter().flatten();
        let others = versions.filter_map(|version| version.get("groupVersion").and_then(Value::as_str));
        for version in preferred.into_iter().chain(others.filter(|version| Some(*version) != preferred)) {
            let (group, version) = discover::split_api_version(version);
            paths.push(format!("/apis/{}/{}", escaped(group), escaped(version)));
        }
    }
    paths
}

/// The body of a reply that the run cannot do without.
pub(super) async fn ask(session: &Session, request: &ApiRequest) -> Result<Value, Failure> {
    let body = session.ask(request).await;
    body.map_err(|error| Failure::run(anyhow!(error.concluding("Nothing was rehearsed"))))
}

/// The user as the server knows it, and whether it does: `false` where the server does not say or must not be asked, so
/// that the kubeconfig's user is taken.
pub(super) async fn identify(session: &Session, gate: &mut Gate<'_>, fallback: &User) -> (User, bool) {
    for version in ["v1", "v1beta1"] {
        let reviews = Resource {
            group: "authentication.k8s.io".to_owned(),
            version: version.to_owned(),
            plural: "selfsubjectreviews".to_owned(),
            ..Resource::default()
        };
        let body = json!({"apiVersion": reviews.api_version(), "kind": "SelfSubjectReview"});
        let review = Write::new(Method::Post, reviews.list_path(""), body);
        // Barred at one version, and perhaps not at the next.
        let Ok(result) = rehearsal::rehearse(gate, session, &review).await else { continue };
        let Ok(reply) = result else { break };
        if let Some(info) = reply.body.pointer("/status/userInfo").filter(|_| reply.status.is_success()) {
            return (user_of(info), true);
        }
        if reply.status != StatusCode::NOT_FOUND {
            break;
        }
    }
    (fallback.clone(), false)
}

fn user_of(info: &Value) -> User {
    let texts = |value: Option<&Value>| -> Vec<String> {
        value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    User {
        name: info.get("username").and_then(Value::as_str).unwrap_or_default().to_owned(),
        groups: texts(info.get("groups")),
        credential_ids: texts(info.pointer("/extra/authentication.kubernetes.io~1credential-id")),
        field_manager: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_identity_is_read_from_the_servers_answer() {
        let info = json!({"username": "alice", "groups": ["a", "b"], "extra": {"authentication.kubernetes.io/credential-id": ["X509SHA256=1"]}});
        let user = user_of(&info);
        assert_eq!(
            (user.name.as_str(), user.groups.len(), user.credential_ids),
            ("alice", 2, vec!["X509SHA256=1".to_owned()])
        );
    }

    #[test]
    fn older_servers_are_asked_group_by_group_preferred_version_first() {
        assert_eq!(older_paths("/api", &json!({"versions": ["v1"]})), ["/api/v1"]);
        let groups = json!({"groups": [{"preferredVersion": {"groupVersion": "apps/v1"}, "versions": [{"groupVersion": "apps/v1beta1"}, {"groupVersion": "apps/v1"}]}]});
        assert_eq!(older_paths("/apis", &groups), ["/apis/apps/v1", "/apis/apps/v1beta1"]);
    }
}
