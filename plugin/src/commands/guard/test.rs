//! `guard test`: requests in dry run that the guard has to refuse, and others that have to pass.

use aksarc_shared::data::own::API_VERSION;
use aksarc_shared::finding::Consequence;
use aksarc_shared::rules::catalogue;
use aksarc_shared::rules::rule::Mode;
use aksarc_shared::verdict::guard::{GuardConfig, Settings};
use aksarc_shared::verdict::report::exit;
use serde_json::{Value, json};

use super::attempt::{Attempt, SeenAnswer, WantedAnswer};
use super::installed::{GuardSite, ReadObject, config};
use crate::cli::exit::{ExitResult, Failure};
use crate::cli::flags::KubeFlags;
use crate::dry_run::gate::{FRESH, Gate};
use crate::screen::format::{self, ListFormat};
use crate::screen::grid::Grid;
use crate::screen::ui::{Ui, UiFlags};

/// Arguments of `guard test`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: ListFormat,
    /// Display.
    #[command(flatten)]
    pub ui: UiFlags,
    /// Cluster.
    #[command(flatten)]
    pub kube: KubeFlags,
}

/// Runs `guard test`: exit 0 when the guard refused and let pass as it has to, 1 when it did not, 5 when that could not be
/// tried.
pub(super) async fn run(args: &Args, ui: &Ui) -> ExitResult {
    let site = GuardSite::connect(&args.kube, ui).await?;
    let trial = Trial::of(&site).await?;
    let text = match args.output {
        ListFormat::Table => trial.table(ui),
        ListFormat::Json => format::json(&trial.document())?,
        ListFormat::Yaml => format::yaml(&trial.document())?,
    };
    ui.print(&ui.look().fit(text))?;
    Ok(trial.exit_code())
}

/// All requests, with what came of them.
struct Trial {
    rows: Vec<(Attempt, SeenAnswer)>,
    /// The mode in the ConfigMap, where it could be read.
    mode: Option<&'static str>,
}

/// Whether an answer is the one that has to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    Bad,
    Good,
    Open,
}

impl Trial {
    async fn of(site: &GuardSite) -> Result<Self, Failure> {
        let map = site.config_map().await?;
        let settings = map.there().and_then(config).map(GuardConfig::settings);
        let mode = match (&map, &settings) {
            (ReadObject::Absent, _) => Some("observe"),
            (_, Some(settings)) => Some(settings.mode.as_str()),
            (_, None) => None,
        };
        let nodes = site.object("/api/v1/nodes?limit=1", "nodes").await?;
        let node = nodes.there().and_then(|list| list.pointer("/items/0/metadata/name")?.as_str());
        let mut gate = Gate::new(&site.session, FRESH);
        let mut rows = Vec::new();
        for attempt in Attempt::all(node) {
            let seen = match settings.as_ref().and_then(|settings| lenient(&attempt, settings)) {
                Some(why) => SeenAnswer::NotTried(why),
                None => attempt.send(site, &mut gate).await?,
            };
            rows.push((attempt, seen));
        }
        Ok(Trial { rows, mode })
    }

    fn is_armed(&self) -> bool {
        let denials: Vec<Fit> =
            self.rows.iter().filter(|(one, _)| matches!(one.wanted, WantedAnswer::Denied(_))).map(fit).collect();
        denials.contains(&Fit::Good) && !denials.contains(&Fit::Bad)
    }

    fn exit_code(&self) -> u8 {
        let fits: Vec<Fit> = self.rows.iter().map(fit).collect();
        if fits.contains(&Fit::Bad) {
            exit::FAILED
        } else if self.is_armed() {
            0
        } else {
            exit::INCONCLUSIVE
        }
    }

    fn verdict(&self) -> String {
        let mode = self.mode.unwrap_or("not known");
        if self.is_armed() {
            return "armed: the guard refused what it has to".to_owned();
        }
        let bad = self.rows.iter().any(|row| matches!(row.0.wanted, WantedAnswer::Denied(_)) && fit(row) == Fit::Bad);
        match (bad, mode) {
            (true, "observe" | "warn") => format!("not armed: the mode is {mode}, so nothing is refused"),
            (true, _) => format!(
                "NOT ARMED: what the guard has to refuse passed; the mode is {mode}. Either the guard is not asked or does not \
                 answer, or you count as the platform"
            ),
            (false, _) => "not proved: no request that the guard has to refuse could be made".to_owned(),
        }
    }

    fn table(&self, ui: &Ui) -> String {
        let mut grid = Grid::under(ui.headings, &["", "REQUEST (DRY RUN)", "HAS TO", "ANSWER"]);
        for row in &self.rows {
            let mark = match fit(row) {
                Fit::Bad => "✗",
                Fit::Good => "✓",
                Fit::Open => "?",
            };
            let (attempt, seen) = row;
            grid.row([mark.to_owned(), attempt.what.clone(), wanted(attempt.wanted), answer(seen)]);
        }
        format!("{}\n{}\n", grid.lines("", ui.width), self.verdict())
    }

    fn document(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                let state = match fit(row) {
                    Fit::Bad => "bad",
                    Fit::Good => "ok",
                    Fit::Open => "unknown",
                };
                json!({"request": row.0.what, "wanted": wanted(row.0.wanted), "answer": answer(&row.1), "state": state})
            })
            .collect();
        json!({"apiVersion": API_VERSION, "kind": "GuardTest", "armed": self.is_armed(), "mode": self.mode,
            "summary": self.verdict(), "exitCode": self.exit_code(), "requests": rows})
    }
}

/// Why a request that `enforce` usually refuses is not refused with these settings, if so.
fn lenient(attempt: &Attempt, settings: &Settings) -> Option<String> {
    let WantedAnswer::Denied(code) = attempt.wanted else { return None };
    let rule = catalogue::find(code)?;
    if rule.heaviest(&settings.platforms()) != Consequence::Voids {
        return Some(format!("{code} denies nothing on this platform"));
    }
    let own = settings.rules.iter().find(|(key, _)| catalogue::find(key).is_some_and(|own| own.code == rule.code));
    own.filter(|(_, mode)| **mode != Mode::Deny)
        .map(|(_, mode)| format!("{code} has the mode {} in the configuration", mode.as_str()))
}

fn fit((attempt, seen): &(Attempt, SeenAnswer)) -> Fit {
    match (attempt.wanted, seen) {
        // The policy is optional: without it the guard works all the same.
        (_, SeenAnswer::NotTried(_)) | (WantedAnswer::Protected, SeenAnswer::Passed) => Fit::Open,
        (WantedAnswer::Denied(rule), SeenAnswer::Denied(_, rules)) if rules.iter().any(|own| own == rule) => Fit::Good,
        (WantedAnswer::Passes, SeenAnswer::Passed | SeenAnswer::Warned(_))
        | (WantedAnswer::Protected, SeenAnswer::Protected) => Fit::Good,
        _ => Fit::Bad,
    }
}

fn wanted(wanted: WantedAnswer) -> String {
    match wanted {
        WantedAnswer::Denied(rule) => format!("be refused, {rule}"),
        WantedAnswer::Passes => "pass".to_owned(),
        WantedAnswer::Protected => "be refused by guard-protection.yaml".to_owned(),
    }
}

fn answer(seen: &SeenAnswer) -> String {
    match seen {
        SeenAnswer::Denied(webhook, rules) => format!("refused by {webhook}, {}", rules.join(", ")),
        SeenAnswer::NotTried(why) => format!("not tried: {why}"),
        SeenAnswer::Passed => "passed".to_owned(),
        SeenAnswer::Protected => "refused by the policy".to_owned(),
        SeenAnswer::Warned(rules) => format!("passed with a warning, {}", rules.join(", ")),
    }
}

pub(super) const EXAMPLES: &str = "\
The requests are made as you: no role can allow a dry run alone, so none of the printed roles has rights for them.

Exit codes: 0 armed, and all else as it has to be, 1 something is not as it has to be, 5 it could not be tried.

Examples:
  kubectl aksarc guard test
  kubectl aksarc guard test -o json";

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(answers: &[SeenAnswer], mode: &'static str) -> Trial {
        let attempts = Attempt::all(Some("moc-l1"));
        assert_eq!(attempts.len(), answers.len());
        Trial { rows: attempts.into_iter().zip(answers.iter().cloned()).collect(), mode: Some(mode) }
    }

    fn denied(rule: &str) -> SeenAnswer {
        SeenAnswer::Denied("nodes.guard.aksarc.dev".to_owned(), vec![rule.to_owned()])
    }

    #[test]
    fn armed_is_said_after_refusals_and_only_then() {
        let passed = || SeenAnswer::Passed;
        let good = [denied("AA303"), denied("AA201"), passed(), passed(), passed(), SeenAnswer::Protected];
        assert_eq!((trial(&good, "enforce").is_armed(), trial(&good, "enforce").exit_code()), (true, 0));
        let mut unprotected = good.clone();
        unprotected[5] = passed();
        assert_eq!(trial(&unprotected, "enforce").exit_code(), 0);
        for (at, answer) in [(0, passed()), (1, passed()), (0, denied("AA999")), (3, denied("AA303"))] {
            let mut bad = good.clone();
            bad[at] = answer;
            assert_eq!(trial(&bad, "enforce").exit_code(), 1, "{at}");
        }
        let untried = SeenAnswer::NotTried("no right".to_owned());
        let none = [untried.clone(), untried.clone(), passed(), passed(), passed(), untried];
        assert_eq!(trial(&none, "enforce").exit_code(), 5);
        assert!(trial(&none, "enforce").verdict().starts_with("not proved"));
        let all = [(); 6].map(|()| passed());
        assert!(trial(&all, "observe").verdict().starts_with("not armed: the mode is observe"));
        assert!(trial(&all, "enforce").verdict().starts_with("NOT ARMED"));
    }
}
