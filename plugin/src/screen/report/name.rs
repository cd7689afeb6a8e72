//! `-o name`: one offending object per line, as kubectl takes them.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::ReportV1;

use super::summary::shown;
use super::view::View;

pub(super) fn render(report: &ReportV1, view: &View) -> Result<String, fmt::Error> {
    let mut seen = BTreeSet::new();
    let mut out = String::new();
    for finding in shown(report, view.show) {
        let object = &finding.object;
        let kind = object.kind.to_lowercase();
        let group = object.api_version.split_once('/').map(|(group, _)| group);
        let lines = match (group, &*object.kind) {
            // No kinds of any server: a pool is its nodes, and a whole cluster has no name to give.
            (Some(OWN), "NodePool") => finding.members.iter().map(|node| format!("node/{node}")).collect(),
            (Some(OWN), _) => Vec::new(),
            (Some(group), _) => vec![format!("{kind}.{group}/{}", object.name)],
            (None, _) => vec![format!("{kind}/{}", object.name)],
        };
        for line in lines {
            if seen.insert((object.namespace.clone(), line.clone())) {
                writeln!(out, "{}", text::clean(&line))?;
            }
        }
    }
    Ok(out)
}

const OWN: &str = "aksarc.dev";
