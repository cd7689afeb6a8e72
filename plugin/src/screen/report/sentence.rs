//! The verdict as a sentence, for the screen and the HTML page. The sentence never calls anything fine that was not
//! examined.

use aksarc_shared::verdict::report::v1::{BasisV1, ConsequenceV1, ReportV1, VerdictV1};

use super::summary::{by_some, of_manifests};
use crate::screen::wording::{Typography, counting, dated_page};

/// The verdict in words: the first, which stands out, and the rest of the sentence.
pub(crate) struct VerdictSentence {
    /// `Outside`, `Within` …
    pub(crate) word: &'static str,
    /// Whether a comma parts the word from the rest on one line.
    pub(crate) comma: bool,
    /// The rest.
    pub(crate) rest: String,
}

impl VerdictSentence {
    /// The sentence for a report. `published` names what it was judged by.
    pub(crate) fn of(report: &ReportV1, published: &str, typography: Typography) -> Self {
        let plain = |word, rest| VerdictSentence { word, comma: false, rest };
        let sentence = match report.verdict {
            VerdictV1::Outside => outside(report, published, typography),
            verdict if let Some(some) = by_some(report) => {
                let word = match verdict {
                    VerdictV1::Inconclusive => "Inconclusive",
                    VerdictV1::Outside | VerdictV1::Within => "Nothing voids support",
                };
                plain(word, format!("{some}, against {published}: the others were not run"))
            }
            VerdictV1::Within if report.input.unjudged > 0 && report.input.unjudged == report.coverage.objects => {
                plain("Within", format!("{published}: there is nothing here that a rule looks at"))
            }
            VerdictV1::Within if of_manifests(report) => {
                plain("Within", format!("{published}, as far as manifests show"))
            }
            VerdictV1::Within => plain("Within", format!("{published}, as far as Kubernetes shows")),
            VerdictV1::Inconclusive => {
                plain("Inconclusive", format!("against {published}: not everything could be decided"))
            }
        };
        // A waiver is somebody's word that it may wait, and not the policy's.
        let waived = report.findings.iter().filter(|f| f.waiver.is_some() && f.consequence == ConsequenceV1::Voids);
        let rest = match waived.count() {
            0 => sentence.rest,
            _ if report.verdict == VerdictV1::Outside => sentence.rest,
            count => format!("{}, apart from {} waived", sentence.rest, counting(count, "finding")),
        };
        VerdictSentence { rest, ..sentence }
    }
}

/// The sentence of a cluster outside, by the strongest basis of what voids support there.
fn outside(report: &ReportV1, published: &str, typography: Typography) -> VerdictSentence {
    let asked = by_some(report).map(|some| format!(", {some}")).unwrap_or_default();
    let (comma, rest) = match report.verdict_basis {
        Some(BasisV1::Documented) => {
            let voids = report.unwaived(ConsequenceV1::Voids);
            let mut pages: Vec<String> = voids.flat_map(|f| f.documents.iter().map(dated_page)).collect();
            pages.sort();
            pages.dedup();
            let apostrophe = typography.apostrophe;
            (true, format!("by Microsoft{apostrophe}s retirement notice, {}{asked}", pages.join("; ")))
        }
        Some(BasisV1::Derived | BasisV1::Operational) => (true, format!("by our reading of {published}{asked}")),
        Some(BasisV1::Explicit) | None => (false, format!("{published}{asked}")),
    };
    VerdictSentence { word: "Outside", comma, rest }
}
