//! Builds every program that tests on these Kubernetes versions start, so that no test waits for it: for `.ci/run` and
//! `.ci/long`, and for the first run after a clone.
//!
//! ```sh
//! cargo run -p aksarc-tests --bin control-plane-tools [MINOR…]     # 1.28, 1.28+, 1.36; the one of all tests if not given
//! ```

use std::env;
use std::io::{self, Write};

use aksarc_tests::Kubernetes;
use aksarc_tests::binaries::Tool;
use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let versions = env::args().skip(1).map(|minor| Kubernetes::of_minor(&minor).with_context(|| unknown(&minor)));
    let mut versions = versions.collect::<anyhow::Result<Vec<_>>>()?;
    if versions.is_empty() {
        versions.push(Kubernetes::NEWEST);
    }
    for tool in versions.into_iter().flat_map(Tool::all) {
        let path = tool.path()?;
        writeln!(io::stdout(), "{}", path.display())?;
    }
    Ok(())
}

fn unknown(minor: &str) -> String {
    let known = Kubernetes::ALL.map(|version| format!("1.{}", version.minor())).join(", ");
    format!("no tests run on Kubernetes {minor}, only on {known}")
}
