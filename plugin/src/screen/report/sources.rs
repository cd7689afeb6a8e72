//! The sources of the findings on a screen: as links on terminals that have them, else by number, with the addresses in a list.

use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::{FindingV1, Link, ReportV1};

use crate::screen::style::{Look, Paint};
use crate::screen::wording::titled;

/// The sources that were named so far, in their order.
#[derive(Debug, Default)]
pub(super) struct Sources {
    urls: Vec<String>,
}

impl Sources {
    /// The sources of a finding as words for people, each with its link or its number.
    pub(super) fn cite(&mut self, report: &ReportV1, finding: &FindingV1, look: Look) -> String {
        let cited: Vec<String> = first_of_each(report.links(finding)).iter().map(|link| self.one(link, look)).collect();
        cited.join("; ")
    }

    /// The addresses that are to be listed, each with its number.
    pub(super) fn listed(&self) -> impl Iterator<Item = String> {
        self.urls.iter().enumerate().map(|(place, url)| format!("[{}] {}", place + 1, text::clean(url)))
    }

    fn one(&mut self, link: &Link<'_>, look: Look) -> String {
        let words = words(link);
        if look.links {
            return Paint::link(words, link.url);
        }
        let place = self.urls.iter().position(|known| known == link.url).unwrap_or_else(|| {
            self.urls.push(link.url.to_owned());
            self.urls.len() - 1
        });
        format!("{words} [{}]", place + 1)
    }
}

/// The address of the first source of a finding: the strongest.
pub(super) fn first<'r>(report: &'r ReportV1, finding: &'r FindingV1) -> Option<&'r str> {
    report.links(finding).first().map(|link| link.url)
}

/// Where the platform is not known, a section stands in several texts that say the same: one of them is enough to read it.
fn first_of_each(links: Vec<Link<'_>>) -> Vec<Link<'_>> {
    let mut kept: Vec<Link<'_>> = Vec::new();
    for link in links {
        if link.section.is_empty() || kept.iter().all(|known| known.section != link.section) {
            kept.push(link);
        }
    }
    kept.truncate(MOST);
    kept
}

/// The most sources below one title, the strongest first. JSON has them all.
const MOST: usize = 3;

/// A source in words: clauses and section of a policy text, a page with its date, or the name of an issue.
fn words(link: &Link<'_>) -> String {
    match (link.section, link.date) {
        ("", Some(date)) => titled(link.title, Some(date)),
        ("", None) => text::line(link.title, 160),
        (section, _) => text::line(&format!("{} {section}", link.clauses.join(", ")), 160),
    }
}
