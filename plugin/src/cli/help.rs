//! The two forms of help: `-h` is one screen with the flags of every day, `--help` has everything.

use std::ffi::OsString;

use clap::builder::{Resettable, StyledStr};
use clap::{Arg, Command};

/// Whether a command line asks for the short form.
pub fn is_short(argv: &[OsString]) -> bool {
    let mut words = argv.iter().skip(1).take_while(|word| *word != "--");
    words.any(|word| word == "-h")
}

/// The command as the short form shows it: without the flags that few people need, with the beginning of what is said
/// about each, and with the first examples alone.
pub fn short(command: Command) -> Command {
    let examples = command.get_after_help().map(|help| first_examples(&help.to_string()));
    let hides = command.get_arguments().any(is_rare);
    let command = command.mut_args(|arg| {
        if arg.is_positional() {
            return arg;
        }
        let rare = is_rare(&arg);
        let begin = arg.get_help().map(|help| StyledStr::from(beginning(&help.to_string())));
        // A long name of a value would leave no room beside it.
        let name = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
        let arg = arg.hide_short_help(rare).help(begin.map_or(Resettable::Reset, Resettable::Value));
        match name {
            // It lives as long as the program, which prints its help and ends.
            Some(name) if name.len() > LONG => arg.value_name(&*first_of(&name).to_owned().leak()),
            _ => arg,
        }
    });
    let command = match examples.filter(|text| !text.is_empty()) {
        Some(examples) => command.after_help(examples),
        None => command,
    };
    let command = if hides { command.help_template(format!("{TEMPLATE}\n\n{MORE}")) } else { command };
    command.mut_subcommands(short)
}

/// The command with examples and exit codes before the flags, as kubectl has them.
pub(super) fn examples_first(command: Command) -> Command {
    let has_flags = !command.has_subcommands() || command.get_arguments().next().is_some();
    let command =
        if command.get_after_help().is_some() && has_flags { command.help_template(TEMPLATE) } else { command };
    command.mut_subcommands(examples_first)
}

/// Whether a flag is for few people, or is one of the many that kubectl has.
fn is_rare(arg: &Arg) -> bool {
    let name = arg.get_long().unwrap_or_default();
    RARE.contains(&name)
        || arg.get_help_heading().is_some_and(|heading| GROUPS.contains(&heading)) && !EVERY_DAY.contains(&name)
}

/// A sentence up to what explains it further. A word or two before that say too little.
fn beginning(text: &str) -> String {
    let ends = [": ", "; ", ". ", " ("].iter().flat_map(|end| text.match_indices(end)).map(|(at, _)| at);
    let says = |end: &usize| text.get(..*end).is_some_and(|text| text.split(' ').count() > 2);
    let end = ends.filter(says).min().unwrap_or(text.len());
    text.get(..end).unwrap_or(text).to_owned()
}

/// The first of the values in a name such as `FILE|cluster|none`.
fn first_of(name: &str) -> &str {
    name.split('|').next().unwrap_or(name)
}

/// The first examples of a text in which an empty line follows each.
fn first_examples(text: &str) -> String {
    if !text.starts_with("Examples:") {
        return String::new();
    }
    text.split("\n\n").take(EXAMPLES).collect::<Vec<_>>().join("\n")
}

/// Groups of flags of which the short form shows only those of every day.
const GROUPS: [&str; 4] = ["Cluster (as in kubectl)", "Configuration", "Display", "Reading"];

/// Those of them that are used every day.
const EVERY_DAY: [&str; 2] = ["context", "kubeconfig"];

/// Flags of other groups that few people need.
const RARE: [&str; 17] = [
    "all-namespaces",
    "allow-incomplete",
    "field-manager",
    "field-selector",
    "grace-period",
    "group-by",
    "guard-config",
    "min-weight",
    "output-file",
    "platform-release",
    "resource-version",
    "sarif-prefix",
    "shell",
    "skip",
    "stats",
    "status-file",
    "versions",
];

/// The longest name of a value that the short form shows whole: `FORMAT[=FILE]`.
const LONG: usize = 13;

/// Examples that the short form shows.
const EXAMPLES: usize = 3;

/// The last line of the short form.
const MORE: &str = "--help shows all flags, those of kubectl too, and more examples.";

const TEMPLATE: &str = "{before-help}{about-with-newline}\n{usage-heading} {usage}{after-help}\n\n{all-args}";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Cli;

    fn commands(command: &Command, path: &str, look: &mut dyn FnMut(&str, &Command)) {
        for sub in command.get_subcommands() {
            let path = format!("{path} {}", sub.get_name());
            look(&path, sub);
            commands(sub, &path, look);
        }
    }

    #[test]
    fn short_help_is_one_screen() {
        let mut command = short(Cli::named("kubectl aksarc"));
        command.build();
        let mut lines = Vec::new();
        commands(&command, "", &mut |path, sub| {
            if !path.contains(" help") {
                let text = sub.clone().term_width(80).render_help().to_string();
                lines.push((text.lines().count(), path.to_owned()));
            }
        });
        lines.sort();
        assert!(lines.last().unwrap().0 <= 58, "{lines:?}");
        let check = lines.iter().find(|(_, path)| path == " support-check").unwrap();
        assert!(check.0 <= 56 && lines.len() > 20, "{lines:?}");
    }

    #[test]
    fn flags_that_are_hidden_are_there() {
        let command = Cli::named("kubectl aksarc");
        let mut seen = Vec::new();
        commands(&command, "", &mut |_, sub| {
            seen.extend(sub.get_arguments().filter_map(Arg::get_long).map(str::to_owned));
        });
        for name in RARE.iter().chain(&EVERY_DAY) {
            assert!(seen.iter().any(|own| own == name), "{name}");
        }
    }

    #[test]
    fn only_the_short_form_is_short() {
        let asked = |line: &str| is_short(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(asked("kubectl-aksarc support-check -h"));
        assert!(!asked("kubectl-aksarc support-check --help") && !asked("kubectl-aksarc dry-run -- -h"));
    }

    #[test]
    fn a_sentence_ends_before_its_explanation() {
        assert_eq!(beginning("Judge a snapshot: a file"), "Judge a snapshot");
        assert_eq!(beginning("Judge as of this day (2026-12-31), or now"), "Judge as of this day");
        assert_eq!(beginning("Waivers: a file, or none; see there"), "Waivers: a file, or none");
        assert_eq!(beginning("Colours"), "Colours");
    }
}
