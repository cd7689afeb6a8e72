//! The waived findings, by waiver, with the end of each.

use aksarc_shared::verdict::report::v1::{FindingV1, ReportV1, WaiverV1};

use super::findings;
use super::markup::Markup;
use super::tone::Tone;
use crate::formats::words::moment;
use crate::screen::wording::counting;

/// The waivers that cover findings, and those findings. Nothing where nothing is waived.
pub(super) fn part(report: &ReportV1) -> Markup {
    let mut page = Markup::default();
    let waivers = by_waiver(report);
    if waivers.is_empty() {
        return page;
    }
    page.own("<section id=\"waivers\" aria-labelledby=\"waivers-title\"><h2 id=\"waivers-title\">Waivers</h2>")
        .own("<p class=\"lead\">A waiver is somebody’s word that a finding may wait. It changes nothing about the policy.</p>")
        .own("<ul class=\"rows\">");
    for (waiver, count) in &waivers {
        page.own("<li class=\"waived\">");
        Tone::Waived.sign(&mut page);
        page.fill(
            "<div><p><b>{}</b> until {}, {}</p>",
            [&waiver.name, &moment(&waiver.expires), &counting(*count, "finding")],
        );
        page.fill("<p>{}</p>", [&waiver.reason]);
        if let Some(case) = &waiver.support_case {
            page.fill("<p>Microsoft’s support case {}</p>", [case]);
        }
        if let Some(ticket) = &waiver.ticket {
            page.fill("<p>Ticket {}</p>", [ticket]);
        }
        page.own("</div></li>");
    }
    page.own("</ul>");
    let waived: Vec<&FindingV1> = report.findings.iter().filter(|finding| finding.waiver.is_some()).collect();
    page.fill(
        "<details class=\"more\"><summary>{}</summary>",
        [&format!("{} waived", counting(waived.len(), "finding"))],
    );
    findings::groups(&mut page, &waived, report);
    page.own("</details></section>");
    page
}

/// Each waiver once, in the order of the findings, with the number of findings that it covers.
fn by_waiver(report: &ReportV1) -> Vec<(&WaiverV1, usize)> {
    let mut waivers: Vec<(&WaiverV1, usize)> = Vec::new();
    for waiver in report.findings.iter().filter_map(|finding| finding.waiver.as_ref()) {
        match waivers.iter_mut().find(|(known, _)| *known == waiver) {
            Some((_, count)) => *count += 1,
            None => waivers.push((waiver, 1)),
        }
    }
    waivers
}
