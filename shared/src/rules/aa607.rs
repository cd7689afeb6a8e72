//! AA607: the API server cannot reach the service that encrypts Secrets.

use crate::command::Command;
use crate::data::Platform;
use crate::facts::inventory::Inventory;
use crate::facts::probe::Probe;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::rules::rule::{Context, Grounds, ManifestUse, Mode, Reach, Rule, StateCheck, Verdict, Voiding, Weight};
use crate::text;

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA607"),
    slug: "kms-unhealthy",
    summary: "the API server reports that a key management provider fails",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Operational),
    clauses: &[Clause::new("C14")],
    platforms: &Platform::ALL,
    reads: &[],
    probes: &[Probe::Readyz],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "repair the provider before the control plane restarts",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck = StateCheck { per_object: None, per_cluster: Some(per_cluster), deadlines: None };

/// The verdict on the encryption provider's health. Without such a provider there is no line of one, and nothing to
/// judge.
fn per_cluster(inventory: &Inventory, _: &Context<'_>) -> Verdict {
    let answer = match inventory.probe(Probe::Readyz) {
        Ok(answer) => answer,
        Err(why) => return Verdict::Unknown(why),
    };
    let checks = || answer.lines().filter_map(check);
    if checks().next().is_none() {
        return Verdict::Unknown("the answer to /readyz?verbose names no checks".to_owned());
    }
    let failing = checks().filter(|(ok, name, _)| !ok && name.starts_with(PROVIDER));
    let drafts = failing.map(|(_, name, line)| {
        Draft::at(ObjectRef::cluster(), format!("readyz[{}]", text::line(name, 80)))
            .broken()
            .values(Some("ok"), Some("failed"))
            .says(
                "the API server cannot use its key management provider: Secrets cannot be read after its next restart",
            )
            .with(Evidence::seen("readyz", text::line(line, 200)))
            .fix(Command::kubectl(["get", "--raw", "/readyz?verbose"]).only("shows each check"))
    });
    Verdict::Found(drafts.collect())
}

/// The result, name and rest of a line: `[+]ping ok`, `[-]etcd failed: reason withheld`.
fn check(line: &str) -> Option<(bool, &str, &str)> {
    let line = line.trim();
    let (ok, rest) = match (line.strip_prefix("[+]"), line.strip_prefix("[-]")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return None,
    };
    Some((ok, rest.split(' ').next().unwrap_or_default(), line))
}

/// The prefix of the provider's check: `kms-providers`, or `kms-provider-0` and so on (kubernetes/kubernetes,
/// apiserver's encryption configuration).
const PROVIDER: &str = "kms-provider";
