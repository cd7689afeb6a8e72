//! Patterns by which tables name keys, managers and the like.

use serde::Deserialize;

/// An exact name, a prefix, or a domain with its subdomains; exactly one of them is set.
#[derive(Clone, Debug, Deserialize)]
pub struct Pattern {
    #[serde(default, alias = "key")]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) prefix: Option<String>,
    /// For keys: a domain that the part before the `/` equals or ends in.
    #[serde(default)]
    pub(super) domain: Option<String>,
}

impl Pattern {
    /// Whether the pattern matches `text`.
    pub fn is(&self, text: &str) -> bool {
        match (&self.name, &self.prefix, &self.domain) {
            (Some(name), _, _) => name == text,
            (None, Some(prefix), _) => text.starts_with(&**prefix),
            (None, None, Some(domain)) => {
                // This is asked for every key of every node; `split_once` is slower.
                let slash = text.bytes().position(|byte| byte == b'/');
                let before = slash.and_then(|slash| text.get(..slash)?.strip_suffix(&**domain));
                before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
            }
            (None, None, None) => false,
        }
    }

    /// The exact name, where the pattern is one.
    pub fn exact(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The prefix, where the pattern is one.
    pub fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref().filter(|_| self.name.is_none())
    }

    /// Whether the pattern is the exact name `text`.
    pub(super) fn is_exactly(&self, text: &str) -> bool {
        self.name.as_deref() == Some(text)
    }

    /// Whether the pattern matches `text`, ignoring case.
    pub(super) fn is_but_for_case(&self, text: &str) -> bool {
        match (&self.name, &self.prefix) {
            (Some(name), _) => name.eq_ignore_ascii_case(text),
            (None, Some(prefix)) => text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix)),
            (None, None) => self.is(text),
        }
    }

    /// A sort key for precedence: exact names before prefixes and domains, longer before shorter.
    pub(super) fn rank(&self) -> (bool, usize) {
        let text = self.name.as_ref().or(self.prefix.as_ref()).or(self.domain.as_ref());
        (self.name.is_some(), text.map_or(0, String::len))
    }

    #[cfg(test)]
    pub(super) fn is_one(&self) -> bool {
        [&self.name, &self.prefix, &self.domain].into_iter().flatten().count() == 1
    }
}
