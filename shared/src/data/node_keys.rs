//! What the system writes on nodes.

use serde::Deserialize;

use super::confidence::Confidence;
use super::pattern::Pattern;
use crate::k8s::version::Version;

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
    /// Whether only the platform's own programs write under it.
    #[serde(default)]
    pub vendor: bool,
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
    /// Whether it is documented for Kubernetes or AKS at large and was never shown on a node of AKS Arc.
    #[serde(default)]
    pub elsewhere: bool,
    /// The first minor of a node's kubelet at which the system sets it.
    #[serde(default)]
    pub since: Option<KubeletMinor>,
    /// The last one.
    #[serde(default)]
    pub until: Option<KubeletMinor>,
    /// How well it is known.
    pub confidence: Confidence,
    /// Where it is written.
    pub source: String,
}

impl SystemKey {
    /// Whether the system sets it on a node with this kubelet; a node that names none counts.
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

/// What metadata a key stands in.
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
    /// The system writes it at other minors of Kubernetes than the node's.
    Lapsed(&'d SystemKey),
    /// Nothing.
    Silent,
}

impl NodeKeys {
    /// What the tables say of `key` at `place`, whatever the node's version. An exact key wins over a prefix, a longer prefix
    /// over a shorter one, and between equals an exception over a system key.
    pub fn ruling(&self, place: Place, key: &str) -> Ruling<'_> {
        self.ruling_at(place, key, || None)
    }

    /// What the tables say of `key` at `place` of a node with this kubelet, which is asked for only where it counts.
    pub fn ruling_at(&self, place: Place, key: &str, kubelet: impl Fn() -> Option<Version>) -> Ruling<'_> {
        let table = match place {
            Place::Annotation => &self.annotations,
            Place::Label => &self.labels,
            Place::Taint => &self.taints,
        };
        // Most keys that are asked about stand in the tables word for word, and are found so without a look at the patterns.
        let covers = |row: &&SystemKey| row.key.is(key);
        let exact = table.iter().rfind(|row| row.key.is_exactly(key));
        let known = exact.or_else(|| table.iter().filter(covers).max_by_key(|row| row.key.rank()));
        let excepted = self
            .exceptions
            .iter()
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
