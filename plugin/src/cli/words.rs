//! The order of the words on a command line: kubectl's users put some flags where clap does not look for them.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};

/// Moves flags of the cluster and the display from before a command to behind it, and joins the level of `-v 6` to its
/// flag. All other faults of the words are left for clap to report.
pub fn ordered(root: &Command, argv: Vec<OsString>) -> Vec<OsString> {
    let argv = joined(argv);
    moved(root, &argv).unwrap_or(argv)
}

/// Moves flags from before a command to behind it; `None` where there is no command, or a word before it is no such flag.
fn moved(root: &Command, argv: &[OsString]) -> Option<Vec<OsString>> {
    let (program, mut rest) = argv.split_first()?;
    let (mut command, mut path, mut flags) = (root, vec![program.clone()], Vec::new());
    while command.has_subcommands() {
        let (word, after) = rest.split_first()?;
        if let Some(next) = command.find_subcommand(word) {
            command = next;
            path.push(word.clone());
            rest = after;
            continue;
        }
        let length = flag(command, word.to_str()?)?;
        flags.extend_from_slice(rest.get(..length)?);
        rest = rest.get(length..)?;
    }
    Some([path, flags, rest.to_vec()].concat())
}

/// The number of words that a flag of some command below takes.
fn flag(command: &Command, word: &str) -> Option<usize> {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    let short = |arg: &Arg| arg.get_short().is_some_and(|short| name.strip_prefix('-') == Some(&*short.to_string()));
    let long = |arg: &Arg, long: &str| {
        arg.get_long() == Some(long) || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&long))
    };
    let is_named = |arg: &Arg| name.strip_prefix("--").map_or_else(|| short(arg), |name| long(arg, name));
    let found =
        find(command, &|arg| is_named(arg) && arg.get_help_heading().is_some_and(|own| HEADINGS.contains(&own)))?;
    let takes_next = value.is_none() && found.get_action().takes_values();
    // A level is a number.
    Some(if takes_next && !found.is_require_equals_set() { 2 } else { 1 })
}

fn find<'c>(command: &'c Command, wanted: &dyn Fn(&Arg) -> bool) -> Option<&'c Arg> {
    command
        .get_arguments()
        .find(|arg| wanted(arg))
        .or_else(|| command.get_subcommands().find_map(|sub| find(sub, wanted)))
}

/// The words without the values of switches, and the long names of the switches that are given as false: `--all=true` becomes
/// `--all`, as in kubectl, and `--all=false` is left out with every `--all` before it.
pub(super) fn switched(root: &Command, argv: &[OsString]) -> (Vec<OsString>, Vec<String>) {
    let mut command = root;
    for word in argv.iter().skip(1) {
        let Some(next) = command.find_subcommand(word) else { break };
        command = next;
    }
    let mut out: Vec<OsString> = Vec::new();
    let mut off = Vec::new();
    let mut words = argv.iter();
    for word in words.by_ref() {
        let given = word.to_str().and_then(|word| switch(command, word));
        match given {
            Some((flag, true)) => out.push(format!("--{flag}").into()),
            Some((flag, false)) => {
                let long = format!("--{flag}");
                out.retain(|word| *word != *long);
                off.push(flag);
            }
            None => out.push(word.clone()),
        }
        if word == "--" {
            break;
        }
    }
    out.extend(words.cloned());
    off.retain(|flag| !out.iter().any(|word| *word == *format!("--{flag}")));
    (out, off)
}

/// The long name of the switch that a word such as `--all=false` or `-A=1` sets, if the command has it, and its value.
fn switch(command: &Command, word: &str) -> Option<(String, bool)> {
    let (name, value) = word.split_once('=')?;
    let on = match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => true,
        "0" | "f" | "F" | "false" | "FALSE" | "False" => false,
        _ => return None,
    };
    let is_it = |arg: &&Arg| match name.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        None => arg.get_short().is_some_and(|short| name.strip_prefix('-') == Some(&*short.to_string())),
    };
    let found = command.get_arguments().find(is_it)?;
    let is_switch = matches!(found.get_action(), clap::ArgAction::SetTrue);
    Some((found.get_long().filter(|_| is_switch)?.to_owned(), on))
}

/// Joins `-v` and `--v` with the number behind it, which kubectl takes for its level.
fn joined(argv: Vec<OsString>) -> Vec<OsString> {
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let mut out: Vec<OsString> = Vec::new();
    let mut words = argv.into_iter().peekable();
    while let Some(word) = words.next() {
        if word == "--" {
            out.push(word);
            break;
        }
        let level = words.peek().and_then(|next| next.to_str()).filter(|next| is_number(next));
        let beside = word.to_str().and_then(|word| word.strip_prefix("-v")).filter(|beside| is_number(beside));
        match (level, beside) {
            (Some(level), _) if VERBOSITY.iter().any(|own| word == OsStr::new(own)) => {
                out.push(format!("--verbose={level}").into());
                words.next();
            }
            (_, Some(level)) => out.push(format!("--verbose={level}").into()),
            _ => out.push(word),
        }
    }
    out.extend(words);
    out
}

/// The flags that may stand before a command.
const HEADINGS: [&str; 3] = ["Cluster (as in kubectl)", "Configuration", "Display"];

/// The flags of a level.
const VERBOSITY: [&str; 3] = ["-v", "--v", "--verbose"];

#[cfg(test)]
mod tests {
    use super::super::args::Cli;
    use super::*;

    fn ordered(line: &str) -> String {
        let argv = line.split(' ').map(OsString::from).collect();
        super::ordered(&Cli::named("test"), argv).join(OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn flags_of_the_cluster_follow_the_command() {
        for (typed, meant) in [
            ("a --context c support-check -q", "a support-check --context c -q"),
            ("a -s=u --as b dry-run -n x label --context c node", "a dry-run label -s=u --as b -n x --context c node"),
            ("a -q --color=never doctor", "a doctor -q --color=never"),
            ("a --v=6 doctor", "a doctor --v=6"),
            ("a --insecure-skip-tls-verify waivers list", "a waivers list --insecure-skip-tls-verify"),
        ] {
            assert_eq!(ordered(typed), meant);
        }
        for same in
            ["a", "a --help", "a --elephant c doctor", "a --context", "a nonsense", "a support-check --context c"]
        {
            assert_eq!(ordered(same), same);
        }
    }

    #[test]
    fn switches_take_true_and_false_as_kubectls_do() {
        for (typed, meant, off) in [
            ("a dry-run label --overwrite=true x", "a dry-run label --overwrite x", ""),
            ("a dry-run label --overwrite=false x", "a dry-run label x", "overwrite"),
            ("a dry-run label --overwrite --overwrite=0 x", "a dry-run label x", "overwrite"),
            ("a dry-run label --overwrite=F --overwrite x", "a dry-run label --overwrite x", ""),
            ("a dry-run label -A=1 -- --all=true", "a dry-run label --all-namespaces -- --all=true", ""),
            ("a dry-run label --all=perhaps", "a dry-run label --all=perhaps", ""),
            ("a doctor --ascii=false --context=true", "a doctor --context=true", "ascii"),
        ] {
            let argv: Vec<OsString> = typed.split(' ').map(OsString::from).collect();
            let (words, found) = super::switched(&Cli::named("test"), &argv);
            assert_eq!(
                (&*words.join(OsStr::new(" ")).into_string().unwrap(), &*found.join(",")),
                (meant, off),
                "{typed}"
            );
        }
    }

    #[test]
    fn a_level_is_joined_with_its_number() {
        for (typed, meant) in [
            ("a doctor -v 6", "a doctor --verbose=6"),
            ("a -v 6 doctor -q", "a doctor --verbose=6 -q"),
            ("a doctor --v 10 -q", "a doctor --verbose=10 -q"),
            ("a doctor -v9", "a doctor --verbose=9"),
            ("a dry-run label -v node b c=d", "a dry-run label -v node b c=d"),
            ("a doctor -v=6 --v=6 -- -v 6", "a doctor -v=6 --v=6 -- -v 6"),
        ] {
            assert_eq!(ordered(typed), meant);
        }
    }
}
