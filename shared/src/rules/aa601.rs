//! AA601: the cluster was not in contact with Azure for too long.

use jiff::{Timestamp, ToSpan};
use serde_json::Value;

use crate::data::Platform;
use crate::facts::answers::day;
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds::{self, Kind};
use crate::rules::parts::ways;
use crate::rules::rule::{
    Context, Due, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA601"),
    slug: "azure-connection",
    summary: "the cluster was not in contact with Azure for more than 30 days",
    consequence: Weight::On {
        platforms: &[Platform::WindowsServer, Platform::Hci22h2],
        consequence: Consequence::Info,
        elsewhere: Consequence::AtRisk,
    },
    basis: Grounds::By(|platform| match platform {
        Platform::AzureLocal => Basis::Documented(&["connectivity-modes"]),
        Platform::WindowsServer | Platform::Hci22h2 | Platform::BareMetal => Basis::Derived,
    }),
    clauses: &[Clause::new("C29"), Clause::new("C32"), Clause::new("C33")],
    platforms: &[Platform::WindowsServer, Platform::Hci22h2, Platform::AzureLocal],
    reads: &[
        Read { kind: &kinds::ARC_EXTENSION_CONFIG, scope: Scope::ArcNamespaces },
        Read { kind: &kinds::ARC_IDENTITY_REQUEST, scope: Scope::ArcNamespaces },
        Read { kind: &kinds::CONNECTED_CLUSTER, scope: Scope::ArcNamespaces },
    ],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "restore the connection to Azure",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: Some(deadlines) };

/// Notes every trace of contact as a moment: of the contact itself, or of the end of an identity from Azure.
fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let object = seen.object;
    if !seen.data.namespaces.is_arc(&object.meta.namespace) || object.raw("status").is_none() {
        return;
    }
    let status: Value = object.field("status").unwrap_or_default();
    let (of, path) = match seen.kind.kind {
        "ConnectedCluster" => (TraceKind::Contact, "/lastConnectivityTime"),
        "ExtensionConfig" => (TraceKind::Contact, "/syncStatus/lastSyncTime"),
        "AzureClusterIdentityRequest" => (TraceKind::Identity, "/expirationTime"),
        _ => return,
    };
    let place = format!("{} {} status{}", seen.kind.kind, object.meta.name, path.replace('/', "."));
    match status.pointer(path) {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) if text.is_empty() => {}
        Some(value) => match value.as_str().and_then(|text| text.parse::<Timestamp>().ok()) {
            Some(moment) => notes.remark(ContactTrace { of, moment, place }),
            None => notes.remark(NotAMoment(place)),
        },
    }
}

/// A moment that shows contact with Azure, and its field.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ContactTrace {
    of: TraceKind,
    moment: Timestamp,
    place: String,
}

/// The meaning of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum TraceKind {
    /// Contact with Azure at that moment.
    Contact,
    /// An identity from Azure that is valid until then.
    Identity,
}

/// A field that should hold a moment and does not.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct NotAMoment(String);

/// The latest moment of one sort, and its field.
fn latest(inventory: &Inventory, sort: TraceKind) -> Option<(Timestamp, &str)> {
    let traces = inventory.remarks::<ContactTrace>(RULE.code).filter(|trace| trace.of == sort);
    traces.map(|trace| (trace.moment, &*trace.place)).max()
}

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let limit = (MAX_DAYS * 24).hours();
    let over = |moment: Timestamp| moment.checked_add(limit).is_ok_and(|end| end < context.now);
    let contact = latest(inventory, TraceKind::Contact);
    let identity = latest(inventory, TraceKind::Identity);
    let lists: Vec<&Kind> = RULE.reads.iter().map(|read| read.kind).collect();
    let untold = inventory.remarks(RULE.code).next().map(|NotAMoment(place)| format!("{place} is no time"));
    // An unread object may show a later contact.
    let unread = untold.or_else(|| context.unread(&lists).map(str::to_owned));
    if let Some(why) = unread.filter(|_| contact.or(identity).is_some_and(|(at, _)| over(at))) {
        return Verdict::Unknown(why);
    }
    if let Some((at, source)) = contact {
        // An identity that Azure issued later says more than an object that nobody wrote to.
        if over(at) && identity.is_none_or(|(until, _)| until < context.now) {
            return found(
                context,
                at,
                format!("{source} is the latest trace of contact; the field was seen once and is not documented"),
            );
        }
        if over(at) {
            return unseen(&format!(
                "the latest dated contact is of {}, but Azure issued an identity that is still valid",
                day(at)
            ));
        }
        if context.platform == Platform::AzureLocal {
            return Verdict::Found(Vec::new());
        }
        return unseen(&format!(
            "this cluster was in contact with Azure on {}; the management cluster, whose contact counts, is not visible from here",
            day(at)
        ));
    }
    match identity {
        Some((until, source)) if over(until) => {
            found(context, until, format!("{source}: Azure has renewed no identity since it expired"))
        }
        Some((until, _)) => unseen(&format!(
            "no object of the Arc agents dates the last contact; their identity is valid until {}",
            day(until)
        )),
        None => unseen("no object of the Arc agents says when it was last in contact with Azure"),
    }
}

fn unseen(why: &str) -> Verdict {
    Verdict::NotObservable(format!("{why}: --attest answers C32"))
}

fn found(context: &Context<'_>, at: Timestamp, detail: String) -> Verdict {
    let days = (context.as_of - day(at)).get_days();
    let whose = match context.platform {
        Platform::AzureLocal | Platform::BareMetal => "the cluster",
        Platform::WindowsServer | Platform::Hci22h2 => "this cluster (its management cluster is not visible from here)",
    };
    let draft = Draft::at(ObjectRef::cluster(), "status.lastConnectivityTime")
        .values(Some(&format!("at most {MAX_DAYS} days ago")), Some(&format!("{at}, {days} days ago")))
        .says(format!("{whose} shows no contact with Azure since {}", day(at)))
        .with(Evidence { time: at.to_string(), ..Evidence::seen("lastContact", detail) })
        .fix(
            ways::arc("show")
                .word("--query")
                .word("{state:connectivityStatus,last:lastConnectivityTime}")
                .only("shows the connection as Azure sees it"),
        )
        .fix(ways::arc("troubleshoot").only("collects logs of Arc's agents on this machine"));
    Verdict::Found(vec![draft])
}

fn deadlines(inventory: &Inventory, context: &Context<'_>) -> Vec<Due> {
    let lists: Vec<&Kind> = RULE.reads.iter().map(|read| read.kind).collect();
    let known = latest(inventory, TraceKind::Contact).filter(|_| context.unread(&lists).is_none());
    let due = known.and_then(|(at, _)| day(at).checked_add(MAX_DAYS.days()).ok());
    let what = "30 days without contact with Azure, counted from the last contact".to_owned();
    due.filter(|on| *on >= context.as_of).map(|on| Due { on, what, subject: String::new() }).into_iter().collect()
}

/// The limit in the policy texts of all three platforms, clause C32.
const MAX_DAYS: i64 = 30;
