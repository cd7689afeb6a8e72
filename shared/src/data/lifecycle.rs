//! Ends of support besides those of Kubernetes minors, the greatest age of node images, and version skew.

use jiff::civil::Date;
use jiff::{Span, ToSpan};
use serde::Deserialize;

use super::confidence::Confidence;
use super::platform::Platform;
use crate::k8s::version::Version;

/// `data/lifecycle.yaml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifecycle {
    /// Releases of the hosts that clusters run on.
    pub hosts: Vec<Host>,
    /// For how many days a text that lists a system as current counts.
    pub listed_holds_days: i64,
    /// Operating systems of nodes.
    pub node_os: Vec<NodeOs>,
    /// Container runtimes that a platform's policy text names.
    pub runtimes: Vec<Runtime>,
    /// The greatest age of node images.
    pub image_ages: Vec<ImageAge>,
    /// The allowed distance between versions.
    pub skew: Skew,
}

/// A release of a host.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// The platform whose host it is.
    pub platform: Platform,
    /// The release as users write it: `2019`, `22H2`, `2602`.
    pub release: String,
    /// The full name.
    pub title: String,
    /// The last day of its support, where a text states it.
    #[serde(default)]
    pub end: Option<Date>,
    /// How well it is known.
    pub confidence: Confidence,
    /// The day on which the source was read.
    pub checked: Date,
    /// The source.
    pub source: String,
    /// A remark on the row.
    #[serde(default)]
    pub note: Option<String>,
}

/// An operating system of nodes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeOs {
    /// Its name.
    pub title: String,
    /// `linux` or `windows`.
    pub os: String,
    /// The prefixes of `osImage`.
    pub images: Vec<String>,
    /// The suffixes of `kernelVersion`.
    pub kernels: Vec<String>,
    /// The platforms of the row; empty for all.
    #[serde(default)]
    pub platforms: Vec<Platform>,
    /// The last day of its support, where a text states it.
    #[serde(default)]
    pub end: Option<Date>,
    /// The day of the newest text that lists it as current.
    #[serde(default)]
    pub listed: Option<Date>,
    /// How well the texts on a node are known.
    pub confidence: Confidence,
    /// The day on which the sources were read.
    pub checked: Date,
    /// The source.
    pub source: String,
}

/// A container runtime on a platform.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runtime {
    /// The platform.
    pub platform: Platform,
    /// The name of the runtime that nodes report before `://`.
    pub runtime: String,
    /// The operating system that the row is limited to.
    #[serde(default)]
    pub os: Option<String>,
    /// The last day of its support.
    #[serde(default)]
    pub end: Option<Date>,
    /// How well it is known.
    pub confidence: Confidence,
    /// The day on which the source was read.
    pub checked: Date,
    /// The source.
    pub source: String,
}

/// The greatest age of a node's image on a platform.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageAge {
    /// The platform.
    pub platform: Platform,
    /// The age in days.
    pub days: i64,
    /// How well it is known.
    pub confidence: Confidence,
    /// The day on which the source was read.
    pub checked: Date,
    /// The source.
    pub source: String,
}

/// The number of minors that each part may lag behind the API server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skew {
    /// Kubelet and kube-proxy.
    pub kubelet: u32,
    /// The limit for older kubelets and proxies.
    pub older_kubelet: OlderKubelet,
    /// The distance between API servers.
    pub api_servers: u32,
    /// Controller manager and scheduler.
    pub controllers: u32,
    /// How well it is known.
    pub confidence: Confidence,
    /// The day on which the source was read.
    pub checked: Date,
    /// The source.
    pub source: String,
}

/// The limit for kubelets before a minor.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OlderKubelet {
    /// The first minor with the wider limit, `1.25`.
    pub before: String,
    /// The number of minors.
    pub minors: u32,
}

impl Lifecycle {
    /// The rows of a platform's hosts.
    pub fn hosts_of(&self, platform: Platform) -> impl Iterator<Item = &Host> {
        self.hosts.iter().filter(move |host| host.platform == platform)
    }

    /// The row of a host release, given as users write it: `2019`, `22h2`, `Windows Server 2019`.
    pub fn host(&self, release: &str) -> Option<&Host> {
        let given = release.trim();
        self.hosts
            .iter()
            .find(|host| host.release.eq_ignore_ascii_case(given) || host.title.eq_ignore_ascii_case(given))
    }

    /// The operating system of a node on a platform, found by the image and kernel that the node reports.
    pub fn node_os(&self, platform: Platform, image: &str, kernel: &str) -> Option<&NodeOs> {
        let here = |row: &&NodeOs| row.platforms.is_empty() || row.platforms.contains(&platform);
        self.node_os.iter().filter(here).find(|row| {
            row.images.iter().any(|start| image.starts_with(&**start))
                || row.kernels.iter().any(|end| kernel.ends_with(&**end))
        })
    }

    /// The row of a runtime on a platform.
    pub fn runtime(&self, platform: Platform, runtime: &str, os: &str) -> Option<&Runtime> {
        self.runtimes.iter().find(|row| {
            row.platform == platform && row.runtime == runtime && row.os.as_deref().is_none_or(|own| own == os)
        })
    }

    /// The greatest age of a node's image on a platform.
    pub fn image_age(&self, platform: Platform) -> Option<&ImageAge> {
        self.image_ages.iter().find(|row| row.platform == platform)
    }

    /// The last day on which the text that lists a system as current counts.
    pub fn holds_until(&self, os: &NodeOs) -> Option<Date> {
        let span: Span = self.listed_holds_days.days();
        os.listed?.checked_add(span).ok()
    }
}

impl Skew {
    /// The number of minors that a kubelet or proxy of this version may lag behind.
    pub fn kubelet_behind(&self, version: Version) -> u32 {
        match Version::parse(&self.older_kubelet.before) {
            Some(before) if version < before => self.older_kubelet.minors,
            _ => self.kubelet,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::data::tables;

    #[test]
    fn every_row_says_how_a_node_shows_it_and_until_when_it_counts() {
        for row in &tables::lifecycle().node_os {
            assert!(!row.images.is_empty() || !row.kernels.is_empty(), "{}", row.title);
            assert!(row.end.is_some() != row.listed.is_some(), "{} needs an end or a day it was listed", row.title);
        }
    }

    #[test]
    fn a_release_is_of_one_platform() {
        let hosts = &tables::lifecycle().hosts;
        for host in hosts {
            assert_eq!(hosts.iter().filter(|other| other.release == host.release).count(), 1, "{}", host.release);
        }
        let found = |word| tables::lifecycle().host(word).map(|host| host.platform);
        assert_eq!(found("22h2"), Some(Platform::Hci22h2));
        assert_eq!(found(" windows server 2022 "), Some(Platform::WindowsServer));
        assert_eq!(found("2602"), Some(Platform::AzureLocal));
        assert_eq!(found("2016"), None);
    }

    #[test]
    fn systems_are_told_by_image_or_kernel() {
        let lifecycle = tables::lifecycle();
        let end = |image, kernel| lifecycle.node_os(Platform::AzureLocal, image, kernel).map(|row| row.end);
        assert_eq!(end("CBL-Mariner/Linux", ""), Some(Some(date(2025, 7, 31))));
        assert_eq!(end("", "5.15.102.1-3.cm2"), Some(Some(date(2025, 7, 31))));
        assert_eq!(end("Microsoft Azure Linux 3.0", "6.6.96.1-1.azl3"), Some(None));
        assert_eq!(end("Ubuntu 22.04.3 LTS", "5.15.0-91-generic"), None);
        let windows = |platform| lifecycle.node_os(platform, "Windows Server 2019 Datacenter", "").map(|row| row.end);
        assert_eq!(windows(Platform::WindowsServer), Some(Some(date(2026, 3, 31))));
        assert_eq!(windows(Platform::AzureLocal), Some(None));
    }

    #[test]
    fn older_kubelets_were_allowed_less() {
        let skew = &tables::lifecycle().skew;
        let behind = |text| skew.kubelet_behind(Version::parse(text).unwrap());
        assert_eq!((behind("1.24.17"), behind("1.25.0"), behind("1.33.5")), (2, 3, 3));
    }
}
