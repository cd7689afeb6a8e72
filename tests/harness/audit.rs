//! The audit log of the API server: requests, users and results.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;

/// One answered request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    pub verb: String,
    /// Path and query, `dryRun` included.
    #[serde(rename = "requestURI")]
    pub request_uri: String,
    pub user: User,
    /// The impersonated user, if there is one.
    #[serde(default)]
    pub impersonated_user: Option<User>,
    #[serde(default)]
    pub user_agent: String,
    #[serde(default)]
    pub object_ref: ObjectRef,
    #[serde(default)]
    pub response_status: ResponseStatus,
    /// Those of webhooks and admission policies included.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// The object that was sent, for changes only.
    pub request_object: Option<Value>,
    /// The object that was returned, for changes only.
    pub response_object: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct User {
    pub username: String,
    #[serde(default)]
    pub groups: Vec<String>,
    #[serde(default)]
    pub extra: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ObjectRef {
    pub resource: String,
    pub subresource: String,
    pub namespace: String,
    pub name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ResponseStatus {
    pub code: u16,
    pub message: String,
}

impl AuditEvent {
    /// Whether the request was a dry run.
    pub fn is_dry_run(&self) -> bool {
        self.request_uri.contains("dryRun=All")
    }
}

/// Changes with their bodies, reads without; what a token request answers stays out of the log, and so does what a
/// [`Kubelet`](crate::kubelet::Kubelet) reads ten times a second.
pub(crate) const POLICY: &str = r#"{
  "apiVersion": "audit.k8s.io/v1",
  "kind": "Policy",
  "omitStages": ["RequestReceived", "ResponseStarted"],
  "rules": [
    {"level": "None", "users": ["system:aksarc-kubelet"], "verbs": ["get", "list"]},
    {"level": "Metadata", "resources": [{"group": "", "resources": ["secrets", "serviceaccounts/token"]}]},
    {"level": "RequestResponse", "verbs": ["create", "update", "patch", "delete", "deletecollection"]},
    {"level": "Metadata"}
  ]
}"#;

pub(crate) fn read(log: &str) -> anyhow::Result<Vec<AuditEvent>> {
    // The last line may be incomplete.
    let (whole, _) = log.rsplit_once('\n').unwrap_or_default();
    whole
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("an unreadable audit event: {line}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_still_in_the_writing_is_left_out() {
        let event = r#"{"verb":"get","requestURI":"/x?dryRun=All","user":{"username":"alice"}}"#;
        let events = read(&format!("{event}\n{{\"verb\":")).unwrap();
        assert_eq!(events.len(), 1);
        assert!(events[0].is_dry_run());
        assert_eq!(events[0].user.username, "alice");
    }
}
