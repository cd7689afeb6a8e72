//! Requests: one that is no review is refused, and the body of a review is read within the limits.

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

/// The body of a request, with the memory that it was granted. Dropping it frees the memory for others.
#[derive(Debug)]
pub(super) struct ReceivedBody {
    pub(super) bytes: Bytes,
    _budget: Option<OwnedSemaphorePermit>,
}

impl ReviewService {
    /// The response to a request on the connection in `slot`.
    pub(super) async fn respond(&self, request: Request<Incoming>, slot: &Slot) -> Response<Full<Bytes>> {
        slot.enter(ConnectionState::Receiving);
        // The deadlines count from here. The API server's own began when it connected.
        let begun = Instant::now();
        let answer = match timeout_at(begun + self.limits.body, self.receive(request)).await {
            Ok(Ok(body)) => {
                slot.enter(ConnectionState::Answering);
                let received = Instant::now();
                let answer = self.judge_in_time(body, begun + self.limits.review).await;
                self.counters.review_seconds.observe(received.elapsed());
                answer
            }
            Ok(Err(refusal)) => Err(refusal),
            Err(_) => Err(HttpRefusal::new(
                StatusCode::REQUEST_TIMEOUT,
                "timeout",
                format!("the whole body did not arrive within {:?}", self.limits.body),
            )),
        };
        let mut response = match answer {
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
        // A refused request is not from an API server, or would only be refused again, so its connection frees its
        // slot.
        if response.status() != StatusCode::OK || self.closing.load(Ordering::Relaxed) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        slot.enter(ConnectionState::Idle);
        response
    }

    /// Receives the body of a review, within the limits on its size and on the memory of all bodies.
    async fn receive(&self, request: Request<Incoming>) -> Result<ReceivedBody, HttpRefusal> {
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
        let mut body = request.into_body();
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
            // A small review arrives in one piece and is judged without a copy.
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

    /// Grants memory for at least `size` bytes of a body of at most `most` bytes, and returns for how many. Memory is
    /// granted as bytes arrive, so that a client that announces much and sends nothing takes none from others. When
    /// none becomes free in time the request is refused: taking more would get the process killed.
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
        // More than is needed now, so that not every frame has to ask.
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

    /// The refusal of a body that is too large, once the rest of it is read and thrown away: a client that is still
    /// writing when the connection closes sees a reset instead of the refusal.
    async fn discard(&self, mut body: Incoming) -> HttpRefusal {
        let rest = async { while let Some(Ok(_)) = body.frame().await {} };
        // Past the deadline the refusal goes out anyway, and may get lost.
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

/// The size up to which a body is small, as most are. A small body is read without a grant of memory, since the number
/// of connections bounds their sum, and is judged at once, since handing it to a worker would take as long as judging
/// it.
pub(super) const SMALL_BODY: usize = 32 << 10;

/// Bytes of memory that a large body is granted at a time.
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
