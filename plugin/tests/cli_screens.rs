//! The screens that people see.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

mod fake;

use std::collections::BTreeMap;

use aksarc_shared::data::Platform;
use aksarc_shared::finding::Consequence;
use aksarc_shared::rules::rule::Rule;
use aksarc_shared::{k8s::kinds, rules::catalogue};
use fake::{Cluster, Program, Server};

fn at(cluster: Cluster) -> (Server, Program) {
    let server = Server::of(cluster);
    let program = Program::at(&server.url());
    (server, program)
}

/// The one screen that is compared whole. Parts that all screens share, such as the questions, are compared here alone.
#[test]
fn a_cluster_outside() {
    let (_server, program) = at(Cluster::outside());
    insta::assert_snapshot!(program.check(&[]).exits(3).screen(), @r##"
     ✗ OUTSIDE "Support policies for AKS on Azure Local" of 2025-06-26
       findings   1 voids support · 1 info
       rules      N ok · 1 with findings · 1 unknown · N not observable

       cluster    test · Kubernetes v1.33.5 · 3 nodes
       platform   azure-local · given with --platform
       policy     "Support policies for AKS on Azure Local" of 2025-06-26
       versions   tables of 2026-05-18 · 14 days old; --versions takes newer ones
       reading    15 objects, N requests, read-only · kubectl-aksarc 0.1.0

    ✗ AA201 A label that the system created on a node was changed or removed
      system-label-changed · VOIDS SUPPORT · policy says so · 1 node
        node/moc-l2
          metadata.labels[kubernetes.io/hostname] is edge-7, should be moc-l2
          the node itself says moc-l2 (invariant)
          by kubectl-label, 2026-11-18T09:14:00Z (managedFields)
        see   C13 Shared responsibility [1]
        fix   kubectl label node moc-l2 kubernetes.io/hostname=moc-l2 --overwrite
        more  kubectl aksarc explain AA201

     deadlines
       292 days  2027-03-20  AA102  Kubernetes 1.33 leaves the supported list (projected from the table)

     hidden          1 info (--show all)
     unknown         AA606 certificate-expiry: could not read the server's certificate: the address is not https, so there is no certificate
     not observable  AA208, AA302, AA307: --show all says why
     questions       N that only people can answer: --show questions

     sources
       [1] https://github.com/MicrosoftDocs/azure-stack-docs/blob/08188b788f063f8418da95438dda827fe4cdc974/AKS-Arc/aks-on-azure-local-support-policy.md#shared-responsibility

     ✗ OUTSIDE "Support policies for AKS on Azure Local" of 2025-06-26
       findings   1 voids support · 1 info
       rules      N ok · 1 with findings · 1 unknown · N not observable
       exit 3 · next: fix 1 finding, then  kubectl aksarc support-check --only AA201
    "##);
}

#[test]
fn a_cluster_within() {
    let (_server, program) = at(Cluster::healthy());
    let ran = program.check(&[]).exits(0);
    assert_eq!(
        ran.verdict(),
        " ✓ WITHIN \"Support policies for AKS on Azure Local\" of 2025-06-26, as far as Kubernetes shows\n   \
         findings   1 info\n   \
         rules      N ok · 1 unknown · N not observable"
    );
    assert_eq!(ran.blocks(), ["✓", "cluster", "deadlines", "hidden", "✓"], "no findings: {ran:?}");
    assert_eq!(ran.last(), "exit 0");
}

/// An operator sees the end of a long screen, so the beginning is repeated there.
#[test]
fn the_verdict_stands_at_both_ends() {
    for (cluster, code) in [(Cluster::healthy(), 0), (Cluster::outside(), 3), (Cluster::at_risk(), 0)] {
        let (_server, program) = at(cluster);
        let ran = program.check(&[]).exits(code);
        let screen = ran.screen();
        let (_, end) = screen.rsplit_once("\n\n").unwrap();
        assert!(end.starts_with(&ran.verdict()), "{screen}");
        assert_eq!(end.lines().count(), ran.verdict().lines().count() + 1, "{screen}");
        assert!(ran.last().starts_with(&format!("exit {code}")), "{screen}");
    }
}

#[test]
fn a_cluster_that_could_not_be_read_in_full() {
    let mut cluster = Cluster::healthy();
    cluster.forbidden = vec!["/api/v1/nodes".to_owned()];
    let (_server, program) = at(cluster);
    let ran = program.check(&["--show", "all"]).exits(5);
    let head = ran.block("cluster");
    assert!(head.contains("Kubernetes v1.33.5 · nodes not read\n"), "{head}");
    assert!(head.contains("reading    12 objects, N requests, read-only"), "{head}");
    let ran = program.check(&[]).exits(5);
    assert_eq!(ran.blocks(), ["?", "cluster", "?", "deadlines", "unknown", "not", "?"], "no findings: {ran:?}");
    assert!(
        ran.verdict().starts_with(
            " ? INCONCLUSIVE against \"Support policies for AKS on Azure Local\" of 2025-06-26: not everything could be decided\n"
        ),
        "{ran:?}"
    );

    // Undecided rules that could void support stand among the findings, all others in a list behind them. Rules that
    // lack the same list share a line.
    let without_nodes = |voids: bool| -> Vec<&str> {
        let reads_nodes = |rule: &&&Rule| rule.reads.iter().any(|read| *read.kind == kinds::NODE);
        let rules = catalogue::ALL.iter().filter(reads_nodes);
        let weight = |rule: &&&Rule| (rule.consequence_on(Platform::AzureLocal) == Consequence::Voids) == voids;
        rules.filter(weight).map(|rule| rule.code.as_str()).collect()
    };
    let (voiding, others) = (without_nodes(true), without_nodes(false));
    assert!(voiding.contains(&"AA201") && !others.contains(&"AA201") && !others.is_empty());
    let screen = ran.screen();
    let why = "needs list nodes, which is forbidden";
    let title = format!("? COULD VOID SUPPORT · not decided · {} rules\n", voiding.len());
    let (_, undecided) = screen.split_once(&title).unwrap();
    let (undecided, _) = undecided.split_once("\n\n").unwrap();
    let codes = |block: &str| -> Vec<String> {
        let lines = block.lines().filter(|line| line.contains(why)).filter_map(|line| line.split_once(':'));
        let mut codes: Vec<String> = lines
            .flat_map(|(codes, _)| codes.split([' ', ',']).filter(|word| word.starts_with("AA")).map(str::to_owned))
            .collect();
        codes.sort();
        codes
    };
    assert_eq!(codes(undecided), voiding, "{screen}");
    assert!(undecided.contains("AA201, AA202"), "what lacks the same stands together: {undecided}");
    let unknown = ran.block("unknown");
    assert_eq!(codes(&unknown), others, "{unknown}");
    let certificate = "AA606 certificate-expiry: could not read the server's certificate: the address is not https, so there is no certificate";
    assert!(unknown.contains(certificate), "{unknown}");
    let cure = "   kubectl aksarc doctor says which rights are missing, kubectl aksarc doctor --print-role prints them";
    assert_eq!(unknown.lines().last(), Some(cure), "{screen}");
    let counted =
        format!("{} unknown, {} of which could void support", voiding.len() + others.len() + 1, voiding.len());
    assert!(ran.verdict().contains(&counted), "{counted}\n{screen}");
    assert_eq!(ran.last(), "exit 5 · next: run with rights to list what is named above");
}

/// Every rule is in one of the counts, or has a finding that weighs more than `info`.
#[test]
fn the_counts_are_those_of_the_report() {
    let mut unread = Cluster::healthy();
    unread.forbidden = vec!["/api/v1/nodes".to_owned()];
    for (cluster, sign, code) in
        [(Cluster::healthy(), "✓", 0), (Cluster::outside(), "✗", 3), (Cluster::at_risk(), "✓", 0), (unread, "?", 5)]
    {
        let (_server, program) = at(cluster);
        let verdict = program.check(&[]).exits(code).stdout;
        let counts = |label: &str| -> BTreeMap<String, usize> {
            let line = verdict.lines().find_map(|line| line.trim_start().strip_prefix(label)).unwrap();
            let counts = line.trim().split(" · ").filter(|count| *count != "none");
            counts
                .map(|count| count.split_once(' ').unwrap())
                .map(|(count, of)| (of.to_owned(), count.parse().unwrap()))
                .collect()
        };
        let report = program.check(&["-o", "json"]).exits(code).json();
        let findings = report["findings"].as_array().unwrap();
        let weighing = |weight: &str| findings.iter().filter(|finding| finding["consequence"] == weight).count();
        let mut expected = BTreeMap::from([
            ("voids support".to_owned(), weighing("voids")),
            ("at risk".to_owned(), weighing("at-risk")),
            ("not covered".to_owned(), weighing("not-covered")),
            ("info".to_owned(), weighing("info")),
        ]);
        expected.retain(|_, count| *count > 0);
        assert_eq!(counts("findings"), expected, "{sign}");

        let rules = report["rules"].as_array().unwrap();
        let of_outcome = |outcome: &str| rules.iter().filter(|rule| rule["outcome"] == outcome).count();
        let told = counts("rules");
        assert_eq!(told.values().sum::<usize>(), catalogue::ALL.len(), "each rule is counted once: {told:?}");
        let (_, unknown) = told.iter().find(|(words, _)| words.starts_with("unknown")).unwrap();
        assert_eq!(*unknown, of_outcome("unknown"));
        let heavy = told.keys().any(|words| words.ends_with("of which could void support"));
        assert_eq!(heavy, code == 5, "{told:?}");
        assert_eq!((told["ok"], told["not observable"]), (of_outcome("pass"), of_outcome("not-observable")));
    }
}

#[test]
fn a_run_of_some_rules_gives_no_verdict_of_all() {
    let (_server, program) = at(Cluster::healthy());
    let table = program.check(&["--only", "AA201,AA204"]).exits(0).stdout;
    let (all, rest) = (catalogue::ALL.len(), catalogue::ALL.len() - 2);
    assert!(table.contains(&format!("NOTHING VOIDS SUPPORT of the rules asked, 2 of {all}, against")), "{table}");
    assert!(table.contains(": the others were not run") && !table.to_lowercase().contains("within"), "{table}");
    assert!(table.contains(&format!("2 ok · {rest} not run")), "{table}");
    let short = program.check(&["--only", "AA201,AA204", "-o", "short"]).exits(0).stdout;
    assert!(
        short.contains(&format!("nothing voids support of the rules asked, 2 of {all}")) && !short.contains("within"),
        "{short}"
    );
    assert!(short.contains(&format!("{rest} not run")), "{short}");
    let wide = program.check(&["--only", "AA201,AA204", "-o", "wide"]).exits(0).stdout;
    assert!(wide.contains(&format!(", not run {rest}")) && !wide.contains("within"), "{wide}");
}

#[test]
fn the_headline_names_its_basis() {
    let mut cluster = Cluster::healthy();
    let shipper = serde_json::json!({"metadata": {"name": "shipper", "namespace": "kube-system", "uid": "u",
        "creationTimestamp": "2026-01-05T08:00:00Z",
        "managedFields": [{"manager": "kubectl-create", "operation": "Update", "apiVersion": "apps/v1",
            "time": "2026-01-05T08:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]},
        "spec": {"replicas": 1}});
    cluster.add("/apis/apps/v1/deployments", "Deployment", shipper);
    let (_server, program) = at(cluster);
    let run = |args: &[&str]| program.run(&[&["support-check"], args].concat()).exits(3).stdout;
    let basis = |args: &[&str]| -> serde_json::Value {
        let json = [args, &["-o", "json"]].concat();
        serde_json::from_str::<serde_json::Value>(&run(&json)).unwrap()["verdictBasis"].clone()
    };
    let local = ["--platform", "azure-local", "--as-of", "2026-06-01"];
    let derived = run(&local);
    assert!(derived.contains("✗ OUTSIDE, by our reading of \"Support policies for AKS on Azure Local\""));
    assert_eq!(basis(&local), "derived");

    let preview = run(&["--platform", "bare-metal"]);
    assert!(
        preview.contains("OUTSIDE, by our reading of what is known of a preview without a policy text"),
        "{preview}"
    );

    let notice = ["--platform", "windows-server", "--as-of", "2028-04-01", "--only", "AA106"];
    let retired = run(&notice);
    let page = "Retirement of AKS architecture on Windows Server (2025-11-19)";
    assert!(
        retired.contains(&format!("OUTSIDE, by Microsoft's retirement notice, {page}, of the rules asked, 1 of")),
        "{retired}"
    );
    assert!(
        retired.contains("VOIDS SUPPORT · another page says so")
            && retired.contains(&format!("    see   {page} [1]\n")),
        "{retired}"
    );
    assert_eq!(basis(&notice), "documented");
}

#[test]
fn an_unknown_value_before_is_called_unknown() {
    let mut cluster = Cluster::at_risk();
    let shipper = serde_json::json!({"metadata": {"name": "shipper", "namespace": "kube-system", "uid": "u",
        "creationTimestamp": "2026-01-05T08:00:00Z",
        "managedFields": [{"manager": "helm", "operation": "Update", "apiVersion": "apps/v1",
            "time": "2026-01-05T08:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]},
        "spec": {"replicas": 1}});
    cluster.add("/apis/apps/v1/deployments", "Deployment", shipper);
    let (_server, program) = at(cluster);
    let table = program.check(&[]).exits(3).stdout;
    assert!(table.contains("metadata.labels[kubernetes.azure.com/own] is x, should not be there\n"), "{table}");
    assert!(table.contains("kube-system/deployment/shipper\n      Deployment shipper"), "{table}");
    assert!(!table.contains("(none)"), "{table}");
}

#[test]
fn one_line_per_finding() {
    let (_server, program) = at(Cluster::outside());
    let ran = program.check(&["-o", "wide"]).exits(3);
    insta::assert_snapshot!(ran.block("CODE"), @r"
    CODE    CONSEQUENCE   BASIS      CLAUSES   OBJECT        PATH                                      MUST BE   IS       BY              AT                     WAIVER   SOURCE
    AA201   voids         explicit   C13       node/moc-l2   metadata.labels[kubernetes.io/hostname]   moc-l2    edge-7   kubectl-label   2026-11-18T09:14:00Z   –        https://github.com/MicrosoftDocs/azure-stack-docs/blob/08188b788f063f8418da95438dda827fe4cdc974/AKS-Arc/aks-on-azure-local-support-policy.md#shared-responsibility
    ");
    let questions = program.check(&["-o", "json"]).json()["questions"].as_array().unwrap().len();
    let last = format!(
        "✗ outside · findings 2, 1 shown, hidden: 1 info (--show all) · rules unknown 1 · questions {questions} · exit 3"
    );
    assert_eq!(ran.block("✗"), last);
    assert_eq!(ran.blocks(), ["CODE", "✗"]);
}

#[test]
fn one_line_per_question() {
    let (_server, program) = at(Cluster::healthy());
    let shown = program.check(&["-o", "wide", "--show", "questions"]).exits(0).block("QUESTION");
    let shown = shown.lines().map(|line| line.split("   ").map(str::trim).filter(|cell| !cell.is_empty()).collect());
    let mut expected = vec![["QUESTION", "RULES", "ABOUT", "ANSWER", "BY", "UNTIL", "ASK"].map(str::to_owned).to_vec()];
    let report = program.check(&["-o", "json"]).exits(0).json();
    for question in report["questions"].as_array().unwrap() {
        let text = |key: &str| question[key].as_str().unwrap().to_owned();
        let list = |key: &str| {
            question[key].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect::<Vec<_>>().join(",")
        };
        let dash = || "–".to_owned();
        expected.push(vec![list("clauses"), list("rules"), text("topic"), dash(), dash(), dash(), text("ask")]);
    }
    assert!(expected.len() > 5, "{expected:?}");
    assert_eq!(shown.collect::<Vec<Vec<&str>>>(), expected);
}

#[test]
fn one_line() {
    let (_server, program) = at(Cluster::outside());
    insta::assert_snapshot!(program.check(&["-o", "short"]).exits(3).screen(), @r##"test · ✗ outside · 1 voids, 0 at-risk, 0 not-covered, 1 info, 0 waived, 1 unknown · exit 3 · next AA102 in 292 days"##);
}

#[test]
fn names() {
    let (_server, program) = at(Cluster::outside());
    insta::assert_snapshot!(program.check(&["-o", "name"]).exits(3).screen(), @r##"node/moc-l2"##);
}

#[test]
fn names_are_only_of_what_a_server_knows() {
    let mut cluster = Cluster::outside();
    "v1.20.1".clone_into(&mut cluster.version);
    let (_, nodes) = cluster.lists.get_mut("/api/v1/nodes").unwrap();
    for node in nodes.iter_mut() {
        node["status"]["nodeInfo"]["kubeletVersion"] = "v1.20.1".into();
    }
    let (_server, program) = at(cluster);
    let codes: Vec<String> = program.check(&["-o", "json"]).exits(3).json()["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["code"].as_str().unwrap().to_owned())
        .collect();
    assert!(["AA101", "AA104", "AA201"].iter().all(|code| codes.iter().any(|own| own == code)), "{codes:?}");
    let ran = program.check(&["-o", "name"]).exits(3);
    insta::assert_snapshot!(ran.screen(), @"node/moc-l2");
    assert!(ran.stderr.contains("note: 3 findings are on node pools or the cluster as a whole"), "{}", ran.stderr);
}

#[test]
fn names_come_with_their_namespace() {
    let program = Program::new();
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: own-agent, namespace: kube-system}\n\
                      spec: {template: {spec: {containers: [{name: a, image: example.com/a}]}}}\n";
    program.write("m.yaml", deployment);
    let ran = program.check(&["-f", "m.yaml", "-o", "name"]).exits(3);
    assert_eq!(ran.stdout, "-n kube-system deployment.apps/own-agent\n");
    assert_eq!(ran.stderr, "");
}

#[test]
fn headings_can_be_left_out() {
    let (_server, program) = at(Cluster::outside());
    for (args, heading) in [
        (&["support-check", "-o", "wide"][..], "CODE"),
        (&["rules", "list"], "CODE"),
        (&["rules", "coverage"], "CLAUSE"),
        (&["versions"], "WHAT"),
    ] {
        let with = |more: &[&str]| program.run(&[args, more].concat()).stdout;
        let is_there = |text: &str| text.lines().any(|line| line.starts_with(heading));
        assert!(is_there(&with(&[])) && !is_there(&with(&["--no-headers"])), "{args:?}");
    }
}

#[test]
fn only_ascii_is_printed_in_other_locales() {
    let (_server, program) = at(Cluster::outside());
    for args in [
        vec!["support-check"],
        vec!["support-check", "-o", "wide"],
        vec!["support-check", "-o", "short"],
        vec!["explain", "2xx"],
        vec!["rules", "list"],
        vec!["rules", "coverage"],
        vec!["version"],
    ] {
        let output = program.command().args(&args).env("LC_ALL", "C").output().unwrap();
        assert!(output.stdout.is_ascii(), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
    }
    assert!(program.check(&["--ascii"]).stdout.is_ascii());
}

#[test]
fn colours_only_where_they_are_wanted() {
    let (_server, program) = at(Cluster::outside());
    assert!(!program.check(&[]).stdout.contains('\x1b'), "stdout is no terminal");
    assert!(program.check(&["--color", "always"]).stdout.contains('\x1b'));
    assert!(!program.check(&["--color", "never"]).stdout.contains('\x1b'));
    program.check(&["--color", "always", "--output-file", "out"]).exits(3);
    assert!(!program.read("out").contains('\x1b'), "a file is no terminal");
    assert!(!program.check(&["--color", "always", "-o", "json"]).stdout.contains('\x1b'));
}

#[test]
fn text_of_the_cluster_cannot_steer_the_terminal() {
    let mut cluster = Cluster::outside();
    let (_, nodes) = cluster.lists.get_mut("/api/v1/nodes").unwrap();
    nodes[1]["metadata"]["labels"]["kubernetes.io/hostname"] = "\u{1b}[2Jgone\nAA101\u{202e}".into();
    nodes[1]["metadata"]["name"] = "moc\u{1b}]0;x\u{7}".into();
    let (_server, program) = at(cluster);
    for format in ["table", "wide", "short", "name"] {
        let ran = program.check(&["-o", format]);
        assert!(
            !ran.stdout.chars().any(|c| c != '\n' && c.is_control() || c == '\u{202e}'),
            "-o {format}: {:?}",
            ran.stdout
        );
    }
}

#[test]
fn usage_names_the_program_as_it_was_called() {
    let program = Program::new();
    let ran = program.run(&["--help"]).exits(0);
    assert!(ran.stdout.contains("Usage: kubectl aksarc <COMMAND>"), "{}", ran.stdout);
}
