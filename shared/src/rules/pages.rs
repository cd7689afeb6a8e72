//! The pages of the rules, in a table of their own: a program that shows none, such as the guard, does not hold them.

use crate::rules::rule::Rule;

impl Rule {
    /// The Markdown page, which lies beside the rule's file.
    pub fn page(&self) -> &'static str {
        PAGES.iter().find(|(code, _)| *code == self.code.as_str()).map_or("", |(_, page)| page)
    }
}

// From the build script: `PAGES`, each rule's code and page.
include!(concat!(env!("OUT_DIR"), "/pages.rs"));
