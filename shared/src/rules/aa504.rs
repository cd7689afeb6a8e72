//! AA504: a load balancer of the user's own.

use crate::data::Platform;
use crate::finding::{Basis, Consequence, Draft, Evidence, ObjectRef};
use crate::image;
use crate::inventory::Inventory;
use crate::kinds::{self, Kind};
use crate::origin::{self, Provenance};
use crate::pod::Pod;
use crate::rule::{
    Code, Context, Grounds, Mode, Notes, Reach, Read, Rule, Scope, Seen, StateCheck, Suspect, Verdict, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA504"),
    slug: "self-managed-load-balancer",
    summary: "a load balancer runs that AKS Arc did not install",
    consequence: Weight::On {
        platforms: &[Platform::WindowsServer, Platform::Hci22h2],
        consequence: Consequence::Info,
        elsewhere: Consequence::NotCovered,
    },
    basis: Grounds::Always(Basis::Derived),
    clauses: &["C18"],
    platforms: &Platform::ALL,
    reads: &[
        all(&kinds::DAEMON_SET),
        all(&kinds::DEPLOYMENT),
        all(&kinds::STATEFUL_SET),
        Read { kind: &kinds::ARC_EXTENSION_CONFIG, scope: Scope::ArcNamespaces },
    ],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "install MetalLB as the Arc extension",
    page: include_str!("aa504.md"),
    state: StateCheck { each: Some(each), whole: Some(whole), clocks: None },
    change: None,
};

const fn all(kind: &'static Kind) -> Read {
    Read { kind, scope: Scope::Cluster }
}

fn each(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, data) = (seen.object, seen.data);
    if *seen.kind == kinds::ARC_EXTENSION_CONFIG {
        let spec: Option<serde_json::Value> = object.field("spec");
        let name = spec.as_ref().and_then(|spec| spec.get("extensionType")?.as_str());
        notes.note(EXTENSION, name.unwrap_or_default().to_lowercase());
        return;
    }
    let meta = &object.meta;
    if data.component(seen.kind.kind, &meta.namespace, &meta.name).is_some() {
        return;
    }
    let images = || seen.pod().into_iter().flat_map(Pod::images);
    let found = data
        .network
        .load_balancers
        .iter()
        .find_map(|row| Some((row, images().find(|image| image::is_of_any(image, &row.images))?)));
    let Some((row, image)) = found else { return };
    let draft = Draft::at(ObjectRef::of(object, seen.kind), "spec.template.spec.containers")
        .values(None, Some(image))
        .with(Evidence::seen("image", format!("{image} is {}: {}", row.name, row.source)));
    let what = format!("{} {} runs {}", seen.kind.kind, meta.name, row.name);
    let draft = if row.appliance {
        draft
            .says(format!("{what}, which drives a load balancer outside the cluster: allowed, and yours to look after"))
            .lighter(Consequence::Info)
    } else {
        draft.says(format!("{what}, a load balancer of your own: allowed, and not covered"))
    };
    match origin::of_object(object, data) {
        Provenance::Person(evidence) => notes.suspect(draft.with(evidence), PERSON),
        Provenance::Platform(_) | Provenance::Unrecognised => {
            notes.suspect(draft, row.extension.as_deref().unwrap_or_default());
        }
    }
}

/// What the installed extension brings is Azure's, unless a person's hand shows on it.
fn whole(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    // Where nobody could say which extensions there are, each may be.
    let unknown = context.unread(&[&kinds::ARC_EXTENSION_CONFIG]).is_some();
    let installed = |suspect: &&Suspect| {
        let shipped = !matches!(&*suspect.hinge, PERSON | "");
        unknown && shipped
            || inventory.remarks(RULE.code).any(|(about, says)| about == EXTENSION && says == suspect.hinge)
    };
    let own = inventory.suspects(RULE.code).iter().filter(|suspect| !installed(suspect));
    // The texts of these two platforms count load balancers among what is supported, too.
    let listed = matches!(context.platform, Platform::WindowsServer | Platform::Hci22h2);
    let drafts = own.map(|suspect| {
        let mut draft = suspect.draft.clone();
        if listed {
            draft.message.push_str("; setting up load balancers is among what is supported (C14)");
            draft = draft.clauses(&["C14", "C18"]);
        }
        draft
    });
    Verdict::Found(drafts.collect())
}

/// What a remark about an installed Arc extension is about.
const EXTENSION: &str = "extension";
/// The hinge of a load balancer that a person installed.
const PERSON: &str = "a person's";
