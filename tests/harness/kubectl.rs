//! The real kubectl, without anything of the developer's own configuration.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, bail};

/// The end of a command: its exit code and its output.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The command line, for messages.
    pub command: String,
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// Runs `command` to its end, with `input` on its stdin.
    ///
    /// # Errors
    /// It could not be started.
    pub fn run(command: &mut Command, input: Option<&str>) -> anyhow::Result<Self> {
        let line = format!("{command:?}");
        command
            .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {line}"))?;
        // It prints only after it has read all, so the pipes cannot fill up against each other.
        if let (Some(mut stdin), Some(text)) = (child.stdin.take(), input) {
            stdin.write_all(text.as_bytes()).with_context(|| format!("{line} reads no input"))?;
        }
        let Output { status, stdout, stderr } = child.wait_with_output()?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Self { command: line, code: status.code(), stdout: text(stdout), stderr: text(stderr) })
    }

    /// Its stdout, if it succeeded.
    ///
    /// # Errors
    /// It failed; the message holds the command and its stderr.
    pub fn succeeded(&self) -> anyhow::Result<&str> {
        if self.code != Some(0) {
            bail!("{} ended with {:?}: {}{}", self.command, self.code, self.stderr, self.stdout);
        }
        Ok(&self.stdout)
    }

    /// Its stderr, if it failed.
    ///
    /// # Errors
    /// It succeeded.
    pub fn failed(&self) -> anyhow::Result<&str> {
        if self.code == Some(0) {
            bail!("{} should have failed, but printed: {}", self.command, self.stdout);
        }
        Ok(&self.stderr)
    }
}
