//! kubectl's protocol for completing plugins. The program is called with the words typed after the plugin's name, the
//! last of them unfinished. It prints one candidate per line, each with a tab and its meaning, and a directive as the
//! last line.

use aksarc_shared::k8s::kinds;
use aksarc_shared::rules::catalogue;
use clap::{Arg, Command, ValueHint};

/// Names that a kubeconfig or a cluster knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names<'a> {
    /// Contexts of the kubeconfig.
    Contexts,
    /// Clusters of the kubeconfig.
    Clusters,
    /// Users of the kubeconfig.
    Users,
    /// Namespaces of the cluster.
    Namespaces,
    /// Objects of a kind, as it was typed.
    Objects(&'a str),
}

/// The source of names. A name that cannot be read is left out: nobody waits for a completion, or reads its errors.
pub trait NameSource {
    /// The names, by the flags that were typed so far, such as `--kubeconfig`.
    fn names(&self, wanted: Names<'_>, flags: &[String]) -> Vec<String>;
}

/// The answer for the words typed so far.
pub fn answer(root: &Command, words: &[String], source: &dyn NameSource) -> String {
    let (done, unfinished) = match words.split_last() {
        Some((last, done)) => (done, last.as_str()),
        None => (words, ""),
    };
    let mut place = Cursor { command: root, pending: None, flags: Vec::new(), typed: Vec::new(), source };
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
    /// Flags with their values, as they were typed.
    flags: Vec<String>,
    /// The typed words that are no flags.
    typed: Vec<String>,
    source: &'c dyn NameSource,
}

impl<'c> Cursor<'c> {
    fn take(&mut self, word: &str) {
        if let Some(flag) = self.pending.take() {
            if let Some(long) = flag.get_long() {
                self.flags.push(format!("--{long}={word}"));
            }
            return;
        }
        if let Some(flag) = word.strip_prefix("--") {
            if flag.contains('=') {
                self.flags.push(word.to_owned());
            } else {
                let known = self.flags().find(|arg| arg.get_long() == Some(flag));
                self.pending = known.filter(|arg| takes_value(arg));
                if known.is_some() && self.pending.is_none() {
                    self.flags.push(word.to_owned());
                }
            }
        } else if let Some(short) = word.strip_prefix('-').filter(|short| short.chars().count() == 1) {
            let short = short.chars().next();
            self.pending = self.flags().find(|arg| arg.get_short() == short).filter(|arg| takes_value(arg));
        } else if let Some(next) = self.command.find_subcommand(word) {
            self.command = next;
        } else {
            self.typed.push(word.to_owned());
        }
    }

    fn flags(&self) -> impl Iterator<Item = &'c Arg> + use<'c> {
        self.command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set())
    }

    fn candidates(&self, unfinished: &str) -> (Vec<(String, String)>, &'static str) {
        if let Some(arg) = self.pending {
            return self.values(arg, "");
        }
        if let Some((flag, _)) = unfinished.split_once('=').filter(|(flag, _)| flag.starts_with("--")) {
            let arg = self.flags().find(|arg| arg.get_long() == flag.strip_prefix("--"));
            return arg.map_or_else(|| (Vec::new(), NO_FILES), |arg| self.values(arg, &format!("{flag}=")));
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
            if arg.get_id() == OBJECTS {
                return (self.objects(unfinished), NO_FILES);
            }
            let (more, own) = self.values(arg, "");
            candidates.extend(more);
            directive = own;
        }
        (candidates, directive)
    }

    /// Kinds, or names of the kind that was typed, as `TYPE NAME` and `TYPE/NAME`.
    fn objects(&self, unfinished: &str) -> Vec<(String, String)> {
        if let Some((kind, _)) = unfinished.split_once('/') {
            let names = self.source.names(Names::Objects(kind), &self.flags);
            return names.into_iter().map(|name| (format!("{kind}/{name}"), String::new())).collect();
        }
        match self.typed.first() {
            None => kinds::ALL.iter().map(|kind| (kind.resource.to_owned(), kind.group.to_owned())).collect(),
            Some(kind) if kind.contains('/') => Vec::new(),
            Some(kind) => bare(self.source.names(Names::Objects(kind), &self.flags)),
        }
    }

    fn values(&self, arg: &Arg, prefix: &str) -> (Vec<(String, String)>, &'static str) {
        let wanted = match arg.get_id().as_str() {
            "context" => Names::Contexts,
            "cluster" => Names::Clusters,
            "user" => Names::Users,
            "namespace" => Names::Namespaces,
            _ => return values(arg, prefix),
        };
        let names = self.source.names(wanted, &self.flags).into_iter().map(|name| format!("{prefix}{name}"));
        (bare(names), NO_FILES)
    }
}

fn bare(names: impl IntoIterator<Item = String>) -> Vec<(String, String)> {
    names.into_iter().map(|name| (name, String::new())).collect()
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

/// The positional of the rehearsed verbs, which begins as kubectl's `TYPE NAME` and `TYPE/NAME` do.
const OBJECTS: &str = "arguments";

/// The directive that lets the shell complete file names.
const FILES: &str = ":0";

/// The directive that keeps the shell from completing file names.
const NO_FILES: &str = ":4";

#[cfg(test)]
mod tests {
    use super::{NameSource, Names, answer};
    use crate::cli::args::Cli;
    use crate::cli::invocation::PLUGIN;

    /// Returns each question as a name.
    struct Echo;

    impl NameSource for Echo {
        fn names(&self, wanted: Names<'_>, flags: &[String]) -> Vec<String> {
            vec![format!("{wanted:?} {}", flags.join(" ")).trim_end().to_owned()]
        }
    }

    fn asked(words: &[&str]) -> String {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        answer(&Cli::named(PLUGIN), &words, &Echo)
    }

    #[test]
    fn commands_flags_and_values_are_offered() {
        assert!(asked(&["sup"]).starts_with("support-check\t"));
        assert!(asked(&["support-check", "--plat"]).starts_with("--platform\t"));
        assert_eq!(asked(&["support-check", "--platform", "azure"]), "azure-local\n:4\n");
        assert_eq!(asked(&["support-check", "--platform=azure"]), "--platform=azure-local\n:4\n");
        assert!(asked(&["explain", "AA201"]).contains("AA201\tsystem-label-changed"));
        assert_eq!(asked(&["support-check", "--snapshot", ""]), ":0\n");
        assert!(asked(&[]).contains("version\t"));
        assert!(asked(&["rules", "c"]).starts_with("coverage\t"));
    }

    #[test]
    fn names_are_asked_for_with_the_flags_that_were_typed() {
        assert_eq!(asked(&["support-check", "--context", ""]), "Contexts\n:4\n");
        assert_eq!(
            asked(&["support-check", "--kubeconfig", "k", "--context=Con"]),
            "--context=Contexts --kubeconfig=k\n:4\n"
        );
        assert_eq!(
            asked(&["doctor", "--insecure-skip-tls-verify", "--user", ""]),
            "Users --insecure-skip-tls-verify\n:4\n"
        );
        assert_eq!(asked(&["dry-run", "delete", "--context=c", "-n", ""]), "Namespaces --context=c\n:4\n");
    }

    #[test]
    fn kinds_and_their_objects_are_offered_where_kubectl_takes_them() {
        assert!(asked(&["dry-run", "label", "node"]).starts_with("nodes\n"));
        assert!(asked(&["dry-run", "scale", "deploy"]).starts_with("deployments\tapps\n"));
        assert_eq!(asked(&["dry-run", "label", "node", ""]), "Objects(\"node\")\n:4\n");
        assert_eq!(asked(&["dry-run", "delete", "no/"]), "no/Objects(\"no\")\n:4\n");
        assert_eq!(asked(&["dry-run", "delete", "no/a", ""]), ":4\n");
    }
}
