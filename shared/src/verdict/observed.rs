//! The observed record: who would have been denied or warned of under `enforce`, by identity and rule. The guard keeps it
//! in one ConfigMap of its namespace, and `guard observed` shows it.
//!
//! It holds identities, rules and kinds, and nothing of an object's content. Its size is bounded: identities are cut, and
//! when it is full, one that is new is only counted, unless another has not been seen for a month.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::data::own;
use crate::facts::actor::Actor;
use crate::text;
use crate::verdict::guard::Decision;

/// The namespace of the ConfigMap.
pub const NAMESPACE: &str = own::NAMESPACE;

/// The name of the ConfigMap.
pub const NAME: &str = "guard-observed";

/// The key of its `data` that holds the record.
pub const KEY: &str = "observed.json";

/// Who would have been denied or warned of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedRecord {
    rows: BTreeMap<Observed, Sightings>,
    /// Sightings of identities for which there was no room.
    left_out: u64,
}

/// An identity, and a rule that minded what it did.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    /// The user's name.
    pub user: String,
    /// The first credential id, `X509SHA256=…`; empty where the API server gives none.
    pub credential_id: String,
    /// The field manager that the client named; empty for deletes.
    pub field_manager: String,
    /// `AA201`.
    pub rule: String,
}

/// What was seen of an identity and a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sightings {
    /// Who the guard takes the identity for.
    pub actor: Actor,
    /// The heaviest decision that `enforce` makes about it.
    pub in_enforce: Decision,
    /// The resource of the last change, `nodes`.
    pub resource: String,
    /// The operation of the last change, `UPDATE`.
    pub operation: String,
    /// How many changes, without dry runs.
    pub count: u64,
    /// When the first one was made.
    pub first: Timestamp,
    /// When the last one was made.
    pub last: Timestamp,
}

/// The record as it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ObservedDocument {
    rows: Vec<ObservedRow>,
    #[serde(default)]
    left_out: u64,
}

#[derive(Serialize, Deserialize)]
struct ObservedRow {
    #[serde(flatten)]
    who: Observed,
    #[serde(flatten)]
    seen: Sightings,
}

impl Observed {
    /// The identity with its names cut, so that a record of them stays small, and without control characters.
    pub fn new(user: &str, credential_id: &str, field_manager: &str, rule: &str) -> Self {
        Observed {
            user: text::line(user, MAX_USER),
            credential_id: text::line(credential_id, MAX_NAME),
            field_manager: text::line(field_manager, MAX_NAME),
            rule: text::line(rule, MAX_NAME),
        }
    }
}

impl ObservedRecord {
    /// Reads the text of the record; an empty one is an empty record.
    ///
    /// # Errors
    /// A line for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(ObservedRecord::default());
        }
        let document: ObservedDocument = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut record = ObservedRecord { left_out: document.left_out, ..ObservedRecord::default() };
        for ObservedRow { who: Observed { user, credential_id, field_manager, rule }, seen } in document.rows {
            let resource = text::line(&seen.resource, MAX_NAME);
            let operation = text::line(&seen.operation, MAX_NAME);
            // Whoever may write the object may have written anything.
            record.add(
                Observed::new(&user, &credential_id, &field_manager, &rule),
                Sightings { resource, operation, ..seen },
            );
        }
        Ok(record)
    }

    /// The text of the record.
    pub fn text(&self) -> String {
        let rows = self.rows.iter().map(|(who, seen)| ObservedRow { who: who.clone(), seen: seen.clone() });
        let document = ObservedDocument { rows: rows.collect(), left_out: self.left_out };
        // Strings, numbers and times always serialise.
        serde_json::to_string(&document).unwrap_or_default()
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.left_out == 0
    }

    /// The identities with what was seen of them, in their order.
    pub fn rows(&self) -> impl Iterator<Item = (&Observed, &Sightings)> {
        self.rows.iter()
    }

    /// How many sightings had no room.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Adds what was seen of an identity.
    pub fn add(&mut self, who: Observed, seen: Sightings) {
        if let Some(own) = self.rows.get_mut(&who) {
            own.join(seen);
            return;
        }
        if self.rows.len() >= MAX_ROWS {
            let oldest = self.rows.iter().min_by_key(|(_, seen)| seen.last);
            match oldest.map(|(who, old)| (who.clone(), seen.last.duration_since(old.last))) {
                Some((oldest, age)) if age > FORGET => {
                    self.rows.remove(&oldest);
                }
                _ => {
                    self.left_out = self.left_out.saturating_add(seen.count);
                    return;
                }
            }
        }
        self.rows.insert(who, seen);
    }

    /// Adds all of another record.
    pub fn merge(&mut self, other: &ObservedRecord) {
        self.left_out = self.left_out.saturating_add(other.left_out);
        for (who, seen) in &other.rows {
            self.add(who.clone(), seen.clone());
        }
    }
}

impl Sightings {
    fn join(&mut self, other: Sightings) {
        let (count, first) = (self.count.saturating_add(other.count), self.first.min(other.first));
        let in_enforce = self.in_enforce.max(other.in_enforce);
        let last = self.last.max(other.last);
        if other.last >= self.last {
            *self = other;
        }
        *self = Sightings { in_enforce, count, first, last, ..self.clone() };
    }
}

/// Rows: far more than a cluster has administrators and tools, and some 300 KiB at most, where a ConfigMap holds 1 MiB.
const MAX_ROWS: usize = 500;
/// Bytes of a user's name.
const MAX_USER: usize = 256;
/// Bytes of any other name. A credential id has 75.
const MAX_NAME: usize = 128;
/// How long a row is kept when there is no room for another.
const FORGET: SignedDuration = SignedDuration::from_hours(24 * 30);

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(day: i64, count: u64, in_enforce: Decision) -> Sightings {
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * day);
        let (resource, operation) = ("nodes".to_owned(), "UPDATE".to_owned());
        Sightings { actor: Actor::Person, in_enforce, resource, operation, count, first: at, last: at }
    }

    fn who(user: &str) -> Observed {
        Observed::new(user, "", "kubectl-label", "AA201")
    }

    #[test]
    fn counts_add_up_and_survive_being_written() {
        let mut record = ObservedRecord::default();
        record.add(who("alice"), seen(5, 2, Decision::Warn));
        let mut other = ObservedRecord::default();
        other.add(who("alice"), seen(3, 1, Decision::Deny));
        other.add(who("bob"), seen(4, 1, Decision::Warn));
        record.merge(&other);
        let read = ObservedRecord::parse(&record.text()).unwrap();
        assert_eq!(read, record);
        let rows: Vec<_> = read.rows().collect();
        assert_eq!(rows.len(), 2);
        let alice = rows[0].1;
        assert_eq!((alice.count, alice.in_enforce), (3, Decision::Deny));
        assert_eq!((alice.first, alice.last), (seen(3, 1, Decision::Warn).first, seen(5, 1, Decision::Warn).last));
        assert_eq!(ObservedRecord::parse("").unwrap(), ObservedRecord::default());
        for bad in ["{", "[]", "{\"rows\": [{}]}"] {
            assert!(ObservedRecord::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn it_stays_small_whoever_fills_it() {
        let mut record = ObservedRecord::default();
        let long = "ä".repeat(5_000);
        for number in 0..2_000 {
            let who = Observed::new(&format!("{number}{long}"), &long, &long, "AA201");
            record.add(who, seen(0, 1, Decision::Deny));
        }
        assert_eq!((record.rows().count(), record.left_out()), (MAX_ROWS, 1_500));
        assert!(record.text().len() < 700 << 10, "{}", record.text().len());
        // What was not seen for a month makes room.
        record.add(who("late"), seen(20, 1, Decision::Deny));
        assert_eq!(record.left_out(), 1_501);
        record.add(who("late"), seen(31, 1, Decision::Deny));
        assert!(record.rows().any(|(who, _)| who.user == "late"));
        assert_eq!(record.rows().count(), MAX_ROWS);
    }

    #[test]
    fn names_from_a_cluster_have_no_control_characters() {
        let text = r#"{"rows": [{"user": "a\u001b[2J", "credentialId": "", "fieldManager": "", "rule": "AA201",
            "actor": "person", "inEnforce": "deny", "resource": "n\n", "operation": "UPDATE", "count": 1,
            "first": "2026-01-01T00:00:00Z", "last": "2026-01-01T00:00:00Z"}]}"#;
        let record = ObservedRecord::parse(text).unwrap();
        let (who, seen) = record.rows().next().unwrap();
        assert!(!who.user.contains('\u{1b}') && !seen.resource.contains('\n'));
    }
}
