//! The guard's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    aksarc_webhook::args::run()
}
