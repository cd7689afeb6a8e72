//! The escaping of text for each format. Whoever can write an object in the cluster chooses names and values, and a saved
//! report can hold any text in any field: whatever stands in a format went through its function here.

use std::borrow::Cow;
use std::fmt::Write as _;

use aksarc_shared::text;

/// A JSON text in which characters that hide or reorder what is read stand as `\u` escapes. It means the same.
pub fn json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut units = [0; 2];
    for c in json.chars() {
        if c == '\n' || !text::is_unsafe(c) {
            out.push(c);
            continue;
        }
        // Outside of its strings JSON has no such characters.
        for unit in c.encode_utf16(&mut units) {
            // Writing to a string does not fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

/// A cell of a table for spreadsheets, which take a text that begins like a formula for one.
pub fn cell(value: &str) -> String {
    let clean = text::clean(value);
    let begins = clean.chars().find(|c| !c.is_whitespace());
    if begins.is_some_and(|first| FORMULAS.contains(&first)) { format!("'{clean}") } else { clean.into_owned() }
}

/// A message of SARIF, which takes `[text](address)` for a link and `{0}` for a placeholder.
pub fn sarif(value: &str) -> String {
    text::clean(value).replace("](", "] (").replace('{', "{{").replace('}', "}}")
}

/// The message of a command to GitHub Actions. Only its own command is one.
pub fn github(value: &str) -> String {
    apart(&text::clean(value)).replace('%', "%25")
}

/// A property of a command to GitHub Actions, such as its title or file.
pub fn github_property(value: &str) -> String {
    github(value).replace(':', "%3A").replace(',', "%2C")
}

/// The message or a property of a command to the agent of Azure Pipelines, which looks for commands anywhere in a line.
pub fn azdo(value: &str) -> String {
    apart(&text::clean(value)).replace('%', "%AZP25").replace(']', "%5D").replace(';', "%3B")
}

/// A text of HTML, between tags and in quoted attributes. What HTML forbids even as a reference is shown as `\u{..}`.
pub fn html(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in text::clean(value).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if is_noncharacter(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Whether Unicode reserves the character for no text at all.
fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
}

/// The value of a label in the text format of Prometheus.
pub fn label(value: &str) -> String {
    text::clean(value).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A text in XML. The writer escapes what is markup; what XML cannot hold at all is shown as `\u{..}`.
pub fn xml(value: &str) -> String {
    let clean = text::clean(value);
    clean.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

/// A sentence in a cell of a Markdown table. Words of letters and everyday punctuation stand as they
/// are; every other word is code, so that nothing in it is a link, a mention, an image or HTML.
pub fn markdown(sentence: &str) -> String {
    let clean = text::clean(sentence);
    let words = clean.split(' ').map(|word| {
        let (word, end) = word.split_at(word.trim_end_matches([',', '.', ':', ';', ')']).len());
        let (start, word) = word.split_at(word.len() - word.trim_start_matches('(').len());
        let is_plain = word.chars().all(|c| c.is_alphanumeric() || "-'’“”,·–—…/".contains(c))
            && !word.to_lowercase().starts_with("gh-")
            || is_time(word);
        let word = if is_plain { Cow::Borrowed(word) } else { Cow::Owned(code(word)) };
        format!("{start}{word}{end}")
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Whether a word is a time of day, `05:30:29`. Between other colons, digits can be the name of a picture.
fn is_time(word: &str) -> bool {
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = word.split(':').collect();
    parts.len() == 3 && parts.into_iter().all(two_digits)
}

/// A text as code in a cell of a Markdown table.
pub fn code(value: &str) -> String {
    if value.trim().is_empty() {
        return value.to_owned();
    }
    let clean = text::clean(value);
    // The fence is longer than any run of backticks within, and apart from one at either end.
    let longest = clean.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let gap = if clean.starts_with('`') || clean.ends_with('`') { " " } else { "" };
    // A table is taken apart at `|` before code is looked for.
    format!("{fence}{gap}{}{gap}{fence}", clean.replace('|', "\\|"))
}

/// A text in which no two `#` stand together: `##vso[` and `##[` begin commands to both runners.
fn apart(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if c == '#' && out.ends_with('#') {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// The characters by which spreadsheets know a formula, in both widths.
const FORMULAS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
