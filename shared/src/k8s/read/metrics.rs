//! A parser for the text format of Prometheus, limited to names, labels and values.

use std::borrow::Cow;

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample<'a> {
    /// The metric's name.
    pub name: &'a str,
    /// The value.
    pub value: f64,
    labels: Vec<(&'a str, Cow<'a, str>)>,
}

impl Sample<'_> {
    /// The value of a label; empty where it is not set, which means the same.
    pub fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(own, _)| *own == name).map_or("", |(_, value)| value)
    }
}

/// The samples of a metric. Lines that cannot be parsed are skipped, which does not affect the others.
pub fn samples<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = Sample<'a>> {
    text.lines().filter_map(sample).filter(move |sample| sample.name == name)
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            rest = rest.trim_start_matches([',', ' ']);
            if let Some(after) = rest.strip_prefix('}') {
                rest = after;
                break;
            }
            let (label, after) = rest.split_once("=\"")?;
            let end = closing_quote(after)?;
            labels.push((label.trim(), unescaped(after.get(..end)?)));
            rest = after.get(end + 1..)?;
        }
    }
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name, value, labels })
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match (char, char == '\\') {
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            (other, false) => out.push(other),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_with_whatever_their_labels_hold() {
        let text = "# HELP a b\n# TYPE a gauge\na{x=\"1\",y=\"q\\\"}\\\\\\n\"} 1\na 2 1700000000\na{} +Inf\nab{x=\"1\"} 3\na{x=\"1\n a{x=\"1\"}\n a { x=\"2\", } 4e3\n";
        let found: Vec<_> = samples(text, "a").collect();
        assert_eq!(found.iter().map(|sample| sample.value).collect::<Vec<_>>(), [1.0, 2.0, f64::INFINITY]);
        assert_eq!((found[0].label("x"), found[0].label("y"), found[0].label("z")), ("1", "q\"}\\\n", ""));
    }
}
