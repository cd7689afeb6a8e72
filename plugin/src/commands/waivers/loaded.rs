//! The sources from which the commands of `waivers` read waivers.

use std::sync::Arc;

use aksarc_shared::people::waiver::{Unreadable, Waiver};
use anyhow::anyhow;

use crate::cli::exit::Failure;
use crate::collect::Reader;
use crate::commands::cluster::{self, ClusterFlags};
use crate::input::waivers::{self, WaiverSource};
use crate::screen::ui::Ui;

/// Where the waivers are.
#[derive(Clone, Debug, clap::Args)]
pub struct WaiverFrom {
    /// File of waivers; - for standard input
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub file: Option<String>,
    /// Waivers, instead of FILE: cluster for the SupportWaivers of the cluster, or a file
    #[arg(long, value_name = "cluster|FILE", env = "KUBECTL_AKSARC_WAIVERS", value_hint = clap::ValueHint::FilePath)]
    pub waivers: Option<String>,
}

/// Waivers, and the objects that could not be read as waivers.
pub(super) struct Loaded {
    pub(super) waivers: Vec<Waiver>,
    pub(super) unreadable: Vec<Unreadable>,
    /// The reader of the cluster, if waivers come from one.
    pub(super) reader: Option<Arc<Reader>>,
}

impl WaiverFrom {
    /// Reads the waivers. A file given by name takes precedence over the flag, and the flag over its variable.
    pub(super) async fn load(&self, flags: &ClusterFlags, ui: &Ui) -> Result<Loaded, Failure> {
        let source = match &self.file {
            Some(path) => WaiverSource::File(path),
            None => WaiverSource::of(self.waivers.as_deref()),
        };
        match source {
            WaiverSource::Cluster => {
                let reader = cluster::reader(flags, ui).await?;
                let (waivers, unreadable) = waivers::from_cluster(&reader, ui).await?;
                Ok(Loaded { waivers, unreadable, reader: Some(reader) })
            }
            WaiverSource::File(path) => {
                let waivers = waivers::of_file(path).map_err(Failure::input)?;
                Ok(Loaded { waivers, unreadable: Vec::new(), reader: None })
            }
            WaiverSource::None => Err(Failure::input(anyhow!(
                "which waivers? Give a FILE, or --waivers cluster for those of the cluster"
            ))),
        }
    }
}

/// A count with its noun: `1 waiver`, `2 waivers`.
pub(super) fn counted(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}
