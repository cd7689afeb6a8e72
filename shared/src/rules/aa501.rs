//! AA501: a network plug-in runs that is not covered by support for this platform.

use crate::data::Platform;
use crate::facts::inventory::Inventory;
use crate::facts::notes::{Notes, Undecided};
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::k8s::object::Object;
use crate::k8s::text::Text;
use crate::rules::parts::installed::{self, EXTENSIONS, FromRelease, Installed};
use crate::rules::parts::network_software::running;
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA501"),
    slug: "unsupported-cni",
    summary: "a network plug-in runs that is not covered by support for this platform",
    consequence: Weight::Always(Consequence::NotCovered),
    basis: Grounds::Always(Basis::Explicit),
    clauses: &[Clause::new("C14"), Clause::new("C18")],
    platforms: &Platform::ALL,
    reads: &[
        Read { kind: &kinds::DAEMON_SET, scope: Scope::Cluster },
        Read { kind: &kinds::CUSTOM_RESOURCE_DEFINITION, scope: Scope::Cluster },
        EXTENSIONS,
    ],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "use the platform's own network plug-in",
    change: None,
    claim: None,
    manifests: ManifestUse::AsState,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

/// Notes network plug-ins: by the image that works on the nodes, or by definitions that an earlier one left behind.
fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    if installed::note(seen, notes) {
        return;
    }
    let plugins = &seen.data.network.plugins;
    let release = FromRelease::of(seen.object);
    let target = || ObjectRef::of(seen.object, seen.kind);
    if *seen.kind == kinds::CUSTOM_RESOURCE_DEFINITION {
        let Some(group) = group(seen.object) else { return };
        let Some(plugin) = plugins.iter().find(|plugin| plugin.groups.iter().any(|served| **served == *group)) else {
            return;
        };
        let draft = Draft::at(target(), "spec.group")
            .values(None, Some(&group))
            .says(format!("a custom resource of {} is defined, and none of its workloads was found", plugin.name))
            .with(Evidence::seen("group", group.to_string()))
            .lighter(Consequence::Info);
        notes.undecided(draft, PlugIn { release, name: plugin.name.clone(), seen: PlugInSign::Definition });
    } else if let Some((plugin, image)) = running(seen.object, seen.kind, plugins) {
        let draft = Draft::at(target(), "spec.template.spec.containers")
            .values(None, Some(image))
            .says(format!("network plug-in {} is not covered by support for this platform", plugin.name))
            .with(Evidence::seen("image", format!("{image} is {}: {}", plugin.name, plugin.source)));
        notes.undecided(draft, PlugIn { release, name: plugin.name.clone(), seen: PlugInSign::Workload });
    }
}

/// The API group a CustomResourceDefinition defines.
pub(super) fn group<'a>(definition: &Object<'a>) -> Option<Text<'a>> {
    #[derive(serde::Deserialize)]
    struct DefinitionSpec<'a> {
        #[serde(borrow, default)]
        group: Text<'a>,
    }
    definition.field::<DefinitionSpec<'a>>("spec").map(|spec| spec.group)
}

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let suspects = inventory.undecided::<PlugIn>(RULE.code);
    let extensions = Installed::of(inventory, RULE.code, context.data);
    let runs = |name: &str| {
        suspects.iter().any(|own| own.depends_on.seen == PlugInSign::Workload && own.depends_on.name == name)
    };
    let uncovered = |suspect: &&Undecided<PlugIn>| {
        let PlugIn { release, name, seen } = &suspect.depends_on;
        if extensions.brought(release) {
            return false;
        }
        let left_behind = *seen == PlugInSign::Definition;
        let plugin = context.data.network.plugins.iter().find(|plugin| plugin.name == *name);
        plugin.is_some_and(|plugin| !plugin.covered_on.contains(&context.platform)) && !(left_behind && runs(name))
    };
    Verdict::Found(suspects.iter().filter(uncovered).map(|suspect| suspect.draft.clone()).collect())
}

/// A network plug-in, and the Helm release with which an Arc extension may have brought it.
#[derive(Debug)]
struct PlugIn {
    release: FromRelease,
    name: String,
    seen: PlugInSign,
}

/// The sign of a network plug-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PlugInSign {
    /// A workload runs its image.
    Workload,
    /// Its custom resources are defined, perhaps by an earlier installation.
    Definition,
}
