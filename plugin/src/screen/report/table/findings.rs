//! Every finding, the most urgent first.

use std::collections::BTreeMap;

use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::{FindingV1, Urgency};

use super::group::{Headed, RuleGroup};
use super::layout::Screen;
use crate::screen::report::shown::{hidden, shown};
use crate::screen::report::view::GroupBy;
use crate::screen::style::Paint;
use crate::screen::wording::object_words;

impl Screen<'_> {
    pub(super) fn findings(&mut self) {
        let findings = shown(self.report, self.view);
        match self.view.group_by {
            GroupBy::Rule => {
                // Undecided rules that could void support stand behind the findings that do.
                let (urgent, rest): (Vec<_>, Vec<_>) =
                    by_rule(&findings).into_iter().partition(|group| group.urgency() < Urgency::CouldVoid);
                for group in urgent {
                    self.group(&group, Headed::ByRule);
                }
                self.undecided();
                for group in rest {
                    self.group(&group, Headed::ByRule);
                }
            }
            GroupBy::Object => {
                self.sections(&findings, Headed::ByObject, |finding| object_words(&finding.object));
                self.undecided();
            }
            GroupBy::Namespace => {
                self.sections(&findings, Headed::ByRule, |finding| match &*finding.object.namespace {
                    "" => "(cluster)".to_owned(),
                    namespace => format!("namespace {}", text::line(namespace, 80)),
                });
                self.undecided();
            }
        }
    }

    /// The number of findings that are not shown, and the flags that show them.
    pub(super) fn hidden(&mut self) {
        let hidden: Vec<String> = hidden(self.report, self.view).into_iter().collect();
        self.block("hidden", &hidden);
    }

    /// Findings under titles of their own, those with the most urgent one first.
    fn sections(&mut self, findings: &[&FindingV1], headed: Headed, title: impl Fn(&FindingV1) -> String) {
        let mut sections: BTreeMap<String, Vec<&FindingV1>> = BTreeMap::new();
        for finding in findings {
            sections.entry(title(finding)).or_default().push(finding);
        }
        let mut sections: Vec<_> = sections.into_iter().collect();
        sections.sort_by_key(|(_, findings)| findings.iter().map(|finding| finding.urgency()).min());
        for (title, findings) in sections {
            self.gap();
            self.out.line(&format!("{} {}", Paint::bold("#"), Paint::bold(title)));
            for group in by_rule(&findings) {
                self.group(&group, headed);
            }
        }
    }
}

/// Findings by their rules. They come in the order of their urgency, and so do the groups.
fn by_rule<'f>(findings: &[&'f FindingV1]) -> Vec<RuleGroup<'f>> {
    let mut groups: Vec<Vec<&FindingV1>> = Vec::new();
    for finding in findings {
        match groups.iter_mut().find(|group| group.first().is_some_and(|first| first.code == finding.code)) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    let mut groups: Vec<RuleGroup<'_>> = groups.into_iter().filter_map(RuleGroup::of).collect();
    groups.sort_by_key(|group| (group.urgency(), group.first.code.clone()));
    groups
}
