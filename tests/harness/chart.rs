//! The guard's Helm chart, rendered by the real Helm without a cluster.

pub mod given;
mod options;
pub mod release;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use aksarc_shared::k8s::read::yaml;
use anyhow::{Context, ensure};
use serde_json::Value;

use crate::binaries::Tool;
use crate::kubectl::Finished;
use crate::root;

pub use options::option_sets;

/// The chart in the checkout.
pub fn path() -> PathBuf {
    root().join("deploy/chart")
}

/// Runs Helm with these arguments, without a cluster and without anything of the user's own.
///
/// # Errors
/// It does not build or start.
pub fn helm(arguments: &[&str], input: Option<&str>) -> anyhow::Result<Finished> {
    let home = tempfile::tempdir()?;
    let mut command = Command::new(Tool::Helm.path()?);
    command.args(arguments).env_clear().env("HOME", home.path()).current_dir(root());
    Finished::run(&mut command, input)
}

/// The text that Helm makes of the chart with these values, as YAML, for a version of Kubernetes.
///
/// # Errors
/// It does not build or start.
pub fn render(values: &str, kubernetes: &str, further: &[&str]) -> anyhow::Result<Finished> {
    let own = ["template", "guard", "deploy/chart", "--values=-", "--kube-version", kubernetes];
    helm(&[&own[..], further].concat(), Some(values))
}

/// deploy/install.yaml: the chart with its defaults.
///
/// # Errors
/// Helm does not build, or refuses the chart.
pub fn install() -> anyhow::Result<String> {
    let text = render("", KUBERNETES, &["--no-hooks"])?;
    Ok(format!("{NOTE}{}", text.succeeded()?))
}

/// The commands in the chart's README below the heading `## <heading>`.
///
/// # Errors
/// There is no such heading, or no commands below it.
pub fn commands(heading: &str) -> anyhow::Result<Vec<String>> {
    Ok(block(heading, "console")?.lines().map(str::to_owned).collect())
}

/// The text of the first block of `language` in the chart's README below the heading `## <heading>`.
///
/// # Errors
/// There is no such heading, or no such block below it.
pub fn block(heading: &str, language: &str) -> anyhow::Result<String> {
    let text = fs::read_to_string(path().join("README.md"))?;
    let (_, rest) = text.split_once(&format!("\n## {heading}\n")).with_context(|| format!("no heading {heading:?}"))?;
    let section = rest.split("\n## ").next().unwrap_or_default();
    let (_, rest) = section.split_once(&format!("```{language}\n")).with_context(|| format!("no {language}"))?;
    Ok(rest.split("```").next().unwrap_or_default().to_owned())
}

/// The objects of a rendered text.
///
/// # Errors
/// It is no YAML, or holds something that is no object.
pub fn objects(text: &str) -> anyhow::Result<Vec<Value>> {
    let documents = yaml::documents(text).context("the chart renders no YAML")?;
    let objects: Vec<Value> = documents.into_iter().filter(|document| !document.is_null()).collect();
    ensure!(objects.iter().all(|object| object.get("kind").is_some()), "an object without a kind");
    Ok(objects)
}

/// The version of Kubernetes for which the chart is rendered unless another is named.
pub const KUBERNETES: &str = "1.33.0";

const NOTE: &str = "\
# The guard of kubectl-aksarc, for Kubernetes 1.30 and later, and the policies that protect it. Generated from deploy/chart:
#   helm template guard deploy/chart --no-hooks --kube-version 1.33.0
";
