//! Formats hold the words of a report and nothing else: a reader of its kind reads each back, and finds no command,
//! link, formula, tag or sample that the words have introduced.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

#[path = "reports/hostile.rs"]
mod reports;

use std::collections::BTreeSet;

use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::{FindingV1, ReportV1};
use jiff::Timestamp;
use kubectl_aksarc::formats::{ReportFormat, Surroundings, html, render};
use kubectl_aksarc::screen::report::{Filter, GroupBy, Show, View};
use kubectl_aksarc::screen::style::Look;
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};
use reports::{REPORT, hostile, with};
use serde_json::Value;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn json_of_programs_shows_no_hidden_character(words in prop::collection::vec(hostile(), 1..40)) {
        let report = with(&words);
        for format in [ReportFormat::Sarif, ReportFormat::Openreports, ReportFormat::Jsonl] {
            let json = text_of(&report, format);
            prop_assert_eq!(unseen(&json), None, "{:?}", format);
        }
        let lines: Vec<Value> =
            text_of(&report, ReportFormat::Jsonl).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        prop_assert_eq!(lines.len(), report.findings.len() + 1);
        for (line, finding) in lines.iter().zip(&report.findings) {
            prop_assert_eq!(&serde_json::from_value::<FindingV1>(line.clone()).unwrap(), finding);
        }
    }

    #[test]
    fn sarif_messages_hold_no_link_and_no_placeholder_and_paths_lead_nowhere_else(
        words in prop::collection::vec(hostile(), 1..40)
    ) {
        let log: Value = serde_json::from_str(&text_of(&with(&words), ReportFormat::Sarif)).unwrap();
        let mut messages = Vec::new();
        texts(&log, &mut messages);
        for message in messages {
            prop_assert!(!message.contains("](") && unseen(&message).is_none(), "{}", message);
            prop_assert_eq!(message.replace("{{", "").replace("}}", "").find(['{', '}']), None, "{}", message);
        }
        for result in log["runs"][0]["results"].as_array().unwrap() {
            let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._~%/".contains(c);
            prop_assert!(uri.chars().all(plain), "{}", uri);
            prop_assert!(uri.split('/').all(|part| !part.is_empty() && part.chars().any(|c| c != '.')), "{}", uri);
        }
    }

    #[test]
    fn open_reports_are_clean_and_their_results_apart(words in prop::collection::vec(hostile(), 1..40)) {
        let object: Value = serde_json::from_str(&text_of(&with(&words), ReportFormat::Openreports)).unwrap();
        let mut ids = BTreeSet::new();
        for result in object["results"].as_array().unwrap() {
            prop_assert_eq!(unseen(result["message"].as_str().unwrap()), None);
            if result["result"] != "error" {
                prop_assert!(ids.insert(result["properties"]["resultID"].to_string()), "{}", result);
            }
        }
    }

    #[test]
    fn cells_hold_no_formula(words in prop::collection::vec(hostile(), 1..40)) {
        let report = with(&words);
        let table = text_of(&report, ReportFormat::Csv);
        let mut reader = csv::Reader::from_reader(table.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        prop_assert_eq!(rows.len(), report.findings.len());
        for cell in rows.iter().flatten() {
            let begins = cell.trim_start().chars().next();
            prop_assert!(!begins.is_some_and(|first| "=+-@＝＋－＠".contains(first)), "{:?}", cell);
            prop_assert_eq!(unseen(cell), None);
        }
    }

    #[test]
    fn xml_holds_what_xml_can_and_a_test_case_for_every_rule(words in prop::collection::vec(hostile(), 1..40)) {
        let report = with(&words);
        let xml = text_of(&report, ReportFormat::Junit);
        let forbidden = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{fffe}' | '\u{ffff}');
        prop_assert_eq!(xml.chars().find(|c| forbidden(*c)), None);
        prop_assert_eq!(unseen(&xml.replace('\n', "")), None);
        // The reader wants the count that the dialect does not have.
        let read = quick_junit::Report::deserialize_from_str(&xml.replacen(" failures=", " skipped=\"0\" failures=", 1));
        let cases = read.unwrap().test_suites[0].test_cases.len();
        prop_assert_eq!(cases, report.rules.len());
    }

    #[test]
    fn pipelines_get_no_command_but_ours(words in prop::collection::vec(hostile(), 1..40)) {
        let report = with(&words);
        let github = text_of(&report, ReportFormat::Github);
        prop_assert!(!github.contains("##"), "{}", github);
        let ours =
            ["::error file=", "::error title=", "::warning title=", "::notice title=kubectl-aksarc::", "kubectl-aksarc: "];
        for line in github.lines() {
            prop_assert!(ours.iter().any(|own| line.starts_with(own)), "{}", line);
            prop_assert_eq!(unseen(line), None);
            if let Some((head, _)) = line.strip_prefix("::").and_then(|rest| rest.split_once("::")) {
                let (_, properties) = head.split_once(' ').unwrap();
                let names: Vec<&str> = properties.split(',').filter_map(|own| Some(own.split_once('=')?.0)).collect();
                let is_ours = names == ["title"] || names == ["file", "line", "col", "title"];
                prop_assert!(is_ours && !head.contains(':'), "{}", line);
            }
        }
        let azdo = text_of(&report, ReportFormat::Azdo);
        let ours =
            ["##vso[task.logissue type=error;", "##vso[task.logissue type=warning;", "##vso[task.complete result=SucceededWithIssues;]"];
        for line in azdo.lines() {
            let ours = ours.iter().any(|own| line.starts_with(own)) || line.starts_with("kubectl-aksarc: ");
            prop_assert!(ours && line.get(2..).is_some_and(|rest| !rest.contains("##")), "{}", line);
            if let Some((properties, _)) = line.strip_prefix("##vso[task.logissue ").and_then(|rest| rest.split_once(']')) {
                let names = properties.split(';').filter_map(|own| Some(own.split_once('=')?.0));
                let names: Vec<&str> = names.filter(|name| !PLACE.contains(name)).collect();
                prop_assert!(names == ["type", "code"] || names == ["type"], "{}", line);
            }
            // The agent takes what stands before the first bracket for properties.
            let commands = usize::from(line.starts_with("##vso["));
            prop_assert_eq!(line.matches(']').count(), commands, "{}", line);
            prop_assert_eq!(unseen(line), None);
        }
    }

    #[test]
    fn labels_end_where_they_should_and_no_sample_is_there_twice(words in prop::collection::vec(hostile(), 1..40)) {
        let mut seen = BTreeSet::new();
        for line in text_of(&with(&words), ReportFormat::Prometheus).lines().filter(|line| !line.starts_with("# ")) {
            let (name, rest) = line.split_once('{').unwrap();
            prop_assert!(name.starts_with("aksarc_") && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{}", line);
            let value = labels(rest).unwrap();
            prop_assert!(value.strip_prefix(' ').unwrap().parse::<i64>().is_ok(), "{}", line);
            prop_assert!(seen.insert(line.strip_suffix(value).unwrap().to_owned()), "{}", line);
            prop_assert_eq!(unseen(line), None);
        }
    }

    #[test]
    fn a_page_for_browsers_has_no_tag_attribute_or_link_that_words_have_brought_in(
        words in prop::collection::vec(hostile(), 1..40)
    ) {
        let known = pages(&REPORT).iter().flat_map(|page| tags(page)).collect::<BTreeSet<_>>();
        for page in pages(&with(&words)) {
            prop_assert_eq!(unseen(&page.replace('\n', "")), None);
            for (tag, attribute) in tags(&page) {
                let known = known.iter().any(|(own, named)| *own == tag && *named == attribute);
                // Where plain words have a link, hostile ones may have none, and the other way round.
                prop_assert!(known || MORE.contains(&(&*tag, &*attribute)), "<{} {}> in\n{}", tag, attribute, page);
            }
            for link in page.split("href=\"").skip(1) {
                let ours = ["https://", "#"].iter().any(|own| link.starts_with(own));
                prop_assert!(ours && !link.split('"').next().unwrap().contains(['<', ' ', '\'']), "{}", link);
            }
        }
    }

    #[test]
    fn a_page_has_no_link_mention_or_html_that_words_have_brought_in(words in prop::collection::vec(hostile(), 1..40)) {
        let report = with(&words);
        let page = text_of(&report, ReportFormat::Markdown);
        prop_assert!(page.chars().count() <= 65_536);
        prop_assert_eq!(unseen(&page.replace('\n', "")), None);
        let own: BTreeSet<&str> = report
            .findings
            .iter()
            .flat_map(|finding| report.links(finding))
            .map(|link| link.url)
            .chain(report.policy.documents.iter().filter_map(|document| document.url.as_deref()))
            .collect();
        let mut in_block = false;
        for event in Parser::new_ext(&page, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
            match event {
                Event::Start(Tag::Link { dest_url, .. }) => {
                    prop_assert!(own.contains(&*dest_url) && dest_url.starts_with("https://"), "{}", dest_url);
                }
                Event::Start(Tag::CodeBlock(_)) => in_block = true,
                Event::End(pulldown_cmark::TagEnd::CodeBlock) => in_block = false,
                Event::Start(
                    Tag::Heading { .. } | Tag::Paragraph | Tag::Table(_) | Tag::TableHead | Tag::TableRow | Tag::TableCell,
                )
                | Event::End(_) | Event::Code(_) | Event::SoftBreak => {}
                Event::Text(text) if in_block => prop_assert!(!text.contains("\n```"), "{}", text),
                Event::Text(text) => {
                    for sign in ["@", "://", "www.", "<", "#", "GH-"] {
                        prop_assert!(!text.contains(sign), "{:?} in {}", sign, text);
                    }
                }
                other => prop_assert!(false, "{:?} in\n{}", other, page),
            }
        }
    }
}

fn text_of(report: &ReportV1, format: ReportFormat) -> String {
    let view = View {
        look: Look::default(),
        name: "kubectl aksarc",
        show: Show::All,
        filter: Filter::default(),
        group_by: GroupBy::Rule,
        now: Timestamp::UNIX_EPOCH,
    };
    let around = Surroundings { sarif_prefix: "clusters".to_owned(), ..Surroundings::default() };
    render(report, format, &view, &around).unwrap()
}

/// The pages of a report for browsers.
fn pages(report: &ReportV1) -> [String; 2] {
    [html::page(report), html::case_page(report)]
}

/// The tags of a page, each with each of its attributes; one without any with none.
fn tags(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for rest in page.split('<').skip(1) {
        // No text and no value holds a bracket.
        let tag = rest.split('>').next().unwrap();
        let name = tag.split([' ', '\n']).next().unwrap().to_owned();
        let outside: String = tag.split('"').step_by(2).collect();
        let attributes = outside.split([' ', '\n']).skip(1).filter(|own| !own.is_empty() && *own != "/");
        let mut attributes: Vec<String> = attributes.map(str::to_owned).collect();
        if attributes.is_empty() {
            attributes.push(String::new());
        }
        found.extend(attributes.into_iter().map(|attribute| (name.clone(), attribute)));
    }
    found
}

/// The properties of an issue of Azure Pipelines that say where it is.
const PLACE: [&str; 3] = ["sourcepath", "linenumber", "columnnumber"];

/// Tags and attributes of ours that the page of the sample lacks.
const MORE: [(&str, &str); 0] = [];

/// The first character that hides or reorders what is read. Line ends between values are none.
fn unseen(text: &str) -> Option<char> {
    text.chars().find(|c| *c != '\n' && text::is_unsafe(*c))
}

/// The texts of all messages of a log.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("text").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| texts(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        _ => {}
    }
}

/// What follows the labels of a sample, read as the text format has them.
fn labels(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        let (name, value) = rest.split_once("=\"")?;
        if !name.chars().all(|c| c.is_ascii_lowercase()) {
            return None;
        }
        let mut chars = value.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => {
                    let (_, escaped) = chars.next()?;
                    if !"\\\"n".contains(escaped) {
                        return None;
                    }
                }
                _ => {}
            }
        };
        rest = value.get(end + 1..)?;
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return rest.strip_prefix('}'),
        }
    }
}
