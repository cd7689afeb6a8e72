//! The processors while reviews are measured: the clients have one, the servers another, and both can be kept from halting.
//!
//! The processor of a virtual machine that halts is taken away by the host. A server would pay for the way back: its own,
//! and that of a client that halted while it waited. The longer an answer takes the more often a client has halted, so a
//! server would pay for time that it did not use.

use std::env;
use std::process::{Child, Command, Stdio, id};
use std::thread::available_parallelism;

use anyhow::{Context, ensure};

use super::server::Server;

/// Clients and servers on processors of their own, until it is dropped.
pub(crate) struct Apart {
    processes: Vec<u32>,
    all: String,
}

impl Apart {
    /// Gives this process, which has the clients, one processor, and the servers another.
    pub(crate) fn put(servers: &[&Server]) -> anyhow::Result<Self> {
        let count = available_parallelism()?.get();
        ensure!(count > 1, "two processors are needed, one for clients and one for servers");
        let servers: Vec<u32> = servers.iter().map(|server| server.process.id()).collect();
        let processes = [id()].into_iter().chain(servers.iter().copied()).collect();
        let apart = Apart { processes, all: format!("0-{}", count - 1) };
        place(id(), CLIENTS)?;
        for server in servers {
            place(server, SERVERS)?;
        }
        Ok(apart)
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        for process in &self.processes {
            // A process that is gone has no place.
            let _ = place(*process, &self.all);
        }
    }
}

/// Moves all threads of a process to these processors.
fn place(process: u32, processors: &str) -> anyhow::Result<()> {
    let pid = process.to_string();
    let output = Command::new("taskset").args(["--all-tasks", "--cpu-list", "--pid", processors, &pid]).output();
    let output = output.context("taskset, of util-linux")?;
    ensure!(output.status.success(), "taskset: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Processes that keep two processors from halting, and that give way to every other one, until it is dropped.
pub(crate) struct Awake(Vec<Child>);

impl Awake {
    /// Starts one for the clients' processor and one for the servers'.
    pub(crate) fn keep() -> anyhow::Result<Self> {
        let mut awake = Awake(Vec::new());
        for processor in [CLIENTS, SERVERS] {
            // The class `idle` runs only where nothing else wants to.
            let mut command = Command::new("taskset");
            command.args(["--cpu-list", processor, "chrt", "--idle", "0"]).arg(env::current_exe()?).arg(SPIN);
            awake.0.push(command.stdin(Stdio::null()).spawn().context("taskset and chrt, of util-linux")?);
        }
        Ok(awake)
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        for process in &mut self.0 {
            // It may be gone already, which is all we want.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Does nothing, without an end.
pub(crate) fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

const CLIENTS: &str = "0";
const SERVERS: &str = "1";

/// The argument by which the program does nothing.
pub(crate) const SPIN: &str = "--spin";
