//! YAML as kubectl reads it, turned into JSON values: `yes` is true, `0644` is octal, and so are keys. Of a key that is there twice in an object the
//! last counts, as for kubectl; in files of our own it is an error, since nobody can tell which was meant.

mod value;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Budget, Error, Options};

use value::KubectlValue;

use super::json::ReadError;
use crate::text;

/// Every document of a YAML or JSON text; empty documents are left out.
///
/// # Errors
/// [`ReadError::Yaml`] with line and column; [`ReadError::Content`] for more than is read.
pub fn documents(text: &str) -> Result<Vec<Value>, ReadError> {
    let text = without_mark(text);
    // JSON comes first: its parser is a hundred times faster, and its errors are the ones to show for text that begins
    // like JSON.
    if text.trim_start().starts_with('{') {
        let stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        return Ok(stream.collect::<Result<_, _>>()?);
    }
    let documents: Vec<KubectlValue> =
        serde_saphyr::from_multiple_with_options(text, options(text, DuplicateKeyPolicy::LastWins))
            .map_err(|error| fault(&error))?;
    Ok(documents.into_iter().map(|KubectlValue(document)| document).filter(|document| !document.is_null()).collect())
}

/// Reads one document of a known type: configuration, waivers, data tables.
///
/// # Errors
/// As of [`documents`], and [`ReadError::Content`] with line and column for another shape, such as unknown keys.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, ReadError> {
    let text = without_mark(text);
    serde_saphyr::from_str_with_options(text, options(text, DuplicateKeyPolicy::Error))
        .map_err(|error| of_shape(text, &error))
}

/// Reads several documents of one known type.
///
/// # Errors
/// As [`parse`].
pub fn parse_all<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, ReadError> {
    let text = without_mark(text);
    serde_saphyr::from_multiple_with_options(text, options(text, DuplicateKeyPolicy::Error))
        .map_err(|error| of_shape(text, &error))
}

/// The text without the byte order mark that editors on Windows put before it.
fn without_mark(text: &str) -> &str {
    text.trim_start_matches('\u{feff}')
}

/// The error of a text that should have a shape. If the YAML itself is invalid, the error is that of its documents.
fn of_shape(text: &str, error: &Error) -> ReadError {
    match documents(text) {
        Err(error @ ReadError::Yaml(_)) => error,
        _ => match fault(error) {
            ReadError::Yaml(said) => ReadError::Content(said),
            other => other,
        },
    }
}

fn fault(error: &Error) -> ReadError {
    // What is wrong behind an alias is wrapped in the alias' own error.
    let inner = match error.without_snippet() {
        Error::AliasError { error, .. } => error.without_snippet(),
        other => other,
    };
    match inner {
        Error::DuplicateMappingKey { key, location } => {
            let key = key.as_deref().map(|key| format!(" {key:?}")).unwrap_or_default();
            let (line, column) = (location.line(), location.column());
            ReadError::Content(format!(
                "duplicate mapping key{key} at line {line}, column {column}: nobody can tell which was meant; leave only one"
            ))
        }
        unknown @ (Error::SerdeUnknownField { field: word, expected, .. }
        | Error::SerdeUnknownVariant { variant: word, expected, .. }) => {
            let near = text::nearest(word, expected.iter().copied());
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            ReadError::Yaml(format!("{unknown}{near}"))
        }
        Error::Budget { .. } => ReadError::Content(format!("more than is read as YAML, JSON may have more: {error}")),
        _ => ReadError::Yaml(error.to_string()),
    }
}

/// Limits in proportion to the size of the text, and for small texts those of larger ones: aliases can make much of little.
fn options(text: &str, duplicate_keys: DuplicateKeyPolicy) -> Options {
    let usual = Budget::default();
    let bytes = text.len();
    let made = bytes.saturating_mul(MADE_PER_BYTE);
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: usual.max_documents.max(bytes),
            max_events: usual.max_events.max(bytes.saturating_mul(EVENTS_PER_BYTE)),
            max_nodes: made.max(NODES_OF_A_SMALL_TEXT),
            max_total_scalar_bytes: made.max(BYTES_OF_A_SMALL_TEXT),
        },
        duplicate_keys: duplicate_keys,
        legacy_octal_numbers: true,
        strict_booleans: false,
        with_snippet: false,
    }
}

/// The most of the reader's events that one byte of YAML makes, such as `-` where it begins a list: begin, empty item, end.
const EVENTS_PER_BYTE: usize = 4;

/// More values, and more bytes of them, than one byte of YAML without aliases makes.
const MADE_PER_BYTE: usize = 2;

/// What aliases may make of a text of a few lines: more than manifests have.
const NODES_OF_A_SMALL_TEXT: usize = 10_000;
const BYTES_OF_A_SMALL_TEXT: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn scalars_read_as_kubectl_reads_them() {
        let values = documents("a: yes\nb: 0644\nc: '0644'\nd: 1.30\n---\n---\nkind: List\n").unwrap();
        assert_eq!(
            values,
            [serde_json::json!({"a": true, "b": 420, "c": "0644", "d": 1.3}), serde_json::json!({"kind": "List"})]
        );
    }

    #[test]
    fn keys_read_as_kubectl_reads_them() {
        let keys = |text: &str| {
            let documents = documents(text).map_err(|error| error.to_string())?;
            let first = documents.first().and_then(Value::as_object).cloned().unwrap_or_default();
            Ok::<_, String>(first.into_iter().map(|(key, _)| key).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(keys("on: 1\n").as_deref(), Ok("true"));
        assert_eq!(keys("'on': 1\n").as_deref(), Ok("on"));
        assert_eq!(keys("1.30: 1\n").as_deref(), Ok("1.3"));
        assert_eq!(keys("0x10: 1\n").as_deref(), Ok("16"));
        assert_eq!(keys("1234567.5: 1\n").as_deref(), Ok("1.2345675e+06"));
        let refused = keys("~: 1\n").unwrap_err();
        assert!(refused.contains("a key that JSON can have"), "{refused}");
    }

    #[test]
    fn broken_text_is_an_error() {
        for (bad, words) in
            [("a: [1\n", "unclosed bracket '['"), ("{\"a\": 1", "EOF while parsing"), ("a:\n\t- b", "tab")]
        {
            let said = documents(bad).unwrap_err().to_string();
            assert!(said.contains(words), "{words:?} of {bad:?}: {said}");
        }
    }

    #[test]
    fn a_text_may_be_as_large_as_the_byte_limits_let_it() {
        let pods = "- {a: 1, b: [2, 3]}\n".repeat(60_000);
        assert_eq!(documents(&format!("items:\n{pods}")).unwrap().len(), 1);
        assert_eq!(documents(&"a: 1\n---\n".repeat(3_000)).unwrap().len(), 3_000);
    }

    #[test]
    fn aliases_that_multiply_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let last = format!("*a{}", level - 1);
            writeln!(bomb, "a{level}: &a{level} [{}]", [&*last; 10].join(", ")).unwrap();
        }
        writeln!(bomb, "# {}", "x".repeat(4 << 20)).unwrap();
        documents(&bomb).unwrap_err();
    }

    #[test]
    fn aliases_make_no_more_of_a_text_than_a_larger_one_holds() {
        let aliases = |of: &str, n: usize| [of].repeat(n).join(", ");
        let list = |n: usize| format!("a: &a [{}]\nl: [{}]\n", aliases("v", n), aliases("*a", n));
        let text = |n: usize| format!("a: &a {}\nl: [{}]\n", "word".repeat(n), aliases("*a", 99));
        for lawful in [list(20), list(90), text(100), text(2_000)] {
            documents(&lawful).unwrap();
        }
        for bomb in [list(120), list(5_000), text(4_000), text(100_000)] {
            let said = documents(&bomb).unwrap_err().to_string();
            assert!(said.starts_with("more than is read as YAML"), "{} bytes: {said}", bomb.len());
        }
        // Each list has thirty times as much as the last.
        let mut nested = format!("a0: &a0 {}\n", "word".repeat(500));
        for level in 1..4 {
            let below = aliases(&format!("*a{}", level - 1), 30);
            writeln!(nested, "a{level}: &a{level} [{below}]").unwrap();
        }
        assert!(nested.len() < 3_000);
        documents(&nested).unwrap_err();
    }

    #[test]
    fn only_text_that_kubectl_refuses_is_said_to_be_refused_by_it() {
        let shape = |text: &str| parse::<std::collections::BTreeMap<String, u8>>(text).unwrap_err();
        assert!(matches!(shape("a: x\n"), ReadError::Content(_)));
        assert!(matches!(shape("a: [\n"), ReadError::Yaml(_)));
    }

    #[test]
    fn the_last_of_two_equal_keys_counts_in_objects_and_our_own_files_may_have_none() {
        let twice = "a: {b: 1, b: 2}\na: {b: 3, c: {}, b: 4}\n";
        assert_eq!(documents(twice).unwrap(), [serde_json::json!({"a": {"b": 4, "c": {}}})]);
        let said = parse::<std::collections::BTreeMap<String, u8>>("a: 1\na: 2\n").unwrap_err().to_string();
        assert!(said.contains("duplicate mapping key \"a\" at line 2, column 1"), "{said}");
    }

    #[test]
    fn json_streams_are_documents_too() {
        assert_eq!(documents("{\"a\":1}\n{\"a\":2}").unwrap().len(), 2);
    }
}
