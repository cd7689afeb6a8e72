//! The guard as a process, for tests of standard error, signals and exit codes.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, ExitStatus, Stdio};

use tempfile::TempDir;

use super::{Authority, Client, admin, config, metric, until};

/// A running guard that enforces. Dropping it ends the process.
pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) review: SocketAddr,
    admin: SocketAddr,
    probe: SocketAddr,
    pub(crate) authority: Authority,
    _directory: TempDir,
}

impl Program {
    /// Starts the guard with `stderr` and further arguments, and waits until it is ready.
    pub(crate) async fn start(stderr: impl FnOnce() -> Stdio, further: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        let authority = Authority::new();
        let (chain, key) = authority.issue();
        for (name, content) in [("tls.crt", chain), ("tls.key", key), ("guard.yaml", config("enforce"))] {
            fs::write(directory.path().join(name), content).unwrap();
        }
        let [review, admin, probe] = [(); 3].map(|()| free_address());
        let child = command()
            .args(["--listen", &review.to_string(), "--admin-listen", &admin.to_string()])
            .args(["--probe-listen", &probe.to_string(), "--linger", "0s"])
            .args(["--heartbeat", "off", "--observed", "off", "--cluster-waivers", "off", "--protection", "off"])
            .arg("--tls-dir")
            .arg(directory.path())
            .arg("--config")
            .arg(directory.path().join("guard.yaml"))
            .args(further)
            .stderr(stderr())
            .spawn()
            .unwrap();
        let mut program = Program { child, review, admin, probe, authority, _directory: directory };
        program.until_ready().await;
        program
    }

    async fn until_ready(&mut self) {
        let mut answers = tokio::time::interval(std::time::Duration::from_millis(10));
        let wait = async {
            while !self.is_ready().await {
                assert_eq!(self.child.try_wait().unwrap(), None, "the guard has ended");
                answers.tick().await;
            }
        };
        tokio::time::timeout(super::DEADLINE, wait).await.expect("a guard that gets ready");
    }

    pub(crate) async fn is_ready(&self) -> bool {
        matches!(admin(self.probe, "/readyz").await, Ok((200, _)))
    }

    pub(crate) async fn client(&self) -> io::Result<Client> {
        Client::connect(self.review, &self.authority.connector()).await
    }

    pub(crate) async fn metric(&self, name: &str) -> i64 {
        metric(&admin(self.admin, "/metrics").await.unwrap().1, name, &[])
    }

    /// Tells the guard to stop, and waits for its end.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        ended(&mut self.child).await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, without the variables of this test's environment that configure it.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aksarc-webhook"));
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Waits for a process, and returns how it ended.
pub(crate) async fn ended(child: &mut Child) -> ExitStatus {
    until(|| child.try_wait().unwrap(), Option::is_some).await.unwrap()
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
