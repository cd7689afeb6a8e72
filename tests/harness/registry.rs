//! A registry of OCI artifacts on loopback, for as long as the value lives.

use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use crate::binaries::Tool;
use crate::process::Supervised;
use crate::wait;

/// The registry, which is empty at first.
#[derive(Debug)]
pub struct Registry {
    port: u16,
    _program: Supervised,
}

impl Registry {
    /// Starts it, with its log in `directory`.
    ///
    /// # Errors
    /// It does not build or start.
    pub fn start(directory: &Path) -> anyhow::Result<Self> {
        let log = directory.join("registry.log");
        let program = Supervised::start("registry", &Tool::Registry.path()?, [""; 0], log.clone())?;
        // Its first line is the port.
        let port = wait::until("the registry's port", LIMIT, || {
            let text = fs::read_to_string(&log).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(String::new()),
                _ => Err(error.to_string()),
            })?;
            text.lines().next().and_then(|line| line.parse().ok()).ok_or(text)
        })?;
        Ok(Registry { port, _program: program })
    }

    /// Its address as a place of charts, `oci://127.0.0.1:PORT/charts`. It speaks no TLS.
    pub fn charts(&self) -> String {
        format!("oci://127.0.0.1:{}/charts", self.port)
    }
}

const LIMIT: Duration = Duration::from_secs(10);
