//! The check of an object against the shape of its kind, for the fields that rules read and those that objects usually
//! have.
//!
//! The API server decodes objects before it calls a webhook, so all objects from an API server pass. An object that
//! does not fit is not judged: a rule that meets a list where it expects a map would report its contents as missing.

mod shape;
mod shapes;

use std::fmt;

use jiff::Timestamp;

use crate::k8s::kinds::Kind;
use crate::k8s::object::{MAX_ENTRIES, Object};
use crate::k8s::read::scan;

use shape::Shape;
use shapes::{ENTRY, OWNERS, SCALE, TYPES};

/// The reason why an object does not fit its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// The object names another type.
    Type(String),
    /// A field has another shape.
    Field {
        /// The path of the field.
        path: String,
        /// The expected shape: `a list`.
        expected: &'static str,
    },
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misfit::Type(found) => write!(f, "the object is a {found}"),
            Misfit::Field { path, expected } => write!(f, "{path} is not {expected}"),
        }
    }
}

/// Checks an object against the shape of its kind, or against that of its subresource `scale`. `twin` is the other side
/// of an update, which fits: text that both have in common is not checked again.
///
/// # Errors
/// [`Misfit`] for the first difference.
pub fn check(object: &Object<'_>, kind: &Kind, subresource: &str, twin: Option<&Object<'_>>) -> Result<(), Misfit> {
    let scale = subresource == "scale";
    is_type(object, if scale { ("autoscaling", "Scale") } else { (kind.group, kind.kind) })?;
    metadata(object, twin)?;
    let fields = if scale { SCALE } else { shape(kind) };
    for (name, shape) in fields {
        let same = |raw: &str| twin.is_some_and(|twin| twin.raw(name) == Some(raw));
        if let Some(raw) = object.raw(name).filter(|raw| !same(raw)) {
            whole(shape, raw).map_err(|misfit| misfit.below(name))?;
        }
    }
    Ok(())
}

/// Checks that an object is of a group and a kind. Items of lists do not name theirs.
fn is_type(object: &Object<'_>, (own_group, own_kind): (&str, &str)) -> Result<(), Misfit> {
    let group = object.api_version.split_once('/').map_or("", |(group, _)| group);
    let is = |found: &str, given: &str, own: &str| given.is_empty() || found == own;
    if is(group, &object.api_version, own_group) && is(&object.kind, &object.kind, own_kind) {
        return Ok(());
    }
    Err(Misfit::Type(format!("{} {}", &*object.api_version, &*object.kind)))
}

fn metadata(object: &Object<'_>, twin: Option<&Object<'_>>) -> Result<(), Misfit> {
    let meta = &object.meta;
    for (name, time) in
        [("creationTimestamp", &meta.creation_timestamp), ("deletionTimestamp", &meta.deletion_timestamp)]
    {
        if time.as_ref().is_some_and(|time| !is_time(time)) {
            return Err(misfit(&Shape::Time).below(name).below("metadata"));
        }
    }
    if let Some(raw) = object.raw_owners().filter(|raw| twin.and_then(Object::raw_owners) != Some(raw)) {
        whole(&OWNERS, raw).map_err(|misfit| misfit.below("ownerReferences").below("metadata"))?;
    }
    if let Some(raw) = object.raw_managed().filter(|raw| twin.and_then(Object::raw_managed) != Some(raw)) {
        let mut count = 0;
        let mut wrong = None;
        let read = scan::items(raw, |rest| {
            count += 1;
            // Further entries are not looked at.
            let shape = if count > MAX_ENTRIES { &Shape::Any } else { &ENTRY };
            walk(shape, rest).map_err(|misfit| wrong = Some(misfit.below_item(count - 1))).ok()
        });
        if read != Some(raw.len()) {
            let misfit = wrong.unwrap_or_else(|| misfit(&Shape::List(&ENTRY)));
            return Err(misfit.below("managedFields").below("metadata"));
        }
        object.set_managed_count(count);
    }
    Ok(())
}

/// The shape of a kind's top-level fields.
fn shape(kind: &Kind) -> &'static [(&'static str, Shape)] {
    let own = TYPES.iter().find(|(kinds, _)| kinds.contains(&kind.kind));
    own.map_or(shapes::OTHERS, |(_, fields)| fields)
}

/// Checks that a text is one value of a shape, from the first byte to the last.
fn whole(shape: &Shape, raw: &str) -> Result<(), Misfit> {
    if walk(shape, raw)? == raw.len() { Ok(()) } else { Err(misfit(shape)) }
}

/// The length of the value of a shape at the beginning of `rest`.
fn walk(shape: &Shape, rest: &str) -> Result<usize, Misfit> {
    if rest.starts_with(NULL) {
        return Ok(NULL.len());
    }
    let mut wrong = None;
    let mut keep = |found: Result<usize, Misfit>| found.map_err(|misfit| wrong = Some(misfit)).ok();
    let value = || scan::value(rest, None);
    let length = match shape {
        Shape::Any => value().map(str::len),
        Shape::Flag => value().filter(|value| matches!(*value, "true" | "false")).map(str::len),
        Shape::Number => {
            value().filter(|value| value.starts_with(|c: char| c == '-' || c.is_ascii_digit())).map(str::len)
        }
        Shape::Amount => value()
            .filter(|value| value.starts_with(|c: char| c == '"' || c == '-' || c.is_ascii_digit()))
            .map(str::len),
        Shape::Bytes => value().filter(|value| scan::plain(value).is_some_and(is_base64)).map(str::len),
        Shape::Text => value().filter(|value| value.starts_with('"')).map(str::len),
        Shape::Time => value().filter(|value| scan::text(value).is_some_and(|text| is_time(&text))).map(str::len),
        Shape::Nested => scan::nested(rest, |_| ()),
        Shape::List(of) => {
            let mut at = 0;
            scan::items(rest, |rest| {
                // Kubernetes makes an empty item of a `null`, and refuses it then.
                let own = if rest.starts_with(NULL) { Err(misfit(of)) } else { walk(of, rest) };
                at += 1;
                keep(own.map_err(|misfit| misfit.below_item(at - 1)))
            })
        }
        // Only the braces are checked: most of a node is maps whose content no rule reads.
        Shape::Map(Shape::Any) => value().filter(|value| value.starts_with('{')).map(str::len),
        Shape::Map(of) => {
            scan::literals(rest, |key, rest| keep(walk(of, rest).map_err(|misfit| misfit.below(&shown(key)))))
        }
        Shape::Fields(fields) => scan::literals(rest, |key, rest| {
            let find = |name: &str| fields.iter().find(|(own, _)| *own == name);
            // The literal text is compared first, since almost no key has an escape.
            let written = key.get(1..key.len() - 1)?;
            let field = if written.as_bytes().contains(&b'\\') { find(&scan::text(key)?) } else { find(written) };
            match field {
                Some((own, shape)) => keep(walk(shape, rest).map_err(|misfit| misfit.below(own))),
                None => walk(&Shape::Any, rest).ok(),
            }
        }),
    };
    length.ok_or_else(|| wrong.unwrap_or_else(|| misfit(shape)))
}

fn shown(key: &str) -> String {
    scan::text(key).map_or_else(String::new, |key| key.cut(MAX_SHOWN).to_string())
}

/// Whether a text is base64: its alphabet, in whole groups.
fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

/// Whether a text is a moment in RFC 3339. The API server's own form is recognised at a glance; others are parsed.
fn is_time(text: &str) -> bool {
    is_plain_time(text.as_bytes()) || text.parse::<Timestamp>().is_ok()
}

/// Whether a text is a moment in the API server's own form, whole seconds in UTC, on a day that every month has.
fn is_plain_time(text: &[u8]) -> bool {
    let digits_alike = text.len() == PLAIN_TIME.len()
        && text.iter().zip(PLAIN_TIME).all(|(own, like)| own == like || *like == b'0' && own.is_ascii_digit());
    let two = |at: usize| text.get(at..at + 2);
    let is = |at, from: &[u8; 2], to: &[u8; 2]| two(at).is_some_and(|own| own >= from && own <= to);
    digits_alike
        && is(5, b"01", b"12")
        && is(8, b"01", b"28")
        && is(11, b"00", b"23")
        && is(14, b"00", b"59")
        && is(17, b"00", b"59")
}

const PLAIN_TIME: &[u8] = b"0000-00-00T00:00:00Z";

fn misfit(shape: &Shape) -> Misfit {
    let expected = match shape {
        Shape::Any => "JSON",
        Shape::Flag => "true or false",
        Shape::Number => "a number",
        Shape::Amount => "a number or a string",
        Shape::Text => "a string",
        Shape::Bytes => "bytes in base64",
        Shape::Time => "a time",
        Shape::List(_) => "a list",
        Shape::Map(_) | Shape::Fields(_) => "a map",
        Shape::Nested => "a set of fields",
    };
    Misfit::Field { path: String::new(), expected }
}

impl Misfit {
    fn below(self, name: &str) -> Self {
        match self {
            Misfit::Field { path, expected } if path.is_empty() || path.starts_with('[') => {
                Misfit::Field { path: format!("{name}{path}"), expected }
            }
            Misfit::Field { path, expected } => Misfit::Field { path: format!("{name}.{path}"), expected },
            other @ Misfit::Type(_) => other,
        }
    }

    fn below_item(self, at: usize) -> Self {
        match self {
            Misfit::Field { path, expected } if path.is_empty() => Misfit::Field { path: format!("[{at}]"), expected },
            Misfit::Field { path, expected } => Misfit::Field { path: format!("[{at}].{path}"), expected },
            other @ Misfit::Type(_) => other,
        }
    }
}

const NULL: &str = "null";

/// The longest key that is shown. Writers of objects choose the keys of maps.
const MAX_SHOWN: usize = 64;
