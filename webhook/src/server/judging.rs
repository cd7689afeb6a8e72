//! Judging reviews by a deadline, whatever they hold.

use std::sync::Arc;

use http::StatusCode;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use super::request::{ReceivedBody, SMALL_BODY};
use super::service::ReviewService;
use crate::refusal::HttpRefusal;
use crate::review::Turn;

impl ReviewService {
    /// The answer to a review. A review that is not judged by `deadline` is allowed, marked and counted.
    ///
    /// Small reviews are judged at once. Large ones are judged by a few workers, so that they hold up neither the small
    /// ones nor each other's reading; when all workers are busy they wait.
    pub(super) async fn judge_in_time(&self, body: ReceivedBody, deadline: Instant) -> Result<Vec<u8>, HttpRefusal> {
        if body.bytes.len() <= SMALL_BODY {
            return self.reviewer.answer_in_turn(&body.bytes, &Turn::default());
        }
        let (body, turn) = (Arc::new(body), Arc::new(Turn::default()));
        // When the client leaves, this future is dropped, and the worker has nobody to answer.
        let _leaving = Leaving(Arc::clone(&turn));
        let mut work = Box::pin(self.work(Arc::clone(&body), Arc::clone(&turn)));
        if let Ok(answer) = timeout_at(deadline, &mut work).await {
            return answer;
        }
        if turn.take() {
            return self.reviewer.out_of_time(&body.bytes);
        }
        // The worker has taken the turn at this very moment, and its answer counts.
        work.await
    }

    async fn work(&self, body: Arc<ReceivedBody>, turn: Arc<Turn>) -> Result<Vec<u8>, HttpRefusal> {
        let stopping = || HttpRefusal::new(StatusCode::SERVICE_UNAVAILABLE, "overload", "the guard is stopping");
        let worker = Arc::clone(&self.workers).acquire_owned().await.map_err(|_| stopping())?;
        let reviewer = Arc::clone(&self.reviewer);
        let judge = move || {
            // The permit is held until the worker is done, even when nobody waits for the answer any more.
            let _worker = worker;
            reviewer.answer_in_turn(&body.bytes, &turn)
        };
        spawn_blocking(judge).await.unwrap_or_else(|_| Err(stopping()))
    }
}

/// Takes the turn when it is dropped, so that the worker neither counts nor logs an answer that nobody gets.
struct Leaving(Arc<Turn>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.take();
    }
}
