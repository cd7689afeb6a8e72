//! One replica of the guard, as its metrics tell.

use aksarc_shared::k8s::read::metrics::samples;
use jiff::Timestamp;
use serde::Serialize;

/// A replica of the guard.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Replica {
    /// The pod.
    pub(super) pod: String,
    /// Whether the kubelet says that it is ready.
    pub(super) ready: bool,
    /// What its metrics tell, if they could be read.
    #[serde(flatten)]
    pub(super) told: Option<ReplicaMetrics>,
    /// Why they could not be read.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) unseen: String,
}

/// What the metrics of a replica tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReplicaMetrics {
    pub(super) version: String,
    pub(super) mode: String,
    /// Of the configuration in use; 0 without one.
    pub(super) config_hash: u64,
    /// Whether the configuration in use is the one on disk.
    pub(super) config_loaded: bool,
    /// When the certificate that it serves ends; `None` without one.
    pub(super) certificate_ends: Option<String>,
    /// Whether API servers are told to trust it; `None` where others see to that.
    pub(super) certificate_trusted: Option<bool>,
    /// Reviews since it started, and those of them that were denied and warned of.
    pub(super) reviews: u64,
    pub(super) denied: u64,
    pub(super) warned: u64,
    pub(super) not_evaluated: u64,
    /// Waivers of the cluster that count, and that do not.
    pub(super) waivers: u64,
    pub(super) waivers_ignored: u64,
}

impl ReplicaMetrics {
    /// Reads a scrape; `None` where it is none of the guard's.
    pub(super) fn of(scrape: &str) -> Option<Self> {
        let sum = |name: &str, wanted: &[(&str, &str)]| -> Option<f64> {
            let mut own = samples(scrape, name)
                .filter(|sample| wanted.iter().all(|(label, value)| sample.label(label) == *value))
                .map(|sample| sample.value)
                .peekable();
            own.peek()?;
            Some(own.sum())
        };
        let count = |name: &str, wanted: &[(&str, &str)]| whole(sum(name, wanted).unwrap_or_default());
        let version = samples(scrape, "aksarc_build_info").next()?.label("version").to_owned();
        let mode = samples(scrape, "aksarc_mode_info").find(|sample| sample.value > 0.0);
        let ends = sum("aksarc_certificate_expiry_timestamp_seconds", &[]).map(whole).filter(|ends| *ends > 0);
        let ends = ends.and_then(|ends| Timestamp::from_second(i64::try_from(ends).ok()?).ok());
        Some(ReplicaMetrics {
            version,
            mode: mode.map(|sample| sample.label("mode").to_owned()).unwrap_or_default(),
            config_hash: count("aksarc_config_hash", &[]),
            config_loaded: sum("aksarc_config_last_reload_successful", &[]).is_none_or(|value| value > 0.0),
            certificate_ends: ends.map(|ends| ends.to_string()),
            certificate_trusted: sum("aksarc_certificate_trusted", &[]).map(|value| value > 0.0),
            reviews: count("aksarc_reviews_total", &[]),
            denied: count("aksarc_reviews_total", &[("decision", "deny")]),
            warned: count("aksarc_reviews_total", &[("decision", "warn")]),
            not_evaluated: count("aksarc_reviews_not_evaluated_total", &[]),
            waivers: count("aksarc_cluster_waivers", &[("state", "taken")]),
            waivers_ignored: count("aksarc_cluster_waivers", &[("state", "ignored")]),
        })
    }
}

/// A count, which metrics give as a number with a fraction.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float that is cast stays within bounds")]
pub(super) fn whole(value: f64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_is_read_and_what_is_missing_is_not_made_up() {
        let scrape = "# TYPE aksarc_reviews_total counter\naksarc_build_info{version=\"0.1.0\"} 1\n\
            aksarc_mode_info{mode=\"enforce\"} 0\naksarc_mode_info{mode=\"warn\"} 1\n\
            aksarc_reviews_total{decision=\"deny\",actor=\"person\"} 3\naksarc_reviews_total{decision=\"allow\",actor=\"person\"} 9\n\
            aksarc_certificate_expiry_timestamp_seconds 1800000000\naksarc_config_last_reload_successful 0\n";
        let told = ReplicaMetrics::of(scrape).unwrap();
        assert_eq!((&*told.version, &*told.mode, told.reviews, told.denied), ("0.1.0", "warn", 12, 3));
        assert_eq!(told.certificate_ends.as_deref(), Some("2027-01-15T08:00:00Z"));
        assert_eq!((told.certificate_trusted, told.config_loaded), (None, false));
        assert_eq!(ReplicaMetrics::of("<html>"), None);
    }
}
