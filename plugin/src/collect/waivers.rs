//! The waivers that the cluster itself keeps.

use aksarc_shared::inventory::ReadKey;
use aksarc_shared::read::json::{self, Page};
use aksarc_shared::waiver::{self, SUPPORT_WAIVER, Unreadable, Waiver};

use super::error::RequestError;
use super::list::{self, Listed, PageError, Pages};
use super::request::Reader;

/// `SupportWaiver` objects, as far as they are waivers.
#[derive(Debug, Default)]
pub struct ClusterWaivers {
    /// Those that can be read.
    pub waivers: Vec<Waiver>,
    /// Those that cannot; they do not count.
    pub unreadable: Vec<Unreadable>,
}

/// Lists the `SupportWaiver` objects of the cluster.
///
/// # Errors
/// [`RequestError`] when the cluster cannot be read; what it forbids or does not serve is for the caller to judge.
pub async fn waivers(reader: &Reader) -> Result<(Listed, ClusterWaivers), RequestError> {
    let mut found = ClusterWaivers::default();
    let key = ReadKey { kind: &SUPPORT_WAIVER, namespace: None };
    let listed = list::read(reader, &key, &mut found).await?;
    Ok((listed, found))
}

impl Pages for ClusterWaivers {
    fn page(&mut self, bytes: &[u8]) -> Result<Page, PageError> {
        Ok(json::page(bytes, |object| match waiver::of_object(&object) {
            Ok(waiver) => self.waivers.push(waiver),
            Err(unreadable) => self.unreadable.push(unreadable),
        })?)
    }

    fn restart(&mut self) {
        *self = ClusterWaivers::default();
    }
}
