//! Templates of YAML.

/// Puts values where `{{name}}` stands.
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
