//! Credential plugins (`users[].user.exec`), run once and with a time limit.
//!
//! kube would run the plugin three times per client, which for one that opens a browser is two too many, and would wait
//! for it without end.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use k8s_openapi::ByteString;
use kube::config::{AuthInfo, ExecConfig, ExecInteractiveMode};
use serde::Deserialize;
use tokio::process::Command;
use tokio::time::timeout;

use crate::cli::exit::Failure;

/// Runs the plugin, if there is one, and replaces it with the credentials that it returns.
pub(super) async fn resolve(user: &mut AuthInfo, limit: Duration) -> Result<(), Failure> {
    let Some(exec) = user.exec.take() else { return Ok(()) };
    let command = exec.command.clone().unwrap_or_default();
    let status =
        run(&exec, limit).await.map_err(|error| {
            let hint = exec.install_hint.as_ref().map(|hint| format!("; {}", hint.trim())).unwrap_or_default();
            Failure::run(error.context(format!(
                "no credentials from plugin {command:?} of the kubeconfig, so nothing was checked{hint}"
            )))
        })?;
    let parsed: AuthInfo =
        serde_json::from_value(serde_json::json!({ "token": status.token })).map_err(Failure::run)?;
    user.token = parsed.token;
    if let (Some(certificate), Some(key)) = (status.client_certificate_data, status.client_key_data) {
        // The plugin answers in PEM; a kubeconfig holds PEM in base64, which is how a ByteString is written.
        let encoded = serde_json::json!({
            "client-certificate-data": ByteString(certificate.into_bytes()),
            "client-key-data": ByteString(key.into_bytes()),
        });
        let parsed: AuthInfo = serde_json::from_value(encoded).map_err(Failure::run)?;
        user.client_certificate = None;
        user.client_key = None;
        user.client_certificate_data = parsed.client_certificate_data;
        user.client_key_data = parsed.client_key_data;
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
struct Credential {
    status: Option<Status>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

async fn run(exec: &ExecConfig, limit: Duration) -> anyhow::Result<Status> {
    let name = exec.command.as_deref().context("the kubeconfig names no command")?;
    let mut command = Command::new(name);
    command.args(exec.args.iter().flatten()).kill_on_drop(true).stdout(Stdio::piped()).stderr(Stdio::inherit());
    for entry in exec.env.iter().flatten() {
        if let (Some(name), Some(value)) = (entry.get("name"), entry.get("value")) {
            command.env(name, value);
        }
    }
    let interactive = exec.interactive_mode != Some(ExecInteractiveMode::Never);
    command.stdin(if interactive { Stdio::inherit() } else { Stdio::null() });
    let mut spec = serde_json::json!({ "interactive": interactive });
    if let (Some(cluster), Some(spec)) = (&exec.cluster, spec.as_object_mut()) {
        spec.insert("cluster".to_owned(), serde_json::to_value(cluster)?);
    }
    let info = serde_json::json!({ "apiVersion": exec.api_version, "kind": "ExecCredential", "spec": spec });
    command.env("KUBERNETES_EXEC_INFO", info.to_string());
    let child = command.spawn().context("cannot start it")?;
    let output = timeout(limit, child.wait_with_output()).await;
    let output = output
        .map_err(|_| anyhow!("it did not answer within {limit:?} (--request-timeout)"))?
        .context("cannot run it")?;
    if !output.status.success() {
        return Err(anyhow!("it ended with {}", output.status));
    }
    Status::read(output.stdout)
}

impl Status {
    /// The status in the output of a credential plugin.
    ///
    /// # Errors
    /// The output is not an `ExecCredential`, or has no credentials.
    fn read(output: Vec<u8>) -> anyhow::Result<Self> {
        let text = String::from_utf8(output).context("its output is not text")?;
        let credential: Credential =
            serde_saphyr::from_str(&text).map_err(|_| anyhow!("its output is not an ExecCredential"))?;
        let status = credential.status.context("its output has no status")?;
        if status.token.is_none() && status.client_certificate_data.is_none() {
            return Err(anyhow!("its output contains neither a token nor a certificate"));
        }
        Ok(status)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    proptest! {
        // The same for every run.
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_token_is_read_back(token in "\\PC{1,40}", key in prop::option::of("\\PC{1,40}")) {
            let output = serde_json::json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                "status": {"token": token, "clientCertificateData": key, "clientKeyData": key}});
            let status = Status::read(output.to_string().into_bytes()).unwrap();
            prop_assert_eq!((status.token, status.client_key_data), (Some(token), key));
        }

        #[test]
        fn odd_outputs_are_errors_and_an_answer_without_credentials_is_refused(
            mut output in Just(br#"{"kind":"ExecCredential","status":{"token":"a"}}"#.to_vec()),
            at in any::<prop::sample::Index>(),
            bytes in prop::collection::vec(any::<u8>(), 0..4),
        ) {
            let at = at.index(output.len());
            output.splice(at..=at, bytes);
            if let Ok(status) = Status::read(output) {
                prop_assert!(status.token.is_some() || status.client_certificate_data.is_some());
            }
        }
    }
}
