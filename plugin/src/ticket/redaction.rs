//! The replacement of names by pseudonyms, in texts and documents.

use std::collections::BTreeMap;

use aho_corasick::AhoCorasick;
use aksarc_shared::verdict::report::v1::ReportV1;
use anyhow::Context as _;
use serde_json::{Map, Value};

use super::names::TellingNames;
use super::pseudonyms::{NameClass, PseudonymKey};

/// Names, and the pseudonyms that take their places.
pub(crate) struct Redaction {
    finder: AhoCorasick,
    key: PseudonymKey,
    names: Vec<String>,
    pseudonyms: Vec<String>,
}

impl Redaction {
    /// The replacement of these names, by a key.
    ///
    /// # Errors
    /// There are more names than can be searched for.
    pub(crate) fn new(names: &TellingNames, key: PseudonymKey) -> anyhow::Result<Self> {
        let (texts, pseudonyms): (Vec<String>, Vec<String>) =
            names.iter().map(|(name, class)| (name.to_owned(), key.pseudonym(class, name))).unzip();
        let finder = AhoCorasick::new(&texts).context("too many names")?;
        Ok(Redaction { finder, key, names: texts, pseudonyms })
    }

    /// How many names it replaces.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// The names by their pseudonyms.
    pub(crate) fn table(&self) -> BTreeMap<&str, &str> {
        self.pseudonyms.iter().map(String::as_str).zip(self.names.iter().map(String::as_str)).collect()
    }

    /// A text with pseudonyms for its names. A name counts where no letter or digit continues it on either side.
    pub(crate) fn text(&self, text: &str) -> String {
        let bounded = |start: usize, end: usize| {
            let joins = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
            let before = text.get(..start).and_then(|before| before.chars().next_back());
            let after = text.get(end..).and_then(|after| after.chars().next());
            !joins(before) && !joins(after)
        };
        let mut found: Vec<_> =
            self.finder.find_overlapping_iter(text).filter(|found| bounded(found.start(), found.end())).collect();
        // Of names that begin at one place the longest.
        found.sort_by_key(|found| (found.start(), std::cmp::Reverse(found.end())));
        let (mut out, mut done) = (String::with_capacity(text.len()), 0);
        for found in found {
            if found.start() < done {
                continue;
            }
            out.push_str(text.get(done..found.start()).unwrap_or_default());
            out.push_str(self.pseudonyms.get(found.pattern().as_usize()).map_or("", String::as_str));
            done = found.end();
        }
        out.push_str(text.get(done..).unwrap_or_default());
        out
    }

    /// A document with pseudonyms for the names in its texts and keys. Fields that name a type are unchanged.
    pub(crate) fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(fields) => {
                let old = std::mem::take(fields);
                let renamed = old.into_iter().map(|(key, mut own)| {
                    if !TYPES.contains(&&*key) {
                        self.value(&mut own);
                    }
                    (self.text(&key), own)
                });
                *fields = renamed.collect::<Map<_, _>>();
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// A report with pseudonyms for its names, and without the remarks that people wrote.
    ///
    /// # Errors
    /// The report cannot be serialized.
    pub(crate) fn report(&self, report: &ReportV1) -> anyhow::Result<ReportV1> {
        let mut report = report.clone();
        for waiver in report.findings.iter_mut().filter_map(|finding| finding.waiver.as_mut()) {
            LEFT_OUT.clone_into(&mut waiver.reason);
        }
        for answer in report.questions.iter_mut().filter_map(|question| question.answer.as_mut()) {
            if !answer.note.is_empty() {
                LEFT_OUT.clone_into(&mut answer.note);
            }
        }
        // They are hashes of names, by which a guess could be confirmed.
        for finding in &mut report.findings {
            // The paths of files name directories of their owner.
            finding.places.clear();
            finding.fingerprint = self.key.fingerprint(&finding.fingerprint);
        }
        // The path of a snapshot names directories of its owner.
        if report.cluster.server.is_empty() {
            report.cluster.context = self.key.pseudonym(NameClass::Cluster, &report.cluster.context);
        }
        let mut value = serde_json::to_value(&report)?;
        if let Some(fields) = value.as_object_mut() {
            let with_names = fields.iter_mut().filter(|(key, _)| !CONTRACT.contains(&key.as_str()));
            with_names.for_each(|(_, own)| self.value(own));
        }
        serde_json::from_value(value).context("a name is a word of the report itself")
    }
}

/// The fields that name a type, or hold words of ours or names of programs.
const TYPES: [&str; 31] = [
    "apiGroup",
    "apiGroups",
    "apiVersion",
    "apiVersions",
    "basis",
    "clauses",
    "clears",
    "code",
    "consequence",
    "couldVoid",
    "date",
    "documents",
    "due",
    "expires",
    "fieldsType",
    "fingerprint",
    "kind",
    "manager",
    "on",
    "operation",
    "outcome",
    "platform",
    "platforms",
    "resource",
    "resources",
    "sections",
    "shell",
    "slug",
    "summary",
    "time",
    "verbs",
];

/// The parts of a report that hold no names.
const CONTRACT: [&str; 9] =
    ["apiVersion", "catalogue", "failOn", "kind", "partial", "summary", "tool", "verdict", "verdictBasis"];

/// The text that replaces a remark.
const LEFT_OUT: &str = "(left out)";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn redaction(objects: &[(&str, Value)]) -> Redaction {
        let mut names = TellingNames::default();
        for (kind, object) in objects {
            names.add_object(kind, object);
        }
        Redaction::new(&names, PseudonymKey::forgotten().unwrap()).unwrap()
    }

    #[test]
    fn names_are_replaced_as_whole_words_and_the_longest_first() {
        let own = redaction(&[
            ("Node", json!({"metadata": {"name": "edge"}})),
            ("Node", json!({"metadata": {"name": "edge-7"}})),
            ("Node", json!({"metadata": {"name": "10.0.0.1"}})),
            ("Namespace", json!({"metadata": {"name": "shop"}})),
        ]);
        let table = own.table();
        let of = |name: &str| {
            table.iter().find(|(_, own)| **own == name).map(|(pseudonym, _)| (*pseudonym).to_owned()).unwrap()
        };
        assert_eq!(
            own.text("kubectl label node edge-7 a=b -n shop"),
            format!("kubectl label node {} a=b -n {}", of("edge-7"), of("shop"))
        );
        assert_eq!(
            own.text("edge, edges, edge-70, shop/edge"),
            format!("{0}, edges, {0}-70, {1}/{0}", of("edge"), of("shop"))
        );
        assert_eq!(own.text("10.0.0.1:6443 10.0.0.12"), format!("{}:6443 10.0.0.12", of("10.0.0.1")));
        assert_eq!(own.text("workshop shopé"), "workshop shopé");
        let mut document = json!({"kind": "shop", "metadata": {"labels": {"shop": "edge"}, "n": [1, "shop"]}});
        own.value(&mut document);
        let shop = of("shop");
        assert_eq!(document, json!({"kind": "shop", "metadata": {"labels": {&shop: of("edge")}, "n": [1, &shop]}}));
    }
}
