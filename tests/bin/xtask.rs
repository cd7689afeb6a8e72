//! The tasks that a change of the source needs besides the compiler:
//!
//! ```sh
//! cargo xtask generate [--check]     # renews every generated file; --check only says which are stale
//! cargo xtask rule AANNN             # the files that a rule needs, and which of them are missing
//! cargo xtask house [--root DIR]     # rooms, arrows, circles, names that stand for several types
//! cargo xtask image [--program PROGRAM] [--arch ARCH] --output DIR    # an image as an OCI layout: the guard's, or that of
//!                                                                     # kubectl-aksarc; for amd64 and arm64, or one of them
//! ```

use std::env;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use aksarc_tests::house::House;
use aksarc_tests::image::{self, Architecture, Program};
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
        ["image", flags @ ..] => image(flags),
        _ => bail!(
            "usage: cargo xtask generate [--check] | rule AANNN | house [--root DIR] | \
             image [--program PROGRAM] [--arch ARCH] --output DIR"
        ),
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

fn image(flags: &[&str]) -> anyhow::Result<ExitCode> {
    let (mut program, mut architectures, mut output) = (Program::Guard, Architecture::ALL.to_vec(), None);
    for flag in flags.chunks(2) {
        match *flag {
            ["--program", name] => program = Program::of_name(name).with_context(|| format!("no image of {name}"))?,
            ["--arch", name] => {
                let known = Architecture::of_name(name);
                architectures = vec![known.with_context(|| format!("no image for {name}: amd64 and arm64"))?];
            }
            ["--output", directory] => output = Some(Path::new(directory)),
            _ => bail!("image takes --program, --arch and --output, each with a value"),
        }
    }
    let output = output.context("image needs --output DIR")?;
    let built = architectures.iter().map(|&architecture| {
        Ok((architecture, image::static_program(program, architecture, &root(), &image::target(architecture))?))
    });
    let image = image::write(output, program, &built.collect::<anyhow::Result<Vec<_>>>()?, image::created()?)?;
    for (architecture, size) in image.sizes {
        writeln!(io::stdout(), "linux/{architecture}: {size} bytes to pull")?;
    }
    writeln!(io::stdout(), "{}", image.digest)?;
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
