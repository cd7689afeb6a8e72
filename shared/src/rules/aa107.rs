//! AA107: the Kubernetes version is so old that no upgrade leads out in one step.

use crate::data::Platform;
use crate::data::versions::MinorSupport;
use crate::facts::inventory::Inventory;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, ObjectRef};
use crate::k8s::version::Version;
use crate::rules::parts::{version_table, ways};
use crate::rules::rule::{Context, Grounds, ManifestUse, Mode, Reach, Rule, StateCheck, Verdict, Voiding, Weight};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA107"),
    slug: "upgrade-path-blocked",
    summary: "the oldest supported Kubernetes minor is more than one upgrade step away",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Explicit),
    clauses: &[Clause::new("C04")],
    platforms: &[Platform::WindowsServer, Platform::Hci22h2, Platform::AzureLocal],
    reads: &[],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "jump to a supported minor, or redeploy the cluster",
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
    match version_table::judge(table, version, context.as_of) {
        Err(why) => return Verdict::Unknown(why),
        Ok(None) => return Verdict::Found(Vec::new()),
        Ok(Some(_)) => {}
    }
    let mut supported = table.known().into_iter().filter(|minor| {
        *minor > version && matches!(table.support(*minor, context.as_of), MinorSupport::Supported { .. })
    });
    let Some(oldest) = supported.next() else {
        let as_of = table.as_of;
        return Verdict::Unknown(format!(
            "the version table of {as_of} knows no minor in support on {}; give a newer one with --versions",
            context.as_of
        ));
    };
    let steps = oldest.minor.saturating_sub(version.minor);
    if steps <= 1 {
        return Verdict::Found(Vec::new());
    }
    let skipped: Vec<String> =
        (version.minor + 1..oldest.minor).map(|minor| Version { minor, ..oldest }.minor_text()).collect();
    let advice = if skipped.len() > 1 {
        "a new cluster is advised when two or more minors are skipped"
    } else {
        "only a jump over withdrawn minors leads out"
    };
    let (from, to) = (version.minor_text(), oldest.minor_text());
    let mut draft = Draft::at(ObjectRef::cluster(), "serverVersion")
        .values(Some(&to), Some(&from))
        .says(format!(
            "Kubernetes {from} is {steps} steps from {to}, the oldest minor in support, over {}: {advice}",
            skipped.join(", ")
        ))
        .with(version_table::evidence(table));
    draft = draft.fixes(ways::upgrade());
    Verdict::Found(vec![draft])
}
