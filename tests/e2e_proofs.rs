//! Every rule, proved on a real API server by its file in `proofs/`. Rules of an older Kubernetes are proved by
//! `long_kubernetes_1_28`.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use aksarc_tests::{Kubernetes, proofs};

#[test]
fn every_rule_is_proved_on_a_real_api_server() {
    proofs::assert(Kubernetes::NEWEST);
}
