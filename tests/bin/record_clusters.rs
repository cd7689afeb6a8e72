//! Records the sample clusters as snapshots in `tests/clusters/`, with the plugin itself:
//!
//! ```sh
//! cargo build -p kubectl-aksarc && cargo run -p aksarc-tests --bin record-clusters [NAME…]
//! ```
//!
//! Times and uids are those of the recording.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use aksarc_tests::{Finished, Identity, samples};
use anyhow::{Context, ensure};

fn main() -> anyhow::Result<()> {
    let plugin = plugin()?;
    let mut wanted: Vec<String> = env::args().skip(1).collect();
    if wanted.is_empty() {
        wanted = samples::NAMES.map(String::from).to_vec();
    }
    for name in wanted {
        let cluster = samples::start(&name)?;
        let recording = Path::new(CLUSTERS).join(&name);
        if recording.exists() {
            fs::remove_dir_all(&recording)?;
        }
        fs::create_dir_all(CLUSTERS)?;
        let mut command = cluster.command(&Identity::Admin, &plugin)?;
        command.arg("snapshot").arg("-o").arg(&recording);
        command.arg("--context").arg(cluster.context(&Identity::Admin));
        Finished::run(&mut command, None)?.succeeded()?;
        writeln!(io::stdout(), "recorded {}", recording.display())?;
    }
    Ok(())
}

/// Beside this program, where cargo puts both.
fn plugin() -> anyhow::Result<PathBuf> {
    let own = env::current_exe()?;
    let plugin = own.parent().context("a program without a directory")?.join("kubectl-aksarc");
    ensure!(plugin.exists(), "{} is not there: run `cargo build -p kubectl-aksarc` first", plugin.display());
    Ok(plugin)
}

const CLUSTERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clusters");
