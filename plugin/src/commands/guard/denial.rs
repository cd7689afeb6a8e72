//! `guard explain-denial`: from a denial's or a warning's text, or an event of the audit log, to rule, clause and the way
//! out.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Read as _};

use aksarc_shared::data::own::{CONFIGURATION, OPEN};
use aksarc_shared::data::{Platform, embedded};
use aksarc_shared::rules::catalogue;
use aksarc_shared::rules::rule::Rule;
use aksarc_shared::text;
use anyhow::anyhow;
use serde_json::Value;

use crate::cli::exit::{ExitResult, Failure};
use crate::screen::grid::Grid;
use crate::screen::ui::{Ui, UiFlags};

/// Arguments of `guard explain-denial`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The text of the denial or warning, or an audit event in JSON; - or nothing reads standard input
    #[arg(value_name = "TEXT")]
    pub text: Vec<String>,
    /// Display.
    #[command(flatten)]
    pub ui: UiFlags,
}

/// Runs `guard explain-denial`: exit 0 when something of the guard's was explained, 2 when there is nothing in the text.
pub(super) fn run(args: &Args, ui: &Ui) -> ExitResult {
    let given = match args.text.as_slice() {
        [] => stdin()?,
        [dash] if dash == "-" => stdin()?,
        words => words.join(" "),
    };
    let explained: String = match events(&given) {
        Some(events) => events.iter().map(|event| of_event(event, ui)).collect(),
        None => of_text(&given, ui),
    };
    if explained.is_empty() {
        return Err(Failure::input(anyhow!(
            "the guard did not write this: there is neither a rule's code nor the name of a webhook or policy of the guard in it. {}",
            other(&given)
        )));
    }
    ui.print(&ui.look().fit(explained))?;
    Ok(0)
}

fn stdin() -> Result<String, Failure> {
    if std::io::stdin().is_terminal() {
        return Err(Failure::input(anyhow!("give the text of the denial, or pipe it in")));
    }
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(MAX_INPUT).read_to_end(&mut bytes);
    read.map_err(|error| Failure::input(anyhow!("cannot read standard input: {error}")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Audit events, one or several; `None` where the text is something else.
fn events(given: &str) -> Option<Vec<Value>> {
    let mut events = Vec::new();
    for event in serde_json::Deserializer::from_str(given).into_iter::<Value>() {
        let event = event.ok()?;
        match event.get("items").and_then(Value::as_array) {
            Some(items) => events.extend(items.iter().cloned()),
            None => events.push(event),
        }
    }
    let is_event = |event: &Value| event.get("auditID").is_some() || event.get("annotations").is_some();
    (!events.is_empty() && events.iter().all(is_event)).then_some(events)
}

/// One audit event: who did what, and what the guard said about it. Empty where the guard said nothing.
fn of_event(event: &Value, ui: &Ui) -> String {
    let annotations = event.get("annotations").and_then(Value::as_object);
    let own = |name: &str| {
        annotations?.iter().find_map(|(key, value)| {
            let (webhook, word) = key.split_once('/')?;
            let of_guard = webhook.strip_suffix(CONFIGURATION).is_some_and(|head| head.ends_with('.'));
            (of_guard && word == name).then(|| text::line(value.as_str().unwrap_or_default(), MAX_LINE))
        })
    };
    let (findings, unjudged) = (own("findings"), own("not-evaluated"));
    if findings.is_none() && unjudged.is_none() {
        return String::new();
    }
    let field =
        |pointer: &str| text::line(event.pointer(pointer).and_then(Value::as_str).unwrap_or_default(), MAX_LINE);
    let mut grid = Grid::plain();
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            grid.row([name.to_owned(), value]);
        }
    };
    row("user", field("/user/username"));
    let place = ["/objectRef/namespace", "/objectRef/resource", "/objectRef/name", "/objectRef/subresource"].map(field);
    let place: Vec<&str> = place.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    row("change", format!("{} {}", field("/verb"), place.join("/")));
    row("when", field("/requestReceivedTimestamp"));
    row("mode", own("mode").unwrap_or_default());
    row("actor", own("actor").unwrap_or_default());
    row("findings", findings.clone().unwrap_or_default());
    row("waivers", own("waivers").unwrap_or_default());
    row("not judged", unjudged.unwrap_or_default());
    row("in the log", own("review-uid").map(|uid| format!("lines with the uid {uid}")).unwrap_or_default());
    let mut out = grid.lines("", ui.width);
    out.push('\n');
    for rule in rules(&findings.unwrap_or_default()) {
        out += &of_rule(rule, ui);
    }
    out
}

/// The text of a denial or of warnings. Empty where the guard has not written it.
fn of_text(given: &str, ui: &Ui) -> String {
    let mut out = String::new();
    for rule in rules(given) {
        out += &of_rule(rule, ui);
    }
    if let Some((_, contact)) = given.split_once(" - ask: ").or_else(|| given.split_once("where to ask: ")) {
        let contact = text::line(contact.lines().next().unwrap_or_default(), 120);
        let _ = writeln!(out, "where to ask: {contact}");
    }
    let policy = given.split_once("ValidatingAdmissionPolicy '").and_then(|(_, rest)| rest.split_once('\''));
    if out.is_empty() && policy.is_some_and(|(name, _)| name.ends_with(CONFIGURATION)) {
        let open = given.split_once("kubectl annotate ").and_then(|(_, rest)| rest.split_once(OPEN));
        let object = open.map_or("validatingwebhookconfiguration NAME", |(object, _)| object.trim());
        let object = text::line(object, MAX_LINE);
        let _ = write!(
            out,
            "A policy of guard-protection.yaml keeps the guard from being changed by mistake.\n\
             The way out is two steps. The first is a request of its own with a reason, which the audit log keeps:\n\
             \n  kubectl annotate {object} {OPEN}=\"REASON\"\n\
             \nThen make the change, and close the object again if it is still there:\n\
             \n  kubectl annotate {object} {OPEN}-\n"
        );
    }
    out
}

/// The rules whose codes are in a text, each once.
fn rules(given: &str) -> Vec<&'static Rule> {
    let mut found: Vec<&'static Rule> = Vec::new();
    for word in given.split(|c: char| !c.is_ascii_alphanumeric()) {
        let is_code = word.len() == 5 && word.starts_with("AA");
        if let Some(rule) = catalogue::find(word).filter(|_| is_code)
            && !found.iter().any(|own| own.code == rule.code)
        {
            found.push(rule);
        }
    }
    found
}

fn of_rule(rule: &Rule, ui: &Ui) -> String {
    let mut grid = Grid::plain();
    let mut row = |name: &str, value: String| grid.row([name.to_owned(), value]);
    row("what", rule.summary.to_owned());
    for clause in rule.clauses {
        let says = embedded().clauses.iter().find(|own| own.id == clause.as_str());
        row(
            "why",
            says.map_or_else(|| clause.to_string(), |own| format!("{}, {}: {}", own.id, own.section, own.says.trim())),
        );
    }
    let mut bases: Vec<&str> = Vec::new();
    for platform in Platform::WITH_POLICY_TEXT {
        let word = rule.basis_on(platform).phrase();
        if !bases.contains(&word) {
            bases.push(word);
        }
    }
    row("basis", bases.join(", or "));
    row("instead", rule.instead.trim_end_matches(" instead").to_owned());
    row("try first", format!("{} dry-run VERB …   (says the same without making the change)", ui.name));
    row(
        "if it must be",
        format!(
            "{} waivers new --rule {} … accepts it for a time, with a second person's approval",
            ui.name, rule.code
        ),
    );
    row("more", format!("{} explain {}", ui.name, rule.code));
    format!("{} {}\n{}\n", rule.code, rule.slug, grid.lines("  ", ui.width))
}

/// Who else may have refused, for the message that it was not the guard.
fn other(given: &str) -> String {
    if given.contains(" cannot ") && given.contains("User \"") {
        return "It looks like authorization: the user lacks a right".to_owned();
    }
    let webhook = given.split_once("admission webhook \"").and_then(|(_, rest)| rest.split_once('"'));
    if let Some((name, _)) = webhook {
        return format!("It looks like another webhook: {}", text::line(name, 120));
    }
    if given.contains("ValidatingAdmissionPolicy") {
        return "It looks like a ValidatingAdmissionPolicy of somebody else".to_owned();
    }
    "Give kubectl's whole message, or the audit event".to_owned()
}

/// Bytes of the input: an audit event holds an object at most twice.
const MAX_INPUT: u64 = 8 << 20;
const MAX_LINE: usize = 300;

pub(super) const EXAMPLES: &str = "\
Exit codes: 0 explained, 2 the guard has not written this.

Examples:
  kubectl aksarc guard explain-denial 'admission webhook \"nodes.guard.aksarc.dev\" denied the request: AA201 (policy C13): …'
  kubectl label node moc-l1 kubernetes.io/hostname=edge-7 --overwrite 2>&1 | kubectl aksarc guard explain-denial -

  # The events of the audit log in which the guard found something
  grep guard.aksarc.dev/findings audit.log | kubectl aksarc guard explain-denial -";

#[cfg(test)]
mod tests {
    use super::*;

    fn ui() -> Ui {
        Ui::new("k", Some("C.UTF-8"))
    }

    #[test]
    fn a_denial_leads_to_rule_clause_and_the_way_out() {
        let text = "Error from server (Forbidden): admission webhook \"cluster.guard.aksarc.dev\" denied the request: AA201 \
                    (policy C13): label x - use a key of your own (+1 more) - ask: platform team, #aks\n";
        let told = of_text(text, &ui());
        for words in [
            "AA201 system-label-changed",
            "C13, ",
            "policy says so",
            "k explain AA201",
            "where to ask: platform team, #aks\n",
        ] {
            assert!(told.contains(words), "{words} in {told}");
        }
        assert_eq!(told.matches("AA201 system-label-changed").count(), 1);
        let refused = "ValidatingAdmissionPolicy 'protection.guard.aksarc.dev' with binding 'p' denied request: it is protected: \
                       open it by kubectl annotate namespace aksarc-system aksarc.dev/open=\"REASON\" in a request of its own";
        let policy = of_text(refused, &ui());
        assert!(policy.contains("  kubectl annotate namespace aksarc-system aksarc.dev/open=\"REASON\"\n"), "{policy}");
        assert_eq!(
            of_text("ValidatingAdmissionPolicy 'other.example.com' with binding 'p' denied request: x", &ui()),
            ""
        );
        assert_eq!(of_text("nodes is forbidden: User \"eve\" cannot patch", &ui()), "");
        assert!(other("User \"eve\" cannot patch").contains("authorization"));
        assert!(other("admission webhook \"other.example.com\" denied").contains("other.example.com"));
    }

    #[test]
    fn an_audit_event_tells_who_did_what_and_where_the_log_has_it() {
        let event = r#"{"auditID": "1", "verb": "patch", "user": {"username": "alice"},
            "objectRef": {"resource": "nodes", "name": "moc-l1"}, "annotations": {
            "cluster.guard.aksarc.dev/findings": "AA201=deny,AA205=allow", "cluster.guard.aksarc.dev/mode": "enforce",
            "cluster.guard.aksarc.dev/review-uid": "0df2", "evilguard.aksarc.dev/findings": "AA999=deny"}}"#;
        let events = events(&format!("{event}\n{event}")).unwrap();
        assert_eq!(events.len(), 2);
        let told = of_event(&events[0], &ui());
        for words in ["alice", "patch nodes/moc-l1", "AA201=deny,AA205=allow", "the uid 0df2", "AA201 system", "AA205 "]
        {
            assert!(told.contains(words), "{words} in {told}");
        }
        assert_eq!(of_event(&serde_json::json!({"auditID": "2", "annotations": {}}), &ui()), "");
        assert!(super::events("AA201 (policy)").is_none());
    }
}
