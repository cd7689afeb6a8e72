//! A report may hold any words of a cluster or of a saved report: it is read back unchanged, and no output of it steers
//! a terminal.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "reports/hostile.rs"]
mod reports;

use aksarc_shared::verdict::report::v1::ReportV1;
use jiff::Timestamp;
use kubectl_aksarc::screen::format::ScreenFormat;
use kubectl_aksarc::screen::report::{Filter, GroupBy, Show, View, report};
use kubectl_aksarc::screen::style::Look;
use proptest::prelude::*;
use reports::{hostile, with};

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_report_of_hostile_words_is_read_back_as_it_was(words in prop::collection::vec(hostile(), 1..40)) {
        let hostile = with(&words);
        let json = serde_json::to_string_pretty(&hostile).unwrap();
        let read = ReportV1::parse(&json).unwrap();
        prop_assert_eq!(&read, &hostile);
        prop_assert_eq!(serde_json::to_string_pretty(&read).unwrap(), json);
    }

    #[test]
    fn a_report_of_hostile_words_steers_no_terminal(words in prop::collection::vec(hostile(), 1..40)) {
        let hostile = with(&words);
        for format in [ScreenFormat::Table, ScreenFormat::Wide, ScreenFormat::Short, ScreenFormat::Name] {
            for group_by in [GroupBy::Rule, GroupBy::Object, GroupBy::Namespace] {
                let now = Timestamp::UNIX_EPOCH;
                let look = Look { width: Some(80), links: true, ..Look::default() };
                let filter = Filter::default();
                let view = View { look, name: "kubectl aksarc", show: Show::All, filter, group_by, now };
                let printed = report(&hostile, format, &view).unwrap();
                let steering = OWN_COLOURS.iter().fold(without_links(&printed), |text, own| text.replace(own, ""));
                let found = steering.chars().find(|c| (c.is_control() && *c != '\n') || STEERING.contains(c));
                prop_assert_eq!(found, None, "{:?}: {:?}", format, steering);
            }
        }
    }
}

/// A text without its own links, which lead to plain web addresses and end again.
fn without_links(text: &str) -> String {
    let mut parts = text.split("\u{1b}]8;;");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (url, rest) = part.split_once("\u{1b}\\").expect("a link ends");
        let plain = url.starts_with("https://") && url.chars().all(|c| c.is_ascii_graphic());
        assert!(url.is_empty() || plain, "{url:?}");
        out.push_str(rest);
    }
    out
}

/// The codes of our own colours.
const OWN_COLOURS: [&str; 8] =
    ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[35m", "\u{1b}[36m"];

/// Characters that are no control characters and reorder or hide text all the same.
const STEERING: [char; 5] = ['\u{202e}', '\u{2028}', '\u{2066}', '\u{200b}', '\u{feff}'];
