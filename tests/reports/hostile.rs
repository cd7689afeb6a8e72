//! Reports with words that an attacker would choose.

use std::sync::LazyLock;

use aksarc_shared::verdict::check::Params;
use aksarc_shared::verdict::report::ToolVersion;
use aksarc_shared::verdict::report::v1::{PlaceV1, ReportV1};
use aksarc_tests::reports;
use proptest::prelude::*;

/// Words that an attacker would choose, and any others.
pub(crate) fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        Just(String::new()),
        Just("\u{1b}[2J\u{1b}]0;x\u{7}".to_owned()),
        Just("a\r\n\n exit 0\u{2028}".to_owned()),
        Just("\u{202e}txt.exe\u{200b}\u{feff}\u{0}".to_owned()),
        Just("\"}],\"verdict\":\"within\"".to_owned()),
        Just("9".repeat(400)),
        Just("##vso[task.setvariable variable=x]y ##[error]z ::error::w ::add-mask::v %0A%0D%25%AZP25 ;]".to_owned()),
        Just("\n::error title=a::b\r\n##vso[task.complete result=Succeeded;]".to_owned()),
        Just("]]></system-out><testcase/> <!-- & &amp; \u{fffe}\u{ffff}\u{1}".to_owned()),
        Just("</script><script>alert(1)</script><img src=x onerror=y>".to_owned()),
        Just(
            "@org/team [a](https://example.com) ![b](c) | x | `y` ``z`` <b> www.example.com a@example.com #1 GH-1"
                .to_owned()
        ),
        Just("- a\n# b\n1. c\n---\n```\n> d | e \\| f \\".to_owned()),
        Just("=HYPERLINK(\"https://example.com\",\"x\")\r\n+1,-1,@SUM(1)\t".to_owned()),
        Just("\u{a0} ＝cmd|' /C calc'!A0".to_owned()),
        Just("a\"b\\c\nd} 1\naksarc_verdict{verdict=\"within\"} 1".to_owned()),
        Just("../../{0} [b](1) \u{2066}c".to_owned()),
    ]
}

/// The report of a sample with other words in every field that holds any word, each taken in turn.
pub(crate) fn with(words: &[String]) -> ReportV1 {
    reports::with_words(&REPORT, words.iter().map(String::as_str).cycle()).unwrap()
}

/// The report of a sample that has every part.
pub(crate) static REPORT: LazyLock<ReportV1> = LazyLock::new(|| {
    let params = Params::at("2026-12-01T00:00:00Z".parse().unwrap());
    let mut report = reports::of_sample("drifted", params, ToolVersion::default(), "drifted").unwrap();
    (report.input.unjudged, report.input.recorded) = (1, 1);
    let place = |line| PlaceV1 { file: "deploy/app.yaml".to_owned(), line, column: 5 };
    for finding in report.findings.iter_mut().take(2) {
        finding.places = vec![place(3), place(40)];
    }
    report
});
