//! Facts that are stated beforehand about a README's commands, each by the command exactly as printed.

use super::commands::Command;

/// A command that is not run.
pub(crate) struct Excepted {
    pub(crate) command: &'static str,
    /// The reason why no test can run it.
    pub(crate) reason: &'static str,
}

/// A command that ends with another code than 0.
pub(crate) struct Ends {
    pub(crate) command: &'static str,
    pub(crate) code: i32,
    /// The README's own words for it.
    pub(crate) words: &'static str,
}

/// The facts known beforehand.
pub(crate) struct Listed<'a> {
    pub(crate) excepted: &'a [Excepted],
    pub(crate) ends: &'a [Ends],
}

impl Listed<'_> {
    pub(crate) fn is_excepted(&self, command: &Command) -> bool {
        self.excepted.iter().any(|excepted| excepted.command == command.text)
    }

    /// The code that a command has to end with.
    pub(crate) fn code(&self, command: &Command) -> i32 {
        self.ends.iter().find(|ends| ends.command == command.text).map_or(0, |ends| ends.code)
    }

    /// The entries of the list that do not fit a README any more.
    pub(crate) fn stale(&self, readme: &str, commands: &[Command]) -> Vec<String> {
        let is_there = |text: &str| commands.iter().any(|command| command.text == text);
        let mut stale = Vec::new();
        for Excepted { command, reason } in self.excepted {
            if !is_there(command) {
                stale.push(format!("excepted, but no command of README.md: {command}"));
            }
            if reason.is_empty() {
                stale.push(format!("excepted without a reason: {command}"));
            }
        }
        for Ends { command, code, words } in self.ends {
            if !is_there(command) {
                stale.push(format!("to end with {code}, but no command of README.md: {command}"));
            }
            if words.is_empty() || !readme.contains(words) {
                stale.push(format!("README.md does not say {words:?}, and this is to end with {code}: {command}"));
            }
        }
        stale
    }
}
