//! kubectl's protocol for completing plugins. The program is called with the words typed after the plugin's name, the
//! last of them unfinished. It prints one candidate per line, each with a tab and its meaning, and a directive as the
//! last line.

use aksarc_shared::rules::catalogue;
use clap::{Arg, Command, ValueHint};

/// The answer for the words typed so far.
pub fn answer(root: &Command, words: &[String]) -> String {
    let (done, unfinished) = match words.split_last() {
        Some((last, done)) => (done, last.as_str()),
        None => (words, ""),
    };
    let mut place = Cursor { command: root, pending: None };
    for word in done {
        place.take(word);
    }
    let (candidates, directive) = place.candidates(unfinished);
    let mut out = String::new();
    for (candidate, help) in candidates.into_iter().filter(|(candidate, _)| candidate.starts_with(unfinished)) {
        out.push_str(&candidate);
        if !help.is_empty() {
            out.push('\t');
            out.push_str(&help);
        }
        out.push('\n');
    }
    out + directive + "\n"
}

struct Cursor<'c> {
    command: &'c Command,
    /// The flag that waits for its value, if any.
    pending: Option<&'c Arg>,
}

impl<'c> Cursor<'c> {
    fn take(&mut self, word: &str) {
        if self.pending.take().is_some() {
            return;
        }
        if let Some(flag) = word.strip_prefix("--") {
            if !flag.contains('=') {
                self.pending = self.flags().find(|arg| arg.get_long() == Some(flag)).filter(|arg| takes_value(arg));
            }
        } else if let Some(short) = word.strip_prefix('-').filter(|short| short.chars().count() == 1) {
            let short = short.chars().next();
            self.pending = self.flags().find(|arg| arg.get_short() == short).filter(|arg| takes_value(arg));
        } else if let Some(next) = self.command.find_subcommand(word) {
            self.command = next;
        }
    }

    fn flags(&self) -> impl Iterator<Item = &'c Arg> + use<'c> {
        self.command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set())
    }

    fn candidates(&self, unfinished: &str) -> (Vec<(String, String)>, &'static str) {
        if let Some(arg) = self.pending {
            return values(arg, "");
        }
        if let Some((flag, _)) = unfinished.split_once('=').filter(|(flag, _)| flag.starts_with("--")) {
            let arg = self.flags().find(|arg| arg.get_long() == flag.strip_prefix("--"));
            return arg.map_or_else(|| (Vec::new(), NO_FILES), |arg| values(arg, &format!("{flag}=")));
        }
        if unfinished.starts_with('-') {
            let flags = self.flags().filter_map(|arg| Some((format!("--{}", arg.get_long()?), help(arg.get_help()))));
            return (flags.collect(), NO_FILES);
        }
        let commands = self.command.get_subcommands().filter(|command| !command.is_hide_set());
        let mut candidates: Vec<_> =
            commands.map(|command| (command.get_name().to_owned(), help(command.get_about()))).collect();
        let mut directive = NO_FILES;
        if let Some(arg) = self.command.get_positionals().next() {
            let (more, own) = values(arg, "");
            candidates.extend(more);
            directive = own;
        }
        (candidates, directive)
    }
}

fn values(arg: &Arg, prefix: &str) -> (Vec<(String, String)>, &'static str) {
    let id = arg.get_id().as_str();
    if matches!(id, "only" | "skip" | "rules") {
        let rules = catalogue::ALL.iter().map(|rule| (format!("{prefix}{}", rule.code), rule.slug.to_owned()));
        return (rules.collect(), NO_FILES);
    }
    let known = arg.get_possible_values();
    if !known.is_empty() {
        let known = known.iter().filter(|value| !value.is_hide_set());
        return (
            known.map(|value| (format!("{prefix}{}", value.get_name()), help(value.get_help()))).collect(),
            NO_FILES,
        );
    }
    let files = matches!(arg.get_value_hint(), ValueHint::FilePath | ValueHint::AnyPath | ValueHint::DirPath);
    (Vec::new(), if files { FILES } else { NO_FILES })
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values() && !arg.is_require_equals_set()
}

fn help(text: Option<&clap::builder::StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}

/// The directive that lets the shell complete file names.
const FILES: &str = ":0";

/// The directive that keeps the shell from completing file names.
const NO_FILES: &str = ":4";

#[cfg(test)]
mod tests {
    use super::answer;
    use crate::cli::args::Cli;
    use crate::cli::invocation::PLUGIN;

    fn asked(words: &[&str]) -> String {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        answer(&Cli::named(PLUGIN), &words)
    }

    #[test]
    fn commands_flags_and_values_are_offered() {
        assert!(asked(&["sup"]).starts_with("support-check\t"));
        assert!(asked(&["support-check", "--plat"]).starts_with("--platform\t"));
        assert_eq!(asked(&["support-check", "--platform", "azure"]), "azure-local\n:4\n");
        assert_eq!(asked(&["support-check", "--platform=azure"]), "--platform=azure-local\n:4\n");
        assert!(asked(&["explain", "AA201"]).contains("AA201\tsystem-label-changed"));
        assert_eq!(asked(&["support-check", "--snapshot", ""]), ":0\n");
        assert_eq!(asked(&["support-check", "--context", ""]), ":4\n");
        assert!(asked(&[]).contains("version\t"));
        assert!(asked(&["rules", "c"]).starts_with("coverage\t"));
    }
}
