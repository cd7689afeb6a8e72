//! Queries on a cluster: its objects, their writers, and the requests of the plugin.

#![expect(clippy::indexing_slicing, reason = "a JSON value answers null for a field that it lacks")]

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::control_plane::ControlPlane;
use crate::identity::Identity;

/// The object at `path`, as the administrator reads it.
///
/// # Errors
/// The API server refuses it.
pub fn object(cluster: &ControlPlane, path: &str) -> anyhow::Result<Value> {
    cluster.http(&Identity::Admin)?.get(path)?.object()
}

/// The items of the list at `path`.
///
/// # Errors
/// The API server refuses it, or it is no list.
pub fn items(cluster: &ControlPlane, path: &str) -> anyhow::Result<Vec<Value>> {
    object(cluster, path)?["items"].as_array().cloned().with_context(|| format!("{path} is no list"))
}

/// An object's name; empty if it has none.
pub fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

/// The field managers of an object. One whose only fields are its name and namespace has no managedFields at all.
pub fn managers(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let name = |entry: &Value| entry["manager"].as_str().unwrap_or_default().to_owned();
    entries.iter().map(name).collect()
}

/// The first tool of a person's that wrote to an object.
pub fn person(object: &Value) -> Option<String> {
    let people = ["kubectl", "helm", "argocd"];
    managers(object).into_iter().find(|manager| people.iter().any(|tool| manager.starts_with(tool)))
}

/// Fails unless every pod runs and has an owner, and there are more than 30, as in all samples.
///
/// # Errors
/// One does not, or there are fewer.
pub fn pods_run(cluster: &ControlPlane) -> anyhow::Result<()> {
    let pods = items(cluster, "/api/v1/pods")?;
    ensure!(pods.len() > 30, "only {} pods", pods.len());
    for pod in pods {
        ensure!(pod["status"]["phase"] == "Running", "{} is {}", name(&pod), pod["status"]["phase"]);
        ensure!(pod["metadata"]["ownerReferences"][0]["uid"].is_string(), "{} has no owner", name(&pod));
    }
    Ok(())
}

/// By the API server's own record, that the plugin asked as `identity`, and only to get and list.
///
/// # Errors
/// It asked for something else, or no request of its own is in the log.
pub fn only_read(cluster: &ControlPlane, identity: &Identity) -> anyhow::Result<()> {
    let (user, mut ours) = (identity.username(), 0);
    for event in cluster.audit_events()? {
        if event.user.username != user || !event.user_agent.starts_with("kubectl-aksarc") {
            continue;
        }
        ensure!(matches!(&*event.verb, "get" | "list"), "{} {}", event.verb, event.request_uri);
        ours += 1;
    }
    ensure!(ours > 0, "the plugin's requests as {user} cannot be told from others");
    Ok(())
}
