//! The flags and functions of commands that read a cluster.

use std::sync::Arc;

use aksarc_shared::verdict::check::Check;

use crate::api::{self, SendLimits, Sender};
use crate::cli::duration::{self, Limit};
use crate::cli::exit::Failure;
use crate::cli::flags::KubeFlags;
use crate::collect::{self, Judge, Reader};
use crate::screen::progress::Progress;
use crate::screen::ui::{Ui, UiFlags};

/// The flags of every command that reads a cluster.
#[derive(Clone, Debug, clap::Args)]
pub struct ClusterFlags {
    /// Reading.
    #[command(flatten)]
    pub reading: Reading,
    /// Display.
    #[command(flatten)]
    pub ui: UiFlags,
    /// Cluster.
    #[command(flatten)]
    pub kube: KubeFlags,
}

/// How the cluster is read.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Reading")]
pub struct Reading {
    /// Time limit for the whole run; 0 for no limit
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration::parse, env = "KUBECTL_AKSARC_TIMEOUT")]
    pub timeout: Limit,
    /// Objects per page
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000), env = "KUBECTL_AKSARC_CHUNK_SIZE")]
    pub chunk_size: u32,
    /// Lists read at the same time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32), env = "KUBECTL_AKSARC_PARALLEL")]
    pub parallel: u8,
}

/// The source of a check, as reports name it.
#[derive(Clone, Debug)]
pub(crate) struct CheckSource {
    /// The kubeconfig context; the snapshot's path, or the number of manifests.
    pub(crate) context: String,
    /// The server; empty for files.
    pub(crate) server: String,
    /// The time at which the snapshot was taken.
    pub(crate) taken: Option<String>,
}

/// Connects to the cluster, within the overall deadline.
pub(crate) async fn reader(flags: &ClusterFlags, ui: &Ui) -> Result<Arc<Reader>, Failure> {
    let ClusterFlags { reading, kube, .. } = flags;
    let limit = reading.timeout.duration();
    let connection = tokio::time::timeout(limit, api::connect(kube)).await;
    let connection = connection.unwrap_or_else(|_| {
        Err(Failure::run(anyhow::anyhow!("no connection within {limit:?} (--timeout); nothing was checked")))
    })?;
    let chunk_size = usize::try_from(reading.chunk_size).unwrap_or(500);
    let limits = SendLimits::new(kube.request_timeout.duration(), limit);
    Ok(Arc::new(Reader::new(Sender::new(connection, limits, Progress::new(ui)), chunk_size)))
}

/// Reads the cluster into a check, within the overall deadline.
pub(crate) async fn live(
    reader: &Arc<Reader>,
    reading: &Reading,
    check: &mut Check<'static>,
) -> Result<CheckSource, Failure> {
    let mut judge = Judge(check);
    let all = collect::everything(reader, reading.parallel.into(), &mut judge);
    reader.sender().in_time("read the cluster", all).await?;
    let (context, server) = (reader.connection().context.clone(), reader.connection().server.clone());
    Ok(CheckSource { context, server, taken: None })
}
