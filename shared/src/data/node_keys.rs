//! What the system writes on nodes.

use serde::Deserialize;

use super::{Confidence, Pattern};

/// What the system writes on nodes, and which keys are reserved to it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeKeys {
    /// Prefixes reserved to the system.
    pub reserved_prefixes: Vec<ReservedPrefix>,
    /// Known system labels.
    pub labels: Vec<SystemKey>,
    /// Known system annotations.
    pub annotations: Vec<SystemKey>,
    /// Known system taints, by key.
    pub taints: Vec<SystemKey>,
    /// Keys that are the user's although they look otherwise.
    pub exceptions: Vec<Exception>,
}

/// A reserved prefix.
#[derive(Clone, Debug, Deserialize)]
pub struct ReservedPrefix {
    /// `kubernetes.io/`.
    pub prefix: String,
    /// Whether `node.kubernetes.io/` falls under it too.
    pub subdomains: bool,
    /// How well it is known.
    pub confidence: Confidence,
    /// Where it is written.
    pub source: String,
}

/// A known system key.
#[derive(Clone, Debug, Deserialize)]
pub struct SystemKey {
    /// Which keys.
    #[serde(flatten)]
    pub key: Pattern,
    /// Who writes it.
    #[serde(default)]
    pub writer: String,
    /// Whether it says the same on every node of a pool.
    #[serde(default)]
    pub pool_wide: bool,
    /// How well it is known.
    pub confidence: Confidence,
    /// Where it is written.
    pub source: String,
}

/// What metadata a key stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// `metadata.annotations`.
    Annotation,
    /// `metadata.labels`.
    Label,
    /// `spec.taints`.
    Taint,
}

/// A key that is the user's although it looks otherwise.
#[derive(Clone, Debug, Deserialize)]
pub struct Exception {
    /// Which keys.
    #[serde(flatten)]
    pub key: Pattern,
    /// Where.
    pub on: Vec<Place>,
    /// Why.
    pub note: String,
    /// Whether nothing at all is said about it.
    pub silent: bool,
}

/// What the tables say of a key.
#[derive(Clone, Copy, Debug)]
pub enum Ruling<'d> {
    /// It is the user's although it looks otherwise.
    Exception(&'d Exception),
    /// The system seems to write it, but nothing we hold documents that: too little to accuse anybody by.
    Guess(&'d SystemKey),
    /// The system writes it.
    Known(&'d SystemKey),
    /// Nothing.
    Silent,
}

impl NodeKeys {
    /// What the tables say of `key` at `place`. An exact key wins over a prefix, a longer prefix over a shorter one, and
    /// between equals an exception over a system key.
    pub fn ruling(&self, place: Place, key: &str) -> Ruling<'_> {
        let table = match place {
            Place::Annotation => &self.annotations,
            Place::Label => &self.labels,
            Place::Taint => &self.taints,
        };
        let known = table.iter().filter(|row| row.key.is(key)).max_by_key(|row| row.key.rank());
        let excepted = self
            .exceptions
            .iter()
            .filter(|row| row.on.contains(&place) && row.key.is(key))
            .max_by_key(|row| row.key.rank());
        match (known, excepted) {
            (Some(known), Some(excepted)) if known.key.rank() <= excepted.key.rank() => Ruling::Exception(excepted),
            (Some(known), _) if known.confidence == Confidence::Doc => Ruling::Known(known),
            (Some(guess), _) => Ruling::Guess(guess),
            (None, Some(excepted)) => Ruling::Exception(excepted),
            (None, None) => Ruling::Silent,
        }
    }

    /// Whether `key` at `place` is a known system key.
    pub fn is_known(&self, place: Place, key: &str) -> bool {
        matches!(self.ruling(place, key), Ruling::Known(_))
    }

    /// Whether a system annotation says the same on every node of a pool, so that the others tell what it was.
    pub fn is_pool_wide(&self, annotation: &str) -> bool {
        self.annotations.iter().any(|row| row.pool_wide && row.key.is(annotation))
    }

    /// The reserved prefix `key` falls under.
    pub fn reserved(&self, key: &str) -> Option<&ReservedPrefix> {
        let (domain, _) = key.split_once('/')?;
        self.reserved_prefixes.iter().find(|row| {
            let reserved = row.prefix.trim_end_matches('/');
            domain == reserved
                || (row.subdomains && domain.strip_suffix(reserved).is_some_and(|rest| rest.ends_with('.')))
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::data::embedded;

    #[test]
    fn reserved_prefixes_match_whole_domains() {
        let keys = &embedded().node_keys;
        for reserved in ["kubernetes.io/x", "node.kubernetes.io/x", "kubernetes.azure.com/x", "a.cluster.x-k8s.io/b"] {
            assert!(keys.reserved(reserved).is_some(), "{reserved}");
        }
        for own in
            ["mykubernetes.io/x", "k8s.io/x", "x", "sub.kubernetes.azure.com.example/x", "example.com/kubernetes.io"]
        {
            assert!(keys.reserved(own).is_none(), "{own}");
        }
    }
}
