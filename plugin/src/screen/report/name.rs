//! `-o name`: one offending object per line, as `xargs -L1 kubectl get` takes them.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::{FindingV1, ReportV1};

use super::shown::shown;
use super::view::View;

pub(super) fn render(report: &ReportV1, view: &View) -> Result<String, fmt::Error> {
    let mut seen = BTreeSet::new();
    let mut out = String::new();
    for finding in shown(report, view) {
        let object = &finding.object;
        let kind = object.kind.to_lowercase();
        let group = object.api_version.split_once('/').map(|(group, _)| group);
        let name = match group {
            Some(OWN) => continue,
            Some(group) => format!("{kind}.{group}/{}", object.name),
            None => format!("{kind}/{}", object.name),
        };
        let line = if object.namespace.is_empty() { name } else { format!("-n {} {name}", object.namespace) };
        if seen.insert(line.clone()) {
            writeln!(out, "{}", text::clean(&line))?;
        }
    }
    Ok(out)
}

/// The number of findings that no line stands for: node pools and the cluster as a whole are no objects of any server.
pub(super) fn nameless(report: &ReportV1, view: &View) -> usize {
    let is_nameless =
        |finding: &&&FindingV1| finding.object.api_version.split_once('/').is_some_and(|(group, _)| group == OWN);
    shown(report, view).iter().filter(is_nameless).count()
}

const OWN: &str = "aksarc.dev";
