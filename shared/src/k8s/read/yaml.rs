//! YAML as kubectl reads it, turned into JSON values: `yes` is true, `0644` is octal, duplicate keys are errors.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::json::ReadError;

/// Every document of a YAML or JSON text; empty documents are left out.
///
/// # Errors
/// [`ReadError::Yaml`] with line and column.
pub fn documents(text: &str) -> Result<Vec<Value>, ReadError> {
    let text = text.trim_start_matches('\u{feff}');
    // JSON comes first: its parser is a hundred times faster, and its errors are the ones to show for text that begins
    // like JSON.
    if text.trim_start().starts_with('{') {
        let stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        return Ok(stream.collect::<Result<_, _>>()?);
    }
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options())
        .map_err(|error| ReadError::Yaml(error.to_string()))?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// Reads one document of a known type: configuration, waivers, data tables.
///
/// # Errors
/// [`ReadError::Yaml`] with line and column, also for unknown and duplicate keys.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, ReadError> {
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| ReadError::Yaml(error.to_string()))
}

/// Reads several documents of one known type.
///
/// # Errors
/// As [`parse`].
pub fn parse_all<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, ReadError> {
    serde_saphyr::from_multiple_with_options(text, options()).map_err(|error| ReadError::Yaml(error.to_string()))
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        legacy_octal_numbers: true,
        strict_booleans: false,
        with_snippet: false,
    }
}

#[cfg(test)]
mod tests {
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
    fn duplicate_keys_and_broken_text_are_errors() {
        for (bad, words) in [
            ("a: 1\na: 2\n", "duplicate"),
            ("a: [1\n", "unclosed bracket '['"),
            ("{\"a\": 1", "EOF while parsing"),
            ("a:\n\t- b", "tab"),
        ] {
            let said = documents(bad).unwrap_err().to_string();
            assert!(said.contains(words), "{words:?} of {bad:?}: {said}");
        }
    }

    #[test]
    fn json_streams_are_documents_too() {
        assert_eq!(documents("{\"a\":1}\n{\"a\":2}").unwrap().len(), 2);
    }
}
