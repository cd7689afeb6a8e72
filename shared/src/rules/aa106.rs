//! AA106: AKS Arc is no longer supported on the host below the cluster.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::data::Platform;
use crate::data::lifecycle::Host;
use crate::data::tables;
use crate::facts::inventory::Inventory;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::rules::rule::{Context, Due, Grounds, ManifestUse, Mode, Reach, Rule, StateCheck, Verdict, Voiding, Weight};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA106"),
    slug: "platform-retired",
    summary: "AKS Arc is no longer supported on the release of the cluster's host",
    consequence: Weight::Always(Consequence::Voids),
    basis: Grounds::By(|platform| match platform {
        Platform::WindowsServer => Basis::Documented(&["windows-server-retirement"]),
        Platform::Hci22h2 | Platform::AzureLocal | Platform::BareMetal => Basis::Explicit,
    }),
    clauses: &[Clause::new("C09")],
    platforms: &[Platform::WindowsServer, Platform::Hci22h2, Platform::AzureLocal],
    reads: &[],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "move to a supported host release",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: None, per_cluster: Some(per_cluster), deadlines: Some(deadlines) };

/// The verdict on the host's release. Nothing in a cluster shows that release, so there is a finding only if it was
/// given, or if every release of the platform is retired.
fn per_cluster(_: &Inventory, context: &Context<'_>) -> Verdict {
    let hosts = match possible(context) {
        Ok(hosts) => hosts,
        Err(why) => return Verdict::Unknown(why),
    };
    let ends: Option<Vec<_>> = hosts.iter().map(|host| host.end).collect();
    let platform = context.platform.as_str();
    let Some(last) = ends.and_then(|ends| ends.into_iter().max()) else {
        return Verdict::NotObservable(format!("no text gives the end of a host's release on {platform}"));
    };
    if context.as_of <= last {
        return if context.release.is_some() || hosts.len() == 1 {
            Verdict::Found(Vec::new())
        } else {
            Verdict::NotObservable("a cluster does not show its host's release: give --platform-release".to_owned())
        };
    }
    let titles: Vec<&str> = hosts.iter().map(|host| &*host.title).collect();
    let titles = titles.join(" and ");
    let mut draft = Draft::at(ObjectRef::cluster(), "platformRelease")
        .values(Some(&format!("one in support, as this was until {last}")), Some(&titles))
        .says(format!("AKS Arc on {titles} is supported through {last} and no longer"));
    if context.platform == Platform::WindowsServer {
        // The retirement notice is about the product itself, so the policy's clause on the host product is not needed.
        draft = draft.clauses(&[]);
    }
    for host in hosts {
        let note = host.note.as_deref().map(|note| format!("; {note}")).unwrap_or_default();
        draft = draft.with(Evidence::seen("lifecycle", format!("{}: {}{note}", host.title, host.source)));
    }
    Verdict::Found(vec![draft])
}

/// The end of every possible release: which one the host has, the cluster does not show.
fn deadlines(_: &Inventory, context: &Context<'_>) -> Vec<Due> {
    let hosts = possible(context).unwrap_or_default();
    let sure = hosts.len() == 1;
    let mut ends: BTreeMap<Date, Vec<&str>> = BTreeMap::new();
    for host in hosts {
        if let Some(on) = host.end.filter(|end| context.as_of <= *end) {
            ends.entry(on).or_default().push(&host.title);
        }
    }
    let dues = ends.into_iter().map(|(on, titles)| {
        let which = if sure { "" } else { ", if it is the host" };
        let what = format!("support for AKS Arc on {} ends{which}", titles.join(" or "));
        Due { on, what, subject: "host".to_owned() }
    });
    dues.collect()
}

/// The rows of the host's release, or of every release of the platform where none is given.
fn possible<'d>(context: &Context<'d>) -> Result<Vec<&'d Host>, String> {
    let lifecycle = tables::lifecycle();
    let platform = context.platform;
    let Some(release) = context.release else { return Ok(lifecycle.hosts_of(platform).collect()) };
    match lifecycle.host(release) {
        Some(host) if host.platform == platform => Ok(vec![host]),
        Some(host) => {
            Err(format!("{} is a release of {}, not of {}", host.title, host.platform.as_str(), platform.as_str()))
        }
        // If no known release has an end, one more unknown release changes nothing.
        None if lifecycle.hosts_of(platform).all(|host| host.end.is_none()) => {
            Ok(lifecycle.hosts_of(platform).collect())
        }
        None => {
            let known: Vec<&str> = lifecycle.hosts_of(platform).map(|host| &*host.release).collect();
            Err(format!("no row for release {:?} of {}; known are {}", release, platform.as_str(), known.join(", ")))
        }
    }
}
