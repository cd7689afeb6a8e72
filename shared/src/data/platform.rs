//! The platforms that AKS Arc runs on.

use serde::{Deserialize, Serialize};

/// A platform that AKS Arc runs on. Each has its own policy text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Platform {
    /// AKS on Windows Server.
    WindowsServer,
    /// AKS on Azure Stack HCI 22H2.
    #[serde(rename = "hci-22h2")]
    Hci22h2,
    /// AKS on Azure Local.
    AzureLocal,
    /// AKS on bare metal, a preview.
    BareMetal,
}

impl Platform {
    /// Every platform.
    pub const ALL: [Platform; 4] =
        [Platform::WindowsServer, Platform::Hci22h2, Platform::AzureLocal, Platform::BareMetal];

    /// The platforms with a support policy text of their own. A change without a configured platform is judged by
    /// these; bare metal, a preview without a text, has to be named.
    pub const WITH_POLICY_TEXT: [Platform; 3] = [Platform::WindowsServer, Platform::Hci22h2, Platform::AzureLocal];

    /// Whether a support policy text of the platform is known.
    pub fn has_policy_text(self) -> bool {
        self != Platform::BareMetal
    }

    /// The name of the platform, as users type it.
    pub fn as_str(self) -> &'static str {
        match self {
            Platform::WindowsServer => "windows-server",
            Platform::Hci22h2 => "hci-22h2",
            Platform::AzureLocal => "azure-local",
            Platform::BareMetal => "bare-metal",
        }
    }

    /// The platform with this name.
    pub fn parse(word: &str) -> Option<Self> {
        Platform::ALL.into_iter().find(|platform| platform.as_str() == word)
    }
}

/// A platform and its descriptions.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformText {
    /// The platform.
    pub name: Platform,
    /// Its product name.
    pub title: String,
    /// One letter, for tables.
    pub short: String,
    /// The id of its policy text.
    pub document: String,
}
