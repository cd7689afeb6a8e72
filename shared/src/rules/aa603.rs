//! AA603: the cluster was stopped for too long.

use jiff::SignedDuration;
use jiff::civil::Date;
use serde_json::Value;

use crate::data::{Platform, own};
use crate::facts::answers::day;
use crate::facts::heartbeat::{self, Gap, Record};
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds::{self, Kind};
use crate::k8s::version::Version;
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA603"),
    slug: "stopped-too-long",
    summary: "the cluster was stopped for more than 30 days",
    consequence: Weight::Always(Consequence::Voids),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C30"), Clause::new("C31"), Clause::new("C34")],
    platforms: &[Platform::WindowsServer, Platform::Hci22h2, Platform::AzureLocal],
    reads: &[
        Read { kind: &kinds::CONFIG_MAP, scope: Scope::Own },
        life(&kinds::DAEMON_SET),
        life(&kinds::DEPLOYMENT),
        life(&kinds::NAMESPACE),
        life(&kinds::NODE),
        life(&kinds::POD),
        life(&kinds::SERVICE),
        life(&kinds::STATEFUL_SET),
    ],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "stop clusters for less than 30 days",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

/// The list of a kind whose objects show by their creation that the cluster ran. Other rules read these lists as well,
/// so that a check of all rules asks for nothing more.
const fn life(kind: &'static Kind) -> Read {
    Read { kind, scope: Scope::Cluster }
}

/// Notes the record of the guards, which is small and exists once.
fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let meta = &seen.object.meta;
    if meta.namespace.as_str() != own::NAMESPACE || meta.name.as_str() != heartbeat::NAME {
        return;
    }
    let data: Value = seen.object.field("data").unwrap_or_default();
    if let Some(text) =
        data.get(heartbeat::KEY).and_then(Value::as_str).filter(|text| text.len() <= heartbeat::MAX_BYTES)
    {
        notes.remark(RecordText(text.to_owned()));
    }
}

/// The guards' record of the times when they saw the cluster, as JSON.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RecordText(String);

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let unseen = |why: String| Verdict::NotObservable(format!("{why}: --attest answers C30, C31 and C34"));
    let Some(RecordText(text)) = inventory.remarks(RULE.code).next() else {
        return unseen("no guard has recorded when this cluster ran".to_owned());
    };
    let record = match Record::parse(text) {
        Ok(record) => record,
        Err(why) => return unseen(why.to_string()),
    };
    let limit = SignedDuration::from_hours(MAX_DAYS * 24);
    let (mut drafts, mut open) = (Vec::new(), None);
    for gap in record.stops_longer_than(limit, context.now) {
        match judge(&gap, inventory, context) {
            Stretch::Lived => {}
            Stretch::Silent(draft) => drafts.push(*draft),
            Stretch::Open(why) => open = Some(why),
        }
    }
    match open {
        Some(why) if drafts.is_empty() => return Verdict::Unknown(why),
        Some(why) => return Verdict::FoundPartly(drafts, why),
        None if !drafts.is_empty() => return Verdict::Found(drafts),
        None => {}
    }
    match record.covers(context.now) {
        Some((_, to)) if context.now.duration_since(to) > limit => unseen(format!(
            "no guard has written since {}, and the record alone does not tell whether the guard or the cluster was away",
            day(to)
        )),
        Some((from, to)) if to.duration_since(from) > limit => Verdict::Found(Vec::new()),
        Some((from, _)) => {
            unseen(format!("the guard's record begins on {} and says nothing of the time before", day(from)))
        }
        None => unseen("the guard's record is empty".to_owned()),
    }
}

/// The meaning of a gap in the record, by other signs.
enum Stretch {
    /// The cluster ran, or was not stopped for too long at a time.
    Lived,
    /// The cluster did not run, by traces that agree; or nothing tells and it no longer matters.
    Silent(Box<Draft>),
    /// Undecided.
    Open(String),
}

fn judge(gap: &Gap, inventory: &Inventory, context: &Context<'_>) -> Stretch {
    let (life, (from, to)) = (&inventory.life, (day(gap.from), day(gap.to)));
    // Nodes that were there before the gap and returned after it show that everything stood still. A node that stayed
    // ready shows nothing: where control plane and nodes stop together, nobody notes that a node is not ready.
    let mut since = life.container_since();
    if !life.was_restarted_since(from) {
        since = since.into_iter().chain(life.node_since()).min();
    }
    // A container that runs now has run since its start.
    let until = since.map_or(to, |since| since.min(to));
    let Some((begin, end)) = longest(from, until, inventory).filter(|(a, b)| span(*a, *b) > MAX_DAYS) else {
        return Stretch::Lived;
    };
    let lists: Vec<&Kind> = RULE.reads.iter().map(|read| read.kind).collect();
    let open = |why: &str| {
        let days = span(begin, end);
        Stretch::Open(format!(
            "no guard saw the cluster from {begin} to {end}, {days} days, and {why}: ask its operators, --attest answers C31"
        ))
    };
    // An unread object may show the opposite.
    if let Some(why) = context.unread(&lists) {
        return open(&format!("other signs that it ran are open ({why})"));
    }
    let nodes = life.nodes_of(begin);
    let came_back = nodes.is_some_and(|ready| ready >= end) && life.was_restarted_since(begin);
    if came_back {
        let draft = accuse(gap, begin, end);
        return Stretch::Silent(Box::new(draft.says(format!(
            "the cluster shows no sign of running from {begin} to {end}, and all earlier nodes and containers came back after \
             it{}",
            no_update(span(begin, end), context.platform)
        ))));
    }
    if nodes.is_none() && !life.has_pods_of(begin) {
        if upgraded_since(end, inventory) {
            let draft = accuse(gap, begin, end).lighter(Consequence::Info);
            return Stretch::Silent(Box::new(draft.says(format!(
                "the cluster shows no sign of running or stopping from {begin} to {end}; all nodes were replaced since, so an \
                 upgrade has succeeded after it"
            ))));
        }
        return open("everything that could show whether it ran has been replaced since");
    }
    open("the nodes and containers of before do not agree on whether it ran")
}

/// Whether every node was made after a day in an older cluster and runs the API server's minor, which is the trace of
/// an upgrade.
fn upgraded_since(end: Date, inventory: &Inventory) -> bool {
    let born = |created: Option<&str>| created.and_then(|time| time.get(..10)?.parse::<Date>().ok());
    let older = born(inventory.birth.as_deref()).is_some_and(|birth| birth < end);
    let machines = || inventory.nodes.iter().filter(|node| !node.virtual_kubelet);
    let new = machines().all(|node| {
        let version = Version::parse(&node.kubelet);
        node.ready == Some(true)
            && born(node.created.as_deref()).is_some_and(|created| created > end)
            && version.zip(inventory.server()).is_some_and(|(own, server)| own.same_minor(server))
    });
    older && new && machines().any(|node| node.control_plane)
}

/// The longest stretch between two days without a sign that the cluster ran. An object created on a day between, or a
/// container started then, proves that it ran on that day.
fn longest(from: Date, to: Date, inventory: &Inventory) -> Option<(Date, Date)> {
    let mut marks = vec![from];
    marks.extend(inventory.life.days.iter().copied().filter(|day| *day > from && *day < to));
    marks.push(to);
    let pairs = marks.iter().zip(marks.iter().skip(1)).map(|(a, b)| (*a, *b));
    pairs.max_by_key(|(a, b)| span(*a, *b))
}

fn span(from: Date, to: Date) -> i64 {
    i64::from((to - from).get_days())
}

fn no_update(days: i64, platform: Platform) -> &'static str {
    match platform {
        Platform::WindowsServer | Platform::Hci22h2 if days <= 90 => "",
        _ => ", and such a cluster cannot be updated any more",
    }
}

fn accuse(gap: &Gap, from: Date, to: Date) -> Draft {
    let days = span(from, to);
    let seen = format!("no object read was created or started between {from} and {to}");
    Draft::at(ObjectRef::cluster(), format!("heartbeat[{from}]"))
        .values(Some(&format!("at most {MAX_DAYS} days")), Some(&format!("{days} days, until {to}")))
        .with(Evidence::seen("heartbeat", gap.evidence()))
        .with(Evidence::seen("life", seen))
}

/// The limit in days. Azure Local: both limits. Windows Server and 22H2: the control plane's support, and nodes stopped
/// by hand (C31, C34).
const MAX_DAYS: i64 = 30;
