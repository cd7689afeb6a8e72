//! AA105: the Kubernetes patch is behind the newest two of its minor.

use crate::data::Platform;
use crate::facts::inventory::Inventory;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, ObjectRef};
use crate::k8s::version::Version;
use crate::rules::parts::{version_table, ways};
use crate::rules::rule::{Context, Grounds, ManifestUse, Mode, Reach, Rule, StateCheck, Verdict, Voiding, Weight};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA105"),
    slug: "patch-behind",
    summary: "newer patches of the API server's Kubernetes minor are available",
    consequence: Weight::On {
        platforms: &[Platform::AzureLocal],
        consequence: Consequence::AtRisk,
        elsewhere: Consequence::Info,
    },
    basis: Grounds::Always(Basis::Documented(&["supported-kubernetes-versions"])),
    clauses: &[Clause::new("C06"), Clause::new("C20"), Clause::new("C21"), Clause::new("C26")],
    platforms: &Platform::ALL,
    reads: &[],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "upgrade the cluster to a newer patch",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck = StateCheck { per_object: None, per_cluster: Some(per_cluster), deadlines: None };

/// The verdict on patches of supported minors; AA101 judges minors that are out of support.
fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let Some(version) = inventory.server() else {
        return Verdict::Unknown("the API server's version is not known".to_owned());
    };
    let Some(table) = context.version_table() else {
        return Verdict::Unknown(format!("there is no version table for {}", context.platform.as_str()));
    };
    match version_table::judge(table, version, context.as_of) {
        Err(why) => return Verdict::Unknown(why),
        Ok(Some(_)) => return Verdict::Found(Vec::new()),
        Ok(None) => {}
    }
    let patches = table.patches(version);
    let Some(newest) = patches.last().copied() else {
        return Verdict::NotObservable(format!("the version table names no patch of {}", version.minor_text()));
    };
    if version > newest {
        return Verdict::NotObservable(format!(
            "{version} is newer than {newest}, the newest in the version table of {}: whether it is behind is not known; \
             give a newer table with --versions",
            table.as_of
        ));
    }
    let current: Vec<Version> = patches.iter().rev().take(CURRENT).copied().collect();
    // Where the list of versions decides about support, a patch that no release lists is more than an old one.
    let unlisted = context.platform == Platform::AzureLocal && !patches.contains(&version);
    if !unlisted && current.iter().any(|patch| version >= *patch) {
        return Verdict::Found(Vec::new());
    }
    let names: Vec<String> = current.iter().rev().map(ToString::to_string).collect();
    let draft = Draft::at(ObjectRef::cluster(), "serverVersion")
        .values(Some(&names.join(", ")), Some(&version.to_string()))
        .with(version_table::evidence(table));
    let mut draft = if unlisted {
        draft.says(format!(
            "Kubernetes {version} is in no release of the platform, and support covers listed versions only"
        ))
    } else {
        draft
            .says(format!("Kubernetes {version} is behind {newest}: fixes come with newer patches"))
            .lighter(Consequence::Info)
    };
    draft = draft.fixes(ways::upgrade());
    Verdict::Found(vec![draft])
}

/// The current patches of a minor: a release of AKS Arc offers at most two.
const CURRENT: usize = 2;
