//! The rows of the table: who sends which requests, after which source.

use std::fs;
use std::path::{Path, PathBuf};

use aksarc_tests::{Answer, Http, PatchKind, wait};
use serde::Deserialize;
use serde_json::{Value, json};

use super::LIMIT;
use super::path::Paths;

/// A file of rows about one part of the platform.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Area {
    pub(crate) area: String,
    pub(crate) rows: Vec<Row>,
}

/// Requests that one program sends.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// What it does, in a few words.
    #[serde(rename = "row")]
    pub(crate) what: String,
    /// Its identity, as `who.rs` reads it.
    pub(crate) who: String,
    /// Its user agent.
    pub(crate) agent: String,
    /// Its field manager, where it names one; else the API server takes the first part of the user agent.
    #[serde(default)]
    pub(crate) manager: String,
    pub(crate) source: String,
    pub(crate) date: String,
    /// The rule by which every request is denied, in a row that shows that the guard bites.
    #[serde(default)]
    pub(crate) refused: Option<String>,
    /// The remediation of Microsoft's whose waiver covers the requests.
    #[serde(default)]
    pub(crate) waiver: Option<String>,
    pub(crate) requests: Vec<Recorded>,
}

/// One request.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum Recorded {
    Apply {
        apply: Value,
    },
    Create {
        create: Value,
        at: Option<String>,
    },
    Delete {
        delete: String,
    },
    Patch {
        patch: String,
        kind: Option<String>,
        body: Value,
    },
    /// The taints of a node, with one more, or without those of a key: as programs write them, who read the node first.
    Taint {
        taint: String,
        add: Option<Value>,
        remove: Option<String>,
    },
}

/// A request with its path, and the operation as admission calls it.
pub(crate) struct Sent {
    pub(crate) path: String,
    pub(crate) operation: &'static str,
    pub(crate) answer: Answer,
}

impl Recorded {
    /// Sends it, or tries it as a dry run.
    pub(crate) fn send(&self, client: &Http, manager: &str, paths: &Paths, dry: bool) -> Sent {
        let mut query: Vec<String> = Vec::new();
        if !manager.is_empty() && !matches!(self, Recorded::Delete { .. }) {
            query.push(format!("fieldManager={manager}"));
        }
        if dry {
            query.push("dryRun=All".to_owned());
        }
        if matches!(self, Recorded::Apply { .. }) {
            query.push("force=true".to_owned());
        }
        let with = |path: &str| format!("{path}?{}", query.join("&"));
        match self {
            Recorded::Create { create, at } => {
                let path = at.clone().unwrap_or_else(|| paths.collection(create));
                let answer = client.post(&with(&path), create).unwrap();
                Sent { path, operation: "CREATE", answer }
            }
            Recorded::Apply { apply } => {
                let path = paths.object(apply);
                let answer = client.patch(&with(&path), PatchKind::Apply, apply).unwrap();
                let operation = if answer.code == 201 { "CREATE" } else { "UPDATE" };
                Sent { path, operation, answer }
            }
            Recorded::Patch { patch, kind, body } => {
                let kind = match kind.as_deref() {
                    None | Some("merge") => PatchKind::Merge,
                    Some("json") => PatchKind::Json,
                    Some("strategic") => PatchKind::Strategic,
                    Some(other) => panic!("no kind of patch: {other}"),
                };
                let answer = client.patch(&with(patch), kind, body).unwrap();
                Sent { path: patch.clone(), operation: "UPDATE", answer }
            }
            Recorded::Taint { taint, add, remove } => {
                let path = format!("/api/v1/nodes/{taint}");
                let written = wait::until(&format!("the taints of {taint} to be written"), LIMIT, || {
                    let node =
                        client.get(&path).and_then(|answer| answer.object()).map_err(|error| format!("{error:#}"))?;
                    let mut taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
                    taints.retain(|one| remove.as_deref() != one["key"].as_str());
                    taints.extend(add.clone());
                    let version = &node["metadata"]["resourceVersion"];
                    let change = json!({"metadata": {"resourceVersion": version}, "spec": {"taints": taints}});
                    let answer = client.patch(&with(&path), PatchKind::Merge, &change).unwrap();
                    if answer.code == 409 { Err(answer.body) } else { Ok(answer) }
                });
                Sent { path, operation: "UPDATE", answer: written.unwrap() }
            }
            Recorded::Delete { delete } => {
                let answer = client.delete(&with(delete)).unwrap();
                Sent { path: delete.clone(), operation: "DELETE", answer }
            }
        }
    }
}

/// The folder of the table.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("platform")
}

/// The document `name` of the folder.
pub(crate) fn read<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let text = fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}
