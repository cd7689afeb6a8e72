//! Kubernetes versions.

/// A Kubernetes version, read from `1.33.5` or `v1.33.5+build`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// `1`.
    pub major: u32,
    /// `33`.
    pub minor: u32,
    /// `5`; 0 where only a minor was given.
    pub patch: u32,
}

impl Version {
    /// Reads a version as printed by `/version` and kubelets. Pre-release and build parts are ignored.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('v');
        let end = text.find(['-', '+', ' ']).unwrap_or(text.len());
        let mut parts = text.get(..end)?.split('.');
        let mut number = || parts.next().map(str::parse::<u32>);
        let (major, minor, patch) = (number()?.ok()?, number()?.ok()?, number().transpose().ok()?.unwrap_or(0));
        Some(Version { major, minor, patch })
    }

    /// Whether two versions have the same minor.
    pub fn same_minor(self, other: Version) -> bool {
        (self.major, self.minor) == (other.major, other.minor)
    }

    /// `1.33`.
    pub fn minor_text(self) -> String {
        format!("{}.{}", self.major, self.minor)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}
