//! The result of `support-check` that was published last: a task in the background reads its summary at intervals, and the
//! metrics show it.
//!
//! The result itself can be large, so only the metadata of its ConfigMap are asked for, of which the summary is a part. While
//! the summary cannot be read, the metrics show the last one; when the ConfigMap is gone, they show nothing.

use std::time::Duration;

use aksarc_shared::data::own::NAMESPACE;
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::rules::catalogue;
use aksarc_shared::verdict::published::{LEFT_OUT, NAME, ResultSummary, SUMMARY};
use aksarc_shared::verdict::report::v1::{ConsequenceV1, OutcomeV1, VerdictV1};
use http::StatusCode;
use prometheus_client::metrics::gauge::Gauge;
use serde_json::Value;
use tokio::time::sleep;

use crate::api::{Access, Api, ApiAnswer, ApiError, jitter};
use crate::log::LoggedFailure;
use crate::metrics::{Metrics, OutcomeCounters, SeriesLabels, by};

/// How the published result is read.
#[derive(Clone, Debug)]
pub struct PublishedOptions {
    /// How to reach the API server.
    pub access: Access,
    /// How often it is read.
    pub every: Duration,
}

/// Reads the summary again and again, until the future is dropped.
pub(crate) async fn run(options: PublishedOptions, series: PublishedSeries) {
    let PublishedOptions { access, every } = options;
    let api = Api::new(access);
    let mut logged = LoggedFailure::default();
    loop {
        let outcome = read(&api).await;
        series.take(&outcome);
        log_change(&mut logged, &outcome);
        sleep(every + jitter(every / 10)).await;
    }
}

/// The outcome of one reading.
#[derive(Debug)]
enum SummaryOutcome {
    /// Nothing was published.
    Absent,
    Failed(SummaryTrouble, String),
    Read(ResultSummary),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SummaryTrouble {
    Forbidden,
    NoAccess,
    Refused,
    Unreachable,
    Unreadable,
}

impl SummaryOutcome {
    fn word(&self) -> &'static str {
        match self {
            SummaryOutcome::Absent => "absent",
            SummaryOutcome::Read(_) => "read",
            SummaryOutcome::Failed(trouble, _) => match trouble {
                SummaryTrouble::Forbidden => "forbidden",
                SummaryTrouble::NoAccess => "no_access",
                SummaryTrouble::Refused => "refused",
                SummaryTrouble::Unreachable => "unreachable",
                SummaryTrouble::Unreadable => "unreadable",
            },
        }
    }

    const WORDS: [&'static str; 7] =
        ["absent", "forbidden", "no_access", "read", "refused", "unreachable", "unreadable"];
}

async fn read(api: &Api) -> SummaryOutcome {
    match api.get_metadata(&format!("/api/v1/namespaces/{NAMESPACE}/configmaps/{NAME}")).await {
        Ok(answer) => match answer.status {
            StatusCode::OK => summary(&answer),
            StatusCode::NOT_FOUND => SummaryOutcome::Absent,
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => refused(SummaryTrouble::Forbidden, &answer, HINT),
            _ => refused(SummaryTrouble::Refused, &answer, ""),
        },
        Err(error @ ApiError::NoAccess(_)) => SummaryOutcome::Failed(SummaryTrouble::NoAccess, error.to_string()),
        Err(error) => SummaryOutcome::Failed(SummaryTrouble::Unreachable, error.to_string()),
    }
}

fn refused(trouble: SummaryTrouble, answer: &ApiAnswer, hint: &str) -> SummaryOutcome {
    let why = format!("reading the ConfigMap {NAMESPACE}/{NAME}: {}{hint}", answer.refusal());
    SummaryOutcome::Failed(trouble, why)
}

fn summary(answer: &ApiAnswer) -> SummaryOutcome {
    let object: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = object.get("metadata").and_then(|meta| meta.get("annotations")?.get(SUMMARY)?.as_str());
    let parsed = match text {
        Some(text) => ResultSummary::parse(text),
        None => Err("it has none".to_owned()),
    };
    parsed.map_or_else(
        |why| {
            let why = format!("the annotation {SUMMARY} of the ConfigMap {NAMESPACE}/{NAME}: {why}");
            SummaryOutcome::Failed(SummaryTrouble::Unreadable, why)
        },
        SummaryOutcome::Read,
    )
}

fn log_change(logged: &mut LoggedFailure<SummaryTrouble>, outcome: &SummaryOutcome) {
    match outcome {
        SummaryOutcome::Failed(what, why) if logged.is_new(*what) => {
            tracing::warn!(error = why, "the published result of support-check cannot be read for the metrics");
        }
        SummaryOutcome::Failed(..) => {}
        SummaryOutcome::Absent | SummaryOutcome::Read(_) => {
            if logged.ends() {
                tracing::info!("the published result of support-check is read again");
            }
        }
    }
}

/// The series of the published result.
#[derive(Debug)]
pub(crate) struct PublishedSeries {
    reads: OutcomeCounters,
    taken_at: Gauge,
    /// By the position in `VERDICTS`.
    verdicts: Vec<Gauge>,
    /// By rule and the position of the consequence; the last one is for rules that this guard does not know.
    findings: Vec<(&'static str, Vec<Gauge>)>,
    waived: Gauge,
    /// By word.
    rules: Vec<(&'static str, Gauge)>,
}

impl PublishedSeries {
    pub(crate) fn register(metrics: &mut Metrics) -> Self {
        let outcomes = OUTCOMES.map(OutcomeV1::as_str);
        let words: Vec<&'static str> = outcomes.into_iter().chain([LEFT_OUT]).collect();
        PublishedSeries {
            reads: OutcomeCounters::register(
                metrics,
                "check_reads",
                "Attempts to read the summary of the published result of support-check, by outcome",
                &SummaryOutcome::WORDS,
            ),
            taken_at: metrics.gauge(
                "check_timestamp_seconds",
                "When the cluster was checked whose result was published last; 0 where nothing is known of it",
            ),
            verdicts: metrics.gauges(
                "check_verdict_info",
                "The verdict of the published result has 1, the others have 0",
                &by("verdict", &VERDICTS.map(VerdictV1::as_str)),
            ),
            findings: finding_gauges(metrics),
            waived: metrics.gauge("check_findings_waived", "Findings in the published result that a waiver accepts"),
            rules: {
                let help = "Rules in the published result by outcome, and those that were not asked as left-out";
                let gauges = metrics.gauges("check_rules", help, &by("outcome", &words));
                words.into_iter().zip(gauges).collect()
            },
        }
    }

    fn take(&self, outcome: &SummaryOutcome) {
        self.reads.count(outcome.word());
        match outcome {
            SummaryOutcome::Absent => self.show(None),
            SummaryOutcome::Read(summary) => self.show(Some(summary)),
            SummaryOutcome::Failed(..) => {}
        }
    }

    fn show(&self, summary: Option<&ResultSummary>) {
        let taken_at = summary.and_then(|summary| summary.taken_at);
        self.taken_at.set(taken_at.map_or(0, Timestamp::as_second));
        for (verdict, gauge) in VERDICTS.iter().zip(&self.verdicts) {
            gauge.set(i64::from(summary.is_some_and(|summary| summary.verdict == *verdict)));
        }
        let found = |code: &str, consequence: ConsequenceV1| {
            let known = |code: &str| self.findings.iter().any(|(own, _)| *own == code);
            let rules = summary.into_iter().flat_map(|summary| &summary.findings);
            let of_code = rules.filter(|(own, _)| *own == code || (code == OTHER && !known(own)));
            of_code.filter_map(|(_, counts)| counts.get(&consequence)).map(|count| i64::from(*count)).sum()
        };
        for (code, gauges) in &self.findings {
            for (consequence, gauge) in ConsequenceV1::ALL.into_iter().zip(gauges) {
                gauge.set(found(code, consequence));
            }
        }
        self.waived.set(summary.map_or(0, |summary| i64::from(summary.waived)));
        for (word, gauge) in &self.rules {
            let count = summary.and_then(|summary| summary.rules.get(*word));
            gauge.set(count.map_or(0, |count| i64::from(*count)));
        }
    }
}

/// One family for all rules, and the gauges of each.
fn finding_gauges(metrics: &mut Metrics) -> Vec<(&'static str, Vec<Gauge>)> {
    let codes: Vec<&'static str> = catalogue::ALL.iter().map(|rule| rule.code.as_str()).chain([OTHER]).collect();
    let labels = |code: &'static str| {
        ConsequenceV1::ALL.map(|consequence| vec![("rule", code), ("consequence", consequence.as_str())])
    };
    let series: Vec<SeriesLabels> = codes.iter().flat_map(|code| labels(code)).collect();
    let help = "Findings in the published result that no waiver accepts, by rule and consequence";
    let gauges = metrics.gauges("check_findings", help, &series);
    let of_rule = gauges.chunks(ConsequenceV1::ALL.len()).map(<[Gauge]>::to_vec);
    codes.iter().copied().zip(of_rule).collect()
}

/// The label of rules that this guard does not know: a later version may have published the result.
const OTHER: &str = "other";

const VERDICTS: [VerdictV1; 3] = [VerdictV1::Inconclusive, VerdictV1::Outside, VerdictV1::Within];

const OUTCOMES: [OutcomeV1; 6] = [
    OutcomeV1::NotApplicable,
    OutcomeV1::NotObservable,
    OutcomeV1::Pass,
    OutcomeV1::Unknown,
    OutcomeV1::Violated,
    OutcomeV1::Waived,
];

const HINT: &str = "; the guard's manifest, applied anew, provides the right, and --check-result=off does without";
