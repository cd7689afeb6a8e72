//! `report diff`: what is new, fixed and unchanged between two saved results.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use aksarc_shared::data::own::API_VERSION;
use aksarc_shared::text;
use aksarc_shared::verdict::report::exit;
use aksarc_shared::verdict::report::v1::{FindingV1, OutcomeV1, ReportV1};
use anyhow::Context as _;
use serde_json::{Value, json};

use crate::cli::exit::{ExitResult, Failure};
use crate::input::result;
use crate::screen::format::{self, ListFormat};
use crate::screen::grid::Grid;
use crate::screen::ui::{Ui, UiFlags};

/// Arguments of `report diff`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The earlier result
    #[arg(value_name = "OLD", value_hint = clap::ValueHint::FilePath)]
    pub old: PathBuf,
    /// The later result
    #[arg(value_name = "NEW", value_hint = clap::ValueHint::FilePath)]
    pub new: PathBuf,
    /// Format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: ListFormat,
    /// Display.
    #[command(flatten)]
    pub ui: UiFlags,
}

/// Runs `report diff`: exit 1 where something is new, 5 where nothing is and something cannot be compared.
pub(super) fn run(args: &Args, ui: &Ui) -> ExitResult {
    let read = |path, which: &'static str| result::read(path).context(which).map_err(Failure::input);
    let (old, new) = (read(&args.old, "OLD")?, read(&args.new, "NEW")?);
    let comparison = ResultComparison::of(&old, &new);
    let text = match args.output {
        ListFormat::Table => ui.look().fit(table(&comparison, ui)),
        ListFormat::Json => format::json(&document(&comparison, &old, &new))?,
        ListFormat::Yaml => format::yaml(&document(&comparison, &old, &new))?,
    };
    ui.print(&text).map_err(Failure::beside_differences)?;
    Ok(comparison.exit_code())
}

/// Two results side by side.
struct ResultComparison<'r> {
    /// Other differences between the results that can explain a finding, one sentence each.
    circumstances: Vec<String>,
    /// Every finding of either, in the order of the later result.
    compared: Vec<ComparedFinding<'r>>,
}

/// A finding, and its state in the comparison.
struct ComparedFinding<'r> {
    finding: &'r FindingV1,
    fate: Fate,
    /// The reason for a finding that cannot be compared; the change of one that stayed.
    remark: String,
}

/// The state of a finding in a comparison of two results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// It is in the later result alone, or waived in the earlier one and not any more.
    New,
    /// It is in the earlier result alone, or accepted by a waiver now.
    Fixed,
    /// Its rule was not decided in one of both, so that it may be new, fixed, or neither.
    NotComparable,
    /// It is in both.
    Unchanged,
}

impl Fate {
    const ALL: [Fate; 4] = [Fate::New, Fate::Fixed, Fate::NotComparable, Fate::Unchanged];

    fn as_str(self) -> &'static str {
        match self {
            Fate::New => "new",
            Fate::Fixed => "fixed",
            Fate::NotComparable => "not-comparable",
            Fate::Unchanged => "unchanged",
        }
    }
}

impl<'r> ResultComparison<'r> {
    fn of(old: &'r ReportV1, new: &'r ReportV1) -> Self {
        let by_print = |report: &'r ReportV1| -> BTreeMap<&'r str, &'r FindingV1> {
            report.findings.iter().map(|finding| (&*finding.fingerprint, finding)).collect()
        };
        let (before, now) = (by_print(old), by_print(new));
        let mut compared: Vec<ComparedFinding<'r>> = new
            .findings
            .iter()
            .map(|finding| match before.get(&*finding.fingerprint) {
                Some(earlier) => both(earlier, finding),
                None => alone(finding, old, "earlier", Fate::New),
            })
            .collect();
        let gone = old.findings.iter().filter(|finding| !now.contains_key(&*finding.fingerprint));
        compared.extend(gone.map(|finding| alone(finding, new, "later", Fate::Fixed)));
        compared.sort_by_key(|compared| compared.fate);
        ResultComparison { circumstances: circumstances(old, new), compared }
    }

    fn count(&self, fate: Fate) -> usize {
        self.compared.iter().filter(|compared| compared.fate == fate).count()
    }

    fn exit_code(&self) -> u8 {
        if self.count(Fate::New) > 0 {
            exit::FAILED
        } else if self.count(Fate::NotComparable) > 0 {
            exit::INCONCLUSIVE
        } else {
            exit::WITHIN
        }
    }
}

/// A finding that both results have.
fn both<'r>(earlier: &FindingV1, finding: &'r FindingV1) -> ComparedFinding<'r> {
    let (fate, remark) = match (&earlier.waiver, &finding.waiver) {
        (Some(waiver), None) => (Fate::New, format!("waiver {} accepted it, and does not any more", waiver.name)),
        (None, Some(waiver)) => (Fate::Fixed, format!("not gone: accepted by waiver {} now", waiver.name)),
        _ if earlier.consequence != finding.consequence => {
            let (was, is) = (earlier.consequence.as_str(), finding.consequence.as_str());
            (Fate::Unchanged, format!("{is}, was {was}"))
        }
        _ if earlier.after != finding.after => {
            let value = |finding: &FindingV1| finding.after.clone().unwrap_or_else(|| "nothing".to_owned());
            (Fate::Unchanged, format!("{} now, was {}", value(finding), value(earlier)))
        }
        _ => (Fate::Unchanged, String::new()),
    };
    ComparedFinding { finding, fate, remark }
}

/// A finding that `other`, the earlier or the later result, does not have.
fn alone<'r>(finding: &'r FindingV1, other: &ReportV1, which: &str, fate: Fate) -> ComparedFinding<'r> {
    if let Some(why) = undecided(other, &finding.code) {
        return ComparedFinding { finding, fate: Fate::NotComparable, remark: format!("{why} in the {which} result") };
    }
    let remark = match &finding.waiver {
        Some(waiver) => format!("accepted by waiver {}", waiver.name),
        None => String::new(),
    };
    // An accepted finding is not new.
    let fate = if fate == Fate::New && finding.waiver.is_some() { Fate::Unchanged } else { fate };
    ComparedFinding { finding, fate, remark }
}

/// The reason why the absence of a rule's findings from a report proves nothing; `None` where it proves that there are
/// none.
fn undecided(report: &ReportV1, code: &str) -> Option<String> {
    let Some(rule) = report.rule(code) else { return Some(format!("{code} was not run")) };
    match rule.outcome {
        OutcomeV1::Pass | OutcomeV1::Violated | OutcomeV1::Waived => None,
        undecided @ (OutcomeV1::NotApplicable | OutcomeV1::NotObservable | OutcomeV1::Unknown) => {
            let why = if rule.reason.is_empty() { String::new() } else { format!(" ({})", rule.reason) };
            Some(format!("{code} was {}{why}", undecided.as_str()))
        }
    }
}

/// The differences between two results besides their findings.
fn circumstances(old: &ReportV1, new: &ReportV1) -> Vec<String> {
    let kind = |report: &ReportV1| format!("{:?}", report.input.kind).to_lowercase();
    let mut out = Vec::new();
    for (what, was, is) in [
        ("clusters", &old.cluster.context, &new.cluster.context),
        ("servers", &old.cluster.server, &new.cluster.server),
        ("sources", &kind(old), &kind(new)),
        ("platforms", &old.policy.platform, &new.policy.platform),
        ("Kubernetes versions", &old.cluster.kubernetes_version, &new.cluster.kubernetes_version),
        ("versions of the program", &old.tool.version, &new.tool.version),
        ("version tables", &old.policy.version_table_as_of, &new.policy.version_table_as_of),
    ] {
        if was != is {
            out.push(format!("different {what}: {}, then {}", shown(was), shown(is)));
        }
    }
    for (which, report) in [("earlier", old), ("later", new)] {
        if report.partial {
            out.push(format!(
                "the {which} result is of {} rules of {} alone (--only, --skip)",
                report.rules.len(),
                report.catalogue.rules
            ));
        }
    }
    if old.policy.as_of > new.policy.as_of {
        let (was, is) = (&old.policy.as_of, &new.policy.as_of);
        out.push(format!("the later result is as of an earlier day: {was}, then {is}"));
    }
    out
}

fn shown(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { text::line(text, MAX_SHOWN) }
}

fn table(comparison: &ResultComparison<'_>, ui: &Ui) -> String {
    // Writing to a string does not fail.
    let mut out = String::new();
    for circumstance in &comparison.circumstances {
        let _ = writeln!(out, "note: {circumstance}");
    }
    let mut grid = Grid::under(ui.headings, &["CHANGE", "CODE", "WEIGHT", "OBJECT", "FIELD", "REMARK"]);
    for ComparedFinding { finding, fate, remark } in comparison.compared.iter().filter(|own| is_shown(own)) {
        grid.row([
            fate.as_str().to_owned(),
            text::line(&finding.code, MAX_SHOWN),
            finding.consequence.as_str().to_owned(),
            text::line(&finding.object.short(), MAX_SHOWN),
            text::line(&finding.path, MAX_SHOWN),
            text::line(remark, MAX_REMARK),
        ]);
    }
    out.push_str(&grid.lines("", ui.width));
    let counts: Vec<String> = Fate::ALL.map(|fate| format!("{} {}", comparison.count(fate), fate.as_str())).to_vec();
    let _ = writeln!(out, "{} · exit {}", counts.join(", "), comparison.exit_code());
    out
}

/// Unchanged findings are counted and not listed.
fn is_shown(compared: &ComparedFinding<'_>) -> bool {
    compared.fate != Fate::Unchanged || !compared.remark.is_empty()
}

fn document(comparison: &ResultComparison<'_>, old: &ReportV1, new: &ReportV1) -> Value {
    let side = |report: &ReportV1| {
        json!({"cluster": report.cluster, "policy": {"platform": report.policy.platform, "asOf": report.policy.as_of},
            "tool": report.tool, "verdict": report.verdict, "exitCode": report.exit_code})
    };
    let row = |ComparedFinding { finding, fate, remark }: &ComparedFinding<'_>| {
        json!({"change": fate.as_str(), "remark": remark, "code": finding.code, "consequence": finding.consequence,
            "object": finding.object, "path": finding.path, "message": finding.message, "fingerprint": finding.fingerprint})
    };
    let counts: BTreeMap<&str, usize> = Fate::ALL.map(|fate| (fate.as_str(), comparison.count(fate))).into();
    json!({
        "apiVersion": API_VERSION, "kind": "SupportReportDiff", "old": side(old), "new": side(new),
        "circumstances": comparison.circumstances, "summary": counts,
        "findings": comparison.compared.iter().map(row).collect::<Vec<_>>(), "exitCode": comparison.exit_code(),
    })
}

/// The longest name in the table.
const MAX_SHOWN: usize = 200;

/// The longest remark in the table.
const MAX_REMARK: usize = 400;

pub(super) const EXAMPLES: &str = "\
Examples:
  kubectl aksarc report diff monday.json tuesday.json
  kubectl aksarc report diff before.json after.json -o json";
