//! Reports for the tests of formats.

use aksarc_shared::data::embedded;
use aksarc_shared::verdict::check::{Check, Params};
use aksarc_shared::verdict::report::ToolVersion;
use aksarc_shared::verdict::report::v1::{InputKindV1, InputV1, ReportV1};

use crate::snapshot;

/// The report of the sample `drifted`, which has findings of every weight but one.
pub(crate) fn drifted() -> ReportV1 {
    let mut check = Check::new(embedded(), Params::at("2026-12-01T00:00:00Z".parse().unwrap()));
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/clusters/drifted");
    let about = snapshot::read::judge(sample.as_ref(), &mut check).unwrap();
    let as_of = Some("2026-12-01T00:00:00Z".to_owned());
    let input = InputV1 { as_of, ..InputV1::of(InputKindV1::Snapshot, about.taken) };
    ReportV1::new(check.finish(ToolVersion::default(), "snapshot drifted", "").unwrap(), input)
}
