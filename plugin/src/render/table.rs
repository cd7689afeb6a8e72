//! The default screen: the verdict first, then every finding with what to do, deadlines, and what could not be seen.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use aksarc_shared::catalogue;
use aksarc_shared::data::embedded;
use aksarc_shared::finding::{Consequence, Evidence, Finding};
use aksarc_shared::report::{Outcome, Question, Report, RuleOutcome, VerdictWord};
use aksarc_shared::text;
use jiff::Timestamp;

use super::grid::{columns, wrap};
use super::style::{heading, mark, sign};
use super::{Grid, GroupBy, Look, Paint, Show, counted, days, left_out, shell, shown, texts};

pub(super) fn render(report: &Report, look: &Look<'_>) -> Result<String, fmt::Error> {
    let mut screen = Screen { out: String::new(), report, look };
    screen.header()?;
    screen.verdict()?;
    screen.findings()?;
    if look.show == Show::All {
        screen.outcomes()?;
    }
    screen.footer()?;
    Ok(screen.out)
}

struct Screen<'a> {
    out: String,
    report: &'a Report,
    look: &'a Look<'a>,
}

impl Screen<'_> {
    fn header(&mut self) -> fmt::Result {
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
        if !self.look.manifests {
            let nodes = counting(cluster.nodes, "node");
            facts.push(if self.look.nodes_read { nodes } else { "nodes not read".to_owned() });
        }
        self.labelled("cluster", &facts.join(" · "))?;
        let evidence = report.policy.platform_evidence.join("; ");
        let platform = either(&candidates(report));
        self.labelled("platform", &format!("{} · {}", text::line(&platform, 120), text::line(&evidence, 200)))?;
        let coverage = &report.coverage;
        // Only a cluster pays for being read.
        let cost = if coverage.requests == 0 {
            let unjudged = match self.look.unjudged {
                0 => String::new(),
                count => format!(", {count} of kinds that no rule looks at"),
            };
            counting(coverage.objects, "object") + &unjudged
        } else {
            let (objects, requests) = (counting(coverage.objects, "object"), counting(coverage.requests, "request"));
            format!("{objects}, {requests}, {:.1} s, read-only", coverage.seconds)
        };
        self.labelled("reading", &cost)?;
        if let Some(taken) = self.look.taken {
            self.labelled("taken", &format!("{} · judged as of {}", seconds(taken), report.policy.as_of))?;
        }
        writeln!(self.out)
    }

    fn verdict(&mut self) -> fmt::Result {
        let report = self.report;
        let texts = texts(report);
        let (published, several) = match texts.as_slice() {
            [] => ("the published support policy".to_owned(), false),
            [one] => (format!("the published text {one}"), false),
            _ => ("the published texts of every platform that it may be".to_owned(), true),
        };
        let words = match report.verdict {
            VerdictWord::Outside => format!("OUTSIDE {published}"),
            VerdictWord::Within if left_out(report) > 0 => {
                let (run, all) = (report.rules.len(), catalogue::ALL.len());
                format!("WITHIN {published}, by {run} of {all} rules alone: the others were not run")
            }
            VerdictWord::Within if self.look.unjudged > 0 && self.look.unjudged == report.coverage.objects => {
                format!("WITHIN {published}: there is nothing here that a rule looks at")
            }
            VerdictWord::Within if self.look.manifests => format!("WITHIN {published}, as far as manifests show"),
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
        for (number, line) in wrap(&words, self.room(3)).iter().enumerate() {
            let lead = if number == 0 { format!(" {} ", sign(report.verdict)) } else { "   ".to_owned() };
            writeln!(self.out, "{}", Paint::verdict(report.verdict, format_args!("{lead}{line}")))?;
        }
        if several {
            let room = self.room(5);
            for line in texts.iter().flat_map(|one| wrap(one, room)) {
                writeln!(self.out, "     {line}")?;
            }
        }
        let passed = report.rules.iter().filter(|rule| rule.outcome == Outcome::Pass).count();
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

    fn findings(&mut self) -> fmt::Result {
        let findings = shown(self.report, self.look.show);
        match self.look.group_by {
            GroupBy::Rule => {
                for group in by_rule(&findings) {
                    self.rule(&group)?;
                }
            }
            GroupBy::Object => self.sections(&findings, |finding| text::line(&finding.object.short(), 160))?,
            GroupBy::Namespace => self.sections(&findings, |finding| match &*finding.object.namespace {
                "" => "(cluster)".to_owned(),
                namespace => format!("namespace {}", text::line(namespace, 80)),
            })?,
        }
        let hidden = self.report.findings.len() - findings.len();
        if hidden > 0 {
            let waived = self.report.findings.iter().filter(|finding| finding.waiver.is_some()).count();
            let both = [(waived, "waived"), (hidden.saturating_sub(waived), "info")];
            let kinds: Vec<String> =
                both.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
            writeln!(self.out)?;
            self.wrapped_line("hidden", &format!("{}: --show all shows them", kinds.join(", ")))?;
        }
        Ok(())
    }

    fn sections(&mut self, findings: &[&Finding], title: impl Fn(&Finding) -> String) -> fmt::Result {
        let mut sections: BTreeMap<String, Vec<&Finding>> = BTreeMap::new();
        for finding in findings {
            sections.entry(title(finding)).or_default().push(finding);
        }
        for (title, findings) in sections {
            writeln!(self.out, "\n{} {}", Paint::bold("#"), Paint::bold(title))?;
            for group in by_rule(&findings) {
                self.rule(&group)?;
            }
        }
        Ok(())
    }

    /// One rule's findings of one weight.
    fn rule(&mut self, group: &[&Finding]) -> fmt::Result {
        let Some(first) = group.first() else { return Ok(()) };
        let weight = first.consequence;
        let left = Paint::consequence(weight, format_args!("{} {} {}", mark(weight), first.code, first.slug));
        let waived = if first.waiver.is_some() { " · waived" } else { "" };
        let right = format!(
            "{} · {} · {}{waived}",
            Paint::consequence(weight, heading(weight)),
            first.basis.phrase(),
            amount(group)
        );
        writeln!(self.out)?;
        self.spread(&left, &right)?;
        for same in alike(group) {
            self.objects(&same)?;
        }
        self.why(first)?;
        let fixes = fixes(group);
        for fix in fixes.iter().take(MAX_FIXES) {
            self.tagged("fix", fix)?;
        }
        if fixes.len() > MAX_FIXES {
            self.tagged("", &format!("… and {} more, all in -o json", fixes.len() - MAX_FIXES))?;
        }
        let more = format!("{} explain {}", self.look.name, first.code);
        self.tagged("more", &more)
    }

    /// Objects that differ in nothing but their name.
    fn objects(&mut self, same: &[&Finding]) -> fmt::Result {
        let Some(first) = same.first() else { return Ok(()) };
        let names: Vec<String> = same.iter().map(|finding| text::line(&finding.object.short(), 160)).collect();
        for line in wrap(&listed(&names, MAX_OBJECTS), self.room(4)) {
            writeln!(self.out, "    {line}")?;
        }
        if !first.members.is_empty() {
            let members: Vec<String> = first.members.iter().map(|member| text::line(member, 120)).collect();
            for line in wrap(&format!("members: {}", listed(&members, MAX_OBJECTS)), self.room(6)) {
                writeln!(self.out, "      {line}")?;
            }
        }
        self.field(first)?;
        if same.len() == 1 && !first.message.is_empty() {
            for line in wrap(&text::clean(&first.message), self.room(6)) {
                writeln!(self.out, "      {line}")?;
            }
        }
        for evidence in first.evidence.iter().take(MAX_EVIDENCE) {
            let words = words(evidence);
            writeln!(self.out, "      {}", Paint::dim(words))?;
        }
        if let Some(waiver) = &first.waiver {
            let (name, reason) = (text::line(&waiver.name, 60), text::line(&waiver.reason, 160));
            writeln!(self.out, "      waived by {name} until {}: {reason}", waiver.expires)?;
        }
        Ok(())
    }

    /// The field, with what stands there and, where somebody knows, what has to or what did.
    fn field(&mut self, finding: &Finding) -> fmt::Result {
        // The object's own line says where it is.
        let repeats = finding.path == "metadata.namespace" && finding.after.as_ref() == Some(&finding.object.namespace);
        if repeats || finding.path.is_empty() && finding.before.is_none() && finding.after.is_none() {
            return Ok(());
        }
        let path = text::line(&finding.path, 200);
        let value =
            |value: &Option<String>| value.as_deref().map_or_else(|| "(none)".to_owned(), |v| text::line(v, 120));
        let after = Paint::bold(value(&finding.after));
        match (&finding.before, &finding.after) {
            (None, None) => writeln!(self.out, "      {path}"),
            // A state without its past: that nothing is known does not mean that nothing was there.
            (None, Some(_)) if !self.look.manifests => writeln!(self.out, "      {path}   {after}"),
            (before, _) => writeln!(self.out, "      {path}   {} → {after}", value(before)),
        }
    }

    fn why(&mut self, finding: &Finding) -> fmt::Result {
        let summary = catalogue::find(finding.code).map(|rule| rule.summary).unwrap_or_default();
        let mut sections: Vec<(&str, Vec<&str>)> = Vec::new();
        for id in finding.clauses {
            let section = embedded().clauses.iter().find(|row| row.id == *id).map_or("", |row| &*row.section);
            match sections.iter_mut().find(|(known, _)| *known == section) {
                Some((_, ids)) => ids.push(id),
                None => sections.push((section, vec![id])),
            }
        }
        let sections: Vec<String> = sections
            .iter()
            .map(|(section, ids)| format!("{} {section}", ids.join(", ")).trim_end().to_owned())
            .collect();
        let clauses = if sections.is_empty() { String::new() } else { format!(" · {}", sections.join("; ")) };
        self.tagged("why", &format!("{summary}{clauses}"))
    }

    fn outcomes(&mut self) -> fmt::Result {
        let mut grid = Grid::plain();
        for rule in &self.report.rules {
            grid.row([
                rule.code.to_owned(),
                rule.slug.to_owned(),
                rule.outcome.as_str().to_owned(),
                text::line(&rule.reason, 200),
            ]);
        }
        writeln!(self.out, "\n rules")?;
        self.out.push_str(&grid.lines("   ", self.look.width));
        Ok(())
    }

    fn footer(&mut self) -> fmt::Result {
        let report = self.report;
        if !report.clocks.is_empty() {
            writeln!(self.out)?;
            let mut grid = Grid::plain();
            for (number, clock) in report.clocks.iter().enumerate() {
                let label = if number == 0 { "clocks" } else { "" };
                grid.row([
                    label.to_owned(),
                    text::line(&clock.what, 160),
                    days(clock.days_left),
                    clock.due.clone(),
                    text::line(&clock.code, 40),
                ]);
            }
            self.out.push_str(&grid.lines(" ", self.look.width));
        }
        let open: Vec<_> = report.rules.iter().filter(|rule| rule.outcome == Outcome::Unknown).collect();
        let partly = |rule: &&RuleOutcome| {
            matches!(rule.outcome, Outcome::Violated | Outcome::Waived) && !rule.reason.is_empty()
        };
        let partly: Vec<_> = report.rules.iter().filter(partly).collect();
        if !open.is_empty() || !partly.is_empty() {
            writeln!(self.out)?;
            let mut label = "unknown";
            for rule in open {
                self.wrapped_line(label, &format!("{} {}: {}", rule.code, rule.slug, text::line(&rule.reason, 300)))?;
                label = "";
            }
            for rule in partly {
                self.wrapped_line(
                    label,
                    &format!("{} {}, beyond what was found: {}", rule.code, rule.slug, text::line(&rule.reason, 300)),
                )?;
                label = "";
            }
        }
        self.unseen()?;
        writeln!(self.out)?;
        let next = self.next();
        writeln!(self.out, "exit {}{next}", report.exit_code)
    }

    /// What Kubernetes cannot show: what is asked of people, and what leaves no trace.
    fn unseen(&mut self) -> fmt::Result {
        let report = self.report;
        let of_people = |code: &str| report.questions.iter().any(|question| question.rules.contains(&code));
        let mut hidden: Vec<(&str, Vec<&str>)> = Vec::new();
        for rule in report.rules.iter().filter(|rule| rule.outcome == Outcome::NotObservable && !of_people(rule.code)) {
            match hidden.iter_mut().find(|(reason, _)| *reason == rule.reason) {
                Some((_, codes)) => codes.push(rule.code),
                None => hidden.push((&rule.reason, vec![rule.code])),
            }
        }
        let (answered, open): (Vec<_>, Vec<_>) =
            report.questions.iter().partition(|question| question.answer.is_some());
        if hidden.is_empty() && open.is_empty() && answered.is_empty() {
            return Ok(());
        }
        let topics = |questions: &[&Question]| {
            let each = questions.iter().map(|question| text::line(&question.topic, 60));
            each.collect::<Vec<_>>().join(", ")
        };
        writeln!(self.out)?;
        if !open.is_empty() {
            self.flush_left(&format!("cannot be seen from Kubernetes ({}): {}", open.len(), topics(&open)))?;
            let (name, ask) = (self.look.name, self.look.show != Show::All);
            let whom = if ask { "--show all says whom to ask, " } else { "" };
            self.flush_left(&format!("  {whom}{name} rules coverage --attest-template begins a file for --attest"))?;
        }
        if !answered.is_empty() {
            self.flush_left(&format!("answered by people ({}): {}", answered.len(), topics(&answered)))?;
        }
        if self.look.show == Show::All {
            for question in &report.questions {
                self.question(question)?;
            }
        }
        for (number, (reason, codes)) in hidden.into_iter().enumerate() {
            let label = if number == 0 { "unseen" } else { "" };
            self.wrapped_line(label, &format!("{}: {}", codes.join(", "), text::line(reason, 300)))?;
        }
        Ok(())
    }

    fn question(&mut self, question: &Question) -> fmt::Result {
        let rules = if question.rules.is_empty() { String::new() } else { format!(" ({})", question.rules.join(" ")) };
        writeln!(self.out, "   {}{rules} {}", Paint::bold(question.clauses.join(" ")), text::clean(&question.topic))?;
        let mut lines = vec![question.says.clone(), format!("ask: {}", question.ask)];
        if let Some(answer) = &question.answer {
            let note = if answer.note.is_empty() { String::new() } else { format!(" ({})", answer.note) };
            lines.push(format!(
                "answer: {} by {} on {}, until {}{note}",
                answer.answer, answer.by, answer.on, answer.expires
            ));
        }
        lines.extend(question.refused.clone());
        for line in lines.iter().flat_map(|line| wrap(&text::line(line, 600), self.room(6))).collect::<Vec<_>>() {
            writeln!(self.out, "      {line}")?;
        }
        Ok(())
    }

    fn flush_left(&mut self, text: &str) -> fmt::Result {
        for (number, line) in wrap(text, self.room(3)).iter().enumerate() {
            let lead = if number == 0 { " " } else { "   " };
            writeln!(self.out, "{lead}{line}")?;
        }
        Ok(())
    }

    fn next(&self) -> String {
        let report = self.report;
        let mut codes: Vec<&str> = report
            .findings
            .iter()
            .filter(|f| f.waiver.is_none() && f.consequence == Consequence::Voids)
            .map(|f| f.code)
            .collect();
        codes.dedup();
        // What was judged is judged again as it was given: only a cluster is asked anew by the bare command.
        let again = |flags: String| {
            if self.look.manifests {
                format!("judge the manifests again with {flags}")
            } else if self.look.taken.is_some() || report.cluster.server.is_empty() {
                format!("judge a new snapshot with {flags}")
            } else {
                format!(" {} support-check {flags}", self.look.name)
            }
        };
        match report.verdict {
            VerdictWord::Outside => {
                let findings = counting(report.count(Consequence::Voids), "finding");
                format!(" · next: fix {findings}, then {}", again(format!("--only {}", codes.join(","))))
            }
            VerdictWord::Inconclusive => {
                let candidates = candidates(report);
                let platform = |rule: &&RuleOutcome| candidates.len() > 1 && rule.reason.contains("--platform");
                let unknown: Vec<_> = report.rules.iter().filter(|rule| rule.outcome == Outcome::Unknown).collect();
                let mut ways = Vec::new();
                if unknown.iter().any(|rule| !platform(rule) && rule.reason.contains("forbidden")) {
                    ways.push("run with rights to list what is named above".to_owned());
                } else if unknown.iter().any(|rule| !platform(rule)) || unknown.is_empty() {
                    ways.push("supply what is named above".to_owned());
                }
                if unknown.iter().any(platform) {
                    ways.push(format!("say with --platform which it is: {}", either(&candidates)));
                }
                format!(" · next: {}", ways.join(", and "))
            }
            VerdictWord::Within => String::new(),
        }
    }

    /// A text on the left and one that ends at the right edge, or where the mock terminal of 110 columns would.
    fn spread(&mut self, left: &str, right: &str) -> fmt::Result {
        let width = self.look.width.unwrap_or(WIDTH).min(WIDTH);
        let used = columns(left) + columns(right);
        if used + 2 > width {
            return writeln!(self.out, "{left}\n    {right}");
        }
        writeln!(self.out, "{left}{}{right}", " ".repeat(width - used))
    }

    fn labelled(&mut self, label: &str, text: &str) -> fmt::Result {
        for (number, line) in wrap(text, self.room(13)).iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            writeln!(self.out, "  {label:<9}  {line}")?;
        }
        Ok(())
    }

    fn tagged(&mut self, tag: &str, text: &str) -> fmt::Result {
        // Commands are to be copied, so they are not broken.
        if tag == "fix" || tag == "more" {
            return writeln!(self.out, "    {tag:<4}  {text}");
        }
        for (number, line) in wrap(text, self.room(10)).iter().enumerate() {
            let tag = if number == 0 { tag } else { "" };
            writeln!(self.out, "    {tag:<4}  {line}")?;
        }
        Ok(())
    }

    fn wrapped_line(&mut self, label: &str, text: &str) -> fmt::Result {
        for (number, line) in wrap(text, self.room(10)).iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            writeln!(self.out, " {label:<8} {line}")?;
        }
        Ok(())
    }

    /// Columns left behind an indent; piped text is not broken by any terminal.
    fn room(&self, indent: usize) -> Option<usize> {
        self.look.width.map(|width| width.saturating_sub(indent).max(40))
    }
}

/// Findings of one rule and weight, side by side in the report's order.
fn by_rule<'f>(findings: &[&'f Finding]) -> Vec<Vec<&'f Finding>> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    for finding in findings {
        let key = |f: &Finding| (f.code, f.consequence, f.waiver.is_some());
        match groups.iter_mut().find(|group| group.first().is_some_and(|first| key(first) == key(finding))) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups
}

/// Findings that say the same of different objects.
fn alike<'f>(group: &[&'f Finding]) -> Vec<Vec<&'f Finding>> {
    let authors = |f: &Finding| f.evidence.iter().map(|e| (e.what.clone(), e.manager.clone())).collect::<Vec<_>>();
    let mut sets: Vec<Vec<&Finding>> = Vec::new();
    for finding in group {
        let same = |first: &&Finding| {
            first.path == finding.path
                && first.before == finding.before
                && first.after == finding.after
                && authors(first) == authors(finding)
                && first.members.is_empty()
                && finding.members.is_empty()
                && first.waiver == finding.waiver
        };
        match sets.iter_mut().find(|set| set.first().is_some_and(same)) {
            Some(set) => set.push(finding),
            None => sets.push(vec![finding]),
        }
    }
    sets
}

fn amount(group: &[&Finding]) -> String {
    let mut objects: Vec<_> = group.iter().map(|finding| &finding.object).collect();
    objects.sort();
    objects.dedup();
    let kind = group.first().map(|finding| finding.object.kind.to_lowercase()).unwrap_or_default();
    let one_kind = objects.iter().all(|object| object.kind.to_lowercase() == kind);
    counting(objects.len(), if one_kind { &kind } else { "object" })
}

fn fixes(group: &[&Finding]) -> Vec<String> {
    let mut fixes = Vec::new();
    for fix in group.iter().flat_map(|finding| finding.fix.iter().filter_map(|fix| shell::ready(fix, finding))) {
        if !fixes.contains(&fix) {
            fixes.push(fix);
        }
    }
    fixes
}

/// Who and when, or what else we rest on.
fn words(evidence: &Evidence) -> String {
    let clean = |text: &str| text::line(text, 200);
    if evidence.manager.is_empty() {
        return if evidence.detail.is_empty() {
            clean(&evidence.what)
        } else {
            format!("{} ({})", clean(&evidence.detail), clean(&evidence.what))
        };
    }
    let time = if evidence.time.is_empty() { String::new() } else { format!(", {}", clean(&evidence.time)) };
    let detail = if evidence.detail.is_empty() { String::new() } else { format!(": {}", clean(&evidence.detail)) };
    format!("by {}{time} ({}){detail}", clean(&evidence.manager), clean(&evidence.what))
}

fn listed(names: &[String], most: usize) -> String {
    let head = names.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > most { format!("{head} and {} more", names.len() - most) } else { head }
}

/// `1 node`, `412 nodes`, `14,212 objects`.
fn counting(count: usize, noun: &str) -> String {
    let plural = match noun {
        _ if count == 1 => noun.to_owned(),
        _ if noun.ends_with('s') => format!("{noun}es"),
        _ if noun.ends_with('y') => format!("{}ies", noun.trim_end_matches('y')),
        _ => format!("{noun}s"),
    };
    let digits = count.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {plural}")
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

/// The platforms it may be.
fn candidates(report: &Report) -> Vec<&str> {
    report.policy.platform.split('|').collect()
}

/// `a`, `a or b`, `a, b or c`.
fn either(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [head @ .., last] => format!("{} or {last}", head.join(", ")),
    }
}

/// A moment in whole seconds; anything else as it is.
fn seconds(moment: &str) -> String {
    match moment.parse::<Timestamp>().and_then(|moment| Timestamp::from_second(moment.as_second())) {
        Ok(moment) => moment.to_string(),
        Err(_) => text::line(moment, 60),
    }
}

/// Where right-hand texts end when there is no terminal to ask, and at most.
const WIDTH: usize = 110;

/// Names shown per finding: a pool can have hundreds.
const MAX_OBJECTS: usize = 8;

/// Commands shown per rule.
const MAX_FIXES: usize = 6;

/// Lines of evidence shown per finding.
const MAX_EVIDENCE: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_nouns_agree() {
        assert_eq!(counting(1, "node"), "1 node");
        assert_eq!(counting(14212, "object"), "14,212 objects");
        assert_eq!(counting(0, "ingress"), "0 ingresses");
        assert_eq!(counting(2, "networkpolicy"), "2 networkpolicies");
    }
}
