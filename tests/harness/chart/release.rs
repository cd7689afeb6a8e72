//! A release of the chart in a cluster: Helm's commands on it, and what they must leave alone.

use std::time::Duration;

use aksarc_webhook::manifest;
use anyhow::Context;
use serde_json::{Value, json};

use crate::client::Http;
use crate::control_plane::ControlPlane;
use crate::identity::Identity;
use crate::kubectl::Finished;
use crate::replicas::{configuration_path, secret_path};
use crate::wait;

/// Runs Helm as the administrator; [`CHART`] among `arguments` stands for the chart in the checkout.
///
/// # Errors
/// It does not build or start.
pub fn helm(cluster: &ControlPlane, arguments: &[&str]) -> anyhow::Result<Finished> {
    cluster.helm(&Identity::Admin, placed(arguments))
}

/// The same with Helm 3.
///
/// # Errors
/// As [`helm`].
pub fn helm_3(cluster: &ControlPlane, arguments: &[&str]) -> anyhow::Result<Finished> {
    cluster.helm_3(&Identity::Admin, placed(arguments))
}

fn placed(arguments: &[&str]) -> Vec<String> {
    let chart = super::path().display().to_string();
    arguments.iter().map(|&own| if own == CHART { chart.clone() } else { own.to_owned() }).collect()
}

/// The word for the chart in a command.
pub const CHART: &str = "deploy/chart";

/// What API servers trust, as `caBundle` of each webhook, and the uid of the Secret that the guard keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    pub bundles: Vec<Value>,
    pub secret: Option<Value>,
}

/// What API servers trust now.
///
/// # Errors
/// There is no webhook configuration, or Helm has written the Secret.
pub fn trusted(cluster: &ControlPlane) -> anyhow::Result<Trusted> {
    let admin = cluster.http(&Identity::Admin)?;
    let configuration = admin.get(&configuration_path())?.object()?;
    let webhooks = configuration.get("webhooks").and_then(Value::as_array).context("no webhooks")?;
    let bundle = |own: &Value| own.pointer("/clientConfig/caBundle").cloned().unwrap_or_default();
    Ok(Trusted { bundles: webhooks.iter().map(bundle).collect(), secret: secret(&admin)? })
}

fn secret(admin: &Http) -> anyhow::Result<Option<Value>> {
    let answer = admin.get(&secret_path())?;
    if !answer.is_success() {
        return Ok(None);
    }
    let secret = answer.object()?;
    let meta = secret.get("metadata").context("no metadata")?;
    let managers = meta.get("managedFields").map(Value::to_string).unwrap_or_default();
    anyhow::ensure!(!managers.contains("helm"), "Helm wrote the Secret: {managers}");
    Ok(meta.get("uid").cloned())
}

/// Waits until the guard refuses a person's workload in kube-system: 403, by our webhook, with the rule's code.
///
/// # Errors
/// It did not in time.
pub fn await_denied(cluster: &ControlPlane) -> anyhow::Result<()> {
    let person = cluster.http(&Identity::Person)?;
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web"}]}}}});
    wait::until("a denial", LIMIT, || {
        let path = "/apis/apps/v1/namespaces/kube-system/deployments?dryRun=All";
        let answer = person.post(path, &deployment).map_err(|error| error.to_string())?;
        let by_us = answer.body.contains(&format!("{}\\\" denied the request", manifest::SYSTEM_WEBHOOK));
        if answer.code == 403 && by_us && answer.body.contains("AA303") { Ok(()) } else { Err(answer.body) }
    })
}

/// The mode in the ConfigMap of the configuration.
///
/// # Errors
/// There is none.
pub fn mode(cluster: &ControlPlane) -> anyhow::Result<String> {
    let path = format!("/api/v1/namespaces/{}/configmaps/guard", manifest::NAMESPACE);
    let map = cluster.http(&Identity::Admin)?.get(&path)?.object()?;
    let text = map.pointer("/data/guard.yaml").and_then(Value::as_str).context("no guard.yaml")?;
    let config: Value = serde_saphyr::from_str(text)?;
    Ok(config.get("mode").and_then(Value::as_str).unwrap_or_default().to_owned())
}

const LIMIT: Duration = Duration::from_mins(1);
