//! Text against shapes: the length of a value that has a shape, found in one pass over it.

use jiff::Timestamp;

use super::misfit::Misfit;
use super::shape::Shape;
use super::shapes::ENTRY;
use crate::k8s::object::MAX_ENTRIES;
use crate::k8s::read::scan;

/// Checks that a text is one value of a shape, from the first byte to the last.
pub(super) fn whole(shape: &Shape, raw: &str) -> Result<(), Misfit> {
    if walk(shape, raw)? == raw.len() { Ok(()) } else { Err(Misfit::of(shape)) }
}

/// The length of the list of `metadata.managedFields` at the beginning of `rest`, or of `null`, and the number of its
/// entries.
///
/// # Errors
/// [`Misfit`] for the first entry that does not fit, by its place in the list.
pub(crate) fn entries(rest: &str) -> Result<(usize, usize), Misfit> {
    if rest.starts_with(NULL) {
        return Ok((NULL.len(), 0));
    }
    let mut count = 0;
    let mut wrong = None;
    let read = scan::items(rest, |rest| {
        count += 1;
        // Further entries are not looked at.
        let shape = if count > MAX_ENTRIES { &Shape::Any } else { &ENTRY };
        walk(shape, rest).map_err(|misfit| wrong = Some(misfit.below_item(count - 1))).ok()
    });
    match read {
        Some(length) => Ok((length, count)),
        None => Err(wrong.unwrap_or_else(|| Misfit::of(&Shape::List(&ENTRY)))),
    }
}

/// The length of the value of a shape at the beginning of `rest`.
///
/// # Errors
/// [`Misfit`] for the first difference.
pub(crate) fn walk(shape: &Shape, rest: &str) -> Result<usize, Misfit> {
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
                let own = if rest.starts_with(NULL) { Err(Misfit::of(of)) } else { walk(of, rest) };
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
            let field = match find(written) {
                None if written.contains('\\') => find(&scan::text(key)?),
                field => field,
            };
            match field {
                Some((own, shape)) => keep(walk(shape, rest).map_err(|misfit| misfit.below(own))),
                None => walk(&Shape::Any, rest).ok(),
            }
        }),
    };
    length.ok_or_else(|| wrong.unwrap_or_else(|| Misfit::of(shape)))
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
pub(super) fn is_time(text: &str) -> bool {
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

const NULL: &str = "null";

/// The longest key that is shown. Writers of objects choose the keys of maps.
const MAX_SHOWN: usize = 64;
