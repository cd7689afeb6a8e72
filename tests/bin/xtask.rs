//! The tasks that a change of the source needs besides the compiler:
//!
//! ```sh
//! cargo xtask generate [--check]     # renews every generated file; --check only says which are stale
//! cargo xtask rule AANNN             # the files that a rule needs, and which of them are missing
//! cargo xtask house [--root DIR]     # rooms, arrows, circles, names that stand for several types
//! ```

use std::env;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use aksarc_tests::house::House;
use aksarc_tests::{generated, root, rule_files};
use anyhow::{Context, bail};

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["generate"] => generate(),
        ["generate", "--check"] => check(),
        ["rule", code] => rule(code),
        ["house"] => house(&root()),
        ["house", "--root", folder] => house(Path::new(folder)),
        _ => bail!("usage: cargo xtask generate [--check] | rule AANNN | house [--root DIR]"),
    }
}

fn generate() -> anyhow::Result<ExitCode> {
    // One is made of others: the manifest of the chart.
    loop {
        let stale = generated::stale(&root())?;
        for file in &stale {
            file.write(&root())?;
            writeln!(io::stdout(), "renewed {}", file.path)?;
        }
        if stale.is_empty() {
            writeln!(io::stdout(), "all {} generated files are up to date", generated::FILES.len())?;
            return Ok(ExitCode::SUCCESS);
        }
    }
}

fn check() -> anyhow::Result<ExitCode> {
    let stale = generated::stale(&root())?;
    for file in &stale {
        writeln!(io::stdout(), "{}", file.refusal())?;
    }
    Ok(if stale.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn rule(code: &str) -> anyhow::Result<ExitCode> {
    for line in rule_files::checklist(&root(), code)? {
        writeln!(io::stdout(), "{line}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn house(root: &Path) -> anyhow::Result<ExitCode> {
    let house = House::read(root).with_context(|| format!("cannot read the house in {}", root.display()))?;
    match write!(io::stdout().lock(), "{house}") {
        // A pager that was left early.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        written => Ok(written.map(|()| ExitCode::SUCCESS)?),
    }
}
