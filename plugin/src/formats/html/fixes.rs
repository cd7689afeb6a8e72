//! Commands that lead back, to be copied. A click selects the whole command.

use aksarc_shared::verdict::report::v1::{CommandV1, FindingV1};

use super::markup::Markup;
use crate::screen::wording::counting;

/// Appends the commands of findings, each once, first those that make a finding go away.
pub(super) fn part(page: &mut Markup, findings: &[&FindingV1]) {
    let commands = commands(findings);
    if commands.is_empty() {
        return;
    }
    let (first, rest) = commands.split_at(commands.len().min(MAX_SHOWN));
    page.own("<div class=\"fixes\"><h4>Ways back</h4>");
    list(page, first);
    if !rest.is_empty() {
        let (folded, left_out) = rest.split_at(rest.len().min(MAX_FOLDED));
        page.fill("<details><summary>{}</summary>", [&counting(rest.len(), "more command")]);
        list(page, folded);
        if !left_out.is_empty() {
            page.fill("<p class=\"remark\">and {} more, all in the JSON report</p>", [&left_out.len()]);
        }
        page.own("</details>");
    }
    page.own("</div>");
}

/// The commands, each once. Those that clear a finding come first.
fn commands<'f>(findings: &[&'f FindingV1]) -> Vec<&'f CommandV1> {
    let clears = |finding: &&&FindingV1| finding.fix.iter().any(|command| command.clears);
    let (first, rest): (Vec<&FindingV1>, Vec<&FindingV1>) = findings.iter().partition(clears);
    let mut seen = std::collections::BTreeSet::new();
    let all = first.into_iter().chain(rest).flat_map(|finding| &finding.fix);
    all.filter(|command| seen.insert(&command.printed)).collect()
}

fn list(page: &mut Markup, commands: &[&CommandV1]) {
    page.own("<ul class=\"commands\">");
    for command in commands {
        page.own("<li>");
        one(page, command);
        page.own("</li>");
    }
    page.own("</ul>");
}

/// Appends one command: a line for each shell that takes another one, and what to know before it is run.
pub(super) fn one(page: &mut Markup, command: &CommandV1) {
    let shells = if command.shells.is_empty() {
        vec![&*command.shell]
    } else {
        command.shells.iter().map(|own| &**own).collect()
    };
    line(page, &shells, &command.line);
    if let Some(other) = &command.other_line {
        line(page, &[if command.shell == BASH { POWERSHELL } else { BASH }], other);
    }
    let remarks = [
        (!command.platforms.is_empty()).then(|| format!("On {}.", command.platforms.join(", "))),
        (!command.fill_in.is_empty()).then(|| format!("Fill in {}.", command.fill_in.join(", "))),
        command.caution.as_ref().map(|caution| format!("Before you run it: {caution}.")),
        command.note.as_ref().map(|note| format!("Does not clear the finding: {note}.")),
    ];
    let remarks: Vec<String> = remarks.into_iter().flatten().collect();
    if !remarks.is_empty() {
        page.fill("<p class=\"remark\">{}</p>", [&remarks.join(" ")]);
    }
}

/// Appends a line with the shells that take it. Lines are broken between words: a flag is easier to read in one piece.
fn line(page: &mut Markup, shells: &[&str], line: &str) {
    page.own("<div class=\"command\"><pre><code>");
    for (at, word) in line.split(' ').enumerate() {
        page.own(if at == 0 { "<span>" } else { " <span>" }).text(word).own("</span>");
    }
    let named: Vec<&str> = shells.iter().map(|shell| if *shell == POWERSHELL { "PowerShell" } else { shell }).collect();
    page.fill("</code></pre><p class=\"shells\">{}</p></div>", [&named.join(" · ")]);
}

const BASH: &str = "bash";

const POWERSHELL: &str = "powershell";

/// Commands that are shown at once, for each rule.
const MAX_SHOWN: usize = 4;

/// Further commands that are folded away, for each rule. The others are in the JSON report.
const MAX_FOLDED: usize = 40;
