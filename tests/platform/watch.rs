//! What the guard and the API server counted.

use aksarc_tests::guard::Guard;
use aksarc_tests::{ControlPlane, Identity};

/// What the guard has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Reviews that were judged.
    pub(crate) asked: u64,
    pub(crate) warned: u64,
    pub(crate) denied: u64,
    /// Requests refused by the guard's server, and reviews that it left unjudged.
    pub(crate) missed: u64,
    /// Findings that a waiver covers.
    pub(crate) waived: u64,
}

impl Counted {
    /// What it has counted so far.
    pub(crate) fn now(guard: &Guard) -> Self {
        let text = guard.metrics().unwrap();
        let reviews = |word: &str| sum(&text, "aksarc_reviews_total{", word);
        Counted {
            asked: reviews(""),
            warned: reviews("decision=\"warn\""),
            denied: reviews("decision=\"deny\""),
            missed: sum(&text, "aksarc_reviews_not_evaluated_total{", "")
                + sum(&text, "aksarc_requests_refused_total{", ""),
            waived: sum(&text, "aksarc_findings_waived_total{", ""),
        }
    }

    /// Nothing was denied, warned of or left unjudged.
    pub(crate) fn is_silent(self) -> bool {
        (self.warned, self.denied, self.missed) == (0, 0, 0)
    }

    /// What it has counted between `before` and this.
    pub(crate) fn since(self, before: Self) -> Self {
        Counted {
            asked: self.asked - before.asked,
            warned: self.warned - before.warned,
            denied: self.denied - before.denied,
            missed: self.missed - before.missed,
            waived: self.waived - before.waived,
        }
    }
}

/// What the API server has counted of the guard's webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Requests that match conditions kept away from a webhook.
    pub(crate) away: u64,
    /// Requests that went on without the guard's answer, and conditions that could not be evaluated.
    pub(crate) failed: u64,
}

impl Kept {
    pub(crate) fn now(cluster: &ControlPlane) -> Self {
        let text = cluster.http(&Identity::Admin).unwrap().get("/metrics").unwrap().body;
        let own = |name: &str| sum(&text, name, ".guard.aksarc.dev\"");
        Kept {
            away: own("apiserver_admission_match_condition_exclusions_total{"),
            failed: own("apiserver_admission_webhook_fail_open_count{")
                + own("apiserver_admission_match_condition_evaluation_errors_total{"),
        }
    }
}

/// The sum of the series that begin with `name` and contain `word`.
fn sum(text: &str, name: &str, word: &str) -> u64 {
    let series = text.lines().filter(|line| line.starts_with(name) && line.contains(word));
    series.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}
