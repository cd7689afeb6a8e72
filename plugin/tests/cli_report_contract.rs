//! The JSON contract of a report: its fields stay, it can be read back, and every format can be rendered from it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

mod fake;

use std::collections::BTreeSet;
use std::fmt;

use aksarc_shared::verdict::report::v1::ReportV1;
use fake::{Cluster, Program, Server};
use jiff::Timestamp;
use kubectl_aksarc::screen::format::ScreenFormat;
use kubectl_aksarc::screen::report::{Filter, GroupBy, Show, View, report};
use kubectl_aksarc::screen::style::Look;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

const CLUSTERS: [&str; 4] = ["drifted", "healthy-azure-local", "healthy-windows-server", "lawful-oddities"];
const AS_OF: &str = "2026-12-01";

/// The fields of 0.1.0 stand in their order, with their values unless these are prose: none is renamed, moved or gone.
/// Fields that came later are in [`ADDED`]. Where a rule finds something else on purpose, or the samples are recorded
/// anew, `INSTA_UPDATE=always` renews what is compared here.
#[test]
fn every_field_of_the_first_version_stands_where_it_stood() {
    let mut ways = BTreeSet::new();
    for cluster in CLUSTERS {
        let (here, rules) = (path(cluster), RULES.join(","));
        let json = check(&["--snapshot", &here, "--as-of", AS_OF, "--only", &rules, "-o", "json"]);
        let lines = lines(&json.replace(&here, cluster));
        ways.extend(lines.lines().map(general));
        let kept: Vec<&str> = lines.lines().filter(|line| !ADDED.contains(&&*general(line))).map(steady).collect();
        insta::assert_snapshot!(format!("report_of_{cluster}"), kept.join("\n"));
    }
    // Manifests alone have files, and the samples name no resource in Azure.
    let program = Program::new();
    program.write("pods.yaml", MANIFESTS);
    program.write("snapshot.json", CONNECTED);
    for given in [["-f", "pods.yaml"], ["--snapshot", "snapshot.json"]] {
        let json = program.run(&[&["support-check", "-o", "json"][..], &given].concat()).stdout;
        ways.extend(lines(&json).lines().map(general));
    }
    assert!(ADDED.iter().all(|way| ways.contains(*way)), "a field that is no more: {ways:?}");
}

/// A report that was read and is written again is the same, byte for byte.
#[test]
fn a_report_that_is_read_is_written_as_it_was() {
    for cluster in CLUSTERS {
        for more in [&[][..], &["--as-of", AS_OF], &["--only", "2xx", "--platform", "bare-metal"]] {
            let json = check(&[&["--snapshot", &path(cluster), "-o", "json"], more].concat());
            let read = ReportV1::parse(&json).unwrap();
            assert_eq!(serde_json::to_string_pretty(&read).unwrap() + "\n", json, "{cluster} {more:?}");
        }
    }
}

/// Each format for people prints the same from a saved report as from the check that saved it.
#[test]
fn a_saved_report_prints_as_its_check_printed() {
    for cluster in CLUSTERS {
        let snapshot = path(cluster);
        for (show, shown, by, group_by) in [
            ("problems", Show::Problems, "namespace", GroupBy::Namespace),
            ("all", Show::All, "object", GroupBy::Object),
        ] {
            let given = ["--snapshot", &snapshot, "--show", show, "--group-by", by, "--as-of", AS_OF];
            prints_the_same(&Program::new(), &given, shown, group_by);
        }
        let few = ["--snapshot", &snapshot, "--only", "2xx,AA904", "--as-of", AS_OF];
        prints_the_same(&Program::new(), &few, Show::Problems, GroupBy::Rule);
    }
    for cluster in [Cluster::healthy(), Cluster::outside(), Cluster::at_risk()] {
        let server = Server::of(cluster);
        let given = ["--platform", "azure-local", "--as-of", AS_OF, "--show", "all"];
        prints_the_same(&Program::at(&server.url()), &given, Show::All, GroupBy::Rule);
    }
    let program = Program::new();
    program.write("pods.yaml", MANIFESTS);
    prints_the_same(&program, &["-f", "pods.yaml", "--as-of", AS_OF], Show::Problems, GroupBy::Rule);
    let preview = ["-f", "pods.yaml", "--as-of", AS_OF, "--platform", "bare-metal"];
    prints_the_same(&program, &preview, Show::Problems, GroupBy::Rule);
}

#[track_caller]
fn prints_the_same(program: &Program, given: &[&str], show: Show, group_by: GroupBy) {
    let formats = [
        ("table", ScreenFormat::Table),
        ("wide", ScreenFormat::Wide),
        ("short", ScreenFormat::Short),
        ("name", ScreenFormat::Name),
    ];
    for (word, format) in formats {
        let ran = program.run(&[&["support-check", "-o", word, "--save", "saved.json"], given].concat());
        let saved = ReportV1::parse(&program.read("saved.json")).unwrap();
        let now = Timestamp::now();
        let filter = Filter::default();
        let view = View { look: Look::default(), name: "kubectl aksarc", show, filter, group_by, now };
        let printed = report(&saved, format, &view).unwrap();
        assert_eq!(anstream::adapter::strip_str(&printed).to_string(), ran.stdout, "-o {word} {given:?}");
    }
}

/// The standard output of a check, whatever it finds.
fn check(args: &[&str]) -> String {
    let program = Program::new();
    let ran = program.run(&[&["support-check"], args].concat());
    assert!([0, 3, 5].contains(&ran.code), "{ran:?}");
    ran.stdout
}

fn path(cluster: &str) -> String {
    format!("{}/../tests/clusters/{cluster}", env!("CARGO_MANIFEST_DIR"))
}

/// JSON as one line per value, with the way to it, in the order of the text.
fn lines(json: &str) -> String {
    let mut lines = Vec::new();
    let walk = Walk { path: String::new(), lines: &mut lines };
    walk.deserialize(&mut serde_json::Deserializer::from_str(json)).unwrap();
    lines.join("\n")
}

/// A line, without its value where that is one of [`VARYING`].
fn steady(line: &str) -> &str {
    let (way, _) = line.split_once(" = ").unwrap_or((line, ""));
    if VARYING.contains(&&*general(line)) { way } else { line }
}

/// The way of a line without the numbers of its lists: `findings[].fix[].line`.
fn general(line: &str) -> String {
    let way = line.split_once(" = ").map_or(line, |(way, _)| way);
    way.chars().filter(|c| !c.is_ascii_digit()).collect()
}

struct Walk<'a> {
    path: String,
    lines: &'a mut Vec<String>,
}

impl Walk<'_> {
    fn end<E>(self, value: impl fmt::Debug) -> Result<(), E> {
        self.lines.push(format!("{} = {value:?}", self.path));
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let dot = if self.path.is_empty() { "" } else { "." };
        while let Some(key) = map.next_key::<String>()? {
            map.next_value_seed(Walk { path: format!("{}{dot}{key}", self.path), lines: &mut *self.lines })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut number = 0;
        while let Some(()) =
            items.next_element_seed(Walk { path: format!("{}[{number}]", self.path), lines: &mut *self.lines })?
        {
            number += 1;
        }
        if number == 0 {
            self.lines.push(format!("{}[]", self.path));
        }
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.end(value)
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.end(value)
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.end(value)
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.end(value)
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.end(value)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.end(None::<()>)
    }
}

/// Fields that came after 0.1.0.
const ADDED: [&str; 48] = [
    "policy.platforms[]",
    "policy.preview",
    "cluster.uid",
    "failOn",
    "input.kind",
    "input.taken",
    "input.takenAt",
    "input.asOf",
    "input.nodesRead",
    "input.unjudged",
    "input.recorded",
    "catalogue.rules",
    "catalogue.leftOut",
    "rules[].summary",
    "findings[].sections[].section",
    "findings[].sections[].clauses[]",
    "findings[].sections[].documents[]",
    "findings[].fix[].printed",
    "policy.documents[].url",
    "policy.documents[].note",
    "rules[].instead",
    "findings[].surplus",
    "findings[].broken",
    "findings[].sections[].urls[]",
    "findings[].issues[].name",
    "findings[].issues[].title",
    "findings[].issues[].url",
    "findings[].fix[].nameAt",
    "clocks[].subject",
    "findings[].fix[].shells[]",
    "clauses[].id",
    "clauses[].section",
    "clauses[].says",
    "clauses[].documents[]",
    "clauses[].rules[]",
    "clauses[].state",
    "cluster.created",
    "cluster.arcAgentVersion",
    "cluster.nodeVersions[].version",
    "cluster.nodeVersions[].nodes",
    "cluster.nodeVersions[].firstCreated",
    "cluster.nodeVersions[].lastCreated",
    "cluster.azureResource.id",
    "cluster.azureResource.source",
    "input.digest",
    "findings[].places[].file",
    "findings[].places[].line",
    "findings[].places[].column",
];

/// Fields whose values are prose, or differ from run to run or from release to release: their place alone is compared.
const VARYING: [&str; 14] = [
    "tool.version",
    "tool.commit",
    "policy.platformEvidence[]",
    "rules[].reason",
    "findings[].message",
    "findings[].evidence[].detail",
    "findings[].fix[].caution",
    "findings[].fix[].note",
    "clocks[].what",
    "questions[].topic",
    "questions[].says",
    "questions[].ask",
    "coverage.unknown[]",
    "coverage.notObservable[]",
];

/// The rules whose results are compared; new rules are not among them.
const RULES: [&str; 65] = [
    "AA101", "AA102", "AA103", "AA104", "AA105", "AA106", "AA107", "AA201", "AA202", "AA203", "AA204", "AA205",
    "AA206", "AA207", "AA208", "AA209", "AA301", "AA302", "AA303", "AA304", "AA306", "AA307", "AA308", "AA309",
    "AA401", "AA402", "AA403", "AA404", "AA405", "AA406", "AA407", "AA408", "AA409", "AA410", "AA412", "AA413",
    "AA414", "AA415", "AA416", "AA501", "AA502", "AA503", "AA504", "AA506", "AA601", "AA602", "AA603", "AA604",
    "AA605", "AA606", "AA607", "AA608", "AA609", "AA610", "AA701", "AA702", "AA703", "AA801", "AA802", "AA901",
    "AA902", "AA903", "AA904", "AA905", "AA906",
];

const CONNECTED: &str = r#"{"apiVersion": "arc.azure.com/v1beta1", "kind": "ConnectedCluster",
  "metadata": {"name": "clustermetadata", "namespace": "azure-arc"},
  "spec": {"azureResourceId": "/subscriptions/a/resourceGroups/b/providers/Microsoft.Kubernetes/connectedClusters/c"}}"#;

const MANIFESTS: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: kube-system}
spec: {containers: [{name: web, image: web}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: coredns, namespace: kube-system, uid: 1f0c1e5e-0000-0000-0000-000000000001}
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: x}
";
