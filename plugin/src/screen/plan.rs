//! The plan of a dry run as a screen for people.

use std::fmt::Write as _;

use aksarc_shared::command::Command;
use aksarc_shared::facts::actor::Actor;
use aksarc_shared::finding::{Consequence, Finding};
use aksarc_shared::rules::catalogue;
use aksarc_shared::rules::rule::Mode;
use aksarc_shared::text;
use aksarc_shared::verdict::guard::Preset;

use super::grid::Grid;
use super::sheet::Sheet;
use super::style::{Look, Paint};
use super::wording::rests_on;
use crate::dry_run::diff::FieldDifference;
use crate::dry_run::judge::Support;
use crate::dry_run::plan::{GuardAnswer, GuardSource, Plan, PlannedChange, PlannedEffect};

/// The whole screen.
pub fn table(plan: &Plan, look: Look) -> String {
    let mut screen = PlanScreen { out: Sheet::new(look.width), good: if look.ascii { "ok" } else { "✓" } };
    screen.header(plan);
    for change in &plan.changes {
        screen.change(change);
    }
    if plan.changes.is_empty() {
        screen.out.line("\n  no objects found");
    }
    screen.footer(plan);
    look.fit(screen.out.into_text())
}

/// The names of the objects, one per line.
pub fn names(plan: &Plan) -> String {
    let mut out = Sheet::new(None);
    for change in &plan.changes {
        out.line(&text::clean(&change.object.short()));
    }
    out.into_text()
}

struct PlanScreen {
    out: Sheet,
    /// The sign for "good". A "+" would look like an object to be created.
    good: &'static str,
}

impl PlanScreen {
    fn header(&mut self, plan: &Plan) {
        let user = match text::clean(&plan.user.name) {
            name if name.is_empty() => "an unnamed user".to_owned(),
            name => name.into_owned(),
        };
        let unsure = if plan.user.confirmed { "" } else { " (by the kubeconfig; the server did not say)" };
        let requests = match plan.requests {
            1 => "1 request".to_owned(),
            count => format!("{count} requests"),
        };
        let guard = match (plan.guard.source, plan.guard.decision) {
            (GuardSource::Observed, _) => format!("{} (observed answer)", Paint::bad("DENIED")),
            (source, decision) => {
                let word = match decision {
                    GuardAnswer::Allow => "would allow".to_owned(),
                    GuardAnswer::Deny => format!("would {}", Paint::bad("DENY")),
                    GuardAnswer::Unknown => "has nothing to judge".to_owned(),
                    GuardAnswer::Warn => format!("would {}", Paint::warn("WARN")),
                };
                let from = if source == GuardSource::GuardConfig { "from --guard-config, " } else { "assumed " };
                format!("{word} ({from}{})", plan.guard.preset)
            }
        };
        let line = format!("mode server (dryRun=All) as {user}{unsure} · {requests} · guard aksarc: {guard}");
        self.out.fold("", "  ", &line);
        if plan.user.actor == "platform" {
            self.out.line("  this user is the platform: the guard judges nothing it does");
        }
        let is_of_denier =
            |finding: &Finding| catalogue::find(finding.code.as_str()).is_some_and(|rule| rule.mode == Mode::Deny);
        let voids = |finding: &Finding| {
            finding.consequence == Consequence::Voids && finding.waiver.is_none() && is_of_denier(finding)
        };
        let is_warned = plan.guard.source != GuardSource::Observed
            && plan.guard.decision == GuardAnswer::Warn
            && plan.guard.preset == Preset::Enforce.as_str();
        if plan.user.actor == Actor::Ambiguous.as_str()
            && is_warned
            && plan.changes.iter().flat_map(|own| &own.findings).any(voids)
        {
            let why = "warned, not denied: this user could be a person or the platform (actor: ambiguous), and only people \
                       are denied; `actors.ambiguous: deny` in the guard's configuration denies both";
            self.out.fold("  ", "  ", why);
        }
    }

    fn footer(&mut self, plan: &Plan) {
        let (counts, support) = (plan.counts, plan.support);
        let (before, after) = (self.support(support.before), self.support(support.after));
        self.out.line("");
        let line = format!(
            "Plan: {} add, {} change, {} delete     support of these objects: {before} → {after}",
            counts.add, counts.change, counts.delete
        );
        self.out.fold("", "      ", &line);
        self.out.line(&format!("exit {}", plan.exit_code));
    }

    fn change(&mut self, change: &PlannedChange) {
        let sign = match change.operation {
            PlannedEffect::Create => Paint::good("+"),
            PlannedEffect::Delete => Paint::bad("-"),
            PlannedEffect::None => "=".to_owned(),
            PlannedEffect::Update => Paint::warn("~"),
        };
        let subresource =
            if change.subresource.is_empty() { String::new() } else { format!("/{}", change.subresource) };
        let short = text::line(&format!("{}{subresource}", change.object.short()), MAX_NAME);
        let known = change.refusal.is_none() && change.not_rehearsed.is_empty();
        let unchanged = if change.operation == PlannedEffect::None && known { "  unchanged" } else { "" };
        self.out.line(&format!("\n  {sign} {short}{unchanged}"));
        self.fields(change);
        let beside_a_field =
            |finding: &Finding| change.fields.iter().take(MAX_FIELDS).any(|field| finding.path == field.path);
        for finding in change.findings.iter().filter(|finding| !beside_a_field(finding)) {
            let message = text::line(&finding.message, MAX_MESSAGE);
            self.out.fold("      ", "        ", &format!("{}   {message}", mark(finding)));
        }
        self.instead(change);
        self.refusal(change);
        let line = |text: &String| text::line(text, MAX_MESSAGE);
        if !change.not_rehearsed.is_empty() {
            let why = Paint::warn(format_args!("? {}", line(&change.not_rehearsed)));
            self.out.fold("      ", "        ", &why);
        }
        if !change.not_judged.is_empty() {
            let why = format!("{}: {}", Paint::warn("? not judged"), line(&change.not_judged));
            self.out.fold("      ", "        ", &why);
        }
        for warning in &change.warnings {
            self.out.fold("      ", "        ", &format!("{}: {}", Paint::warn("server warns"), line(warning)));
        }
        for note in &change.notes {
            self.out.fold("      ", "        ", &format!("note: {}", line(note)));
        }
    }

    /// Writes the fields that differ, each with its findings.
    fn fields(&mut self, change: &PlannedChange) {
        let value = |value: &Option<String>| match value {
            Some(value) if value.is_empty() => "\"\"".to_owned(),
            Some(value) => text::line(value, MAX_VALUE),
            None => "(unset)".to_owned(),
        };
        let mut grid = Grid::capped(MAX_PATH);
        for field in change.fields.iter().take(MAX_FIELDS) {
            let FieldDifference { path, before, after } = field;
            let mut cell = format!("{} → {}", value(before), value(after));
            for finding in change.findings.iter().filter(|finding| finding.path == *path) {
                // Writing to a String cannot fail.
                let _infallible = write!(cell, "      {}", mark(finding));
            }
            grid.row([text::line(shown_path(path), MAX_PATH * 4), cell]);
        }
        self.out.grid("      ", &grid);
        if let Some(more) = change.fields.len().checked_sub(MAX_FIELDS).filter(|more| *more > 0) {
            self.out.line(&format!("      and {more} more fields (-o json has them all)"));
        }
    }

    /// Writes the supported ways. Commands are meant to be copied, so they are not broken.
    fn instead(&mut self, change: &PlannedChange) {
        for way in &change.instead {
            let text = way.text.trim_end_matches(" instead");
            let mut commands = way.commands.iter().map(Command::printed);
            match commands.next() {
                Some(first) => self.out.line(&format!("      instead: {text}:  {first}")),
                None => self.out.fold("      ", "        ", &format!("instead: {text}")),
            }
            for command in commands {
                self.out.line(&format!("               {command}"));
            }
        }
    }

    fn refusal(&mut self, change: &PlannedChange) {
        let Some(refusal) = &change.refusal else { return };
        self.out.fold("      ", "        ", &Paint::bad(refusal.headline()));
        self.out.fold_below("        ", &text::line(&refusal.message, MAX_MESSAGE));
        let told = |message: &String| message.is_empty() || refusal.message.contains(message);
        for cause in refusal.causes.iter().filter(|cause| !told(&cause.message)) {
            let field = if cause.field.is_empty() { String::new() } else { format!("{}: ", cause.field) };
            self.out.fold_below("        ", &format!("{field}{}", text::line(&cause.message, MAX_MESSAGE)));
        }
    }

    fn support(&self, support: Support) -> String {
        match support {
            Support::NotJudged => format!("? {}", support.phrase()),
            Support::Outside => Paint::bad(format_args!("✗ {}", support.phrase())),
            Support::Within => Paint::good(format_args!("{} {}", self.good, support.phrase())),
        }
    }
}

/// The path as shown: labels without `metadata`.
fn shown_path(path: &str) -> &str {
    path.strip_prefix("metadata.").unwrap_or(path)
}

fn mark(finding: &Finding) -> String {
    let (code, basis) = (finding.code, rests_on(finding.basis));
    if let Some(waiver) = &finding.waiver {
        let (name, until) = (text::line(&waiver.name, MAX_NAME), text::line(&waiver.expires, MAX_NAME));
        return format!("{code} waived by {name} until {until}");
    }
    let word = match finding.consequence {
        Consequence::Voids => Paint::bad(format_args!("✗ {code} VOIDS SUPPORT")),
        Consequence::AtRisk => Paint::warn(format_args!("! {code} at risk")),
        Consequence::NotCovered => Paint::warn(format_args!("! {code} not covered")),
        Consequence::Info => format!("{code} info"),
    };
    format!("{word} · {basis}")
}

/// The longest part of a line; `-o json` has all of it.
const MAX_VALUE: usize = 120;
const MAX_MESSAGE: usize = 1024;
const MAX_NAME: usize = 300;
const MAX_PATH: usize = 72;

/// The most fields. A replaced object differs everywhere.
const MAX_FIELDS: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dry_run::plan::{self, ClusterNote, GuardNote, Instead, SupportChange, UserNote};
    use crate::dry_run::refusal::{Refusal, Refuser};
    use aksarc_shared::data::own;
    use aksarc_shared::finding::{Code, ObjectRef};
    use aksarc_shared::verdict::report::ToolVersion;

    fn finding(path: &str) -> Finding {
        let message = "system label would be changed".to_owned();
        Finding { path: path.into(), object: ObjectRef::default(), message, ..Finding::example() }
    }

    fn change() -> PlannedChange {
        let path = "metadata.labels[node.kubernetes.io/instance-type]";
        PlannedChange {
            object: ObjectRef { kind: "Node".to_owned(), name: "moc-l7x2".to_owned(), ..ObjectRef::default() },
            operation: PlannedEffect::Update,
            subresource: String::new(),
            fields: vec![
                FieldDifference { path: "metadata.labels[a]".to_owned(), before: None, after: Some(String::new()) },
                FieldDifference {
                    path: path.to_owned(),
                    before: Some("Standard_A4_v2".to_owned()),
                    after: Some("edge\u{1b}[31m".to_owned()),
                },
            ],
            findings: vec![finding(path), finding("spec")],
            instead: vec![Instead {
                code: Code::new("AA201"),
                text: "add a label of your own instead",
                commands: vec![Command::kubectl(["label", "node", "moc-l7x2", "contoso.com/size=edge"])],
            }],
            guard: GuardAnswer::Deny,
            not_judged: String::new(),
            not_rehearsed: String::new(),
            refusal: None,
            warnings: vec!["careful".to_owned()],
            notes: vec!["noted".to_owned()],
            support: SupportChange { before: Support::Within, after: Support::Outside },
        }
    }

    fn report(changes: Vec<PlannedChange>, source: GuardSource) -> Plan {
        Plan {
            api_version: own::API_VERSION,
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
            guard: GuardNote { decision: GuardAnswer::Deny, source, preset: "enforce" },
            counts: plan::counts(&changes),
            support: plan::support(&changes),
            exit_code: plan::exit_code(&changes, Consequence::Voids),
            changes,
        }
    }

    fn plain(report: &Plan) -> String {
        anstream::adapter::strip_str(&table(report, Look::default())).to_string()
    }

    fn ascii(report: &Plan) -> String {
        anstream::adapter::strip_str(&table(report, Look { ascii: true, ..Look::default() })).to_string()
    }

    #[test]
    fn the_screen_shows_field_finding_and_way_out() {
        insta::assert_snapshot!(plain(&report(vec![change()], GuardSource::Assumed)), @r#"
        mode server (dryRun=All) as alice@contoso · 1 request · guard aksarc: would DENY (assumed enforce)

          ~ node/moc-l7x2
              labels[a]                                  (unset) → ""
              labels[node.kubernetes.io/instance-type]   Standard_A4_v2 → edge\u{1b}[31m      ✗ AA201 VOIDS SUPPORT · policy says so
              ✗ AA201 VOIDS SUPPORT · policy says so   system label would be changed
              instead: add a label of your own:  kubectl label node moc-l7x2 contoso.com/size=edge
              server warns: careful
              note: noted

        Plan: 0 add, 1 change, 0 delete     support of these objects: ✓ within → ✗ outside
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
        let screen = ascii(&report(vec![refused], GuardSource::Observed));
        assert!(screen.is_ascii(), "{screen}");
        assert!(screen.contains("REFUSED by webhook w.example.com\n        no\n"), "{screen}");
        assert!(screen.contains("DENIED (observed answer)") && screen.ends_with("exit 6\n"), "{screen}");
    }

    #[test]
    fn lines_end_where_the_terminal_does() {
        let mut change = change();
        change.instead.clear();
        change.notes = vec!["a note that goes on for longer than the terminal is wide".to_owned()];
        let report = report(vec![change], GuardSource::Assumed);
        let screen = table(&report, Look { width: Some(60), ..Look::default() });
        insta::assert_snapshot!(anstream::adapter::strip_str(&screen).to_string(), @r#"
        mode server (dryRun=All) as alice@contoso · 1 request ·
          guard aksarc: would DENY (assumed enforce)

          ~ node/moc-l7x2
              labels[a]
                  (unset) → ""
              labels[node.kubernetes.io/instance-type]
                  Standard_A4_v2 → edge\u{1b}[31m      ✗ AA201 VOIDS
                  SUPPORT · policy says so
              ✗ AA201 VOIDS SUPPORT · policy says so   system
                label would be changed
              server warns: careful
              note: a note that goes on for longer than the
                terminal is wide

        Plan: 0 add, 1 change, 0 delete     support of these
              objects: ✓ within → ✗ outside
        exit 3
        "#);
    }

    #[test]
    fn a_warning_instead_of_a_denial_has_its_reason() {
        let mut warned = report(vec![change()], GuardSource::Assumed);
        warned.guard.decision = GuardAnswer::Warn;
        let why = "warned, not denied: this user could be a person or the platform (actor: ambiguous)";
        assert!(!plain(&warned).contains(why));
        warned.user.actor = "ambiguous";
        assert!(plain(&warned).contains(why), "{}", plain(&warned));
        // Whatever the actor, this preset warns.
        warned.guard.preset = "warn";
        assert!(!plain(&warned).contains(why));
    }

    #[test]
    fn a_plan_without_findings_says_so() {
        let screen = plain(&report(Vec::new(), GuardSource::Assumed));
        assert!(screen.contains("no objects found") && screen.contains("? not judged → ? not judged"), "{screen}");
    }
}
