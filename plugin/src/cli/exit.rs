//! The results of commands: an exit code, or a failure.

use std::fmt;

use aksarc_shared::chain::Chain;
use aksarc_shared::verdict::report::exit;

/// A command without a result: the error, and the exit code that tells who has to act.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    error: anyhow::Error,
}

/// A signal that ends the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGINT, or Ctrl-C on Windows.
    Interrupt,
    /// SIGTERM.
    Termination,
}

impl Failure {
    /// Wrong flags or bad input: exit 2.
    pub fn input(error: impl Into<anyhow::Error>) -> Self {
        Failure { code: exit::USAGE, error: error.into() }
    }

    /// The cluster, the network, the disk or this program: exit 1.
    pub fn run(error: impl Into<anyhow::Error>) -> Self {
        Failure { code: exit::FAILED, error: error.into() }
    }

    /// The same failure with exit 2 instead of 1, for commands that compare: there 1 says that something differs.
    pub(crate) fn beside_differences(self) -> Self {
        let code = if self.code == exit::FAILED { exit::USAGE } else { self.code };
        Failure { code, ..self }
    }

    /// Ctrl-C or a request to end: exit 130 or 143, as shells tell of the signals.
    pub fn stopped(by: StopSignal) -> Self {
        let (code, word) = match by {
            StopSignal::Interrupt => (exit::INTERRUPTED, "interrupted"),
            StopSignal::Termination => (exit::TERMINATED, "terminated"),
        };
        Failure { code, error: anyhow::anyhow!("{word}: nothing was written") }
    }

    /// Whether a signal is the reason.
    pub fn is_stopped(&self) -> bool {
        matches!(self.code, exit::INTERRUPTED | exit::TERMINATED)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Chain(self.error.as_ref()).fmt(f)
    }
}

/// The result of a command: its exit code, or a failure.
pub type ExitResult = Result<u8, Failure>;
