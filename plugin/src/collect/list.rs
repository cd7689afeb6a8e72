//! The reader of one list, page by page, which handles expired continue tokens and restarts.

use aksarc_shared::facts::inventory::ReadKey;
use aksarc_shared::k8s::read::json::{ListPage, ReadError};
use aksarc_shared::text;
use http::StatusCode;

use super::listed::Listed;
use super::reader::Reader;
use super::served;
use crate::api::{ApiRequest, RequestError, RequestFault, excerpt};

/// A receiver of the pages of one list, in order.
pub trait Pages {
    /// Receives one page. Its bytes are not kept.
    ///
    /// # Errors
    /// [`PageError`] when the bytes are not a page of a list, or cannot be written.
    fn page(&mut self, bytes: &[u8]) -> Result<ListPage, PageError>;

    /// Drops all pages, because the list starts over.
    fn restart(&mut self);
}

/// The reason why a page was refused.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The bytes are not a page of a list.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The page could not be written.
    #[error(transparent)]
    Write(#[from] std::io::Error),
}

/// Reads one list to its end, at the first known version that the server serves.
///
/// A kind that not every Kubernetes has may be served by a server that is down. Then the list is unknown, and the other
/// lists count.
pub(super) async fn read(reader: &Reader, key: &ReadKey, sink: &mut impl Pages) -> Result<Listed, RequestError> {
    if key.kind.builtin {
        return read_at(reader, key, key.kind.version, sink).await;
    }
    let served = served::versions(reader, key.kind.group).await;
    let is_served = |version: &&str| served.as_ref().is_none_or(|served| served.iter().any(|own| own == version));
    let mut trouble = None;
    for version in key.kind.versions().filter(is_served) {
        match read_at(reader, key, version, sink).await {
            Ok(Listed::NotServed) => {}
            Err(error) if matches!(error.fault(), RequestFault::Status(500.., _) | RequestFault::Timeout(_)) => {
                trouble.get_or_insert(error.reason());
                sink.restart();
            }
            settled => return settled,
        }
    }
    Ok(match trouble {
        Some(why) => Listed::Unknown(text::line(&why, MAX_REASON)),
        None => served::elsewhere(reader, key.kind, served.as_deref()).await,
    })
}

/// Reads one list to its end, at one version.
pub(super) async fn read_at(
    reader: &Reader,
    key: &ReadKey,
    version: &str,
    sink: &mut impl Pages,
) -> Result<Listed, RequestError> {
    let (sender, what) = (reader.sender(), format!("list {key}"));
    let mut token: Option<String> = None;
    let (mut restarts, mut expired) = (0, 0);
    loop {
        let path = key.kind.page_path_at(version, key.namespace.as_deref(), reader.chunk_size(), token.as_deref());
        let request = ApiRequest::get(path).named(&*what);
        let failed = |fault: RequestFault| advising(sender.error(&request, fault));
        let reply = sender.ask(&request).await.map_err(advising)?;
        match reply.status {
            StatusCode::OK => {}
            StatusCode::FORBIDDEN => return Ok(Listed::Forbidden),
            StatusCode::NOT_FOUND if token.is_some() => {
                return Ok(Listed::Unknown("the server ceased to serve it in the middle".to_owned()));
            }
            StatusCode::NOT_FOUND => return Ok(Listed::NotServed),
            StatusCode::GONE => {
                // The server no longer has the version that this list began with. It may offer to continue at the same
                // place with newer objects, which is fine for a check; otherwise the list starts over.
                expired += 1;
                let next = reply.status_object().into_token();
                if !next.is_empty() && expired <= MAX_EXPIRED {
                    token = Some(next);
                    continue;
                }
                restarts += 1;
                if restarts > MAX_RESTARTS || token.is_none() {
                    return Err(failed(RequestFault::Expired));
                }
                sink.restart();
                token = None;
                continue;
            }
            _ => return Err(sender.refused(&request, &reply)),
        }
        let page = sink.page(&reply.body).map_err(|error| failed(unreadable(&error, &reply.body)))?;
        if !page.kind.is_empty() && page.kind.strip_suffix("List") != Some(key.kind.kind) {
            return Err(failed(RequestFault::Garbage(format!("a {} instead of a {}List", page.kind, key.kind.kind))));
        }
        sender.progress().page(key, page.items, sender.requests());
        match page.continue_token {
            None => return Ok(Listed::Complete),
            Some(next) if token.as_ref() == Some(&next) => {
                return Err(failed(RequestFault::Garbage("the same continue token twice".to_owned())));
            }
            Some(next) => token = Some(next),
        }
    }
}

/// The error with the advice to use smaller pages, which are likelier to arrive whole.
fn advising(error: RequestError) -> RequestError {
    match error.fault() {
        RequestFault::Cut(_) => error.advising("try again, or with a smaller --chunk-size"),
        _ => error,
    }
}

fn unreadable(error: &PageError, body: &[u8]) -> RequestFault {
    match error {
        PageError::Read(ReadError::Json(error)) if error.is_eof() && !body.is_empty() => {
            RequestFault::Cut("the JSON ends early".to_owned())
        }
        PageError::Write(error) => RequestFault::Write(error.to_string()),
        PageError::Read(error) => RequestFault::Garbage(format!("{error}; it begins with {}", excerpt(body))),
    }
}

/// The most restarts of a list. One that takes longer than the server keeps its version will not get quicker.
const MAX_RESTARTS: usize = 2;

/// The longest reason that is kept. Servers and proxies send whole pages.
const MAX_REASON: usize = 200;

/// The most times that one list may continue after its token expired.
const MAX_EXPIRED: usize = 50;
