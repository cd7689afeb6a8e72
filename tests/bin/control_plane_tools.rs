//! Builds every program the end-to-end tests start, so that no test waits for it: for CI caches
//! and for the first run after a clone.

use std::io::{self, Write};

use aksarc_tests::binaries::Tool;

fn main() -> anyhow::Result<()> {
    for tool in Tool::ALL {
        let path = tool.path()?;
        writeln!(io::stdout(), "{}", path.display())?;
    }
    Ok(())
}
