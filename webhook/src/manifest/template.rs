//! Templates of YAML, and the literals that are put into them.

use std::fmt::Write;

use serde_json::Value;

/// The template with each `{{name}}` replaced by its value, in the order of `values`.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}

pub(super) fn indent(text: &str, by: usize) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for line in text.lines() {
        if !line.trim().is_empty() {
            out.extend(std::iter::repeat_n(' ', by));
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// A text as the value of a YAML key: a block, which people can read, where YAML gives it back line by line; quoted elsewhere,
/// as with the line breaks of other systems or with spaces at its beginning.
pub(super) fn multiline(text: &str, by: usize) -> String {
    let is_kept = |line: &str| {
        !line.chars().any(|letter| (letter.is_control() && letter != '\t') || BREAKS.contains(&letter))
            && (line.is_empty() || !line.trim().is_empty())
    };
    let begins = text.lines().next().is_some_and(|line| line.starts_with(|first: char| !first.is_whitespace()));
    if begins && text.lines().all(is_kept) && !text.ends_with("\n\n") {
        format!("|\n{}", indent(text, by))
    } else {
        format!("{}\n", quoted(text))
    }
}

/// A string literal for CEL and for YAML. Both read JSON's escapes, and neither reads Rust's.
pub(super) fn quoted(text: &str) -> String {
    let json = Value::from(text).to_string();
    let mut out = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter.is_control() || BREAKS.contains(&letter) {
            // Writing to a string does not fail.
            let _ = write!(out, "\\u{:04x}", u32::from(letter));
        } else {
            out.push(letter);
        }
    }
    out
}

/// A name as a YAML string: as it stands where YAML takes it for one, quoted elsewhere.
pub(super) fn name(text: &str) -> String {
    let is_plain = text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !WORDS.contains(&text);
    if is_plain { text.to_owned() } else { quoted(text) }
}

/// A list of string literals in CEL.
pub(super) fn list<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let names: Vec<String> = names.into_iter().map(quoted).collect();
    format!("[{}]", names.join(", "))
}

/// What JSON leaves as it is, and YAML takes for the end of a line or of the text.
const BREAKS: [char; 3] = ['\u{2028}', '\u{2029}', '\u{feff}'];

/// What YAML 1.1 takes for something else than a string.
const WORDS: [&str; 10] = ["false", "n", "no", "null", "off", "on", "true", "y", "yes", "nan"];

#[cfg(test)]
mod tests {
    use super::*;
    use aksarc_shared::k8s::read::yaml;

    #[test]
    fn a_text_of_several_lines_reads_as_it_is_written() {
        for text in [
            "a: 1\nb: |\n  c\n\n  d\n",
            "a: 1\rb: 2\n",
            "  a: 1\n  b: 2\n",
            "\na: 1\n",
            "a: |\n  b\n    \n",
            "a: |+\n  b\n\n\n",
            "a: next line\u{85}b: 1\n",
            "a: \"---\"\n---\n",
            "{\"a\": [1,\n2]}\n",
        ] {
            let literal = format!("data:\n  key: {}---\n", multiline(text, 4));
            let read = yaml::documents(&literal).unwrap();
            assert_eq!(read[0]["data"]["key"], text, "{literal}");
        }
        let people_read = multiline("a: 1\nb: 2", 2);
        assert_eq!(people_read, "|\n  a: 1\n  b: 2\n");
    }

    #[test]
    fn a_literal_reads_as_its_text_in_yaml_and_in_json() {
        for text in
            ["plain", "a\"b\\c", "bell\u{7}", "next line\u{85}", "delete\u{7f}", "line\u{2028}", "\u{feff}", "ä"]
        {
            let literal = quoted(text);
            assert_eq!(serde_json::from_str::<String>(&literal).unwrap(), text);
            assert_eq!(yaml::parse::<Value>(&format!("a: {literal}")).unwrap()["a"], text, "{literal}");
            assert!(!literal.contains(char::is_control), "{literal}");
        }
        assert_eq!(quoted("bell\u{7}"), r#""bell\u0007""#);
    }

    #[test]
    fn a_name_that_yaml_takes_for_something_else_is_quoted() {
        assert_eq!(name("kube-system"), "kube-system");
        for odd in ["1234", "true", "no", "null", "a: b", ""] {
            assert_eq!(yaml::parse::<Value>(&format!("- {}", name(odd))).unwrap()[0], odd);
            assert!(name(odd).starts_with('"'), "{odd}");
        }
    }
}
