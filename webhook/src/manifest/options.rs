//! What a manifest is made of besides the rules.

use aksarc_shared::verdict::guard::Settings;

use super::network::Cidr;

/// What a manifest is made of besides the rules.
#[derive(Clone, Debug)]
pub struct ManifestOptions {
    /// The certificate authority in PEM; a placeholder stands there without it.
    pub authority: Option<Vec<u8>>,
    /// The guard's configuration. Without it the manifest has no ConfigMap, so that the one in the cluster stays.
    pub config: Option<ManifestConfig>,
    /// The image to run.
    pub image: String,
    /// Ranges of pods' addresses, from which no review is taken; from everywhere without them.
    pub pods: Vec<Cidr>,
}

impl Default for ManifestOptions {
    fn default() -> Self {
        ManifestOptions { authority: None, config: None, image: IMAGE.to_owned(), pods: Vec::new() }
    }
}

/// A configuration, as text and as read.
#[derive(Clone, Debug)]
pub struct ManifestConfig {
    /// As it goes into the ConfigMap.
    pub text: String,
    /// What of it the API server must know: identities that are people's, namespaces of further components.
    pub settings: Settings,
}

/// The image of this release; where it is pulled from is the installer's business.
pub const IMAGE: &str = concat!("aksarc-webhook:", env!("CARGO_PKG_VERSION"));
