//! What was judged by what, and the verdict.

use std::fmt::{self, Write as _};

use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::{BasisV1, ConsequenceV1, FindingV1, OutcomeV1, ReportV1, VerdictV1};
use jiff::Timestamp;

use super::layout::Screen;
use crate::screen::grid::wrap;
use crate::screen::report::summary::{by_some, candidates, counted, left_out, of_manifests, texts};
use crate::screen::report::view::Age;
use crate::screen::style::{Paint, sign};
use crate::screen::wording::{counting, dated_page, either};

impl Screen<'_> {
    pub(super) fn header(&mut self) -> fmt::Result {
        let report = self.report;
        let right = format!("kubectl-aksarc {} · {}", report.tool.version, age(report));
        self.spread(&Paint::bold("AKS Arc support check"), &right)?;
        let cluster = &report.cluster;
        let mut facts = Vec::new();
        if !cluster.context.is_empty() || !cluster.server.is_empty() {
            let place = if cluster.context.is_empty() { &cluster.server } else { &cluster.context };
            facts.push(text::line(place, 200));
        }
        if !cluster.kubernetes_version.is_empty() {
            facts.push(format!("Kubernetes {}", text::line(&cluster.kubernetes_version, 60)));
        }
        if !of_manifests(report) {
            let nodes = counting(cluster.nodes, "node");
            facts.push(if report.input.nodes_read { nodes } else { "nodes not read".to_owned() });
        }
        self.labelled("cluster", &facts.join(" · "));
        let evidence = report.policy.platform_evidence.join("; ");
        let platform = either(&candidates(report));
        self.labelled("platform", &format!("{} · {}", text::line(&platform, 120), text::line(&evidence, 200)));
        let coverage = &report.coverage;
        // Only a cluster pays for being read.
        let cost = if coverage.requests == 0 {
            let unjudged = match report.input.unjudged {
                0 => String::new(),
                count => format!(", {count} of kinds that no rule looks at"),
            };
            counting(coverage.objects, "object") + &unjudged
        } else {
            let (objects, requests) = (counting(coverage.objects, "object"), counting(coverage.requests, "request"));
            format!("{objects}, {requests}, read-only")
        };
        let unwritten = match coverage.without_managed_fields {
            0 => String::new(),
            count => format!(", {count} without managedFields"),
        };
        self.labelled("reading", &(cost + &unwritten));
        if let Some(taken) = &report.input.taken {
            let age = Age::of(&report.input, self.view.now).map(age_of).unwrap_or_default();
            self.labelled("taken", &format!("{}{age} · judged as of {}", seconds(taken), report.policy.as_of));
        }
        writeln!(self.out)
    }

    pub(super) fn verdict(&mut self) -> fmt::Result {
        let report = self.report;
        let texts = texts(report);
        let preview = report.policy.preview;
        let (published, several) = match texts.as_slice() {
            [] => ("the published support policy".to_owned(), false),
            // The page of the preview is no support policy: what is said there is read from those of the other platforms.
            [one] if preview => (format!("what is known of a preview without a policy text, {one}"), false),
            [one] => (format!("the published text {one}"), false),
            _ => ("the published texts of every platform that it may be".to_owned(), true),
        };
        let words = match report.verdict {
            VerdictV1::Outside => outside(report, &published),
            verdict if let Some(some) = by_some(report) => {
                let found = match verdict {
                    VerdictV1::Inconclusive => "INCONCLUSIVE",
                    VerdictV1::Outside | VerdictV1::Within => "NOTHING VOIDS SUPPORT",
                };
                format!("{found} {some}, against {published}: the others were not run")
            }
            VerdictV1::Within if report.input.unjudged > 0 && report.input.unjudged == report.coverage.objects => {
                format!("WITHIN {published}: there is nothing here that a rule looks at")
            }
            VerdictV1::Within if of_manifests(report) => format!("WITHIN {published}, as far as manifests show"),
            VerdictV1::Within => format!("WITHIN {published}, as far as Kubernetes shows"),
            VerdictV1::Inconclusive => format!("INCONCLUSIVE against {published}: not everything could be decided"),
        };
        // A waiver is somebody's word that it may wait, and not the policy's.
        let waived = |finding: &&FindingV1| finding.waiver.is_some() && finding.consequence == ConsequenceV1::Voids;
        let words = match report.findings.iter().filter(waived).count() {
            0 => words,
            _ if report.verdict == VerdictV1::Outside => words,
            count => format!("{words}, apart from {} waived", counting(count, "finding")),
        };
        for (number, line) in wrap(&words, self.out.room(3)).iter().enumerate() {
            let lead = if number == 0 { format!(" {} ", sign(report.verdict)) } else { "   ".to_owned() };
            writeln!(self.out, "{}", Paint::verdict(report.verdict, format_args!("{lead}{line}")))?;
        }
        if several {
            for one in &texts {
                self.out.fold_below("     ", one);
            }
        }
        let passed = report.rules.iter().filter(|rule| rule.outcome == OutcomeV1::Pass).count();
        let mut counts = Vec::new();
        for (key, words) in [
            ("voids", "void support"),
            ("at-risk", "at risk"),
            ("not-covered", "not covered"),
            ("info", "info"),
            ("waived", "waived"),
        ] {
            match counted(report, key) {
                0 => {}
                1 if key == "voids" => counts.push("1 voids support".to_owned()),
                count => counts.push(format!("{count} {words}")),
            }
        }
        counts.push(format!("{} ok", counting(passed, "rule")));
        let could_void = report.rules.iter().filter(|rule| rule.could_void).count();
        if could_void > 0 {
            counts.push(format!("{could_void} undecided that could void support"));
        }
        for (key, words) in [("unknown", "unknown"), ("not-observable", "not observable")] {
            if counted(report, key) > 0 {
                counts.push(format!("{} {words}", counted(report, key)));
            }
        }
        if left_out(report) > 0 {
            counts.push(format!("{} not run", left_out(report)));
        }
        writeln!(self.out, "   {}", counts.join(" · "))
    }
}

/// The headline of a cluster outside, by the strongest basis of what voids support there.
fn outside(report: &ReportV1, published: &str) -> String {
    let asked = by_some(report).map(|some| format!(", {some}")).unwrap_or_default();
    match report.verdict_basis {
        Some(BasisV1::Documented) => {
            let voids = report.unwaived(ConsequenceV1::Voids);
            let mut pages: Vec<String> = voids.flat_map(|f| f.documents.iter().map(dated_page)).collect();
            pages.sort();
            pages.dedup();
            format!("OUTSIDE, by Microsoft's retirement notice, {}{asked}", pages.join("; "))
        }
        Some(BasisV1::Derived | BasisV1::Operational) => format!("OUTSIDE, by our reading of {published}{asked}"),
        Some(BasisV1::Explicit) | None => format!("OUTSIDE {published}{asked}"),
    }
}

/// From when the policy is that was judged against.
fn age(report: &ReportV1) -> String {
    let newest = report.policy.documents.iter().filter_map(|document| document.date.as_ref()).max();
    match (report.policy.documents.len(), newest) {
        (0, _) => "no policy text".to_owned(),
        (1, Some(date)) => format!("policy of {date}"),
        (1, None) => "undated policy".to_owned(),
        (many, Some(date)) => format!("{many} policy texts, the newest of {date}"),
        (many, None) => format!("{many} undated policy texts"),
    }
}

/// How old a snapshot is, or was on the day that was asked for.
fn age_of(age: Age) -> String {
    let word = |days: i64| if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
    match (age.days, age.given) {
        (0, _) => String::new(),
        (days, false) if days > 0 => format!(" · {} old", word(days)),
        (days, true) if days > 0 => format!(" · {} old then", word(days)),
        (days, _) => format!(" · {} later", word(-days)),
    }
}

/// A moment in whole seconds; anything else as it is.
fn seconds(moment: &str) -> String {
    match moment.parse::<Timestamp>().and_then(|moment| Timestamp::from_second(moment.as_second())) {
        Ok(moment) => moment.to_string(),
        Err(_) => text::line(moment, 60),
    }
}
