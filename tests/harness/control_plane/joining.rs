//! A kubelet's way into the cluster: its certificate is approved and signed by the real controllers.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::ControlPlane;
use super::access::{certificate_user, write_kubeconfig};
use crate::client::Http;
use crate::identity::Identity;
use crate::wait;

impl ControlPlane {
    /// Requests as the kubelet of `node`, with a certificate that the cluster's own controllers approved and signed: the
    /// cluster needs them, and kubeadm's two bindings for kubelets that bootstrap.
    ///
    /// # Errors
    /// The request was refused, or no certificate came in time.
    pub fn join(&self, node: &str) -> anyhow::Result<Http> {
        let user = format!("system:node:{node}");
        let (request, files) = self.pki.request(&format!("joined-{node}"), &user, "system:nodes")?;
        let request = json!({
            "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": node},
            "spec": {"request": ByteString(request.into_bytes()), "usages": ["digital signature", "client auth"],
                "signerName": "kubernetes.io/kube-apiserver-client-kubelet"},
        });
        let bootstrapper = self.http(&Identity::user_in("system:bootstrap:07401b", BOOTSTRAPPERS))?;
        bootstrapper.post(REQUESTS, &request)?.object()?;
        let signed = self.object_when(&format!("{REQUESTS}/{node}"), LIMIT, |request| {
            request.pointer("/status/certificate").is_some_and(Value::is_string)
        })?;
        let certificate: ByteString =
            serde_json::from_value(signed.pointer("/status/certificate").cloned().context("no certificate")?)?;
        fs::write(&files.certificate, certificate.0)?;
        let authority = self.pki.authority();
        let path = write_kubeconfig(
            &self.root,
            &format!("joined-{node}"),
            &self.server,
            &authority,
            &certificate_user(&files),
        )?;
        let joined = Http::new(&path, self.runtime()?.handle())?;
        // The API server may know the authority a moment later.
        wait::until("the new kubelet to be known", LIMIT, || {
            let answer = joined.get(&format!("/api/v1/nodes/{node}")).map_err(|error| format!("{error:#}"))?;
            if answer.code == 401 { Err(answer.body) } else { Ok(()) }
        })?;
        Ok(joined)
    }
}

/// The group of kubeadm's bootstrap tokens.
const BOOTSTRAPPERS: &str = "system:bootstrappers:kubeadm:default-node-token";

const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";

const LIMIT: Duration = Duration::from_secs(30);
