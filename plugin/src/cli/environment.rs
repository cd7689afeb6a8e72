//! The variables of the environment that stand for flags.

use std::ffi::OsStr;

use aksarc_shared::text;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command, Id};

/// Whether a variable has a value. An empty one is how pipelines leave a variable out.
pub(super) fn is_set(name: &OsStr) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// The error of a line whose typed words are fine, with variables named instead of the flags they stand for.
pub(super) fn named(mut error: clap::Error, command: &Command, typed: &[Id]) -> clap::Error {
    for kind in [ContextKind::InvalidArg, ContextKind::PriorArg] {
        let Some(ContextValue::String(shown)) = error.get(kind) else { continue };
        let mut found = None;
        each(command, &mut |arg| {
            if found.is_none() && arg.to_string() == *shown && !typed.contains(arg.get_id()) {
                found = variable(arg).filter(|name| is_set(OsStr::new(name)));
            }
        });
        if let Some(name) = found {
            error.insert(kind, ContextValue::String(name));
        }
    }
    error
}

/// Warnings about variables that look like ours and stand for no flag, each with the nearest that does.
pub fn unknown(command: &Command) -> Vec<String> {
    let mut known = Vec::new();
    each(command, &mut |arg| known.extend(variable(arg)));
    let given = std::env::vars_os().filter_map(|(name, value)| (!value.is_empty()).then_some(name)?.into_string().ok());
    let mut strangers: Vec<String> =
        given.filter(|name| name.starts_with(PREFIX) && !known.iter().any(|own| own == name)).collect();
    strangers.sort();
    let warning = |name: &String| {
        let own = |name: &str| name.strip_prefix(PREFIX).unwrap_or_default().to_owned();
        let known: Vec<String> = known.iter().map(|name| own(name)).collect();
        let near = text::nearest(&own(name), known.iter().map(String::as_str));
        let near = near.map(|near| format!("; did you mean {PREFIX}{near}?")).unwrap_or_default();
        format!("warning: {} stands for no flag{near}", text::line(name, 80))
    };
    strangers.iter().map(warning).collect()
}

/// The variable that stands for a flag.
pub(super) fn variable_of(flag: &str) -> String {
    format!("{PREFIX}{}", flag.to_uppercase().replace('-', "_"))
}

fn variable(arg: &Arg) -> Option<String> {
    arg.get_env().map(|name| name.to_string_lossy().into_owned())
}

/// Hands every argument of a command and its subcommands to `look`.
fn each(command: &Command, look: &mut dyn FnMut(&Arg)) {
    command.get_arguments().for_each(&mut *look);
    command.get_subcommands().for_each(|sub| each(sub, look));
}

/// What the names of our variables begin with.
const PREFIX: &str = "KUBECTL_AKSARC_";
