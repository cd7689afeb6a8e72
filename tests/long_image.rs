//! The images of guard and plugin, built without a container engine: what is in them, that they are the same wherever they are
//! built, and that the programs run in a root that has nothing else, for amd64, and for arm64 under qemu.
//!
//! To change the root of a process takes root, which `.ci/long` has to run as.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use aksarc_shared::text;
use aksarc_tests::guard;
use aksarc_tests::image::{self, Architecture, OWNER, Program};
use aksarc_tests::replicas::Replicas;
use aksarc_tests::{ControlPlane, Finished, Identity, Kubernetes, root, wait};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

#[test]
fn an_image_has_its_program_and_nothing_else() {
    for program in Program::ALL {
        let directory = tempfile::tempdir().unwrap();
        let layout = directory.path().join("layout");
        let image = built(program, &Architecture::ALL, &layout);
        for (architecture, size) in &image.sizes {
            println!("{} for linux/{architecture}: {size} bytes to pull", program.name());
            assert!(*size <= LIMIT_OF_SIZE, "{architecture}: {size}");
        }
        let again = built(program, &Architecture::ALL, &directory.path().join("again"));
        assert_eq!(image.digest, again.digest);

        let index = blob(&layout, &image.digest);
        let platforms: Vec<&Value> =
            index["manifests"].as_array().unwrap().iter().map(|one| &one["platform"]).collect();
        assert_eq!(
            json!(platforms),
            json!([{"os": "linux", "architecture": "amd64"}, {"os": "linux", "architecture": "arm64"}])
        );
        for architecture in Architecture::ALL {
            let rootfs = directory.path().join(architecture.to_string());
            let config = unpack(&layout, &image.digest, architecture, &rootfs);
            assert_eq!(config["config"]["User"], format!("{OWNER}:{OWNER}"));
            assert_eq!(config["config"]["Entrypoint"], json!([format!("/{}", program.name())]));
            assert_eq!(config["config"]["Labels"]["org.opencontainers.image.licenses"], "Apache-2.0");
            let names: Vec<String> = fs::read_dir(&rootfs).unwrap().map(|entry| name(&entry.unwrap())).collect();
            assert_eq!(names, [program.name()]);
            let bytes = fs::read(rootfs.join(program.name())).unwrap();
            let most = if program == Program::Guard { MOST_GUARD } else { usize::MAX };
            assert!(bytes.len() <= most, "{architecture}: {} bytes", bytes.len());
            // A program that needs a loader names it.
            assert!(!contains(&bytes, b"/ld-musl") && !contains(&bytes, b"/ld-linux"), "it is not static");
            let source = root().canonicalize().unwrap();
            assert!(!contains(&bytes, source.to_str().unwrap().as_bytes()), "it names {}", source.display());
        }
    }
}

/// The same commit in another directory.
#[test]
fn the_images_are_the_same_wherever_they_are_built() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = directory.path().join("a clone of another name");
    // The plugin carries the commit that it is built from.
    let mut git = Command::new("git");
    git.args(["clone", "--quiet", "--no-checkout"]).arg(root()).arg(&elsewhere);
    Finished::run(&mut git, None).unwrap().succeeded().unwrap();
    let mut git = Command::new("git");
    git.args(["ls-files", "-z"]).current_dir(root());
    let files = Finished::run(&mut git, None).unwrap();
    for file in files.succeeded().unwrap().split_terminator('\0').map(Path::new) {
        let copy = elsewhere.join(file);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(root().join(file), copy).unwrap();
    }
    for program in Program::ALL {
        let bytes = |source: &Path, target: &Path| {
            fs::read(image::static_program(program, Architecture::Amd64, source, target).unwrap()).unwrap()
        };
        let here = bytes(&root(), &image::target(Architecture::Amd64));
        assert!(here == bytes(&elsewhere, &directory.path().join("target")), "{}", program.name());
    }
}

#[test]
fn the_guard_for_amd64_runs_in_an_empty_root() {
    let root = EmptyRoot::new(Program::Guard, Architecture::Amd64, &[]);
    answers(&root);
    serves(&root);
}

/// Under qemu, which is the one file that is put beside it.
#[test]
fn the_guard_for_arm64_runs_in_an_empty_root() {
    let root = EmptyRoot::new(Program::Guard, Architecture::Arm64, &QEMU);
    answers(&root);
    serves(&root);
}

#[test]
fn the_plugin_for_amd64_publishes_from_an_empty_root() {
    publishes(&EmptyRoot::new(Program::Plugin, Architecture::Amd64, &[]));
}

#[test]
fn the_plugin_for_arm64_publishes_from_an_empty_root() {
    publishes(&EmptyRoot::new(Program::Plugin, Architecture::Arm64, &QEMU));
}

/// An image that was unpacked.
struct EmptyRoot {
    directory: TempDir,
    program: Program,
    emulator: &'static [&'static str],
}

impl EmptyRoot {
    fn new(program: Program, architecture: Architecture, emulator: &'static [&'static str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let layout = directory.path().join("layout");
        let image = built(program, &[architecture], &layout);
        let root = EmptyRoot { directory, program, emulator };
        unpack(&layout, &image.digest, architecture, &root.path());
        // Its parent lets nobody else in.
        fs::set_permissions(root.directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for file in emulator {
            let name = file.trim_start_matches('/');
            fs::copy(Path::new("/usr/bin").join(name), root.path().join(name)).unwrap();
        }
        root
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// The program of the image as a container starts it.
    fn command(&self) -> Command {
        let mut command = Command::new("chroot");
        command.arg(format!("--userspec={OWNER}:{OWNER}")).arg(self.path()).args(self.emulator);
        command.arg(format!("/{}", self.program.name()));
        // As a container has it, but for the way to chroot itself.
        command.env_clear().envs(env::var_os("PATH").map(|path| ("PATH", path)));
        command
    }

    /// The same with a service account, as a kubelet mounts it.
    fn in_cluster(&self, cluster: &ControlPlane, account: &Identity) -> Command {
        let kubeconfig = fs::read_to_string(cluster.kubeconfig(account).unwrap()).unwrap();
        let kubeconfig: Value = serde_json::from_str(&kubeconfig).unwrap();
        let mount = self.path().join("var/run/secrets/kubernetes.io/serviceaccount");
        fs::create_dir_all(&mount).unwrap();
        fs::write(mount.join("token"), kubeconfig["users"][0]["user"]["token"].as_str().unwrap()).unwrap();
        fs::write(mount.join("namespace"), "aksarc-system").unwrap();
        fs::copy(cluster.authority(), mount.join("ca.crt")).unwrap();
        let (host, port) = cluster.server().trim_start_matches("https://").split_once(':').unwrap();
        let mut command = self.command();
        command.env("KUBERNETES_SERVICE_HOST", host).env("KUBERNETES_SERVICE_PORT", port);
        command
    }
}

/// The guard's commands.
fn answers(root: &EmptyRoot) {
    let told = Finished::run(root.command().arg("--version"), None).unwrap();
    assert_eq!(told.succeeded().unwrap().trim(), format!("{} {}", root.program.name(), env!("CARGO_PKG_VERSION")));
    let config = r#"{"apiVersion": "aksarc.dev/v1alpha1", "kind": "GuardConfig", "mode": "warn"}"#;
    let checked = Finished::run(root.command().args(["check-config", "-"]), Some(config)).unwrap();
    assert!(checked.succeeded().unwrap().contains("the configuration can be used"), "{checked:?}");
    let refused = Finished::run(root.command().args(["check-config", "-"]), Some("mode: panic")).unwrap();
    assert_eq!(refused.code, Some(2), "{refused:?}");
}

/// The guard is ready when it has read its configuration and made its certificate.
fn serves(root: &EmptyRoot) {
    let cluster = ControlPlane::start(Kubernetes::NEWEST).unwrap();
    let _service = Replicas::install(&cluster, &[]).unwrap();
    let mut guard = root.in_cluster(&cluster, &cluster.service_account("aksarc-system", "guard").unwrap());
    let [review, admin, probe] = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    guard.args(["--listen", &review.to_string(), "--admin-listen", &admin.to_string()]);
    guard.args(["--probe-listen", &probe.to_string()]).stdin(Stdio::null());
    let running = Running(guard.spawn().unwrap());
    wait::until("the guard in the image to be ready", LIMIT, || guard::get(probe, "/readyz")).unwrap();
    drop(running);
    let path = "/api/v1/namespaces/aksarc-system/secrets/guard-certificates";
    let secret = cluster.http(&Identity::Admin).unwrap().get(path).unwrap().object().unwrap();
    assert!(secret["data"]["record.json"].is_string(), "it made no certificate");
}

/// The plugin checks the cluster that it runs in, and publishes the result.
fn publishes(root: &EmptyRoot) {
    let cluster = ControlPlane::start(Kubernetes::NEWEST).unwrap();
    let account = cluster.service_account("aksarc-system", "support-check").unwrap();
    cluster.bind(&account, "cluster-admin").unwrap();
    let mut plugin = root.in_cluster(&cluster, &account);
    let published = Finished::run(plugin.args(["report", "publish", "--live"]), None).unwrap();
    let told = published.succeeded().unwrap();
    assert!(told.ends_with("published: configmap/aksarc-result in aksarc-system\n"), "{told}");
}

/// A program that ends with the value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn built(program: Program, architectures: &[Architecture], output: &Path) -> image::Image {
    let build = |&architecture| {
        (architecture, image::static_program(program, architecture, &root(), &image::target(architecture)).unwrap())
    };
    let builds: Vec<_> = architectures.iter().map(build).collect();
    image::write(output, program, &builds, image::created().unwrap()).unwrap()
}

/// Applies the layers of an image to `rootfs`, each blob by its digest. The image's configuration.
fn unpack(layout: &Path, index: &str, architecture: Architecture, rootfs: &Path) -> Value {
    let index = blob(layout, index);
    let manifests = index["manifests"].as_array().unwrap();
    let name = json!(architecture.to_string());
    let manifest = manifests.iter().find(|manifest| manifest["platform"]["architecture"] == name).unwrap();
    let manifest = blob(layout, manifest["digest"].as_str().unwrap());
    let config = blob(layout, manifest["config"]["digest"].as_str().unwrap());
    fs::create_dir(rootfs).unwrap();
    for (layer, diff) in
        manifest["layers"].as_array().unwrap().iter().zip(config["rootfs"]["diff_ids"].as_array().unwrap())
    {
        let mut tar = Vec::new();
        let bytes = bytes(layout, layer["digest"].as_str().unwrap());
        assert_eq!(layer["size"], bytes.len());
        flate2::read::GzDecoder::new(&*bytes).read_to_end(&mut tar).unwrap();
        assert_eq!(*diff, format!("sha256:{}", hex(&tar)));
        for entry in tar::Archive::new(&*tar).entries().unwrap() {
            let mut entry = entry.unwrap();
            assert_eq!((entry.header().uid().unwrap(), entry.header().gid().unwrap()), (OWNER, OWNER));
            assert!(entry.unpack_in(rootfs).unwrap());
        }
    }
    config
}

fn blob(layout: &Path, digest: &str) -> Value {
    serde_json::from_slice(&bytes(layout, digest)).unwrap()
}

fn bytes(layout: &Path, digest: &str) -> Vec<u8> {
    let bytes = fs::read(layout.join("blobs").join(digest.replace(':', "/"))).unwrap();
    assert_eq!(digest, format!("sha256:{}", hex(&bytes)));
    bytes
}

fn hex(bytes: &[u8]) -> String {
    text::hex(&Sha256::digest(bytes))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn name(entry: &fs::DirEntry) -> String {
    entry.file_name().to_string_lossy().into_owned()
}

/// Bytes of the guard's program: nearly all of its memory is the program itself.
const MOST_GUARD: usize = 9_000_000;

/// What runs programs for arm64 here.
const QEMU: [&str; 1] = ["/qemu-aarch64-static"];

/// What a node on a slow line has to pull.
const LIMIT_OF_SIZE: u64 = 10 << 20;

/// Under qemu the guard needs seconds to make a key.
const LIMIT: Duration = Duration::from_mins(2);
