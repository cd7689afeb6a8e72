//! The objects that a command line names: `TYPE NAME …`, `TYPE/NAME …`, `TYPE -l SELECTOR`, `TYPE --all`.

use super::discover::{Discovery, ResolveError, Resource};

/// Objects to act on, before any was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All objects of a kind, or those that a selector selects.
    List {
        /// The resource.
        resource: Resource,
    },
    /// One object, by name.
    Named {
        /// The resource.
        resource: Resource,
        /// Its name.
        name: String,
    },
}

/// A choice of objects by other means than a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// `--selector`.
    pub selector: String,
    /// `--field-selector`.
    pub field_selector: String,
    /// `--all`.
    pub all: bool,
}

impl Choice {
    /// Whether the choice asks for a list rather than names.
    pub fn is_list(&self) -> bool {
        self.all || !self.selector.is_empty() || !self.field_selector.is_empty()
    }

    /// Checks that the choice does not contradict itself.
    ///
    /// # Errors
    /// A sentence.
    pub fn check(&self) -> Result<(), String> {
        match (self.all, self.selector.is_empty(), self.field_selector.is_empty()) {
            (true, false, _) => Err("cannot set --all and --selector at the same time".to_owned()),
            (true, _, false) => Err("cannot set --all and --field-selector at the same time".to_owned()),
            _ => Ok(()),
        }
    }
}

/// The mistake in the arguments.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// The server does not have the type.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// There is neither a name nor a choice.
    #[error("{0}: give a name, --selector or --all")]
    NoName(String),
    /// There are no arguments.
    #[error("one or more resources must be given as TYPE NAME or TYPE/NAME")]
    Nothing,
    /// Names and a selector together.
    #[error("a name cannot be given together with --selector, --field-selector or --all")]
    NameAndChoice,
    /// `TYPE/NAME` beside `TYPE NAME`.
    #[error("TYPE/NAME and TYPE NAME cannot be mixed: {0}")]
    Mixed(String),
    /// `TYPE/NAME/…`, `TYPE/`.
    #[error("not TYPE/NAME: {0}")]
    Slashes(String),
}

/// Reads the arguments.
///
/// # Errors
/// [`TargetError`].
pub fn targets(arguments: &[String], choice: &Choice, discovery: &Discovery) -> Result<Vec<Target>, TargetError> {
    let mut targets = Vec::new();
    if arguments.iter().any(|argument| argument.contains('/')) {
        for argument in arguments {
            let (word, name) = argument.split_once('/').ok_or_else(|| TargetError::Mixed(argument.clone()))?;
            if name.is_empty() || name.contains('/') || word.is_empty() {
                return Err(TargetError::Slashes(argument.clone()));
            }
            if choice.is_list() {
                return Err(TargetError::NameAndChoice);
            }
            targets.push(Target::Named { resource: discovery.resolve(word)?.clone(), name: name.to_owned() });
        }
        return if targets.is_empty() { Err(TargetError::Nothing) } else { Ok(targets) };
    }
    let Some((words, names)) = arguments.split_first() else { return Err(TargetError::Nothing) };
    for word in words.split(',').filter(|word| !word.is_empty()) {
        if names.is_empty() {
            if !choice.is_list() {
                return Err(TargetError::NoName(words.clone()));
            }
            targets.extend(
                discovery.resolve_all(word)?.into_iter().map(|resource| Target::List { resource: resource.clone() }),
            );
            continue;
        }
        if choice.is_list() {
            return Err(TargetError::NameAndChoice);
        }
        let resource = discovery.resolve(word)?;
        targets.extend(names.iter().map(|name| Target::Named { resource: resource.clone(), name: name.clone() }));
    }
    if targets.is_empty() { Err(TargetError::Nothing) } else { Ok(targets) }
}

#[cfg(test)]
mod tests {
    use super::super::discover::tests::served;
    use super::*;

    fn read(arguments: &[&str], choice: &Choice) -> Result<Vec<String>, TargetError> {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let targets = targets(&arguments, choice, &served())?;
        let show = |target| match target {
            Target::List { resource } => format!("{} *", resource.qualified()),
            Target::Named { resource, name } => format!("{} {name}", resource.qualified()),
        };
        Ok(targets.into_iter().map(show).collect())
    }

    #[test]
    fn names_and_slashes_mean_the_same() {
        let named = Choice::default();
        assert_eq!(read(&["no", "a", "b"], &named).unwrap(), ["nodes a", "nodes b"]);
        assert_eq!(read(&["node/a", "deploy/coredns"], &named).unwrap(), ["nodes a", "deployments.apps coredns"]);
        assert_eq!(read(&["pods,cm", "x"], &named).unwrap(), ["pods x", "configmaps x"]);
    }

    #[test]
    fn selectors_and_all_mean_lists() {
        let all = Choice { all: true, ..Choice::default() };
        assert_eq!(read(&["all"], &all).unwrap(), ["pods *", "deployments.apps *"]);
        assert_eq!(read(&["nodes"], &Choice { selector: "a=b".to_owned(), ..Choice::default() }).unwrap(), ["nodes *"]);
        assert_eq!(read(&["nodes", "a"], &all), Err(TargetError::NameAndChoice));
        let both = Choice { all: true, selector: "a".to_owned(), ..Choice::default() }.check();
        assert_eq!(both.unwrap_err(), "cannot set --all and --selector at the same time");
    }

    #[test]
    fn arguments_that_name_nothing_are_errors() {
        let named = Choice::default();
        assert_eq!(read(&[], &named), Err(TargetError::Nothing));
        assert_eq!(read(&["nodes"], &named), Err(TargetError::NoName("nodes".to_owned())));
        assert_eq!(read(&["node/a", "b"], &named), Err(TargetError::Mixed("b".to_owned())));
        assert_eq!(read(&["node/a/b"], &named), Err(TargetError::Slashes("node/a/b".to_owned())));
        assert!(matches!(read(&["nodez", "a"], &named), Err(TargetError::Resolve(_))));
    }
}
