//! The reports whose pages are examined: the samples, and those that are hard to lay out.

use aksarc_shared::data::Platform;
use aksarc_shared::verdict::check::Params;
use aksarc_shared::verdict::report::ToolVersion;
use aksarc_shared::verdict::report::v1::{
    AnswerV1, AzureResourceV1, ClockV1, ConsequenceV1, PlaceV1, ReportV1, WaiverV1,
};
use aksarc_tests::{reports, samples};
use jiff::Timestamp;

/// All of them, by name.
pub(crate) fn all() -> Vec<(&'static str, ReportV1)> {
    let mut all: Vec<_> = samples::NAMES.iter().map(|name| (*name, sample(name))).collect();
    all.extend([
        ("known-platform", known_platform()),
        ("busy", busy()),
        ("two-thousand", two_thousand()),
        ("hostile", hostile()),
    ]);
    all
}

/// The report of a sample cluster.
pub(crate) fn sample(name: &str) -> ReportV1 {
    judged(name, Params::at(NOW.parse().unwrap()))
}

/// A healthy cluster whose platform is known, so that one text is judged by.
fn known_platform() -> ReportV1 {
    let params = Params { platform: Some(Platform::AzureLocal), ..Params::at(NOW.parse().unwrap()) };
    judged("healthy-azure-local", Params { release: Some("2602".to_owned()), ..params })
}

fn judged(name: &str, params: Params) -> ReportV1 {
    let tool = ToolVersion { version: "0.1.0".to_owned(), commit: "0123abc".to_owned() };
    reports::of_sample(name, params, tool, &format!("snapshot {name}")).unwrap()
}

/// A report with some of everything: waivers, answers, many deadlines, and findings that lie about.
fn busy() -> ReportV1 {
    let mut report = sample("drifted");
    report.input.digest = Some("f408b7bedd05207ccc447f01a2d29cbb884284bce6586eac839ad1bcf419f971".to_owned());
    report.cluster.azure_resource = Some(AzureResourceV1 {
        id: "/subscriptions/1b2c3d4e-0000-4000-8000-000000000001/resourceGroups/contoso-edge-production/providers/\
             Microsoft.Kubernetes/connectedClusters/contoso-edge-7"
            .to_owned(),
        source: "ConfigMap azure-arc/azure-clusterconfig".to_owned(),
    });
    let file = "deploy/overlays/contoso-edge-production/kube-system/log-shipper-daemonset.yaml";
    for (finding, line) in report.findings.iter_mut().zip(1..) {
        finding.places = vec![PlaceV1 { file: file.to_owned(), line, column: 5 }];
    }
    let waiver = WaiverV1 {
        name: "W-7 log agent".to_owned(),
        reason: "the vendor moves it to a namespace of its own in January".to_owned(),
        expires: "2027-01-31T00:00:00Z".to_owned(),
        ticket: Some("CHG0042317".to_owned()),
        support_case: Some("2612010050001234".to_owned()),
    };
    for finding in report.findings.iter_mut().filter(|finding| finding.consequence == ConsequenceV1::AtRisk) {
        finding.waiver = Some(waiver.clone());
    }
    for (question, answer) in report.questions.iter_mut().zip(["fulfilled", "fulfilled", "not-fulfilled"]) {
        question.answer = Some(AnswerV1 {
            answer: answer.to_owned(),
            by: "Ada Lovelace, Hyper-V".to_owned(),
            on: "2026-11-20T00:00:00Z".to_owned(),
            expires: "2027-02-18T00:00:00Z".to_owned(),
            note: "looked at every host".to_owned(),
        });
    }
    for days in [-12, 0, 3, 3, 4, 5, 9, 29, 60, 61, 62, 300, 900, 1500, 4000] {
        report.clocks.push(ClockV1 {
            due: NOW.parse::<Timestamp>().unwrap().to_string()[..10].to_owned(),
            days_left: days,
            code: "AA102".to_owned(),
            what: "Kubernetes 1.33 leaves the list of supported versions".to_owned(),
            platforms: if days == 60 { vec!["azure-local".to_owned()] } else { Vec::new() },
            subject: String::new(),
        });
    }
    report.clocks.sort_by_key(|clock| clock.days_left);
    report
}

/// A report of one fault on 2,000 nodes.
pub(crate) fn two_thousand() -> ReportV1 {
    let mut report = sample("drifted");
    let first = report.findings.first().unwrap().clone();
    let each = (0..2000).map(|number| {
        let mut finding = first.clone();
        let name = format!("moc-l{number:04}x7k2p");
        for command in &mut finding.fix {
            for text in [&mut command.line, &mut command.printed] {
                *text = text.replace(&finding.object.name, &name);
            }
        }
        finding.message = finding.message.replace(&finding.object.name, &name);
        finding.object.name = name;
        finding
    });
    report.findings = each.collect();
    report
}

/// A report in which an attacker has chosen every text.
fn hostile() -> ReportV1 {
    let mut report = reports::with_words(&busy(), HOSTILE.iter().copied().cycle()).unwrap();
    report.findings.iter_mut().flat_map(|finding| &mut finding.documents).for_each(|page| {
        page.url = Some("javascript:alert(1)".to_owned());
    });
    report
}

const HOSTILE: [&str; 11] = [
    "</script><script>alert(1)</script>",
    "<img src=https://example.invalid/x onerror=alert(1)>",
    "\"><svg onload=alert(1)>",
    "'; background: url(https://example.invalid/x); '",
    "</style><style>*{display:none}</style>",
    "\u{202e}txt.exe\u{200b}\u{feff}\u{0}\r\n\u{2028}\u{1b}[2J",
    "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW",
    "a.very/long-label.of.somebody.who-likes.dots/and-slashes.and-does-not.stop-until.the.limit.is-reached.kubernetes.io/x",
    "javascript:alert(1)",
    "--><!--]]><![CDATA[",
    "{} {{x}} ${x} &amp; &#60;b&#62; %3Cb%3E",
];

const NOW: &str = "2026-12-01T00:00:00Z";
