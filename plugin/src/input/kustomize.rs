//! Kustomizations, which kubectl builds.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use aksarc_shared::text;
use anyhow::{Context as _, anyhow, bail};

use super::documents;

/// The manifests that `kubectl kustomize` builds of a directory.
///
/// # Errors
/// There is no kubectl, it refuses the directory, or takes too long.
pub(super) fn build(directory: &Path) -> anyhow::Result<Vec<u8>> {
    build_by(Path::new("kubectl"), directory, LIMIT)
}

fn build_by(kubectl: &Path, directory: &Path, limit: Duration) -> anyhow::Result<Vec<u8>> {
    let shown = directory.display();
    let mut command = Command::new(kubectl);
    command.arg("kustomize").arg("--").arg(directory);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| {
        format!(
            "cannot build {shown}: -k needs kubectl on the PATH, which builds kustomizations, and it cannot be started"
        )
    })?;
    let end = Instant::now() + limit;
    let (output, errors) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let received = |pipe: &mpsc::Receiver<anyhow::Result<Vec<u8>>>| {
        let left = end.saturating_duration_since(Instant::now());
        pipe.recv_timeout(left).map_err(|_| anyhow!("`kubectl kustomize {shown}` did not end within {limit:?}"))
    };
    let both = received(&output).and_then(|output| Ok((output, received(&errors)?)));
    if both.is_err() {
        // It may have ended by itself meanwhile.
        let _gone = child.kill();
    }
    let status = child.wait().context("cannot wait for kubectl")?;
    let (output, errors) = both?;
    if !status.success() {
        let said = errors.unwrap_or_default();
        bail!("`kubectl kustomize {shown}` failed: {}", text::line(String::from_utf8_lossy(&said).trim(), MAX_SAID));
    }
    output
}

/// Reads a pipe to its end on a thread of its own, so that neither of two can hold up the other.
fn reader(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<anyhow::Result<Vec<u8>>> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let bytes = pipe.map_or(Ok(Vec::new()), |pipe| documents::limited(pipe, "the output of kubectl kustomize"));
        // Nobody waits for it once the time is over.
        let _late = send.send(bytes);
    });
    receive
}

/// Bases may have to be fetched.
const LIMIT: Duration = Duration::from_mins(1);

/// The most characters shown of kubectl's message.
const MAX_SAID: usize = 400;

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_hanging_kubectl_is_ended_after_the_limit() {
        let directory = tempfile::tempdir().unwrap();
        let kubectl = directory.path().join("kubectl");
        std::fs::write(&kubectl, "#!/bin/sh\necho begun\nexec sleep 600\n").unwrap();
        std::fs::set_permissions(&kubectl, std::fs::Permissions::from_mode(0o755)).unwrap();
        let begun = Instant::now();
        let said = build_by(&kubectl, Path::new("overlay"), Duration::from_millis(300)).unwrap_err().to_string();
        assert_eq!(said, "`kubectl kustomize overlay` did not end within 300ms");
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }
}
