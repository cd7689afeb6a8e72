//! A finding in the contract: also of a dry run.

use serde::{Deserialize, Serialize};

use super::words::{BasisV1, ConsequenceV1};

/// A finding, complete.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FindingV1 {
    /// `AA201`.
    pub code: String,
    /// `system-label-changed`.
    pub slug: String,
    /// The consequence.
    pub consequence: ConsequenceV1,
    /// The source that it rests on.
    pub basis: BasisV1,
    /// The pages that a documented finding rests on.
    pub documents: Vec<DocumentV1>,
    /// Clauses of the policy, `C13`.
    pub clauses: Vec<String>,
    /// The sections that those clauses stand in, in their order.
    pub sections: Vec<SectionV1>,
    /// The object.
    pub object: ObjectV1,
    /// Where the object stands in the files that were judged; empty for clusters, snapshots, standard input, what a
    /// kustomization makes, and pools and products as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<PlaceV1>,
    /// Members of the pool or product; empty for single objects.
    pub members: Vec<String>,
    /// The field.
    pub path: String,
    /// The value before or expected.
    pub before: Option<String>,
    /// The value found.
    pub after: Option<String>,
    /// Whether the value found should not be there at all. Otherwise `before` holds the value that should be there,
    /// where it is known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub surplus: bool,
    /// Whether the object does not work at this moment: it is down, missing or failing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub broken: bool,
    /// One sentence for people.
    pub message: String,
    /// The evidence.
    pub evidence: Vec<EvidenceV1>,
    /// Commands that lead back.
    pub fix: Vec<CommandV1>,
    /// Stable over runs: of code, object identity (without uid) and path.
    pub fingerprint: String,
    /// The waiver that accepts it for a time.
    pub waiver: Option<WaiverV1>,
    /// Known issues that such a finding can have as its cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issues: Vec<IssueV1>,
}

impl FindingV1 {
    /// `kube-system/deployment/coredns`, and behind it where that stands in files: `(deploy/dns.yaml:12)`.
    pub fn object_and_places(&self) -> String {
        let places: Vec<String> = self.places.iter().map(PlaceV1::short).collect();
        let object = self.object.short();
        if places.is_empty() { object } else { format!("{object} ({})", places.join(", ")) }
    }
}

/// A known issue of the platform, on GitHub.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IssueV1 {
    /// Its name: `Azure/aksArc#178`.
    pub name: String,
    /// The problem, in our words.
    pub title: String,
    /// Its address.
    pub url: String,
}

/// A policy text, or another page that findings rest on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentV1 {
    /// Our id for it.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its date, `2025-06-26`; some are undated.
    pub date: Option<String>,
    /// The address of the edition that was read, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A remark about its editions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A section of the policy texts, with the clauses of a finding that stand in it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SectionV1 {
    /// The heading; empty for clauses without one.
    pub section: String,
    /// The clauses.
    pub clauses: Vec<String>,
    /// The policy texts of the platform that have one of them, by the ids of the report's `policy.documents`.
    pub documents: Vec<String>,
    /// The addresses of the section in those texts, in the same order; an empty one where it is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
}

/// The object that a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectV1 {
    /// `v1`, `apps/v1`; `aksarc.dev/v1alpha1` for the pseudo-kinds Cluster, NodePool, Product and SupportWaiver.
    pub api_version: String,
    /// `Node`.
    pub kind: String,
    /// Empty for cluster-scoped objects.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// Empty where unknown and for pseudo-kinds.
    pub uid: String,
}

impl ObjectV1 {
    /// `node/moc-l1` or `kube-system/deployment/coredns`: short, for people.
    pub fn short(&self) -> String {
        let kind = self.kind.to_lowercase();
        if self.namespace.is_empty() {
            format!("{kind}/{}", self.name)
        } else {
            format!("{}/{kind}/{}", self.namespace, self.name)
        }
    }
}

/// A place in a file of manifests: of the field that a finding is about, or of what is nearest above it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlaceV1 {
    /// The file, with `/` between its parts, and relative to the directory in which the check ran where it is below it.
    pub file: String,
    /// The line, from 1 on.
    pub line: usize,
    /// The column, from 1 on, in characters.
    pub column: usize,
}

impl PlaceV1 {
    /// `deploy/app.yaml:12`.
    pub fn short(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

/// A fact that a finding rests on, with the writer and the time where there are any.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceV1 {
    /// `managedFields`, `request`, `invariant`, `versionTable`, `signs` …
    pub what: String,
    /// The fieldManager, where there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub manager: String,
    /// `Apply`, `Update`, `CREATE` …
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub operation: String,
    /// RFC 3339, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub time: String,
    /// A sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// A command that leads back, or helps to find the way.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandV1 {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The line to paste into the shell.
    pub line: String,
    /// The line as people are shown it: with its platforms before it and its remarks behind it.
    pub printed: String,
    /// `bash` or `powershell`.
    pub shell: String,
    /// The shells that take `line` as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shells: Vec<String>,
    /// The line for the other shell, where that takes another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_line: Option<String>,
    /// Whether the finding is gone once the command has run.
    pub clears: bool,
    /// The platforms that it is for; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<String>,
    /// A warning to read before running it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caution: Option<String>,
    /// The effect of a command that does not make the finding go away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Words in capitals that the reader fills in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fill_in: Vec<String>,
    /// The place in `argv` of the object's name, where the program takes the names of several objects there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_at: Option<usize>,
}

/// The waiver on a finding.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WaiverV1 {
    /// The waiver's name.
    pub name: String,
    /// The reason for which the finding was accepted.
    pub reason: String,
    /// The end, RFC 3339: the finding returns then.
    pub expires: String,
    /// The ticket it was given under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The number of Microsoft's support case, where Microsoft directed the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support_case: Option<String>,
}
