//! The values that a configuration file gives to the flags of a command, and the source of each setting's value.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::environment;
use crate::api;
use crate::input::config::{self, GivenSetting, SettingSubject, SettingsFile};

/// The settings that the configuration file gives to a command line.
#[derive(Clone, Debug, Default)]
pub struct Configured {
    /// The file, if there is one.
    pub(crate) file: Option<PathBuf>,
    /// The context whose settings count, if a cluster is read by one.
    pub(crate) context: Option<String>,
    given: Vec<GivenSetting>,
    /// The switches that are given as false.
    off: Vec<String>,
    /// Every setting with the value that counts.
    pub(crate) settings: Vec<Setting>,
}

/// A setting with the value that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The long name of its flag.
    pub(crate) flag: &'static str,
    /// The value; `None` where there is none.
    pub(crate) value: Option<String>,
    /// The source of the value.
    pub(crate) source: SettingSource,
}

/// The source of a setting's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SettingSource {
    /// The command line.
    Flag,
    /// The variable of the environment of this name.
    Variable(String),
    /// The part of the configuration file.
    File(String),
    /// The program.
    BuiltIn,
}

impl Configured {
    /// Reads the file that a command line leads to, if the command has a flag that it could give a value to. `off` are the
    /// switches that the line gives as false.
    ///
    /// # Errors
    /// The file cannot be used.
    pub(super) fn read(root: &Command, matches: &ArgMatches, off: Vec<String>) -> Result<Self, clap::Error> {
        let (command, matches) = leaf(root, matches);
        let without = Configured { off, ..Configured::default() };
        if !takes_settings(command) {
            return Ok(without);
        }
        let file = SettingsFile::of(path(command, matches, "config").as_deref());
        let wrong = |error: anyhow::Error| {
            let error = aksarc_shared::chain::Chain(error.as_ref()).to_string();
            clap::Error::raw(clap::error::ErrorKind::ValueValidation, format!("{error}\n"))
        };
        let Some(config) = file.read().map_err(wrong)? else { return Ok(without) };
        let subject = subject(command, matches);
        let directory = file.path().and_then(Path::parent).map(std::path::absolute).and_then(Result::ok);
        let mut given = config.given(&subject, &directory.unwrap_or_default());
        given.retain(|given| !without.off.iter().any(|flag| flag == given.flag));
        Ok(Configured {
            given,
            file: file.path().map(Path::to_owned),
            context: match subject {
                SettingSubject::Context(name) => Some(name).filter(|name| !name.is_empty()),
                SettingSubject::Files => None,
            },
            ..without
        })
    }

    /// The command and its subcommands with the file's values as defaults: typed flags and variables count before them.
    /// `root` is the command with the variables of all flags, also of those that are not set.
    pub(super) fn onto(&self, command: Command, root: &Command) -> Command {
        if self.given.is_empty() {
            return command;
        }
        let own = |arg: &Arg| {
            let given = self.given.iter().find(|given| Some(given.flag) == arg.get_long())?;
            setting(root, given.flag).map(|_| given.value.clone())
        };
        // clap keeps no strings of its own, and one command line is read in a run.
        let command = command.mut_args(|arg| match own(&arg) {
            Some(value) => arg.default_value(&*value.leak()),
            None => arg,
        });
        command.mut_subcommands(|sub| match root.find_subcommand(sub.get_name()) {
            Some(own) => self.onto(sub, own),
            None => sub,
        })
    }

    /// Sets for each setting the value that counts and its source, from clap's matches of the command line.
    pub(super) fn settle(&mut self, root: &Command, matches: &ArgMatches) {
        let (command, matches) = leaf(root, matches);
        if !takes_settings(command) {
            return;
        }
        self.settings = config::flags().into_iter().map(|flag| self.settled(root, command, matches, flag)).collect();
    }

    fn settled(&self, root: &Command, command: &Command, matches: &ArgMatches, flag: &'static str) -> Setting {
        let by_file = || {
            let given = self.given.iter().find(|given| given.flag == flag)?;
            Some((given.value.clone(), SettingSource::File(given.entry.clone())))
        };
        let variable = environment::variable_of(flag);
        let by_variable = || {
            let value = std::env::var(&variable).ok().filter(|value| !value.is_empty())?;
            Some((value, SettingSource::Variable(variable.clone())))
        };
        let typed = || {
            if self.off.iter().any(|own| own == flag) {
                return Some(("false".to_owned(), SettingSource::Flag));
            }
            let id = setting(command, flag)?.get_id().as_str();
            let is_typed = matches.value_source(id) == Some(ValueSource::CommandLine);
            let value = matches.get_raw(id).filter(|_| is_typed)?;
            let values: Vec<_> = value.map(OsStr::to_string_lossy).collect();
            Some((values.join(","), SettingSource::Flag))
        };
        let (value, source) = match typed().or_else(by_variable).or_else(by_file) {
            Some((value, source)) => (Some(value), source),
            None => (default_of(root, flag), SettingSource::BuiltIn),
        };
        Setting { flag, value, source }
    }

    /// A sentence that names the file and the settings that it gives to this command line; `None` where it gives none.
    pub fn note(&self) -> Option<String> {
        let given = self.settings.iter().filter(|setting| matches!(setting.source, SettingSource::File(_)));
        let flags: Vec<String> = given.map(|setting| format!("--{}", setting.flag)).collect();
        let file = self.file.as_ref().filter(|_| !flags.is_empty())?;
        Some(format!("{} gives {}", file.display(), flags.join(", ")))
    }
}

/// The cluster that a command line is about.
fn subject(command: &Command, matches: &ArgMatches) -> SettingSubject {
    // A flag that excludes --context names an input other than a cluster.
    let is_of_files = |arg: &&Arg| {
        let typed = matches.value_source(arg.get_id().as_str()).is_some_and(|by| by != ValueSource::DefaultValue);
        typed && command.get_arg_conflicts_with(arg).iter().any(|other| other.get_id() == CONTEXT)
    };
    let has_context = command.get_arguments().any(|arg| arg.get_id() == CONTEXT);
    if !has_context || command.get_arguments().any(|arg| is_of_files(&arg)) {
        return SettingSubject::Files;
    }
    let named = matches.try_get_one::<String>(CONTEXT).ok().flatten().cloned();
    let current = || api::current_context(path(command, matches, "kubeconfig").as_deref());
    SettingSubject::Context(named.or_else(current).unwrap_or_default())
}

/// The value of a flag that names a file.
fn path(command: &Command, matches: &ArgMatches, id: &str) -> Option<PathBuf> {
    command.get_arguments().any(|arg| arg.get_id() == id).then(|| matches.get_one::<PathBuf>(id).cloned())?
}

/// Whether the configuration file could give a value to a flag of the command.
fn takes_settings(command: &Command) -> bool {
    config::flags().iter().any(|flag| setting(command, flag).is_some())
}

/// The flag of a setting, if the command has it. Only a flag with a variable is a setting.
fn setting<'c>(command: &'c Command, flag: &str) -> Option<&'c Arg> {
    command.get_arguments().find(|arg| arg.get_long() == Some(flag) && is_variable_of(arg, flag))
}

fn is_variable_of(arg: &Arg, flag: &str) -> bool {
    arg.get_env().is_some_and(|env| env == OsStr::new(&environment::variable_of(flag)))
}

/// The built-in default of a setting, by the first command that has it.
fn default_of(command: &Command, flag: &str) -> Option<String> {
    let own = setting(command, flag).map(|arg| {
        let values: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        Some(values.join(",")).filter(|value| !value.is_empty())
    });
    own.unwrap_or_else(|| command.get_subcommands().find_map(|sub| default_of(sub, flag)))
}

/// The innermost command of a command line, and clap's matches of its words.
fn leaf<'a>(mut command: &'a Command, mut matches: &'a ArgMatches) -> (&'a Command, &'a ArgMatches) {
    while let Some((name, below)) = matches.subcommand()
        && let Some(sub) = command.find_subcommand(name)
    {
        (command, matches) = (sub, below);
    }
    (command, matches)
}

/// The flag that names a context.
const CONTEXT: &str = "context";
