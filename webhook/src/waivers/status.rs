//! The status of `SupportWaiver` objects: whether each of them counts, for those who made it.
//!
//! Every replica writes what it finds, and only where the object says something else: replicas that go by the same
//! configuration find the same. A write names the version of the object that was read, so that it never speaks of another.

use std::collections::BTreeMap;

use aksarc_shared::jiff::Timestamp;
use aksarc_shared::k8s::kinds::escaped;
use aksarc_shared::people::waiver::SUPPORT_WAIVER;
use aksarc_shared::text;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::api::{Api, ApiAnswer, ApiError};
use crate::metrics::OutcomeCounters;

/// A `SupportWaiver` object as far as its status goes.
#[derive(Debug, Deserialize)]
pub(super) struct StoredWaiver {
    metadata: StoredMeta,
    #[serde(default)]
    spec: StoredTerm,
    #[serde(default)]
    status: Option<WaiverState>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredMeta {
    name: String,
    #[serde(default)]
    resource_version: String,
    #[serde(default)]
    generation: i64,
}

#[derive(Debug, Default, Deserialize)]
struct StoredTerm {
    expires: Option<String>,
}

/// The status that the guard gives a waiver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct WaiverState {
    state: String,
    why: String,
    observed_generation: i64,
}

/// The waivers of one page of their list; none where the page cannot be read, which another reader tells.
pub(super) fn stored(page: &[u8]) -> Vec<StoredWaiver> {
    #[derive(Deserialize)]
    struct StoredPage {
        #[serde(default)]
        items: Vec<StoredWaiver>,
    }
    serde_json::from_slice(page).map(|page: StoredPage| page.items).unwrap_or_default()
}

impl StoredWaiver {
    /// The status that it should have; `ignored` has the reasons why waivers do not count, by name.
    fn due(&self, ignored: &BTreeMap<String, String>, now: Timestamp) -> WaiverState {
        let ends = self.spec.expires.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
        let (state, why) = match ignored.get(&self.metadata.name) {
            Some(why) => ("Ignored", text::line(why, MAX_WHY)),
            None if ends.is_some_and(|ends| ends <= now) => ("Expired", String::new()),
            None => ("Counts", String::new()),
        };
        WaiverState { state: state.to_owned(), why, observed_generation: self.metadata.generation }
    }
}

/// The words for the outcomes of a write in metrics.
pub(super) const WORDS: [&str; 4] = ["written", "stale", "forbidden", "failed"];

/// Writes each status that differs from the one that is due. The first failure ends it until the next reading.
pub(super) async fn write(
    api: &Api,
    writes: &OutcomeCounters,
    stored: &[StoredWaiver],
    ignored: &BTreeMap<String, String>,
) -> Result<(), String> {
    let now = Timestamp::now();
    let differing = stored.iter().map(|own| (own, own.due(ignored, now)));
    for (own, due) in differing.filter(|(own, due)| own.status.as_ref() != Some(due)).take(MAX_WRITES) {
        let operations = json!([
            {"op": "test", "path": "/metadata/resourceVersion", "value": own.metadata.resource_version},
            {"op": "add", "path": "/status", "value": due},
        ]);
        let path = format!("{}/{}/status", SUPPORT_WAIVER.list_path(None), escaped(&own.metadata.name));
        let (word, ended) = outcome(api.json_patch(&path, &operations).await);
        writes.count(word);
        ended?;
    }
    Ok(())
}

/// The word for the outcome of a write, and why it failed. An object that changed or went meanwhile is no failure, nor is a
/// definition from before there was a status.
fn outcome(answer: Result<ApiAnswer, ApiError>) -> (&'static str, Result<(), String>) {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return ("failed", Err(error.to_string())),
    };
    match answer.status {
        status if status.is_success() => ("written", Ok(())),
        StatusCode::CONFLICT | StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => ("stale", Ok(())),
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => ("forbidden", Err(answer.refusal())),
        _ => ("failed", Err(answer.refusal())),
    }
}

/// Bytes of a reason, as the definition has it.
const MAX_WHY: usize = 300;
/// Writes after one reading, which must not hold up the next; the others follow then.
const MAX_WRITES: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiver_counts_until_it_is_over_unless_it_is_ignored() {
        let page =
            br#"{"items": [{"metadata": {"name": "a", "generation": 2}, "spec": {"expires": "2026-06-02T00:00:00Z"}},
            {"metadata": {"name": "b"}, "spec": {}, "status": {"state": "Counts"}}]}"#;
        let waivers = stored(page);
        let ignored = BTreeMap::from([("b".to_owned(), "no ticket".to_owned())]);
        let at = |moment: &str, at: usize| waivers[at].due(&ignored, moment.parse().unwrap());
        assert_eq!(at("2026-06-01T23:59:59Z", 0).state, "Counts");
        assert_eq!(at("2026-06-02T00:00:00Z", 0).state, "Expired");
        let due = at("2026-06-01T00:00:00Z", 1);
        assert_eq!((&*due.state, &*due.why, due.observed_generation), ("Ignored", "no ticket", 0));
        assert_ne!(waivers[1].status.as_ref(), Some(&due));
        assert_eq!(stored(b"[").len(), 0);
    }
}
