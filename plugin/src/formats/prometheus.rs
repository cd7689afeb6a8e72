//! `-o prometheus`: metrics in Prometheus' text format, for a file that the node exporter's textfile collector reads.
//!
//! The samples have no timestamps: the collector refuses a file that holds any. An alert on
//! `aksarc_check_timestamp_seconds` tells when checks no longer run, and when an old snapshot or a saved result is printed
//! again: it is the moment at which the state was read, and not the one at which the file was made.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use aksarc_shared::jiff::civil::Date;
use aksarc_shared::jiff::tz::TimeZone;
use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::{ConsequenceV1, ReportV1, VerdictV1};

use super::{escape, gist};

/// The metrics of a report.
pub(super) fn render(report: &ReportV1) -> String {
    let (cluster, platform) = (gist::subject(report), &*report.policy.platform);
    let own = [("cluster", &*cluster)];
    let mut out = Metrics(String::new());
    let (version, kubernetes) = (&*report.tool.version, &*report.cluster.kubernetes_version);
    let labels = [("cluster", &*cluster), ("version", version), ("platform", platform), ("kubernetes", kubernetes)];
    out.family("aksarc_check_info", "The check: its program, and the cluster that it judged.");
    out.sample("aksarc_check_info", &labels, 1);
    out.family("aksarc_check_timestamp_seconds", MOMENT_HELP);
    out.sample("aksarc_check_timestamp_seconds", &own, gist::state_read(report).as_second());
    out.family("aksarc_verdict", "The verdict: 1 for the one of its label, 0 for the others.");
    for verdict in [VerdictV1::Within, VerdictV1::Outside, VerdictV1::Inconclusive] {
        let labels = [("cluster", &*cluster), ("platform", platform), ("verdict", verdict.as_str())];
        out.sample("aksarc_verdict", &labels, u8::from(report.verdict == verdict));
    }
    out.family("aksarc_exit_code", "The exit code of the check.");
    out.sample("aksarc_exit_code", &own, report.exit_code);
    let rules: BTreeMap<_, _> = report.rules.iter().map(|rule| (text::clean(&rule.code), rule.outcome)).collect();
    out.family("aksarc_rule_outcome", "The outcome of each rule, always 1.");
    for (rule, outcome) in rules {
        let labels = [("cluster", &*cluster), ("rule", &*rule), ("outcome", outcome.as_str())];
        out.sample("aksarc_rule_outcome", &labels, 1);
    }
    findings(report, &cluster, &mut out);
    deadlines(report, &cluster, &mut out);
    out.0
}

fn findings(report: &ReportV1, cluster: &str, out: &mut Metrics) {
    // Two samples of the same labels would be refused, so that what is printed is what is counted.
    let mut counts: BTreeMap<(String, ConsequenceV1, bool), usize> = BTreeMap::new();
    for finding in &report.findings {
        *counts
            .entry((text::clean(&finding.code).into_owned(), finding.consequence, finding.waiver.is_some()))
            .or_default() += 1;
    }
    if counts.is_empty() {
        return;
    }
    out.family("aksarc_findings", "Findings by rule and consequence.");
    for ((rule, consequence, waived), count) in counts {
        let waived = if waived { "true" } else { "false" };
        let labels =
            [("cluster", cluster), ("rule", &*rule), ("consequence", consequence.as_str()), ("waived", waived)];
        out.sample("aksarc_findings", &labels, count);
    }
}

fn deadlines(report: &ReportV1, cluster: &str, out: &mut Metrics) {
    let mut due: BTreeMap<(String, String), i64> = BTreeMap::new();
    for clock in &report.clocks {
        let day = clock.due.parse::<Date>().ok().and_then(|day| day.to_zoned(TimeZone::UTC).ok());
        let Some(second) = day.map(|day| day.timestamp().as_second()) else { continue };
        let labels = (text::clean(&clock.code).into_owned(), text::clean(&clock.what).into_owned());
        // Of two with the same labels the sooner one counts.
        due.entry(labels).and_modify(|own| *own = second.min(*own)).or_insert(second);
    }
    if due.is_empty() {
        return;
    }
    out.family("aksarc_deadline_timestamp_seconds", "Deadlines, in seconds since 1970.");
    for ((rule, what), second) in due {
        out.sample(
            "aksarc_deadline_timestamp_seconds",
            &[("cluster", cluster), ("rule", &*rule), ("what", &*what)],
            second,
        );
    }
}

/// What the moment of a check is.
const MOMENT_HELP: &str = "When the state that was judged was read, in seconds since 1970: of a cluster the moment of the \
                           check, or that of --as-of; of a snapshot when it was taken.";

/// Metrics in the text format. Writing to a string does not fail.
struct Metrics(String);

impl Metrics {
    fn family(&mut self, name: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape::label(value))).collect();
        let _ = writeln!(self.0, "{name}{{{}}} {value}", labels.join(","));
    }
}
