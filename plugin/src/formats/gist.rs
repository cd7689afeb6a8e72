//! The gist of a report, as several formats tell it: what was judged, when, and which findings fail.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use aksarc_shared::jiff::Timestamp;
use aksarc_shared::jiff::civil::Date;
use aksarc_shared::jiff::tz::TimeZone;
use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::{ConsequenceV1, FindingV1, InputKindV1, PlaceV1, ReportV1};
use sha2::{Digest as _, Sha256};

/// The findings that speak against the cluster, heaviest first: neither waived nor information only.
pub(super) fn failing(report: &ReportV1) -> impl Iterator<Item = &FindingV1> {
    report.findings.iter().filter(|finding| finding.waiver.is_none() && finding.consequence != ConsequenceV1::Info)
}

/// A short name for what was judged: the context of a cluster, the file of a snapshot, `manifests`.
pub(super) fn subject(report: &ReportV1) -> Cow<'_, str> {
    let context = &report.cluster.context;
    let name = match report.input.kind {
        InputKindV1::Manifests => "manifests",
        InputKindV1::Snapshot => file_name(context.strip_prefix("snapshot ").unwrap_or(context)),
        InputKindV1::Cluster => context,
    };
    match name {
        "" if report.cluster.server.is_empty() => Cow::Borrowed("cluster"),
        "" => Cow::Borrowed(&report.cluster.server),
        name => Cow::Borrowed(name),
    }
}

/// A name for the cluster that stays from run to run: its uid where known, else the server, else what it is called.
fn identity(report: &ReportV1) -> Cow<'_, str> {
    let cluster = &report.cluster;
    match [&cluster.uid, &cluster.server].into_iter().find(|name| !name.is_empty()) {
        Some(name) => Cow::Borrowed(name),
        None => subject(report),
    }
}

/// The moment that was judged.
pub(super) fn moment(report: &ReportV1) -> Timestamp {
    let mut given = [&report.input.as_of, &report.input.taken_at, &report.input.taken].into_iter().flatten();
    let day = || report.policy.as_of.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
    given.find_map(|text| text.parse().ok()).or_else(day).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// When the state that was judged was read: of a snapshot when it was taken, whatever day it was judged by. A check of a
/// cluster as of another moment tells only that one, so that the same cluster gives the same text.
pub(super) fn state_read(report: &ReportV1) -> Timestamp {
    let mut given = [&report.input.taken_at, &report.input.taken].into_iter().flatten();
    given.find_map(|text| text.parse().ok()).unwrap_or_else(|| moment(report))
}

/// The failing findings, each with an identity that stays from run to run: of rule, cluster, object and field. Neither
/// values nor versions are in it. The number tells those apart that have all of them in common.
pub(super) fn prints(report: &ReportV1) -> impl Iterator<Item = (&FindingV1, String)> {
    let mut prints = Prints::of(report);
    failing(report).map(move |finding| (finding, prints.next(finding)))
}

/// The same, once for each place in a file where a finding has any.
pub(super) fn prints_by_place(report: &ReportV1) -> impl Iterator<Item = (&FindingV1, Option<&PlaceV1>, String)> {
    let mut prints = Prints::of(report);
    let placed = failing(report).flat_map(|finding| {
        let nowhere = finding.places.is_empty().then_some((finding, None));
        nowhere.into_iter().chain(finding.places.iter().map(move |place| (finding, Some(place))))
    });
    placed.map(move |(finding, place)| (finding, place, prints.next(finding)))
}

/// The identities of a report's findings, and how often each was given.
struct Prints<'r> {
    cluster: Cow<'r, str>,
    twins: HashMap<String, usize>,
}

impl<'r> Prints<'r> {
    fn of(report: &'r ReportV1) -> Self {
        Prints { cluster: identity(report), twins: HashMap::new() }
    }

    fn next(&mut self, finding: &FindingV1) -> String {
        let object = &finding.object;
        let group = object.api_version.split_once('/').map_or("", |(group, _)| group);
        let mut hash = Sha256::new();
        for part in [
            &*finding.code,
            &*self.cluster,
            group,
            &*object.kind,
            &*object.namespace,
            steady_name(finding),
            &*finding.path,
        ] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let print = text::short_hex(&hash.finalize());
        let twin = self.twins.entry(print.clone()).or_default();
        *twin += 1;
        format!("{print}:{twin}")
    }
}

/// The name of an object without what a controller appends to the names of its pods, which differ after each restart.
pub(super) fn steady_name(finding: &FindingV1) -> &str {
    let name = &*finding.object.name;
    if finding.object.kind != "Pod" {
        return name;
    }
    let generated = |part: &str, lengths: &[usize]| lengths.contains(&part.len()) && part.chars().all(is_generated);
    match name.rsplit_once('-') {
        Some((rest, last)) if generated(last, &[5]) => match rest.rsplit_once('-') {
            // The hash of a ReplicaSet's template.
            Some((rest, hash)) if generated(hash, &[8, 9, 10]) => rest,
            _ => rest,
        },
        _ => name,
    }
}

/// Whether Kubernetes uses the character in the names that it generates.
fn is_generated(c: char) -> bool {
    "bcdfghjklmnpqrstvwxz2456789".contains(c)
}

/// The name of a file without its directory and its endings.
fn file_name(path: &str) -> &str {
    let name = Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or("-");
    [".tar.gz", ".tgz", ".json", ".yaml", ".yml"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restarted_pod_keeps_its_name_and_other_names_are_whole() {
        let of = |kind: &str, name: &str| {
            let json = serde_json::json!({
                "code": "AA405", "slug": "", "consequence": "info", "basis": "derived", "documents": [], "clauses": [],
                "sections": [], "members": [], "path": "", "message": "", "evidence": [], "fix": [], "fingerprint": "",
                "object": {"apiVersion": "v1", "kind": kind, "namespace": "", "name": name, "uid": ""},
            });
            steady_name(&serde_json::from_value(json).unwrap()).to_owned()
        };
        assert_eq!(of("Pod", "web-7d9f6c5b4d-x2lqz"), "web");
        assert_eq!(of("Pod", "calico-node-x2lqz"), "calico-node");
        for name in ["web-0", "kube-apiserver-moc-lzp4x7", "web-abcde", "a"] {
            assert_eq!(of("Pod", name), name);
        }
        assert_eq!(of("Deployment", "web-x2lqz"), "web-x2lqz");
    }

    #[test]
    fn a_snapshot_is_named_after_its_file() {
        assert_eq!(file_name("/tmp/edge.tar.gz"), "edge");
        assert_eq!(file_name("clusters/drifted"), "drifted");
        assert_eq!(file_name("edge.v2.json"), "edge.v2");
    }
}
