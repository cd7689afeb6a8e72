//! Metadata that the system writes on nodes.

use serde::Deserialize;

use super::confidence::Confidence;
use super::pattern::{Pattern, PatternTable};
use crate::k8s::version::Version;

/// Metadata that the system writes on nodes, and the keys that are reserved for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeKeys {
    /// The prefixes that are reserved for the system.
    pub reserved_prefixes: Vec<ReservedPrefix>,
    /// Known system labels.
    pub labels: PatternTable<SystemKey>,
    /// Known system annotations.
    pub annotations: PatternTable<SystemKey>,
    /// Known system taints, by key.
    pub taints: PatternTable<SystemKey>,
    /// Keys that belong to the user although they look like the system's.
    pub exceptions: PatternTable<Exception>,
}

/// A reserved prefix.
#[derive(Clone, Debug, Deserialize)]
pub struct ReservedPrefix {
    /// The prefix, `kubernetes.io/`.
    pub prefix: String,
    /// Whether the prefix covers subdomains such as `node.kubernetes.io/`.
    pub subdomains: bool,
    /// Whether only the platform's own programs write keys with it.
    #[serde(default)]
    pub vendor: bool,
    /// How well it is known.
    pub confidence: Confidence,
    /// The source.
    pub source: String,
}

/// A known system key.
#[derive(Clone, Debug, Deserialize)]
pub struct SystemKey {
    /// The keys.
    #[serde(flatten)]
    pub key: Pattern,
    /// The writer.
    #[serde(default)]
    pub writer: String,
    /// Whether all nodes of a pool have the same value.
    #[serde(default)]
    pub pool_wide: bool,
    /// Whether it is documented for Kubernetes or AKS in general and has never been seen on a node of AKS Arc.
    #[serde(default)]
    pub elsewhere: bool,
    /// The first minor of the kubelet at which the system sets it.
    #[serde(default)]
    pub since: Option<KubeletMinor>,
    /// The last such minor.
    #[serde(default)]
    pub until: Option<KubeletMinor>,
    /// How well it is known.
    pub confidence: Confidence,
    /// The source.
    pub source: String,
}

impl SystemKey {
    /// Whether the system sets it on a node with this kubelet. A node that reports no version counts.
    fn is_of(&self, kubelet: Option<Version>) -> bool {
        let Some(kubelet) = kubelet.map(KubeletMinor::of) else { return true };
        self.since.is_none_or(|since| since <= kubelet) && self.until.is_none_or(|until| kubelet <= until)
    }
}

/// A minor of Kubernetes, `1.33`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct KubeletMinor {
    major: u32,
    minor: u32,
}

impl KubeletMinor {
    fn of(version: Version) -> Self {
        KubeletMinor { major: version.major, minor: version.minor }
    }
}

impl TryFrom<String> for KubeletMinor {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Version::parse(&text).map(KubeletMinor::of).ok_or_else(|| format!("{text} is no minor of Kubernetes"))
    }
}

/// The place of a key in an object's metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// `metadata.annotations`.
    Annotation,
    /// `metadata.labels`.
    Label,
    /// `spec.taints`.
    Taint,
}

/// A key that belongs to the user although it looks like the system's.
#[derive(Clone, Debug, Deserialize)]
pub struct Exception {
    /// The keys.
    #[serde(flatten)]
    pub key: Pattern,
    /// The places.
    pub on: Vec<Place>,
    /// The reason.
    pub note: String,
    /// Whether rules never mention it.
    pub silent: bool,
}

/// The verdict of the tables on a key.
#[derive(Clone, Copy, Debug)]
pub enum Ruling<'d> {
    /// The user's, although it looks like the system's.
    Exception(&'d Exception),
    /// Probably the system's, but without documentation: not enough to accuse anybody.
    Guess(&'d SystemKey),
    /// The system's.
    Known(&'d SystemKey),
    /// The system's, but at other minors of Kubernetes than the node's.
    Lapsed(&'d SystemKey),
    /// Not in the tables.
    Silent,
}

impl AsRef<Pattern> for SystemKey {
    fn as_ref(&self) -> &Pattern {
        &self.key
    }
}

impl AsRef<Pattern> for Exception {
    fn as_ref(&self) -> &Pattern {
        &self.key
    }
}

impl NodeKeys {
    /// The verdict of the tables on `key` at `place`, for any version of the node. An exact key wins over a prefix, a
    /// longer prefix over a shorter one, and between equals an exception over a system key.
    pub fn ruling(&self, place: Place, key: &str) -> Ruling<'_> {
        self.ruling_at(place, key, || None)
    }

    /// The verdict of the tables on `key` at `place` of a node with this kubelet. `kubelet` is only called where the
    /// version matters.
    pub fn ruling_at(&self, place: Place, key: &str, kubelet: impl Fn() -> Option<Version>) -> Ruling<'_> {
        let table = self.table(place);
        // Most keys stand in the tables verbatim, and are found without trying the patterns.
        let covers = |row: &&SystemKey| row.key.is(key);
        let exact = table.candidates(key).rfind(|row| row.key.is_exactly(key));
        let known = exact.or_else(|| table.candidates(key).filter(covers).max_by_key(|row| row.key.rank()));
        let excepted = self
            .exceptions
            .candidates(key)
            .filter(|row| row.on.contains(&place))
            .filter(|row| if exact.is_some() { row.key.is_exactly(key) } else { row.key.is(key) })
            .max_by_key(|row| row.key.rank());
        match (known, excepted) {
            (Some(known), Some(excepted)) if known.key.rank() <= excepted.key.rank() => Ruling::Exception(excepted),
            (Some(known), _) if (known.since.is_some() || known.until.is_some()) && !known.is_of(kubelet()) => {
                Ruling::Lapsed(known)
            }
            (Some(known), _) if known.confidence == Confidence::Doc => Ruling::Known(known),
            (Some(guess), _) => Ruling::Guess(guess),
            (None, Some(excepted)) => Ruling::Exception(excepted),
            (None, None) => Ruling::Silent,
        }
    }

    /// The exact keys at `place` that are the system's on every node that has them, at any version of the node.
    pub fn certain(&self, place: Place) -> impl Iterator<Item = &str> {
        let names = self.table(place).iter().filter_map(|row| row.key.exact());
        names.filter(move |key| match self.ruling(place, key) {
            Ruling::Known(row) => !row.elsewhere && row.since.is_none() && row.until.is_none(),
            _ => false,
        })
    }

    fn table(&self, place: Place) -> &PatternTable<SystemKey> {
        match place {
            Place::Annotation => &self.annotations,
            Place::Label => &self.labels,
            Place::Taint => &self.taints,
        }
    }

    /// Whether `key` at `place` is a known system key.
    pub fn is_known(&self, place: Place, key: &str) -> bool {
        matches!(self.ruling(place, key), Ruling::Known(_))
    }

    /// Whether a system annotation has the same value on every node of a pool, so that the other nodes show what it
    /// was.
    pub fn is_pool_wide(&self, annotation: &str) -> bool {
        self.annotations.iter().any(|row| row.pool_wide && row.key.is(annotation))
    }

    /// The reserved prefix that covers `key`.
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
    use super::*;
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

    #[test]
    fn an_exception_for_a_domain_covers_its_subdomains_and_nothing_that_only_looks_like_it() {
        let keys = &embedded().node_keys;
        for own in ["feature.node.kubernetes.io/x", "gpu.vendor.feature.node.kubernetes.io/x"] {
            assert!(matches!(keys.ruling(Place::Label, own), Ruling::Exception(row) if row.silent), "{own}");
        }
        for other in ["myfeature.node.kubernetes.io/x", "feature.node.kubernetes.io.example/x", "node.kubernetes.io/x"]
        {
            assert!(matches!(keys.ruling(Place::Label, other), Ruling::Silent), "{other}");
        }
    }

    #[test]
    fn a_key_with_a_last_minor_is_the_systems_up_to_it() {
        let keys = &embedded().node_keys;
        let at = |kubelet: &str| {
            keys.ruling_at(Place::Annotation, "kubeadm.alpha.kubernetes.io/cri-socket", || Version::parse(kubelet))
        };
        for with in ["v1.28.5", "v1.33.9", ""] {
            assert!(matches!(at(with), Ruling::Known(_)), "{with}");
        }
        for without in ["v1.34.0", "v1.37.1"] {
            assert!(matches!(at(without), Ruling::Lapsed(_)), "{without}");
        }
    }
}
