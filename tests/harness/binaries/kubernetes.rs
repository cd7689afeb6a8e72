//! The Kubernetes versions that tests run on.

/// A Kubernetes version we test against.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kubernetes {
    /// An old one, still found on Windows Server. kubectl is that of [`Kubernetes::V1_33`].
    V1_28,
    /// The same, as a vendor builds it who writes its minor as `28+` and appends to its version.
    V1_28Vendor,
    /// The newest that AKS Arc offers.
    V1_33,
    /// Newer than AKS Arc offers.
    V1_36,
}

impl Kubernetes {
    /// The one that all tests run on; only those of `.ci/long` run on others.
    pub const NEWEST: Self = Self::V1_33;

    /// Every version.
    pub const ALL: [Self; 4] = [Self::V1_28, Self::V1_28Vendor, Self::V1_33, Self::V1_36];

    /// The version as `/version` gives it.
    pub fn git_version(self) -> &'static str {
        match self {
            Self::V1_28 => "v1.28.15",
            Self::V1_28Vendor => "v1.28.15-vendor.1",
            Self::V1_33 => "v1.33.13",
            Self::V1_36 => "v1.36.1",
        }
    }

    /// The version with this minor, `1.33` for one.
    pub fn of_minor(minor: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| minor == format!("1.{}", version.minor()))
    }

    /// The minor as `/version` gives it.
    pub fn minor(self) -> &'static str {
        match self {
            Self::V1_28 => "28",
            Self::V1_28Vendor => "28+",
            Self::V1_33 => "33",
            Self::V1_36 => "36",
        }
    }

    /// The version whose programs run beside this one's API server.
    pub(super) fn of_controllers(self) -> Self {
        if self == Self::V1_28Vendor { Self::V1_28 } else { self }
    }

    pub(super) fn module(self) -> &'static str {
        match self {
            Self::V1_28 | Self::V1_28Vendor => "kubernetes-1.28",
            Self::V1_33 => "kubernetes-1.33",
            Self::V1_36 => "kubernetes-1.36",
        }
    }
}
