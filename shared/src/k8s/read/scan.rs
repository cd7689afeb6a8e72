//! A scanner for well-formed JSON: it returns members of an object as slices of the text, and skips unused parts.
//!
//! Most of a review is a list of images that no rule reads, twice. A parser has to look at every byte of it. Here a
//! string is skipped at the speed of memory, and text that repeats the object before it by one comparison. Any text
//! that is not plainly well formed is left to `serde_json`: every function returns `None` then, and the caller takes
//! the slow path, whose errors are the ones to show.

mod container;

use wide::u8x16;

use crate::k8s::text::Text;

/// Calls `each` with each member of the object at the beginning of `rest`: its key, and the text from its value on.
/// `each` returns the length of the value; the function returns that of the object.
pub(crate) fn members<'a>(rest: &'a str, mut each: impl FnMut(&'a str, &'a str) -> Option<usize>) -> Option<usize> {
    literals(rest, |key, rest| each(plain(key)?, rest))
}

/// As [`members`], with each key as written, quotes and escapes included.
pub(crate) fn literals<'a>(rest: &'a str, mut each: impl FnMut(&'a str, &'a str) -> Option<usize>) -> Option<usize> {
    let bytes = rest.as_bytes();
    let mut at = space(bytes, expect(bytes, 0, b'{')?);
    if bytes.get(at) == Some(&b'}') {
        return Some(at + 1);
    }
    loop {
        let key_end = string_end(bytes, expect(bytes, at, b'"')?)?;
        let key = rest.get(at..key_end)?;
        at = space(bytes, expect(bytes, space(bytes, key_end), b':')?);
        at = space(bytes, at + each(key, rest.get(at..)?)?);
        match bytes.get(at)? {
            b',' => at = space(bytes, at + 1),
            b'}' => return Some(at + 1),
            _ => return None,
        }
    }
}

/// Calls `each` with each member of the object at the beginning of `rest`: its key, and its value as a whole. Returns the
/// length of the object.
pub(crate) fn fields<'a>(rest: &'a str, mut each: impl FnMut(&'a str, &'a str) -> Option<()>) -> Option<usize> {
    members(rest, |key, rest| {
        let value = value(rest, None)?;
        each(key, value)?;
        Some(value.len())
    })
}

/// Calls `each` with each item of the list at the beginning of `rest`, as the text from the item on, like [`members`].
pub(crate) fn items<'a>(rest: &'a str, mut each: impl FnMut(&'a str) -> Option<usize>) -> Option<usize> {
    let bytes = rest.as_bytes();
    let mut at = space(bytes, expect(bytes, 0, b'[')?);
    if bytes.get(at) == Some(&b']') {
        return Some(at + 1);
    }
    loop {
        at = space(bytes, at + each(rest.get(at..)?)?);
        match bytes.get(at)? {
            b',' => at = space(bytes, at + 1),
            b']' => return Some(at + 1),
            _ => return None,
        }
    }
}

/// The number of items of the list `json`; 0 when it is not a list.
pub(crate) fn count(json: &str) -> usize {
    let mut count = 0;
    let counted = items(json, |rest| {
        count += 1;
        value(rest, None).map(str::len)
    });
    counted.map_or(0, |_| count)
}

/// A step through nested maps that contain nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nested<'a> {
    /// Into the map under this key, as written.
    Into(&'a str),
    /// Out of the map.
    OutOf,
}

/// Walks through the nested maps at the beginning of `rest`, at any depth, and returns their length; `None` when they
/// contain anything else.
pub(crate) fn nested<'a>(rest: &'a str, mut each: impl FnMut(Nested<'a>)) -> Option<usize> {
    let bytes = rest.as_bytes();
    let mut at = space(bytes, expect(bytes, 0, b'{')?);
    let mut depth = 0_usize;
    loop {
        if bytes.get(at)? == &b'"' {
            let key_end = string_end(bytes, at + 1)?;
            each(Nested::Into(rest.get(at..key_end)?));
            depth += 1;
            at = space(bytes, expect(bytes, space(bytes, key_end), b':')?);
            at = space(bytes, expect(bytes, at, b'{')?);
            continue;
        }
        // One or more maps end here, until one of them has another member.
        loop {
            at = expect(bytes, at, b'}')?;
            if depth == 0 {
                return Some(at);
            }
            depth -= 1;
            each(Nested::OutOf);
            at = space(bytes, at);
            if bytes.get(at)? == &b',' {
                at = space(bytes, at + 1);
                // Only a key can follow.
                if bytes.get(at)? != &b'"' {
                    return None;
                }
                break;
            }
        }
    }
}

/// The value at the beginning of `rest`. `twin` is text that the value may repeat verbatim.
pub(crate) fn value<'a>(rest: &'a str, twin: Option<&str>) -> Option<&'a str> {
    let end = match twin.filter(|twin| repeats(rest, twin)) {
        Some(twin) => twin.len(),
        None => value_end(rest.as_bytes(), 0)?,
    };
    rest.get(..end)
}

/// Whether the value at the beginning of `rest` repeats the value `twin` verbatim. Only values with a closing byte are
/// compared: a number could go on.
pub(crate) fn repeats(rest: &str, twin: &str) -> bool {
    twin.ends_with(['}', ']', '"'])
        && rest.as_bytes().get(..twin.len()).is_some_and(|own| is_same(own, twin.as_bytes()))
}

/// Whether two texts of one length are the same. Blocks are compared by vector instructions, of which the comparison of
/// musl's, which the image has, makes no use.
fn is_same(own: &[u8], other: &[u8]) -> bool {
    let ((own, own_rest), (other, other_rest)) = (own.as_chunks::<BLOCK>(), other.as_chunks::<BLOCK>());
    own.iter().zip(other).all(|(own, other)| own == other) && own_rest == other_rest
}

/// Bytes that are compared at once.
const BLOCK: usize = 32;

/// Whether only white space is left.
pub(crate) fn is_end(text: &str, at: usize) -> bool {
    space(text.as_bytes(), at) == text.len()
}

/// The content of a string literal without escapes.
pub(crate) fn plain(literal: &str) -> Option<&str> {
    let inner = literal.strip_prefix('"')?.strip_suffix('"')?;
    // Control characters must be escaped in JSON; the parser reports one that is not.
    let (blocks, rest) = inner.as_bytes().as_chunks();
    let is_odd = |block: &[u8; 16]| {
        let bytes = u8x16::new(*block);
        (bytes.simd_eq(b'\\') | bytes.simd_lt(b' ')).any()
    };
    let odd = blocks.iter().any(is_odd) || rest.iter().any(|byte| *byte == b'\\' || *byte < b' ');
    (!odd).then_some(inner)
}

/// A string, or the default for `null`.
pub(crate) fn text(value: &str) -> Option<Text<'_>> {
    if value == "null" {
        return Some(Text::default());
    }
    match plain(value) {
        Some(text) => Some(Text::from(text)),
        // The literal has escapes, or is not a string.
        None => serde_json::from_str(value).ok(),
    }
}

/// Stores a string that may be `null` in `slot`.
pub(crate) fn nullable<'a>(value: &'a str, slot: &mut Option<Text<'a>>) -> Option<()> {
    *slot = if value == "null" { None } else { Some(text(value)?) };
    Some(())
}

/// Stores a list of strings that may be `null` in `slot`.
pub(crate) fn texts<'a>(value: &'a str, slot: &mut Option<Vec<Text<'a>>>) -> Option<()> {
    if value == "null" {
        *slot = None;
        return Some(());
    }
    let texts = slot.insert(Vec::new());
    items(value, |rest| {
        let literal = self::value(rest, None).filter(|literal| literal.starts_with('"'))?;
        texts.push(text(literal)?);
        Some(literal.len())
    })?;
    Some(())
}

fn value_end(bytes: &[u8], start: usize) -> Option<usize> {
    match bytes.get(start)? {
        b'"' => string_end(bytes, start + 1),
        b'{' | b'[' => Some(start + container::length(bytes.get(start..)?)?),
        _ => {
            let rest = bytes.get(start..)?;
            let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
            let length = rest.iter().position(is_end).unwrap_or(rest.len());
            // Too short for skipping.
            let scalar = rest.get(..length)?;
            if !is_plain_scalar(scalar) {
                serde_json::from_slice::<serde::de::IgnoredAny>(scalar).ok()?;
            }
            Some(start + length)
        }
    }
}

/// Whether a scalar is `true`, `false`, `null` or a number of digits alone. All others are left to the parser.
fn is_plain_scalar(scalar: &[u8]) -> bool {
    match scalar {
        b"true" | b"false" | b"null" | b"0" => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// The index behind the closing quote of the string whose content begins at `start`.
///
/// It looks at sixteen bytes at a time: most strings are a key or a short value, for which a call of a search function
/// costs more than the search.
fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        while let Some(block) = bytes.get(at..at + 16).and_then(|block| block.try_into().ok()) {
            let block = u8x16::new(block);
            let hits = (block.simd_eq(b'"') | block.simd_eq(b'\\')).to_bitmask();
            if hits != 0 {
                at += hits.trailing_zeros() as usize;
                break;
            }
            at += 16;
        }
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

fn expect(bytes: &[u8], at: usize, byte: u8) -> Option<usize> {
    (bytes.get(at) == Some(&byte)).then_some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Option<Vec<(&str, &str)>> {
        let mut found = Vec::new();
        let end = members(text, |key, rest| {
            let value = value(rest, None)?;
            found.push((key, value));
            Some(value.len())
        })?;
        is_end(text, end).then_some(found)
    }

    #[test]
    fn members_are_slices_of_the_text() {
        let text = r#"{ "a" : {"x":[1,"}"]} , "b":"q\"}","c":-1.5e3,"d":null,"e":0,"f":102 } "#;
        let found = all(text).unwrap();
        assert_eq!(
            found,
            [("a", r#"{"x":[1,"}"]}"#), ("b", r#""q\"}""#), ("c", "-1.5e3"), ("d", "null"), ("e", "0"), ("f", "102")]
        );
        assert_eq!(all("{}"), Some(Vec::new()));
    }

    #[test]
    fn items_are_counted_and_nothing_else_is_a_list() {
        for (json, items) in [("[]", 0), ("[ 1 , {\"a\":[2,3]}, \"],[\", null ]", 4), ("[[],[1]]", 2)] {
            assert_eq!(count(json), items, "{json}");
        }
        for bad in ["", "{}", "[", "[1", "[1,", "[,1]", "[1;2]", "1"] {
            assert_eq!(count(bad), 0, "{bad}");
        }
    }

    #[test]
    fn maps_in_maps_are_walked_however_deep_they_are_and_nothing_else_is() {
        let walk = |json: &str| {
            let mut text = String::new();
            nested(json, |step| match step {
                Nested::Into(key) => text.push_str(key),
                Nested::OutOf => text.push('^'),
            })
            .map(|end| (text, end))
        };
        assert_eq!(walk("{}, 1"), Some((String::new(), 2)));
        let text = r#"{ "a" : { "b":{}, "k:{\"n\":1}" : { } } ,"c":{}}"#;
        assert_eq!(walk(text), Some((r#""a""b"^"k:{\"n\":1}"^^"c"^"#.to_owned(), text.len())));
        let deep = format!("{}{}", "{\"a\":".repeat(50_000) + "{}", "}".repeat(50_000));
        assert_eq!(walk(&deep).map(|(_, end)| end), Some(deep.len()));
        for bad in [
            "",
            "{",
            "[]",
            "{\"a\"}",
            "{\"a\":1}",
            "{\"a\":[]}",
            "{\"a\":{},}",
            "{,}",
            "{\"a\":{}\"b\":{}}",
            "{\"a\":{}",
        ] {
            assert_eq!(walk(bad), None, "{bad}");
        }
    }

    #[test]
    fn strings_of_every_length_end_where_they_should() {
        for length in 0..80 {
            for escape in ["", "\\\"", "\\\\", "ä\u{1}"] {
                let text = format!("\"{}{escape}{}\",x", "a".repeat(length), "b".repeat(length % 5));
                assert_eq!(value(&text, None).map(str::len), Some(text.len() - 2), "{text}");
                // Cut short anywhere inside, the text has no end.
                let cut = text.get(..text.len() - 3).unwrap_or_default();
                assert_eq!(value(cut, None), None, "{cut}");
            }
        }
    }

    #[test]
    fn a_literal_is_plain_unless_something_in_it_is_escaped_or_ought_to_be() {
        for length in 0..20 {
            let own = "aÿ~ ".repeat(length);
            assert_eq!(plain(&format!("\"{own}\"")), Some(&*own));
            for odd in ["\\n", "\n", "\u{1f}", "\u{0}"] {
                for at in 0..length {
                    let (head, tail) = own.split_at(at * "aÿ~ ".len());
                    assert_eq!(plain(&format!("\"{head}{odd}{tail}\"")), None, "{odd:?} at {at} of {length}");
                }
            }
        }
        for bad in ["", "a", "\"a", "a\""] {
            assert_eq!(plain(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_list_of_strings_is_read_and_any_other_value_is_left_to_the_parser() {
        let read = |json: &'static str| {
            let mut slot = Some(Vec::new());
            texts(json, &mut slot).map(|()| slot.map(|texts| texts.iter().map(ToString::to_string).collect::<Vec<_>>()))
        };
        assert_eq!(read("null"), Some(None));
        assert_eq!(read("[]"), Some(Some(Vec::new())));
        assert_eq!(read(r#"[ "a" ,"b\n"]"#), Some(Some(vec!["a".to_owned(), "b\n".to_owned()])));
        for bad in ["", "1", "{}", "\"a\"", "[1]", "[null]", "[[]]", "[\"a\"", "[\"a\",]"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn text_that_is_not_plainly_well_formed_is_left_to_the_parser() {
        for bad in [
            "",
            "[]",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":{",
            "{\"a\":\"x",
            "{\"a\":1}}",
            "{\"a\":1} x",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\" 1}",
            "{\"a\":nul}",
            "{\"a\":01}",
            "{\"a\":1a}",
            "{\"a\\u0062\":1}",
            "{\"a\":1;\"b\":2}",
        ] {
            assert_eq!(all(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_value_that_repeats_its_twin_is_passed_over_as_a_whole() {
        assert_eq!(value(r#"{"x":1},"n":2"#, Some(r#"{"x":1}"#)), Some(r#"{"x":1}"#));
        assert_eq!(value(r#"{"x":1}"#, Some(r#"{"y":1}"#)), Some(r#"{"x":1}"#));
        assert_eq!(value("12,", Some("1")), Some("12"));
    }
}
