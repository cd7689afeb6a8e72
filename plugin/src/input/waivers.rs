//! Waivers, read from a file or from the cluster.

use std::path::Path;

use aksarc_shared::facts::inventory::ReadKey;
use aksarc_shared::people::waiver::{self, SUPPORT_WAIVER, Unreadable, Waiver, WaiverEntry};
use aksarc_shared::text;
use anyhow::{Context as _, anyhow};

use crate::cli::exit::Failure;
use crate::collect::{self, Listed, Reader};
use crate::input::documents;
use crate::input::settings::read;
use crate::screen::ui::Ui;
use crate::screen::waivers::shown;

/// The source of waivers that `--waivers` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaiverSource<'a> {
    /// The `SupportWaiver` objects of the cluster; a file of that name is `./cluster`.
    Cluster,
    /// A file, or standard input for `-`.
    File(&'a str),
    /// No waivers.
    None,
}

impl<'a> WaiverSource<'a> {
    /// The source that the flag or its variable names, if any.
    pub(crate) fn of(given: Option<&'a str>) -> Self {
        match given {
            None | Some("none" | "") => WaiverSource::None,
            Some("cluster") => WaiverSource::Cluster,
            Some(path) => WaiverSource::File(path),
        }
    }
}

/// The text of a file of waivers.
///
/// # Errors
/// It cannot be read, is not text, or is too large to have been written by hand.
pub(crate) fn file_text(path: &str) -> anyhow::Result<String> {
    if path == "-" {
        return Ok(documents::text("standard input", &documents::standard_input()?)?.to_owned());
    }
    read(Path::new(path))
}

/// The waivers of a file, with their places.
///
/// # Errors
/// As [`file_text`], or it is not a file of waivers.
pub(crate) fn from_file(path: &str) -> anyhow::Result<Vec<WaiverEntry>> {
    waiver::entries(&file_text(path)?).with_context(|| format!("cannot read waivers from {}", shown(path)))
}

/// The waivers of a file, without their places.
///
/// # Errors
/// As [`from_file`].
pub(crate) fn of_file(path: &str) -> anyhow::Result<Vec<Waiver>> {
    Ok(from_file(path)?.into_iter().map(|entry| entry.waiver).collect())
}

/// The waivers of the cluster, within the reader's deadline. A cluster that does not serve the kind has none, which is
/// noted on stderr.
///
/// # Errors
/// [`Failure`] when the list cannot be read or is forbidden: findings that it accepts must not silently look
/// unaccepted.
pub(crate) async fn from_cluster(reader: &Reader, ui: &Ui) -> Result<(Vec<Waiver>, Vec<Unreadable>), Failure> {
    let what = format!("list {}", ReadKey { kind: &SUPPORT_WAIVER, namespace: None });
    let server = &reader.connection().server;
    let (listed, found) = reader.sender().in_time(&what, collect::waivers(reader)).await?;
    match listed {
        Listed::Complete => Ok((found.waivers, found.unreadable)),
        Listed::Forbidden => Err(Failure::run(anyhow!(
            "you may not list {} at {}, and a waiver that is not read does not count. Nothing was checked: have the \
             cluster role aksarc-waiver-reader of deploy/supportwaiver.yaml bound to you, or leave out --waivers cluster",
            SUPPORT_WAIVER.qualified(),
            text::clean(server),
        ))),
        Listed::Unknown(why) => Err(Failure::run(anyhow!(
            "cannot list {} at {}: {}; a waiver that is not read does not count. Nothing was checked",
            SUPPORT_WAIVER.qualified(),
            text::clean(server),
            why,
        ))),
        Listed::NotServed => {
            ui.note(&format!(
                "warning: this cluster does not serve {}, so it holds no waivers; deploy/supportwaiver.yaml brings the resource",
                SUPPORT_WAIVER.qualified()
            ));
            Ok((Vec::new(), Vec::new()))
        }
    }
}
