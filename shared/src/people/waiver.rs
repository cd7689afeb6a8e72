//! Waivers: findings accepted for a time. A waiver never turns a verdict into "supported".
//!
//! These decisions are made here once, for check, dry run and guard:
//!
//! - **Time.** A waiver counts from the instant `notBefore` on, up to and not at `expires`. Both are in RFC 3339 with
//!   an offset, with a fraction of a second where somebody writes one. A day is 86,400 seconds of UTC, so neither
//!   daylight saving nor a leap second moves an end; `23:59:60` is read as `23:59:59`. A time without an offset is
//!   refused, not guessed.
//! - **Terms.** A waiver that breaks a term, has expired, has not begun or has lapsed does not count at all: the
//!   finding is back.
//! - **Names.** Reports tell waivers apart by name, so two of one name in the same set are both invalid. When sets are
//!   joined, the one in the guard's configuration counts: the writer of another set must not be able to take it away.
//! - **Order.** Where several waivers cover one finding, the one that ends last is shown, then the first by name. What
//!   a report says about the end is then true, and does not depend on the order of a file.
//! - **Texts.** Texts are printed to terminals and written to audit records, so control characters and overlong texts
//!   are refused. Line breaks are fine in `reason`, which is shown on one line.

pub(crate) mod coverage;
mod likely;
mod moved;
mod read;
#[cfg(test)]
pub(crate) mod samples;
pub(crate) mod set;
mod terms;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use coverage::{Lapsed, apply};
pub use moved::Moved;
pub use read::{Objects, SUPPORT_WAIVER, Unreadable, WaiverEntry, WaiverPlace, entries, parse};
pub use set::{WaiverStatus, all_problems, in_force, split_valid, status};
pub use terms::{Invalid, MAX_DAYS};

/// A waiver, from a file, the guard's configuration or a `SupportWaiver` object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Waiver {
    /// Its name, for reports; unique among the waivers it is used with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "schema", schemars(required))]
    pub name: String,
    /// The codes of its rules; no wildcards.
    pub rules: Vec<String>,
    /// The object or finding that it covers, exactly.
    #[serde(rename = "match")]
    pub matches: Match,
    /// The reason.
    pub reason: String,
    /// A ticket; required for findings that void support, unless Microsoft's case stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The person who asked for it.
    pub requested_by: String,
    /// The person who approved it, other than the one who asked. Microsoft's support case takes the place where it is
    /// given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub approved_by: String,
    /// The moment from which on it counts, RFC 3339; always, if left out. Required for findings that void support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub not_before: Option<Timestamp>,
    /// The moment at which it ends, RFC 3339; the finding returns at this instant.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub expires: Timestamp,
    /// The authority behind it.
    #[serde(default)]
    pub kind: WaiverKind,
    /// Microsoft's support case; required for `microsoft-directed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support_case: Option<String>,
    /// Values that have to stay as they were when the waiver was given; it lapses otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lapses_unless: Option<Pin>,
}

/// The authority behind a waiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum WaiverKind {
    /// The operator accepts the risk.
    #[default]
    Accepted,
    /// Microsoft Support directed the change (clause C23).
    MicrosoftDirected,
}

/// The subject of a waiver: an object by kind, namespace and name, or a finding by its fingerprint. All fields that are
/// given have to match, exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Match {
    /// Kind.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Namespace; left out for cluster-scoped objects.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The field; any, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The finding's fingerprint, as reports show it; kind and name may then be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// Values of a finding for which a waiver was given. When one of them changes, the waiver lapses, so that somebody
/// looks again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pin {
    /// The object's uid: a recreated object of the same name has another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The value found, `after` in a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The end of the change, RFC 3339: the waiver lapses if the object is changed after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub changed_before: Option<Timestamp>,
}

impl Match {
    /// The object by its name alone, for a line about deadlines; the fingerprint where there is no name.
    pub fn word(&self) -> &str {
        if self.name.is_empty() { self.fingerprint.as_deref().unwrap_or_default() } else { &self.name }
    }

    /// The object for people: `kube-system/deployment/log-agent`, with field and fingerprint where they are given.
    pub fn short(&self) -> String {
        let mut words = Vec::new();
        if !self.name.is_empty() {
            let kind = self.kind.to_lowercase();
            let namespace = if self.namespace.is_empty() { String::new() } else { format!("{}/", self.namespace) };
            words.push(format!("{namespace}{kind}/{}", self.name));
        }
        words.extend(self.path.clone());
        words.extend(self.fingerprint.as_ref().map(|print| format!("finding {print}")));
        words.join(" ")
    }
}
