//! A snapshot of a few files: one that is read gives the same report every time, and the report is read back as it was
//! written.
//!
//! The bytes are the files one after the other, each after a line `-- NAME --`. What stands before the first such line
//! is `snapshot.yaml`.

use std::fs;
use std::path::Path;

use aksarc_shared::data::embedded;
use aksarc_shared::verdict::check::{Check, Params};
use aksarc_shared::verdict::report::ToolVersion;
use aksarc_shared::verdict::report::v1::{InputKindV1, InputV1, ReportV1};
use jiff::Timestamp;
use kubectl_aksarc::snapshot::read;

pub(crate) fn run(bytes: &[u8]) {
    // In memory where the system has files there: thousands are written in a second.
    let memory = Path::new("/dev/shm");
    let directory = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let directory = directory.expect("a directory");
    for (name, content) in files(bytes).into_iter().take(MOST_FILES) {
        fs::write(directory.path().join(name), content).expect("a file");
    }
    let report = report(directory.path());
    assert_eq!(report, self::report(directory.path()), "the same snapshot has two reports");
    if let Some(report) = report {
        assert_eq!(text_of(&ReportV1::parse(&report).expect("a report is read")), report);
    }
}

/// The report as JSON; `None` where the snapshot is refused, or is of another product.
fn report(directory: &Path) -> Option<String> {
    let mut check = Check::new(embedded(), Params::at(Timestamp::UNIX_EPOCH));
    let about = read::judge(directory, &mut check).ok()?;
    if let Some(moment) = about.moment() {
        check.judge_at(moment);
    }
    let report = check.finish(ToolVersion::default(), "", "").ok()?;
    Some(text_of(&ReportV1::new(report, InputV1::of(InputKindV1::Snapshot, about.taken))))
}

fn text_of(report: &ReportV1) -> String {
    serde_json::to_string(report).expect("a report is JSON")
}

fn files(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![("snapshot.yaml".to_owned(), Vec::new())];
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let name =
            std::str::from_utf8(line).ok().and_then(|line| line.trim_end().strip_prefix("-- ")?.strip_suffix(" --"));
        match name.filter(|name| is_plain(name)) {
            Some(name) => files.push((name.to_owned(), Vec::new())),
            None => files.last_mut().expect("there is one").1.extend_from_slice(line),
        }
    }
    files.retain(|(_, content)| !content.is_empty());
    files
}

fn is_plain(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (1..80).contains(&name.len()) && name.bytes().all(known) && !name.starts_with('.')
}

const MOST_FILES: usize = 12;
