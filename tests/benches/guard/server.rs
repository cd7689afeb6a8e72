//! The servers under test, and what they cost.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::net::TcpStream;

/// A server under test, ended with the value.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// A process that listens on this address, or will soon.
    pub(crate) fn new(process: Child, address: SocketAddr) -> Self {
        Server { process, address }
    }

    /// Starts the guard's `program` with the certificate and the configuration in `directory`, and further arguments.
    pub(crate) async fn start_guard(program: &Path, directory: &Path, further: &[&str]) -> anyhow::Result<Self> {
        let address = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let process = Command::new(program)
            .args(["--listen", &address.to_string()])
            .args(["--admin-listen", "127.0.0.1:0", "--probe-listen", "127.0.0.1:0"])
            .arg("--tls-dir")
            .arg(directory)
            .arg("--config")
            .arg(directory.join("config.yaml"))
            .args(further)
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

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already, which is all we want.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
