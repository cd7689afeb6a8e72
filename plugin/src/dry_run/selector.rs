//! Label selectors as kubectl spells them, for objects that no server has selected.

use std::collections::BTreeSet;

use serde_json::Value;

/// The labels that an object must have, and must not have. Without a requirement every object is selected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector(Vec<Requirement>);

/// The requirement on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: LabelTest,
}

/// The test of a label's value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum LabelTest {
    /// The label is there.
    Exists,
    /// The label is not there.
    Absent,
    /// The label has one of these values.
    In(BTreeSet<String>),
    /// The label is not there, or has none of these values.
    NotIn(BTreeSet<String>),
}

impl LabelSelector {
    /// Reads a selector such as `a=b,c!=d,e in (f,g),!h`.
    ///
    /// # Errors
    /// A sentence that names the part that is not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut requirements = Vec::new();
        for part in parts(text) {
            requirements.push(requirement(part).ok_or_else(|| format!("unable to parse requirement: {part:?}"))?);
        }
        Ok(LabelSelector(requirements))
    }

    /// Whether the selector selects an object.
    pub fn selects(&self, object: &Value) -> bool {
        let labels = object.pointer("/metadata/labels");
        self.0.iter().all(|Requirement { key, test }| {
            let value = labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
            match test {
                LabelTest::Exists => value.is_some(),
                LabelTest::Absent => value.is_none(),
                LabelTest::In(values) => value.is_some_and(|value| values.contains(value)),
                LabelTest::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            }
        })
    }
}

/// The parts of a selector: commas within parentheses do not separate.
fn parts(text: &str) -> Vec<&str> {
    let mut inside = false;
    let parts = text.split(|letter| {
        inside = (inside || letter == '(') && letter != ')';
        letter == ',' && !inside
    });
    let parts: Vec<&str> = parts.map(str::trim).collect();
    if parts == [""] { Vec::new() } else { parts }
}

fn requirement(part: &str) -> Option<Requirement> {
    if let Some(key) = part.strip_prefix('!') {
        return Some(Requirement { key: self::key(key)?, test: LabelTest::Absent });
    }
    for (operator, is_not) in [("!=", true), ("==", false), ("=", false)] {
        if let Some((key, value)) = part.split_once(operator) {
            let values = BTreeSet::from([self::value(value)?]);
            let test = if is_not { LabelTest::NotIn(values) } else { LabelTest::In(values) };
            return Some(Requirement { key: self::key(key)?, test });
        }
    }
    let Some((before, list)) = part.split_once('(') else {
        return Some(Requirement { key: key(part)?, test: LabelTest::Exists });
    };
    let values = list.strip_suffix(')')?.split(',').map(value).collect::<Option<BTreeSet<String>>>()?;
    let (key, word) = before.trim().split_once(char::is_whitespace)?;
    let test = match word.trim() {
        "in" => LabelTest::In(values),
        "notin" => LabelTest::NotIn(values),
        _ => return None,
    };
    Some(Requirement { key: self::key(key)?, test })
}

fn key(text: &str) -> Option<String> {
    let key = text.trim();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | '/');
    (!key.is_empty() && key.chars().all(plain)).then(|| key.to_owned())
}

fn value(text: &str) -> Option<String> {
    let value = text.trim();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
    value.chars().all(plain).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_select_as_kubectls_do() {
        let object = json!({"metadata": {"labels": {"app": "web", "tier": "front", "empty": ""}}});
        let selects = |text: &str| LabelSelector::parse(text).unwrap().selects(&object);
        for yes in [
            "",
            "app",
            "app=web",
            "app==web, tier=front",
            "app!=db",
            "gone!=x",
            "!gone",
            "app in (db, web),tier",
            "app notin (db)",
            "gone notin (a,b)",
            "empty=",
        ] {
            assert!(selects(yes), "{yes}");
        }
        for no in ["gone", "app=db", "app!=web", "!app", "app in (db)", "app notin (web, db)", "app=web,gone", "gone="]
        {
            assert!(!selects(no), "{no}");
        }
        for (bad, part) in [
            ("a b", "a b"),
            ("=x", "=x"),
            ("app in web", "app in web"),
            ("x,app in (web", "app in (web"),
            ("a>(b)", "a>(b)"),
            (",", ""),
            ("a=b,", ""),
            ("a b (c)", "a b (c)"),
            ("a=b=c", "a=b=c"),
            ("a=b c", "a=b c"),
        ] {
            let said = LabelSelector::parse(bad).unwrap_err();
            assert_eq!(said, format!("unable to parse requirement: {part:?}"), "{bad}");
        }
        assert!(!LabelSelector::parse("a").unwrap().selects(&json!({"metadata": {"labels": null}})));
    }
}
