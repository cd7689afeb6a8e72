use aksarc_shared::verdict::report::v1::{AnswerV1, EvidenceV1, WaiverV1};

use super::*;
use crate::formats::samples::drifted;

fn part<'c>(case: &'c Case, heading: &str) -> &'c [CaseItem] {
    case.parts.iter().find(|part| part.heading == heading).map(|part| &*part.items).unwrap()
}

#[test]
fn the_page_is_in_the_order_of_a_support_request() {
    let case = Case::of(&drifted());
    let headings: Vec<&str> = case.parts.iter().map(|part| part.heading).collect();
    assert_eq!(headings, ["Request", "Cluster", "Changes", "Open questions", "Waivers", "What support will ask for"]);
    let page = case.markdown();
    assert!(
        page.starts_with("# Support case: snapshot drifted\n\n## Request\n\n- Verdict: outside (policy says so)\n"),
        "{page}"
    );
    assert!(
        page.contains("- Azure resource id: not known. No object that was read names it. Whoever has the Azure subscription: `az connectedk8s show "),
        "{page}"
    );
    assert!(page.contains("- Azure Arc agents: `1.21.10`\n- Kubernetes: `v1.33.13`\n- Nodes: 7\n"), "{page}");
    assert!(page.contains("`az aksarc get-logs ") && page.contains("`Get-AksHciLogs`"), "{page}");
}

#[test]
fn a_change_says_who_when_before_and_now_and_the_latest_comes_first() {
    let case = Case::of(&drifted());
    let changes: Vec<&CaseChange> = part(&case, "Changes")
        .iter()
        .filter_map(|item| if let CaseItem::Change(change) = item { Some(change) } else { None })
        .collect();
    let hostname = changes.iter().find(|change| change.field == "metadata.labels[kubernetes.io/hostname]").unwrap();
    assert_eq!((&*hostname.by, &*hostname.at), ("kubectl-label", "2026-11-27 05:30:29 UTC"));
    assert_eq!(
        (hostname.before.as_deref(), hostname.after.as_deref()),
        (Some("moc-l8c2ongw6ra"), Some("edge-kiosk-3"))
    );
    assert_eq!(hostname.rule, "AA201 system-label-changed, voids");
    // Of an image that was changed the report tells neither value, which is not to say that there is none.
    let image = changes.iter().find(|change| change.field.contains("calico-kube-controllers].image")).unwrap();
    assert_eq!((image.after.as_deref(), image.no_after()), (None, "not told"));
    assert!(changes.is_sorted_by(|a, b| a.at >= b.at), "{changes:?}");
}

#[test]
fn answers_waivers_and_case_numbers_are_told() {
    let mut report = drifted();
    report.questions.first_mut().unwrap().answer = Some(AnswerV1 {
        answer: "fulfilled".to_owned(),
        by: "Ada".to_owned(),
        on: "2026-11-20T00:00:00Z".to_owned(),
        expires: String::new(),
        note: String::new(),
    });
    for finding in report.findings.iter_mut().take(2) {
        finding.waiver = Some(WaiverV1 {
            name: "W-7".to_owned(),
            reason: "as Microsoft asked".to_owned(),
            expires: "2027-01-31T00:00:00Z".to_owned(),
            ticket: None,
            support_case: Some("2612010050001234".to_owned()),
        });
    }
    let case = Case::of(&report);
    let words = |heading: &str| format!("{:?}", part(&case, heading));
    assert!(words("Open questions").contains("fulfilled by Ada on 2026-11-20 00:00:00 UTC"));
    let [one] = part(&case, "Waivers") else { panic!("one waiver: {}", words("Waivers")) };
    let expected = "W-7 until 2027-01-31 00:00:00 UTC, Microsoft’s case 2612010050001234: as Microsoft asked";
    assert_eq!(*one, CaseItem::Remark(expected.to_owned()));
}

#[test]
fn words_of_a_cluster_make_no_markup_and_no_lines() {
    let mut report = drifted();
    let finding = report.findings.first_mut().unwrap();
    finding.object.name = "x\n## Waivers\n- <b>`none`</b> [a](https://example.invalid)".to_owned();
    finding.evidence = vec![EvidenceV1 {
        what: "managedFields".to_owned(),
        manager: "\u{202e}a|b".to_owned(),
        operation: String::new(),
        time: "9999".to_owned(),
        detail: String::new(),
    }];
    let page = Case::of(&report).markdown();
    assert_eq!(page.matches("\n## ").count(), 6);
    let line = page.lines().find(|line| line.contains("none")).unwrap();
    let name = r"``node/x\u{a}## Waivers\u{a}- <b>`none`</b> [a](https://example.invalid)``";
    assert!(line.starts_with(&format!(r"- 9999, by `\u{{202e}}a\|b`: {name} ")), "{line}");
}
