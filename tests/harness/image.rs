//! The container images, of the guard and of the plugin: a static program, and nothing else, for each architecture, as an OCI
//! image layout. No container engine takes part, and the same source gives the same digests on every machine.

mod layer;
mod programs;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use aksarc_shared::text;
use anyhow::{Context, ensure};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::root;

pub use layer::OWNER;
pub use programs::{static_program, target};

/// A program that there is an image of. The chart's CronJob runs the plugin's. Both in one would be more than a node on a slow
/// line should have to pull.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Program {
    Guard,
    Plugin,
}

/// An architecture that there is an image for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Architecture {
    Amd64,
    Arm64,
}

/// An image in a directory.
#[derive(Clone, Debug)]
pub struct Image {
    /// Of the index of all architectures: what a reference by digest names.
    pub digest: String,
    /// Bytes of the compressed layer of each architecture, which is what a node pulls.
    pub sizes: Vec<(Architecture, u64)>,
}

/// A blob of the layout, as manifests refer to it.
#[derive(Clone, Debug)]
struct Descriptor {
    media_type: &'static str,
    digest: String,
    size: u64,
}

impl Program {
    pub const ALL: [Self; 2] = [Self::Guard, Self::Plugin];

    /// The program of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|program| program.name() == name)
    }

    /// The name of its package, its file and its image.
    pub fn name(self) -> &'static str {
        match self {
            Self::Guard => "aksarc-webhook",
            Self::Plugin => "kubectl-aksarc",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Guard => "The guard of kubectl-aksarc, an admission webhook for AKS enabled by Azure Arc",
            Self::Plugin => {
                "kubectl-aksarc, which checks a cluster against the support policy of AKS enabled by Azure Arc"
            }
        }
    }

    fn ports(self) -> &'static [u16] {
        match self {
            Self::Guard => &[8443, 8080, 8081],
            Self::Plugin => &[],
        }
    }
}

impl Architecture {
    pub const ALL: [Self; 2] = [Self::Amd64, Self::Arm64];

    /// The architecture of this machine.
    pub const HOST: Self = if cfg!(target_arch = "aarch64") { Self::Arm64 } else { Self::Amd64 };

    /// The architecture of this name, as images have it.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|architecture| architecture.to_string() == name)
    }

    /// Rust's name for it.
    pub fn target(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-unknown-linux-musl",
            Self::Arm64 => "aarch64-unknown-linux-musl",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        })
    }
}

/// Writes the image layout of a program to the directory `output`, which is new or empty, from its static build for each
/// architecture. `created` is the only time in it.
///
/// # Errors
/// A build is missing, or the layout cannot be written.
pub fn write(
    output: &Path,
    program: Program,
    builds: &[(Architecture, PathBuf)],
    created: Timestamp,
) -> anyhow::Result<Image> {
    fs::create_dir_all(output)?;
    let is_empty = fs::read_dir(output)?.next().is_none();
    ensure!(is_empty, "{} is not empty: an image goes into a directory of its own", output.display());
    fs::create_dir_all(output.join("blobs/sha256"))?;
    let annotations = annotations(program, created);
    let (mut manifests, mut sizes) = (Vec::new(), Vec::new());
    for (architecture, build) in builds {
        let tar = layer::tar(program.name(), build)?;
        let layer = put(output, LAYER, &layer::gzip(&tar)?)?;
        let diff = format!("sha256:{}", text::hex(&Sha256::digest(&tar)));
        let config = config(program, *architecture, &diff, &annotations, created);
        let config = put(output, CONFIG, &serde_json::to_vec(&config)?)?;
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config.json(),
            "layers": [layer.json()], "annotations": annotations});
        let manifest = put(output, MANIFEST, &serde_json::to_vec(&manifest)?)?;
        let platform = json!({"os": "linux", "architecture": architecture.to_string()});
        manifests.push(manifest.with("platform", platform));
        sizes.push((*architecture, layer.size));
    }
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests, "annotations": annotations});
    let index = put(output, INDEX, &serde_json::to_vec(&index)?)?;
    let named = index.with("annotations", json!({"org.opencontainers.image.ref.name": VERSION}));
    let layout = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [named]});
    fs::write(output.join("index.json"), serde_json::to_vec(&layout)?)?;
    fs::write(output.join("oci-layout"), json!({"imageLayoutVersion": "1.0.0"}).to_string())?;
    Ok(Image { digest: index.digest, sizes })
}

/// The time that an image of this checkout has: `SOURCE_DATE_EPOCH`, or the commit's.
///
/// # Errors
/// Neither is there.
pub fn created() -> anyhow::Result<Timestamp> {
    let seconds = if let Ok(given) = std::env::var("SOURCE_DATE_EPOCH") {
        given
    } else {
        let mut git = Command::new("git");
        let output = git.args(["log", "-1", "--format=%ct"]).current_dir(root()).output().context("cannot run git")?;
        ensure!(output.status.success(), "no commit gives the image its time: set SOURCE_DATE_EPOCH");
        String::from_utf8(output.stdout)?
    };
    let seconds = seconds.trim().parse().with_context(|| format!("{seconds:?} is no number of seconds"))?;
    Ok(Timestamp::from_second(seconds)?)
}

fn config(program: Program, architecture: Architecture, diff: &str, annotations: &Value, created: Timestamp) -> Value {
    let file = format!("/{}", program.name());
    let ports: Map<String, Value> = program.ports().iter().map(|port| (format!("{port}/tcp"), json!({}))).collect();
    json!({
        "created": created.to_string(),
        "os": "linux",
        "architecture": architecture.to_string(),
        "config": {
            "User": format!("{OWNER}:{OWNER}"),
            "Entrypoint": [file],
            "WorkingDir": "/",
            "ExposedPorts": ports,
            "Labels": annotations,
        },
        "rootfs": {"type": "layers", "diff_ids": [diff]},
        "history": [{"created": created.to_string(), "created_by": file}],
    })
}

fn annotations(program: Program, created: Timestamp) -> Value {
    json!({
        "org.opencontainers.image.title": program.name(),
        "org.opencontainers.image.description": program.description(),
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.version": VERSION,
        "org.opencontainers.image.created": created.to_string(),
    })
}

fn put(output: &Path, media_type: &'static str, bytes: &[u8]) -> anyhow::Result<Descriptor> {
    let digest = text::hex(&Sha256::digest(bytes));
    fs::write(output.join("blobs/sha256").join(&digest), bytes)?;
    Ok(Descriptor { media_type, digest: format!("sha256:{digest}"), size: u64::try_from(bytes.len())? })
}

impl Descriptor {
    fn json(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.size})
    }

    /// With one more field.
    fn with(&self, field: &str, value: Value) -> Value {
        let mut descriptor = self.json();
        if let Some(fields) = descriptor.as_object_mut() {
            fields.insert(field.to_owned(), value);
        }
        descriptor
    }
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_program_gives_the_same_digest_whenever_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let made = |name: &str, text: &str| {
            let program = directory.path().join(name);
            fs::write(&program, text).unwrap();
            let age = std::time::Duration::from_secs(u64::try_from(name.len()).unwrap());
            fs::File::open(&program).unwrap().set_modified(std::time::UNIX_EPOCH + age).unwrap();
            let output = directory.path().join(format!("{name}-image"));
            write(&output, Program::Guard, &[(Architecture::Amd64, program)], Timestamp::UNIX_EPOCH).unwrap().digest
        };
        let digest = made("a", "one");
        assert_eq!(digest, made("the-same", "one"));
        assert_ne!(digest, made("another", "two"));
    }

    #[test]
    fn a_directory_with_something_in_it_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("mine"), "").unwrap();
        let refused = write(directory.path(), Program::Guard, &[], Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(refused.to_string().contains("is not empty"), "{refused}");
    }
}
