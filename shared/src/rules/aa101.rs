//! AA101: the Kubernetes version is out of support.

use crate::data::Platform;
use crate::facts::inventory::Inventory;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, ObjectRef};
use crate::rules::parts::version_table::{evidence, judge, supported};
use crate::rules::parts::ways;
use crate::rules::rule::{Context, Grounds, ManifestUse, Mode, Reach, Rule, StateCheck, Verdict, Voiding, Weight};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA101"),
    slug: "kubernetes-version-unsupported",
    summary: "the API server runs a Kubernetes minor that is out of support",
    consequence: Weight::Always(Consequence::Voids),
    basis: Grounds::Always(Basis::Explicit),
    clauses: &[Clause::new("C01"), Clause::new("C02"), Clause::new("C03"), Clause::new("C08"), Clause::new("C21")],
    platforms: &Platform::ALL,
    reads: &[],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "upgrade the cluster",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck = StateCheck { per_object: None, per_cluster: Some(per_cluster), deadlines: None };

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let Some(version) = inventory.server() else {
        return Verdict::Unknown("the API server's version is not known".to_owned());
    };
    let Some(table) = context.version_table() else {
        return Verdict::Unknown(format!("there is no version table for {}", context.platform.as_str()));
    };
    match judge(table, version, context.as_of) {
        Ok(None) => Verdict::Found(Vec::new()),
        Err(why) => Verdict::Unknown(why),
        Ok(Some(retired)) => {
            let message =
                format!("Kubernetes {version} is out of support{retired}; the cluster keeps running and scaling");
            let mut draft = Draft::at(ObjectRef::cluster(), "serverVersion")
                .values(Some(&supported(table, context.as_of)), Some(&version.to_string()))
                .says(message)
                .with(evidence(table));
            draft = draft.fixes(ways::upgrade());
            Verdict::Found(vec![draft])
        }
    }
}
