//! Readers for files and `SupportWaiver` objects that contain waivers.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_saphyr::Spanned;

use super::{Match, Pin, Waiver, WaiverKind};
use crate::data::own::{self, API_VERSION};
use crate::k8s::kinds::Kind;
use crate::k8s::object::Object;
use crate::k8s::read::json::{self, ListPage, ReadError};
use crate::k8s::read::yaml;
use crate::text;

/// A waiver of a file, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaiverEntry {
    /// The place.
    pub place: WaiverPlace,
    /// The waiver.
    pub waiver: Waiver,
}

/// A place in a file, from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaiverPlace {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

impl WaiverPlace {
    fn of(location: serde_saphyr::Location) -> Self {
        WaiverPlace { line: location.line(), column: location.column() }
    }
}

/// A `SupportWaiver` object that is not a valid waiver. The API server's schema refuses nearly all of these.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("SupportWaiver {name} cannot be read, so it does not count: {why}")]
pub struct Unreadable {
    /// Its name.
    pub name: String,
    /// The fault.
    pub why: String,
}

/// The `SupportWaiver` objects of a cluster, split into waivers and unreadable ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    /// The waivers.
    pub waivers: Vec<Waiver>,
    /// The objects that cannot be read; they do not count.
    pub unreadable: Vec<Unreadable>,
}

impl Objects {
    /// Adds one page of their list.
    ///
    /// # Errors
    /// [`ReadError`] when it is not a page of a list. Objects before the fault have been added.
    pub fn page(&mut self, bytes: &[u8]) -> Result<ListPage, ReadError> {
        json::page(bytes, |object| match of_object(&object) {
            Ok(waiver) => self.waivers.push(waiver),
            Err(unreadable) => self.unreadable.push(unreadable),
        })
    }
}

/// The waivers of a file.
///
/// # Errors
/// As [`entries`].
pub fn parse(text: &str) -> Result<Vec<Waiver>, ReadError> {
    Ok(entries(text)?.into_iter().map(|entry| entry.waiver).collect())
}

/// The waivers of a file, with the place of each. The file consists of YAML or JSON documents, each of them one of
///
/// - `SupportWaiverList` with `items`, each a waiver;
/// - `SupportWaiver`, as `kubectl apply` takes it: `metadata.name` and `spec`;
/// - a list of such objects, as `kubectl get -o yaml` prints it.
///
/// Anchors and aliases work; ones that multiply beyond reason are refused.
///
/// # Errors
/// [`ReadError`] with line and column for another kind, unknown or missing fields, or a time without an offset. A
/// waiver that breaks a term is returned and does not count.
pub fn entries(text: &str) -> Result<Vec<WaiverEntry>, ReadError> {
    let mut entries = Vec::new();
    for file in yaml::parse_all::<Spanned<WaiverDocument>>(text.trim_start_matches('\u{feff}'))? {
        let own = WaiverPlace::of(file.referenced);
        let document = file.value;
        match (&*document.api_version, &*document.kind) {
            (API_VERSION, "SupportWaiverList") | ("v1", "List") if document.spec.is_none() => {
                for item in document.items {
                    let place = WaiverPlace::of(item.referenced);
                    let waiver = item.value.into_waiver().map_err(|why| wrong(place, &why))?;
                    entries.push(WaiverEntry { place, waiver });
                }
            }
            (API_VERSION, "SupportWaiver") if document.items.is_empty() => {
                let name = document.metadata.map(|meta| meta.name).unwrap_or_default();
                let spec = document.spec.ok_or_else(|| wrong(own, "missing field `spec`"))?;
                let waiver = named(spec, name).map_err(|why| wrong(own, &why))?;
                entries.push(WaiverEntry { place: own, waiver });
            }
            (version, kind) => {
                let found = text::line(&format!("{version} {kind}"), 200);
                return Err(wrong(
                    own,
                    &format!(
                        "expected apiVersion {API_VERSION} and kind SupportWaiverList or SupportWaiver, found {found}"
                    ),
                ));
            }
        }
    }
    Ok(entries)
}

/// The waiver in a `SupportWaiver` object of a cluster.
fn of_object(object: &Object<'_>) -> Result<Waiver, Unreadable> {
    let name = object.meta.name.to_string();
    let wrong = |why: String| Unreadable { name: text::line(&name, 253), why: text::line(&why, 200) };
    let spec = object.raw("spec").ok_or_else(|| wrong("missing field `spec`".to_owned()))?;
    let spec = serde_json::from_str(spec).map_err(|error| wrong(error.to_string()))?;
    named(spec, name.clone()).map_err(wrong)
}

/// The kind `SupportWaiver`, for callers that list it.
pub static SUPPORT_WAIVER: Kind = Kind {
    group: own::GROUP,
    version: "v1alpha1",
    kind: "SupportWaiver",
    resource: "supportwaivers",
    namespaced: false,
    builtin: false,
    others: &[],
};

/// The metadata of a `SupportWaiver` object. Only the name is used; other fields are ignored.
#[derive(Deserialize)]
struct WaiverMetadata {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WaiverDocument {
    api_version: String,
    kind: String,
    #[serde(default)]
    metadata: Option<WaiverMetadata>,
    #[serde(default)]
    spec: Option<Waiver>,
    /// What the guard says of the object; no part of the waiver.
    #[serde(default, rename = "status")]
    _status: Option<IgnoredAny>,
    #[serde(default)]
    items: Vec<Spanned<WaiverItem>>,
}

/// A waiver, or an object with one in its `spec`. It is read straight into strings, since a detour over values would
/// take the ticket `0123` for a number.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WaiverItem {
    #[serde(default)]
    api_version: Option<String>,
    #[serde(default)]
    metadata: Option<WaiverMetadata>,
    #[serde(default)]
    spec: Option<Waiver>,
    #[serde(default, rename = "status")]
    _status: Option<IgnoredAny>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    rules: Option<Vec<String>>,
    #[serde(default, rename = "match")]
    matches: Option<Match>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    ticket: Option<String>,
    #[serde(default)]
    requested_by: Option<String>,
    #[serde(default)]
    approved_by: Option<String>,
    #[serde(default)]
    not_before: Option<jiff::Timestamp>,
    #[serde(default)]
    expires: Option<jiff::Timestamp>,
    #[serde(default)]
    support_case: Option<String>,
    #[serde(default)]
    lapses_unless: Option<Pin>,
}

impl WaiverItem {
    fn into_waiver(self) -> Result<Waiver, String> {
        if let Some(spec) = self.spec {
            let (version, kind) = (self.api_version.unwrap_or_default(), self.kind.unwrap_or_default());
            if (&*version, &*kind) != (API_VERSION, "SupportWaiver") {
                let found = text::line(&format!("{version} {kind}"), 200);
                return Err(format!("expected apiVersion {API_VERSION} and kind SupportWaiver, found {found}"));
            }
            return named(spec, self.metadata.map(|meta| meta.name).unwrap_or_default());
        }
        let missing = |field: &str| format!("missing field `{field}`");
        if self.api_version.is_some() || self.metadata.is_some() {
            return Err(missing("spec"));
        }
        let kind = match self.kind.as_deref() {
            None | Some("accepted") => WaiverKind::Accepted,
            Some("microsoft-directed") => WaiverKind::MicrosoftDirected,
            Some(other) => {
                let other = text::line(other, 80);
                return Err(format!("unknown kind `{other}`, expected `accepted` or `microsoft-directed`"));
            }
        };
        Ok(Waiver {
            name: self.name.ok_or_else(|| missing("name"))?,
            rules: self.rules.ok_or_else(|| missing("rules"))?,
            matches: self.matches.ok_or_else(|| missing("match"))?,
            reason: self.reason.ok_or_else(|| missing("reason"))?,
            ticket: self.ticket,
            requested_by: self.requested_by.ok_or_else(|| missing("requestedBy"))?,
            approved_by: self.approved_by.unwrap_or_default(),
            not_before: self.not_before,
            expires: self.expires.ok_or_else(|| missing("expires"))?,
            kind,
            support_case: self.support_case,
            lapses_unless: self.lapses_unless,
        })
    }
}

fn named(mut spec: Waiver, name: String) -> Result<Waiver, String> {
    if !spec.name.is_empty() {
        return Err("the name of a SupportWaiver is metadata.name; spec has no `name`".to_owned());
    }
    if name.is_empty() {
        return Err("missing field `metadata.name`".to_owned());
    }
    spec.name = name;
    Ok(spec)
}

/// An error in the form of the YAML reader's own.
fn wrong(place: WaiverPlace, why: &str) -> ReadError {
    ReadError::Content(format!("{why} at line {}, column {}", place.line, place.column))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &str = "rules: [AA303], match: {kind: Pod, namespace: kube-system, name: a}, reason: r, requestedBy: a, \
                          approvedBy: b, expires: 2026-11-29T00:00:00Z";

    fn list(items: &[&str]) -> String {
        format!("apiVersion: {API_VERSION}\nkind: SupportWaiverList\nitems:\n- {}\n", items.join("\n- "))
    }

    fn refusal(text: &str) -> String {
        entries(text).unwrap_err().to_string()
    }

    #[test]
    fn lists_objects_and_lists_of_objects_hold_the_same() {
        let flat = parse(&list(&[&format!("{{name: w, {FIELDS}}}")])).unwrap();
        let object = format!(
            "apiVersion: {API_VERSION}\nkind: SupportWaiver\nmetadata: {{name: w, uid: x}}\nspec: {{{FIELDS}}}\n"
        );
        assert_eq!(parse(&object).unwrap(), flat);
        let item =
            format!("{{apiVersion: {API_VERSION}, kind: SupportWaiver, metadata: {{name: w}}, spec: {{{FIELDS}}}}}");
        assert_eq!(
            parse(&format!("apiVersion: v1\nkind: List\nmetadata: {{resourceVersion: ''}}\nitems: [{item}]\n"))
                .unwrap(),
            flat
        );
        assert_eq!(parse(&list(&[&item])).unwrap(), flat);
        let json =
            serde_json::json!({"apiVersion": API_VERSION, "kind": "SupportWaiverList", "items": flat}).to_string();
        assert_eq!(parse(&json).unwrap(), flat, "what is written is read again");
        assert_eq!(parse(&format!("{object}---\n{}", list(&[&format!("{{name: v, {FIELDS}}}")]))).unwrap().len(), 2);
    }

    #[test]
    fn an_object_of_the_cluster_is_read_by_its_spec() {
        let read = |json: serde_json::Value| {
            let bytes = json.to_string();
            of_object(&crate::k8s::read::json::object(bytes.as_bytes()).unwrap())
        };
        let spec = serde_json::json!({"rules": ["AA303"], "match": {"kind": "Pod", "name": "a"}, "reason": "r",
            "requestedBy": "a", "approvedBy": "b", "expires": "2026-11-29T00:00:00Z"});
        assert_eq!(read(serde_json::json!({"metadata": {"name": "w"}, "spec": spec})).unwrap().name, "w");
        let mut named = spec.clone();
        named["name"] = "other".into();
        let said = read(serde_json::json!({"metadata": {"name": "w"}, "spec": named})).unwrap_err().why;
        assert_eq!(said, "the name of a SupportWaiver is metadata.name; spec has no `name`");
        assert!(
            read(serde_json::json!({"metadata": {"name": "w"}})).unwrap_err().to_string().contains("does not count")
        );
        let mut unknown = spec;
        unknown["raeson"] = "x".into();
        assert!(
            read(serde_json::json!({"metadata": {"name": "w"}, "spec": unknown})).unwrap_err().why.contains("raeson")
        );
    }

    #[test]
    fn every_wrong_shape_is_named_with_its_line() {
        let with = |from: &str, to: &str| list(&[&format!("{{name: w, {}}}", FIELDS.replace(from, to))]);
        for (text, words) in [
            (with("reason: r", "raeson: r"), &["raeson", "line 4"][..]),
            (with("reason: r, ", ""), &["reason", "line 4"]),
            (with("approvedBy: b", "approvedBy: b, kind: acepted"), &["acepted", "microsoft-directed", "line 4"]),
            (with("expires: 2026-11-29T00:00:00Z", "expires: 2026-11-29"), &["line 4"]),
            (with("expires: 2026-11-29T00:00:00Z", "expires: 2026-11-29T00:00:00"), &["offset", "line 4"]),
            (with("expires: 2026-11-29T00:00:00Z", "expires: 2026-02-30T00:00:00Z"), &["line 4"]),
            (with("reason: r", "reason: r, reason: s"), &["reason", "line 4"]),
            ("apiVersion: v1\nkind: ConfigMap\n".to_owned(), &["SupportWaiverList", "ConfigMap"]),
            (format!("apiVersion: {API_VERSION}\nkind: SupportWaiver\nmetadata: {{name: w}}\n"), &["spec"]),
            (format!("apiVersion: {API_VERSION}\nkind: SupportWaiver\nspec: {{{FIELDS}}}\n"), &["metadata.name"]),
            ("- a\n- b\n".to_owned(), &["line 1"]),
        ] {
            let said = refusal(&text);
            assert!(words.iter().all(|word| said.contains(word)), "{words:?}: {said}");
        }
    }

    #[test]
    fn each_waiver_knows_its_line() {
        let two = list(&[&format!("{{name: w, {FIELDS}}}"), &format!("{{name: v, {FIELDS}}}")]);
        let lines: Vec<u64> = entries(&two).unwrap().iter().map(|entry| entry.place.line).collect();
        assert_eq!(lines, [4, 5]);
    }

    #[test]
    fn tickets_stay_as_they_were_typed() {
        let typed = |ticket: &str| {
            let item = format!("{{name: w, ticket: {ticket}, {FIELDS}}}");
            parse(&list(&[&item])).unwrap()[0].ticket.clone().unwrap()
        };
        assert_eq!((typed("0123"), typed("2311090040001234")), ("0123".to_owned(), "2311090040001234".to_owned()));
    }

    #[test]
    fn anchors_work_and_anchors_that_multiply_are_refused() {
        let text = format!(
            "apiVersion: {API_VERSION}\nkind: SupportWaiverList\nitems:\n- {{name: w, {}}}\n- {{name: v, {}}}\n",
            FIELDS.replace("match: {", "match: &m {"),
            FIELDS.replace("match: {kind: Pod, namespace: kube-system, name: a}", "match: *m"),
        );
        let waivers = parse(&text).unwrap();
        assert_eq!(waivers[0].matches, waivers[1].matches);
        // Unknown fields are ignored here, so that only its size can be wrong.
        let head = format!(
            "apiVersion: {API_VERSION}\nkind: SupportWaiverList\nmetadata:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        );
        let levels = (1..12).map(|level| {
            let before = vec![format!("*a{}", level - 1); 10].join(", ");
            format!("  a{level}: &a{level} [{before}]\n")
        });
        let levels: Vec<String> = levels.collect();
        assert_eq!(parse(&format!("{head}{}", levels[..2].concat())).unwrap(), []);
        let said = refusal(&format!("{head}{}", levels.concat()));
        assert!(said.contains("limit") || said.contains("budget"), "{said}");
        let nested = format!("apiVersion: {API_VERSION}\nkind: SupportWaiverList\nitems: {}\n", "[".repeat(100_000));
        let said = refusal(&nested);
        assert!(said.contains("recursion limit exceeded"), "{said}");
    }

    #[test]
    fn an_empty_file_holds_no_waiver() {
        assert_eq!(parse("").unwrap(), []);
        assert_eq!(parse(&format!("apiVersion: {API_VERSION}\nkind: SupportWaiverList\n")).unwrap(), []);
        assert_eq!(
            parse(&format!("apiVersion: {API_VERSION}\nkind: SupportWaiverList\nitems: []\n---\n")).unwrap(),
            []
        );
    }
}
