//! `-o csv`: a table by RFC 4180 with one line per finding, safe to open in a spreadsheet.

use aksarc_shared::verdict::report::v1::{PlaceV1, ReportV1};

use super::{escape, gist};

/// The heading, then all findings, waived ones too. A clean report is the heading alone.
pub(super) fn render(report: &ReportV1) -> Result<String, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(HEADING)?;
    let cluster = gist::subject(report);
    for finding in &report.findings {
        let author = finding.evidence.iter().find(|evidence| !evidence.manager.is_empty());
        let value = |value: &Option<String>| value.clone().unwrap_or_default();
        let (waiver, expires) = match &finding.waiver {
            Some(waiver) => (waiver.name.clone(), waiver.expires.clone()),
            None => (String::new(), String::new()),
        };
        let mut links: Vec<&str> = Vec::new();
        for link in report.links(finding) {
            if !links.contains(&link.url) {
                links.push(link.url);
            }
        }
        let places: Vec<String> = finding.places.iter().map(PlaceV1::short).collect();
        let object = &finding.object;
        let cells = [
            cluster.to_string(),
            finding.code.clone(),
            finding.slug.clone(),
            finding.consequence.as_str().to_owned(),
            finding.basis.as_str().to_owned(),
            finding.clauses.join(" "),
            object.api_version.clone(),
            object.kind.clone(),
            object.namespace.clone(),
            object.name.clone(),
            finding.members.join(" "),
            finding.path.clone(),
            value(&finding.before),
            value(&finding.after),
            finding.message.clone(),
            author.map(|author| author.manager.clone()).unwrap_or_default(),
            author.map(|author| author.time.clone()).unwrap_or_default(),
            waiver,
            expires,
            links.join(" "),
            finding.fingerprint.clone(),
            places.join(" "),
        ];
        writer.write_record(cells.map(|cell| escape::cell(&cell)))?;
    }
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

const HEADING: [&str; 22] = [
    "cluster",
    "code",
    "slug",
    "consequence",
    "basis",
    "clauses",
    "apiVersion",
    "kind",
    "namespace",
    "name",
    "members",
    "path",
    "before",
    "after",
    "message",
    "by",
    "at",
    "waiver",
    "waiverExpires",
    "links",
    "fingerprint",
    "places",
];
