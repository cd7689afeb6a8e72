//! Network software: plug-ins, what reaches for the network cards of nodes, load balancers, and where policies count.

use jiff::civil::Date;
use serde::Deserialize;

use super::confidence::Confidence;
use super::platform::Platform;

/// Network software.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Network plug-ins, the platform's own among them.
    pub plugins: Vec<NetworkSoftware>,
    /// Software that changes the network cards of nodes.
    pub nic_software: Vec<NetworkSoftware>,
    /// Types of CNI plug-ins that take a card of the node for a pod.
    pub nic_plugins: Vec<NicPlugin>,
    /// Load balancers.
    pub load_balancers: Vec<LoadBalancer>,
    /// Where `NetworkPolicy` is no feature of the product.
    pub network_policy: Feature,
}

/// Software that workloads tell by their images.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSoftware {
    /// Its name.
    pub name: String,
    /// Platforms whose support covers it; empty for none.
    #[serde(default)]
    pub covered_on: Vec<Platform>,
    /// Repositories of the images that do the work, as [`crate::k8s::image::is_of`] reads them.
    pub images: Vec<String>,
    /// API groups of its custom resources.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Whether it gives pods further networks, and sets up no card of a node by itself: that it belongs here is our reading.
    #[serde(default)]
    pub for_pods: bool,
    /// How well it is known.
    pub confidence: Confidence,
    /// Where it is written.
    pub source: String,
    /// When it was last looked up.
    pub checked: Date,
}

/// A type of CNI plug-in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NicPlugin {
    /// Its name, as a network's configuration has it.
    #[serde(rename = "type")]
    pub name: String,
    /// How well it is known.
    pub confidence: Confidence,
    /// Where it is written.
    pub source: String,
    /// When it was last looked up.
    pub checked: Date,
}

/// A load balancer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadBalancer {
    /// Its name.
    pub name: String,
    /// Repositories of its images.
    pub images: Vec<String>,
    /// The type of the Arc extension that brings it, where there is one.
    #[serde(default)]
    pub extension: Option<String>,
    /// Whether it only drives an appliance outside the cluster.
    #[serde(default)]
    pub appliance: bool,
    /// How well it is known.
    pub confidence: Confidence,
    /// Where it is written.
    pub source: String,
    /// When it was last looked up.
    pub checked: Date,
}

/// A feature that some platforms do not have.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// Where it is not there.
    pub unavailable_on: Vec<Platform>,
    /// Where it is written.
    pub source: String,
}

#[cfg(test)]
mod tests {
    use crate::data::embedded;

    #[test]
    fn a_path_says_more_than_a_name_that_anybody_could_use() {
        let network = &embedded().network;
        let software = network.plugins.iter().chain(&network.nic_software).map(|row| (&row.name, &row.images));
        for (name, images) in software.chain(network.load_balancers.iter().map(|row| (&row.name, &row.images))) {
            assert!(!images.is_empty(), "{name} has no image");
            for path in images {
                let (host, rest) = path.split_once('/').unwrap_or((path, ""));
                assert!(!rest.is_empty(), "{name}: {path} is anybody's");
                assert!(!host.contains('.') && !rest.contains(':'), "{name}: {path} is no repository without registry");
            }
        }
    }
}
