//! The command line, as a clap parser.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use aksarc_shared::text;
use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory, FromArgMatches, Id, Parser, Subcommand};

use super::configured::Configured;
use super::kubectl_flags::{self, KubectlVerb};
use super::{environment, help};
use crate::commands::{
    baseline, completion, config, doctor, dry_run, explain, guard, report, rules, snapshot, support_check, version,
    versions, waivers,
};
use crate::screen::status::StatusFile;
use crate::screen::ui::UiFlags;

/// Is this cluster, or this change, inside Microsoft's published support policy for AKS enabled by Azure Arc?
///
/// The program changes nothing in a cluster, `report publish` and `guard mode` aside, and the API server is its only peer. Checks and
/// snapshots send only get and list requests. A dry run also sends the write that it rehearses, marked dryRun=All, and only to servers that are
/// known not to store it. doctor also asks about your rights. Not affiliated with Microsoft: verdicts are a reading of
/// published texts, not a promise of support.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110, arg_required_else_help = true, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: TopCommand,
    /// What the configuration file gives to the command.
    #[arg(skip)]
    pub configured: Configured,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum TopCommand {
    // What stands here is the help: clap does not look at the comments of the arguments' own types.
    /// Judge a cluster, a snapshot of one, or manifests
    ///
    /// Without --snapshot or -f the cluster of the current context is read, with get and list requests only. A rule
    /// whose input could not be read is unknown, never a pass.
    SupportCheck(Box<support_check::Args>),
    /// Show what a change would do and what the policy says about it, without making it
    ///
    /// The request goes to the API server as kubectl would send it, but with dryRun=All: authorization, validation and
    /// admission webhooks process it, and nothing is stored. This requires the right to make the change. The result is
    /// judged by the engine of the guard, so the answer is the same whether or not a guard is installed.
    ///
    /// A group that an APIService passes to a Service is served by another server, which may ignore dryRun and store
    /// the object. Nothing is sent to such a server, unless it is known to honour dry runs, as Calico's is: the answer
    /// is "cannot be rehearsed on this server" with exit code 5, and the rules judge the change as given. The servers
    /// of groups are found by listing apiservices.apiregistration.k8s.io. Without the right to list them, only
    /// Kubernetes' own groups are rehearsed, and those of CustomResourceDefinitions if
    /// customresourcedefinitions.apiextensions.k8s.io may be listed.
    DryRun(dry_run::Args),
    /// Examine whether a check would be complete here, and what prevents it
    ///
    /// Examines the connection to the API server and its clock, your rights for each rule and for dry runs, other
    /// admission webhooks, the guard, and the age of this program's data. It asks about your rights as `kubectl auth
    /// can-i` does, with POST requests that create nothing.
    Doctor(Box<doctor::Args>),
    /// Show a rule's page: what it checks, why, and what to do instead
    Explain(explain::Args),
    /// Show, test and set the guard in a cluster, and explain its denials
    Guard(guard::Args),
    /// Render a saved result in other formats, without a cluster
    ///
    /// `support-check -o FORMAT` prints the same as `support-check -o json | report - -o FORMAT`, and the exit code is
    /// that of the result.
    Report(Box<report::Args>),
    /// List the rules, and what decides each clause of the policy
    Rules(rules::Args),
    /// Record the objects that rules read, for a check elsewhere or a support ticket
    ///
    /// A snapshot contains metadata, specs and status of the objects that rules read. Secrets are never requested. The
    /// data of ConfigMaps, the last-applied annotation, and environment, commands and probes of containers are left
    /// out, but for public certificates, the guard's record and the id of the cluster's resource in Azure.
    Snapshot(Box<snapshot::Args>),
    /// Record what the system created at a known-good time, and compare it with the present state
    Baseline(baseline::Args),
    /// Print a script that completes commands and flags
    ///
    /// For `kubectl aksarc` kubectl's own completion works when kubectl_complete-aksarc is on the PATH.
    Completion(completion::Args),
    /// Show and check the configuration file, which sets flags once for all clusters or for some
    Config(config::Args),
    /// Show the versions of this program and of its data, without contacting a cluster
    Version(version::Args),
    /// Compare the versions of the cluster and its node pools with the tables of supported versions
    ///
    /// For each platform that the cluster may be on, this shows whether the server and each pool are in support, until
    /// when, the newest patch, and the age of the table. It gives no verdict; support-check does.
    Versions(Box<versions::Args>),
    /// List, check, audit and create waivers, which accept findings for a time
    Waivers(waivers::Args),
}

impl Cli {
    /// clap's command under the name with which users call this program.
    pub fn named(name: &'static str) -> clap::Command {
        // One sentence replaces a line per flag.
        fn quiet(command: clap::Command) -> clap::Command {
            // Of a flag that is given twice the last counts, as in kubectl.
            command.args_override_self(true).mut_args(|arg| arg.hide_env(true)).mut_subcommands(quiet)
        }
        fn with_codes(command: clap::Command) -> clap::Command {
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            command.after_long_help(format!("{examples}\n\n{EXIT_CODES}"))
        }
        let command = quiet(kubectl_flags::added(Cli::command().name(name).bin_name(name)))
            .mut_subcommand("support-check", with_codes)
            .mut_subcommand("dry-run", with_codes)
            .mut_subcommand("report", with_codes);
        help::examples_first(command)
    }

    /// Reads a command line by the command of [`Cli::named`].
    ///
    /// # Errors
    /// clap's, which is also how help is asked for.
    pub fn read(mut command: clap::Command, argv: &[OsString]) -> Result<Self, clap::Error> {
        // To clap a variable of the environment is as good as a flag, and two that exclude each other are an error.
        // Typed flags take precedence here: a variable that conflicts with one counts as not set.
        command.build();
        let root = command.clone();
        command = forget(command, &|_, arg| arg.get_env().is_some_and(|name| !environment::is_set(name)));
        let (argv, off) = super::words::switched(&command, argv);
        command = forget(command, &|_, arg| arg.get_long().is_some_and(|long| off.iter().any(|own| own == long)));
        let typed = match forget(command.clone(), &|_, _| true).try_get_matches_from(&argv) {
            Ok(matches) => matches,
            // A variable may be what a typed flag needs beside it.
            Err(_) => command.clone().try_get_matches_from(&argv).map_err(|error| with_hint(error, &argv))?,
        };
        if let Some(refused) = kubectl_flags::refused(&command, &typed) {
            return Err(refused);
        }
        let typed = words(&typed);
        command = forget(command, &|command, arg| at_odds(command, arg, &typed));
        let parsed = |command: &clap::Command| {
            let matches = command.clone().try_get_matches_from(&argv);
            matches.map_err(|error| environment::named(error, command, &typed))
        };
        let mut matches = parsed(&command)?;
        let mut configured = Configured::read(&root, &matches, off)?;
        if configured.file.is_some() {
            matches = parsed(&configured.onto(command.clone(), &root))?;
        }
        configured.settle(&root, &matches);
        Ok(Cli { configured, ..Cli::from_arg_matches(&matches)? })
    }
}

/// The error of a command line with a word that no command takes, with a tip: a word that is the path of a file is
/// meant as the value of a flag.
fn with_hint(mut error: clap::Error, argv: &[OsString]) -> clap::Error {
    if let (clap::error::ErrorKind::UnknownArgument, Some(ContextValue::String(word))) =
        (error.kind(), error.get(ContextKind::InvalidArg))
        && !word.starts_with('-')
        && Path::new(word).exists()
    {
        let tip = format!("'{word}' is a path: a snapshot is given by --snapshot, manifests by --filename");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    for (given, suggested) in [
        (ContextKind::InvalidArg, ContextKind::SuggestedArg),
        (ContextKind::InvalidSubcommand, ContextKind::SuggestedSubcommand),
    ] {
        let Some(ContextValue::String(word)) = error.get(given).cloned() else { continue };
        let known: Vec<String> = match error.get(suggested) {
            Some(ContextValue::String(one)) => vec![one.clone()],
            Some(ContextValue::Strings(several)) => several.clone(),
            _ => Vec::new(),
        };
        // clap also suggests words that are alike without being typing slips of each other.
        let bare = |word: &str| word.trim_start_matches('-').to_owned();
        let names: Vec<String> = known.iter().map(|known| bare(known)).collect();
        if !known.is_empty() && text::nearest(&bare(&word), names.iter().map(String::as_str)).is_none() {
            error.remove(suggested);
        }
        let is_command = |at: usize, own: &str| argv.get(at).is_some_and(|typed| typed == own);
        let is_first = is_command(1, &word) || (is_command(1, "dry-run") && is_command(2, &word));
        let is_known = |words: &[&str]| given == ContextKind::InvalidSubcommand && is_first && words.contains(&&*word);
        let verbs = KubectlVerb::ALL.map(KubectlVerb::as_str);
        let elsewhere = ELSEWHERE.iter().copied().chain([(&verbs[..], REHEARSED)]).find(|(words, _)| is_known(words));
        if let Some((_, place)) = elsewhere {
            let tip = place.replace("WORD", &word);
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
        }
    }
    error
}

/// Words that people type instead of a command, each group with a sentence that names the right one.
const ELSEWHERE: [(&[&str], &str); 3] = [
    (
        &["audit", "check", "get", "lint", "scan", "status", "validate"],
        "`support-check` judges a cluster, a snapshot or manifests",
    ),
    (&["create", "drain", "edit", "replace", "rollout", "set"], "`dry-run` does not have WORD yet"),
    (&["diff"], "`baseline diff` compares a cluster with a baseline"),
];

/// The tip for a verb of kubectl that `dry-run` has.
const REHEARSED: &str = "`dry-run WORD` says what the policy says of it; to do it use kubectl";

/// The command and its subcommands without the environment variables of the flags that `which` selects.
fn forget(command: clap::Command, which: &dyn Fn(&clap::Command, &Arg) -> bool) -> clap::Command {
    let gone: Vec<_> =
        command.get_arguments().filter(|arg| which(&command, arg)).map(|arg| arg.get_id().clone()).collect();
    let command = command.mut_args(|arg| if gone.contains(arg.get_id()) { arg.env(Resettable::Reset) } else { arg });
    command.mut_subcommands(|sub| forget(sub, which))
}

/// Whether a flag conflicts with a typed one, declared on either of them.
fn at_odds(command: &clap::Command, arg: &Arg, typed: &[Id]) -> bool {
    let excludes = |one: &Arg, id: &Id| command.get_arg_conflicts_with(one).iter().any(|other| other.get_id() == id);
    let others = command.get_arguments().filter(|other| typed.contains(other.get_id()));
    !typed.contains(arg.get_id())
        && others.into_iter().any(|other| excludes(arg, other.get_id()) || excludes(other, arg.get_id()))
}

/// The flags that were typed, of all commands on the line.
fn words(matches: &ArgMatches) -> Vec<Id> {
    let typed = |id: &&Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
    let mut ids: Vec<Id> = matches.ids().filter(typed).cloned().collect();
    if let Some((_, sub)) = matches.subcommand() {
        ids.extend(words(sub));
    }
    ids
}

/// The status file that a command line asks for although clap refuses it: an old file must not go on reporting success.
pub fn status_file_of_refused(argv: &[OsString]) -> Option<StatusFile> {
    let words: Vec<&str> = argv.iter().filter_map(|word| word.to_str()).collect();
    let value = |(number, word): (usize, &&str)| match word.strip_prefix("--status-file")? {
        "" => words.get(number + 1).map(PathBuf::from),
        rest => rest.strip_prefix('=').map(PathBuf::from),
    };
    let typed = words.iter().enumerate().find_map(value);
    let path = typed.or_else(|| std::env::var_os("KUBECTL_AKSARC_STATUS_FILE").map(PathBuf::from));
    let path = path.filter(|path| !path.as_os_str().is_empty() && path.as_os_str() != "-")?;
    match *words.get(1)? {
        "dry-run" => Some(StatusFile::DryRun(path)),
        "support-check" => Some(StatusFile::SupportCheck(path)),
        _ => None,
    }
}

impl TopCommand {
    /// The status file to write the exit code to, if one is given.
    pub fn status_file(&self) -> Option<StatusFile> {
        match self {
            TopCommand::DryRun(args) => args.verb.common().status_file.clone().map(StatusFile::DryRun),
            TopCommand::SupportCheck(args) => args.printing.status_file.clone().map(StatusFile::SupportCheck),
            TopCommand::Baseline(_)
            | TopCommand::Completion(_)
            | TopCommand::Config(_)
            | TopCommand::Doctor(_)
            | TopCommand::Explain(_)
            | TopCommand::Guard(_)
            | TopCommand::Report(_)
            | TopCommand::Rules(_)
            | TopCommand::Snapshot(_)
            | TopCommand::Version(_)
            | TopCommand::Versions(_)
            | TopCommand::Waivers(_) => None,
        }
    }

    /// The display flags of the command, if it has any.
    pub fn ui_flags(&self) -> Option<&UiFlags> {
        match self {
            TopCommand::SupportCheck(args) => Some(&args.flags.ui),
            TopCommand::Doctor(args) => Some(&args.flags.ui),
            TopCommand::Report(args) => Some(args.ui()),
            TopCommand::Guard(args) => Some(args.ui()),
            TopCommand::Snapshot(args) => Some(&args.flags.ui),
            TopCommand::Baseline(args) => Some(args.ui()),
            TopCommand::Waivers(args) => Some(args.ui()),
            TopCommand::Versions(args) => Some(&args.flags.ui),
            TopCommand::Config(args) => args.ui(),
            TopCommand::DryRun(args) => Some(&args.verb.common().ui),
            TopCommand::Rules(_) | TopCommand::Explain(_) | TopCommand::Completion(_) | TopCommand::Version(_) => None,
        }
    }
}

const EXIT_CODES: &str = "\
Exit codes, the same for every output format:
  0    within the published policy, as far as Kubernetes shows (or nothing to judge)
  1    could not run: cluster, network, or ourselves; baseline diff, report diff: something differs
  2    wrong flags, or input that cannot be read
  3    outside: something voids support
  4    something lighter that --fail-on includes
  5    inconclusive: what could void support is unknown, or a rehearsal or snapshot is incomplete
  6    dry run: something else refuses it: missing rights, no such object, a webhook, kubectl
  130  interrupted; 143 terminated

Flags on judging, output, reading, display and cluster can be set in the environment as well:
--fail-on as KUBECTL_AKSARC_FAIL_ON. A flag goes before its variable, and that before the
configuration file (see `config --help`). A switch can be given as --flag=false.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_named_for_their_flags() {
        fn look(command: &clap::Command) {
            for arg in command.get_arguments() {
                let is_ours = arg.get_help_heading().is_some() && !arg.is_hide_set();
                let Some(long) = arg.get_long().filter(|_| is_ours) else { continue };
                let name = format!("KUBECTL_AKSARC_{}", long.to_uppercase().replace('-', "_"));
                let env = arg.get_env().and_then(|env| env.to_str());
                assert_eq!(env, Some(&*name), "{} --{long}", command.get_name());
            }
            command.get_subcommands().for_each(look);
        }
        look(&Cli::named("test"));
    }
}
