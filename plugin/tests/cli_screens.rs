//! What people see.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

mod fake;

use aksarc_shared::catalogue;
use fake::{Cluster, Program, Server};

fn at(cluster: Cluster) -> (Server, Program) {
    let server = Server::of(cluster);
    let program = Program::at(&server.url());
    (server, program)
}

#[test]
fn a_cluster_within() {
    let (_server, program) = at(Cluster::healthy());
    insta::assert_snapshot!(program.check(&[]).exits(0).screen(), @r##"
    AKS Arc support check                                              kubectl-aksarc 0.1.0 · policy of 2025-06-26
      cluster    test · Kubernetes v1.33.5 · 3 nodes
      platform   azure-local · given with --platform
      reading    7 objects, 38 requests, N s, read-only

     ✓ WITHIN the published text "Support policies for AKS on Azure Local" of 2025-06-26, as far as Kubernetes shows
       1 info · 49 rules ok · 1 unknown · 9 not observable

     hidden   1 info: --show all shows them

     clocks   Kubernetes 1.33 leaves the supported list (projected from the table)   292 days   2027-03-20   AA102

     unknown  AA606 certificate-expiry: could not read the server's certificate: the address is not https, so the server presents none

     cannot be seen from Kubernetes (9), and answered by
       C09       host product                    Get-ComputerInfo -Property OsName, OsVersion
       C10       VM edits outside AKS Arc        Get-VM
       C22       changes inside nodes            Get-VM
       C24       network and disks of node VMs   Get-VMNetworkAdapter -VMName <node>, Get-VMHardDiskDrive -VMName <node>
       C30       all nodes shut down by hand     Get-VM
       C31       standstill                      Get-VM
       C32       contact with Azure              az connectedk8s show, Get-AksHciBillingStatus
       C34       long stopped nodes              Get-VM
       C35 C36   subscription                    az account show --subscription <id> --query state
       --show all says whom to ask, kubectl aksarc rules coverage --attest-template begins a file for --attest
     unseen   AA208: this cluster does not hold the Cluster API machines of its own nodes
              AA302, AA307: leaves no trace in a state; the guard and the dry run judge the change

    exit 0
    "##);
}

#[test]
fn a_cluster_outside() {
    let (_server, program) = at(Cluster::outside());
    insta::assert_snapshot!(program.check(&[]).exits(3).screen(), @r##"
    AKS Arc support check                                              kubectl-aksarc 0.1.0 · policy of 2025-06-26
      cluster    test · Kubernetes v1.33.5 · 3 nodes
      platform   azure-local · given with --platform
      reading    7 objects, 38 requests, N s, read-only

     ✗ OUTSIDE the published text "Support policies for AKS on Azure Local" of 2025-06-26
       1 voids support · 1 info · 48 rules ok · 1 unknown · 9 not observable

    ✗ AA201 system-label-changed                                           VOIDS SUPPORT · policy says so · 1 node
        node/moc-l2
          metadata.labels[kubernetes.io/hostname]   moc-l2 → edge-7
          system label kubernetes.io/hostname of node moc-l2 does not say moc-l2
          the node itself says moc-l2 (invariant)
          by kubectl-label, 2026-11-18T09:14:00Z (managedFields)
        why   a label that the system created on a node was changed or removed · C13 Shared responsibility
        fix   kubectl label node moc-l2 kubernetes.io/hostname=moc-l2 --overwrite
        more  kubectl aksarc explain AA201

     hidden   1 info: --show all shows them

     clocks   Kubernetes 1.33 leaves the supported list (projected from the table)   292 days   2027-03-20   AA102

     unknown  AA606 certificate-expiry: could not read the server's certificate: the address is not https, so the server presents none

     cannot be seen from Kubernetes (9), and answered by
       C09       host product                    Get-ComputerInfo -Property OsName, OsVersion
       C10       VM edits outside AKS Arc        Get-VM
       C22       changes inside nodes            Get-VM
       C24       network and disks of node VMs   Get-VMNetworkAdapter -VMName <node>, Get-VMHardDiskDrive -VMName <node>
       C30       all nodes shut down by hand     Get-VM
       C31       standstill                      Get-VM
       C32       contact with Azure              az connectedk8s show, Get-AksHciBillingStatus
       C34       long stopped nodes              Get-VM
       C35 C36   subscription                    az account show --subscription <id> --query state
       --show all says whom to ask, kubectl aksarc rules coverage --attest-template begins a file for --attest
     unseen   AA208: this cluster does not hold the Cluster API machines of its own nodes
              AA302, AA307: leaves no trace in a state; the guard and the dry run judge the change

    exit 3 · next: fix 1 finding, then  kubectl aksarc support-check --only AA201
    "##);
}

#[test]
fn a_cluster_that_could_not_be_read_in_full() {
    let mut cluster = Cluster::healthy();
    cluster.forbidden = vec!["/api/v1/nodes".to_owned()];
    let (_server, program) = at(cluster);
    insta::assert_snapshot!(program.check(&[]).exits(5).screen(), @r##"
    AKS Arc support check                                              kubectl-aksarc 0.1.0 · policy of 2025-06-26
      cluster    test · Kubernetes v1.33.5 · nodes not read
      platform   azure-local · given with --platform
      reading    4 objects, 38 requests, N s, read-only

     ? INCONCLUSIVE against the published text "Support policies for AKS on Azure Local" of 2025-06-26: not everything could be decided
       32 rules ok · 5 undecided that could void support · 21 unknown · 6 not observable

    ? AA104 node-version-unsupported                                              COULD VOID SUPPORT · not decided
        needs list nodes, which is forbidden

    ? AA201 system-label-changed                                                  COULD VOID SUPPORT · not decided
        needs list nodes, which is forbidden

    ? AA202 system-annotation-changed                                             COULD VOID SUPPORT · not decided
        needs list nodes, which is forbidden

    ? AA401 foreign-node                                                          COULD VOID SUPPORT · not decided
        needs list nodes, which is forbidden; there are no nodes to compare

    ? AA603 stopped-too-long                                                      COULD VOID SUPPORT · not decided
        needs list nodes, which is forbidden

     clocks   Kubernetes 1.33 leaves the supported list (projected from the table)   292 days   2027-03-20   AA102

     unknown  AA103 version-skew: needs list nodes, which is forbidden
              AA203 system-taint-changed: needs list nodes, which is forbidden
              AA204 reserved-prefix-used: needs list nodes, which is forbidden
              AA205 node-metadata-not-durable: needs list nodes, which is forbidden
              AA206 node-identity-changed: needs list nodes, which is forbidden
              AA208 node-deleted: needs list nodes, which is forbidden
              AA402 pool-drift: needs list nodes, which is forbidden
              AA403 node-os-retired: needs list nodes, which is forbidden
              AA404 node-image-stale: needs list nodes, which is forbidden
              AA408 node-count-differs: needs list nodes, which is forbidden
              AA409 unknown-static-pod: needs list nodes, which is forbidden
              AA410 unsupported-container-runtime: needs list nodes, which is forbidden
              AA412 node-size-drift: needs list nodes, which is forbidden
              AA606 certificate-expiry: could not read the server's certificate: the address is not https, so the server presents none
              AA608 all-nodes-down: needs list nodes, which is forbidden
              AA905 scale-limit-exceeded: needs list nodes, which is forbidden

     cannot be seen from Kubernetes (9), and answered by
       C09       host product                    Get-ComputerInfo -Property OsName, OsVersion
       C10       VM edits outside AKS Arc        Get-VM
       C22       changes inside nodes            Get-VM
       C24       network and disks of node VMs   Get-VMNetworkAdapter -VMName <node>, Get-VMHardDiskDrive -VMName <node>
       C30       all nodes shut down by hand     Get-VM
       C31       standstill                      Get-VM
       C32       contact with Azure              az connectedk8s show, Get-AksHciBillingStatus
       C34       long stopped nodes              Get-VM
       C35 C36   subscription                    az account show --subscription <id> --query state
       --show all says whom to ask, kubectl aksarc rules coverage --attest-template begins a file for --attest
     unseen   AA302, AA307: leaves no trace in a state; the guard and the dry run judge the change

    exit 5 · next: run with rights to list what is named above
    "##);
}

#[test]
fn some_of_the_rules_give_no_verdict_of_all() {
    let (_server, program) = at(Cluster::healthy());
    let table = program.check(&["--only", "AA201,AA204"]).exits(0).stdout;
    let (all, rest) = (catalogue::ALL.len(), catalogue::ALL.len() - 2);
    assert!(table.contains(&format!("NOTHING VOIDS SUPPORT of the rules asked, 2 of {all}, by")), "{table}");
    assert!(table.contains(": the others were not run") && !table.to_lowercase().contains("within"), "{table}");
    assert!(table.contains(&format!("2 rules ok · {rest} not run")), "{table}");
    let short = program.check(&["--only", "AA201,AA204", "-o", "short"]).exits(0).stdout;
    assert!(short.contains("nothing voids support, of the rules asked") && !short.contains("within"), "{short}");
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
        retired.contains(&format!("OUTSIDE, by Microsoft's retirement notice, {page}, of the rules asked")),
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
    insta::assert_snapshot!(program.check(&["-o", "wide"]).exits(3).screen(), @r##"
    CODE    CONSEQUENCE   BASIS      CLAUSES   OBJECT        PATH                                      MUST BE   IS       BY              AT                     WAIVER
    AA201   voids         explicit   C13       node/moc-l2   metadata.labels[kubernetes.io/hostname]   moc-l2    edge-7   kubectl-label   2026-11-18T09:14:00Z   –

    QUESTION   RULES                     ABOUT                           ANSWER   BY   UNTIL   ASK
    C09        AA106                     host product                    –        –    –       The administrator of the hosts: `Get-ComputerInfo -Property OsName, OsVersion` on a host. Give the answer as --platform-release.
    C10        AA401,AA408,AA409,AA412   VM edits outside AKS Arc        –        –    –       The Hyper-V administrator: were node VMs changed outside AKS Arc? Compare `Get-VM` (processors, memory, state) with the node pools, and read the hosts' event log of virtual machine management.
    C22        AA402,AA403,AA409,AA412   changes inside nodes            –        –    –       Whoever can sign in to nodes or hosts: was anything installed or configured on nodes by hand, or a node VM edited? `Get-VM` on the hosts shows the VMs, not what was done inside.
    C24        AA412,AA502               network and disks of node VMs   –        –    –       The Hyper-V administrator: `Get-VMNetworkAdapter -VMName <node>` and `Get-VMHardDiskDrive -VMName <node>`, compared with a node that nobody has touched.
    C30        AA603,AA608               all nodes shut down by hand     –        –    –       The Hyper-V administrator: `Get-VM` on the hosts shows the state and uptime of the node VMs; ask whether all were ever shut down by hand.
    C31        AA603                     standstill                      –        –    –       The operators of the cluster: from when to when was it stopped? Logs of the hosts or of monitoring show it, `Get-VM` shows the uptime of the node VMs.
    C32        AA601,AA602,AA606         contact with Azure              –        –    –       Whoever has the Azure subscription: `az connectedk8s show` gives the last contact and the state. On Windows Server and 22H2 the management cluster counts: `Get-AksHciBillingStatus` on the host.
    C34        AA603                     long stopped nodes              –        –    –       The Hyper-V administrator: which node VMs were off for more than 30 days, and was it planned maintenance? `Get-VM` shows their state and uptime.
    C35,C36    AA604                     subscription                    –        –    –       The owner of the Azure subscription: `az account show --subscription <id> --query state`, which fails for a subscription that no longer exists.

    ✗ outside · findings 2, unknown 1, waived 0 · exit 3
    "##);
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
    insta::assert_snapshot!(program.check(&["-o", "name"]).exits(3).screen(), @r"
    node/moc-l1
    node/moc-l2
    node/moc-l3
    ");
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
