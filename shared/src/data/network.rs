//! Network software: CNI plug-ins, software that configures the network cards of nodes, load balancers, and support for
//! NetworkPolicy.

use jiff::civil::Date;
use serde::Deserialize;

use super::confidence::Confidence;
use super::platform::Platform;

/// Network software.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// CNI plug-ins, the platform's own among them.
    pub plugins: Vec<NetworkSoftware>,
    /// Software that configures the network cards of nodes.
    pub nic_software: Vec<NetworkSoftware>,
    /// Types of CNI plug-ins that move a network card of the node into a pod.
    pub nic_plugins: Vec<NicPlugin>,
    /// Load balancers.
    pub load_balancers: Vec<LoadBalancer>,
    /// The platforms on which `NetworkPolicy` is not a feature of the product.
    pub network_policy: Feature,
}

/// Software that is recognised by the images of its workloads.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSoftware {
    /// Its name.
    pub name: String,
    /// The platforms whose support covers it; empty for none.
    #[serde(default)]
    pub covered_on: Vec<Platform>,
    /// The image repositories of its working parts, as [`crate::k8s::image::is_of`] reads them.
    pub images: Vec<String>,
    /// API groups of its custom resources.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Whether it attaches pods to further networks and does not itself configure cards of nodes; that such software
    /// belongs here is our reading.
    #[serde(default)]
    pub for_pods: bool,
    /// How well it is known.
    pub confidence: Confidence,
    /// The source.
    pub source: String,
    /// The day on which the source was last read.
    pub checked: Date,
}

/// A type of CNI plug-in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NicPlugin {
    /// Its name, as in a network configuration.
    #[serde(rename = "type")]
    pub name: String,
    /// How well it is known.
    pub confidence: Confidence,
    /// The source.
    pub source: String,
    /// The day on which the source was last read.
    pub checked: Date,
}

/// A load balancer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadBalancer {
    /// Its name.
    pub name: String,
    /// Its image repositories.
    pub images: Vec<String>,
    /// The type of the Arc extension that installs it, where there is one.
    #[serde(default)]
    pub extension: Option<String>,
    /// Whether it only drives an appliance outside the cluster.
    #[serde(default)]
    pub appliance: bool,
    /// How well it is known.
    pub confidence: Confidence,
    /// The source.
    pub source: String,
    /// The day on which the source was last read.
    pub checked: Date,
}

/// A feature that some platforms lack.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// The platforms without it.
    pub unavailable_on: Vec<Platform>,
    /// The source.
    pub source: String,
}

#[cfg(test)]
mod tests {
    use crate::data::embedded;

    #[test]
    fn an_image_path_has_two_components_or_more() {
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
