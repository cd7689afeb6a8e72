//! `-o jsonl`: one JSON object per line, first the findings and then a summary. A file that ends without a summary is cut
//! short.

use aksarc_shared::data::own::API_VERSION;
use aksarc_shared::verdict::report::v1::{FindingV1, ReportV1};
use serde::Serialize;
use serde_json::json;

use super::escape;

/// A line for each finding, waived ones too, and a line for the summary.
pub(super) fn render(report: &ReportV1) -> serde_json::Result<String> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct FindingLine<'r> {
        api_version: &'static str,
        kind: &'static str,
        cluster: &'r str,
        as_of: &'r str,
        #[serde(flatten)]
        finding: &'r FindingV1,
    }
    let (cluster, as_of) = (&*report.cluster.context, &*report.policy.as_of);
    let mut out = String::new();
    for finding in &report.findings {
        out += &line(&FindingLine { api_version: API_VERSION, kind: "SupportFinding", cluster, as_of, finding })?;
    }
    out += &line(&json!({
        "apiVersion": API_VERSION, "kind": "SupportSummary", "cluster": cluster, "asOf": as_of,
        "platform": report.policy.platform, "kubernetesVersion": report.cluster.kubernetes_version,
        "verdict": report.verdict, "verdictBasis": report.verdict_basis, "partial": report.partial,
        "exitCode": report.exit_code, "findings": report.findings.len(), "summary": report.summary, "tool": report.tool,
    }))?;
    Ok(out)
}

fn line(value: &impl Serialize) -> serde_json::Result<String> {
    Ok(escape::json(&serde_json::to_string(value)?) + "\n")
}
