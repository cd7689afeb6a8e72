//! The reader of lists and probes for the rules: whole lists, page by page, several at a time, with GET requests only.

mod list;
mod listed;
mod probe;
mod reader;
mod served;
mod waivers;

use std::sync::Arc;

use aksarc_shared::facts::inventory::{ReadKey, ReadState};
use aksarc_shared::facts::probe::{Probe, ProbeState};
use aksarc_shared::k8s::read::json::ListPage;
use aksarc_shared::verdict::check::{Check, Segment};
use tokio::task::JoinSet;

use crate::api::RequestError;

pub use list::{PageError, Pages};
pub use listed::Listed;
pub use reader::Reader;
pub use waivers::waivers;

/// A receiver of lists and probes.
pub trait ListReceiver {
    /// A receiver of the pages of one list.
    type Sink: Pages + Send + 'static;
    /// Begins a list.
    fn start(&mut self, key: &ReadKey) -> Self::Sink;
    /// Ends a list. `sink` holds its pages if it is complete.
    ///
    /// # Errors
    /// [`RequestError`] when the result cannot be kept.
    fn end(&mut self, key: ReadKey, listed: Listed, sink: Self::Sink) -> Result<(), RequestError>;
    /// Receives the result of a probe.
    ///
    /// # Errors
    /// [`RequestError`] when the result cannot be kept.
    fn probe(&mut self, probe: Probe, state: ProbeState) -> Result<(), RequestError>;
    /// The check that plans the lists.
    fn check(&mut self) -> &mut Check<'static>;
}

/// Reads everything that the rules of the check need.
///
/// # Errors
/// [`RequestError`] when the cluster cannot be read. A list that it forbids is not an error.
pub async fn everything(
    reader: &Arc<Reader>,
    parallel: usize,
    target: &mut impl ListReceiver,
) -> Result<(), RequestError> {
    // The probes run beside the lists, since some answers take the server a while.
    let mut probes = JoinSet::new();
    for wanted in target.check().probes() {
        let reader = Arc::clone(reader);
        probes.spawn(async move { (wanted, reader.probe(wanted).await) });
    }
    if let Some(version) = reader.version().await? {
        target.check().server_version(&version);
    }
    let first = target.check().plan_first();
    lists(reader, parallel, first, target).await?;
    let then = target.check().plan_then();
    lists(reader, parallel, then, target).await?;
    while let Some(asked) = probes.join_next().await {
        let (probe, state) = asked.map_err(|panic| RequestError::ours(&panic))?;
        target.probe(probe, state)?;
    }
    target.check().requests(reader.requests());
    Ok(())
}

/// Reads lists, at most `parallel` at a time, so that at most as many pages are in memory.
async fn lists<T: ListReceiver>(
    reader: &Arc<Reader>,
    parallel: usize,
    keys: Vec<ReadKey>,
    target: &mut T,
) -> Result<(), RequestError> {
    let mut waiting = keys.into_iter();
    // When one list fails, the tasks of the others are dropped: without it there is no result to wait for.
    let mut running = JoinSet::new();
    loop {
        while running.len() < parallel
            && let Some(key) = waiting.next()
        {
            let (reader, mut sink) = (Arc::clone(reader), target.start(&key));
            running.spawn(async move {
                let listed = list::read(&reader, &key, &mut sink).await;
                (key, listed, sink)
            });
        }
        match running.join_next().await {
            Some(Ok((key, listed, sink))) => target.end(key, listed?, sink)?,
            Some(Err(panic)) => return Err(RequestError::ours(&panic)),
            None => return Ok(()),
        }
    }
}

/// A target that judges pages as they arrive and keeps none.
pub struct Judge<'c>(pub &'c mut Check<'static>);

/// A list in progress.
pub struct JudgedList(Segment<'static>);

impl JudgedList {
    /// Begins a list of a check.
    pub fn start(check: &Check<'static>, key: &ReadKey) -> Self {
        JudgedList(check.segment(key))
    }

    /// Passes the result of the list to the check.
    pub fn end(self, check: &mut Check<'static>, key: ReadKey, listed: Listed) {
        match listed {
            Listed::Complete => check.complete(self.0),
            Listed::Forbidden => check.not_read(key, ReadState::Forbidden),
            Listed::NotServed => check.not_read(key, ReadState::NotServed),
            Listed::Unknown(why) => check.cut_short(self.0, why),
        }
    }
}

impl Pages for JudgedList {
    fn page(&mut self, bytes: &[u8]) -> Result<ListPage, PageError> {
        Ok(self.0.page(bytes)?)
    }

    fn restart(&mut self) {
        self.0.restart();
    }
}

impl ListReceiver for Judge<'_> {
    type Sink = JudgedList;

    fn start(&mut self, key: &ReadKey) -> JudgedList {
        JudgedList::start(self.0, key)
    }

    fn end(&mut self, key: ReadKey, listed: Listed, sink: JudgedList) -> Result<(), RequestError> {
        sink.end(self.0, key, listed);
        Ok(())
    }

    fn probe(&mut self, probe: Probe, state: ProbeState) -> Result<(), RequestError> {
        self.0.probe(probe, state);
        Ok(())
    }

    fn check(&mut self) -> &mut Check<'static> {
        self.0
    }
}
