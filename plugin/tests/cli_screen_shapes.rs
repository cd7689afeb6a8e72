//! The shape of the screen: its width and length, the order of its parts, and the parts that it leaves out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

mod fake;

use aksarc_shared::verdict::report::v1::{ReportV1, Urgency};
use fake::{Cluster, Program, Ran, Server};
use jiff::Timestamp;
use kubectl_aksarc::screen::format::ScreenFormat;
use kubectl_aksarc::screen::report::{Filter, GroupBy, Show, View, report};
use kubectl_aksarc::screen::style::Look;
use serde_json::json;
use unicode_width::UnicodeWidthStr;

const CLUSTERS: [&str; 4] = ["drifted", "healthy-azure-local", "healthy-windows-server", "lawful-oddities"];
const PLATFORMS: [&str; 5] = ["auto", "windows-server", "hci-22h2", "azure-local", "bare-metal"];

#[test]
fn no_line_is_longer_than_the_terminal() {
    for cluster in CLUSTERS {
        for platform in ["auto", "azure-local"] {
            let saved = saved(cluster, platform);
            for show in [Show::Problems, Show::All, Show::Fixes, Show::Deadlines, Show::Questions] {
                for group_by in [GroupBy::Rule, GroupBy::Object, GroupBy::Namespace] {
                    for width in [80, 120] {
                        let screen = at_width(&saved, width, show, group_by);
                        let too_long: Vec<&str> = screen.lines().filter(|line| is_too_long(line, width)).collect();
                        assert!(too_long.is_empty(), "{cluster} {platform} {width}: {too_long:#?}");
                    }
                }
            }
        }
    }
}

/// Whether a line is longer than the terminal although it could be broken: names, addresses and the words of commands are copied,
/// and stay whole.
fn is_too_long(line: &str, width: usize) -> bool {
    let longest = line.split(' ').map(UnicodeWidthStr::width).max().unwrap_or(0);
    line.width() > width && longest + MOST_BEFORE_A_NAME < width
}

/// The columns that may stand before the first word of a line: a tag and its indent, or a number of a source.
const MOST_BEFORE_A_NAME: usize = 16;

#[test]
fn two_thousand_nodes_with_one_fault_are_one_screen() {
    let key = "kubernetes.azure.com/own";
    let same = of_many_nodes(|node, _| {
        node["metadata"]["labels"][key] = json!("x");
        node["metadata"]["managedFields"] = written(key);
    });
    let screen = at_width(&same, 80, Show::Problems, GroupBy::Rule);
    assert!(screen.lines().count() <= 50, "{} lines:\n{screen}", screen.lines().count());
    assert!(screen.contains("reserved-prefix-used · AT RISK · another page says so · 2,000 nodes\n"), "{screen}");
    assert!(screen.contains("node/moc-n1007 … and 1,988 more\n"), "{screen}");
    assert!(screen.contains("    fix   kubectl label node moc-n0 moc-n1 "), "{screen}");
    assert!(screen.contains("            # and for 1,988 more objects, all in -o json; "), "{screen}");

    // Where each node has values of its own, only the first few are shown.
    let key = "kubernetes.io/hostname";
    let different = of_many_nodes(|node, number| {
        node["metadata"]["labels"][key] = json!(format!("edge-{number}"));
        node["metadata"]["managedFields"] = written(key);
    });
    let screen = at_width(&different, 80, Show::Problems, GroupBy::Rule);
    assert!(screen.lines().count() <= 60, "{} lines:\n{screen}", screen.lines().count());
    assert!(screen.contains("    … and 1,997 more findings, all in -o wide\n"), "{screen}");
    assert!(screen.contains("          … and 1,996 more: --show fixes\n"), "{screen}");
}

#[test]
fn failures_come_first_and_then_findings_that_void_support() {
    let saved = saved("drifted", "auto");
    let screen = at_width(&saved, 80, Show::All, GroupBy::Rule);
    let heads: Vec<&str> = screen.lines().filter(|line| line.starts_with(['✗', '!', '~', 'i', '?'])).collect();
    let [first, ..] = &*heads else { panic!("{screen}") };
    assert!(first.starts_with("✗ AA301 "), "{heads:?}");
    let (_, below) = screen.split_once(first).unwrap();
    let broken = below.lines().nth(2).unwrap();
    assert_eq!(broken, "  BROKEN NOW · VOIDS SUPPORT · our reading · 1 deployment");
    let marks: String = heads.iter().filter_map(|head| head.chars().next()).collect();
    let sorted = |marks: &str| {
        let mut marks: Vec<char> = marks.chars().collect();
        marks.sort_by_key(|mark| "✗?!~i".find(*mark));
        marks.into_iter().collect::<String>()
    };
    assert_eq!(marks, sorted(&marks), "{heads:?}");
    assert!(marks.contains("✗?!"), "{marks}");
    let codes: Vec<&str> =
        heads.iter().filter_map(|head| head.split(' ').nth(1)).filter(|word| word.starts_with("AA")).collect();
    let mut once = codes.clone();
    once.dedup();
    assert_eq!(codes, once, "a rule has one title");
}

/// The order of urgency: findings on failures come first, then the weight decides.
#[test]
fn urgency_follows_from_weight_and_condition() {
    let saved = saved("drifted", "auto");
    let mut finding = saved.findings.iter().find(|finding| finding.code == "AA103").unwrap().clone();
    assert_eq!(finding.urgency(), Urgency::AtRisk);
    finding.broken = true;
    assert_eq!(finding.urgency(), Urgency::BrokenNow);
    assert!(Urgency::BrokenNow < Urgency::Voids && Urgency::Voids < Urgency::CouldVoid);
    assert!(Urgency::CouldVoid < Urgency::AtRisk && Urgency::NotCovered < Urgency::Info);
}

/// Findings that differ in who did it, when or by what sign are never shown as one.
#[test]
fn evidence_stands_with_its_own_object() {
    let mut saved = saved("drifted", "auto");
    saved.findings.retain(|finding| finding.code == "AA303" && finding.urgency() == Urgency::Voids);
    let [first, second] = &mut *saved.findings else { panic!("two findings of AA303") };
    for finding in [&mut *first, &mut *second] {
        finding.message.clear();
        finding.fix.clear();
        finding.evidence.truncate(1);
        let evidence = &mut finding.evidence[0];
        evidence.manager.clear();
        evidence.time.clear();
        "mark".clone_into(&mut evidence.what);
    }
    "Argo CD set instance=edge".clone_into(&mut first.evidence[0].detail);
    "Helm set release-name=log-shipper".clone_into(&mut second.evidence[0].detail);
    let names = [first.object.short(), second.object.short()];
    let screen = at_width(&saved, 120, Show::Problems, GroupBy::Rule);
    for (name, mark) in names.iter().zip(["Argo CD set instance=edge", "Helm set release-name=log-shipper"]) {
        assert!(screen.contains(&format!("    {name}\n      {mark} (mark)\n")), "{screen}");
    }
}

#[test]
fn deadlines_are_near_and_stand_once() {
    for cluster in CLUSTERS {
        let saved = saved(cluster, "auto");
        let screen = at_width(&saved, 80, Show::Problems, GroupBy::Rule);
        let (_, deadlines) = screen.split_once("\n deadlines\n").unwrap();
        let (deadlines, _) = deadlines.split_once("\n\n").unwrap();
        assert!(!deadlines.contains("4096"), "{deadlines}");
        let days = |line: &str| line.trim_start().split_once(" day").and_then(|(days, _)| days.parse::<i64>().ok());
        let left: Vec<i64> = deadlines.lines().filter_map(days).collect();
        assert!(!left.is_empty() && left.is_sorted() && left.iter().all(|days| *days <= 5 * 366), "{deadlines}");
        let images = deadlines.matches("the oldest node image").count();
        assert_eq!(images, 1, "one line for all pools with the same day: {deadlines}");
    }
    let far = at_width(&saved("healthy-windows-server", "auto"), 80, Show::Deadlines, GroupBy::Rule);
    assert!(far.contains("4096-01-01"), "{far}");
}

#[test]
fn every_finding_links_to_its_source() {
    for cluster in CLUSTERS {
        for platform in PLATFORMS {
            let saved = saved(cluster, platform);
            for finding in &saved.findings {
                let links = saved.links(finding);
                assert!(links.iter().all(|link| link.url.starts_with("https://")), "{links:?}");
                // There is no published source on the waivers and the guard of this project.
                let of_this_project = ["AA903", "AA904"].contains(&&*finding.code);
                assert!(of_this_project || !links.is_empty(), "{cluster} {platform}: {finding:?}");
            }
            let screen = at_width(&saved, 80, Show::Problems, GroupBy::Rule);
            let heads = screen.lines().filter(|line| line.starts_with(['✗', '!', '~'])).count();
            assert_eq!(screen.matches("\n    see   ").count(), heads, "{screen}");
        }
    }
}

#[test]
fn links_only_where_a_terminal_has_them() {
    let server = Server::of(Cluster::outside());
    let program = Program::at(&server.url());
    let run = |args: &[&str], variables: &[(&str, &str)]| {
        let args = [&["support-check", "--platform", "azure-local", "--as-of", "2026-06-01"], args].concat();
        let mut command = program.command();
        command.args(args).envs(variables.iter().copied());
        Ran::of(&command.output().unwrap()).exits(3).stdout
    };
    let is_linked = |text: &str| text.contains("\u{1b}]8;;https://github.com/");
    let forced = ("FORCE_HYPERLINK", "1");
    let linked = run(&["--color", "always"], &[forced]);
    assert!(is_linked(&linked) && !linked.contains("\n sources\n"), "{linked}");
    for plain in [
        run(&[], &[]),
        run(&[], &[forced]),
        run(&["--color", "always"], &[]),
        run(&["--color", "always"], &[("FORCE_HYPERLINK", "0")]),
        run(&["--color", "never"], &[forced]),
    ] {
        assert!(!is_linked(&plain) && plain.contains("\n sources\n   [1] https://github.com/"), "{plain}");
    }
    run(&["--color", "always", "--output-file", "out"], &[forced]);
    assert!(program.read("out").contains("   [1] https://github.com/"), "a file has no links");
}

/// Filters of the view change neither the verdict nor the counts nor the exit code, and the screen says how many
/// findings they hide.
#[test]
fn filters_only_narrow_the_view() {
    let program = Program::new();
    let snapshot = path("drifted");
    let run = |args: &[&str]| program.run(&[&["support-check", "--snapshot", &snapshot], args].concat());
    let whole = run(&[]).exits(3);
    for (args, shows, hides, words) in [
        (&["--namespace", "kube-system"][..], "AA303 ", "AA401 ", "by --namespace"),
        (&["--object", "deploy/coredns"], "AA301 ", "AA303 ", "by --object"),
        (&["--object", "coredns,no/k3s-agent-01"], "AA401 ", "AA303 ", "by --object"),
        (&["--min-weight", "voids"], "AA201 ", "AA103 ", "by --min-weight"),
    ] {
        let ran = run(args).exits(3);
        assert_eq!((ran.verdict(), ran.last()), (whole.verdict(), whole.last()), "{args:?}");
        let is_there = |code: &str| ran.stdout.lines().any(|line| line.contains(code) && line.starts_with(['✗', '!']));
        assert!(is_there(shows) && !is_there(hides), "{args:?}: {}", ran.stdout);
        assert!(ran.block("hidden").contains(words), "{args:?}: {}", ran.stdout);
        assert_eq!(run(&[args, &["-o", "json"]].concat()).stdout, run(&["-o", "json"]).stdout, "{args:?}");
        let wide = run(&[args, &["-o", "wide"]].concat());
        assert!(wide.stdout.contains(words), "{args:?}: {}", wide.stdout);
        let name = run(&[args, &["-o", "name"]].concat());
        assert!(name.stderr.contains("note: hidden: ") && name.stderr.contains(words), "{args:?}: {}", name.stderr);
    }
    let light = run(&["--min-weight", "info"]).exits(3).stdout;
    assert!(light.contains("· INFO ·") && !light.contains(" info ("), "{light}");
    assert!(run(&["--object", "a/b/c/d"]).exits(2).stderr.contains("NAMESPACE/KIND/NAME"));
    assert!(run(&["--min-weight", "heavy"]).exits(2).stderr.contains("at-risk"));
}

#[test]
fn a_part_can_be_asked_for() {
    let program = Program::new();
    let snapshot = path("drifted");
    let show = |part: &str| program.run(&["support-check", "--snapshot", &snapshot, "--show", part]).exits(3);
    let whole = show("problems");
    for part in ["fixes", "deadlines", "questions"] {
        let ran = show(part);
        assert_eq!((ran.verdict(), ran.last()), (whole.verdict(), whole.last()), "{part}");
    }
    let fixes = show("fixes").stdout;
    assert!(
        fixes.contains("    fix   kubectl ") && !fixes.contains("managedFields") && !fixes.contains(" deadlines"),
        "{fixes}"
    );
    let deadlines = show("deadlines").stdout;
    assert!(deadlines.contains("\n deadlines\n") && !deadlines.contains("AA201 A"), "{deadlines}");
    let questions = show("questions").stdout;
    assert!(questions.contains("      ask: ") && !questions.contains("AA201 A"), "{questions}");
}

/// Grouped by object, an object is named once: in the title of its findings.
#[test]
fn an_object_that_is_a_title_is_not_repeated() {
    let screen = at_width(&saved("drifted", "auto"), 80, Show::Problems, GroupBy::Object);
    let (_, coredns) = screen.split_once("# kube-system/deployment/coredns\n").unwrap();
    let (coredns, _) = coredns.split_once("\n# ").unwrap();
    assert!(!coredns.contains("kube-system/deployment/coredns"), "{coredns}");
}

/// A report of a sample.
fn saved(cluster: &str, platform: &str) -> ReportV1 {
    let program = Program::new();
    let here = path(cluster);
    let ran = program.run(&["support-check", "--snapshot", &here, "--platform", platform, "-o", "json"]);
    ReportV1::parse(&ran.stdout).unwrap()
}

fn path(cluster: &str) -> String {
    format!("{}/../tests/clusters/{cluster}", env!("CARGO_MANIFEST_DIR"))
}

fn at_width(report_v1: &ReportV1, width: usize, show: Show, group_by: GroupBy) -> String {
    let look = Look { width: Some(width), ..Look::default() };
    let now = Timestamp::now();
    let view = View { look, name: "kubectl aksarc", show, filter: Filter::default(), group_by, now };
    let screen = report(report_v1, ScreenFormat::Table, &view).unwrap();
    anstream::adapter::strip_str(&screen).to_string()
}

/// A report of a cluster with 2,000 nodes, each of which somebody has changed.
fn of_many_nodes(each: impl Fn(&mut serde_json::Value, usize)) -> ReportV1 {
    let mut cluster = Cluster::healthy();
    let (_, nodes) = cluster.lists.get_mut("/api/v1/nodes").unwrap();
    let pattern = nodes[1].to_string();
    let name = nodes[1]["metadata"]["name"].as_str().unwrap().to_owned();
    nodes.truncate(1);
    nodes.extend((0..2000).map(|number| {
        let mut node: serde_json::Value =
            serde_json::from_str(&pattern.replace(&name, &format!("moc-n{number}"))).unwrap();
        node["metadata"]["uid"] = json!(format!("uid-{number}"));
        node["status"]["nodeInfo"]["systemUUID"] = json!(format!("uuid-{number}"));
        each(&mut node, number);
        node
    }));
    let server = Server::of(cluster);
    let ran = Program::at(&server.url()).check(&["-o", "json"]);
    let mut report = ReportV1::parse(&ran.stdout).unwrap();
    // So many nodes are a fault of their own.
    report.findings.retain(|finding| finding.code != "AA905");
    report
}

/// The record of a label that somebody wrote.
fn written(key: &str) -> serde_json::Value {
    let labels = json!({ format!("f:{key}"): {} });
    json!([{"manager": "kubectl-label", "operation": "Update", "apiVersion": "v1", "time": "2026-11-18T09:14:00Z",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:labels": labels}}}])
}
