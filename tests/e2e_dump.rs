//! A dump made by the printed script with the real kubectl gives the same verdict as the cluster itself.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use aksarc_tests::readme::Desk;
use aksarc_tests::{ControlPlane, Identity};
use serde_json::Value;

use crate::{DRIFTED, HEALTHY};

#[test]
fn a_dump_gives_the_findings_of_the_live_check_and_names_its_gaps() {
    for (cluster, code) in [(HEALTHY.lease(), 0), (DRIFTED.lease(), 3)] {
        let desk = Desk::new(&cluster).unwrap();
        let live = report(&desk, "", code);
        record(&desk, "dump", "cat");
        let dumped = report(&desk, "--snapshot dump", code);
        for (one, other) in rules(&live).zip(rules(&dumped)) {
            // kubectl does not record the server's certificate.
            let expected = if one["code"] == "AA606" { "unknown" } else { one["outcome"].as_str().unwrap() };
            assert_eq!(other["outcome"], expected, "{other}");
        }
        assert_eq!(dumped["findings"], live["findings"]);
        assert_eq!(dumped["coverage"]["withoutManagedFields"], 0);
    }
}

#[test]
fn a_dump_without_managed_fields_is_unknown_for_rules_that_rest_on_them() {
    let cluster: &ControlPlane = &HEALTHY.lease();
    let desk = Desk::new(cluster).unwrap();
    record(&desk, "bare", "sed 's/ --show-managed-fields//'");
    let report = report(&desk, "--snapshot bare", 5);
    assert_eq!(report["verdict"], "inconclusive");
    assert!(report["coverage"]["withoutManagedFields"].as_u64().unwrap() > 50);
    for rule in
        rules(&report).filter(|rule| ["AA201", "AA202", "AA301", "AA303"].iter().any(|code| rule["code"] == *code))
    {
        assert_eq!(rule["outcome"], "unknown", "{rule}");
        assert!(rule["reason"].as_str().unwrap().contains("--show-managed-fields"), "{rule}");
    }
}

/// Prints the script, passes it through a filter, and lets a reader of the cluster run it.
fn record(desk: &Desk<'_>, directory: &str, filter: &str) {
    let commands = format!(
        "rm -rf {directory}\nkubectl-aksarc snapshot --script bash | {filter} > {directory}.sh\nbash {directory}.sh {directory}"
    );
    desk.run(&Identity::Person, &commands).unwrap().succeeded().unwrap();
}

fn report(desk: &Desk<'_>, from: &str, code: i32) -> Value {
    let commands = format!("kubectl-aksarc support-check {from} --platform azure-local --as-of 2026-06-01 -o json");
    let finished = desk.run(&Identity::Person, &commands).unwrap();
    assert_eq!(finished.code, Some(code), "{}{}", finished.stdout, finished.stderr);
    serde_json::from_str(&finished.stdout).unwrap()
}

fn rules(report: &Value) -> impl Iterator<Item = &Value> {
    report["rules"].as_array().unwrap().iter()
}
