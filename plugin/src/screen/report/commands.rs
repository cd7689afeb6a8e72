//! The commands of findings as people paste them: one for many objects where the program takes several names.

use std::collections::HashSet;

use aksarc_shared::command::Shell;
use aksarc_shared::verdict::report::v1::{CommandV1, FindingV1};

use crate::screen::grid::{columns, wrap};
use crate::screen::wording::number;

/// A command, for one object or for several.
#[derive(Debug)]
pub(super) struct Pasted<'r> {
    /// One of the commands that it stands for.
    command: &'r CommandV1,
    /// The names of the objects, where the program takes several.
    names: Vec<&'r str>,
}

/// The commands of findings, each once: first those of findings that they make go away. Where they are more than `most`, one
/// stands for many objects where the program takes several names.
pub(super) fn of<'r>(findings: &[&'r FindingV1], most: usize) -> Vec<Pasted<'r>> {
    let clears = |finding: &&&FindingV1| finding.fix.iter().any(|fix| fix.clears);
    let (first, rest): (Vec<&FindingV1>, Vec<&FindingV1>) = findings.iter().partition(clears);
    let mut printed: HashSet<&str> = HashSet::new();
    let all = first.into_iter().chain(rest).flat_map(|finding| &finding.fix);
    let all: Vec<&CommandV1> = all.filter(|command| printed.insert(&command.printed)).collect();
    if all.len() > most { together(all) } else { all.into_iter().map(Pasted::of).collect() }
}

/// Commands that are the same but for the name of their object as one.
fn together<'r>(commands: impl IntoIterator<Item = &'r CommandV1>) -> Vec<Pasted<'r>> {
    let mut all: Vec<Pasted<'r>> = Vec::new();
    for command in commands {
        match all.iter_mut().find(|known| command.name_at.is_some() && known.is_like(command)) {
            Some(known) => known.names.extend(name(command)),
            None => all.push(Pasted::of(command)),
        }
    }
    all
}

impl<'r> Pasted<'r> {
    fn of(command: &'r CommandV1) -> Self {
        Pasted { command, names: name(command).into_iter().collect() }
    }

    /// Whether another command is the same but for the name of its object.
    fn is_like(&self, other: &CommandV1) -> bool {
        let own = self.command;
        own.name_at == other.name_at
            && own.shell == other.shell
            && own.argv.len() == other.argv.len()
            && own.argv.iter().zip(&other.argv).enumerate().all(|(place, (a, b))| Some(place) == own.name_at || a == b)
            && around(own) == around(other)
    }

    /// The command in lines, each behind an indent, that end where the terminal does. A long command goes on in the next line, as
    /// its shell has it; single words stay whole, since they are copied.
    pub(super) fn lines(&self, lead: &str, width: Option<usize>) -> Vec<String> {
        let shell = Shell::parse(&self.command.shell).unwrap_or_default();
        let words = self.words(shell);
        let (before, after) = around(self.command);
        let after = match self.names.len().checked_sub(MAX_NAMES) {
            Some(more) if more > 0 => {
                let remark = after.trim_start().trim_start_matches("# ");
                let and = if remark.is_empty() { "" } else { "; " };
                format!("  # and for {} more objects, all in -o json{and}{remark}", number(more))
            }
            _ => after.to_owned(),
        };
        let whole = format!("{lead}{before}{}{after}", words.join(" "));
        let Some(width) = width.filter(|width| columns(&whole) > *width) else { return vec![whole] };
        let goes_on = match shell {
            Shell::Bash => " \\",
            Shell::PowerShell => " `",
        };
        let indent = " ".repeat(columns(lead));
        let mut lines = Vec::new();
        let mut line = lead.to_owned();
        if !before.is_empty() {
            // The platforms, and the shell that a cmdlet needs, stand above it, so that the lines below can be copied.
            lines.push(format!("{lead}{}", before.trim_end()));
            line = format!("{indent}  ");
        }
        let words = in_pairs(&words);
        for (number, word) in words.iter().enumerate() {
            let mark = if number + 1 < words.len() { goes_on.len() } else { 0 };
            let is_empty = line.trim_start_matches(lead).trim().is_empty();
            if !is_empty && columns(&line) + 1 + columns(word) + mark > width {
                lines.push(std::mem::replace(&mut line, format!("{indent}  ")) + goes_on);
                line.push_str(word);
                continue;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
        let remark = after.trim_start().trim_start_matches("# ");
        if !remark.is_empty() {
            let room = width.saturating_sub(indent.len() + "  # ".len()).max(NARROW);
            lines.extend(wrap(remark, Some(room)).iter().map(|part| format!("{indent}  # {part}")));
        }
        lines
    }

    /// The words, quoted for the shell.
    fn words(&self, shell: Shell) -> Vec<String> {
        let argv = self.command.argv.iter().enumerate();
        argv.flat_map(|(place, word)| {
            let several = Some(place) == self.command.name_at && !self.names.is_empty();
            let names = if several { self.names.iter().take(MAX_NAMES).copied().collect() } else { vec![&**word] };
            names.into_iter().map(|name| shell.quote(name)).collect::<Vec<_>>()
        })
        .collect()
    }
}

/// Words with a flag's value beside its flag: `-n kube-system` stays together.
fn in_pairs(words: &[String]) -> Vec<String> {
    let mut pairs: Vec<String> = Vec::new();
    let mut waits = false;
    for word in words {
        let is_flag = word.starts_with('-');
        match pairs.last_mut().filter(|_| waits && !is_flag) {
            Some(flag) => {
                flag.push(' ');
                flag.push_str(word);
            }
            None => pairs.push(word.clone()),
        }
        waits = is_flag && !word.contains('=');
    }
    pairs
}

/// What stands before and behind the line of a command as people are shown it: its platforms, and its remarks.
fn around(command: &CommandV1) -> (&str, &str) {
    command.printed.split_once(&command.line).unwrap_or(("", ""))
}

fn name(command: &CommandV1) -> Option<&str> {
    command.argv.get(command.name_at?).map(String::as_str)
}

/// The most names in one command: it has to fit a screen.
const MAX_NAMES: usize = 12;

/// The narrowest column for a remark.
const NARROW: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    fn command(argv: &[&str], name_at: Option<usize>, remark: &str) -> CommandV1 {
        let line = argv.iter().map(|word| Shell::Bash.quote(word)).collect::<Vec<_>>().join(" ");
        CommandV1 {
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            printed: format!("{line}{remark}"),
            line,
            shell: "bash".to_owned(),
            shells: Vec::new(),
            other_line: None,
            clears: true,
            platforms: Vec::new(),
            caution: None,
            note: None,
            fill_in: Vec::new(),
            name_at,
        }
    }

    #[test]
    fn one_command_stands_for_many_objects() {
        let label = |node| command(&["kubectl", "label", "node", node, "a=b", "--overwrite"], Some(3), "");
        let commands = [label("moc-l1"), label("moc-l2"), command(&["kubectl", "patch", "node", "moc-l3"], None, "")];
        let all = together(&commands);
        let lines: Vec<String> = all.iter().flat_map(|one| one.lines("fix ", None)).collect();
        assert_eq!(lines, ["fix kubectl label node moc-l1 moc-l2 a=b --overwrite", "fix kubectl patch node moc-l3"]);
    }

    #[test]
    fn a_command_for_very_many_objects_names_the_first_and_counts_the_rest() {
        let commands: Vec<CommandV1> = (0..2000)
            .map(|n| command(&["kubectl", "delete", "node", &format!("n{n}")], Some(3), "  # destroys it"))
            .collect();
        let [one] = &*together(&commands) else { panic!("one command") };
        let [line] = &*one.lines("", None) else { panic!("one line") };
        assert!(line.ends_with(" n10 n11  # and for 1,988 more objects, all in -o json; destroys it"), "{line}");
    }

    #[test]
    fn a_long_command_goes_on_in_the_next_line() {
        let commands =
            [command(&["kubectl", "label", "node", "moc-l1", "example.com/a=b", "--overwrite"], None, "  # slow")];
        let all = together(&commands);
        let lines: Vec<String> = all.iter().flat_map(|one| one.lines("  fix ", Some(40))).collect();
        assert_eq!(
            lines,
            ["  fix kubectl label node moc-l1 \\", "        example.com/a=b --overwrite", "        # slow"]
        );
    }
}
