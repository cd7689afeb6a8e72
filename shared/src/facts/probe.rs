//! Probes: requests of a check to the API server besides lists, at a few fixed paths, and the certificate that it
//! presents.

use std::collections::BTreeSet;

use serde::Deserialize;

/// A request to the API server that is not a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Probe {
    /// The served groups and versions: `GET /apis`, the JSON of an `APIGroupList`.
    ApiGroups,
    /// The validity of the certificate that the server presents: `BEGIN/END`, both RFC 3339, and nothing else.
    Certificate,
    /// The API server's own metrics: `GET /metrics`, reduced to the lines that a rule reads.
    Metrics,
    /// The readiness of the API server's parts: `GET /readyz?verbose`, also when it is not ready.
    Readyz,
}

impl Probe {
    /// Every probe.
    pub const ALL: [Probe; 4] = [Probe::ApiGroups, Probe::Certificate, Probe::Metrics, Probe::Readyz];

    /// The prefix of the metric that counts requests allowed because a webhook failed (kubernetes/apiserver, admission
    /// metrics).
    pub const FAIL_OPEN: &'static str = "apiserver_admission_webhook_fail_open_count{";

    /// The name used in messages, snapshots and rule pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Probe::ApiGroups => "apis",
            Probe::Certificate => "certificate",
            Probe::Metrics => "metrics",
            Probe::Readyz => "readyz",
        }
    }

    /// The probe with this name.
    pub fn parse(word: &str) -> Option<Self> {
        Probe::ALL.into_iter().find(|probe| probe.as_str() == word)
    }

    /// The path to request; none for the certificate, which is seen while connecting.
    pub fn path(self) -> Option<&'static str> {
        match self {
            Probe::ApiGroups => Some("/apis"),
            Probe::Certificate => None,
            Probe::Metrics => Some("/metrics"),
            Probe::Readyz => Some("/readyz?verbose"),
        }
    }

    /// The non-resource URL that RBAC must allow, where Kubernetes does not allow it to every authenticated user
    /// (`system:discovery` and `system:public-info-viewer` cover the others).
    pub fn needs_right(self) -> Option<&'static str> {
        match self {
            Probe::Metrics => Some("/metrics"),
            Probe::ApiGroups | Probe::Certificate | Probe::Readyz => None,
        }
    }

    /// The part of an answer that is kept. The metrics of a busy API server have many megabytes, and rules read a few
    /// lines.
    pub fn keep(self, text: &str) -> String {
        if self != Probe::Metrics {
            return text.to_owned();
        }
        let kept = text.lines().filter(|line| METRICS.iter().any(|name| line.starts_with(name)));
        kept.flat_map(|line| [line, "\n"]).collect()
    }
}

/// The groups and versions in an answer to [`Probe::ApiGroups`]; `None` where it is not such an answer.
pub fn api_groups(text: &str) -> Option<BTreeSet<(String, String)>> {
    #[derive(Deserialize)]
    struct Groups {
        groups: Vec<Group>,
    }
    #[derive(Deserialize)]
    struct Group {
        name: String,
        #[serde(default)]
        versions: Vec<GroupVersion>,
    }
    #[derive(Deserialize)]
    struct GroupVersion {
        version: String,
    }
    let list: Groups = serde_json::from_str(text).ok()?;
    let pairs = list.groups.into_iter().flat_map(|group| {
        let name = group.name;
        group.versions.into_iter().map(move |version| (name.clone(), version.version))
    });
    Some(pairs.collect())
}

/// The result of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeState {
    /// The probe failed, with the reason.
    Failed(String),
    /// The caller lacks the right to send it.
    Forbidden,
    /// The snapshot does not hold it.
    NotRecorded,
    /// The answer, reduced by [`Probe::keep`].
    Read(String),
}

impl ProbeState {
    /// The answer.
    ///
    /// # Errors
    /// The reason why there is none, for people.
    pub fn text(&self, probe: Probe) -> Result<&str, String> {
        let what = probe.path().unwrap_or("the server's certificate");
        match self {
            ProbeState::Failed(why) => Err(format!("could not read {what}: {why}")),
            ProbeState::Forbidden => Err(format!("needs get {what}, which is forbidden")),
            ProbeState::NotRecorded => {
                Err(format!("the snapshot does not hold {what}: take a new one with this version"))
            }
            ProbeState::Read(text) => Ok(text),
        }
    }
}

/// The prefixes of the metrics that rules read.
const METRICS: [&str; 3] = ["kubernetes_feature_enabled{", "apiserver_requested_deprecated_apis{", Probe::FAIL_OPEN];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_that_rules_read_are_kept_of_metrics() {
        let text = "# HELP x y\nkubernetes_feature_enabled{name=\"A\",stage=\"ALPHA\"} 1\nrest_client_requests_total{code=\"200\"} 5\n";
        assert_eq!(Probe::Metrics.keep(text), "kubernetes_feature_enabled{name=\"A\",stage=\"ALPHA\"} 1\n");
        assert_eq!(Probe::Readyz.keep("[+]ping ok"), "[+]ping ok");
    }

    #[test]
    fn words_lead_back() {
        for probe in Probe::ALL {
            assert_eq!(Probe::parse(probe.as_str()), Some(probe));
        }
    }
}
