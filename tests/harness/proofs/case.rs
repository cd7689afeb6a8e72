//! One case on a running cluster.

#![expect(clippy::indexing_slicing, reason = "a JSON value answers null for a field that it lacks")]

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aksarc_shared::data::Platform;
use aksarc_shared::finding::Consequence;
use aksarc_shared::verdict::guard::Decision;
use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::command;
use super::file::{Case, Expected, FOLDER, Fix, Kind, PatchWord, Proof, Send, Verb, Wanted};
use crate::binaries::Tool;
use crate::client::{Answer, PatchKind};
use crate::control_plane::ControlPlane;
use crate::guard::Guard;
use crate::identity::Identity;
use crate::kubectl::Finished;
use crate::samples::{self, Player};
use crate::wait;

/// A cluster on which cases are played.
pub(super) struct Stage<'a> {
    pub(super) cluster: &'a ControlPlane,
    pub(super) player: Player<'a>,
    pub(super) plugin: PathBuf,
    /// From when on changes are judged, with its configuration.
    pub(super) guard: Option<(Guard, Value)>,
}

/// The facts that a state case showed besides those expected of it.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Commands that were run and made the finding go away.
    pub(super) rehearsed: usize,
    /// Whether a finding names a command that could be run.
    pub(super) runnable: bool,
}

impl Stage<'_> {
    /// Fails where an earlier case has left something behind, or the sample is not lawful.
    pub(super) fn clean(&mut self, proof: &Proof) -> anyhow::Result<()> {
        let flags = flags(proof, None);
        self.passes(proof, &flags).context("before any case")
    }

    /// Makes the state, judges it, rehearses the printed fixes, and takes the state back.
    pub(super) fn state(&mut self, proof: &Proof, case: &Case) -> anyhow::Result<Shown> {
        let flags = flags(proof, Some(case));
        let played = self.set_up(case).and_then(|()| {
            // Waivers may name objects that the steps have made, and cover nothing once these are taken back.
            let mut flags = flags.clone();
            flags.extend(self.waivers(case)?);
            match case.kind() {
                Kind::State => self.violating(proof, case, &flags),
                Kind::Change | Kind::LookAlike => self.passes(proof, &flags).map(|()| Shown::default()),
            }
        });
        let undone = self.take_back(proof, case, &flags);
        match (played, undone) {
            (Ok(shown), Ok(())) => Ok(shown),
            (Ok(_), Err(error)) | (Err(error), Ok(())) => Err(error),
            (Err(error), Err(left)) => Err(error.context(format!("and left behind ({left:#})"))),
        }
    }

    /// The flags that hand over a case's waivers.
    fn waivers(&mut self, case: &Case) -> anyhow::Result<Vec<String>> {
        if case.waivers.is_empty() {
            return Ok(Vec::new());
        }
        let list = json!({"apiVersion": "aksarc.dev/v1alpha1", "kind": "SupportWaiverList", "items": case.waivers});
        let given = self.player.filled(&list)?;
        let path = self.cluster.directory().join("waivers.json");
        fs::write(&path, given.to_string()).with_context(|| path.display().to_string())?;
        Ok(vec!["--waivers".to_owned(), path.display().to_string()])
    }

    /// Sends the change past the guard in `enforce`.
    pub(super) fn change(&mut self, proof: &Proof, case: &Case) -> anyhow::Result<()> {
        let enforce = json!({"mode": "enforce", "platform": platform(&flags(proof, Some(case))), "rules": case.mode});
        if !case.steps.is_empty() {
            self.configure(&json!({"mode": "observe"}))?;
        }
        let answered = self.set_up(case).and_then(|()| {
            self.configure(&enforce)?;
            if case.mode.is_empty() || case.really {
                let reviews = self.reviews()?;
                let recorded = self.recorded(proof)?;
                let asked = self.ask(case)?;
                let reached = self.reviews()? > reviews;
                if let Some(wanted) = case.asked {
                    ensure!(reached == wanted, "the guard was {}asked", if reached { "" } else { "not " });
                }
                return self.answers(proof, case, &asked, recorded);
            }
            // The API server takes a moment to ask about what another configuration wants to be asked about.
            let answered = wait::until("the expected answer", LIMIT, || {
                let recorded = self.recorded(proof).map_err(|error| format!("{error:#}"))?;
                let asked = self.ask(case).map_err(|error| format!("{error:#}"))?;
                self.answers(proof, case, &asked, recorded).map_err(|error| format!("{error:#}"))
            });
            answered.map_err(|error| anyhow::anyhow!("{error}"))
        });
        if case.undo.is_empty() {
            return answered;
        }
        self.configure(&json!({"mode": "observe"}))?;
        answered.and(self.take_back(proof, case, &flags(proof, Some(case))))
    }

    pub(super) fn configure(&mut self, config: &Value) -> anyhow::Result<()> {
        let (guard, current) = self.guard.as_mut().context("no guard is installed")?;
        if current != config {
            let before = std::mem::take(current);
            guard.reconfigure(config)?;
            let modes = |config: &Value| config["rules"].as_object().filter(|rules| !rules.is_empty()).cloned();
            if modes(&before) != modes(config) {
                guard.register_anew(self.cluster)?;
            }
            *current = config.clone();
        }
        Ok(())
    }

    /// The number of reviews that the guard was asked so far.
    fn reviews(&self) -> anyhow::Result<f64> {
        let (guard, _) = self.guard.as_ref().context("no guard is installed")?;
        guard.metric("aksarc_reviews_total")
    }

    /// The number of findings of the rule that the guard has allowed so far.
    fn recorded(&self, proof: &Proof) -> anyhow::Result<f64> {
        let (guard, _) = self.guard.as_ref().context("no guard is installed")?;
        guard.sum("aksarc_findings_total", &[proof.rule.code.as_str(), Decision::Allow.as_str()])
    }

    fn set_up(&mut self, case: &Case) -> anyhow::Result<()> {
        self.player.steps(&case.steps).context("steps")?;
        if case.settle && !case.steps.is_empty() { self.player.settle().context("after the steps") } else { Ok(()) }
    }

    fn take_back(&mut self, proof: &Proof, case: &Case, flags: &[String]) -> anyhow::Result<()> {
        if case.undo.is_empty() {
            return Ok(());
        }
        self.player.steps(&case.undo).context("undo")?;
        self.player.settle().context("after undo")?;
        if sees(proof) { self.passes_again(proof, flags).context("after undo") } else { Ok(()) }
    }

    fn violating(&mut self, proof: &Proof, case: &Case, flags: &[String]) -> anyhow::Result<Shown> {
        // Controllers report a moment after a change.
        let judged = wait::until("the expected outcome", LIMIT, || {
            let judged = self.judge(proof, flags).map_err(|error| format!("{error:#}"))?;
            expected(case, &judged).map(|()| judged)
        });
        let judged = judged.map_err(|error| anyhow::anyhow!("{error}"))?;
        let mut fixes = Vec::new();
        for fix in judged.findings.iter().flat_map(command::cures) {
            if !fixes.contains(&fix) {
                fixes.push(fix);
            }
        }
        let mut shown = Shown { rehearsed: 0, runnable: !fixes.is_empty() };
        if case.fix() == Fix::None || fixes.is_empty() {
            let needed = case.outcome.is_none() && case.fix == Some(Fix::Rehearse);
            ensure!(!needed, "no finding names a command that can be rehearsed");
            let kept = case.steps.is_empty() || !case.undo.is_empty() || case.stays.is_some();
            ensure!(kept, "no finding names a command that can be run, so the case needs undo");
            return Ok(shown);
        }
        let screen = self.screen(proof, flags)?;
        let printed = command::printed(&screen);
        let mut pasted: Vec<&str> = Vec::new();
        for fix in fixes {
            let line = printed.iter().find(|line| fix.is_on(line));
            let line = line.with_context(|| format!("{} is not on the screen:\n{screen}", fix.line))?;
            self.let_through(&fix, flags)?;
            // One line may stand for several objects.
            shown.rehearsed += 1;
            if pasted.contains(line) {
                continue;
            }
            pasted.push(*line);
            let mut bash = self.cluster.command(&Identity::Person, Path::new("bash"))?;
            bash.env("PATH", with_kubectl()?).args(["-c", line]);
            command::run(&mut bash, || self.player.look()).context("a fix that the screen prints")?;
        }
        self.player.settle().context("after the printed fix")?;
        self.passes_again(proof, flags).context("after the printed fix")?;
        Ok(shown)
    }

    /// Waits until the check has no finding heavier than information; for a rule that only informs, none at all.
    fn passes(&mut self, proof: &Proof, flags: &[String]) -> anyhow::Result<()> {
        self.passes_while(proof, flags, |_| Ok(()))
    }

    /// Waits until the findings of a state that was just taken back are gone: controllers delete a moment later, and
    /// pods end when their kubelet says so.
    fn passes_again(&mut self, proof: &Proof, flags: &[String]) -> anyhow::Result<()> {
        self.passes_while(proof, flags, |player: &mut Player<'_>| player.look())
    }

    fn passes_while(
        &mut self,
        proof: &Proof,
        flags: &[String],
        mut meanwhile: impl FnMut(&mut Player<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let informs = proof.rule.heaviest(&Platform::ALL) == Consequence::Info;
        let passed = wait::until("nothing to be found", LIMIT, || {
            meanwhile(&mut self.player).map_err(|error| format!("{error:#}"))?;
            let judged = self.judge(proof, flags).map_err(|error| format!("{error:#}"))?;
            let heavy = judged.findings.iter().filter(|finding| informs || finding["consequence"] != "info");
            let heavy: Vec<String> = heavy.map(describe).collect();
            if heavy.is_empty() { Ok(()) } else { Err(format!("\n{}", heavy.join("\n"))) }
        });
        passed.map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// The screen of a rule's findings, for bash.
    fn screen(&mut self, proof: &Proof, flags: &[String]) -> anyhow::Result<String> {
        let informs = proof.rule.heaviest(&Platform::ALL) == Consequence::Info;
        let show = if informs { "all" } else { "fixes" };
        let arguments = ["--only", proof.rule.code.as_str(), "--shell", "bash", "--show", show];
        Ok(self.support_check(&arguments, flags)?.stdout)
    }

    /// Fails where our dry run takes a fix for something worse, or our guard would refuse it, on the platform of the
    /// check.
    fn let_through(&self, fix: &command::Fix, flags: &[String]) -> anyhow::Result<()> {
        let Some(words) = fix.rehearsed() else { return Ok(()) };
        let mut command = self.cluster.command(&Identity::Person, &self.plugin)?;
        command.arg("dry-run").args(words).args(["--platform", &platform(flags), "-o", "json"]);
        let finished = Finished::run(&mut command, None)?;
        let report: Value = serde_json::from_str(&finished.stdout)
            .map_err(|_| anyhow::anyhow!("no report of the dry run, exit {:?}: {}", finished.code, finished.stderr))?;
        let worse = |change: &&Value| {
            let support = &change["support"];
            change["guard"] == "deny" || (support["after"] == "outside" && support["before"] != "outside")
        };
        let changes = report["changes"].as_array().into_iter().flatten();
        let worse: Vec<&Value> = changes.filter(worse).collect();
        ensure!(worse.is_empty(), "our own dry run takes the fix {} for worse: {worse:?}", fix.line);
        Ok(())
    }

    fn support_check(&mut self, arguments: &[&str], flags: &[String]) -> anyhow::Result<Finished> {
        let mut command = self.cluster.command(&Identity::Person, &self.plugin)?;
        command.arg("support-check").args(arguments);
        for flag in flags {
            let flag = flag.replace("${proofs}", FOLDER);
            command.arg(self.player.filled(&json!(flag))?.as_str().unwrap_or_default());
        }
        Finished::run(&mut command, None)
    }

    fn judge(&mut self, proof: &Proof, flags: &[String]) -> anyhow::Result<Judged> {
        let code = proof.rule.code.as_str();
        let finished = self.support_check(&["-o", "json", "--only", code, "--shell", "bash"], flags)?;
        let mut report: Value = serde_json::from_str(&finished.stdout)
            .map_err(|_| anyhow::anyhow!("no report, exit {:?}: {}", finished.code, finished.stderr))?;
        let mut findings: Vec<Value> =
            report.get_mut("findings").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
        // The flags of a case may ask for more rules.
        // Who takes a mark back empties managedFields, and a check says so of every such object.
        let emptied = |finding: &Value| finding["path"] == "metadata.managedFields" && finding["consequence"] == "info";
        findings.retain(|finding| finding["code"] == code && !emptied(finding));
        let rules = report["rules"].as_array().cloned().unwrap_or_default();
        let own = rules.into_iter().find(|rule| rule["code"] == code).context("the rule is not in the report")?;
        let text = |field: &str| own[field].as_str().unwrap_or_default().to_owned();
        Ok(Judged { outcome: text("outcome"), reason: text("reason"), findings })
    }

    fn ask(&mut self, case: &Case) -> anyhow::Result<Asked> {
        let identity = samples::identity(&case.who)?;
        if let Some(send) = &case.send {
            let answer = self.send(&identity, send, case.really)?;
            let status = serde_json::from_str(&answer.body).unwrap_or_default();
            return Ok(Asked {
                granted: answer.is_success(),
                code: answer.code,
                status,
                said: answer.body,
                warnings: answer.warnings,
            });
        }
        let mut command = self.cluster.command(&identity, &Tool::Kubectl.path()?)?;
        let mut words: Vec<String> = Vec::new();
        for word in &case.kubectl {
            words.push(self.player.filled(&json!(word))?.as_str().unwrap_or_default().to_owned());
        }
        if !case.really {
            let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
            words.insert(end, "--dry-run=server".to_owned());
        }
        let mut items = Vec::new();
        for object in &case.stdin {
            items.push(self.player.filled(object)?);
        }
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
        let finished = Finished::run(command.args(words), (!items.is_empty()).then_some(&*list))?;
        let warnings =
            finished.stderr.lines().filter(|line| line.starts_with("Warning: ")).map(str::to_owned).collect();
        Ok(Asked { granted: finished.code == Some(0), code: 0, status: Value::Null, said: finished.stderr, warnings })
    }

    fn send(&mut self, identity: &Identity, send: &Send, really: bool) -> anyhow::Result<Answer> {
        let path = self.player.filled(&json!(send.path))?;
        let path = path.as_str().unwrap_or_default();
        let body = self.player.filled(&send.body)?;
        let mut query = Vec::new();
        if !really {
            query.push("dryRun=All".to_owned());
        }
        query.extend(send.manager.as_ref().map(|manager| format!("fieldManager={manager}")));
        let apply = send.verb == Verb::Patch && send.kind == PatchWord::Apply;
        if apply {
            query.push("force=true".to_owned());
        }
        let path = format!("{path}{}{}", if path.contains('?') { '&' } else { '?' }, query.join("&"));
        let http = self.cluster.http(identity)?;
        match (send.verb, send.kind) {
            (Verb::Create, _) => http.post(&path, &body),
            (Verb::Delete, _) => http.delete(&path),
            (Verb::Replace, _) => http.put(&path, &body),
            (Verb::Patch, PatchWord::Apply) => http.patch(&path, PatchKind::Apply, &body),
            (Verb::Patch, PatchWord::Json) => http.patch(&path, PatchKind::Json, &body),
            (Verb::Patch, PatchWord::Merge) => http.patch(&path, PatchKind::Merge, &body),
            (Verb::Patch, PatchWord::Strategic) => http.patch(&path, PatchKind::Strategic, &body),
        }
    }

    /// Whether the answer is the expected one; `recorded` is what [`Self::recorded`] said before the request.
    fn answers(&self, proof: &Proof, case: &Case, asked: &Asked, recorded: f64) -> anyhow::Result<()> {
        let code = proof.rule.code.as_str();
        let (guard, _) = self.guard.as_ref().context("no guard is installed")?;
        match case.answer.unwrap_or(Wanted::Silent) {
            Wanted::Denied => {
                ensure!(!asked.granted, "not denied; warnings: {:?}", asked.warnings);
                let ours = guard.webhooks.iter().any(|name| {
                    asked.said.contains(&format!("admission webhook \"{name}\" denied"))
                        || asked.said.contains(&format!("admission webhook \\\"{name}\\\" denied"))
                });
                ensure!(ours, "refused, but not by the guard: {}", asked.said);
                if case.send.is_none() {
                    ensure!(asked.said.contains(code), "denied, but not by {code}: {}", asked.said);
                    return Ok(());
                }
                ensure!(asked.code == 403 && asked.status["reason"] == "Forbidden", "{}: {}", asked.code, asked.said);
                let causes = asked.status["details"]["causes"].as_array().cloned().unwrap_or_default();
                let fits = |cause: &&Value| {
                    cause["reason"] == code && case.path.as_ref().is_none_or(|path| cause["field"] == **path)
                };
                ensure!(
                    causes.iter().any(|cause| fits(&cause)),
                    "denied, but not by {code} {:?}: {causes:?}",
                    case.path
                );
            }
            Wanted::Warned => {
                ensure!(asked.granted, "not granted: {}", asked.said);
                let named = asked.warnings.iter().any(|warning| warning.contains(code));
                ensure!(named, "granted without a warning of {code}: {:?}", asked.warnings);
            }
            Wanted::Recorded | Wanted::Silent => {
                ensure!(asked.granted, "not granted: {}", asked.said);
                let ours: Vec<_> = asked.warnings.iter().filter(|warning| is_ours(warning)).collect();
                ensure!(ours.is_empty(), "granted, but not in silence: {ours:?}");
                let counted = case.answer != Some(Wanted::Recorded) || self.recorded(proof)? > recorded;
                ensure!(counted, "granted in silence, but the guard counted no finding of {code}");
            }
        }
        Ok(())
    }
}

/// Whether the rule judges states.
pub(super) fn sees(proof: &Proof) -> bool {
    proof.rule.state().per_object.is_some() || proof.rule.state().per_cluster.is_some()
}

struct Judged {
    outcome: String,
    reason: String,
    findings: Vec<Value>,
}

struct Asked {
    granted: bool,
    /// The answer to a plain request.
    code: u16,
    status: Value,
    said: String,
    warnings: Vec<String>,
}

/// The flags of `support-check` for a case: its own, its file's, or what suits the sample.
fn flags(proof: &Proof, case: Option<&Case>) -> Vec<String> {
    let given = case.and_then(|case| case.check.as_ref()).or(proof.header.check.as_ref());
    given.cloned().unwrap_or_else(|| {
        let (cluster, _) = case.map_or(proof.home(), |case| proof.place(case));
        let words = if cluster.contains("windows-server") { WINDOWS_SERVER } else { AZURE_LOCAL };
        words.iter().map(|word| (*word).to_owned()).collect()
    })
}

/// The search path of a person who has kubectl.
fn with_kubectl() -> anyhow::Result<OsString> {
    let kubectl = Tool::Kubectl.path()?;
    let own = env::var_os("PATH").unwrap_or_default();
    let folders = kubectl.parent().map(Path::to_owned).into_iter().chain(env::split_paths(&own));
    Ok(env::join_paths(folders)?)
}

fn platform(flags: &[String]) -> String {
    let named = flags.iter().zip(flags.iter().skip(1)).find(|(flag, _)| *flag == "--platform");
    named.map_or("azure-local", |(_, platform)| platform).to_owned()
}

fn expected(case: &Case, judged: &Judged) -> Result<(), String> {
    if let Some(outcome) = &case.outcome {
        let reason = case.reason.as_deref().unwrap_or_default();
        if judged.outcome == *outcome && judged.reason.contains(reason) {
            return Ok(());
        }
        let found: Vec<String> = judged.findings.iter().map(describe).collect();
        return Err(format!("{} ({}) {}", judged.outcome, judged.reason, found.join("\n")));
    }
    let wanted = case.finds.as_deref().unwrap_or_default();
    let mut open: BTreeSet<usize> = (0..judged.findings.len()).collect();
    let mut problems = Vec::new();
    for expected in wanted {
        let hit = open.iter().copied().find(|index| judged.findings.get(*index).is_some_and(|f| fits(expected, f)));
        match hit {
            Some(index) => drop(open.remove(&index)),
            None => problems.push(format!("missing: {expected:?}")),
        }
    }
    problems.extend(open.iter().filter_map(|index| judged.findings.get(*index)).map(describe));
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!("outcome {} ({})\n{}", judged.outcome, judged.reason, problems.join("\n")))
}

fn fits(expected: &Expected, finding: &Value) -> bool {
    let (object, text) = (&finding["object"], |value: &Option<String>, field: &str| {
        value.as_ref().is_none_or(|value| finding[field] == **value)
    });
    let is = |name: &str| match name.strip_suffix('*') {
        Some(start) => object["name"].as_str().is_some_and(|own| own.starts_with(start)),
        None => object["name"] == name,
    };
    let named = is(&expected.object)
        || expected.object.split_once('/').is_some_and(|(kind, name)| object["kind"] == kind && is(name));
    let members = expected.members.as_ref().is_none_or(|members| finding["members"] == json!(members));
    named
        && finding["path"] == *expected.path
        && text(&expected.consequence, "consequence")
        && text(&expected.before, "before")
        && text(&expected.after, "after")
        && members
}

/// A finding as a proof would expect it.
fn describe(finding: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let (object, path) = (&finding["object"], text(&finding["path"]));
    format!(
        "  found: {{object: {}/{}, path: {path:?}}} # {}: {}; fix: {}",
        text(&object["kind"]),
        text(&object["name"]),
        text(&finding["consequence"]),
        text(&finding["message"]),
        finding["fix"],
    )
}

/// `299 - "AA205 (another page): …"`, or kubectl's `Warning: AA205 (another page): …`.
fn is_ours(warning: &str) -> bool {
    let mut words = warning.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| word.len() == 5 && word.starts_with("AA") && word.chars().skip(2).all(|c| c.is_ascii_digit()))
}

const AZURE_LOCAL: [&str; 4] = ["--platform", "azure-local", "--as-of", "2026-06-01"];
const WINDOWS_SERVER: [&str; 4] = ["--platform", "windows-server", "--as-of", "2024-12-01"];

const LIMIT: Duration = Duration::from_secs(20);
