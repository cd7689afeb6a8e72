//! Changes of a configuration's text that leave everything else in it as it is, comments too.

use serde_json::Value;

/// One change of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ConfigEdit {
    /// The field `mode`.
    Mode(&'static str),
    /// The mode of a rule; `None` leaves it out, so that the rule's own counts.
    Rule {
        /// The names by which the rule may stand there: as given, by code and by slug.
        names: Vec<String>,
        /// The mode.
        mode: Option<&'static str>,
    },
}

impl ConfigEdit {
    /// The text with this change, or `None` where its notation is not one that is understood here. The caller reads the
    /// result and compares it with what it should be.
    pub(super) fn apply(&self, text: &str) -> Option<String> {
        if text.trim_start().starts_with('{') {
            return self.apply_json(text);
        }
        match self {
            ConfigEdit::Mode(mode) => {
                let mut lines = lines(text);
                let fresh = format!("mode: {mode}");
                if let Some(at) = position(&lines, "mode") {
                    let comment = comment(lines.get(at)?);
                    *lines.get_mut(at)? = format!("{fresh}{comment}");
                } else {
                    let above = position(&lines, "kind").or_else(|| position(&lines, "apiVersion"))?;
                    lines.insert(above + 1, fresh);
                }
                Some(joined(&lines))
            }
            ConfigEdit::Rule { names, mode } => rule(&mut lines(text), names, *mode),
        }
    }

    fn apply_json(&self, text: &str) -> Option<String> {
        let mut value: Value = serde_json::from_str(text).ok()?;
        let object = value.as_object_mut()?;
        match self {
            ConfigEdit::Mode(mode) => _ = object.insert("mode".to_owned(), Value::from(*mode)),
            ConfigEdit::Rule { names, mode } => {
                let rules = object.entry("rules").or_insert_with(|| Value::Object(serde_json::Map::new()));
                let rules = rules.as_object_mut()?;
                let own = names.iter().find(|name| rules.contains_key(*name)).or_else(|| names.first())?;
                match mode {
                    Some(mode) => _ = rules.insert(own.clone(), Value::from(*mode)),
                    None => _ = rules.remove(own),
                }
            }
        }
        serde_json::to_string_pretty(&value).ok().map(|text| text + "\n")
    }
}

/// Sets or removes the mode of a rule, in a block of lines below `rules:` or in braces behind it.
fn rule(lines: &mut Vec<String>, names: &[String], mode: Option<&str>) -> Option<String> {
    let name = names.first()?;
    let entry = |name: &str, mode: &str| format!("{name}: {}", quoted(mode));
    let Some(at) = position(lines, "rules") else {
        if let Some(mode) = mode {
            lines.extend(["rules:".to_owned(), format!("  {}", entry(name, mode))]);
        }
        return Some(joined(lines));
    };
    let own = lines.get(at)?.clone();
    let value = without_comment(own.strip_prefix("rules:")?).trim();
    if let Some(inner) = value.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')) {
        let mut entries: Vec<String> =
            inner.split(',').map(|entry| entry.trim().to_owned()).filter(|entry| !entry.is_empty()).collect();
        let found = entries.iter().position(|entry| entry.split_once(':').is_some_and(|(key, _)| is_named(key, names)));
        match (found, mode) {
            (Some(found), Some(mode)) => {
                let entry = entries.get_mut(found)?;
                let (key, _) = entry.split_once(':')?;
                *entry = self::entry(key, mode);
            }
            (Some(found), None) => _ = entries.remove(found),
            (None, Some(mode)) => entries.push(entry(name, mode)),
            (None, None) => {}
        }
        *lines.get_mut(at)? = format!("rules: {{{}}}{}", entries.join(", "), comment(&own));
        return Some(joined(lines));
    }
    if !value.is_empty() {
        return None;
    }
    let end = lines
        .iter()
        .skip(at + 1)
        .position(|line| !line.is_empty() && !line.starts_with([' ', '#']))
        .map_or(lines.len(), |more| at + 1 + more);
    let is_entry = |line: &String| line.starts_with(' ') && !line.trim_start().starts_with('#') && line.contains(':');
    let entries: Vec<usize> = (at + 1..end).filter(|number| lines.get(*number).is_some_and(is_entry)).collect();
    let key = |number: usize| lines.get(number)?.split_once(':').map(|(key, _)| key.to_owned());
    let found = entries.iter().copied().find(|number| key(*number).is_some_and(|key| is_named(&key, names)));
    match (found, mode) {
        (Some(found), Some(mode)) => {
            let line = lines.get(found)?;
            let (key, comment) = (line.split_once(':')?.0.to_owned(), comment(line));
            *lines.get_mut(found)? = format!("{}{comment}", self::entry(&key, mode));
        }
        (Some(found), None) => {
            lines.remove(found);
            // A field without a value would be an error.
            if entries.len() == 1 {
                *lines.get_mut(at)? = format!("rules: {{}}{}", comment(&own));
            }
        }
        (None, Some(mode)) => {
            let indent = entries
                .first()
                .and_then(|first| lines.get(*first))
                .map_or(2, |line| line.len() - line.trim_start().len());
            lines.insert(at + 1, format!("{}{}", " ".repeat(indent), entry(name, mode)));
        }
        (None, None) => {}
    }
    Some(joined(lines))
}

fn entry(key: &str, mode: &str) -> String {
    format!("{key}: {}", quoted(mode))
}

/// `off` alone is false in YAML.
fn quoted(mode: &str) -> String {
    if mode == "off" { "\"off\"".to_owned() } else { mode.to_owned() }
}

fn is_named(key: &str, names: &[String]) -> bool {
    let key = key.trim().trim_matches(['"', '\'']);
    names.iter().any(|name| name.eq_ignore_ascii_case(key))
}

/// The line of a field of the document itself, by its name.
fn position(lines: &[String], field: &str) -> Option<usize> {
    lines.iter().position(|line| line.strip_prefix(field).is_some_and(|rest| rest.starts_with(':')))
}

/// The comment at the end of a line, with the space before it.
fn comment(line: &str) -> &str {
    line.find(" #").map_or("", |at| line.get(at..).unwrap_or_default())
}

fn without_comment(line: &str) -> &str {
    line.strip_suffix(comment(line)).unwrap_or(line)
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn joined(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "apiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\n";

    fn mode(text: &str) -> String {
        ConfigEdit::Mode("enforce").apply(text).unwrap()
    }

    fn rule(text: &str, mode: Option<&'static str>) -> String {
        let names = ["AA201".to_owned(), "system-label-changed".to_owned()].to_vec();
        ConfigEdit::Rule { names, mode }.apply(text).unwrap()
    }

    #[test]
    fn a_mode_is_set_where_it_stands_and_comments_stay() {
        assert_eq!(mode(HEAD), format!("{HEAD}mode: enforce\n"));
        let text = format!("# ours\n{HEAD}# before\nmode: observe # until March\nplatform: azure-local\n");
        let after = format!("# ours\n{HEAD}# before\nmode: enforce # until March\nplatform: azure-local\n");
        assert_eq!(mode(&text), after);
        let json = r#"{"apiVersion": "a", "mode": "warn"}"#;
        assert_eq!(serde_json::from_str::<Value>(&mode(json)).unwrap()["mode"], "enforce");
        assert_eq!(ConfigEdit::Mode("warn").apply("- no\n- mapping\n"), None);
    }

    #[test]
    fn a_rule_is_set_changed_and_removed_in_every_notation() {
        for (before, set, removed) in [
            ("", "rules:\n  AA201: warn\n", ""),
            (
                "rules: {AA205: \"off\"} # own\n",
                "rules: {AA205: \"off\", AA201: warn} # own\n",
                "rules: {AA205: \"off\"} # own\n",
            ),
            ("rules: {AA201: deny}\n", "rules: {AA201: warn}\n", "rules: {}\n"),
            (
                "rules:\n    AA205: record\nmode: warn\n",
                "rules:\n    AA201: warn\n    AA205: record\nmode: warn\n",
                "rules:\n    AA205: record\nmode: warn\n",
            ),
            (
                "rules:\n  # why\n  system-label-changed: deny # so\n",
                "rules:\n  # why\n  system-label-changed: warn # so\n",
                "rules: {}\n  # why\n",
            ),
        ] {
            let (before, set, removed) =
                (format!("{HEAD}{before}"), format!("{HEAD}{set}"), format!("{HEAD}{removed}"));
            assert_eq!(rule(&before, Some("warn")), set);
            assert_eq!(rule(&before, None), removed);
        }
        assert_eq!(rule(&format!("{HEAD}rules: {{}}\n"), Some("off")), format!("{HEAD}rules: {{AA201: \"off\"}}\n"));
    }
}
