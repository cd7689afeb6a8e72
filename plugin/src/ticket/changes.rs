//! The table of the changes in a result: writer, field, values and time.

use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::{EvidenceV1, FindingV1, ReportV1};

/// The table, columns separated by tabs, the latest change first. Changes without a time stand at the end.
pub(crate) fn table(report: &ReportV1) -> String {
    let mut rows: Vec<[String; 9]> = Vec::new();
    for finding in &report.findings {
        let traces =
            finding.evidence.iter().filter(|evidence| !evidence.manager.is_empty() || !evidence.time.is_empty());
        rows.extend(traces.map(|trace| row(finding, trace)));
    }
    rows.sort_by(|one, other| other.first().cmp(&one.first()));
    let mut out = "TIME\tCLIENT\tOPERATION\tOBJECT\tFIELD\tBEFORE\tNOW\tRULE\tWEIGHT\n".to_owned();
    for row in rows {
        out.push_str(&row.join("\t"));
        out.push('\n');
    }
    out
}

fn row(finding: &FindingV1, trace: &EvidenceV1) -> [String; 9] {
    let cell = |text: &str| text::line(text, MAX_CELL);
    [
        cell(&trace.time),
        cell(&trace.manager),
        cell(&trace.operation),
        cell(&finding.object.short()),
        cell(&finding.path),
        cell(finding.before.as_deref().unwrap_or_default()),
        cell(finding.after.as_deref().unwrap_or_default()),
        cell(&finding.code),
        finding.consequence.as_str().to_owned(),
    ]
}

/// The longest cell: values may be whole documents.
const MAX_CELL: usize = 500;
