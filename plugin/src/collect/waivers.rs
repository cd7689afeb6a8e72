//! The waivers that the cluster holds as objects.

use aksarc_shared::facts::inventory::ReadKey;
use aksarc_shared::k8s::read::json::ListPage;
use aksarc_shared::people::waiver::{Objects, SUPPORT_WAIVER};

use super::list::{self, PageError, Pages};
use super::listed::Listed;
use super::reader::Reader;
use crate::api::RequestError;

/// Lists the `SupportWaiver` objects of the cluster.
///
/// # Errors
/// [`RequestError`] when the cluster cannot be read. A list that it forbids or does not serve is returned for the
/// caller to judge.
pub async fn waivers(reader: &Reader) -> Result<(Listed, Objects), RequestError> {
    let mut found = Objects::default();
    let key = ReadKey { kind: &SUPPORT_WAIVER, namespace: None };
    let listed = list::read_at(reader, &key, SUPPORT_WAIVER.version, &mut found).await?;
    Ok((listed, found))
}

impl Pages for Objects {
    fn page(&mut self, bytes: &[u8]) -> Result<ListPage, PageError> {
        Ok(Objects::page(self, bytes)?)
    }

    fn restart(&mut self) {
        *self = Objects::default();
    }
}
