//! The programs of a control plane: found, or built from Go modules.
//!
//! `KUBEBUILDER_ASSETS` first, then a cache that all clones of this user share, then Go. A test
//! that needs a program it cannot have fails; skipping would look like passing.

mod kubernetes;

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use crate::cache;

pub use kubernetes::Kubernetes;

/// A program the harness starts.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Tool {
    Etcd,
    KubeApiserver(Kubernetes),
    KubeControllerManager(Kubernetes),
    KubeScheduler(Kubernetes),
    Kubectl,
    Kwok,
    /// A key management provider, for control planes that ask for one.
    KeyProvider,
    /// For tests of charts: no control plane needs it.
    Helm,
    /// For tests of `.ci/long` that upgrade a release of Helm 3.
    Helm3,
    /// For tests of metrics: no control plane needs it.
    Promtool,
    /// A registry of OCI artifacts, for tests of the chart as one.
    Registry,
    /// Controller and cainjector of cert-manager, for tests of `.ci/long`.
    CertManager,
    /// For the benchmark that compares the guard with it.
    Gatekeeper,
    /// For the benchmark that compares the guard with it: the admission controller alone.
    Kyverno,
}

impl Tool {
    /// All that tests on this Kubernetes start, about in the order in which they need them. Those on another than the newest are of `.ci/long`.
    pub fn all(kubernetes: Kubernetes) -> Vec<Self> {
        let controllers = kubernetes.of_controllers();
        let further = if kubernetes == Kubernetes::NEWEST {
            vec![Self::KeyProvider, Self::Promtool]
        } else {
            vec![Self::Registry, Self::Helm3, Self::CertManager]
        };
        let mut all = vec![
            Self::Etcd,
            Self::KubeApiserver(kubernetes),
            Self::Kubectl,
            Self::KubeControllerManager(controllers),
            Self::KubeScheduler(controllers),
            Self::Kwok,
            Self::Helm,
        ];
        all.extend(further);
        all
    }

    /// The program, built first if it has to be.
    ///
    /// # Errors
    /// Neither the program nor Go is there, or Go could not build it; the message holds Go's own.
    pub fn path(self) -> anyhow::Result<PathBuf> {
        Lookup::from_environment()?.path(self)
    }

    fn program(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver(_) => "kube-apiserver",
            Self::KubeControllerManager(_) => "kube-controller-manager",
            Self::KubeScheduler(_) => "kube-scheduler",
            Self::Kubectl => "kubectl",
            Self::Kwok => "kwok",
            Self::KeyProvider => "key-provider",
            Self::Helm | Self::Helm3 => "helm",
            Self::Promtool => "promtool",
            Self::Registry => "registry",
            Self::CertManager => "cert-manager",
            Self::Gatekeeper => "gatekeeper",
            Self::Kyverno => "kyverno",
        }
    }

    fn module(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Kwok => "kwok",
            Self::KeyProvider => "key-provider",
            Self::Helm => "helm",
            Self::Helm3 => "helm-3",
            Self::Promtool | Self::Registry | Self::CertManager | Self::Gatekeeper | Self::Kyverno => self.program(),
            _ => self.kubernetes().unwrap_or(Kubernetes::V1_33).module(),
        }
    }

    fn package(self) -> String {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3".to_owned(),
            Self::Kwok => "sigs.k8s.io/kwok/cmd/kwok".to_owned(),
            Self::KeyProvider | Self::Registry | Self::CertManager => ".".to_owned(),
            Self::Helm => "helm.sh/helm/v4/cmd/helm".to_owned(),
            Self::Helm3 => "helm.sh/helm/v3/cmd/helm".to_owned(),
            Self::Promtool => "github.com/prometheus/prometheus/cmd/promtool".to_owned(),
            Self::Gatekeeper => "github.com/open-policy-agent/gatekeeper/v3".to_owned(),
            Self::Kyverno => "github.com/kyverno/kyverno/cmd/kyverno".to_owned(),
            _ => format!("k8s.io/kubernetes/cmd/{}", self.program()),
        }
    }

    fn kubernetes(self) -> Option<Kubernetes> {
        match self {
            Self::Etcd
            | Self::Kwok
            | Self::KeyProvider
            | Self::Helm
            | Self::Helm3
            | Self::Promtool
            | Self::Registry
            | Self::CertManager
            | Self::Gatekeeper
            | Self::Kyverno => None,
            Self::KubeApiserver(version) => Some(version),
            Self::KubeControllerManager(version) | Self::KubeScheduler(version) => Some(version.of_controllers()),
            Self::Kubectl => Some(Kubernetes::V1_33),
        }
    }

    /// Build tags. promtool without the clients of every cloud builds in a third of the time.
    fn tags(self) -> &'static str {
        if self == Self::Promtool { "remove_all_sd" } else { "" }
    }

    /// Kubernetes and Helm get their versions from the linker; without it `/version` says v0.0.0.
    fn linker_flags(self) -> String {
        let mut flags = "-s -w".to_owned();
        // Helm shows its version to charts.
        match self {
            Self::Helm => flags.push_str(" -X helm.sh/helm/v4/internal/version.version=v4.3.1"),
            Self::Helm3 => flags.push_str(" -X helm.sh/helm/v3/internal/version.version=v3.22.0"),
            _ => {}
        }
        if let Some(version) = self.kubernetes() {
            let values = [
                ("gitVersion", version.git_version().to_owned()),
                ("gitMajor", "1".to_owned()),
                ("gitMinor", version.minor().to_owned()),
                ("gitTreeState", "clean".to_owned()),
            ];
            for (name, value) in values {
                flags.push_str(" -X k8s.io/component-base/version.");
                flags.push_str(name);
                flags.push('=');
                flags.push_str(&value);
            }
        }
        flags
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.program())?;
        match self.kubernetes() {
            Some(version) => write!(out, " {}", version.git_version()),
            None => Ok(()),
        }
    }
}

struct Lookup {
    assets: Option<PathBuf>,
    cache: PathBuf,
    go: OsString,
}

impl Lookup {
    fn from_environment() -> anyhow::Result<Self> {
        let assets = env::var_os("KUBEBUILDER_ASSETS").filter(|value| !value.is_empty());
        Ok(Self { assets: assets.map(PathBuf::from), cache: cache::directory("controlplane")?, go: "go".into() })
    }

    fn path(&self, tool: Tool) -> anyhow::Result<PathBuf> {
        if let Some(asset) = self.asset(tool) {
            return Ok(asset);
        }
        let module = Path::new(MODULES).join(tool.module());
        let directory = self.cache.join(format!("{}-{}", tool.program(), fingerprint(tool, &module)?));
        let path = directory.join(tool.program());
        if path.exists() {
            return Ok(path);
        }
        fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
        // One build at a time: two would compile the packages they share twice. The lock falls
        // with the file, also when its holder is killed.
        let waiting = || say(&format!("waiting for {tool}: another process is building"));
        let _lock = cache::lock(&self.cache.join("lock"), waiting)?;
        if !path.exists() {
            self.build(tool, &module, &path)?;
        }
        Ok(path)
    }

    /// The developer's own binary, unless it is a part of Kubernetes of another minor.
    fn asset(&self, tool: Tool) -> Option<PathBuf> {
        let path = self.assets.as_ref()?.join(tool.program());
        if !path.is_file() {
            return None;
        }
        let wanted = match tool {
            Tool::Etcd
            | Tool::Kubectl
            | Tool::Kwok
            | Tool::KeyProvider
            | Tool::Helm
            | Tool::Promtool
            | Tool::Registry => return Some(path),
            // One has the name of the other Helm; the figures of two are those of the pinned versions; and no program of
            // cert-manager's own is both of its parts.
            Tool::Helm3 | Tool::Gatekeeper | Tool::Kyverno | Tool::CertManager => return None,
            Tool::KubeApiserver(version) | Tool::KubeControllerManager(version) | Tool::KubeScheduler(version) => {
                version
            }
        };
        let answer = Command::new(&path).arg("--version").output().ok()?;
        is_minor(&String::from_utf8_lossy(&answer.stdout), wanted).then_some(path)
    }

    fn build(&self, tool: Tool, module: &Path, path: &Path) -> anyhow::Result<()> {
        say(&format!("building {tool} with Go; the first time takes minutes"));
        let started = Instant::now();
        let unfinished = path.with_extension(format!("unfinished-{}", std::process::id()));
        let built = Command::new(&self.go)
            .args(["build", "-trimpath", "-tags", tool.tags(), "-ldflags", &tool.linker_flags(), "-o"])
            .arg(&unfinished)
            .arg(tool.package())
            .current_dir(module)
            .env("CGO_ENABLED", "0")
            .env("GOWORK", "off")
            .output();
        let output = match built {
            Ok(output) => output,
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
                "this test needs {tool}, and there is neither a built one nor Go to build it. \
                 Install Go 1.26 or newer (https://go.dev/dl), or set KUBEBUILDER_ASSETS to a \
                 directory with etcd, kube-apiserver, kube-controller-manager, kube-scheduler, \
                 kubectl and kwok"
            ),
            Err(error) => return Err(error).context("cannot start Go"),
        };
        if !output.status.success() {
            bail!(
                "Go could not build {tool} in {} ({}):\n{}",
                module.display(),
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        fs::rename(&unfinished, path)
            .with_context(|| format!("cannot move the built program to {}", path.display()))?;
        say(&format!("built {tool} in {:.0?}", started.elapsed()));
        Ok(())
    }
}

fn is_minor(version: &str, wanted: Kubernetes) -> bool {
    version.starts_with(&format!("Kubernetes v1.{}.", wanted.minor()))
}

/// A hash of the sources of the program, so that a new pin never meets an old binary.
fn fingerprint(tool: Tool, module: &Path) -> anyhow::Result<String> {
    let mut hash = Sha256::new();
    let is_own = matches!(tool, Tool::KeyProvider | Tool::Registry | Tool::CertManager);
    let sources = if is_own { &["go.mod", "go.sum", "main.go"][..] } else { &["go.mod", "go.sum"] };
    for name in sources {
        let path = module.join(name);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        hash.update(bytes);
    }
    hash.update(tool.linker_flags());
    hash.update(tool.tags());
    let digest = hash.finalize();
    let head = digest.first_chunk().copied().unwrap_or_default();
    Ok(format!("{:016x}", u64::from_be_bytes(head)))
}

/// Past the test runner's capture: whoever waits for minutes wants to know what for.
fn say(line: &str) {
    // A closed stderr is no reason to fail a build.
    let _ = writeln!(io::stderr(), "control plane: {line}");
}

/// The Go modules that pin what is built.
pub(crate) const MODULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/controlplane");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_the_modules_pin() {
        for version in Kubernetes::ALL {
            let path = Path::new(MODULES).join(version.module()).join("go.mod");
            let pin = format!("k8s.io/kubernetes {}", version.of_controllers().git_version());
            assert!(fs::read_to_string(path).unwrap().contains(&pin), "{pin}");
        }
    }

    #[test]
    fn versions_of_helm_are_those_the_modules_pin() {
        for (tool, path) in [(Tool::Helm, "helm.sh/helm/v4"), (Tool::Helm3, "helm.sh/helm/v3")] {
            let pins = fs::read_to_string(Path::new(MODULES).join(tool.module()).join("go.mod")).unwrap();
            let flags = tool.linker_flags();
            let version = flags.rsplit_once("version.version=").unwrap().1;
            assert!(pins.contains(&format!("{path} {version} ")), "{path} {version}");
        }
    }

    #[test]
    fn without_program_and_go_the_message_says_what_to_install() {
        let directory = tempfile::tempdir().unwrap();
        let lookup = Lookup { assets: None, cache: directory.path().to_owned(), go: "no-such-go".into() };
        let message = lookup.path(Tool::Etcd).unwrap_err().to_string();
        assert!(message.contains("needs etcd") && message.contains("Install Go"), "{message}");
        assert!(message.contains("KUBEBUILDER_ASSETS"), "{message}");
    }

    #[test]
    fn a_failed_build_shows_the_words_of_the_compiler() {
        let directory = tempfile::tempdir().unwrap();
        let lookup = Lookup {
            assets: None,
            cache: directory.path().to_owned(),
            // Asked to run a script called `build`, a shell complains as Go would.
            go: "/bin/sh".into(),
        };
        let message = lookup.path(Tool::Etcd).unwrap_err().to_string();
        assert!(message.contains("Go could not build etcd"), "{message}");
        assert!(message.contains("cannot open build") || message.contains("build:"), "{message}");
    }

    #[test]
    fn only_kubernetes_of_the_wanted_minor_is_taken_from_the_assets() {
        assert!(is_minor("Kubernetes v1.33.0\n", Kubernetes::V1_33));
        assert!(!is_minor("Kubernetes v1.33.0\n", Kubernetes::V1_28));
        assert!(!is_minor("Kubernetes v1.3.0\n", Kubernetes::V1_33));
        assert!(!is_minor("Kubernetes v1.28.15\n", Kubernetes::V1_28Vendor), "it is built for the test");
    }
}
