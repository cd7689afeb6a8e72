//! What people see.
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

/// The one screen that is compared whole. What all screens say of a cluster, the questions among it, stands here alone.
#[test]
fn a_cluster_outside() {
    let (_server, program) = at(Cluster::outside());
    insta::assert_snapshot!(program.check(&[]).exits(3).screen(), @r##"
    AKS Arc support check                                              kubectl-aksarc 0.1.0 · policy of 2025-06-26
      cluster    test · Kubernetes v1.33.5 · 3 nodes
      platform   azure-local · given with --platform
      reading    15 objects, N requests, read-only

     ✗ OUTSIDE the published text "Support policies for AKS on Azure Local" of 2025-06-26
       1 voids support · 1 info · N rules ok · 1 unknown · N not observable

    ✗ AA201 system-label-changed                                           VOIDS SUPPORT · policy says so · 1 node
        node/moc-l2
          metadata.labels[kubernetes.io/hostname]   moc-l2 → edge-7
          node moc-l2: label kubernetes.io/hostname is "edge-7", should be "moc-l2"
          the node itself says moc-l2 (invariant)
          by kubectl-label, 2026-11-18T09:14:00Z (managedFields)
        why   a label that the system created on a node was changed or removed · C13 Shared responsibility
        fix   kubectl label node moc-l2 kubernetes.io/hostname=moc-l2 --overwrite
        more  kubectl aksarc explain AA201

     hidden   1 info: --show all shows them

     clocks   Kubernetes 1.33 leaves the supported list (projected from the table)   292 days   2027-03-20   AA102

     unknown  AA606 certificate-expiry: could not read the server's certificate: the address is not https, so there is no certificate

     cannot be seen from Kubernetes (10), and answered by
       C09       host product                            Get-ComputerInfo -Property OsName, OsVersion
       C10       VM edits outside AKS Arc                Get-VM
       C22       changes inside nodes                    Get-VM
       C24       network and disks of node VMs           Get-VMNetworkAdapter -VMName <node>, Get-VMHardDiskDrive -VMName <node>
       C27       changes made while signed in to nodes
       C30       all nodes shut down by hand             Get-VM
       C31       standstill                              Get-VM
       C32       contact with Azure                      az connectedk8s show, Get-AksHciBillingStatus
       C34       long stopped nodes                      Get-VM
       C35 C36   subscription                            az account show --subscription <id> --query state
       --show all says whom to ask, kubectl aksarc rules coverage --attest-template begins a file for --attest
     unseen   AA208: this cluster does not hold the Cluster API machines of its own nodes
              AA302, AA307: leaves no trace in a state; the guard and the dry run judge the change

    exit 3 · next: fix 1 finding, then  kubectl aksarc support-check --only AA201
    "##);
}

#[test]
fn a_cluster_within() {
    let (_server, program) = at(Cluster::healthy());
    let ran = program.check(&[]).exits(0);
    assert_eq!(
        ran.block("✓"),
        " ✓ WITHIN the published text \"Support policies for AKS on Azure Local\" of 2025-06-26, as far as Kubernetes shows\n   \
         1 info · N rules ok · 1 unknown · N not observable"
    );
    assert_eq!(ran.blocks(), ["AKS", "✓", "hidden", "clocks", "unknown", "cannot", "exit"], "no findings: {ran:?}");
    assert_eq!(ran.block("exit"), "exit 0");
}

#[test]
fn a_cluster_that_could_not_be_read_in_full() {
    let mut cluster = Cluster::healthy();
    cluster.forbidden = vec!["/api/v1/nodes".to_owned()];
    let (_server, program) = at(cluster);
    let ran = program.check(&[]).exits(5);
    let head = ran.block("AKS");
    assert!(head.contains("Kubernetes v1.33.5 · nodes not read\n"), "{head}");
    assert!(head.ends_with("reading    12 objects, N requests, read-only"), "{head}");

    let screen = ran.screen();
    let (undecided, others): (Vec<&str>, Vec<&str>) = screen.split("\n\n").partition(|block| block.starts_with("? AA"));
    let firsts: Vec<&str> = others.iter().filter_map(|block| block.split_whitespace().next()).collect();
    assert_eq!(firsts, ["AKS", "?", "clocks", "unknown", "cannot", "exit"], "no findings: {ran:?}");
    let (words, counts) = others[1].split_once('\n').unwrap();
    assert_eq!(
        words,
        " ? INCONCLUSIVE against the published text \"Support policies for AKS on Azure Local\" of 2025-06-26: not everything could be decided"
    );

    // What could void support stands among the findings, all else that is unknown in a list behind them.
    let voiding: Vec<&str> = undecided.iter().map(|block| &block["? ".len().."? AA201".len()]).collect();
    for block in &undecided {
        assert!(
            block.contains("COULD VOID SUPPORT · not decided\n    needs list nodes, which is forbidden"),
            "{block}"
        );
    }
    let cure = "   kubectl aksarc doctor says which rights are missing, kubectl aksarc doctor --print-role prints them";
    assert_eq!(others[3].lines().last(), Some(cure), "{screen}");
    let unknown = others[3].lines().filter(|line| *line != cure);
    let lines: Vec<&str> = unknown.map(|line| line.trim_start_matches(" unknown").trim_start()).collect();
    assert!(
        counts.ends_with(&format!(
            " rules ok · {} undecided that could void support · {} unknown · N not observable",
            voiding.len(),
            voiding.len() + lines.len()
        )),
        "{counts}\n{screen}"
    );
    let (without_nodes, others): (Vec<&str>, Vec<&str>) =
        lines.into_iter().partition(|line| line.contains(": needs list nodes, which is forbidden"));
    let codes_of = |voids: bool| -> Vec<&str> {
        let reads_nodes = |rule: &&&Rule| rule.reads.iter().any(|read| *read.kind == kinds::NODE);
        let rules = catalogue::ALL.iter().filter(reads_nodes);
        let weight = |rule: &&&Rule| (rule.consequence_on(Platform::AzureLocal) == Consequence::Voids) == voids;
        rules.filter(weight).map(|rule| rule.code.as_str()).collect()
    };
    assert!(codes_of(true).contains(&"AA201") && !codes_of(true).contains(&"AA101"));
    assert_eq!(voiding, codes_of(true));
    assert_eq!(without_nodes.iter().map(|line| &line[.."AA201".len()]).collect::<Vec<_>>(), codes_of(false));
    assert_eq!(
        others,
        [
            "AA606 certificate-expiry: could not read the server's certificate: the address is not https, so there is no certificate"
        ]
    );
    assert_eq!(ran.block("exit"), "exit 5 · next: run with rights to list what is named above");
}

/// Every rule is in one of the counts, or has a finding that weighs more than `info`.
#[test]
fn what_is_counted_is_what_the_report_holds() {
    let mut unread = Cluster::healthy();
    unread.forbidden = vec!["/api/v1/nodes".to_owned()];
    for (cluster, sign, code) in
        [(Cluster::healthy(), "✓", 0), (Cluster::outside(), "✗", 3), (Cluster::at_risk(), "✓", 0), (unread, "?", 5)]
    {
        let (_server, program) = at(cluster);
        let printed = program.check(&[]).exits(code).stdout;
        let (_, verdict) = printed.split_once(&format!(" {sign} ")).unwrap();
        let counts: BTreeMap<&str, usize> = verdict
            .lines()
            .nth(1)
            .unwrap()
            .split(" · ")
            .map(|count| count.trim().split_once(' ').unwrap())
            .map(|(count, words)| (words, count.parse().unwrap()))
            .collect();
        let report = program.check(&["-o", "json"]).exits(code).json();
        let rules = report["rules"].as_array().unwrap();
        let of_outcome = |outcome: &str| rules.iter().filter(|rule| rule["outcome"] == outcome).count();
        let findings = report["findings"].as_array().unwrap();
        let weighing = |weight: &str| findings.iter().filter(|finding| finding["consequence"] == weight).count();
        let mut expected = BTreeMap::from([
            ("voids support", weighing("voids")),
            ("at risk", weighing("at-risk")),
            ("not covered", weighing("not-covered")),
            ("info", weighing("info")),
            ("rules ok", of_outcome("pass")),
            ("unknown", of_outcome("unknown")),
            ("not observable", of_outcome("not-observable")),
        ]);
        expected.retain(|_, count| *count > 0);
        let mut counts = counts;
        // Those are among the unknown ones, and counted once more for their weight.
        let heavy = counts.remove("undecided that could void support").unwrap_or_default();
        assert!(heavy < of_outcome("unknown") && (heavy > 0) == (code == 5), "{heavy}: {counts:?}");
        assert_eq!(counts, expected);
        let counted =
            ["rules ok", "unknown", "not observable"].iter().filter_map(|words| counts.get(words)).sum::<usize>();
        let others = of_outcome("violated") + of_outcome("not-applicable");
        assert_eq!(counted + others, catalogue::ALL.len(), "{counts:?} and {others}");
    }
}

#[test]
fn some_of_the_rules_give_no_verdict_of_all() {
    let (_server, program) = at(Cluster::healthy());
    let table = program.check(&["--only", "AA201,AA204"]).exits(0).stdout;
    let (all, rest) = (catalogue::ALL.len(), catalogue::ALL.len() - 2);
    assert!(table.contains(&format!("NOTHING VOIDS SUPPORT of the rules asked, 2 of {all}, against")), "{table}");
    assert!(table.contains(": the others were not run") && !table.to_lowercase().contains("within"), "{table}");
    assert!(table.contains(&format!("2 rules ok · {rest} not run")), "{table}");
    let short = program.check(&["--only", "AA201,AA204", "-o", "short"]).exits(0).stdout;
    assert!(
        short.contains(&format!("nothing voids support of the rules asked, 2 of {all}")) && !short.contains("within"),
        "{short}"
    );
    assert!(short.contains(&format!("{rest} not run")), "{short}");
    let wide = program.check(&["--only", "AA201,AA204", "-o", "wide"]).exits(0).stdout;
    assert!(wide.contains(&format!("rules not run {rest}")) && !wide.contains("within"), "{wide}");
}

#[test]
fn the_headline_says_whose_word_it_is() {
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
    assert!(
        derived.contains("✗ OUTSIDE, by our reading of the published text \"Support policies for AKS on Azure Local\"")
    );
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
        retired.contains("VOIDS SUPPORT · another page says so") && retired.contains(&format!("page  {page}")),
        "{retired}"
    );
    assert_eq!(basis(&notice), "documented");
}

#[test]
fn what_was_before_is_not_told_where_nobody_knows() {
    let mut cluster = Cluster::at_risk();
    let shipper = serde_json::json!({"metadata": {"name": "shipper", "namespace": "kube-system", "uid": "u",
        "creationTimestamp": "2026-01-05T08:00:00Z",
        "managedFields": [{"manager": "helm", "operation": "Update", "apiVersion": "apps/v1",
            "time": "2026-01-05T08:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]},
        "spec": {"replicas": 1}});
    cluster.add("/apis/apps/v1/deployments", "Deployment", shipper);
    let (_server, program) = at(cluster);
    let table = program.check(&[]).exits(3).stdout;
    assert!(table.contains("metadata.labels[kubernetes.azure.com/own]   x\n"), "{table}");
    assert!(table.contains("kube-system/deployment/shipper\n      Deployment shipper"), "{table}");
    assert!(!table.contains("(none)"), "{table}");
}

#[test]
fn one_line_per_finding() {
    let (_server, program) = at(Cluster::outside());
    let ran = program.check(&["-o", "wide"]).exits(3);
    insta::assert_snapshot!(ran.block("CODE"), @r"
    CODE    CONSEQUENCE   BASIS      CLAUSES   OBJECT        PATH                                      MUST BE   IS       BY              AT                     WAIVER
    AA201   voids         explicit   C13       node/moc-l2   metadata.labels[kubernetes.io/hostname]   moc-l2    edge-7   kubectl-label   2026-11-18T09:14:00Z   –
    ");
    assert_eq!(ran.block("✗"), "✗ outside · findings 2, unknown 1, waived 0 · exit 3");
    assert_eq!(ran.blocks(), ["CODE", "QUESTION", "✗"]);
}

#[test]
fn one_line_per_question() {
    let (_server, program) = at(Cluster::healthy());
    let shown = program.check(&["-o", "wide"]).exits(0).block("QUESTION");
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
fn nothing_but_ascii_where_the_locale_knows_no_more() {
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
fn what_the_cluster_says_cannot_steer_the_terminal() {
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
fn usage_follows_how_we_were_called() {
    let program = Program::new();
    let ran = program.run(&["--help"]).exits(0);
    assert!(ran.stdout.contains("Usage: kubectl aksarc <COMMAND>"), "{}", ran.stdout);
}
