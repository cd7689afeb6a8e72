//! The connection to the API server: whether it works, how quick it is, and whether the clocks agree.

use http::StatusCode;
use http::header::DATE;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::ask::{Asker, message};
use super::report::{Symptom, SymptomState};
use crate::api::Reply;

/// Requests the version a few times. The quickest reply gives the best estimate of the clock.
pub(super) async fn examine(asker: &Asker) -> (bool, Vec<Symptom>) {
    let mut quickest: Option<Reply<Value>> = None;
    for _ in 0..SAMPLES {
        match asker.get("/version").await {
            Ok(reply) if reply.status == StatusCode::UNAUTHORIZED => {
                let why = format!("the server does not accept the credentials (401 {})", message(&reply));
                let step = "log in again, or choose others with --context, --user or --token";
                return (false, vec![Symptom::new("server", SymptomState::Failed, why).next(step)]);
            }
            Ok(reply) if quickest.as_ref().is_none_or(|other| reply.took < other.took) => quickest = Some(reply),
            Ok(_) => {}
            Err(error) => {
                let why = format!("cannot be reached: {}", aksarc_shared::text::line(&error.reason(), 300));
                return (false, vec![Symptom::new("server", SymptomState::Failed, why).next(error.hint())]);
            }
        }
    }
    let Some(reply) = quickest else { return (false, Vec::new()) };
    let version = reply.body.get("gitVersion").and_then(Value::as_str);
    let milliseconds = reply.took.as_secs_f64() * 1000.0;
    let server = match (reply.status.as_u16(), version) {
        (200, Some(version)) => {
            let version = aksarc_shared::text::line(version, 60);
            Symptom::new("server", SymptomState::Fine, format!("Kubernetes {version} answers in {milliseconds:.0} ms"))
        }
        (403, _) => Symptom::new("server", SymptomState::Incomplete, "answers, but you may not read its version")
            .next("kubectl auth can-i get /version"),
        (status, _) => {
            let why = format!("the server is not a Kubernetes API server ({status} to /version)");
            let check = Symptom::new("server", SymptomState::Failed, why)
                .next("check the server address and any proxy on the way");
            return (false, vec![check]);
        }
    };
    (true, vec![server, clock(&reply)])
}

/// Compares the clocks. The Date header counts whole seconds, and the server wrote it at some moment of the round trip.
fn clock(reply: &Reply<Value>) -> Symptom {
    let date = reply.headers.get(DATE).and_then(|date| date.to_str().ok());
    let Some(there) = date.and_then(|date| DateTimeParser::new().parse_timestamp(date).ok()) else {
        return Symptom::new("clock", SymptomState::Unknown, "the server sends no Date header");
    };
    let took = SignedDuration::try_from(reply.took).unwrap_or(SignedDuration::MAX);
    let (least, most) = ahead(reply.sent, took, there);
    if least <= SignedDuration::ZERO && most >= SignedDuration::ZERO {
        let within = least.abs().max(most.abs()).as_secs_f64();
        return Symptom::new("clock", SymptomState::Fine, format!("agrees with the server's within {within:.1} s"));
    }
    let surely = least.abs().min(most.abs());
    let word = if least > SignedDuration::ZERO { "ahead of" } else { "behind" };
    let summary = format!(
        "{:.0} s {word} the server's, by {:.0} s at least",
        (least.abs() + most.abs()).as_secs_f64() / 2.0,
        surely.as_secs_f64()
    );
    if surely < TOLERATED {
        return Symptom::new("clock", SymptomState::Fine, summary);
    }
    Symptom::new("clock", SymptomState::Warned, summary)
        .next("set this machine's clock, or the server's: days left and certificates are judged by this machine's")
}

/// The least and the most by which our clock is ahead of the server's.
fn ahead(sent: Timestamp, took: SignedDuration, there: Timestamp) -> (SignedDuration, SignedDuration) {
    let early = sent.duration_since(there) - SignedDuration::from_secs(1);
    (early, sent.duration_since(there).saturating_add(took))
}

const SAMPLES: usize = 3;

/// The largest difference that does not affect a check.
const TOLERATED: SignedDuration = SignedDuration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_judged_within_the_uncertainty_of_the_round_trip() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let there = at("2026-11-20T10:00:00Z");
        let trip = SignedDuration::from_millis(400);
        let (least, most) = ahead(at("2026-11-20T10:00:00.500Z"), trip, there);
        assert!(least < SignedDuration::ZERO && most > SignedDuration::ZERO, "the same second is no difference");
        let (least, most) = ahead(at("2026-11-20T10:02:00Z"), trip, there);
        assert_eq!((least.as_millis(), most.as_millis()), (119_000, 120_400));
        let (least, most) = ahead(at("2026-11-20T09:58:00Z"), trip, there);
        assert_eq!((least.as_millis(), most.as_millis()), (-121_000, -119_600));
    }
}
