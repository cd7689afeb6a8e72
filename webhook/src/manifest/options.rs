//! The choices of an installer, from which a manifest is made besides the rules.

use aksarc_shared::verdict::guard::Settings;

use super::network::Cidr;

/// The choices of an installer, from which a manifest is made besides the rules.
#[derive(Clone, Debug)]
pub struct ManifestOptions {
    /// Where the guard's certificate comes from.
    pub certificate: ManifestCertificate,
    /// The guard's configuration. Without it the manifest has no ConfigMap, so that the one in the cluster stays.
    pub config: Option<ManifestConfig>,
    /// The image to run.
    pub image: String,
    /// Ranges of pods' addresses from which no review is taken. Without them, reviews are taken from everywhere.
    pub pods: Vec<Cidr>,
}

impl Default for ManifestOptions {
    fn default() -> Self {
        ManifestOptions {
            certificate: ManifestCertificate::Own,
            config: None,
            image: IMAGE.to_owned(),
            pods: Vec::new(),
        }
    }
}

/// Where the guard's certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestCertificate {
    /// The guard makes it, and has API servers trust it.
    Own,
    /// Others write it into the Secret `guard-tls`.
    Secret {
        /// Its authority in PEM; `None` where others have API servers trust it too.
        authority: Option<Vec<u8>>,
    },
}

/// A configuration, as text and as read.
#[derive(Clone, Debug)]
pub struct ManifestConfig {
    /// The text that goes into the ConfigMap.
    pub text: String,
    /// The settings, from which the API server has to know people's identities and the namespaces of further
    /// components.
    pub settings: Settings,
}

/// The image of this release; where it is pulled from is the installer's business.
pub const IMAGE: &str = concat!("aksarc-webhook:", env!("CARGO_PKG_VERSION"));
