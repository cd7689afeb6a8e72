//! AA501: a network plug-in runs that support for this platform does not cover.

use crate::data::Platform;
use crate::facts::inventory::Inventory;
use crate::finding::Code;
use crate::finding::Suspect;
use crate::finding::{Basis, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::k8s::object::Object;
use crate::k8s::text::Text;
use crate::rules::parts::installed::{self, EXTENSIONS, Installed};
use crate::rules::parts::network_software::running;
use crate::rules::rule::{
    Context, Grounds, Manifests, Mode, Notes, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA501"),
    slug: "unsupported-cni",
    summary: "a network plug-in runs that support for this platform does not cover",
    consequence: Weight::Always(Consequence::NotCovered),
    basis: Grounds::Always(Basis::Explicit),
    clauses: &["C14", "C18"],
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
    page: include_str!("aa501.md"),
    state: StateCheck { each: Some(each), whole: Some(whole), clocks: None },
    change: None,
    manifests: Manifests::AsState,
    voiding: Voiding::AnyList,
};

/// A plug-in is told by the image that works on the nodes, or else by what an earlier one left behind.
fn each(seen: &Seen<'_, '_>, notes: &mut Notes) {
    if installed::note(seen, notes) {
        return;
    }
    let plugins = &seen.data.network.plugins;
    let release = installed::hinge(seen.object);
    let target = || ObjectRef::of(seen.object, seen.kind);
    if *seen.kind == kinds::CUSTOM_RESOURCE_DEFINITION {
        let Some(group) = group(seen.object) else { return };
        let Some(plugin) = plugins.iter().find(|plugin| plugin.groups.iter().any(|own| **own == *group)) else {
            return;
        };
        let draft = Draft::at(target(), "spec.group")
            .values(None, Some(&group))
            .says(format!("a custom resource of {} is defined, and none of its workloads was found", plugin.name))
            .with(Evidence::seen("group", group.to_string()))
            .lighter(Consequence::Info);
        notes.suspect(draft, format!("{release}\t{LEFT_BEHIND}{}", plugin.name));
    } else if let Some((plugin, image)) = running(seen.object, seen.kind, plugins) {
        let draft = Draft::at(target(), "spec.template.spec.containers")
            .values(None, Some(image))
            .says(format!("{} is a network plug-in that support for this platform does not cover", plugin.name))
            .with(Evidence::seen("image", format!("{image} is {}: {}", plugin.name, plugin.source)));
        notes.suspect(draft, format!("{release}\t{}", plugin.name));
    }
}

/// The API group a CustomResourceDefinition defines.
pub(super) fn group<'a>(definition: &Object<'a>) -> Option<Text<'a>> {
    #[derive(serde::Deserialize)]
    struct Spec<'a> {
        #[serde(borrow, default)]
        group: Text<'a>,
    }
    definition.field::<Spec<'a>>("spec").map(|spec| spec.group)
}

fn whole(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let suspects = inventory.suspects(RULE.code);
    let extensions = Installed::of(inventory, RULE.code, context.data);
    let runs = |name: &str| suspects.iter().any(|suspect| parts(suspect).1 == name);
    let uncovered = |suspect: &&Suspect| {
        let (release, what) = parts(suspect);
        if extensions.brought(release) {
            return false;
        }
        let name = what.strip_prefix(LEFT_BEHIND).unwrap_or(what);
        let left_behind = name.len() != what.len();
        let plugin = context.data.network.plugins.iter().find(|plugin| plugin.name == name);
        plugin.is_some_and(|plugin| !plugin.covered_on.contains(&context.platform)) && !(left_behind && runs(name))
    };
    Verdict::Found(suspects.iter().filter(uncovered).map(|suspect| suspect.draft.clone()).collect())
}

/// The release that a suspect hinges on, and what was seen of which plug-in.
fn parts(suspect: &Suspect) -> (&str, &str) {
    suspect.hinge.split_once('\t').unwrap_or_default()
}

/// Before the name of a plug-in of which only definitions were seen.
const LEFT_BEHIND: &str = "left behind: ";
