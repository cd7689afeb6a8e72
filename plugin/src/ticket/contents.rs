//! The first file of a bundle: a list of its files, of the parts that were left out, and of the reasons.

use std::fmt::Write as _;

use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::ReportV1;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::snapshot::digest;

/// A file of a bundle.
#[derive(Clone, Debug)]
pub(crate) struct BundlePart {
    /// Its name.
    pub(crate) name: String,
    /// A description in a few words; empty for a file of the snapshot.
    pub(crate) about: &'static str,
    /// Its content.
    pub(crate) bytes: Vec<u8>,
}

/// The treatment of names in a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privacy {
    /// They are unchanged.
    Open,
    /// So many of them are replaced by pseudonyms.
    Pseudonyms(usize),
}

/// The first file of a bundle.
pub(crate) struct ContentsPage<'b> {
    /// The result, as the bundle holds it.
    pub(crate) report: &'b ReportV1,
    /// The other files.
    pub(crate) parts: &'b [BundlePart],
    /// The treatment of names.
    pub(crate) privacy: Privacy,
    /// Whether a snapshot is among the files.
    pub(crate) has_snapshot: bool,
    /// The time at which the bundle was made.
    pub(crate) made: Timestamp,
}

impl BundlePart {
    /// The name and the content of a file of the snapshot, from its directory on.
    pub(crate) fn in_snapshot(&self) -> (&str, &[u8]) {
        (self.name.strip_prefix(SNAPSHOT).unwrap_or(&self.name), &self.bytes)
    }

    /// A file with a text.
    pub(crate) fn new(name: &str, about: &'static str, text: String) -> Self {
        BundlePart { name: name.to_owned(), about, bytes: text.into_bytes() }
    }
}

impl ContentsPage<'_> {
    /// The name of the file: the first in any list.
    pub(crate) const NAME: &'static str = "00-CONTENTS.txt";

    /// Its text.
    pub(crate) fn text(&self) -> String {
        let made = Timestamp::from_second(self.made.as_second()).unwrap_or(self.made);
        let mut out = format!(
            "A result of kubectl-aksarc {} for a support request, put together at {made}.\nVerdict: {}, as of {}.\n\nInside\n",
            text::line(&self.report.tool.version, MAX_SHOWN),
            self.report.verdict.as_str(),
            text::line(&self.report.policy.as_of, MAX_SHOWN),
        );
        for part in self.parts.iter().filter(|part| !part.about.is_empty()) {
            // Writing to a string does not fail.
            let _ = writeln!(out, "  {:<16}  {}", part.name, part.about);
        }
        if self.has_snapshot {
            let files = self.parts.iter().filter(|part| part.about.is_empty()).count();
            let _ = writeln!(out, "  {SNAPSHOT:<16}  the snapshot that was judged, {files} files");
        }
        out.push_str("\nLeft out\n");
        for line in self.left_out() {
            let _ = writeln!(out, "  - {line}");
        }
        let _ = write!(out, "\nAs it is\n  - {}\n", self.kept());
        out.push_str("\nSHA-256\n");
        if self.has_snapshot {
            let files = self.parts.iter().filter(|part| part.about.is_empty()).map(BundlePart::in_snapshot);
            let _ = writeln!(
                out,
                "  {}  {SNAPSHOT}, of the lines that sha256sum prints of its files",
                digest::of_files(files)
            );
        }
        for part in self.parts {
            let digest = text::hex(&Sha256::digest(&part.bytes));
            let _ = writeln!(out, "  {digest}  {}", part.name);
        }
        out
    }

    /// The parts that a reader might take for left out.
    fn kept(&self) -> &'static str {
        match self.privacy {
            Privacy::Open => {
                "all names: --pseudonyms KEYFILE puts pseudonyms in the places of those of nodes, namespaces, people and hosts"
            }
            Privacy::Pseudonyms(_) => {
                "the names of workloads, images, node pools, labels, custom resources and public software"
            }
        }
    }

    fn left_out(&self) -> Vec<String> {
        let mut out = Vec::new();
        if self.has_snapshot {
            out.push("Secrets, which are never read".to_owned());
            out.push(
                "the data of ConfigMaps, but for the names of the resource in Azure; of containers environment, commands and \
                 probes; the last-applied annotation"
                    .to_owned(),
            );
        } else {
            out.push("the snapshot: none was given (--snapshot PATH, or --live to take one)".to_owned());
        }
        if let Privacy::Pseudonyms(count) = self.privacy {
            out.push(format!(
                "{count} names of nodes, namespaces, people, hosts and the cluster: each has a pseudonym, the same one everywhere. \
                 Whoever made this file has the key and can say which name a pseudonym stands for"
            ));
            out.push(
                "the reasons of waivers and the notes of answers, which people wrote in their own words".to_owned(),
            );
            if self.has_snapshot {
                out.push("certificates, which hold names of hosts".to_owned());
            }
        }
        out.push(
            "logs of the platform: `az aksarc get-logs` on Azure Local, `Get-AksHciLogs` on Windows Server and 22H2"
                .to_owned(),
        );
        out
    }
}

/// The directory of the snapshot.
pub(crate) const SNAPSHOT: &str = "06-snapshot/";

/// The longest word that is taken from a result.
const MAX_SHOWN: usize = 120;
