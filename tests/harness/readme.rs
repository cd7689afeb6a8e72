//! The commands of README, run as a reader would type them.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, anyhow};

use crate::binaries::Tool;
use crate::control_plane::ControlPlane;
use crate::identity::Identity;
use crate::kubectl::Finished;
use crate::{product, root};

/// The `console` blocks below the heading `### <heading>` of README, of which there have to be `N`.
///
/// # Errors
/// README has no such heading, or another number of blocks below it.
pub fn blocks<const N: usize>(heading: &str) -> anyhow::Result<[String; N]> {
    let text = fs::read_to_string(root().join("README.md"))?;
    let (_, rest) =
        text.split_once(&format!("\n### {heading}\n")).with_context(|| format!("README has no heading {heading:?}"))?;
    let section = rest.split("\n#").next().unwrap_or_default();
    let blocks = section.split("```console\n").skip(1);
    let blocks: Vec<String> = blocks.filter_map(|block| Some(block.split_once("```")?.0.to_owned())).collect();
    let count = blocks.len();
    blocks.try_into().map_err(|_| anyhow!("README has {count} blocks of commands below {heading:?}, not {N}"))
}

/// A directory for typing commands, with the files that README takes for granted: `ca.crt`, `deploy/`, and on the
/// `PATH` kubectl, Helm and the guard's program.
#[derive(Debug)]
pub struct Desk<'c> {
    cluster: &'c ControlPlane,
    directory: PathBuf,
    path: String,
}

impl<'c> Desk<'c> {
    /// # Errors
    /// A program is missing or does not build, or the directory cannot be made.
    pub fn new(cluster: &'c ControlPlane) -> anyhow::Result<Self> {
        let directory = cluster.directory().join("desk");
        fs::create_dir_all(&directory)?;
        fs::copy(cluster.authority(), directory.join("ca.crt"))?;
        // Several tests may have a desk at one cluster.
        let deploy = directory.join("deploy");
        match symlink(root().join("deploy"), &deploy) {
            Err(error) if !deploy.exists() => return Err(error.into()),
            _ => {}
        }
        let mut path = vec![parent(&Tool::Kubectl.path()?), parent(&Tool::Helm.path()?), parent(&product::webhook()?)];
        path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        let path = env::join_paths(path)?.into_string().ok().context("a PATH that is no text")?;
        Ok(Desk { cluster, directory, path })
    }

    /// A file in the directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Runs a block of commands with bash; the first that fails ends it, in a pipe too.
    ///
    /// # Errors
    /// bash could not be started; how it ended is in the answer.
    pub fn run(&self, who: &Identity, commands: &str) -> anyhow::Result<Finished> {
        let mut bash = self.cluster.command(who, Path::new("bash"))?;
        bash.env("PATH", &self.path).current_dir(&self.directory).args(["-euo", "pipefail", "-c", commands]);
        Finished::run(&mut bash, None)
    }
}

fn parent(program: &Path) -> PathBuf {
    program.parent().unwrap_or(Path::new("/")).to_owned()
}
