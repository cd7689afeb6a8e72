//! The published sources of a finding, with their addresses.

use super::finding::FindingV1;
use super::{DocumentV1, ReportV1};

/// A place in a published source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link<'r> {
    /// The title of the text or page, or the name of an issue.
    pub title: &'r str,
    /// The section of a policy text; empty for a whole page.
    pub section: &'r str,
    /// The date of a page, where it shows one.
    pub date: Option<&'r str>,
    /// The clauses of the finding that stand in the section.
    pub clauses: &'r [String],
    /// The address.
    pub url: &'r str,
}

impl<'r> Link<'r> {
    fn page(document: &'r DocumentV1) -> Option<Self> {
        let url = document.url.as_deref()?;
        Some(Link { title: &document.title, section: "", date: document.date.as_deref(), clauses: &[], url })
    }
}

impl ReportV1 {
    /// The sources of a finding: the pages of a documented one, the sections of its clauses in each policy text that has
    /// them, and known issues. Where no policy text has a clause, as in a preview, the pages of the platform stand for it.
    ///
    /// Only findings on the waivers and the guard of this project have none.
    pub fn links<'r>(&'r self, finding: &'r FindingV1) -> Vec<Link<'r>> {
        let pages = finding.documents.iter().filter_map(Link::page);
        let sections = finding.sections.iter().flat_map(|section| {
            let texts = section.documents.iter().zip(&section.urls).filter(|(_, url)| !url.is_empty());
            texts.map(|(id, url)| {
                let title = self.policy.documents.iter().find(|document| document.id == *id);
                let title = title.map_or(&**id, |document| &*document.title);
                Link { title, section: &section.section, date: None, clauses: &section.clauses, url }
            })
        });
        let mut links: Vec<Link<'r>> = pages.chain(sections).collect();
        if links.is_empty() && !finding.clauses.is_empty() {
            links.extend(self.policy.documents.iter().filter_map(Link::page));
        }
        let issues = finding.issues.iter();
        links.extend(issues.map(|issue| Link {
            title: &issue.name,
            section: "",
            date: None,
            clauses: &[],
            url: &issue.url,
        }));
        links
    }
}
