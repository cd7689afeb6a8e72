//! The files that are generated from rules, data and programs, with the text that each should have.
//!
//! `cargo xtask generate` writes them, and `tests/generated.rs` compares them.

mod proof;
mod readme;

use std::fs;
use std::path::Path;

use aksarc_shared::data::{self, own};
use aksarc_shared::rules::derive;
use aksarc_shared::verdict::guard::{Guard, Settings};
use aksarc_webhook::config;
use aksarc_webhook::manifest::{self, ManifestOptions, chart, protection, rules};
use anyhow::Context;
use kubectl_aksarc::commands::guard::roles;
use kubectl_aksarc::commands::report::publish;

/// The generated files and how each is made: from the text it has now to the text it should have.
pub const FILES: [(&str, Make); 23] = [
    ("README.md", readme::renewed),
    ("deploy/chart/files/alerts.yaml", |_| of("deploy/monitoring/alerts.yaml")),
    ("deploy/chart/files/dashboard.json", |_| of("deploy/monitoring/dashboard.json")),
    ("deploy/chart/files/protection.yaml", |_| Ok(chart::policies())),
    ("deploy/chart/files/publisher.yaml", |_| Ok(publish::roles(own::NAMESPACE))),
    ("deploy/chart/files/reader.yaml", |_| Ok(derive::reader_role())),
    ("deploy/chart/files/rights.yaml", |_| Ok(chart::rights())),
    ("deploy/chart/files/rules.json", |_| Ok(chart::rules::policies()?)),
    ("deploy/chart/files/supportwaiver.yaml", |_| of("deploy/supportwaiver.yaml")),
    ("deploy/chart/files/webhooks.json", |_| Ok(chart::webhooks())),
    ("deploy/chart/values.schema.json", |_| Ok(chart::values::schema())),
    ("deploy/chart/values.yaml", |_| Ok(chart::values::defaults())),
    ("deploy/guard-config.schema.json", |_| Ok(config::schema())),
    ("deploy/guard-operator.yaml", |_| Ok(roles::roles())),
    ("deploy/guard-protection.yaml", |_| Ok(protection::render(&Settings::default()))),
    ("deploy/guard-rules.yaml", |_| Ok(rules::render(&Guard::new(data::embedded(), Settings::default())?))),
    ("deploy/guard.yaml", |_| Ok(manifest::render(&ManifestOptions::default()))),
    ("deploy/plugin-config.schema.json", |_| Ok(kubectl_aksarc::input::config::schema())),
    ("deploy/publisher.yaml", |_| Ok(publish::roles(own::NAMESPACE))),
    ("deploy/reader.yaml", |_| Ok(derive::reader_role())),
    (INSTALL, |_| crate::chart::install()),
    ("plugin/KUBECTL.md", |_| Ok(kubectl_aksarc::cli::kubectl_flags::page())),
    ("tests/proofs/aa903.yaml", proof::renewed),
];

/// Makes the text that a generated file should have, from the one it has: only parts of some files are generated.
pub type Make = fn(&str) -> anyhow::Result<String>;

const INSTALL: &str = "deploy/install.yaml";

/// The text of another file of the checkout, of which the chart has a copy: Helm reads none outside it.
fn of(path: &str) -> anyhow::Result<String> {
    let text = fs::read_to_string(crate::root().join(path)).with_context(|| path.to_owned())?;
    Ok(text.replace("\r\n", "\n"))
}

/// A generated file that does not hold what it should.
#[derive(Debug)]
pub struct Stale {
    /// Its path below the checkout.
    pub path: &'static str,
    /// The text that it should hold.
    expected: String,
    /// The first line that differs, as it is and as it should be.
    difference: (String, String),
}

impl Stale {
    /// Gives the file in the checkout `root` the text it should have.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, root: &Path) -> anyhow::Result<()> {
        fs::write(root.join(self.path), &self.expected).with_context(|| format!("cannot write {}", self.path))
    }

    /// A sentence that names the file, the first difference and the command that mends it.
    pub fn refusal(&self) -> String {
        let (is, should) = &self.difference;
        format!("{} is stale; renew it: cargo xtask generate\n  is:     {is}\n  should: {should}", self.path)
    }
}

/// The generated files of the checkout `root` that are stale.
///
/// # Errors
/// A file that is generated in part lacks the place for it, or the plugin does not build or run.
pub fn stale(root: &Path) -> anyhow::Result<Vec<Stale>> {
    let mut stale = Vec::new();
    for (path, make) in FILES {
        // It is made of the chart, whose files come first here, and are renewed first.
        if path == INSTALL && stale.iter().any(|file: &Stale| file.path.starts_with("deploy/chart/")) {
            continue;
        }
        // A checkout on Windows may have other line ends. What is generated whole may be missing.
        let found = fs::read_to_string(root.join(path)).unwrap_or_default().replace("\r\n", "\n");
        let expected = make(&found).with_context(|| path.to_owned())?;
        if found != expected {
            let difference = difference(&found, &expected);
            stale.push(Stale { path, expected, difference });
        }
    }
    Ok(stale)
}

/// The first line in which two texts differ, of each.
fn difference(found: &str, expected: &str) -> (String, String) {
    let line = |text: &str, at: usize| text.lines().nth(at).unwrap_or("(end of the file)").to_owned();
    let at = found.lines().zip(expected.lines()).take_while(|(one, other)| one == other).count();
    (line(found, at), line(expected, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_file_is_named_with_its_first_difference_and_the_command_that_mends_it() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("deploy")).unwrap();
        let (path, expected) = ("deploy/reader.yaml", derive::reader_role());
        let mut stale = Stale { path, difference: difference("a\nb\n", "a\nc\n"), expected };
        assert_eq!(
            stale.refusal(),
            "deploy/reader.yaml is stale; renew it: cargo xtask generate\n  is:     b\n  should: c"
        );
        stale.difference = difference("a\n", "a\nc\n");
        assert!(stale.refusal().contains("is:     (end of the file)"), "{}", stale.refusal());
        stale.write(root.path()).unwrap();
        assert_eq!(fs::read_to_string(root.path().join(path)).unwrap(), derive::reader_role());
    }
}
