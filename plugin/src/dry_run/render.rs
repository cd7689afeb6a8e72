//! The report for people.

use std::fmt::Write as _;

use aksarc_shared::command::Command;
use aksarc_shared::finding::{Consequence, Finding};
use aksarc_shared::text;
use anstyle::{AnsiColor, Style};

use super::diff::Field;
use super::judge::Support;
use super::report::{Answer, Change, Operation, Report, Source};
use crate::render::rests_on;

/// What the terminal can show. Colour is always in the text; whoever prints takes it out where it does not belong.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Only ASCII.
    pub ascii: bool,
}

/// The whole screen.
pub fn table(report: &Report, look: Look) -> String {
    let signs = Signs::of(look);
    let mut out = String::new();
    header(&mut out, report, signs);
    for change in &report.changes {
        object(&mut out, change, signs);
    }
    if report.changes.is_empty() {
        line(&mut out, "\n  no objects found");
    }
    let plan = report.plan;
    let support = report.support;
    line(
        &mut out,
        &format!(
            "\nPlan: {} add, {} change, {} delete     support: {} {} {}",
            plan.add,
            plan.change,
            plan.delete,
            support_word(support.before, signs),
            signs.arrow,
            support_word(support.after, signs)
        ),
    );
    line(&mut out, &format!("exit {}", report.exit_code));
    out
}

/// The objects, one per line.
pub fn names(report: &Report) -> String {
    let mut out = String::new();
    for change in &report.changes {
        line(&mut out, &text::clean(&change.object.short()));
    }
    out
}

#[derive(Clone, Copy)]
struct Signs {
    arrow: &'static str,
    dot: &'static str,
    good: &'static str,
    bad: &'static str,
    unset: &'static str,
}

impl Signs {
    fn of(look: Look) -> Self {
        if look.ascii {
            Signs { arrow: "->", dot: "-", good: "ok", bad: "x", unset: "(unset)" }
        } else {
            Signs { arrow: "→", dot: "·", good: "✓", bad: "✗", unset: "(unset)" }
        }
    }
}

fn header(out: &mut String, report: &Report, signs: Signs) {
    let user = match text::clean(&report.user.name) {
        name if name.is_empty() => "an unnamed user".to_owned(),
        name => name.into_owned(),
    };
    let unsure = if report.user.confirmed { "" } else { " (by the kubeconfig; the server did not say)" };
    let requests = match report.requests {
        1 => "1 request".to_owned(),
        count => format!("{count} requests"),
    };
    let guard = match (report.guard.source, report.guard.decision) {
        (Source::Observed, _) => format!("{BAD}DENIED{BAD:#} (observed answer)"),
        (source, decision) => {
            let word = match decision {
                Answer::Allow => "would allow".to_owned(),
                Answer::Deny => format!("would {BAD}DENY{BAD:#}"),
                Answer::Unknown => "has nothing to judge".to_owned(),
                Answer::Warn => format!("would {WARN}WARN{WARN:#}"),
            };
            let from = if source == Source::GuardConfig { "from --guard-config, " } else { "assumed " };
            format!("{word} ({from}{})", report.guard.preset)
        }
    };
    let dot = signs.dot;
    line(out, &format!("mode server (dryRun=All) as {user}{unsure} {dot} {requests} {dot} guard aksarc: {guard}"));
    if report.user.actor == "platform" {
        line(out, "  this user is the platform: the guard judges nothing it does");
    }
}

fn object(out: &mut String, change: &Change, signs: Signs) {
    let (sign, style) = match change.operation {
        Operation::Create => ("+", GOOD),
        Operation::Delete => ("-", BAD),
        Operation::None => ("=", PLAIN),
        Operation::Update => ("~", WARN),
    };
    let subresource = if change.subresource.is_empty() { String::new() } else { format!("/{}", change.subresource) };
    let short = text::line(&format!("{}{subresource}", change.object.short()), MAX_NAME);
    let known = change.refusal.is_none() && change.not_rehearsed.is_empty();
    let unchanged = if change.operation == Operation::None && known { "  unchanged" } else { "" };
    line(out, &format!("\n  {style}{sign}{style:#} {short}{unchanged}"));
    let width =
        change.fields.iter().map(|field| shown_path(&field.path).chars().count()).max().unwrap_or(0).min(MAX_PATH);
    let mut said = vec![false; change.findings.len()];
    for field in change.fields.iter().take(MAX_FIELDS) {
        field_line(out, field, width, change, &mut said, signs);
    }
    if let Some(more) = change.fields.len().checked_sub(MAX_FIELDS).filter(|more| *more > 0) {
        line(out, &format!("      and {more} more fields (-o json has them all)"));
    }
    for (finding, _) in change.findings.iter().zip(&said).filter(|(_, said)| !**said) {
        let message = text::line(&finding.message, MAX_MESSAGE);
        line(out, &format!("      {}   {message}", mark(finding, signs)));
    }
    for way in &change.instead {
        let mut commands = way.commands.iter().map(Command::printed);
        match commands.next() {
            Some(first) => line(out, &format!("      instead: {} {}  {first}", way.text, signs.arrow)),
            None => line(out, &format!("      instead: {}", way.text)),
        }
        for command in commands {
            line(out, &format!("               {command}"));
        }
    }
    if let Some(refusal) = &change.refusal {
        line(out, &format!("      {BAD}{}{BAD:#}", refusal.headline()));
        line(out, &format!("        {}", text::line(&refusal.message, MAX_MESSAGE)));
        let causes = refusal
            .causes
            .iter()
            .filter(|cause| !cause.message.is_empty() && !refusal.message.contains(&cause.message));
        for cause in causes {
            let field = if cause.field.is_empty() { String::new() } else { format!("{}: ", cause.field) };
            line(out, &format!("        {field}{}", text::line(&cause.message, MAX_MESSAGE)));
        }
    }
    if !change.not_rehearsed.is_empty() {
        line(out, &format!("      {WARN}? {}{WARN:#}", text::line(&change.not_rehearsed, MAX_MESSAGE)));
    }
    if !change.not_judged.is_empty() {
        line(out, &format!("      {WARN}? not judged{WARN:#}: {}", text::line(&change.not_judged, MAX_MESSAGE)));
    }
    for warning in &change.warnings {
        line(out, &format!("      {WARN}server warns{WARN:#}: {}", text::line(warning, MAX_MESSAGE)));
    }
    for note in &change.notes {
        line(out, &format!("      note: {}", text::line(note, MAX_MESSAGE)));
    }
}

fn field_line(out: &mut String, field: &Field, width: usize, change: &Change, said: &mut [bool], signs: Signs) {
    let value = |value: &Option<String>| match value {
        Some(value) if value.is_empty() => "\"\"".to_owned(),
        Some(value) => text::line(value, MAX_VALUE),
        None => signs.unset.to_owned(),
    };
    let path = text::line(shown_path(&field.path), MAX_PATH * 4);
    let mut marks = String::new();
    for (finding, said) in change.findings.iter().zip(said).filter(|(finding, _)| finding.path == field.path) {
        *said = true;
        let _ = write!(marks, "      {}", mark(finding, signs));
    }
    line(
        out,
        &format!("      {path:width$}   {} {} {}{marks}", value(&field.before), signs.arrow, value(&field.after)),
    );
}

/// People know that labels stand in the metadata.
fn shown_path(path: &str) -> &str {
    path.strip_prefix("metadata.").unwrap_or(path)
}

fn mark(finding: &Finding, signs: Signs) -> String {
    let (code, basis, dot) = (finding.code, rests_on(finding.basis), signs.dot);
    if let Some(waiver) = &finding.waiver {
        let (name, until) = (text::line(&waiver.name, MAX_NAME), text::line(&waiver.expires, MAX_NAME));
        return format!("{code} waived by {name} until {until}");
    }
    match finding.consequence {
        Consequence::Voids => format!("{BAD}{} {code} VOIDS SUPPORT{BAD:#} {dot} {basis}", signs.bad),
        Consequence::AtRisk => format!("{WARN}! {code} at risk{WARN:#} {dot} {basis}"),
        Consequence::NotCovered => format!("{WARN}! {code} not covered{WARN:#} {dot} {basis}"),
        Consequence::Info => format!("{code} info {dot} {basis}"),
    }
}

fn support_word(support: Support, signs: Signs) -> String {
    match support {
        Support::NotJudged => format!("? {}", support.phrase()),
        Support::Outside => format!("{BAD}{} {}{BAD:#}", signs.bad, support.phrase()),
        Support::Within => format!("{GOOD}{} {}{GOOD:#}", signs.good, support.phrase()),
    }
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

const PLAIN: Style = Style::new();
const BAD: Style = AnsiColor::Red.on_default().bold();
const WARN: Style = AnsiColor::Yellow.on_default();
const GOOD: Style = AnsiColor::Green.on_default();

/// What a line holds of each part; `-o json` holds all of it.
const MAX_VALUE: usize = 120;
const MAX_MESSAGE: usize = 1024;
const MAX_NAME: usize = 300;
const MAX_PATH: usize = 72;

/// A wholesale replacement differs everywhere.
const MAX_FIELDS: usize = 60;

#[cfg(test)]
mod tests {
    use super::super::refusal::{Refusal, Refuser};
    use super::super::report::{self, ClusterNote, GuardNote, Instead, SupportChange, UserNote};
    use super::*;
    use aksarc_shared::finding::{Basis, ObjectRef};
    use aksarc_shared::rules::catalogue;
    use aksarc_shared::verdict::report::ToolVersion;

    fn finding(path: &str) -> Finding {
        let rule = catalogue::find("AA201").unwrap();
        Finding {
            code: "AA201",
            slug: rule.slug,
            consequence: Consequence::Voids,
            basis: Basis::Explicit,
            documents: Vec::new(),
            clauses: rule.clauses,
            object: ObjectRef::default(),
            members: Vec::new(),
            path: path.to_owned(),
            before: None,
            after: None,
            message: "system label would be changed".to_owned(),
            evidence: Vec::new(),
            fix: Vec::new(),
            fingerprint: String::new(),
            waiver: None,
        }
    }

    fn change() -> Change {
        let path = "metadata.labels[node.kubernetes.io/instance-type]";
        Change {
            object: ObjectRef { kind: "Node".to_owned(), name: "moc-l7x2".to_owned(), ..ObjectRef::default() },
            operation: Operation::Update,
            subresource: String::new(),
            fields: vec![
                Field { path: "metadata.labels[a]".to_owned(), before: None, after: Some(String::new()) },
                Field {
                    path: path.to_owned(),
                    before: Some("Standard_A4_v2".to_owned()),
                    after: Some("edge\u{1b}[31m".to_owned()),
                },
            ],
            findings: vec![finding(path), finding("spec")],
            instead: vec![Instead {
                code: "AA201",
                text: "add a label of your own instead",
                commands: vec![Command::kubectl(["label", "node", "moc-l7x2", "contoso.com/size=edge"])],
            }],
            guard: Answer::Deny,
            not_judged: String::new(),
            not_rehearsed: String::new(),
            refusal: None,
            warnings: vec!["careful".to_owned()],
            notes: vec!["noted".to_owned()],
            support: SupportChange { before: Support::Within, after: Support::Outside },
        }
    }

    fn report(changes: Vec<Change>, source: Source) -> Report {
        Report {
            api_version: "aksarc.dev/v1alpha1",
            kind: "DryRunReport",
            tool: ToolVersion::default(),
            verb: "label",
            mode: "server",
            user: UserNote {
                name: "alice@contoso".to_owned(),
                actor: "person",
                confirmed: true,
                ..UserNote::default()
            },
            cluster: ClusterNote::default(),
            platform: String::new(),
            as_of: String::new(),
            requests: changes.len(),
            guard: GuardNote { decision: Answer::Deny, source, preset: "enforce" },
            plan: report::plan(&changes),
            support: report::support(&changes),
            exit_code: report::exit_code(&changes, Consequence::Voids),
            changes,
        }
    }

    fn plain(report: &Report, ascii: bool) -> String {
        anstream::adapter::strip_str(&table(report, Look { ascii })).to_string()
    }

    #[test]
    fn the_screen_shows_field_finding_and_way_out() {
        insta::assert_snapshot!(plain(&report(vec![change()], Source::Assumed), false), @r#"
        mode server (dryRun=All) as alice@contoso · 1 request · guard aksarc: would DENY (assumed enforce)

          ~ node/moc-l7x2
              labels[a]                                  (unset) → ""
              labels[node.kubernetes.io/instance-type]   Standard_A4_v2 → edge\u{1b}[31m      ✗ AA201 VOIDS SUPPORT · policy says so
              ✗ AA201 VOIDS SUPPORT · policy says so   system label would be changed
              instead: add a label of your own instead →  kubectl label node moc-l7x2 contoso.com/size=edge
              server warns: careful
              note: noted

        Plan: 0 add, 1 change, 0 delete     support: ✓ within → ✗ outside
        exit 3
        "#);
    }

    #[test]
    fn refusals_say_who_refused_and_ascii_stays_ascii() {
        let mut refused = change();
        refused.findings.clear();
        refused.instead.clear();
        refused.refusal =
            Some(Refusal { who: Refuser::Webhook("w.example.com".to_owned()), ..Refusal::by_kubectl("no") });
        let screen = plain(&report(vec![refused], Source::Observed), true);
        assert!(screen.is_ascii(), "{screen}");
        assert!(screen.contains("REFUSED by webhook w.example.com\n        no\n"), "{screen}");
        assert!(screen.contains("DENIED (observed answer)") && screen.ends_with("exit 6\n"), "{screen}");
    }

    #[test]
    fn nothing_found_says_so() {
        let screen = plain(&report(Vec::new(), Source::Assumed), false);
        assert!(screen.contains("no objects found") && screen.contains("? not judged → ? not judged"), "{screen}");
    }
}
