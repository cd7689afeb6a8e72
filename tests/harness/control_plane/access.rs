//! Access to a control plane: kubeconfigs, clients and rights of an identity.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::PoisonError;

use anyhow::Context;
use serde_json::{Value, json};

use super::{ControlPlane, LAG_LIMIT};
use crate::binaries::Tool;
use crate::client::{self, Http};
use crate::identity::{Credential, Identity};
use crate::kubectl::Finished;
use crate::pki::KeyFiles;
use crate::wait;

impl ControlPlane {
    /// The kubeconfig of `identity`, made on first use, service account and rights included.
    ///
    /// # Errors
    /// The API server refused the objects that the identity needs.
    pub fn kubeconfig(&self, identity: &Identity) -> anyhow::Result<PathBuf> {
        let mut known = self.kubeconfigs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = known.get(identity) {
            return Ok(path.clone());
        }
        let path = self.introduce(identity).with_context(|| format!("cannot set up {identity:?}"))?;
        known.insert(identity.clone(), path.clone());
        Ok(path)
    }

    /// The name of the identity's context in its kubeconfig.
    pub fn context(&self, identity: &Identity) -> String {
        identity.slug()
    }

    /// Creates the service account if need be, with its namespace, and answers its identity.
    ///
    /// # Errors
    /// As [`ControlPlane::kubeconfig`].
    pub fn service_account(&self, namespace: &str, name: &str) -> anyhow::Result<Identity> {
        let identity = Identity::service_account(namespace, name);
        self.kubeconfig(&identity)?;
        Ok(identity)
    }

    /// Plain requests as `identity`.
    ///
    /// # Errors
    /// As [`ControlPlane::kubeconfig`].
    pub fn http(&self, identity: &Identity) -> anyhow::Result<Http> {
        Http::new(&self.kubeconfig(identity)?, self.runtime()?.handle())
    }

    /// kube's client as `identity`; it works for as long as the control plane does.
    ///
    /// # Errors
    /// As [`ControlPlane::kubeconfig`].
    pub fn client(&self, identity: &Identity) -> anyhow::Result<kube::Client> {
        client::client(&self.kubeconfig(identity)?, self.runtime()?.handle())
    }

    /// Runs kubectl as `identity`.
    ///
    /// # Errors
    /// It could not be started; how it ended is in the answer.
    pub fn kubectl<A: Into<OsString>>(
        &self,
        identity: &Identity,
        arguments: impl IntoIterator<Item = A>,
    ) -> anyhow::Result<Finished> {
        self.run(identity, Tool::Kubectl, arguments, None)
    }

    /// Runs kubectl as `identity` with `input` on its stdin, for `apply -f -` and its like.
    ///
    /// # Errors
    /// As [`ControlPlane::kubectl`].
    pub fn kubectl_with<A: Into<OsString>>(
        &self,
        identity: &Identity,
        arguments: impl IntoIterator<Item = A>,
        input: &str,
    ) -> anyhow::Result<Finished> {
        self.run(identity, Tool::Kubectl, arguments, Some(input))
    }

    /// Runs Helm as `identity`; it is built on first use.
    ///
    /// # Errors
    /// As [`ControlPlane::kubectl`].
    pub fn helm<A: Into<OsString>>(
        &self,
        identity: &Identity,
        arguments: impl IntoIterator<Item = A>,
    ) -> anyhow::Result<Finished> {
        self.run(identity, Tool::Helm, arguments, None)
    }

    /// Runs Helm 3 as `identity`, for tests of `.ci/long`.
    ///
    /// # Errors
    /// As [`ControlPlane::kubectl`].
    pub fn helm_3<A: Into<OsString>>(
        &self,
        identity: &Identity,
        arguments: impl IntoIterator<Item = A>,
    ) -> anyhow::Result<Finished> {
        self.run(identity, Tool::Helm3, arguments, None)
    }

    fn run<A: Into<OsString>>(
        &self,
        identity: &Identity,
        tool: Tool,
        arguments: impl IntoIterator<Item = A>,
        input: Option<&str>,
    ) -> anyhow::Result<Finished> {
        let mut command = self.command(identity, &tool.path()?)?;
        Finished::run(command.args(arguments.into_iter().map(Into::into)), input)
    }

    /// A command that sees this cluster as `identity` and nothing of the developer's environment.
    ///
    /// # Errors
    /// As [`ControlPlane::kubeconfig`].
    pub fn command(&self, identity: &Identity, program: &Path) -> anyhow::Result<Command> {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.root)
            .env("KUBECACHEDIR", self.root.join("kubectl-cache"))
            .env("KUBECONFIG", self.kubeconfig(identity)?)
            .current_dir(&self.root);
        Ok(command)
    }

    /// Binds `identity` to a cluster role that exists.
    ///
    /// # Errors
    /// The API server refused it.
    pub fn bind(&self, identity: &Identity, cluster_role: &str) -> anyhow::Result<()> {
        let name = format!("{}-{}", short_name(identity), cluster_role.replace(':', "-"));
        let subject = match identity.credential() {
            Credential::Certificate { user, .. } => {
                json!({"kind": "User", "name": user, "apiGroup": RBAC})
            }
            Credential::Token { namespace, name } => {
                json!({"kind": "ServiceAccount", "name": name, "namespace": namespace})
            }
        };
        self.ensure(
            &format!("/apis/{RBAC}/v1/clusterrolebindings"),
            "kubectl-create",
            &json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": name},
                "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": cluster_role},
                "subjects": [subject],
            }),
        )?;
        if cluster_role == "cluster-admin" {
            let anything = json!({"verb": "*", "group": "*", "resource": "*"});
            return self.await_right(identity, &anything);
        }
        Ok(())
    }

    /// An administrator of the cluster by a group alone, as with groups of Entra ID.
    ///
    /// # Errors
    /// The API server refused the binding.
    pub fn administrator_by_group(&self) -> anyhow::Result<Identity> {
        let group = "contoso:ops";
        self.ensure(
            &format!("/apis/{RBAC}/v1/clusterrolebindings"),
            "kubectl-create",
            &json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": "contoso-ops"},
                "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
                "subjects": [{"kind": "Group", "name": group, "apiGroup": RBAC}],
            }),
        )?;
        let identity = Identity::user_in("bob@contoso.example", group);
        self.await_right(&identity, &json!({"verb": "*", "group": "*", "resource": "*"}))?;
        Ok(identity)
    }

    /// Gives `identity` the `rules` of a cluster role of its own, in RBAC's notation.
    ///
    /// # Errors
    /// The API server refused it.
    pub fn allow(&self, identity: &Identity, rules: &Value) -> anyhow::Result<()> {
        let name = format!("{}-may", short_name(identity));
        self.ensure(
            &format!("/apis/{RBAC}/v1/clusterroles"),
            "kubectl-create",
            &json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": {"name": name},
                "rules": rules,
            }),
        )?;
        self.bind(identity, &name)?;
        let first = |pointer: &str| rules.pointer(pointer).cloned().unwrap_or_default();
        let right = json!({
            "verb": first("/0/verbs/0"),
            "group": first("/0/apiGroups/0"),
            "resource": first("/0/resources/0"),
        });
        self.await_right(identity, &right)
    }

    fn introduce(&self, identity: &Identity) -> anyhow::Result<PathBuf> {
        let slug = identity.slug();
        let user = match identity.credential() {
            Credential::Certificate { user, group } => certificate_user(&self.pki.client(&slug, &user, group)?),
            Credential::Token { namespace, name } => json!({"token": self.token(namespace, name)?}),
        };
        match identity {
            Identity::Person | Identity::GitOps => self.bind(identity, "cluster-admin")?,
            Identity::Reader => self.allow(identity, &self.everything_but_nodes()?)?,
            _ => {}
        }
        write_kubeconfig(&self.root, &slug, &self.server, &self.pki.authority(), &user)
    }

    fn token(&self, namespace: &str, name: &str) -> anyhow::Result<Value> {
        let account = json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": namespace},
        });
        let manager = if namespace == "kube-system" {
            "kube-controller-manager" // which creates the accounts of its controllers itself
        } else {
            self.ensure(
                "/api/v1/namespaces",
                "kubectl-create",
                &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
            )?;
            "kubectl-create"
        };
        let accounts = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        self.ensure(&accounts, manager, &account)?;
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 86_400},
        });
        let answer = self.admin.post(&format!("{accounts}/{name}/token"), &request)?.object()?;
        answer.pointer("/status/token").cloned().context("a token request without a token")
    }

    /// RBAC only adds, so "all but nodes" has to list the rest.
    fn everything_but_nodes(&self) -> anyhow::Result<Value> {
        let names = |path: &str, list: &str| -> anyhow::Result<Vec<Value>> {
            let object = self.admin.get(path)?.object()?;
            let entries = object.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
            Ok(entries.iter().filter_map(|entry| entry.get("name").cloned()).collect())
        };
        let mut core = names("/api/v1", "resources")?;
        core.retain(|name| *name != "nodes" && !name.as_str().is_some_and(|n| n.starts_with("nodes/")));
        let groups = names("/apis", "groups")?;
        Ok(json!([
            {"apiGroups": [""], "resources": core, "verbs": ["get", "list", "watch"]},
            {"apiGroups": groups, "resources": ["*"], "verbs": ["get", "list", "watch"]},
            {"nonResourceURLs": ["*"], "verbs": ["get"]},
        ]))
    }

    /// Waits until a user has a right: the authorizer learns of a binding a moment after it is written.
    ///
    /// # Errors
    /// The user does not get it in time.
    pub fn await_right(&self, identity: &Identity, right: &Value) -> anyhow::Result<()> {
        let groups = match identity.credential() {
            Credential::Certificate { group, .. } => group.into_iter().collect(),
            Credential::Token { .. } => Vec::new(),
        };
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": identity.username(), "groups": groups, "resourceAttributes": right},
        });
        wait::until(&format!("the right {right} of {identity:?}"), LAG_LIMIT, || {
            let answer = self.admin.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", &review);
            let answer = answer.and_then(|answer| answer.object()).map_err(|error| format!("{error:#}"))?;
            if answer.pointer("/status/allowed") == Some(&Value::Bool(true)) { Ok(()) } else { Err(answer.to_string()) }
        })
    }

    fn ensure(&self, path: &str, manager: &str, object: &Value) -> anyhow::Result<()> {
        let answer = self.admin.post(&format!("{path}?fieldManager={manager}"), object)?;
        if answer.code == CONFLICT {
            return Ok(());
        }
        answer.object().map(drop)
    }
}

pub(super) fn certificate_user(files: &KeyFiles) -> Value {
    json!({"client-certificate": files.certificate, "client-key": files.key})
}

pub(super) fn write_kubeconfig(
    root: &Path,
    name: &str,
    server: &str,
    authority: &Path,
    user: &Value,
) -> anyhow::Result<PathBuf> {
    let kubeconfig = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": "control-plane",
            "cluster": {"server": server, "certificate-authority": authority},
        }],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": "control-plane", "user": name}}],
        "current-context": name,
    });
    let path = root.join(format!("{name}.kubeconfig"));
    // JSON is YAML.
    fs::write(&path, serde_json::to_vec_pretty(&kubeconfig)?)?;
    Ok(path)
}

/// The name of the binding: `alice`, `argocd-application-controller`.
fn short_name(identity: &Identity) -> String {
    let user = identity.username();
    let name = user.rsplit(':').next().unwrap_or(&user);
    name.split('@').next().unwrap_or(name).to_owned()
}

const RBAC: &str = "rbac.authorization.k8s.io";

const CONFLICT: u16 = 409;
