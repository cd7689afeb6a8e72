//! The files that a rule needs, for `cargo xtask rule`.

use std::fs;
use std::path::Path;

use aksarc_shared::rules::catalogue;
use aksarc_shared::rules::rule::Mode;
use anyhow::ensure;

/// The lines of a checklist for the rule `code` in the checkout `root`: each file with what it needs, marked as there
/// or missing. Nothing is changed.
///
/// # Errors
/// `code` is no code of a rule, such as AA201.
pub fn checklist(root: &Path, code: &str) -> anyhow::Result<Vec<String>> {
    let code = code.to_uppercase();
    let digits = code.strip_prefix("AA").unwrap_or_default();
    ensure!(
        digits.len() == 3 && digits.bytes().all(|own| own.is_ascii_digit()),
        "{code:?} is no code of a rule: AA and three digits"
    );
    let name = code.to_lowercase();
    let [rule, page, proof] = [
        format!("shared/src/rules/{name}.rs"),
        format!("shared/src/rules/{name}.md"),
        format!("tests/proofs/{name}.yaml"),
    ];
    let text = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let holds = |path: &str, words: &str| text(path).contains(words);
    // Of a rule that is not listed yet all files are named.
    let listed = catalogue::ALL.iter().find(|rule| rule.code.as_str() == code);
    let guards = listed.is_none_or(|rule| !rule.guards.is_empty() && rule.mode != Mode::Off);
    let changes = listed.is_none_or(|rule| rule.change.is_some());

    let mut lines = vec!["written by you:".to_owned()];
    let mut tell = |there: bool, path: &str, what: &str| {
        lines.push(format!("  {}  {path}: {what}", if there { "there  " } else { "MISSING" }));
    };
    tell(!text(&rule).is_empty(), &rule, "the rule, `pub(super) static RULE` and `STATE`");
    tell(!text(&page).is_empty(), &page, "its page, with examples that are tests");
    tell(holds(LIST, &format!("mod {name};")), LIST, &format!("`mod {name};`"));
    let list = text(LIST);
    let (_, list) = list.split_once("list! {").unwrap_or_default();
    tell(list.contains(&name), LIST, &format!("`{name}` in `list!`, in order"));
    tell(!text(&proof).is_empty(), &proof, "its proof on a real API server");
    tell(holds("CHANGELOG.md", &code), "CHANGELOG.md", "a line under \"Rules\"");
    if changes {
        lines.push(format!("  look     {EDITS}: draws a change that the rule minds, which `--test prop_law` demands"));
    }
    lines.push("renewed by `cargo xtask generate`:".to_owned());
    let mut tell = |there: bool, path: &str, what: &str| {
        lines.push(format!("  {}  {path}: {what}", if there { "there  " } else { "MISSING" }));
    };
    tell(holds("README.md", &format!("| [{code}](")), "README.md", "its row");
    if guards {
        tell(holds("deploy/guard.yaml", &code), "deploy/guard.yaml", "what the guard is asked for it");
    }
    lines.push("then: cargo xtask generate && cargo xtask generate --check && cargo test -p aksarc-shared".to_owned());
    Ok(lines)
}

const LIST: &str = "shared/src/rules.rs";
const EDITS: &str = "tests/law/edits.rs";

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(code: &str) -> Vec<String> {
        let lines = checklist(&crate::root(), code).unwrap();
        let missing = lines.iter().filter_map(|line| line.trim().strip_prefix("MISSING  "));
        missing.map(|line| line.split(':').next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn no_rule_of_the_catalogue_lacks_a_file() {
        for rule in catalogue::ALL {
            let missing = missing(rule.code.as_str());
            // Older lines there name several codes by the first and the last.
            let missing: Vec<&String> = missing.iter().filter(|file| *file != "CHANGELOG.md").collect();
            assert!(missing.is_empty(), "{}: {missing:?}", rule.code);
        }
    }

    #[test]
    fn a_new_rule_lacks_them_all() {
        let expected = [
            "shared/src/rules/aa999.rs",
            "shared/src/rules/aa999.md",
            "shared/src/rules.rs",
            "shared/src/rules.rs",
            "tests/proofs/aa999.yaml",
            "CHANGELOG.md",
            "README.md",
            "deploy/guard.yaml",
        ];
        assert_eq!(missing("aa999"), expected);
    }

    #[test]
    fn a_text_that_is_no_code_is_refused() {
        for word in ["", "AA20", "AA2011", "BB201", "AA20l", "../x"] {
            let said = checklist(Path::new("."), word).unwrap_err().to_string();
            assert!(said.contains("is no code of a rule"), "{word}: {said}");
        }
    }
}
