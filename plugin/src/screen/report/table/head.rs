//! The verdict with its counts, and the subject of the check with its sources.

use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::{ConsequenceV1, InputKindV1, OutcomeV1, ReportV1, VerdictV1};
use jiff::Timestamp;
use jiff::civil::Date;

use super::layout::Screen;
use crate::screen::grid::{columns, wrap};
use crate::screen::report::sentence::VerdictSentence;
use crate::screen::report::summary::{candidates, findings_counted, of_manifests, rules_counted, texts};
use crate::screen::report::view::Age;
use crate::screen::style::{Paint, sign};
use crate::screen::wording::{PLAIN, counting, either};

impl Screen<'_> {
    /// The verdict, first of all.
    pub(super) fn verdict(&mut self) {
        self.verdict_and_counts();
    }

    /// The verdict again, with the exit code and the next step: a reader of a long screen sees its end.
    pub(super) fn end(&mut self) {
        self.gap();
        self.verdict_and_counts();
        let (code, next) = (self.report.exit_code, self.next());
        let (what, command) = next.split_once("  ").unwrap_or((&next, ""));
        let line = format!("exit {code}{what}");
        match command {
            "" => self.out.fold_below("   ", &line),
            // A command is copied, so that it is not broken.
            command => {
                let whole = format!("   {line}  {command}");
                let fits = self.out.width().is_none_or(|width| columns(&whole) <= width);
                if fits {
                    self.out.line(&whole);
                } else {
                    self.out.fold_below("   ", &line);
                    self.out.line(&format!("     {command}"));
                }
            }
        }
    }

    fn verdict_and_counts(&mut self) {
        let report = self.report;
        let words = words(report);
        for (number, line) in wrap(&words, self.out.room(3)).iter().enumerate() {
            let lead = if number == 0 { format!(" {} ", sign(report.verdict)) } else { "   ".to_owned() };
            self.out.line(&Paint::verdict(report.verdict, format_args!("{lead}{line}")));
        }
        let findings = findings_counted(report);
        let findings = if findings.is_empty() { "none".to_owned() } else { findings.join(" · ") };
        self.fact("findings", &findings);
        self.fact("rules", &rules_counted(report).join(" · "));
    }

    /// The subject of the check, and its sources.
    pub(super) fn facts(&mut self) {
        let report = self.report;
        self.gap();
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
        self.fact("cluster", &facts.join(" · "));
        let evidence = report.policy.platform_evidence.join("; ");
        let platform = either(&candidates(report));
        self.fact("platform", &format!("{} · {}", text::line(&platform, 120), text::line(&evidence, 200)));
        let texts = texts(report, PLAIN);
        self.fact("policy", &if texts.is_empty() { "no policy text".to_owned() } else { texts.join(", ") });
        if let Some(tables) = tables(report) {
            self.fact("versions", &tables);
        }
        let coverage = &report.coverage;
        // Only the reading of a cluster costs anything.
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
        self.fact("reading", &format!("{cost}{unwritten} · kubectl-aksarc {}", report.tool.version));
        if let Some(taken) = &report.input.taken {
            let age = Age::of(&report.input, self.view.now).map(age_of).unwrap_or_default();
            self.fact("taken", &format!("{}{age} · judged as of {}", seconds(taken), report.policy.as_of));
        }
    }

    /// The next step. A command in it stands behind two spaces.
    fn next(&self) -> String {
        let report = self.report;
        let mut codes: Vec<&str> = report.unwaived(ConsequenceV1::Voids).map(|f| f.code.as_str()).collect();
        codes.dedup();
        // A snapshot or manifests are judged again under the same flags; only a cluster is read anew by the bare
        // command.
        let again = |flags: String| {
            if of_manifests(report) {
                format!("judge the manifests again with {flags}")
            } else if report.input.kind == InputKindV1::Snapshot {
                format!("judge a new snapshot with {flags}")
            } else {
                format!(" {} support-check {flags}", self.view.name)
            }
        };
        match report.verdict {
            VerdictV1::Outside => {
                let findings = counting(report.unwaived(ConsequenceV1::Voids).count(), "finding");
                format!(" · next: fix {findings}, then {}", again(format!("--only {}", codes.join(","))))
            }
            VerdictV1::Inconclusive => {
                let candidates = candidates(report);
                let platform = |reason: &str| candidates.len() > 1 && reason.contains("--platform");
                let unknown: Vec<_> = report.rules.iter().filter(|rule| rule.outcome == OutcomeV1::Unknown).collect();
                let mut ways = Vec::new();
                if unknown.iter().any(|rule| !platform(&rule.reason) && rule.reason.contains(FORBIDDEN)) {
                    ways.push("run with rights to list what is named above".to_owned());
                } else if unknown.iter().any(|rule| !platform(&rule.reason)) || unknown.is_empty() {
                    ways.push("supply what is named above".to_owned());
                }
                if unknown.iter().any(|rule| platform(&rule.reason)) {
                    ways.push(format!("say with --platform which it is: {}", either(&candidates)));
                }
                format!(" · next: {}", ways.join(", and "))
            }
            VerdictV1::Within => String::new(),
        }
    }
}

/// The verdict in words.
fn words(report: &ReportV1) -> String {
    let texts = texts(report, PLAIN);
    let published = match texts.as_slice() {
        [] => "the published support policy".to_owned(),
        // The preview has a page instead of a support policy; a verdict on it is derived from the policies of the
        // others.
        [one] if report.policy.preview => format!("what is known of a preview without a policy text, {one}"),
        [one] => one.clone(),
        _ => "the policy texts of every platform that it may be".to_owned(),
    };
    let VerdictSentence { word, comma, rest } = VerdictSentence::of(report, &published, PLAIN);
    format!("{}{} {rest}", word.to_uppercase(), if comma { "," } else { "" })
}

/// The days of the version tables, with the age of the oldest: the verdict rests on them.
fn tables(report: &ReportV1) -> Option<String> {
    let days: Vec<&str> = report.policy.version_table_as_of.split('|').filter(|day| !day.is_empty()).collect();
    let oldest = days.iter().min()?;
    let day = |text: &str| text.parse::<Date>().ok();
    let age = day(&report.policy.as_of).zip(day(oldest)).map(|(now, then)| (now - then).get_days());
    let age = age.filter(|age| *age > 0).map(|age| {
        let age = counting(usize::try_from(age).unwrap_or(0), "day");
        let oldest = if days.len() > 1 { "the oldest " } else { "" };
        format!(" · {oldest}{age} old; --versions takes newer ones")
    });
    Some(format!("tables of {}{}", days.join(", "), age.unwrap_or_default()))
}

/// The age of a snapshot, today or on the day that was asked for.
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

/// The word in the reason of a rule that lacks a right.
pub(super) const FORBIDDEN: &str = "forbidden";
