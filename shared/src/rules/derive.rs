//! Facts derived from the rules' declarations: the rights a check needs, and the requests the guard's webhooks must
//! cover.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::{ClauseText, Data};
use crate::facts::probe::Probe;
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::Object;
use crate::rules::catalogue;
use crate::rules::rule::{Mode, Reach, Rule, Seen, Watch, Watched};

/// Kinds that rules judge changes of, but no webhook covers, since a cluster lives by them. A dry run judges them, and
/// a ValidatingAdmissionPolicy covers them at admission.
pub const UNASKED: [&Kind; 2] = [&kinds::ENDPOINTS, &kinds::ENDPOINT_SLICE];

/// An object and its kind as rules get them.
pub(crate) fn seen<'o, 'a>(object: &'o Object<'a>, kind: &'static Kind, data: &'o Data) -> Seen<'o, 'a> {
    Seen { object, kind, data, watched: || watched(&BTreeMap::new()) }
}

/// Every kind and subresource guarded by a rule that is not off, sorted, with codes in catalogue order. `modes` are the
/// configured modes, which take precedence over the rules' own.
pub fn watched(modes: &BTreeMap<String, Mode>) -> Vec<Watched> {
    watched_by(modes, |_| true)
}

/// As [`watched`], limited to rules that reach every namespace.
pub fn watched_everywhere(modes: &BTreeMap<String, Mode>) -> Vec<Watched> {
    watched_by(modes, |rule| rule.reach == Reach::Everywhere)
}

fn watched_by(modes: &BTreeMap<String, Mode>, wanted: impl Fn(&Rule) -> bool) -> Vec<Watched> {
    let given = |rule: &Rule| modes.iter().find(|(name, _)| **name == rule.code.as_str() || **name == rule.slug);
    let mut found: BTreeMap<(&'static Kind, &'static str), Watched> = BTreeMap::new();
    let is_on = |rule: &Rule| given(rule).map_or(rule.mode, |(_, mode)| *mode) != Mode::Off;
    for rule in catalogue::ALL.iter().filter(|rule| is_on(rule) && wanted(rule)) {
        for guard in rule.guards.iter().filter(|guard| !UNASKED.contains(&guard.kind)) {
            let (kind, subresource) = (guard.kind, guard.subresource);
            let watched = found.entry((kind, subresource)).or_insert_with(|| Watched {
                kind,
                subresource,
                operations: Vec::new(),
                codes: Vec::new(),
            });
            watched.operations.extend(guard.operations);
            watched.operations.sort_unstable();
            watched.operations.dedup();
            watched.codes.push(rule.code.as_str());
        }
    }
    found.into_values().collect()
}

/// The watches of all rules on a kind, including rules that are off by default.
pub fn guards(kind: &'static Kind) -> impl Iterator<Item = &'static Watch> {
    // A kind exists once, so its address is its identity.
    catalogue::ALL.iter().flat_map(|rule| rule.guards).filter(move |guard| std::ptr::eq(guard.kind, kind))
}

/// The kinds a check lists, with the codes of the rules that need them. A check needs `list` on each, and nothing else.
pub fn listed() -> Vec<(&'static Kind, Vec<&'static str>)> {
    let mut found: BTreeMap<&Kind, BTreeSet<&str>> = BTreeMap::new();
    for kind in [&kinds::NODE, &kinds::NAMESPACE] {
        found.entry(kind).or_default();
    }
    for rule in catalogue::ALL {
        for read in rule.reads {
            found.entry(read.kind).or_default().insert(rule.code.as_str());
        }
    }
    found.into_iter().map(|(kind, codes)| (kind, codes.into_iter().collect())).collect()
}

/// The kinds a dry run lists to tell who serves an API group, before it sends a write there. Rules read both as well.
pub const DRY_RUN_LISTS: [&Kind; 2] = [&kinds::API_SERVICE, &kinds::CUSTOM_RESOURCE_DEFINITION];

/// The probes a check sends, with the codes of the rules that need them.
pub fn probed() -> Vec<(Probe, Vec<&'static str>)> {
    let codes = |probe: Probe| -> Vec<&'static str> {
        catalogue::ALL.iter().filter(|rule| rule.probes.contains(&probe)).map(|rule| rule.code.as_str()).collect()
    };
    Probe::ALL.into_iter().map(|probe| (probe, codes(probe))).filter(|(_, codes)| !codes.is_empty()).collect()
}

/// A clause, and the rules that decide it.
#[derive(Debug)]
pub struct Covered<'d> {
    /// The clause.
    pub clause: &'d ClauseText,
    /// Rules that name it.
    pub rules: Vec<&'static Rule>,
}

/// Every clause with the rules that name it.
pub fn coverage(data: &Data) -> Vec<Covered<'_>> {
    let rules = |id: &str| catalogue::ALL.iter().copied().filter(|rule| rule.names(id)).collect();
    data.clauses.iter().map(|clause| Covered { clause, rules: rules(&clause.id) }).collect()
}

/// The ClusterRole for a complete check: `list` on the kinds the rules read, which includes the lists of a dry run, and
/// nothing else.
///
/// The plugin reads `/version` too, which Kubernetes lets every authenticated user do.
pub fn reader_role() -> String {
    let mut text = String::from(
        "# The rights that a complete support-check needs. Generated from the rules; bind it to whoever runs the check:\n\
         #   kubectl create clusterrolebinding aksarc-reader --clusterrole=aksarc-reader --user=NAME\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: aksarc-reader\nrules:\n",
    );
    for (kind, codes) in listed() {
        let codes = if codes.is_empty() { "which namespaces there are".to_owned() } else { codes.join(", ") };
        let dry_run = if DRY_RUN_LISTS.contains(&kind) { DRY_RUN_NOTE } else { "" };
        let (group, resource) = (kind.group, kind.resource);
        let rule =
            format!("# {codes}\n{dry_run}- apiGroups: [\"{group}\"]\n  resources: [{resource}]\n  verbs: [list]\n");
        text.push_str(&rule);
    }
    for (probe, codes) in probed() {
        let Some(url) = probe.needs_right() else { continue };
        let rule = format!("# {}\n- nonResourceURLs: [{url}]\n  verbs: [get]\n", codes.join(", "));
        text.push_str(&rule);
    }
    text
}

const DRY_RUN_NOTE: &str =
    "# optional for dry-run, which sends no write to a group while it cannot tell who serves it\n";
