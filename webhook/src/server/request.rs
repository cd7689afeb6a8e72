//! One request: what is no review is refused, the body is read within the limits, and judged in time.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::header::{ALLOW, CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};

use super::service::ReviewService;
use crate::refusal::HttpRefusal;
use crate::slots::{ConnectionState, Slot};

/// A body, and the memory it was granted, which others can have when it is gone.
#[derive(Debug)]
pub(super) struct ReceivedBody {
    pub(super) bytes: Bytes,
    _budget: Option<OwnedSemaphorePermit>,
}

impl ReviewService {
    /// Answers the request of the connection in `slot`.
    pub(super) async fn respond(&self, request: Request<Incoming>, slot: &Slot) -> Response<Full<Bytes>> {
        slot.enter(ConnectionState::Receiving);
        let mut response = match self.receive_and_judge(request, slot).await {
            Ok(answer) => {
                let mut response = Response::new(Full::new(Bytes::from(answer)));
                response.headers_mut().insert(CONTENT_TYPE, JSON);
                slot.prove();
                response
            }
            Err(refusal) => {
                self.counters.refusals.count(&refusal);
                tracing::debug!(reason = refusal.word, message = refusal.message, "request refused");
                refuse(refusal)
            }
        };
        // What is refused is not from an API server, or would only be refused again: its slot goes to somebody else.
        if response.status() != StatusCode::OK || self.closing.load(Ordering::Relaxed) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        slot.enter(ConnectionState::Idle);
        response
    }

    async fn receive_and_judge(&self, request: Request<Incoming>, slot: &Slot) -> Result<Vec<u8>, HttpRefusal> {
        // From here on: the API server's own clock began when it connected.
        let start = Instant::now();
        if request.uri().path() != PATH {
            return Err(HttpRefusal::new(StatusCode::NOT_FOUND, "path", format!("reviews go to {PATH}")));
        }
        if request.method() != Method::POST {
            return Err(HttpRefusal::new(StatusCode::METHOD_NOT_ALLOWED, "method", "reviews are sent with POST"));
        }
        if !is_json(request.headers().get(CONTENT_TYPE)) {
            let message = "reviews are application/json";
            return Err(HttpRefusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type", message));
        }
        let limit = self.limits.body;
        let body = timeout_at(start + limit, self.read_body(request.into_body())).await.unwrap_or_else(|_| {
            Err(HttpRefusal::new(StatusCode::REQUEST_TIMEOUT, "timeout", format!("no whole body within {limit:?}")))
        })?;
        slot.enter(ConnectionState::Answering);
        self.judge_in_time(body, start + self.limits.review).await
    }

    /// Reads a body within the limits on its size and on the memory of all.
    async fn read_body(&self, mut body: Incoming) -> Result<ReceivedBody, HttpRefusal> {
        let limit = self.limits.body_bytes;
        let hint = body.size_hint();
        let announced = hint.exact().map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        if announced.is_some_and(|size| size > limit) {
            return Err(self.discard(body).await);
        }
        let mut whole: Option<Vec<u8>> = None;
        let (mut size, mut budget) = (0, None);
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|error| HttpRefusal::new(StatusCode::BAD_REQUEST, "aborted", error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            size += data.len();
            if size > limit {
                return Err(self.discard(body).await);
            }
            // A small review arrives in one piece and is judged where it lies.
            if whole.is_none() && body.is_end_stream() {
                return Ok(ReceivedBody { bytes: data, _budget: None });
            }
            let granted = self.grant(&mut budget, size, announced.unwrap_or(limit)).await?;
            let whole = whole.get_or_insert_default();
            whole.reserve_exact(granted.saturating_sub(whole.len()));
            whole.extend_from_slice(&data);
        }
        Ok(ReceivedBody { bytes: Bytes::from(whole.unwrap_or_default()), _budget: budget })
    }

    /// Grants memory for `size` bytes of a body of at most `most`, and returns for how many it did. It is granted as they
    /// arrive: who announces much and sends nothing takes nothing from others. When none is free in time, that is said,
    /// instead of being killed for taking it.
    async fn grant(
        &self,
        budget: &mut Option<OwnedSemaphorePermit>,
        size: usize,
        most: usize,
    ) -> Result<usize, HttpRefusal> {
        let granted = budget.as_ref().map_or(0, |budget| budget.num_permits() << KIB);
        if size <= granted.max(SMALL_BODY) {
            return Ok(granted.max(SMALL_BODY.min(most)));
        }
        // More than is needed now, so that it is not asked for at every frame.
        let wanted = most.min(size + GRANT);
        let permits = u32::try_from((wanted.saturating_sub(granted) >> KIB) + 1).unwrap_or(u32::MAX);
        let more = timeout(self.limits.body / 2, Arc::clone(&self.large_bodies).acquire_many_owned(permits)).await;
        let more = more.ok().and_then(Result::ok).ok_or_else(|| {
            let message = "too many large reviews at once";
            HttpRefusal::new(StatusCode::SERVICE_UNAVAILABLE, "overload", message)
        })?;
        match budget {
            Some(budget) => budget.merge(more),
            None => *budget = Some(more),
        }
        Ok(wanted)
    }

    /// Reads the rest of a body that is too large without keeping it: a client that is still writing when the connection
    /// closes sees a reset instead of our answer.
    async fn discard(&self, mut body: Incoming) -> HttpRefusal {
        let rest = async { while let Some(Ok(_)) = body.frame().await {} };
        // Past the deadline the answer goes out anyway, and may get lost.
        let _ = timeout(self.limits.body / 2, rest).await;
        let message = format!("the body is larger than {} bytes", self.limits.body_bytes);
        HttpRefusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", message)
    }
}

fn refuse(refusal: HttpRefusal) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(refusal.message + "\n")));
    *response.status_mut() = refusal.status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if refusal.status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

fn is_json(content_type: Option<&HeaderValue>) -> bool {
    let Some(text) = content_type.and_then(|value| value.to_str().ok()) else { return false };
    let essence = text.split_once(';').map_or(text, |(essence, _)| essence);
    essence.trim().eq_ignore_ascii_case("application/json")
}

const PATH: &str = "/validate";
const JSON: HeaderValue = HeaderValue::from_static("application/json");

pub(super) const KIB: u32 = 10;

/// What an API server mostly sends: read without asking for memory, since connections times this is bounded, and judged
/// where it arrives, since to hand it to a worker would take as long as to judge it.
pub(super) const SMALL_BODY: usize = 32 << 10;

/// Memory that a large body is granted at a time.
const GRANT: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_is_json() {
        let is = |text: &'static str| is_json(Some(&HeaderValue::from_static(text)));
        assert!(is("application/json") && is("application/JSON; charset=utf-8"));
        assert!(!is("text/json") && !is("application/json-patch+json") && !is_json(None));
    }
}
