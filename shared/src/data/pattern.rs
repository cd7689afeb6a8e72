//! How tables name what they speak of.

use serde::Deserialize;

/// An exact name or a prefix; exactly one of both is set.
#[derive(Clone, Debug, Deserialize)]
pub struct Pattern {
    #[serde(default, alias = "key")]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) prefix: Option<String>,
}

impl Pattern {
    /// Whether it covers `text`.
    pub fn is(&self, text: &str) -> bool {
        match (&self.name, &self.prefix) {
            (Some(name), _) => name == text,
            (None, Some(prefix)) => text.starts_with(&**prefix),
            (None, None) => false,
        }
    }

    /// Exact before prefix, longer before shorter.
    pub(super) fn rank(&self) -> (bool, usize) {
        (self.name.is_some(), self.name.as_ref().or(self.prefix.as_ref()).map_or(0, String::len))
    }

    #[cfg(test)]
    pub(super) fn is_one(&self) -> bool {
        self.name.is_some() != self.prefix.is_some()
    }
}
