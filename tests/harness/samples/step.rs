//! The steps of a sample, in the format of its file.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::identity::Identity;

/// The first document of a sample's file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) kubernetes: String,
    pub(super) starts_as: Option<String>,
    #[serde(default)]
    pub(super) values: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) lists: BTreeMap<String, Vec<BTreeMap<String, String>>>,
    /// Parts to load before the sample's own steps, and after them.
    #[serde(default)]
    pub(super) before: Vec<String>,
    #[serde(default)]
    pub(super) after: Vec<String>,
}

/// Every other document: one act of an identity, perhaps on each item of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    #[serde(default)]
    pub(super) who: String,
    pub(super) manager: Option<String>,
    /// A file of `parts/`, whose steps come here.
    pub(super) part: Option<String>,
    #[serde(default, rename = "for")]
    pub(super) each: Each,
    #[serde(default)]
    pub(super) create: Vec<Value>,
    pub(super) patch: Option<Patch>,
    pub(super) delete: Option<String>,
    /// A time of its own in managedFields, which count seconds.
    #[serde(default)]
    pub(super) later: bool,
    /// The days of the certificate that the API server presents from now on.
    pub(super) certificate: Option<Days>,
    /// Whether the key management provider runs, on a control plane that has one.
    pub(super) keys: Option<bool>,
    /// By what it knows its clients from now on.
    pub(super) authority: Option<Days>,
    #[serde(default)]
    pub(super) kubectl: Vec<String>,
    #[serde(default)]
    pub(super) stdin: Vec<Value>,
    pub(super) editor: Option<String>,
}

/// From when to when a certificate holds, in days from now.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Days {
    pub(super) from: i64,
    pub(super) to: i64,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Each {
    Listed(String),
    Rows(Vec<BTreeMap<String, String>>),
}

impl Default for Each {
    fn default() -> Self {
        Self::Rows(Vec::new())
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Patch {
    pub(super) path: String,
    #[serde(default)]
    pub(super) kind: PatchWord,
    pub(super) body: Value,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PatchWord {
    Apply,
    Json,
    Merge,
    #[default]
    Strategic,
}

pub(super) type Values = BTreeMap<String, String>;

impl Step {
    pub(super) fn summary(&self) -> String {
        if let Some(patch) = &self.patch {
            return format!("patch {}", patch.path);
        }
        if let Some(path) = &self.delete {
            return format!("delete {path}");
        }
        if self.certificate.is_some() {
            return "a certificate".to_owned();
        }
        if self.keys.is_some() {
            return "the key provider".to_owned();
        }
        if self.authority.is_some() {
            return "an authority".to_owned();
        }
        if self.kubectl.is_empty() {
            format!("create {} objects", self.create.len())
        } else {
            format!("kubectl {}", self.kubectl.join(" "))
        }
    }
}

/// The identity that a word of a step names.
///
/// # Errors
/// Nobody is called so.
pub fn identity(word: &str) -> anyhow::Result<Identity> {
    Ok(match word.split_once(':') {
        None if word == "admin" => Identity::Admin,
        None if word == "gitops" => Identity::GitOps,
        None if word == "node-controller" => Identity::NodeController,
        None if word == "person" => Identity::Person,
        None if word == "second-admin" => Identity::SecondAdmin,
        Some(("kubelet", node)) => Identity::kubelet(node),
        Some(("service-account", account)) => {
            let (namespace, name) = account.split_once('/').context("want <namespace>/<name>")?;
            Identity::service_account(namespace, name)
        }
        Some(("user", name)) => Identity::user(name),
        _ => bail!("nobody is called {word}"),
    })
}
