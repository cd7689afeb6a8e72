//! cert-manager in a cluster: definitions, accounts and rights of its own chart, and its controller and cainjector as
//! processes. Its webhook is not there: it fills in and judges what people write, and the API server's defaults are enough.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::binaries::Tool;
use crate::chart;
use crate::control_plane::ControlPlane;
use crate::go_module::GoModule;
use crate::identity::Identity;
use crate::process::Supervised;

/// A running cert-manager.
#[derive(Debug)]
pub struct CertManager<'c> {
    cluster: &'c ControlPlane,
    /// The version that is pinned.
    pub version: String,
    _controller: Supervised,
    cainjector: Supervised,
}

impl<'c> CertManager<'c> {
    /// Installs what its chart has besides pods and webhooks, and starts its controller and its cainjector as the accounts
    /// that the chart makes for them.
    ///
    /// # Errors
    /// Its module cannot be downloaded, or the API server refuses a part of the chart.
    pub fn install(cluster: &'c ControlPlane) -> anyhow::Result<Self> {
        let module = GoModule::download("cert-manager", "github.com/cert-manager/cert-manager")?;
        let directory = module.directory.join("deploy/charts/cert-manager").display().to_string();
        let set = "--set=crds.enabled=true,startupapicheck.enabled=false";
        let rendered = chart::helm(&["template", "cert-manager", &directory, "--namespace", NAMESPACE, set], None)?;
        let mut objects = chart::objects(rendered.succeeded()?)?;
        objects.retain(|object| object.get("kind").and_then(Value::as_str).is_some_and(|kind| KINDS.contains(&kind)));
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
        cluster.kubectl(&Identity::Admin, ["create", "namespace", NAMESPACE])?.succeeded()?;
        cluster.kubectl_with(&Identity::Admin, ["apply", "--server-side", "-f", "-"], &list)?.succeeded()?;
        let wait = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=2m"];
        cluster.kubectl(&Identity::Admin, wait)?.succeeded()?;
        let controller = start(cluster, "cert-manager", &["controller"])?;
        let cainjector = start(cluster, CAINJECTOR, &["cainjector"])?;
        Ok(CertManager { cluster, version: module.version, _controller: controller, cainjector })
    }

    /// Starts its cainjector anew, with `features` as its option `--feature-gates` takes them.
    ///
    /// # Errors
    /// It does not start.
    pub fn inject_with(&mut self, features: &[&str]) -> anyhow::Result<()> {
        self.cainjector.end();
        self.cainjector = start(self.cluster, CAINJECTOR, &[&["cainjector"], features].concat())?;
        Ok(())
    }

    /// Has a certificate issued anew, as `cmctl renew` does.
    ///
    /// # Errors
    /// There is no such Certificate.
    pub fn renew(&self, namespace: &str, certificate: &str) -> anyhow::Result<()> {
        let admin = self.cluster.http(&Identity::Admin)?;
        let path = format!("/apis/cert-manager.io/v1/namespaces/{namespace}/certificates/{certificate}");
        let mut object = admin.get(&path)?.object()?;
        let conditions = object.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
        let conditions = conditions.context("a Certificate without conditions")?;
        conditions.retain(|condition| condition.get("type").is_some_and(|own| own != "Issuing"));
        conditions.push(json!({"type": "Issuing", "status": "True", "reason": "ManuallyTriggered",
            "message": "Certificate re-issuance manually triggered"}));
        let answer = admin.put(&format!("{path}/status"), &object)?;
        ensure!(answer.is_success(), "{}", answer.body);
        Ok(())
    }
}

fn start(cluster: &ControlPlane, account: &'static str, arguments: &[&str]) -> anyhow::Result<Supervised> {
    let identity = cluster.service_account(NAMESPACE, account)?;
    let kubeconfig = cluster.kubeconfig(&identity)?;
    let environment = BTreeMap::from([("KUBECONFIG".to_owned(), kubeconfig.display().to_string())]);
    let log = cluster.directory().join(account).with_extension("log");
    Supervised::start_with(account, &Tool::CertManager.path()?, arguments, &environment, log)
}

/// The namespace that cert-manager is installed in.
pub const NAMESPACE: &str = "cert-manager";

const CAINJECTOR: &str = "cert-manager-cainjector";

const KINDS: [&str; 6] =
    ["ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Role", "RoleBinding", "ServiceAccount"];
