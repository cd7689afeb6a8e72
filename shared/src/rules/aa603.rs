//! AA603: the cluster was stopped for too long.

use jiff::SignedDuration;
use jiff::civil::Date;
use serde_json::Value;

use crate::attest::day;
use crate::data::Platform;
use crate::finding::{Basis, Consequence, Draft, Evidence, ObjectRef};
use crate::guard;
use crate::heartbeat::{self, Gap, Record};
use crate::inventory::Inventory;
use crate::kinds::{self, Kind};
use crate::rule::{Code, Context, Grounds, Mode, Notes, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Weight};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA603"),
    slug: "stopped-too-long",
    summary: "the cluster was stopped for more than 30 days",
    consequence: Weight::Always(Consequence::Voids),
    basis: Grounds::Always(Basis::Derived),
    clauses: &["C30", "C31", "C34"],
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
    page: include_str!("aa603.md"),
    state: StateCheck { each: Some(each), whole: Some(whole), clocks: None },
    change: None,
};

/// A list whose objects show by their creation that the cluster ran: those which other rules read as well, so that a check of
/// all rules asks for nothing more.
const fn life(kind: &'static Kind) -> Read {
    Read { kind, scope: Scope::Cluster }
}

/// Keeps the record of the guards, which is small and there once.
fn each(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let meta = &seen.object.meta;
    if meta.namespace.as_str() != guard::NAMESPACE || meta.name.as_str() != heartbeat::NAME {
        return;
    }
    let data: Value = seen.object.field("data").unwrap_or_default();
    if let Some(text) =
        data.get(heartbeat::KEY).and_then(Value::as_str).filter(|text| text.len() <= heartbeat::MAX_BYTES)
    {
        notes.note("record", text);
    }
}

fn whole(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let unseen = |why: String| Verdict::NotObservable(format!("{why}: --attest answers C30, C31 and C34"));
    let Some((_, text)) = inventory.remarks(RULE.code).next() else {
        return unseen("no guard has kept a record of when this cluster ran".to_owned());
    };
    let record = match Record::parse(text) {
        Ok(record) => record,
        Err(why) => return unseen(why.to_string()),
    };
    let limit = SignedDuration::from_hours(MAX_DAYS * 24);
    let drafts: Vec<Draft> = record
        .stops_longer_than(limit, context.now)
        .iter()
        .filter_map(|gap| Some((gap, longest(gap, inventory).filter(|(from, to)| span(*from, *to) > MAX_DAYS)?)))
        .map(|(gap, (from, to))| accuse(gap, from, to, context))
        .collect();
    if !drafts.is_empty() {
        let lists: Vec<&Kind> = RULE.reads.iter().map(|read| read.kind).collect();
        return match context.unread(&lists) {
            // What was not read may hold the object that shows the opposite.
            Some(why) => {
                unseen(format!("no guard wrote for too long, and what else shows that the cluster ran is open: {why}"))
            }
            None => Verdict::Found(drafts),
        };
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

/// The longest stretch of a gap in which nothing shows that the cluster ran: an object that is still there and was created
/// in the gap proves that it did on that day.
fn longest(gap: &Gap, inventory: &Inventory) -> Option<(Date, Date)> {
    let (from, to) = (day(gap.from), day(gap.to));
    let mut marks = vec![from];
    marks.extend(inventory.life.iter().copied().filter(|day| *day > from && *day < to));
    marks.push(to);
    let pairs = marks.iter().zip(marks.iter().skip(1)).map(|(a, b)| (*a, *b));
    pairs.max_by_key(|(a, b)| span(*a, *b))
}

fn span(from: Date, to: Date) -> i64 {
    i64::from((to - from).get_days())
}

fn accuse(gap: &Gap, from: Date, to: Date, context: &Context<'_>) -> Draft {
    let days = span(from, to);
    let update = match context.platform {
        Platform::WindowsServer | Platform::Hci22h2 if days <= 90 => "",
        _ => ", and such a cluster cannot be updated any more",
    };
    Draft::at(ObjectRef::cluster(), format!("heartbeat[{from}]"))
        .values(Some(&format!("at most {MAX_DAYS} days")), Some(&format!("{days} days, until {to}")))
        .says(format!("nothing shows that the cluster ran from {from} to {to}{update}"))
        .with(Evidence::seen("heartbeat", gap.evidence()))
        .with(Evidence::seen("life", format!("of all objects read, none was created between {from} and {to}")))
}

/// Azure Local: both limits. Windows Server and 22H2: the control plane's support, and nodes stopped by hand (C31, C34).
const MAX_DAYS: i64 = 30;
