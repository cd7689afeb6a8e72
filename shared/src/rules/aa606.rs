//! AA606: a certificate the cluster depends on is about to end.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::data::Platform;
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::facts::probe::Probe;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::certificate::{self, Published, Validity};
use crate::k8s::kinds;
use crate::k8s::object::{Object, Pairs};
use crate::k8s::text::Text;
use crate::rules::parts::cluster_api;
use crate::rules::rule::{
    Context, Due, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Weight,
};
use crate::text;

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA606"),
    slug: "certificate-expiry",
    summary: "a certificate that the cluster depends on has ended or is about to end",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Operational),
    clauses: &[Clause::new("C32")],
    platforms: &Platform::ALL,
    reads: &[
        Read { kind: &kinds::CONFIG_MAP, scope: Scope::KubeSystem },
        Read { kind: &kinds::MACHINE, scope: Scope::Cluster },
    ],
    probes: &[Probe::Certificate],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "let the platform renew the certificate",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: Some(deadlines) };

/// Notes published and recorded certificates as undecided drafts. The message names the certificate only: the time is
/// known to `per_cluster`.
fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    if *seen.kind == kinds::CONFIG_MAP {
        published(seen, notes);
    } else if *seen.kind == kinds::MACHINE {
        recorded(seen, notes);
    }
}

/// Notes the certificates a ConfigMap publishes. Of a bundle, the last to end counts: while authorities are replaced,
/// the old one stands beside the new one.
fn published(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let map = seen.object;
    for own in Published::in_object(map) {
        let place = format!("ConfigMap {}/{}", &*map.meta.namespace, &*map.meta.name);
        let data = match map.raw("data") {
            None | Some("null") => {
                notes.remark(UnreadCertificate { what: place, why: "its certificates are not recorded".to_owned() });
                return;
            }
            Some(_) => map.field::<Pairs<'_>>("data"),
        };
        let Some(data) = data else {
            notes.remark(UnreadCertificate { what: place, why: "its data cannot be read".to_owned() });
            return;
        };
        // An API server without a front proxy publishes no authority for one.
        let Some(pem) = data.get(own.key) else { continue };
        let lives = certificate::bundle(pem);
        let unread = lives.iter().find_map(|life| life.as_ref().err().cloned());
        let unread = if lives.is_empty() { Some("it holds no certificate".to_owned()) } else { unread };
        if let Some(why) = unread {
            notes.remark(UnreadCertificate {
                what: format!("{} of {place}", own.key),
                why: text::line(&why, MAX_REASON),
            });
        }
        let Some(last) = lives.iter().flatten().max_by_key(|life| life.end) else { continue };
        let mut draft = Draft::at(ObjectRef::of(map, seen.kind), own.path()).says(own.what);
        if lives.len() > 1 {
            draft = draft.with(Evidence::seen("bundle", format!("the last to end of {} certificates", lives.len())));
        }
        notes.undecided(draft, *last);
    }
}

/// Notes the certificate end that Cluster API recorded on a control-plane machine. Cluster API writes the end of the
/// machine's first certificate and never looks again, so a certificate of a few days has been renewed since. Its
/// beginning is not recorded; it is no older than its machine.
fn recorded(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (machine, meta) = (seen.object, &seen.object.meta);
    let counts = meta.labels.get(CONTROL_PLANE).is_some() && meta.deletion_timestamp.is_none();
    if !counts || !cluster_api::is_aks_arc(machine, seen.kind, seen.data) {
        return;
    }
    let Some((path, end)) = expiry(machine) else { return };
    let what = format!("Machine {}/{}", &*meta.namespace, &*meta.name);
    let Ok(end) = end.parse::<Timestamp>() else {
        notes.remark(UnreadCertificate { what, why: format!("{path} is not a date") });
        return;
    };
    let life = Validity { begin: meta.creation_timestamp.as_ref().and_then(|time| time.parse().ok()), end };
    if life.length().is_some_and(|length| length <= SHORT_LIVED) {
        return;
    }
    let draft = Draft::at(ObjectRef::of(machine, seen.kind), path)
        .says(format!("the API server's certificate on {what}"))
        .with(Evidence::seen("record", "written by Cluster API, once for each machine"));
    notes.undecided(draft, life);
}

/// The path and value of a machine's recorded certificate end. The annotation goes before the status, as for Cluster
/// API.
fn expiry(machine: &Object<'_>) -> Option<(String, String)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct MachineStatus<'a> {
        #[serde(borrow, default)]
        certificates_expiry_date: Option<Text<'a>>,
    }
    if let Some(end) = machine.meta.annotations.get(EXPIRY) {
        return Some((format!("metadata.annotations[{EXPIRY}]"), end.to_owned()));
    }
    let end = machine.field::<MachineStatus<'_>>("status")?.certificates_expiry_date?;
    Some(("status.certificatesExpiryDate".to_owned(), end.to_string()))
}

/// A certificate that cannot be read, and the reason.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct UnreadCertificate {
    what: String,
    why: String,
}

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let mut open: Vec<String> =
        inventory.remarks(RULE.code).map(|UnreadCertificate { what, why }| format!("{what}: {why}")).collect();
    // The engine reports a probe that failed as a gap.
    if let Ok(text) = inventory.probe(Probe::Certificate)
        && Validity::parse(text).is_none()
    {
        open.insert(0, "the recorded end of the server's certificate is not a date".to_owned());
    }
    let drafts = certificates(inventory).filter_map(|(draft, life)| judge(draft, life, context.now)).collect();
    match &*open {
        [] => Verdict::Found(drafts),
        [one] => Verdict::FoundPartly(drafts, one.clone()),
        [one, rest @ ..] => Verdict::FoundPartly(drafts, format!("{one}; and {} more", rest.len())),
    }
}

/// Every certificate with its validity, as a draft whose message names the certificate.
fn certificates(inventory: &Inventory) -> impl Iterator<Item = (Draft, Validity)> {
    let presented = inventory.probe(Probe::Certificate).ok().and_then(Validity::parse).map(|life| {
        let name = "the certificate that the API server presents";
        (Draft::at(ObjectRef::cluster(), "certificate.notAfter").says(name), life)
    });
    let noted = inventory.undecided::<Validity>(RULE.code).iter();
    presented.into_iter().chain(noted.map(|suspect| (suspect.draft.clone(), suspect.depends_on)))
}

fn judge(draft: Draft, life: Validity, now: Timestamp) -> Option<Draft> {
    let left = life.end.duration_since(now);
    if left > warn_before(life) {
        return None;
    }
    let message = if left.is_positive() {
        format!("{} ends at {}, in {}", draft.message, life.end, words(left))
    } else {
        format!("{} ended at {}, {} ago", draft.message, life.end, words(left))
    };
    let seen = match life.begin {
        // A machine's record has no beginning.
        Some(begin) if draft.object.kind != kinds::MACHINE.kind => format!("holds from {begin} to {}", life.end),
        _ => format!("ends at {}", life.end),
    };
    let end = life.end.to_string();
    let draft = draft.values(Some("a later time"), Some(&end)).says(message).with(Evidence::seen("certificate", seen));
    Some(if left.is_positive() { draft } else { draft.broken() })
}

/// The ends of certificates. A certificate of a few days is renewed by machine, and has no deadline.
fn deadlines(inventory: &Inventory, _: &Context<'_>) -> Vec<Due> {
    let long = certificates(inventory).filter(|(_, life)| life.length().is_some_and(|length| length > SHORT_LIVED));
    long.map(|(draft, life)| Due {
        on: life.end.to_zoned(TimeZone::UTC).date(),
        what: format!("{} ends", draft.message),
        subject: String::new(),
    })
    .collect()
}

/// The time before the end from which there is a finding: a share of the certificate's life, so that a certificate of
/// four days that is renewed in time is never one.
fn warn_before(life: Validity) -> SignedDuration {
    match life.length() {
        Some(length) => (length / SHARE).clamp(SignedDuration::ZERO, AT_MOST),
        None => UNKNOWN_LIFE,
    }
}

fn words(left: SignedDuration) -> String {
    let hours = left.abs().as_hours();
    match (hours / 24, hours) {
        (0, 0) => "less than an hour".to_owned(),
        (0, 1) => "1 hour".to_owned(),
        (0, hours) => format!("{hours} hours"),
        (1, _) => "1 day".to_owned(),
        (days, _) => format!("{days} days"),
    }
}

/// The last sixteenth: 6 hours of 4 days, 23 days of a year.
const SHARE: i32 = 16;

const AT_MOST: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The time for a certificate with an unknown beginning: as for one of four days.
const UNKNOWN_LIFE: SignedDuration = SignedDuration::from_hours(6);

const SHORT_LIVED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The label of a control-plane machine, and the annotation with the end of its certificates
/// (kubernetes-sigs/cluster-api, 2026-08).
const CONTROL_PLANE: &str = "cluster.x-k8s.io/control-plane";
const EXPIRY: &str = "machine.cluster.x-k8s.io/certificates-expiry";

/// The longest reason shown. Errors of parsers are short, but a ConfigMap may hold anything.
const MAX_REASON: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::embedded;
    use crate::facts::answers::Answers;
    use crate::facts::probe::ProbeState;

    /// An inventory with the server's certificate of a year, and an authority with the given validity.
    fn inventory(authority: &str) -> Inventory {
        let mut inventory = Inventory::default();
        let presented = "2025-12-13T08:00:00Z/2026-12-13T08:00:00Z".to_owned();
        inventory.probes.insert(Probe::Certificate, ProbeState::Read(presented));
        let map = ObjectRef { kind: "ConfigMap".to_owned(), ..ObjectRef::default() };
        let draft = Draft::at(map, "data.client-ca-file").says("the authority of client certificates");
        let mut notes = Notes::default();
        notes.undecided(draft, Validity::parse(authority).unwrap());
        inventory.kept.insert(RULE.code, notes.kept);
        inventory
    }

    fn context() -> Context<'static> {
        Context {
            data: embedded(),
            versions: &[],
            platform: Platform::AzureLocal,
            release: None,
            baseline: None,
            manifests: false,
            answers: Answers::new(&[], embedded(), Timestamp::UNIX_EPOCH),
            unread: Vec::new(),
            now: "2026-06-01T00:00:00Z".parse().unwrap(),
            as_of: "2026-06-01".parse().unwrap(),
        }
    }

    #[test]
    fn a_finding_names_the_certificate_and_its_end() {
        let says = |authority: &str| match per_cluster(&inventory(authority), &context()) {
            Verdict::Found(drafts) => drafts.into_iter().map(|draft| draft.message).collect::<Vec<_>>().join("\n"),
            other => format!("{other:?}"),
        };
        let near = says("2016-06-15T08:00:00Z/2026-06-13T08:00:00Z");
        assert_eq!(near, "the authority of client certificates ends at 2026-06-13T08:00:00Z, in 12 days");
        let over = says("2016-06-15T08:00:00Z/2026-05-31T22:00:00Z");
        assert_eq!(over, "the authority of client certificates ended at 2026-05-31T22:00:00Z, 2 hours ago");
        assert_eq!(says("2016-06-15T08:00:00Z/2026-07-02T08:00:00Z"), "");
    }

    #[test]
    fn a_certificate_of_a_few_days_has_no_deadline() {
        let dues = |authority: &str| -> Vec<String> {
            let dues = deadlines(&inventory(authority), &context());
            dues.into_iter().map(|due| format!("{} {}", due.on, due.what)).collect()
        };
        let presented = "2026-12-13 the certificate that the API server presents ends";
        let authority = "2026-06-13 the authority of client certificates ends";
        assert_eq!(dues("2016-06-15T08:00:00Z/2026-06-13T08:00:00Z"), [presented, authority]);
        assert_eq!(dues("2026-05-29T01:00:00Z/2026-06-02T01:00:00Z"), [presented]);
    }
}
