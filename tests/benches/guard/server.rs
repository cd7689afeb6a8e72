//! The servers under test, and what they cost.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::net::TcpStream;

use super::client::NAME;

/// A server under test, ended with the value.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a program that prints the address it listens on as its first line.
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("no output")?).read_line(&mut line)?;
        let address = line.trim().parse().with_context(|| format!("{line:?} is no address"))?;
        Ok(Server { process, address })
    }

    /// Starts the guard's `program` with the certificate and the configuration in `directory`.
    pub(crate) async fn start_guard(program: &Path, directory: &Path) -> anyhow::Result<Self> {
        let address = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let process = Command::new(program)
            .args(["--listen", &address.to_string()])
            .args(["--admin-listen", "127.0.0.1:0", "--probe-listen", "127.0.0.1:0", "--log-level", "error"])
            .arg("--tls-dir")
            .arg(directory)
            .arg("--config")
            .arg(directory.join("config.yaml"))
            .stdin(Stdio::null())
            .spawn()?;
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).await.is_err() {
            ensure!(Instant::now() < deadline, "the guard does not listen");
            tokio::task::yield_now().await;
        }
        Ok(Server { process, address })
    }

    /// CPU of all its threads, in nanoseconds, as the scheduler counts it.
    pub(crate) fn cpu(&self) -> anyhow::Result<f64> {
        let mut total = 0.0;
        for task in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            total += text.split_whitespace().next().context("an empty schedstat")?.parse::<f64>()?;
        }
        Ok(total)
    }

    /// Bytes of memory that it holds at this moment.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
    }
}

/// Writes the certificate of both servers and its key into `directory`.
pub(crate) fn certificates(directory: &Path) -> anyhow::Result<()> {
    let pair = rcgen::KeyPair::generate()?;
    // The API server reaches both by their address.
    let names = vec![NAME.to_owned(), "127.0.0.1".to_owned()];
    let certificate = rcgen::CertificateParams::new(names)?.self_signed(&pair)?;
    fs::write(directory.join("tls.crt"), certificate.pem())?;
    Ok(fs::write(directory.join("tls.key"), pair.serialize_pem())?)
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already, which is all we want.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
