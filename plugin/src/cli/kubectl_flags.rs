//! kubectl's flags on the verbs that a dry run has: which of them are accepted, and why the others are not. The command line
//! and KUBECTL.md are made from this table, and a test compares it with kubectl's own help.

use std::fmt::Write as _;

use clap::builder::{BoolishValueParser, StringValueParser};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};

/// A flag of kubectl.
#[derive(Clone, Copy, Debug)]
pub struct KubectlFlag {
    /// Its long name.
    pub name: &'static str,
    /// The verbs that have it; none for a flag of every verb.
    pub verbs: &'static [KubectlVerb],
    /// The meaning of the flag for a dry run.
    pub standing: FlagStanding,
    /// Whether kubectl leaves it out of its help, because it is deprecated.
    pub hidden: bool,
    /// Its short name, where the command line's own types do not have it.
    short: Option<char>,
}

/// A verb of kubectl that a dry run has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KubectlVerb {
    /// `kubectl annotate`.
    Annotate,
    /// `kubectl apply`.
    Apply,
    /// `kubectl cordon`.
    Cordon,
    /// `kubectl delete`.
    Delete,
    /// `kubectl label`.
    Label,
    /// `kubectl patch`.
    Patch,
    /// `kubectl scale`.
    Scale,
    /// `kubectl taint`.
    Taint,
    /// `kubectl uncordon`.
    Uncordon,
}

/// The meaning of a flag of kubectl for a dry run.
#[derive(Clone, Copy, Debug)]
pub enum FlagStanding {
    /// It means the same.
    Same,
    /// It means the same, with this difference.
    But(&'static str),
    /// It is accepted and changes nothing here, for this reason.
    Idle(Takes, &'static str),
    /// It is refused, for this reason. A flag that is switched off is not given at all.
    Refused(Takes, &'static str),
}

/// The value that a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// None, `=true` or `=false`. Without the flag, the value is the default.
    Switch {
        /// The value without the flag.
        default: bool,
    },
    /// A value.
    Value,
}

impl KubectlVerb {
    /// Every verb.
    pub const ALL: [KubectlVerb; 9] = [
        KubectlVerb::Annotate,
        KubectlVerb::Apply,
        KubectlVerb::Cordon,
        KubectlVerb::Delete,
        KubectlVerb::Label,
        KubectlVerb::Patch,
        KubectlVerb::Scale,
        KubectlVerb::Taint,
        KubectlVerb::Uncordon,
    ];

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            KubectlVerb::Annotate => "annotate",
            KubectlVerb::Apply => "apply",
            KubectlVerb::Cordon => "cordon",
            KubectlVerb::Delete => "delete",
            KubectlVerb::Label => "label",
            KubectlVerb::Patch => "patch",
            KubectlVerb::Scale => "scale",
            KubectlVerb::Taint => "taint",
            KubectlVerb::Uncordon => "uncordon",
        }
    }
}

impl KubectlFlag {
    const fn new(name: &'static str, verbs: &'static [KubectlVerb], standing: FlagStanding) -> Self {
        KubectlFlag { name, verbs, standing, hidden: false, short: None }
    }

    const fn deprecated(self) -> Self {
        KubectlFlag { hidden: true, ..self }
    }

    const fn or(self, short: char) -> Self {
        KubectlFlag { short: Some(short), ..self }
    }

    /// Whether the flag is one of this verb alone; those of every verb are not.
    pub fn is_of(&self, verb: KubectlVerb) -> bool {
        self.verbs.contains(&verb)
    }

    /// The clap argument of a flag that the command line's own types do not have.
    fn arg(&self) -> Option<Arg> {
        let (FlagStanding::Idle(takes, _) | FlagStanding::Refused(takes, _)) = self.standing else { return None };
        let heading = self.verbs.is_empty().then_some(CLUSTER);
        let arg = Arg::new(self.name).long(self.name).hide(true).help_heading(heading).action(ArgAction::Append);
        let arg = if let Some(short) = self.short { arg.short(short) } else { arg };
        Some(match takes {
            Takes::Value => arg.value_parser(StringValueParser::new()),
            Takes::Switch { .. } => arg
                .value_parser(BoolishValueParser::new())
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true"),
        })
    }
}

/// The flags of the table that a command takes.
fn flags_of(command: &Command) -> impl Iterator<Item = &'static KubectlFlag> {
    let reads_a_cluster = command.get_arguments().any(|arg| arg.get_long() == Some("context"));
    let name = command.get_name();
    FLAGS.iter().filter(move |flag| match flag.verbs {
        [] => reads_a_cluster,
        verbs => verbs.iter().any(|verb| verb.as_str() == name),
    })
}

/// The command with the flags of the table that its own types do not have, on every subcommand that takes them.
pub(super) fn added(command: Command) -> Command {
    fn below(command: Command, parent: &str) -> Command {
        let flags = flags_of(&command).filter(|flag| parent == DRY_RUN || flag.verbs.is_empty());
        let own: Vec<Arg> = flags.filter_map(KubectlFlag::arg).collect();
        let name = command.get_name().to_owned();
        command.args(own).mut_subcommands(|sub| below(sub, &name))
    }
    below(command, "")
}

/// The error for the first flag that was given and is refused.
pub(super) fn refused(command: &Command, matches: &ArgMatches) -> Option<clap::Error> {
    if let Some((name, below)) = matches.subcommand()
        && let Some(sub) = command.find_subcommand(name)
    {
        return refused(sub, below);
    }
    flags_of(command).find_map(|flag| {
        let FlagStanding::Refused(takes, why) = flag.standing else { return None };
        let is_given = match takes {
            Takes::Value => matches.try_get_many::<String>(flag.name).ok()?.is_some(),
            Takes::Switch { default } => {
                let last = matches.try_get_many::<bool>(flag.name).ok()??.next_back().copied();
                last.is_some_and(|last| last != default)
            }
        };
        is_given.then(|| {
            let value = if matches!(takes, Takes::Switch { default: true }) { "=false" } else { "" };
            let name = format!("{}{value}", flag.name);
            clap::Error::raw(ErrorKind::UnknownArgument, format!("--{name} of kubectl is not accepted here: {why}\n"))
        })
    })
}

/// The document about the flags, KUBECTL.md.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for verb in KubectlVerb::ALL {
        section(&mut page, &format!("dry-run {}", verb.as_str()), &|flag| flag.is_of(verb));
    }
    section(&mut page, "Every command that reads a cluster", &|flag| flag.verbs.is_empty());
    page
}

fn section(page: &mut String, title: &str, is_in: &dyn Fn(&KubectlFlag) -> bool) {
    // Writing to a string does not fail.
    let _ = write!(page, "\n## {title}\n\n| Flag of kubectl | Here |\n|---|---|\n");
    let mut flags: Vec<&KubectlFlag> = FLAGS.iter().filter(|flag| is_in(flag)).collect();
    flags.sort_by_key(|flag| flag.name);
    for flag in flags {
        let here = match flag.standing {
            FlagStanding::Same => "accepted".to_owned(),
            FlagStanding::But(note) => format!("accepted; {note}"),
            FlagStanding::Idle(_, why) => format!("accepted, without effect: {why}"),
            FlagStanding::Refused(Takes::Switch { default: true }, why) => {
                format!("accepted as `=true`, which it is by default; `=false` is refused: {why}")
            }
            FlagStanding::Refused(_, why) => format!("refused: {why}"),
        };
        let _ = writeln!(page, "| `--{}` | {here} |", flag.name);
    }
}

use FlagStanding::{But, Idle, Refused, Same};
use KubectlVerb::{Annotate, Apply, Cordon, Delete, Label, Patch, Scale, Taint, Uncordon};

const OFF: Takes = Takes::Switch { default: false };
const ON: Takes = Takes::Switch { default: true };

const METADATA: &[KubectlVerb] = &[Annotate, Label];
const PRINTERS: &[KubectlVerb] = &[Annotate, Apply, Label, Patch, Scale, Taint];
const RECORDERS: &[KubectlVerb] = &[Annotate, Apply, Label, Patch, Scale];
const FILES: &[KubectlVerb] = &[Annotate, Apply, Delete, Label, Patch, Scale];
const EVERY: &[KubectlVerb] = &KubectlVerb::ALL;

/// The flags, by verb.
pub const FLAGS: [KubectlFlag; 72] = [
    KubectlFlag::new("dry-run", EVERY, But("only `server`, which is what a dry run is")),
    KubectlFlag::new(
        "output",
        &[Annotate, Apply, Delete, Label, Patch, Scale, Taint],
        But("the formats are table, json, yaml and name, of the result of a dry run"),
    ),
    KubectlFlag::new("filename", FILES, But("addresses are refused: the API server is all that is contacted")),
    KubectlFlag::new("kustomize", FILES, But("built by `kubectl kustomize`, which has to be on the PATH")),
    KubectlFlag::new("recursive", FILES, Same),
    KubectlFlag::new("allow-missing-template-keys", PRINTERS, Idle(ON, "there are no templates")),
    KubectlFlag::new(
        "template",
        PRINTERS,
        Refused(Takes::Value, "the result of a dry run is no object to fill a template with; -o json holds all of it"),
    ),
    KubectlFlag::new(
        "show-managed-fields",
        PRINTERS,
        Refused(OFF, "the result of a dry run shows changes, and managedFields change with every write"),
    ),
    KubectlFlag::new(
        "record",
        RECORDERS,
        Refused(OFF, "kubectl has deprecated it; annotate kubernetes.io/change-cause instead"),
    )
    .deprecated(),
    // Choosing objects.
    KubectlFlag::new("all", &[Annotate, Delete, Label, Scale, Taint], Same),
    KubectlFlag::new("all", &[Apply], Refused(OFF, "it chooses what --prune deletes, which is refused")),
    KubectlFlag::new("all-namespaces", &[Annotate, Delete, Label], Same),
    KubectlFlag::new("field-selector", &[Annotate, Delete, Label], Same),
    KubectlFlag::new("selector", &[Annotate, Apply, Cordon, Delete, Label, Scale, Taint, Uncordon], Same),
    KubectlFlag::new("list", METADATA, Refused(OFF, "it only shows what is there; use kubectl")),
    KubectlFlag::new(
        "local",
        &[Annotate, Label, Patch],
        Refused(OFF, "a dry run asks the server; support-check -f judges manifests without one"),
    ),
    // Changing them.
    KubectlFlag::new("field-manager", &[Annotate, Apply, Label, Patch, Taint], Same),
    KubectlFlag::new("overwrite", &[Annotate, Label, Taint], Same),
    KubectlFlag::new(
        "overwrite",
        &[Apply],
        Refused(ON, "without it kubectl stops at conflicts, which it finds in other ways than the server"),
    ),
    KubectlFlag::new("resource-version", &[Annotate, Label, Scale], Same),
    KubectlFlag::new("subresource", &[Patch], But("ephemeralcontainers, resize, scale and status")),
    KubectlFlag::new("subresource", &[Apply], Refused(Takes::Value, "use dry-run patch --subresource")),
    KubectlFlag::new("validate", &[Apply, Taint], Same),
    KubectlFlag::new("patch", &[Patch], Same),
    KubectlFlag::new("patch-file", &[Patch], Same),
    KubectlFlag::new("type", &[Patch], Same),
    KubectlFlag::new("replicas", &[Scale], Same),
    KubectlFlag::new("current-replicas", &[Scale], Same),
    KubectlFlag::new(
        "server-side",
        &[Apply],
        But("without the requests by which kubectl then moves what it wrote before by client-side applies"),
    ),
    KubectlFlag::new("force-conflicts", &[Apply], Same),
    KubectlFlag::new("openapi-patch", &[Apply], Refused(ON, "patches are made by the server's own schema only")),
    // Deleting them.
    KubectlFlag::new(
        "prune",
        &[Apply],
        Refused(OFF, "what it deletes is known to the cluster only; rehearse that with dry-run delete"),
    ),
    KubectlFlag::new(
        "prune-allowlist",
        &[Apply],
        Refused(Takes::Value, "it chooses what --prune deletes, which is refused"),
    ),
    KubectlFlag::new(
        "force",
        &[Apply],
        Refused(OFF, "it deletes and creates anew, which kubectl itself does not rehearse; use dry-run delete"),
    ),
    KubectlFlag::new("force", &[Delete], Same),
    KubectlFlag::new("cascade", &[Delete], Same),
    KubectlFlag::new(
        "cascade",
        &[Apply],
        Idle(Takes::Value, "it concerns what --prune and --force delete, which are refused"),
    ),
    KubectlFlag::new("grace-period", &[Delete], Same),
    KubectlFlag::new(
        "grace-period",
        &[Apply],
        Idle(Takes::Value, "it concerns what --prune and --force delete, which are refused"),
    ),
    KubectlFlag::new("now", &[Delete], Same),
    KubectlFlag::new("ignore-not-found", &[Delete], Same),
    KubectlFlag::new("interactive", &[Delete], Refused(OFF, "a dry run deletes nothing that has to be confirmed"))
        .or('i'),
    KubectlFlag::new(
        "raw",
        &[Delete],
        Refused(Takes::Value, "give objects by type and name: an address cannot be judged"),
    ),
    KubectlFlag::new(
        "timeout",
        &[Apply, Delete, Scale],
        Idle(Takes::Value, "a dry run waits for nothing; --request-timeout limits its requests"),
    ),
    KubectlFlag::new("wait", &[Apply, Delete], Idle(ON, "a dry run waits for nothing")),
    // Of every verb.
    KubectlFlag::new("as", &[], Same),
    KubectlFlag::new("as-group", &[], Same),
    KubectlFlag::new("as-uid", &[], Same),
    KubectlFlag::new("cache-dir", &[], Idle(Takes::Value, "nothing is kept from one run to the next")),
    KubectlFlag::new("certificate-authority", &[], Same),
    KubectlFlag::new("client-certificate", &[], Same),
    KubectlFlag::new("client-key", &[], Same),
    KubectlFlag::new("cluster", &[], Same),
    KubectlFlag::new("context", &[], Same),
    KubectlFlag::new("disable-compression", &[], Same),
    KubectlFlag::new("insecure-skip-tls-verify", &[], Same),
    KubectlFlag::new("kubeconfig", &[], Same),
    KubectlFlag::new("log-flush-frequency", &[], Idle(Takes::Value, "what is told on stderr is written at once")),
    KubectlFlag::new("match-server-version", &[], Refused(OFF, "this program is not of a version of Kubernetes")),
    KubectlFlag::new("namespace", &[], But("not for checks, which cover all namespaces")),
    KubectlFlag::new("password", &[], Same),
    KubectlFlag::new(
        "profile",
        &[],
        Refused(Takes::Value, "this program has no profiles; --stats tells what a check took"),
    ),
    KubectlFlag::new(
        "profile-output",
        &[],
        Refused(Takes::Value, "this program has no profiles; --stats tells what a check took"),
    ),
    KubectlFlag::new("request-timeout", &[], But("60s by default, 0 for no limit")),
    KubectlFlag::new("server", &[], Same),
    KubectlFlag::new("tls-server-name", &[], Same),
    KubectlFlag::new("token", &[], Same),
    KubectlFlag::new("user", &[], Same),
    KubectlFlag::new("username", &[], Same),
    KubectlFlag::new("v", &[], But("from 6 on, requests are told")),
    KubectlFlag::new("vmodule", &[], Refused(Takes::Value, "there are no levels by file; -v=6 tells requests")),
    KubectlFlag::new(
        "warnings-as-errors",
        &[],
        Refused(OFF, "the exit code tells the verdict; warnings of the server are in the result"),
    ),
];

const DRY_RUN: &str = "dry-run";

/// The heading of the flags of every verb: they may stand before a command.
const CLUSTER: &str = "Cluster (as in kubectl)";

const HEAD: &str = "\
# kubectl's flags

<!-- Generated from plugin/src/cli/kubectl_flags.rs by `cargo xtask generate`. -->

The verbs of `kubectl aksarc dry-run` take the arguments and flags of kubectl 1.33. Each flag of kubectl is either accepted with the same
meaning or refused by its name, with a reason. A switch can be given as `--flag`, `--flag=true` or `--flag=false`, and one that is refused
may always be given with the value that it has by default.
";

#[cfg(test)]
mod tests {
    use super::super::args::Cli;
    use super::*;

    #[test]
    fn the_command_line_has_what_is_accepted_and_hides_the_rest() {
        let root = Cli::named("test");
        let dry_run = root.find_subcommand(DRY_RUN).unwrap();
        for verb in KubectlVerb::ALL {
            let command = dry_run.find_subcommand(verb.as_str()).unwrap();
            for flag in FLAGS.iter().filter(|flag| flag.is_of(verb) || flag.verbs.is_empty()) {
                let own = command.get_arguments().find(|arg| {
                    arg.get_long() == Some(flag.name) || arg.get_all_aliases().unwrap_or_default().contains(&flag.name)
                });
                let own = own.unwrap_or_else(|| panic!("{} has no --{}", verb.as_str(), flag.name));
                if matches!(flag.standing, FlagStanding::Idle(..) | FlagStanding::Refused(..)) {
                    assert!(own.is_hide_set(), "{} shows --{}", verb.as_str(), flag.name);
                }
            }
        }
        let verbs: Vec<&str> =
            dry_run.get_subcommands().map(Command::get_name).filter(|name| *name != "help").collect();
        assert_eq!(verbs, KubectlVerb::ALL.map(KubectlVerb::as_str), "a verb of the dry run is not in the table");
    }
}
