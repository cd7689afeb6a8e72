//! Builds every program that tests on one Kubernetes version start, so that no test waits for it: for `.ci/run`, and
//! for the first run after a clone.
//!
//! ```sh
//! cargo run -p aksarc-tests --bin control-plane-tools [MINOR]     # 1.28; the newest if not given
//! ```

use std::env;
use std::io::{self, Write};

use aksarc_tests::Kubernetes;
use aksarc_tests::binaries::Tool;
use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let kubernetes = match env::args().nth(1) {
        Some(minor) => Kubernetes::of_minor(&minor)
            .with_context(|| format!("no tests run on Kubernetes {minor}: 1.28 and 1.33"))?,
        None => Kubernetes::NEWEST,
    };
    for tool in Tool::all(kubernetes) {
        let path = tool.path()?;
        writeln!(io::stdout(), "{}", path.display())?;
    }
    Ok(())
}
