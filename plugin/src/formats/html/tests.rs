use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::{BasisV1, ConsequenceV1, DocumentV1, FindingV1, ReportV1, VerdictV1};
use proptest::prelude::*;

use super::*;
use crate::formats::escape;
use crate::formats::samples::drifted;

#[test]
fn the_verdict_comes_first_in_the_words_of_the_policy() {
    let mut report = drifted();
    report.policy.documents.truncate(1);
    let first = |report: &ReportV1| {
        let page = page(report);
        let (_, heading) = page.split_once("<span class=\"word\">").unwrap();
        heading.split_once("</h1>").unwrap().0.replace("</span> <span class=\"rest\">", " ").replace("</span>", "")
    };
    let text = "the published text “Support policies for AKS on Windows Server” of 2025-04-03";
    assert_eq!(first(&report), format!("Outside {text}"));
    report.verdict_basis = Some(BasisV1::Derived);
    assert_eq!(first(&report), format!("Outside by our reading of {text}"));
    report.verdict = VerdictV1::Inconclusive;
    assert_eq!(first(&report), format!("Inconclusive against {text}: not everything could be decided"));
    report.verdict = VerdictV1::Within;
    assert_eq!(first(&report), format!("Within {text}, as far as Kubernetes shows"));
    (report.partial, report.catalogue.rules) = (true, 65);
    let asked = format!("of the rules asked, {} of 65", report.rules.len());
    assert_eq!(first(&report), format!("Nothing voids support {asked}, against {text}: the others were not run"));
}

#[test]
fn every_part_is_there_and_every_link_has_its_place() {
    let page = page(&drifted());
    for id in ["clauses", "deadlines", "findings", "unseen", "every-clause", "made"] {
        assert!(page.contains(&format!("<section id=\"{id}\"")), "{id}");
    }
    for link in page.split("href=\"#").skip(1) {
        let id = link.split('"').next().unwrap();
        assert!(page.contains(&format!(" id=\"{id}\"")), "#{id} leads nowhere");
    }
    assert!(!page.contains("<section id=\"waivers\""));
}

#[test]
fn a_page_has_no_script_no_inline_style_and_asks_for_nothing() {
    let page = page(&drifted());
    for word in ["<script", " style=", " src=", "<link", "@import", "url("] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'; style-src 'sha256-"));
}

#[test]
fn the_present_and_the_wanted_value_stand_apart_and_an_unknown_one_is_called_so() {
    let page = page(&drifted());
    assert!(page.contains("<dt>Is</dt><dd><code>edge-kiosk-3</code></dd></div><div class=\"should\"><dt>Should be</dt><dd><code>moc-l8c2ongw6ra</code>"));
    assert!(page.contains("<dt>Should be</dt><dd><i>not known</i>"));
}

#[test]
fn objects_that_differ_in_their_names_alone_are_one_set_with_all_their_times() {
    let mut report = drifted();
    let mut first = report.findings.first().unwrap().clone();
    let named = |name: &str, time: &str, finding: &mut FindingV1| {
        name.clone_into(&mut finding.object.name);
        time.clone_into(&mut finding.evidence.first_mut().unwrap().time);
    };
    named("a", "2026-11-01T00:00:00Z", &mut first);
    let mut second = first.clone();
    named("b", "2026-11-03T00:00:00Z", &mut second);
    let mut third = first.clone();
    third.evidence.first_mut().unwrap().manager = "somebody-else".to_owned();
    named("c", "2026-11-03T00:00:00Z", &mut third);
    report.findings = vec![first, second, third];
    let page = page(&report);
    assert!(page.contains("<li>node/a</li><li>node/b</li></ul>"));
    assert!(page.contains("from 2026-11-01 00:00:00 UTC to 2026-11-03 00:00:00 UTC"));
    assert!(page.contains("<li>node/c</li></ul>"));
}

#[test]
fn a_command_has_a_line_for_each_shell_that_takes_another_one() {
    let mut report = drifted();
    let command = report.findings.first_mut().unwrap().fix.first_mut().unwrap();
    command.line = r"kubectl label node a 'b=it'\''s'".to_owned();
    command.printed.clone_from(&command.line);
    command.shells = vec!["bash".to_owned()];
    command.other_line = Some("kubectl label node a 'b=it''s'".to_owned());
    let page = page(&report);
    let lines = page.replace("<span>", "").replace("</span>", "");
    assert!(lines.contains(r"<pre><code>kubectl label node a &#39;b=it&#39;\&#39;&#39;s&#39;</code></pre><p class="));
    assert!(lines.contains(
        "<pre><code>kubectl label node a &#39;b=it&#39;&#39;s&#39;</code></pre><p class=\"shells\">PowerShell</p>"
    ));
    assert!(page.contains("<p class=\"shells\">bash · PowerShell</p>"));
}

#[test]
fn only_addresses_of_the_web_are_links() {
    let mut report = drifted();
    let page_of = |url: &str, report: &mut ReportV1| {
        let document = DocumentV1 {
            id: "x".to_owned(),
            title: "A page".to_owned(),
            date: None,
            url: Some(url.to_owned()),
            note: None,
        };
        report.findings.first_mut().unwrap().documents = vec![document];
        page(report)
    };
    assert!(
        page_of("https://example.com/a?b&c", &mut report).contains("<a href=\"https://example.com/a?b&amp;c\" rel")
    );
    for url in ["javascript:alert(1)", "http://example.com", "//example.com", " https://example.com", "HTTPS:x"] {
        let page = page_of(url, &mut report);
        assert!(page.contains("<span><cite>A page</cite> (undated)</span>"), "{url}");
        assert!(!page.contains(&format!("href=\"{}", url.trim())), "{url}");
    }
}

#[test]
fn a_waived_finding_stands_with_its_waiver_and_not_with_the_findings() {
    let mut report = drifted();
    for finding in report.findings.iter_mut().filter(|finding| finding.consequence == ConsequenceV1::AtRisk) {
        finding.waiver = Some(aksarc_shared::verdict::report::v1::WaiverV1 {
            name: "W-7".to_owned(),
            reason: "until January".to_owned(),
            expires: "2027-01-31T00:00:00Z".to_owned(),
            ticket: Some("CHG1".to_owned()),
            support_case: None,
        });
    }
    let page = page(&report);
    let (_, after) = page.split_once("<section id=\"waivers\"").unwrap();
    assert!(after.contains("<b>W-7</b> until 2027-01-31 00:00:00 UTC, 2 findings") && after.contains("Ticket CHG1"));
    assert!(
        after.contains("at risk, waived</b>") && !page.split_once("id=\"waivers\"").unwrap().0.contains("waived</b>")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever the words of a report are, the page has the tags of a page of plain words, and no others.
    #[test]
    fn words_of_a_report_add_no_markup(words in prop::collection::vec(prop_oneof![
        any::<String>(),
        Just("</script><script>alert(1)</script>".to_owned()),
        Just("<img src=x onerror=alert(1)>".to_owned()),
        Just("\" onload='x' <!-- \u{202e}\u{0}".to_owned()),
    ], 1..12)) {
        let with = |words: &[String]| {
            let mut report = drifted();
            let mut words = words.iter().cycle();
            let mut next = || words.next().cloned().unwrap_or_default();
            report.cluster.context = next();
            for finding in &mut report.findings {
                finding.object.name = next();
                finding.path = next();
                finding.after = Some(next());
                finding.evidence.iter_mut().for_each(|evidence| evidence.detail = next());
                finding.fix.iter_mut().for_each(|command| command.line = next().replace(' ', ""));
            }
            page(&report)
        };
        // Sets of alike findings depend on the words: each word is made another one.
        let plain: Vec<String> = words.iter().map(|word| format!("w{}", word.len())).collect();
        let tags = |page: &str| page.matches('<').count();
        let unlike = |words: &[String]| words.iter().enumerate().map(|(at, word)| format!("{word}{at}")).collect::<Vec<_>>();
        prop_assert_eq!(tags(&with(&unlike(&words))), tags(&with(&unlike(&plain))));
    }
}

/// The text that a browser shows for an escaped one.
fn shown(escaped: &str) -> String {
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    named.iter().fold(escaped.to_owned(), |text, (reference, c)| text.replace(reference, c))
}

#[test]
fn markup_becomes_text_and_hidden_characters_become_visible() {
    assert_eq!(escape::html("</script><img onerror=x>"), "&lt;/script&gt;&lt;img onerror=x&gt;");
    assert_eq!(escape::html(r#""onload='x'&amp;"#), "&quot;onload=&#39;x&#39;&amp;amp;");
    assert_eq!(escape::html("a\u{202e}b\u{0}\n\u{200b}\u{ffff}"), r"a\u{202e}b\u{0}\u{a}\u{200b}\u{ffff}");
    assert_eq!(escape::html("Größe 漢字 ✓"), "Größe 漢字 ✓");
}

proptest! {
    #[test]
    fn no_text_leaves_its_place(word in prop_oneof![
        any::<String>(),
        "[<>\"'&=/a-z \u{0}-\u{1f}\u{202a}-\u{202e}\u{2066}-\u{2069}]{0,60}",
        Just("</style><script>alert(1)</script>".to_owned()),
        Just("<img src=x onerror=alert(1)>".to_owned()),
        Just("--><!--]]>".to_owned()),
        Just("javascript:alert(1)".to_owned()),
    ]) {
        let out = escape::html(&word);
        prop_assert!(!out.contains(['<', '>', '"', '\'']), "{out}");
        prop_assert!(!out.chars().any(char::is_control), "{out:?}");
        let ends = ["lt;", "gt;", "quot;", "#39;", "amp;"];
        prop_assert!(out.split('&').skip(1).all(|rest| ends.iter().any(|end| rest.starts_with(end))), "{out}");
        let shown = shown(&out);
        prop_assert_eq!(text::clean(&shown), &*shown);
        let is_plain = text::clean(&word) == word && !out.contains("\\u{");
        prop_assert!(!is_plain || shown == word);
    }
}
