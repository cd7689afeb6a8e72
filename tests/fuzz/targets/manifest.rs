//! A file of manifests, as `-f` takes it: every object of one that is read has a place in the file and is judged, and
//! the report is read back as it was written.

use std::fs;
use std::path::Path;

use aksarc_shared::data::embedded;
use aksarc_shared::k8s::read::json;
use aksarc_shared::verdict::check::{Check, Params};
use aksarc_shared::verdict::report::ToolVersion;
use aksarc_shared::verdict::report::v1::{InputKindV1, InputV1, ReportV1};
use jiff::Timestamp;
use kubectl_aksarc::input::documents::Depth;
use kubectl_aksarc::input::manifests::{self, Given, Manifest};
use kubectl_aksarc::input::places::FilePositions;

pub(crate) fn run(bytes: &[u8]) {
    // In memory where the system has files there: thousands are written in a second.
    let memory = Path::new("/dev/shm");
    let file = if memory.is_dir() { tempfile::NamedTempFile::new_in(memory) } else { tempfile::NamedTempFile::new() };
    let file = file.expect("a file");
    fs::write(file.path(), bytes).expect("a file");
    let mut check = Check::new(embedded(), Params::at(Timestamp::UNIX_EPOCH));
    let mut all = Vec::new();
    let read = manifests::each(
        Given::Files(&[file.path().to_owned()], Depth::Flat),
        &mut |Manifest { at, object, .. }| {
            let bytes = serde_json::to_vec(&object).expect("an object is JSON");
            // One of a shape that no object has is refused, with its place.
            check.manifest(json::object(&bytes)?);
            all.push(at.expect("it stands in a file"));
            Ok(())
        },
    );
    if read.is_err() {
        return;
    }
    let text = std::str::from_utf8(bytes).expect("what is read is text");
    let (positions, lines) = (FilePositions::of(text), 1 + text.matches(['\n', '\r']).count());
    for at in all {
        let found = positions.field(&at, "metadata.name").expect("an object that is read is found again");
        assert!((1..=lines).contains(&found.line), "line {} of {lines}", found.line);
    }
    let Ok(report) = check.finish(ToolVersion::default(), "", "") else { return };
    let report = text_of(&ReportV1::new(report, InputV1::of(InputKindV1::Manifests, None)));
    assert_eq!(text_of(&ReportV1::parse(&report).expect("a report is read")), report);
}

fn text_of(report: &ReportV1) -> String {
    serde_json::to_string(report).expect("a report is JSON")
}
