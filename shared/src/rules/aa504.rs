//! AA504: a load balancer of the user's own.

use crate::data::Platform;
use crate::facts::inventory::Inventory;
use crate::facts::notes::{Notes, Undecided};
use crate::facts::origin::{self, Provenance};
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::image;
use crate::k8s::kinds::{self, Kind};
use crate::k8s::pod::Pod;
use crate::rules::parts::installed::{self, EXTENSIONS, FromRelease, Installed};
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Weight,
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
    clauses: &[Clause::new("C18")],
    platforms: &Platform::ALL,
    reads: &[all(&kinds::DAEMON_SET), all(&kinds::DEPLOYMENT), all(&kinds::STATEFUL_SET), EXTENSIONS],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "install MetalLB as the Arc extension",
    change: None,
    claim: None,
    manifests: ManifestUse::AsState,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

const fn all(kind: &'static Kind) -> Read {
    Read { kind, scope: Scope::Cluster }
}

fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, data) = (seen.object, seen.data);
    if installed::note(seen, notes) {
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
    let release = FromRelease::of(object);
    match origin::of_object(object, data) {
        Provenance::Person(evidence) => notes.undecided(draft.with(evidence), BroughtBy { release, extension: None }),
        Provenance::Platform(_) | Provenance::Unrecognised => {
            notes.undecided(draft, BroughtBy { release, extension: row.extension.clone() });
        }
    }
}

/// The possible origin of a load balancer.
#[derive(Debug)]
struct BroughtBy {
    release: FromRelease,
    /// The extension with this kind of load balancer, if no person's write shows.
    extension: Option<String>,
}

/// The verdict on load balancers. One of an installed extension is Azure's: by the marks of its release, or by its kind
/// if no person's write shows.
fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let extensions = Installed::of(inventory, RULE.code, context.data);
    let installed = |suspect: &&Undecided<BroughtBy>| {
        let BroughtBy { release, extension } = &suspect.depends_on;
        extensions.brought(release) || extension.as_ref().is_some_and(|extension| extensions.has_type(extension))
    };
    let foreign = inventory.undecided(RULE.code).iter().filter(|suspect| !installed(suspect));
    // The texts of these two platforms count load balancers among what is supported, too.
    let listed = matches!(context.platform, Platform::WindowsServer | Platform::Hci22h2);
    let drafts = foreign.map(|suspect| {
        let mut draft = suspect.draft.clone();
        if listed {
            draft.message.push_str("; setting up load balancers is among what is supported (C14)");
            draft = draft.clauses(const { &[Clause::new("C14"), Clause::new("C18")] });
        }
        draft
    });
    Verdict::Found(drafts.collect())
}
