//! A newcomer: a fresh clone, a cluster and a shell.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use aksarc_tests::binaries::Tool;
use aksarc_tests::{ControlPlane, Finished, Identity, product};
use anyhow::Context;
use tempfile::TempDir;

/// A directory with a clone in it and a home beside it.
pub(crate) struct Newcomer {
    directory: TempDir,
}

impl Newcomer {
    /// With what git tracks of this checkout, as it is now.
    ///
    /// # Errors
    /// Git or the file system refuses.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let newcomer = Self { directory: tempfile::Builder::new().prefix("aksarc-newcomer-").tempdir()? };
        fs::create_dir_all(newcomer.home().join(".kube"))?;
        clone_to(&newcomer.repository())?;
        Ok(newcomer)
    }

    /// Has `identity`'s rights in a cluster, by a kubeconfig with one context named `context`.
    ///
    /// # Errors
    /// The cluster or kubectl refuses.
    pub(crate) fn join(&self, cluster: &ControlPlane, identity: &Identity, context: &str) -> anyhow::Result<()> {
        let kubeconfig = self.home().join(".kube/config");
        fs::copy(cluster.kubeconfig(identity)?, &kubeconfig)?;
        let mut kubectl = Command::new(Tool::Kubectl.path()?);
        kubectl.arg("--kubeconfig").arg(&kubeconfig);
        kubectl.args(["config", "rename-context", &cluster.context(identity), context]);
        Finished::run(&mut kubectl, None)?.succeeded().map(drop)
    }

    /// Types a command into bash, in the clone, as of `day`.
    ///
    /// # Errors
    /// Bash cannot be started.
    pub(crate) fn types(&self, command: &str, day: &str) -> anyhow::Result<Finished> {
        // Bash answers with the end of a pipe alone; here every part of it has to succeed.
        let mut bash = Command::new("bash");
        bash.args(["-o", "pipefail", "-c", command]).current_dir(self.repository());
        product::forget(&mut bash, &product::PACKAGE);
        product::forget(&mut bash, &OF_THE_CALLER);
        let own = [self.installed(), directory_of(&Tool::Kubectl.path()?)?];
        let inherited = env::var_os("PATH").unwrap_or_default();
        bash.env("PATH", env::join_paths(own.into_iter().chain(env::split_paths(&inherited)))?)
            .env("HOME", self.home())
            .env("LC_ALL", "C.UTF-8")
            .env("KUBECTL_AKSARC_AS_OF", day)
            // Toolchains and crates are the caller's; nothing else of the home is.
            .env("RUSTUP_HOME", of_home("RUSTUP_HOME", ".rustup")?)
            .env("CARGO_HOME", of_home("CARGO_HOME", ".cargo")?)
            .env("CARGO_INSTALL_ROOT", self.home().join(".cargo"))
            // Kept from run to run, and shared by all commands: nothing is compiled twice.
            .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme"));
        Finished::run(&mut bash, None)
    }

    /// A file of the clone.
    ///
    /// # Errors
    /// The file system refuses.
    pub(crate) fn read(&self, name: &str) -> anyhow::Result<String> {
        fs::read_to_string(self.repository().join(name)).with_context(|| format!("cannot read {name} of the clone"))
    }

    /// The names of the programs that `cargo install` has put on the PATH.
    ///
    /// # Errors
    /// The file system refuses.
    pub(crate) fn programs(&self) -> anyhow::Result<Vec<String>> {
        let names = fs::read_dir(self.installed())?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let mut names: Vec<String> = names.collect::<anyhow::Result<_>>()?;
        names.sort();
        Ok(names)
    }

    fn repository(&self) -> PathBuf {
        self.directory.path().join("clone")
    }

    fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    fn installed(&self) -> PathBuf {
        self.home().join(".cargo/bin")
    }
}

/// Copies what git tracks, with the times of the files: cargo takes what is younger than the last build for changed.
fn clone_to(clone: &Path) -> anyhow::Result<()> {
    let checkout = directory_of(Path::new(env!("CARGO_MANIFEST_DIR")))?;
    let mut git = Command::new("git");
    git.arg("-C").arg(&checkout).args(["ls-files", "-z"]);
    // A hook has them, for another command.
    product::forget(&mut git, &["GIT_"]);
    let listed = Finished::run(&mut git, None).context("cannot run git")?;
    for name in listed.succeeded()?.split_terminator('\0') {
        let (from, to) = (checkout.join(name), clone.join(name));
        // Removed, and git was not told yet.
        if !from.exists() {
            continue;
        }
        fs::create_dir_all(directory_of(&to)?)?;
        fs::copy(&from, &to).with_context(|| format!("cannot copy {name}"))?;
        File::options().append(true).open(&to)?.set_modified(fs::metadata(&from)?.modified()?)?;
    }
    Ok(())
}

/// A directory of the caller's, by its variable or in the home.
fn of_home(variable: &str, name: &str) -> anyhow::Result<PathBuf> {
    if let Some(set) = env::var_os(variable).filter(|set| !set.is_empty()) {
        return Ok(set.into());
    }
    Ok(PathBuf::from(env::var_os("HOME").with_context(|| format!("neither {variable} nor HOME is set"))?).join(name))
}

fn directory_of(path: &Path) -> anyhow::Result<PathBuf> {
    Ok(path.parent().with_context(|| format!("{} is in no directory", path.display()))?.to_owned())
}

/// Variables of the caller's that would change what a command does, by the beginnings of their names.
const OF_THE_CALLER: [&str; 5] = ["AKSARC_", "CLICOLOR_FORCE", "KUBE", "RUSTUP_TOOLCHAIN", "XDG_"];
