//! AA102: the Kubernetes version leaves the supported list soon.

use crate::data::Platform;
use crate::data::versions::{MinorSupport, Window};
use crate::facts::inventory::Inventory;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, ObjectRef};
use crate::rules::parts::{version_table, ways};
use crate::rules::rule::{Context, Due, Grounds, ManifestUse, Mode, Reach, Rule, StateCheck, Verdict, Voiding, Weight};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA102"),
    slug: "kubernetes-version-expiring",
    summary: "the API server's Kubernetes minor leaves the supported list soon",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Explicit),
    clauses: &[Clause::new("C01"), Clause::new("C21")],
    platforms: &Platform::ALL,
    reads: &[],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "plan the upgrade of the cluster",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: None, per_cluster: Some(per_cluster), deadlines: Some(deadlines) };

/// The verdict on versions still supported; AA101 judges versions that are out of support.
fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let Some(version) = inventory.server() else {
        return Verdict::Unknown("the API server's version is not known".to_owned());
    };
    let Some(table) = context.version_table() else {
        return Verdict::Unknown(format!("there is no version table for {}", context.platform.as_str()));
    };
    let MinorSupport::Supported { until, projected } = table.support(version, context.as_of) else {
        return match version_table::judge(table, version, context.as_of) {
            Err(why) => Verdict::Unknown(why),
            Ok(_) => Verdict::Found(Vec::new()),
        };
    };
    let left = (until - context.as_of).get_days();
    if left > HORIZON {
        return Verdict::Found(Vec::new());
    }
    let minor = version.minor_text();
    let how = match table.window {
        _ if projected => "projected from the table",
        Window::MonthsFromFirstRelease { .. } => "counted from the first release known to list it",
        _ => "by the published dates",
    };
    let days = if left == 1 { "1 day".to_owned() } else { format!("{left} days") };
    let mut draft = Draft::at(ObjectRef::cluster(), "serverVersion")
        .values(Some(&format!("a newer minor after {until}")), Some(&version.to_string()))
        .says(format!("Kubernetes {minor} leaves the supported list after {until}, in {days}, {how}"))
        .with(version_table::evidence(table));
    draft = draft.fixes(ways::upgrade());
    Verdict::Found(vec![if left > SOON { draft.lighter(Consequence::Info) } else { draft }])
}

fn deadlines(inventory: &Inventory, context: &Context<'_>) -> Vec<Due> {
    let (Some(version), Some(table)) = (inventory.server(), context.version_table()) else { return Vec::new() };
    let MinorSupport::Supported { until, projected } = table.support(version, context.as_of) else { return Vec::new() };
    let how = if projected { " (projected from the table)" } else { "" };
    vec![Due {
        on: until,
        what: format!("Kubernetes {} leaves the supported list{how}", version.minor_text()),
        subject: version.minor_text(),
    }]
}

/// The days before the end from which there is a finding: a quarter, the pace of new minors.
const HORIZON: i32 = 90;

/// The days before the end from which it is more than information: Azure Local gives thirty days of notice.
const SOON: i32 = 30;
