//! The one sorted list of all rules.

use crate::data::ClauseText;
use crate::finding::Code;
use crate::rules::rule::{Grounds, Rule};
use crate::text;

pub use crate::rules::ALL;

/// The rule with a code or slug; case does not matter.
pub fn find(word: &str) -> Option<&'static Rule> {
    ALL.iter()
        .copied()
        .find(|rule| rule.code.as_str().eq_ignore_ascii_case(word) || rule.slug.eq_ignore_ascii_case(word))
}

/// The code of the rule that attestations alone decide, for a clause.
pub(crate) fn attested(clause: &str) -> Option<Code> {
    let by_answers = |rule: &&Rule| matches!(rule.basis, Grounds::Answers) && rule.names(clause);
    ALL.iter().copied().find(by_answers).map(|rule| rule.code)
}

/// The rules a selector names: a code, a slug, or a category such as `2xx`.
///
/// # Errors
/// [`UnknownRule`], with the nearest known word.
pub fn select(selector: &str) -> Result<Vec<&'static Rule>, UnknownRule> {
    if let Some(rule) = find(selector) {
        return Ok(vec![rule]);
    }
    let category = selector.to_lowercase();
    let category = category.strip_prefix("aa").unwrap_or(&category).strip_suffix("xx");
    let rules: Vec<_> = ALL
        .iter()
        .copied()
        .filter(|rule| category.is_some_and(|digit| digit.chars().eq([rule.code.category()])))
        .collect();
    if rules.is_empty() {
        return Err(UnknownRule::of(selector));
    }
    Ok(rules)
}

/// Codes that no rule has any more. They are never given again.
pub const RETIRED: [&str; 3] = ["AA305", "AA411", "AA505"];

/// Everything that can decide a clause of the policy.
#[derive(Clone, Debug)]
pub struct Deciders<'d> {
    /// The rules that name it.
    pub rules: Vec<&'static Rule>,
    /// The clause whose question asks people for it: its own id, or the clause it is asked together with.
    pub asked_as: Option<&'d str>,
    /// Anything else that settles it, or the reason why nothing in a cluster does.
    pub settled_by: Option<&'d str>,
}

impl<'d> Deciders<'d> {
    /// The deciders of `clause`.
    pub fn of(clause: &'d ClauseText) -> Self {
        let rules = ALL.iter().copied().filter(|rule| rule.names(&clause.id)).collect();
        let asked = clause.ask.as_ref().map(|_| &*clause.id);
        Deciders { rules, asked_as: clause.asked_with.as_deref().or(asked), settled_by: clause.settled_by.as_deref() }
    }

    /// Whether the clause has any decider.
    pub fn any(&self) -> bool {
        !self.rules.is_empty() || self.asked_as.is_some() || self.settled_by.is_some()
    }
}

/// A word that names no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownRule {
    /// The code of a retired rule.
    #[error("{0} is retired: no rule has this code any more, and none will")]
    Retired(&'static str),
    /// A typing slip, or a pattern as other tools have them.
    #[error("no rule is called {given:?}; did you mean {nearest}?")]
    Slip {
        /// The word.
        given: String,
        /// The rule or category that was probably meant.
        nearest: String,
    },
    /// Anything else.
    #[error("no rule is called {0:?}")]
    Other(String),
}

impl UnknownRule {
    /// The kind of error for a selector that selects nothing.
    fn of(selector: &str) -> Self {
        let given = selector.to_uppercase();
        if let Some(code) = RETIRED.into_iter().find(|code| *code == given || *code == format!("AA{given}")) {
            return UnknownRule::Retired(code);
        }
        let slip = |nearest: String| UnknownRule::Slip { given: selector.to_owned(), nearest };
        if let Some(rule) = find(&format!("AA{given}")) {
            return slip(rule.code.to_string());
        }
        // AA2*, AA2, 2*, 20x: all of a family.
        let digits = given.strip_prefix("AA").unwrap_or(&given).trim_end_matches(['*', 'X']);
        let family =
            digits.chars().next().filter(|_| digits.len() <= 2 && digits.bytes().all(|own| own.is_ascii_digit()));
        if let Some(family) = family.filter(|digit| ALL.iter().any(|rule| rule.code.category() == *digit)) {
            return slip(format!("{family}xx"));
        }
        let known = ALL.iter().flat_map(|rule| [rule.code.as_str(), rule.slug]);
        match text::nearest(selector, known) {
            Some(nearest) => slip(nearest.to_owned()),
            None => UnknownRule::Other(selector.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tables;
    use crate::data::{Platform, Sees, embedded};
    use crate::finding::{Basis, Consequence};
    use crate::rules::rule::Mode;

    #[test]
    fn rules_are_sorted_and_unique_in_code_and_slug() {
        assert!(ALL.windows(2).all(|pair| pair[0].code < pair[1].code));
        let mut slugs: Vec<_> = ALL.iter().map(|rule| rule.slug).collect();
        slugs.sort_unstable();
        slugs.dedup();
        assert_eq!(slugs.len(), ALL.len());
    }

    #[test]
    fn no_rule_has_a_retired_code() {
        assert!(RETIRED.iter().all(|code| find(code).is_none()));
    }

    #[test]
    fn every_clause_a_rule_names_exists_and_a_rule_without_clauses_says_so() {
        for rule in ALL {
            // A rule outside the policy rests on experience or on another document, and its page says which.
            let of_experience = |platform: &&Platform| rule.basis_on(**platform) == Basis::Operational;
            let says_so =
                rule.platforms.iter().all(|own| of_experience(&own)) || rule.page().contains("names no clause");
            assert!(!rule.clauses.is_empty() || says_so, "{} names no clause and does not say so", rule.code);
            for clause in rule.clauses {
                assert!(embedded().clauses.iter().any(|row| row.id == clause.as_str()), "{} names {clause}", rule.code);
            }
        }
    }

    #[test]
    fn every_clause_is_decided_in_the_ways_its_row_promises() {
        let data = embedded();
        let open: Vec<&str> =
            data.clauses.iter().filter(|clause| !Deciders::of(clause).any()).map(|clause| &*clause.id).collect();
        assert!(open.is_empty(), "nothing decides {open:?}");
        for clause in data.clauses.iter() {
            let Deciders { rules, asked_as, settled_by } = Deciders::of(clause);
            let of_states =
                rules.iter().any(|rule| rule.state().per_object.is_some() || rule.state().per_cluster.is_some());
            for sees in &clause.sees {
                let kept = match sees {
                    Sees::Attest => asked_as.is_some_and(|lead| {
                        data.clauses.iter().any(|row| row.id == lead && row.ask.is_some() && row.topic.is_some())
                    }),
                    Sees::Change => rules.iter().any(|rule| rule.change.is_some()) || settled_by.is_some(),
                    Sees::Cluster | Sees::Evidence => of_states || settled_by.is_some(),
                    Sees::Information | Sees::Profile => settled_by.is_some(),
                };
                assert!(kept, "{} promises {sees:?}", clause.id);
            }
        }
    }

    #[test]
    fn clauses_settled_outside_of_rules_are_settled() {
        let settled: Vec<&str> =
            embedded().clauses.iter().filter(|clause| clause.settled_by.is_some()).map(|clause| &*clause.id).collect();
        assert_eq!(settled, ["C15", "C23", "C33", "C36", "C39"]);
        let kind: crate::people::waiver::WaiverKind = serde_json::from_str("\"microsoft-directed\"").unwrap();
        assert_eq!(kind, crate::people::waiver::WaiverKind::MicrosoftDirected);
        assert!(find("AA601").unwrap().names("C33"));
        assert!(!tables::known_issues().is_empty());
    }

    #[test]
    fn a_rule_has_watches_exactly_if_it_judges_changes() {
        for rule in ALL {
            assert_eq!(rule.guards.is_empty(), rule.change.is_none(), "{}", rule.code);
            assert!(rule.instead.len() <= 60, "{}: `instead` must fit a denial line", rule.code);
        }
    }

    #[test]
    fn no_rule_denies_or_warns_beyond_its_weight() {
        for rule in ALL.iter().filter(|rule| rule.change.is_some()) {
            let most = Mode::at_most(rule.heaviest(rule.platforms));
            assert!(rule.mode <= most, "{}: {} where {} is the most", rule.code, rule.mode.as_str(), most.as_str());
        }
    }

    #[test]
    fn a_documented_rule_names_existing_dated_pages() {
        for (rule, platform) in ALL.iter().flat_map(|rule| rule.platforms.iter().map(move |own| (rule, *own))) {
            let Basis::Documented(ids) = rule.basis_on(platform) else { continue };
            let documents = rule.basis_on(platform).documents();
            assert!(!ids.is_empty() && documents.len() == ids.len(), "{} on {platform:?}: {ids:?}", rule.code);
            assert!(documents.iter().all(|document| document.date.is_some()), "{}: {ids:?}", rule.code);
        }
    }

    #[test]
    fn without_a_policy_text_nothing_is_explicit_and_only_two_rules_void() {
        let there = |rule: &&&Rule| rule.platforms.contains(&Platform::BareMetal);
        for rule in ALL.iter().filter(there) {
            assert_ne!(rule.basis_on(Platform::BareMetal), Basis::Explicit, "{}", rule.code);
        }
        let voids = |rule: &&&Rule| rule.consequence_on(Platform::BareMetal) == Consequence::Voids;
        let codes: Vec<&str> = ALL.iter().filter(there).filter(voids).map(|rule| rule.code.as_str()).collect();
        assert_eq!(codes, ["AA303", "AA401"]);
    }

    #[test]
    fn selectors_are_codes_slugs_and_categories() {
        assert_eq!(select("aa201").unwrap().len(), 1);
        assert_eq!(select("system-label-changed").unwrap()[0].code.as_str(), "AA201");
        assert!(select("2xx").unwrap().len() > 3 && select("AA2xx").unwrap().len() > 3);
        let says = |word: &str| select(word).unwrap_err().to_string();
        for (word, near) in
            [("AA20l", "AA201"), ("201", "AA201"), ("AA2*", "2xx"), ("2*", "2xx"), ("AA2", "2xx"), ("AA20*", "2xx")]
        {
            assert!(says(word).ends_with(&format!("did you mean {near}?")), "{}", says(word));
        }
        for word in ["AA305", "aa305", "305"] {
            assert!(says(word).starts_with("AA305 is retired"), "{}", says(word));
        }
        for word in ["**", "AA0*", "0", "AA2011"] {
            select(word).unwrap_err();
        }
        assert_eq!(select("").unwrap_err().to_string(), "no rule is called \"\"");
    }
}
