//! AA103: parts of Kubernetes are further apart in version than Kubernetes supports.

use crate::data::lifecycle::Skew;
use crate::data::tables;
use crate::data::{Data, Platform, Versioned};
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds::{self, Kind};
use crate::k8s::version::Version;
use crate::rules::parts::ways;
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA103"),
    slug: "version-skew",
    summary: "parts of Kubernetes differ in version by more than Kubernetes supports",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C07")],
    platforms: &Platform::ALL,
    reads: &[
        Read { kind: &kinds::NODE, scope: Scope::Cluster },
        Read { kind: &kinds::DAEMON_SET, scope: Scope::AddOnNamespaces },
        Read { kind: &kinds::POD, scope: Scope::AddOnNamespaces },
    ],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "finish the upgrade: no part more than three minors behind",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

/// Notes the image tag of each mirror pod and `DaemonSet` that is released with Kubernetes.
fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let meta = &seen.object.meta;
    let mirror = || *seen.kind == kinds::POD && meta.annotations.get(MIRROR).is_some();
    if !mirror() && *seen.kind != kinds::DAEMON_SET {
        return;
    }
    let Some(component) = seen.data.component(seen.kind.kind, &meta.namespace, &meta.name) else { return };
    let (Some(_), Some(pod)) = (component.versioned, seen.pod()) else { return };
    // The component's container has the component's name; an injected container has a version of its own.
    let container = pod.all_containers().find(|container| *container.name == *component.product);
    let image = container.and_then(|container| container.image.as_deref()).or_else(|| pod.images().next());
    notes.remark(Running {
        product: component.product.clone(),
        tag: image.map_or("", tag).to_owned(),
        object: shown(seen.kind, &meta.name),
    });
}

/// A component whose image tells its version, and the object that runs it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Running {
    product: String,
    tag: String,
    object: String,
}

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let (parts, mut open) = parts(inventory, context.data);
    let servers = parts.iter().filter(|part| part.role == Role::ApiServer);
    let mut versions: Vec<Version> = servers.map(|part| part.version).chain(inventory.server()).collect();
    versions.sort_unstable();
    let (Some(oldest), Some(newest)) = (versions.first().copied(), versions.last().copied()) else {
        return Verdict::Unknown("the API server's version is not known".to_owned());
    };
    let unseen = context.unread(&[&kinds::POD]).is_some();
    let skew = &tables::lifecycle().skew;
    let drafts = parts.iter().filter_map(|part| {
        let allowed = part.role.behind(part.version, skew);
        let wrong = match behind(newest, part.version) {
            0 => return None,
            // During an upgrade of the control plane, `/version` may come from an older API server than the newest.
            n if n < 0 && unseen => return None,
            n if n < 0 => "newer than every API server".to_owned(),
            n if n > i64::from(allowed) => {
                format!("{n} minors behind the newest API server, and at most {allowed} are supported")
            }
            _ => return None,
        };
        let servers = if oldest.same_minor(newest) {
            format!("API server {newest}")
        } else {
            // API servers one minor apart are being upgraded, and what follows them may be at the newer minor already.
            format!("API servers {oldest} to {newest}, compared with the newest")
        };
        let minor = part.version.minor_text();
        let mut draft = Draft::at(ObjectRef::cluster(), format!("{}[{minor}]", part.name))
            .values(Some(&range(newest, allowed)), Some(&minor))
            .says(format!("{} {minor} is {wrong}", part.name))
            .member(&part.object)
            .with(Evidence::seen("versions", servers))
            .with(Evidence::seen("skewPolicy", format!("{}, read {}", skew.source, skew.checked)));
        draft = draft.fixes(ways::upgrade());
        Some(draft)
    });
    let drafts: Vec<Draft> = drafts.collect();
    match open.pop() {
        Some(why) => Verdict::FoundPartly(drafts, why),
        None => Verdict::Found(drafts),
    }
}

/// A running part of Kubernetes.
struct RunningPart<'i> {
    role: Role,
    name: &'i str,
    version: Version,
    object: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    ApiServer,
    Controller,
    OnNodes,
}

impl Role {
    /// The number of minors a part may be behind the newest API server.
    fn behind(self, version: Version, skew: &Skew) -> u32 {
        match self {
            Role::ApiServer => skew.api_servers,
            Role::Controller => skew.controllers,
            Role::OnNodes => skew.kubelet_behind(version),
        }
    }
}

/// All parts with a version, and the reasons why others have none. A node that has not reported yet has no version, and
/// the version of a virtual kubelet is not a machine's.
fn parts<'i>(inventory: &'i Inventory, data: &'i Data) -> (Vec<RunningPart<'i>>, Vec<String>) {
    let (mut parts, mut open) = (Vec::new(), Vec::new());
    for node in inventory.nodes.iter().filter(|node| !node.kubelet.is_empty() && !node.virtual_kubelet) {
        match Version::parse(&node.kubelet) {
            Some(version) => {
                parts.push(RunningPart { role: Role::OnNodes, name: "kubelet", version, object: node.name.clone() });
            }
            None => open.push(format!("node {} reports {:?}, which is not a version", node.name, node.kubelet)),
        }
    }
    for Running { product: name, tag, object } in inventory.remarks(RULE.code) {
        let role = match data.components.iter().filter(|row| row.product == *name).find_map(|row| row.versioned) {
            Some(Versioned::ApiServer) => Role::ApiServer,
            Some(Versioned::Controller) => Role::Controller,
            Some(Versioned::Proxy) => Role::OnNodes,
            None => continue,
        };
        match Version::parse(tag) {
            Some(version) => parts.push(RunningPart { role, name, version, object: object.to_owned() }),
            None => open.push(format!("the image tag of {object} is not a version")),
        }
    }
    (parts, open)
}

/// The supported minors for people: `1.30 to 1.33`.
fn range(newest: Version, allowed: u32) -> String {
    let oldest = Version { minor: newest.minor.saturating_sub(allowed), ..newest };
    format!("{} to {}", oldest.minor_text(), newest.minor_text())
}

/// The number of minors by which a version is behind `newest`; negative when it is newer.
fn behind(newest: Version, version: Version) -> i64 {
    let count = |version: Version| i64::from(version.major) * MINORS_OF_A_MAJOR + i64::from(version.minor);
    count(newest) - count(version)
}

/// The tag of an image: `v1.33.5` of `registry:5000/kube-apiserver:v1.33.5@sha256:…`.
fn tag(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or_default();
    let last = image.rsplit('/').next().unwrap_or_default();
    last.split_once(':').map_or("", |(_, tag)| tag)
}

/// The spelling of an object: `pod/kube-apiserver-moc-lc0p1`.
fn shown(kind: &Kind, name: &str) -> String {
    format!("{}/{name}", kind.kind.to_lowercase())
}

/// The annotation of mirror pods, by which a kubelet shows the pods in files on its node.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// More minors than a major will ever have, so that another major is never near.
const MINORS_OF_A_MAJOR: i64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_after_ports_and_before_digests() {
        assert_eq!(tag("registry:5000/a/kube-apiserver:v1.33.5@sha256:ab"), "v1.33.5");
        assert_eq!(tag("registry:5000/kube-apiserver"), "");
        assert_eq!(tag("kube-apiserver@sha256:ab"), "");
        assert_eq!(tag(""), "");
    }
}
