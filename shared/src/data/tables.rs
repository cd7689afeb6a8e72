//! The tables that no judgement of a change needs. Each is read when it is first asked for, and the guard, which never asks,
//! does not hold them.

use std::sync::LazyLock;

use crate::data::alpha::Alpha;
use crate::data::essentials::Essential;
use crate::data::extensions::Extension;
use crate::data::known_issues::KnownIssue;
use crate::data::lifecycle::Lifecycle;
use crate::data::limits::PlatformLimits;
use crate::data::platform::Platform;
use crate::data::previews::Preview;
use crate::data::third_party::ThirdParty;
use crate::data::versions::Table;

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident: $file:literal, $type:ty;)*) => {
        $(
            $(#[$doc])*
            pub fn $name() -> &'static $type {
                static TABLE: LazyLock<$type> = LazyLock::new(|| {
                    // The files are part of the program; `every_table_parses` proves that this cannot fail.
                    table!($file).unwrap_or_else(|error: serde_json::Error| unreachable!("{}: {error}", $file))
                });
                &TABLE
            }
        )*

        #[cfg(test)]
        const ALL: &[fn()] = &[$(|| { $name(); }),*];
    };
}

tables! {
    /// Ends of support of hosts and node systems, container runtimes, image ages and version skew.
    lifecycle: "lifecycle", Lifecycle;
    /// Kubernetes versions per platform.
    versions: "versions", Vec<Table>;
    /// Alpha APIs and feature gates of Kubernetes.
    alpha: "alpha", Alpha;
    /// Size limits of clusters.
    limits: "limits", Vec<PlatformLimits>;
    /// Objects that every cluster has.
    essentials: "essentials", Vec<Essential>;
    /// Microsoft's previews.
    previews: "previews", Vec<Preview>;
    /// The contents of Arc extensions.
    extensions: "extensions", Vec<Extension>;
    /// Third-party software.
    third_party: "third-party", ThirdParty;
    /// Known issues, by the rules that find traces of them.
    known_issues: "known-issues", Vec<KnownIssue>;
}

/// The version table of a platform.
pub fn version_table(platform: Platform) -> Option<&'static Table> {
    versions().iter().find(|table| table.platform == platform)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_parses() {
        for read in ALL {
            read();
        }
        for platform in Platform::ALL {
            assert!(version_table(platform).is_some(), "{platform:?} has no version table");
        }
    }
}
