//! What was judged by what, and the verdict.

use std::fmt::{self, Write as _};

use aksarc_shared::data::Platform;
use aksarc_shared::finding::{Basis, Consequence, Finding};
use aksarc_shared::text;
use aksarc_shared::verdict::report::{Report, RuleResult, VerdictWord};
use jiff::Timestamp;

use super::layout::Screen;
use crate::screen::grid::wrap;
use crate::screen::report::summary::{by_some, candidates, counted, left_out, texts};
use crate::screen::report::view::Age;
use crate::screen::style::{Paint, sign};
use crate::screen::wording::{counting, dated, either};

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
        if !self.view.manifests {
            let nodes = counting(cluster.nodes, "node");
            facts.push(if self.view.nodes_read { nodes } else { "nodes not read".to_owned() });
        }
        self.labelled("cluster", &facts.join(" · "));
        let evidence = report.policy.platform_evidence.join("; ");
        let platform = either(&candidates(report));
        self.labelled("platform", &format!("{} · {}", text::line(&platform, 120), text::line(&evidence, 200)));
        let coverage = &report.coverage;
        // Only a cluster pays for being read.
        let cost = if coverage.requests == 0 {
            let unjudged = match self.view.unjudged {
                0 => String::new(),
                count => format!(", {count} of kinds that no rule looks at"),
            };
            counting(coverage.objects, "object") + &unjudged
        } else {
            let (objects, requests) = (counting(coverage.objects, "object"), counting(coverage.requests, "request"));
            format!("{objects}, {requests}, {:.1} s, read-only", coverage.seconds)
        };
        let unwritten = match coverage.without_managed_fields {
            0 => String::new(),
            count => format!(", {count} without managedFields"),
        };
        self.labelled("reading", &(cost + &unwritten));
        if let Some(taken) = self.view.taken {
            let age = self.view.age.map(age_of).unwrap_or_default();
            self.labelled("taken", &format!("{}{age} · judged as of {}", seconds(taken), report.policy.as_of));
        }
        writeln!(self.out)
    }

    pub(super) fn verdict(&mut self) -> fmt::Result {
        let report = self.report;
        let texts = texts(report);
        let preview = report.policy.platform == Platform::BareMetal.as_str();
        let (published, several) = match texts.as_slice() {
            [] => ("the published support policy".to_owned(), false),
            // The page of the preview is no support policy: what is said there is read from those of the other platforms.
            [one] if preview => (format!("what is known of a preview without a policy text, {one}"), false),
            [one] => (format!("the published text {one}"), false),
            _ => ("the published texts of every platform that it may be".to_owned(), true),
        };
        let words = match report.verdict {
            VerdictWord::Outside => outside(report, &published),
            verdict if let Some(some) = by_some(report) => {
                let found = match verdict {
                    VerdictWord::Inconclusive => "INCONCLUSIVE",
                    VerdictWord::Outside | VerdictWord::Within => "NOTHING VOIDS SUPPORT",
                };
                format!("{found} {some}, against {published}: the others were not run")
            }
            VerdictWord::Within if self.view.unjudged > 0 && self.view.unjudged == report.coverage.objects => {
                format!("WITHIN {published}: there is nothing here that a rule looks at")
            }
            VerdictWord::Within if self.view.manifests => format!("WITHIN {published}, as far as manifests show"),
            VerdictWord::Within => format!("WITHIN {published}, as far as Kubernetes shows"),
            VerdictWord::Inconclusive => format!("INCONCLUSIVE against {published}: not everything could be decided"),
        };
        // A waiver is somebody's word that it may wait, and not the policy's.
        let waived = |finding: &&Finding| finding.waiver.is_some() && finding.consequence == Consequence::Voids;
        let words = match report.findings.iter().filter(waived).count() {
            0 => words,
            _ if report.verdict == VerdictWord::Outside => words,
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
        let passed = report.rules.iter().filter(|rule| rule.outcome == RuleResult::Pass).count();
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
fn outside(report: &Report, published: &str) -> String {
    let asked = by_some(report).map(|some| format!(", {some}")).unwrap_or_default();
    match report.verdict_basis {
        Some(Basis::Documented(_)) => {
            let voids = report.findings.iter().filter(|f| f.waiver.is_none() && f.consequence == Consequence::Voids);
            let mut pages: Vec<String> = voids.flat_map(|f| f.documents.iter().map(|page| dated(page))).collect();
            pages.sort();
            pages.dedup();
            format!("OUTSIDE, by Microsoft's retirement notice, {}{asked}", pages.join("; "))
        }
        Some(Basis::Derived | Basis::Operational) => format!("OUTSIDE, by our reading of {published}{asked}"),
        Some(Basis::Explicit) | None => format!("OUTSIDE {published}{asked}"),
    }
}

/// From when the policy is that was judged against.
fn age(report: &Report) -> String {
    let newest = report.policy.documents.iter().filter_map(|document| document.date).max();
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
